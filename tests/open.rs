//! Creating and opening: one of many creators wins, nobody sees half a ring, and a name's life ends with its last user.
//!
//! What lies under a name and is no ring is the subject of `strange.rs`.

mod support;

use ringmail::{JoinError, OpenError, Options, mpmc, spsc};
use std::os::unix::fs::PermissionsExt;
use support::mount::has_small_file_system;
use support::{Name, Process, Seeded, hear, name, path, role, say, wait_for};

type Ring = mpmc::Ring<u64>;

const SMALL: Options = Options::new().capacity(64);

#[test]
fn child() {
    let Some((role, args)) = role() else { return };
    let name = &args[0];
    match role.as_str() {
        "race-to-create" => loop {
            say("ready");
            let round = hear();
            if round.is_empty() {
                return;
            }
            let name = format!("{name}-{round}");
            let ring = match Ring::create(&name, &SMALL) {
                Ok(ring) => {
                    say("created");
                    ring
                }
                Err(error) => {
                    assert!(error.is_already_exists(), "{error}");
                    // It is there, so it is whole.
                    let ring = Ring::open(&name).unwrap();
                    say("opened");
                    ring
                }
            };
            assert_eq!(ring.capacity(), 64);
            hear();
        },
        "race-to-open-or-create" => loop {
            say("ready");
            let round = hear();
            if round.is_empty() {
                return;
            }
            let ring = Ring::open_or_create(&format!("{name}-{round}"), &SMALL).unwrap();
            ring.sender().unwrap().send(&std::process::id().into()).unwrap();
            drop(ring);
            say("sent");
        },
        "create-for-ever" => {
            let options = Options::new().capacity(64).max_len(2048);
            say("ready");
            for lap in 0.. {
                let ring = mpmc::Ring::<[u8]>::create(name, &options).unwrap();
                let tx = ring.sender().unwrap();
                tx.send(&[lap as u8; 2048]).unwrap();
                if lap % 2 == 0 {
                    ring.close();
                }
                drop((tx, ring));
            }
        }
        "live" => {
            let ring = Ring::open_or_create(name, &SMALL).unwrap();
            let tx = ring.sender().unwrap();
            tx.send(&1).unwrap();
            tx.send(&2).unwrap();
            say("alive");
            if hear() == "close" {
                ring.close();
                say("closed");
                hear();
            }
        }
        "full" => no_space(name),
        "umask" => {
            // SAFETY: sets a number of this process.
            unsafe { libc::umask(0o077) };
            for mode in [0o600, 0o660, 0o666] {
                let ring = Ring::create(name, &SMALL.mode(mode)).unwrap();
                let found = std::fs::metadata(path(name)).unwrap().permissions().mode();
                assert_eq!(found & 0o7777, mode);
                drop(ring);
            }
        }
        role => panic!("no role {role}"),
    }
}

#[test]
fn of_many_creators_one_wins_and_the_others_open() {
    const PROCESSES: usize = 32;
    let base = name("race");
    let mut racers: Vec<_> = (0..PROCESSES).map(|_| Process::start("child", "race-to-create", &[&base])).collect();
    for round in 0..4 {
        racers.iter_mut().for_each(|racer| drop(racer.expect("ready")));
        racers.iter_mut().for_each(|racer| racer.tell(&round.to_string()));
        let said: Vec<_> = racers.iter_mut().map(Process::next_line).collect();
        assert_eq!(said.iter().filter(|said| *said == "created").count(), 1);
        assert_eq!(said.iter().filter(|said| *said == "opened").count(), PROCESSES - 1);
        racers.iter_mut().for_each(|racer| racer.tell("next"));
    }
    for mut racer in racers {
        racer.expect("ready");
        racer.finish();
    }
    let left = ringmail::list().unwrap().into_iter().filter(|left| left.name.starts_with(&*base)).count();
    assert_eq!(left, 0, "the last one out takes the name along");
}

