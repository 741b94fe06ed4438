//! A segment: one mapping of shared memory that holds everything of one ring. Made, opened, checked and removed here.
//!
//! # A ring is seen whole or not at all
//!
//! A segment is made without a name, given its room, filled in and only then linked under its name. A crash before the link
//! leaves nothing; a second creator's link fails. There is no ready flag because there is nothing to wait for.
//!
//! # Who removes it
//!
//! Everybody who has a ring open holds its lifetime byte shared. Whoever gets that byte exclusively is alone with it: the
//! last one out, who removes the name, or a creator who finds a ring of which all are dead, and replaces it. An opener
//! takes the byte first and then opens the name once more: it has what it came for if both openings are of one file. (Two
//! are needed anyway: one carries the locks, through the other they are looked at, and the memory is passed on.)

use crate::error::OpenError;
use crate::layout::{Control, FENCE, Flavour, Header, KEEP_OPEN, LINE, MAGIC, Participant, VERSION, Wish};
use crate::message::Shape;
use crate::os::file::{self, Identity, Mapping};
use crate::os::fork::{self, Kept, Table};
use crate::os::lock;
use crate::sync::AtomicU64;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::MutexGuard;
use std::time::{Duration, Instant};
use zerocopy::{FromZeros, IntoBytes};

/// What a name may be.
pub fn check_name(name: &str) -> Result<(), OpenError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if (1..=200).contains(&name.len()) && name.bytes().all(allowed) {
        return Ok(());
    }
    Err(OpenError::InvalidName { name: name.to_owned() })
}

/// What a caller expects of a segment that somebody else made.
#[derive(Clone, Copy, Debug)]
pub struct Expected {
    /// The kind of ring.
    pub flavour: Flavour,
    /// The message type.
    pub shape: Shape,
}

/// Where a segment is to be found.
#[derive(Clone, Debug)]
pub struct Address {
    path: PathBuf,
    /// As the user says it.
    shown: String,
    /// Whether it goes when the last process leaves: a name does, a file stays.
    passes: bool,
}

impl Address {
    /// A name, which leads to shared memory.
    pub fn of_name(name: &str) -> Result<Self, OpenError> {
        check_name(name)?;
        Ok(Self { path: file::path_of(name), shown: name.to_owned(), passes: true })
    }

    /// A file anywhere.
    pub fn of_file(path: &Path) -> Self {
        Self { path: path.to_owned(), shown: path.display().to_string(), passes: false }
    }

    /// What a segment must remember that came from here: what to remove at the end.
    fn to_remove(&self) -> Option<PathBuf> {
        self.passes.then(|| self.path.clone())
    }

    fn already_exists(&self) -> OpenError {
        OpenError::AlreadyExists { name: self.shown.clone() }
    }

    /// An error of the system about it.
    fn refused(&self, error: io::Error) -> OpenError {
        let name = self.shown.clone();
        match error.kind() {
            io::ErrorKind::NotFound => OpenError::NotFound { name },
            io::ErrorKind::PermissionDenied => OpenError::PermissionDenied { name },
            io::ErrorKind::IsADirectory => OpenError::NotARing { found: "a directory" },
            _ if file::is_link(&error) => OpenError::NotARing { found: "a symbolic link" },
            _ => OpenError::Io(error),
        }
    }
}

/// Which ring a creator replaces, of those that nobody has open.
#[derive(Clone, Copy, Debug)]
pub enum Replace {
    /// None.
    Never,
    /// Any.
    Dead,
    /// One that could not be opened as is expected: any other may have come meanwhile, and hold messages.
    Unusable(Expected),
}

/// One mapped ring.
#[derive(Debug)]
pub struct Segment {
    map: Mapping,
    header: Header,
    file: OwnedFd,
    /// What leads here and goes with the last process.
    path: Option<PathBuf>,
}

/// The opening that carries this process's locks on a segment.
#[derive(Debug)]
pub struct Life {
    kept: Option<Kept>,
}

impl Life {
    /// Opens the segment a second time and takes its lifetime byte; `None` while somebody is removing it.
    pub fn begin(file: BorrowedFd<'_>, table: &mut MutexGuard<'static, Table>) -> io::Result<Option<Self>> {
        Self::over(fork::reopen(file)?, table)
    }

