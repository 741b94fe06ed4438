//! Every verb, in both flavours: what goes in comes out, in place or copied, one by one or many, and what cannot be
//! done says why and loses nothing.

#[macro_use]
mod support;

use ringmail::zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};
use ringmail::{
    Options, RecvTimeoutError, Redelivery, SendError, SendManyTimeoutError, SendTimeoutError, TrySendError,
    TrySendManyError,
};
use std::time::{Duration, Instant};
use support::watchdog;

#[derive(Clone, Copy, Debug, FromBytes, Immutable, IntoBytes, KnownLayout, PartialEq)]
#[repr(C)]
struct Tick {
    time: u64,
    price: f64,
}

/// A header and as many samples as there are.
#[derive(Debug, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
struct Frame {
    number: u32,
    width: u32,
    samples: [u32],
}

const SOON: Duration = Duration::from_millis(1);
const LATE: Duration = Duration::from_secs(60);

/// What a verb says that may wait until the deadline, and does: it says so no earlier.
fn patiently<T>(verb: impl FnOnce(Instant) -> T) -> T {
    let deadline = Instant::now() + SOON;
    let said = verb(deadline);
    assert!(Instant::now() >= deadline, "it gave up too early");
    said
}

both! {
    fn bytes(capacity: usize) -> (flavour::Sender<[u8]>, flavour::Receiver<[u8]>) {
        flavour::channel(&Options::new().capacity(capacity).max_len(16)).unwrap()
    }

    #[test]
    fn every_way_to_send_and_receive_a_copy() {
        let _watchdog = watchdog("a send or receive that need not wait");
        let (mut tx, mut rx) = bytes(4);
        tx.send(b"one").unwrap();
        tx.try_send(b"two").unwrap();
        tx.send_timeout(b"three", LATE).unwrap();
        tx.send_deadline(b"four", Instant::now() + LATE).unwrap();
        assert_eq!(*rx.recv().unwrap(), *b"one");
        assert_eq!(*rx.try_recv().unwrap(), *b"two");
        assert_eq!(*rx.recv_timeout(LATE).unwrap(), *b"three");
        assert_eq!(*rx.recv_deadline(Instant::now() + LATE).unwrap(), *b"four");
        assert!(rx.try_recv().unwrap_err().is_empty());
        assert!(rx.recv_timeout(SOON).unwrap_err().is_timeout());
    }

    #[test]
    fn every_way_to_send_in_place() {
        let _watchdog = watchdog("a loan that need not wait");
        let (mut tx, mut rx) = bytes(6);
        let mut loan = tx.loan(3).unwrap();
        loan.copy_from_slice(b"one");
        assert_eq!(*loan, *b"one");
        loan.commit().unwrap();
        let mut loan = tx.try_loan(3).unwrap();
        loan.copy_from_slice(b"two");
        loan.commit().unwrap();
        let mut loan = tx.loan_timeout(16, LATE).unwrap();
        loan[..5].copy_from_slice(b"three");
        loan.commit_len(5).unwrap();
        let loan = tx.loan(3).unwrap();
        assert_eq!(loan.commit_len(4), Err(SendError::TooLarge { len: 4, max: 3 }));
        drop(tx.loan(1).unwrap());
        assert_eq!(tx.len(), 3);
        let mut said = Vec::new();
        for _ in 0..3 {
            said.push(rx.recv().unwrap().to_vec());
        }
        assert_eq!(said, [&b"one"[..], b"two", b"three"]);
        assert!(rx.try_recv().unwrap_err().is_empty());
    }

    #[test]
    fn sized_messages_in_place() {
        let (mut tx, mut rx) = flavour::channel::<Tick>(&Options::new().capacity(2)).unwrap();
        let tick = Tick { time: 1, price: 2.5 };
        tx.send(&tick).unwrap();
        assert_eq!(*rx.recv().unwrap(), tick);
        let mut loan = tx.loan_uninit().unwrap();
        loan.time = 7;
        loan.price = -0.5;
        loan.commit().unwrap();
        tx.try_loan_uninit().unwrap().write(tick).unwrap();
        assert!(tx.try_loan_uninit().unwrap_err().is_full());
        assert_eq!(*rx.recv().unwrap(), Tick { time: 7, price: -0.5 });
        assert_eq!(*rx.recv().unwrap(), tick);
        assert_eq!((tx.max_len(), rx.max_len(), tx.capacity(), rx.capacity()), (16, 16, 2, 2));
    }

    #[test]
    fn what_need_not_wait_does_not() {
        let _watchdog = watchdog("a verb that need not wait");
        let late = || Instant::now() + LATE;
        let (mut tx, mut rx) = bytes(3);
        let mut loan = tx.loan_deadline(3, late()).unwrap();
        loan.copy_from_slice(b"one");
        loan.commit().unwrap();
        tx.send_parts_deadline(&[b"tw", b"o"], late()).unwrap();
        tx.send_parts_timeout(&[b"thr", b"ee"], LATE).unwrap();
        let mut buffer = [0; 4];
        assert_eq!(rx.recv_into_timeout(&mut buffer, LATE), Ok(3));
        assert_eq!(buffer, *b"one\0");
        let batch = rx.recv_many_deadline(9, late()).unwrap();
        assert!(batch.iter().eq([&b"two"[..], b"three"]));
        drop(batch);
        tx.send(b"four").unwrap();
        assert_eq!(rx.recv_into_deadline(&mut buffer, late()), Ok(4));
        assert_eq!(buffer, *b"four");
        let (mut tx, mut rx) = flavour::channel::<u64>(&Options::new().capacity(1)).unwrap();
        tx.loan_uninit_timeout(LATE).unwrap().write(7).unwrap();
        assert_eq!(rx.recv_copy_timeout(LATE), Ok(7));
        tx.loan_uninit_deadline(late()).unwrap().write(8).unwrap();
        assert_eq!(rx.recv_copy_deadline(late()), Ok(8));
    }

    #[test]
    fn what_waits_in_vain_waits_its_time() {
        let _watchdog = watchdog("a verb with a limit");
        let (mut tx, mut rx) = bytes(1);
        let mut buffer = [0; 4];
        assert!(patiently(|_| rx.recv_into_timeout(&mut buffer, SOON)).unwrap_err().is_timeout());
        assert!(patiently(|deadline| rx.recv_into_deadline(&mut buffer, deadline)).unwrap_err().is_timeout());
        assert!(patiently(|deadline| rx.recv_many_deadline(9, deadline).map(drop)).unwrap_err().is_timeout());
        tx.send(b"full").unwrap();
        assert!(patiently(|deadline| tx.loan_deadline(1, deadline).map(drop)).unwrap_err().is_timeout());
        assert!(patiently(|deadline| tx.send_parts_deadline(&[b"more"], deadline)).unwrap_err().is_timeout());
        assert_eq!(rx.recv_into_timeout(&mut buffer[..3], SOON).unwrap_err(), RecvTimeoutError::TooLarge { len: 4, max: 3 });
        let (mut tx, mut rx) = flavour::channel::<u64>(&Options::new().capacity(1)).unwrap();
        assert!(patiently(|_| rx.recv_copy_timeout(SOON)).unwrap_err().is_timeout());
        assert!(patiently(|deadline| rx.recv_copy_deadline(deadline)).unwrap_err().is_timeout());
        tx.send(&7).unwrap();
        assert!(patiently(|_| tx.loan_uninit_timeout(SOON).map(drop)).unwrap_err().is_timeout());
        assert!(patiently(|deadline| tx.loan_uninit_deadline(deadline).map(drop)).unwrap_err().is_timeout());
        assert_eq!(rx.recv_copy_timeout(SOON), Ok(7), "it is still there");
    }

    #[test]
    fn many_within_limits() {
        let _watchdog = watchdog("a run with a limit");
        let late = || Instant::now() + LATE;
        let (mut tx, mut rx) = flavour::channel::<u64>(&Options::new().capacity(4)).unwrap();
        assert_eq!(tx.try_send_many(0..2), Ok(2));
        assert_eq!(tx.send_many_timeout(2..3, LATE), Ok(1));
        assert_eq!(tx.send_many_deadline(3..4, late()), Ok(1));
        assert!(rx.try_iter().map(|message| *message).eq(0..4));
        tx.send_slice(&[4]).unwrap();
        tx.try_send_slice(&[5]).unwrap();
        tx.send_slice_timeout(&[6], LATE).unwrap();
        tx.send_slice_deadline(&[7], late()).unwrap();
        assert!(rx.try_iter().map(|message| *message).eq(4..8));
        // Of more than fits, what fits is sent.
        let full = |sent| TrySendManyError { sent, error: TrySendError::Full };
        let late = |sent| SendManyTimeoutError { sent, error: SendTimeoutError::Timeout };
        assert_eq!(tx.try_send_many(0..9), Err(full(4)));
        assert_eq!(tx.try_send_slice(&[9]), Err(full(0)));
        assert_eq!(patiently(|_| tx.send_many_timeout(0..9, SOON)), Err(late(0)));
        assert_eq!(patiently(|deadline| tx.send_many_deadline(0..9, deadline)), Err(late(0)));
        assert_eq!(patiently(|_| tx.send_slice_timeout(&[9; 9], SOON)), Err(late(0)));
        drop(rx.recv_many(2).unwrap());
        assert_eq!(patiently(|deadline| tx.send_slice_deadline(&[4, 5, 6], deadline)), Err(late(2)));
        assert!(rx.try_iter().map(|message| *message).eq(2..6));
        assert_eq!(tx.try_send_slice(&[0; 9]), Err(full(4)));
        let none = |_, _: &mut u64| unreachable!("there is no room");
        assert_eq!(tx.try_fill_many(1, none), Err(full(0)));
        assert_eq!(patiently(|_| tx.fill_many_timeout(1, none, SOON)), Err(late(0)));
        assert_eq!(patiently(|deadline| tx.fill_many_deadline(1, none, deadline)), Err(late(0)));
        assert_eq!(rx.try_iter().count(), 4);
        tx.try_fill_many(1, |number, message| *message = number as u64).unwrap();
        tx.fill_many_timeout(1, |_, message| *message = 1, LATE).unwrap();
        tx.fill_many_deadline(1, |_, message| *message = 2, Instant::now() + LATE).unwrap();
        assert_eq!(tx.try_fill_many(9, |_, message| *message = 3), Err(full(1)));
        assert!(rx.try_iter().map(|message| *message).eq(0..4));
    }

    #[test]
    fn slices_of_any_element() {
        let (mut tx, mut rx) = flavour::channel::<[f32]>(&Options::new().capacity(3).max_len(16)).unwrap();
        tx.send(&[0.5, -1.0, f32::INFINITY]).unwrap();
        let mut loan = tx.loan(4).unwrap();
        loan.fill(2.5);
        loan.commit_len(2).unwrap();
        assert_eq!(tx.send(&[0.0; 5]), Err(SendError::TooLarge { len: 20, max: 16 }));
        assert!(tx.loan(5).unwrap_err().is_too_large());
        assert!(tx.loan(usize::MAX).unwrap_err().is_too_large());
        let message = rx.recv().unwrap();
        assert_eq!(*message, [0.5, -1.0, f32::INFINITY]);
        assert!(message.as_ptr().addr().is_multiple_of(64), "aligned for numerical code");
        drop(message);
        assert_eq!(*rx.recv().unwrap(), [2.5, 2.5]);
    }

    #[test]
    fn unsized_structures() {
        let (mut tx, mut rx) = flavour::channel::<Frame>(&Options::new().capacity(2).max_len(8 + 4 * 6)).unwrap();
        let mut loan = tx.loan(6).unwrap();
        (loan.number, loan.width) = (1, 3);
        loan.samples.copy_from_slice(&[1, 2, 3, 4, 5, 6]);
        loan.commit_len(3).unwrap();
        assert_eq!(tx.try_loan(7).unwrap_err(), TrySendError::TooLarge { len: 36, max: 32 });
        let frame = rx.recv().unwrap();
        assert_eq!((frame.number, frame.width, &frame.samples), (1, 3, &[1, 2, 3][..]));
        tx.send(&frame).unwrap();
        drop(frame);
        assert_eq!(rx.recv().unwrap().samples, [1, 2, 3]);
    }

    #[test]
    fn messages_of_no_length_count_as_messages() {
        let (mut tx, mut rx) = bytes(2);
        tx.send(b"").unwrap();
        tx.loan(0).unwrap().commit().unwrap();
        assert!(tx.try_send(b"").unwrap_err().is_full());
        assert!(rx.recv().unwrap().is_empty());
        assert!(rx.recv().unwrap().is_empty());
        assert!(rx.try_recv().unwrap_err().is_empty());
    }

    #[test]
    fn what_is_too_large_is_not_sent() {
        let (mut tx, mut rx) = bytes(2);
        let long = [0; 17];
        assert_eq!(tx.send(&long), Err(SendError::TooLarge { len: 17, max: 16 }));
        assert_eq!(tx.try_send(&long), Err(TrySendError::TooLarge { len: 17, max: 16 }));
        assert!(tx.send_timeout(&long, SOON).unwrap_err().is_too_large());
        assert!(tx.try_loan(17).unwrap_err().is_too_large());
        assert!(tx.loan_timeout(17, SOON).unwrap_err().is_too_large());
        assert!(rx.try_recv().unwrap_err().is_empty());
        tx.send(&[1; 16]).unwrap();
        assert_eq!(*rx.recv().unwrap(), [1; 16]);
    }

    #[test]
    fn many_at_once() {
        let (mut tx, mut rx) = flavour::channel::<u64>(&Options::new().capacity(7)).unwrap();
        for lap in 0..5_u64 {
            let first = 10 * lap;
            assert_eq!(tx.send_many(first..first + 5).unwrap(), 5);
            let batch = rx.recv_many(3).unwrap();
            assert_eq!((batch.len(), batch.is_empty()), (3, false));
            assert!(batch.iter().copied().eq(first..first + 3));
            assert_eq!((batch.get(2), batch.get(3)), (Some(&(first + 2)), None));
            assert_eq!((batch.redelivered(0), batch.redelivered(9)), (0, 0));
            assert_eq!(tx.len(), 5, "not acknowledged yet");
            batch.ack();
            assert_eq!(tx.len(), 2);
            let batch = rx.try_recv_many(100).unwrap();
            assert!(batch.iter().copied().eq(first + 3..first + 5));
            drop(batch);
            assert!(rx.try_recv_many(100).unwrap_err().is_empty());
            assert!(rx.recv_many_timeout(100, SOON).unwrap_err().is_timeout());
        }
        assert_eq!(tx.send_many([1, 2].iter().filter(|number| **number > 5)).unwrap(), 0);
        tx.send(&9).unwrap();
        assert_eq!(rx.recv_many_timeout(0, LATE).unwrap().len(), 1, "at least one");
    }

    #[test]
    fn more_than_fit_at_once() {
        let (mut tx, mut rx) = flavour::channel::<u64>(&Options::new().capacity(3)).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| assert_eq!(tx.send_many(0..1000).unwrap(), 1000));
            let mut next = 0;
            while next < 1000 {
                for number in rx.recv_many(2).unwrap().iter() {
                    assert_eq!(*number, next);
                    next += 1;
                }
            }
        });
    }

    #[test]
    fn many_that_stop_in_the_middle() {
        let (mut tx, mut rx) = bytes(4);
        let error = tx.send_many([&b"one"[..], b"two", &[0; 17], b"three"]).unwrap_err();
        assert_eq!((error.sent, error.error), (2, SendError::TooLarge { len: 17, max: 16 }));
        assert_eq!(*rx.recv().unwrap(), *b"one");
        assert_eq!(*rx.recv().unwrap(), *b"two");
        assert!(rx.try_recv().unwrap_err().is_empty());
        drop(rx);
        let error = tx.send_many([&b"x"[..]; 6]).unwrap_err();
        assert_eq!((error.sent, error.error), (4, SendError::Disconnected));
    }

    #[test]
    fn many_within_limits_that_stop_in_the_middle() {
        let _watchdog = watchdog("a run with a limit that is too large or comes too late");
        let (mut tx, mut rx) = bytes(4);
        let messages = [&b"one"[..], b"two", &[0; 17], b"three"];
        let mut came = || rx.try_iter().map(|message| message.to_vec()).collect::<Vec<_>>();
        let large = TrySendManyError { sent: 2, error: TrySendError::TooLarge { len: 17, max: 16 } };
        assert_eq!(tx.try_send_many(messages), Err(large));
        assert_eq!(came(), messages[..2]);
        let large = SendManyTimeoutError { sent: 2, error: SendTimeoutError::TooLarge { len: 17, max: 16 } };
        assert_eq!(tx.send_many_timeout(messages, LATE), Err(large));
        assert_eq!(came(), messages[..2]);
        assert_eq!(tx.send_many_deadline(messages, Instant::now() + LATE), Err(large));
        assert_eq!(came(), messages[..2]);
        tx.try_send(b"x").unwrap();
        drop(rx);
        // What fits is sent: a successor may come for it.
        let nobody = |sent| TrySendManyError { sent, error: TrySendError::Disconnected };
        assert_eq!(tx.try_send_many([&b"x"[..]; 6]), Err(nobody(3)));
        assert_eq!(tx.try_send_many([&b"x"[..]; 6]), Err(nobody(0)));
        let nobody = SendManyTimeoutError { sent: 0, error: SendTimeoutError::Disconnected };
        assert_eq!(tx.send_many_timeout([&b"x"[..]; 6], LATE), Err(nobody));
        let (mut tx, rx) = flavour::channel::<u64>(&Options::new().capacity(4)).unwrap();
        drop(rx);
        let nobody = |sent| TrySendManyError { sent, error: TrySendError::Disconnected };
        assert_eq!(tx.try_send_slice(&[7; 6]), Err(nobody(4)));
        assert_eq!(tx.try_fill_many(6, |_, _| unreachable!("there is no room")), Err(nobody(0)));
    }

    #[test]
    fn many_long_and_short_ones_within_limits() {
        let _watchdog = watchdog("long messages in runs with limits");
        let (mut tx, mut rx) = flavour::channel::<[u8]>(&Options::new().capacity(5).max_len(10_000)).unwrap();
        let mut came = || rx.try_iter().map(|message| message.to_vec()).collect::<Vec<_>>();
        let make = |lap: usize| (0..9).map(move |n| vec![(9 * lap + n) as u8; [5, 9000, 1088, 1089, 0, 10_000][(lap + n) % 6]]);
        for lap in 0..12 {
            let messages: Vec<Vec<u8>> = make(lap).collect();
            let slices = || messages.iter().map(|message| &message[..]);
            assert_eq!(tx.try_send_many(slices().take(3)), Ok(3));
            let full = TrySendManyError { sent: 2, error: TrySendError::Full };
            assert_eq!(tx.try_send_many(slices().skip(3)), Err(full));
            assert_eq!(came(), messages[..5]);
            assert_eq!(tx.send_many_timeout(slices().take(3), LATE), Ok(3));
            let late = SendManyTimeoutError { sent: 2, error: SendTimeoutError::Timeout };
            assert_eq!(patiently(|_| tx.send_many_timeout(slices().skip(3), SOON)), Err(late));
            assert_eq!(came(), messages[..5]);
            assert_eq!(tx.send_many_deadline(slices().take(5), Instant::now() + LATE), Ok(5));
            let late = SendManyTimeoutError { sent: 0, error: SendTimeoutError::Timeout };
            assert_eq!(patiently(|deadline| tx.send_many_deadline(slices(), deadline)), Err(late));
            assert_eq!(came(), messages[..5]);
            let long = vec![0; 10_001];
            let large = TrySendManyError { sent: 4, error: TrySendError::TooLarge { len: 10_001, max: 10_000 } };
            assert_eq!(tx.try_send_many(slices().take(4).chain([&long[..]])), Err(large));
            assert_eq!(came(), messages[..4]);
        }
    }

    #[test]
    fn many_are_made_in_their_slots() {
        fn check<M: ringmail::Message + Copy + PartialEq + std::fmt::Debug>(make: impl Fn(usize) -> M + Sync) {
            let (mut tx, mut rx) = flavour::channel::<M>(&Options::new().capacity(5)).unwrap();
            tx.fill_many(0, |_, _| unreachable!("no message")).unwrap();
            for lap in 0..12 {
                // From each slot on, and over the end of the slots.
                tx.fill_many(4, |number, message| *message = make(4 * lap + number)).unwrap();
                assert_eq!(tx.len(), 4);
                for number in 0..4 {
                    assert_eq!(*rx.recv().unwrap(), make(4 * lap + number));
                }
            }
            std::thread::scope(|scope| {
                scope.spawn(|| tx.fill_many(100, |number, message| *message = make(number)).unwrap());
                (0..100).for_each(|number| assert_eq!(*rx.recv().unwrap(), make(number)));
            });
            drop(rx);
            let error = tx.fill_many(9, |number, message| *message = make(number)).unwrap_err();
            assert_eq!((error.sent, error.error), (5, SendError::Disconnected));
        }
        check(|number| number as u64);
        check(|number| [number as u8; 3]);
        check(|number| [number as u64; 128]);
        // Longer than lies with a slot.
        check(|number| [number as u8; 5000]);
    }

    #[test]
    fn who_panics_making_a_message_does_not_send_it() {
        let (mut tx, mut rx) = flavour::channel::<[u64; 128]>(&Options::new().capacity(4)).unwrap();
        let fill = |tx: &mut flavour::Sender<[u64; 128]>| {
            let fill = |number, message: &mut [u64; 128]| {
                message[0] = number as u64;
                assert!(number < 2, "the third");
            };
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| tx.fill_many(4, fill))).is_err()
        };
        assert!(fill(&mut tx));
        // Nor those before it in its run; in an mpmc ring each is on its own.
        let is_run = std::any::type_name::<flavour::Sender<u64>>().contains("spsc");
        let sent = rx.try_iter().map(|message| message[0]).collect::<Vec<_>>();
        assert_eq!(sent, if is_run { vec![] } else { vec![0, 1] });
        tx.send(&[7; 128]).unwrap();
        assert_eq!(rx.recv().unwrap()[..], [7; 128]);
    }

    #[test]
    fn iterators() {
        let (mut tx, mut rx) = flavour::channel::<u64>(&Options::new().capacity(8)).unwrap();
        tx.send_many(0..3).unwrap();
        assert!(rx.try_iter().map(|message| *message).eq(0..3));
        assert_eq!(tx.len(), 0);
        tx.send_many(3..6).unwrap();
        drop(tx);
        assert!(rx.iter().map(|message| *message).eq(3..6));
    }

    #[test]
    fn room_and_backlog() {
        let (mut tx, mut rx) = bytes(2);
        assert!(tx.is_empty() && rx.is_empty() && tx.has_space() && !tx.is_full());
        tx.send(b"a").unwrap();
        assert!(!tx.is_empty() && !rx.is_empty() && tx.has_space());
        tx.send(b"b").unwrap();
        assert_eq!((tx.len(), rx.len(), tx.is_full(), tx.has_space()), (2, 2, true, false));
        rx.recv().unwrap().ack();
        assert_eq!((tx.len(), rx.len(), tx.is_full(), tx.has_space()), (1, 1, false, true));
        assert!(tx.wait_acked(Some(SOON)).unwrap_err().is_timeout());
        rx.recv().unwrap().ack();
        tx.wait_acked(None).unwrap();
    }

    #[test]
    fn copying_out() {
        let (mut tx, mut rx) = bytes(4);
        let mut buffer = [9; 4];
        tx.send(b"abc").unwrap();
        assert_eq!(rx.recv_into(&mut buffer), Ok(3));
        assert_eq!(buffer, *b"abc\x09");
        tx.send(b"").unwrap();
        assert_eq!(rx.try_recv_into(&mut buffer), Ok(0));
        assert!(rx.try_recv_into(&mut buffer).unwrap_err().is_empty());
        // One that does not fit stays in the ring.
        tx.send(b"too long").unwrap();
        assert_eq!(rx.recv_into(&mut buffer).unwrap_err(), ringmail::RecvError::TooLarge { len: 8, max: 4 });
        assert_eq!(tx.len(), 1);
        assert_eq!(rx.try_recv_into(&mut buffer).unwrap_err(), ringmail::TryRecvError::TooLarge { len: 8, max: 4 });
        let message = rx.recv().unwrap();
        assert_eq!(message.copy_into(&mut buffer), 8);
        assert_eq!((&*message, buffer), (&b"too long"[..], *b"too "));
        assert_eq!(message.redelivered(), 2);
    }

    #[test]
    fn rejected_messages_come_again() {
        let (mut tx, mut rx) = flavour::channel::<u64>(&Options::new().capacity(4)).unwrap();
        tx.send(&5).unwrap();
        for again in 0..20 {
            let message = rx.try_recv().unwrap();
            assert_eq!((*message, message.redelivered()), (5, again.min(15)));
            message.reject();
            assert_eq!(tx.len(), 1);
        }
        assert_eq!(rx.recv().unwrap().redelivered(), 15, "it is not counted further");
        assert!(rx.try_recv().unwrap_err().is_empty());
        tx.send_many([1, 2, 3]).unwrap();
        rx.recv_many(2).unwrap().reject();
        let mut all = Vec::new();
        while let Ok(message) = rx.try_recv() {
            all.push((*message, message.redelivered()));
        }
        all.sort_unstable();
        assert_eq!(all, [(1, 1), (2, 1), (3, 0)]);
    }

    #[test]
    fn a_panic_rejects() {
        let (mut tx, mut rx) = flavour::channel::<u64>(&Options::new().capacity(4)).unwrap();
        tx.send(&5).unwrap();
        tx.send(&6).unwrap();
        let panicked = std::thread::scope(|scope| {
            scope.spawn(|| {
                let message = rx.recv().unwrap();
                let _held = message;
                std::panic::resume_unwind(Box::new(()));
            }).join()
        });
        assert!(panicked.is_err());
        let mut all = Vec::new();
        while let Ok(message) = rx.try_recv() {
            all.push((*message, message.redelivered()));
        }
        all.sort_unstable();
        assert_eq!(all, [(5, 1), (6, 0)]);
    }

    #[test]
    fn redelivery_has_a_limit() {
        for limit in 0..4 {
            let policy = if limit == 0 { Redelivery::Never } else { Redelivery::AtMost(limit) };
            let options = Options::new().capacity(2).redelivery(policy);
            let ring = flavour::Ring::<u64>::anonymous(&options).unwrap();
            let (mut tx, mut rx) = (ring.sender().unwrap(), ring.receiver().unwrap());
            for number in 0..3 {
                tx.send(&number).unwrap();
                for again in 0..=limit {
                    let message = rx.recv().unwrap();
                    assert_eq!((*message, message.redelivered()), (number, again));
                    message.reject();
                }
                assert!(rx.recv_timeout(SOON).is_err(), "dropped");
                assert_eq!(tx.len(), 0);
            }
            let stats = ring.stats();
            assert_eq!((stats.dropped, stats.rejected), (3, 3 * (u64::from(limit) + 1)));
            assert_eq!((stats.redelivered, stats.acked), (3 * u64::from(limit), 3));
        }
    }

    #[test]
    fn owned_messages_go_in_any_order() {
        let _watchdog = watchdog("owned messages");
        let (mut tx, mut rx) = flavour::channel::<u64>(&Options::new().capacity(4)).unwrap();
        for lap in 0..6_u64 {
            tx.send_many(0..4).unwrap();
            let mut held = Vec::new();
            for _ in 0..4 {
                held.push(rx.recv().unwrap().into_owned());
            }
            assert!(tx.try_send(&9).unwrap_err().is_full());
            assert!(held.iter().map(|message| **message).eq(0..4));
            while !held.is_empty() {
                let place = (lap as usize * 7 + 1) % held.len();
                std::thread::spawn(move || drop(held.swap_remove(place))).join().unwrap();
                held = Vec::new();
            }
            tx.wait_acked(Some(LATE)).unwrap();
        }
        // They outlive their receiver.
        tx.send(&7).unwrap();
        let message = rx.recv().unwrap().into_owned();
        drop(rx);
        assert_eq!(*message.into_owned(), 7);
        assert!(tx.is_empty());
    }

    #[test]
    fn an_owned_message_rejected_comes_again() {
        let (mut tx, mut rx) = flavour::channel::<u64>(&Options::new().capacity(4)).unwrap();
        tx.send_many(0..3).unwrap();
        let mut held = Vec::new();
        for _ in 0..3 {
            held.push(rx.recv().unwrap().into_owned());
        }
        held.remove(1).reject();
        let message = rx.recv().unwrap();
        assert_eq!((*message, message.redelivered()), (1, 1));
        drop(message);
        // An spsc ring frees its slots in order: what is behind a held message stays.
        assert_eq!(tx.len(), if CHILD.starts_with("spsc") { 3 } else { 2 });
        drop(held);
        assert_eq!(tx.len(), 0);
        tx.send_many(0..4).unwrap();
        assert!(rx.try_iter().map(|message| *message).eq(0..4));
    }

    #[test]
    fn figures() {
        let ring = flavour::Ring::<u64>::anonymous(&Options::new().capacity(4)).unwrap();
        let stats = ring.stats();
        assert_eq!((stats.capacity, stats.max_len, stats.backlog, stats.sent, stats.closed), (4, 8, 0, 0, false));
        assert!(stats.participants.is_empty() && stats.segment_len > 0);
        let (mut tx, mut rx) = (ring.sender().unwrap(), ring.receiver().unwrap());
        for _ in 0..3 {
            tx.send_many(0..3).unwrap();
            drop(rx.recv_many(2).unwrap());
            rx.recv().unwrap().reject();
            drop(rx.recv().unwrap());
        }
        tx.send_many(0..3).unwrap();
        let held = rx.recv().unwrap();
        let stats = ring.stats();
        assert_eq!((stats.sent, stats.received, stats.acked, stats.backlog, stats.held), (12, 10, 9, 3, 1));
        assert_eq!((stats.rejected, stats.redelivered, stats.dropped, stats.reaped), (3, 3, 0, 0));
        let [one] = &stats.participants[..] else { panic!("{:?}", stats.participants) };
        assert_eq!((one.pid, one.senders, one.receivers, one.alive), (std::process::id(), 1, 1, true));
        drop(held);
        drop((tx, rx));
        let [one] = &ring.stats().participants[..] else { panic!("it still has the ring open") };
        assert_eq!((one.senders, one.receivers), (0, 0));
        assert!(format!("{ring:?}").contains("capacity: 4"));
    }

    #[test]
    fn handles_may_be_sent_to_threads() {
        fn sends<T: Send>(_: &T) {}
        let (mut tx, mut rx) = bytes(2);
        sends(&tx);
        sends(&rx);
        tx.send(b"x").unwrap();
        let message = rx.recv().unwrap();
        sends(&message);
        sends(&message.into_owned());
    }
}

