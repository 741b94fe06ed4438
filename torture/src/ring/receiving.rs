//! A receiver: every verb that receives, messages held and let go in any order, and what is done to it in the middle.
//!
//! Compiled twice, once for each flavour.
#![allow(unused_mut, clippy::unnecessary_mut_passed, reason = "spsc handles need it, mpmc handles do not")]

use super::flavour;
use crate::page::Own;
use crate::crew::BATCH;
use crate::state::{Order, State};
use crate::worker::{Life, panic_as_ordered, surviving};
use ringmail::{JoinError, RecvError, RecvTimeoutError, TryRecvError};
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

type Held = Vec<flavour::OwnedReceived<[u8]>>;

/// Why a receiver does not go on.
struct End;

/// Receives until told otherwise.
pub fn run(mut life: Life, ring: &flavour::Ring<[u8]>) {
    let mut rx = loop {
        match ring.receiver() {
            Ok(rx) => break rx,
            Err(JoinError::RoleTaken { .. }) => std::thread::sleep(Duration::from_millis(1)),
            Err(error) => life.violation(&format!("cannot join: {error}")),
        }
    };
    life.own(Own::Ready).store(1, SeqCst);
    let mut held = Some(Held::new());
    loop {
        life.enter(if held.as_ref().is_some_and(|held| held.is_empty()) { State::Idle } else { State::Holding });
        match life.order() {
            Order::GoOn => {}
            Order::Finish => break,
            Order::Exec => life.exec(),
            Order::Fork => life.fork(|child| {
                // What the parent holds is inert here.
                if child.random.percent(50) {
                    drop(held.take());
                }
                as_child(child, &mut rx);
                std::mem::forget(held.take());
            }),
            Order::Panic => surviving(|| {
                life.enter(State::Receiving);
                if let Ok(message) = rx.try_recv() {
                    life.delivered([(&*message, message.redelivered())]);
                    life.rejecting([(&*message, message.redelivered())]);
                    life.own(Own::Panics).fetch_add(1, SeqCst);
                    panic_as_ordered();
                }
            }),
        }
        if once(&mut life, &mut rx, held.as_mut().expect("taken in children only")).is_err() {
            break;
        }
    }
    life.enter(State::Leaving);
}

/// One operation.
fn once(life: &mut Life, rx: &mut flavour::Receiver<[u8]>, held: &mut Held) -> Result<(), End> {
    if held.len() >= life.setup.hold.max(1) || (!held.is_empty() && life.random.percent(30)) {
        let message = held.swap_remove(life.random.below(held.len() as u64) as usize);
        if life.random.percent(4) {
            life.rejecting([(&*message, message.redelivered())]);
            message.reject();
        } else {
            life.enter(State::Acknowledging);
            drop(message);
        }
        return Ok(());
    }
    match life.random.below(100) {
        0..40 => receive(life, rx, held),
        40..55 => {
            life.enter(State::Receiving);
            match rx.try_recv() {
                Ok(message) => life.delivered([(&*message, message.redelivered())]),
                Err(TryRecvError::Empty) => {}
                Err(TryRecvError::Disconnected) if life.is_ending() => return Err(End),
                Err(error) => life.violation(&format!("try_recv: {error:?}")),
            }
            Ok(())
        }
        // It waits for ever: holding what all senders wait for, that would be our own fault.
        55..88 if held.is_empty() => {
            life.enter(State::ReceivingMany);
            let max = life.random.skewed(1, BATCH) as usize;
            let batch = match life.timed(|| rx.recv_many(max)) {
                Ok(batch) => batch,
                Err(RecvError::Disconnected) if life.is_ending() => return Err(End),
                Err(error) => life.violation(&format!("recv_many: {error:?}")),
            };
            if (0..batch.len()).any(|place| batch.get(place).is_none()) {
                life.violation("a batch with a hole");
            }
            life.delivered(batch.iter().enumerate().map(|(place, message)| (message, batch.redelivered(place))));
            life.enter(State::Holding);
            rest(life);
            if life.random.percent(3) {
                life.rejecting(batch.iter().enumerate().map(|(place, bytes)| (bytes, batch.redelivered(place))));
                batch.reject();
            } else {
                life.enter(State::Acknowledging);
                drop(batch);
            }
            Ok(())
        }
        88..94 if held.is_empty() && !life.is_child() => receive_into(life, rx),
        _ => {
            rest(life);
            Ok(())
        }
    }
}

/// Receives one, to deal with it now or later.
fn receive(life: &mut Life, rx: &mut flavour::Receiver<[u8]>, held: &mut Held) -> Result<(), End> {
    life.enter(State::Receiving);
    let message = if held.is_empty() && life.random.percent(60) {
        life.timed(|| rx.recv())
    } else {
        let timeout = Duration::from_micros(life.random.below(5000));
        match life.timed(|| rx.recv_timeout(timeout)) {
            Ok(message) => Ok(message),
            Err(RecvTimeoutError::Timeout) => return Ok(()),
            Err(RecvTimeoutError::Disconnected) => Err(RecvError::Disconnected),
            Err(error) => life.violation(&format!("recv_timeout: {error:?}")),
        }
    };
    let message = match message {
        Ok(message) => message,
        Err(RecvError::Disconnected) if life.is_ending() => return Err(End),
        Err(error) => life.violation(&format!("recv: {error:?}")),
    };
    life.delivered([(&*message, message.redelivered())]);
    life.enter(State::Holding);
    rest(life);
    match life.random.below(100) {
        0..3 => {
            life.rejecting([(&*message, message.redelivered())]);
            message.reject();
        }
        3..40 => held.push(message.into_owned()),
        _ => {
            life.enter(State::Acknowledging);
            message.ack();
        }
    }
    Ok(())
}

/// Receives into the buffer that the controller reads should this process die before it has written down what came.
fn receive_into(life: &mut Life, rx: &mut flavour::Receiver<[u8]>) -> Result<(), End> {
    life.enter(State::ReceivingInto);
    let buffer = life.buffer();
    // An older message must not be taken for the one that comes.
    buffer[..8].fill(0);
    let len = match life.timed(|| rx.recv_into(buffer)) {
        Ok(len) => len,
        Err(RecvError::Disconnected) if life.is_ending() => return Err(End),
        Err(error) => life.violation(&format!("recv_into: {error:?}")),
    };
    life.copied(&buffer[..len]);
    Ok(())
}

/// Now and then takes its time.
fn rest(life: &mut Life) {
    if life.random.below(200) == 0 {
        std::thread::sleep(Duration::from_micros(life.random.below(2000)));
    }
}

/// A forked child with its parent's handle.
fn as_child(life: &mut Life, rx: &mut flavour::Receiver<[u8]>) {
    for _ in 0..life.random.skewed(1, 40) {
        match rx.recv_timeout(Duration::from_millis(5)) {
            Ok(message) => {
                life.delivered([(&*message, message.redelivered())]);
                if life.random.percent(3) {
                    life.die();
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) if life.is_ending() => return,
            // The role is the parent's.
            Err(RecvTimeoutError::Join(JoinError::RoleTaken { .. })) if !life.setup.mpmc => return,
            Err(error) => life.violation(&format!("receive in a forked child: {error:?}")),
        }
    }
    if life.random.percent(40) {
        let _message = rx.try_recv();
        life.die();
    }
}
