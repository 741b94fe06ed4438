//! Any bytes as a segment: an error, or a ring that lies within them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringmail::{OpenError, Options, mpmc, spsc};
use rustix::fs::{MemfdFlags, memfd_create};
use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::sync::LazyLock;

fn segment(bytes: &[u8]) -> OwnedFd {
    let fd = memfd_create("fuzz", MemfdFlags::CLOEXEC).expect("memory");
    let file = File::from(fd);
    file.write_all_at(bytes, 0).expect("memory");
    file.into()
}

/// A good ring of each kind, whose bytes the input changes: from nothing, no fuzzer finds a header that fits to the byte.
static GOOD: LazyLock<[Vec<u8>; 4]> = LazyLock::new(|| {
    let options = Options::new().capacity(5).max_len(100).participants(4);
    let read = |fd: std::os::fd::BorrowedFd<'_>| {
        let file = File::from(fd.try_clone_to_owned().unwrap());
        let mut bytes = vec![0; file.metadata().unwrap().len() as usize];
        file.read_exact_at(&mut bytes, 0).unwrap();
        bytes
    };
    [
        read(mpmc::Ring::<u64>::anonymous(&options).unwrap().as_fd()),
        read(mpmc::Ring::<[u8]>::anonymous(&options).unwrap().as_fd()),
        read(spsc::Ring::<u64>::anonymous(&options).unwrap().as_fd()),
        read(spsc::Ring::<[u8]>::anonymous(&options).unwrap().as_fd()),
    ]
});

macro_rules! try_open {
    ($flavour:ident, $message:ty, $value:expr, $bytes:expr) => {
        check($flavour::Ring::<$message>::from_fd(segment($bytes)).map(|ring| {
            assert!(ring.stats().segment_len <= $bytes.len() as u64);
            #[allow(unused_mut)]
            if let (Ok(mut sender), Ok(mut receiver)) = (ring.sender(), ring.receiver()) {
                // Both ends of what was promised to be there.
                for _ in 0..ring.capacity().min(1000) {
                    let _ = sender.try_send($value(ring.max_len()));
                }
                let _ = receiver.try_recv_many(usize::MAX).map(|batch| batch.iter().count());
                let _ = ring.recover();
                ring.close();
                let _ = receiver.recv_many(usize::MAX).map(|batch| batch.iter().count());
            }
        }))
    };
}

fn check(opened: Result<(), OpenError>) {
    if let Err(error) = opened {
        assert!(!error.to_string().is_empty());
    }
}

fuzz_target!(|bytes: &[u8]| {
    let (Some((&kind, rest)), zeros) = (bytes.split_first(), vec![0; 1 << 20]) else { return };
    let changed;
    let bytes = if kind & 4 != 0 {
        rest
    } else {
        // Three bytes a change: where in the first page, and what.
        let mut good = GOOD[usize::from(kind) % 4].clone();
        for change in rest.chunks_exact(3) {
            let at = usize::from(u16::from_le_bytes([change[0], change[1]])) % 4096;
            good[at] = change[2];
        }
        changed = good;
        &changed
    };
    let value = |len: usize| &zeros[..len.min(zeros.len())];
    try_open!(mpmc, u64, |_| &7, bytes);
    try_open!(mpmc, [u8], value, bytes);
    try_open!(spsc, u64, |_| &7, bytes);
    try_open!(spsc, [u8], value, bytes);
});
