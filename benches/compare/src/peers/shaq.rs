//! shaq: queues in a shared file, one to one and many to many.
//!
//! A long message is written and read in its slot, a short one by value; runs are made in one batch. It has no blocking send. A receiver that is to
//! read *in place* takes none out that is longer than a cache line: messages of 512 B, of which both ends are looked at, then come half as
//! quickly again or more, while those of 1 KiB that are read to the end do better by value.
//!
//! Many to many, whoever has reserved a place publishes it only after all before it, and spins for those without giving way. Where workers
//! outnumber cores, one that is preempted in between keeps the others spinning for as long as they may run, one after the other: a sample then
//! takes a hundred times as long as the one before, or does not end in its time.

use crate::bare::memory_file;
use crate::payload::Payload;
use crate::queue::{Queue, Run, Rx, Tx, Wait, clones_are_ends};
use shaq::{mpmc, spsc};
use std::fs::File;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

/// Longer messages are not passed by value.
const LONGEST_VALUE: usize = 1024;
/// And longer ones not to receivers in place.
const LONGEST_TAKEN: usize = 64;
/// Longer than any wait here.
const LONG: Duration = Duration::from_secs(60);

/// What lies in a slot.
fn words<M: Payload>(slot: &mut MaybeUninit<M>) -> &mut M {
    // SAFETY: the slot lies in a file, whose bytes are all initialised, and any bytes are words.
    unsafe { slot.assume_init_mut() }
}

/// One sender, one receiver at a time. `IN_PLACE`: that reads messages where they lie.
pub struct Spsc<M, const IN_PLACE: bool = false>(Arc<File>, Wait, PhantomData<fn(M)>);

impl<M, const IN_PLACE: bool> Clone for Spsc<M, IN_PLACE> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0), self.1, PhantomData)
    }
}

impl<M: Payload> Spsc<M> {
    pub fn new(capacity: usize, wait: Wait) -> Self {
        Self(file_of::<M>(capacity), wait, PhantomData)
    }
}

impl<M: Payload> Spsc<M, true> {
    pub fn in_place(capacity: usize, wait: Wait) -> Self {
        Self(file_of::<M>(capacity), wait, PhantomData)
    }
}

fn file_of<M: Payload>(capacity: usize) -> Arc<File> {
    let size = spsc::minimum_file_size::<M>(capacity);
    let file = memory_file(size);
    // SAFETY: the file is new, and nobody else initialises it.
    drop(unsafe { spsc::Producer::<M>::create(&file, size) }.expect("shaq"));
    Arc::new(file)
}

impl<M: Payload, const IN_PLACE: bool> Queue<M> for Spsc<M, IN_PLACE> {
    type Tx = SpscTx<M>;
    type Rx = SpscRx<M, IN_PLACE>;

    fn sender(&self) -> Self::Tx {
        // SAFETY: the only producer that is alive, and the file was initialised for these messages.
        SpscTx(unsafe { spsc::Producer::join(&self.0) }.expect("shaq"), self.1)
    }

    fn receiver(&self) -> Self::Rx {
        // SAFETY: the only consumer that is alive, and the file was initialised for these messages.
        SpscRx(unsafe { spsc::Consumer::join(&self.0) }.expect("shaq"), self.1)
    }
}

pub struct SpscTx<M>(spsc::Producer<M>, Wait);
pub struct SpscRx<M, const IN_PLACE: bool>(spsc::Consumer<M>, Wait);

impl<M: Payload> Tx<M> for SpscTx<M> {
    #[inline]
    fn send(&mut self, message: &M) {
        if size_of::<M>() <= LONGEST_VALUE {
            self.1.until(|| self.0.try_write(*message).ok());
        } else {
            self.fill(|slot| slot.words_mut().copy_from_slice(message.words()));
        }
    }

    #[inline]
    fn make_run<const B: usize>(&mut self, _: &mut Run<M, B>, start: u64) {
        let (mut next, end) = (start, start + B as u64);
        while next < end {
            let mut batch = self.0.write_batch();
            let before = next;
            while next < end
                // SAFETY: a slot holds words before it is written, see `words`.
                && let Some(slot) = unsafe { batch.try_as_mut() }
            {
                words(slot).become_numbered(next);
                next += 1;
            }
            drop(batch);
            if next == before {
                std::hint::spin_loop();
            }
        }
    }

