//! The memory of long messages: committed when it is needed, used again while it is warm, and given back.
//!
//! # What may be touched
//!
//! Nobody touches a body beyond its watermark (`committed`): memory is really there up to it, so no touch can be a `SIGBUS`,
//! however full the file system is. The watermark is written by the body's user alone. It is raised after memory was
//! committed and lowered after it was given back; a user who dies in between leaves a watermark that is too low, marked as
//! [`UNSURE`] so that whoever tidies gives back what may be beyond it, or one that is too high in a body that still names
//! him as its trimmer, which nobody trusts (see `ring::body`).
//!
//! # How much stays
//!
//! Whoever acknowledges a message and finds more committed than `retain` gives that much of its body back, at once. What
//! senders leave who gave up or died goes the same way when somebody [tidies up](Access::tidy).
//!
//! The count of what is committed is a hint. Whoever looks while another commits or gives back may put it too low by
//! that much, and who dies in between leaves it too high: so it is compared with the watermarks now and then
//! ([`recount`](Access::recount)), and whoever tidies goes by the watermarks alone.

use crate::error::Stop;
use crate::layout::{Memory, PAGE, UNSURE};
use crate::os::cache;
use crate::owner::Owner;
use crate::ring::body::{Pool, Rotation, Seized, Tenancy};
use crate::ring::mpmc::Liveness;
use crate::segment::Segment;
use crate::slots::Slots;
use crate::sync::{Mutant, Ordering::*, Private, mutant};

/// The memory that a ring should go round in, where the caches are not known: 4 MiB.
const FOOTPRINT: u64 = 4 << 20;

/// So many bodies are looked at for each commit, and for each message left while too much is committed, on the average.
const LOOKED_AT: u64 = 256;

/// The bodies of one ring.
#[derive(Debug)]
pub struct Bodies {
    /// Bytes that are best gone round in. What fits into the second level is still dirty in the *other* processor's when
    /// it is written again (8 GB/s); what does not fit into the last comes from memory (4 to 10). Between the two it is 40.
    footprint: u64,
    retain: u64,
    count: usize,
    stride: u64,
    /// Offset of the first body in the segment.
    start: u64,
    /// Commits, and messages left while too much was committed, since all bodies were last looked at.
    changes: Private,
}

impl Bodies {
    /// The bodies of `segment`.
    pub fn new(segment: &Segment) -> Self {
        let header = segment.header();
        let between = |(second, last): (u64, u64)| second.saturating_mul(last).isqrt();
        Self {
            footprint: cache::sizes().map_or(FOOTPRINT, between).clamp(1 << 20, 32 << 20),
            retain: header.retain,
            count: header.bodies as usize,
            stride: header.body_stride,
            start: header.bodies_start(),
            changes: Private::default(),
        }
    }

    /// With what it takes to use them.
    pub fn of<'a, T: Tenancy>(&'a self, segment: &'a Segment, slots: Slots, tenancy: &'a T) -> Access<'a, T> {
        Access { bodies: self, segment, pool: Pool::new(slots, self.count), slots, tenancy }
    }

    /// Commits memory to the bodies that messages of the greatest length would first go round in, as far as it may stay, in a
    /// segment that nobody else can see yet.
    pub fn prefault(segment: &Segment) {
        let (bodies, len) = (Self::new(segment), segment.header().max_len);
        let bodies_of = bodies.of(segment, Slots::new(segment), &Nobody);
        let fitting = (bodies.fitting(len as usize).min(bodies.count) as u64).min(bodies.retain / len.max(1));
        // Memory that is not there comes later, or is an error of the message that needs it.
        let _ = (0..fitting as usize).all(|body| bodies_of.commit(body, len as usize));
    }

    /// How many messages of `len` bytes may wait before it is worth holding their sender back: twice as many as suit the caches, which
    /// is not much slower yet, and keeps both sides from waiting for each other. `None` where a single one does not suit.
    pub fn ahead(&self, len: usize) -> Option<u64> {
        (len as u64 <= self.footprint).then(|| 2 * self.fitting(len) as u64)
    }

    /// How many bodies of messages of `len` bytes suit the caches.
    fn fitting(&self, len: usize) -> usize {
        (self.footprint / (len as u64).next_multiple_of(PAGE).max(PAGE)).max(1) as usize
    }
}

