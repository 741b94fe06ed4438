//! What a sender seldom does: it finds the ring full or closed, came through a fork, or sends a long message.
//!
//! Its place in the ring comes and goes in a note: see `ring::spsc`.

use super::end::End;
use crate::attachment::{Aim, Until};
use crate::error::Stop;
use crate::pace::Pace;
use crate::ring::body::Rotation;
use crate::ring::spsc::{Note, Producer, is_acknowledged};
use crate::slots::{Place, Slots};
use crate::wait::Look;
use std::time::Duration;

/// What a sender seldom needs.
#[derive(Debug)]
#[repr(align(128))]
pub(super) struct Back {
    pub(super) end: End,
    /// Where in the ring whoever comes here goes on, and where he went on then.
    pub(super) at: Note,
    /// Which bodies it goes round in.
    rotation: Rotation,
    /// How it waited for the receiver to take long messages.
    pace: Pace,
}

impl Back {
    pub(super) fn new(end: End) -> Self {
        Self { end, at: Note::default(), rotation: Rotation::default(), pace: Pace::default() }
    }

    /// Goes on where the sender is, and leaves a note of where it is then.
    #[inline(always)]
    fn going_on<T>(&mut self, work: impl FnOnce(&mut Self, &mut Producer<Slots>) -> T) -> T {
        let mut producer = Producer::going_on(self.end.slots, self.end.ring, &self.at);
        let done = work(self, &mut producer);
        producer.leave(&self.at);
        done
    }

    /// The next slot, for whoever has looked in vain.
    #[cold]
    #[inline(never)]
    pub(super) fn claim(&mut self, until: Until, look: Look) -> Result<usize, Stop> {
        self.going_on(|back, producer| back.claim_by(producer, until, look))
    }

    fn claim_by(&mut self, producer: &mut Producer<Slots>, until: Until, look: Look) -> Result<usize, Stop> {
        if self.end.is_inherited() {
            self.end.join(until)?;
            *producer = resume(&self.end);
        }
        let end = &self.end;
        if end.attachment.is_closed() {
            return Err(Stop::Disconnected);
        }
        let waiter = end.waiter(Aim::Message, producer.tail(), look);
        end.attachment.persist(waiter, until, || producer.claim(), |_| Err(Stop::NotNow))
    }

    /// The next slot, and the body for what is too long for it: that one.
    #[cold]
    #[inline(never)]
    pub(super) fn claim_long(&mut self, len: usize, until: Until) -> Result<usize, Stop> {
        self.going_on(|back, producer| back.claim_long_by(producer, len, until))
    }

    fn claim_long_by(&mut self, producer: &mut Producer<Slots>, len: usize, until: Until) -> Result<usize, Stop> {
        let max = self.end.slots.max_len();
        if len > max {
            return Err(Stop::TooLarge { len, max });
        }
        self.end.attachment.keep_pace(&self.pace, len, until, |most| producer.waiting(most));
        let is_inherited = self.end.is_inherited();
        if is_inherited || producer.claim().is_none() {
            let look = self.end.after_miss(until, !is_inherited)?;
            self.claim_by(producer, until, look)?;
        }
        self.end.attachment.body_at(&self.rotation, (producer.known_head(), producer.tail()), len)
    }

    /// Gives the bodies of a loan back that is not sent.
    #[cold]
    #[inline(never)]
    pub(super) fn abandon(&self, place: Place, lent: usize) {
        if !self.end.is_inherited() {
            self.end.attachment.abandon_place(place, lent);
        }
    }

    /// Gives the bodies back that the first `len` bytes of a loan do not need.
    #[cold]
    #[inline(never)]
    pub(super) fn shorten(&self, place: Place, lent: usize, len: usize) {
        if !self.end.is_inherited() {
            self.end.attachment.shorten_place(place, lent, len);
        }
    }

    /// A message committed into a closed ring, before `tail`: received all the same, or not, but no further one will be.
    #[cold]
    #[inline(never)]
    pub(super) fn after_close(&self, tail: u64) -> Result<(), Stop> {
        if is_acknowledged(&self.end.slots, tail) { Ok(()) } else { Err(Stop::Disconnected) }
    }

    /// Blocks until every message before `tail` is acknowledged.
    pub(super) fn wait_acked(&self, tail: u64, timeout: Option<Duration>) -> Result<(), Stop> {
        let until = timeout.map_or(Until::Forever, Until::timeout);
        let end = &self.end;
        let acked = || is_acknowledged(&end.slots, tail).then_some(());
        if acked().is_none() {
            let waiter = end.waiter(Aim::Acknowledgement, 0, Look::Search);
            end.attachment.persist(waiter, until, acked, |_| Err(Stop::NotNow))?;
        }
        Ok(())
    }
}

/// Where a new holder of the role goes on.
pub(super) fn resume(end: &End) -> Producer<Slots> {
    let mut producer = Producer::resume(end.slots, end.ring);
    end.attachment.begin_at(producer.tail());
    if end.attachment.is_closed() {
        producer.end();
    }
    producer
}
