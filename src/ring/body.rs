//! Which bodies are whose: room for messages that are too long to lie with their slot.
//!
//! A body does not belong to a slot. A sender who has claimed a slot and must say more than fits there claims a body, writes
//! into it, and notes its number with the slot. Bodies outnumber the slots; the few that have just been read are used again
//! first, because what was just touched is still in the cache. A message longer than a body takes a *run* of them: several that
//! follow each other.
//!
//! A word for each body says who uses it:
//!
//! ```text
//! | 63                 1 | 0 |
//! | position (low 63)    | 1 |   the message sent at that position
//! | owner           | 1  | 0 |   a participant who gives its memory back
//! | 0                    | 0 |   nobody, ever
//! ```
//!
//! # Why it holds
//!
//! *Nothing is ever freed, so nothing can leak or be freed twice.* A body is in use while the message at the position that it
//! names is in the ring: claimed, waiting or held. That is what the slots themselves say (in an spsc ring, head and tail). When
//! the message is acknowledged, or its slot is given back or reaped, its body is free by that very store.
//!
//! *A free body stays free* until its word changes: a position, once past, never comes back. So who finds that a word names a
//! position that is past, and then swaps exactly that word for the name of its own position, is the only one to do so.
//! The claimer's own position is current all the while, because it has the slot.
//!
//! *What was read before is written after.* A receiver reads the body before it acknowledges (Release), and a claimer sees the
//! acknowledgement (Acquire) before it takes the body.
//!
//! *Giving memory back is the one use without a position.* It names its participant, because whoever acknowledges a message
//! has no position any more. If that one dies, whoever needs the body takes it over in the same way, under its own name, and
//! first makes sure that nobody believes in memory that may be gone.
//!
//! *Only the spsc sender can be at one position more than once*: it dropped a loan there, or its predecessor died
//! there. It ends the use itself, lest as many bodies are in use as were claimed for that position: nobody else may
//! while it is current.
//!
//! # Runs
//!
//! *A run is nothing but its bodies.* Each has its word, and each word names the message's position: it is claimed by a swap of
//! its own, from the first on, and free when the message is past, as if it were the message's only one. All that is said above
//! is said of each. So who dies between two swaps leaves bodies that name his position, which is past when his slot is reaped;
//! and the one store that acknowledges the message frees all of them.
//!
//! *Whoever loses one has none.* He lets go what he has claimed of the run, as he may while his position is current: nobody else
//! writes those words. Had he kept them, they would be in use for as long as his message is in the ring, which lies elsewhere,
//! and with every loss there would be more of them. Then he looks behind the body that he lost.
//!
//! *It ends.* A claim goes over the bodies for runs once, from the first to the last, and never back; a sender makes a few. It may miss a place that
//! becomes free behind it, and is then told that there is none. Two that want places which overlap claim in the same order: the
//! one who is ahead at a body never wants one that the other has before it, so one of the two goes on.
//!
//! *What a message does not need of its run* is let go before it is published, while its position is still its sender's alone
//! to speak for: afterwards the receiver may acknowledge it at any moment, and the body be another's. The length in the slot
//! then says how many bodies the message has, to everybody.
//!
//! *Runs and single bodies are apart*, so that neither kind is without room because of the other: of those for single
//! messages there are more than slots, whatever is in the others. See `layout::bodies`.
//!
//! A participant who is stopped in the middle keeps at most the bodies of its own messages, and one for each of its threads.

use super::mpmc::Liveness;
use crate::owner::Owner;
use crate::sync::{AtomicU64, Mutant, Ordering::*, Private, mutant};

/// Where the words of the bodies are.
pub trait Shared {
    /// The word of a body.
    fn body(&self, index: usize) -> &AtomicU64;
    /// Before a body is claimed: a chance to ask for the line of its word, which then comes together with what says whether it is free.
    fn foresee(&self, index: usize) {
        _ = index;
    }
}

impl<S: Shared> Shared for &S {
    #[inline]
    fn body(&self, index: usize) -> &AtomicU64 {
        (**self).body(index)
    }

    fn foresee(&self, index: usize) {
        (**self).foresee(index);
    }
}

/// What the ring knows of those who use bodies.
pub trait Tenancy: Liveness {
    /// Whether the message at that position, given in its low 63 bits, is in the ring, or being written.
    fn is_current(&self, position: u64) -> bool;
}

/// Bits of a position that a body's word has room for.
pub const POSITION_BITS: u32 = 63;

/// What a body's word says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Name(pub u64);

/// Who uses a body, by its word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum User {
    Nobody,
    Message(u64),
    Trimmer(Owner),
}

impl Name {
    /// Nobody.
    pub const NOBODY: Self = Self(0);

    /// The message at a position.
    pub const fn message(position: u64) -> Self {
        Self(position << 1 | 1)
    }

    /// A participant who gives the memory back.
    pub const fn trimmer(owner: Owner) -> Self {
        Self(owner.bits() << 2 | 2)
    }

