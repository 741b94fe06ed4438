//! Every public error.
//!
//! The names are those of `std::sync::mpsc` and crossbeam-channel. Sending and receiving can stop for the same few reasons
//! whichever verb was called, so the core speaks of one private [`Stop`], and each public error is that list with the
//! verb's own word for "not now": `Full`, `Empty` or `Timeout`.

use core::fmt;
use std::io;

#[cfg(feature = "value")]
pub mod value;

/// Gives an error a question for each of its variants.
macro_rules! predicates {
    ($error:ident, $($(#[$doc:meta])* $predicate:ident $variant:ident,)*) => {
        impl $error {
            $(
                $(#[$doc])*
                pub fn $predicate(&self) -> bool {
                    matches!(self, Self::$variant { .. })
                }
            )*
        }
    };
}

/// A ring could not be created or opened.
#[derive(Debug)]
#[non_exhaustive]
pub enum OpenError {
    /// The name is not 1 to 200 characters of `A-Z a-z 0-9 . _ -`.
    InvalidName {
        /// The name that was asked for.
        name: String,
    },
    /// An option has a value that no ring can have.
    InvalidInput {
        /// The setter of [`Options`](crate::Options) that was given it.
        setter: &'static str,
        /// The value.
        value: String,
        /// What is allowed.
        allowed: String,
    },
    /// No ring has this name.
    NotFound {
        /// The name that was asked for.
        name: String,
    },
    /// A ring of this name exists and somebody alive has it open.
    AlreadyExists {
        /// The name that was asked for.
        name: String,
    },
    /// The system refuses this user the ring: see [`Options::mode`](crate::Options::mode).
    PermissionDenied {
        /// The name, or what the descriptor is.
        name: String,
    },
    /// What the name or descriptor refers to is no ring at all: a directory, a device, or a file of other bytes.
    NotARing {
        /// What was found instead.
        found: &'static str,
    },
    /// The ring was laid out by another, incompatible version of this crate.
    Version {
        /// The layout version in the segment.
        found: u32,
        /// The layout version of this build.
        supported: u32,
    },
    /// The ring is of the other flavour.
    Flavour {
        /// The flavour of the segment.
        found: &'static str,
        /// The flavour that was asked for.
        wanted: &'static str,
    },
    /// The ring carries another type of message.
    MessageType {
        /// The type in the segment: name, size and alignment.
        found: String,
        /// The type that was asked for, likewise.
        wanted: String,
    },
    /// The segment is shorter than its own header says, or than any header.
    Truncated {
        /// Bytes there are.
        len: u64,
        /// Bytes needed.
        needed: u64,
    },
    /// The header contradicts itself.
    Corrupt {
        /// The field in which it was noticed.
        field: &'static str,
    },
    /// The memory file system has no room for the ring; nothing was created.
    NoSpace {
        /// Bytes the ring needs.
        needed: u64,
    },
    /// The ring is there but this process could not take part in it.
    Join(JoinError),
    /// Another failure of the system.
    Io(io::Error),
}

predicates! {
    OpenError,
    /// Whether the name is one that no ring can have.
    is_invalid_name InvalidName,
    /// Whether an option is out of bounds.
    is_invalid_input InvalidInput,
    /// Whether there is no ring of that name.
    is_not_found NotFound,
    /// Whether the ring could not be created because it is there already.
    is_already_exists AlreadyExists,
    /// Whether this user may not have the ring.
    is_permission_denied PermissionDenied,
    /// Whether what was found is no ring at all.
    is_not_a_ring NotARing,
    /// Whether the ring is of another layout version.
    is_version Version,
    /// Whether the ring is of the other flavour.
    is_flavour Flavour,
    /// Whether the ring carries another type of message.
    is_message_type MessageType,
    /// Whether the segment is shorter than it should be.
    is_truncated Truncated,
    /// Whether the header contradicts itself.
    is_corrupt Corrupt,
    /// Whether memory ran out.
    is_no_space NoSpace,
    /// Whether the ring is there and this process could not take part in it.
    is_join Join,
    /// Whether the system failed in another way.
    is_io Io,
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidName { name } => {
                write!(f, "invalid ring name {name:?}: a name is 1 to 200 characters of A-Z a-z 0-9 . _ -")
            }
            Self::InvalidInput { setter, value, allowed } => {
                write!(f, "invalid option {setter}({value}): allowed is {allowed}")
            }
            Self::NotFound { name } => write!(f, "no ring named {name:?}"),
            Self::AlreadyExists { name } => write!(f, "a ring named {name:?} exists and is in use"),
            Self::PermissionDenied { name } => write!(f, "permission denied for ring {name:?}"),
            Self::NotARing { found } => write!(f, "not a ring: {found}"),
            Self::Version { found, supported } => {
                write!(f, "the ring has layout version {found}, this build supports {supported}")
            }
            Self::Flavour { found, wanted } => write!(f, "the ring is {found}, not {wanted}"),
            Self::MessageType { found, wanted } => write!(f, "the ring carries {found}, not {wanted}"),
            Self::Truncated { len, needed } => write!(f, "the segment is truncated: {len} bytes of {needed}"),
            Self::Corrupt { field } => write!(f, "the ring's header is corrupt in field {field}"),
            Self::NoSpace { needed } => write!(f, "no space for a ring of {needed} bytes"),
            Self::Join(_) => f.write_str("could not join the ring"),
            Self::Io(_) => f.write_str("the system refused to create or open the ring"),
        }
    }
}

impl std::error::Error for OpenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Join(error) => Some(error),
            Self::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl From<JoinError> for OpenError {
    fn from(error: JoinError) -> Self {
        Self::Join(error)
    }
}

impl From<OpenError> for io::Error {
    fn from(error: OpenError) -> Self {
        let kind = match &error {
            OpenError::InvalidName { .. } | OpenError::InvalidInput { .. } => io::ErrorKind::InvalidInput,
            OpenError::NotFound { .. } => io::ErrorKind::NotFound,
            OpenError::AlreadyExists { .. } => io::ErrorKind::AlreadyExists,
            OpenError::PermissionDenied { .. } => io::ErrorKind::PermissionDenied,
            OpenError::NoSpace { .. } => io::ErrorKind::StorageFull,
            OpenError::Join(_) => io::ErrorKind::Other,
            OpenError::Io(_) => match error {
                OpenError::Io(inner) => return inner,
                _ => io::ErrorKind::Other,
            },
            _ => io::ErrorKind::InvalidData,
        };
        Self::new(kind, error)
    }
}

/// This process could not become a sender or a receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JoinError {
    /// An `spsc` ring has one sender and one receiver, and a live process holds this role.
    RoleTaken {
        /// The holder, in its own pid namespace.
        pid: u32,
    },
    /// Every place in the table of participants belongs to a live process.
    TooManyParticipants {
        /// Places there are: [`Options::participants`](crate::Options::participants).
        max: u32,
    },
    /// The ring wakes sleepers by `membarrier`, which this process may not use:
    /// create it with [`Options::membarrier(false)`](crate::Options::membarrier).
    NoMembarrier,
    /// A loan or a received message was inherited through a `fork`: it is the parent's, and inert in the child.
    Inherited,
    /// A system call failed.
    System {
        /// The error number, as in [`io::Error::from_raw_os_error`].
        errno: i32,
    },
}