/// Also those who come when others have been there and have left: their messages are not lost.
#[test]
fn all_who_open_or_create_meet_in_one_ring() {
    let base = name("meet");
    let mut racers: Vec<_> = (0..8).map(|_| Process::start("child", "race-to-open-or-create", &[&base])).collect();
    let mut pids: Vec<_> = racers.iter().map(|racer| u64::from(racer.pid())).collect();
    pids.sort_unstable();
    for round in 0..50 {
        racers.iter_mut().for_each(|racer| drop(racer.expect("ready")));
        racers.iter_mut().for_each(|racer| racer.tell(&round.to_string()));
        racers.iter_mut().for_each(|racer| drop(racer.expect("sent")));
        let ring = Ring::open(&format!("{}-{round}", &*base)).expect("messages keep the name");
        let mut sent: Vec<_> = ring.receiver().unwrap().iter().map(|pid| *pid).collect();
        sent.sort_unstable();
        assert_eq!(sent, pids);
    }
    for mut racer in racers {
        racer.expect("ready");
        racer.finish();
    }
}

#[test]
fn a_name_may_come_and_go_at_any_time() {
    let name = name("churn");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for number in 0..200 {
                    let ring = Ring::open_or_create(&name, &SMALL).unwrap();
                    let (tx, rx) = (ring.sender().unwrap(), ring.receiver().unwrap());
                    tx.send(&number).unwrap();
                    drop(rx.recv().unwrap());
                }
            });
        }
    });
    assert!(!name.exists());
}

#[test]
fn killed_creators_leave_nothing_half_made() {
    let name = name("half");
    let mut seeded = Seeded(0x2545_f491_4f6c_dd1d);
    let mut left = 0;
    for _ in 0..40 {
        let mut creator = Process::start("child", "create-for-ever", &[&name]);
        creator.expect("ready");
        std::thread::sleep(std::time::Duration::from_micros(seeded.below(3000) as u64));
        creator.kill();
        if name.exists() {
            left += 1;
            let ring = mpmc::Ring::<[u8]>::open(&name).expect("what has a name is whole");
            assert_eq!((ring.capacity(), ring.max_len()), (64, 2048));
            assert!(ring.stats().participants.iter().all(|participant| !participant.alive));
        }
        // Whatever is left is replaced by the next creator.
        let ring = mpmc::Ring::<[u8]>::create(&name, &SMALL).unwrap();
        assert_eq!(ring.stats().backlog, 0);
        drop(ring);
        assert!(!name.exists());
    }
    println!("{left} of 40 died with a ring");
}

#[test]
fn a_live_ring_is_not_replaced_and_a_dead_one_is() {
    let name = name("replace");
    let mut peer = Process::start("child", "live", &[&name]);
    peer.expect("alive");
    assert!(matches!(Ring::create(&name, &SMALL), Err(OpenError::AlreadyExists { name: n }) if *n == *name));
    peer.stop();
    assert!(Ring::create(&name, &SMALL).unwrap_err().is_already_exists(), "stopped is not dead");
    peer.kill();
    let ring = Ring::create(&name, &SMALL.capacity(3)).unwrap();
    assert_eq!((ring.capacity(), ring.stats().backlog), (3, 0));
    // Of the other flavour and type, too.
    let mut peer = Process::start("child", "live", &[&name]);
    peer.expect("alive");
    drop(ring);
    peer.kill();
    drop(spsc::Ring::<[u8]>::create(&name, &SMALL).unwrap());
}

#[test]
fn an_open_ring_nobody_joined_is_alive() {
    let name = name("idle");
    let ring = Ring::create(&name, &SMALL).unwrap();
    assert!(Ring::create(&name, &SMALL).unwrap_err().is_already_exists());
    drop(ring);
    drop(Ring::create(&name, &SMALL).unwrap());
}

#[test]
fn what_a_massacre_left_can_be_drained() {
    let name = name("massacre");
    for open in [Ring::open, |name: &str| Ring::open_or_create(name, &SMALL)] {
        let mut peer = Process::start("child", "live", &[&name]);
        peer.expect("alive");
        peer.kill();
        assert!(name.exists());
        let rx = open(&name).unwrap().receiver().unwrap();
        assert!(rx.iter().map(|message| *message).eq([1, 2]));
        drop(rx);
        assert!(!name.exists(), "drained, and the last one out");
    }
}

