//! Long messages: memory is committed when it is needed, used again while it is warm, and given back; and a full file system is an
//! error of one send.

#[macro_use]
mod support;

use ringmail::zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};
use ringmail::{Options, Redelivery, TrySendError};
use std::path::PathBuf;
use support::{Directory, Process, memory, role, say};

const LONG: usize = 100_000;
const MIB: usize = 1 << 20;

/// A ring of long messages that keeps what fits into `retain`.
const fn options(capacity: usize, retain: usize) -> Options {
    Options::new().capacity(capacity).max_len(64 * MIB).retain(retain).participants(8)
}

/// Bytes of memory that nobody uses.
fn available() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// A message that says which it is in every byte, and where in each page.
fn message(number: usize, len: usize) -> Vec<u8> {
    let mut message = vec![number as u8; len];
    for (page, bytes) in message.chunks_exact_mut(4096).enumerate() {
        bytes[..8].copy_from_slice(&(number << 32 | page).to_le_bytes());
    }
    message
}

both! {
    type Ring = flavour::Ring<[u8]>;

    #[test]
    fn child() {
        let Some((role, args)) = role() else { return };
        match role.as_str() {
            "full" => full(&args[0]),
            "die-holding" => {
                let ring = Ring::open(&args[0]).unwrap();
                let mut rx = ring.receiver().unwrap();
                let held = rx.recv().unwrap();
                assert_eq!(*held, *message(0, LONG));
                say("holding");
                loop { std::thread::park(); }
            }
            "die-lending" => {
                let ring = Ring::open(&args[0]).unwrap();
                let mut tx = ring.sender().unwrap();
                let mut loan = tx.loan(LONG).unwrap();
                loan.fill(1);
                say("lending");
                loop { std::thread::park(); }
            }
            _ => unreachable!("{role}"),
        }
    }

    #[test]
    fn short_and_long_messages_come_in_order_and_whole() {
        let ring = Ring::anonymous(&options(4, MIB)).unwrap();
        let (mut tx, mut rx) = (ring.sender().unwrap(), ring.receiver().unwrap());
        let lengths = [0, 1, 1088, 1089, 4096, 4097, LONG, 3, 2 * MIB, 64 * MIB, 5];
        for lap in 0..3 {
            for (number, &len) in lengths.iter().enumerate() {
                let sent = message(number + lap, len);
                tx.send(&sent).unwrap();
                assert!(*rx.recv().unwrap() == *sent, "{len} bytes");
            }
        }
        let error = tx.try_send(&vec![0; 64 * MIB + 1]).unwrap_err();
        assert_eq!(error, TrySendError::TooLarge { len: 64 * MIB + 1, max: 64 * MIB });
    }

    #[test]
    fn a_full_ring_of_long_messages_holds_each_in_a_body_of_its_own() {
        let ring = Ring::anonymous(&options(40, 64 * MIB)).unwrap();
        let (mut tx, mut rx) = (ring.sender().unwrap(), ring.receiver().unwrap());
        for lap in 0..3 {
            for number in 0..40 {
                tx.try_send(&message(lap + number, LONG)).unwrap();
            }
            assert_eq!(tx.try_send(&message(0, LONG)), Err(TrySendError::Full));
            for number in 0..40 {
                assert!(*rx.try_recv().unwrap() == *message(lap + number, LONG), "message {number} of lap {lap}");
            }
        }
        assert_eq!(ring.stats().high_water, ring.stats().committed, "kept, for less than is to be retained");
    }

    #[test]
    fn all_ways_to_send_and_receive_long_messages() {
        let ring = Ring::anonymous(&options(8, 64 * MIB)).unwrap();
        let (mut tx, mut rx) = (ring.sender().unwrap(), ring.receiver().unwrap());
        let (short, long) = (message(1, 10), message(2, LONG));

        let mut loan = tx.loan(LONG).unwrap();
        assert!(loan.as_ptr().addr().is_multiple_of(64));
        loan.copy_from_slice(&long);
        loan.commit().unwrap();
        let mut loan = tx.loan(LONG).unwrap();
        loan[..10].copy_from_slice(&short);
        loan.commit_len(10).unwrap();
        drop(tx.loan(LONG).unwrap());
        tx.send_parts(&[&long[..7], &[], &long[7..50_000], &long[50_000..]]).unwrap();
        tx.send_many([&short[..], &long, &long, &short]).unwrap();
        let mut buffer = vec![0; 2 * LONG];
        for expected in [&long, &short] {
            let len = rx.recv_into(&mut buffer).unwrap();
            assert!(buffer[..len] == **expected);
        }
        let held = rx.recv().unwrap().into_owned();
        assert!(*held == *long);
        let batch = rx.recv_many(10).unwrap();
        // In an spsc ring a message that is still out makes the next ones come alone.
        for (place, message) in batch.iter().enumerate() {
            assert!(*message == **[&short, &long, &long, &short][place]);
        }
        let rest = 4 - batch.len();
        drop(batch);
        drop(held);
        assert_eq!(rx.try_iter().count(), rest);
        assert_eq!(ring.stats().backlog, 0);
    }

    #[test]
    fn sized_messages_can_be_long() {
        let ring = flavour::Ring::<[u64; 1_000]>::anonymous(&Options::new().capacity(3)).unwrap();
        let (mut tx, mut rx) = (ring.sender().unwrap(), ring.receiver().unwrap());
        for lap in 0..20 {
            tx.send(&[lap; 1_000]).unwrap();
            tx.loan_uninit().unwrap().write([lap + 1; 1_000]).unwrap();
            assert_eq!(rx.recv_copy().unwrap(), [lap; 1_000]);
            assert_eq!(*rx.recv().unwrap(), [lap + 1; 1_000]);
            tx.send_many([[lap; 1_000], [7; 1_000]]).unwrap();
            let batch = rx.recv_many(2).unwrap();
            assert_eq!(batch.iter().map(|message| message[999]).collect::<Vec<_>>(), [lap, 7]);
        }
    }

    #[test]
    fn arrays_lie_on_lines() {
        let options = Options::new().capacity(4).max_len(MIB);
        let ring = flavour::Ring::<[f32]>::anonymous(&options).unwrap();
        let (mut tx, mut rx) = (ring.sender().unwrap(), ring.receiver().unwrap());
        for len in [1, 100, 240, 241, 10_000] {
            let mut loan = tx.loan(len).unwrap();
            assert!(loan.as_ptr().addr().is_multiple_of(64), "lent {len}");
            loan.fill(len as f32);
            loan.commit().unwrap();
            let received = rx.recv().unwrap();
            assert!(received.as_ptr().addr().is_multiple_of(64), "received {len}");
            assert_eq!(*received, *vec![len as f32; len]);
        }
    }

    #[test]
    fn what_was_not_sent_for_long_costs_no_memory() {
        let ring = Ring::anonymous(&Options::new().capacity(1000).max_len(16 << 30)).unwrap();
        assert!(ring.stats().segment_len > 900 << 30);
        assert!(ring.stats().committed < 4 << 20);
        let (mut tx, mut rx) = (ring.sender().unwrap(), ring.receiver().unwrap());
        tx.send(&message(1, LONG)).unwrap();
        assert!(*rx.recv().unwrap() == *message(1, LONG));
        assert!(memory(&ring) < 4 << 20);
        assert!(memory(&ring) >= LONG as u64);
    }

    #[test]
    fn what_is_not_retained_is_given_back_at_once() {
        let ring = Ring::anonymous(&options(8, MIB)).unwrap();
        let dense = ring.stats().committed;
        let (mut tx, mut rx) = (ring.sender().unwrap(), ring.receiver().unwrap());
        for lap in 0..3 {
            for number in 0..4 {
                tx.send(&message(number, 8 * MIB)).unwrap();
            }
            let stats = ring.stats();
            assert_eq!(stats.committed - dense, 32 << 20);
            assert_eq!((stats.in_use, stats.high_water), (stats.committed, stats.committed));
            assert!(memory(&ring) >= 32 << 20);
            for number in 0..4 {
                assert!(*rx.recv().unwrap() == *message(number, 8 * MIB), "message {number} of lap {lap}");
            }
            let stats = ring.stats();
            let stays = stats.committed - dense;
            assert!((7 << 17..=1 << 20).contains(&stays), "{stays}: what is to be retained, or an eighth less");
            assert_eq!(stats.in_use, dense);
            assert!(memory(&ring) <= dense + (1 << 20));
        }
        // Nothing at all, if so it was asked.
        let ring = Ring::anonymous(&options(8, 0)).unwrap();
        let (mut tx, mut rx) = (ring.sender().unwrap(), ring.receiver().unwrap());
        tx.send(&message(0, LONG)).unwrap();
        drop(tx.loan(LONG).unwrap());
        drop(rx.recv().unwrap());
        tx.send(&message(1, LONG)).unwrap();
        assert!(*rx.recv().unwrap() == *message(1, LONG));
        drop(tx);
        ring.recover().unwrap();
        assert_eq!(ring.stats().committed, dense);
    }

    #[test]
    fn what_is_in_flight_does_not_count_as_idle() {
        // Three times as much in flight as is to be retained; then as much again, and back.
        let ring = Ring::anonymous(&options(64, 4 * MIB)).unwrap();
        let dense = ring.stats().committed;
        let (mut tx, mut rx) = (ring.sender().unwrap(), ring.receiver().unwrap());
        let (mut sent, mut received) = (0, 0);
        for in_flight in [12, 24, 6, 12] {
            let mut changes = 0;
            for step in 0..400 {
                while sent - received < in_flight {
                    tx.try_send(&message(sent, MIB)).unwrap();
                    sent += 1;
                }
                let before = ring.stats();
                assert!(before.in_use - dense >= in_flight as u64 * MIB as u64);
                while sent - received >= in_flight {
                    assert_eq!(rx.try_recv().unwrap()[..8], message(received, MIB)[..8]);
                    received += 1;
                }
                let after = ring.stats();
                assert!(after.committed - after.in_use <= 4 << 20, "{after:?}");
                // Once it has settled down, nothing is given back, and nothing committed anew.
                tx.try_send(&message(sent, MIB)).unwrap();
                sent += 1;
                changes += u32::from(step >= 100 && ring.stats().committed != before.committed);
                changes += u32::from(step >= 100 && after.committed != before.committed);
            }
            assert_eq!(changes, 0, "with {in_flight} in flight");
        }
        assert_eq!(rx.try_iter().count(), sent - received);
        let stats = ring.stats();
        assert!((1..=4 << 20).contains(&(stats.committed - dense)), "{stats:?}");
        assert!(memory(&ring) <= dense + (4 << 20));
    }

    #[test]
    fn little_is_enough_to_retain_for_a_ring_that_keeps_up() {
        // Less than the caches would hold.
        let ring = Ring::anonymous(&options(64, MIB)).unwrap();
        let (mut tx, mut rx) = (ring.sender().unwrap(), ring.receiver().unwrap());
        let mut committed = 0;
        for number in 0..300 {
            tx.send(&message(number, MIB / 8)).unwrap();
            let sent = ring.stats().committed;
            assert!(*rx.recv().unwrap() == *message(number, MIB / 8));
            let received = ring.stats().committed;
            // Nothing is committed anew, nothing given back.
            assert!(number < 100 || [sent, received] == [committed; 2], "message {number}: {sent}, {received} bytes");
            committed = received;
        }
    }

    #[test]
    fn a_ring_that_keeps_up_goes_round_in_little_memory() {
        let ring = Ring::anonymous(&options(1000, 1 << 30)).unwrap();
        let dense = ring.stats().committed;
        let (mut tx, mut rx) = (ring.sender().unwrap(), ring.receiver().unwrap());
        for number in 0..300 {
            tx.send(&message(number, MIB)).unwrap();
            assert!(*rx.recv().unwrap() == *message(number, MIB));
        }
        // Never more than fits into a cache of the last level, and never each message in the same place.
        let round = ring.stats().committed - dense;
        assert!((2 << 20..=33 << 20).contains(&round), "{round} bytes");
        // A backlog takes more, and is not what the ring goes round in afterwards.
        for number in 0..100 {
            tx.send(&message(number, MIB)).unwrap();
        }
        for number in 0..100 {
            assert!(*rx.recv().unwrap() == *message(number, MIB));
        }
        assert!(ring.stats().committed - dense >= 100 << 20);
        let places: std::collections::HashSet<_> = (0..300)
            .map(|number| {
                tx.send(&message(number, MIB)).unwrap();
                rx.recv().unwrap().as_ptr().addr()
            })
            .skip(200)
            .collect();
        assert!(places.len() as u64 <= round >> 20, "{} places", places.len());
    }

    #[test]
    fn messages_of_many_lengths_go_round_together() {
        let ring = Ring::anonymous(&options(64, 1 << 30)).unwrap();
        let dense = ring.stats().committed;
        let (mut tx, mut rx) = (ring.sender().unwrap(), ring.receiver().unwrap());
        for number in 0..400 {
            for len in [5_000, MIB, 64_000, 300] {
                tx.send(&message(number, len)).unwrap();
                assert!(*rx.recv().unwrap() == *message(number, len));
            }
        }
        let round = ring.stats().committed - dense;
        assert!(round <= 40 << 20, "{round} bytes");
    }

    #[test]
    fn what_nobody_acknowledged_is_given_back_too() {
        let ring = Ring::anonymous(&options(4, 0).redelivery(Redelivery::Never)).unwrap();
        let dense = ring.stats().committed;
        let (mut tx, mut rx) = (ring.sender().unwrap(), ring.receiver().unwrap());
        // Dropped by policy.
        tx.send(&message(1, 8 * MIB)).unwrap();
        rx.recv().unwrap().reject();
        for number in 0..3000 {
            tx.send(&message(number, 10)).unwrap();
            assert!(*rx.recv().unwrap() == *message(number, 10));
            assert!(rx.try_recv().is_err());
        }
        assert_eq!(ring.stats().committed, dense);
        // Sent too late.
        let mut loan = tx.loan(8 * MIB).unwrap();
        ring.close();
        loan.fill(1);
        let sent = loan.commit();
        while rx.try_recv().is_ok() {}
        drop((sent, tx, rx));
        assert_eq!(ring.stats().committed, dense);
    }

    #[test]
    fn memory_of_the_dead_is_used_again() {
        for policy in [Redelivery::Always, Redelivery::Never] {
            let name = support::name("dead");
            let ring = Ring::create(&name, &options(3, 64 * MIB).redelivery(policy).keep_open(true)).unwrap();
            let dense = ring.stats().committed;
            for _ in 0..10 {
                let mut tx = ring.sender().unwrap();
                tx.send(&message(0, LONG)).unwrap();
                drop(tx);
                let mut holder = Process::start(CHILD, "die-holding", &[&name]);
                holder.expect("holding");
                let mut lender = Process::start(CHILD, "die-lending", &[&name]);
                lender.expect("lending");
                lender.kill();
                holder.kill();
                let mut rx = ring.receiver().unwrap();
                if policy == Redelivery::Always {
                    let again = rx.recv().unwrap();
                    assert!(*again == *message(0, LONG));
                    assert_eq!(again.redelivered(), 1);
                }
                assert!(rx.try_recv().is_err());
            }
            // Once round the positions that the dead had, three messages fit, whoever died with one; and no more memory than
            // for a few was ever needed.
            let (mut tx, mut rx) = (ring.sender().unwrap(), ring.receiver().unwrap());
            for lap in 0..3 {
                let sent = (0..3).take_while(|&number| tx.try_send(&message(number, LONG)).is_ok()).count();
                assert_eq!(tx.try_send(&message(0, LONG)), Err(TrySendError::Full));
                assert!(sent == 3 || lap == 0, "{sent} in lap {lap}");
                for number in 0..sent {
                    assert!(*rx.recv().unwrap() == *message(number, LONG));
                }
            }
            assert!(ring.stats().high_water - dense <= 50 * 102_400, "{:?}", ring.stats());
            drop((tx, rx));
            ring.close();
        }
    }

    #[test]
    fn a_message_of_4_gib_arrives_and_its_memory_goes_back() {
        const GIB: usize = 1 << 30;
        if available() < 6 * GIB as u64 {
            eprintln!("not shown here: there is too little memory");
            return;
        }
        let ring = Ring::anonymous(&Options::new().capacity(4).max_len(16 * GIB).retain(64 * MIB)).unwrap();
        let dense = ring.stats().committed;
        let (mut tx, mut rx) = (ring.sender().unwrap(), ring.receiver().unwrap());
        let mut loan = tx.loan(4 * GIB).unwrap();
        loan.iter_mut().step_by(MIB).enumerate().for_each(|(place, byte)| *byte = place as u8);
        *loan.last_mut().unwrap() = 77;
        loan.commit().unwrap();
        assert!(memory(&ring) >= 4 * GIB as u64);
        let received = rx.recv().unwrap();
        assert_eq!((received.len(), received.last()), (4 * GIB, Some(&77)));
        assert!(received.iter().step_by(MIB).enumerate().all(|(place, &byte)| byte == place as u8));
        drop(received);
        let stats = ring.stats();
        assert!(stats.committed <= dense + (64 << 20), "{stats:?}");
        assert!(memory(&ring) <= dense + (64 << 20));
    }

    #[test]
    fn a_full_file_system_is_an_error_of_one_send() {
        let directory = Directory::new(CHILD);
        let mut child = Process::start_to_mount(CHILD, "full", &[directory.text()]);
        child.expect("done");
        child.finish();
    }

    fn full(directory: &str) {
        if !support::mount::has_small_file_system(directory) {
            return;
        }
        let path = PathBuf::from(directory).join("ring");
        let ring = Ring::create_file(&path, &options(16, 64 * MIB)).unwrap();
        let (mut tx, mut rx) = (ring.sender().unwrap(), ring.receiver().unwrap());
        tx.send(&message(0, 4 * MIB)).unwrap();
        tx.send(&message(1, 4 * MIB)).unwrap();
        for _ in 0..40 {
            let error = tx.try_send(&vec![0; 10 * MIB]).unwrap_err();
            assert_eq!(error, TrySendError::NoSpace { needed: 10 * MIB });
            assert_eq!(error.to_string(), "no memory for the message: 10485760 bytes");
        }
        assert!(tx.try_loan(20 * MIB).is_err());
        // The next smaller one works, and nothing was lost.
        tx.try_send(&message(2, 4 * MIB)).unwrap();
        tx.try_send(&message(3, 100)).unwrap();
        for (number, len) in [(0, 4 * MIB), (1, 4 * MIB), (2, 4 * MIB), (3, 100)] {
            assert!(*rx.try_recv().unwrap() == *message(number, len), "message {number}");
        }
        // Three bodies of 4 MiB are committed and nobody's: their memory makes room for one of 10.
        tx.try_send(&message(4, 10 * MIB)).unwrap();
        assert!(*rx.recv().unwrap() == *message(4, 10 * MIB));
        // And one that has memory is used before another is refused some.
        for number in 0..20 {
            tx.try_send(&message(number, 9 * MIB)).unwrap();
            assert!(*rx.recv().unwrap() == *message(number, 9 * MIB));
        }
        // What is refused whatever is given back takes nobody's warm memory.
        let committed = ring.stats().committed;
        assert!(tx.try_send(&vec![0; 40 * MIB]).is_err_and(|error| matches!(error, TrySendError::NoSpace { .. })));
        assert_eq!((ring.stats().backlog, ring.stats().committed), (0, committed));
        say("done");
    }
}

