//! The slot that a sender lends.

use super::Sender;
use crate::error::{JoinError, Stop};
use crate::loan::Lent;
use crate::message::Message;
use crate::slots::Place;

/// The slot at the tail, as a loan has it.
///
/// (Two words: a guard that is dropped by what may panic lies in memory, and each of its fields is a store.)
#[derive(Debug)]
pub struct Slot<'a, M: Message + ?Sized> {
    pub(super) sender: &'a mut Sender<M>,
    pub(super) place: Place,
}

impl<M: Message + ?Sized> Lent for Slot<'_, M> {
    #[inline(always)]
    fn commit(&mut self, len: usize) -> Result<(), Stop> {
        let Self { sender, place } = self;
        if !sender.pass.is_good() {
            return Err(Stop::Join(JoinError::Inherited));
        }
        place.describe::<M>(sender.slots(), sender.producer.slot(0), len);
        sender.publish_one()
    }

    #[inline(always)]
    fn shorten(&mut self, lent: usize, len: usize) {
        if self.place.body().is_some() {
            self.sender.back.shorten(self.place, lent, len);
        }
    }

    #[inline(always)]
    fn abort(&mut self, lent: usize) {
        // Nothing was said of the slot yet: the next message simply overwrites it.
        if self.place.body().is_some() {
            self.sender.back.abandon(self.place, lent);
        }
    }
}
