//! The scenes of the sweep: what a process has done when it may begin to die, and what it is then at.
//!
//! It says what it did, line by line, to the parent: `sent 3`, `held 3`, `acked 3`; `had 3`, of others
//! who died before it; and, where more than
//! one acknowledgement is to come, `acking 3` before each. Compiled twice, once for each flavour.
#![allow(unused_mut, reason = "spsc handles need it, mpmc handles do not")]

use super::flavour;
use crate::payload::{self, Header};
use crate::sweep::table::options;
use crate::sweep::{SLOTS, say};
use ringmail::{Message, RecvError};

/// A ring as most scenes use it.
pub type Ring = flavour::Ring<[u8]>;
/// A ring of sized messages.
type SizedRing = flavour::Ring<[u8; LEN]>;
type Tx = flavour::Sender<[u8]>;
type Rx = flavour::Receiver<[u8]>;

/// How long all messages are.
pub const LEN: usize = 48;
/// Whether slots name their owners.
const IS_MPMC: bool = matches!(super::NAME.as_bytes(), b"mpmc");

pub fn message(seq: u64) -> [u8; LEN] {
    let mut bytes = [0; LEN];
    payload::write(&mut bytes, Header { sender: 1, seq }, 0);
    bytes
}

/// Sends a message.
pub fn send(tx: &mut Tx, seq: u64) {
    tx.send(&message(seq)).expect("the ring is open");
    say(&format!("sent {seq}"));
}

/// Says that a message was handed out.
pub fn hold(bytes: &[u8]) {
    tell("held", bytes);
}

fn tell(what: &str, bytes: &[u8]) {
    let (header, whole) = payload::read(bytes);
    assert!(whole, "a torn message");
    say(&format!("{what} {}", header.seq));
}

/// Receives a message and acknowledges it.
fn consume(rx: &mut Rx) {
    let message = rx.recv().expect("a message is there");
    let (header, whole) = payload::read(&message);
    assert!(whole, "a torn message");
    drop(message);
    say(&format!("acked {}", header.seq));
}

/// Lets another process, with the ring to itself, do something and die in the middle.
#[expect(clippy::disallowed_methods, reason = "this process has one thread")]
pub fn die_elsewhere<M: Message + ?Sized>(name: &str, work: impl FnOnce(flavour::Ring<M>)) {
    // SAFETY: this process has one thread.
    let child = unsafe { libc::fork() };
    if child == 0 {
        work(flavour::Ring::open(name).expect("the ring is there"));
        // SAFETY: signals this process.
        unsafe { libc::raise(libc::SIGKILL) };
    }
    // SAFETY: a null status is allowed.
    unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) };
}

/// Another one before this one: receives message 0 and claims a slot, and dies with both.
fn die_with_both(name: &str) {
    die_elsewhere(name, |ring: Ring| {
        let mut rx = ring.receiver().expect("nobody has the role");
        let mut tx = ring.sender().expect("nobody has the role");
        let message = rx.recv().expect("a message is there");
        tell("had", &message);
        std::mem::forget(message);
        std::mem::forget(tx.try_loan(8).expect("there is room"));
        std::mem::forget((tx, rx));
    });
}

