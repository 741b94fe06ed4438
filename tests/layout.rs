//! The bytes of a ring, as `docs/layout.md` draws them. Another process may run another build: a byte that moves is a
//! break, and needs another version.

mod support;

use ringmail::zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};
use ringmail::{Message, OpenError, Options, Redelivery, mpmc, spsc};
use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::time::Duration;
use support::{Name, fork, name};

/// The bytes of a named ring.
struct Bytes(Vec<u8>);

impl Bytes {
    fn of(name: &Name) -> Self {
        Self(std::fs::read(name.path()).unwrap())
    }

    fn u32(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.0[at..at + 4].try_into().unwrap())
    }

    fn u64(&self, at: usize) -> u64 {
        u64::from_le_bytes(self.0[at..at + 8].try_into().unwrap())
    }
}

const OPTIONS: Options = Options::new()
    .capacity(5)
    .max_len(100)
    .participants(10)
    .redelivery(Redelivery::AtMost(3))
    .spin(Duration::from_micros(7))
    .keep_open(true)
    .membarrier(false);

fn mpmc_bytes<M: Message + ?Sized>(options: &Options) -> Bytes {
    let name = name("layout");
    let _ring = mpmc::Ring::<M>::create(&name, options).unwrap();
    let bytes = Bytes::of(&name);
    let _ = ringmail::unlink(&name);
    bytes
}

fn spsc_bytes<M: Message + ?Sized>(options: &Options) -> Bytes {
    let name = name("layout");
    let _ring = spsc::Ring::<M>::create(&name, options).unwrap();
    let bytes = Bytes::of(&name);
    let _ = ringmail::unlink(&name);
    bytes
}

#[test]
fn the_header_of_an_mpmc_ring() {
    let bytes = mpmc_bytes::<[u8]>(&OPTIONS);
    assert_eq!(&bytes.0[..8], b"RINGMAIL");
    assert_eq!(bytes.u32(8), 1, "version");
    assert_eq!(bytes.u32(12), 2, "flavour");
    assert_eq!((bytes.u64(16), bytes.0.len()), (12288, 12288), "segment length");
    assert_eq!(bytes.u64(24), 5, "capacity");
    assert_eq!(bytes.u64(32), 100, "longest message");
    assert_eq!(bytes.u64(40), 100, "longest message that is kept with its slot");
    assert_eq!(bytes.u64(48), 4096, "participants");
    assert_eq!(bytes.u64(56), 4096 + 10 * 64, "skips");
    assert_eq!(bytes.u64(64), 8192, "records");
    assert_eq!(bytes.u64(72), 128, "record stride");
    assert_eq!(bytes.u64(80), 8192 + 16, "payloads");
    assert_eq!(bytes.u64(88), 128, "payload stride");
    assert_eq!((bytes.u64(96), bytes.u64(104), bytes.u64(112)), (0, 0, 0), "bodies");
    assert_eq!(bytes.u32(120), 10, "places for participants");
    assert_eq!(bytes.u32(124), 1 | 2, "kept open, fenced");
    assert_eq!(bytes.u32(128), 3, "redelivery");
    assert_eq!(bytes.u32(132), 7000, "spin");
    assert_eq!((bytes.u64(136), bytes.u64(144), bytes.u64(152)), (0, 1, 1), "message: fixed part, element, alignment");
    assert_eq!(&bytes.0[160..164], b"[u8]");
    assert!(bytes.0[164..224].iter().all(|&byte| byte == 0));
    assert!(bytes.0[224..240].iter().any(|&byte| byte != 0), "identity");
    assert!(bytes.0[240..].iter().all(|&byte| byte == 0), "no bodies; an unused ring is zero behind its header");
}

