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
//! Of a message that takes several bodies, each has its own watermark: up to its end, and in the last up to where the message ends. They
//! get their memory one after the other, and count as one only in that all are let go where one gets none. So that this
//! seldom happens, and a message for which there is too little takes none of it, the file system is asked before.
//!
//! # How much stays
//!
//! What lies idle, in bodies that nobody uses, is at most `retain`; what messages in the ring take does not count. Whoever
//! acknowledges a message counts its body as idle. If that is too much, by the bound of [`ring::idle`](crate::ring::idle), he
//! looks at all bodies and gives the rest back, at once; or as much of his own body, where somebody looked only just now. What
//! senders leave who gave up or died goes the same way when somebody [tidies up](Access::tidy_if_over).
//!
//! Nobody need look while no more is committed than may stay. That count is a hint that may be too high, where somebody died
//! between counting and committing, and is put right now and then. It is never too low: it is raised before the watermark
//! is and lowered before the watermark is, and who puts it right ([`look`](Access::look)) raises it only while somebody is
//! committing, as [`UNSURE`] tells.
//!
//! *Two who act at once* may each find a body that the other is just giving back. It counts as idle until it is gone, so they
//! rather give back too much. But who did not get his body, because another had it, must not rely on him, who may have looked
//! before that body was left. So each asks the bound once more when he is done: store, fence, load, and of two one sees
//! the other.

use crate::error::Stop;
use crate::layout::{MAX_BODIES_LEN, Memory, PAGE, UNSURE};
use crate::os::cache;
use crate::owner::Owner;
use crate::ring::body::{Pool, Rotation, Run, Seized, Tenancy};
use crate::ring::idle::Idle;
use crate::ring::mpmc::Liveness;
use crate::segment::Segment;
use crate::slots::Slots;
use crate::sync::{Mutant, Ordering::*, Private, fence, mutant};

mod run;

/// The memory that a ring should go round in, where the caches are not known: 4 MiB.
const FOOTPRINT: u64 = 4 << 20;

/// The most that it should, however large the last cache is said to be: where that is hundreds of megabytes, a whole socket's other
/// cores have most of it.
const LARGEST_FOOTPRINT: u64 = 8 << 20;

/// So many bodies are looked at for each commit, and for each short message that passes while too much is idle, on the average.
const LOOKED_AT: u64 = 256;

/// So many are looked at for each message that passes while much is committed but not idle, lest the dead left some uncounted.
const SELDOM_LOOKED_AT: u64 = 4;

/// So many bytes must have been left for each body since somebody last looked at all: then a look takes a fraction of a copy's time.
const LEFT_A_LOOK: u64 = 16;

/// The bodies of one ring.
#[derive(Debug)]
pub struct Bodies {
    /// Bytes that are best gone round in. What fits into the second level is still dirty in the *other* processor's when
    /// it is written again (8 GB/s); what does not fit into the last comes from memory (4 to 10). Between the two it is 40.
    footprint: u64,
    retain: u64,
    count: usize,
    /// So many of them, the first, are for messages that take one.
    singles: usize,
    stride: u64,
    /// Offset of the first body in the segment.
    start: u64,
    /// Commits, and messages that passed while much was committed, since all bodies were last looked at.
    changes: Private,
    /// What had ever been left when this process last looked at all.
    looked: Private,
}

impl Bodies {
    /// The bodies of `segment`.
    pub fn new(segment: &Segment) -> Self {
        let header = segment.header();
        let between = |(second, last): (u64, u64)| second.saturating_mul(last).isqrt();
        // Files are read for it, once a process.
        let caches = if header.bodies > 0 { cache::sizes() } else { None };
        Self {
            footprint: caches.map_or(FOOTPRINT, between).clamp(1 << 20, LARGEST_FOOTPRINT),
            retain: header.retain,
            count: header.bodies as usize,
            singles: header.single_bodies() as usize,
            stride: header.body_stride,
            start: header.bodies_start(),
            changes: Private::default(),
            looked: Private::default(),
        }
    }

    /// With what it takes to use them.
    pub fn of<'a, T: Tenancy>(&'a self, segment: &'a Segment, slots: &'a Slots, tenancy: &'a T) -> Access<'a, T> {
        let (pool, idle) = (Pool::new(slots, self.singles, self.count), Idle::new(slots));
        Access { bodies: self, segment, pool, idle, slots, tenancy }
    }