    const fn user(self) -> User {
        match self.0 & 3 {
            1 | 3 => User::Message(self.0 >> 1),
            2 => User::Trimmer(Owner::from_bits(self.0 >> 2)),
            _ => User::Nobody,
        }
    }
}

/// Bodies that follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// The first of them.
    pub first: usize,
    /// How many.
    pub count: usize,
}

impl Run {
    /// One body.
    pub const fn one(body: usize) -> Self {
        Self { first: body, count: 1 }
    }

    /// Each of them.
    pub const fn bodies(self) -> core::ops::Range<usize> {
        self.first..self.first + self.count
    }
}

/// How a body was when it was taken to give its memory back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seized {
    /// Its memory is what its watermark says.
    Sound,
    /// Somebody died giving it back: its memory may be gone.
    InDoubt,
}

/// Where one sender is in its round over the bodies that it uses.
#[derive(Debug, Default)]
pub struct Rotation {
    /// The body to try next.
    pub next: Private,
    /// How many the backlog needs.
    pub window: Private,
    /// Bytes of the longest message lately.
    longest: Private,
    /// Not 0 when there was no memory for this sender's last message.
    pub is_starved: Private,
}

impl Rotation {
    /// Notes that a message of `len` bytes comes, and says how long the longest is of those that came lately: where lengths
    /// differ, the long ones fill the caches, and the short ones go round with them.
    pub fn longest(&self, len: u64) -> u64 {
        let faded = self.longest.get() - self.longest.get() / 64;
        self.longest.set(faded.max(len));
        faded.max(len)
    }
}

/// Bodies in use that a sender passes by before it takes more of them into its round. Messages are mostly acknowledged in the
/// order they were sent, so if the oldest is still in use, so are the others.
const PASSED_BY: usize = 4;

/// The bodies of one ring.
#[derive(Clone, Copy, Debug)]
pub struct Pool<S> {
    shared: S,
    /// The first so many are for messages that take one.
    singles: usize,
    count: usize,
}

impl<S: Shared> Pool<S> {
    /// `singles` bodies for messages that take one, and then as many for runs as make `count`.
    pub fn new(shared: S, singles: usize, count: usize) -> Self {
        Self { shared, singles, count }
    }

    /// Claims a body for the message at `position`, which the caller has. `None` where all are in use.
    ///
    /// `fitting` is how many bodies of that message's length suit the caches: the round goes over as many, or as many as the
    /// backlog needs, and beyond those over no more than `spare`.
    pub fn claim(
        &self,
        rotation: &Rotation,
        (fitting, spare): (usize, usize),
        position: u64,
        tenancy: &impl Tenancy,
    ) -> Option<usize> {
        let mut needed = rotation.window.get() as usize;
        let mut window = needed.max(fitting).clamp(1, self.singles);
        let mut next = rotation.next.get() as usize;
        let mut claimed = None;
        for _ in 0..PASSED_BY.min(window) {
            if next >= window {
                needed = self.needed(window, spare, tenancy);
                window = needed.max(fitting).clamp(1, self.singles);
                next = 0;
            }
            next += 1;
            self.shared.foresee(next - 1);
            if self.try_claim(next - 1, position, tenancy) {
                claimed = Some(next - 1);
                break;
            }
        }
        if claimed.is_none() {
            // More of them; in the end any that is free.
            let mut rest = (window..self.singles).chain(0..window);
            claimed = rest.find(|&index| self.try_claim(index, position, tenancy));
            if let Some(index) = claimed {
                needed = needed.max(index + 1);
                next = index + 1;
            }
        }
        rotation.window.set(needed as u64);
        rotation.next.set(next as u64);
        claimed
    }

    /// Claims any free body that `suits`, of those for messages that take one.
    pub fn claim_any(
        &self,
        position: u64,
        tenancy: &impl Tenancy,
        mut suits: impl FnMut(usize) -> bool,
    ) -> Option<usize> {
        (0..self.singles).find(|&index| suits(index) && self.try_claim(index, position, tenancy))
    }

    /// Claims a run of `count` bodies for the message at `position`, which the caller has: the first that is free and of which
    /// each body `suits` at its place in the run. `None` where there is none.
    ///
    /// What was claimed of a run that somebody else was quicker to take a body of is given to `let_go`, body by body, which
    /// [releases](Self::release) it.
    pub fn claim_run(
        &self,
        count: usize,
        position: u64,
        tenancy: &impl Tenancy,
        suits: impl Fn(usize, usize) -> bool,
        mut let_go: impl FnMut(usize),
    ) -> Option<Run> {
        let mut from = self.singles;
        loop {
            let run = self.free_run(from, count, tenancy, &suits)?;
            let mut rest = run.bodies();
            let Some(lost) = rest.find(|&body| !self.try_claim(body, position, tenancy)) else { return Some(run) };
            if !mutant(Mutant::KeepLost) {
                (run.first..lost).for_each(&mut let_go);
            }
            from = lost + 1;
        }
    }

