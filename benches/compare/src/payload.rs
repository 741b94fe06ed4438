//! The messages: as many words as it takes, all of them told by the first.

use std::ops::Range;

/// A message that knows what it must look like.
pub trait Payload: ringmail::Message + Copy + Send + Sync {
    /// The message with this number.
    fn numbered(number: u64) -> Self;
    /// Its number.
    fn number(&self) -> u64;
    /// The sum of all its words: reading it is reading the message.
    fn sum(&self) -> u64;
    /// What the sums of messages add up to.
    fn sum_of(numbers: Range<u64>) -> u64;
    /// Fails if any word is not what the first one says.
    fn verify(&self);
}

impl<const N: usize> Payload for [u64; N] {
    #[inline]
    fn numbered(number: u64) -> Self {
        std::array::from_fn(|place| number.wrapping_add(place as u64))
    }

    #[inline]
    fn number(&self) -> u64 {
        self[0]
    }

    #[inline]
    fn sum(&self) -> u64 {
        self.iter().fold(0, |sum, &word| sum.wrapping_add(word))
    }

    fn sum_of(numbers: Range<u64>) -> u64 {
        let count = u128::from(numbers.end - numbers.start);
        let numbers = count * u128::from(numbers.start) + count * count.saturating_sub(1) / 2;
        let places = (N * N.saturating_sub(1) / 2) as u128;
        (numbers * N as u128 + count * places) as u64
    }

    fn verify(&self) {
        assert_eq!(*self, Self::numbered(self[0]), "a message that nobody sent");
    }
}