/// A ring in which nobody is.
struct Nobody;

impl Liveness for Nobody {
    fn is_dead(&self, _: Owner) -> bool {
        false
    }
}

impl Tenancy for Nobody {
    fn is_current(&self, _: u64) -> bool {
        false
    }
}

/// The bodies of a ring, with what one process knows of who is where in it.
#[derive(Debug)]
pub struct Access<'a, T> {
    bodies: &'a Bodies,
    segment: &'a Segment,
    slots: Slots,
    pool: Pool<Slots>,
    tenancy: &'a T,
}

impl<T: Tenancy> Access<'_, T> {
    /// A body with memory for `len` bytes, for the message at `position`, which the caller has.
    pub fn obtain(&self, rotation: &Rotation, position: u64, len: usize, me: Owner) -> Result<usize, Stop> {
        let body = self.find(rotation, position, len, me);
        rotation.is_starved.set(body.is_none().into());
        body.ok_or(Stop::NoSpace { needed: len })
    }

    /// Says at once that there is no memory, to a caller who was told so before and has no position yet: one that is given
    /// back unused is not free again before all messages in front of it are received.
    pub fn expect(&self, rotation: &Rotation, len: usize, me: Owner) -> Result<(), Stop> {
        if rotation.is_starved.get() == 0 || self.is_there(len, me) {
            return Ok(());
        }
        let is_there = self.make_room(len, me) && self.is_there(len, me);
        if is_there { Ok(()) } else { Err(Stop::NoSpace { needed: len }) }
    }

    /// Whether some body in nobody's use has memory for `len` bytes, or was given it just now.
    fn is_there(&self, len: usize, me: Owner) -> bool {
        let is_free = |body: &usize| !self.pool.is_in_use(*body, self.tenancy);
        let mut free = (0..self.bodies.count).filter(is_free).peekable();
        let first = free.peek().copied();
        let has_memory = free.any(|body| self.watermark(body) >= len as u64);
        has_memory || first.is_some_and(|body| self.commit_unused(body, len, me))
    }

    /// Commits memory to a body that is in nobody's use.
    fn commit_unused(&self, body: usize, len: usize, me: Owner) -> bool {
        let Some(seized) = self.pool.seize(body, me, self.tenancy) else { return false };
        if seized == Seized::InDoubt {
            // Somebody else took it meanwhile, and died.
            self.lower(body, 0, seized);
        }
        let done = self.commit(body, len);
        self.pool.release(body);
        done
    }

    fn find(&self, rotation: &Rotation, position: u64, len: usize, me: Owner) -> Option<usize> {
        let fitting = self.bodies.fitting(rotation.longest(len as u64) as usize);
        let claim = || self.pool.claim(rotation, fitting, position, self.tenancy);
        // There are more bodies than can be in use at once, unless many were left by those who died giving memory back.
        let body = claim().or_else(|| {
            self.tidy(u64::MAX, me);
            claim()
        })?;
        if let Some(body) = self.or_release(body, self.commit(body, len)) {
            return Some(body);
        }
        // The file system is full. Some other body may have the memory already, or memory to give back.
        let has_memory = |body| self.watermark(body) >= len as u64;
        let warm = self.pool.claim_any(position, self.tenancy, has_memory);
        // Looked at again: what it had before it was claimed, it may have lost.
        if let Some(body) = warm.and_then(|body| self.or_release(body, has_memory(body))) {
            return Some(body);
        }
        if !self.make_room(len, me) {
            return None;
        }
        let body = claim()?;
        self.or_release(body, self.commit(body, len))
    }

    /// A body that the caller has claimed, if it is good for something.
    fn or_release(&self, body: usize, is_good: bool) -> Option<usize> {
        if !is_good {
            self.pool.release(body);
        }
        is_good.then_some(body)
    }

    /// Gives back as much as a message of `len` bytes lacks, if that is to be had. `false` where it is not: then what is warm
    /// stays.
    fn make_room(&self, len: usize, me: Owner) -> bool {
        let lacks = (len as u64).saturating_sub(self.segment.available().unwrap_or(0));
        let unused = (0..self.bodies.count).filter(|&body| !self.pool.is_in_use(body, self.tenancy));
        if unused.map(|body| self.watermark(body)).fold(0, u64::saturating_add) < lacks {
            return false;
        }
        self.tidy(self.committed().saturating_sub(lacks), me);
        true
    }

    /// Ends the use of a body that was claimed for a message that is not sent, at a position that stays the caller's.
    pub fn release(&self, body: usize) {
        self.pool.release(body);
    }

    /// Ends the use of all bodies that were claimed at a position that is now the caller's, and nobody else's.
    pub fn release_all(&self, position: u64) {
        self.pool.release_all(position);
    }

    /// Whether more is committed than stays.
    pub fn is_over(&self) -> bool {
        self.memory().committed.load(Relaxed) > self.bodies.retain
    }

    /// Gives memory of a body back that was just left, if more is committed than stays.
    ///
    /// Now and then it looks at all: what nobody has left in order, such as the dead, would else cost every message the memory
    /// that it is warm in.
    pub fn trim(&self, body: usize, me: Owner) {
        if self.is_due() {
            return self.tidy(self.bodies.retain, me);
        }
        let over = self.memory().committed.load(Relaxed).saturating_sub(self.bodies.retain);
        if over > 0 {
            self.give_back(body, over, me);
        }
    }

    /// If more is committed than stays, gives back what nobody has left in order.
    pub fn tidy_if_over(&self, me: Owner) {
        if self.is_over() {
            self.tidy(self.bodies.retain, me);
        }
    }

    /// As [`tidy_if_over`](Self::tidy_if_over), now and then: for those who pass by often.
    pub fn tidy_if_due(&self, me: Owner) {
        if self.is_over() && self.is_due() {
            self.tidy(self.bodies.retain, me);
        }
    }

    /// Takes the name of a place's former owner from all bodies, so that the place may be reused.
    pub fn disown(&self, index: u32) {
        self.pool.disown(index);
    }

    /// Gives back what bodies in nobody's use have, until no more than `goal` is committed; and clears up behind those who
    /// died giving back.
    pub fn tidy(&self, goal: u64, me: Owner) {
        let mut over = self.recount().saturating_sub(goal);
        for body in (0..self.bodies.count).rev() {
            let is_worth = (over > 0 && self.watermark(body) > 0) || self.is_unsure(body);
            if is_worth || self.pool.is_in_doubt(body, self.tenancy) {
                over = over.saturating_sub(self.give_back(body, over, me));
            }
        }
    }

    /// Bytes that stay when nobody uses them.
    pub fn retain(&self) -> u64 {
        self.bodies.retain
    }

    /// Bytes committed to bodies, by their watermarks.
    pub fn committed(&self) -> u64 {
        (0..self.bodies.count).map(|body| self.watermark(body)).sum()
    }

    /// Bytes committed to bodies that are in use.
    pub fn in_use(&self) -> u64 {
        let used = (0..self.bodies.count).filter(|&body| self.pool.is_in_use(body, self.tenancy));
        used.map(|body| self.watermark(body)).sum()
    }

    /// The most there was ever committed to bodies.
    pub fn high_water(&self) -> u64 {
        self.memory().high_water.load(Relaxed)
    }

    /// Makes sure that memory is behind the first `len` bytes of a body that the caller has.
    fn commit(&self, body: usize, len: usize) -> bool {
        let have = self.watermark(body);
        if len as u64 <= have {
            return true;
        }
        let have = have / PAGE * PAGE;
        let want = (len as u64).next_multiple_of(PAGE);
        let entry = self.slots.body(body);
        // What somebody left who died here is not less unsure for what is committed now.
        let was_unsure = entry.committed.load(Relaxed) & UNSURE;
        if mutant(Mutant::WatermarkFirst) {
            entry.committed.store(want, Release);
        } else if !mutant(Mutant::Unmarked) {
            entry.committed.store(have | UNSURE, Release);
        }
        if self.segment.commit(self.offset(body) + have, want - have).is_err() {
            // Part of it may be there, and nobody would know.
            let gone = self.segment.give_back(self.offset(body) + have, want - have).is_ok();
            entry.committed.store(have | if gone { was_unsure } else { UNSURE }, Release);
            return false;
        }
        // First the count, then the watermark: who dies in between leaves a count that is too high, and that is noticed.
        let committed = self.memory().committed.fetch_add(want - have, Relaxed).wrapping_add(want - have);
        self.memory().high_water.fetch_max(committed, Relaxed);
        entry.committed.store(want | was_unsure, Release);
        if committed <= self.bodies.retain && self.is_due() {
            self.recount();
        }
        true
    }

    /// Whether it is time to look at all bodies: so seldom that it costs next to nothing.
    fn is_due(&self) -> bool {
        let changes = self.bodies.changes.get();
        let is_due = changes >= self.bodies.count as u64 / LOOKED_AT;
        self.bodies.changes.set(if is_due { 0 } else { changes + 1 });
        is_due
    }

    /// Gives up to `most` bytes of a body back, unless somebody uses it; returns how many.
    fn give_back(&self, body: usize, most: u64, me: Owner) -> u64 {
        let Some(seized) = self.pool.seize(body, me, self.tenancy) else { return 0 };
        let keep = match seized {
            Seized::Sound => self.watermark(body).saturating_sub(most) / PAGE * PAGE,
            // How far the dead one came, nobody knows.
            Seized::InDoubt => 0,
        };
        if mutant(Mutant::ReleaseFirst) {
            self.pool.release(body);
            return self.lower(body, keep, seized);
        }
        let gone = self.lower(body, keep, seized);
        self.pool.release(body);
        gone
    }

    /// Gives back what a body that the caller has taken has beyond `keep` bytes; returns how many it was said to have.
    fn lower(&self, body: usize, keep: u64, seized: Seized) -> u64 {
        let had = self.watermark(body);
        let end = if self.is_unsure(body) { self.bodies.stride } else { had };
        let gone = keep < end && self.segment.give_back(self.offset(body) + keep, end - keep).is_ok();
        let is_sure = gone || keep == end;
        if is_sure || seized == Seized::InDoubt {
            self.slots.body(body).committed.store(if is_sure { keep } else { keep | UNSURE }, Release);
            let counted = &self.memory().committed;
            let count = counted.load(Relaxed);
            // Not below zero: somebody may just have put the count right, so that this is subtracted already. In vain if
            // somebody else counts just now: it will be noticed.
            let fewer = count.saturating_sub(had.saturating_sub(keep));
            let _ = counted.compare_exchange(count, fewer, Relaxed, Relaxed);
        }
        if gone { had.saturating_sub(keep) } else { 0 }
    }

    /// Bytes committed, by the watermarks; and puts the count right.
    fn recount(&self) -> u64 {
        let counted = self.memory().committed.load(Relaxed);
        let committed = self.committed();
        if committed != counted {
            // In vain if somebody commits or gives back just now: it will be noticed again.
            let _ = self.memory().committed.compare_exchange(counted, committed, Relaxed, Relaxed);
        }
        committed
    }

    /// Bytes of a body that are really there. Whatever somebody out of line wrote, nobody goes beyond the body's own range.
    fn watermark(&self, body: usize) -> u64 {
        self.slots.body(body).watermark().min(self.bodies.stride)
    }

    /// Whether a body may have more memory than its watermark says.
    fn is_unsure(&self, body: usize) -> bool {
        self.slots.body(body).committed.load(Relaxed) & UNSURE != 0
    }

    fn memory(&self) -> &Memory {
        &self.slots.control().memory.0
    }

    fn offset(&self, body: usize) -> u64 {
        self.bodies.start + body as u64 * self.bodies.stride
    }
}