    /// The first run of `count` bodies in nobody's use, from body `from` on or later, of which each `suits` at its place in the run.
    pub fn free_run(
        &self,
        from: usize,
        count: usize,
        tenancy: &impl Tenancy,
        suits: impl Fn(usize, usize) -> bool,
    ) -> Option<Run> {
        let mut first = from.max(self.singles);
        while first + count <= self.count {
            let is_bad = |&place: &usize| !suits(place, first + place) || self.is_in_use(first + place, tenancy);
            // From the last on: no run that begins before one that is in the way is any better.
            match (0..count).rev().find(is_bad) {
                Some(place) => first += place + 1,
                None => return Some(Run { first, count }),
            }
        }
        None
    }

    /// Takes a body that is in nobody's use, to give its memory back. The caller calls [`release`](Self::release) when it has.
    pub fn seize(&self, index: usize, me: Owner, tenancy: &impl Tenancy) -> Option<Seized> {
        let word = Name(self.shared.body(index).load(Acquire));
        let seized = match word.user() {
            User::Trimmer(owner) => tenancy.is_dead(owner).then_some(Seized::InDoubt),
            _ if mutant(Mutant::ForgetfulSeize) || mutant(Mutant::GiveBackFirst) => Some(Seized::Sound),
            _ => Self::is_free(word, tenancy).then_some(Seized::Sound),
        };
        seized.filter(|_| self.swap(index, word, Name::trimmer(me)))
    }

    /// Ends the use of a body that the caller has without a message.
    pub fn release(&self, index: usize) {
        self.shared.body(index).store(Name::NOBODY.0, Release);
    }

    /// Ends the use of all bodies that name a position at which nobody is but the caller: what a predecessor in a role
    /// left that is one process's at a time.
    pub fn release_all(&self, position: u64) {
        if mutant(Mutant::Unreleased) {
            return;
        }
        for index in 0..self.count {
            if self.shared.body(index).load(Relaxed) == Name::message(position).0 {
                self.release(index);
            }
        }
    }

    /// Takes the name of a place's former owner from what it died giving back, so that the place may be reused. Somebody who
    /// is always dead has it then.
    pub fn disown(&self, index: u32) {
        for body in 0..self.count {
            let word = Name(self.shared.body(body).load(Acquire));
            if matches!(word.user(), User::Trimmer(owner) if owner.index() == index) {
                // Lost only to somebody who took it over.
                self.swap(body, word, Name::trimmer(Owner::ORPHAN));
            }
        }
    }

    /// Whether a body holds a message, or is being filled.
    pub fn is_taken(&self, index: usize, tenancy: &impl Tenancy) -> bool {
        match Name(self.shared.body(index).load(Acquire)).user() {
            User::Message(position) => tenancy.is_current(position),
            User::Trimmer(_) => mutant(Mutant::GoneAtOnce),
            User::Nobody => false,
        }
    }

    /// Whether a body holds a message, or somebody gives its memory back.
    pub fn is_in_use(&self, index: usize, tenancy: &impl Tenancy) -> bool {
        !Self::is_free(Name(self.shared.body(index).load(Acquire)), tenancy)
    }

    /// The position of the message that a body holds, if it holds one.
    pub fn message_in(&self, index: usize, tenancy: &impl Tenancy) -> Option<u64> {
        match Name(self.shared.body(index).load(Acquire)).user() {
            User::Message(position) => tenancy.is_current(position).then_some(position),
            User::Trimmer(_) | User::Nobody => None,
        }
    }

    /// Whether a body's memory may be gone although its watermark says otherwise: somebody died giving it back.
    pub fn is_in_doubt(&self, index: usize, tenancy: &impl Tenancy) -> bool {
        match Name(self.shared.body(index).load(Acquire)).user() {
            User::Trimmer(owner) => tenancy.is_dead(owner),
            _ => false,
        }
    }

    fn try_claim(&self, index: usize, position: u64, tenancy: &impl Tenancy) -> bool {
        let word = Name(self.shared.body(index).load(Acquire));
        Self::is_free(word, tenancy) && self.swap(index, word, Name::message(position))
    }

    fn is_free(word: Name, tenancy: &impl Tenancy) -> bool {
        match word.user() {
            User::Nobody => true,
            User::Message(position) => !tenancy.is_current(position),
            User::Trimmer(_) => mutant(Mutant::TrustTrimmer),
        }
    }

    fn swap(&self, index: usize, from: Name, to: Name) -> bool {
        if mutant(Mutant::BlindClaim) {
            self.shared.body(index).store(to.0, Release);
            return true;
        }
        self.shared.body(index).compare_exchange(from.0, to.0, AcqRel, Relaxed).is_ok()
    }

    /// How many bodies a round needs, looking at those in it: as many as are in use, and a few to go on with.
    fn needed(&self, window: usize, spare: usize, tenancy: &impl Tenancy) -> usize {
        let in_use = (0..window).filter(|&index| self.is_in_use(index, tenancy)).count();
        in_use + (in_use / 4).min(spare) + 1
    }
}