predicates! {
    JoinError,
    /// Whether a live process holds the role.
    is_role_taken RoleTaken,
    /// Whether the table of participants is full.
    is_too_many_participants TooManyParticipants,
    /// Whether this process may not use membarrier, and the ring needs it.
    is_no_membarrier NoMembarrier,
    /// Whether the guard is the parent's.
    is_inherited Inherited,
    /// Whether a system call failed.
    is_system System,
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RoleTaken { pid } => write!(f, "the role is taken by process {pid}"),
            Self::TooManyParticipants { max } => write!(f, "all {max} places for participants are taken"),
            Self::NoMembarrier => f.write_str("the ring needs membarrier, which this process may not use"),
            Self::Inherited => f.write_str("the guard was inherited through a fork and belongs to the parent"),
            Self::System { errno } => write!(f, "system call failed: {}", io::Error::from_raw_os_error(*errno)),
        }
    }
}

impl std::error::Error for JoinError {}

impl From<io::Error> for JoinError {
    fn from(error: io::Error) -> Self {
        Self::System { errno: error.raw_os_error().unwrap_or(0) }
    }
}

/// Why an operation did not complete, before the verb that was called gives it its public name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Nothing there, or no room, for now.
    NotNow,
    /// Waiting would be for ever.
    Disconnected,
    /// The message is longer than what should hold it.
    TooLarge {
        /// Bytes of the message.
        len: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// There is no memory for the message, or, among other long ones, no place for it in one piece: see
    /// [`Options::max_len`](crate::Options::max_len).
    NoSpace {
        /// Bytes of the message.
        needed: usize,
    },
    /// The segment holds what no follower of the protocol writes.
    Corrupt,
    /// The handle came through a fork and this process could not join.
    Join(JoinError),
}

