//! rtrb: one sender and one receiver, threads. A short message goes by value, a long one is written and read in its slot; runs go in chunks.
//!
//! A receiver that is to read *in place*, or to look at some words of a message, does better not to take it out: of 512 B, of which both ends are
//! looked at, five times as many come through. Those of 1 KiB that are copied in and read to the end come steadily by value; read in place, at
//! times as quickly and at times three times as slowly.

use crate::payload::Payload;
use crate::queue::{Queue, Run, Rx, Tx, Wait};
use rtrb::{Consumer, Producer, RingBuffer};
use std::hint::spin_loop;
use std::mem::MaybeUninit;
use std::sync::{Arc, Mutex};

/// Longer messages are not passed by value.
const LONGEST_VALUE: usize = 1024;
/// And longer ones not to receivers in place.
const LONGEST_TAKEN: usize = 64;

/// `IN_PLACE`: its receiver reads messages where they lie.
pub struct Rtrb<M, const IN_PLACE: bool = false>(Ends<M>, Wait);
type Ends<M> = Arc<Mutex<(Option<Producer<M>>, Option<Consumer<M>>)>>;

impl<M, const IN_PLACE: bool> Clone for Rtrb<M, IN_PLACE> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0), self.1)
    }
}

impl<M: Payload> Rtrb<M> {
    pub fn new(capacity: usize, wait: Wait) -> Self {
        Self(ends(capacity), wait)
    }
}

impl<M: Payload> Rtrb<M, true> {
    pub fn in_place(capacity: usize, wait: Wait) -> Self {
        Self(ends(capacity), wait)
    }
}

fn ends<M: Payload>(capacity: usize) -> Ends<M> {
    let (mut tx, mut rx) = RingBuffer::<M>::new(capacity);
    // So that every slot holds words from now on.
    let mut chunk = tx.write_chunk_uninit(capacity).expect("it is empty");
    for slot in chunk.as_mut_slices().0 {
        // SAFETY: the slot is writable, and zeroes are words.
        unsafe { slot.as_mut_ptr().write_bytes(0, 1) };
    }
    // SAFETY: all of it was just written.
    unsafe { chunk.commit_all() };
    rx.read_chunk(capacity).expect("it is full").commit_all();
    Arc::new(Mutex::new((Some(tx), Some(rx))))
}

/// What lies in a slot.
fn words<M: Payload>(slot: &mut MaybeUninit<M>) -> &mut M {
    // SAFETY: every slot was written when the queue was made, and what is received is only read.
    unsafe { slot.assume_init_mut() }
}

impl<M: Payload, const IN_PLACE: bool> Queue<M> for Rtrb<M, IN_PLACE> {
    type Tx = RtrbTx<M>;
    type Rx = RtrbRx<M, IN_PLACE>;

    fn sender(&self) -> Self::Tx {
        RtrbTx(self.0.lock().expect("nobody fails here").0.take().expect("one sender"), self.1)
    }

    fn receiver(&self) -> Self::Rx {
        RtrbRx(self.0.lock().expect("nobody fails here").1.take().expect("one receiver"), self.1)
    }
}

pub struct RtrbTx<M>(Producer<M>, Wait);
pub struct RtrbRx<M, const IN_PLACE: bool>(Consumer<M>, Wait);

impl<M: Payload> Tx<M> for RtrbTx<M> {
    #[inline]
    fn send(&mut self, message: &M) {
        if const { size_of::<M>() <= LONGEST_VALUE } {
            self.1.until(|| self.0.push(*message).ok());
        } else {
            self.fill(|slot| slot.words_mut().copy_from_slice(message.words()));
        }
    }

    #[inline]
    fn make_run<const B: usize>(&mut self, _: &mut Run<M, B>, start: u64) {
        let mut chunk = loop {
            match self.0.write_chunk_uninit(B) {
                Ok(chunk) => break chunk,
                Err(_) => spin_loop(),
            }
        };
        if size_of::<M>() <= 64 {
            chunk.fill_from_iter((start..start + B as u64).map(M::numbered));
            return;
        }
        let (first, second) = chunk.as_mut_slices();
        first.iter_mut().chain(second).zip(start..).for_each(|(slot, number)| words(slot).renumber(number));
        // SAFETY: every slot holds words.
        unsafe { chunk.commit_all() };
    }

    #[inline]
    fn fill(&mut self, write: impl FnOnce(&mut M)) {
        let mut write = Some(write);
        self.1.until(|| {
            let mut chunk = self.0.write_chunk_uninit(1).ok()?;
            let done = write.take().map(|write| write(words(&mut chunk.as_mut_slices().0[0])));
            // SAFETY: the slot holds words.
            unsafe { chunk.commit_all() };
            done
        });
    }
}

impl<M: Payload, const IN_PLACE: bool> Rx<M> for RtrbRx<M, IN_PLACE> {
    #[inline]
    fn receive<T>(&mut self, read: impl FnOnce(&M) -> T) -> T {
        if const { size_of::<M>() <= if IN_PLACE { LONGEST_TAKEN } else { LONGEST_VALUE } } {
            return read(&self.1.until(|| self.0.pop().ok()));
        }
        let mut read = Some(read);
        self.1.until(|| {
            let chunk = self.0.read_chunk(1).ok()?;
            let done = read.take().map(|read| read(&chunk.as_slices().0[0]));
            chunk.commit_all();
            done
        })
    }

    /// In chunks of a whole run, as they are sent.
    #[inline]
    fn receive_runs<const B: usize>(&mut self, count: u64, mut each: impl FnMut(&M)) {
        let mut left = count;
        while left > 0 {
            match self.0.read_chunk(B) {
                Ok(chunk) => {
                    let (first, second) = chunk.as_slices();
                    first.iter().chain(second).for_each(&mut each);
                    chunk.commit_all();
                    left -= B as u64;
                }
                Err(_) => spin_loop(),
            }
        }
    }
}
