//! ringfire: one sender whose ring waits for its registered reader ("lossless"). Its rings for several senders drop messages under load, by
//! design, and so have no place where every message must come.
//!
//! Messages are copied in and out; runs go in one batch.

use crate::names::Name;
use crate::payload::Payload;
use crate::queue::{Copied, Queue, Rx, Tx, Wait};
use ringfire::{FlowControl, FutexWait, RingConsumer, RingProducer, RingProducerBuilder};
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Messages are returned by value, through several hands: of longer ones the compiler makes hundreds of thousands of instructions, in minutes.
pub const LONGEST: usize = 1024;
/// Messages of a batch.
const BATCH: usize = 64;

pub struct Ringfire<M> {
    name: Arc<Name>,
    capacity: u64,
    wait: Wait,
    message: PhantomData<fn(M)>,
}

impl<M> Clone for Ringfire<M> {
    fn clone(&self) -> Self {
        Self { name: Arc::clone(&self.name), ..*self }
    }
}

impl<M: Payload> Ringfire<M> {
    /// `capacity` is a power of two.
    pub fn new(capacity: usize, wait: Wait) -> Self {
        assert!(size_of::<M>() <= LONGEST);
        Self { name: Arc::new(Name::new()), capacity: capacity as u64, wait, message: PhantomData }
    }
}

impl<M: Payload> Queue<M> for Ringfire<M> {
    type Tx = RingfireTx<M>;
    type Rx = RingfireRx<M>;

    fn sender(&self) -> Self::Tx {
        let builder = RingProducerBuilder::new(self.capacity).flow_control(FlowControl::LosslessBackpressure);
        RingfireTx(builder.build(self.name.path()).expect("ringfire"), Copied::new(), self.wait)
    }

    /// Waits until the sender has made the ring.
    fn receiver(&self) -> Self::Rx {
        let patience = Instant::now() + Duration::from_secs(3);
        loop {
            match RingConsumer::attach(self.name.path()) {
                Ok(consumer) => {
                    return RingfireRx { consumer, wait: self.wait, futex: FutexWait::default(), run: Vec::new() };
                }
                Err(error) => assert!(Instant::now() < patience, "cannot attach: {error:?}"),
            }
            std::thread::sleep(Duration::from_micros(100));
        }
    }
}

pub struct RingfireTx<M: Payload>(RingProducer<M>, Copied<M>, Wait);

impl<M: Payload> Tx<M> for RingfireTx<M> {
    #[inline]
    fn send(&mut self, message: &M) {
        match self.2 {
            // Its verb that waits sleeps after a while.
            Wait::Block => self.0.push(message),
            wait => wait.until(|| self.0.try_push(message).ok()),
        }
    }

    #[inline]
    fn send_run(&mut self, messages: &[M]) {
        self.0.push_batch(messages);
    }

    #[inline]
    fn fill(&mut self, write: impl FnOnce(&mut M)) {
        write(self.1.get());
        self.0.push(self.1.get());
    }
}

pub struct RingfireRx<M: Payload> {
    consumer: RingConsumer<M>,
    wait: Wait,
    futex: FutexWait,
    run: Vec<M>,
}

impl<M: Payload> Rx<M> for RingfireRx<M> {
    #[inline]
    fn receive<T>(&mut self, read: impl FnOnce(&M) -> T) -> T {
        if const { size_of::<M>() > LONGEST } {
            unreachable!("not for messages that long");
        } else {
            match self.wait {
                Wait::Block => read(&self.consumer.recv_blocking(&mut self.futex)),
                wait => read(&wait.until(|| self.consumer.try_recv())),
            }
        }
    }

    #[inline]
    fn receive_runs<const B: usize>(&mut self, count: u64, mut each: impl FnMut(&M)) {
        if const { size_of::<M>() > LONGEST } {
            unreachable!("not for messages that long");
        } else {
            self.run.resize_with(BATCH, || M::numbered(0));
            let mut left = count;
            while left > 0 {
                let most = left.min(BATCH as u64) as usize;
                let received = self.consumer.recv_batch(&mut self.run[..most]);
                if received == 0 {
                    std::hint::spin_loop();
                }
                left -= received as u64;
                self.run[..received].iter().for_each(&mut each);
            }
        }
    }
}
