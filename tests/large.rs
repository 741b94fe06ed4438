//! More than fits: a message of ten gigabytes, and a file that is larger than memory. They take minutes and what room there is, so they
//! run when asked for: `cargo test --release --test large -- --ignored --test-threads 1`.

mod support;

use ringmail::{Options, spsc};
use std::fs;
use std::path::Path;
use support::Directory;

const GIB: usize = 1 << 30;

/// A word of a message: it says which message, and where in it.
fn word(number: usize, place: usize) -> u64 {
    (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(place as u64)
}

fn fill(message: &mut [u64], number: usize) {
    message.iter_mut().enumerate().for_each(|(place, at)| *at = word(number, place));
}

fn check(message: &[u64], number: usize, len: usize) {
    assert_eq!(message.len(), len);
    let wrong = message.iter().enumerate().position(|(place, &at)| at != word(number, place));
    assert_eq!(wrong, None, "the first word that is not message {number}'s");
}

/// A line of `/proc/meminfo`, in bytes.
fn memory(name: &str) -> usize {
    let text = fs::read_to_string("/proc/meminfo").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    let kib: usize = line.trim_matches([':', ' ']).split(' ').next().unwrap().parse().unwrap();
    kib << 10
}

/// Bytes that may still be written to where a path leads.
fn room(path: &Path) -> usize {
    let free = rustix::fs::statvfs(path).unwrap();
    (free.f_bavail * free.f_frsize) as usize
}

#[test]
#[ignore = "takes 10 GiB of memory"]
fn ten_gigabytes_in_one_message() {
    const LEN: usize = 10 * GIB / 8;
    let free = memory("MemAvailable");
    assert!(free > 11 * GIB, "there are {free} bytes of memory, which is not enough for this test");
    let ring = spsc::Ring::<[u64]>::anonymous(&Options::new().capacity(2).max_len(16 * GIB)).unwrap();
    let (mut tx, mut rx) = (ring.sender().unwrap(), ring.receiver().unwrap());
    let mut loan = tx.loan(LEN).unwrap();
    fill(&mut loan, 0);
    loan.commit().unwrap();
    tx.send(&[1, 2, 3]).unwrap();
    assert!(ring.stats().committed >= 10 * GIB as u64);
    check(&rx.recv().unwrap(), 0, LEN);
    assert_eq!(*rx.recv().unwrap(), [1, 2, 3]);
    // What stays is what may stay.
    assert!(ring.stats().committed <= 256 << 20, "{} bytes stayed", ring.stats().committed);
}

#[test]
#[ignore = "takes more disk than there is memory"]
fn a_file_larger_than_memory() {
    let directory = Directory::new("large");
    let path = directory.file("ring");
    let messages = memory("MemTotal") / GIB + 3;
    let free = room(&directory.0);
    assert!(
        free > (messages + 1) * GIB,
        "there are {free} bytes of disk for {messages} GiB, which is not enough for this test"
    );
    let ring = spsc::Ring::<[u64]>::create_file(&path, &Options::new().capacity(messages).max_len(GIB)).unwrap();
    let mut tx = ring.sender().unwrap();
    for number in 0..messages {
        let mut loan = tx.try_loan(GIB / 8).unwrap();
        fill(&mut loan, number);
        loan.commit().unwrap();
    }
    assert!(ring.stats().committed > memory("MemTotal") as u64);
    let mut rx = ring.receiver().unwrap();
    (0..messages).for_each(|number| check(&rx.recv().unwrap(), number, GIB / 8));
    assert!(rx.try_recv().unwrap_err().is_empty());
}
