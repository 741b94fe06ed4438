//! The ring of many senders and many receivers, in which every claim says whose it is.
//!
//! Position p = (lap L, slot i). Each slot has a state word `w` (see [`super::word`]) and, in a cold array, `skip`: the first
//! lap in which the slot was not passed over. The slots are the truth; `tail` and `head` are hints that are never above it.
//!
//! # Transitions: the whole list
//!
//! | | from → to | who | how |
//! |---|---|---|---|
//! | claim | EMPTY(x) → WRITING(L, me), max(x, skip) = L | a sender at (L, i) | CAS |
//! | check | then, if `bumped` > p and skip > L: undo | the claimer | loads |
//! | undo | WRITING(L, me) → EMPTY(skip) | owner | store |
//! | commit | WRITING(L, me) → READY(L) | owner | store |
//! | abort | WRITING(L, me) → EMPTY(L+1) | owner | store |
//! | take | READY(x), x ≤ L → READING(x, me, 0) | a receiver at (L, i) | CAS, AcqRel: who sees the name sees its owner's record |
//! | retract | READY(L) → EMPTY(L+1) | its sender, after a close | CAS |
//! | acknowledge | READING(x, me, k) → EMPTY(x+1) | owner | store |
//! | reject | READING(x, me, k) → READING(x, ORPHAN, k) | owner | store |
//! | bump | skip → L+1 at p = (L, i), the slot being held by an earlier lap | a sender | `bumped` := max(p+1), then CAS |
//! | reap, adopt, drop | a dead owner's word | anybody | CAS, in [`super::recover`] |
//!
//! # Why it holds
//!
//! *A word with a live owner is written by that owner alone.* All others change it only out of EMPTY, READY or a dead
//! owner's hands, and only by compare-and-swap. So commit and acknowledge are plain stores, and one read-modify-write
//! a side is all a message costs. Death at any instruction leaves a word that names the dead.
//!
//! *Claims are granted at the tail only.* Call (l, i) resolved when w.lap > l, or w.lap = l and not EMPTY, or skip > l. That is
//! stable, and resolved positions are a prefix whose end is the true tail: a claim at (L, i) needs max(w.lap, skip) = L,
//! which says that (L-1, i) is resolved and (L, i) is not, and a handle's own position never exceeds the tail because it
//! moves only past what it saw resolved.
//!
//! *A held slot blocks nobody.* A sender that meets a slot still held by an earlier lap skips it for this lap (bump), if
//! some later slot can be claimed (`productive`); receivers pass a skipped position. The message in it keeps its lap, and
//! READY(x ≤ L) may be taken whenever a receiver next comes by.
//!
//! *The one race across two words*: an acknowledger empties (L, i) while a bumper skips it, a late sender claims it and a
//! receiver walks past. The receiver passes only if it saw skip > L and *then* w unclaimed. So the claim comes later, and
//! its own still later load of `bumped` and skip sees the skip, and it undoes. That needs one order of all of claim, bump
//! and both sides' loads: they are SeqCst, and senders read w before skip while receivers read skip before w.
//!
//! *First in, first out for each sender*: its positions only grow, and a receiver that goes round a slow writer scans twice:
//! once to find a READY position r, once more from the start for the first READY up to r. Whatever that sender committed
//! before r is then seen before r, and r itself is taken only if it still is what the first scan saw: the message of an earlier
//! lap may have gone, and a new one come to a position that was not claimed then. (Loans
//! that one sender has at once come in no promised order among themselves.)
//!
//! Every loop is bounded; beyond the bound the words are not those of any ring, and the verdict is `Corrupt`.

use super::position::Positions;
use super::recover::Patience;
use super::word::{Phase, Word};
use crate::owner::Owner;
use crate::sync::{AtomicU64, Mutant, Ordering::*, Private, mutant};

