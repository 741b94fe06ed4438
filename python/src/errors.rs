//! What a ring refuses, as the exception that a Python user expects.

use pyo3::exceptions::*;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;
use ringmail::*;

pyo3::create_exception!(ringmail, Disconnected, PyBrokenPipeError, doc!("Disconnected"));

/// Which way a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Into the ring.
    Out,
    /// Out of it.
    In,
}

/// Why an operation did not complete, whichever verb it was.
#[derive(Clone, Copy, Debug)]
pub enum Stop {
    /// Full, empty, or out of time.
    NotNow,
    /// Waiting would be for ever.
    Disconnected,
    /// Longer than the ring allows.
    TooLarge { len: usize, max: usize },
    /// No memory for it.
    NoSpace { needed: usize },
    /// Somebody scribbled in the segment.
    Corrupt,
    /// The process could not join.
    Join(JoinError),
    /// An error that a later version of the library knows.
    Other,
}

macro_rules! stop_from {
    ($($error:ident: $($word:ident)? $(, $space:ident)?;)*) => {
        $(impl From<$error> for Stop {
            fn from(error: $error) -> Self {
                match error {
                    $($error::$word => Self::NotNow,)?
                    $error::Disconnected => Self::Disconnected,
                    $error::TooLarge { len, max } => Self::TooLarge { len, max },
                    $($error::$space { needed } => Self::NoSpace { needed },)?
                    $error::Corrupt => Self::Corrupt,
                    $error::Join(error) => Self::Join(error),
                    _ => Self::Other,
                }
            }
        })*
    };
}

stop_from! {
    SendError: , NoSpace;
    TrySendError: Full, NoSpace;
    SendTimeoutError: Timeout, NoSpace;
    RecvError: ;
    TryRecvError: Empty;
    RecvTimeoutError: Timeout;
    WaitAckedError: Timeout;
}

impl Stop {
    /// The exception for it.
    #[cold]
    pub fn raise(self, py: Python<'_>, way: Way) -> PyErr {
        match self {
            Self::NotNow => not_now(py, way),
            Self::Disconnected => {
                let gone = if way == Way::Out {
                    "no receiver is left, or the stream was closed"
                } else {
                    "no sender is left, or the stream was closed"
                };
                disconnected(gone)
            }
            Self::TooLarge { len, max } => PyValueError::new_err(format!(
                "message of {len} bytes is longer than the ring allows: {max} bytes (max_message_bytes of whoever made it)"
            )),
            Self::NoSpace { needed } => {
                no_space(format!("no shared memory left, or no room in one piece, for a message of {needed} bytes"))
            }
            Self::Corrupt => PyRuntimeError::new_err("the ring is corrupt: somebody wrote into it out of line"),
            Self::Join(error) => join(error),
            Self::Other => PyOSError::new_err("the ring refused"),
        }
    }
}

/// Told that the peers are gone.
pub fn disconnected(what: &str) -> PyErr {
    Disconnected::new_err((libc::EPIPE, format!("disconnected: {what}")))
}

fn no_space(what: String) -> PyErr {
    PyOSError::new_err((libc::ENOSPC, what))
}

/// `queue.Full` or `queue.Empty`.
#[cold]
pub fn not_now(py: Python<'_>, way: Way) -> PyErr {
    static FULL: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    static EMPTY: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let class = match way {
        Way::Out => FULL.import(py, "queue", "Full"),
        Way::In => EMPTY.import(py, "queue", "Empty"),
    };
    class.map_or_else(|error| error, |class| PyErr::from_type(class.clone(), ()))
}

/// The process could not take part.
pub fn join(error: JoinError) -> PyErr {
    match error {
        JoinError::TooManyParticipants { max } => PyOSError::new_err((
            libc::EUSERS,
            format!("{max} processes take part already (participants of whoever made the ring)"),
        )),
        JoinError::System { errno } => PyOSError::new_err((errno, format!("could not join the ring: {error}"))),
        other => PyOSError::new_err(format!("could not join the ring: {other}")),
    }
}

/// A ring could not be made or opened.
pub fn open(error: OpenError) -> PyErr {
    let said = error.to_string();
    match error {
        OpenError::NotFound { .. } => PyFileNotFoundError::new_err((libc::ENOENT, said)),
        OpenError::AlreadyExists { .. } => PyFileExistsError::new_err((libc::EEXIST, said)),
        OpenError::PermissionDenied { .. } => PyPermissionError::new_err((libc::EACCES, said)),
        OpenError::NoSpace { .. } => no_space(said),
        OpenError::Join(error) => join(error),
        OpenError::Io(error) if error.raw_os_error() == Some(libc::ENOMEM) => PyOSError::new_err((
            libc::ENOMEM,
            "no address space left for the ring: give this one or others a smaller max_message_bytes",
        )),
        OpenError::Io(error) => PyOSError::new_err((error.raw_os_error().unwrap_or(0), format!("{said}: {error}"))),
        _ => PyValueError::new_err(said),
    }
}
