//! The mpmc ring and those who use it: what is explored, and what must hold of those at rest.
//!
//! # At rest
//!
//! A sender that found the ring full and a receiver that found nothing *rest* until a shared word changes, or somebody
//! dies, that they could have seen since their attempt began. (Hints do not count: nobody may depend on them.) So whoever
//! rests would be told the same again, and however long all others stand still:
//!
//! - while a receiver rests no message waits, and nothing is held by the dead: a live holder blocks no receiver;
//! - while a sender rests a message waits or no slot is empty: a live holder costs a sender its slots, and no more.
//!
//! Together: with a sender and a receiver at rest, all slots are held by live processes that stand still.

pub mod aftermath;
pub mod history;
pub mod process;
pub mod progress;
pub mod scenario;
pub mod symmetry;
pub mod visit;

use self::history::{History, bit, message};
use self::process::{Process, Stage};
use self::progress::Runs;
pub use self::scenario::Scenario;
use self::symmetry::{PROCESSES, Renaming};
use self::visit::Visit;
use crate::owner::Owner;
use crate::ring::mpmc::{Core, Event, Liveness, Shared};
use crate::ring::position::Positions;
use crate::ring::recover::Patience;
use crate::ring::word::{Phase, Word};
use crate::search::{Model, Move, Moves, Print, Prints, Verdict};
use crate::sync::{self, Act, AtomicU64, CELLS, DEAD, Memory, Mutant, Ordering::SeqCst};
use std::ops::Range;

/// The most slots of a ring.
const SLOTS: usize = 3;
const SKIPS: usize = SLOTS;
const BUMPED: usize = 2 * SLOTS;
const TAIL: usize = BUMPED + 1;
const HEAD: usize = TAIL + 1;
/// Two cells a slot, so that tearing shows.
const PAYLOADS: usize = HEAD + 1;
const _: () = assert!(PAYLOADS + 2 * SLOTS <= DEAD);

/// The names of the shared words.
#[derive(Debug)]
pub struct Names([AtomicU64; CELLS]);

impl Shared for Names {
    fn word(&self, index: usize) -> &AtomicU64 {
        &self.0[index]
    }
    fn skip(&self, index: usize) -> &AtomicU64 {
        &self.0[SKIPS + index]
    }
    fn bumped(&self) -> &AtomicU64 {
        &self.0[BUMPED]
    }
    fn tail(&self) -> &AtomicU64 {
        &self.0[TAIL]
    }
    fn head(&self) -> &AtomicU64 {
        &self.0[HEAD]
    }
    fn count(&self, _: Event) {}
}

/// The kernel's verdicts, as `me` asks for them.
struct Verdicts<'a> {
    names: &'a Names,
    me: Owner,
    /// Who has the second generation of whatever place.
    joiner: usize,
}

/// The bit of an owner among the dead.
fn dead_bit(owner: Owner, joiner: usize) -> usize {
    if owner.generation() == 2 { joiner } else { owner.index() as usize }
}

impl Liveness for Verdicts<'_> {
    fn is_dead(&self, owner: Owner) -> bool {
        owner == Owner::ORPHAN
            || self.names.0[DEAD].load(SeqCst) >> dead_bit(owner, self.joiner) & 1 != 0
            || (sync::mutant(Mutant::Impatient) && owner != self.me)
    }
}

/// A moment.
#[derive(Clone, Debug)]
pub struct State {
    memory: Memory,
    processes: [Process; PROCESSES],
    history: History,
}

/// A scenario with its ring.
#[derive(Debug)]
pub struct World {
    scenario: Scenario,
    core: Core<Names>,
    renamings: Vec<Renaming>,
    /// The number of the one who joins, or of nobody.
    joiner: usize,
    /// What was found sound after the death of all.
    settled: Prints,
    runs: Runs,
}