/// Where the shared words of an mpmc ring are.
pub trait Shared {
    /// State word of a slot.
    fn word(&self, index: usize) -> &AtomicU64;
    /// Skip word of a slot.
    fn skip(&self, index: usize) -> &AtomicU64;
    /// One above the highest position ever bumped.
    fn bumped(&self) -> &AtomicU64;
    /// Hint of the tail.
    fn tail(&self) -> &AtomicU64;
    /// Hint of the head.
    fn head(&self) -> &AtomicU64;
    /// Counts something rare.
    fn count(&self, event: Event);
    /// Before a slot is claimed, whose word that is: a chance to ask for the line that its message goes to.
    #[inline(always)]
    fn foresee_message(&self, word: &AtomicU64) {
        _ = word;
    }
    /// After a slot was claimed, whose word that is: a chance to ask for the lines of the next.
    #[inline(always)]
    fn foresee(&self, word: &AtomicU64) {
        _ = word;
    }
}

/// The verdict of the kernel about an owner. Only a death that is certain may be reported: a wrong one loses messages.
pub trait Liveness {
    /// Whether `owner` will certainly never write its words again.
    fn is_dead(&self, owner: Owner) -> bool;
}

/// What is rare enough to be counted in shared memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A dead sender's claim was freed.
    Reaped,
    /// A dead or rejecting receiver's message was delivered again.
    Adopted,
    /// A receiver gave a message back.
    Rejected,
    /// A message was dropped by the redelivery policy.
    Dropped,
    /// A position was passed over.
    Bumped,
    /// A claim was given back.
    Aborted,
    /// A claim was undone because its position had just been passed over.
    Undone,
}

/// Why a slot was not claimed or no message taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Miss {
    /// Full for a sender, empty for a receiver.
    NotNow,
    /// The words are not those of a ring.
    Corrupt,
}

/// A slot that a sender fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The slot.
    pub index: usize,
    /// The lap.
    pub lap: u64,
}

/// A message that a receiver holds.
///
/// All fields are of one size: copied with padding it would stall every receive (see `ledger::Handed`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The slot.
    pub index: usize,
    /// How often it was delivered before.
    pub attempt: u64,
    /// The lap of the message.
    pub lap: u64,
}

/// What a step of a walk over the slots came to.
///
/// Between two steps a walk remembers its position and nothing else. The exhaustive explorer relies on that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<T> {
    /// Go on at this position.
    To(u64),
    /// The walk has ended.
    Done(Result<T, Miss>),
}

/// How often a walk may find that others have been there just now: a tenth of a second of nothing else.
const OVERTAKEN: u64 = if cfg!(loom) { 1 << 10 } else { 1 << 22 };

/// Hints are stored once in so many positions: on every message they cost 25 %.
const HINT_EVERY: u64 = 64;

/// What a receiver sees at a position.
enum Look {
    /// A message to take: the word that says so.
    Take(Word),
    /// Consumed, or passed over: go on.
    Pass,
    /// Passed over, and the message in it was held by somebody dead: the word that says so.
    Orphaned(Word),
    /// A live sender fills it: look further, but stay.
    Writing,
    /// Not produced yet: nothing beyond.
    Unproduced,
    /// Something was repaired here: look again.
    Again,
}

/// An mpmc ring over the words of `S`.
#[derive(Clone, Copy, Debug)]
pub struct Core<S> {
    pub(super) shared: S,
    pub(super) ring: Positions,
    pub(super) patience: Patience,
}

impl<S: Shared> Core<S> {
    /// A ring of `ring.capacity()` slots, in which a message is delivered again as often as `patience` allows.
    pub fn new(shared: S, ring: Positions, patience: Patience) -> Self {
        Self { shared, ring, patience }
    }

    /// The same ring, whose words are found in another way. Made anew for each step it stays in registers, as long as that step calls
    /// nothing that takes it by reference: in memory, it would cost each step more than it saves.
    #[inline(always)]
    pub fn over<T: Shared>(&self, shared: T) -> Core<T> {
        Core { shared, ring: self.ring, patience: self.patience }
    }

