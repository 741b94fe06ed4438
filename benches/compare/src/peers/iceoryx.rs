//! iceoryx2: publish-subscribe that waits for the subscriber instead of overwriting. Samples are lent, written and read in place; they are slices of
//! a fixed length, as in its own benchmark.
//!
//! Every subscriber gets every sample: there is no work queue, so one receiver it is. To block, a listener of an event service goes with the
//! subscriber, and the publisher notifies it after each sample, as its documentation has it.

use crate::names::Name;
use crate::payload::Payload;
use crate::queue::{Queue, Rx, Tx, Wait};
use iceoryx2::config::Config;
use iceoryx2::port::listener::Listener;
use iceoryx2::port::notifier::Notifier;
use iceoryx2::port::publisher::Publisher;
use iceoryx2::port::subscriber::Subscriber;
use iceoryx2::prelude::*;
use ringmail::zerocopy::IntoBytes;
use std::marker::PhantomData;
use std::sync::Arc;

pub struct Iceoryx<M> {
    name: Arc<Name>,
    capacity: usize,
    senders: usize,
    receivers: usize,
    wait: Wait,
    message: PhantomData<fn(M)>,
}

impl<M> Clone for Iceoryx<M> {
    fn clone(&self) -> Self {
        Self { name: Arc::clone(&self.name), ..*self }
    }
}

impl<M: Payload> Iceoryx<M> {
    pub fn new(capacity: usize, (senders, receivers): (usize, usize), wait: Wait) -> Self {
        set_log_level(LogLevel::Error);
        let name = Name::new();
        std::fs::create_dir(name.path()).expect("a folder");
        Self { name: Arc::new(name), capacity, senders, receivers, wait, message: PhantomData }
    }

    /// A node whose every file lies under the queue's name.
    fn node(&self) -> Node<ipc::Service> {
        let mut config = Config::default();
        let path = self.name.path().to_str().expect("made of letters");
        config.global.set_root_path(&path.try_into().expect("a path"));
        config.global.prefix = format!("{}_", self.name.stem()).as_str().try_into().expect("a name of a file");
        NodeBuilder::new().config(&config).create::<ipc::Service>().expect("a node")
    }

    fn service(&self, node: &Node<ipc::Service>) -> Service {
        let builder = node.service_builder(&"messages".try_into().expect("a name"));
        let builder = builder.publish_subscribe::<[u64]>().enable_safe_overflow(false);
        let builder = builder.subscriber_max_buffer_size(self.capacity).subscriber_max_borrowed_samples(1);
        let builder = builder.max_publishers(self.senders).max_subscribers(self.receivers).history_size(0);
        builder.open_or_create().expect("a service")
    }

    fn event(&self, node: &Node<ipc::Service>) -> Event {
        let builder = node.service_builder(&"bell".try_into().expect("a name"));
        builder.event().open_or_create().expect("an event")
    }
}

type Service = iceoryx2::service::port_factory::publish_subscribe::PortFactory<ipc::Service, [u64], ()>;
type Event = iceoryx2::service::port_factory::event::PortFactory<ipc::Service>;

// Fields are dropped in this order: ports before what they belong to.
pub struct IceoryxTx {
    publisher: Publisher<ipc::Service, [u64], ()>,
    notifier: Option<(Notifier<ipc::Service>, Event)>,
    /// Whether there may be no receiver for a while.
    alone: bool,
    /// Whether a receiver has got something.
    met: bool,
    _service: Service,
    _node: Node<ipc::Service>,
}

pub struct IceoryxRx {
    subscriber: Subscriber<ipc::Service, [u64], ()>,
    listener: Option<(Listener<ipc::Service>, Event)>,
    wait: Wait,
    _service: Service,
    _node: Node<ipc::Service>,
}

impl<M: Payload> Queue<M> for Iceoryx<M> {
    type Tx = IceoryxTx;
    type Rx = IceoryxRx;

    fn sender(&self) -> Self::Tx {
        let node = self.node();
        let service = self.service(&node);
        let builder = service.publisher_builder().max_loaned_samples(1).initial_max_slice_len(size_of::<M>() / 8);
        let builder = builder.backpressure_strategy(BackpressureStrategy::RetryUntilDelivered);
        let publisher = builder.create().expect("a publisher");
        let notifier = (self.wait == Wait::Block).then(|| {
            let event = self.event(&node);
            (event.notifier_builder().create().expect("a notifier"), event)
        });
        IceoryxTx { publisher, notifier, alone: self.receivers > 1, met: false, _service: service, _node: node }
    }

    fn receiver(&self) -> Self::Rx {
        let node = self.node();
        let service = self.service(&node);
        let subscriber = service.subscriber_builder().create().expect("a subscriber");
        let listener = (self.wait == Wait::Block).then(|| {
            let event = self.event(&node);
            (event.listener_builder().create().expect("a listener"), event)
        });
        IceoryxRx { subscriber, listener, wait: self.wait, _service: service, _node: node }
    }
}

impl IceoryxTx {
    /// Lends a sample, sends it, and says how many receivers got it.
    #[inline]
    fn give<M: Payload>(&self, write: impl FnOnce(&mut M)) -> usize {
        let sample = self.publisher.loan_slice_uninit(size_of::<M>() / 8).expect("a loan");
        // SAFETY: the memory is a file's, whose bytes are all initialised, and any bytes are words.
        let mut sample = unsafe { sample.assume_init() };
        write(M::mut_from_bytes(sample.payload_mut().as_mut_bytes()).expect("as long as a message"));
        let receivers = sample.send().expect("send");
        if let Some((notifier, _)) = &self.notifier {
            notifier.notify().expect("notify");
        }
        receivers
    }
}

impl<M: Payload> Tx<M> for IceoryxTx {
    /// Right after its ports were made it may find no receiver although there is one, and drop the sample: then once more.
    #[inline]
    fn send(&mut self, message: &M) {
        while self.give(|slot: &mut M| slot.words_mut().copy_from_slice(message.words())) == 0 {
            if self.alone {
                break;
            }
        }
    }

    /// The first message is made apart, since it may have to be sent again.
    #[inline]
    fn fill(&mut self, write: impl FnOnce(&mut M)) {
        if self.met {
            assert!(self.give(write) > 0 || self.alone, "the receiver must be there first");
        } else {
            let mut message = M::boxed();
            write(&mut message);
            self.send(&*message);
            self.met = true;
        }
    }
}

impl<M: Payload> Rx<M> for IceoryxRx {
    #[inline]
    fn receive<T>(&mut self, read: impl FnOnce(&M) -> T) -> T {
        let Some((listener, _)) = &self.listener else {
            let sample = self.wait.until(|| self.subscriber.receive().expect("receive"));
            return read(M::ref_from_bytes(sample.payload().as_bytes()).expect("as long as a message"));
        };
        loop {
            if let Some(sample) = self.subscriber.receive().expect("receive") {
                return read(M::ref_from_bytes(sample.payload().as_bytes()).expect("as long as a message"));
            }
            listener.blocking_wait(|_| {}).expect("wait");
        }
    }
}
