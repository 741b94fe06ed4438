//! After the death of all: what strangers find.
//!
//! Every committed message that was not acknowledged is there to be taken, once, and no other. Then the ring holds as many
//! messages as it has slots and hands them out in order: no slot leaked, no lap has a hole.
//!
//! The verdict depends on the shared words and on what has happened, and not on how far the processes were. So it is
//! given once for all the states that differ only in that.

use super::symmetry::Renaming;
use super::{History, PAYLOADS, State, Verdicts, World};
use crate::owner::Owner;
use crate::ring::mpmc::{Miss, Taken};
use crate::search::{Print, Verdict};
use crate::sync::{self, DEAD, Ordering::Relaxed, Private};

/// More messages than any ring here can hold.
const PLENTY: usize = 20;

/// Above the numbers of the processes' messages.
const STRANGE: u64 = 100;

impl World {
    /// Kills all and looks what is left, unless that was looked at before.
    pub(super) fn settle(&mut self, state: &State) -> Result<(), Verdict> {
        let mut memory = state.memory;
        let mut history = History { crashes: 0, newest: Default::default(), ..state.history };
        memory[DEAD] = 0;
        let mut print = Print::default();
        memory.iter().for_each(|&cell| print.add(cell));
        history.digest(&mut print, &Renaming::IDENTITY);
        if !self.settled.insert(print.finish()) {
            return Ok(());
        }
        memory[DEAD] = u64::from(u8::MAX);
        self.excuse(&memory, &mut history, |_| true);
        sync::alone(&mut memory, || {
            let receiver = Stranger::new(self, 8);
            receiver.drain(history)?;
            Stranger::new(self, 9).fill(&receiver)
        })
    }
}

/// Somebody new.
struct Stranger<'a> {
    world: &'a World,
    me: Owner,
    cursor: Private,
}

impl<'a> Stranger<'a> {
    fn new(world: &'a World, place: u32) -> Self {
        Self { world, me: Owner::new(place, 1), cursor: Private::new(world.first_cursor()) }
    }

    fn life(&self) -> Verdicts<'a> {
        self.world.verdicts(self.me)
    }

    /// The next message, as the product looks for one before it waits.
    fn take(&self) -> Result<Option<Taken>, Verdict> {
        let core = &self.world.core;
        let take = || match core.take(&self.cursor, self.me, &self.life()) {
            Ok(taken) => Ok(Some(taken)),
            Err(Miss::NotNow) => Ok(None),
            Err(Miss::Corrupt) => Err(Verdict::Corrupt),
        };
        if let Some(taken) = take()? {
            return Ok(Some(taken));
        }
        core.sweep(self.me, &self.life()).map_or_else(take, |taken| Ok(Some(taken)))
    }

    fn payload(&self, index: usize) -> [u64; 2] {
        let cells = &self.world.core.shared().0;
        [0, 1].map(|half| cells[PAYLOADS + 2 * index + half].load(Relaxed))
    }

    /// Takes all that is there.
    fn drain(&self, history: History) -> Result<(), Verdict> {
        let (mut found, mut newest) = (0, [0; 2]);
        for _ in 0..PLENTY {
            let Some(taken) = self.take()? else {
                let owed = history.committed & !history.acknowledged & !history.excused;
                return if owed & !found == 0 { Ok(()) } else { Err(Verdict::Lost) };
            };
            let halves = self.payload(taken.index);
            let bit = history.judge(halves, taken.attempt > 0)?;
            if found & bit != 0 {
                return Err(Verdict::Duplicate);
            }
            found |= bit;
            let sender = (halves[0] - 1) as usize / 8;
            if taken.attempt == 0 && self.world.keeps_order(sender) {
                if halves[0] <= newest[sender] {
                    return Err(Verdict::Order);
                }
                newest[sender] = halves[0];
            }
            if history.times(halves[0]) != taken.attempt {
                return Err(Verdict::Miscounted);
            }
            self.world.core.acknowledge(taken);
        }
        Err(Verdict::Broken)
    }

    /// Fills the ring, for `receiver` to empty it.
    fn fill(&self, receiver: &Self) -> Result<(), Verdict> {
        let core = &self.world.core;
        let slots = self.world.scenario.slots;
        for number in 0..=slots {
            match core.claim(&self.cursor, self.me, &self.life()) {
                Ok(claim) if number < slots => {
                    for half in 0..2 {
                        let cell = PAYLOADS + 2 * claim.index + half;
                        core.shared().0[cell].store(STRANGE + number, Relaxed);
                    }
                    core.commit(claim);
                }
                Err(Miss::NotNow) if number == slots => {}
                Err(Miss::Corrupt) => return Err(Verdict::Corrupt),
                _ => return Err(Verdict::Broken),
            }
        }
        for number in 0..slots {
            let taken = receiver.take()?.ok_or(Verdict::Broken)?;
            if taken.attempt > 0 || self.payload(taken.index) != [STRANGE + number; 2] {
                return Err(Verdict::Broken);
            }
            core.acknowledge(taken);
        }
        Ok(())
    }
}
