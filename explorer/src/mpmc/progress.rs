//! Whoever is not stopped finishes: asked of every state directly.
//!
//! - *Alone.* Each process, all others standing still, runs to the end of what it has to do, or to a rest that is right.
//! - *Frozen.* While any one stands still, the others are run in every order: all orders end, and at their ends
//!   everything is finished that can be. Each sender has sent all, unless every slot is held by the one who stands still;
//!   no message waits; nothing is held by the dead, and nothing by those who run.
//!
//! Both would follow from there being no livelock, no endless path and nobody at rest in vain anywhere in the space. Here
//! that is not relied on: the runs have an end of their own to reach, and what they must have achieved by then is said
//! again, more strictly. So no mistake that the core makes can be noticed only here; but what the space takes for granted
//! can, such as the verdict on the dead: it was here that a join was seen to keep back what the dead one held.
//!
//! A run depends on the memory and on those who run, so it is made once for all states that differ only in the others and
//! in what has happened.

use super::process::{Process, Stage};
use super::symmetry::Renaming;
use super::visit::Visit;
use super::{State, World};
use crate::ring::word::{Phase, Word};
use crate::search::{Model, Move, Moves, Print, Prints, Verdict};

/// More steps than any process needs alone, and than any few need together.
const STEPS: usize = 400;

/// Runs made before.
#[derive(Clone, Debug, Default)]
pub struct Runs {
    alone: Prints,
    frozen: Prints,
    open: Prints,
}

impl World {
    /// Whether all who are not stopped finish, from this state on.
    pub(super) fn finishes(&mut self, state: &State) -> Result<(), Verdict> {
        let mut runs = std::mem::take(&mut self.runs);
        let numbers = 0..self.processes();
        let alone = |number| if self.scenario.alone { self.alone(state, number, &mut runs) } else { Ok(()) };
        let mut result = numbers.clone().try_for_each(alone);
        if self.scenario.frozen {
            result = result.and_then(|()| numbers.clone().try_for_each(|number| self.frozen(state, number, &mut runs)));
        }
        self.runs = runs;
        result
    }

    fn alone(&self, state: &State, number: usize, runs: &mut Runs) -> Result<(), Verdict> {
        let mut state = state.clone();
        for _ in 0..STEPS {
            if !runs.alone.insert(self.print_of(&state, |other| other == number, number)) {
                return Ok(());
            }
            if !self.can_step(&state, number) {
                let waits = self.words(&state.memory).any(|word| word.phase() == Phase::Ready);
                let empty = self.words(&state.memory).any(|word| word.phase() == Phase::Empty);
                let is_right = match state.processes[number].stage {
                    Stage::Resting if number < self.senders() => waits || !empty,
                    Stage::Resting => !waits && !self.words(&state.memory).any(|word| self.is_dead(word, &state)),
                    _ => true,
                };
                return if is_right { Ok(()) } else { Err(Verdict::Alone) };
            }
            self.advance(&mut state, number)?;
        }
        Err(Verdict::Alone)
    }

    /// Every order of the others' steps.
    fn frozen(&self, state: &State, frozen: usize, runs: &mut Runs) -> Result<(), Verdict> {
        if matches!(state.processes[frozen].stage, Stage::Done | Stage::Dead) {
            return Ok(());
        }
        let mut path: Vec<(State, u128, Moves)> = Vec::new();
        runs.open.clear();
        let mut next = Some(state.clone());
        loop {
            if let Some(state) = next.take() {
                let print = self.print_of(&state, |other| other != frozen, frozen);
                if runs.frozen.insert(print) {
                    let mut moves = Moves::default();
                    let mut rest = true;
                    for other in (0..self.processes()).filter(|&other| other != frozen) {
                        if self.can_step(&state, other) {
                            moves.add(Move::Step(other));
                            rest = false;
                        }
                    }
                    if rest && !self.is_finished_without(&state, frozen) {
                        return Err(Verdict::Frozen);
                    }
                    runs.open.insert(print);
                    path.push((state, print, moves));
                } else if runs.open.contains(&print) {
                    return Err(Verdict::Frozen);
                }
            }
            let depth = path.len();
            let Some((state, print, moves)) = path.last_mut() else { return Ok(()) };
            match moves.pop() {
                Some(_) if depth > STEPS => return Err(Verdict::Frozen),
                Some(turn) => next = Some(self.step(state, turn)?),
                None => {
                    runs.open.remove(print);
                    path.pop();
                }
            }
        }
    }

    /// Whether those who can make no step any more have done all that they can, while `frozen` stands still.
    fn is_finished_without(&self, state: &State, frozen: usize) -> bool {
        let still = &state.processes[frozen];
        let mine = self.name(still, frozen);
        let is_held = |word: Word| matches!(word.phase(), Phase::Writing | Phase::Reading) && word.owner() == mine;
        let all = |test: &dyn Fn(Word) -> bool| self.words(&state.memory).all(test);
        let runs = |number: &usize| *number != frozen && state.processes[*number].stage != Stage::Dead;
        let receives = |number: &usize| self.visit(*number) != Some(Visit::Recover);
        let is_received = (self.senders()..self.processes())
            .filter(runs)
            .filter(receives)
            .any(|number| state.processes[number].stage == Stage::Resting);
        let are_sent = (0..self.senders()).filter(runs).all(|number| state.processes[number].stage == Stage::Done);
        if is_received {
            (are_sent || all(&is_held)) && all(&|word| word.phase() == Phase::Empty || is_held(word))
        } else {
            are_sent || all(&|word| word.phase() != Phase::Empty) || !all(&|word| word.phase() != Phase::Ready)
        }
    }

    fn print_of(&self, state: &State, runs: impl Fn(usize) -> bool, salt: usize) -> u128 {
        let mut print = Print::default();
        print.add(salt as u64);
        state.memory.iter().for_each(|&cell| print.add(cell));
        for (number, process) in state.processes.iter().enumerate().filter(|&(number, _)| runs(number)) {
            print.add(number as u64);
            Process::digest(process, &mut print, &Renaming::IDENTITY);
        }
        print.finish()
    }
}
