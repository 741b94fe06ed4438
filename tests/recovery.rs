//! Nobody's death hurts, and nobody who is merely slow is taken for dead: what the dead held comes back, at once where
//! `recover` is called and else by use; what the living hold stays theirs, however long they are stopped.

mod support;

use ringmail::{Options, Recovered, Redelivery, Stats, mpmc, spsc};
use std::time::{Duration, Instant};
use support::{Process, Side, hear, name, role, say, wait_asleep, wait_for};

#[test]
fn child() {
    let Some((role, args)) = role() else { return };
    match role.as_str() {
        // Holds a message and a loan, in one process.
        "holder" => {
            let ring = mpmc::Ring::<u64>::open(&args[0]).unwrap();
            let (tx, rx) = (ring.sender().unwrap(), ring.receiver().unwrap());
            let message = rx.recv().unwrap();
            let mut loan = tx.loan_uninit().unwrap();
            *loan = 1000 + *message;
            say(format!("holds {} {}", *message, message.redelivered()));
            assert_eq!(hear(), "finish", "the parent lets go of it or kills it");
            loan.commit().unwrap();
            message.ack();
            say("finished");
            hear();
        }
        // Leaves in order while a message of its own is rejected.
        "rejecter" => {
            let ring = mpmc::Ring::<u64>::open(&args[0]).unwrap();
            ring.receiver().unwrap().recv().unwrap().reject();
            say("rejected");
            hear();
        }
        "hoarder" => {
            let ring = mpmc::Ring::<u64>::open(&args[0]).unwrap();
            let rx = ring.receiver().unwrap();
            let held: Vec<_> = rx.try_iter().collect();
            say(format!("holds {}", held.len()));
            hear();
        }
        "stream" => {
            let ring = spsc::Ring::<u64>::open(&args[0]).unwrap();
            let mut rx = ring.receiver().unwrap();
            let batch = rx.recv_many(2).unwrap();
            say(format!("holds {:?}", batch.iter().collect::<Vec<_>>()));
            hear();
        }
        role => panic!("no role {role}"),
    }
}

/// What was done, as (participants, reaped, returned, dropped).
fn counts(done: Recovered) -> (u32, u64, u64, u64) {
    (done.participants, done.reaped, done.returned, done.dropped)
}

fn ring(name: &str, policy: Redelivery) -> mpmc::Ring<u64> {
    mpmc::Ring::create(name, &Options::new().capacity(4).redelivery(policy)).unwrap()
}

/// A ring in which a child holds message 7 and a loan, and was killed.
fn after_a_death(name: &str, policy: Redelivery) -> mpmc::Ring<u64> {
    let ring = ring(name, policy);
    let tx = ring.sender().unwrap();
    tx.send(&7).unwrap();
    let mut holder = Process::start("child", "holder", &[name]);
    assert_eq!(holder.expect("holds"), "7 0");
    holder.kill();
    drop(tx);
    ring
}

/// That all slots of a ring are there: so many messages fit, in order, and no more.
fn refills(ring: &mpmc::Ring<u64>) {
    let (tx, rx) = (ring.sender().unwrap(), ring.receiver().unwrap());
    let capacity = ring.capacity() as u64;
    for lap in 0..3 {
        (0..capacity).for_each(|i| tx.try_send(&(lap * capacity + i)).unwrap());
        assert!(tx.try_send(&0).unwrap_err().is_full());
        (0..capacity).for_each(|i| assert_eq!(*rx.try_recv().unwrap(), lap * capacity + i));
        assert!(rx.try_recv().unwrap_err().is_empty());
    }
}

#[test]
fn recover_does_all_at_once_and_says_what() {
    let name = name("recover");
    let ring = after_a_death(&name, Redelivery::Always);
    assert_eq!(counts(ring.recover().unwrap()), (1, 1, 1, 0));
    assert_eq!(counts(ring.recover().unwrap()), (0, 0, 0, 0), "once is enough");
    assert!(ring.stats().participants.iter().all(|one| one.alive));
    let rx = ring.receiver().unwrap();
    assert_eq!(*rx.recv().unwrap(), 7);
    drop(rx);
    refills(&ring);
    let Stats { reaped, redelivered, dropped, .. } = ring.stats();
    assert_eq!((reaped, redelivered, dropped), (1, 1, 0));
}

