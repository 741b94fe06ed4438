//! What is explored: who takes part, what they do, and what is asked of every state.

use super::World;
use super::process::{self, Deed};
use super::visit::Visit;
use crate::search::{Report, search};
use crate::sync::Mutant;

/// What is explored.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Slots of the ring, 1 to 3.
    pub slots: u64,
    /// What each sender does.
    pub senders: Vec<Vec<Deed>>,
    /// Receivers that take what comes.
    pub receivers: usize,
    /// Those who clear up after the dead, one of each kind at most.
    pub visitors: Vec<Visit>,
    /// The first receiver rejects the first message that it gets.
    pub rejects: bool,
    /// The most processes that die.
    pub crashes: u8,
    /// Where the ring stands at first.
    pub lap: u64,
    /// Handles are new, and believe the ring to be at its very beginning.
    pub fresh: bool,
    /// A skip from long ago, in every slot.
    pub skip: u64,
    /// Redeliveries allowed.
    pub patience: u32,
    /// Each process is run alone from every state: see [`progress`](super::progress).
    pub alone: bool,
    /// The others are run from every state while one stands still.
    pub frozen: bool,
    /// Fewer states are visited: see [`symmetry`](super::symmetry).
    pub reduced: bool,
    /// The mistake to make.
    pub fault: Option<Mutant>,
}

impl Scenario {
    /// `messages` from each of `senders` to `receivers` in a new ring; nobody dies.
    pub fn new(slots: u64, senders: usize, messages: u64, receivers: usize) -> Self {
        Self {
            slots,
            senders: vec![process::sends(messages); senders],
            receivers,
            visitors: Vec::new(),
            rejects: false,
            crashes: 0,
            lap: 0,
            fresh: true,
            skip: 0,
            patience: u32::MAX,
            alone: false,
            frozen: false,
            reduced: false,
            fault: None,
        }
    }

    /// With those who clear up.
    pub fn visitors(self, visitors: &[Visit]) -> Self {
        Self { visitors: visitors.into(), ..self }
    }

    /// With a look from every state whether those who are not stopped finish.
    pub fn progress(self) -> Self {
        Self { alone: true, frozen: true, ..self }
    }

    /// With fewer states.
    pub fn reduced(self) -> Self {
        Self { reduced: true, ..self }
    }

    /// With so many deaths at most.
    pub fn crashes(self, crashes: u8) -> Self {
        Self { crashes, ..self }
    }

    /// With a mistake.
    pub fn fault(self, fault: Mutant) -> Self {
        Self { fault: Some(fault), ..self }
    }

    /// Explores it.
    pub fn explore(self, name: &str) -> Report {
        search(name, &mut World::new(self))
    }
}
