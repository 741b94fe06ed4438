//! `Ring`: the handle that creates or opens a ring and hands out its two sides.

use crate::attachment::Attachment;
use crate::error::{JoinError, OpenError};
use crate::layout::{Flavour, MAX_LEN};
use crate::message::{Message, Shape};
use crate::options::Options;
use crate::segment::{self, Address, Expected, Life, Replace, Segment};
use crate::stats::{self, Recovered, Stats};
use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;

/// The flavours, as types.
pub trait Kind {
    /// The flavour that the segment records.
    const FLAVOUR: Flavour;
}

/// A ring that this process has open.
///
/// It hands out senders and receivers, tells [statistics](Self::stats) and [closes](Self::close) the stream. It takes no part
/// itself: dropping it changes nothing for the handles it gave out, which keep the ring mapped.
///
/// Use it through [`mpmc::Ring`](crate::mpmc::Ring) and [`spsc::Ring`](crate::spsc::Ring).
pub struct Ring<M: Message + ?Sized, K: Kind> {
    pub(crate) attachment: Arc<Attachment>,
    _message: PhantomData<fn(&M)>,
    _kind: PhantomData<K>,
}

impl<M: Message + ?Sized, K: Kind> Ring<M, K> {
    /// Creates a ring under a name, for processes that know nothing of each other but that name.
    ///
    /// Others see it whole or not at all: a crash in the middle leaves nothing behind. A ring of that name whose processes
    /// are all gone is replaced, with whatever messages were left in it.
    ///
    /// The name is removed when the last process that has the ring open leaves it in order and no unacknowledged message is
    /// left in it (or it was closed); see [`Options::keep_open`] for one that stays. Who starts others that are to open it
    /// keeps its own handle until they have.
    ///
    /// # Errors
    ///
    /// [`AlreadyExists`](OpenError::AlreadyExists) if somebody alive has a ring of that name open;
    /// [`InvalidName`](OpenError::InvalidName) if it is not 1 to 200 characters of `A-Z a-z 0-9 . _ -`;
    /// [`InvalidInput`](OpenError::InvalidInput) for options out of bounds; [`NoSpace`](OpenError::NoSpace) if shared
    /// memory is full.
    pub fn create(name: &str, options: &Options) -> Result<Self, OpenError> {
        Self::create_at(&Address::of_name(name)?, options, Replace::Dead)
    }

    /// Opens the ring of a name. Its options are those it was created with.
    ///
    /// # Errors
    ///
    /// [`NotFound`](OpenError::NotFound), [`PermissionDenied`](OpenError::PermissionDenied), and one error for each way in
    /// which what lies there is not the ring that was asked for: [`NotARing`](OpenError::NotARing),
    /// [`Version`](OpenError::Version), [`Flavour`](OpenError::Flavour), [`MessageType`](OpenError::MessageType),
    /// [`Truncated`](OpenError::Truncated), [`Corrupt`](OpenError::Corrupt).
    pub fn open(name: &str) -> Result<Self, OpenError> {
        Self::open_at(&Address::of_name(name)?)
    }

    /// Opens the ring of a name, or creates it where there is none: whoever comes first creates.
    ///
    /// A ring that is there keeps its own options. One whose processes are all gone is taken over with the messages that
    /// are left in it, or replaced if it was closed or could not be opened.
    ///
    /// # Errors
    ///
    /// As for [`open`](Self::open) and [`create`](Self::create), but for `NotFound` and `AlreadyExists`.
    pub fn open_or_create(name: &str, options: &Options) -> Result<Self, OpenError> {
        let address = Address::of_name(name)?;
        loop {
            let unusable = match Self::open_at(&address) {
                // Whoever lets go of a closed ring last takes its name along; if that is not us, somebody still reads it.
                Ok(ring) if ring.is_closed() => None,
                Err(error) if error.is_not_found() => None,
                Err(error) => Some(error),
                opened => return opened,
            };
            match (Self::create_at(&address, options, Replace::Unusable(Self::expected()?)), unusable) {
                (Err(OpenError::AlreadyExists { .. }), Some(error)) => return Err(error),
                (Err(OpenError::AlreadyExists { .. }), None) => match Self::open_at(&address) {
                    Err(error) if error.is_not_found() => {}
                    opened => return opened,
                },
                (created, _) => return created,
            }
        }
    }

