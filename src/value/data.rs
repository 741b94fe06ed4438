//! The bytes and text of values: borrowed from a message, or owned and shared.
//!
//! Owned bytes start at a multiple of 64, as payloads do in a message: an array's elements are aligned wherever they are.

use core::fmt;
use core::ops::Deref;
use std::sync::Arc;
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes};

/// As much as payloads are aligned to.
#[derive(Clone, FromBytes, IntoBytes, Immutable)]
#[repr(C, align(64))]
struct Line([u8; 64]);

/// Bytes: borrowed, or owned and aligned to 64. Cloning never copies them.
#[derive(Clone)]
pub struct Data<'a>(Repr<'a>);

#[derive(Clone)]
enum Repr<'a> {
    Borrowed(&'a [u8]),
    Owned(Arc<Vec<Line>>, usize),
}

impl<'a> Data<'a> {
    /// Bytes of its own: zeros, to be filled through [`to_mut`](Self::to_mut).
    ///
    /// # Panics
    ///
    /// If there is no memory for them.
    pub fn zeroed(len: usize) -> Self {
        let lines = Line::new_vec_zeroed(len.div_ceil(size_of::<Line>())).expect("memory");
        Self(Repr::Owned(Arc::new(lines), len))
    }

    /// A copy.
    ///
    /// # Panics
    ///
    /// If there is no memory for it.
    pub fn copy_of(bytes: &[u8]) -> Self {
        let mut data = Self::zeroed(bytes.len());
        data.to_mut().copy_from_slice(bytes);
        data
    }

    /// Whether the bytes are somebody else's.
    pub fn is_borrowed(&self) -> bool {
        matches!(self.0, Repr::Borrowed(_))
    }

    /// The bytes, to be changed: copied before if they are borrowed or shared.
    pub fn to_mut(&mut self) -> &mut [u8] {
        if let Repr::Borrowed(bytes) = self.0 {
            *self = Self::copy_of(bytes);
        }
        match &mut self.0 {
            Repr::Owned(lines, len) => &mut Arc::make_mut(lines).as_mut_bytes()[..*len],
            Repr::Borrowed(_) => &mut [],
        }
    }
}

impl Deref for Data<'_> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match &self.0 {
            Repr::Borrowed(bytes) => bytes,
            Repr::Owned(lines, len) => &lines.as_bytes()[..*len],
        }
    }
}

impl AsRef<[u8]> for Data<'_> {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl<'a> From<&'a [u8]> for Data<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self(Repr::Borrowed(bytes))
    }
}

impl From<Vec<u8>> for Data<'_> {
    fn from(bytes: Vec<u8>) -> Self {
        Self::copy_of(&bytes)
    }
}

impl PartialEq for Data<'_> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Data<'_> {}

impl fmt::Debug for Data<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.len() {
            ..=64 => write!(f, "b\"{}\"", self.escape_ascii()),
            len => write!(f, "b\"{}\"... ({len} bytes)", self[..32].escape_ascii()),
        }
    }
}

/// Text: borrowed, or owned. Cloning never copies it.
#[derive(Clone)]
pub struct Text<'a>(TextRepr<'a>);

#[derive(Clone)]
enum TextRepr<'a> {
    Borrowed(&'a str),
    Owned(Arc<str>),
}

impl Deref for Text<'_> {
    type Target = str;

    #[inline]
    fn deref(&self) -> &str {
        match &self.0 {
            TextRepr::Borrowed(text) => text,
            TextRepr::Owned(text) => text,
        }
    }
}

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        Self(TextRepr::Borrowed(text))
    }
}

impl From<String> for Text<'_> {
    fn from(text: String) -> Self {
        Self(TextRepr::Owned(text.into()))
    }
}

impl PartialEq for Text<'_> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Text<'_> {}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}
