//! The numbers of the format: `docs/wire.md` explains each. None may change without a new [`VERSION`].

use crate::error::value::EncodeError;

/// The first byte of every value: the one that MessagePack never uses.
pub const MAGIC: u8 = 0xc1;
/// The version of the format.
pub const VERSION: u8 = 1;
/// Bytes before the structure: magic, version, flags (u16), payloads (u32), bytes of structure (u64), little endian.
pub const HEADER: usize = 16;
/// The alignment of payloads in bytes, from the start of the message.
pub const ALIGN: usize = 64;
/// From how many bytes on text and bytes are better a payload than a part of the structure: from here on it is the second copy
/// that costs, below it the padding.
pub const INLINE: usize = 1024;
/// The most dimensions an array may have: NumPy's own bound.
pub const MAX_DIMS: usize = 64;
/// How deep dtypes may be nested in dtypes.
pub const MAX_DTYPE_DEPTH: usize = 64;

/// Flags of the header.
pub mod flag {
    /// Some value refers to another: readers without it need not remember what they read.
    pub const REFS: u16 = 1;
    /// Somewhere is a pickle.
    pub const PICKLE: u16 = 2;
    /// Every flag there is.
    pub const ALL: u16 = REFS | PICKLE;
}

/// Types of MessagePack extensions.
pub mod ext {
    /// As the first item of an array: what the array really is, in one byte. See [`super::kind`].
    pub const KIND: i8 = 1;
    /// As the first item of an array: a named tuple, whose class is defined here.
    pub const CLASS: i8 = 2;
    /// As the first item of an array: a named tuple of a class that was defined before, by its number.
    pub const SAME_CLASS: i8 = 3;
    /// An integer beyond 64 bits.
    pub const BIG_INT: i8 = 4;
    /// Two 64-bit floats.
    pub const COMPLEX: i8 = 5;
    /// Text with lone surrogates.
    pub const SURROGATES: i8 = 6;
    /// A bytearray.
    pub const BYTEARRAY: i8 = 7;
    /// Text or bytes that lie in a payload.
    pub const PAYLOAD: i8 = 8;
    /// An array.
    pub const ARRAY: i8 = 9;
    /// A memoryview.
    pub const MEMORYVIEW: i8 = 10;
    /// A scalar of NumPy.
    pub const SCALAR: i8 = 11;
    /// A dtype.
    pub const DTYPE: i8 = 12;
    /// A value that was met before, by its number.
    pub const REF: i8 = 13;
}

/// What an array that starts with [`ext::KIND`] is.
pub mod kind {
    pub const TUPLE: u8 = 1;
    pub const SET: u8 = 2;
    pub const FROZENSET: u8 = 3;
    pub const PICKLE: u8 = 4;
}

/// What an [`ext::PAYLOAD`] is.
pub mod payload {
    pub const STR: u32 = 0;
    pub const BYTES: u32 = 1;
    pub const BYTEARRAY: u32 = 2;
    pub const SURROGATES: u32 = 3;
}

/// Flags of arrays, memoryviews, scalars and dtypes.
pub mod trait_flag {
    /// Elements lie in Fortran's order: the first index runs fastest.
    pub const FORTRAN: u8 = 1;
    /// The receiver may write into it.
    pub const WRITABLE: u8 = 2;
    /// The dtype is written as MessagePack, not as NumPy's short text.
    pub const STRUCTURED: u8 = 4;
}

/// Whether an array of that shape, of elements with `item` bytes each, has `len` bytes.
pub fn check_shape(shape: &[usize], item: usize, len: usize) -> Result<(), EncodeError> {
    if shape.len() > MAX_DIMS {
        return Err(EncodeError::TooLong { what: "shape", len: shape.len() as u64, max: MAX_DIMS as u64 });
    }
    let needed = bytes_of(shape.iter().copied(), item).unwrap_or(usize::MAX);
    if len == needed { Ok(()) } else { Err(EncodeError::DataLen { len, needed }) }
}

/// The next multiple of `align`, a power of two; `None` beyond the address space.
pub const fn align_up(at: usize, align: usize) -> Option<usize> {
    match at.checked_add(align - 1) {
        Some(end) => Some(end & !(align - 1)),
        None => None,
    }
}

/// Bytes of `items` elements with `item` bytes each, where that is a size an array may have: also without counting the
/// dimensions that are 0, as NumPy has it.
pub fn bytes_of(dims: impl Iterator<Item = usize>, item: usize) -> Option<usize> {
    let (mut bytes, mut empty) = (item.max(1), item == 0);
    for dim in dims {
        match dim {
            0 => empty = true,
            _ => bytes = bytes.checked_mul(dim)?,
        }
    }
    (bytes <= isize::MAX as usize).then_some(if empty { 0 } else { bytes })
}
