//! One sender, one receiver: the fastest way from one process to another.
//!
//! Each role belongs to one handle in one process; the kernel sees to it, and hands it on when its holder dies. Handles
//! take `&mut self`, are `Send` and not `Clone`. A slot is nothing but the payload: no state word, no read-modify-write.
//!
//! ```
//! use ringmail::{Options, spsc};
//!
//! let (mut tx, mut rx) = spsc::channel::<u64>(&Options::new().capacity(8))?;
//! tx.send(&7)?;
//! assert_eq!(*rx.recv()?, 7);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # When a role changes hands
//!
//! A sender or receiver that takes over carries on where its predecessor stopped: a message that was being filled is
//! forgotten, one that was received and not acknowledged is [received again](Received::redelivered).

mod back;
mod desk;
mod draft;
mod end;
mod held;
mod kept;
mod many;
mod poll;
mod receiver;
mod sender;
mod slot;

pub(crate) use draft::Draft;
pub use held::{Held, HeldRun, OwnedHeld};
pub(crate) use kept::Kept;
pub use receiver::Receiver;
pub use sender::Sender;
pub use slot::Slot;

use crate::error::{JoinError, OpenError};
use crate::layout::Flavour;
use crate::message::Message;
use crate::open::{self, Kind};
use crate::options::Options;
use crate::registry::Role;
use crate::{loan, received};
use end::End;

/// The flavour as a type.
#[derive(Debug)]
pub enum Spsc {}

impl Kind for Spsc {
    const FLAVOUR: Flavour = Flavour::Spsc;
}

/// An `spsc` ring that this process has open: see [`Ring`](open::Ring).
pub type Ring<M> = open::Ring<M, Spsc>;

/// The next slot, lent to be filled in place: see [`Loan`](loan::Loan).
pub type Loan<'a, M> = loan::Loan<'a, M, Slot<'a, M>>;

/// A message in place: see [`Received`](received::Received).
pub type Received<'a, M> = received::Received<'a, M, Held<'a, M>>;

/// A message in place that borrows no receiver.
pub type OwnedReceived<M> = received::Received<'static, M, OwnedHeld>;

/// Several messages in place: see [`Batch`](received::Batch).
pub type Batch<'a, M> = received::Batch<'a, M, HeldRun<'a, M>>;

/// A ring without a name and both its sides, for threads.
///
/// For a child that is forked, create a [`Ring::anonymous`] before and take each side in the process that uses it: a role
/// belongs to one process.
///
/// # Errors
///
/// As for [`Ring::anonymous`].
pub fn channel<M: Message + ?Sized>(options: &Options) -> Result<(Sender<M>, Receiver<M>), OpenError> {
    let ring = Ring::anonymous(options)?;
    Ok((ring.sender()?, ring.receiver()?))
}

impl<M: Message + ?Sized> Ring<M> {
    /// The sender.
    ///
    /// # Errors
    ///
    /// [`JoinError::RoleTaken`] while a live process has it, also this one; [`JoinError::TooManyParticipants`].
    pub fn sender(&self) -> Result<Sender<M>, JoinError> {
        Ok(Sender::new(End::enter(&self.attachment, Role::Sender)?))
    }

    /// The receiver.
    ///
    /// # Errors
    ///
    /// As for [`sender`](Self::sender).
    pub fn receiver(&self) -> Result<Receiver<M>, JoinError> {
        Ok(Receiver::new(End::enter(&self.attachment, Role::Receiver)?))
    }
}
