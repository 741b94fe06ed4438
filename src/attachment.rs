//! A ring as one process has it: the mapping, its membership, and when to wait or give up waiting.
//!
//! Every handle and every guard of both flavours shares one of these; the last of them to go leaves the ring.

use crate::bodies::{Access, Bodies};
use crate::error::{JoinError, OpenError, Stop};
use crate::layout::{FENCE, Flavour, KEEP_OPEN};
use crate::os::clock;
use crate::owner::Owner;
use crate::pace::Pace;
use crate::reactor;
use crate::registry::{Registry, Role};
use crate::ring::body::{Rotation, Run, Tenancy};
use crate::ring::mpmc::{Core, Liveness, Shared as _, Taken};
use crate::ring::recover::{Disowned, Patience};
use crate::ring::spsc;
use crate::ring::word::{Phase, Word};
use crate::segment::{Life, Segment};
use crate::slots::{self, Place, Slots};
use crate::sync::{AtomicU32, Mutant, Ordering::*, Private, mutant};
use crate::wait::{self, Look, Side, Sleep, System, Wait};
use smallvec::SmallVec;
use std::time::{Duration, Instant};
use survey::Survey;

mod poll;
mod survey;

/// How long an operation may take.
#[derive(Clone, Copy, Debug)]
pub enum Until {
    /// It must not wait.
    Now,
    /// It may wait until then.
    Deadline(Instant),
    /// It may wait for ever.
    Forever,
}

impl Until {
    /// A timeout from now; one too long to be told as an instant is no limit.
    pub fn timeout(timeout: Duration) -> Self {
        Instant::now().checked_add(timeout).map_or(Self::Forever, Self::Deadline)
    }
}

/// What an operation waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aim {
    /// To send or receive: in vain once the ring is closed.
    Message,
    /// For acknowledgements of what was sent: they come after a close as well.
    Acknowledgement,
}

/// A handle whose operation missed.
#[derive(Clone, Copy, Debug)]
pub struct Waiter<'a> {
    /// Its side.
    pub role: Role,
    /// What it waits for.
    pub aim: Aim,
    /// How it spins.
    pub patience: &'a wait::Patience,
    /// Where it is in the ring.
    pub position: u64,
    /// How it looks once more if it must not wait: see [`Attachment::after_miss`].
    pub look: Look,
}

/// How long a verdict about the peers stands, in milliseconds, while nobody comes or goes.
const VERDICT_MS: u64 = 50;

/// Half a second is the most that anybody is promised.
const _: () = assert!(wait::NAP.as_millis() + VERDICT_MS as u128 <= 500);

/// Misses of one handle that does not wait between two looks at the clock.
const CLOCK_EVERY: u64 = 8;

/// Milliseconds between two looks at the clock from which on the next miss looks as well.
const SELDOM_MS: u64 = 20;

/// A ring that this process has open.
#[derive(Debug)]
pub struct Attachment {
    segment: Segment,
    registry: Registry,
    slots: Slots,
    bodies: Bodies,
    system: System,
    flavour: Flavour,
    /// The last verdict about the senders, and about the receivers: changes (32 bits), when (31 bits), verdict.
    deserted: [Private; 2],
    /// When a sender, and when a receiver, last looked at the peers and the dead because of a miss, in milliseconds.
    asked: [Private; 2],
    /// The last look at every slot.
    survey: Survey,
    /// Whether a task ever waited here.
    is_polled: Private,
    /// Bytes in bodies that were acknowledged last; none if that was a short message.
    long: Private,
}

impl Attachment {
    /// Takes a freshly opened segment into use; without a `life`, only to look at it.
    pub fn new(segment: Segment, life: Option<Life>, flavour: Flavour) -> Result<Self, OpenError> {
        let registry = Registry::new(&segment, life).map_err(OpenError::Io)?;
        let system = System { membarrier: segment.header().flags & FENCE == 0 };
        let slots = Slots::new(&segment);
        let bodies = Bodies::new(&segment);
        Ok(Self {
            segment,
            registry,
            slots,
            bodies,
            system,
            flavour,
            deserted: Default::default(),
            asked: Default::default(),
            survey: Survey::default(),
            is_polled: Default::default(),
            long: Default::default(),
        })
    }

    /// The segment.
    pub fn segment(&self) -> &Segment {
        &self.segment
    }

    /// The kind of ring.
    pub fn flavour(&self) -> Flavour {
        self.flavour
    }