    /// Takes the lifetime byte through an opening that nobody else has: made while the table was held, lest a forked child
    /// keep it.
    fn over(fd: OwnedFd, table: &mut MutexGuard<'static, Table>) -> io::Result<Option<Self>> {
        if !lock::try_shared(fd.as_fd(), lock::LIFETIME)? {
            return Ok(None);
        }
        Ok(Some(Self { kept: Some(Kept::new(fd, table)?) }))
    }

    /// The descriptor, unless this is a forked child's copy.
    pub fn fd<'a>(&'a self, table: &'a MutexGuard<'static, Table>) -> Option<BorrowedFd<'a>> {
        self.kept.as_ref()?.get(table)
    }

    /// Drops every lock.
    pub fn end(mut self, table: &mut MutexGuard<'static, Table>) {
        if let Some(kept) = self.kept.take() {
            kept.close(table);
        }
    }
}

impl Drop for Life {
    /// For whoever fails in the middle; with the table already at hand it must be [`end`](Self::end).
    fn drop(&mut self) {
        if let Some(kept) = self.kept.take() {
            kept.close(&mut fork::exclusive());
        }
    }
}

impl Segment {
    /// Makes a segment without a name.
    pub fn anonymous(wish: &Wish, prepare: fn(&Self)) -> Result<(Self, Life), OpenError> {
        let header = plan(wish)?;
        let file = file::anonymous().map_err(OpenError::Io)?;
        fill(file.as_fd(), &header, header.segment_len)?;
        file::seal_size(file.as_fd()).map_err(OpenError::Io)?;
        let life = begin(file.as_fd())?;
        let segment = Self::map(file, header, None)?;
        prepare(&segment);
        Ok((segment, life))
    }

    /// Makes a segment at an address, in place of one of which everybody is dead if `replace` says so.
    pub fn create(
        address: &Address,
        wish: &Wish,
        mode: u32,
        prepare: fn(&Self),
        replace: Replace,
    ) -> Result<(Self, Life), OpenError> {
        let header = plan(wish)?;
        let path = &address.path;
        let refused = |error| address.refused(error);
        let file = file::unnamed(path, mode).map_err(refused)?;
        fill(file.as_fd(), &header, header.segment_len)?;
        let life = begin(file.as_fd())?;
        let segment = Self::map(file, header, address.to_remove())?;
        prepare(&segment);
        while !file::link(segment.file.as_fd(), path).map_err(refused)? {
            if !remove_dead(address, replace)? {
                end(life);
                return Err(address.already_exists());
            }
        }
        if !address.passes {
            // Only so is its name as lasting as what is in it.
            file::sync_directory(path).map_err(refused)?;
        }
        Ok((segment, life))
    }

    /// Makes a segment in memory that is there already, unless somebody has one in it open.
    #[cfg(feature = "shared_memory")]
    pub fn create_inside(
        file: OwnedFd,
        name: &str,
        wish: &Wish,
        prepare: fn(&Self),
    ) -> Result<(Self, Life), OpenError> {
        let header = plan(wish)?;
        let len = file::regular_len(file.as_fd())?;
        if len < header.segment_len {
            return Err(OpenError::Truncated { len, needed: header.segment_len });
        }
        let already_exists = || OpenError::AlreadyExists { name: name.to_owned() };
        let mut table = fork::exclusive();
        // Through an opening that goes with this block: the lock must not outlive it in a child.
        let alone = fork::reopen(file.as_fd()).map_err(OpenError::Io)?;
        if !lock::try_exclusive(alone.as_fd(), lock::LIFETIME).map_err(OpenError::Io)? {
            return Err(already_exists());
        }
        // What makes it a ring comes last.
        file::punch(file.as_fd(), 0, len).map_err(OpenError::Io)?;
        let unfinished = Header { magic: [0; 8], ..header };
        fill(file.as_fd(), &unfinished, len)?;
        let segment = Self::map(file, header, None)?;
        prepare(&segment);
        file::write_start(segment.file(), &header.magic).map_err(OpenError::Io)?;
        drop(alone);
        let life = Life::begin(segment.file(), &mut table).map_err(OpenError::Io)?.ok_or_else(already_exists)?;
        // Another creator may have come in between.
        let mut found = Header::new_zeroed();
        let is_ours = file::read_start(segment.file(), found.as_mut_bytes()).is_ok() && found == header;
        if !is_ours {
            life.end(&mut table);
            return Err(already_exists());
        }
        drop(table);
        Ok((segment, life))
    }

