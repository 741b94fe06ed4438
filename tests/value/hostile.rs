//! Any bytes: an error, or a value that can be written again; never a panic, never more memory than the message is worth.

use super::random::Chance;
use ringmail::value::wire::Reader;
use ringmail::value::{Data, Value};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The system's allocator, and how much each thread has of it, at most.
struct Counting;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static MOST: Cell<isize> = const { Cell::new(0) };
}

fn count(change: isize) {
    // A thread that ends may have no counters any more.
    let held = HELD.try_with(|held| {
        held.set(held.get() + change);
        held.get()
    });
    let _ = held.map(|held| MOST.try_with(|most| most.set(most.get().max(held))));
}

// SAFETY: all work is the system's; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(start, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller's promise.
        unsafe { System.alloc_zeroed(layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How many bytes `work` had at once, at most, and what it made.
fn most<T>(work: impl FnOnce() -> T) -> (usize, T) {
    let before = HELD.get();
    MOST.set(before);
    let made = work();
    ((MOST.get() - before) as usize, made)
}

/// Bytes of memory that a byte of message may cost, and what any message may.
const WORTH: usize = 300;
const FIXED: usize = 4096;

/// Whether it is a value; and if so, that it stays one.
fn check(message: &[u8]) -> bool {
    let (memory, owned) = most(|| Value::decode_owned(message));
    assert!(memory <= WORTH * message.len() + FIXED, "{memory} bytes for {}", message.len());
    let borrowed = Value::decode(message);
    match (owned, borrowed) {
        (Ok(owned), Ok(borrowed)) => {
            let again = owned.encode().unwrap();
            assert!(again.len() <= 64 * message.len() + FIXED, "{} bytes of {}", again.len(), message.len());
            assert_eq!(borrowed.encode().unwrap(), again);
            assert_eq!(Value::decode(&again).unwrap().encode().unwrap(), again);
            let _ = format!("{owned:?}");
            true
        }
        (Err(owned), Err(borrowed)) => {
            assert_eq!(owned, borrowed);
            assert!(!owned.to_string().is_empty());
            false
        }
        (owned, borrowed) => panic!("{owned:?} and {borrowed:?}"),
    }
}

#[test]
fn changed_messages() {
    let (mut values, mut errors) = (0, 0);
    let mut chance = Chance::new(1);
    for seed in 0..1000 {
        let good = Chance::new(seed).value(&mut 12, 0, &mut vec![]).encode().unwrap();
        for _ in 0..100 {
            let mut bad = good.to_vec();
            // Changes where the structure is, mostly: payloads may be anything as they are.
            let len = u64::from_le_bytes(bad[8..16].try_into().unwrap()) as usize;
            for _ in 0..=chance.below(4) {
                let at = match chance.below(8) {
                    0 => chance.below(16),
                    1 => chance.below(bad.len()),
                    _ => 16 + chance.below(len),
                };
                match chance.below(4) {
                    0 => bad[at] = chance.next() as u8,
                    1 => bad[at] ^= 1 << chance.below(8),
                    2 => bad[at] = [0, 1, 0x7f, 0x80, 0xff, 0xc7, 0xd4, 0xd6, 0xdd, 0xdf][chance.below(10)],
                    _ => bad[at] = bad[chance.below(good.len())],
                }
            }
            if chance.below(10) == 0 {
                bad.truncate(chance.below(bad.len()));
            }
            let bad = Data::from(bad);
            if check(&bad) { values += 1 } else { errors += 1 }
        }
    }
    assert!(values > 10_000 && errors > 30_000, "{values} values, {errors} errors");
}

#[test]
fn invented_structures() {
    let (mut values, mut errors) = (0, 0);
    let mut chance = Chance::new(2);
    for _ in 0..100_000 {
        let len = 1 + chance.below(24);
        let mut message = vec![0xc1, 1, 3, 0, 0, 0, 0, 0, len as u8, 0, 0, 0, 0, 0, 0, 0];
        for _ in 0..len {
            let byte = chance.next() as u8;
            message.push(match chance.below(4) {
                0 => byte % 16,
                1 => 0x80 | (byte % 32),
                2 => 0xc0 | (byte % 32),
                _ => byte,
            });
        }
        if check(&message) { values += 1 } else { errors += 1 }
    }
    assert!(values > 2000 && errors > 10_000, "{values} values, {errors} errors");
}

/// A message with this structure.
fn message(flags: u8, structure: &[u8]) -> Vec<u8> {
    [&[0xc1, 1, flags, 0, 0, 0, 0, 0][..], &(structure.len() as u64).to_le_bytes(), structure].concat()
}

#[test]
fn long_promises_reserve_nothing() {
    for head in [0xdd_u8, 0xdf, 0xc6, 0xdb, 0xc9] {
        let hostile = message(0, &[&[head][..], &[0xff; 4], &[0xc0; 100]].concat());
        let (memory, decoded) = most(|| Value::decode(&hostile).map(drop));
        assert!(decoded.is_err() && memory < FIXED, "{memory}");
    }
    // Each list announces as many as are left.
    let mut structure = vec![];
    for level in 0..1000_u32 {
        structure.push(0xdd);
        structure.extend((5995 - 5 * level).to_be_bytes());
    }
    structure.resize(6000, 0xc0);
    check(&message(0, &structure));
}

#[test]
fn depth_and_sharing_cost_no_more_than_length() {
    // As deep as it is long.
    let deep = message(0, &[vec![0x91; 200_000], vec![0xc0]].concat());
    assert!(check(&deep));
    // Each list twice the one before: 2^10,000 leaves.
    let mut structure = vec![0xdd, 0, 0, 0x27, 0x10, 0x90];
    for number in 1..10_000_u32 {
        structure.extend([0x92, 0xd6, 13]);
        structure.extend((number).to_le_bytes());
        structure.extend([0xd6, 13]);
        structure.extend((number).to_le_bytes());
    }
    assert!(check(&message(1, &structure)));
    // The deepest way goes through references alone.
    let value = Value::decode_owned(&message(1, &structure)).unwrap();
    let last = value.as_items().unwrap().last().unwrap().clone();
    drop(value);
    assert_eq!(last, last.clone());
    drop(last);
}

#[test]
fn one_long_text_a_thousand_times() {
    let long = Value::from("x".repeat(100_000));
    let value = Value::list(vec![long; 1000]);
    let bytes = value.encode().unwrap();
    assert!(bytes.len() < 120_000);
    assert!(check(&bytes));
}

#[test]
fn the_reader_stops_where_it_fails() {
    let hostile = message(0, &[0x93, 0xc0, 0xc1]);
    let mut reader = Reader::new(&hostile).unwrap();
    // It may go on failing, or end; it must not go on for ever.
    let events = (0..100).take_while(|_| !matches!(reader.event(), Ok(None))).count();
    assert!(events > 0);
}
