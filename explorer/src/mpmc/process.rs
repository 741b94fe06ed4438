//! What a process does, a step at a time: the handles of the product, cut into pieces.

use super::symmetry::Renaming;
use super::{BUMPED, History, PAYLOADS, State, World, bit, message};
use crate::owner::Owner;
use crate::ring::mpmc::{Claim, Miss, Step, Taken};
use crate::search::{Print, Verdict};
use crate::sync::{self, DEAD, Log, Mutant, Ordering::Relaxed, Private, mutant};

/// A sender's deed, with one of its two loans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Claims a slot.
    Claim(usize),
    /// Fills it with the message of that number, 0 to 7.
    Fill(usize, u8),
    /// Commits it.
    Commit(usize, u8),
    /// Gives it back.
    Abort(usize),
    /// Takes the message back, if nobody has it: what a sender does that finds the ring closed.
    Retract(usize, u8),
}

/// Sends the messages 0 to `count - 1`, one after another.
pub fn sends(count: u64) -> Vec<Deed> {
    (0..count as u8).flat_map(send).collect()
}

/// Sends one message.
pub fn send(number: u8) -> [Deed; 3] {
    [Deed::Claim(0), Deed::Fill(0, number), Deed::Commit(0, number)]
}

/// How far a process has come with its deed; a receiver's is to receive, again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Stage {
    /// Tries the simple case.
    Next,
    /// Finds out where a walk begins.
    From,
    /// On the walk.
    At,
    /// Looks for what the dead held.
    Sweep,
    /// Takes the lock of a dead place.
    Join,
    /// Removes the names of the dead.
    Disown,
    /// Enters a new generation.
    Enter,
    /// First half of the payload.
    First,
    /// Second half of the payload.
    Second,
    /// The store that ends it.
    Last,
    /// Until something changes.
    Resting,
    /// Nothing more to do.
    Done,
    /// Killed.
    Dead,
}

/// A process.
#[derive(Clone, Copy, Debug)]
pub struct Process {
    pub(super) stage: Stage,
    pub(super) log: Log,
    /// Something changed since its attempt began.
    pub(super) news: bool,
    pub(super) cursor: u64,
    /// The dead place that it takes over, or has.
    pub(super) place: Option<u8>,
    deed: usize,
    position: u64,
    pub(super) claims: [Option<Claim>; 2],
    pub(super) taken: Option<Taken>,
    /// The word that says so; whoever made it has kept the lap, which is the core's secret.
    word: u64,
    /// The first half of the payload.
    half: u64,
    rejected: bool,
}

impl Process {
    /// One that has done nothing, and believes the ring to be at `cursor`.
    pub(super) const fn new(cursor: u64) -> Self {
        Self {
            stage: Stage::Next,
            log: Log::EMPTY,
            news: false,
            cursor,
            place: None,
            deed: 0,
            position: 0,
            claims: [None; 2],
            taken: None,
            word: 0,
            half: 0,
            rejected: false,
        }
    }

    /// One that is done or dead: nothing of it matters any more.
    pub(super) const fn over(stage: Stage) -> Self {
        Self { stage, ..Self::new(0) }
    }

    pub(super) fn digest(&self, print: &mut Print, renaming: &Renaming) {
        let values = self.log.values();
        let place = self.place.map_or(0, |place| 1 + renaming.number(place.into()) as u64);
        let flags = u64::from(self.news) | u64::from(self.rejected) << 1 | u64::from(self.taken.is_some()) << 2;
        print.add(
            place << 56 | flags << 48 | (self.stage as u64) << 32 | (self.deed as u64) << 16 | values.len() as u64,
        );
        let (word, half) = (renaming.word(self.word), renaming.payload(self.half));
        [self.cursor, self.position, word, half].into_iter().for_each(|value| print.add(value));
        for claim in self.claims {
            print.add(claim.map_or(0, |claim| claim.index as u64 + 1));
            print.add(claim.map_or(0, |claim| claim.lap));
        }
        if let Some(taken) = self.taken {
            print.add((taken.index as u64) << 32 | taken.attempt);
        }
        self.log.entries().for_each(|(cell, value)| print.add(renaming.cell(cell, value)));
    }

    /// Begins another attempt, or rests if it would see what this one saw.
    fn miss(&mut self) {
        self.stage = if self.news { Stage::Next } else { Stage::Resting };
        (self.news, self.position) = (false, 0);
    }

    pub(super) fn go(&mut self, stage: Stage) {
        (self.stage, self.news, self.position) = (stage, false, 0);
    }
}

/// What a piece came to.
enum Outcome {
    Claimed(Option<Claim>),
    Took(Option<Taken>),
    From(u64),
    Claim(Step<Claim>),
    Take(Step<Taken>),
    Value(u64),
    Retracted(bool),
    Stored,
    ClearedUp,
}

