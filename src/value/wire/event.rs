//! What a [`Reader`](super::Reader) finds, value by value; text and bytes are borrowed from the message.

use super::dtype::DTypeRef;
use super::header::Order;
use super::token::Tokens;

/// One value of a message, or the head of a container: its items are the next events.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event<'a> {
    /// `None`.
    Nil,
    /// A bool.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// An integer above `i64::MAX`.
    UInt(u64),
    /// An integer of any size: two's complement, little endian, at least one byte.
    BigInt(&'a [u8]),
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
    Str(&'a str),
    /// Text with lone surrogates, in the UTF-8 of Python's `surrogatepass`; unchecked.
    Surrogates(&'a [u8]),
    /// Bytes.
    Bytes(&'a [u8]),
    /// A bytearray.
    ByteArray(&'a [u8]),
    /// A memoryview.
    View(ViewRef<'a>),
    /// An array.
    Array(ArrayRef<'a>),
    /// A scalar of NumPy.
    Scalar {
        /// Its type.
        dtype: DTypeRef<'a>,
        /// Its bytes, as many as the type has.
        data: &'a [u8],
    },
    /// A dtype.
    DType(DTypeRef<'a>),
    /// A list; `len` items follow.
    List {
        /// How many.
        len: usize,
    },
    /// A tuple; `len` items follow.
    Tuple {
        /// How many.
        len: usize,
    },
    /// A named tuple; `len` items follow, one for each field of its class.
    NamedTuple {
        /// The number of its class: [`Reader::class`](super::Reader::class).
        class: u32,
        /// How many.
        len: usize,
    },
    /// A dict; `len` keys follow, each with its value after it.
    Dict {
        /// How many.
        len: usize,
    },
    /// A set; `len` items follow.
    Set {
        /// How many.
        len: usize,
    },
    /// A frozenset; `len` items follow.
    FrozenSet {
        /// How many.
        len: usize,
    },
    /// A pickle; `1 + buffers` values follow, each [`Bytes`](Self::Bytes) or [`ByteArray`](Self::ByteArray): the pickle, then its
    /// buffers.
    Pickle {
        /// How many.
        buffers: usize,
    },
    /// The value that got this number, once more: one that came before, or one that this is within.
    Ref(u32),
}

impl Event<'_> {
    /// Whether the value has a number, by which others may refer to it: numbers count from 0, in the order of events.
    #[inline]
    pub fn is_numbered(&self) -> bool {
        !matches!(
            self,
            Self::Nil
                | Self::Bool(_)
                | Self::Int(_)
                | Self::UInt(_)
                | Self::BigInt(_)
                | Self::Float(_)
                | Self::Complex { .. }
                | Self::Scalar { .. }
                | Self::DType(_)
                | Self::Ref(_)
        )
    }

    /// How many events belong to this container directly, heads of inner containers included; 0 for what is no container.
    #[inline]
    pub fn children(&self) -> usize {
        match *self {
            Self::List { len }
            | Self::Tuple { len }
            | Self::NamedTuple { len, .. }
            | Self::Set { len }
            | Self::FrozenSet { len } => len,
            Self::Dict { len } => 2 * len,
            Self::Pickle { buffers } => buffers + 1,
            _ => 0,
        }
    }
}

/// An array in a message. Its data is as long as its shape and type say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArrayRef<'a> {
    /// The type of the elements.
    pub dtype: DTypeRef<'a>,
    /// Bytes of one element.
    pub item: usize,
    /// How many elements, by dimension; empty for a single one.
    pub shape: Dims<'a>,
    /// Their order in memory.
    pub order: Order,
    /// Whether the receiver's array is to be writable.
    pub writable: bool,
    /// The elements: aligned to 64 bytes if the message is.
    pub data: &'a [u8],
}

/// A memoryview in a message. Its data is as long as its shape and item say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ViewRef<'a> {
    /// The format of one item, as Python's `struct` has it; unchecked.
    pub format: &'a str,
    /// Bytes of one item.
    pub item: usize,
    /// How many items, by dimension.
    pub shape: Dims<'a>,
    /// Their order in memory.
    pub order: Order,
    /// Whether the receiver's view is to be writable.
    pub writable: bool,
    /// The bytes: aligned to 64 if the message is.
    pub data: &'a [u8],
}

/// A shape: how many elements there are, by dimension; at most 64 dimensions.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Dims<'a> {
    bytes: &'a [[u8; 8]],
}

impl<'a> Dims<'a> {
    pub(super) fn new(bytes: &'a [[u8; 8]]) -> Self {
        Self { bytes }
    }

    /// How many dimensions.
    #[inline]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there are none: a single element.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The dimensions, first to last.
    #[inline]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = usize> + 'a {
        self.bytes.iter().map(|dim| u64::from_le_bytes(*dim) as usize)
    }

    /// The same in a `Vec`.
    pub fn to_vec(&self) -> Vec<usize> {
        self.iter().collect()
    }
}

impl core::fmt::Debug for Dims<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// The class of named tuples.
#[derive(Clone, Copy, Debug)]
pub struct Class<'a> {
    pub(super) name: &'a str,
    pub(super) fields: Tokens<'a>,
    pub(super) len: usize,
}

impl<'a> Class<'a> {
    /// `module:qualname`.
    pub fn name(&self) -> &'a str {
        self.name
    }

    /// How many fields there are.
    #[expect(clippy::len_without_is_empty, reason = "it is no container")]
    pub fn len(&self) -> usize {
        self.len
    }

    /// The names of the fields, in order.
    pub fn fields(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let mut fields = self.fields;
        core::iter::from_fn(move || fields.str())
    }
}