    /// The words.
    pub fn shared(&self) -> &S {
        &self.shared
    }

    /// The position arithmetic.
    pub fn positions(&self) -> Positions {
        self.ring
    }

    /// Claims the next slot for `me`. `cursor` is where this handle believes the tail to be: any lower bound will do.
    pub fn claim(&self, cursor: &Private, me: Owner, life: &impl Liveness) -> Result<Claim, Miss> {
        self.claim_next(cursor, me).map_or_else(|| self.claim_slow(cursor, me, life), Ok)
    }

    /// Claims the slot at `cursor`, if it is simply the next one: what [`claim`](Self::claim) tries first.
    #[inline(always)]
    pub fn claim_next(&self, cursor: &Private, me: Owner) -> Option<Claim> {
        let position = cursor.get();
        let (lap, index) = (self.ring.lap(position), self.ring.index(position));
        let empty = Word::empty(lap);
        let word = self.shared.word(index);
        if word.load(Relaxed) != empty.0 {
            return None;
        }
        self.shared.foresee_message(word);
        let claim = self.try_claim(position, empty, me)?;
        self.shared.foresee(word);
        self.sent_hint(cursor, position, index);
        Some(claim)
    }

    /// Publishes the message in a claimed slot.
    #[inline(always)]
    pub fn commit(&self, claim: Claim) {
        self.shared.word(claim.index).store(Word::ready(claim.lap).0, Release);
    }

    /// Gives a claimed slot back unused.
    pub fn abort(&self, claim: Claim) {
        self.shared.word(claim.index).store(Word::empty(claim.lap.wrapping_add(1)).0, Release);
        self.shared.count(Event::Aborted);
    }

    /// Takes back a message just committed, unless a receiver has it. Returns whether it was taken back.
    pub fn retract(&self, claim: Claim) -> bool {
        let word = self.shared.word(claim.index);
        let empty = Word::empty(claim.lap.wrapping_add(1)).0;
        let retracted = word.compare_exchange(Word::ready(claim.lap).0, empty, SeqCst, Relaxed).is_ok();
        if retracted {
            self.shared.count(Event::Aborted);
        }
        retracted
    }

    /// Takes the next message for `me`. `cursor` is where this handle believes the head to be: any lower bound will do.
    pub fn take(&self, cursor: &Private, me: Owner, life: &impl Liveness) -> Result<Taken, Miss> {
        self.take_next(cursor, me).map_or_else(|| self.take_slow(cursor, me, life), Ok)
    }

    /// Takes the message at `cursor`, if it is simply the next one: what [`take`](Self::take) tries first.
    #[inline(always)]
    pub fn take_next(&self, cursor: &Private, me: Owner) -> Option<Taken> {
        let position = cursor.get();
        let (lap, index) = (self.ring.lap(position), self.ring.index(position));
        let ready = Word::ready(lap);
        if self.shared.word(index).load(Relaxed) != ready.0 {
            return None;
        }
        let taken = self.try_take(index, lap, ready, me)?;
        self.received_hint(cursor, position, index);
        Some(taken)
    }

    /// Takes messages that simply come one after the other, from the one at `position` on, up to `most` of them. Returns how many, and the
    /// position after them.
    #[inline(always)]
    pub fn take_run(&self, position: u64, most: usize, me: Owner) -> (usize, u64) {
        let (mut count, mut next) = (0, position);
        while count < most {
            let (lap, index) = (self.ring.lap(next), self.ring.index(next));
            let ready = Word::ready(lap);
            if self.shared.word(index).load(Relaxed) != ready.0 || self.try_take(index, lap, ready, me).is_none() {
                break;
            }
            let after = self.ring.next_after(next, index);
            self.hint_received(next, after);
            (count, next) = (count + 1, after);
        }
        (count, next)
    }