/// Another one before this one: receives message 0 and dies.
pub fn die_holding<M: Message + ?Sized + AsRef<[u8]>>(name: &str) {
    die_elsewhere(name, |ring: flavour::Ring<M>| {
        let mut rx = ring.receiver().expect("nobody has the role");
        let message = rx.recv().expect("a message is there");
        tell("had", (*message).as_ref());
        std::mem::forget(message);
        std::mem::forget(rx);
    });
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
    if scene.starts_with("long") {
        super::long::play(scene, name, arm);
        return;
    }
    if scene.starts_with("recv_copy") {
        copying(scene, name, arm);
        return;
    }
    let ring = Ring::open(name).expect("the parent made it");
    let verb = scene.rsplit_once(", ").map_or(scene, |(verb, _)| verb);
    match verb {
        "sender" => {
            arm();
            drop(ring.sender().expect("nobody has the role"));
        }
        "receiver" => {
            arm();
            drop(ring.receiver().expect("nobody has the role"));
        }
        "list" => {
            arm();
            let listed = ringmail::list().expect("the folder can be read");
            let ours = listed.iter().find(|listed| listed.name == name).expect("the ring has a name");
            assert_eq!(ours.ring.as_ref().expect("it is whole").stats.backlog, 2);
        }
        "close" => {
            arm();
            ring.close();
        }
        "unlink" => {
            arm();
            ringmail::unlink(name).expect("the name is there");
        }
        "recover" => {
            die_with_both(name);
            arm();
            let done = ring.recover().expect("no lock is refused");
            let dropped = u64::from(scene.ends_with("never"));
            let slots = if IS_MPMC { (1, 1 - dropped, dropped) } else { (0, 0, 0) };
            assert_eq!((done.participants, (done.reaped, done.returned, done.dropped)), (1, slots));
        }
        "send" | "loan" | "send_many" | "reap" | "wait_acked" | "bump" | "leave sending" => {
            sending(scene, name, &ring, arm)
        }
        "rejoin" if scene == "rejoin, send" => {
            die_with_both(name);
            arm();
            send(&mut ring.sender().expect("the place of the dead is free"), 100);
        }
        "rejoin" => {
            die_with_both(name);
            arm();
            let mut rx = ring.receiver().expect("the place of the dead is free");
            let message = rx.recv().expect("a message comes");
            hold(&message);
            drop(message);
        }
        _ => receiving(scene, name, &ring, arm),
    }
}

/// Receives by value: only in a ring of sized messages.
fn copying(scene: &str, name: &str, arm: impl FnOnce()) {
    if scene == "recv_copy, adopt" {
        die_holding::<[u8; LEN]>(name);
    }
    let ring = SizedRing::open(name).expect("the parent made it");
    let mut rx = ring.receiver().expect("nobody has the role");
    arm();
    hold(&rx.recv_copy().expect("a message is there"));
}

fn sending(scene: &str, name: &str, ring: &Ring, arm: impl FnOnce()) {
    if scene == "reap" {
        die_elsewhere(name, |ring: Ring| {
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
    if scene == "adopt, second heir" {
        die_elsewhere(name, |ring: Ring| {
            let mut rx = ring.receiver().expect("nobody has the role");
            std::mem::forget(rx.recv_many(3).expect("messages are there"));
            (0..3).for_each(|seq| say(&format!("had {seq}")));
            std::mem::forget(rx);
        });
        // It gets the first of the three and dies in turn: the others were out before all the same.
        die_holding::<[u8]>(name);
    } else if scene.starts_with("adopt") {
        die_holding::<[u8]>(name);
    }
    let mut rx = ring.receiver().expect("nobody has the role");
    match scene.split_once(',').map_or(scene, |(verb, _)| verb) {
        "recv" | "adopt" => {
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
                "into_owned" => drop(message.into_owned()),
                _ => message.reject(),
            }
        }
        "owned" => {
            let first = rx.recv().expect("a message is there").into_owned();
            hold(&first);
            if scene == "owned, reject" {
                arm();
                first.reject();
                return;
            }
            let second = rx.recv().expect("two messages are there").into_owned();
            hold(&second);
            arm();
            if scene == "owned, second first" {
                say("acking 1");
                drop(second);
            } else {
                second.reject();
            }
            say("acking 0");
            drop(first);
        }
        "recv_many" => {
            arm();
            let batch = rx.recv_many(3).expect("messages are there");
            batch.iter().for_each(hold);
            if scene == "recv_many" { batch.ack() } else { batch.reject() }
        }
        "recv_into" if scene == "recv_into" => {
            arm();
            let mut buffer = [0; 64];
            let len = rx.recv_into(&mut buffer).expect("a message is there");
            hold(&buffer[..len]);
        }
        "recv_into" => {
            arm();
            let error = rx.recv_into(&mut [0; LEN - 1]).expect_err("the message is longer");
            assert_eq!(error, RecvError::TooLarge { len: LEN, max: LEN - 1 });
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