#[test]
fn the_header_of_an_spsc_ring() {
    let bytes = spsc_bytes::<u64>(&Options::new().capacity(3).participants(64).membarrier(false));
    assert_eq!(bytes.u32(12), 1, "flavour");
    assert_eq!((bytes.u64(16), bytes.0.len()), (12288, 12288), "segment length");
    assert_eq!(bytes.u64(24), 3, "capacity");
    assert_eq!(bytes.u64(32), 8, "longest message");
    assert_eq!((bytes.u64(48), bytes.u64(56), bytes.u64(64)), (4096, 0, 8192), "participants, no skips, records");
    assert_eq!((bytes.u64(72), bytes.u64(80), bytes.u64(88)), (8, 8192, 8), "stride 8, payload at the start");
    assert_eq!(bytes.u32(124), 2, "fenced");
    assert_eq!(bytes.u32(128), u32::MAX, "redelivery without bound");
    assert_eq!(bytes.u32(132), 50_000, "spin");
    assert_eq!((bytes.u64(136), bytes.u64(144), bytes.u64(152)), (8, 0, 8), "message: fixed part, element, alignment");
    assert_eq!(&bytes.0[160..164], b"u64\0");
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Sample {
    time: u64,
    values: [f32; 10],
}

/// Stride of the records, and where in a record the payload starts.
fn geometry(bytes: &Bytes) -> (u64, u64) {
    let (records, record_stride, payloads, stride) = (bytes.u64(64), bytes.u64(72), bytes.u64(80), bytes.u64(88));
    assert_eq!(record_stride, stride);
    (record_stride, payloads - records)
}

#[test]
fn strides_divide_a_line_or_are_lines() {
    let of = |len| OPTIONS.max_len(len);
    assert_eq!(geometry(&mpmc_bytes::<u64>(&OPTIONS)), (16, 8));
    assert_eq!(geometry(&mpmc_bytes::<u8>(&OPTIONS)), (16, 8));
    assert_eq!(geometry(&mpmc_bytes::<[u64; 3]>(&OPTIONS)), (32, 8));
    assert_eq!(geometry(&mpmc_bytes::<Sample>(&OPTIONS)), (64, 8));
    assert_eq!(geometry(&mpmc_bytes::<[u8]>(&of(16))), (32, 16));
    assert_eq!(geometry(&mpmc_bytes::<[u8]>(&of(48))), (64, 16));
    assert_eq!(geometry(&mpmc_bytes::<[u8]>(&of(49))), (128, 16));
    assert_eq!(geometry(&mpmc_bytes::<[u8]>(&of(256))), (320, 64));
    assert_eq!(geometry(&mpmc_bytes::<[f32]>(&of(64))), (128, 64));
    assert_eq!(geometry(&mpmc_bytes::<[u64; 8]>(&OPTIONS)), (128, 64));
    assert_eq!(geometry(&mpmc_bytes::<[u64; 9]>(&OPTIONS)), (128, 8));
    assert_eq!(geometry(&mpmc_bytes::<[u64; 128]>(&OPTIONS)), (1088, 64));
    assert_eq!(geometry(&mpmc_bytes::<[u8; 4096]>(&OPTIONS)), (4160, 64));
    assert_eq!(geometry(&mpmc_bytes::<[u8; 4097]>(&OPTIONS)), (4160, 8));
    assert_eq!(geometry(&mpmc_bytes::<[u8; 4153]>(&OPTIONS)), (64, 0));
    assert_eq!(geometry(&mpmc_bytes::<[u8]>(&of(4032))), (4096, 64));
    assert_eq!(geometry(&mpmc_bytes::<[u8]>(&of(4096))), (4160, 64));
    assert_eq!(geometry(&mpmc_bytes::<[u8]>(&of(4097))), (1152, 64));
    assert_eq!(geometry(&mpmc_bytes::<[u8]>(&of(65536))), (1152, 64));
    assert_eq!(geometry(&mpmc_bytes::<[u8; 65536]>(&OPTIONS)), (64, 0));
    assert_eq!(geometry(&spsc_bytes::<u64>(&OPTIONS)), (8, 0));
    assert_eq!(geometry(&spsc_bytes::<u8>(&OPTIONS)), (8, 0));
    assert_eq!(geometry(&spsc_bytes::<Sample>(&OPTIONS)), (64, 0));
    assert_eq!(geometry(&spsc_bytes::<[u8]>(&of(8))), (16, 8));
    assert_eq!(geometry(&spsc_bytes::<[u8]>(&of(65536))), (1152, 64));
    assert_eq!(geometry(&spsc_bytes::<[u8; 65536]>(&OPTIONS)), (64, 0));
}

/// A message through a ring of that type; a debug build asserts that the type alone says how far its slots are apart.
#[cfg(debug_assertions)]
fn types_say_strides<M: Message + FromBytes>() {
    let (tx, rx) = mpmc::channel::<M>(&OPTIONS).unwrap();
    tx.send(&M::new_zeroed()).unwrap();
    assert_eq!(size_of_val(&*rx.recv().unwrap()), size_of::<M>());
}

#[test]
#[cfg(debug_assertions)]
fn the_type_says_how_far_slots_are_apart() {
    macro_rules! aligned {
        ($($name:ident $align:literal)*) => {$(
            #[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
            #[repr(C, align($align))]
            struct $name([u8; $align]);
            types_say_strides::<$name>();
            types_say_strides::<[$name; 2]>();
            types_say_strides::<[$name; 3]>();
        )*};
    }
    aligned!(To2 2 To4 4 To8 8 To16 16 To32 32 To64 64 To128 128 To256 256);
    types_say_strides::<[u8; 7]>();
    types_say_strides::<[u8; 56]>();
    types_say_strides::<[u8; 57]>();
    types_say_strides::<[u64; 15]>();
    types_say_strides::<[u8; 121]>();
    types_say_strides::<[u8; 128]>();
    types_say_strides::<[u64; 127]>();
    types_say_strides::<[u64; 128]>();
    types_say_strides::<[u64; 129]>();
}

#[test]
fn long_messages_have_bodies() {
    let name = name("bodies");
    let ring = mpmc::Ring::<[u8]>::create(&name, &OPTIONS.max_len(65536).retain(1 << 20)).unwrap();
    let (tx, rx) = (ring.sender().unwrap(), ring.receiver().unwrap());
    tx.send(&[2; 3]).unwrap();
    tx.send(&[1; 65536]).unwrap();
    let bytes = Bytes::of(&name);
    assert_eq!((bytes.u64(32), bytes.u64(40)), (65536, 1088), "longest message, longest that is kept with its slot");
    assert_eq!((bytes.u64(64), bytes.u64(80)), (8192, 8192 + 64), "records, payloads");
    // Five records of 1152 bytes, a page for the rest.
    assert_eq!(
        (bytes.u64(96), bytes.u64(104), bytes.u64(112)),
        (16384, 65536, 1 << 20),
        "bodies: table, stride, retain"
    );
    assert_eq!(bytes.u64(240), 5 + 1024, "bodies");
    assert_eq!(bytes.0.len(), (2 << 20) + 1029 * 65536, "the first body starts where a table of pages does");
    assert_eq!((bytes.u64(8192), bytes.u64(8192 + 8)), (2, 3), "ready in lap 0, length, in no body");
    assert_eq!(&bytes.0[8192 + 64..][..4], [2, 2, 2, 0]);
    assert_eq!((bytes.u64(9344), bytes.u64(9344 + 8)), (2, 1 << 36 | 65536), "ready in lap 0, body 0, length");
    assert_eq!((bytes.u64(16384), bytes.u64(16384 + 8)), (1 << 1 | 1, 65536), "body 0: of position 1, committed");
    assert!(bytes.0[2 << 20..][..65536].iter().all(|&byte| byte == 1));
    assert_eq!(
        [2048, 2056].map(|at| bytes.u64(at)),
        [1 << 47 | 65536, 65536],
        "committed to bodies, by one change; the most there was"
    );
    // Who joins may have taken a dead one's place: the first says that more may be idle than was counted, the second that it still may.
    let doubt = (2_u64 << 50).wrapping_neg() - 1;
    assert_eq!([2064, 2072, 2176].map(|at| bytes.u64(at)), [0, doubt, 0], "given back, the last look, left");
    drop(rx.recv().unwrap());
    assert!(rx.recv().unwrap().as_ptr().is_aligned_to_a_page());
    assert_eq!(Bytes::of(&name).u64(2176), 65536, "left: what the body of the acknowledged message has");
    ring.close();
}

/// How many bodies the ring has, and bytes from one to the next. Of a segment that is too long to be read.
fn bodies(capacity: usize, max_len: usize) -> (u64, u64) {
    let ring = mpmc::Ring::<[u8]>::anonymous(&OPTIONS.capacity(capacity).max_len(max_len)).unwrap();
    let mut header = [0; 512];
    File::from(ring.as_fd().try_clone_to_owned().unwrap()).read_exact_at(&mut header, 0).unwrap();
    let header = Bytes(header.to_vec());
    let start = (header.u64(96) + 16 * header.u64(240)).next_multiple_of(2 << 20);
    assert_eq!(header.u64(16), start + header.u64(240) * header.u64(104), "segment length");
    (header.u64(240), header.u64(104))
}

#[test]
fn a_message_takes_several_bodies_where_one_would_be_too_much_address_space() {
    const MIB: usize = 1 << 20;
    assert_eq!(bodies(5, 5000), (5 + 1024, 8192));
    assert_eq!(bodies(5, 3 * MIB), (5 + 1024, 4 << 20));
    // Half a TiB for as many as slots and participants, and as much again.
    assert_eq!(bodies(5, 16 << 30), (5 + 32, 16 << 30));
    assert_eq!(bodies(22, 16 << 30), (22 + 32, 16 << 30));
    assert_eq!(bodies(23, 16 << 30), (2 * (23 + 1024), 500 << 20));
    assert_eq!(bodies(4096, 125 * MIB), (4096 + 1024, 126 << 20));
    assert_eq!(bodies(4096, 127 * MIB), (2 * (4096 + 1024), 102 << 20));
    assert_eq!(bodies(4096, 16 << 30), (2 * (4096 + 1024), 102 << 20));
}

#[test]
fn a_message_in_several_bodies() {
    let name = name("runs");
    let options = OPTIONS.max_len(65536).body_stride(8192).retain(1 << 20);
    let ring = mpmc::Ring::<[u8]>::create(&name, &options).unwrap();
    let (tx, rx) = (ring.sender().unwrap(), ring.receiver().unwrap());
    tx.send(&[1; 8192]).unwrap();
    tx.send(&[2; 20000]).unwrap();
    let bytes = Bytes::of(&name);
    assert_eq!((bytes.u64(32), bytes.u64(104), bytes.u64(240)), (65536, 8192, 2 * 1029), "longest, stride, bodies");
    let table = bytes.u64(96);
    let body = |index: u64| [0, 8].map(|at| bytes.u64((table + 16 * index + at) as usize));
    assert_eq!(bytes.u64(8192 + 8), 1 << 36 | 8192, "body 0, length");
    assert_eq!(body(0), [1, 8192], "of position 0, committed");
    assert_eq!(bytes.u64(9344 + 8), 1030 << 36 | 20000, "from body 1029 on, length");
    assert_eq!([1029, 1030, 1031].map(body), [[3, 8192], [3, 8192], [3, 4096]], "of position 1, committed");
    assert_eq!(body(1032), [0; 2]);
    let first = (2 << 20) + 1029 * 8192;
    assert!(bytes.0[first..][..20000].iter().all(|&byte| byte == 2), "in one piece");
    assert_eq!(bytes.0[first + 20000], 0);
    assert_eq!(rx.recv().unwrap().len(), 8192);
    assert_eq!(rx.recv().unwrap().len(), 20000);
    assert_eq!(Bytes::of(&name).u64(2176), 8192 + 20480, "left");
    ring.close();
}

/// The stride is the creator's choice; what follows from it is looked into.
#[test]
fn a_ring_whose_bodies_do_not_follow_from_their_stride_is_refused() {
    let name = name("stride");
    let _ring = mpmc::Ring::<[u8]>::create(&name, &OPTIONS.max_len(65536).body_stride(8192)).unwrap();
    let file = File::options().read(true).write(true).open(name.path()).unwrap();
    let mut good = [0; 512];
    file.read_exact_at(&mut good, 0).unwrap();
    let open = || mpmc::Ring::<[u8]>::open(&name).map(drop);
    for (at, value) in [(104, 0_u64), (104, 4096), (104, 8193), (104, 65536), (104, 1 << 63), (240, 1029), (240, 2059)]
    {
        let mut bytes = good;
        bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
        file.write_all_at(&bytes, 0).unwrap();
        let error = open().unwrap_err();
        assert!(matches!(error, OpenError::Corrupt { .. }), "{at}: {value}: {error}");
        file.write_all_at(&good, 0).unwrap();
        open().unwrap();
    }
}

#[test]
fn what_is_left_and_given_back_is_counted() {
    let name = name("idle");
    let ring = mpmc::Ring::<[u8]>::create(&name, &OPTIONS.max_len(65536).retain(0)).unwrap();
    let (tx, rx) = (ring.sender().unwrap(), ring.receiver().unwrap());
    tx.send(&[1; 5000]).unwrap();
    drop(rx.recv().unwrap());
    let bytes = Bytes::of(&name);
    assert_eq!([2064, 2176].map(|at| bytes.u64(at)), [8192; 2], "given back, left");
    ring.close();
}

trait Page {
    fn is_aligned_to_a_page(&self) -> bool;
}

impl Page for *const u8 {
    fn is_aligned_to_a_page(&self) -> bool {
        self.addr().is_multiple_of(4096)
    }
}

/// lap 40 | attempt 4 | generation 8 | participant 10 | phase 2
const fn word(lap: u64, attempt: u64, generation: u64, participant: u64, phase: u64) -> u64 {
    lap << 24 | attempt << 20 | generation << 12 | participant << 2 | phase
}

#[test]
fn a_message_through_an_mpmc_ring() {
    let name = name("mpmc");
    let ring = mpmc::Ring::<[u8]>::create(&name, &OPTIONS).unwrap();
    let tx = ring.sender().unwrap();
    tx.send(b"abc").unwrap();
    let bytes = Bytes::of(&name);
    assert_eq!(bytes.u64(8192), word(0, 0, 0, 0, 2), "ready");
    assert_eq!(bytes.u32(8200), 3, "length");
    assert_eq!(&bytes.0[8208..8212], b"abc\0");
    let record = [1, std::process::id(), 1, 0, 1];
    assert_eq!([0, 4, 8, 12, 16].map(|at| bytes.u32(4096 + at)), record, "generation, pid, senders, receivers, last");
    assert_eq!([0, 4, 8].map(|at| bytes.u32(1792 + at)), [1, 1, 0], "changes, ever a sender, ever a receiver");

    let rx = ring.receiver().unwrap();
    let held = rx.recv().unwrap();
    let mut loan = tx.loan(2).unwrap();
    loan.copy_from_slice(b"xy");
    let bytes = Bytes::of(&name);
    assert_eq!(bytes.u64(8192), word(0, 0, 1, 0, 3), "reading");
    assert_eq!(bytes.u64(8192 + 128), word(0, 0, 1, 0, 1), "writing");
    assert_eq!(&bytes.0[8208 + 128..8208 + 130], b"xy");
    assert_eq!([8, 12].map(|at| bytes.u32(4096 + at)), [1, 1], "senders, receivers");
    held.reject();
    drop(loan);
    let bytes = Bytes::of(&name);
    assert_eq!(bytes.u64(8192), word(0, 0, 0, 1023, 3), "an orphan's");
    assert_eq!(bytes.u64(8192 + 128), word(1, 0, 0, 0, 0), "empty in the next lap");
    assert_eq!([16, 40].map(|at| bytes.u64(1920 + at)), [1, 1], "rejected, aborted");
    let held = rx.recv().unwrap();
    let bytes = Bytes::of(&name);
    assert_eq!(bytes.u64(8192), word(0, 1, 1, 0, 3), "delivered again");
    assert_eq!(bytes.u64(1920 + 8), 1, "adopted");

    // The next lap passes over the slot that is held.
    for _ in 0..4 {
        tx.send(b"").unwrap();
        drop(rx.recv().unwrap());
    }
    let bytes = Bytes::of(&name);
    assert_eq!(bytes.u64(4736), 2, "skip of slot 0: first lap that was not passed over");
    assert_eq!(bytes.u64(1024 + 384), word_of_lap(1) + 1, "one above the highest position passed over");
    assert_eq!(bytes.u64(1920 + 32), 1, "bumped");
    drop(held);
    assert_eq!(Bytes::of(&name).u64(8192), word(1, 0, 0, 0, 0));
    ring.close();
    let bytes = Bytes::of(&name);
    assert_eq!((bytes.u32(1536) & 2, bytes.u32(1664) & 2), (2, 2), "closed, in both directions");
    ringmail::unlink(&name).unwrap();
}

/// The first position of a lap, in a ring of five slots: an index takes three bits.
const fn word_of_lap(lap: u64) -> u64 {
    lap << 3
}

#[test]
fn a_message_through_an_spsc_ring() {
    let name = name("spsc");
    let ring = spsc::Ring::<[u8]>::create(&name, &OPTIONS.max_len(8)).unwrap();
    let (mut tx, mut rx) = (ring.sender().unwrap(), ring.receiver().unwrap());
    tx.send(b"abc").unwrap();
    let bytes = Bytes::of(&name);
    assert_eq!((bytes.u64(64), bytes.u64(72)), (8192, 16), "records, stride");
    assert_eq!((bytes.u32(8192), &bytes.0[8200..8204]), (3, &b"abc\0"[..]), "length, payload");
    assert_eq!([1024, 1152, 1280].map(|at| bytes.u64(at)), [1, 0, 0], "tail, head, taken");
    let message = rx.recv().unwrap();
    let bytes = Bytes::of(&name);
    assert_eq!([1024, 1152, 1280].map(|at| bytes.u64(at)), [1, 0, 1], "handed out");
    drop(message);
    let bytes = Bytes::of(&name);
    assert_eq!([1024, 1152, 1280].map(|at| bytes.u64(at)), [1, 1, 1], "acknowledged");
    for number in 0..5_u64 {
        tx.send(&number.to_le_bytes()).unwrap();
    }
    let bytes = Bytes::of(&name);
    assert_eq!(bytes.u64(1024), word_of_lap(1) + 1, "tail, in the next lap");
    assert_eq!(bytes.u64(8192 + 8), 4, "the first slot again");
    assert_eq!(bytes.u64(8192 + 4 * 16 + 8), 3);
    ringmail::unlink(&name).unwrap();
}

/// How a byte of a ring's file is locked, seen through another opening.
fn lock(name: &Name, byte: i64) -> libc::c_int {
    let file = File::options().read(true).write(true).open(name.path()).unwrap();
    // SAFETY: all zero is a valid request.
    let mut asked: libc::flock = unsafe { std::mem::zeroed() };
    (asked.l_type, asked.l_whence) = (libc::F_WRLCK as libc::c_short, libc::SEEK_SET as libc::c_short);
    (asked.l_start, asked.l_len) = (byte, 1);
    #[allow(clippy::disallowed_methods, reason = "tests look at the system from outside")]
    // SAFETY: the call reads and fills one flock.
    let done = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_GETLK, &raw mut asked) };
    assert_eq!(done, 0);
    asked.l_type.into()
}

