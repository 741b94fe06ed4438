//! How many bodies a ring has, how far they are apart, and which of them messages take that need more than one.
//!
//! Where every slot and a few more can have a body as long as the longest message, within [`RESERVE`] of address space, they
//! have. Else bodies are shorter, and a longer message takes a **run** of them: bodies that follow each other, and so lie in
//! one piece.
//!
//! ```text
//! | 0 .. singles                       | singles .. count                                      |
//! | for messages that take one body:   | for runs: as many, but for rings of very many slots,  |
//! | one a slot and 1024 more           | and enough for the longest message at least           |
//! ```
//!
//! The two do not mix. So whatever long messages there are, and however they lie, each slot's short message has its body; and what is
//! sent short does not cut the room for long ones into pieces. (What was lent long and committed short does.)
//!
//! The stride is the creator's choice, the rest follows from it, [`SHARE`], [`SPARE`] and [`MAX_RUNS`]: a ring can be opened by a build
//! that would choose another stride, and a change of those three is a change of the layout.

use super::{MAX_BODIES_LEN, MAX_CAPACITY, MAX_PARTICIPANTS, PAGE};

/// The address space that the bodies of a ring keep to as far as they can: of the 128 TiB that a process has, a hundred
/// rings take no more than most. And a file of ext4 ends at 16 TiB.
const RESERVE: u64 = 1 << 40;

/// Half of it is for messages that take one body, half for runs.
const SHARE: u64 = RESERVE / 2;

/// Where a long body starts: where a table of pages does.
pub const BODY_ALIGN: u64 = 2 << 20;

/// More bodies than slots, so that a ring of few slots too has enough to fill a cache between the second level and the last with
/// short messages; and more than there are participants, each of whom may have one to give its memory back.
const SPARE: u64 = 1024;

/// The most bodies for runs, but that there is always room for one message: [`SHARE`] of the shortest.
const MAX_RUNS: u64 = SHARE / BODY_ALIGN;

/// The bodies of a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// How many there are.
    pub count: u64,
    /// Bytes from one to the next: a multiple of a page.
    pub stride: u64,
    /// The first so many are for messages that take one.
    pub singles: u64,
}

impl Plan {
    /// A ring without.
    pub const NONE: Self = Self { count: 0, stride: 0, singles: 0 };

    /// The bodies of a ring for messages of up to `max_len` bytes, so far apart; as far as suits, if that is for this function to say.
    /// `None` where there is no ring with such a stride: each is a multiple of a page, and either has room for the longest
    /// message and no page to spare (of 2 MiB, where it is that long), or has not.
    pub fn of(capacity: u64, participants: u64, max_len: u64, stride: Option<u64>) -> Option<Self> {
        let whole = max_len.next_multiple_of(if max_len < BODY_ALIGN { PAGE } else { BODY_ALIGN });
        let stride = stride.unwrap_or_else(|| suitable(capacity, participants, whole));
        if stride == 0 || !stride.is_multiple_of(PAGE) || (stride >= max_len && stride != whole) {
            return None;
        }
        let (singles, runs) = if stride == whole {
            (capacity + SPARE.min(SHARE / stride).max(participants), 0)
        } else {
            (capacity + SPARE, (capacity + SPARE).min(MAX_RUNS).max(max_len.div_ceil(stride)))
        };
        let count = singles + runs;
        (count.checked_mul(stride)? <= MAX_BODIES_LEN).then_some(Self { count, stride, singles })
    }
}

/// Bytes from one body to the next, in a ring whose longest message takes `whole`.
fn suitable(capacity: u64, participants: u64, whole: u64) -> u64 {
    if whole <= (SHARE / (capacity + participants)).max(BODY_ALIGN) {
        return whole;
    }
    let stride = SHARE / (capacity + SPARE);
    (stride / BODY_ALIGN * BODY_ALIGN).max(BODY_ALIGN)
}

/// No participant is without a body to give back, and every ring that may be asked for keeps within bounds.
const _: () =
    assert!(MAX_PARTICIPANTS as u64 <= SPARE && (MAX_CAPACITY + SPARE + MAX_RUNS) * BODY_ALIGN <= MAX_BODIES_LEN);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::MAX_LEN;

    #[test]
    fn every_capacity_goes_with_every_length() {
        let capacities = (0..=24).flat_map(|bits| [(1 << bits) - 1, 1 << bits, (1 << bits) + 1]);
        let lengths = (12..=34).flat_map(|bits| [(1 << bits) - 1, 1 << bits, (1 << bits) + 1, 3 << bits]);
        let (mut short, mut long) = (0, 0);
        for capacity in capacities.filter(|capacity| (1..=MAX_CAPACITY).contains(capacity)) {
            for max_len in lengths.clone().filter(|len| (4097..=MAX_LEN).contains(len)) {
                for participants in [1, 64, u64::from(MAX_PARTICIPANTS)] {
                    let plan = Plan::of(capacity, participants, max_len, None);
                    let Plan { count, stride, singles } = plan.expect("a ring");
                    assert!(singles >= capacity + participants && count >= singles);
                    assert!(count * stride <= RESERVE || stride <= BODY_ALIGN, "{capacity} x {max_len}: {plan:?}");
                    assert!(stride >= max_len || (count - singles) * stride >= max_len);
                    assert!(stride >= max_len || stride.is_multiple_of(BODY_ALIGN));
                    assert_eq!(Plan::of(capacity, participants, max_len, Some(stride)), plan);
                    *(if stride < max_len { &mut short } else { &mut long }) += 1;
                }
            }
        }
        assert!(short > 500 && long > 500, "{short}, {long}");
    }

    #[test]
    fn strides_that_make_no_ring_are_refused() {
        let of = |max_len, stride| Plan::of(4, 4, max_len, Some(stride));
        for stride in [0, 1, 4095, 6000, 16384, 1 << 63, u64::MAX, u64::MAX << 12] {
            assert_eq!(of(10_000, stride), None, "{stride}");
        }
        assert_eq!(of(10_000, 12288), Plan::of(4, 4, 10_000, None));
        assert_eq!(of(10_000, 8192), Some(Plan { count: 2 * 1028, stride: 8192, singles: 1028 }));
        // One page more than it takes is a page that no message ends in.
        assert_eq!(of(3 << 20, (3 << 20) + 4096), None);
        assert_eq!(of(3 << 20, 3 << 20), None);
        assert!(of(3 << 20, 4 << 20).is_some_and(|plan| plan.singles == plan.count));
        // The longest message fits, though that takes more bodies than there are slots.
        assert_eq!(of(MAX_LEN, 4096).map(|plan| plan.count - plan.singles), Some(MAX_LEN / 4096));
        // More than a process has.
        assert_eq!(Plan::of(MAX_CAPACITY, 4, MAX_LEN, Some(MAX_LEN)), None);
    }
}
