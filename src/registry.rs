//! Who takes part: joining, leaving, and who is alive.
//!
//! A participant is one process's membership: a record in the segment's table, and the kernel's locks on two bytes of the same
//! index, which nobody else can hold. One is the *place*: its holder alone writes the record, so that needs no protocol of its
//! own. The other is the *life*: the record says which generation and how many senders and receivers, the lock says whether that is
//! still true. Two, because whoever takes a place over must clear it first, and its last owner must be dead meanwhile: with
//! one lock a process that is stopped in the middle of joining would keep all others from what the dead one held.
//!
//! # Why a verdict can be trusted
//!
//! *Dead* is said of (index, generation) only when the kernel says that nobody holds the byte of that life, or the record names
//! another generation, or none. The byte is free only after its holder's last instruction; a later generation is written only by
//! a later holder. So a dead owner never writes again, which is all that recovery needs. A stopped process holds its byte
//! and is alive; no timeout is ever taken for a death. Where the kernel cannot be asked, the answer is "alive".
//!
//! A verdict is asked for while others may be joining. What still names a place's former owner names another generation, and
//! so a dead one. Generations come round, but the first of a round is written only after the names of all before it were
//! removed from every slot; so no slot ever names two lives of one place by one name.

use crate::error::JoinError;
use crate::layout::Participant;
use crate::os::fork::{self, Marker, Table};
use crate::os::{clock, futex, lock};
use crate::owner::Owner;
use crate::segment::{Life, Segment};
use crate::sync::{AtomicU32, AtomicU64, Ordering::*, Private};
use smallvec::SmallVec;
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A side of the ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Fills slots.
    Sender,
    /// Empties them.
    Receiver,
}

impl Role {
    /// The lock that makes the role exclusive.
    fn byte(self) -> u64 {
        match self {
            Self::Sender => lock::SENDER,
            Self::Receiver => lock::RECEIVER,
        }
    }

    /// How many handles of this role a participant has.
    pub fn count(self, record: &Participant) -> &AtomicU32 {
        match self {
            Self::Sender => &record.senders,
            Self::Receiver => &record.receivers,
        }
    }
}

/// This process's membership in one ring, and its view of the others'.
#[derive(Debug)]
pub struct Registry {
    /// Who this process is: an [`Owner`]'s bits, or zero before joining and in a forked child.
    me: Marker,
    /// The opening that holds this process's locks. Only touched under the fork table's lock, so never held across a fork.
    life: Mutex<Option<Life>>,
    /// What is known of each other participant.
    seen: Vec<Seen>,
}

/// What was last seen of a place's owner.
#[derive(Debug, Default)]
struct Seen {
    /// When it was alive, in coarse milliseconds plus one.
    alive: Private,
    /// One that is dead and [known](Registry::note) to be, and the count of changes at which it was.
    dead: Private,
}

/// Owners that are dead.
pub type Dead = SmallVec<[Owner; 4]>;

impl Registry {
    /// The view of a process that takes no part yet: it has the ring open, or, without a `life`, merely looks at it.
    pub fn new(segment: &Segment, life: Option<Life>) -> io::Result<Self> {
        let places = segment.header().participants;
        Ok(Self { me: Marker::new()?, life: Mutex::new(life), seen: (0..places).map(|_| Seen::default()).collect() })
    }

    /// Who this process is now; zero when it has not joined, or was forked since.
    #[inline]
    pub fn me(&self) -> &AtomicU64 {
        self.me.number()
    }

    /// Takes on a role, joining first where this process has not. `fenced`: the ring does without membarrier.
    /// `exclusive`: one holder at a time. `disown` removes the names of a place's former owners from every slot.
    pub fn enter(
        &self,
        segment: &Segment,
        role: Role,
        exclusive: bool,
        fenced: bool,
        disown: &mut dyn FnMut(u32),
    ) -> Result<Owner, JoinError> {
        let mut table = fork::exclusive();
        let mut life = self.life.lock().unwrap_or_else(PoisonError::into_inner);
        let life = self.revive(segment, &mut life, &mut table)?;
        // Before anything is published: a sleeper's barrier must reach this process.
        if !fenced && table.register_once(futex::register_for_barriers).is_err() {
            return Err(JoinError::NoMembarrier);
        }
        let pid = table.pid()?;
        let Some(fd) = life.fd(&table) else { return Err(JoinError::System { errno: Errno::AGAIN }) };
        if self.me().load(Relaxed) == 0 {
            let me = join(segment, fd, pid, disown)?;
            self.me().store(me.bits(), Relaxed);
        }
        let me = Owner::from_bits(self.me().load(Relaxed));
        let record = &segment.participants()[me.index() as usize];
        if exclusive && (role.count(record).load(Relaxed) > 0 || !lock::try_exclusive(fd, role.byte())?) {
            return Err(JoinError::RoleTaken { pid: self.holder(segment, role) });
        }
        let presence = &segment.control().presence.0;
        let ever = match role {
            Role::Sender => &presence.ever_sender,
            Role::Receiver => &presence.ever_receiver,
        };
        role.count(record).fetch_add(1, AcqRel);
        ever.store(1, Release);
        presence.changes.fetch_add(1, AcqRel);
        Ok(me)
    }

