//! ipmpsc: many senders and one receiver under a process-shared mutex, values by serde. Bytes are the quickest of them: they are copied in, and
//! read in the ring by borrowing, from where they are copied once more, since they lie there at any alignment.

use crate::names::Name;
use crate::payload::Payload;
use crate::queue::{Copied, Queue, Rx, Tx, Wait};
use ipmpsc::{Receiver, Sender, SharedRingBuffer};
use serde_bytes::Bytes;
use std::marker::PhantomData;
use std::sync::Arc;

#[derive(Clone)]
pub struct Ipmpsc<M>(Arc<Name>, Wait, PhantomData<fn(M)>);

impl<M: Payload> Ipmpsc<M> {
    pub fn new(capacity: usize, wait: Wait) -> Self {
        let name = Name::new();
        // Each message has two lengths before it, and what does not fit at the end starts at the beginning.
        let bytes = (capacity + 1) * (size_of::<M>() + 12) + 8;
        SharedRingBuffer::create(path(&name), bytes as u32).expect("ipmpsc");
        Self(Arc::new(name), wait, PhantomData)
    }
}

fn path(name: &Name) -> &str {
    name.path().to_str().expect("made of letters")
}

impl<M: Payload> Queue<M> for Ipmpsc<M> {
    type Tx = IpmpscTx<M>;
    type Rx = IpmpscRx<M>;

    fn sender(&self) -> Self::Tx {
        IpmpscTx(Sender::new(SharedRingBuffer::open(path(&self.0)).expect("ipmpsc")), Copied::new())
    }

    fn receiver(&self) -> Self::Rx {
        let ring = SharedRingBuffer::open(path(&self.0)).expect("ipmpsc");
        IpmpscRx(Receiver::new(ring), Copied::new(), self.1)
    }
}

pub struct IpmpscTx<M>(Sender, Copied<M>);

impl<M: Payload> Tx<M> for IpmpscTx<M> {
    #[inline]
    fn send(&mut self, message: &M) {
        self.0.send(&Bytes::new(message.as_bytes())).expect("send");
    }

    #[inline]
    fn fill(&mut self, write: impl FnOnce(&mut M)) {
        write(self.1.get());
        self.0.send(&Bytes::new(self.1.get().as_bytes())).expect("send");
    }
}

pub struct IpmpscRx<M>(Receiver, Copied<M>, Wait);

impl<M: Payload> Rx<M> for IpmpscRx<M> {
    #[inline]
    fn receive<T>(&mut self, read: impl FnOnce(&M) -> T) -> T {
        let (receiver, message) = (&mut self.0, self.1.get());
        if self.2 == Wait::Block {
            let mut context = receiver.zero_copy_context();
            let bytes = context.recv::<&[u8]>().expect("recv");
            message.as_mut_bytes().copy_from_slice(bytes);
        } else {
            self.2.until(|| {
                let mut context = receiver.zero_copy_context();
                let bytes = context.try_recv::<&[u8]>().expect("try_recv")?;
                message.as_mut_bytes().copy_from_slice(bytes);
                Some(())
            });
        }
        read(message)
    }
}
