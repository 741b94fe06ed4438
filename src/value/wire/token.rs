//! The tokens of MessagePack, read from a slice: each either lies within it whole or is refused.

use rmp::Marker;

/// What is left of a slice of tokens.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tokens<'a> {
    rest: &'a [u8],
}

impl<'a> Tokens<'a> {
    pub(super) fn new(rest: &'a [u8]) -> Self {
        Self { rest }
    }

    #[inline]
    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    #[inline]
    pub(super) fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(taken)
    }

    #[inline]
    pub(super) fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(*taken)
    }

    #[inline]
    pub(super) fn marker(&mut self) -> Option<Marker> {
        let [byte] = self.bytes()?;
        Some(Marker::from_u8(byte))
    }

    #[inline]
    pub(super) fn u8(&mut self) -> Option<usize> {
        Some(usize::from(u8::from_be_bytes(self.bytes()?)))
    }

    #[inline]
    pub(super) fn u16(&mut self) -> Option<usize> {
        Some(usize::from(u16::from_be_bytes(self.bytes()?)))
    }

    #[inline]
    pub(super) fn u32(&mut self) -> Option<usize> {
        Some(u32::from_be_bytes(self.bytes()?) as usize)
    }

    /// The rest of an extension whose marker was read: its type and its bytes. `None` where the marker was another, too.
    #[inline]
    pub(super) fn extension(&mut self, marker: Marker) -> Option<(i8, &'a [u8])> {
        let len = match marker {
            Marker::FixExt1 => 1,
            Marker::FixExt2 => 2,
            Marker::FixExt4 => 4,
            Marker::FixExt8 => 8,
            Marker::FixExt16 => 16,
            Marker::Ext8 => self.u8()?,
            Marker::Ext16 => self.u16()?,
            Marker::Ext32 => self.u32()?,
            _ => return None,
        };
        let kind = i8::from_be_bytes(self.bytes()?);
        Some((kind, self.take(len)?))
    }

    /// The bytes of text.
    pub(super) fn str(&mut self) -> Option<&'a str> {
        let len = match self.marker()? {
            Marker::FixStr(len) => usize::from(len),
            Marker::Str8 => self.u8()?,
            Marker::Str16 => self.u16()?,
            Marker::Str32 => self.u32()?,
            _ => return None,
        };
        core::str::from_utf8(self.take(len)?).ok()
    }

    pub(super) fn is_array(&self) -> bool {
        let first = self.rest.first().map(|&byte| Marker::from_u8(byte));
        matches!(first, Some(Marker::FixArray(_) | Marker::Array16 | Marker::Array32))
    }

    pub(super) fn array(&mut self) -> Option<u32> {
        match self.marker()? {
            Marker::FixArray(len) => Some(u32::from(len)),
            Marker::Array16 => Some(self.u16()? as u32),
            Marker::Array32 => Some(self.u32()? as u32),
            _ => None,
        }
    }

    pub(super) fn uint(&mut self) -> Option<u64> {
        match self.marker()? {
            Marker::FixPos(value) => Some(u64::from(value)),
            Marker::U8 => Some(self.u8()? as u64),
            Marker::U16 => Some(self.u16()? as u64),
            Marker::U32 => Some(self.u32()? as u64),
            Marker::U64 => Some(u64::from_be_bytes(self.bytes()?)),
            _ => None,
        }
    }

    pub(super) fn bool(&mut self) -> Option<bool> {
        match self.marker()? {
            Marker::True => Some(true),
            Marker::False => Some(false),
            _ => None,
        }
    }
}
