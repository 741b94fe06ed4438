//! Messages that an spsc receiver hands out and gets back, in every order, against a model.

#[macro_use]
mod support;

use ringmail::spsc::{OwnedReceived, Receiver, Ring, Sender, channel};
use ringmail::{Message, Options, Waiting};
use std::collections::{BTreeSet, VecDeque};
use std::io::{Read, Write, pipe};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::task::{Context, Poll, Waker};
use support::{Process, fork, role, watchdog};

struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound
    }
}

/// What the ring should be like. Messages are numbered as they are sent.
struct Model {
    capacity: u64,
    sent: u64,
    next: u64,
    open: BTreeSet<u64>,
    returned: VecDeque<(u64, u32)>,
    /// Shared: what is noted as handed out, and the count of the message that comes again.
    taken: u64,
    again: u64,
    counted: (u64, u32),
}

impl Model {
    fn floor(&self) -> u64 {
        self.open.first().copied().unwrap_or(self.next)
    }
    fn len(&self) -> u64 {
        self.sent - self.floor()
    }
    fn is_tangled(&self) -> bool {
        self.floor() != self.next
    }
    /// What comes next: number and count.
    fn hand_out(&mut self) -> Option<(u64, u32)> {
        if let Some((number, count)) = self.returned.pop_front() {
            return Some((number, count));
        }
        if self.next == self.sent {
            return None;
        }
        let number = self.next;
        self.next += 1;
        self.open.insert(number);
        let mut count = 0;
        if number < self.again {
            if self.counted.0 != number {
                self.counted = (number, 0);
            }
            self.counted.1 = (self.counted.1 + 1).min(15);
            count = self.counted.1;
        } else {
            self.taken = self.next;
        }
        Some((number, count))
    }
    /// How many come with the first, in a batch.
    fn with_it(&mut self, max: u64, in_order: bool) -> u64 {
        if !in_order {
            return 0;
        }
        let more = (self.sent - self.next).min(max - 1);
        for _ in 0..more {
            self.open.insert(self.next);
            self.next += 1;
        }
        self.taken = self.next;
        more
    }
    fn acknowledge(&mut self, number: u64) {
        assert!(self.open.remove(&number));
    }
    fn give_back(&mut self, number: u64, count: u32) {
        assert!(self.open.contains(&number));
        self.returned.push_back((number, (count + 1).min(15)));
    }
    fn succeed(&mut self) {
        self.next = self.floor();
        self.again = if self.taken >= self.next { self.taken } else { self.next };
        self.open.clear();
        self.returned.clear();
    }
}

/// Receives a message by value, and says which it is.
type Copy<M> = fn(&mut Receiver<M>) -> Option<u64>;

fn in_panic(work: impl FnOnce()) {
    let caught = catch_unwind(AssertUnwindSafe(|| {
        struct Last<F: FnOnce()>(Option<F>);
        impl<F: FnOnce()> Drop for Last<F> {
            fn drop(&mut self) {
                (self.0.take().unwrap())();
            }
        }
        let _last = Last(Some(work));
        resume_unwind(Box::new(()));
    }));
    assert!(caught.is_err());
}

struct Verbs<M: Message + ?Sized> {
    send: fn(&mut Sender<M>, u64) -> bool,
    read: fn(&M) -> u64,
    copy: Option<Copy<M>>,
}