#[test]
fn many_share_a_handle() {
    fn shares<T: Send + Sync + Clone>(_: &T) {}
    let (tx, rx) = ringmail::mpmc::channel::<u64>(&Options::new().capacity(3)).unwrap();
    shares(&tx);
    shares(&rx);
    std::thread::scope(|scope| {
        let senders: Vec<_> =
            (0..2).map(|_| scope.spawn(|| (1..=5000).for_each(|number| tx.send(&number).unwrap()))).collect();
        let receivers: Vec<_> =
            (0..2).map(|_| scope.spawn(|| (0..5000).map(|_| *rx.recv().unwrap()).sum::<u64>())).collect();
        senders.into_iter().for_each(|sender| sender.join().unwrap());
        let sum: u64 = receivers.into_iter().map(|receiver| receiver.join().unwrap()).sum();
        assert_eq!(sum, 2 * 5000 * 5001 / 2);
    });
}

#[test]
fn clones_count_as_handles() {
    let ring = ringmail::mpmc::Ring::<u64>::anonymous(&Options::new().capacity(3)).unwrap();
    let (tx, rx) = (ring.sender().unwrap(), ring.receiver().unwrap());
    let clones = (tx.clone(), rx.clone(), tx.clone());
    let one = &ring.stats().participants[0];
    assert_eq!((one.senders, one.receivers), (3, 2));
    drop(tx);
    clones.0.send(&1).unwrap();
    drop(clones);
    assert_eq!(*rx.recv().unwrap(), 1);
    assert!(rx.recv().unwrap_err().is_disconnected());
}

