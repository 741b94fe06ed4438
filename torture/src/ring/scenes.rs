//! The scenes of the sweep: what a process has done when it may begin to die, and what it is then at.
//!
//! It says what it did, line by line, to the parent: `sent 3`, `held 3`, `acked 3`. Compiled twice, once for each flavour.
#![allow(unused_mut, reason = "spsc handles need it, mpmc handles do not")]

use super::flavour;
use crate::payload::{self, Header};
use crate::sweep::{SLOTS, say};
use ringmail::Options;
use std::time::Duration;

type Ring = flavour::Ring<[u8]>;
type Tx = flavour::Sender<[u8]>;
type Rx = flavour::Receiver<[u8]>;

/// A ring as all scenes use it.
pub fn options() -> Options {
    // Without a spin the number of accesses does not depend on the time.
    Options::new().capacity(SLOTS).max_len(64).keep_open(true).spin(Duration::ZERO)
}

fn message(seq: u64) -> [u8; 48] {
    let mut bytes = [0; 48];
    payload::write(&mut bytes, Header { sender: 1, seq }, 0);
    bytes
}

/// Sends a message.
pub fn send(tx: &mut Tx, seq: u64) {
    tx.send(&message(seq)).expect("the ring is open");
    say(&format!("sent {seq}"));
}

fn got(bytes: &[u8]) -> u64 {
    let (header, whole) = payload::read(bytes);
    assert!(whole, "a torn message");
    header.seq
}

/// Receives a message and acknowledges it.
fn consume(rx: &mut Rx) {
    let message = rx.recv().expect("a message is there");
    let seq = got(&message);
    drop(message);
    say(&format!("acked {seq}"));
}

/// Lets another process, with the ring to itself, do something and die in the middle.
#[expect(clippy::disallowed_methods, reason = "this process has one thread")]
fn die_elsewhere(name: &str, work: impl FnOnce(Ring)) {
    // SAFETY: this process has one thread.
    let child = unsafe { libc::fork() };
    if child == 0 {
        work(Ring::open(name).expect("the ring is there"));
        // SAFETY: signals this process.
        unsafe { libc::raise(libc::SIGKILL) };
    }
    // SAFETY: a null status is allowed.
    unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) };
}

/// Plays a scene in the ring of that name; calls `arm` when the process may die.
pub fn play(scene: &str, name: &str, arm: impl FnOnce()) {
    if scene == "create" {
        arm();
        drop(Ring::create(name, &options()).expect("nobody has the name"));
        return;
    }
    if scene == "open" {
        arm();
        drop(Ring::open(name).expect("the parent made it"));
        return;
    }
    let ring = Ring::open(name).expect("the parent made it");
    let sends = ["sender", "unlink"].contains(&scene) || scene.contains("send") || scene.contains("loan");
    if scene == "sender" {
        arm();
        drop(ring.sender().expect("nobody has the role"));
    } else if scene == "receiver" {
        arm();
        drop(ring.receiver().expect("nobody has the role"));
    } else if scene == "unlink" {
        arm();
        ringmail::unlink(name).expect("the name is there");
    } else if scene == "close" {
        arm();
        ring.close();
    } else if sends || ["reap", "wait_acked", "bump", "leave sending"].contains(&scene) {
        sending(scene, name, &ring, arm);
    } else {
        receiving(scene, name, &ring, arm);
    }
}

fn sending(scene: &str, name: &str, ring: &Ring, arm: impl FnOnce()) {
    if scene == "reap" {
        die_elsewhere(name, |ring| {
            let mut tx = ring.sender().expect("nobody has the role");
            std::mem::forget(tx.try_loan(8));
            std::mem::forget(tx);
        });
    }
    let mut tx = ring.sender().expect("nobody has the role");
    match scene {
        "send" | "reap" | "send, full" => {
            arm();
            send(&mut tx, 100);
        }
        "send, next lap" => {
            let mut rx = ring.receiver().expect("nobody has the role");
            for seq in 100..100 + SLOTS as u64 {
                send(&mut tx, seq);
                consume(&mut rx);
            }
            arm();
            send(&mut tx, 200);
        }
        "loan, commit" => {
            arm();
            let mut loan = tx.loan(48).expect("there is room");
            loan.copy_from_slice(&message(100));
            loan.commit().expect("the ring is open");
            say("sent 100");
        }
        "loan, drop" => {
            arm();
            drop(tx.loan(48).expect("there is room"));
        }
        "send_many" => {
            arm();
            let messages = [message(100), message(101), message(102)];
            tx.send_many(messages.iter().map(|message| &message[..])).expect("there is room");
            (100..103).for_each(|seq| say(&format!("sent {seq}")));
        }
        "wait_acked" => {
            send(&mut tx, 100);
            arm();
            tx.wait_acked(None).expect("the parent receives");
        }
        "leave sending" => {
            send(&mut tx, 100);
            arm();
            drop(tx);
        }
        "bump" => {
            let mut rx = ring.receiver().expect("nobody has the role");
            send(&mut tx, 100);
            let held = rx.recv().expect("a message is there").into_owned();
            say("held 100");
            for seq in 101..100 + SLOTS as u64 {
                send(&mut tx, seq);
                consume(&mut rx);
            }
            arm();
            send(&mut tx, 200);
            drop(held);
        }
        other => panic!("no scene {other}"),
    }
}

