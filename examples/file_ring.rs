//! A run that is recorded into a file by one process, and looked at by another, later: also when the first one was
//! killed.
//!
//! ```sh
//! cargo run --release --example file_ring -- record run.ring   # until it is killed, or the ring is full
//! cargo run --release --example file_ring -- replay run.ring   # takes out what is in it
//! cargo run --release --example file_ring -- peek run.ring     # looks, and leaves everything as it is
//! ```
//!
//! The ring is the file: every step is in it as soon as its send has returned, without a system call. (After a power
//! cut only what was synced before is certain.) What the file takes on disk is what was sent.

use ringmail::{Options, spsc};
use std::os::unix::fs::MetadataExt;
use std::process::ExitCode;
use std::time::{Duration, Instant};

type Result = std::result::Result<(), Box<dyn std::error::Error>>;
/// How often a step comes, and how often all is written to the disk.
const STEP: Duration = Duration::from_millis(1);
const SYNC: Duration = Duration::from_secs(1);

/// One step of the run: its number, and a picture of a size that depends on it.
fn step(number: u64, into: &mut [u8]) {
    let (head, picture) = into.split_at_mut(8);
    head.copy_from_slice(&number.to_le_bytes());
    picture.iter_mut().zip(0..).for_each(|(byte, place)| *byte = (number + place) as u8);
}

fn size(number: u64) -> usize {
    8 + (number * number % 100_000) as usize
}

fn record(path: &str) -> Result {
    let options = Options::new().capacity(100_000).max_len(1 << 20);
    let ring = spsc::Ring::<[u8]>::open_or_create_file(path, &options)?;
    let mut tx = ring.sender()?;
    let (first, mut synced) = (ring.stats().sent, Instant::now());
    println!("recording from step {first} on");
    for number in first.. {
        // Not `loan`, which would wait for somebody to take something out.
        let mut loan = match tx.try_loan(size(number)) {
            Err(error) if error.is_full() => break,
            loan => loan?,
        };
        step(number, &mut loan);
        loan.commit()?;
        if synced.elapsed() >= SYNC {
            ring.sync()?;
            synced = Instant::now();
        }
        std::thread::sleep(STEP);
    }
    println!("the ring is full");
    Ok(())
}

/// Says what is in the ring.
fn say(ring: &spsc::Ring<[u8]>, path: &str) -> Result {
    let (stats, disk) = (ring.stats(), std::fs::metadata(path)?.blocks() * 512);
    println!("{} steps in {} KiB of {} KiB", stats.backlog, disk >> 10, stats.segment_len >> 10);
    Ok(())
}

fn replay(path: &str) -> Result {
    let ring = spsc::Ring::<[u8]>::open_file(path)?;
    say(&ring, path)?;
    let (mut rx, mut steps, mut next) = (ring.receiver()?, 0_u64, None);
    let mut expected = Vec::new();
    while let Ok(message) = rx.try_recv() {
        let number = message.first_chunk().map(|head| u64::from_le_bytes(*head)).ok_or("a step without a number")?;
        expected.resize(size(number), 0);
        step(number, &mut expected);
        if *message != *expected || next.is_some_and(|next| next != number) {
            return Err(format!("step {number} is not what was recorded").into());
        }
        (steps, next) = (steps + 1, Some(number + 1));
    }
    println!("{steps} steps taken out, up to {}", next.map_or("none".to_owned(), |next| (next - 1).to_string()));
    Ok(())
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let done = match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["record", path] => record(path),
        ["replay", path] => replay(path),
        ["peek", path] => spsc::Ring::open_file(path).map_err(Into::into).and_then(|ring| say(&ring, path)),
        _ => Err("allowed is `record FILE`, `replay FILE` and `peek FILE`".into()),
    };
    done.inspect_err(|error| eprintln!("file_ring: {error}")).map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS)
}