/// Declares a public error: the reasons of [`Stop`], with `$word` for [`Stop::NotNow`] where the verb can say it.
macro_rules! stops {
    (@no space, $space:literal, $value:expr) => { $value };
    (
        $(#[$doc:meta])* $name:ident, too large: $large:literal
        $(; no space: $space:literal)?
        $(, $(#[$word_doc:meta])* $word:ident $predicate:ident $word_text:literal)?
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$word_doc])* $word,)?
            /// Everybody on the other side has left or died, or the ring was closed: waiting would be for ever.
            Disconnected,
            #[doc = concat!($large, ".")]
            TooLarge {
                /// Bytes of the message.
                len: usize,
                /// Bytes allowed.
                max: usize,
            },
            $(
                #[doc = concat!($space, "; nothing is lost, and a shorter message may still find room.")]
                NoSpace {
                    /// Bytes of the message.
                    needed: usize,
                },
            )?
            /// The segment holds what no follower of the protocol writes: somebody else scribbled in it.
            Corrupt,
            /// The handle was inherited through a `fork`, and the child could not join the ring on its own.
            Join(JoinError),
        }

        impl $name {
            $(
                #[doc = concat!("Whether this is [`", stringify!($word), "`](Self::", stringify!($word), ").")]
                pub fn $predicate(&self) -> bool {
                    matches!(self, Self::$word)
                }
            )?

            /// Whether this is [`Disconnected`](Self::Disconnected).
            pub fn is_disconnected(&self) -> bool {
                matches!(self, Self::Disconnected)
            }

            /// Whether this is [`TooLarge`](Self::TooLarge).
            pub fn is_too_large(&self) -> bool {
                matches!(self, Self::TooLarge { .. })
            }

            $(
                #[doc = concat!("Whether this is [`NoSpace`](Self::NoSpace): ", $space, ".")]
                pub fn is_no_space(&self) -> bool {
                    matches!(self, Self::NoSpace { .. })
                }
            )?

            /// Whether this is [`Corrupt`](Self::Corrupt).
            pub fn is_corrupt(&self) -> bool {
                matches!(self, Self::Corrupt)
            }

            /// Whether this is [`Join`](Self::Join).
            pub fn is_join(&self) -> bool {
                matches!(self, Self::Join(_))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$word => f.write_str($word_text),)?
                    Self::Disconnected => f.write_str("disconnected: nobody is left on the other side"),
                    Self::TooLarge { len, max } => write!(f, concat!($large, ": {} bytes, at most {}"), len, max),
                    $(Self::NoSpace { needed } => write!(f, concat!($space, ": {} bytes"), needed),)?
                    Self::Corrupt => f.write_str("the segment is corrupt"),
                    Self::Join(_) => f.write_str("an inherited handle could not join the ring in this process"),
                }
            }
        }

        impl std::error::Error for $name {
            fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
                match self {
                    Self::Join(error) => Some(error),
                    _ => None,
                }
            }
        }

        impl From<Stop> for $name {
            #[inline]
            fn from(stop: Stop) -> Self {
                match stop {
                    Stop::Disconnected => Self::Disconnected,
                    Stop::TooLarge { len, max } => Self::TooLarge { len, max },
                    Stop::Join(error) => Self::Join(error),
                    $(Stop::NoSpace { needed } => stops!(@no space, $space, Self::NoSpace { needed }),)?
                    $(Stop::NotNow => Self::$word,)?
                    // Only a verb without a word for it waits without a deadline and so never sees `NotNow`; only sending
                    // needs memory.
                    #[allow(unreachable_patterns)]
                    Stop::NotNow | Stop::NoSpace { .. } | Stop::Corrupt => Self::Corrupt,
                }
            }
        }
    };
}

