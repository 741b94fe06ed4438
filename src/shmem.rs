//! A ring in shared memory that somebody else made: in a [`Shmem`] of the `shared_memory` crate.
//!
//! A `Shmem` hides its descriptor, and a ring cannot do without one: locks on it are what tells the living from the dead. So the
//! memory is opened once more, by its name, and taken only if that leads to the very memory that the `Shmem` has mapped. From then
//! on the ring is like any other, and the `Shmem` may go.

use crate::error::OpenError;
use crate::message::Message;
use crate::open::{Kind, Ring};
use crate::options::Options;
use crate::os::file;
use crate::segment::Segment;
use shared_memory::Shmem;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

/// Rings in memory made by somebody else. (Feature `shared_memory`.)
///
/// It is for programs that already have such memory, or must make it their own way; everybody else is better served by a
/// [name](Self::create) or a [descriptor](Self::from_fd). What a ring in it cannot promise:
///
/// - **Creation is not atomic.** Who creates writes into memory that others may see. The last thing written is what makes it a ring,
///   so nobody opens half a one; but a creator that is killed in the middle leaves memory that is none, until the next.
/// - **Its size is not sealed.** Whoever may write the memory can cut it off, and touching it is then `SIGBUS` for everybody.
/// - **The name is not the ring's.** `Shmem` removes it when its owner drops it; until then it stays, also when all processes of the
///   ring are gone. [`list`](crate::list) does not show it, [`unlink`](crate::unlink) does not know it.
/// - **`Shmem` does not say whether there is room** before it is touched; the ring does so for what it needs.
impl<M: Message + ?Sized, K: Kind> Ring<M, K> {
    /// Creates a ring in `shmem`, in place of anything that is in it, unless somebody alive has a ring there open. The memory must
    /// be as long as the ring, which for short messages is about `capacity x max_len` and 16 KiB.
    ///
    /// # Errors
    ///
    /// [`AlreadyExists`](OpenError::AlreadyExists); [`Truncated`](OpenError::Truncated) if the memory is too short;
    /// [`NotFound`](OpenError::NotFound) if its name leads to no memory or to other memory by now;
    /// [`InvalidInput`](OpenError::InvalidInput), [`NoSpace`](OpenError::NoSpace).
    ///
    /// ```
    /// use ringmail::{Options, mpmc};
    /// use shared_memory::ShmemConf;
    ///
    /// let shmem = ShmemConf::new().size(1 << 20).create()?;
    /// let ring = mpmc::Ring::<u64>::create_in(&shmem, &Options::new())?;
    /// ring.sender()?.send(&7)?;
    /// // In another process, by the name that it was told:
    /// let shmem = ShmemConf::new().os_id(shmem.get_os_id()).open()?;
    /// assert_eq!(*mpmc::Ring::<u64>::open_in(&shmem)?.receiver()?.recv()?, 7);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn create_in(shmem: &Shmem, options: &Options) -> Result<Self, OpenError> {
        let wish = options.wish::<M>(K::FLAVOUR)?;
        let name = shmem.get_os_id();
        Self::attach(Segment::create_inside(open(shmem)?, name, &wish, options.preparation()))
    }

    /// Opens the ring in `shmem`.
    ///
    /// # Errors
    ///
    /// As for [`open`](Self::open).
    pub fn open_in(shmem: &Shmem) -> Result<Self, OpenError> {
        Self::from_fd(open(shmem)?)
    }
}

/// Opens the memory of `shmem` once more.
fn open(shmem: &Shmem) -> Result<OwnedFd, OpenError> {
    let not_found = || OpenError::NotFound { name: shmem.get_os_id().to_owned() };
    let opened = file::open(&file::path_of_memory(shmem.get_os_id())).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => not_found(),
        io::ErrorKind::PermissionDenied => OpenError::PermissionDenied { name: shmem.get_os_id().to_owned() },
        _ => OpenError::Io(error),
    })?;
    match file::is_mapped_at(opened.as_fd(), shmem.as_ptr().addr()).map_err(OpenError::Io)? {
        true => Ok(opened),
        false => Err(not_found()),
    }
}
