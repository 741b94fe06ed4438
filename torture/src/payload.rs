//! Messages that say who sent them and whether they are whole.
//!
//! Every word behind the header follows from the header, and the header holds a checksum of itself. So a message that is
//! made of pieces of two, or that is read before it is filled, does not match, wherever the seam is.

/// The shortest message: a header.
pub const LEAST: usize = 32;

/// Set in the number of a message that must never arrive: one that was lent and given back.
pub const NEVER: u64 = 1 << 63;

/// Whose message it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The incarnation of a sender.
    pub sender: u64,
    /// Counts its messages.
    pub seq: u64,
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

fn key(sender: u64, seq: u64, seed: u64) -> u64 {
    mix(mix(mix(sender).wrapping_add(seq)).wrapping_add(seed))
}

/// Makes `message`, all of it, that message.
pub fn write(message: &mut [u8], header: Header, seed: u32) {
    let seed = u64::from(seed) << 32 | message.len() as u64;
    let key = key(header.sender, header.seq, seed);
    for (place, value) in [header.sender, header.seq, seed, key].into_iter().enumerate() {
        message[8 * place..][..8].copy_from_slice(&value.to_le_bytes());
    }
    for (bytes, value) in message[LEAST..].chunks_mut(8).zip(fill(key)) {
        bytes.copy_from_slice(&value[..bytes.len()]);
    }
}

/// Whose message this is, as far as it can be told, and whether it is whole.
pub fn read(message: &[u8]) -> (Header, bool) {
    if message.len() < LEAST {
        return (Header { sender: 0, seq: 0 }, false);
    }
    let word = |place: usize| u64::from_le_bytes(message[8 * place..][..8].try_into().expect("eight bytes"));
    let header = Header { sender: word(0), seq: word(1) };
    let key = key(header.sender, header.seq, word(2));
    let follows = message[LEAST..].chunks(8).zip(fill(key)).all(|(bytes, value)| *bytes == value[..bytes.len()]);
    (header, word(2) as u32 as usize == message.len() && word(3) == key && follows)
}
