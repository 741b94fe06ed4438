//! What memory a ring has when all are dead, and what of it somebody finds who looks.
//!
//! Compiled twice, once for each flavour.

use super::flavour;
use ringmail::{Message, Stats};
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, MetadataExt};

/// Sees that an empty ring is left with no more memory than it had at first (`dense`) and is to retain, once somebody
/// who takes part has tidied up; and that the system says the same of its file. Nobody else lives.
pub fn judge<M: Message + ?Sized>(ring: &flavour::Ring<M>, dense: u64, retain: u64) -> Result<(), String> {
    let open = || ring.as_fd().try_clone_to_owned().map(File::from);
    let file = open().map_err(|error| error.to_string())?;
    if let Some(body) = hollow(&file).map_err(|error| error.to_string())? {
        return Err(format!("body {body} is said to have memory that is not there"));
    }
    // An spsc sender alone knows what its predecessor had claimed and not sent.
    let _tx = ring.sender().map_err(|error| format!("nobody lives and sender() says: {error}"))?;
    let _rx = ring.receiver().map_err(|error| format!("nobody lives and receiver() says: {error}"))?;
    ring.recover().map_err(|error| format!("recover(): {error}"))?;
    let stats = ring.stats();
    judge_idle(&stats, dense, retain)?;
    let there = file.metadata().map_err(|error| error.to_string())?.blocks() * 512;
    if there != stats.committed {
        return Err(format!("{there} bytes are there, and {} are said to be", stats.committed));
    }
    Ok(())
}

/// Sees that by its figures an empty ring is left with no more memory than that.
pub fn judge_idle(stats: &Stats, dense: u64, retain: u64) -> Result<(), String> {
    if stats.in_use != dense {
        return Err(format!("{} bytes are in use though nobody uses them", stats.in_use - dense));
    }
    if stats.committed > dense + retain {
        return Err(format!("{} bytes stay, and {retain} should", stats.committed - dense));
    }
    Ok(())
}

/// A body that is said to have memory where the file has a hole, if nobody is named to be just giving it back: see
/// `docs/layout.md`.
fn hollow(file: &File) -> io::Result<Option<u64>> {
    let word = |at: u64| {
        let mut bytes = [0; 8];
        file.read_exact_at(&mut bytes, at).map(|()| u64::from_le_bytes(bytes))
    };
    let (table, stride, count) = (word(96)?, word(104)?, word(240)?);
    let start = (table + 16 * count).next_multiple_of(2 << 20);
    for body in 0..count {
        let (user, committed) = (word(table + 16 * body)?, word(table + 16 * body + 8)? & !1);
        if committed == 0 || user & 3 == 2 {
            continue;
        }
        let first = start + body * stride;
        // SAFETY: touches no memory.
        let hole = unsafe { libc::lseek(file.as_raw_fd(), first as libc::off_t, libc::SEEK_HOLE) };
        if hole < (first + committed) as libc::off_t {
            return Ok(Some(body));
        }
    }
    Ok(None)
}
