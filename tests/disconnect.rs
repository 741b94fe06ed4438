//! Nobody waits for ever for a peer that is gone: killed, left in order, or after a close. And nobody is said to be
//! gone who is merely slow, stopped, or expected back.

#[macro_use]
mod support;

use ringmail::{Options, spsc as one};
use std::time::{Duration, Instant};
use support::{Process, Side, hear, name, role, say, wait_asleep, wait_for, watchdog};

/// Long enough for any verdict that would come by itself: peers are probed every 250 ms.
const A_WHILE: Duration = Duration::from_millis(600);

/// Runs `wait` on another thread, kills `peer` once somebody of `side` sleeps, and returns what came of the wait, and how long after
/// the kill.
fn killed_meanwhile<T: Send>(
    name: &str,
    side: Side,
    peer: &mut Process,
    wait: impl FnOnce() -> T + Send,
) -> (T, Duration) {
    let _watchdog = watchdog("a wait for a process that was killed");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| (wait(), Instant::now()));
        wait_asleep(name, side);
        let killed = Instant::now();
        peer.kill();
        let (result, noticed) = waiting.join().unwrap();
        let after = noticed.saturating_duration_since(killed);
        println!("noticed after {after:?}");
        (result, after)
    })
}

both! {
    fn ring(name: &str, options: Options) -> flavour::Ring<u64> {
        flavour::Ring::create(name, &options.capacity(4)).unwrap()
    }

    #[test]
    fn child() {
        let Some((role, args)) = role() else { return };
        let ring = flavour::Ring::<u64>::open(&args[0]).unwrap();
        match role.as_str() {
            "sender" => {
                let mut tx = ring.sender().unwrap();
                tx.send(&1).unwrap();
                say("joined");
                while hear() == "send" {
                    tx.send(&2).unwrap();
                }
            }
            "receiver" => {
                let rx = ring.receiver().unwrap();
                say("joined");
                hear();
                drop(rx);
            }
            "holder" => {
                let mut rx = ring.receiver().unwrap();
                let message = rx.recv().unwrap();
                say(format!("holds {} {}", *message, message.redelivered()));
                hear();
                drop(message);
            }
            "lender" => {
                let mut tx = ring.sender().unwrap();
                tx.send(&1).unwrap();
                let mut loan = tx.loan_uninit().unwrap();
                *loan = u64::MAX;
                say("lent");
                hear();
                drop(loan);
            }
            role => panic!("no role {role}"),
        }
    }

    #[test]
    fn a_receiver_learns_that_the_sender_was_killed() {
        let name = name("killed");
        let ring = ring(&name, Options::new());
        let mut rx = ring.receiver().unwrap();
        let mut peer = Process::start(CHILD, "sender", &[&name]);
        peer.expect("joined");
        assert_eq!(*rx.recv().unwrap(), 1);
        let (result, _) = killed_meanwhile(&name, Side::Receivers, &mut peer, || rx.recv().map(|message| *message));
        assert!(result.unwrap_err().is_disconnected());
        // One who polls asks after the dead only now and then.
        wait_for("a poller to learn it", || rx.try_recv().unwrap_err().is_disconnected());
        assert!(rx.recv_timeout(Duration::MAX).unwrap_err().is_disconnected());
    }

    /// The best of three: a busy machine does not delay each.
    #[test]
    fn a_kill_is_noticed_within_half_a_second() {
        let kill = |(role, side): (&str, Side)| {
            let name = name("soon");
            let ring = ring(&name, Options::new());
            let mut peer = Process::start(CHILD, role, &[&name]);
            peer.expect("joined");
            match side {
                Side::Receivers => {
                    let mut rx = ring.receiver().unwrap();
                    drop(rx.recv().unwrap());
                    killed_meanwhile(&name, side, &mut peer, || rx.recv().unwrap_err()).1
                }
                Side::Senders => {
                    let mut tx = ring.sender().unwrap();
                    while tx.try_send(&1).is_ok() {}
                    killed_meanwhile(&name, side, &mut peer, || tx.send(&1).unwrap_err()).1
                }
            }
        };
        for way in [("sender", Side::Receivers), ("receiver", Side::Senders)] {
            let best = [way; 3].map(kill).into_iter().min().unwrap();
            assert!(best < Duration::from_millis(500), "{way:?}: {best:?}");
        }
    }

    #[test]
    fn what_a_killed_sender_sent_is_received_first() {
        let name = name("drain");
        let ring = ring(&name, Options::new());
        let mut rx = ring.receiver().unwrap();
        let mut peer = Process::start(CHILD, "sender", &[&name]);
        peer.expect("joined");
        peer.kill();
        assert_eq!(*rx.recv().unwrap(), 1);
        assert!(rx.recv().unwrap_err().is_disconnected());
    }

    #[test]
    fn a_sender_learns_that_the_receiver_was_killed() {
        let name = name("killed");
        let ring = ring(&name, Options::new());
        let mut tx = ring.sender().unwrap();
        let mut peer = Process::start(CHILD, "receiver", &[&name]);
        peer.expect("joined");
        (0..4).for_each(|number| tx.send(&number).unwrap());
        let (result, _) = killed_meanwhile(&name, Side::Senders, &mut peer, || tx.send(&4));
        assert!(result.unwrap_err().is_disconnected());
        assert!(tx.send_timeout(&4, Duration::MAX).unwrap_err().is_disconnected());
        // The messages are still there, for whoever comes.
        assert_eq!(*ring.receiver().unwrap().recv().unwrap(), 0);
        tx.try_send(&4).unwrap();
    }

    #[test]
    fn waiting_for_acknowledgements_ends_when_the_receiver_was_killed() {
        let name = name("acked");
        let ring = ring(&name, Options::new());
        let mut tx = ring.sender().unwrap();
        tx.send(&7).unwrap();
        let mut peer = Process::start(CHILD, "holder", &[&name]);
        assert_eq!(peer.expect("holds"), "7 0");
        let (result, _) = killed_meanwhile(&name, Side::Senders, &mut peer, || tx.wait_acked(None));
        assert!(result.unwrap_err().is_disconnected());
    }

    #[test]
    fn what_can_complete_completes() {
        let name = name("room");
        let ring = ring(&name, Options::new());
        let mut tx = ring.sender().unwrap();
        let mut peer = Process::start(CHILD, "receiver", &[&name]);
        peer.expect("joined");
        peer.kill();
        // There is room: nobody has to wait, so nobody is told.
        (0..4).for_each(|number| tx.send(&number).unwrap());
        assert!(tx.send(&4).unwrap_err().is_disconnected());
    }

    #[test]
    fn an_unacknowledged_message_of_a_killed_receiver_comes_again() {
        let name = name("again");
        let ring = ring(&name, Options::new());
        let mut tx = ring.sender().unwrap();
        (7..10).for_each(|number| tx.send(&number).unwrap());
        for again in 0..3 {
            let mut peer = Process::start(CHILD, "holder", &[&name]);
            let held = peer.expect("holds");
            // Order is kept but for the message that comes again, which may be late.
            if CHILD.starts_with("spsc") || again == 0 {
                assert_eq!(held, format!("7 {again}"));
            }
            peer.kill();
        }
        let mut rx = ring.receiver().unwrap();
        let mut all = Vec::new();
        while all.len() < 3 {
            let message = rx.recv().unwrap();
            all.push((*message, message.redelivered()));
        }
        assert!(rx.try_recv().unwrap_err().is_empty());
        assert_eq!(all.iter().map(|(_, redelivered)| redelivered).sum::<u32>(), 3, "{all:?}");
        all.sort_unstable();
        assert!(all.iter().map(|(number, _)| *number).eq(7..10));
        assert_eq!(ring.stats().backlog, 0);
    }

    #[test]
    fn the_slot_of_a_killed_senders_loan_is_free_again() {
        let name = name("lent");
        let ring = ring(&name, Options::new());
        let mut rx = ring.receiver().unwrap();
        let mut peer = Process::start(CHILD, "lender", &[&name]);
        peer.expect("lent");
        peer.kill();
        assert_eq!(*rx.recv().unwrap(), 1);
        assert!(rx.recv().unwrap_err().is_disconnected(), "what was not committed was not sent");
        let mut tx = ring.sender().unwrap();
        (0..4).for_each(|number| tx.try_send(&number).unwrap());
        assert!(tx.try_send(&4).unwrap_err().is_full());
        for number in 0..4 {
            assert_eq!(*rx.try_recv().unwrap(), number);
        }
    }

    #[test]
    fn leaving_in_order_ends_the_stream_for_the_receiver() {
        let name = name("leave");
        let ring = ring(&name, Options::new());
        let mut rx = ring.receiver().unwrap();
        let mut peer = Process::start(CHILD, "sender", &[&name]);
        peer.expect("joined");
        assert_eq!(*rx.recv().unwrap(), 1);
        let _watchdog = watchdog("a wait for a sender that left");
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| rx.recv().map(|message| *message));
            wait_asleep(&name, Side::Receivers);
            peer.tell("leave");
            assert!(waiting.join().unwrap().unwrap_err().is_disconnected());
        });
        peer.finish();
    }

    #[test]
    fn leaving_in_order_is_told_a_blocked_sender() {
        let name = name("leave");
        let ring = ring(&name, Options::new());
        let mut tx = ring.sender().unwrap();
        let mut peer = Process::start(CHILD, "receiver", &[&name]);
        peer.expect("joined");
        (0..4).for_each(|number| tx.send(&number).unwrap());
        let _watchdog = watchdog("a wait for a receiver that left");
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| tx.send(&4));
            wait_asleep(&name, Side::Senders);
            peer.tell("leave");
            assert!(waiting.join().unwrap().unwrap_err().is_disconnected());
        });
        peer.finish();
    }

    #[test]
    fn a_peer_that_never_came_is_waited_for() {
        let options = Options::new().capacity(1);
        let ring = flavour::Ring::<u64>::anonymous(&options).unwrap();
        let mut rx = ring.receiver().unwrap();
        assert!(rx.recv_timeout(A_WHILE).unwrap_err().is_timeout());
        let ring = flavour::Ring::<u64>::anonymous(&options).unwrap();
        let mut tx = ring.sender().unwrap();
        tx.send(&1).unwrap();
        assert!(tx.send_timeout(&2, A_WHILE).unwrap_err().is_timeout());
    }

    #[test]
    fn a_stopped_peer_is_waited_for() {
        let name = name("stopped");
        let ring = ring(&name, Options::new());
        let mut rx = ring.receiver().unwrap();
        let mut peer = Process::start(CHILD, "sender", &[&name]);
        peer.expect("joined");
        assert_eq!(*rx.recv().unwrap(), 1);
        peer.stop();
        peer.tell("send");
        assert!(rx.recv_timeout(A_WHILE).unwrap_err().is_timeout(), "slow, not dead");
        peer.signal(libc::SIGCONT);
        assert_eq!(*rx.recv().unwrap(), 2);
        peer.finish();
    }

    #[test]
    fn closing_lets_receivers_drain_and_stops_senders() {
        let ring = flavour::Ring::<u64>::anonymous(&Options::new().capacity(4)).unwrap();
        let (mut tx, mut rx) = (ring.sender().unwrap(), ring.receiver().unwrap());
        tx.send(&1).unwrap();
        tx.send(&2).unwrap();
        assert!(!ring.is_closed());
        ring.close();
        assert!(ring.is_closed() && ring.stats().closed);
        assert!(tx.send(&3).unwrap_err().is_disconnected());
        assert!(tx.try_send(&3).unwrap_err().is_disconnected());
        assert!(tx.loan_uninit().unwrap_err().is_disconnected());
        assert_eq!(*rx.recv().unwrap(), 1);
        assert_eq!(*rx.recv().unwrap(), 2);
        // An spsc sender learns of the close from its first send after it, which may have been published by then.
        if CHILD.starts_with("spsc") && let Ok(message) = rx.try_recv() {
            assert_eq!(*message, 3);
        }
        assert!(rx.recv().unwrap_err().is_disconnected());
        assert!(rx.try_recv().unwrap_err().is_disconnected());
        assert!(tx.send(&4).unwrap_err().is_disconnected());
        assert!(rx.try_recv().unwrap_err().is_disconnected());
    }

    #[test]
    fn closing_wakes_those_who_sleep() {
        let _watchdog = watchdog("a wait on a ring that was closed");
        let (empty, full) = (name("empty"), name("full"));
        let (empty_ring, full_ring) = (ring(&empty, Options::new()), ring(&full, Options::new()));
        let (_tx, mut rx) = (empty_ring.sender().unwrap(), empty_ring.receiver().unwrap());
        let (mut tx, _rx) = (full_ring.sender().unwrap(), full_ring.receiver().unwrap());
        (0..4).for_each(|number| tx.send(&number).unwrap());
        std::thread::scope(|scope| {
            let receiver = scope.spawn(|| rx.recv().map(|message| *message));
            let sender = scope.spawn(|| tx.send(&4));
            wait_asleep(&empty, Side::Receivers);
            empty_ring.close();
            assert!(receiver.join().unwrap().unwrap_err().is_disconnected());
            wait_asleep(&full, Side::Senders);
            full_ring.close();
            assert!(sender.join().unwrap().unwrap_err().is_disconnected());
        });
    }

    #[test]
    fn a_ring_kept_open_waits_for_a_successor() {
        let name = name("keep");
        let ring = ring(&name, Options::new().keep_open(true));
        let mut rx = ring.receiver().unwrap();
        for _ in 0..2 {
            let mut peer = Process::start(CHILD, "sender", &[&name]);
            peer.expect("joined");
            assert_eq!(*rx.recv().unwrap(), 1);
            peer.kill();
            assert!(rx.recv_timeout(A_WHILE).unwrap_err().is_timeout());
        }
        let mut peer = Process::start(CHILD, "sender", &[&name]);
        peer.expect("joined");
        peer.tell("leave");
        peer.finish();
        assert_eq!(*rx.recv().unwrap(), 1);
        assert!(rx.recv_timeout(A_WHILE).unwrap_err().is_timeout());
        drop((rx, ring));
        assert!(name.exists(), "a ring kept open keeps its name");
        let ring = flavour::Ring::<u64>::open(&name).unwrap();
        let mut rx = ring.receiver().unwrap();
        ring.close();
        assert!(rx.recv().unwrap_err().is_disconnected());
        drop((rx, ring));
        assert!(!name.exists(), "until it is closed");
    }
}