    /// Opens the segment at an address.
    pub fn open(address: &Address, expected: &Expected) -> Result<(Self, Life), OpenError> {
        let mut patience = None;
        loop {
            let Some((life, identity)) = Self::enter(address)? else {
                // Somebody is removing or replacing it this very moment.
                let now = Instant::now();
                if now > *patience.get_or_insert(now + Duration::from_secs(5)) {
                    return Err(address.already_exists());
                }
                std::thread::yield_now();
                continue;
            };
            match Self::open_again(address, identity, expected) {
                Ok(Some(segment)) => return Ok((segment, life)),
                // The name leads elsewhere by now, or nowhere.
                Ok(None) => end(life),
                Err(error) => {
                    end(life);
                    return Err(error);
                }
            }
        }
    }

    /// Takes the lifetime byte of what lies at an address, and says which file that is. `None`: somebody has it alone.
    fn enter(address: &Address) -> Result<Option<(Life, Identity)>, OpenError> {
        let mut table = fork::exclusive();
        let fd = file::open(&address.path).map_err(|error| address.refused(error))?;
        let (identity, _) = file::regular(fd.as_fd())?;
        let life = Life::over(fd, &mut table).map_err(|error| address.refused(error))?;
        Ok(life.map(|life| (life, identity)))
    }

    /// Opens what lies at an address if it is that file, whose lifetime byte the caller has.
    fn open_again(address: &Address, identity: Identity, expected: &Expected) -> Result<Option<Self>, OpenError> {
        let file = match file::open(&address.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(address.refused(error)),
        };
        let (found, len) = file::regular(file.as_fd())?;
        if found != identity {
            return Ok(None);
        }
        let header = check(file.as_fd(), len, Some(expected))?;
        Self::map(file, header, address.to_remove()).map(Some)
    }

    /// Opens the segment behind a descriptor.
    pub fn from_fd(file: OwnedFd, expected: &Expected) -> Result<(Self, Life), OpenError> {
        // First the lock: without it another ring may be made of the same memory after the look.
        let len = file::regular_len(file.as_fd())?;
        let life = begin(file.as_fd())?;
        let opened = check(file.as_fd(), len, Some(expected)).and_then(|header| Self::map(file, header, None));
        match opened {
            Ok(segment) => Ok((segment, life)),
            Err(error) => {
                end(life);
                Err(error)
            }
        }
    }

    /// Maps the segment of a name to look at it, whatever kind of ring it is: without a lock, so that nobody is kept from
    /// replacing it. Says too whether anybody has it open.
    pub fn look_at(name: &str) -> Result<(Self, bool), OpenError> {
        let address = Address::of_name(name)?;
        let file = file::open(&address.path).map_err(|error| address.refused(error))?;
        let len = file::regular_len(file.as_fd())?;
        let header = check(file.as_fd(), len, None)?;
        let open = lock::is_held(file.as_fd(), lock::LIFETIME).map_err(OpenError::Io)?;
        Ok((Self::map(file, header, None)?, open))
    }

    fn map(file: OwnedFd, header: Header, path: Option<PathBuf>) -> Result<Self, OpenError> {
        // Where address space runs out that is the system's word for it (`ENOMEM`): shared memory is not full.
        let map = file::map(file.as_fd(), header.segment_len, header.dense_len()).map_err(OpenError::Io)?;
        Ok(Self { map, header, file, path })
    }

    /// Touches all that is not sparse.
    pub fn populate(&self) {
        file::populate(&self.map, 0, self.header.dense_len());
    }

    /// Commits memory to a range of the segment that is sparse. An error leaves what was committed before.
    pub fn commit(&self, offset: u64, len: u64) -> io::Result<()> {
        file::allocate(self.file(), offset, len)?;
        file::populate(&self.map, offset, len);
        Ok(())
    }

    /// Bytes that the file system has left, if it has a limit.
    pub fn available(&self) -> Option<u64> {
        file::available(self.file()).ok().flatten()
    }

    /// Writes everything to disk, where there is one.
    pub fn sync(&self) -> io::Result<()> {
        file::sync(&self.map, self.file())
    }

    /// Gives the memory of a range that [`commit`](Self::commit) may commit again back to the system.
    pub fn give_back(&self, offset: u64, len: u64) -> io::Result<()> {
        file::punch(self.file(), offset, len)
    }

