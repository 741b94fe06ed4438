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
pub mod process;

use self::process::{Deed, Process, Stage};
use crate::owner::Owner;
use crate::ring::mpmc::{Core, Event, Liveness, Shared};
use crate::ring::position::Positions;
use crate::ring::recover::Patience;
use crate::ring::word::{Phase, Word};
use crate::search::{Model, Move, Moves, Print, Prints, Report, Verdict, search};
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
}

impl Liveness for Verdicts<'_> {
    fn is_dead(&self, owner: Owner) -> bool {
        owner == Owner::ORPHAN
            || self.names.0[DEAD].load(SeqCst) >> owner.index() & 1 != 0
            || (sync::mutant(Mutant::Impatient) && owner != self.me)
    }
}

/// What is explored.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Slots of the ring, 1 to 3.
    pub slots: u64,
    /// What each sender does.
    pub senders: Vec<Vec<Deed>>,
    /// Receivers that take what comes.
    pub receivers: usize,
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
            rejects: false,
            crashes: 0,
            lap: 0,
            fresh: true,
            skip: 0,
            patience: u32::MAX,
            fault: None,
        }
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

/// What has happened, as far as a later verdict needs it. A bit a message.
#[derive(Clone, Copy, Debug, Default)]
struct History {
    committed: u16,
    delivered: u16,
    acknowledged: u16,
    /// Lost by policy, if lost.
    excused: u16,
    /// The last message of each sender (first index) that each receiver got unflagged.
    newest: [[u8; 2]; 2],
    crashes: u8,
}

/// A moment.
#[derive(Clone, Debug)]
pub struct State {
    memory: Memory,
    processes: [Process; 4],
    history: History,
}

/// A scenario with its ring.
#[derive(Debug)]
pub struct World {
    scenario: Scenario,
    core: Core<Names>,
    /// What was found sound after the death of all.
    settled: Prints,
}

/// Messages are numbered from 1, so that an empty payload is none; a sender has eight numbers.
fn message(sender: usize, number: u8) -> u64 {
    (1 + 8 * sender) as u64 + u64::from(number)
}

/// The bit of a message; zero for what is none.
fn bit(message: u64) -> u16 {
    if (1..=16).contains(&message) { 1 << (message - 1) } else { 0 }
}

impl World {
    /// The ring of a scenario.
    pub fn new(scenario: Scenario) -> Self {
        assert!(scenario.slots as usize <= SLOTS && scenario.senders.len() <= 2 && scenario.receivers <= 2);
        sync::seed(scenario.fault);
        let names = Names(std::array::from_fn(AtomicU64));
        let core = Core::new(names, Positions::new(scenario.slots), Patience(scenario.patience));
        Self { scenario, core, settled: Prints::default() }
    }

    fn senders(&self) -> usize {
        self.scenario.senders.len()
    }

    fn processes(&self) -> usize {
        self.senders() + self.scenario.receivers
    }

    /// Where a new handle believes the ring to be.
    fn first_cursor(&self) -> u64 {
        if self.scenario.fresh { 0 } else { self.core.positions().at(self.scenario.lap, 0) }
    }

    fn words(&self, memory: &Memory) -> impl Iterator<Item = Word> {
        let memory = *memory;
        (0..self.scenario.slots as usize).map(move |index| Word(memory[index]))
    }

    /// What those at rest may not see.
    fn rests_rightly(&self, state: &State) -> Result<(), Verdict> {
        let rests = |range: Range<usize>| state.processes[range].iter().any(|process| process.stage == Stage::Resting);
        let is_dead = |word: Word| word.owner() == Owner::ORPHAN || state.memory[DEAD] >> word.owner().index() & 1 != 0;
        let any = |test: &dyn Fn(Word) -> bool| self.words(&state.memory).any(test);
        let waits = any(&|word| word.phase() == Phase::Ready);
        if rests(self.senders()..self.processes())
            && (waits || any(&|word| matches!(word.phase(), Phase::Writing | Phase::Reading) && is_dead(word)))
        {
            return Err(Verdict::IdleReceiver);
        }
        if rests(0..self.senders()) && !waits && any(&|word| word.phase() == Phase::Empty) {
            return Err(Verdict::IdleSender);
        }
        Ok(())
    }

    /// The process dies: what it held may be lost where the policy says so.
    fn crash(&self, state: &mut State, process: usize) {
        let me = process::owner(process);
        self.excuse(&state.memory, &mut state.history, |owner| owner == me);
        state.memory[DEAD] |= 1 << process;
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
        let mut processes = [Process::over(Stage::Done); 4];
        processes[..self.processes()].fill(Process::new(cursor));
        State { memory, processes, history: History::default() }
    }

    fn moves(&self, state: &State) -> Moves {
        let mut moves = Moves::default();
        for (index, process) in state.processes.iter().enumerate() {
            // Who rests makes no step, so there is none to die before.
            if matches!(process.stage, Stage::Done | Stage::Dead | Stage::Resting) {
                continue;
            }
            moves.add(Move::Step(index));
            if state.history.crashes < self.scenario.crashes {
                moves.add(Move::Crash(index));
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
        self.settle(state)
    }

    fn digest(&self, state: &State, print: &mut Print) {
        state.memory.iter().for_each(|&cell| print.add(cell));
        state.history.digest(print);
        for process in &state.processes[..self.processes()] {
            process.digest(print);
        }
    }

    fn describe(&self, turn: Move) -> String {
        let name = |process: usize| match process.checked_sub(self.senders()) {
            None => format!("sender {process}"),
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
        };
        format!("{}: {place} {what}", name(process))
    }
}

impl History {
    fn digest(&self, print: &mut Print) {
        let bits = [self.committed, self.delivered, self.acknowledged, self.excused];
        print.add(bits.iter().fold(0, |all, &bits| all << 16 | u64::from(bits)));
        let newest = self.newest.iter().flatten().fold(0, |all, &number| all << 8 | u64::from(number));
        print.add(newest << 8 | u64::from(self.crashes));
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
