//! Any bytes under a name: what is said of it is an error, or figures of a ring that lies within them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringmail::{Options, mpmc};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::LazyLock;

/// The file of a good ring, which the input changes, and its first bytes.
static GOOD: LazyLock<(String, File, [u8; 512])> = LazyLock::new(|| {
    let name = format!("fuzz-{}", std::process::id());
    // It stays open, and its name stays when the fuzzer ends: every run but the first replaces it.
    let ring = mpmc::Ring::<[u8]>::create(&name, &Options::new().capacity(5).max_len(100).participants(4)).unwrap();
    let file = File::from(ring.as_fd().try_clone_to_owned().unwrap());
    std::mem::forget(ring);
    let mut bytes = [0; 512];
    file.read_exact_at(&mut bytes, 0).unwrap();
    (name, file, bytes)
});

fuzz_target!(|bytes: &[u8]| {
    let (name, file, good) = &*GOOD;
    let mut bad = *good;
    // Three bytes a change: where in the header, and what. Magic and version stay.
    for change in bytes.chunks_exact(3) {
        let at = 12 + usize::from(u16::from_le_bytes([change[0], change[1]])) % (bad.len() - 12);
        bad[at] = change[2];
    }
    file.write_all_at(&bad, 0).unwrap();
    let listed = ringmail::list().unwrap().into_iter().find(|listed| listed.name == *name).unwrap();
    if let Ok(overview) = listed.ring {
        assert!(overview.stats.segment_len <= file.metadata().unwrap().len());
    }
});