#[test]
fn a_closed_ring_of_the_dead_is_replaced() {
    let name = name("closed");
    let mut peer = Process::start("child", "live", &[&name]);
    peer.expect("alive");
    peer.tell("close");
    peer.expect("closed");
    assert!(Ring::open_or_create(&name, &SMALL).unwrap().is_closed(), "somebody still has it");
    peer.kill();
    let ring = Ring::open_or_create(&name, &SMALL).unwrap();
    assert!(!ring.is_closed());
    assert_eq!(ring.stats().backlog, 0);
}

#[test]
fn the_last_one_out_takes_the_name_along() {
    let name = name("last");
    let first = Ring::create(&name, &SMALL).unwrap();
    let mut peer = Process::start("child", "live", &[&name]);
    peer.expect("alive");
    let rx = first.receiver().unwrap();
    drop(first);
    assert_eq!((*rx.recv().unwrap(), *rx.recv().unwrap()), (1, 2));
    peer.tell("leave");
    peer.finish();
    assert!(name.exists(), "a handle keeps the ring");
    assert!(rx.recv().unwrap_err().is_disconnected());
    drop(rx);
    assert!(!name.exists());
    assert!(Ring::open(&name).unwrap_err().is_not_found());
}

#[test]
fn unread_messages_keep_the_name() {
    let name = name("unread");
    let ring = Ring::create(&name, &SMALL).unwrap();
    ring.sender().unwrap().send(&7).unwrap();
    drop(ring);
    assert!(name.exists());
    let ring = Ring::open(&name).unwrap();
    assert_eq!(*ring.receiver().unwrap().recv().unwrap(), 7);
    ring.sender().unwrap().send(&8).unwrap();
    // After a close nobody expects them any more.
    ring.close();
    drop(ring);
    assert!(!name.exists());
    let ring = spsc::Ring::<u64>::create(&name, &SMALL).unwrap();
    ring.sender().unwrap().send(&9).unwrap();
    drop(ring);
    assert_eq!(*spsc::Ring::<u64>::open(&name).unwrap().receiver().unwrap().recv().unwrap(), 9);
    assert!(!name.exists());
}

#[test]
fn an_unlinked_ring_lives_on_without_its_name() {
    let name = name("unlink");
    let old = Ring::create(&name, &SMALL).unwrap();
    let (tx, rx) = (old.sender().unwrap(), old.receiver().unwrap());
    assert!(ringmail::list().unwrap().iter().any(|listed| *listed.name == *name));
    assert!(ringmail::list().unwrap().is_sorted_by_key(|listed| listed.name.clone()));
    ringmail::unlink(&name).unwrap();
    assert!(ringmail::unlink(&name).unwrap_err().is_not_found());
    assert!(!ringmail::list().unwrap().iter().any(|listed| *listed.name == *name));
    assert!(Ring::open(&name).unwrap_err().is_not_found());
    tx.send(&1).unwrap();
    let new = Ring::create(&name, &SMALL).unwrap();
    assert_eq!(new.stats().backlog, 0);
    assert_eq!(*rx.recv().unwrap(), 1);
    drop((tx, rx, old));
    assert!(name.exists(), "the last one out of the old ring leaves the new one's name alone");
    drop(new);
    assert!(!name.exists());
}

#[test]
fn options_are_those_of_the_creator() {
    let name = name("options");
    let ring = mpmc::Ring::<[u8]>::create(&name, &SMALL.max_len(100).participants(1)).unwrap();
    let other = mpmc::Ring::<[u8]>::open_or_create(&name, &SMALL.capacity(5).max_len(7)).unwrap();
    assert_eq!((other.capacity(), other.max_len()), (64, 100));
    let _tx = ring.sender().unwrap();
    // One and the same process twice is two participants, as it opened the ring twice.
    assert_eq!(other.sender().map(drop), Err(JoinError::TooManyParticipants { max: 1 }));
    let _rx = ring.receiver().expect("handles of one opening share its place");
}