    /// Takes the next message, for whoever has the one before: as [`take`](Self::take), but does not go round a writer.
    ///
    /// (Most writers are about to be done, and whoever looks round them takes the lines that they write next. One who is not, the next
    /// `take` goes round.)
    #[inline(always)]
    pub fn take_more(&self, cursor: &Private, me: Owner, life: &impl Liveness) -> Option<Taken> {
        if let Some(taken) = self.take_next(cursor, me) {
            return Some(taken);
        }
        if self.pending(cursor).is_some() { None } else { self.take_slow(cursor, me, life).ok() }
    }

    /// Whether `cursor` is not beyond a message that was just taken: it was found beyond a slow writer.
    #[inline]
    pub fn is_before(&self, cursor: &Private, taken: Taken) -> bool {
        cursor.get() <= self.ring.at(taken.lap, taken.index)
    }

    /// Whether a message waits so many places after `cursor`.
    #[inline]
    pub fn is_ready_ahead(&self, cursor: &Private, ahead: u64) -> bool {
        let position = self.ring.advance(cursor.get(), ahead.min(self.ring.capacity() - 1));
        let (lap, index) = (self.ring.lap(position), self.ring.index(position));
        self.shared.word(index).load(Relaxed) == Word::ready(lap).0
    }

    /// What the slot at `cursor` is, if the message that is expected there is still to come: `Empty` or `Writing`. If `Empty`,
    /// [`take`](Self::take) would find nothing, on a longer way.
    ///
    /// (First the word, then skip, which only grows: both were so when the word was read.)
    #[inline]
    pub fn pending(&self, cursor: &Private) -> Option<Phase> {
        let position = cursor.get();
        let (lap, index) = (self.ring.lap(position), self.ring.index(position));
        let word = Word(self.shared.word(index).load(SeqCst));
        let is_pending = matches!(word.phase(), Phase::Empty | Phase::Writing)
            && word.lap_near(lap) == lap
            && self.shared.skip(index).load(SeqCst) <= lap;
        is_pending.then(|| word.phase())
    }

    /// Says that the message is done with, and frees its slot.
    #[inline(always)]
    pub fn acknowledge(&self, taken: Taken) {
        self.shared.word(taken.index).store(Word::empty(taken.lap.wrapping_add(1)).0, Release);
    }

    /// Gives a message back, to be adopted by any receiver.
    pub fn reject(&self, taken: Taken) {
        let orphan = Word::reading(taken.lap, Owner::ORPHAN, taken.attempt as u32);
        self.shared.word(taken.index).store(orphan.0, Release);
        // In this order: who finds it counted finds it there.
        self.shared.count(Event::Rejected);
    }

    /// Whether the message sent into that slot in `lap` (its low 32 bits) is still in the ring: waiting, or held.
    pub fn is_unacknowledged(&self, index: usize, lap: u32) -> bool {
        let word = Word(self.shared.word(index).load(Acquire));
        matches!(word.phase(), Phase::Ready | Phase::Reading) && word.lap_near(0) as u32 == lap
    }

    /// Whether the message at `position` is in the ring, or being filled in. Of the position the low
    /// [`POSITION_BITS`](super::body::POSITION_BITS) count.
    pub fn is_current(&self, position: u64) -> bool {
        let index = self.ring.index(self.ring.sound(position));
        let word = Word(self.shared.word(index).load(Acquire));
        // Of the lap, a body's word has at least so many bits, and a slot's one more.
        let apart = (word.lap_near(0) ^ self.ring.lap(position)) & ((1 << 39) - 1);
        word.phase() != Phase::Empty && apart == 0
    }

    /// The true tail, walked to from its hint; a few slots beyond where somebody claims meanwhile.
    pub fn tail(&self) -> u64 {
        let mut position = self.ring.sound(self.shared.tail().load(Acquire));
        for _ in 0..self.steps() {
            let (lap, index) = (self.ring.lap(position), self.ring.index(position));
            let word = Word(self.shared.word(index).load(SeqCst));
            let open = Self::first_open(word, self.shared.skip(index).load(SeqCst), lap);
            if open <= lap {
                break;
            }
            position = self.ring.next(self.ring.at(open.wrapping_sub(1), index));
        }
        position
    }

