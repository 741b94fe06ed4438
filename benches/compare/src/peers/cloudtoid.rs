//! cloudtoid-interprocess: bytes, any number of senders and receivers. Messages are copied in and out; it has no blocking send.

use crate::names::Name;
use crate::payload::Payload;
use crate::queue::{Copied, Queue, Rx, Tx, Wait};
use cloudtoid_interprocess::{Options, Publisher, Subscriber};
use std::sync::Arc;

#[derive(Clone)]
pub struct Cloudtoid {
    name: Arc<Name>,
    options: Options,
    wait: Wait,
}

impl Cloudtoid {
    /// Room for so many messages of that many bytes.
    pub fn new(capacity: usize, message: usize, wait: Wait) -> Self {
        let name = Name::new();
        // A message takes 8 bytes more, in steps of 8.
        let bytes = capacity * (message + 8).next_multiple_of(8);
        // Its files go into a folder, and its semaphore by the queue's name to all others.
        std::fs::create_dir(name.path()).expect("a folder");
        let options = Options::new(name.stem(), bytes.max(64)).with_path(name.path());
        Self { name: Arc::new(name), options, wait }
    }
}

impl<M: Payload> Queue<M> for Cloudtoid {
    type Tx = CloudtoidTx<M>;
    type Rx = CloudtoidRx<M>;

    fn sender(&self) -> Self::Tx {
        assert!(self.name.path().exists());
        CloudtoidTx(Publisher::open(&self.options).expect("cloudtoid"), Copied::new(), self.wait)
    }

    fn receiver(&self) -> Self::Rx {
        CloudtoidRx(Subscriber::open(&self.options).expect("cloudtoid"), Copied::new(), self.wait)
    }
}

pub struct CloudtoidTx<M>(Publisher, Copied<M>, Wait);

impl<M: Payload> Tx<M> for CloudtoidTx<M> {
    #[inline]
    fn send(&mut self, message: &M) {
        self.2.until(|| self.0.try_send(message.as_bytes()).ok());
    }

    #[inline]
    fn send_run(&mut self, messages: &[M]) {
        for run in messages.chunks(64) {
            let mut bytes: [&[u8]; 64] = [&[]; 64];
            run.iter().zip(&mut bytes).for_each(|(message, bytes)| *bytes = message.as_bytes());
            let mut sent = 0;
            while sent < run.len() {
                sent += self.2.until(|| match self.0.try_send_batch(&bytes[sent..run.len()]) {
                    Ok(0) => None,
                    Ok(count) => Some(count),
                    Err(error) => panic!("cannot send: {error}"),
                });
            }
        }
    }

    #[inline]
    fn fill(&mut self, write: impl FnOnce(&mut M)) {
        write(self.1.get());
        self.2.until(|| self.0.try_send(self.1.get().as_bytes()).ok());
    }
}

pub struct CloudtoidRx<M>(Subscriber, Copied<M>, Wait);

impl<M: Payload> Rx<M> for CloudtoidRx<M> {
    #[inline]
    fn receive<T>(&mut self, read: impl FnOnce(&M) -> T) -> T {
        if self.2 == Wait::Block {
            // What blocks returns a vector.
            let bytes = self.0.recv().expect("recv");
            return match M::ref_from_bytes(&bytes) {
                Ok(message) => read(message),
                Err(_) => read(&M::read_from_bytes(&bytes).expect("a whole message")),
            };
        }
        let message = self.1.get();
        let len = self.2.until(|| self.0.try_recv_into(message.as_mut_bytes()).expect("try_recv_into"));
        assert_eq!(len, size_of::<M>());
        read(message)
    }
}