    /// The slots.
    pub fn slots(&self) -> Slots {
        self.slots
    }

    /// The membership.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Sleeping and waking.
    pub fn system(&self) -> System {
        self.system
    }

    /// The mpmc algorithm over the slots.
    pub fn core(&self) -> Core<Slots> {
        let header = self.segment.header();
        Core::new(self.slots, slots::positions(header), Patience(header.redelivery))
    }

    /// The bodies of long messages.
    pub fn bodies(&self) -> Access<'_, Self> {
        self.bodies.of(&self.segment, &self.slots, self)
    }

    /// A body, or the first of several, for the message of an spsc sender who is at `position` and knows that all before `head` is
    /// acknowledged.
    pub fn body_at(&self, rotation: &Rotation, (head, position): (u64, u64), len: usize) -> Result<usize, Stop> {
        let sending = Sending { attachment: self, head, position };
        self.bodies.of(&self.segment, &self.slots, &sending).obtain(rotation, position, len, self.me())
    }

    /// Before a message of `len` bytes: waits until its sender is not further ahead than the caches reach, or a moment.
    ///
    /// `at` says where the receivers are, if so many messages wait for them.
    #[inline(never)]
    pub fn keep_pace(&self, pace: &Pace, len: usize, until: Until, mut at: impl FnMut(u64) -> Option<u64>) {
        let deadline = match until {
            Until::Now => return,
            Until::Deadline(deadline) => Some(deadline),
            Until::Forever => None,
        };
        if let Some(most) = self.bodies.ahead(len)
            && most < self.segment.header().capacity
        {
            pace.keep(len, deadline, || at(most));
        }
        if self.bodies.is_best_alone(len) {
            let bodies = self.bodies();
            pace.keep_close(len, deadline, || bodies.in_the_way());
        }
    }

    /// After an spsc sender dropped a loan of `lent` bytes: the next one is at the same position, so its bodies are not free by
    /// that.
    #[inline(never)]
    pub fn abandon_place(&self, place: Place, lent: usize) {
        if let Some(run) = self.run_at(place, lent) {
            self.bodies().abandon(run, self.me());
        }
    }

    /// Before a sender publishes the first `len` of `lent` bytes: lets go the bodies that only the others need.
    ///
    /// Not after it, when they may be somebody else's already; and if they were left to be free with the message, nobody would
    /// know what they have and count it.
    #[cold]
    pub fn shorten_place(&self, place: Place, lent: usize, len: usize) {
        if let (Some(run), Some(needed)) = (self.run_at(place, lent), self.run_at(place, len))
            && needed.count < run.count
        {
            let rest = Run { first: needed.first + needed.count, count: run.count - needed.count };
            self.bodies().abandon(rest, self.me());
        }
    }

    /// The bodies of `len` bytes that go to a place, if they are in any.
    #[inline]
    fn run_at(&self, place: Place, len: usize) -> Option<Run> {
        self.slots.run(place.body()?, len)
    }

    /// When a sender goes on at `position` in an spsc ring: what its predecessor claimed there is not sent any more.
    pub fn begin_at(&self, position: u64) {
        if self.slots.have_bodies() {
            self.bodies().release_all(position);
            self.tidy_up();
        }
    }

    /// Gives a loan of `lent` bytes back by `abort`: then its bodies need not keep their memory.
    #[inline(never)]
    pub fn leave_place(&self, place: Place, lent: usize, abort: impl FnOnce()) {
        let bodies = self.bodies();
        // What they have must be asked before they are anybody's.
        let left = self.run_at(place, lent).map(|run| (run, bodies.bytes_of(run)));
        abort();
        if let Some((run, bytes)) = left {
            bodies.leave(&[run], bytes, self.me());
        }
    }

    /// Acknowledges a message of an mpmc ring with bodies. (By single values: a struct would be built in memory by every caller.)
    #[inline(never)]
    pub fn acknowledge(&self, index: usize, lap: u64) {
        let bodies = self.bodies();
        // What the slot says of its bodies, and what they have, must be asked before they are anybody's.
        let left = self.slots.run_of(index).map(|run| (run, bodies.bytes_of(run)));
        self.long.set(left.map_or(0, |(_, bytes)| bytes));
        let leave = || match left {
            Some((run, bytes)) => bodies.leave(&[run], bytes, self.me()),
            None => bodies.pass(self.me()),
        };
        let taken = Taken { index, attempt: 0, lap };
        if mutant(Mutant::GiveBackFirst) || mutant(Mutant::CountFirst) {
            leave();
            return self.core().acknowledge(taken);
        }
        self.core().acknowledge(taken);
        leave();
    }

    /// After a message was taken back, whose body nobody counts.
    #[cold]
    pub fn tidy_up_after_retreat(&self) {
        self.bodies().doubt();
        self.tidy_up();
    }

    /// After something else than an acknowledgement set bodies free: a drop, a reap, a successor.
    #[cold]
    pub fn tidy_up(&self) {
        if self.slots.have_bodies() {
            self.bodies().tidy_if_over(self.me());
        }
    }

    /// Acknowledges all messages of an spsc ring with bodies before `position`.
    #[inline(never)]
    pub fn acknowledge_before(&self, position: u64) {
        let bodies = self.bodies();
        let ring = slots::positions(self.segment.header());
        let head = ring.sound(spsc::Shared::head(&self.slots).load(Relaxed));
        let messages = ring.distance(head, position).min(ring.capacity());
        // As in `acknowledge`.
        let (mut left, mut bytes, mut unseen) = (SmallVec::<[Run; 32]>::new(), 0_u64, self.bodies.count());
        for ahead in 0..messages {
            if let Some(run) = self.slots.run_of(ring.index(ring.advance(head, ahead))) {
                if run.count > unseen {
                    // More than there are: no follower of the protocol says so, and all of it would take for ever.
                    bodies.doubt();
                    break;
                }
                unseen -= run.count;
                bytes = bytes.saturating_add(bodies.bytes_of(run));
                left.push(run);
            }
        }
        self.long.set(bytes / left.len().max(1) as u64);
        let leave = || match left.is_empty() {
            false => bodies.leave(&left, bytes, self.me()),
            true => bodies.pass(self.me()),
        };
        if mutant(Mutant::GiveBackFirst) || mutant(Mutant::CountFirst) {
            leave();
            return spsc::acknowledge(&self.slots, position);
        }
        spsc::acknowledge(&self.slots, position);
        leave();
    }

    /// Who this process is.
    fn me(&self) -> Owner {
        Owner::from_bits(self.registry.me().load(Relaxed))
    }

    /// The word that a side sleeps on.
    pub fn event_of(&self, role: Role) -> &AtomicU32 {
        match role {
            Role::Sender => &self.slots.control().freed.0,
            Role::Receiver => &self.slots.control().filled.0,
        }
    }

    /// Takes on a role.
    pub fn enter(&self, role: Role) -> Result<Owner, JoinError> {
        let mut disown = |index| {
            self.disown(|owner| owner.index() == index);
            self.bodies().disown(index);
        };
        let exclusive = self.flavour == Flavour::Spsc;
        if !self.system.membarrier {
            for role in [Role::Sender, Role::Receiver] {
                wait::make_fenced(self.event_of(role));
            }
        }
        if self.slots.have_bodies() {
            // Whose place is taken may have left memory that it did not count. Said before that place is cleared, lest a joiner
            // dies in between.
            self.bodies().doubt();
        }
        self.registry.enter(&self.segment, role, exclusive, !self.system.membarrier, &mut disown)
    }

    /// Does for all the dead at once what is otherwise done by whoever meets one. Returns the places cleared, and what became
    /// of the slots.
    pub fn recover(&self) -> Result<(u32, Disowned), JoinError> {
        let places = self.registry.bury(&self.segment)?;
        let disowned = self.disown(|owner| self.is_dead(owner));
        // Whoever takes no part has no name to give anything back under; the others will.
        if self.slots.have_bodies() && self.registry.me().load(Relaxed) != 0 {
            self.bodies().tidy_idle(self.me());
        }
        for role in [Role::Sender, Role::Receiver] {
            wait::wake_all(self.event_of(role), &self.system);
        }
        Ok((places, disowned))
    }

    /// Removes owners who are gone from every slot.
    fn disown(&self, is_gone: impl Fn(Owner) -> bool) -> Disowned {
        match self.flavour {
            // Its slots name nobody: a successor in the role goes on from its position.
            Flavour::Spsc => Disowned::default(),
            Flavour::Mpmc => self.core().disown(is_gone),
        }
    }

    /// Lays down a role that was taken on as `me`; wakes the other side if nobody here has it any more.
    pub fn leave(&self, role: Role, me: Owner) {
        if self.registry.leave(&self.segment, role, self.flavour == Flavour::Spsc, me) {
            wait::wake_all(self.event_of(opposite(role)), &self.system);
        }
    }

    /// Wakes those of `role` for whom something was published, if any may be asleep.
    pub fn announce(&self, role: Role) {
        wait::after_publishing(self.event_of(role), &self.system);
    }

    /// Ends the stream.
    pub fn close(&self) {
        wait::close(self.event_of(Role::Receiver), &self.system);
        wait::close(self.event_of(Role::Sender), &self.system);
    }

    /// Whether the stream was ended.
    pub fn is_closed(&self) -> bool {
        wait::is_closed(self.event_of(Role::Receiver))
    }

    /// Whether everybody of a role is gone, and somebody was there. May be [`VERDICT_MS`] old where nobody left in order.
    pub fn is_deserted(&self, role: Role) -> bool {
        self.segment.header().flags & KEEP_OPEN == 0 && self.is_void_of(role)
    }

    /// As [`is_deserted`](Self::is_deserted), whether or not a successor is expected.
    fn is_void_of(&self, role: Role) -> bool {
        let presence = &self.slots.control().presence.0;
        let changes = u64::from(presence.changes.load(Acquire));
        let now = clock::coarse_ms() & 0x7fff_ffff;
        let memo = &self.deserted[role as usize];
        let (was, at) = (memo.get() >> 32, memo.get() >> 1 & 0x7fff_ffff);
        if memo.get() != 0 && was == changes && now.wrapping_sub(at) < VERDICT_MS {
            return memo.get() & 1 != 0;
        }
        let ever = match role {
            Role::Sender => &presence.ever_sender,
            Role::Receiver => &presence.ever_receiver,
        };
        let deserted = ever.load(Acquire) != 0 && !self.registry.has_any(&self.segment, role);
        memo.set(changes << 32 | now << 1 | u64::from(deserted));
        deserted
    }

    /// Whether there is reason to ask about a role: somebody came or went since the last verdict, or it was that all are gone.
    fn is_in_doubt(&self, role: Role) -> bool {
        if self.segment.header().flags & KEEP_OPEN != 0 {
            // Then absence is not the end, and nobody asks for a verdict.
            return false;
        }
        let changes = self.slots.control().presence.0.changes.load(Acquire);
        let last = self.deserted[role as usize].get();
        last >> 32 != u64::from(changes) || last & 1 != 0
    }

    /// Whether somebody of `role` waits in vain: nobody of the other side is left, or nothing more is sent.
    fn is_over(&self, role: Role, aim: Aim) -> bool {
        (aim == Aim::Message && self.is_closed()) || self.is_deserted(opposite(role))
    }

    /// How a try of `role` goes on that missed: by which look. `None`: by none, if it `has_looked` for all there is to be found at
    /// a glance, nobody came or went lately, the stream goes on, and the peers and the dead were looked at within the last
    /// milliseconds.
    #[inline]
    pub fn after_miss(&self, role: Role, misses: &Private, has_looked: bool) -> Option<Look> {
        if !self.may_miss(role, misses) {
            return Some(Look::Search);
        }
        (!has_looked).then_some(Look::Glance)
    }

    #[inline]
    fn may_miss(&self, role: Role, misses: &Private) -> bool {
        misses.set(misses.get() + 1);
        if self.is_closed() || self.is_in_doubt(opposite(role)) {
            return false;
        }
        // A caller who polls in a loop sees his message sooner for not asking the clock each time.
        if !misses.get().is_multiple_of(CLOCK_EVERY) {
            return true;
        }
        let (now, asked) = (clock::coarse_ms(), &self.asked[role as usize]);
        let since = now.wrapping_sub(asked.get());
        asked.set(now);
        if since > SELDOM_MS {
            // A caller who polls seldom asks each time.
            misses.set(CLOCK_EVERY - 1);
        }
        since == 0
    }

    /// Goes on with an operation of `role` that missed at first, until it succeeds, must not wait longer, or waits in vain.
    ///
    /// `glance` finds what is simply next. Whenever that is nothing, `attempt` looks as hard as it is told to, and says `NotNow`
    /// when it misses. (Each is called in one place, and ends in one: so both become part of the caller, and what a glance finds
    /// stays in registers. See [`Wait`].)
    #[inline(always)]
    pub fn persist<T>(
        &self,
        waiter: Waiter<'_>,
        until: Until,
        mut glance: impl FnMut() -> Option<T>,
        mut attempt: impl FnMut(Look) -> Result<T, Stop>,
    ) -> Result<T, Stop> {
        let Waiter { role, aim, .. } = waiter;
        let mut wait = self.wait_of(waiter, until);
        let mut is_over = false;
        loop {
            let look = if is_over { Some(Look::Search) } else { wait.next_look() };
            let Some(look) = look else { return Err(Stop::NotNow) };
            if let Some(found) = glance() {
                wait.done();
                return Ok(found);
            }
            let (how, due) = if is_over { (look, None) } else { self.survey(role, look) };
            match attempt(how) {
                Err(Stop::NotNow) if is_over => return Err(Stop::Disconnected),
                Err(Stop::NotNow) => self.surveyed(due),
                done => {
                    wait.done();
                    return done;
                }
            }
            if look == Look::Search && self.is_over(role, aim) {
                // But the last word may have been said since the look: once more, after a barrier, and thoroughly.
                is_over = true;
                self.system.barrier();
            }
        }
    }

    /// What a waiter does between two looks.
    #[inline(never)]
    fn wait_of<'a>(&'a self, waiter: Waiter<'a>, until: Until) -> Wait<'a, System> {
        let Waiter { role, patience, position, look, .. } = waiter;
        let side = match role {
            Role::Sender => Side::Sender,
            Role::Receiver => Side::Receiver,
        };
        let long = if role == Role::Receiver { self.long.get() } else { 0 };
        let place = wait::Place { side, position, capacity: self.segment.header().capacity, long };
        let (word, system) = (self.event_of(role), &self.system);
        match until {
            Until::Now => Wait::once(word, system, patience, place, look),
            Until::Deadline(deadline) => Wait::new(word, system, patience, place, Some(deadline)),
            Until::Forever => Wait::new(word, system, patience, place, None),
        }
    }

    /// Whether the ring holds nothing that anybody could still want.
    fn is_drained(&self) -> bool {
        let control = self.slots.control();
        match self.flavour {
            Flavour::Spsc => control.tail.0.load(Acquire) == control.head.0.load(Acquire),
            Flavour::Mpmc => (0..self.segment.header().capacity as usize).all(|index| {
                let word = Word(self.slots.word(index).load(Acquire));
                matches!(word.phase(), Phase::Empty | Phase::Writing)
            }),
        }
    }
}