impl World {
    /// One step of a process.
    pub(super) fn advance(&self, state: &mut State, number: usize) -> Result<(), Verdict> {
        let mut process = state.processes[number];
        let cursor = Private::new(process.cursor);
        let before = state.memory;
        let mut log = process.log;
        let outcome = sync::step(&mut state.memory, &mut log, || {
            if Self::is_visiting(&process) {
                self.clear_up(&process, number, &before);
                return Outcome::ClearedUp;
            }
            self.piece(&process, number, &cursor)
        });
        process.log = log;
        state.processes[number] = process;
        // Words, skips and `bumped`, and deaths; the payloads and the hints are no reason to look again.
        if before[..=BUMPED] != state.memory[..=BUMPED] || state.memory[DEAD] & !before[DEAD] != 0 {
            state.news();
        }
        self.count(&before, state);
        let Some(outcome) = outcome else { return Ok(()) };
        match outcome {
            Outcome::Claimed(Some(claim)) | Outcome::Claim(Step::Done(Ok(claim))) => {
                self.is_alone_in(claim.index, number, state)?;
            }
            Outcome::Took(Some(taken)) | Outcome::Take(Step::Done(Ok(taken))) => {
                self.is_alone_in(taken.index, number, state)?;
            }
            _ => {}
        }
        let State { memory, processes, history } = state;
        let process = &mut processes[number];
        process.cursor = cursor.get();
        if matches!(outcome, Outcome::ClearedUp) {
            self.cleared_up(process, &before);
            return Ok(());
        }
        match number.checked_sub(self.senders()) {
            None => self.sent(process, history, number, outcome),
            Some(receiver) => {
                if process.stage == Stage::Last && self.is_rejecting(process, receiver) {
                    self.excuse(memory, history, |owner| owner == Owner::ORPHAN);
                }
                self.received(process, history, receiver, outcome, memory)
            }
        }
    }

    fn piece(&self, process: &Process, number: usize, cursor: &Private) -> Outcome {
        let (core, me) = (&self.core, self.name(process, number));
        let names = core.shared();
        let life = self.verdicts(me);
        let payload = |index: usize, half: usize| &names.0[PAYLOADS + 2 * index + half];
        if number < self.senders() {
            let deed = self.deed(process, number);
            let loan = |which: usize| process.claims[which].expect("what was claimed");
            return match (deed, process.stage) {
                (Deed::Claim(_), Stage::Next) => Outcome::Claimed(core.claim_next(cursor, me)),
                (Deed::Claim(_), Stage::From) => Outcome::From(core.claim_from(cursor)),
                (Deed::Claim(_), _) => Outcome::Claim(core.claim_at(process.position, cursor, me, &life)),
                (Deed::Fill(which, message_number), stage) => {
                    let half = usize::from(stage == Stage::Second);
                    payload(loan(which).index, half).store(message(number, message_number), Relaxed);
                    Outcome::Stored
                }
                (Deed::Commit(which, _), _) => {
                    core.commit(loan(which));
                    Outcome::Stored
                }
                (Deed::Abort(which), _) => {
                    core.abort(loan(which));
                    Outcome::Stored
                }
                (Deed::Retract(which, _), _) => Outcome::Retracted(core.retract(loan(which))),
            };
        }
        let taken = || process.taken.expect("what was taken");
        match process.stage {
            Stage::Next => Outcome::Took(core.take_next(cursor, me)),
            Stage::From => Outcome::From(core.take_from(cursor)),
            Stage::At => Outcome::Take(core.take_at(process.position, cursor, me, &life)),
            Stage::Sweep => Outcome::Took(core.sweep(me, &life)),
            Stage::First => Outcome::Value(payload(taken().index, 0).load(Relaxed)),
            Stage::Second => Outcome::Value(payload(taken().index, 1).load(Relaxed)),
            _ if self.is_rejecting(process, number - self.senders()) => {
                core.reject(taken());
                Outcome::Stored
            }
            _ => {
                core.acknowledge(taken());
                Outcome::Stored
            }
        }
    }

    pub(super) fn deed(&self, process: &Process, number: usize) -> Deed {
        let deeds = &self.scenario.senders[number];
        let deed = deeds[process.deed];
        if !mutant(Mutant::PublishFirst) {
            return deed;
        }
        match (deed, process.deed.checked_sub(1).map(|last| deeds[last]), deeds.get(process.deed + 1)) {
            (Deed::Fill(..), _, Some(&commit @ Deed::Commit(..))) => commit,
            (Deed::Commit(..), Some(fill @ Deed::Fill(..)), _) => fill,
            _ => deed,
        }
    }

    fn is_rejecting(&self, process: &Process, receiver: usize) -> bool {
        self.scenario.rejects && receiver == 0 && !process.rejected
    }

