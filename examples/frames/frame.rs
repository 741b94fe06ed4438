//! The message: a head, and the pixels behind it.

use ringmail::zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// A frame as it lies in the ring. Its pixels are counted in words, so that no padding can follow them.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
#[zerocopy(crate = "ringmail::zerocopy")]
pub struct Frame {
    pub head: Head,
    pub pixels: [u64],
}

#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
#[zerocopy(crate = "ringmail::zerocopy")]
pub struct Head {
    pub sequence: u64,
    /// On `CLOCK_MONOTONIC`, which all processes share.
    pub sent_ns: u64,
    pub checksum: u64,
    pub format: Format,
}

/// Planes of luma and, unless there are none, two of chroma.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
#[zerocopy(crate = "ringmail::zerocopy")]
pub struct Format {
    pub width: u32,
    pub height: u32,
    /// Pixels that share a sample of chroma, across and down; zero if there is no chroma.
    pub chroma: [u16; 2],
    /// Bits of a sample; more than 8 take two bytes, the lower one first.
    pub depth: u32,
}

impl Format {
    pub fn new(width: u32, height: u32, chroma: [u16; 2], depth: u32) -> Self {
        Self { width, height, chroma, depth }
    }

    /// Columns and rows of each plane.
    pub fn planes(&self) -> [(usize, usize); 3] {
        let part =
            |side: u32, step: u16| side.checked_div_euclid(step.into()).map_or(0, |_| side.div_ceil(step.into()));
        let chroma = (part(self.width, self.chroma[0]) as usize, part(self.height, self.chroma[1]) as usize);
        [(self.width as usize, self.height as usize), chroma, chroma]
    }

    pub fn sample_len(&self) -> usize {
        if self.depth > 8 { 2 } else { 1 }
    }

    /// Bytes of a frame's pixels.
    pub fn len(&self) -> usize {
        self.planes().iter().map(|(columns, rows)| columns * rows).sum::<usize>() * self.sample_len()
    }

    pub fn words(&self) -> usize {
        self.len().div_ceil(size_of::<u64>())
    }
}

impl Frame {
    /// Writes the head once the pixels are there.
    pub fn seal(&mut self, sequence: u64, format: Format) {
        let checksum = self.checksum(sequence);
        self.head = Head { sequence, sent_ns: now_ns(), checksum, format };
    }

    /// Two sums, as Fletcher's, in eight lanes: a word that changed counts, and so does one in another place.
    pub fn checksum(&self, sequence: u64) -> u64 {
        let (mut sums, mut sums_of_sums) = ([sequence; 8], [0u64; 8]);
        let (lines, rest) = self.pixels.as_chunks::<8>();
        for line in lines {
            for lane in 0..8 {
                sums[lane] = sums[lane].wrapping_add(line[lane]);
                sums_of_sums[lane] = sums_of_sums[lane].wrapping_add(sums[lane]);
            }
        }
        let all = sums.iter().chain(&sums_of_sums).chain(rest);
        all.fold(0, |sum: u64, word| sum.rotate_left(7).wrapping_add(*word))
    }
}

/// Nanoseconds on the clock that all processes of the machine share.
pub fn now_ns() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}
