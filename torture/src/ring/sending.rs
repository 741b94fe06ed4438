//! A sender: every verb that sends, and what is done to it in the middle.
//!
//! Compiled twice, once for each flavour.
#![allow(unused_mut, clippy::unnecessary_mut_passed, reason = "spsc handles need it, mpmc handles do not")]

use super::flavour;
use crate::page::Own;
use crate::random::Random;
use crate::state::{Order, State};
use crate::worker::{Life, panic_as_ordered, surviving};
use ringmail::{JoinError, SendError, SendTimeoutError, TrySendError};
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

/// Why a sender goes on or not.
enum Next {
    GoOn,
    End,
}

/// Sends until told otherwise.
pub fn run(mut life: Life, ring: &flavour::Ring<[u8]>) {
    let mut tx = loop {
        match ring.sender() {
            Ok(tx) => break tx,
            Err(JoinError::RoleTaken { .. }) => std::thread::sleep(Duration::from_millis(1)),
            Err(error) => life.violation(&format!("cannot join: {error}")),
        }
    };
    life.own(Own::Ready).store(1, SeqCst);
    let mut buffer = vec![0; life.setup.max_len];
    loop {
        life.enter(State::Idle);
        match life.order() {
            Order::GoOn => {}
            Order::Finish => break,
            Order::Exec => life.exec(),
            Order::Fork => {
                // In the child the loan is inert, and the handle joins by itself.
                let loan = if life.random.percent(50) { tx.try_loan(life.setup.max_len).ok() } else { None };
                let mut held = Some(loan);
                life.fork(|_| drop(held.take()));
                drop(held);
                life.fork(|child| as_child(child, &mut tx));
            }
            Order::Panic => {
                life.enter(State::Lending);
                let len = life.len();
                surviving(|| {
                    if let Ok(mut loan) = tx.try_loan(len) {
                        life.fill_never(&mut loan);
                        life.own(Own::Panics).fetch_add(1, SeqCst);
                        panic_as_ordered();
                    }
                });
            }
        }
        match once(&mut life, &mut tx, &mut buffer) {
            Next::GoOn => {}
            Next::End => break,
        }
    }
    life.enter(State::Leaving);
}

/// One operation.
fn once(life: &mut Life, tx: &mut flavour::Sender<[u8]>, buffer: &mut [u8]) -> Next {
    let len = life.len();
    match life.random.below(100) {
        0..45 => {
            life.fill(&mut buffer[..len], 0);
            life.trying(1, len);
            life.enter(State::Sending);
            let result = if life.random.percent(25) {
                let (first, rest) = buffer[..len].split_at(life.random.below(len as u64 + 1) as usize);
                let (second, third) = rest.split_at(life.random.below(rest.len() as u64 + 1) as usize);
                life.timed(|| tx.send_parts(&[first, second, third]))
            } else {
                life.timed(|| tx.send(&buffer[..len]))
            };
            judge(life, result.map(|()| 1), len)
        }
        45..60 => {
            life.fill(&mut buffer[..len], 0);
            life.trying(1, len);
            life.enter(State::Sending);
            let result = if life.random.percent(50) {
                tx.try_send(&buffer[..len]).map_err(|error| match error {
                    TrySendError::Full => None,
                    TrySendError::Disconnected => Some(SendError::Disconnected),
                    error => life.violation(&format!("try_send: {error:?}")),
                })
            } else {
                let timeout = Duration::from_millis(life.random.below(20));
                life.timed(|| tx.send_timeout(&buffer[..len], timeout)).map_err(|error| match error {
                    SendTimeoutError::Timeout => None,
                    SendTimeoutError::Disconnected => Some(SendError::Disconnected),
                    error => life.violation(&format!("send_timeout: {error:?}")),
                })
            };
            match result {
                Err(None) => Next::GoOn,
                Err(Some(error)) => judge(life, Err(error), len),
                Ok(()) => judge(life, Ok(1), len),
            }
        }
        60..78 => {
            life.enter(State::Lending);
            // Now and then more than turns out to be needed.
            let spare = if life.random.percent(30) { life.random.below((life.setup.max_len - len) as u64 + 1) } else { 0 };
            let mut loan = match life.timed(|| tx.loan(len + spare as usize)) {
                Ok(loan) => loan,
                Err(error) => return judge(life, Err(error), len),
            };
            let commit = !life.random.percent(15);
            if commit { life.fill(&mut loan[..len], 0) } else { life.fill_never(&mut loan) }
            rest(&mut life.random);
            if commit {
                life.trying(1, len);
                let result = if loan.len() == len { loan.commit() } else { loan.commit_len(len) };
                judge(life, result.map(|()| 1), len)
            } else {
                Next::GoOn
            }
        }
        78..99 => {
            let count = life.random.skewed(1, if len > 4096 { 4 } else { 24 }) as usize;
            let messages: Vec<Vec<u8>> = (0..count)
                .map(|ahead| {
                    let mut message = vec![0; len];
                    life.fill(&mut message, ahead);
                    message
                })
                .collect();
            life.trying(count, len);
            life.enter(State::SendingMany);
            match life.timed(|| tx.send_many(messages.iter().map(|message| &message[..]))) {
                Ok(sent) => judge(life, Ok(sent), len),
                Err(error) => {
                    life.sent(error.sent, len);
                    judge(life, Err(error.error), len)
                }
            }
        }
        _ => {
            life.enter(State::AwaitingAcks);
            if life.random.percent(20) {
                let _ = tx.wait_acked(Some(Duration::from_millis(3)));
            }
            Next::GoOn
        }
    }
}

/// Writes down what was sent, or sees whether the error is right.
fn judge(life: &mut Life, result: Result<usize, SendError>, len: usize) -> Next {
    match result {
        Ok(count) => {
            life.sent(count, len);
            Next::GoOn
        }
        Err(SendError::Disconnected) if life.is_ending() => Next::End,
        Err(error) => life.violation(&format!("send: {error:?}")),
    }
}

/// Now and then takes its time.
fn rest(random: &mut Random) {
    if random.below(200) == 0 {
        std::thread::sleep(Duration::from_micros(random.below(2000)));
    }
}

/// A forked child with its parent's handle.
fn as_child(life: &mut Life, tx: &mut flavour::Sender<[u8]>) {
    let mut buffer = vec![0; life.setup.max_len];
    for _ in 0..life.random.skewed(1, 40) {
        let len = life.len();
        life.fill(&mut buffer[..len], 0);
        life.trying(1, len);
        match tx.send_timeout(&buffer[..len], Duration::from_millis(20)) {
            Ok(()) => life.sent(1, len),
            Err(SendTimeoutError::Timeout) => {}
            Err(SendTimeoutError::Disconnected) if life.is_ending() => return,
            // The role is the parent's.
            Err(SendTimeoutError::Join(JoinError::RoleTaken { .. })) if !life.setup.mpmc => return,
            Err(error) => life.violation(&format!("send in a forked child: {error:?}")),
        }
    }
    if life.random.percent(40) {
        let _loan = tx.try_loan(life.setup.max_len);
        life.die();
    }
}