stops! {
    /// [`send`](crate::mpmc::Sender::send) failed; the message was not sent.
    SendError, too large: "message longer than the ring allows"; no space: "no memory for the message"
}

stops! {
    /// [`try_send`](crate::mpmc::Sender::try_send) failed; the message was not sent.
    TrySendError, too large: "message longer than the ring allows"; no space: "no memory for the message",
    /// Every slot holds a message that nobody has acknowledged.
    Full is_full "the ring is full"
}

stops! {
    /// [`send_timeout`](crate::mpmc::Sender::send_timeout) failed; the message was not sent.
    SendTimeoutError, too large: "message longer than the ring allows"; no space: "no memory for the message",
    /// No slot came free in time.
    Timeout is_timeout "timed out waiting for a free slot"
}

/// Why messages were not all sent, before the verb that was called gives it its public name.
#[derive(Clone, Copy, Debug)]
pub struct Halt {
    /// How many were.
    pub sent: usize,
    /// Why the next one was not.
    pub stop: Stop,
}

/// Declares what a verb says that sends many messages, each of which may fail with `$error`.
macro_rules! halts {
    ($(#[$doc:meta])* $name:ident, $error:ident $(, $word:ident $predicate:ident)?) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name {
            /// How many messages were sent.
            pub sent: usize,
            /// Why the next one was not.
            pub error: $error,
        }

        impl $name {
            $(
                #[doc = concat!("Whether it stopped because of [`", stringify!($error), "::", stringify!($word), "`].")]
                pub fn $predicate(&self) -> bool {
                    self.error.$predicate()
                }
            )?

            #[doc = concat!("Whether it stopped because of [`", stringify!($error), "::Disconnected`].")]
            pub fn is_disconnected(&self) -> bool {
                self.error.is_disconnected()
            }

            #[doc = concat!("Whether it stopped at a message of [`", stringify!($error), "::TooLarge`].")]
            pub fn is_too_large(&self) -> bool {
                self.error.is_too_large()
            }

            #[doc = concat!("Whether it stopped because of [`", stringify!($error), "::NoSpace`].")]
            pub fn is_no_space(&self) -> bool {
                self.error.is_no_space()
            }

            #[doc = concat!("Whether it stopped because of [`", stringify!($error), "::Corrupt`].")]
            pub fn is_corrupt(&self) -> bool {
                self.error.is_corrupt()
            }

            #[doc = concat!("Whether it stopped because of [`", stringify!($error), "::Join`].")]
            pub fn is_join(&self) -> bool {
                self.error.is_join()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "stopped after {} messages: {}", self.sent, self.error)
            }
        }

        impl std::error::Error for $name {
            fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
                Some(&self.error)
            }
        }

        impl From<Halt> for $name {
            #[inline]
            fn from(Halt { sent, stop }: Halt) -> Self {
                Self { sent, error: stop.into() }
            }
        }
    };
}

