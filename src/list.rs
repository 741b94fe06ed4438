//! What rings there are, and who is alive in them.

use crate::attachment::Attachment;
use crate::error::OpenError;
use crate::os::file;
use crate::segment::Segment;
use crate::stats::{self, Stats};

/// What lies under one name: see [`list`].
#[derive(Debug)]
#[non_exhaustive]
pub struct Listed {
    /// The name that [`open`](crate::mpmc::Ring::open) and [`unlink`](crate::unlink) take.
    pub name: String,
    /// The ring, or why it cannot be told: [`PermissionDenied`](OpenError::PermissionDenied),
    /// [`NotARing`](OpenError::NotARing), [`Version`](OpenError::Version), [`Truncated`](OpenError::Truncated),
    /// [`Corrupt`](OpenError::Corrupt).
    pub ring: Result<Overview, OpenError>,
}

/// A ring as somebody sees it who has not opened it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Overview {
    /// `spsc` or `mpmc`.
    pub flavour: &'static str,
    /// The message type, such as `[u8]`.
    pub message: String,
    /// Whether any process has it open. If not, the next [`create`](crate::mpmc::Ring::create) of that name replaces it.
    pub open: bool,
    /// Its figures, and who takes part: a participant that died is there until its place is used again.
    pub stats: Stats,
}

/// All named rings there are, in order of their names, with their figures and who is alive in them.
///
/// Looks without opening: nobody is kept from anything meanwhile, and a ring that goes before it is looked at is left out.
/// It reads every ring that this process may open; who may write one of them and cuts its file off at that very moment
/// kills the reader with `SIGBUS`.
///
/// # Errors
///
/// [`OpenError::Io`] if the directory of named memory cannot be read. What is wrong with a single ring stands in its place.
///
/// ```
/// # let name = format!("doc-list-{}", std::process::id());
/// # let _ring = ringmail::mpmc::Ring::<[u8]>::create(&name, &ringmail::Options::new())?;
/// for listed in ringmail::list()? {
///     match listed.ring {
///         Ok(ring) => {
///             let alive = ring.stats.participants.iter().filter(|one| one.alive).count();
///             println!("{}: {} of {}, {alive} alive", listed.name, ring.flavour, ring.message);
///         }
///         Err(error) => println!("{}: {error}", listed.name),
///     }
/// }
/// # Ok::<(), ringmail::OpenError>(())
/// ```
pub fn list() -> Result<Vec<Listed>, OpenError> {
    let mut names = file::names().map_err(OpenError::Io)?;
    names.sort();
    let seen = names.into_iter().map(|name| Listed { ring: overview(&name), name });
    Ok(seen.filter(|listed| !listed.ring.as_ref().is_err_and(OpenError::is_not_found)).collect())
}

fn overview(name: &str) -> Result<Overview, OpenError> {
    let (segment, open) = Segment::look_at(name)?;
    let header = segment.header();
    let message = header.shape().name();
    let flavour = header.kind().ok_or(OpenError::Corrupt { field: "flavour" })?;
    let attachment = Attachment::new(segment, None, flavour)?;
    Ok(Overview { flavour: flavour.name(), message, open, stats: stats::of(&attachment) })
}