    /// How many slots are being filled.
    pub fn writing(&self) -> u64 {
        let slots = 0..self.ring.capacity() as usize;
        slots.filter(|&index| Word(self.shared.word(index).load(Acquire)).phase() == Phase::Writing).count() as u64
    }

    /// How many messages are not acknowledged: waiting or held.
    pub fn backlog(&self) -> u64 {
        let slots = 0..self.ring.capacity() as usize;
        let unacknowledged = |word: Word| matches!(word.phase(), Phase::Ready | Phase::Reading);
        slots.filter(|&index| unacknowledged(Word(self.shared.word(index).load(Acquire)))).count() as u64
    }

    /// The position of the first message that nobody has taken, if `many` or more wait before where this handle believes the tail
    /// to be. `taken` is where it last found that. (Good enough to go by, not to count: messages that others were
    /// still writing are passed over.)
    pub fn waiting(&self, taken: &Private, cursor: &Private, many: u64) -> Option<u64> {
        let tail = cursor.get();
        // The hint spares a walk over what others sent meanwhile.
        let mut position = self.at_least(taken, self.shared.head());
        if self.ring.distance(position, tail) > self.ring.capacity() {
            // Beyond the tail that this handle knows of: then nothing waits before that.
            return None;
        }
        while position != tail {
            let word = Word(self.shared.word(self.ring.index(position)).load(Acquire));
            if word.phase() == Phase::Ready && word.lap_near(self.ring.lap(position)) == self.ring.lap(position) {
                break;
            }
            position = self.ring.next(position);
        }
        taken.set(position);
        (self.ring.distance(position, tail) >= many).then_some(position)
    }

    /// Whether a claim would succeed now.
    pub fn has_space(&self) -> bool {
        let position = self.tail();
        match Word(self.shared.word(self.ring.index(position)).load(SeqCst)).phase() {
            Phase::Empty => true,
            Phase::Ready => false,
            Phase::Writing | Phase::Reading => self.productive(position).is_some(),
        }
    }

    /// The compare-and-swap of a claim, and the check that the position was not passed over meanwhile.
    #[inline(always)]
    fn try_claim(&self, position: u64, from: Word, me: Owner) -> Option<Claim> {
        let (lap, index) = (self.ring.lap(position), self.ring.index(position));
        let to = Word::writing(lap, me);
        self.shared.word(index).compare_exchange(from.0, to.0, SeqCst, Relaxed).ok()?;
        if self.shared.bumped().load(SeqCst) > position
            && !mutant(Mutant::Unchecked)
            && !check(self.shared.word(index), self.shared.skip(index), lap)
        {
            self.shared.count(Event::Undone);
            return None;
        }
        Some(Claim { index, lap })
    }

    /// The compare-and-swap of a take.
    #[inline(always)]
    fn try_take(&self, index: usize, lap: u64, from: Word, me: Owner) -> Option<Taken> {
        let to = Word::reading(lap, me, 0);
        self.shared.word(index).compare_exchange(from.0, to.0, AcqRel, Relaxed).ok()?;
        Some(Taken { index, attempt: 0, lap })
    }

    #[inline(always)]
    fn sent_hint(&self, cursor: &Private, position: u64, index: usize) {
        let next = self.ring.next_after(position, index);
        cursor.set(next);
        if position.is_multiple_of(HINT_EVERY) {
            self.shared.tail().store(next, Release);
        }
    }

    #[inline(always)]
    fn received_hint(&self, cursor: &Private, position: u64, index: usize) {
        let next = self.ring.next_after(position, index);
        cursor.set(next);
        self.hint_received(position, next);
    }

    #[inline(always)]
    fn hint_received(&self, position: u64, next: u64) {
        if position.is_multiple_of(HINT_EVERY) {
            self.shared.head().store(next, Release);
        }
    }

    /// How many steps to the next slots a look along them may take before the words cannot be those of a ring.
    fn steps(&self) -> u64 {
        8 * self.ring.capacity() + 1000
    }

