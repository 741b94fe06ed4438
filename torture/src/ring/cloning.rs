//! Scenes of the sweep with a handle that was cloned: there is no such thing in an spsc ring.

use crate::ring::mpmc::scenes::{Ring, hold, send};
use crate::sweep::say;

/// Plays a scene in the ring of that name; calls `arm` when the process may die.
pub fn play(scene: &str, name: &str, arm: impl FnOnce()) {
    let ring = Ring::open(name).expect("the parent made it");
    if scene == "clone, send" {
        let tx = ring.sender().expect("there is room");
        arm();
        let mut other = tx.clone();
        drop(tx);
        send(&mut other, 100);
    } else {
        let rx = ring.receiver().expect("there is room");
        arm();
        let other = rx.clone();
        drop(rx);
        let message = other.recv().expect("a message is there");
        hold(&message);
        message.ack();
        say("acked 0");
    }
}
