//! Bytes as `std::io` has them, between two processes: gigabytes a second, beside a pipe of the system.
//!
//! The writer writes one warm buffer again and again; the reader adds up all bytes. In a ring they are added up where
//! they lie (`BufRead`); from a pipe they must first be read into a buffer, of the same size. Each crosses once by one
//! copy, and the pipe by two, each in a system call, into pages that the kernel hands out one by one.
//!
//! In the warm-up every byte is compared; in the timed pass the sum is.

use super::{Case, Contestant, Direction, Goal, Outcome, Size};
use crate::crew::{self, Cores, Job, Mode};
use ringmail::{spsc, stream};
use std::io::{BufRead, BufReader, PipeWriter, Write};
use std::os::fd::AsRawFd;

/// Bytes of the warm-up: several passes of the ring, and of every cache.
const WARM: u64 = 64 << 20;
/// The largest pipe that an ordinary user may have.
const LARGE_PIPE: usize = 1 << 20;

fn picture(len: usize) -> Vec<u8> {
    (0..len as u32).map(|place| (place.wrapping_mul(0x9E37_79B9) >> 24) as u8).collect()
}

/// The sum of all bytes, in lanes of 16 bits: as quick as reading them.
#[inline]
fn sum(bytes: &[u8]) -> u64 {
    const EVEN: u64 = 0x00FF_00FF_00FF_00FF;
    let (words, rest) = bytes.as_chunks::<8>();
    let mut sum: u64 = rest.iter().copied().map(u64::from).sum();
    // A lane gets at most 510 from each word.
    for words in words.chunks(128) {
        let words = words.iter().map(|word| u64::from_ne_bytes(*word));
        let lanes: u64 = words.map(|word| (word & EVEN) + (word >> 8 & EVEN)).sum();
        sum += (0..4).map(|lane| lanes >> (16 * lane) & 0xFFFF).sum::<u64>();
    }
    sum
}

/// Streams `n` buffers of `len` bytes.
fn stream<W: Write, R: BufRead>(
    cores: &Cores,
    n: u64,
    len: usize,
    writer: impl FnOnce() -> W + Send + 'static,
    reader: impl FnOnce() -> R + Send + 'static,
) -> Option<Outcome> {
    let warm = WARM.div_ceil(len as u64);
    let writing: Job = Box::new(move |post| {
        let mut writer = writer();
        let picture = picture(len);
        let mut write = |count| {
            (0..count).for_each(|_| writer.write_all(&picture).expect("write"));
            writer.flush().expect("flush");
        };
        write(warm);
        post.start();
        write(n);
        post.finish();
        post.meet();
    });
    let reading: Job = Box::new(move |post| {
        let mut reader = reader();
        let picture = picture(len);
        let mut read = |total: u64, look: &mut dyn FnMut(u64, &[u8])| {
            let mut done = 0;
            while done < total {
                let bytes = reader.fill_buf().expect("read");
                let fits = bytes.len().min((total - done) as usize);
                look(done, &bytes[..fits]);
                reader.consume(fits);
                done += fits as u64;
            }
        };
        read(warm * len as u64, &mut |at, mut bytes| {
            let mut at = (at % len as u64) as usize;
            while !bytes.is_empty() {
                let (here, rest) = bytes.split_at(bytes.len().min(len - at));
                assert!(*here == picture[at..][..here.len()], "bytes that nobody wrote");
                (at, bytes) = (0, rest);
            }
        });
        let mut total = 0_u64;
        post.start();
        read(n * len as u64, &mut |_, bytes| total = total.wrapping_add(sum(bytes)));
        post.finish();
        assert_eq!(total, n.wrapping_mul(sum(&picture)), "bytes that nobody wrote");
        post.meet();
    });
    let log = crew::run(Mode::Processes, cores, vec![writing, reading])?;
    let value = n as f64 * len as f64 / log.elapsed.as_nanos() as f64;
    Some(Outcome::new(value, log))
}

fn ringmail(len: usize) -> Contestant {
    Contestant::new("ringmail stream", Mode::Processes, move |cores, n| {
        let ring = spsc::Ring::<[u8]>::anonymous(&stream::options().prefault(true)).expect("ring");
        let other = ring.clone();
        let writer = move || stream::Writer::new(ring.sender().expect("sender"));
        stream(cores, n, len, writer, move || stream::Reader::new(other.receiver().expect("receiver")))
    })
}

/// A pipe of the system, of that many bytes if told so.
fn pipe(name: &'static str, len: usize, size: Option<usize>) -> Contestant {
    Contestant::new(name, Mode::Processes, move |cores, n| {
        let (reader, writer) = std::io::pipe().expect("pipe");
        if let Some(size) = size {
            enlarge(&writer, size);
        }
        stream(cores, n, len, move || writer, move || BufReader::with_capacity(len, reader))
    })
}

#[expect(clippy::disallowed_methods, reason = "the size of a pipe is set in no other way")]
fn enlarge(pipe: &PipeWriter, size: usize) {
    // SAFETY: sets a number of the pipe.
    let set = unsafe { libc::fcntl(pipe.as_raw_fd(), libc::F_SETPIPE_SZ, size as libc::c_int) };
    assert!(set >= size as libc::c_int, "cannot enlarge a pipe: {}", std::io::Error::last_os_error());
}

pub fn cases() -> Vec<Case> {
    let case = |name, about, len| Case {
        name,
        about,
        direction: Direction::MoreIsBetter("GB/s"),
        size: Size::Fitting { first: 200, step: 1 },
        contestants: vec![ringmail(len), pipe("pipe", len, None), pipe("pipe of 1 MiB", len, Some(LARGE_PIPE))],
        goals: vec![Goal::beside(&["pipe", "pipe of 1 MiB"], 3.0)],
    };
    vec![
        case("stream-64k", "bytes in buffers of 64 KiB, two processes, beside a pipe", 64 << 10),
        case("stream-256k", "bytes in buffers of 256 KiB, two processes, beside a pipe", 256 << 10),
        case("stream-1m", "bytes in buffers of 1 MiB, two processes, beside a pipe", 1 << 20),
    ]
}