#[test]
fn one_sender_waits_for_its_own_acknowledgements() {
    let (tx, rx) = ringmail::mpmc::channel::<u64>(&Options::new().capacity(4)).unwrap();
    let other = tx.clone();
    tx.send(&1).unwrap();
    drop(rx.recv().unwrap());
    other.send(&2).unwrap();
    tx.wait_acked(None).unwrap();
    assert!(other.wait_acked(Some(SOON)).unwrap_err().is_timeout());
    let held = rx.recv().unwrap();
    assert!(other.wait_acked(Some(SOON)).unwrap_err().is_timeout(), "held is not acknowledged");
    held.reject();
    assert!(other.wait_acked(Some(SOON)).unwrap_err().is_timeout(), "nor is rejected");
    drop(rx.recv().unwrap());
    other.wait_acked(None).unwrap();
}

/// Whether a type is `Sync`, decided by which of two associated constants is found first.
macro_rules! is_sync {
    ($type:ty) => {{
        #[allow(dead_code, reason = "only one of the two is used for each type")]
        trait Otherwise {
            const SYNC: bool = false;
        }
        impl<T: ?Sized> Otherwise for Probe<T> {}
        struct Probe<T: ?Sized>(std::marker::PhantomData<T>);
        #[allow(dead_code, reason = "as above")]
        impl<T: ?Sized + Sync> Probe<T> {
            const SYNC: bool = true;
        }
        Probe::<$type>::SYNC
    }};
}