#[test]
fn what_is_recovered_says_that_it_comes_again() {
    let name = name("flag");
    let ring = after_a_death(&name, Redelivery::Always);
    ring.recover().unwrap();
    let rx = ring.receiver().unwrap();
    let message = rx.recv_timeout(support::WATCHDOG).unwrap();
    assert_eq!((*message, message.redelivered()), (7, 1));
}

#[test]
fn recover_drops_what_the_policy_drops() {
    for policy in [Redelivery::Never, Redelivery::AtMost(0)] {
        let name = name("drop");
        let ring = after_a_death(&name, policy);
        assert_eq!(counts(ring.recover().unwrap()), (1, 1, 0, 1));
        assert_eq!(ring.stats().backlog, 0);
        refills(&ring);
        assert_eq!(ring.stats().dropped, 1);
    }
}

#[test]
fn who_polls_finds_all_that_one_dead_held_once_it_found_some() {
    const HELD: usize = 200;
    let name = name("hoard");
    let ring = mpmc::Ring::<u64>::create(&name, &Options::new().capacity(256).keep_open(true)).unwrap();
    let (tx, rx) = (ring.sender().unwrap(), ring.receiver().unwrap());
    (0..HELD as u64).for_each(|message| tx.send(&message).unwrap());
    let mut hoarder = Process::start("child", "hoarder", &[&name]);
    assert_eq!(hoarder.expect("holds"), HELD.to_string());
    assert!(rx.try_recv().unwrap_err().is_empty());
    hoarder.kill();
    let mut found = 0;
    wait_for("the first of them", || {
        found = rx.try_iter().count();
        found > 0
    });
    assert_eq!(found, HELD);
}

/// Long after a receiver last found nothing, in a ring so long that it does not look at every slot again for no reason.
#[test]
fn a_sleeping_receiver_finds_what_one_holds_who_dies_late() {
    let _watchdog = support::watchdog("a wait for a message of the dead");
    let name = name("late");
    let ring = mpmc::Ring::<u64>::create(&name, &Options::new().capacity(1 << 20)).unwrap();
    let (tx, rx) = (ring.sender().unwrap(), ring.receiver().unwrap());
    tx.send(&7).unwrap();
    let mut hoarder = Process::start("child", "hoarder", &[&name]);
    assert_eq!(hoarder.expect("holds"), "1");
    assert!(rx.recv_timeout(Duration::from_secs(2)).unwrap_err().is_timeout());
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            // Should this fail, it is before every slot is looked at for no reason.
            rx.recv_timeout(support::WATCHDOG).map(|message| (*message, message.redelivered()))
        });
        wait_asleep(&name, Side::Receivers);
        hoarder.kill();
        let killed = Instant::now();
        assert_eq!(waiting.join().unwrap().unwrap(), (7, 1));
        println!("found after {:?}", killed.elapsed());
    });
}

/// A place has 255 generations. When they come round, what still names an early one is not its new owner's.
#[test]
fn who_takes_a_place_after_many_does_not_keep_what_an_early_one_held() {
    let name = name("round");
    let options = Options::new().capacity(4).participants(2);
    let ring = mpmc::Ring::<u64>::create(&name, &options).unwrap();
    let tx = ring.sender().unwrap();
    tx.send(&7).unwrap();
    let mut hoarder = Process::start("child", "hoarder", &[&name]);
    assert_eq!(hoarder.expect("holds"), "1");
    hoarder.kill();
    let join = || mpmc::Ring::<u64>::open(&name).unwrap().sender().unwrap();
    // This process has the first of two places.
    (1..255).for_each(|_| drop(join()));
    let namesake = join();
    let message = ring.receiver().unwrap().try_recv().map(|message| (*message, message.redelivered()));
    assert_eq!(message.unwrap(), (7, 1));
    drop(namesake);
}