halts! {
    /// [`send_many`](crate::mpmc::Sender::send_many) stopped in the middle: the first `sent` messages were sent, the others not. (If an
    /// `spsc` ring is closed meanwhile, its receiver may still get some of the run that was being sent.)
    SendManyError, SendError
}

halts! {
    /// [`try_send_many`](crate::mpmc::Sender::try_send_many) stopped in the middle: the first `sent` messages were sent, the others not. (If an
    /// `spsc` ring is closed meanwhile, its receiver may still get some of the run that was being sent.)
    TrySendManyError, TrySendError, Full is_full
}

halts! {
    /// [`send_many_timeout`](crate::mpmc::Sender::send_many_timeout) stopped in the middle: the first `sent` messages were sent, the others not. (If an
    /// `spsc` ring is closed meanwhile, its receiver may still get some of the run that was being sent.)
    SendManyTimeoutError, SendTimeoutError, Timeout is_timeout
}

stops! {
    /// [`recv`](crate::mpmc::Receiver::recv) failed.
    RecvError, too large: "message longer than the buffer"
}

stops! {
    /// [`try_recv`](crate::mpmc::Receiver::try_recv) failed.
    TryRecvError, too large: "message longer than the buffer",
    /// No message is waiting.
    Empty is_empty "the ring is empty"
}

stops! {
    /// [`recv_timeout`](crate::mpmc::Receiver::recv_timeout) failed.
    RecvTimeoutError, too large: "message longer than the buffer",
    /// No message came in time.
    Timeout is_timeout "timed out waiting for a message"
}

stops! {
    /// [`wait_acked`](crate::mpmc::Sender::wait_acked) failed; the messages stay in the ring.
    WaitAckedError, too large: "message longer than the ring allows",
    /// Some message of this sender was still unacknowledged when the time was up.
    Timeout is_timeout "timed out waiting for acknowledgements"
}

/// Why a [`stream::Reader`](crate::stream::Reader) gives no more bytes: inside its [`io::Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StreamError {
    /// The writer died, or let go of the stream without ending it, or the ring was closed. Every byte that was sent before
    /// has been read. [`ErrorKind::ConnectionAborted`](io::ErrorKind::ConnectionAborted).
    Aborted,
    /// The stream began before this reader came: somebody else has read its first bytes.
    /// [`ErrorKind::InvalidData`](io::ErrorKind::InvalidData).
    Headless,
    /// A message came that no [`stream::Writer`](crate::stream::Writer) sent.
    /// [`ErrorKind::InvalidData`](io::ErrorKind::InvalidData).
    NotAStream,
}

impl fmt::Display for StreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Aborted => "the stream broke off: its writer left or died before the end",
            Self::Headless => "the stream began before this reader came",
            Self::NotAStream => "a message that is no part of a stream",
        })
    }
}

impl std::error::Error for StreamError {}

impl From<StreamError> for io::Error {
    fn from(error: StreamError) -> Self {
        let kind = match error {
            StreamError::Aborted => io::ErrorKind::ConnectionAborted,
            StreamError::Headless | StreamError::NotAStream => io::ErrorKind::InvalidData,
        };
        Self::new(kind, error)
    }
}

impl From<SendError> for io::Error {
    fn from(error: SendError) -> Self {
        let kind = match error {
            SendError::Disconnected => io::ErrorKind::BrokenPipe,
            SendError::TooLarge { .. } => io::ErrorKind::InvalidInput,
            SendError::NoSpace { .. } => io::ErrorKind::StorageFull,
            SendError::Corrupt => io::ErrorKind::InvalidData,
            SendError::Join(_) => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}

impl From<RecvError> for io::Error {
    fn from(error: RecvError) -> Self {
        let kind = match error {
            RecvError::Disconnected => io::ErrorKind::ConnectionAborted,
            RecvError::TooLarge { .. } => io::ErrorKind::InvalidInput,
            RecvError::Corrupt => io::ErrorKind::InvalidData,
            RecvError::Join(_) => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}
