//! Any bytes in the segment: an error or a message, never a read or write outside it, and no endless loop.
//!
//! That is promised of the copying API; zero-copy views of memory that somebody else may write are not looked into here.

#[macro_use]
mod support;

use memmap2::MmapRaw;
use ringmail::zerocopy::{FromZeros, IntoBytes};
use ringmail::{Message, OpenError, Options, Redelivery};
use rustix::fs::{MemfdFlags, memfd_create};
use std::fs::File;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};
use support::{Process, Seeded, name, role, say, watchdog};

/// Done at the end of a scope, also when it panics: a scope of threads waits for all of them, and one that nobody tells to end would turn
/// a failure into a hang.
struct Closing<F: Fn()>(F);

impl<F: Fn()> Drop for Closing<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// A wait that must end by itself.
const MOMENT: Duration = Duration::from_millis(1);

/// Long enough that a slot beyond the last is beyond the mapping.
const LONG: usize = 5000;

/// Longer than what lies with its slot.
const INLINE: usize = 1088;

type Long = [u8; LONG];

/// A size that divides no line, so that records and payloads have gaps between.
type Odd = [u8; 24];

/// Somebody who may write the segment and keeps to no protocol.
struct Hostile {
    seeded: Seeded,
    layout: Layout,
}

/// Where the words of a ring are, by its header: see docs/layout.md.
#[derive(Clone, Copy)]
struct Layout {
    len: u64,
    capacity: u64,
    max_len: u64,
    participants: (u64, u64),
    skips: u64,
    records: (u64, u64),
    /// The table of bodies, where there are any, how many there are, and how long each may be.
    bodies: (u64, u64, u64),
    is_mpmc: bool,
}

const HEADER: usize = 512;
const CONTROL: u64 = 1024;

impl Layout {
    fn read(file: &File) -> Self {
        let mut header = [0; HEADER];
        file.read_exact_at(&mut header, 0).unwrap();
        let word = |at: usize| u64::from_le_bytes(header[at..at + 8].try_into().unwrap());
        Self {
            // What lies behind the table of bodies is sparse, and only what messages say.
            len: if word(240) == 0 { word(16) } else { word(96) + 16 * word(240) },
            capacity: word(24),
            max_len: word(32),
            participants: (word(48), word(120) & 0xffff_ffff),
            skips: word(56),
            records: (word(64), word(72)),
            bodies: (word(96), word(240), word(104)),
            is_mpmc: word(8) >> 32 == 2,
        }
    }
}