    /// The geometry, as it was checked when the segment was opened.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The file, without any lock of ours: for probing, and for passing on.
    pub fn file(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// First byte of the mapping.
    pub fn base(&self) -> *mut u8 {
        self.map.as_mut_ptr()
    }

    /// The control lines.
    pub fn control(&self) -> &Control {
        // SAFETY: every segment is longer than its first page, which ends with the control lines.
        let control = unsafe { self.base().add(crate::layout::CONTROL as usize) };
        // SAFETY: mapped for as long as `self`, aligned, all atomics, and any bytes are atomics.
        unsafe { &*control.cast::<Control>() }
    }

    /// The table of participants.
    pub fn participants(&self) -> &[Participant] {
        // SAFETY: the header was checked against the length of the mapping.
        let first = unsafe { self.base().add(self.header.participants_offset as usize) };
        // SAFETY: as above; aligned by the layout, all atomics.
        unsafe { std::slice::from_raw_parts(first.cast(), self.header.participants as usize) }
    }

    /// The skip words of an mpmc ring.
    pub fn skips(&self) -> *const AtomicU64 {
        // SAFETY: the header was checked against the length of the mapping.
        unsafe { self.base().add(self.header.skips_offset as usize) }.cast()
    }

    /// Removes the name, if this process is the last to have the ring open and `unwanted` says so. Ends `life`.
    pub fn leave(&self, life: Life, unwanted: impl FnOnce() -> bool) {
        let mut table = fork::exclusive();
        if let (Some(path), Some(fd)) = (&self.path, life.fd(&table)) {
            // First let go, then try for all of it: of two that leave together the later one succeeds.
            let alone =
                lock::unlock(fd, lock::LIFETIME).is_ok() && lock::try_exclusive(fd, lock::LIFETIME).unwrap_or(false);
            if alone {
                if unwanted() && file::is_at(fd, path).unwrap_or(false) {
                    let _ = file::unlink(path);
                }
                // Not left to the close: a child that is just being spawned may have a copy of the descriptor until it execs.
                let _ = lock::unlock(fd, lock::LIFETIME);
            }
        }
        life.end(&mut table);
    }
}

/// Removes the segment of a name, whoever has it open; they keep it, new ones no longer find it.
pub fn unlink(name: &str) -> Result<(), OpenError> {
    let address = Address::of_name(name)?;
    match file::unlink(&address.path) {
        Ok(true) => Ok(()),
        Ok(false) => Err(OpenError::NotFound { name: address.shown }),
        Err(error) => Err(address.refused(error)),
    }
}

/// Removes a ring that nobody has open, if `replace` says so. `false`: somebody lives in it, or it is wanted.
fn remove_dead(address: &Address, replace: Replace) -> Result<bool, OpenError> {
    if matches!(replace, Replace::Never) {
        return Ok(false);
    }
    let path = &address.path;
    // Before the file is opened: a child forked with its descriptor would keep the lock that is taken on it.
    let _table = fork::exclusive();
    let file = match file::open(path) {
        Ok(file) => file,
        // Gone meanwhile: that will do.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(address.refused(error)),
    };
    let len = file::regular_len(file.as_fd())?;
    let mut header = Header::new_zeroed();
    let read = file::read_start(file.as_fd(), header.as_mut_bytes()).map_err(OpenError::Io)?;
    if read < size_of::<Header>() || header.magic != MAGIC {
        return Err(OpenError::NotARing { found: "a file of other bytes" });
    }
    if !lock::try_exclusive(file.as_fd(), lock::LIFETIME).map_err(OpenError::Io)? {
        return Ok(false);
    }
    if !file::is_at(file.as_fd(), path).map_err(OpenError::Io)? {
        return Ok(true);
    }
    if let Replace::Unusable(expected) = replace
        && check(file.as_fd(), len, Some(&expected)).is_ok()
    {
        return Ok(false);
    }
    file::unlink(path).map(|_| true).map_err(|error| address.refused(error))
}

fn begin(file: BorrowedFd<'_>) -> Result<Life, OpenError> {
    let mut table = fork::exclusive();
    let life = Life::begin(file, &mut table).map_err(OpenError::Io)?;
    life.ok_or_else(|| OpenError::Io(io::ErrorKind::WouldBlock.into()))
}

fn end(life: Life) {
    life.end(&mut fork::exclusive());
}

/// The header of `wish`, which the options have checked.
fn plan(wish: &Wish) -> Result<Header, OpenError> {
    let id = file::random_id().map_err(OpenError::Io)?;
    Header::plan(wish, id).map_err(|field| OpenError::Corrupt { field })
}

/// Gives a fresh file its room, its length and its header. All other bytes are zero, which is how an unused ring looks.
fn fill(file: BorrowedFd<'_>, header: &Header, len: u64) -> Result<(), OpenError> {
    let dense = file::allocate(file, 0, header.dense_len());
    let filled = dense.map_err(|error| match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::OutOfMemory | io::ErrorKind::FileTooLarge => {
            OpenError::NoSpace { needed: header.dense_len() }
        }
        _ => OpenError::Io(error),
    });
    filled?;
    // What is allocated is as long as that already.
    let sized = if len > header.dense_len() { file::set_len(file, len) } else { Ok(()) };
    sized.map_err(|error| match error.kind() {
        io::ErrorKind::FileTooLarge => OpenError::InvalidInput {
            setter: "max_len",
            value: header.max_len.to_string(),
            allowed: format!("less: a file of {len} bytes is longer than its file system can have"),
        },
        _ => OpenError::Io(error),
    })?;
    file::write_start(file, header.as_bytes()).map_err(OpenError::Io)
}