    /// A hint as a lower bound, unless it cannot be a position at all.
    fn at_least(&self, cursor: &Private, hint: &AtomicU64) -> u64 {
        let hint = hint.load(Acquire);
        if self.ring.is_valid(hint) { cursor.get().max(hint) } else { cursor.get() }
    }

    /// The first lap of a slot that is not known to be resolved, from its words as seen from lap `near`.
    fn first_open(word: Word, skip: u64, near: u64) -> u64 {
        let lap = word.lap_near(near);
        match word.phase() {
            Phase::Empty => lap.max(skip),
            _ => lap.wrapping_add(1).max(skip),
        }
    }

    #[cold]
    fn claim_slow(&self, cursor: &Private, me: Owner, life: &impl Liveness) -> Result<Claim, Miss> {
        self.walk(self.claim_from(cursor), |position| self.claim_at(position, cursor, me, life))
    }

    /// Where a walk to a claim begins.
    pub fn claim_from(&self, cursor: &Private) -> u64 {
        self.at_least(cursor, self.shared.tail())
    }

    /// One step of the walk to a claim.
    pub fn claim_at(&self, position: u64, cursor: &Private, me: Owner, life: &impl Liveness) -> Step<Claim> {
        let (lap, index) = (self.ring.lap(position), self.ring.index(position));
        // First the word, then skip: so that Full is exact.
        let early = mutant(Mutant::SkipFirst).then(|| self.shared.skip(index).load(SeqCst));
        let word = Word(self.shared.word(index).load(SeqCst));
        let skip = early.unwrap_or_else(|| self.shared.skip(index).load(SeqCst));
        let open = Self::first_open(word, skip, lap);
        if open > lap {
            // Resolved up to open-1: just past that is still not beyond the tail. Onto `open` itself would be: it
            // would overtake the tail and leave a hole for ever.
            return Step::To(self.ring.next(self.ring.at(open.wrapping_sub(1), index)));
        }
        match word.phase() {
            Phase::Empty if open < lap => return Step::Done(Err(Miss::Corrupt)),
            Phase::Empty => {
                if let Some(claim) = self.try_claim(position, word, me) {
                    self.sent_hint(cursor, position, index);
                    return Step::Done(Ok(claim));
                }
            }
            Phase::Writing if life.is_dead(word.owner()) => _ = self.reap(index, word),
            Phase::Writing | Phase::Reading => {
                let beyond = self.productive(position);
                if beyond.is_none() && !mutant(Mutant::Unproductive) {
                    cursor.set(position);
                    return Step::Done(Err(Miss::NotNow));
                }
                self.bump(position, skip);
                return Step::To(beyond.map_or(position, |beyond| self.pass_over(position, beyond)));
            }
            Phase::Ready => {
                cursor.set(position);
                return Step::Done(Err(Miss::NotNow));
            }
        }
        Step::To(position)
    }

    /// Steps on until one is the last; `Corrupt` if they do not end.
    ///
    /// A walk may be overtaken: at every step by others who have been quicker, and then it only needs more luck than so many
    /// times none. But others cannot be far quicker again and again. What leads a walk on in leaps, time after time, is not
    /// a ring; and words that nobody changes can lead it on in no other way.
    #[inline(always)]
    fn walk<T>(&self, mut position: u64, mut step: impl FnMut(u64) -> Step<T>) -> Result<T, Miss> {
        let (mut steps, mut leaps) = (OVERTAKEN, self.steps());
        while steps > 0 && leaps > 0 {
            match step(position) {
                Step::To(next) => {
                    let is_leap = next.wrapping_sub(position) > self.ring.one_lap().max(1024);
                    *(if is_leap { &mut leaps } else { &mut steps }) -= 1;
                    position = next;
                }
                Step::Done(result) => return result,
            }
        }
        Err(Miss::Corrupt)
    }

