//! Messages longer than a body take several that follow each other. Here bodies are short, by an option that is for tests alone, so that
//! no gigabytes need be sent.

#[macro_use]
mod support;

use ringmail::{Options, TrySendError};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;
use support::{Directory, Process, Seeded, memory, role, say, watchdog};

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

/// Bytes of a body.
const STRIDE: usize = 64 * KIB;

/// Bytes of three bodies, and some.
const LONG: usize = 3 * STRIDE + 5000;

/// A ring of messages that take up to twenty bodies.
const fn options(capacity: usize, retain: usize) -> Options {
    Options::new().capacity(capacity).max_len(20 * STRIDE).body_stride(STRIDE).retain(retain).participants(8)
}

/// A message that says which it is in every byte, and where in each page.
fn message(number: usize, len: usize) -> Vec<u8> {
    let mut message = vec![number as u8; len];
    for (page, bytes) in message.chunks_exact_mut(4096).enumerate() {
        bytes[..8].copy_from_slice(&(number << 32 | page).to_le_bytes());
    }
    message
}

/// What so many bytes take: whole pages.
const fn pages(len: usize) -> u64 {
    len.next_multiple_of(4096) as u64
}

/// Bytes next to the ends of bodies.
fn lengths() -> impl Iterator<Item = usize> {
    (1..=6)
        .flat_map(|bodies| [-4097, -4096, -1, 0, 1, 4096, 4097].map(|more| (bodies * STRIDE).wrapping_add_signed(more)))
}

/// Set when it goes, also in a panic.
struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

