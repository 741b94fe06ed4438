//! What the controller does with a ring itself: takes what is left, and counts the slots.
//!
//! Compiled twice, once for each flavour.
#![allow(unused_mut, reason = "spsc handles need it, mpmc handles do not")]

use super::{flavour, memory};
use crate::ledger::Record;
use crate::payload::{self, Header};
use crate::ring::Checked;
use ringmail::{Message, OpenError, Options, RecvTimeoutError, Stats, TrySendError};
use std::borrow::Borrow;
use std::os::fd::OwnedFd;
use std::time::Duration;

/// Far longer than it takes to see that a peer is dead.
const LONG: Duration = Duration::from_millis(300);

/// Makes a ring, without a name if none is given.
pub fn create(name: Option<&str>, options: &Options) -> Result<Box<dyn Checked>, OpenError> {
    Ok(Box::new(match name {
        Some(name) => flavour::Ring::<[u8]>::create(name, options)?,
        None => flavour::Ring::<[u8]>::anonymous(options)?,
    }))
}

impl Checked for flavour::Ring<[u8]> {
    fn fd(&self) -> std::io::Result<OwnedFd> {
        self.as_fd().try_clone_to_owned()
    }

    fn stats(&self) -> Stats {
        self.stats()
    }

    fn close(&self) {
        self.close();
    }

    fn drain(&self) -> Result<Vec<Record>, String> {
        let mut rx = self.receiver().map_err(|error| format!("nobody lives and receiver() says: {error}"))?;
        let mut records = Vec::new();
        loop {
            match rx.recv_timeout(LONG) {
                Ok(message) => records.push(Record::delivered(&message, Some(message.redelivered()))),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
                Err(error) => return Err(format!("draining: {error:?}")),
            }
        }
        match self.stats().backlog {
            0 => Ok(records),
            left => Err(format!("{left} messages cannot be received though nobody else lives")),
        }
    }

    fn refill(&self) -> Result<(), String> {
        refill(self, |seq| {
            // Every other one in a body, where there are any.
            let mut message = vec![0; self.max_len().min(if seq % 2 == 0 { 48 } else { 10_000 })];
            payload::write(&mut message, Header { sender: 0, seq }, 0);
            message
        })
    }

    fn judge_memory(&self, dense: u64, retain: u64) -> Result<(), String> {
        memory::judge(self, dense, retain)?;
        if self.stats().closed {
            return Ok(());
        }
        self.refill()?;
        memory::judge_idle(&self.stats(), dense, retain)
    }
}

/// Sees that an empty ring has all its slots, when nobody else lives: fills it with the messages that `make` makes,
/// from 0 on.
pub fn refill<M, B>(ring: &flavour::Ring<M>, make: impl Fn(u64) -> B) -> Result<(), String>
where
    M: Message + ?Sized + AsRef<[u8]>,
    B: Borrow<M>,
{
    let capacity = ring.capacity() as u64;
    let mut tx = ring.sender().map_err(|error| format!("nobody lives and sender() says: {error}"))?;
    let mut rx = ring.receiver().map_err(|error| format!("nobody lives and receiver() says: {error}"))?;
    for seq in 0..capacity {
        let sent = tx.try_send(make(seq).borrow());
        sent.map_err(|error| format!("slots leaked: {seq} of {capacity} are there: {error:?}"))?;
    }
    if tx.try_send(make(capacity).borrow()) != Err(TrySendError::Full) {
        return Err(format!("more than {capacity} messages fit"));
    }
    for seq in 0..capacity {
        let message = rx.try_recv().map_err(|error| format!("of {capacity} only {seq} come back: {error:?}"))?;
        if (*message).as_ref() != make(seq).borrow().as_ref() || message.redelivered() != 0 {
            return Err(format!("not message {seq} of the last lap comes back"));
        }
    }
    Ok(())
}
