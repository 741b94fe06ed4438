//! The messages: as many words as it takes, all of them told by the first.

use ringmail::zerocopy::FromZeros;
use std::ops::Range;

/// A message that knows what it must look like.
pub trait Payload: ringmail::Message + Copy + Send + Sync {
    /// The message with this number.
    fn numbered(number: u64) -> Self;
    fn words(&self) -> &[u64];
    fn words_mut(&mut self) -> &mut [u64];
    /// What the sums of messages add up to.
    fn sum_of(numbers: Range<u64>) -> u64;

    /// Its number.
    #[inline]
    fn number(&self) -> u64 {
        self.words()[0]
    }

    /// The sum of all its words: reading it is reading the message.
    #[inline]
    fn sum(&self) -> u64 {
        let words = self.words();
        if words.len() > SHORT { sum_long(words) } else { words.iter().fold(0, |sum, &word| sum.wrapping_add(word)) }
    }

    /// Writes the message with this number over this one, word by word.
    #[inline]
    fn renumber(&mut self, number: u64) {
        number_long(self.words_mut(), number);
    }

    /// Becomes the message with this number: a short one is made apart and moved in, which the compiler makes stores of.
    #[inline]
    fn become_numbered(&mut self, number: u64) {
        if self.words().len() > SHORT { self.renumber(number) } else { *self = Self::numbered(number) }
    }

    /// Fails if any word is not what the first one says.
    fn verify(&self) {
        assert!(is_numbered(self.words(), self.number()), "a message that nobody sent");
    }

    /// Writes the number at both ends, and leaves what lies between them.
    #[inline]
    fn stamp(&mut self, number: u64) {
        let words = self.words_mut();
        words[0] = number;
        words[words.len() - 1] = number;
    }

    /// Fails if it is not stamped with this number.
    #[inline]
    fn verify_stamp(&self, number: u64) {
        let words = self.words();
        assert_eq!((words[0], words[words.len() - 1]), (number, number), "a message that nobody sent whole");
    }

    /// Zeroes, made where they are to lie: long messages do not fit on a stack.
    fn boxed() -> Box<Self> {
        <Self as FromZeros>::new_box_zeroed().expect("memory for a message")
    }
}

/// Words of a message that is made and read where it is used. Longer ones by the functions below: loops over hundreds of words that the compiler
/// unrolls take it many minutes.
const SHORT: usize = 8;

#[inline(never)]
fn number_long(words: &mut [u64], number: u64) {
    words.iter_mut().zip(0..).for_each(|(word, place)| *word = number.wrapping_add(place));
}

#[inline(never)]
fn sum_long(words: &[u64]) -> u64 {
    words.iter().fold(0, |sum, &word| sum.wrapping_add(word))
}

#[inline(never)]
fn is_numbered(words: &[u64], number: u64) -> bool {
    words.iter().zip(0..).all(|(&word, place)| word == number.wrapping_add(place))
}

impl<const N: usize> Payload for [u64; N] {
    #[inline]
    fn numbered(number: u64) -> Self {
        if N <= SHORT {
            return std::array::from_fn(|place| number.wrapping_add(place as u64));
        }
        let mut message = [0; N];
        number_long(&mut message, number);
        message
    }

    #[inline]
    fn words(&self) -> &[u64] {
        self
    }

    #[inline]
    fn words_mut(&mut self) -> &mut [u64] {
        self
    }

    fn sum_of(numbers: Range<u64>) -> u64 {
        let count = u128::from(numbers.end - numbers.start);
        let numbers = count * u128::from(numbers.start) + count * count.saturating_sub(1) / 2;
        let places = (N * N.saturating_sub(1) / 2) as u128;
        (numbers * N as u128 + count * places) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_what_adding_up_gives() {
        let sum = (1000..1077).map(|number| <[u64; 5]>::numbered(number).sum()).sum::<u64>();
        assert_eq!(<[u64; 5]>::sum_of(1000..1077), sum);
        assert_eq!(<[u64; 5]>::sum_of(7..7), 0);
    }

    #[test]
    fn a_message_is_the_same_however_it_is_made() {
        let mut message = <[u64; 9]>::boxed();
        message.renumber(42);
        assert_eq!(*message, <[u64; 9]>::numbered(42));
        message.verify();
    }

    #[test]
    #[should_panic(expected = "nobody sent")]
    fn a_wrong_word_is_seen() {
        let mut message = <[u64; 9]>::numbered(42);
        message[8] += 1;
        message.verify();
    }

    #[test]
    #[should_panic(expected = "nobody sent whole")]
    fn half_a_stamp_is_seen() {
        let mut message = [0_u64; 9];
        message.stamp(3);
        message[8] = 2;
        message.verify_stamp(3);
    }
}
