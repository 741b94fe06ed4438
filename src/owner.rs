//! The name that a claimed slot carries: which participant, and which of the successive owners of that place.

const INDEX_BITS: u32 = 10;
const GENERATION_BITS: u32 = 8;

/// Bits of an owner's name.
pub const OWNER_BITS: u32 = INDEX_BITS + GENERATION_BITS;

/// Who a claimed slot belongs to: a place in the table of participants, and which of its successive owners.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner(u32);

impl Owner {
    /// The owner that is always dead: a rejected message is its.
    pub const ORPHAN: Self = Self((1 << INDEX_BITS) - 1);

    /// The participant at `index` in its `generation`, 1 to 255: so no owner is zero.
    pub const fn new(index: u32, generation: u32) -> Self {
        Self(index & ((1 << INDEX_BITS) - 1) | (generation & ((1 << GENERATION_BITS) - 1)) << INDEX_BITS)
    }

    /// The owner that [`bits`](Self::bits) gave; bits beyond are ignored.
    #[inline]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits as u32 & ((1 << OWNER_BITS) - 1))
    }

    /// As a number other than zero.
    #[inline]
    pub const fn bits(self) -> u64 {
        self.0 as u64
    }

    /// The place in the table of participants.
    pub const fn index(self) -> u32 {
        self.0 & ((1 << INDEX_BITS) - 1)
    }

    /// Which of the successive owners of that place.
    pub const fn generation(self) -> u32 {
        self.0 >> INDEX_BITS
    }
}
