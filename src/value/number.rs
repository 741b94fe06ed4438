//! Integers of any size.
//!
//! Invariant: two's complement, little endian, in as few bytes as will do; so equal numbers have equal bytes.

use core::fmt;

/// An integer that does not fit into an `i64`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct BigInt(Box<[u8]>);

impl BigInt {
    /// Reads two's complement, little endian; of no bytes, 0.
    pub fn from_le_bytes(bytes: &[u8]) -> Self {
        let Some(&last) = bytes.last() else { return Self(Box::new([0])) };
        let fill = if last & 0x80 != 0 { 0xff } else { 0 };
        let mut len = bytes.len();
        while len > 1 && bytes[len - 1] == fill && (bytes[len - 2] ^ fill) & 0x80 == 0 {
            len -= 1;
        }
        Self(bytes[..len].into())
    }

    /// Two's complement, little endian; at least one byte.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The number, if it fits.
    pub fn to_i128(&self) -> Option<i128> {
        let fill = if self.is_negative() { 0xff } else { 0 };
        let mut bytes = [fill; 16];
        bytes.get_mut(..self.0.len())?.copy_from_slice(&self.0);
        Some(i128::from_le_bytes(bytes))
    }

    /// The number, if it fits.
    pub fn to_u64(&self) -> Option<u64> {
        self.to_i128().and_then(|value| value.try_into().ok())
    }

    /// Whether it is below 0.
    pub fn is_negative(&self) -> bool {
        self.0.last().is_some_and(|last| last & 0x80 != 0)
    }
}

impl From<i128> for BigInt {
    fn from(value: i128) -> Self {
        Self::from_le_bytes(&value.to_le_bytes())
    }
}

impl From<u64> for BigInt {
    fn from(value: u64) -> Self {
        i128::from(value).into()
    }
}

impl fmt::Debug for BigInt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(value) = self.to_i128() {
            return write!(f, "{value}");
        }
        f.write_str("0x")?;
        self.0.iter().rev().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
