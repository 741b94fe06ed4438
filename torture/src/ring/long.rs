//! The scenes in which messages are long: each has a body, and its memory is given back at once.
//!
//! Compiled twice, once for each flavour.
#![allow(unused_mut, reason = "spsc handles need it, mpmc handles do not")]

use super::scenes::{Ring, die_elsewhere, die_holding, hold, message};
use crate::payload::{self, Header};
use crate::sweep::say;
use ringmail::torture;

/// How long messages are that are long.
pub const LONG: usize = 10_000;
/// Points before the end of an acknowledgement at which somebody dies who gives memory back.
const LAST_POINTS: u64 = 8;

/// A long message.
pub fn long(seq: u64) -> Vec<u8> {
    let mut bytes = vec![0; LONG];
    payload::write(&mut bytes, Header { sender: 1, seq }, 0);
    bytes
}

fn die(_: &'static std::panic::Location<'static>) -> ! {
    // SAFETY: signals this process.
    unsafe { libc::raise(libc::SIGKILL) };
    unreachable!("killed")
}

/// Some before this one, who sent a message to themselves and died as they gave its memory back: each a point earlier.
fn die_giving_back(ring: &Ring, name: &str) {
    let once = |ring: &Ring, point: u64| {
        let mut tx = ring.sender().expect("nobody has the role");
        let mut rx = ring.receiver().expect("nobody has the role");
        // Longer than others, so that one that is written where memory was given back does not hide that.
        tx.send(&[7; 3 * LONG]).expect("the ring is open");
        let message = rx.recv().expect("a message is there");
        torture::arm(point, die);
        drop(message);
        torture::disarm()
    };
    let points = once(ring, u64::MAX);
    for before in 1..=LAST_POINTS {
        die_elsewhere(name, |ring: Ring| _ = once(&ring, points - before));
    }
}

/// Plays a scene; calls `arm` when the process may die.
pub fn play(scene: &str, name: &str, arm: impl FnOnce()) {
    // The same are played where a message takes several bodies.
    let scene = &scene.replace("long run,", "long");
    let scene = scene.as_str();
    let ring = Ring::open(name).expect("the parent made it");
    match scene {
        "long recover" => {
            die_elsewhere(name, |ring: Ring| {
                let mut tx = ring.sender().expect("nobody has the role");
                std::mem::forget(tx.try_loan(LONG).expect("there is room"));
                std::mem::forget(tx);
            });
            die_giving_back(&ring, name);
            let _rx = ring.receiver().expect("nobody has the role");
            arm();
            ring.recover().expect("no lock is refused");
            return;
        }
        "long ack, dead trimmers" => {}
        _ if scene.ends_with("dead trimmers") => die_giving_back(&ring, name),
        _ if scene.starts_with("long adopt") => die_holding::<[u8]>(name),
        _ => {}
    }
    if scene.starts_with("long send") || scene.starts_with("long loan") {
        send(scene, &ring, arm);
    } else {
        receive(scene, &ring, name, arm);
    }
}

fn send(scene: &str, ring: &Ring, arm: impl FnOnce()) {
    let mut tx = ring.sender().expect("nobody has the role");
    let bytes = long(100);
    arm();
    match scene {
        "long send_parts" => tx.send_parts(&[&bytes[..7], &bytes[7..5000], &bytes[5000..]]).expect("the ring is open"),
        "long send_many" => {
            tx.send_many([&bytes[..], &message(101), &long(102)]).expect("there is room");
            say("sent 101\nsent 102");
        }
        "long loan, short" => {
            let mut loan = tx.loan(LONG).expect("there is room");
            loan[..48].copy_from_slice(&message(100));
            loan.commit_len(48).expect("the ring is open");
        }
        "long loan, drop" => {
            let mut loan = tx.loan(LONG).expect("there is room");
            loan.copy_from_slice(&bytes);
            drop(loan);
            return;
        }
        _ => tx.send(&bytes).expect("the ring is open"),
    }
    say("sent 100");
}

fn receive(scene: &str, ring: &Ring, name: &str, arm: impl FnOnce()) {
    let mut rx = ring.receiver().expect("nobody has the role");
    match scene {
        "long adopt" | "long adopt, at most once" => {
            arm();
            let message = rx.recv().expect("a message comes");
            hold(&message);
            drop(message);
        }
        "long recv_into" => {
            arm();
            let mut buffer = vec![0; LONG];
            let len = rx.recv_into(&mut buffer[..]).expect("a message is there");
            hold(&buffer[..len]);
        }
        "long recv_many" => {
            arm();
            let batch = rx.recv_many(3).expect("messages are there");
            batch.iter().for_each(hold);
            batch.ack();
        }
        "long owned" => {
            let first = rx.recv().expect("a message is there").into_owned();
            hold(&first);
            let second = rx.recv().expect("two messages are there").into_owned();
            hold(&second);
            arm();
            say("acking 1");
            drop(second);
            say("acking 0");
            drop(first);
        }
        _ => {
            let message = rx.recv().expect("a message is there");
            hold(&message);
            if scene == "long ack, dead trimmers" && super::NAME == "mpmc" {
                die_giving_back(&Ring::open(name).expect("it is there"), name);
            }
            arm();
            message.ack();
        }
    }
}
