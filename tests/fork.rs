//! Who is alive, when processes fork, exec, end threads and touch files: never alive by mistake for long, never dead by
//! mistake at all. And what a forked child inherits: handles that make it a participant of its own, guards that do
//! nothing.

#[macro_use]
mod support;

use ringmail::{JoinError, Options, SendError, TrySendError, mpmc as many, spsc as one};
use std::io::{PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;
use support::{Process, fork, hear, name, path, role, say, wait_for, watchdog};

/// Long enough for any verdict that would come by itself: peers are probed every 250 ms.
const A_WHILE: Duration = Duration::from_millis(600);

both! {
    #[test]
    fn child() {
        let Some((role, args)) = role() else { return };
        if role == "idle" {
            say("still here");
            hear();
            return;
        }
        let ring = flavour::Ring::<u64>::open(&args[0]).unwrap();
        match role.as_str() {
            // Joins, and has a child that outlives it and knows nothing of the ring.
            "with-child" => {
                let mut tx = ring.sender().unwrap();
                tx.send(&1).unwrap();
                let child = fork(|| {
                    say("forked");
                    hear();
                    say("still here");
                    hear();
                    0
                });
                child.wait();
            }
            "exec" => {
                let mut tx = ring.sender().unwrap();
                tx.send(&1).unwrap();
                let mut command = Command::new(std::env::current_exe().unwrap());
                command.args(std::env::args_os().skip(1)).env("RINGMAIL_TEST_ROLE", "idle");
                panic!("{}", command.exec());
            }
            "touch" => {
                let mut tx = ring.sender().unwrap();
                tx.send(&1).unwrap();
                drop(std::fs::File::open(path(&args[0])).unwrap());
                drop(std::fs::OpenOptions::new().read(true).write(true).open(path(&args[0])).unwrap());
                drop(flavour::Ring::<u64>::open(&args[0]).unwrap());
                drop(ring);
                say("done");
                hear();
                tx.send(&2).unwrap();
            }
            "thread" => {
                let join = move || {
                    let mut tx = ring.sender().unwrap();
                    tx.send(&1).unwrap();
                    tx
                };
                let mut tx = std::thread::spawn(join).join().unwrap();
                say("done");
                hear();
                tx.send(&2).unwrap();
            }
            // Has a child that drops all that it inherited, and ends.
            "fork-drop" => {
                let tx = ring.sender().unwrap();
                let mut inherited = Some((tx, ring));
                inherited.as_mut().unwrap().0.send(&1).unwrap();
                let child = fork(|| {
                    drop(inherited.take());
                    0
                });
                assert_eq!(child.wait(), 0);
                say("done");
                hear();
                inherited.as_mut().unwrap().0.send(&2).unwrap();
            }
            role => panic!("no role {role}"),
        }
    }

    fn ring(name: &str) -> flavour::Ring<u64> {
        flavour::Ring::create(name, &Options::new().capacity(4)).unwrap()
    }

    #[test]
    fn a_child_does_not_keep_its_killed_parent_alive() {
        let _watchdog = watchdog("a wait for the killed");
        let name = name("parent");
        let ring = ring(&name);
        let mut rx = ring.receiver().unwrap();
        let mut peer = Process::start(CHILD, "with-child", &[&name]);
        peer.expect("forked");
        assert_eq!(*rx.recv().unwrap(), 1);
        assert!(rx.recv_timeout(A_WHILE).unwrap_err().is_timeout(), "nobody is dead yet");
        peer.kill();
        assert!(rx.recv().unwrap_err().is_disconnected());
        // Its role is free, and its place too.
        drop(ring.sender().unwrap());
        assert!(ring.stats().participants.iter().all(|one| one.pid != peer.pid() || !one.alive));
        peer.tell("and you?");
        peer.expect("still here");
    }

    #[test]
    fn a_process_that_executes_another_program_is_gone() {
        let _watchdog = watchdog("a wait for who executed another program");
        let name = name("exec");
        let ring = ring(&name);
        let mut rx = ring.receiver().unwrap();
        let mut peer = Process::start(CHILD, "exec", &[&name]);
        peer.expect("still here");
        assert_eq!(*rx.recv().unwrap(), 1);
        assert!(rx.recv().unwrap_err().is_disconnected());
        peer.signal(0);
        drop(ring.sender().unwrap());
    }

    fn stays_alive(role: &str) {
        let name = name(role);
        let ring = ring(&name);
        let mut rx = ring.receiver().unwrap();
        let mut peer = Process::start(CHILD, role, &[&name]);
        assert_eq!(*rx.recv().unwrap(), 1);
        peer.expect("done");
        assert!(rx.recv_timeout(A_WHILE).unwrap_err().is_timeout(), "not dead");
        let alive = |pid| ring.stats().participants.iter().any(|one| one.pid == pid && one.alive && one.senders == 1);
        assert!(alive(peer.pid()));
        peer.tell("send");
        assert_eq!(*rx.recv().unwrap(), 2);
        peer.finish();
    }

    #[test]
    fn opening_and_closing_the_file_leaves_one_alive() {
        stays_alive("touch");
    }

    #[test]
    fn the_end_of_the_thread_that_joined_leaves_one_alive() {
        stays_alive("thread");
    }

    #[test]
    fn a_child_that_drops_what_it_inherited_leaves_its_parent_alive() {
        stays_alive("fork-drop");
    }

    #[test]
    fn a_descriptor_opens_the_ring_in_another_program() {
        let ring = flavour::Ring::<u64>::anonymous(&Options::new().capacity(4)).unwrap();
        let mut rx = ring.receiver().unwrap();
        // Without close-on-exec.
        // SAFETY: dup of an open descriptor.
        let copy = unsafe { libc::dup(ring.as_fd().as_raw_fd()) };
        // SAFETY: just made, and nobody else's.
        let copy = unsafe { OwnedFd::from_raw_fd(copy) };
        let mut peer = Process::start(concat!(module_path!(), "::by_descriptor").split_once("::").unwrap().1, "fd", &[
            &copy.as_raw_fd().to_string(),
        ]);
        peer.expect("opened");
        drop(copy);
        assert_eq!(*rx.recv().unwrap(), 11);
        peer.kill();
        assert!(rx.recv().unwrap_err().is_disconnected());
    }

    #[test]
    fn by_descriptor() {
        let Some((_, args)) = role() else { return };
        // SAFETY: the parent passed it on for this process to own.
        let fd = unsafe { OwnedFd::from_raw_fd(args[0].parse().unwrap()) };
        let ring = flavour::Ring::<u64>::from_fd(fd).unwrap();
        let mut tx = ring.sender().unwrap();
        tx.send(&11).unwrap();
        say("opened");
        hear();
    }

    #[test]
    fn inherited_guards_do_nothing() {
        Process::start(concat!(module_path!(), "::guards").split_once("::").unwrap().1, "guards", &[]).finish();
    }

    #[test]
    fn guards() {
        if role().is_none() {
            return;
        }
        let (mut tx, mut rx) = flavour::channel::<u64>(&Options::new().capacity(2)).unwrap();
        tx.send(&1).unwrap();
        // One held message and one loan fill the ring.
        let mut loan = Some(tx.loan_uninit().unwrap());
        let mut held = Some(rx.recv().unwrap());
        for way in ["drop", "finish", "owned"] {
            let child = fork(|| {
                let (loan, held) = (loan.take().unwrap(), held.take().unwrap());
                assert_eq!(*held, 1, "it can still be read");
                match way {
                    "finish" => {
                        assert_eq!(loan.commit(), Err(SendError::Join(JoinError::Inherited)));
                        held.reject();
                    }
                    "owned" => {
                        let owned = held.into_owned();
                        drop(loan);
                        drop(owned);
                    }
                    _ => {
                        drop(loan);
                        drop(held);
                    }
                }
                0
            });
            assert_eq!(child.wait(), 0, "{way}");
        }
        assert_eq!(**held.as_ref().unwrap(), 1);
        loan.unwrap().write(2).unwrap();
        assert!(tx.try_send(&3).unwrap_err().is_full(), "neither was acknowledged by a child");
        drop(held);
        tx.try_send(&3).unwrap();
        assert!(tx.try_send(&4).unwrap_err().is_full());
        for number in [2, 3] {
            let message = rx.recv().unwrap();
            assert_eq!((*message, message.redelivered()), (number, 0));
        }
        assert!(rx.try_recv().unwrap_err().is_empty());
    }
}

/// Runs a part of this file in a process of its own, where nobody else is about to fork.
fn alone(part: &str) {
    Process::start("parts", part, &[]).finish();
}

#[test]
fn parts() {
    let Some((part, _)) = role() else { return };
    match part.as_str() {
        "own participant" => own_participant(),
        "orphan" => orphan(),
        "role taken" => role_taken(),
        "role in time" => role_in_time(),
        "bare clone" => bare_clone(),
        "storm" => storm(),
        part => panic!("no part {part}"),
    }
}

#[test]
fn an_inherited_handle_makes_the_child_a_participant_of_its_own() {
    alone("own participant");
}

fn own_participant() {
    let ring = many::Ring::<u64>::anonymous(&Options::new().capacity(4)).unwrap();
    let (tx, rx) = (ring.sender().unwrap(), ring.receiver().unwrap());
    let child = fork(|| {
        tx.send(&5).unwrap();
        tx.wait_acked(None).unwrap();
        0
    });
    let message = rx.recv().unwrap();
    assert_eq!(*message, 5);
    let participants = ring.stats().participants;
    let pids: Vec<_> = participants.iter().filter(|one| one.alive).map(|one| one.pid).collect();
    assert_eq!(pids, [std::process::id(), child.pid()]);
    drop(message);
    assert_eq!(child.wait(), 0);
    wait_for("the child's place to be seen free", || {
        ring.stats().participants.iter().filter(|one| one.alive).count() == 1
    });
    assert!(rx.try_recv().unwrap_err().is_empty(), "this process is still a sender");
    drop(tx);
    assert!(rx.recv().unwrap_err().is_disconnected());
}

#[test]
fn a_child_that_joined_outlives_its_parent() {
    alone("orphan");
}

fn orphan() {
    let ring = many::Ring::<u64>::anonymous(&Options::new().capacity(1)).unwrap();
    let rx = ring.receiver().unwrap();
    let parent = fork(|| {
        let tx = ring.sender().unwrap();
        tx.send(&0).unwrap();
        let (mut joined, mut joining) = pipe();
        let child = fork(|| {
            // The first use joins; before it, nothing tells the receiver of this process.
            tx.send(&1).unwrap();
            tell(&mut joining);
            (2..100).for_each(|number| tx.send(&number).unwrap());
            0
        });
        await_word(&mut joined);
        std::mem::forget(child);
        0
    });
    assert_eq!(*rx.recv().unwrap(), 0);
    assert_eq!(parent.wait(), 0);
    assert!((1..100).eq(rx.iter().map(|message| *message)), "then it ends, because the child has ended");
}

fn pipe() -> (PipeReader, PipeWriter) {
    std::io::pipe().unwrap()
}

fn tell(pipe: &mut PipeWriter) {
    pipe.write_all(b".").unwrap();
}

fn await_word(pipe: &mut PipeReader) {
    pipe.read_exact(&mut [0]).unwrap();
}

#[test]
fn an_inherited_role_is_the_parents_until_it_lets_go() {
    alone("role taken");
}

fn role_taken() {
    let (mut from_child, mut to_parent) = pipe();
    let (mut from_parent, mut to_child) = pipe();
    let (mut tx, mut rx) = one::channel::<u64>(&Options::new().capacity(4)).unwrap();
    let parent = std::process::id();
    tx.send(&1).unwrap();
    let child = fork(|| {
        let taken = TrySendError::Join(JoinError::RoleTaken { pid: parent });
        assert_eq!(tx.try_send(&2), Err(taken));
        // Also after it has tried: it took no half of the role.
        assert_eq!(tx.try_send(&2), Err(taken));
        assert!(matches!(rx.try_recv().unwrap_err(), ringmail::TryRecvError::Join(error) if error.is_role_taken()));
        assert!(rx.recv_timeout(Duration::from_millis(20)).is_err());
        tell(&mut to_parent);
        await_word(&mut from_parent);
        tx.try_send(&2).unwrap();
        tell(&mut to_parent);
        await_word(&mut from_parent);
        // Received by the parent and not acknowledged when it let go of the role, so it comes again.
        let message = rx.try_recv().unwrap();
        assert_eq!((*message, message.redelivered()), (2, 1));
        0
    });
    await_word(&mut from_child);
    assert_eq!(*rx.recv().unwrap(), 1, "the parent's own handles go on");
    drop(tx);
    tell(&mut to_child);
    await_word(&mut from_child);
    let message = rx.recv().unwrap();
    assert_eq!((*message, message.redelivered()), (2, 0));
    std::mem::forget(message);
    drop(rx);
    tell(&mut to_child);
    assert_eq!(child.wait(), 0);
}

#[test]
fn a_child_waits_a_little_for_the_parent_to_let_go() {
    alone("role in time");
}

fn role_in_time() {
    let (mut from_child, mut to_parent) = pipe();
    let (mut tx, mut rx) = one::channel::<u64>(&Options::new().capacity(4)).unwrap();
    let child = fork(|| {
        tell(&mut to_parent);
        tx.send(&9).unwrap();
        0
    });
    await_word(&mut from_child);
    drop(tx);
    // Between the two there is no sender, so this process must not receive yet: it would be told that all have left.
    assert_eq!(child.wait(), 0);
    assert_eq!(*rx.recv().unwrap(), 9);
}

/// A child made past the C library, so that no `pthread_atfork` handler runs in it.
#[test]
fn a_bare_clone_inherits_no_membership_either() {
    alone("bare clone");
}

fn bare_clone() {
    let (tx, rx) = many::channel::<u64>(&Options::new().capacity(1)).unwrap();
    tx.send(&1).unwrap();
    let mut held = Some(rx.recv().unwrap());
    #[allow(clippy::disallowed_methods, reason = "past the C library is the point")]
    // SAFETY: a fork, by its own system call; the child does little and ends by `_exit`.
    let pid = unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) } as libc::pid_t;
    if pid == 0 {
        drop(held.take());
        // SAFETY: ends the process.
        unsafe { libc::_exit(0) };
    }
    let mut status = -1;
    // SAFETY: `status` is an integer for the call to fill.
    assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
    assert_eq!(status, 0);
    assert!(tx.try_send(&2).unwrap_err().is_full(), "not acknowledged by the child");
    drop(held);
    tx.try_send(&2).unwrap();
}

#[test]
fn forks_amid_joins_and_leaves_end() {
    alone("storm");
}

fn storm() {
    let ring = many::Ring::<u64>::anonymous(&Options::new().capacity(4)).unwrap();
    let keep = ring.sender().unwrap();
    let joiners: Vec<_> = (0..2)
        .map(|_| {
            let ring = ring.clone();
            std::thread::spawn(move || {
                for number in 0..2000 {
                    let (tx, rx) = (ring.sender().unwrap(), ring.receiver().unwrap());
                    if tx.try_send(&number).is_ok() {
                        let _ = rx.try_recv();
                    }
                    drop((tx, rx, many::channel::<u64>(&Options::new().capacity(1)).unwrap()));
                }
            })
        })
        .collect();
    for _ in 0..100 {
        let child = fork(|| {
            let rx = ring.receiver().unwrap();
            let _ = keep.try_send(&0);
            let _ = rx.try_recv();
            0
        });
        assert_eq!(child.wait(), 0);
    }
    joiners.into_iter().for_each(|joiner| joiner.join().unwrap());
    while ring.receiver().unwrap().try_recv().is_ok() {}
    assert_eq!(ring.stats().backlog, 0);
}
