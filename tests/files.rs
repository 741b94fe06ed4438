//! Rings in files: what was sent is there when every process is gone, only what was sent takes room on the disk, and
//! what lies at a path and is no ring stays as it is.
//!
//! What the bytes of a ring may be is the subject of `hostile.rs` and `strange.rs`.

#[macro_use]
mod support;

use ringmail::{JoinError, OpenError, Options, TryRecvError, list};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use support::{Directory, Process, role, say, watchdog};

const LONG: usize = 100_000;

fn options() -> Options {
    Options::new().capacity(16).max_len(1 << 20).participants(8)
}

/// A message that says which it is; every other one is too long to lie with its slot.
fn message(number: usize) -> Vec<u8> {
    let len = if number.is_multiple_of(2) { 1 + number } else { LONG + number };
    (0..len).map(|place| (place * 31 + number) as u8).collect()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Bytes that a file takes on disk.
fn on_disk(path: &Path) -> u64 {
    fs::metadata(path).unwrap().blocks() * 512
}

both! {
    type Ring = flavour::Ring<[u8]>;

    #[test]
    fn child() {
        let Some((role, args)) = role() else { return };
        match role.as_str() {
            // Sends six messages, and has begun another.
            "send" => {
                let ring = Ring::open_or_create_file(&args[0], &options()).unwrap();
                let mut tx = ring.sender().unwrap();
                (0..6).for_each(|number| tx.send(&message(number)).unwrap());
                let mut loan = tx.loan(LONG).unwrap();
                loan.fill(1);
                say("sent");
                loop { std::thread::park(); }
            }
            // Acknowledges one, and holds two: a short one and a long one.
            "hold" => {
                let ring = Ring::open_file(&args[0]).unwrap();
                let mut rx = ring.receiver().unwrap();
                assert!(*rx.recv().unwrap() == *message(0));
                let _held = rx.recv_many(2).unwrap();
                assert_eq!(_held.len(), 2);
                say("held");
                loop { std::thread::park(); }
            }
            "relative" => {
                std::env::set_current_dir(&args[0]).unwrap();
                for path in ["x.ring", "./y.ring"] {
                    let ring = Ring::create_file(path, &options()).unwrap();
                    ring.sender().unwrap().send(&message(1)).unwrap();
                    drop(ring);
                    let ring = Ring::open_file(path).unwrap();
                    assert!(*ring.receiver().unwrap().recv().unwrap() == *message(1));
                    assert!(Path::new(path).exists());
                    let again = Ring::open_or_create_file(path, &options()).unwrap();
                    assert_eq!(again.stats().sent, 1);
                }
                say("done");
            }
            "unprivileged" => unprivileged(&args[0], &args[1]),
            role => panic!("no role {role}"),
        }
    }

    #[test]
    fn what_was_sent_survives_all_processes() {
        let _watchdog = watchdog("a massacre in a file");
        let directory = Directory::new(CHILD);
        let path = directory.file("ring");
        let mut sending = Process::start(CHILD, "send", &[text(&path)]);
        sending.expect("sent");
        let mut holding = Process::start(CHILD, "hold", &[text(&path)]);
        holding.expect("held");
        sending.kill();
        holding.kill();
        for _ in 0..2 {
            assert!(path.exists(), "the last one out leaves the file");
            let ring = Ring::open_file(&path).unwrap();
            assert_eq!(ring.stats().backlog, 5);
        }
        let ring = Ring::open_file(&path).unwrap();
        let mut rx = ring.receiver().unwrap();
        let mut got = Vec::new();
        // In an mpmc ring those that were held may come in another order than the others.
        while let Ok(received) = rx.try_recv() {
            let number = (1..6).find(|&number| *received == *message(number)).expect("a message that was sent, whole");
            assert_eq!(received.redelivered(), u32::from(number < 3), "message {number}");
            got.push(number);
        }
        got.sort_unstable();
        assert_eq!(got, [1, 2, 3, 4, 5]);
        assert_eq!(ring.stats().backlog, 0);
        // And on it goes: with all slots, whoever died with one.
        drop(rx);
        let (mut tx, mut rx) = (ring.sender().unwrap(), ring.receiver().unwrap());
        for number in 0..50 {
            tx.send(&message(number)).unwrap();
            assert!(*rx.recv().unwrap() == *message(number));
        }
        (0..16).for_each(|number| tx.try_send(&message(number)).unwrap());
        assert!(tx.try_send(&message(0)).unwrap_err().is_full());
    }

    /// Those who come later find a living ring, and leave it to the others.
    #[test]
    fn a_file_is_shared_while_others_live() {
        let _watchdog = watchdog("a file that is shared");
        let directory = Directory::new(CHILD);
        let path = directory.file("ring");
        let mut sending = Process::start(CHILD, "send", &[text(&path)]);
        sending.expect("sent");
        let ring = Ring::open_or_create_file(&path, &options().capacity(3)).unwrap();
        assert_eq!(ring.capacity(), 16, "it has the options that it was created with");
        let mut rx = ring.receiver().unwrap();
        (0..6).for_each(|number| assert!(*rx.recv().unwrap() == *message(number)));
        assert!(matches!(rx.try_recv(), Err(TryRecvError::Empty)));
        sending.kill();
        let ended = rx.recv();
        assert!(ended.is_err_and(|error| error.is_disconnected()));
    }

    #[test]
    fn a_file_stays_when_everybody_has_left() {
        let directory = Directory::new(CHILD);
        let path = directory.file("ring");
        let ring = Ring::create_file(&path, &options()).unwrap();
        ring.sync().unwrap();
        let mut tx = ring.sender().unwrap();
        tx.send(&message(1)).unwrap();
        drop((tx, ring));
        let ring = Ring::open_file(&path).unwrap();
        assert!(*ring.receiver().unwrap().recv().unwrap() == *message(1));
        drop(ring);
        // Also an empty one, and one that was closed.
        let ring = Ring::open_file(&path).unwrap();
        ring.close();
        drop(ring);
        assert!(Ring::open_file(&path).unwrap().is_closed());
        assert!(Ring::open_or_create_file(&path, &options()).unwrap().is_closed());
        assert!(list().unwrap().iter().all(|listed| !listed.name.contains("ring")), "files have no names");
        // A copy is a ring of its own.
        let copy = directory.file("copy");
        fs::copy(&path, &copy).unwrap();
        assert!(Ring::open_file(&copy).unwrap().is_closed());
    }

    #[test]
    fn nothing_is_replaced() {
        let directory = Directory::new(CHILD);
        let path = directory.file("ring");
        drop(Ring::create_file(&path, &options()).unwrap());
        let exists = |path: &Path| match Ring::create_file(path, &options()) {
            Err(OpenError::AlreadyExists { name }) => assert_eq!(name, text(path)),
            other => panic!("{other:?}"),
        };
        // A ring that nobody has open, and one that somebody has.
        exists(&path);
        let ring = Ring::open_file(&path).unwrap();
        exists(&path);
        drop(ring);
        // What is no ring at all.
        let other = directory.file("other");
        fs::write(&other, "somebody's thesis").unwrap();
        let (empty, link, dangling) = (directory.file("empty"), directory.file("link"), directory.file("dangling"));
        fs::write(&empty, "").unwrap();
        symlink(&path, &link).unwrap();
        symlink(directory.file("nowhere"), &dangling).unwrap();
        let cases = [
            (&other, "a file of other bytes"),
            (&empty, "an empty file"),
            (&directory.0, "a directory"),
            (&link, "a symbolic link"),
            (&dangling, "a symbolic link"),
        ];
        for (path, what) in cases {
            exists(path);
            for opened in [Ring::open_file(path), Ring::open_or_create_file(path, &options())] {
                match opened {
                    Err(OpenError::NotARing { found }) => assert_eq!(found, what),
                    other => panic!("{other:?}, not {what}"),
                }
            }
        }
        assert_eq!(fs::read_to_string(&other).unwrap(), "somebody's thesis");
        assert_eq!(fs::read(&empty).unwrap(), b"");
        assert_eq!(fs::read_dir(&directory.0).unwrap().count(), 5, "nothing was made");
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        let directory = Directory::new(CHILD);
        let missing = directory.file("missing");
        match Ring::open_file(&missing) {
            Err(OpenError::NotFound { name }) => assert_eq!(name, text(&missing)),
            other => panic!("{other:?}"),
        }
        let nowhere = directory.file("no/such/folder/ring");
        assert!(Ring::create_file(&nowhere, &options()).unwrap_err().is_not_found());
        let under = directory.file("file");
        fs::write(&under, "").unwrap();
        let below = Ring::create_file(under.join("ring"), &options()).unwrap_err();
        assert!(matches!(below, OpenError::Io(_)), "{below:?}");
        assert!(Ring::create_file("", &options()).is_err());
        assert!(Ring::open_file("").is_err());
        // Options are checked before anything is made.
        let invalid = Ring::create_file(&missing, &options().capacity(0)).unwrap_err();
        assert!(matches!(invalid, OpenError::InvalidInput { setter: "capacity", .. }));
        assert!(!missing.exists());
    }

    #[test]
    fn a_path_may_be_relative() {
        let directory = Directory::new(CHILD);
        let mut child = Process::start(CHILD, "relative", &[directory.text()]);
        child.expect("done");
        child.finish();
        assert!(directory.file("x.ring").exists());
    }

    #[test]
    fn permissions_are_those_that_were_asked_for() {
        let directory = Directory::new(CHILD);
        for mode in [0o600, 0o666] {
            let path = directory.file(&mode.to_string());
            drop(Ring::create_file(&path, &options().mode(mode)).unwrap());
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, mode);
        }
    }

    #[test]
    fn without_permission_it_is_an_error() {
        // SAFETY: asks for a number.
        if unsafe { libc::geteuid() } != 0 {
            eprintln!("not shown here: only root can become somebody else");
            return;
        }
        let directory = Directory::new(CHILD);
        fs::set_permissions(&directory.0, fs::Permissions::from_mode(0o755)).unwrap();
        let path = directory.file("ring");
        drop(Ring::create_file(&path, &options()).unwrap());
        let mut child = Process::start(CHILD, "unprivileged", &[text(&path), text(&directory.file("new"))]);
        child.expect("done");
        child.finish();
    }

    /// As somebody who may neither read the ring nor write into its directory.
    fn unprivileged(path: &str, new: &str) {
        // SAFETY: changes who this process acts as; it has no other thread that cares.
        assert_eq!(unsafe { libc::seteuid(65_534) }, 0);
        let refused = |opened: Result<Ring, OpenError>, path: &str| match opened {
            Err(OpenError::PermissionDenied { name }) => assert_eq!(name, path),
            other => panic!("{other:?}"),
        };
        refused(Ring::open_file(path), path);
        refused(Ring::open_or_create_file(path, &options()), path);
        refused(Ring::create_file(new, &options()), new);
        say("done");
    }

    /// 64 messages of 1 GiB would fit; what is on the disk is what was sent.
    #[test]
    fn a_file_takes_what_was_sent() {
        let directory = Directory::new(CHILD);
        let path = directory.file("ring");
        let ring = Ring::create_file(&path, &Options::new().capacity(64).max_len(1 << 30)).unwrap();
        assert!(fs::metadata(&path).unwrap().len() > 64 << 30);
        let before = on_disk(&path);
        assert!(before < 1 << 20, "{before} bytes");
        let mut tx = ring.sender().unwrap();
        let (committed, mut sent) = (ring.stats().committed, 0);
        for number in 0..8 {
            let len = 1_000_000 + number * 300_000;
            let mut loan = tx.loan(len).unwrap();
            loan.fill(number as u8);
            loan.commit().unwrap();
            sent += (len as u64).next_multiple_of(4096);
        }
        ring.sync().unwrap();
        assert_eq!(ring.stats().committed - committed, sent);
        let after = on_disk(&path) - before;
        assert!((sent..=sent + (1 << 20)).contains(&after), "{after} bytes on disk, {sent} sent");
        let mut rx = ring.receiver().unwrap();
        for number in 0..8 {
            let received = rx.recv().unwrap();
            assert_eq!(received.len(), 1_000_000 + number * 300_000);
            assert!(received.iter().all(|&byte| byte == number as u8));
        }
    }

    #[test]
    fn roles_in_a_file_are_exclusive_too() {
        let directory = Directory::new(CHILD);
        let path = directory.file("ring");
        let ring = Ring::create_file(&path, &options().participants(1)).unwrap();
        let other = Ring::open_file(&path).unwrap();
        let _tx = ring.sender().unwrap();
        let error = other.sender().map(|_| ()).unwrap_err();
        assert!(matches!(error, JoinError::RoleTaken { .. } | JoinError::TooManyParticipants { .. }), "{error}");
    }
}