#[test]
fn a_place_is_free_again_after_a_death() {
    let name = name("places");
    let _ring = Ring::create(&name, &SMALL.participants(2)).unwrap();
    for _ in 0..3 {
        let mut peers = [(); 2].map(|()| Process::start("child", "live", &[&name]));
        peers.iter_mut().for_each(|peer| drop(peer.expect("alive")));
        let taken = Ring::open(&name).unwrap().sender().map(drop);
        assert_eq!(taken, Err(JoinError::TooManyParticipants { max: 2 }));
    }
}

#[test]
fn names_are_checked() {
    let long = name("long");
    let fits = format!("{}{}", &*long, "x".repeat(200 - long.len()));
    drop(Ring::create(&fits, &SMALL).unwrap());
    let charset = format!("{}_AZaz09.-", &*long);
    drop(Ring::create(&charset, &SMALL).unwrap());
    assert!(Ring::open("a").is_ok_or_not_found());
    for bad in ["", &format!("{fits}x"), "a/b", "/", "a b", "ä", "a\0b", "*", "a\n", "~", "a:b"] {
        let errors = [
            Ring::create(bad, &SMALL).unwrap_err(),
            Ring::open(bad).unwrap_err(),
            Ring::open_or_create(bad, &SMALL).unwrap_err(),
            ringmail::unlink(bad).unwrap_err(),
        ];
        for error in errors {
            assert!(matches!(&error, OpenError::InvalidName { name } if name == bad), "{bad:?}: {error}");
        }
    }
    // Dots are characters like any other.
    let dots: Name = name("..");
    drop(Ring::create(&dots, &SMALL).unwrap());
}

trait OkOrNotFound {
    fn is_ok_or_not_found(&self) -> bool;
}

impl<T> OkOrNotFound for Result<T, OpenError> {
    fn is_ok_or_not_found(&self) -> bool {
        self.as_ref().err().is_none_or(OpenError::is_not_found)
    }
}

#[test]
fn the_umask_does_not_narrow_the_mode() {
    let name = name("mode");
    Process::start("child", "umask", &[&name]).finish();
}

#[test]
fn a_full_file_system_is_an_error_at_creation() {
    let name = name("full");
    let mut peer = Process::start_to_mount("child", "full", &[&name]);
    peer.expect("done");
    peer.finish();
}

/// With a `/dev/shm` of its own.
fn no_space(name: &str) {
    if !has_small_file_system("/dev/shm") {
        return;
    }
    let large = Options::new().capacity(1 << 14).max_len(2048);
    let error = mpmc::Ring::<[u8]>::create(name, &large).unwrap_err();
    assert!(error.is_no_space(), "{error}");
    assert!(matches!(error, OpenError::NoSpace { needed } if needed > 32 << 20));
    assert!(ringmail::list().unwrap().is_empty());
    // Until it is full, and no further; what exists goes on.
    let options = Options::new().capacity(64).max_len(2048);
    let mut rings = Vec::new();
    let error = loop {
        match mpmc::Ring::<[u8]>::create(&format!("{name}-{}", rings.len()), &options) {
            Ok(ring) => rings.push(ring),
            Err(error) => break error,
        }
    };
    assert!(error.is_no_space() && rings.len() > 3, "{error}");
    assert_eq!(ringmail::list().unwrap().len(), rings.len());
    for ring in &rings {
        let (tx, rx) = (ring.sender().unwrap(), ring.receiver().unwrap());
        (0..64).for_each(|byte| tx.try_send(&[byte; 2048]).unwrap());
        assert_eq!(rx.try_iter().count(), 64);
    }
    drop(rings);
    wait_for("the names to go", || ringmail::list().unwrap().is_empty());
    drop(mpmc::Ring::<[u8]>::create(name, &options).unwrap());
    say("done");
}
