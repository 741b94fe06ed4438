//! What all that is measured has in common: messages of one type go in at one side and come out at the other.
//!
//! A [`Queue`] is made before the workers are started; each worker then takes its end of it. Everything that a peer does once,
//! such as mapping and registering, belongs there, and after it the workers must meet before the first message is sent: some
//! peers give what is sent to nobody if nobody has registered.

use crate::payload::Payload;
use std::hint::spin_loop;

/// How a side waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Looks all the time.
    Spin,
    /// Looks for a while, then gives way each time.
    Yield,
    /// By the verb of the queue that blocks. Where there is none, as `Yield`.
    Block,
}

impl Wait {
    /// Tries until it works.
    #[inline(always)]
    pub fn until<T>(self, mut attempt: impl FnMut() -> Option<T>) -> T {
        let mut turns = 0_u32;
        loop {
            if let Some(done) = attempt() {
                return done;
            }
            turns = turns.wrapping_add(1);
            if self != Self::Spin && turns.is_multiple_of(64) {
                std::thread::yield_now();
            }
            spin_loop();
        }
    }
}

/// A queue that workers take their ends of.
pub trait Queue<M: Payload>: Clone + Send + 'static {
    type Tx: Tx<M>;
    type Rx: Rx<M>;
    fn sender(&self) -> Self::Tx;
    fn receiver(&self) -> Self::Rx;
}

/// Makes a [`Queue`] of a type that is its own sender and receiver: a clone of it is either.
macro_rules! clones_are_ends {
    ($queue:ident) => {
        impl<M: Payload> $crate::queue::Queue<M> for $queue<M> {
            type Tx = Self;
            type Rx = Self;

            fn sender(&self) -> Self {
                self.clone()
            }

            fn receiver(&self) -> Self {
                self.clone()
            }
        }
    };
}
pub(crate) use clones_are_ends;

/// The sending side.
pub trait Tx<M: Payload> {
    /// Sends a copy. Waits for room.
    fn send(&mut self, message: &M);

    /// Sends a run of messages, by the verb for that where there is one.
    #[inline]
    fn send_run(&mut self, messages: &[M]) {
        messages.iter().for_each(|message| self.send(message));
    }

    /// Makes the run of messages that begins with a number and sends it: in place where the queue can do that.
    #[inline]
    fn make_run<const B: usize>(&mut self, run: &mut Run<M, B>, start: u64) {
        run.with(start, |run| self.send_run(run));
    }

    /// Sends what `write` makes of whatever lies there, in place where the queue can do that.
    fn fill(&mut self, write: impl FnOnce(&mut M));
}

/// Messages that are sent together, for queues that they are copied into.
pub struct Run<M, const B: usize>(Vec<M>);

impl<M: Payload, const B: usize> Run<M, B> {
    pub fn new() -> Self {
        Self(Vec::new())
    }

    /// Shows the messages from a number on. Longer ones are kept: an array of them takes the compiler minutes.
    #[inline(always)]
    pub fn with(&mut self, start: u64, send: impl FnOnce(&[M])) {
        if size_of::<M>() <= 64 {
            let run: [M; B] = std::array::from_fn(|ahead| M::numbered(start + ahead as u64));
            send(&run);
        } else {
            self.0.resize_with(B, || M::numbered(0));
            self.0.iter_mut().zip(start..).for_each(|(message, number)| message.renumber(number));
            send(&self.0);
        }
    }
}

/// The receiving side.
pub trait Rx<M: Payload> {
    /// Receives a message and reads it, in place where the queue can do that.
    fn receive<T>(&mut self, read: impl FnOnce(&M) -> T) -> T;

    /// Receives messages until `each` says that one was the last: nothing is sent after it.
    #[inline]
    fn receive_while(&mut self, mut each: impl FnMut(&M) -> bool) {
        while self.receive(&mut each) {}
    }

    /// Receives so many messages, which were sent in runs of `B`: as many at a time as there are, by the verb for that where there is one.
    #[inline]
    fn receive_runs<const B: usize>(&mut self, count: u64, mut each: impl FnMut(&M)) {
        (0..count).for_each(|_| self.receive(&mut each));
    }
}

/// A message of one's own, for queues that cannot lend room: it is filled or read there and copied.
pub struct Copied<M>(Box<M>);

impl<M: Payload> Copied<M> {
    pub fn new() -> Self {
        Self(M::boxed())
    }

    pub fn get(&mut self) -> &mut M {
        &mut self.0
    }
}