both! {
    type Ring = flavour::Ring<[u8]>;

    #[test]
    fn child() {
        let Some((role, args)) = role() else { return };
        if role == "full" {
            return full(&args[0]);
        }
        let ring = Ring::open(&args[0]).unwrap();
        match role.as_str() {
            "die-holding" => {
                let mut rx = ring.receiver().unwrap();
                let held = rx.recv().unwrap();
                assert!(*held == *message(0, LONG));
                say("holding");
                loop { std::thread::park(); }
            }
            "die-lending" => {
                let mut tx = ring.sender().unwrap();
                let mut loan = tx.loan(LONG).unwrap();
                loan.fill(1);
                say("lending");
                loop { std::thread::park(); }
            }
            _ => unreachable!("{role}"),
        }
    }

    #[test]
    fn messages_around_the_ends_of_bodies_are_whole() {
        let ring = Ring::anonymous(&options(6, MIB)).unwrap();
        let dense = ring.stats().committed;
        let (mut tx, mut rx) = (ring.sender().unwrap(), ring.receiver().unwrap());
        let lengths: Vec<_> = lengths().chain([0, 1088, 1089, 20 * STRIDE]).collect();
        let sent = |number: usize| message(number, lengths[number % lengths.len()]);
        let (mut first, mut next) = (0, 0);
        // With one to six in the ring, of all lengths beside each other.
        for in_flight in (1..=6).cycle().take(60) {
            while next - first < in_flight {
                tx.try_send(&sent(next)).unwrap();
                next += 1;
            }
            while next - first > in_flight / 2 {
                assert!(*rx.try_recv().unwrap() == *sent(first), "message {first}");
                first += 1;
            }
        }
        while first < next {
            assert!(*rx.try_recv().unwrap() == *sent(first), "message {first}");
            first += 1;
        }
        let stats = ring.stats();
        assert!(first > lengths.len() && stats.in_use == dense && stats.committed <= dense + MIB as u64, "{stats:?}");
        let error = tx.try_send(&vec![0; 20 * STRIDE + 1]).unwrap_err();
        assert_eq!(error, TrySendError::TooLarge { len: 20 * STRIDE + 1, max: 20 * STRIDE });
    }

    #[test]
    fn a_run_has_the_memory_that_its_message_takes() {
        let ring = Ring::anonymous(&options(4, 64 * MIB)).unwrap();
        let dense = ring.stats().committed;
        let (mut tx, mut rx) = (ring.sender().unwrap(), ring.receiver().unwrap());
        let mut most = 0;
        for len in lengths().filter(|&len| len > STRIDE) {
            tx.send(&message(1, len)).unwrap();
            let stats = ring.stats();
            assert_eq!((stats.backlog, stats.in_use >= dense + pages(len)), (1, true), "{len} bytes: {stats:?}");
            // Each takes what the last one left, and no more than it lacks.
            most = most.max(pages(len));
            assert_eq!((stats.committed, memory(&ring)), (dense + most, dense + most), "{len} bytes");
            assert!(*rx.recv().unwrap() == *message(1, len));
            assert_eq!((ring.stats().in_use, ring.stats().committed), (dense, dense + most));
        }
        // Two at once lie side by side.
        tx.send(&message(1, LONG)).unwrap();
        tx.send(&message(2, LONG)).unwrap();
        let first = rx.recv().unwrap().as_ptr().addr();
        let second = rx.recv().unwrap().as_ptr().addr();
        assert_eq!(second.abs_diff(first), 4 * STRIDE);
    }

    #[test]
    fn what_is_not_retained_of_a_run_is_given_back() {
        for retain in [0, STRIDE, 3 * STRIDE, 5 * STRIDE] {
            let ring = Ring::anonymous(&options(4, retain)).unwrap();
            let dense = ring.stats().committed;
            let (mut tx, mut rx) = (ring.sender().unwrap(), ring.receiver().unwrap());
            for lap in 0..5 {
                (0..3).for_each(|number| tx.send(&message(number, LONG)).unwrap());
                assert!(ring.stats().in_use >= dense + 3 * pages(LONG));
                for number in 0..3 {
                    assert!(*rx.recv().unwrap() == *message(number, LONG), "message {number} of lap {lap}");
                    let stats = ring.stats();
                    assert!(stats.committed - stats.in_use <= retain as u64, "{stats:?}");
                }
                assert_eq!(ring.stats().in_use, dense);
                assert_eq!(memory(&ring), ring.stats().committed);
            }
            // An eighth may go with it.
            assert!(ring.stats().committed - dense >= (retain / 8 * 7 / 4096 * 4096) as u64, "{:?}", ring.stats());
            drop(tx.loan(LONG).unwrap());
            drop((tx, rx));
            assert!(ring.stats().committed - dense <= retain as u64);
        }
    }

    #[test]
    fn what_a_shortened_message_does_not_need_is_given_up_before_it_is_sent() {
        const LENT: usize = 5 * STRIDE;
        for retain in [0, 64 * MIB] {
            let ring = Ring::anonymous(&options(3, retain)).unwrap();
            let dense = ring.stats().committed;
            let (mut tx, mut rx) = (ring.sender().unwrap(), ring.receiver().unwrap());
            for len in lengths().filter(|&len| len <= LENT).chain([0, 1, 1088, 1089, 5000]) {
                let mut loan = tx.loan(LENT).unwrap();
                assert_eq!(ring.stats().in_use, dense + LENT as u64);
                loan[..len].copy_from_slice(&message(7, len));
                loan.commit_len(len).unwrap();
                let needed = len.div_ceil(STRIDE).max(1) * STRIDE;
                let stats = ring.stats();
                assert_eq!(stats.in_use, dense + needed as u64, "{len} bytes");
                let stays = if retain == 0 { needed } else { LENT };
                assert_eq!(stats.committed, dense + stays as u64, "{len} bytes");
                // What is over is anybody's now: the next message lies in it.
                let more = LENT - needed;
                if more > STRIDE {
                    tx.send(&message(8, more)).unwrap();
                    assert_eq!(ring.stats().committed, dense + LENT as u64, "{len} bytes");
                }
                assert!(*rx.recv().unwrap() == *message(7, len), "{len} bytes");
                assert!(more <= STRIDE || *rx.recv().unwrap() == *message(8, more), "{len} bytes");
                let stats = ring.stats();
                assert_eq!(stats.in_use, dense);
                assert!(retain > 0 || stats.committed == dense, "{len} bytes: {stats:?}");
            }
        }
    }

    #[test]
    fn a_dropped_loan_of_a_run_costs_nothing() {
        let ring = Ring::anonymous(&options(40, 0)).unwrap();
        let dense = ring.stats().committed;
        let (mut tx, mut rx) = (ring.sender().unwrap(), ring.receiver().unwrap());
        for _ in 0..30 {
            drop(tx.try_loan(LONG).unwrap());
            assert_eq!((ring.stats().in_use, ring.stats().committed), (dense, dense));
        }
        tx.try_send(&message(3, LONG)).unwrap();
        assert!(*rx.try_recv().unwrap() == *message(3, LONG));
    }

    #[test]
    fn when_no_run_is_left_short_messages_have_room() {
        // The bodies for runs, 1034, are enough for three of these.
        const LEN: usize = 300 * 4096;
        let options = Options::new().capacity(10).max_len(LEN).body_stride(4096).retain(64 * MIB).participants(8);
        let ring = Ring::anonymous(&options).unwrap();
        let dense = ring.stats().committed;
        let (mut tx, mut rx) = (ring.sender().unwrap(), ring.receiver().unwrap());
        for lap in 0..3 {
            (0..3).for_each(|number| tx.try_send(&message(number, LEN - number)).unwrap());
            for _ in 0..20 {
                assert_eq!(tx.try_send(&message(9, LEN)), Err(TrySendError::NoSpace { needed: LEN }), "lap {lap}");
            }
            // What is left of them is enough for a shorter one; and the others are for those that take one.
            tx.try_send(&message(3, 100 * 4096)).unwrap();
            (4..7).for_each(|number| tx.try_send(&message(number, 4096)).unwrap());
            assert_eq!(ring.stats().in_use, dense + pages(LEN) * 3 + 103 * 4096);
            assert!(*rx.try_recv().unwrap() == *message(0, LEN));
            tx.try_send(&message(7, LEN)).unwrap();
            for number in 1..3 {
                assert!(*rx.try_recv().unwrap() == *message(number, LEN - number));
            }
            for (number, len) in [(3, 100 * 4096), (4, 4096), (5, 4096), (6, 4096), (7, LEN)] {
                assert!(*rx.try_recv().unwrap() == *message(number, len), "message {number} of lap {lap}");
            }
            assert_eq!((ring.stats().backlog, ring.stats().in_use), (0, dense));
        }
    }

    #[test]
    fn runs_of_the_dead_are_used_again() {
        let name = support::name("runs");
        let ring = Ring::create(&name, &options(3, 64 * MIB).keep_open(true)).unwrap();
        let dense = ring.stats().committed;
        for _ in 0..6 {
            let mut tx = ring.sender().unwrap();
            tx.send(&message(0, LONG)).unwrap();
            drop(tx);
            let mut holder = Process::start(CHILD, "die-holding", &[&name]);
            holder.expect("holding");
            let mut lender = Process::start(CHILD, "die-lending", &[&name]);
            lender.expect("lending");
            lender.kill();
            holder.kill();
            let mut rx = ring.receiver().unwrap();
            let again = rx.recv().unwrap();
            assert!(*again == *message(0, LONG));
            assert_eq!(again.redelivered(), 1);
            drop(again);
            assert!(rx.try_recv().is_err());
        }
        let (mut tx, mut rx) = (ring.sender().unwrap(), ring.receiver().unwrap());
        for lap in 0..3 {
            let sent = (0..3).take_while(|&number| tx.try_send(&message(number, LONG)).is_ok()).count();
            assert_eq!(tx.try_send(&message(0, LONG)), Err(TrySendError::Full));
            assert!(sent == 3 || lap == 0, "{sent} in lap {lap}");
            (0..sent).for_each(|number| assert!(*rx.recv().unwrap() == *message(number, LONG)));
        }
        let stats = ring.stats();
        assert_eq!(stats.in_use, dense);
        assert!(stats.high_water - dense <= 12 * 4 * STRIDE as u64, "{stats:?}");
        ring.close();
    }

    #[test]
    fn memory_for_a_run_is_there_from_the_start_if_so_asked() {
        let of = |retain| Ring::anonymous(&options(3, retain).prefault(true)).unwrap();
        let dense = of(MIB).stats().committed;
        let ring = of(20 * STRIDE);
        assert_eq!(ring.stats().committed, dense + 20 * STRIDE as u64);
        let (mut tx, mut rx) = (ring.sender().unwrap(), ring.receiver().unwrap());
        tx.send(&message(1, 20 * STRIDE)).unwrap();
        assert_eq!(ring.stats().committed, dense + 20 * STRIDE as u64);
        assert!(*rx.recv().unwrap() == *message(1, 20 * STRIDE));
    }

    #[test]
    fn rings_for_any_length_are_short_enough_for_a_hundred_in_one_process() {
        let options = Options::new().capacity(64).max_len(16 << 30).participants(8);
        let rings: Vec<_> = (0..100).map(|_| Ring::anonymous(&options).unwrap()).collect();
        assert!(rings.iter().all(|ring| ring.max_len() == 16 << 30 && ring.stats().committed < MIB as u64));
        // They are really there.
        let (mut tx, mut rx) = (rings[99].sender().unwrap(), rings[99].receiver().unwrap());
        tx.send(&message(1, MIB)).unwrap();
        assert!(*rx.recv().unwrap() == *message(1, MIB));
    }

    #[test]
    fn a_full_file_system_is_an_error_of_one_long_message() {
        let directory = Directory::new(CHILD);
        let mut child = Process::start_to_mount(CHILD, "full", &[directory.text()]);
        child.expect("done");
        child.finish();
    }

    fn full(directory: &str) {
        if !support::mount::has_small_file_system(directory) {
            return;
        }
        let directory = Path::new(directory);
        let options = Options::new().capacity(16).max_len(64 * MIB).body_stride(MIB).participants(8);
        let path = PathBuf::from(directory).join("ring");
        let ring = Ring::create_file(&path, &options).unwrap();
        let dense = ring.stats().committed;
        let (mut tx, mut rx) = (ring.sender().unwrap(), ring.receiver().unwrap());
        tx.send(&message(0, 4 * MIB)).unwrap();
        tx.send(&message(1, 4 * MIB + 1)).unwrap();
        let committed = ring.stats().committed;
        for _ in 0..40 {
            let error = tx.try_send(&vec![0; 10 * MIB]).unwrap_err();
            assert_eq!(error, TrySendError::NoSpace { needed: 10 * MIB });
            assert_eq!(ring.stats().committed, committed, "nothing is taken in vain");
        }
        tx.try_send(&message(2, 4 * MIB)).unwrap();
        tx.try_send(&message(3, 100)).unwrap();
        for (number, len) in [(0, 4 * MIB), (1, 4 * MIB + 1), (2, 4 * MIB), (3, 100)] {
            assert!(*rx.try_recv().unwrap() == *message(number, len), "message {number}");
        }
        // What is idle makes room, be it where the run is to lie or elsewhere.
        for (number, len) in [(4, 10 * MIB), (5, MIB), (6, MIB), (7, 14 * MIB), (8, 3 * MIB)] {
            tx.try_send(&message(number, len)).unwrap();
            assert!(*rx.recv().unwrap() == *message(number, len), "message {number}");
        }
        assert_eq!(ring.stats().in_use, dense);
        assert_eq!(memory(&ring), ring.stats().committed);
        drop((tx, rx, ring));
        std::fs::remove_file(path).unwrap();
        share(directory);
        say("done");
    }

    /// While somebody else takes much of the file system and gives it back, it is full in the middle of a run.
    fn share(directory: &Path) {
        const LEN: usize = 12 * MIB;
        let options = Options::new().capacity(2).max_len(64 * MIB).body_stride(MIB).retain(0).participants(8);
        let ring = Ring::create_file(directory.join("shared"), &options).unwrap();
        let dense = ring.stats().committed;
        let (mut tx, mut rx) = (ring.sender().unwrap(), ring.receiver().unwrap());
        let (sent, other) = (message(5, LEN), directory.join("other"));
        let (done, mut refused, mut received) = (AtomicBool::new(false), 0, 0);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut seeded = Seeded(0x1234_5678_9abc_def1);
                while !done.load(Relaxed) {
                    let _ = std::fs::write(&other, vec![1; 9 * MIB]);
                    let _ = std::fs::remove_file(&other);
                    std::thread::sleep(Duration::from_millis(seeded.below(16) as u64));
                }
            });
            let _done = Done(&done);
            while refused < 20 || received < 5 {
                match tx.try_send(&sent) {
                    Ok(()) => {
                        assert!(*rx.try_recv().unwrap() == *sent);
                        received += 1;
                    }
                    Err(error) => {
                        assert_eq!(error, TrySendError::NoSpace { needed: LEN });
                        refused += 1;
                    }
                }
                // However far it came.
                let stats = ring.stats();
                assert_eq!((stats.backlog, stats.committed), (0, dense), "{stats:?}");
            }
        });
        tx.try_send(&sent).unwrap();
        assert!(*rx.try_recv().unwrap() == *sent);
    }
}