/// The other side.
fn opposite(role: Role) -> Role {
    match role {
        Role::Sender => Role::Receiver,
        Role::Receiver => Role::Sender,
    }
}

impl Liveness for Attachment {
    fn is_dead(&self, owner: Owner) -> bool {
        if mutant(Mutant::Impatient) {
            return owner.bits() != self.registry.me().load(Relaxed);
        }
        self.registry.is_dead(&self.segment, owner)
    }
}

impl Tenancy for Attachment {
    /// In an spsc ring only what is acknowledged is past, for all that anybody but its sender knows.
    fn is_current(&self, position: u64) -> bool {
        match self.flavour {
            Flavour::Spsc => spsc::is_current(position, spsc::Shared::head(&self.slots).load(Acquire), None),
            Flavour::Mpmc => self.core().is_current(position),
        }
    }
}

/// An spsc ring as its sender knows it: at a position, and nothing of a predecessor's beyond it.
struct Sending<'a> {
    attachment: &'a Attachment,
    /// The shared head is there, or further.
    head: u64,
    position: u64,
}

impl Liveness for Sending<'_> {
    fn is_dead(&self, owner: Owner) -> bool {
        self.attachment.is_dead(owner)
    }
}

impl Tenancy for Sending<'_> {
    fn is_current(&self, position: u64) -> bool {
        spsc::is_current_beyond(&self.attachment.slots, position, self.head, self.position)
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        if self.is_polled.get() != 0 {
            reactor::forget([self.event_of(Role::Sender), self.event_of(Role::Receiver)]);
        }
        let keep_open = self.segment.header().flags & KEEP_OPEN != 0;
        let Some(life) = self.registry.part(&self.segment) else { return };
        wait::wake_all(self.event_of(Role::Sender), &self.system);
        wait::wake_all(self.event_of(Role::Receiver), &self.system);
        // The last one out of a named ring takes the name along, unless messages wait in it or a successor is expected.
        self.segment.leave(life, || self.is_closed() || (!keep_open && self.is_drained()));
    }
}
