//! Positions: where in the endless sequence of slots something happens, as lap and index in one number.
//!
//! A capacity need not be a power of two, and no division is paid for it: a position is `lap << shift | index`, where `shift`
//! is the bits an index needs. Numbers between the last index and the next lap are never positions. So positions compare
//! as they follow each other, one lap further is `+ one_lap()`, and splitting one is a shift or a mask.

/// The position arithmetic of one ring.
#[derive(Clone, Copy, Debug)]
pub struct Positions {
    capacity: u64,
    shift: u32,
    mask: u64,
}

impl Positions {
    /// For a ring of `capacity` slots, 1 to 2^24.
    pub const fn new(capacity: u64) -> Self {
        let shift = u64::BITS - (capacity - 1).leading_zeros();
        Self { capacity, shift, mask: (1 << shift) - 1 }
    }

    /// Slots of the ring.
    #[inline]
    pub const fn capacity(&self) -> u64 {
        self.capacity
    }

    /// The slot of a position. Below the capacity for every position, and below the next power of two for any number.
    #[inline]
    pub const fn index(&self, position: u64) -> usize {
        (position & self.mask) as usize
    }

    /// The lap of a position.
    #[inline]
    pub const fn lap(&self, position: u64) -> u64 {
        position >> self.shift
    }

    /// The position of slot `index` in `lap`.
    #[inline]
    pub const fn at(&self, lap: u64, index: usize) -> u64 {
        lap << self.shift | index as u64
    }

    /// The following position.
    ///
    /// The step into the next lap is a branch, predicted away, and not a conditional move: each position is computed from
    /// the last, and that chain is what bounds a side that finds its cache lines at hand.
    #[inline]
    pub const fn next(&self, position: u64) -> u64 {
        let next = position.wrapping_add(1);
        if next & self.mask == self.capacity { Self::next_lap(next, self.mask) } else { next }
    }

    /// As [`next`](Self::next), for whom has its slot's index at hand.
    #[inline(always)]
    pub const fn next_after(&self, position: u64, index: usize) -> u64 {
        if index as u64 + 1 == self.capacity { Self::next_lap(position, self.mask) } else { position.wrapping_add(1) }
    }

    #[cold]
    #[inline(never)]
    const fn next_lap(within: u64, mask: u64) -> u64 {
        (within | mask).wrapping_add(1)
    }

    /// What a whole lap adds to a position.
    #[inline]
    pub const fn one_lap(&self) -> u64 {
        1 << self.shift
    }

    /// The number after the last position of a lap, given any position of it: where [`next`](Self::next) goes on with the next lap.
    /// (Where the capacity is a power of two, it is the first position of that.)
    #[inline]
    pub const fn lap_end(&self, position: u64) -> u64 {
        (position & !self.mask).wrapping_add(self.capacity)
    }

    /// The first position of the lap after the one that ends at `lap_end`, and where that ends.
    #[inline(always)]
    pub const fn begin_lap(&self, lap_end: u64) -> (u64, u64) {
        lap_after(lap_end, self.capacity, self.one_lap())
    }

    /// How many positions `to` lies after `from`.
    #[inline]
    pub const fn distance(&self, from: u64, to: u64) -> u64 {
        // Laps have fewer bits than a word, and wrap within those.
        let laps = self.lap(to).wrapping_sub(self.lap(from)) & (u64::MAX >> self.shift);
        laps.wrapping_mul(self.capacity).wrapping_add(to & self.mask).wrapping_sub(from & self.mask)
    }

    /// How many positions come before this one: the position as users count.
    #[inline]
    pub const fn count(&self, position: u64) -> u64 {
        self.distance(0, position)
    }

    /// The position `steps` after this one; at most a lap.
    #[inline]
    pub const fn advance(&self, position: u64, steps: u64) -> u64 {
        let index = (position & self.mask) + steps;
        if index >= self.capacity {
            (self.lap(position).wrapping_add(1) << self.shift) | (index - self.capacity)
        } else {
            position.wrapping_add(steps)
        }
    }

    /// The position `steps` before this one; at most a lap.
    #[inline]
    pub const fn retreat(&self, position: u64, steps: u64) -> u64 {
        let index = position & self.mask;
        if index >= steps {
            position.wrapping_sub(steps)
        } else {
            (self.lap(position).wrapping_sub(1) << self.shift) | (index + self.capacity - steps)
        }
    }

    /// Whether `number` is a position, and from none to one lap after `from`.
    #[inline]
    pub const fn is_within_lap(&self, from: u64, number: u64) -> bool {
        self.is_valid(number) && number.wrapping_sub(from) <= self.one_lap()
    }

    /// Whether position `a` comes after `b`, as far apart as they ever are: also where numbers begin again at zero in between.
    #[inline]
    pub const fn is_after(a: u64, b: u64) -> bool {
        0 < a.wrapping_sub(b).cast_signed()
    }

    /// A number read from shared memory, made a position whatever it is: its index is below the capacity.
    #[inline]
    pub const fn sound(&self, number: u64) -> u64 {
        if self.is_valid(number) { number } else { number & !self.mask }
    }

    /// Whether a number read from shared memory can be a position.
    #[inline]
    pub const fn is_valid(&self, position: u64) -> bool {
        position & self.mask < self.capacity
    }
}

/// As [`Positions::begin_lap`]. (By single numbers: a reference would keep the position of a handle in memory.)
#[cold]
#[inline(never)]
const fn lap_after(lap_end: u64, capacity: u64, one_lap: u64) -> (u64, u64) {
    (lap_end.wrapping_sub(capacity).wrapping_add(one_lap), lap_end.wrapping_add(one_lap))
}
