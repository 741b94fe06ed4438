//! Messages that say who sent them and whether they are whole.
//!
//! Every byte behind the header follows from the header, and the header holds a checksum of itself. So a message that
//! is made of pieces of two, or that is read before it is filled, does not match, wherever the seam is. There are three
//! kinds:
//!
//! | bytes | header | |
//! |---|---|---|
//! | 32 and more | four words | nothing passes by chance |
//! | 8 to 31 | one word | of what is torn inside the word, one in 16,000 passes |
//! | 0 to 7 | none | all of a length are the same, so they are counted: see [`crate::verdict`] |

/// The shortest message that says whose it is.
pub const NAMED: usize = 8;
/// The shortest message with a long header.
const LONG: usize = 32;

/// Set in the number of a message that must never arrive: one that was lent and given back.
pub const NEVER: u64 = 1 << 63;

/// Whose message it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Header {
    /// The incarnation of a sender.
    pub sender: u64,
    /// Counts its messages.
    pub seq: u64,
}

impl Header {
    /// Of a message of `len` bytes, too short to say whose it is.
    pub fn nameless(len: usize) -> Self {
        Self { sender: u64::MAX, seq: len as u64 }
    }

    /// How long a nameless message is.
    pub fn nameless_len(self) -> Option<usize> {
        (self.sender == u64::MAX && self.seq < NAMED as u64).then_some(self.seq as usize)
    }
}

/// Scrambles a number.
pub fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// What follows from a header, word by word.
fn fill(key: u64) -> impl Iterator<Item = [u8; 8]> {
    let mut state = key | 1;
    std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    })
}

fn put(rest: &mut [u8], key: u64) {
    for (bytes, value) in rest.chunks_mut(8).zip(fill(key)) {
        bytes.copy_from_slice(&value[..bytes.len()]);
    }
}

fn follows(rest: &[u8], key: u64) -> bool {
    rest.chunks(8).zip(fill(key)).all(|(bytes, value)| *bytes == value[..bytes.len()])
}

fn key(sender: u64, seq: u64, seed: u64) -> u64 {
    mix(mix(mix(sender).wrapping_add(seq)).wrapping_add(seed))
}

/// What messages of that length consist of that are too short for more.
fn nameless_key(len: usize) -> u64 {
    mix(0x5107 + len as u64)
}

/// The header in one word, from its lowest bit: sender (20), number (24), whether it must never arrive (1), length (5),
/// check.
fn short(header: Header, len: usize) -> u64 {
    let (seq, never) = (header.seq & !NEVER, header.seq >> 63);
    assert!(header.sender < 1 << 20 && seq < 1 << 24, "more than a short message can say");
    check(header.sender | seq << 20 | never << 44 | (len as u64) << 45)
}

const CHECKED: u64 = (1 << 50) - 1;

fn check(word: u64) -> u64 {
    word & CHECKED | mix(word & CHECKED) & !CHECKED
}

/// What a short header says, and how long its message is; `None` if it is none.
fn parse_short(word: u64) -> Option<(Header, usize)> {
    let header = Header { sender: word & 0xf_ffff, seq: word >> 20 & 0xff_ffff | (word >> 44 & 1) << 63 };
    (check(word) == word).then_some((header, (word >> 45 & 31) as usize))
}

/// Makes `message`, all of it, that message.
pub fn write(message: &mut [u8], header: Header, seed: u32) {
    let len = message.len();
    if len < NAMED {
        put(message, nameless_key(len));
        if header.seq & NEVER != 0 {
            message.iter_mut().for_each(|byte| *byte = !*byte);
        }
        return;
    }
    if len < LONG {
        let word = short(header, len);
        message[..8].copy_from_slice(&word.to_le_bytes());
        put(&mut message[8..], mix(word));
        return;
    }
    let seed = u64::from(seed) << 32 | len as u64;
    let key = key(header.sender, header.seq, seed);
    for (place, value) in [header.sender, header.seq, seed, key].into_iter().enumerate() {
        message[8 * place..][..8].copy_from_slice(&value.to_le_bytes());
    }
    put(&mut message[LONG..], key);
}

fn word(message: &[u8], place: usize) -> u64 {
    u64::from_le_bytes(message[8 * place..][..8].try_into().expect("eight bytes"))
}

/// Whose message this is, as far as it can be told, and whether it is whole.
pub fn read(message: &[u8]) -> (Header, bool) {
    let len = message.len();
    if len < NAMED {
        return (Header::nameless(len), follows(message, nameless_key(len)));
    }
    if len < LONG {
        return match parse_short(word(message, 0)) {
            Some((header, said)) => (header, said == len && follows(&message[8..], mix(word(message, 0)))),
            None => (Header { sender: 0, seq: 0 }, false),
        };
    }
    let header = Header { sender: word(message, 0), seq: word(message, 1) };
    let key = key(header.sender, header.seq, word(message, 2));
    let whole = word(message, 2) as u32 as usize == len && word(message, 3) == key && follows(&message[LONG..], key);
    (header, whole)
}

/// The message that a buffer begins with, if it is whole and says how long it is. The buffer is longer than any header.
pub fn find(buffer: &[u8]) -> Option<Header> {
    let long = word(buffer, 2) as u32 as usize;
    let short = parse_short(word(buffer, 0)).map_or(0, |(_, len)| len);
    [long, short].into_iter().filter(|len| (NAMED..=buffer.len()).contains(len)).find_map(|len| {
        let (header, whole) = read(&buffer[..len]);
        whole.then_some(header)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_says_what_it_can_and_no_byte_can_change() {
        for len in 0..100 {
            let mut message = vec![0xaa; len];
            let header = Header { sender: 7, seq: 123_456 };
            write(&mut message, header, 9);
            let said = if len < NAMED { Header::nameless(len) } else { header };
            assert_eq!(read(&message), (said, true), "{len} bytes");
            for at in 0..len {
                message[at] ^= 0x10;
                assert!(!read(&message).1, "byte {at} of {len}");
                message[at] ^= 0x10;
            }
            let mut never = message.clone();
            write(&mut never, Header { seq: header.seq | NEVER, ..header }, 9);
            assert!(len == 0 || read(&never) != (said, true), "{len} bytes that must never arrive");
            message.resize(200, 0);
            assert_eq!(find(&message), (len >= NAMED).then_some(header), "{len} bytes in a buffer");
        }
    }
}