    /// Commits memory to the bodies that messages of the greatest length would first go round in, as far as it may stay, in a
    /// segment that nobody else can see yet.
    pub fn prefault(segment: &Segment) {
        let (bodies, len) = (Self::new(segment), segment.header().max_len);
        if bodies.count == 0 {
            return;
        }
        let slots = Slots::new(segment);
        let bodies_of = bodies.of(segment, &slots, &Nobody);
        let (count, len) = (bodies.needed_for(len as usize), len as usize);
        let (first, most) = if count == 1 { (0, bodies.singles) } else { (bodies.singles, 1) };
        let fitting = bodies.fitting(len as u64).min(most).min((bodies.retain / len.max(1) as u64) as usize);
        // Memory that is not there comes later, or is an error of the message that needs it.
        let _ = (0..fitting).all(|place| bodies_of.commit_run(Run { first: first + place * count, count }, len));
        bodies_of.look();
    }

    /// How many bodies a message of `len` bytes takes; at least one.
    fn needed_for(&self, len: usize) -> usize {
        if len as u64 <= self.stride { 1 } else { len.div_ceil(self.stride as usize) }
    }

    /// How many messages of `len` bytes may wait before it is worth holding their sender back: twice as many as suit the caches, which
    /// is not much slower yet, and keeps both sides from waiting for each other. `None` where a single one does not suit.
    pub fn ahead(&self, len: usize) -> Option<u64> {
        (len as u64 <= self.footprint).then(|| 2 * Self::of_len(len as u64, self.footprint).max(1) as u64)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Whether messages of `len` bytes are best sent from one and the same body: two are more than suits the caches.
    pub fn is_best_alone(&self, len: usize) -> bool {
        2 * len as u64 > self.footprint && self.stride >= len as u64
    }

    /// How many bodies of messages of `len` bytes suit the caches, and may stay when nobody uses them; at least one.
    fn fitting(&self, len: u64) -> usize {
        Self::of_len(len, self.footprint.min(self.retain)).max(1)
    }

    /// How many bodies of messages of `len` bytes may lie idle in a round, so that there is still room for those that come and go.
    fn spare(&self, len: u64) -> usize {
        Self::of_len(len, self.retain / 2)
    }

    /// How many bodies of messages of `len` bytes there are in so many bytes.
    fn of_len(len: u64, bytes: u64) -> usize {
        (bytes / len.next_multiple_of(PAGE).max(PAGE)) as usize
    }
}

/// What a look at all bodies found.
struct Found {
    /// Bytes in bodies that nobody uses.
    idle: u64,
    /// Whether each body has what its watermark says.
    is_sound: bool,
}

/// How many bytes are committed, as the shared word has it: in the low bits, and above them how often that changed, so that who
/// looked while as much was given back as was committed does not take the word for unchanged.
#[derive(Clone, Copy)]
struct Counted(u64);

impl Counted {
    /// One change. More than all bodies may take.
    const CHANGE: u64 = 2 * MAX_BODIES_LEN;

    fn bytes(self) -> u64 {
        self.0 % Self::CHANGE
    }

    /// The word after this one.
    fn becomes(self, bytes: u64) -> Self {
        let changes = (self.0 - self.bytes()).wrapping_add(Self::CHANGE);
        Self(changes | bytes.min(Self::CHANGE - 1))
    }
}

const _: () = assert!(Counted::CHANGE.is_power_of_two());

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
    /// (Not copied: each message would store all of it three times, in a store buffer that its payload fills already.)
    slots: &'a Slots,
    pool: Pool<&'a Slots>,
    idle: Idle<&'a Slots>,
    tenancy: &'a T,
}