    /// Lays a role down that was taken on as `me`. Returns whether it was the participant's last handle of that role.
    pub fn leave(&self, segment: &Segment, role: Role, exclusive: bool, me: Owner) -> bool {
        let table = fork::exclusive();
        if self.me().load(Relaxed) != me.bits() {
            // A forked child's copy of its parent's handle: not this process's to lay down.
            return false;
        }
        let record = &segment.participants()[me.index() as usize];
        let last = role.count(record).fetch_sub(1, AcqRel) == 1;
        if last {
            segment.control().presence.0.changes.fetch_add(1, AcqRel);
        }
        if exclusive {
            let life = self.life.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(fd) = life.as_ref().and_then(|life| life.fd(&table)) {
                // It cannot fail on a lock that is held; the role is free at the latest when the process ends.
                let _ = lock::unlock(fd, role.byte());
            }
        }
        last
    }

    /// Clears the places of the dead; what they still name is then nobody's. Returns how many there were.
    ///
    /// A place is held only while it is cleared, and one that the kernel will not give is left: its owner counts as alive.
    pub fn bury(&self, segment: &Segment) -> Result<u32, JoinError> {
        let mut table = fork::exclusive();
        let mut life = self.life.lock().unwrap_or_else(PoisonError::into_inner);
        let life = self.revive(segment, &mut life, &mut table)?;
        let Some(fd) = life.fd(&table) else { return Err(JoinError::System { errno: Errno::AGAIN }) };
        let mut buried = 0;
        for (index, record) in (0..).zip(segment.participants()) {
            let is_free = record.generation.load(Acquire) == 0;
            // Who has the place has the life, or is about to.
            let byte = lock::place(index);
            if is_free || self.is_me(index as usize) || !lock::try_exclusive(fd, byte).unwrap_or(false) {
                continue;
            }
            // Its owner may have left meanwhile.
            if record.generation.load(Acquire) != 0 {
                clear(segment, record);
                buried += 1;
            }
            // It cannot fail on a lock that is held.
            let _ = lock::unlock(fd, byte);
        }
        Ok(buried)
    }

    /// Leaves the ring for good: what this process still names is now a dead owner's. Returns its opening to be ended.
    pub fn part(&self, segment: &Segment) -> Option<Life> {
        let _table = fork::exclusive();
        let me = self.me().swap(0, Relaxed);
        if me != 0 {
            clear(segment, &segment.participants()[Owner::from_bits(me).index() as usize]);
        }
        self.life.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Whether `owner` will never write again.
    pub fn is_dead(&self, segment: &Segment, owner: Owner) -> bool {
        if owner.bits() == self.me().load(Relaxed) {
            return false;
        }
        let index = owner.index() as usize;
        match segment.participants().get(index) {
            Some(record) if record.generation.load(Acquire) == owner.generation() => !self.is_alive(segment, index),
            // Its place has another owner, none, or does not exist.
            _ => true,
        }
    }

    /// Whether any participant alive has a handle of `role`.
    pub fn has_any(&self, segment: &Segment, role: Role) -> bool {
        self.living(segment, role).next().is_some()
    }

    /// Whether the owner of a place is alive: a system call, unless it was seen alive within the last milliseconds.
    pub fn is_alive(&self, segment: &Segment, index: usize) -> bool {
        if self.is_me(index) {
            return true;
        }
        let now = clock::coarse_ms() + 1;
        if self.seen[index].alive.get() == now {
            return true;
        }
        let alive = self.probe(segment, index);
        if alive {
            self.seen[index].alive.set(now);
        }
        alive
    }

    /// The owners who died and are not known to: whose names there may be in the slots. `None` if that means to ask the
    /// kernel about more than `most` of them. What is known is known as long as the count of `changes` stays.
    pub fn newly_dead(&self, segment: &Segment, changes: u64, most: u64) -> Option<Dead> {
        let records = (0..).zip(segment.participants());
        let owners = records.filter_map(|(index, record)| {
            let generation = record.generation.load(Acquire);
            (generation != 0 && !self.is_me(index as usize)).then(|| Owner::new(index, generation))
        });
        let is_known = |owner: &Owner| self.seen[owner.index() as usize].dead.get() == at(changes, *owner);
        let mut dead = Dead::new();
        let mut asked = 0;
        for owner in owners.filter(|owner| !is_known(owner)) {
            asked += 1;
            if asked > most {
                return None;
            }
            if !self.is_alive(segment, owner.index() as usize) {
                dead.push(owner);
            }
        }
        Some(dead)
    }

    /// Notes that these are known to be dead, and named in no slot any more, at that count of changes.
    pub fn note(&self, dead: &Dead, changes: u64) {
        dead.iter().for_each(|owner| self.seen[owner.index() as usize].dead.set(at(changes, *owner)));
    }

    /// What the kernel says of another process's place, now.
    fn probe(&self, segment: &Segment, index: usize) -> bool {
        lock::is_held(segment.file(), lock::participant(index as u32)).unwrap_or(true)
    }

    fn is_me(&self, index: usize) -> bool {
        let me = self.me().load(Relaxed);
        me != 0 && Owner::from_bits(me).index() as usize == index
    }

    fn living<'a>(&'a self, segment: &'a Segment, role: Role) -> impl Iterator<Item = &'a Participant> {
        present(segment, role).filter(|&(index, _)| self.is_alive(segment, index)).map(|(_, record)| record)
    }

    /// The process that has a role, for an error message; 0 where it is just leaving.
    fn holder(&self, segment: &Segment, role: Role) -> u32 {
        // Asked afresh: a predecessor that was alive milliseconds ago is not the one.
        let mut present = present(segment, role);
        let holder = present.find(|&(index, _)| self.is_me(index) || self.probe(segment, index));
        holder.map_or(0, |(_, record)| record.pid.load(Relaxed))
    }

    /// The opening with this process's locks; in a forked child, a new one.
    fn revive<'a>(
        &self,
        segment: &Segment,
        life: &'a mut Option<Life>,
        table: &mut MutexGuard<'static, Table>,
    ) -> Result<&'a Life, JoinError> {
        let here = life.as_ref().is_some_and(|life| life.fd(table).is_some());
        if !here {
            let fresh = Life::begin(segment.file(), table)?;
            let fresh = fresh.ok_or(JoinError::System { errno: Errno::AGAIN })?;
            if let Some(inherited) = life.replace(fresh) {
                inherited.end(table);
            }
        }
        life.as_ref().ok_or(JoinError::System { errno: Errno::AGAIN })
    }
}

