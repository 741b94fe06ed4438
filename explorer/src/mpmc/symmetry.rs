//! Fewer states to visit, for the spaces that are too large otherwise: [`Scenario::reduced`](super::Scenario).
//!
//! *Who is who.* Senders with the same deeds may exchange their names, and so may receivers: the core compares names for
//! equality alone. So a state stands for all that come of it by renaming; its fingerprint is the least of theirs. A step
//! back into an open state under another name is a livelock as well: repeated, it comes back under its own.
//!
//! *Payloads.* The accesses to the payload of a slot are made at once after the claim or the take, all others waiting. They
//! are nobody else's business as long as no two processes have one slot, and that is checked at each claim and take
//! (`Verdict::Shared`): neither waits for a payload, so two that may have one slot at once still meet in it. What is not
//! seen is a death between the halves of a payload, and whoever publishes first or acknowledges first.
//!
//! *Hints.* Each is stored once in 64 positions, so here once at most: who reads one that was stored does so at once as well.

use super::process::{Deed, Process, Stage};
use super::{BUMPED, HEAD, PAYLOADS, SKIPS, State, TAIL, World};
use crate::owner::Owner;
use crate::ring::word::{Phase, Word};
use crate::search::Verdict;
use crate::sync::DEAD;

/// The most processes.
pub(super) const PROCESSES: usize = 4;

/// Other names for the processes.
#[derive(Clone, Copy, Debug)]
pub struct Renaming {
    is_identity: bool,
    swaps_senders: bool,
    senders: usize,
    to: [usize; PROCESSES],
}

impl Renaming {
    /// Nobody is renamed.
    pub const IDENTITY: Self = Self { is_identity: true, swaps_senders: false, senders: 0, to: [0, 1, 2, 3] };

    /// All that make no difference, the one that renames nobody first.
    pub(super) fn all(world: &World) -> Vec<Self> {
        let scenario = &world.scenario;
        let senders = scenario.senders.len();
        let mut all = vec![Self { senders, ..Self::IDENTITY }];
        if senders == 2 && scenario.senders[0] == scenario.senders[1] {
            all.push(Self { is_identity: false, swaps_senders: true, senders, to: [1, 0, 2, 3] });
        }
        if scenario.receivers == 2 && !scenario.rejects {
            for mut renaming in all.clone() {
                renaming.to.swap(senders, senders + 1);
                all.push(Self { is_identity: false, ..renaming });
            }
        }
        all
    }

    /// The number of the process that is now called `process`; every renaming here undoes itself.
    pub(super) fn number(&self, process: usize) -> usize {
        self.to[process]
    }

    pub(super) fn word(&self, value: u64) -> u64 {
        let word = Word(value);
        let owner = word.owner();
        if self.is_identity || owner.index() as usize >= PROCESSES {
            return value;
        }
        let owner = Owner::new(self.to[owner.index() as usize] as u32, owner.generation());
        match word.phase() {
            Phase::Empty | Phase::Ready => value,
            Phase::Writing => Word::writing(word.lap_near(0), owner).0,
            Phase::Reading => Word::reading(word.lap_near(0), owner, word.attempt()).0,
        }
    }

    pub(super) fn payload(&self, value: u64) -> u64 {
        match value {
            1..=8 if self.swaps_senders => value + 8,
            9..=16 if self.swaps_senders => value - 8,
            _ => value,
        }
    }

    /// What stands in a cell.
    #[inline]
    pub(super) fn cell(&self, cell: usize, value: u64) -> u64 {
        if self.is_identity {
            return value;
        }
        match cell {
            0..SKIPS => self.word(value),
            DEAD => (0..PROCESSES).fold(0, |all, bit| all | (value >> bit & 1) << self.to[bit]),
            PAYLOADS.. => self.payload(value),
            _ => value,
        }
    }

    pub(super) fn bits(&self, bits: u16) -> u16 {
        if self.swaps_senders { bits.swap_bytes() } else { bits }
    }

    pub(super) fn nibbles(&self, nibbles: u64) -> u64 {
        if self.swaps_senders { nibbles.rotate_left(32) } else { nibbles }
    }

    pub(super) fn newest(&self, newest: [[u8; 3]; 2]) -> [[u8; 3]; 2] {
        if self.is_identity {
            return newest;
        }
        let mut renamed = newest;
        for (sender, row) in newest.into_iter().enumerate() {
            for (receiver, number) in row.into_iter().take(PROCESSES - self.senders).enumerate() {
                let sender = if self.senders == 2 { self.to[sender] } else { sender };
                renamed[sender][self.to[self.senders + receiver] - self.senders] = number;
            }
        }
        renamed
    }
}

impl World {
    /// Somebody whose next access is nobody else's business: to a payload, or to a hint that does not change any more.
    pub(super) fn at_its_own(&self, state: &State) -> Option<usize> {
        (0..self.processes()).find(|&number| {
            let process = &state.processes[number];
            match process.stage {
                Stage::First | Stage::Second => true,
                Stage::From => state.memory[if number < self.senders() { TAIL } else { HEAD }] != 0,
                Stage::Next if number < self.senders() => matches!(self.deed(process, number), Deed::Fill(..)),
                _ => false,
            }
        })
    }

    /// Whether `number` is the only one who has that slot.
    pub(super) fn is_alone_in(&self, index: usize, number: usize, state: &State) -> Result<(), Verdict> {
        let is_in = |process: &Process| {
            let claimed = process.claims.into_iter().flatten().any(|claim| claim.index == index);
            claimed || process.taken.is_some_and(|taken| taken.index == index)
        };
        let mut others = (0..self.processes()).filter(|&other| other != number);
        let shared = self.scenario.reduced && others.any(|other| is_in(&state.processes[other]));
        if shared { Err(Verdict::Shared) } else { Ok(()) }
    }
}

const _: () = assert!(BUMPED < PAYLOADS && PAYLOADS < DEAD);