#[test]
fn a_rejected_message_is_nobodys_and_stays() {
    let name = name("reject");
    let ring = ring(&name, Redelivery::AtMost(1));
    let tx = ring.sender().unwrap();
    tx.send(&7).unwrap();
    let mut rejecter = Process::start("child", "rejecter", &[&name]);
    rejecter.expect("rejected");
    assert_eq!(counts(ring.recover().unwrap()), (0, 0, 0, 0), "it may be delivered once more");
    rejecter.kill();
    // It holds no handle any more, and is a member all the same until its process ends.
    assert_eq!(counts(ring.recover().unwrap()).0, 1);
    let rx = ring.receiver().unwrap();
    let message = rx.recv_timeout(support::WATCHDOG).unwrap();
    assert_eq!((*message, message.redelivered()), (7, 1));
    message.reject();
    assert_eq!(counts(ring.recover().unwrap()), (0, 0, 0, 1), "and now it was");
    assert!(rx.try_recv().unwrap_err().is_empty());
    assert_eq!((ring.stats().rejected, ring.stats().dropped), (2, 1));
}

/// A stopped process holds a message and a loan through many laps, blocks nobody, and then goes on as if nothing were.
#[test]
fn a_stopped_process_costs_its_slots_and_blocks_nobody() {
    let name = name("stopped");
    let ring = ring(&name, Redelivery::Always);
    let (tx, rx) = (ring.sender().unwrap(), ring.receiver().unwrap());
    tx.send(&7).unwrap();
    let mut holder = Process::start("child", "holder", &[&name]);
    assert_eq!(holder.expect("holds"), "7 0");
    holder.stop();
    assert_eq!(counts(ring.recover().unwrap()), (0, 0, 0, 0), "a stopped process is not dead");
    for i in 0..10_000 {
        tx.try_send(&i).unwrap();
        tx.try_send(&(i + 1)).unwrap();
        assert!(tx.try_send(&0).unwrap_err().is_full(), "two of four slots are held");
        assert_eq!(*rx.try_recv().unwrap(), i);
        assert_eq!(*rx.try_recv().unwrap(), i + 1);
    }
    assert!(rx.try_recv().unwrap_err().is_empty());
    assert_eq!((ring.stats().held, ring.stats().reaped), (1, 0));
    holder.signal(libc::SIGCONT);
    holder.tell("finish");
    holder.expect("finished");
    let late = rx.recv_timeout(support::WATCHDOG).unwrap();
    assert_eq!((*late, late.redelivered()), (1007, 0), "the loan was committed 5,000 laps late");
    drop(late);
    holder.finish();
    assert_eq!(ring.stats().held, 0, "the acknowledgement counted");
    refills(&ring);
}

#[test]
fn a_stopped_process_that_is_killed_is_dead() {
    let name = name("stopkill");
    let ring = ring(&name, Redelivery::Always);
    let (tx, rx) = (ring.sender().unwrap(), ring.receiver().unwrap());
    tx.send(&7).unwrap();
    let mut holder = Process::start("child", "holder", &[&name]);
    holder.expect("holds");
    holder.stop();
    for i in 0..100 {
        tx.try_send(&i).unwrap();
        assert_eq!(*rx.try_recv().unwrap(), i);
    }
    holder.kill();
    let again = rx.recv_timeout(support::WATCHDOG).unwrap();
    assert_eq!((*again, again.redelivered()), (7, 1));
    drop(again);
    drop((tx, rx));
    refills(&ring);
}

#[test]
fn an_spsc_successor_gets_what_its_predecessor_held() {
    let name = name("takeover");
    let ring = spsc::Ring::<u64>::create(&name, &Options::new().capacity(4)).unwrap();
    let mut tx = ring.sender().unwrap();
    tx.send_many([1, 2, 3]).unwrap();
    let mut holder = Process::start("child", "stream", &[&name]);
    assert_eq!(holder.expect("holds"), "[1, 2]");
    holder.kill();
    assert_eq!(counts(ring.recover().unwrap()), (1, 0, 0, 0), "its slots name nobody");
    let mut rx = ring.receiver().unwrap();
    for (message, redelivered) in [(1, 1), (2, 1), (3, 0)] {
        let received = rx.recv().unwrap();
        assert_eq!((*received, received.redelivered()), (message, redelivered));
    }
    assert_eq!(ring.stats().redelivered, 2);
}