    /// Bumps what is held between a position that was bumped and one that made it productive: what was productive for the
    /// first is so for each. Returns how far it came.
    ///
    /// Without it a sender would look as far for each of them, and a ring in which all slots but one are held would cost the square
    /// of its capacity a message.
    fn pass_over(&self, position: u64, beyond: u64) -> u64 {
        let mut position = self.ring.next(position);
        while position < beyond {
            let (lap, index) = (self.ring.lap(position), self.ring.index(position));
            let word = Word(self.shared.word(index).load(SeqCst));
            let skip = self.shared.skip(index).load(SeqCst);
            if Self::first_open(word, skip, lap) <= lap {
                if !matches!(word.phase(), Phase::Writing | Phase::Reading) {
                    break;
                }
                self.bump(position, skip);
            }
            position = self.ring.next(position);
        }
        position
    }

    /// Whether skipping this position leads to a slot that can be claimed, and where that is. In an ordinary full ring one
    /// extra load says no.
    fn productive(&self, position: u64) -> Option<u64> {
        let mut position = self.ring.next(position);
        for _ in 1..self.ring.capacity() {
            let (lap, index) = (self.ring.lap(position), self.ring.index(position));
            let word = Word(self.shared.word(index).load(SeqCst));
            let skip = self.shared.skip(index).load(SeqCst);
            if word.phase() == Phase::Empty || Self::first_open(word, skip, lap) > lap {
                return Some(position);
            }
            if word.phase() == Phase::Ready {
                return None;
            }
            position = self.ring.next(position);
        }
        None
    }

    /// Passes over a position whose slot is held by an earlier lap. Won or lost, the caller looks again.
    fn bump(&self, position: u64, skip: u64) {
        let (lap, index) = (self.ring.lap(position), self.ring.index(position));
        let raise = || self.shared.bumped().fetch_max(position.wrapping_add(1), SeqCst);
        // First `bumped`, then skip: a claimer that finds `bumped` low need not look at skip.
        if !mutant(Mutant::Unraised) && !mutant(Mutant::RaiseLate) {
            raise();
        }
        if self.shared.skip(index).compare_exchange(skip, lap.wrapping_add(1), SeqCst, Relaxed).is_ok() {
            self.shared.count(Event::Bumped);
        }
        if mutant(Mutant::RaiseLate) {
            raise();
        }
    }

    #[cold]
    fn take_slow(&self, cursor: &Private, me: Owner, life: &impl Liveness) -> Result<Taken, Miss> {
        self.walk(self.take_from(cursor), |position| self.take_at(position, cursor, me, life))
    }

    /// Where a walk to a message begins.
    pub fn take_from(&self, cursor: &Private) -> u64 {
        self.at_least(cursor, self.shared.head())
    }

    /// One step of the walk to a message.
    pub fn take_at(&self, position: u64, cursor: &Private, me: Owner, life: &impl Liveness) -> Step<Taken> {
        let (lap, index) = (self.ring.lap(position), self.ring.index(position));
        // First skip, then the word: see "the one race across two words".
        let early = mutant(Mutant::WordFirst).then(|| self.shared.word(index).load(SeqCst));
        let skip = self.shared.skip(index).load(SeqCst);
        let word = Word(early.unwrap_or_else(|| self.shared.word(index).load(SeqCst)));
        let open = Self::first_open(word, skip, lap);
        // Lap open-1 is resolved here, so everything before the same slot one lap earlier was consumed or will be met again
        // at or after it. Only so far: a receiver must not jump as a sender may.
        let behind = if mutant(Mutant::JumpFar) { 1 } else { 2 };
        if open > lap.saturating_add(behind) {
            return Step::To(self.ring.next(self.ring.at(open.wrapping_sub(behind), index)));
        }
        match self.look(word, skip, lap, index, life) {
            Look::Take(ready) => {
                if let Some(taken) = self.try_take(index, ready.lap_near(lap), ready, me) {
                    self.received_hint(cursor, position, index);
                    return Step::Done(Ok(taken));
                }
            }
            Look::Pass => return Step::To(self.ring.next(position)),
            Look::Orphaned(word) => {
                cursor.set(position);
                if let Some(taken) = self.adopt(index, word, me) {
                    return Step::Done(Ok(taken));
                }
            }
            Look::Again => {}
            Look::Unproduced => {
                cursor.set(position);
                return Step::Done(Err(Miss::NotNow));
            }
            Look::Writing => {
                cursor.set(position);
                if let Some(result) = self.skip_scan(position, me, life) {
                    return Step::Done(result);
                }
            }
        }
        Step::To(position)
    }

