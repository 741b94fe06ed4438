//! What is said of a value when it is begun, and what one is told about it.

use super::dtype::DTypeRef;

/// The order of an array's elements in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Order {
    /// The last index runs fastest.
    #[default]
    C,
    /// The first index runs fastest.
    Fortran,
}

/// What an array is, beside its elements.
#[derive(Clone, Copy, Debug)]
pub struct ArrayHeader<'a> {
    /// The type of the elements.
    pub dtype: DTypeRef<'a>,
    /// How many elements, by dimension; empty for a single one.
    pub shape: &'a [usize],
    /// In which order the payload has them.
    pub order: Order,
    /// Whether the receiver's array is to be writable.
    pub writable: bool,
}

/// What a memoryview is, beside its bytes.
#[derive(Clone, Copy, Debug)]
pub struct ViewHeader<'a> {
    /// The format of one item, as Python's `struct` has it.
    pub format: &'a str,
    /// Bytes of one item.
    pub item: usize,
    /// How many items, by dimension.
    pub shape: &'a [usize],
    /// In which order the payload has them.
    pub order: Order,
    /// Whether the receiver's view is to be writable.
    pub writable: bool,
}

/// Something that was written and whose bytes are to follow in a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The value's number, for [`Encoder::put_ref`](super::Encoder::put_ref).
    pub number: u32,
    /// The payload's number.
    pub payload: u32,
    /// Bytes of the payload.
    pub len: usize,
}

/// A named tuple that was begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Named {
    /// The value's number, for [`Encoder::put_ref`](super::Encoder::put_ref).
    pub number: u32,
    /// The class's number, for [`Encoder::begin_named_tuple`](super::Encoder::begin_named_tuple).
    pub class: u32,
}