/// A sender is at one position until it sends: what it lends there and takes back is one body's worth.
#[test]
fn dropped_loans_of_an_spsc_sender_cost_nothing() {
    let options = Options::new().capacity(40).max_len(16 << 30).retain(0);
    let ring = ringmail::spsc::Ring::<[u8]>::anonymous(&options).unwrap();
    let dense = ring.stats().committed;
    let (mut tx, mut rx) = (ring.sender().unwrap(), ring.receiver().unwrap());
    for sent in 0..40 {
        for _ in 0..300 {
            drop(tx.try_loan(5000).unwrap());
        }
        assert_eq!(ring.stats().committed - dense, sent * 8192);
        tx.try_send(&[1; 5000]).unwrap();
    }
    for _ in 0..40 {
        assert_eq!(*rx.try_recv().unwrap(), [1; 5000]);
    }
    assert_eq!(ring.stats().committed, dense);
}

/// Whoever acknowledges last, however many do so at once, leaves no more than is to be retained; nobody else need come by.
#[test]
fn several_who_acknowledge_at_once_leave_what_is_to_be_retained() {
    for (retain, len) in [(0, 5000), (8192, 5000), (40_000, 9000), (MIB, 300_000)] {
        let ring = ringmail::mpmc::Ring::<[u8]>::anonymous(&options(32, retain)).unwrap();
        let dense = ring.stats().committed;
        for round in 0..300 {
            let barrier = std::sync::Barrier::new(3);
            std::thread::scope(|scope| {
                for _ in 0..3 {
                    scope.spawn(|| {
                        let (tx, rx) = (ring.sender().unwrap(), ring.receiver().unwrap());
                        (0..2).for_each(|_| tx.send(&vec![1; len]).unwrap());
                        drop(tx.loan(len).unwrap());
                        let held: Vec<_> = (0..2).map(|_| rx.recv().unwrap()).collect();
                        barrier.wait();
                        drop(held);
                    });
                }
            });
            let stats = ring.stats();
            assert_eq!((stats.backlog, stats.in_use), (0, dense));
            assert!(stats.committed - dense <= retain as u64, "round {round}, {retain} retained: {stats:?}");
        }
    }
}