    #[inline]
    fn fill(&mut self, write: impl FnOnce(&mut M)) {
        let mut write = Some(write);
        self.1.until(|| {
            let mut batch = self.0.write_batch();
            // SAFETY: a slot holds words before it is written, see `words`.
            let slot = unsafe { batch.try_as_mut() }?;
            write.take().map(|write| write(words(slot)))
        });
    }
}

impl<M: Payload, const IN_PLACE: bool> Rx<M> for SpscRx<M, IN_PLACE> {
    #[inline]
    fn receive<T>(&mut self, read: impl FnOnce(&M) -> T) -> T {
        if const { size_of::<M>() <= if IN_PLACE { LONGEST_TAKEN } else { LONGEST_VALUE } } {
            return match self.1 {
                Wait::Block => read(&self.0.read_timeout(LONG).expect("read_timeout")),
                wait => read(&wait.until(|| self.0.try_read())),
            };
        }
        if self.1 == Wait::Block {
            let batch = self.0.reserve_read_batch_timeout(NonZeroUsize::MIN, LONG).expect("reserve_read_batch_timeout");
            return read(batch.get(0).expect("one message"));
        }
        let (mut read, mut done) = (Some(read), None);
        self.1.until(|| {
            let batch = self.0.try_reserve_read_batch(NonZeroUsize::MIN)?;
            done = read.take().zip(batch.get(0)).map(|(read, message)| read(message));
            Some(())
        });
        done.expect("it was read")
    }

    #[inline]
    fn receive_runs<const B: usize>(&mut self, count: u64, mut each: impl FnMut(&M)) {
        let mut left = count;
        while let Some(most) = NonZeroUsize::new(left.min(64) as usize) {
            let Some(batch) = self.0.try_reserve_read_batch(most) else {
                std::hint::spin_loop();
                continue;
            };
            left -= batch.len() as u64;
            let (first, second) = batch.as_slices();
            first.iter().chain(second).for_each(&mut each);
        }
    }
}

/// Many senders, many receivers.
pub struct Mpmc<M>(Arc<(mpmc::Producer<M>, mpmc::Consumer<M>)>, Wait);

impl<M> Clone for Mpmc<M> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0), self.1)
    }
}

impl<M: Payload> Mpmc<M> {
    pub fn new(capacity: usize, wait: Wait) -> Self {
        let size = mpmc::minimum_file_size::<M>(capacity);
        let file = memory_file(size);
        // SAFETY: the file is new, and nobody else initialises it.
        let producer = unsafe { mpmc::Producer::create(&file, size) }.expect("shaq");
        let consumer = producer.join_as_consumer();
        Self(Arc::new((producer, consumer)), wait)
    }
}

clones_are_ends!(Mpmc);

impl<M: Payload> Tx<M> for Mpmc<M> {
    #[inline]
    fn send(&mut self, message: &M) {
        if size_of::<M>() <= LONGEST_VALUE {
            self.1.until(|| self.0.0.try_write(*message).ok());
        } else {
            self.fill(|slot| slot.words_mut().copy_from_slice(message.words()));
        }
    }

    #[inline]
    fn fill(&mut self, write: impl FnOnce(&mut M)) {
        // SAFETY: a slot holds words before it is written, see `words`.
        let mut guard = self.1.until(|| unsafe { self.0.0.try_reserve_write() });
        write(words(guard.as_mut()));
    }
}

impl<M: Payload> Rx<M> for Mpmc<M> {
    #[inline]
    fn receive<T>(&mut self, read: impl FnOnce(&M) -> T) -> T {
        match self.1 {
            Wait::Block => read(self.0.1.reserve_read_timeout(LONG).expect("reserve_read_timeout").as_ref()),
            wait if size_of::<M>() <= LONGEST_VALUE => read(&wait.until(|| self.0.1.try_read())),
            wait => read(wait.until(|| self.0.1.try_reserve_read()).as_ref()),
        }
    }
}