    /// Creates a ring in a file: on a disk, where it may be larger than memory, or in any memory file system.
    ///
    /// The file stays until somebody removes it. What was sent and not acknowledged is there when all processes were killed and
    /// others [open](Self::open_file) it again, and when the machine was shut down in order. What a power cut leaves is
    /// another matter: see [`sync`](Self::sync).
    ///
    /// The file system must know files without a name (`O_TMPFILE`) and holes, as ext4, xfs, btrfs and tmpfs do; a network
    /// does not make one memory of two machines. Where it writes what is there already to a new place (btrfs, snapshots), a full disk
    /// is `SIGBUS` and not an error; so is a broken one anywhere. A ring that was [closed](Self::close) stays so.
    ///
    /// # Errors
    ///
    /// [`AlreadyExists`](OpenError::AlreadyExists) if there is anything at `path`, also a ring that nobody has open: it may hold
    /// messages. [`InvalidInput`](OpenError::InvalidInput), [`NoSpace`](OpenError::NoSpace),
    /// [`PermissionDenied`](OpenError::PermissionDenied), [`NotFound`](OpenError::NotFound) if there is no such directory;
    /// [`Io`](OpenError::Io) for anything else the file system refuses.
    ///
    /// ```
    /// use ringmail::{Options, spsc};
    ///
    /// # let directory = std::env::temp_dir().join(format!("ringmail-doc-{}", std::process::id()));
    /// # std::fs::create_dir(&directory)?;
    /// let path = directory.join("run1.ring");
    /// let ring = spsc::Ring::<[u8]>::create_file(&path, &Options::new().max_len(1 << 30))?;
    /// ring.sender()?.send(b"kept")?;
    /// drop(ring);
    /// // Later, in any process:
    /// let ring = spsc::Ring::<[u8]>::open_file(&path)?;
    /// assert_eq!(&*ring.receiver()?.recv()?, b"kept");
    /// # std::fs::remove_dir_all(&directory)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn create_file(path: impl AsRef<Path>, options: &Options) -> Result<Self, OpenError> {
        Self::create_at(&Address::of_file(path.as_ref()), options, Replace::Never)
    }

    /// Opens the ring in a file. Its options are those it was created with.
    ///
    /// # Errors
    ///
    /// As for [`open`](Self::open).
    pub fn open_file(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        Self::open_at(&Address::of_file(path.as_ref()))
    }

    /// Opens the ring in a file, or creates it where there is nothing: whoever comes first creates.
    ///
    /// # Errors
    ///
    /// As for [`open`](Self::open) and [`create_file`](Self::create_file), but for `NotFound` and `AlreadyExists`.
    pub fn open_or_create_file(path: impl AsRef<Path>, options: &Options) -> Result<Self, OpenError> {
        let address = Address::of_file(path.as_ref());
        loop {
            match Self::open_at(&address) {
                Err(error) if error.is_not_found() => {}
                opened => return opened,
            }
            match Self::create_at(&address, options, Replace::Never) {
                Err(error) if error.is_already_exists() => {}
                created => return created,
            }
        }
    }

    /// Writes the ring to the disk that its [file](Self::create_file) is on, and waits for it. Without a file it does nothing.
    ///
    /// Ringmail never does so by itself, and the system writes pages in any order. So after a power cut the file may hold some of
    /// what was sent before it and not the rest, messages that look sent but are not all there, or acknowledged ones again;
    /// opening it is an error, or messages come that `Corrupt` or a checksum of yours must sort out. What was
    /// sent before a `sync` that returned, and is not touched by anybody until the power cut, is whole.
    ///
    /// # Errors
    ///
    /// What the file system says.
    pub fn sync(&self) -> io::Result<()> {
        self.attachment.segment().sync()
    }

    /// Creates a ring without a name, in memory that vanishes with the last process that has it.
    ///
    /// A child that is forked has it too; any process that is given the [descriptor](Self::as_fd) can open it with
    /// [`from_fd`](Self::from_fd). There is nothing to clean up, whoever dies.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](OpenError::InvalidInput) for options out of bounds; [`NoSpace`](OpenError::NoSpace).
    pub fn anonymous(options: &Options) -> Result<Self, OpenError> {
        let wish = options.wish::<M>(K::FLAVOUR)?;
        Self::attach(Segment::anonymous(&wish, options.preparation()))
    }

    /// Opens the ring behind a descriptor that was inherited or received from another process.
    ///
    /// # Errors
    ///
    /// As for [`open`](Self::open).
    pub fn from_fd(fd: impl Into<OwnedFd>) -> Result<Self, OpenError> {
        Self::attach(Segment::from_fd(fd.into(), &Self::expected()?))
    }

    /// The descriptor of the ring's memory, to be passed to another process: over a Unix socket, or inherited.
    ///
    /// It is close-on-exec. The way to hand it to a program that is started, without numbers and without unsafe code, is as
    /// its standard input:
    ///
    /// ```standalone_crate
    /// use ringmail::{Options, spsc};
    /// use std::os::fd::AsFd;
    /// use std::process::Command;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let program = std::env::current_exe()?;
    /// # if std::env::args().len() == 1 {
    /// let ring = spsc::Ring::<[u8]>::anonymous(&Options::new())?;
    /// let mut worker = Command::new(program).arg("work").stdin(ring.as_fd().try_clone_to_owned()?).spawn()?;
    /// ring.sender()?.send(b"a job")?;
    /// assert!(worker.wait()?.success());
    /// # return Ok(());
    /// # }
    ///
    /// // In the worker:
    /// let ring = spsc::Ring::<[u8]>::from_fd(std::io::stdin().as_fd().try_clone_to_owned()?)?;
    /// assert_eq!(&*ring.receiver()?.recv()?, b"a job");
    /// # Ok(())
    /// # }
    /// ```
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.attachment.segment().file()
    }

    /// Ends the stream, for everybody. Receivers still get what was sent, then
    /// [`Disconnected`](crate::RecvError::Disconnected); senders get it at once. Cannot be undone.
    ///
    /// It is how a sender says that it has finished, where a receiver must tell that from a death (both are `Disconnected`,
    /// but only then [`is_closed`](Self::is_closed)); and how a parent whose children died before they joined ends the
    /// waiting for them.
    ///
    /// A send that overlaps with it either fails or its message can be received. (In an `spsc` ring it may fail and the
    /// message be received all the same, also when it is the first one after the close of a sender that was there before.)
    pub fn close(&self) {
        self.attachment.close();
    }

    /// Whether the stream was ended.
    pub fn is_closed(&self) -> bool {
        self.attachment.is_closed()
    }

    /// Slots.
    pub fn capacity(&self) -> usize {
        self.attachment.segment().header().capacity as usize
    }

    /// Longest message in bytes.
    pub fn max_len(&self) -> usize {
        self.attachment.segment().header().max_len as usize
    }

    /// The ring's figures: backlog, counts, and who takes part. Looks at every slot and asks the kernel about every
    /// participant: microseconds to milliseconds.
    pub fn stats(&self) -> Stats {
        stats::of(&self.attachment)
    }

    /// Does now, for everybody who has died, what is otherwise done by whoever meets what the dead left: frees their claims,
    /// gives the messages they held to the next receiver or drops them by the ring's [`Redelivery`](crate::Redelivery)
    /// policy, clears their places, and wakes all who wait.
    ///
    /// Nobody needs to call it: a ring recovers by being used. It is for a supervisor who wants to know what there was to
    /// recover, or a capacity that is whole again before the next message. It never touches what the living hold, a stopped
    /// process being alive. In an `spsc` ring nothing but places is left by the dead: their successors go on from
    /// where they were. Looks at every slot once and asks the kernel about every participant; does not wait for anybody.
    ///
    /// # Errors
    ///
    /// [`JoinError::System`] in a forked child whose own opening of the ring the kernel refuses.
    ///
    /// ```
    /// # let ring = ringmail::mpmc::Ring::<u64>::anonymous(&ringmail::Options::new())?;
    /// let done = ring.recover()?;
    /// println!("{} dead, {} messages come again", done.participants, done.returned);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn recover(&self) -> Result<Recovered, JoinError> {
        let (participants, slots) = self.attachment.recover()?;
        Ok(Recovered { participants, reaped: slots.reaped, returned: slots.orphaned, dropped: slots.dropped })
    }

    fn create_at(address: &Address, options: &Options, replace: Replace) -> Result<Self, OpenError> {
        let wish = options.wish::<M>(K::FLAVOUR)?;
        Self::attach(Segment::create(address, &wish, options.mode_bits(), options.preparation(), replace))
    }

    fn open_at(address: &Address) -> Result<Self, OpenError> {
        Self::attach(Segment::open(address, &Self::expected()?))
    }

    fn expected() -> Result<Expected, OpenError> {
        let shape = match Shape::of::<M>() {
            Some(shape) if shape.fixed <= MAX_LEN => shape,
            // What is wrong with it, who creates is told at more length.
            _ => Options::new().max_len(MAX_LEN as usize).wish::<M>(K::FLAVOUR)?.shape,
        };
        Ok(Expected { flavour: K::FLAVOUR, shape })
    }

    pub(crate) fn attach(opened: Result<(Segment, Life), OpenError>) -> Result<Self, OpenError> {
        let (segment, life) = opened?;
        let attachment = Attachment::new(segment, Some(life), K::FLAVOUR)?;
        Ok(Self { attachment: Arc::new(attachment), _message: PhantomData, _kind: PhantomData })
    }
}

