//! Values such as Python has them, in messages of bytes: numbers, text, arrays, lists, dicts, nested as you like.
//!
//! The Python package sends and receives these; a Rust process at the other end of the same ring reads them and answers in
//! kind. Arrays are read where they lie:
//!
//! ```
//! use ringmail::value::{Array, Value};
//! use ringmail::{Options, mpmc};
//!
//! let (tx, rx) = mpmc::channel::<[u8]>(&Options::new().max_len(1 << 20))?;
//! let pixels = vec![0.5_f32; 84 * 84];
//! tx.send_value(&Value::dict([("obs", Array::new(&[84, 84], &pixels)?.into()), ("reward", Value::from(1.0))]))?;
//!
//! let message = rx.recv()?;
//! let step = message.value()?;
//! assert_eq!(step.get("reward").and_then(Value::as_f64), Some(1.0));
//! let obs = step.get("obs").and_then(Value::as_array).ok_or("no obs")?;
//! assert_eq!(obs.shape(), [84, 84]);
//! assert_eq!(obs.as_slice::<f32>()?[83], 0.5); // in the ring's memory, which the message holds
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! `docs/wire.md` has the format, byte by byte: a header, the structure in MessagePack, and arrays outside it at 64-byte
//! alignment. [`wire`] is the level below: tokens, for other front ends.
//!
//! # What is kept
//!
//! - The type, exactly: a tuple is no list, `1` is not `1.0`, a bytearray is no bytes; an array's dtype, byte order, order of
//!   elements and writability.
//! - The order of dicts and sets.
//! - Sharing: a [clone](Clone) of a container, an array or a bytearray is the same object to Python. Long text and bytes that are
//!   shared are sent once.
//! - Cycles, as [`Value::Up`].
//! - What only Python understands, opaque: [`Pickle`], and the class of a [`NamedTuple`].

#![forbid(unsafe_code)]

mod array;
mod compare;
mod convert;
mod data;
mod decode;
mod encode;
mod items;
mod number;
mod pickle;
mod ring;
pub mod wire;

pub use self::array::{Array, Element, Scalar, View};
pub use self::data::{Data, Text};
pub use self::encode::Payloads;
use self::items::ClassName;
pub use self::items::{Dict, Items, NamedTuple};
pub use self::number::BigInt;
pub use self::pickle::Pickle;
pub use self::wire::{DType, Field, Order};
pub use crate::error::value::{AccessError, DecodeError, EncodeError, RecvValueError, SendValueError};
use std::sync::Arc;

/// A value: a tree that borrows what is long from a message, or owns it.
///
/// Cloning is cheap and copies nothing; a clone is the same object when both are sent in one message. Trees may be of any depth.
#[derive(Clone, Default)]
#[non_exhaustive]
pub enum Value<'a> {
    /// `None`.
    #[default]
    Nil,
    /// A bool.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// An integer beyond that.
    BigInt(BigInt),
    /// A float.
    Float(f64),
    /// A complex number.
    Complex {
        /// The real part.
        re: f64,
        /// The imaginary part.
        im: f64,
    },
    /// Text.
    Str(Text<'a>),
    /// Text with lone surrogates, which Rust has no text for: in the UTF-8 of Python's `surrogatepass`.
    Surrogates(Data<'a>),
    /// Bytes.
    Bytes(Data<'a>),
    /// A bytearray.
    ByteArray(Arc<Data<'a>>),
    /// A memoryview.
    View(Arc<View<'a>>),
    /// An array of NumPy.
    Array(Arc<Array<'a>>),
    /// A scalar of NumPy.
    Scalar(Arc<Scalar<'a>>),
    /// A dtype.
    DType(Arc<DType>),
    /// A list.
    List(Items<'a>),
    /// A tuple.
    Tuple(Items<'a>),
    /// A named tuple.
    NamedTuple(NamedTuple<'a>),
    /// A dict.
    Dict(Dict<'a>),
    /// A set.
    Set(Items<'a>),
    /// A frozenset.
    FrozenSet(Items<'a>),
    /// What only Python understands.
    Pickle(Pickle<'a>),
    /// The container so many levels up: 1 is the one that holds this, 2 the one that holds that. So a cycle is told in a tree.
    Up(usize),
}

impl Value<'_> {
    /// A number for each kind.
    fn kind(&self) -> u8 {
        match self {
            Self::Nil => 0,
            Self::Bool(_) => 1,
            Self::Int(_) => 2,
            Self::BigInt(_) => 3,
            Self::Float(_) => 4,
            Self::Complex { .. } => 5,
            Self::Str(_) => 6,
            Self::Surrogates(_) => 7,
            Self::Bytes(_) => 8,
            Self::ByteArray(_) => 9,
            Self::View(_) => 10,
            Self::Array(_) => 11,
            Self::Scalar(_) => 12,
            Self::DType(_) => 13,
            Self::List(_) => 14,
            Self::Tuple(_) => 15,
            Self::NamedTuple(_) => 16,
            Self::Dict(_) => 17,
            Self::Set(_) => 18,
            Self::FrozenSet(_) => 19,
            Self::Pickle(_) => 20,
            Self::Up(_) => 21,
        }
    }
}