fn receiving(scene: &str, name: &str, ring: &Ring, arm: impl FnOnce()) {
    if scene == "adopt" {
        die_elsewhere(name, |ring| {
            let mut rx = ring.receiver().expect("nobody has the role");
            std::mem::forget(rx.recv().expect("a message is there"));
            say("held 0");
            std::mem::forget(rx);
        });
    }
    if scene == "adopt, second heir" {
        die_elsewhere(name, |ring| {
            let mut rx = ring.receiver().expect("nobody has the role");
            std::mem::forget(rx.recv_many(3).expect("messages are there"));
            (0..3).for_each(|seq| say(&format!("held {seq}")));
            std::mem::forget(rx);
        });
        // It gets the first of the three and dies in turn: the others were out before all the same.
        die_elsewhere(name, |ring| {
            let mut rx = ring.receiver().expect("nobody has the role");
            std::mem::forget(rx.recv().expect("a message is there"));
            std::mem::forget(rx);
        });
    }
    let mut rx = ring.receiver().expect("nobody has the role");
    let hold = |bytes: &[u8]| say(&format!("held {}", got(bytes)));
    match scene {
        "recv" | "recv, empty" | "adopt" | "adopt, second heir" => {
            arm();
            let message = rx.recv().expect("a message comes");
            hold(&message);
            drop(message);
        }
        "ack" | "reject" | "into_owned" => {
            let message = rx.recv().expect("a message is there");
            hold(&message);
            arm();
            match scene {
                "ack" => message.ack(),
                "reject" => message.reject(),
                _ => drop(message.into_owned()),
            }
        }
        "recv_many" | "recv_many, reject" => {
            arm();
            let batch = rx.recv_many(3).expect("messages are there");
            batch.iter().for_each(hold);
            if scene == "recv_many" { batch.ack() } else { batch.reject() }
        }
        "recv_into" => {
            arm();
            let mut buffer = [0; 64];
            let len = rx.recv_into(&mut buffer).expect("a message is there");
            hold(&buffer[..len]);
        }
        "leave receiving" => {
            let message = rx.recv().expect("a message is there").into_owned();
            hold(&message);
            arm();
            drop(rx);
            drop(message);
        }
        other => panic!("no scene {other}"),
    }
}

/// Takes what is left in the ring: numbers, and how often they came before.
pub fn take_all(ring: &Ring) -> Result<Vec<(u64, u32)>, String> {
    let mut rx = ring.receiver().map_err(|error| format!("receiver(): {error}"))?;
    let mut all = Vec::new();
    // On some misses every slot is looked at: see `try_recv`.
    for _ in 0..200 {
        while let Ok(message) = rx.try_recv() {
            let (header, whole) = payload::read(&message);
            if !whole {
                return Err(format!("message {} is torn", header.seq));
            }
            all.push((header.seq, message.redelivered()));
        }
    }
    match ring.stats().backlog {
        0 => Ok(all),
        left => Err(format!("{left} messages cannot be received")),
    }
}

/// What the parent does for a scene, in its own ring.
pub fn prepare(name: &str, messages: u64) -> Ring {
    let ring = Ring::create(name, &options()).expect("nobody has the name");
    if messages > 0 {
        let mut tx = ring.sender().expect("nobody has the role");
        (0..messages).for_each(|seq| tx.send(&message(seq)).expect("there is room"));
    }
    ring
}

/// Lets a child go on that waits: frees a slot, or sends message 50. Returns what was received.
pub fn relieve(ring: &Ring, scene: &str) -> Option<(u64, u32)> {
    if scene == "recv, empty" {
        ring.sender().expect("nobody has the role").send(&message(50)).expect("there is room");
        return None;
    }
    let mut rx = ring.receiver().expect("nobody has the role");
    let message = rx.try_recv().ok()?;
    Some((payload::read(&message).0.seq, message.redelivered()))
}

/// Whether a ring of that name can be made now, whatever became of the one before.
pub fn can_create(name: &str) -> Result<(), String> {
    Ring::open_or_create(name, &options()).map_err(|error| format!("open_or_create: {error}"))?;
    ringmail::unlink(name).map_err(|error| format!("unlink: {error}"))?;
    drop(Ring::create(name, &options()).map_err(|error| format!("create: {error}"))?);
    ringmail::unlink(name).or_else(|error| if error.is_not_found() { Ok(()) } else { Err(error) }).map_err(|e| e.to_string())
}
