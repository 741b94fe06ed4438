//! Segment files: made invisibly, given room, linked under a name, mapped.

use crate::error::OpenError;
use crate::sync::point;
use memmap2::{Advice, MmapOptions, MmapRaw};
use rustix::fs::{self, AtFlags, CWD, FallocateFlags, Mode, OFlags, SealFlags};
use rustix::io::Errno;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

/// A segment, or some other file, as this process has it in memory.
pub type Mapping = MmapRaw;

/// Where named segments live.
const DIRECTORY: &str = "/dev/shm";

/// The path of a named segment.
pub fn path_of(name: &str) -> PathBuf {
    Path::new(DIRECTORY).join(format!("ringmail.{name}"))
}

/// The path of POSIX shared memory of a name that starts with a slash, as `shm_open` takes it.
#[cfg(feature = "shared_memory")]
pub fn path_of_memory(name: &str) -> PathBuf {
    Path::new(DIRECTORY).join(name.trim_start_matches('/'))
}

/// Whether a mapping of this process that starts at `address` is of this very file, from its start.
#[cfg(feature = "shared_memory")]
pub fn is_mapped_at(fd: BorrowedFd<'_>, address: usize) -> io::Result<bool> {
    let stat = fs::fstat(fd)?;
    let device = format!("{:02x}:{:02x}", fs::major(stat.st_dev), fs::minor(stat.st_dev));
    let (start, inode) = (format!("{address:x}-"), stat.st_ino.to_string());
    let maps = std::fs::read_to_string("/proc/self/maps")?;
    // Start-end, permissions, offset, device, inode, path.
    Ok(maps.lines().filter(|line| line.starts_with(&start)).any(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        matches!(fields[..], [_, _, offset, dev, ino, ..] if offset.trim_matches('0').is_empty() && dev == device && ino == inode)
    }))
}