/// An owner's name at a count of changes: a name alone comes round.
fn at(changes: u64, owner: Owner) -> u64 {
    changes << 32 | owner.bits()
}

/// Error numbers that this module says itself.
struct Errno;

impl Errno {
    const AGAIN: i32 = 11;
}

/// The places whose owners, dead or alive, have a handle of `role`.
fn present(segment: &Segment, role: Role) -> impl Iterator<Item = (usize, &Participant)> {
    let records = segment.participants().iter().enumerate();
    records.filter(move |(_, record)| record.generation.load(Acquire) != 0 && role.count(record).load(Acquire) > 0)
}

/// Makes a place free. The caller has its byte.
///
/// Counted before and after: who is stopped in between has neither taken a dead owner's record from those who have not seen it
/// yet, nor kept a verdict from being asked for again.
fn clear(segment: &Segment, record: &Participant) {
    let changes = &segment.control().presence.0.changes;
    changes.fetch_add(1, AcqRel);
    record.senders.store(0, Relaxed);
    record.receivers.store(0, Relaxed);
    record.generation.store(0, Release);
    changes.fetch_add(1, AcqRel);
}

/// After it comes 1 again. A name has eight bits for it, and 0 says that a place is free.
const LAST_GENERATION: u32 = 255;

/// Looks through the table so often before it is called full: a place may just be held by somebody who clears it.
const LOOKS: u32 = 3;

/// Finds a place in the table that no live process has, and takes it.
fn join(segment: &Segment, fd: BorrowedFd<'_>, pid: u32, disown: &mut dyn FnMut(u32)) -> Result<Owner, JoinError> {
    let places = (0..LOOKS).flat_map(|_| (0..).zip(segment.participants()));
    for (index, record) in places {
        if !lock::try_exclusive(fd, lock::place(index))? {
            continue;
        }
        let last = record.last_generation.load(Acquire);
        // It looks at every slot: milliseconds in a long ring, in which nobody may be named at all.
        if last >= LAST_GENERATION {
            disown(index);
        }
        if record.generation.load(Acquire) != 0 {
            // Of one who was killed: whom else the life would bring back, as long as that is another's.
            clear(segment, record);
        }
        // Nobody else takes it without the place.
        if !lock::try_exclusive(fd, lock::participant(index))? {
            return Err(JoinError::System { errno: Errno::AGAIN });
        }
        let generation = last % LAST_GENERATION + 1;
        record.last_generation.store(generation, Relaxed);
        record.pid.store(pid, Relaxed);
        record.senders.store(0, Relaxed);
        record.receivers.store(0, Relaxed);
        record.generation.store(generation, Release);
        return Ok(Owner::new(index, generation));
    }
    Err(JoinError::TooManyParticipants { max: segment.header().participants })
}