impl World {
    /// The ring of a scenario.
    pub fn new(scenario: Scenario) -> Self {
        assert!(scenario.slots as usize <= SLOTS && scenario.senders.len() <= 2 && scenario.receivers <= 2);
        assert!(scenario.senders.len() + scenario.receivers + scenario.visitors.len() <= PROCESSES);
        // What `symmetry` takes for granted: positions begin at zero, and payloads are touched while their slots are held.
        assert!(!scenario.reduced || scenario.lap == 0);
        assert!(!scenario.reduced || !matches!(scenario.fault, Some(Mutant::PublishFirst | Mutant::AcknowledgeFirst)));
        sync::seed(scenario.fault);
        let names = Names(std::array::from_fn(AtomicU64));
        let core = Core::new(names, Positions::new(scenario.slots), Patience(scenario.patience));
        let mut world = Self {
            scenario,
            core,
            renamings: Vec::new(),
            joiner: 0,
            settled: Prints::default(),
            runs: Runs::default(),
        };
        world.renamings = Renaming::all(&world);
        world.joiner = (0..world.processes()).find(|&one| world.visit(one) == Some(Visit::Join)).unwrap_or(PROCESSES);
        if !world.scenario.reduced {
            world.renamings.truncate(1);
        }
        world
    }

    fn senders(&self) -> usize {
        self.scenario.senders.len()
    }

    fn processes(&self) -> usize {
        self.senders() + self.scenario.receivers + self.scenario.visitors.len()
    }

    /// Where a new handle believes the ring to be.
    fn first_cursor(&self) -> u64 {
        if self.scenario.fresh { 0 } else { self.core.positions().at(self.scenario.lap, 0) }
    }

    fn words(&self, memory: &Memory) -> impl Iterator<Item = Word> {
        let memory = *memory;
        (0..self.scenario.slots as usize).map(move |index| Word(memory[index]))
    }

    /// Whether a slot is held by somebody dead.
    fn is_dead(&self, word: Word, state: &State) -> bool {
        let dead = state.memory[DEAD] >> dead_bit(word.owner(), self.joiner) & 1 != 0;
        matches!(word.phase(), Phase::Writing | Phase::Reading) && (dead || word.owner() == Owner::ORPHAN)
    }

    /// What those at rest may not see.
    fn rests_rightly(&self, state: &State) -> Result<(), Verdict> {
        let rests = |range: Range<usize>| state.processes[range].iter().any(|process| process.stage == Stage::Resting);
        let any = |test: &dyn Fn(Word) -> bool| self.words(&state.memory).any(test);
        let waits = any(&|word| word.phase() == Phase::Ready);
        if rests(self.senders()..self.processes()) && (waits || any(&|word| self.is_dead(word, state))) {
            return Err(Verdict::IdleReceiver);
        }
        if rests(0..self.senders()) && !waits && any(&|word| word.phase() == Phase::Empty) {
            return Err(Verdict::IdleSender);
        }
        Ok(())
    }

    /// The process dies: what it held may be lost where the policy says so.
    fn crash(&self, state: &mut State, process: usize) {
        let me = self.name(&state.processes[process], process);
        self.excuse(&state.memory, &mut state.history, |owner| owner == me);
        state.memory[DEAD] |= 1 << process;
        // A place that it was about to take is dead again.
        if let Some(place) = state.processes[process].place.filter(|_| Self::is_visiting(&state.processes[process])) {
            state.memory[DEAD] |= 1 << place;
        }
        state.history.crashes += 1;
        state.processes[process] = Process::over(Stage::Dead);
        state.news();
    }

    fn excuse(&self, memory: &Memory, history: &mut History, is_lost: impl Fn(Owner) -> bool) {
        for (index, word) in self.words(memory).enumerate() {
            let last = word.attempt() >= self.scenario.patience;
            if last && word.phase() == Phase::Reading && is_lost(word.owner()) {
                history.excused |= bit(memory[PAYLOADS + 2 * index]);
            }
        }
    }

    /// Whether a process has anything to do now. Who rests makes no step, so there is none to die before.
    fn can_step(&self, state: &State, number: usize) -> bool {
        match state.processes[number].stage {
            Stage::Done | Stage::Dead | Stage::Resting => false,
            Stage::Join => self.vacant(&state.memory).is_some(),
            _ => true,
        }
    }
}

impl State {
    /// Something changed that an attempt under way, or one that ended in rest, may have missed.
    fn news(&mut self) {
        for process in &mut self.processes {
            match process.stage {
                Stage::Resting => process.stage = Stage::Next,
                Stage::From | Stage::At | Stage::Sweep => process.news = true,
                Stage::Next if !process.log.values().is_empty() => process.news = true,
                _ => {}
            }
        }
    }
}

impl Model for World {
    type State = State;

