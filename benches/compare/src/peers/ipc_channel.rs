//! ipc-channel: many senders and one receiver through a Unix socket. Its channel of bytes spares the serialisation.

use crate::payload::Payload;
use crate::queue::{Copied, Queue, Rx, Tx, Wait};
use ipc_channel::ipc::{IpcBytesReceiver, IpcBytesSender, bytes_channel};
use std::sync::{Arc, Mutex};

#[derive(Clone)]
pub struct IpcChannel(Arc<Mutex<(IpcBytesSender, Option<IpcBytesReceiver>)>>, Wait);

impl IpcChannel {
    pub fn new(wait: Wait) -> Self {
        let (tx, rx) = bytes_channel().expect("ipc-channel");
        Self(Arc::new(Mutex::new((tx, Some(rx)))), wait)
    }
}

impl<M: Payload> Queue<M> for IpcChannel {
    type Tx = IpcChannelTx<M>;
    type Rx = IpcChannelRx;

    fn sender(&self) -> Self::Tx {
        IpcChannelTx(self.0.lock().expect("nobody fails here").0.clone(), Copied::new())
    }

    fn receiver(&self) -> Self::Rx {
        IpcChannelRx(self.0.lock().expect("nobody fails here").1.take().expect("one receiver"), self.1)
    }
}

pub struct IpcChannelTx<M>(IpcBytesSender, Copied<M>);

impl<M: Payload> Tx<M> for IpcChannelTx<M> {
    fn send(&mut self, message: &M) {
        self.0.send(message.as_bytes()).expect("send");
    }

    fn fill(&mut self, write: impl FnOnce(&mut M)) {
        write(self.1.get());
        self.0.send(self.1.get().as_bytes()).expect("send");
    }
}

pub struct IpcChannelRx(IpcBytesReceiver, Wait);

impl<M: Payload> Rx<M> for IpcChannelRx {
    fn receive<T>(&mut self, read: impl FnOnce(&M) -> T) -> T {
        let bytes = match self.1 {
            Wait::Block => self.0.recv().expect("recv"),
            wait => wait.until(|| self.0.try_recv().ok()),
        };
        match M::ref_from_bytes(&bytes) {
            Ok(message) => read(message),
            Err(_) => read(&M::read_from_bytes(&bytes).expect("a whole message")),
        }
    }
}
