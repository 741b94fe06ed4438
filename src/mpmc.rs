//! Many senders, many receivers: any number of each, in any processes.
//!
//! Every message goes to one receiver. Handles are `Clone + Send + Sync` and take `&self`. Received messages and loans may be
//! held as long as you like and released in any order: each costs its slot and blocks nobody.
//!
//! ```
//! use ringmail::{Options, mpmc};
//!
//! let (tx, rx) = mpmc::channel::<[u8]>(&Options::new().capacity(8).max_len(64))?;
//! tx.send(b"one")?;
//! tx.send(b"two")?;
//! let one = rx.recv()?;
//! assert_eq!(&*rx.recv()?, b"two");
//! assert_eq!(&*one, b"one");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Order
//!
//! Messages of one sender arrive in the order of sends that had returned. A message that is [redelivered](Received::redelivered)
//! is late and says so.

mod end;
mod held;
mod many;
mod poll;
mod receiver;
mod sender;

pub use held::{Held, HeldRun, OwnedHeld};
pub use receiver::Receiver;
pub use sender::{Sender, Slot};

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
pub enum Mpmc {}

impl Kind for Mpmc {
    const FLAVOUR: Flavour = Flavour::Mpmc;
}

/// An `mpmc` ring that this process has open: see [`Ring`](open::Ring).
pub type Ring<M> = open::Ring<M, Mpmc>;

/// A slot lent to be filled in place: see [`Loan`](loan::Loan).
pub type Loan<'a, M> = loan::Loan<'a, M, Slot<'a, M>>;

/// A message in place: see [`Received`](received::Received).
///
/// It costs its slot while it is held. Where senders passed over that slot meanwhile, it serves again when the tail comes round to it: until the
/// messages that wait before that are received, the ring holds one fewer than its [capacity](Options::capacity).
pub type Received<'a, M> = received::Received<'a, M, Held<'a, M>>;

/// A message in place that borrows no receiver.
pub type OwnedReceived<M> = received::Received<'static, M, OwnedHeld>;

/// Several messages in place: see [`Batch`](received::Batch).
pub type Batch<'a, M> = received::Batch<'a, M, HeldRun<'a, M>>;

/// A ring without a name and both its sides, for threads or for processes that are forked.
///
/// A forked child takes part from its first use of a handle on. Until then a parent that drops its own copy leaves that side
/// without anybody, and the other side is told `Disconnected`: keep the copy until the child has sent or received, or
/// create the ring with [`Options::keep_open`].
///
/// # Errors
///
/// As for [`Ring::anonymous`].
pub fn channel<M: Message + ?Sized>(options: &Options) -> Result<(Sender<M>, Receiver<M>), OpenError> {
    let ring = Ring::anonymous(options)?;
    Ok((ring.sender()?, ring.receiver()?))
}

impl<M: Message + ?Sized> Ring<M> {
    /// A new sender.
    ///
    /// # Errors
    ///
    /// [`JoinError::TooManyParticipants`] if this process takes no part yet and the table is full of live ones.
    pub fn sender(&self) -> Result<Sender<M>, JoinError> {
        let end = End::enter(&self.attachment, Role::Sender)?;
        Ok(Sender::new(end))
    }

    /// A new receiver.
    ///
    /// # Errors
    ///
    /// As for [`sender`](Self::sender).
    pub fn receiver(&self) -> Result<Receiver<M>, JoinError> {
        let end = End::enter(&self.attachment, Role::Receiver)?;
        Ok(Receiver::new(end))
    }
}
