//! What a ring can tell about itself.

use crate::attachment::Attachment;
use crate::layout::Flavour;
use crate::registry::Role;
use crate::ring::word::{Phase, Word};
use crate::ring::{mpmc, spsc};
use crate::slots;
use crate::sync::Ordering::{Acquire, Relaxed};

/// A ring's figures at one moment.
///
/// They are read without stopping anybody: while messages flow they are close, and exact once nobody is in the middle of
/// anything. None of them costs the fast path a thing: they are what the slots themselves say, and counts of what is rare.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Slots.
    pub capacity: usize,
    /// Longest message in bytes.
    pub max_len: usize,
    /// Messages sent and not acknowledged, held ones included.
    pub backlog: usize,
    /// Messages that receivers hold.
    pub held: usize,
    /// Messages sent since the ring was created.
    pub sent: u64,
    /// Messages handed out at least once.
    pub received: u64,
    /// Messages acknowledged, or dropped by the redelivery policy.
    pub acked: u64,
    /// Deliveries beyond a message's first.
    pub redelivered: u64,
    /// Messages that receivers gave back.
    pub rejected: u64,
    /// Messages dropped by the redelivery policy.
    pub dropped: u64,
    /// Slots that died with their sender before it committed, and were freed.
    pub reaped: u64,
    /// Bytes of the segment: of address space, where long messages get memory as they need it.
    pub segment_len: u64,
    /// Bytes of memory that are committed: all that is allocated from the start, and what long messages have or had.
    pub committed: u64,
    /// Of these, bytes that messages in the ring make use of, or that cannot be given back.
    pub in_use: u64,
    /// The most bytes that were ever committed.
    pub high_water: u64,
    /// Whether the stream was ended.
    pub closed: bool,
    /// Who takes part.
    pub participants: Vec<Participant>,
}

/// One process that takes part in a ring, or did until it died.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Participant {
    /// Its process id, in its own pid namespace.
    pub pid: u32,
    /// Senders it has.
    pub senders: u32,
    /// Receivers it has.
    pub receivers: u32,
    /// Whether it lives; the record of one that died stays until its place is used again.
    pub alive: bool,
}

/// What [`recover`](crate::mpmc::Ring::recover) did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recovered {
    /// Dead processes whose place in the ring was cleared.
    pub participants: u32,
    /// Slots that died with their sender before it committed, and were freed.
    pub reaped: u64,
    /// Messages that a dead receiver held, and that the next receiver gets.
    pub returned: u64,
    /// Messages that were held, and dropped by the redelivery policy.
    pub dropped: u64,
}

/// The figures of a ring.
pub(crate) fn of(attachment: &Attachment) -> Stats {
    let segment = attachment.segment();
    let (header, control) = (segment.header(), segment.control());
    let counters = &control.counters.0;
    let positions = slots::positions(header);
    let rare = |counter: &crate::sync::AtomicU64| counter.load(Relaxed);
    let (sent, waiting, held) = match attachment.flavour() {
        Flavour::Spsc => {
            let slots = attachment.slots();
            let head = positions.sound(spsc::Shared::head(&slots).load(Acquire));
            let taken = positions.sound(spsc::Shared::taken(&slots).load(Acquire)).max(head);
            let tail = positions.sound(spsc::Shared::tail(&slots).load(Acquire)).max(taken);
            (positions.count(tail), positions.distance(taken, tail), positions.distance(head, taken))
        }
        Flavour::Mpmc => {
            let slots = attachment.slots();
            let (mut waiting, mut held) = (0, 0);
            for index in 0..header.capacity as usize {
                match Word(mpmc::Shared::word(&slots, index).load(Acquire)).phase() {
                    Phase::Ready => waiting += 1,
                    Phase::Reading => held += 1,
                    Phase::Empty | Phase::Writing => {}
                }
            }
            let claimed = positions.count(attachment.core().tail());
            let void =
                rare(&counters.bumped).saturating_add(rare(&counters.aborted)).saturating_add(rare(&counters.reaped));
            let writing = attachment.core().writing();
            (claimed.saturating_sub(void).saturating_sub(writing), waiting, held)
        }
    };
    let backlog = waiting.saturating_add(held).min(header.capacity);
    let acked = sent.saturating_sub(backlog);
    let (dense, bodies) = (header.dense_len(), attachment.bodies());
    Stats {
        capacity: header.capacity as usize,
        max_len: header.max_len as usize,
        backlog: backlog as usize,
        held: held as usize,
        sent,
        received: acked.saturating_add(held),
        acked,
        redelivered: rare(&counters.adopted),
        rejected: rare(&counters.rejected),
        dropped: rare(&counters.dropped),
        reaped: rare(&counters.reaped),
        segment_len: header.segment_len,
        committed: dense.saturating_add(bodies.committed()),
        in_use: dense.saturating_add(bodies.in_use()),
        high_water: dense.saturating_add(bodies.high_water()),
        closed: attachment.is_closed(),
        participants: participants(attachment),
    }
}

fn participants(attachment: &Attachment) -> Vec<Participant> {
    let segment = attachment.segment();
    let present = segment.participants().iter().enumerate().filter(|(_, record)| record.generation.load(Acquire) != 0);
    present
        .map(|(index, record)| Participant {
            pid: record.pid.load(Relaxed),
            senders: Role::Sender.count(record).load(Relaxed),
            receivers: Role::Receiver.count(record).load(Relaxed),
            alive: attachment.registry().is_alive(segment, index),
        })
        .collect()
}