impl Hostile {
    fn new(seed: u64, layout: Layout) -> Self {
        // Neighbouring seeds must not begin alike.
        let mut seeded = Seeded(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        seeded.below(2);
        seeded.below(2);
        Self { seeded, layout }
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.seeded.below(bound as usize) as u64
    }

    fn any(&mut self) -> u64 {
        self.below(u64::MAX)
    }

    fn lap(&mut self) -> u64 {
        match self.below(5) {
            0..=2 => self.below(3),
            3 => u64::MAX - self.below(3),
            _ => self.any(),
        }
    }

    /// A position, or nearly: at the start, a lap ahead, just before they wrap, or anywhere.
    fn position(&mut self) -> u64 {
        let shift = self.layout.capacity.next_power_of_two().trailing_zeros();
        let index = self.below(self.layout.capacity + 1);
        (self.lap() << shift) | index
    }

    /// A state word of any phase, lap, owner and attempt.
    fn word(&mut self) -> u64 {
        let owner = match self.below(4) {
            // An owner that may well be a live one: a low place in its first generations.
            0 | 1 => self.below(3) | (1 + self.below(2)) << 10,
            // The one that always counts as dead.
            2 => 1023,
            _ => self.below(1 << 18),
        };
        let attempt = if self.below(2) == 0 { 0 } else { self.below(16) };
        self.lap() << 24 | attempt << 20 | owner << 2 | self.below(4)
    }

    /// A length: right, just wrong, or anything.
    fn length(&mut self) -> u64 {
        let max = self.layout.max_len;
        match self.below(4) {
            0 => self.below(max + 1),
            1 => max + self.below(5),
            2 => 4 * max + self.below(1 << 20),
            _ => self.below(1 << 32),
        }
    }

    /// What the description of a slot may be: of a message with its slot, or in any body, there or not.
    fn description(&mut self) -> u64 {
        let (_, bodies, _) = self.layout.bodies;
        let body = match self.below(8) {
            _ if bodies == 0 => 0,
            0 => 0,
            // One beyond the last.
            1 => bodies + self.below(3),
            2 => self.below(1 << 28),
            3 | 4 => 1 + self.below(bodies),
            // Those that are used.
            _ => 1 + self.below(4),
        };
        body << 36 | self.length()
    }

    /// Who uses a body: the message at some position, somebody who gives its memory back, or nobody.
    fn user(&mut self) -> u64 {
        match self.below(4) {
            0 => self.position() << 1 | 1,
            1 => (self.word() >> 2 & 0x3_ffff) << 2 | 2,
            2 => self.any(),
            _ => 0,
        }
    }

    /// How much memory a body may be said to have.
    fn watermark(&mut self) -> u64 {
        let (_, _, stride) = self.layout.bodies;
        match self.below(5) {
            0 => 0,
            1 => 4096 * self.below(stride / 4096 + 2),
            2 => stride,
            3 => self.below(2 * stride),
            _ => self.any(),
        }
    }

    /// One plausible lie about a body: who uses it, how much memory it has, how much there is, or which message lies
    /// there.
    fn lie_about_bodies(&mut self) -> (u64, u64) {
        let layout = self.layout;
        let (table, bodies, _) = layout.bodies;
        // The first ones are those that are used.
        let body = if self.below(4) == 0 { self.below(bodies) } else { self.below(bodies.min(8)) };
        match self.below(8) {
            // What is counted: as committed, the most there ever was, given back, found by a look; and left.
            0 => ([CONTROL + 1024 + 8 * self.below(4), CONTROL + 1152][self.below(2) as usize], self.watermark()),
            1..3 => (table + 16 * body, self.user()),
            3..6 => (table + 16 * body + 8, self.watermark()),
            _ => {
                let record = layout.records.0 + layout.records.1 * self.below(layout.capacity);
                (record + if layout.is_mpmc { 8 } else { 0 }, self.description())
            }
        }
    }

    /// One plausible lie: an offset, and the eight bytes to lay there.
    fn lie(&mut self) -> (u64, u64) {
        let layout = self.layout;
        match self.below(10) {
            // tail, head, taken, bumped.
            0 => (CONTROL + 128 * self.below(4), self.position()),
            // What an spsc receiver notes for its successor.
            1 => (CONTROL + 256 + 8 * self.below(3), self.position()),
            // filled and freed: any epoch, open more often than closed.
            2 => (CONTROL + 512 + 128 * self.below(2), self.any() & !(u64::from(self.below(8) != 0) << 1)),
            // presence and counters.
            3 => (CONTROL + 768 + 8 * self.below(24), self.any()),
            4 => {
                let place = layout.participants.0 + 64 * self.below(layout.participants.1);
                (place + 8 * self.below(3), self.below(4) | self.below(3) << 32)
            }
            5 if layout.is_mpmc => (layout.skips + 8 * self.below(layout.capacity), self.lap()),
            6 | 7 if layout.bodies.1 > 0 => self.lie_about_bodies(),
            _ => {
                let record = layout.records.0 + layout.records.1 * self.below(layout.capacity);
                match (layout.is_mpmc, self.below(2)) {
                    (true, 0) => (record, self.word()),
                    (true, _) => (record + 8, self.description()),
                    (false, _) => (record, self.description()),
                }
            }
        }
    }

    /// Lays bytes of a kind of its own over everything behind the header, and then some lies.
    fn overwrite(&mut self, fd: BorrowedFd<'_>) {
        let file = File::from(fd.try_clone_to_owned().unwrap());
        let mut bytes = vec![0; (self.layout.len - HEADER as u64) as usize];
        match self.below(4) {
            0 => bytes.fill(0xff),
            1 => {}
            _ => bytes.fill_with(|| self.seeded.below(256) as u8),
        }
        file.write_all_at(&bytes, HEADER as u64).unwrap();
        for _ in 0..self.below(200) {
            let (at, value) = self.lie();
            file.write_all_at(&value.to_le_bytes(), at).unwrap();
        }
    }
}

/// What came of many operations: that both are met says that a test was not about nothing.
#[derive(Default)]
struct Tally {
    good: AtomicU64,
    /// Of these, messages too long to lie with their slot.
    long: AtomicU64,
    errors: AtomicU64,
}

impl Tally {
    fn note<T, E>(&self, result: Result<T, E>) -> Option<T> {
        let counter = if result.is_ok() { &self.good } else { &self.errors };
        counter.fetch_add(1, Relaxed);
        result.ok()
    }

