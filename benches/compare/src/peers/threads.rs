//! Queues between threads of one process for any number of senders and receivers: crossbeam's and kanal's channels, and `ArrayQueue`.

use crate::payload::Payload;
use crate::queue::{Queue, Rx, Tx, Wait, clones_are_ends};
use crossbeam_queue::ArrayQueue;
use std::sync::Arc;

/// Longer messages are not passed by value.
pub const LONGEST_VALUE: usize = 1024;

/// `$sent` and `$got` say what the crate's verbs that do not block return: whether it was sent, and what was received.
macro_rules! channel {
    ($queue:ident, $tx:ident, $package:ident, $sending:ident => $sent:expr, $receiving:ident => $got:expr) => {
        pub struct $queue<M>($package::Sender<M>, $package::Receiver<M>, Wait);
        pub struct $tx<M>($package::Sender<M>, Wait);

        impl<M> Clone for $queue<M> {
            fn clone(&self) -> Self {
                Self(self.0.clone(), self.1.clone(), self.2)
            }
        }

        impl<M: Payload> $queue<M> {
            pub fn new(capacity: usize, wait: Wait) -> Self {
                let (tx, rx) = $package::bounded(capacity);
                Self(tx, rx, wait)
            }
        }

        impl<M: Payload> Queue<M> for $queue<M> {
            type Tx = $tx<M>;
            type Rx = Self;

            fn sender(&self) -> Self::Tx {
                $tx(self.0.clone(), self.2)
            }

            fn receiver(&self) -> Self {
                self.clone()
            }
        }

        impl<M: Payload> Tx<M> for $tx<M> {
            #[inline]
            fn send(&mut self, message: &M) {
                match self.1 {
                    Wait::Block => self.0.send(*message).expect("send"),
                    wait => wait.until(|| {
                        let $sending = self.0.try_send(*message);
                        $sent.then_some(())
                    }),
                }
            }

            #[inline]
            fn fill(&mut self, write: impl FnOnce(&mut M)) {
                let mut message = M::numbered(0);
                write(&mut message);
                self.send(&message);
            }
        }

        impl<M: Payload> Rx<M> for $queue<M> {
            #[inline]
            fn receive<T>(&mut self, read: impl FnOnce(&M) -> T) -> T {
                match self.2 {
                    Wait::Block => read(&self.1.recv().expect("recv")),
                    wait => read(&wait.until(|| {
                        let $receiving = self.1.try_recv();
                        $got
                    })),
                }
            }
        }
    };
}

channel!(Crossbeam, CrossbeamTx, crossbeam_channel, sent => sent.is_ok(), got => got.ok());
channel!(Kanal, KanalTx, kanal, sent => sent.expect("try_send"), got => got.expect("try_recv"));

/// It has no blocking: who must wait gives way, or not.
pub struct Array<M>(Arc<ArrayQueue<M>>, Wait);

impl<M> Clone for Array<M> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0), self.1)
    }
}

impl<M: Payload> Array<M> {
    pub fn new(capacity: usize, wait: Wait) -> Self {
        Self(Arc::new(ArrayQueue::new(capacity)), wait)
    }
}

clones_are_ends!(Array);

impl<M: Payload> Tx<M> for Array<M> {
    #[inline]
    fn send(&mut self, message: &M) {
        self.1.until(|| self.0.push(*message).ok());
    }

    #[inline]
    fn fill(&mut self, write: impl FnOnce(&mut M)) {
        let mut message = M::numbered(0);
        write(&mut message);
        self.send(&message);
    }
}

impl<M: Payload> Rx<M> for Array<M> {
    #[inline]
    fn receive<T>(&mut self, read: impl FnOnce(&M) -> T) -> T {
        read(&self.1.until(|| self.0.pop()))
    }
}

/// `ArrayQueue` of messages that are too long to be passed by value: of boxes, which come back empty by another.
pub struct Boxes<M>(Arc<Both<M>>, Wait);

/// The full ones and the empty ones.
type Both<M> = (ArrayQueue<Box<M>>, ArrayQueue<Box<M>>);

impl<M> Clone for Boxes<M> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0), self.1)
    }
}

impl<M: Payload> Boxes<M> {
    pub fn new(capacity: usize, wait: Wait) -> Self {
        let (full, empty) = (ArrayQueue::new(capacity), ArrayQueue::new(capacity));
        (0..capacity).for_each(|_| assert!(empty.push(M::boxed()).is_ok(), "room for all"));
        Self(Arc::new((full, empty)), wait)
    }
}

clones_are_ends!(Boxes);

impl<M: Payload> Tx<M> for Boxes<M> {
    #[inline]
    fn send(&mut self, message: &M) {
        self.fill(|slot| slot.words_mut().copy_from_slice(message.words()));
    }

    #[inline]
    fn fill(&mut self, write: impl FnOnce(&mut M)) {
        let mut message = self.1.until(|| self.0.1.pop());
        write(&mut message);
        assert!(self.0.0.push(message).is_ok(), "room for all");
    }
}

impl<M: Payload> Rx<M> for Boxes<M> {
    #[inline]
    fn receive<T>(&mut self, read: impl FnOnce(&M) -> T) -> T {
        let message = self.1.until(|| self.0.0.pop());
        let done = read(&message);
        assert!(self.0.1.push(message).is_ok(), "room for all");
        done
    }
}