#[test]
fn a_role_of_one_is_not_shared() {
    assert!(is_sync!(u8) && !is_sync!(std::cell::Cell<u8>), "the probe works");
    assert!(!is_sync!(ringmail::spsc::Sender<u64>));
    assert!(!is_sync!(ringmail::spsc::Receiver<u64>));
    assert!(is_sync!(ringmail::mpmc::Sender<u64>));
    assert!(is_sync!(ringmail::mpmc::Receiver<u64>));
    assert!(is_sync!(ringmail::spsc::Ring<u64>) && is_sync!(ringmail::mpmc::Ring<u64>));
}

#[test]
fn slices_go_round_the_end_of_the_slots() {
    fn check<M: ringmail::Message + Copy + PartialEq + std::fmt::Debug>(dense: bool, make: impl Fn(u8) -> M) {
        let (mut tx, mut rx) = ringmail::spsc::channel::<M>(&Options::new().capacity(5)).unwrap();
        for start in 0..20 {
            let sent: Vec<M> = (start..start + 4).map(&make).collect();
            tx.send_slice(&sent).unwrap();
            let batch = rx.recv_many(4).unwrap();
            assert!(batch.iter().eq(&sent));
            assert_eq!(batch.as_slices().is_some(), dense);
            if let Some((before, after)) = batch.as_slices() {
                assert_eq!([before, after].concat(), sent);
            }
        }
    }
    check(true, u64::from);
    check(true, |n| [n; 64]);
    check(false, |n| [n; 3]);
    check(false, |n| [n; 65]);
}