/// A ring of 1028 bodies for single messages and as many for runs, of which a message may take more than half.
fn ring_of_pages(retain: usize) -> ringmail::mpmc::Ring<[u8]> {
    let options = Options::new().capacity(4).max_len(600 * PAGE).body_stride(PAGE).participants(8).retain(retain);
    ringmail::mpmc::Ring::anonymous(&options).unwrap()
}

const PAGE: usize = 4096;

#[test]
fn who_was_refused_does_not_wait_on_the_dead() {
    let ring = ring_of_pages(0);
    let (tx, rx) = (ring.sender().unwrap(), ring.receiver().unwrap());
    let long = vec![1; 600 * PAGE];
    tx.try_send(&long).unwrap();
    let held = rx.try_recv().unwrap();
    let refused = Err(TrySendError::NoSpace { needed: long.len() });
    assert_eq!(tx.try_send(&long), refused, "two do not fit");
    drop(held);
    // In the middle of what is free now somebody died giving memory back, whose place is another's by now: owner 1023 is always dead.
    let file = std::fs::File::from(ring.as_fd().try_clone_to_owned().unwrap());
    let mut header = [0; 256];
    file.read_exact_at(&mut header, 0).unwrap();
    let at = |offset: usize| u64::from_le_bytes(header[offset..][..8].try_into().unwrap());
    let (table, bodies) = (at(96), at(240));
    assert_eq!(bodies, 2 * 1028, "bodies for single messages, and as many for runs");
    file.write_all_at(&(1023_u64 << 2 | 2).to_le_bytes(), table + 16 * (1028 + 500)).unwrap();
    tx.try_send(&long).unwrap();
    assert!(*rx.try_recv().unwrap() == *long);
}