fn torment<M: Message + ?Sized + Sync>(options: &Options, verbs: &Verbs<M>, seed: u64, steps: u64) {
    let random = &mut Random((seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let ring = Ring::<M>::anonymous(options).unwrap();
    let (mut tx, mut rx) = (ring.sender().unwrap(), Some(ring.receiver().unwrap()));
    let capacity = tx.capacity() as u64;
    let mut model = Model {
        capacity,
        sent: 0,
        next: 0,
        open: BTreeSet::new(),
        returned: VecDeque::new(),
        taken: 0,
        again: 0,
        counted: (0, 0),
    };
    let mut owned: Vec<(OwnedReceived<M>, u64, u32)> = Vec::new();
    for step in 0..steps {
        let receiver = rx.as_mut().unwrap();
        let verb = random.below(20);
        match verb {
            0..5 => {
                let fits = model.len() < model.capacity;
                assert_eq!((verbs.send)(&mut tx, model.sent), fits, "seed {seed} step {step}");
                model.sent += u64::from(fits);
            }
            5..12 => {
                let got = match random.below(3) {
                    0 => {
                        let mut waiting = Waiting::new();
                        match receiver.poll_recv(&mut Context::from_waker(Waker::noop()), &mut waiting) {
                            Poll::Ready(done) => Some(done.unwrap()),
                            Poll::Pending => None,
                        }
                    }
                    _ => receiver.try_recv().ok(),
                };
                let expected = model.hand_out();
                let seen = got.as_ref().map(|message| ((verbs.read)(message), message.redelivered()));
                assert_eq!(seen, expected, "seed {seed} step {step}");
                let (Some(message), Some((number, count))) = (got, expected) else { continue };
                match random.below(5) {
                    0 => {
                        message.reject();
                        model.give_back(number, count);
                    }
                    1 => {
                        in_panic(|| drop(message));
                        model.give_back(number, count);
                    }
                    2 => owned.push((message.into_owned(), number, count)),
                    _ => {
                        drop(message);
                        model.acknowledge(number);
                    }
                }
            }
            12..15 => {
                let max = random.below(capacity + 2) + 1;
                let is_plain = !model.is_tangled() && model.next >= model.again;
                let got = receiver.try_recv_many(max as usize).ok();
                let expected = model.hand_out();
                let Some((first, count)) = expected else {
                    assert!(got.is_none());
                    continue;
                };
                let more = model.with_it(max, is_plain);
                let batch = got.unwrap();
                assert_eq!(batch.len() as u64, 1 + more, "seed {seed} step {step}");
                assert!(batch.iter().map(|message| (verbs.read)(message)).eq(first..first + 1 + more));
                assert_eq!(batch.redelivered(0), count, "seed {seed} step {step}");
                assert!((1..batch.len()).all(|place| batch.redelivered(place) == 0));
                match random.below(4) {
                    0 => {
                        batch.reject();
                        (first..=first + more).for_each(|number| model.give_back(number, count));
                    }
                    1 => {
                        in_panic(|| drop(batch));
                        (first..=first + more).for_each(|number| model.give_back(number, count));
                    }
                    _ => {
                        drop(batch);
                        (first..=first + more).for_each(|number| model.acknowledge(number));
                    }
                }
            }
            15..17 => {
                if let Some(copy) = verbs.copy {
                    let expected = model.hand_out();
                    assert_eq!(copy(receiver), expected.map(|(number, _)| number), "seed {seed} step {step}");
                    if let Some((number, _)) = expected {
                        model.acknowledge(number);
                    }
                }
            }
            17 | 18 => {
                if !owned.is_empty() {
                    let (message, number, count) = owned.swap_remove(random.below(owned.len() as u64) as usize);
                    assert_eq!(((verbs.read)(&message), message.redelivered()), (number, count));
                    match random.below(4) {
                        0 => {
                            message.reject();
                            model.give_back(number, count);
                        }
                        1 => {
                            std::thread::scope(|scope| scope.spawn(|| drop(message)).join().unwrap());
                            model.acknowledge(number);
                        }
                        _ => {
                            drop(message);
                            model.acknowledge(number);
                        }
                    }
                }
            }
            _ => {
                if random.below(3) == 0 {
                    for (message, number, _) in owned.drain(..) {
                        drop(message);
                        model.acknowledge(number);
                    }
                    drop(rx.take());
                    model.succeed();
                    rx = Some(ring.receiver().unwrap());
                }
            }
        }
        assert_eq!(tx.len() as u64, model.len(), "seed {seed} step {step} verb {verb}");
    }
}

fn small() -> Verbs<u64> {
    Verbs {
        send: |tx, number| tx.try_send(&number).is_ok(),
        read: |message| *message,
        copy: Some(|rx| rx.try_recv_copy().ok()),
    }
}

fn bytes(len: usize) -> Verbs<[u8]> {
    Verbs {
        send: if len < 100 {
            |tx, number| tx.try_send(&number.to_le_bytes()).is_ok()
        } else {
            |tx, number| {
                let mut long = vec![7; 5000 * (number as usize % 2) + 8];
                long[..8].copy_from_slice(&number.to_le_bytes());
                tx.try_send(&long).is_ok()
            }
        },
        read: |message| u64::from_le_bytes(message[..8].try_into().unwrap()),
        copy: Some(|rx| {
            let mut buffer = [0; 6000];
            rx.try_recv_into(&mut buffer[..]).ok().map(|_| u64::from_le_bytes(buffer[..8].try_into().unwrap()))
        }),
    }
}

#[test]
fn every_order_comes_out_as_it_should() {
    let _watchdog = watchdog("messages in every order");
    for seed in 0..40 {
        for capacity in [1, 2, 3, 5, 8] {
            torment::<u64>(&Options::new().capacity(capacity), &small(), seed, 2000);
            torment::<[u8]>(&Options::new().capacity(capacity).max_len(8), &bytes(8), seed, 500);
            torment::<[u8]>(&Options::new().capacity(capacity).max_len(8192), &bytes(8192), seed, 200);
        }
    }
}

/// Runs a part of this file in a process of its own, where nobody else is about to fork.
#[test]
fn parts() {
    match role().as_ref().map(|(part, _)| part.as_str()) {
        Some("guards") => guards(),
        Some("heirs") => heirs(),
        _ => (),
    }
}

#[test]
fn what_a_child_does_with_an_inherited_guard_changes_nothing() {
    Process::start("parts", "guards", &[]).finish();
}

fn guards() {
    for state in ["in order", "in line again", "tangled", "given back", "again"] {
        for way in
            ["drop", "reject", "owned", "owned reject", "panic", "use", "batch drop", "batch reject", "batch panic"]
        {
            let what = format!("{state}, {way}");
            let ring = Ring::<u64>::anonymous(&Options::new().capacity(4)).unwrap();
            let (mut tx, mut rx) = (ring.sender().unwrap(), ring.receiver().unwrap());
            (0..4).for_each(|number| tx.send(&number).unwrap());
            let mut owned = None;
            let mut first = (1, 0);
            match state {
                "tangled" => owned = Some(rx.recv().unwrap().into_owned()),
                "in line again" => {
                    rx.recv().unwrap().reject();
                    drop(rx.recv().unwrap());
                }
                "given back" => {
                    owned = Some(rx.recv().unwrap().into_owned());
                    rx.recv().unwrap().reject();
                    first.1 = 1;
                }
                "again" => {
                    std::mem::forget(rx.recv().unwrap());
                    std::mem::forget(rx.recv().unwrap());
                    drop(rx);
                    rx = ring.receiver().unwrap();
                    assert_eq!(rx.recv().unwrap().redelivered(), 1);
                    first.1 = 1;
                }
                _ => drop(rx.recv().unwrap()),
            }
            let len = tx.len();
            let check = |number: u64, count: u32| assert_eq!((number, count), first, "{what}");
            if way.starts_with("batch") {
                let mut batch = Some(rx.recv_many(2).unwrap());
                let in_order = matches!(state, "in order" | "in line again");
                assert_eq!(batch.as_ref().unwrap().len(), if in_order { 2 } else { 1 }, "{what}");
                let child = fork(|| {
                    let batch = batch.take().unwrap();
                    check(*batch.get(0).unwrap(), batch.redelivered(0));
                    match way {
                        "batch drop" => drop(batch),
                        "batch reject" => batch.reject(),
                        _ => in_panic(|| drop(batch)),
                    }
                    0
                });
                assert_eq!(child.wait(), 0, "{what}");
                assert_eq!(tx.len(), len, "{what}");
                let batch = batch.unwrap();
                check(*batch.get(0).unwrap(), batch.redelivered(0));
                let done = batch.len();
                drop(batch);
                drop(owned);
                assert_eq!(tx.len(), 3 - done, "{what}");
            } else {
                let mut held = Some(rx.recv().unwrap());
                let child = fork(|| {
                    let held = held.take().unwrap();
                    check(*held, held.redelivered());
                    match way {
                        "drop" => drop(held),
                        "reject" => held.reject(),
                        "owned" => drop(held.into_owned()),
                        "owned reject" => held.into_owned().reject(),
                        "panic" => in_panic(|| drop(held)),
                        _ => {
                            drop(held);
                            owned.take();
                        }
                    }
                    0
                });
                assert_eq!(child.wait(), 0, "{what}");
                assert_eq!(tx.len(), len, "{what}");
                let held = held.unwrap();
                check(*held, held.redelivered());
                drop(held);
                drop(owned);
                assert_eq!(tx.len(), 2, "{what}");
            }
            while let Ok(message) = rx.try_recv() {
                assert_eq!(message.redelivered(), 0, "{what}");
            }
            assert!(tx.is_empty(), "{what}");
            (0..50).for_each(|number| {
                tx.try_send(&number).unwrap();
                assert_eq!(rx.try_recv_copy(), Ok(number));
            });
        }
    }
}

#[test]
fn a_child_and_its_child_go_on_where_the_role_was_left() {
    Process::start("parts", "heirs", &[]).finish();
}

/// The handles of this process, which are taken on by its children in turn.
fn heirs() {
    for tangle in 0..3 {
        let (mut tx, mut rx) = channel::<u64>(&Options::new().capacity(3)).unwrap();
        (0..3).for_each(|number| tx.send(&number).unwrap());
        if tangle == 1 {
            rx.recv().unwrap().reject();
        }
        let owned = (tangle == 2).then(|| rx.recv().unwrap().into_owned());
        let (mut go, mut gone) = pipe().unwrap();
        let (mut tried, mut trying) = pipe().unwrap();
        let (mut handles, mut owned) = (Some((tx, rx)), owned);
        let child = fork(|| {
            let (mut tx, mut rx) = handles.take().unwrap();
            assert!(rx.try_recv().is_err() && tx.try_send(&9).is_err(), "the parent's");
            trying.write_all(b".").unwrap();
            go.read_exact(&mut [0]).unwrap();
            drop(owned.take());
            live(&mut tx, &mut rx, 3, u32::from(tangle > 0));
            // Held, and out of order, when the next is born.
            (0..3).for_each(|number| tx.send(&number).unwrap());
            let kept = rx.recv().unwrap().into_owned();
            rx.recv().unwrap().reject();
            let held = rx.recv().unwrap();
            assert_eq!((*held, held.redelivered()), (1, 1));
            std::mem::forget(held);
            let mut all = Some((tx, rx, kept));
            let (mut go, mut gone) = pipe().unwrap();
            let (mut tried, mut trying) = pipe().unwrap();
            let grandchild = fork(|| {
                let (mut tx, mut rx, kept) = all.take().unwrap();
                assert!(rx.try_recv().is_err() && tx.try_send(&9).is_err(), "the child's");
                assert_eq!(tx.len(), 3);
                drop(kept);
                assert_eq!(tx.len(), 3);
                trying.write_all(b".").unwrap();
                go.read_exact(&mut [0]).unwrap();
                live(&mut tx, &mut rx, 3, 3);
                0
            });
            tried.read_exact(&mut [0]).unwrap();
            // Given up, not acknowledged: a guard that is let go of would be.
            let (tx, rx, kept) = all.take().unwrap();
            kept.reject();
            drop((tx, rx));
            gone.write_all(b".").unwrap();
            assert_eq!(grandchild.wait(), 0);
            0
        });
        tried.read_exact(&mut [0]).unwrap();
        drop(owned.take());
        let owned_is_acked = tangle == 2;
        let (tx, rx) = handles.take().unwrap();
        assert_eq!(tx.len(), if owned_is_acked { 2 } else { 3 });
        if owned_is_acked {
            // As many as the others have.
            let mut tx = tx;
            tx.send(&3).unwrap();
            drop((tx, rx));
        } else {
            drop((tx, rx));
        }
        gone.write_all(b".").unwrap();
        assert_eq!(child.wait(), 0);
    }
}

/// Receives what waits, and then some laps of what it sends itself, in several ways.
fn live(tx: &mut Sender<u64>, rx: &mut Receiver<u64>, waiting: usize, again: u32) {
    assert_eq!(tx.len(), waiting);
    let mut counts = Vec::new();
    for left in (0..waiting).rev() {
        counts.push(rx.recv_timeout(std::time::Duration::from_secs(5)).unwrap().redelivered());
        assert_eq!(rx.len(), left);
    }
    assert!(counts.iter().filter(|&&count| count > 0).count() <= again as usize, "{counts:?}");
    for number in 0..40 {
        tx.try_send(&number).unwrap();
        match number % 5 {
            0 => assert_eq!(rx.try_recv_copy(), Ok(number)),
            1 => {
                rx.try_recv().unwrap().reject();
                let message = rx.try_recv().unwrap();
                assert_eq!((*message, message.redelivered()), (number, 1));
            }
            2 => drop(rx.try_recv().unwrap().into_owned()),
            3 => assert!(rx.try_recv_many(2).unwrap().iter().eq([&number])),
            _ => assert_eq!(*rx.try_recv().unwrap(), number),
        }
        assert!(tx.is_empty(), "{number}");
    }
}