#[test]
fn the_locks_that_prove_life() {
    const BASE: i64 = 1 << 62;
    use libc::{F_RDLCK as SHARED, F_UNLCK as FREE, F_WRLCK as OWN};
    let name = name("locks");
    let ring = spsc::Ring::<u64>::create(&name, &OPTIONS).unwrap();
    // Open, sender, receiver; participants 0 and 1, their places.
    let locks = || [0, 1, 2, 16, 17, 1 << 16, (1 << 16) + 1].map(|byte| lock(&name, BASE + byte));
    assert_eq!(locks(), [SHARED, FREE, FREE, FREE, FREE, FREE, FREE]);
    let tx = ring.sender().unwrap();
    assert_eq!(locks(), [SHARED, OWN, FREE, OWN, FREE, OWN, FREE]);
    let rx = ring.receiver().unwrap();
    assert_eq!(locks(), [SHARED, OWN, OWN, OWN, FREE, OWN, FREE]);
    drop(tx);
    assert_eq!(locks(), [SHARED, FREE, OWN, OWN, FREE, OWN, FREE]);
    drop((rx, ring));
    assert_eq!(locks(), [FREE; 7]);
    ringmail::unlink(&name).unwrap();
}

#[test]
fn what_an_spsc_receiver_leaves_for_its_successor() {
    let name = name("again");
    let ring = spsc::Ring::<u64>::create(&name, &OPTIONS).unwrap();
    let mut tx = ring.sender().unwrap();
    (0..2).for_each(|number| tx.send(&number).unwrap());
    drop(ring.receiver().unwrap().recv().unwrap());
    let taken = || {
        let bytes = Bytes::of(&name);
        [1152, 1280, 1288, 1296].map(|at| bytes.u64(at))
    };
    for attempts in 0..=3 {
        let mut rx = ring.receiver().unwrap();
        let message = rx.recv().unwrap();
        // Of a first delivery nothing is noted but that it was one.
        assert_eq!(taken(), [1, 2, attempts.min(1), attempts], "head, taken, again, attempts");
        message.reject();
    }
    assert!(ring.receiver().unwrap().try_recv().unwrap_err().is_empty());
    assert_eq!(taken()[0], 2, "head");
    assert_eq!([8, 16, 24].map(|at| Bytes::of(&name).u64(1920 + at)), [3, 4, 1], "adopted, rejected, dropped");
    ringmail::unlink(&name).unwrap();
}

#[test]
fn what_is_dropped_and_reaped_is_counted() {
    let name = name("counts");
    let ring = mpmc::Ring::<u64>::create(&name, &OPTIONS).unwrap();
    let (tx, rx) = (ring.sender().unwrap(), ring.receiver().unwrap());
    tx.send(&1).unwrap();
    (0..4).for_each(|_| rx.recv().unwrap().reject());
    assert!(rx.try_recv().unwrap_err().is_empty());
    let dead = fork(|| {
        let ring = mpmc::Ring::<u64>::open(&name).unwrap();
        let tx = ring.sender().unwrap();
        std::mem::forget(tx.loan_uninit().unwrap());
        std::mem::forget(tx);
        0
    });
    assert_eq!(dead.wait(), 0);
    ring.recover().unwrap();
    let bytes = Bytes::of(&name);
    assert_eq!([0, 8, 16, 24].map(|at| bytes.u64(1920 + at)), [1, 3, 4, 1], "reaped, adopted, rejected, dropped");
    ringmail::unlink(&name).unwrap();
}
