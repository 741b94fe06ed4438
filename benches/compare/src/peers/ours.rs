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

macro_rules! flavour {
    ($flavour:ident, $queue:ident, $tx:ident, $rx:ident) => {
        pub struct $queue<M: Payload>($flavour::Ring<M>, Wait);

        impl<M: Payload> Clone for $queue<M> {
            fn clone(&self) -> Self {
                Self(self.0.clone(), self.1)
            }
        }

        impl<M: Payload> $queue<M> {
            pub fn new(options: &Options, wait: Wait) -> Self {
                Self($flavour::Ring::anonymous(options).expect("ring"), wait)
            }
        }

        impl<M: Payload> Queue<M> for $queue<M> {
            type Tx = $tx<M>;
            type Rx = $rx<M>;

            fn sender(&self) -> Self::Tx {
                $tx(self.0.sender().expect("sender"), self.1)
            }

            fn receiver(&self) -> Self::Rx {
                $rx(self.0.receiver().expect("receiver"), self.1)
            }
        }

        pub struct $tx<M: Payload>($flavour::Sender<M>, Wait);
        pub struct $rx<M: Payload>($flavour::Receiver<M>, Wait);

        // Not every flavour's verbs take their handle by unique reference.
        #[allow(unused_mut)]
        impl<M: Payload> Tx<M> for $tx<M> {
            #[inline]
            fn send(&mut self, message: &M) {
                match self.1 {
                    Wait::Block => self.0.send(message).expect("send"),
                    wait => wait.until(|| self.0.try_send(message).ok()),
                }
            }

            #[inline]
            fn fill(&mut self, write: impl FnOnce(&mut M)) {
                let mut loan = self.0.loan_uninit().expect("loan");
                write(&mut loan);
                loan.commit().expect("commit");
            }
        }

        impl<M: Payload> Rx<M> for $rx<M> {
            #[inline]
            fn receive<T>(&mut self, read: impl FnOnce(&M) -> T) -> T {
                match self.1 {
                    Wait::Block if size_of::<M>() > LONGEST_VALUE => read(&self.0.recv().expect("recv")),
                    Wait::Block => read(&self.0.recv_copy().expect("recv")),
                    wait if size_of::<M>() <= LONGEST_VALUE => read(&wait.until(|| self.0.try_recv_copy().ok())),
                    wait => {
                        let (mut read, mut done) = (Some(read), None);
                        wait.until(|| {
                            let message = self.0.try_recv().ok()?;
                            done = read.take().map(|read| read(&message));
                            Some(())
                        });
                        done.expect("it was read")
                    }
                }
            }

            #[inline]
            fn receive_runs(&mut self, count: u64, mut each: impl FnMut(&M)) {
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
