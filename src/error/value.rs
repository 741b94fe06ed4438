//! What can be wrong with a value: while it is written, and with the bytes of one that is read.

use core::fmt;

/// The bytes of a message are not a value.
///
/// Places are counted in bytes from the start of the message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeError {
    /// The message does not start as a value does: with the byte `0xc1`.
    NotAValue {
        /// The first byte; `None` of an empty message.
        found: Option<u8>,
    },
    /// The value is written in another version of the format.
    Version {
        /// The version in the message.
        found: u8,
        /// The version of this build.
        supported: u8,
    },
    /// The message ends too early.
    Truncated {
        /// Where bytes are missing.
        at: usize,
        /// How many there should be from there on, at least.
        needed: u64,
        /// Bytes of the whole message.
        len: usize,
    },
    /// Bytes that no writer of the format writes.
    Malformed {
        /// Where.
        at: usize,
        /// What is wrong there, and what is allowed.
        what: &'static str,
    },
}

impl DecodeError {
    /// Whether the message is no value at all, or one of another version: not damaged, but somebody else's.
    pub fn is_foreign(&self) -> bool {
        matches!(self, Self::NotAValue { .. } | Self::Version { .. })
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAValue { found: Some(found) } => {
                write!(f, "not a value: the message starts with byte {found:#04x}, a value starts with 0xc1")
            }
            Self::NotAValue { found: None } => f.write_str("not a value: the message is empty"),
            Self::Version { found, supported } => {
                write!(f, "the value is of format version {found}, this build reads version {supported}")
            }
            Self::Truncated { at, needed, len } => {
                write!(
                    f,
                    "truncated value: {needed} bytes or more should follow byte {at}, the message has {len} in all"
                )
            }
            Self::Malformed { at, what } => write!(f, "malformed value at byte {at}: {what}"),
        }
    }
}

impl std::error::Error for DecodeError {}

/// A value cannot be written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EncodeError {
    /// A container, or the message, was begun and not filled.
    Unfinished {
        /// Values that are missing, at least.
        missing: u64,
    },
    /// A value was written where none belongs: after the end of the outermost one.
    Surplus,
    /// Something was written into a pickle that is neither bytes nor a bytearray.
    PickleParts,
    /// Longer than the format can say.
    TooLong {
        /// What it is.
        what: &'static str,
        /// How long.
        len: u64,
        /// How long it may be.
        max: u64,
    },
    /// A reference to a value, or a class, that was not written before.
    NoSuchReference {
        /// The number asked for.
        number: u64,
        /// How many there are.
        count: u64,
    },
    /// Not the type of an array's elements.
    InvalidDType {
        /// The descriptor.
        dtype: String,
        /// What is wrong, and what is allowed.
        what: &'static str,
    },
    /// An array with fewer, or more, bytes than its shape and type say.
    DataLen {
        /// Bytes there are.
        len: usize,
        /// Bytes there should be.
        needed: usize,
    },
    /// A reference that leads out of the value that it is in.
    NoSuchLevel {
        /// How many levels up.
        up: usize,
        /// How many levels there are.
        depth: usize,
    },
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unfinished { missing } => write!(f, "unfinished value: {missing} more must be written"),
            Self::Surplus => {
                f.write_str("a value beyond the end: a message holds one, and a container as many as it was begun with")
            }
            Self::PickleParts => f.write_str("a pickle consists of bytes and bytearrays only"),
            Self::TooLong { what, len, max } => write!(f, "{what} too long: {len}, at most {max}"),
            Self::NoSuchReference { number, count } => {
                write!(f, "no reference number {number}: {count} were written, counted from 0")
            }
            Self::InvalidDType { dtype, what } => write!(f, "invalid dtype {dtype:?}: {what}"),
            Self::DataLen { len, needed } => write!(f, "data of {len} bytes where shape and dtype say {needed}"),
            Self::NoSuchLevel { up, depth } => write!(f, "a reference {up} levels up, {depth} levels deep"),
        }
    }
}

impl std::error::Error for EncodeError {}

/// The elements of an array cannot be had as a slice of that type.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AccessError {
    /// They are of another type.
    DType {
        /// Their type.
        found: String,
        /// The type that was asked for.
        wanted: &'static str,
    },
    /// They lie in the other order, and in more than one dimension.
    Order,
    /// They start at an address that the type does not allow: the bytes were not received from a ring, but from elsewhere.
    Unaligned {
        /// The alignment in bytes that the type needs.
        align: usize,
    },
}

impl fmt::Display for AccessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DType { found, wanted } => write!(f, "the array is of dtype {found}, not {wanted}"),
            Self::Order => f.write_str("the array's elements lie in the other of the orders C and Fortran"),
            Self::Unaligned { align } => write!(f, "the array's elements are not aligned to {align} bytes"),
        }
    }
}

impl std::error::Error for AccessError {}

/// A value could not be sent: `E` is the error of the verb.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SendValueError<E> {
    /// It cannot be written; nothing was sent.
    Encode(EncodeError),
    /// It could not be sent.
    Send(E),
}

impl<E> From<E> for SendValueError<E> {
    fn from(error: E) -> Self {
        Self::Send(error)
    }
}

/// A value could not be received: `E` is the error of the verb.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecvValueError<E> {
    /// What was received is no value; it is acknowledged.
    Decode(DecodeError),
    /// Nothing could be received.
    Recv(E),
}

impl<E> From<E> for RecvValueError<E> {
    fn from(error: E) -> Self {
        Self::Recv(error)
    }
}

impl<E: fmt::Display> fmt::Display for SendValueError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Encode(_) => f.write_str("the value cannot be written"),
            Self::Send(error) => error.fmt(f),
        }
    }
}

impl<E: fmt::Display> fmt::Display for RecvValueError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decode(_) => f.write_str("the message is not a value"),
            Self::Recv(error) => error.fmt(f),
        }
    }
}

impl<E: std::error::Error> std::error::Error for SendValueError<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Encode(error) => Some(error),
            Self::Send(error) => error.source(),
        }
    }
}

impl<E: std::error::Error> std::error::Error for RecvValueError<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Decode(error) => Some(error),
            Self::Recv(error) => error.source(),
        }
    }
}
