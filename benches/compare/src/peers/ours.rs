//! Ringmail's two flavours.

use crate::payload::Payload;
use crate::queue::{Queue, Rx, Tx, Wait};
use ringmail::{Options, mpmc, spsc};

/// Longer messages are read where they lie instead of being received by value.
const LONGEST_VALUE: usize = 64;

/// Options for that many slots.
pub fn slots(capacity: usize) -> Options {
    Options::new().capacity(capacity)
}

/// Ways of waiting that are part of a queue's type, so that each has loops of its own, as in a program.
pub const BLOCK: bool = true;
pub const SPIN: bool = false;

macro_rules! flavour {
    ($flavour:ident, $queue:ident, $tx:ident, $rx:ident) => {
        pub struct $queue<M: Payload, const BLOCKS: bool>($flavour::Ring<M>);

        impl<M: Payload, const BLOCKS: bool> Clone for $queue<M, BLOCKS> {
            fn clone(&self) -> Self {
                Self(self.0.clone())
            }
        }

        impl<M: Payload, const BLOCKS: bool> $queue<M, BLOCKS> {
            pub fn new(options: &Options) -> Self {
                Self($flavour::Ring::anonymous(options).expect("ring"))
            }
        }

        impl<M: Payload, const BLOCKS: bool> Queue<M> for $queue<M, BLOCKS> {
            type Tx = $tx<M, BLOCKS>;
            type Rx = $rx<M, BLOCKS>;

            fn sender(&self) -> Self::Tx {
                $tx(self.0.sender().expect("sender"))
            }

            fn receiver(&self) -> Self::Rx {
                $rx(self.0.receiver().expect("receiver"))
            }
        }

        pub struct $tx<M: Payload, const BLOCKS: bool>($flavour::Sender<M>);
        pub struct $rx<M: Payload, const BLOCKS: bool>($flavour::Receiver<M>);

        // Not every flavour's verbs take their handle by unique reference.
        #[allow(unused_mut)]
        impl<M: Payload, const BLOCKS: bool> Tx<M> for $tx<M, BLOCKS> {
            #[inline]
            fn send(&mut self, message: &M) {
                if BLOCKS {
                    self.0.send(message).expect("send");
                } else {
                    Wait::Spin.until(|| self.0.try_send(message).ok());
                }
            }

            #[inline]
            fn fill(&mut self, write: impl FnOnce(&mut M)) {
                let mut loan = self.0.loan_uninit().expect("loan");
                write(&mut loan);
                loan.commit().expect("commit");
            }
        }

        impl<M: Payload, const BLOCKS: bool> Rx<M> for $rx<M, BLOCKS> {
            #[inline]
            fn receive<T>(&mut self, read: impl FnOnce(&M) -> T) -> T {
                match (BLOCKS, size_of::<M>() > LONGEST_VALUE) {
                    (BLOCK, true) => read(&self.0.recv().expect("recv")),
                    (BLOCK, false) => read(&self.0.recv_copy().expect("recv")),
                    (SPIN, false) => read(&Wait::Spin.until(|| self.0.try_recv_copy().ok())),
                    (SPIN, true) => {
                        let (mut read, mut done) = (Some(read), None);
                        Wait::Spin.until(|| {
                            let message = self.0.try_recv().ok()?;
                            done = read.take().map(|read| read(&message));
                            Some(())
                        });
                        done.expect("it was read")
                    }
                }
            }

            #[inline]
            fn receive_runs<const B: usize>(&mut self, count: u64, mut each: impl FnMut(&M)) {
                let mut left = count;
                while left > 0 {
                    let batch = self.0.recv_many(left.min(64) as usize).expect("recv_many");
                    left -= batch.len() as u64;
                    batch.iter().for_each(&mut each);
                }
            }
        }
    };
}

flavour!(spsc, Spsc, SpscTx, SpscRx);
flavour!(mpmc, Mpmc, MpmcTx, MpmcRx);
