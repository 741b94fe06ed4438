//! Where `membarrier` may not be used: a ring made there does without, one that needs it is not joined.

#[macro_use]
mod support;

use ringmail::{JoinError, Options};
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::time::Duration;
use support::seccomp::take_away;
use support::{Process, Side, hear, name, role, say, wait_asleep};

/// Nothing but sleeps.
const SLEEPY: Options = Options::new().capacity(1).spin(Duration::ZERO);

/// Messages that are slept for.
const COUNT: u64 = 20;

/// Whether the publishers of a ring pay for the fence, by the flags in its header.
fn has_fence(ring: impl AsFd) -> bool {
    let mut flags = [0; 4];
    let file = std::fs::File::from(ring.as_fd().try_clone_to_owned().unwrap());
    file.read_exact_at(&mut flags, 124).unwrap();
    u32::from_ne_bytes(flags) & 2 != 0
}

both! {
    #[test]
    fn child() {
        let Some((role, args)) = role() else { return };
        take_away(libc::SYS_membarrier);
        match role.as_str() {
            "create" => {
                // As every user writes it: nothing is said of membarrier.
                let ring = flavour::Ring::<u64>::create(&args[0], &SLEEPY).unwrap();
                let mut rx = ring.receiver().unwrap();
                say("created");
                (0..COUNT).for_each(|number| assert_eq!(*rx.recv().unwrap(), number));
                drop(rx);
                say("received");
                hear();
                let mut tx = ring.sender().unwrap();
                say("joined");
                for number in 0..COUNT {
                    // Only to who sleeps; and no sooner.
                    hear();
                    tx.send(&number).unwrap();
                }
            }
            "join" => {
                let ring = flavour::Ring::<u64>::open(&args[0]).unwrap();
                assert_eq!(ring.sender().unwrap_err(), JoinError::NoMembarrier);
                assert_eq!(ring.receiver().unwrap_err(), JoinError::NoMembarrier);
                say("refused");
            }
            "join fenced" => {
                let ring = flavour::Ring::<u64>::open(&args[0]).unwrap();
                let (mut tx, mut rx) = (ring.sender().unwrap(), ring.receiver().unwrap());
                tx.send(&7).unwrap();
                assert_eq!(*rx.recv().unwrap(), 7);
            }
            other => panic!("no role {other}"),
        }
    }

    #[test]
    fn a_ring_made_without_it_does_without() {
        let name = name("unfenced");
        let mut child = Process::start(CHILD, "create", &[&name]);
        child.expect("created");
        let ring = flavour::Ring::<u64>::open(&name).unwrap();
        assert!(has_fence(&ring));
        let mut tx = ring.sender().unwrap();
        for number in 0..COUNT {
            wait_asleep(&name, Side::Receivers);
            tx.send(&number).unwrap();
        }
        child.expect("received");
        // The other way round.
        drop(tx);
        let mut rx = ring.receiver().unwrap();
        child.tell("go");
        child.expect("joined");
        std::thread::scope(|scope| {
            scope.spawn(move || (0..COUNT).for_each(|number| assert_eq!(*rx.recv().unwrap(), number)));
            for _ in 0..COUNT {
                wait_asleep(&name, Side::Receivers);
                child.tell("send");
            }
        });
        child.finish();
    }

    #[test]
    fn a_ring_that_needs_it_is_not_joined_without() {
        let name = name("fenced");
        let ring = flavour::Ring::<u64>::create(&name, &SLEEPY).unwrap();
        assert!(!has_fence(&ring), "this machine has membarrier");
        let mut child = Process::start(CHILD, "join", &[&name]);
        child.expect("refused");
        child.finish();
        // Refused is not half joined.
        let (mut tx, mut rx) = (ring.sender().unwrap(), ring.receiver().unwrap());
        tx.send(&1).unwrap();
        assert_eq!(*rx.recv().unwrap(), 1);
    }

    #[test]
    fn a_ring_that_was_made_to_do_without_is_joined() {
        let name = name("asked");
        let ring = flavour::Ring::<u64>::create(&name, &SLEEPY.membarrier(false)).unwrap();
        assert!(has_fence(&ring));
        Process::start(CHILD, "join fenced", &[&name]).finish();
    }
}