    /// What a receiver at (`lap`, `index`) makes of the words there.
    fn look(&self, word: Word, skip: u64, lap: u64, index: usize, life: &impl Liveness) -> Look {
        let own = word.lap_near(lap);
        match word.phase() {
            Phase::Empty if own > lap || skip > lap => Look::Pass,
            Phase::Reading if own >= lap => Look::Pass,
            Phase::Reading if skip > lap && life.is_dead(word.owner()) => Look::Orphaned(word),
            Phase::Reading if skip > lap => Look::Pass,
            Phase::Empty | Phase::Reading => Look::Unproduced,
            Phase::Ready if own == lap || (own < lap && !mutant(Mutant::IgnoreOlder)) => Look::Take(word),
            Phase::Ready => Look::Pass,
            Phase::Writing => {
                // A late commit of a skipped slot must stay in view, so the effective lap is that of the last skip.
                let effective = own.max(skip.saturating_sub(u64::from(!mutant(Mutant::PassWriting))));
                if effective > lap {
                    Look::Pass
                } else if effective < lap {
                    Look::Unproduced
                } else if life.is_dead(word.owner()) {
                    self.reap(index, word);
                    Look::Again
                } else {
                    Look::Writing
                }
            }
        }
    }

    /// Goes round a slow writer at `head`. `None`: something changed, start again.
    fn skip_scan(&self, head: u64, me: Owner, life: &impl Liveness) -> Option<Result<Taken, Miss>> {
        let mut first = head;
        let mut far = None;
        for _ in 0..self.ring.capacity() {
            first = self.ring.next(first);
            match self.look_at(first, life) {
                Look::Take(ready) => {
                    far = Some((first, ready));
                    break;
                }
                Look::Pass | Look::Orphaned(_) | Look::Writing => {}
                Look::Again => return None,
                Look::Unproduced => break,
            }
        }
        let Some((far, seen)) = far else { return Some(Err(Miss::NotNow)) };
        // Again from the start: an earlier message may have been committed behind the first scan.
        let mut position = if mutant(Mutant::SinglePass) { far } else { head };
        loop {
            let (lap, index) = (self.ring.lap(position), self.ring.index(position));
            if let Look::Take(ready) = self.look_at(position, life) {
                // Positions before `far` were all claimed when the first scan came by. `far` itself need not have been, if
                // its slot held a message of an earlier lap: what has come there since may be later than what was committed
                // behind this scan.
                if position == far && ready != seen && !mutant(Mutant::Unseen) {
                    return None;
                }
                return self.try_take(index, ready.lap_near(lap), ready, me).map(Ok);
            }
            if position == far {
                return None;
            }
            position = self.ring.next(position);
        }
    }

    fn look_at(&self, position: u64, life: &impl Liveness) -> Look {
        let (lap, index) = (self.ring.lap(position), self.ring.index(position));
        let skip = self.shared.skip(index).load(SeqCst);
        let word = Word(self.shared.word(index).load(SeqCst));
        self.look(word, skip, lap, index, life)
    }
}

/// Undoes a claim whose position was passed over; returns whether it stands.
#[cold]
#[inline(never)]
fn check(word: &AtomicU64, skip: &AtomicU64, lap: u64) -> bool {
    let skip = skip.load(SeqCst);
    if skip > lap {
        word.store(Word::empty(skip).0, Release);
    }
    skip <= lap
}