#[test]
fn a_slice_longer_than_the_ring_waits_for_room() {
    let (mut tx, mut rx) = ringmail::spsc::channel::<u64>(&Options::new().capacity(3)).unwrap();
    let numbers: Vec<u64> = (0..100).collect();
    std::thread::scope(|scope| {
        scope.spawn(|| tx.send_slice(&numbers).unwrap());
        assert!((0..100).all(|number| rx.recv_copy() == Ok(number)));
    });
    drop(rx);
    let error = tx.send_slice(&numbers).unwrap_err();
    assert!(error.error.is_disconnected() && error.sent == 3);
}

/// Walks over batches in all ways, at each place of a lap: asked for each message, left to run, and the one after the other.
macro_rules! walk {
    ($channel:path, $message:ty, $make:expr) => {{
        let make: fn(u64) -> Box<$message> = $make;
        // Not every flavour's verbs take their handle by unique reference.
        #[allow(unused_mut)]
        let (mut tx, mut rx) = $channel(&Options::new().capacity(5).max_len(8192)).unwrap();
        for first in 0..11 {
            let sent: Vec<_> = (first..first + 4).map(make).collect();
            sent.iter().for_each(|message| tx.try_send(message).unwrap());
            let batch = rx.try_recv_many(9).unwrap();
            let mut asked = Vec::new();
            for message in batch.iter() {
                asked.push(message);
            }
            assert!(asked.iter().eq(&sent.iter().map(|message| &**message).collect::<Vec<_>>()));
            for by_hand in 0..5 {
                let mut iter = batch.iter();
                let mut both: Vec<_> = iter.by_ref().take(by_hand).collect();
                let (least, most) = iter.size_hint();
                let before = both.len();
                iter.for_each(|message| both.push(message));
                assert_eq!(both, asked);
                assert!(least <= both.len() - before && most == Some(both.len() - before));
            }
        }
    }};
}

#[test]
fn all_ways_over_a_batch_meet_the_same_messages() {
    walk!(ringmail::spsc::channel::<u64>, u64, |number| Box::new(number));
    walk!(ringmail::spsc::channel::<[u16; 3]>, [u16; 3], |number| Box::new([number as u16; 3]));
    walk!(ringmail::spsc::channel::<[u64; 200]>, [u64; 200], |number| Box::new([number; 200]));
    walk!(ringmail::spsc::channel::<()>, (), |_| Box::new(()));
    walk!(ringmail::spsc::channel::<[u8]>, [u8], |number| vec![number as u8; number as usize].into());
    walk!(ringmail::spsc::channel::<[u8]>, [u8], |number| vec![number as u8; 500 * number as usize].into());
    walk!(ringmail::mpmc::channel::<u64>, u64, |number| Box::new(number));
    walk!(ringmail::mpmc::channel::<[u8]>, [u8], |number| vec![number as u8; 500 * number as usize].into());
}
