//! The folder of a controller, and what a dead one left behind.
//!
//! A controller holds the kernel's lock on its folder for as long as it lives, and both the folder and every ring that
//! it names carry its process id. So what belongs to a folder that nobody holds is nobody's, and the next controller
//! removes it. An id alone would prove nothing: it may be another process's by now.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

/// Where the names of rings are.
pub const NAMES: &str = "/dev/shm";
const START: &str = "ringmail-torture-";

/// A folder that goes with this process.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    /// Held until the process ends, however it ends.
    _lock: File,
}

impl Folder {
    /// A new one, after those of the dead are removed.
    pub fn new() -> io::Result<Self> {
        clear_up()?;
        let path = std::env::temp_dir().join(format!("{START}{}", std::process::id()));
        // Whoever clears up at this very moment may hold it, and remove it: then there is another turn.
        for _ in 0..100 {
            fs::create_dir_all(&path)?;
            if let Ok(Some(lock)) = lock(&path)
                && path.is_dir()
            {
                return Ok(Self { path, _lock: lock });
            }
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        Err(io::Error::other("somebody else holds the folder of this process"))
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What rings of this process are left.
    pub fn names_left(&self) -> io::Result<Vec<PathBuf>> {
        names_of(&std::process::id().to_string())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Takes a folder's lock; `None` if somebody has it.
fn lock(path: &Path) -> io::Result<Option<File>> {
    let folder = File::open(path)?;
    // SAFETY: touches no memory.
    let taken = unsafe { libc::flock(folder.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } == 0;
    Ok(taken.then_some(folder))
}

/// Removes what controllers left that were killed.
fn clear_up() -> io::Result<()> {
    for path in files(&std::env::temp_dir(), START)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // Gone meanwhile, held, or not a controller's: not ours to remove.
        let (Some(id), Ok(Some(_lock))) = (name.strip_prefix(START), lock(&path)) else { continue };
        if id.parse::<u32>().is_err() {
            continue;
        }
        let names = names_of(id)?;
        println!("cleared up after a dead controller: process {id}, {} rings", names.len());
        for name in names {
            let _ = fs::remove_file(name);
        }
        let _ = fs::remove_dir_all(&path);
    }
    Ok(())
}

/// The rings that the controller of that process named.
fn names_of(id: &str) -> io::Result<Vec<PathBuf>> {
    let mut names = files(Path::new(NAMES), &format!("ringmail.torture-{id}-"))?;
    names.append(&mut files(Path::new(NAMES), &format!("ringmail.sweep-{id}-"))?);
    Ok(names)
}

/// The files of a folder whose names start so.
pub fn files(folder: &Path, start: &str) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(start) {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}
