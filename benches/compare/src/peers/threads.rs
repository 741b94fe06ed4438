//! Queues between threads of one process: crossbeam's and kanal's channels, `ArrayQueue`, and disruptor with several senders. (rtrb and
//! disruptor with one have verbs of their own in `cases/spsc.rs`.)

use crate::payload::Payload;
use crate::queue::{Queue, Rx, Tx, Wait};
use crossbeam_queue::ArrayQueue;
use disruptor::{BusySpin, EventPoller, MultiProducer, MultiProducerBarrier, Polling, Producer, SingleConsumerBarrier};
use std::sync::{Arc, Mutex};

macro_rules! channel {
    ($queue:ident, $package:ident) => {
        pub struct $queue<M>($package::Sender<M>, $package::Receiver<M>, Wait);

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
            type Tx = $package::Sender<M>;
            type Rx = Self;

            fn sender(&self) -> Self::Tx {
                self.0.clone()
            }

            fn receiver(&self) -> Self {
                self.clone()
            }
        }

        impl<M: Payload> Tx<M> for $package::Sender<M> {
            #[inline]
            fn send(&mut self, message: &M) {
                $package::Sender::send(self, *message).expect("send");
            }

            #[inline]
            fn fill(&mut self, write: impl FnOnce(&mut M)) {
                let mut message = M::numbered(0);
                write(&mut message);
                self.send(&message);
            }
        }
    };
}

channel!(Crossbeam, crossbeam_channel);
channel!(Kanal, kanal);

impl<M: Payload> Rx<M> for Crossbeam<M> {
    #[inline]
    fn receive<T>(&mut self, read: impl FnOnce(&M) -> T) -> T {
        match self.2 {
            Wait::Block => read(&self.1.recv().expect("recv")),
            wait => read(&wait.until(|| self.1.try_recv().ok())),
        }
    }
}

impl<M: Payload> Rx<M> for Kanal<M> {
    #[inline]
    fn receive<T>(&mut self, read: impl FnOnce(&M) -> T) -> T {
        match self.2 {
            Wait::Block => read(&self.1.recv().expect("recv")),
            wait => read(&wait.until(|| self.1.try_recv().ok().flatten())),
        }
    }
}

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

impl<M: Payload> Queue<M> for Array<M> {
    type Tx = Self;
    type Rx = Self;

    fn sender(&self) -> Self {
        self.clone()
    }

    fn receiver(&self) -> Self {
        self.clone()
    }
}

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

type Sending<M> = MultiProducer<M, SingleConsumerBarrier>;
type Poller<M> = EventPoller<M, MultiProducerBarrier>;
type Ends<M> = Mutex<(Sending<M>, Option<Poller<M>>)>;

/// Several senders and one receiver: a second one would get every message as well.
#[derive(Clone)]
pub struct Disruptor<M: Payload>(Arc<Ends<M>>);

impl<M: Payload> Disruptor<M> {
    pub fn new(capacity: usize) -> Self {
        let builder = disruptor::build_multi_producer(capacity, || M::numbered(0), BusySpin);
        let (poller, builder) = builder.new_event_poller();
        Self(Arc::new(Mutex::new((builder.build(), Some(poller)))))
    }
}

impl<M: Payload> Queue<M> for Disruptor<M> {
    type Tx = Sending<M>;
    type Rx = DisruptorRx<M>;

    fn sender(&self) -> Self::Tx {
        self.0.lock().expect("nobody fails here").0.clone()
    }

    fn receiver(&self) -> Self::Rx {
        DisruptorRx(self.0.lock().expect("nobody fails here").1.take().expect("one receiver"))
    }
}

impl<M: Payload> Tx<M> for Sending<M> {
    #[inline]
    fn send(&mut self, message: &M) {
        self.publish(|slot| *slot = *message);
    }

    #[inline]
    fn fill(&mut self, write: impl FnOnce(&mut M)) {
        self.publish(write);
    }
}

pub struct DisruptorRx<M>(Poller<M>);

impl<M: Payload> Rx<M> for DisruptorRx<M> {
    #[inline]
    fn receive<T>(&mut self, read: impl FnOnce(&M) -> T) -> T {
        let (mut read, mut done) = (Some(read), None);
        Wait::Yield.until(|| match self.0.take(1) {
            Ok(mut messages) => {
                done = read.take().zip((&mut messages).next()).map(|(read, message)| read(message));
                Some(())
            }
            Err(Polling::NoEvents) => None,
            Err(Polling::Shutdown) => panic!("the senders left"),
        });
        done.expect("it was read")
    }
}