impl<T: Tenancy> Access<'_, T> {
    /// A body with memory for `len` bytes, for the message at `position`, which the caller has; or the first of as many as it takes.
    pub fn obtain(&self, rotation: &Rotation, position: u64, len: usize, me: Owner) -> Result<usize, Stop> {
        let body = match self.bodies.needed_for(len) {
            1 => self.find(rotation, position, len, me),
            count => self.find_run(count, position, len, me),
        };
        rotation.is_starved.set(body.is_none().into());
        if body.is_none() {
            // What was taken and left on the way, a look meanwhile took to be in use.
            self.tidy_if_over(me);
        }
        body.ok_or(Stop::NoSpace { needed: len })
    }

    /// The message in the one body that [a round of one](Bodies::is_best_alone) goes round in, if it is there still.
    pub fn in_the_way(&self) -> Option<u64> {
        self.pool.message_in(0, self.tenancy)
    }

    /// Says at once that there is no memory, to a caller who was told so before and has no position yet: one that is given
    /// back unused is not free again before all messages in front of it are received.
    pub fn expect(&self, rotation: &Rotation, len: usize, me: Owner) -> Result<(), Stop> {
        if rotation.is_starved.get() == 0 {
            return Ok(());
        }
        let is_there = match self.bodies.needed_for(len) {
            1 => self.is_there(len, me) || (self.make_room(len, me) && self.is_there(len, me)),
            count => self.is_run_there(count, len, me),
        };
        if is_there { Ok(()) } else { Err(Stop::NoSpace { needed: len }) }
    }

    /// Whether some body in nobody's use has memory for `len` bytes, or was given it just now.
    fn is_there(&self, len: usize, me: Owner) -> bool {
        let is_free = |body: &usize| !self.pool.is_in_use(*body, self.tenancy);
        let mut free = (0..self.bodies.singles).filter(is_free).peekable();
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
        let had = self.watermark(body);
        let done = self.commit(body, len);
        let more = self.watermark(body).saturating_sub(had);
        self.pool.release(body);
        self.idle.leave(more);
        done
    }

    fn find(&self, rotation: &Rotation, position: u64, len: usize, me: Owner) -> Option<usize> {
        let longest = rotation.longest(len as u64);
        let (fitting, spare) = (self.bodies.fitting(longest), self.bodies.spare(longest));
        let claim = || self.pool.claim(rotation, (fitting, spare), position, self.tenancy);
        // There are more bodies than can be in use at once, unless many were left by those who died giving memory back.
        let body = claim().or_else(|| {
            self.tidy(u64::MAX, u64::MAX, me);
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
            self.let_go(body);
        }
        is_good.then_some(body)
    }

    /// Ends the use of a body that the caller has claimed and did not make use of.
    fn let_go(&self, body: usize) {
        let bytes = self.watermark(body);
        self.pool.release(body);
        // A look meanwhile took it to be in use.
        self.idle.leave(bytes);
    }

    /// Gives back as much as a message of `len` bytes lacks, if that is to be had. `false` where it is not: then what is warm
    /// stays.
    fn make_room(&self, len: usize, me: Owner) -> bool {
        let lacks = (len as u64).saturating_sub(self.segment.available().unwrap_or(0));
        let Some(goal) = self.look().idle.checked_sub(lacks) else { return false };
        self.tidy(goal, goal, me);
        true
    }

    /// Ends the use of bodies that were claimed for a message that is not sent, or does not need them, at a position that stays the
    /// caller's.
    pub fn abandon(&self, run: Run, me: Owner) {
        let bytes = self.bytes_of(run);
        run.bodies().for_each(|body| self.pool.release(body));
        self.leave(&[run], bytes, me);
    }

    /// Ends the use of all bodies that were claimed at a position that is now the caller's, and nobody else's.
    pub fn release_all(&self, position: u64) {
        self.pool.release_all(position);
        self.idle.doubt();
    }

    /// Counts bodies as idle that were just left, with `bytes` in all while they were in use; and gives back what is too much.
    #[inline]
    pub fn leave(&self, runs: &[Run], bytes: u64, me: Owner) {
        let left = self.idle.leave(bytes);
        if self.is_full() {
            self.relieve(runs, left, me);
        }
    }

    /// As for [`leave`](Self::leave), when `left` bytes ever were.
    #[cold]
    fn relieve(&self, runs: &[Run], left: u64, me: Owner) {
        let retain = self.bodies.retain;
        let mut over = self.idle.most_of(left).saturating_sub(retain);
        if over == 0 {
            return self.tidy_if_due(me);
        }
        let since = left.wrapping_sub(self.bodies.looked.get());
        // Where nothing may stay, there is nothing to find out.
        if retain > 0 && since >= LEFT_A_LOOK * self.bodies.count as u64 {
            return self.tidy_idle(me);
        }
        // Of each run the last first, so that what stays is where the next one begins.
        for body in runs.iter().flat_map(|run| run.bodies().rev()) {
            if over == 0 {
                break;
            }
            over = over.saturating_sub(self.give_back(body, over, me));
        }
        fence(SeqCst);
        self.tidy_if_over(me);
    }

    /// Whether more is committed than stays when nobody uses it.
    #[inline]
    fn is_full(&self) -> bool {
        Counted(self.memory().committed.load(Relaxed)).bytes() > self.bodies.retain
    }

    /// Whether more may be idle than stays.
    fn is_over(&self) -> bool {
        self.is_full() && self.idle.most() > self.bodies.retain
    }

    /// After something made bodies idle that nobody counted.
    pub fn doubt(&self) {
        self.idle.doubt();
    }

    /// If more may be idle than stays, gives it back.
    pub fn tidy_if_over(&self, me: Owner) {
        if self.is_over() {
            self.tidy_idle(me);
        }
    }

    /// For those who pass by often: if more may be idle than stays, or somebody may have died who did not count what he left, looks now
    /// and then.
    #[inline]
    pub fn pass(&self, me: Owner) {
        if self.is_full() {
            self.tidy_if_due(me);
        }
    }

    #[cold]
    fn tidy_if_due(&self, me: Owner) {
        let looked_at = if self.idle.most() > self.bodies.retain { LOOKED_AT } else { SELDOM_LOOKED_AT };
        if self.is_due(looked_at) {
            self.tidy_idle(me);
        }
    }

    /// Gives back what is idle beyond what stays.
    ///
    /// A little more than that, so that it is not to be done again after the next message.
    pub fn tidy_idle(&self, me: Owner) {
        let retain = self.bodies.retain;
        self.tidy(retain, retain - retain / 8, me);
        fence(SeqCst);
        if self.is_over() {
            // Somebody left more meanwhile, and may not have got it because it was in hand here.
            self.tidy(retain, retain - retain / 8, me);
        }
    }

    /// Takes the name of a place's former owner from all bodies, so that the place may be reused.
    pub fn disown(&self, index: u32) {
        // What it names counts as idle before and after.
        self.pool.disown(index);
    }

    /// If more than `most` is idle, gives back what bodies in nobody's use have, until no more than `goal` is; and clears up
    /// behind those who died giving back. The last bodies first: the first are those that senders go round in.
    fn tidy(&self, most: u64, goal: u64, me: Owner) {
        let found = self.look();
        let mut over = if found.idle > most { found.idle.saturating_sub(goal) } else { 0 };
        if over == 0 && found.is_sound {
            return;
        }
        for body in (0..self.bodies.count).rev() {
            let is_worth = (over > 0 && self.watermark(body) > 0) || self.is_unsure(body);
            if is_worth || self.pool.is_in_doubt(body, self.tenancy) {
                over = over.saturating_sub(self.give_back(body, over, me));
            }
        }
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

    /// Bytes committed to the bodies of a run.
    #[inline]
    pub fn bytes_of(&self, run: Run) -> u64 {
        match run.count {
            1 => self.watermark(run.first),
            _ => run.bodies().map(|body| self.watermark(body)).sum(),
        }
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
        let more = Counted::CHANGE + (want - have);
        let committed = Counted(self.memory().committed.fetch_add(more, Release).wrapping_add(more)).bytes();
        self.memory().high_water.fetch_max(committed, Relaxed);
        entry.committed.store(want | was_unsure, Release);
        if committed <= self.bodies.retain && self.is_due(LOOKED_AT) {
            self.look();
        }
        true
    }

    /// Whether it is time to look at all bodies: so seldom that it costs next to nothing.
    fn is_due(&self, looked_at: u64) -> bool {
        let changes = self.bodies.changes.get();
        let is_due = changes >= self.bodies.count as u64 / looked_at;
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
        let fewer = had.saturating_sub(keep);
        // Of what somebody gave back who died nobody knows whether it was counted.
        let is_counted = seized == Seized::Sound && fewer > 0;
        if is_counted && !mutant(Mutant::LateGift) {
            self.idle.give(fewer);
        }
        let gone = keep < end && self.segment.give_back(self.offset(body) + keep, end - keep).is_ok();
        let is_sure = gone || keep == end;
        if is_counted && gone {
            let counted = &self.memory().committed;
            let count = counted.load(Relaxed);
            // In vain if somebody else counts just now: then it is too high, which will be noticed.
            let less = Counted(count).becomes(Counted(count).bytes().saturating_sub(fewer));
            let _ = counted.compare_exchange(count, less.0, Relaxed, Relaxed);
        }
        if is_counted && !gone {
            self.idle.leave(fewer);
        }
        if is_sure || seized == Seized::InDoubt {
            self.slots.body(body).committed.store(if is_sure { keep } else { keep | UNSURE }, Release);
        }
        if is_counted && mutant(Mutant::LateGift) {
            self.idle.give(fewer);
        }
        if gone { fewer } else { 0 }
    }

    /// Looks at all bodies: puts right what is counted as committed and as idle.
    fn look(&self) -> Found {
        let memory = self.memory();
        let counted = memory.committed.load(Acquire);
        let look = self.idle.begin();
        let (mut committed, mut idle, mut is_settled, mut is_in_doubt) = (0_u64, 0_u64, true, false);
        for body in 0..self.bodies.count {
            let word = self.slots.body(body).committed.load(Acquire);
            let bytes = (word & !UNSURE).min(self.bodies.stride);
            is_settled &= word & UNSURE == 0;
            committed = committed.saturating_add(bytes);
            if bytes > 0 && !self.pool.is_taken(body, self.tenancy) {
                idle = idle.saturating_add(bytes);
            }
            is_in_doubt |= self.pool.is_in_doubt(body, self.tenancy);
        }
        self.bodies.looked.set(look.left());
        self.idle.end(look, idle);
        let before = Counted(counted);
        if committed != before.bytes() && (is_settled || committed > before.bytes()) {
            // In vain if somebody commits or gives back just now: it will be noticed again.
            let _ = memory.committed.compare_exchange(counted, before.becomes(committed).0, Relaxed, Relaxed);
        }
        Found { idle, is_sound: is_settled && !is_in_doubt }
    }

    /// Bytes of a body that are really there. Whatever somebody out of line wrote, nobody goes beyond the body's own range.
    pub fn watermark(&self, body: usize) -> u64 {
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
