//! Those who clear up after the dead: what `Ring::recover` does, and a join over a dead place.
//!
//! Both run [`Core::disown`](crate::ring::mpmc::Core::disown), at any moment and beside each other, and may die in it. One who
//! recovers asks for each owner whether it is dead. One who joins does as `registry::join`: it takes a dead place, whose
//! former owner stays dead to everybody meanwhile; removes that name from every slot; enters the next generation; and goes on as
//! a receiver, under the name of that place.
//!
//! From then on no slot may name the former owner: a place whose generations come round would have two lives in the ring.

use super::process::{Process, Stage};
use super::{State, Verdicts, World};
use crate::owner::Owner;
use crate::ring::mpmc::Liveness;
use crate::ring::word::Phase;
use crate::search::Verdict;
use crate::sync::{DEAD, Memory, Ordering::SeqCst};

/// What somebody comes for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visit {
    /// Clears up once, at any moment.
    Recover,
    /// Takes a dead place, once there is one, and receives.
    Join,
}

impl World {
    /// What the process of that number came for, if it is a visitor.
    pub(super) fn visit(&self, number: usize) -> Option<Visit> {
        let first = self.senders() + self.scenario.receivers;
        number.checked_sub(first).and_then(|visitor| self.scenario.visitors.get(visitor)).copied()
    }

    /// How a visitor begins.
    pub(super) fn visitor(&self, number: usize) -> Process {
        let mut process = Process::new(self.first_cursor());
        process.stage = if self.visit(number) == Some(Visit::Recover) { Stage::Disown } else { Stage::Join };
        process
    }

    /// The place that somebody who joins finds free: the first whose owner is dead.
    pub(super) fn vacant(&self, memory: &Memory) -> Option<usize> {
        let places = self.senders() + self.scenario.receivers;
        (0..places).find(|&place| memory[DEAD] >> place & 1 != 0)
    }

    /// Whether a visitor has not come to its end, or to receive.
    pub(super) fn is_visiting(process: &Process) -> bool {
        matches!(process.stage, Stage::Join | Stage::Disown | Stage::Enter)
    }

    /// A piece of a visit.
    pub(super) fn clear_up(&self, process: &Process, number: usize, memory: &Memory) {
        let dead = &self.core.shared().0[DEAD];
        let was = memory[DEAD];
        match (process.stage, process.place) {
            // The lock of the place, and the record: nobody else has a use for either.
            (Stage::Join | Stage::Enter, _) => dead.store(was, SeqCst),
            (_, Some(place)) => _ = self.core.disown(|owner| owner.index() == u32::from(place)),
            _ => {
                let life = self.verdicts(self.name(process, number));
                self.core.disown(|owner| life.is_dead(owner));
            }
        }
    }

    /// A piece of a visit has ended, which began with `before` in the memory.
    pub(super) fn cleared_up(&self, process: &mut Process, before: &Memory) {
        match (process.stage, process.place) {
            (Stage::Join, _) => {
                process.place = self.vacant(before).map(|place| place as u8);
                process.go(Stage::Disown);
            }
            (Stage::Disown, Some(_)) => process.go(Stage::Enter),
            (Stage::Enter, _) => process.go(Stage::Next),
            _ => *process = Process::over(Stage::Done),
        }
    }

    /// No slot names the former owner of a place that somebody has.
    pub(super) fn is_cleared(&self, state: &State) -> Result<(), Verdict> {
        let entered = |process: &&Process| process.place.is_some() && !Self::is_visiting(process);
        for process in state.processes.iter().filter(entered) {
            let former = process.place.map(|place| Owner::new(place.into(), 1));
            let names = |phase: Phase| matches!(phase, Phase::Writing | Phase::Reading);
            if self.words(&state.memory).any(|word| names(word.phase()) && Some(word.owner()) == former) {
                return Err(Verdict::Named);
            }
        }
        Ok(())
    }

    /// Under which name a process acts.
    pub(super) fn name(&self, process: &Process, number: usize) -> Owner {
        process.place.map_or(Owner::new(number as u32, 1), |place| Owner::new(place.into(), 2))
    }

    /// The kernel's verdicts, as `me` asks for them.
    pub(super) fn verdicts(&self, me: Owner) -> Verdicts<'_> {
        Verdicts { names: self.core.shared(), me, joiner: self.joiner }
    }
}