    /// Notes that a message of that length went through.
    fn note_len(&self, len: usize) {
        self.long.fetch_add(u64::from(len > INLINE), Relaxed);
    }
}

/// A further handle where the flavour has one.
trait Another: Sized {
    fn another(&self) -> Option<Self> {
        None
    }
}

impl<M: Message + ?Sized> Another for ringmail::spsc::Sender<M> {}
impl<M: Message + ?Sized> Another for ringmail::spsc::Receiver<M> {}

impl<M: Message + ?Sized> Another for ringmail::mpmc::Sender<M> {
    fn another(&self) -> Option<Self> {
        Some(self.clone())
    }
}

impl<M: Message + ?Sized> Another for ringmail::mpmc::Receiver<M> {
    fn another(&self) -> Option<Self> {
        Some(self.clone())
    }
}

/// Whether a received length can be one.
fn is_sound<M: Message + ?Sized>(len: usize, buffer: &M) -> bool {
    len <= size_of_val(buffer)
}

both! {
    use flavour::{Receiver, Ring, Sender};

    /// Every verb of a sender that ends by itself.
    fn send<M: Message + ?Sized>(sender: &mut Sender<M>, message: &M, tally: &Tally) {
        let mut another = sender.another();
        for sender in [Some(&mut *sender), another.as_mut()].into_iter().flatten() {
            if tally.note(sender.try_send(message)).is_some() {
                tally.note_len(size_of_val(message));
            }
            tally.note(sender.send_timeout(message, MOMENT));
            tally.note(sender.send_deadline(message, Instant::now()));
            assert!(sender.len() <= sender.capacity());
            let _ = (sender.is_full(), sender.has_space());
            tally.note(sender.wait_acked(Some(MOMENT)));
        }
    }

    /// Every verb of a receiver that ends by itself and copies. A buffer of the longest message is never too short.
    fn receive<M: Message + ?Sized>(receiver: &mut Receiver<M>, buffer: &mut M, tally: &Tally) {
        let mut another = receiver.another();
        for receiver in [Some(&mut *receiver), another.as_mut()].into_iter().flatten() {
            match receiver.try_recv_into(buffer) {
                Err(error) => {
                    assert!(!matches!(error, ringmail::TryRecvError::TooLarge { .. }), "{error}");
                    tally.note::<(), _>(Err(error));
                }
                len => {
                    let len = tally.note(len).expect("no error");
                    assert!(is_sound(len, buffer));
                    tally.note_len(len);
                }
            }
            if let Some(message) = tally.note(receiver.recv_timeout(MOMENT)) {
                let len = message.copy_into(buffer);
                assert!(is_sound(len, buffer));
                tally.note_len(len);
            }
            if let Some(message) = tally.note(receiver.recv_deadline(Instant::now())) {
                message.reject();
            }
            assert!(receiver.len() <= receiver.capacity());
        }
    }

    /// A batch is zero-copy, so only its making and its end are asked for, and that it is no longer than the ring.
    fn receive_many<M: Message + ?Sized>(receiver: &mut Receiver<M>, max: usize, tally: &Tally) {
        let capacity = receiver.capacity();
        if let Some(batch) = tally.note(receiver.recv_many_timeout(max, MOMENT)) {
            assert!((1..=capacity).contains(&batch.len()), "{} of {capacity}", batch.len());
            assert!(batch.iter().count() <= batch.len());
        }
    }

    /// Clearing up and looking. The figures may be wrong; an spsc ring counts by its positions, so its backlog may be anything.
    fn clear_up_and_look<M: Message + ?Sized>(ring: &Ring<M>, places: u64, tally: &Tally) {
        if let Some(recovered) = tally.note(ring.recover()) {
            let slots = recovered.reaped + recovered.returned + recovered.dropped;
            assert!(u64::from(recovered.participants) <= places && slots <= ring.capacity() as u64, "{recovered:?}");
        }
        let stats = ring.stats();
        assert!(stats.participants.len() as u64 <= places);
assert_eq!(stats.capacity, ring.capacity());
    }

    /// What waits for ever in a ring that is open and empty: for one that is closed.
    fn receive_the_rest<M: Message + ?Sized>(
        ring: &Ring<M>,
        receiver: &mut Receiver<M>,
        buffer: &mut M,
        tally: &Tally,
    ) {
        ring.close();
        tally.note(receiver.recv_many(usize::MAX).map(|batch| batch.iter().count()));
        tally.note(receiver.recv_many(0).map(|batch| batch.iter().count()));
        tally.note(receiver.recv_into(buffer));
        if let Some(message) = tally.note(receiver.recv()) {
            message.ack();
        }
    }

    fn every_verb<M: Message + ?Sized + Sync>(
        ring: &Ring<M>,
        hostile: &mut Hostile,
        message: &M,
        buffer: &mut M,
        tally: &Tally,
        copy: fn(&mut Receiver<M>, &Tally),
    ) {
        // Half of the lies are there before anybody joins, so that the new handles start from them.
        let (mut sender, mut receiver) = (ring.sender().ok(), ring.receiver().ok());
        hostile.overwrite(ring.as_fd());
        for _ in 0..3 {
            if hostile.below(2) == 0 {
                // A role is taken while its handle lives; what the segment says of it may be worse.
                drop((sender.take(), receiver.take()));
                (sender, receiver) = (tally.note(ring.sender()), tally.note(ring.receiver()));
            }
            if let Some(sender) = &mut sender {
                send(sender, message, tally);
            }
            if let Some(receiver) = &mut receiver {
                receive(receiver, buffer, tally);
                copy(receiver, tally);
                receive_many(receiver, 3, tally);
                receive_many(receiver, usize::MAX, tally);
            }
            clear_up_and_look(ring, hostile.layout.participants.1, tally);
            let (at, value) = hostile.lie();
            let file = File::from(ring.as_fd().try_clone_to_owned().unwrap());
            file.write_all_at(&value.to_le_bytes(), at).unwrap();
        }
        // To send many waits for ever before a full ring, by contract; so this one is closed meanwhile.
        if let Some(sender) = &mut sender {
            let many = ring.capacity() * 2 + 3;
            thread::scope(|scope| {
                let sending = scope.spawn(|| tally.note(sender.send_many(std::iter::repeat_n(message, many))));
                while !sending.is_finished() {
                    thread::sleep(MOMENT / 4);
                    ring.close();
                }
            });
        }
        if let Some(receiver) = &mut receiver {
            receive_the_rest(ring, receiver, buffer, tally);
        }
        ring.close();
        assert!(ring.is_closed() && ring.stats().closed);
        clear_up_and_look(ring, hostile.layout.participants.1, tally);
    }

    fn cases<M: Message + ?Sized + Sync>(
        max_len: usize,
        message: &M,
        buffer: &mut M,
        copy: fn(&mut Receiver<M>, &Tally),
    ) {
        let _watchdog = watchdog("a verb");
        let tally = Tally::default();
        for capacity in [1, 2, 3, 5, 7, 64] {
            for seed in 0..24 {
                let redelivery = [Redelivery::Always, Redelivery::AtMost(1), Redelivery::Never][seed % 3];
                let options = Options::new().capacity(capacity).max_len(max_len).participants(4);
                let retain = [0, 2 * LONG, 256 << 20][seed / 3 % 3];
                let options = options.redelivery(redelivery).spin(MOMENT / 100).retain(retain);
                let ring = Ring::<M>::anonymous(&options).unwrap();
                let layout = Layout::read(&File::from(ring.as_fd().try_clone_to_owned().unwrap()));
                let mut hostile = Hostile::new(seed as u64, layout);
                every_verb(&ring, &mut hostile, message, buffer, &tally, copy);
            }
        }
        let (good, errors) = (tally.good.into_inner(), tally.errors.into_inner());
        assert!(good > 100 && errors > 100, "{good} went well, {errors} did not");
        let long = tally.long.into_inner();
        assert!(max_len < INLINE || long > 0, "of {good} that went well {long} were long");
    }

    fn copying<M: Message + FromZeros + Sync>(receiver: &mut Receiver<M>, tally: &Tally) {
        tally.note(receiver.try_recv_copy());
    }

    #[test]
    fn any_bytes_under_unsized_messages() {
        cases::<[u8]>(LONG, &[7; LONG], &mut [0; LONG], |_, _| {});
    }

    #[test]
    fn any_bytes_under_messages_whose_lengths_can_be_odd() {
        cases::<[u32]>(LONG, &[7; LONG / 4], &mut [0; LONG / 4], |_, _| {});
    }

    #[test]
    fn any_bytes_under_sized_messages() {
        cases::<u64>(8, &7, &mut 0, copying);
        cases::<Odd>(size_of::<Odd>(), &[7; 24], &mut [0; 24], copying);
    }

    #[test]
    fn any_bytes_under_long_sized_messages() {
        cases::<Long>(LONG, &[7; LONG], &mut [0; LONG], copying);
    }

    /// The ring is as it should be, and long messages flow; only what is said of bodies is made up.
    #[test]
    fn lies_about_bodies() {
        tell_lies_about_bodies(|options| options);
    }

    /// The same, of messages that take two bodies.
    #[test]
    fn lies_about_runs() {
        tell_lies_about_bodies(|options| options.body_stride(4096));
    }

    fn tell_lies_about_bodies(of: fn(Options) -> Options) {
        let _watchdog = watchdog("a verb");
        let tally = Tally::default();
        for capacity in [1, 4] {
            for seed in 0..40 {
                let options = of(Options::new().capacity(capacity).max_len(LONG).participants(4));
                let retain = [0, 2 * LONG, 256 << 20][seed % 3];
                let ring = Ring::<[u8]>::anonymous(&options.retain(retain)).unwrap();
                let file = File::from(ring.as_fd().try_clone_to_owned().unwrap());
                let mut hostile = Hostile::new(seed as u64, Layout::read(&file));
                let (mut sender, mut receiver) = (ring.sender().unwrap(), ring.receiver().unwrap());
                let (message, mut buffer) = ([7; LONG], [0; LONG]);
                for _ in 0..100 {
                    for _ in 0..hostile.below(3) {
                        let (at, value) = hostile.lie_about_bodies();
                        file.write_all_at(&value.to_le_bytes(), at).unwrap();
                    }
                    let len = 1 + hostile.below(LONG as u64) as usize;
                    match hostile.below(6) {
                        0 => _ = tally.note(sender.try_send(&message[..len])),
                        1 => _ = tally.note(sender.try_send_parts(&[&message[..len / 2], &message[len / 2..len]])),
                        2 => drop(tally.note(sender.try_loan(len))),
                        3 => _ = tally.note(ring.recover()),
                        _ => {
                            if let Some(len) = tally.note(receiver.try_recv_into(&mut buffer)) {
                                assert!(len <= LONG);
                                tally.note_len(len);
                            }
                        }
                    }
                    let stats = ring.stats();
                    assert!(stats.backlog <= capacity);
                }
            }
        }
        let (long, errors) = (tally.long.into_inner(), tally.errors.into_inner());
        assert!(long > 500 && errors > 500, "{long} long messages came, {errors} errors");
    }

    /// Every body that a message is said to lie in must be there, with the memory that its part takes.
    #[test]
    fn a_message_that_goes_on_where_nothing_is() {
        const STRIDE: usize = 4096;
        let options = Options::new().capacity(1).max_len(10 * STRIDE).body_stride(STRIDE).participants(4);
        let ring = Ring::<[u8]>::anonymous(&options).unwrap();
        let file = File::from(ring.as_fd().try_clone_to_owned().unwrap());
        let layout = Layout::read(&file);
        let (table, count, _) = layout.bodies;
        let description = layout.records.0 + if layout.is_mpmc { 8 } else { 0 };
        let (mut sender, mut receiver) = (ring.sender().unwrap(), ring.receiver().unwrap());
        let mut buffer = vec![0; 10 * STRIDE];
        let mut word = [0; 8];
        // What comes of a message that is said to lie from some body on, and of which the second body is said to have so much.
        let mut receive_as = |say: &dyn Fn(u64) -> u64, watermark: u64| {
            sender.try_send(&vec![7; 3 * STRIDE]).unwrap();
            file.read_exact_at(&mut word, description).unwrap();
            let first = (u64::from_le_bytes(word) >> 36) - 1;
            file.write_all_at(&say(first).to_le_bytes(), description).unwrap();
            let second = table + 16 * (first + 1) + 8;
            file.write_all_at(&watermark.to_le_bytes(), second).unwrap();
            let received = receiver.try_recv_into(&mut buffer);
            file.write_all_at(&(STRIDE as u64).to_le_bytes(), second).unwrap();
            received
        };
        let said = |body: u64, len: usize| (body + 1) << 36 | len as u64;
        let (whole, corrupt) = (STRIDE as u64, Err(ringmail::TryRecvError::Corrupt));
        assert_eq!(receive_as(&|first| said(first, 3 * STRIDE), whole), Ok(3 * STRIDE));
        // One byte more than the last of its bodies has, so that the next is wanted: which has none.
        assert_eq!(receive_as(&|first| said(first, 3 * STRIDE + 1), whole), corrupt);
        // Over the end of the table, by one body and by all.
        assert_eq!(receive_as(&|_| said(count - 2, 3 * STRIDE), whole), corrupt);
        assert_eq!(receive_as(&|_| said(count, 3 * STRIDE), whole), corrupt);
        assert_eq!(receive_as(&|_| said((1 << 28) - 2, 3 * STRIDE), whole), corrupt);
        // Longer than any message may be.
        assert_eq!(receive_as(&|first| said(first, 10 * STRIDE + 1), whole), corrupt);
        assert_eq!(receive_as(&|_| said(0, (1 << 36) - 1), whole), corrupt);
        // One of them in the middle has less than its part.
        assert_eq!(receive_as(&|first| said(first, 3 * STRIDE), 0), corrupt);
        assert_eq!(receive_as(&|first| said(first, 2 * STRIDE), whole), Ok(2 * STRIDE));
    }

    /// A stretch of positions over the end of all numbers is as short as any other.
    #[test]
    fn positions_that_are_about_to_wrap() {
        let _watchdog = watchdog("a stream over the end of all numbers");
        for capacity in [3, 5, 7] {
            let options = Options::new().capacity(capacity).max_len(LONG);
            let ring = Ring::<[u8]>::anonymous(&options).unwrap();
            let file = File::from(ring.as_fd().try_clone_to_owned().unwrap());
            let last = u64::MAX - (capacity as u64).next_power_of_two() + capacity as u64;
            for line in 0..4 {
                file.write_all_at(&last.to_le_bytes(), CONTROL + 128 * line).unwrap();
            }
            let (mut sender, mut receiver) = (ring.sender().unwrap(), ring.receiver().unwrap());
            thread::scope(|scope| {
                let sending = scope.spawn(|| sender.send_many(std::iter::repeat_n([7; LONG], 4 * capacity)));
                // Whatever comes of this thread, the other must not wait for it for ever.
                let _closing = Closing(|| ring.close());
                // A ring of many senders finds that its slots are not at such a lap.
                while let Ok(batch) = receiver.recv_many_timeout(usize::MAX, 20 * MOMENT) {
                    assert!(batch.len() <= capacity);
                    assert!(batch.iter().all(|message| *message == [7; LONG]));
                }
                ring.close();
                let _ = sending.join().unwrap();
            });
        }
    }

    /// Where one side stands is its own to say, but the other may say something else the next moment.
    #[test]
    fn room_and_messages_that_are_taken_back() {
        let _watchdog = watchdog("a stream whose positions are taken back");
        let options = Options::new().capacity(7).max_len(LONG);
        let ring = Ring::<[u8]>::anonymous(&options).unwrap();
        let file = File::from(ring.as_fd().try_clone_to_owned().unwrap());
        let (mut sender, mut receiver) = (ring.sender().unwrap(), ring.receiver().unwrap());
        let message = [7; LONG];
        // The sender knows of a whole lap when the head falls back so far that the ring is full.
        sender.try_send(&message).unwrap();
        file.write_all_at(&1_u64.wrapping_sub(8).to_le_bytes(), CONTROL + 128).unwrap();
        thread::scope(|scope| {
            let sending = scope.spawn(|| sender.send_many(std::iter::repeat_n(&message[..], 40)));
            thread::sleep(20 * MOMENT);
            ring.close();
            let _ = sending.join().unwrap();
        });
        // The receiver knows of several messages when the tail falls back to the second.
        if receiver.recv_timeout(MOMENT).map(|first| first.ack()).is_ok() {
            file.write_all_at(&2_u64.to_le_bytes(), CONTROL).unwrap();
            for _ in 0..4 {
                receive_many(&mut receiver, usize::MAX, &Tally::default());
                receive(&mut receiver, &mut [0; LONG][..], &Tally::default());
            }
        }
    }

    /// Sends and receives in several threads, makes new handles and looks at the figures, while another process writes.
    fn under_fire<M: Message + ?Sized + Sync>(
        max_len: usize,
        message: &M,
        buffer: fn() -> Box<M>,
        copy: fn(&mut Receiver<M>, &Tally),
    ) {
        let _watchdog = watchdog("a verb under fire");
        let name = name("hostile");
        let options = Options::new().capacity(7).max_len(max_len).participants(4).spin(MOMENT / 100).retain(2 * LONG);
        let ring = Ring::<M>::create(&name, &options).unwrap();
        let mut scribbler = Process::start("child", "scribbler", &[&name]);
        scribbler.expect("writing");
        let stop = AtomicBool::new(false);
        let tallies: [Tally; 4] = Default::default();
        thread::scope(|scope| {
            let (ring, stop, tallies) = (&ring, &stop, &tallies);
            let run = |work: &dyn Fn()| {
                while !stop.load(Relaxed) {
                    work();
                }
            };
            let mut threads = Vec::new();
            // Two of each: of a flavour that has one sender and one receiver, the others are refused.
            for _ in 0..2 {
                threads.push(scope.spawn(move || run(&|| {
                    let Some(mut sender) = tallies[0].note(ring.sender()) else { return };
                    for _ in 0..20 {
                        send(&mut sender, message, &tallies[1]);
                        tallies[1].note(sender.send_many(std::iter::repeat_n(message, 20)));
                    }
                })));
                threads.push(scope.spawn(move || run(&|| {
                    let mut buffer = buffer();
                    let Some(mut receiver) = tallies[0].note(ring.receiver()) else { return };
                    for _ in 0..20 {
                        receive(&mut receiver, &mut *buffer, &tallies[2]);
                        copy(&mut receiver, &tallies[2]);
                        receive_many(&mut receiver, 3, &tallies[2]);
                        receive_many(&mut receiver, usize::MAX, &tallies[2]);
                    }
                    // For ever, were it not for those who close.
                    tallies[2].note(receiver.recv_many(3).map(|batch| batch.iter().count()));
                })));
            }
            threads.push(scope.spawn(move || run(&|| {
                clear_up_and_look(ring, 4, &tallies[3]);
                tallies[3].note(Ring::<M>::open(&name).map(|ring| (ring.sender(), ring.receiver(), ring.stats())));
                ring.close();
            })));
            thread::sleep(Duration::from_millis(700));
            stop.store(true, Relaxed);
            scribbler.kill();
            // A sender may believe the ring to be full, and wait for somebody who makes room.
            while !threads.iter().all(|thread| thread.is_finished()) {
                ring.close();
                thread::sleep(MOMENT);
            }
        });
        // Whatever it held last, nothing of it stays but the name, which is removed like any other's.
        drop(ring);
        drop(scribbler);
        for tally in &tallies {
            let (good, errors) = (tally.good.load(Relaxed), tally.errors.load(Relaxed));
            assert!(good + errors > 0, "{good} went well, {errors} did not");
        }
        let sum = |of: fn(&Tally) -> &AtomicU64| tallies.iter().map(|tally| of(tally).load(Relaxed)).sum::<u64>();
        assert!(sum(|tally| &tally.good) > 0 && sum(|tally| &tally.errors) > 0);
        let long = sum(|tally| &tally.long);
        assert!(max_len < INLINE || long > 0, "{long} messages were long");
    }

    /// Looks at what rings there are while another process writes into one of them, its header included.
    #[test]
    fn a_list_under_fire_from_another_process() {
        let _watchdog = watchdog("a list under fire");
        let name = name("listed");
        let _ring = Ring::<[u8]>::create(&name, &Options::new().capacity(7).max_len(LONG).participants(4)).unwrap();
        let mut scribbler = Process::start("child", "scribbler", &[&name]);
        scribbler.expect("writing");
        let tally = Tally::default();
        // For half a second, and as long as it takes to see enough of both: the watchdog ends it where that does not come.
        let end = Instant::now() + Duration::from_millis(500);
        while Instant::now() < end || tally.good.load(Relaxed) <= 10 || tally.errors.load(Relaxed) <= 10 {
            let mine = ringmail::list().unwrap().into_iter().find(|listed| listed.name == *name);
            // What is said of it may be anything, and so may be that it is one.
            tally.note(mine.expect("a name that stays").ring);
        }
        scribbler.kill();
        let (good, errors) = (tally.good.into_inner(), tally.errors.into_inner());
        assert!(good > 10 && errors > 10, "{good} went well, {errors} did not");
    }

    #[test]
    fn unsized_messages_under_fire_from_another_process() {
        under_fire::<[u8]>(LONG, &[7; LONG], || vec![0; LONG].into(), |_, _| {});
    }

    #[test]
    fn sized_messages_under_fire_from_another_process() {
        under_fire::<Odd>(size_of::<Odd>(), &[7; 24], || Box::new([0; 24]), copying);
    }
}

/// Writes lies into a ring until it is killed.
#[test]
fn child() {
    let Some((_, args)) = role() else { return };
    scribble(&args[0]);
}

fn scribble(name: &str) {
    let file = File::options().read(true).write(true).open(support::path(name)).unwrap();
    let layout = Layout::read(&file);
    let map = MmapRaw::map_raw(&file).unwrap();
    let word = |at: u64| {
        assert!(at.is_multiple_of(8) && at + 8 <= layout.len);
        // SAFETY: within the mapping, as was just asserted.
        let word = unsafe { map.as_mut_ptr().add(at as usize) };
        // SAFETY: mapped as long as `map`, aligned, and any bytes are an atomic.
        unsafe { &*word.cast::<AtomicU64>() }
    };
    let header: Vec<u64> = (0..HEADER as u64 / 8).map(|place| word(8 * place).load(Relaxed)).collect();
    let mut hostile = Hostile::new(1, layout);
    say("writing");
    loop {
        for _ in 0..hostile.below(1000) {
            match hostile.below(32) {
                0 => {
                    let at = 8 * hostile.below(layout.len / 8 - HEADER as u64 / 8) + HEADER as u64;
                    word(at).store(hostile.any(), Relaxed);
                }
                1 => word(8 * hostile.below(HEADER as u64 / 8)).store(hostile.any(), Relaxed),
                // So that some find a ring to open.
                2 => header.iter().zip(0..).for_each(|(&good, place)| word(8 * place).store(good, Relaxed)),
                _ => {
                    let (at, value) = hostile.lie();
                    word(at).store(value, Relaxed);
                }
            }
        }
        // Now and then as fresh, and for as long as a message takes: lies that are all of one kind hide the others.
        if hostile.below(8) == 0 {
            (CONTROL / 8..layout.len / 8).for_each(|place| word(8 * place).store(0, Relaxed));
        }
        thread::sleep(Duration::from_micros(hostile.below(200)));
    }
}

/// What opens must be a ring that lies within its bytes: a smaller capacity may well fit the same header.
fn opens_in_bounds<M>(bytes: &[u8], value: &[u8]) -> Result<(), OpenError>
where
    M: Message + IntoBytes + ?Sized,
{
    let file = File::from(memfd_create("hostile", MemfdFlags::CLOEXEC).unwrap());
    file.write_all_at(bytes, 0).unwrap();
    let ring = ringmail::mpmc::Ring::<M>::from_fd(file)?;
    assert!(ring.stats().segment_len <= bytes.len() as u64);
    let (sender, receiver) = (ring.sender().unwrap(), ring.receiver().unwrap());
    let value = &value[..ring.max_len()];
    for _ in 0..ring.capacity() {
        sender.try_send(M::ref_from_bytes(value).unwrap()).unwrap();
    }
    assert!(sender.is_full());
    for _ in 0..ring.capacity() {
        assert_eq!(receiver.try_recv().unwrap().as_bytes(), value);
    }
    Ok(())
}

#[test]
fn headers_with_several_bytes_changed_are_refused_or_hold_what_they_say() {
    let options = Options::new().capacity(300).max_len(100);
    let read = |fd: BorrowedFd<'_>| {
        let file = File::from(fd.try_clone_to_owned().unwrap());
        let mut bytes = vec![0; Layout::read(&file).len as usize];
        file.read_exact_at(&mut bytes, 0).unwrap();
        bytes
    };
    let unsized_ = read(ringmail::mpmc::Ring::<[u8]>::anonymous(&options).unwrap().as_fd());
    let sized = read(ringmail::mpmc::Ring::<u64>::anonymous(&options).unwrap().as_fd());
    let other = read(ringmail::spsc::Ring::<u64>::anonymous(&options.capacity(700)).unwrap().as_fd());
    let mut seeded = Seeded(0x6c62_272e_07bb_0142);
    let (mut opened, mut refused) = (0, 0);
    for round in 0..3000 {
        let (is_sized, good) = if round % 2 == 0 { (true, &sized) } else { (false, &unsized_) };
        let mut bytes = good.clone();
        for _ in 0..=seeded.below(8) {
            // Behind magic and version, which tests/strange.rs has; half of the time where the geometry is.
            let end = [136, HEADER][seeded.below(2)];
            let at = 12 + seeded.below(end - 12);
            let word = at / 8 * 8..at / 8 * 8 + 8;
            match seeded.below(4) {
                0 => bytes[at] = seeded.below(256) as u8,
                1 => bytes[at] ^= 1 << seeded.below(8),
                2 if at >= 16 => bytes[word.clone()].copy_from_slice(&other[word]),
                _ if at >= 16 => {
                    let number = u64::from_le_bytes(bytes[word.clone()].try_into().unwrap());
                    let number = number.wrapping_add(seeded.below(5) as u64).wrapping_sub(2);
                    bytes[word].copy_from_slice(&number.to_le_bytes());
                }
                _ => {}
            }
        }
        let value = [round as u8; 256];
        let result =
            if is_sized { opens_in_bounds::<u64>(&bytes, &value) } else { opens_in_bounds::<[u8]>(&bytes, &value) };
        match result {
            Ok(()) => opened += 1,
            Err(error) => {
                assert!(!matches!(error, OpenError::Io(_)), "{error}");
                refused += 1;
            }
        }
    }
    assert!(opened > 10 && refused > 1000, "{opened} opened, {refused} refused");
}