#[test]
fn a_role_is_taken_while_its_holder_lives() {
    let name = name("role");
    let ring = one::Ring::<u64>::create(&name, &Options::new().capacity(4)).unwrap();
    // Several times, because who was alive a moment ago is remembered for a moment.
    for role in ["sender", "receiver"].repeat(5) {
        let mut peer = Process::start("spsc::child", role, &[&name]);
        peer.expect("joined");
        let taken = |ring: &one::Ring<u64>| match role {
            "sender" => ring.sender().map(drop),
            _ => ring.receiver().map(drop),
        };
        assert_eq!(taken(&ring), Err(ringmail::JoinError::RoleTaken { pid: peer.pid() }));
        peer.stop();
        assert_eq!(taken(&ring), Err(ringmail::JoinError::RoleTaken { pid: peer.pid() }), "stopped is not dead");
        peer.kill();
        let held = (ring.sender().unwrap(), ring.receiver().unwrap());
        let here = ringmail::JoinError::RoleTaken { pid: std::process::id() };
        assert_eq!(ring.sender().map(drop), Err(here));
        assert_eq!(ring.receiver().map(drop), Err(here));
        drop(held);
        assert_eq!(taken(&ring), Ok(()), "dropping the handle gave the role back");
        while ring.receiver().unwrap().try_recv().is_ok() {}
    }
}

#[test]
fn a_successor_goes_on_where_the_sender_was_killed() {
    let name = name("successor");
    let ring = one::Ring::<u64>::create(&name, &Options::new().capacity(4)).unwrap();
    let mut rx = ring.receiver().unwrap();
    for _ in 0..6 {
        let mut peer = Process::start("spsc::child", "lender", &[&name]);
        peer.expect("lent");
        peer.kill();
        let mut tx = ring.sender().unwrap();
        tx.send(&2).unwrap();
        assert_eq!(*rx.recv().unwrap(), 1);
        assert_eq!(*rx.recv().unwrap(), 2);
    }
    assert!(rx.try_recv().unwrap_err().is_disconnected());
}