/// Reads and checks a header: nothing in the segment is believed before this, and the header is not read again after it.
fn check(file: BorrowedFd<'_>, len: u64, expected: Option<&Expected>) -> Result<Header, OpenError> {
    let mut header = Header::new_zeroed();
    let read = file::read_start(file, header.as_mut_bytes()).map_err(OpenError::Io)?;
    if read < header.magic.len() || header.magic != MAGIC {
        return Err(OpenError::NotARing { found: if len == 0 { "an empty file" } else { "a file of other bytes" } });
    }
    if read < size_of::<Header>() {
        return Err(OpenError::Truncated { len, needed: size_of::<Header>() as u64 });
    }
    if header.version != VERSION {
        return Err(OpenError::Version { found: header.version, supported: VERSION });
    }
    let flavour = header.kind().ok_or(OpenError::Corrupt { field: "flavour" })?;
    let shape = header.shape();
    if let Some(expected) = expected {
        if flavour != expected.flavour {
            return Err(OpenError::Flavour { found: flavour.name(), wanted: expected.flavour.name() });
        }
        if shape != expected.shape {
            let (found, wanted) = (shape.to_string(), expected.shape.to_string());
            return Err(OpenError::MessageType { found, wanted });
        }
    }
    if header.flags & !(KEEP_OPEN | FENCE) != 0 {
        return Err(OpenError::Corrupt { field: "flags" });
    }
    // The same wish must lead to the same header, to the byte.
    let wish = Wish {
        flavour,
        shape,
        capacity: header.capacity,
        max_len: header.max_len,
        participants: header.participants,
        flags: header.flags,
        redelivery: header.redelivery,
        spin_ns: header.spin_ns,
        retain: header.retain,
        body_stride: Some(header.body_stride),
    };
    let planned = Header::plan(&wish, header.id).map_err(|field| OpenError::Corrupt { field })?;
    if let Some(field) = first_difference(&header, &planned) {
        return Err(OpenError::Corrupt { field });
    }
    if len < header.segment_len {
        return Err(OpenError::Truncated { len, needed: header.segment_len });
    }
    Ok(header)
}

/// The first field in which a header is not as it must be.
fn first_difference(found: &Header, planned: &Header) -> Option<&'static str> {
    let fields = [
        ("segment_len", found.segment_len == planned.segment_len),
        ("max_len", found.max_len == planned.max_len && found.inline_len == planned.inline_len),
        ("participants_offset", found.participants_offset == planned.participants_offset),
        ("skips_offset", found.skips_offset == planned.skips_offset),
        ("records", found.records_offset == planned.records_offset && found.record_stride == planned.record_stride),
        (
            "payloads",
            found.payloads_offset == planned.payloads_offset && found.payload_stride == planned.payload_stride,
        ),
        (
            "bodies",
            found.bodies_offset == planned.bodies_offset
                && found.body_stride == planned.body_stride
                && found.bodies == planned.bodies
                && found.retain == planned.retain,
        ),
        ("reserved", found == planned),
    ];
    fields.into_iter().find(|(_, same)| !same).map(|(field, _)| field)
}

const _: () = assert!(LINE as usize == align_of::<Control>());