#[test]
fn list_shows_who_is_alive() {
    let name = name("alive");
    let find = || ringmail::list().unwrap().into_iter().find(|listed| *listed.name == *name).map(|listed| listed.ring);
    let ring = ring(&name, Redelivery::Always);
    let tx = ring.sender().unwrap();
    tx.send(&7).unwrap();
    let mut holder = Process::start("child", "holder", &[&name]);
    holder.expect("holds");
    let seen = find().unwrap().unwrap();
    assert_eq!((seen.flavour, seen.message.as_str(), seen.open), ("mpmc", "u64", true));
    assert_eq!((seen.stats.capacity, seen.stats.backlog, seen.stats.held), (4, 1, 1));
    let who = |pid| {
        let seen = find().unwrap().unwrap();
        seen.stats
            .participants
            .into_iter()
            .find(|one| one.pid == pid)
            .map(|one| (one.senders, one.receivers, one.alive))
    };
    assert_eq!(who(holder.pid()), Some((1, 1, true)));
    assert_eq!(who(std::process::id()), Some((1, 0, true)));
    holder.kill();
    assert_eq!(who(holder.pid()), Some((1, 1, false)), "the dead stay to be seen");
    ring.recover().unwrap();
    assert_eq!(who(holder.pid()), None, "until somebody clears up");
    ring.close();
    drop((tx, ring));
    assert!(find().is_none());
}

#[test]
fn list_shows_what_is_no_ring() {
    let name = name("garbage");
    std::fs::write(name.path(), b"not a ring").unwrap();
    let listed = ringmail::list().unwrap().into_iter().find(|listed| *listed.name == *name).unwrap();
    assert!(matches!(listed.ring, Err(ringmail::OpenError::NotARing { .. })), "{listed:?}");
}

/// Every process of a named ring is killed: it is listed as nobody's, and the next creator has the name.
#[test]
fn a_ring_that_a_massacre_left_is_reclaimed() {
    let name = name("massacre");
    // Created here, so the ring outlives the children; then only the dead have it.
    let ring = ring(&name, Redelivery::Always);
    let tx = ring.sender().unwrap();
    tx.send(&7).unwrap();
    tx.send(&8).unwrap();
    let mut holders = [0, 1].map(|_| Process::start("child", "holder", &[&name]));
    holders.iter_mut().for_each(|holder| _ = holder.expect("holds"));
    drop((tx, ring));
    holders.iter_mut().for_each(Process::kill);
    let open = || ringmail::list().unwrap().into_iter().find(|l| *l.name == *name).map(|l| l.ring.unwrap().open);
    wait_for("the locks of the dead to go", || open() == Some(false));

    // Taken over with what is left in it,
    let ring = mpmc::Ring::<u64>::open_or_create(&name, &Options::new()).unwrap();
    assert_eq!(ring.capacity(), 4, "it is the old one");
    assert_eq!(counts(ring.recover().unwrap()), (2, 2, 2, 0));
    let rx = ring.receiver().unwrap();
    let held = [rx.recv().unwrap(), rx.recv().unwrap()];
    assert_eq!(held.each_ref().map(|message| message.redelivered()), [1, 1]);
    // left again with messages that nobody acknowledged,
    held.into_iter().for_each(|message| message.reject());
    drop((rx, ring));
    assert_eq!(open(), Some(false));
    // and replaced by a creator.
    let ring = mpmc::Ring::<u64>::create(&name, &Options::new().capacity(2)).unwrap();
    assert_eq!((ring.capacity(), ring.stats().backlog), (2, 0));
    refills(&ring);
}