    fn sent(
        &self,
        process: &mut Process,
        history: &mut History,
        sender: usize,
        outcome: Outcome,
    ) -> Result<(), Verdict> {
        let deed = self.deed(process, sender);
        match outcome {
            Outcome::Claimed(None) => process.stage = Stage::From,
            Outcome::From(position) => (process.stage, process.position) = (Stage::At, position),
            Outcome::Claim(Step::To(position)) => process.position = position,
            Outcome::Claim(Step::Done(Err(Miss::NotNow))) => process.miss(),
            Outcome::Claim(Step::Done(Err(Miss::Corrupt))) => return Err(Verdict::Corrupt),
            Outcome::Claimed(claim @ Some(_)) => self.claimed(process, sender, claim),
            Outcome::Claim(Step::Done(Ok(claim))) => self.claimed(process, sender, Some(claim)),
            Outcome::Stored => match deed {
                Deed::Fill(..) if process.stage == Stage::Next => process.stage = Stage::Second,
                Deed::Commit(_, number) => {
                    history.committed |= bit(message(sender, number));
                    self.next_deed(process, sender);
                }
                _ => self.next_deed(process, sender),
            },
            Outcome::Retracted(retracted) => {
                if let (true, Deed::Retract(_, number)) = (retracted, deed) {
                    history.committed &= !bit(message(sender, number));
                }
                self.next_deed(process, sender);
            }
            _ => unreachable!("a sender does not receive"),
        }
        Ok(())
    }

    fn claimed(&self, process: &mut Process, sender: usize, claim: Option<Claim>) {
        let Deed::Claim(which) = self.deed(process, sender) else { unreachable!("nothing else claims") };
        process.claims[which] = claim;
        self.next_deed(process, sender);
    }

    fn next_deed(&self, process: &mut Process, sender: usize) {
        process.go(Stage::Next);
        process.deed += 1;
        let left = self.scenario.senders[sender].get(process.deed..).unwrap_or_default();
        for which in 0..process.claims.len() {
            let is_used = |deed: &Deed| match *deed {
                Deed::Claim(_) => false,
                Deed::Fill(loan, _) | Deed::Commit(loan, _) | Deed::Abort(loan) | Deed::Retract(loan, _) => {
                    loan == which
                }
            };
            if !left.iter().take_while(|&&deed| deed != Deed::Claim(which)).any(is_used) {
                process.claims[which] = None;
            }
        }
        if left.is_empty() {
            *process = Process::over(Stage::Done);
        }
    }

    fn received(
        &self,
        process: &mut Process,
        history: &mut History,
        receiver: usize,
        outcome: Outcome,
        memory: &sync::Memory,
    ) -> Result<(), Verdict> {
        let early = mutant(Mutant::AcknowledgeFirst);
        match outcome {
            Outcome::Took(None) if process.stage == Stage::Next => process.stage = Stage::From,
            Outcome::Took(None) => process.miss(),
            Outcome::From(position) => (process.stage, process.position) = (Stage::At, position),
            Outcome::Take(Step::To(position)) => process.position = position,
            Outcome::Take(Step::Done(Err(Miss::NotNow))) => (process.stage, process.position) = (Stage::Sweep, 0),
            Outcome::Take(Step::Done(Err(Miss::Corrupt))) => return Err(Verdict::Corrupt),
            Outcome::Took(Some(taken)) | Outcome::Take(Step::Done(Ok(taken))) => {
                if taken.attempt > self.scenario.patience.into() {
                    return Err(Verdict::TooOften);
                }
                (process.taken, process.word) = (Some(taken), memory[taken.index]);
                process.go(if early { Stage::Last } else { Stage::First });
            }
            Outcome::Value(half) if process.stage == Stage::First => {
                (process.stage, process.half) = (Stage::Second, half);
            }
            Outcome::Value(half) => {
                let attempt = process.taken.map_or(0, |taken| taken.attempt);
                history.deliver(receiver, [process.half, half], attempt, self)?;
                if history.times(half) != attempt + 1 {
                    return Err(Verdict::Miscounted);
                }
                process.go(if early { Stage::Next } else { Stage::Last });
                if early {
                    history.acknowledge(half);
                    process.forget();
                }
            }
            Outcome::Stored if early => process.stage = Stage::First,
            Outcome::Stored => {
                if self.is_rejecting(process, receiver) {
                    process.rejected = true;
                } else {
                    history.acknowledge(process.half);
                }
                process.go(Stage::Next);
                process.forget();
            }
            _ => unreachable!("a receiver does not send"),
        }
        Ok(())
    }
}

impl Process {
    fn forget(&mut self) {
        (self.taken, self.word, self.half) = (None, 0, 0);
    }
}

impl World {
    /// Whether a sender commits in the order in which it claimed.
    pub(super) fn keeps_order(&self, sender: usize) -> bool {
        let numbers = self.scenario.senders[sender].iter().filter_map(|deed| match *deed {
            Deed::Commit(_, number) => Some(number),
            _ => None,
        });
        numbers.is_sorted()
    }
}