#[test]
fn a_refusal_for_want_of_a_place_leaves_what_is_warm() {
    let ring = ring_of_pages(64 * MIB);
    let (tx, rx) = (ring.sender().unwrap(), ring.receiver().unwrap());
    let send = |pages: usize| tx.try_send(&vec![1; pages * PAGE]);
    let receive = || rx.try_recv().unwrap().into_owned();
    let _held: Vec<_> = (0..3).map(|_| send(300).map(|()| receive()).unwrap()).collect();
    // Of the 128 bodies that are left for runs 120 have memory, and 16 of those for single messages: more than is asked for then.
    [&[120; 1][..], &[1; 16]].concat().into_iter().for_each(|pages| drop(send(pages).map(|()| receive()).unwrap()));
    let before = ring.stats().committed;
    for _ in 0..3 {
        assert_eq!(send(130), Err(TrySendError::NoSpace { needed: 130 * PAGE }));
        assert_eq!(ring.stats().committed, before);
    }
}

/// Descriptions may claim that every slot has a run of all bodies: to go over them all, for one acknowledgement, would take minutes.
#[test]
fn what_descriptions_claim_is_not_gone_over_for_ever() {
    const CAPACITY: usize = 1 << 16;
    const LONGEST: usize = 4 << 30;
    let options = Options::new().capacity(CAPACITY).max_len(LONGEST).body_stride(4096);
    let ring = ringmail::spsc::Ring::<[u8]>::anonymous(&options).unwrap();
    let (mut tx, mut rx) = (ring.sender().unwrap(), ring.receiver().unwrap());
    for _ in 0..CAPACITY {
        tx.send(&[1]).unwrap();
        drop(rx.recv().unwrap());
    }
    tx.send(&[2]).unwrap();
    let message = rx.recv().unwrap();
    assert_eq!(*message, [2]);
    // Somebody out of line says that every slot has a message in a run of all bodies, and that none is acknowledged.
    let file = File::from(ring.as_fd().try_clone_to_owned().unwrap());
    let number = |at| {
        let mut bytes = [0; 8];
        file.read_exact_at(&mut bytes, at).unwrap();
        u64::from_le_bytes(bytes)
    };
    let (records, stride) = (number(64), number(72));
    let description = (1_u64 << 36 | LONGEST as u64).to_le_bytes();
    for slot in 0..CAPACITY as u64 {
        file.write_all_at(&description, records + slot * stride).unwrap();
    }
    file.write_all_at(&(number(1024) - CAPACITY as u64).to_le_bytes(), 1152).unwrap();
    let _watchdog = watchdog("an acknowledgement");
    drop(message);
    tx.send(&[3]).unwrap();
    assert_eq!(*rx.recv().unwrap(), [3]);
}