    fn start(&self) -> State {
        let ring = self.core.positions();
        let first = ring.at(self.scenario.lap, 0);
        let mut memory = [0; CELLS];
        for index in 0..self.scenario.slots as usize {
            memory[index] = Word::empty(self.scenario.lap).0;
            memory[SKIPS + index] = self.scenario.skip;
            if self.scenario.skip > 0 {
                memory[BUMPED] = ring.at(self.scenario.skip - 1, index) + 1;
            }
        }
        (memory[TAIL], memory[HEAD]) = (first, first);
        let cursor = self.first_cursor();
        let mut processes = [Process::over(Stage::Done); PROCESSES];
        for (number, process) in processes[..self.processes()].iter_mut().enumerate() {
            *process = if self.visit(number).is_some() { self.visitor(number) } else { Process::new(cursor) };
        }
        State { memory, processes, history: History::default() }
    }

    fn moves(&self, state: &State) -> Moves {
        let mut moves = Moves::default();
        if let Some(number) = self.at_its_own(state).filter(|_| self.scenario.reduced) {
            moves.add(Move::Step(number));
            return moves;
        }
        for number in (0..self.processes()).filter(|&number| self.can_step(state, number)) {
            moves.add(Move::Step(number));
            if state.history.crashes < self.scenario.crashes {
                moves.add(Move::Crash(number));
            }
        }
        moves
    }

    fn step(&self, state: &State, turn: Move) -> Result<State, Verdict> {
        let mut next = state.clone();
        match turn {
            Move::Step(process) => self.advance(&mut next, process)?,
            Move::Crash(process) => self.crash(&mut next, process),
        }
        Ok(next)
    }

    fn check(&mut self, state: &State) -> Result<(), Verdict> {
        self.rests_rightly(state)?;
        self.is_cleared(state)?;
        self.settle(state)?;
        self.finishes(state)
    }

    fn print(&self, state: &State) -> u128 {
        let under = |renaming: &Renaming| {
            let mut print = Print::default();
            state.memory.iter().enumerate().for_each(|(cell, &value)| print.add(renaming.cell(cell, value)));
            state.history.digest(&mut print, renaming);
            for number in 0..self.processes() {
                state.processes[renaming.number(number)].digest(&mut print, renaming);
            }
            print.finish()
        };
        self.renamings.iter().map(under).min().expect("one renames nobody")
    }

    fn describe(&self, turn: Move) -> String {
        let name = |process: usize| match process.checked_sub(self.senders()) {
            None => format!("sender {process}"),
            Some(visitor) if visitor >= self.scenario.receivers => format!("{:?} {process}", self.visit(process)),
            Some(receiver) => format!("receiver {receiver}"),
        };
        let process = match turn {
            Move::Crash(process) => return format!("{} dies", name(process)),
            Move::Step(process) => process,
        };
        let Some((cell, act, was)) = sync::last() else { unreachable!("every piece makes an access") };
        let (place, is_word) = match cell {
            0..SKIPS => (format!("word {cell}"), true),
            SKIPS..BUMPED => (format!("skip {}", cell - SKIPS), false),
            BUMPED => ("bumped".into(), false),
            TAIL => ("tail".into(), false),
            HEAD => ("head".into(), false),
            DEAD => ("the dead".into(), false),
            _ => (format!("payload {}", cell - PAYLOADS), false),
        };
        let show = |value| if is_word { shown(Word(value)) } else { format!("{value:#x}") };
        let what = match act {
            Act::Load => format!("reads {}", show(was)),
            Act::Store(value) => format!("{} := {}", show(was), show(value)),
            Act::Exchange(from, to) if from == was => format!("{} => {}", show(from), show(to)),
            Act::Exchange(from, to) => format!("{} =/> {}: it is {}", show(from), show(to), show(was)),
            Act::Max(value) => format!("raised from {} to {}", show(was), show(value)),
            Act::Add(value) => format!("{} raised by {}", show(was), show(value)),
        };
        format!("{}: {place} {what}", name(process))
    }
}

fn shown(word: Word) -> String {
    let lap = word.lap_near(0);
    match word.phase() {
        Phase::Empty => format!("EMPTY({lap})"),
        Phase::Ready => format!("READY({lap})"),
        Phase::Writing => format!("WRITING({lap}, {})", word.owner().index()),
        Phase::Reading => format!("READING({lap}, {}, {})", word.owner().index(), word.attempt()),
    }
}