impl<M: Message + ?Sized, K: Kind> Clone for Ring<M, K> {
    fn clone(&self) -> Self {
        Self { attachment: Arc::clone(&self.attachment), _message: PhantomData, _kind: PhantomData }
    }
}

impl<M: Message + ?Sized, K: Kind> AsFd for Ring<M, K> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        Ring::as_fd(self)
    }
}

impl<M: Message + ?Sized, K: Kind> fmt::Debug for Ring<M, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shape = Shape::of::<M>();
        let message = shape.map_or_else(String::new, |shape| shape.name());
        f.debug_struct("Ring")
            .field("flavour", &K::FLAVOUR.name())
            .field("message", &message)
            .field("capacity", &self.capacity())
            .finish_non_exhaustive()
    }
}

/// Removes the name of a ring, whoever has it open: they keep it, and nobody finds it any more.
///
/// # Errors
///
/// [`OpenError::NotFound`] if there is none, [`OpenError::InvalidName`], [`OpenError::PermissionDenied`].
///
/// ```
/// # let name = format!("doc-unlink-{}", std::process::id());
/// let ring = ringmail::mpmc::Ring::<[u8]>::create(&name, &ringmail::Options::new())?;
/// ringmail::unlink(&name)?;
/// assert!(ringmail::unlink(&name).is_err_and(|error| error.is_not_found()));
/// # Ok::<(), ringmail::OpenError>(())
/// ```
pub fn unlink(name: &str) -> Result<(), OpenError> {
    segment::unlink(name)
}