#[test]
fn memory_is_there_before_the_ring_can_be_seen_if_so_asked() {
    let options = options(8, 64 * MIB).max_len(MIB).prefault(true);
    let ring = ringmail::mpmc::Ring::<[u8]>::anonymous(&options).unwrap();
    let stats = ring.stats();
    assert!(stats.committed > 1 << 20 && stats.high_water == stats.committed, "{stats:?}");
    assert!(memory(&ring) >= stats.committed);
    // No more than is to be retained.
    let ring = ringmail::mpmc::Ring::<[u8]>::anonymous(&options.retain(MIB)).unwrap();
    assert!(memory(&ring) < 2 << 20);
}

/// Aligned more strictly than a line.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[zerocopy(crate = "ringmail::zerocopy")]
#[repr(C, align(128))]
struct Wide([u8; 128]);

#[test]
fn messages_of_strict_alignment_can_be_empty() {
    let ring = ringmail::mpmc::Ring::<[Wide]>::anonymous(&options(4, MIB)).unwrap();
    let (tx, rx) = (ring.sender().unwrap(), ring.receiver().unwrap());
    for len in [0, 1, 0, 3, 0, 0, 100, 0] {
        tx.send(&vec![Wide([7; 128]); len]).unwrap();
        assert_eq!(rx.recv().unwrap().len(), len);
        drop(tx.loan(0).unwrap());
    }
}