/// A segment that has no name and vanishes with its last descriptor and mapping.
pub fn anonymous() -> io::Result<OwnedFd> {
    use fs::MemfdFlags;
    Ok(fs::memfd_create("ringmail", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?)
}

/// Fixes the size of an anonymous segment, so that no peer can cut it off under a mapping (`SIGBUS`).
pub fn seal_size(fd: BorrowedFd<'_>) -> io::Result<()> {
    Ok(fs::fcntl_add_seals(fd, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?)
}

/// A segment in the directory of `path` that has no name yet.
pub fn unnamed(path: &Path, mode: u32) -> io::Result<OwnedFd> {
    let mode = Mode::from_raw_mode(mode);
    let fd = fs::open(directory_of(path), OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC, mode)?;
    // The mask of the process must not narrow what the caller asked for.
    fs::fchmod(&fd, mode)?;
    Ok(fd)
}

/// Gives an unnamed segment its name; `false` where the name is taken.
pub fn link(fd: BorrowedFd<'_>, path: &Path) -> io::Result<bool> {
    point();
    let from = format!("/proc/self/fd/{}", fd.as_raw_fd());
    match fs::linkat(CWD, from, CWD, path, AtFlags::SYMLINK_FOLLOW) {
        Ok(()) => Ok(true),
        Err(Errno::EXIST) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Opens a segment by path. Never follows a link and never waits, whatever lies there.
pub fn open(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    Ok(fs::open(path, flags, Mode::empty())?)
}

/// Whether opening failed because a symbolic link lies there.
pub fn is_link(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::LOOP.raw_os_error())
}

/// Which file it is, of all that there are while somebody has it open: device and number.
pub type Identity = (u64, u64);

fn identity(stat: &fs::Stat) -> Identity {
    (stat.st_dev, stat.st_ino)
}

/// Which regular file that is, and its bytes; or what it is instead.
pub fn regular(fd: BorrowedFd<'_>) -> Result<(Identity, u64), OpenError> {
    let stat = fs::fstat(fd).map_err(|error| OpenError::Io(error.into()))?;
    match fs::FileType::from_raw_mode(stat.st_mode) {
        fs::FileType::RegularFile => Ok((identity(&stat), stat.st_size as u64)),
        fs::FileType::Directory => Err(OpenError::NotARing { found: "a directory" }),
        _ => Err(OpenError::NotARing { found: "not a regular file" }),
    }
}

/// Bytes of a regular file, or what it is instead.
pub fn regular_len(fd: BorrowedFd<'_>) -> Result<u64, OpenError> {
    regular(fd).map(|(_, len)| len)
}

/// Whether `path` still leads to this very file.
pub fn is_at(fd: BorrowedFd<'_>, path: &Path) -> io::Result<bool> {
    let ours = fs::fstat(fd)?;
    match fs::lstat(path) {
        Ok(there) => Ok(identity(&there) == identity(&ours)),
        Err(Errno::NOENT) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Removes a name; `false` where there is none.
pub fn unlink(path: &Path) -> io::Result<bool> {
    point();
    match fs::unlink(path) {
        Ok(()) => Ok(true),
        Err(Errno::NOENT) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Bytes that are allocated in one system call: a signal makes it forget what it did, so it must end some time.
const STEP: u64 = 64 << 20;

/// Gives the file `len` bytes from `offset` on that are really there: a full file system is an error now, not a `SIGBUS` at some
/// later touch.
pub fn allocate(fd: BorrowedFd<'_>, offset: u64, len: u64) -> io::Result<()> {
    point();
    // The file system fills up page by page before it says no; asking first spares everybody else that.
    if available(fd)?.is_some_and(|room| len > room) {
        return Err(Errno::NOSPC.into());
    }
    let (mut done, mut most) = (0, STEP);
    while done < len {
        let step = most.min(len - done);
        match fs::fallocate(fd, FallocateFlags::empty(), offset + done, step) {
            Ok(()) => done += step,
            Err(Errno::INTR) => most = (most / 2).max(1 << 16),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Bytes that the file system of a file has left; `None` where it has no limit of its own.
pub fn available(fd: BorrowedFd<'_>) -> io::Result<Option<u64>> {
    let room = fs::fstatvfs(fd)?;
    Ok((room.f_blocks > 0).then(|| room.f_bavail.saturating_mul(room.f_frsize)))
}

/// Writes the directory of a path to disk, so that the names in it last.
pub fn sync_directory(path: &Path) -> io::Result<()> {
    let directory = fs::open(directory_of(path), OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    match fs::fsync(directory) {
        // It has nothing to write to.
        Err(Errno::INVAL) => Ok(()),
        result => Ok(result?),
    }
}

/// The directory that a path leads into.
fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes the file `len` bytes long, without any memory behind what is new.
pub fn set_len(fd: BorrowedFd<'_>, len: u64) -> io::Result<()> {
    Ok(fs::ftruncate(fd, len)?)
}

/// Gives the memory of `len` bytes from `offset` on back to the system. They read as zero.
pub fn punch(fd: BorrowedFd<'_>, offset: u64, len: u64) -> io::Result<()> {
    point();
    loop {
        match fs::fallocate(fd, FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE, offset, len) {
            Err(Errno::INTR) => {}
            result => return Ok(result?),
        }
    }
}

/// Reads from the start of the file; fewer bytes where it is shorter.
pub fn read_start(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    let mut done = 0;
    while done < buffer.len() {
        match rustix::io::pread(fd, &mut buffer[done..], done as u64) {
            Ok(0) => break,
            Ok(count) => done += count,
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(done)
}

/// Writes at the start of the file.
pub fn write_start(fd: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<()> {
    point();
    let mut done = 0;
    while done < bytes.len() {
        match rustix::io::pwrite(fd, &bytes[done..], done as u64) {
            Ok(count) => done += count,
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Maps the whole file, shared. Of what lies behind `dense_len` nothing goes into a core dump: a dump would touch it all.
pub fn map(fd: BorrowedFd<'_>, len: u64, dense_len: u64) -> io::Result<Mapping> {
    let len = usize::try_from(len).map_err(|_| io::ErrorKind::OutOfMemory)?;
    let map = MmapOptions::new().len(len).map_raw(fd.as_fd().as_raw_fd())?;
    let dense = (dense_len as usize).next_multiple_of(rustix::param::page_size());
    if dense < len {
        // Only advice: a dump without it is long, not wrong.
        let _ = map.advise_range(Advice::DontDump, dense, len - dense);
    }
    Ok(map)
}

/// Touches every page of a range of a mapping, so that nobody stumbles over them one by one later.
pub fn populate(map: &Mapping, offset: u64, len: u64) {
    // Only advice: where the kernel does not know it, pages come as they are touched.
    let _ = map.advise_range(Advice::PopulateWrite, offset as usize, len as usize);
}

/// Writes everything to the disk that the file is on, if it is on one.
pub fn sync(map: &Mapping, fd: BorrowedFd<'_>) -> io::Result<()> {
    map.flush()?;
    Ok(fs::fdatasync(fd)?)
}

/// The names of the segments there are, in no order.
pub fn names() -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(DIRECTORY)? {
        if let Some(name) = entry?.file_name().to_str().and_then(|name| name.strip_prefix("ringmail.")) {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

/// Sixteen random bytes.
pub fn random_id() -> io::Result<[u8; 16]> {
    use rustix::rand::{GetRandomFlags, getrandom};
    let mut id = [0; 16];
    // Sixteen bytes come in one piece or not at all.
    getrandom(&mut id, GetRandomFlags::empty())?;
    Ok(id)
}
