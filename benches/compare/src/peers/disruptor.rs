//! disruptor: between threads, written and read in place. Whatever is there is read together: that is how a disruptor is read.

use crate::payload::Payload;
use crate::queue::{Queue, Run, Rx, Tx, Wait};
use disruptor::{BusySpin, EventPoller, MultiProducer, MultiProducerBarrier, Polling, Producer};
use disruptor::{SingleConsumerBarrier, SingleProducer, SingleProducerBarrier};
use std::sync::{Arc, Mutex};

/// Its ring is filled with values to begin with; longer ones do not fit on a stack.
pub const LONGEST: usize = 4096;

/// The senders' side is cloned (`Some` stays) or taken, the receiver's side is taken.
type Ends<P, B, M> = Arc<Mutex<(P, Option<EventPoller<M, B>>)>>;
type One<M> = SingleProducer<M, SingleConsumerBarrier>;
type Many<M> = MultiProducer<M, SingleConsumerBarrier>;

/// One sender and one receiver.
#[derive(Clone)]
pub struct Single<M: Payload>(Ends<Option<One<M>>, SingleProducerBarrier, M>);

/// Several senders and one receiver: a second one would get every message as well.
#[derive(Clone)]
pub struct Multi<M: Payload>(Ends<Many<M>, MultiProducerBarrier, M>);

impl<M: Payload> Single<M> {
    pub fn new(capacity: usize) -> Self {
        let builder = disruptor::build_single_producer(capacity, || M::numbered(0), BusySpin);
        let (poller, builder) = builder.new_event_poller();
        Self(Arc::new(Mutex::new((Some(builder.build()), Some(poller)))))
    }
}

impl<M: Payload> Multi<M> {
    pub fn new(capacity: usize) -> Self {
        let builder = disruptor::build_multi_producer(capacity, || M::numbered(0), BusySpin);
        let (poller, builder) = builder.new_event_poller();
        Self(Arc::new(Mutex::new((builder.build(), Some(poller)))))
    }
}

impl<M: Payload> Queue<M> for Single<M> {
    type Tx = DisruptorTx<One<M>>;
    type Rx = SingleRx<M>;

    fn sender(&self) -> Self::Tx {
        DisruptorTx(self.0.lock().expect("nobody fails here").0.take().expect("one sender"))
    }

    fn receiver(&self) -> Self::Rx {
        SingleRx(self.0.lock().expect("nobody fails here").1.take().expect("one receiver"))
    }
}

impl<M: Payload> Queue<M> for Multi<M> {
    type Tx = DisruptorTx<Many<M>>;
    type Rx = MultiRx<M>;

    fn sender(&self) -> Self::Tx {
        DisruptorTx(self.0.lock().expect("nobody fails here").0.clone())
    }

    fn receiver(&self) -> Self::Rx {
        MultiRx(self.0.lock().expect("nobody fails here").1.take().expect("one receiver"))
    }
}

pub struct DisruptorTx<P>(P);

impl<M: Payload, P: Producer<M>> Tx<M> for DisruptorTx<P> {
    #[inline]
    fn send(&mut self, message: &M) {
        self.0.publish(|slot| slot.words_mut().copy_from_slice(message.words()));
    }

    #[inline]
    fn make_run<const B: usize>(&mut self, _: &mut Run<M, B>, start: u64) {
        self.0.batch_publish(B, |slots| slots.zip(start..).for_each(|(slot, number)| slot.become_numbered(number)));
    }

    #[inline]
    fn fill(&mut self, write: impl FnOnce(&mut M)) {
        self.0.publish(write);
    }
}

// The crate does not name the trait of its barriers, so that each has its own.
macro_rules! receiver {
    ($rx:ident, $barrier:ident, $wait:expr) => {
        pub struct $rx<M>(EventPoller<M, $barrier>);

        impl<M: Payload> Rx<M> for $rx<M> {
            #[inline]
            fn receive<T>(&mut self, read: impl FnOnce(&M) -> T) -> T {
                let (mut read, mut done) = (Some(read), None);
                $wait.until(|| match self.0.take(1) {
                    Ok(mut messages) => {
                        done = read.take().zip((&mut messages).next()).map(|(read, message)| read(message));
                        Some(())
                    }
                    Err(Polling::NoEvents) => None,
                    Err(Polling::Shutdown) => panic!("the senders left"),
                });
                done.expect("it was read")
            }

            #[inline]
            fn receive_while(&mut self, mut each: impl FnMut(&M) -> bool) {
                let mut goes_on = true;
                while goes_on {
                    $wait.until(|| match self.0.poll() {
                        Ok(mut messages) => {
                            for message in &mut messages {
                                assert!(goes_on, "a message after the last");
                                goes_on = each(message);
                            }
                            Some(())
                        }
                        Err(Polling::NoEvents) => None,
                        Err(Polling::Shutdown) => panic!("the senders left"),
                    });
                }
            }

            #[inline]
            fn receive_runs<const B: usize>(&mut self, count: u64, mut each: impl FnMut(&M)) {
                let mut left = count;
                self.receive_while(|message| {
                    each(message);
                    left -= 1;
                    left > 0
                });
            }
        }
    };
}

receiver!(SingleRx, SingleProducerBarrier, Wait::Spin);
receiver!(MultiRx, MultiProducerBarrier, Wait::Yield);
