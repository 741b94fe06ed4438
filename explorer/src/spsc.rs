//! The spsc ring, with a death before every step, and a successor in the role after each.
//!
//! A handle's own state is the core's own type, kept as it is. An operation of several accesses is a piece, as in
//! [`mpmc`](crate::mpmc); it works on a copy of the handle, which counts when the piece has ended.

use crate::ring::position::Positions;
use crate::ring::spsc::{Consumer, Producer, Shared, acknowledge};
use crate::search::{Model, Move, Moves, Print, Report, Verdict, search};
use crate::sync::{self, AtomicU64, CELLS, Log, Memory, Mutant, Ordering::Relaxed, mutant};
use std::fmt::Write;

const TAIL: usize = 0;
const HEAD: usize = 1;
const TAKEN: usize = 2;
const PAYLOADS: usize = 3;

/// The names of the shared words.
#[derive(Clone, Copy, Debug)]
pub struct Names;

static CELL: [AtomicU64; CELLS] = {
    let mut cells = [const { AtomicU64(0) }; CELLS];
    let mut index = 0;
    while index < CELLS {
        cells[index] = AtomicU64(index);
        index += 1;
    }
    cells
};

impl Shared for Names {
    fn tail(&self) -> &AtomicU64 {
        &CELL[TAIL]
    }
    fn head(&self) -> &AtomicU64 {
        &CELL[HEAD]
    }
    fn taken(&self) -> &AtomicU64 {
        &CELL[TAKEN]
    }
}

/// What is explored.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// Slots of the ring, 1 to 6.
    pub slots: u64,
    /// Messages sent, numbered from 1.
    pub messages: u64,
    /// The most deaths.
    pub crashes: u8,
    /// The mistake to make.
    pub fault: Option<Mutant>,
}

impl Scenario {
    /// Explores it.
    pub fn explore(self, name: &str) -> Report {
        assert!(PAYLOADS + 2 * self.slots as usize <= CELLS);
        sync::seed(self.fault);
        search(name, &mut World { scenario: self, ring: Positions::new(self.slots) })
    }
}

/// How far a role has come: the accesses of a send or of a receive, in the product's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Resume,
    Next,
    Take,
    First,
    Second,
    Last,
    Resting,
    Done,
}

#[derive(Clone, Debug)]
struct Role<H> {
    stage: Stage,
    handle: Option<H>,
    log: Log,
    slot: usize,
    half: u64,
    is_again: bool,
}

impl<H: Clone + std::fmt::Debug> Role<H> {
    const fn new() -> Self {
        Self { stage: Stage::Resume, handle: None, log: Log::EMPTY, slot: 0, half: 0, is_again: false }
    }

    fn digest(&self, print: &mut Print) {
        let Self { stage, handle, log, slot, half, is_again } = self;
        write!(print, "{stage:?}{handle:?}{:?}{slot},{half},{is_again}", log.values()).expect("a print takes all");
    }

    fn resume(&mut self, memory: &mut Memory, resume: impl FnOnce() -> H) {
        if let Some(handle) = sync::step(memory, &mut self.log, resume) {
            (self.handle, self.stage) = (Some(handle), Stage::Next);
        }
    }

    /// One step on the handle, of one access or, where the handle knows enough, of none.
    fn act<T>(&mut self, memory: &mut Memory, act: impl FnOnce(&mut H) -> T) -> T {
        let handle = self.handle.as_mut().expect("a role that was resumed");
        sync::step(memory, &mut self.log, || act(handle)).expect("no more than one access")
    }

    fn touch<T>(&mut self, memory: &mut Memory, touch: impl FnOnce() -> T) -> T {
        sync::step(memory, &mut self.log, touch).expect("no more than one access")
    }
}

/// A moment.
#[derive(Clone, Debug)]
pub struct State {
    memory: Memory,
    sender: Role<Producer<Names>>,
    receiver: Role<Consumer<Names>>,
    committed: u64,
    delivered: u64,
    acknowledged: u64,
    crashes: u8,
}

struct World {
    scenario: Scenario,
    ring: Positions,
}

fn payload(slot: usize, half: usize) -> &'static AtomicU64 {
    &CELL[PAYLOADS + 2 * slot + half]
}

impl World {
    fn send(&self, State { memory, sender, committed, .. }: &mut State) {
        let number = *committed + 1;
        let early = mutant(Mutant::PublishFirst);
        match sender.stage {
            Stage::Resume => sender.resume(memory, || Producer::resume(Names, self.ring)),
            Stage::Next => match sender.act(memory, Producer::claim) {
                Some(slot) => (sender.slot, sender.stage) = (slot, if early { Stage::Last } else { Stage::First }),
                None => sender.stage = Stage::Resting,
            },
            // The mistake has counted the message already.
            Stage::First | Stage::Second => {
                let (slot, half) = (sender.slot, usize::from(sender.stage == Stage::Second));
                sender.touch(memory, || payload(slot, half).store(number - u64::from(early), Relaxed));
                sender.stage = match (half, early) {
                    (0, _) => Stage::Second,
                    (_, false) => Stage::Last,
                    (_, true) => self.after(*committed),
                };
            }
            _ => {
                sender.act(memory, |producer| producer.commit(1));
                *committed = number;
                sender.stage = if early { Stage::First } else { self.after(number) };
            }
        }
    }

    fn after(&self, committed: u64) -> Stage {
        if committed == self.scenario.messages { Stage::Done } else { Stage::Next }
    }

    fn receive(&self, state: &mut State) -> Result<(), Verdict> {
        let State { memory, receiver, acknowledged, .. } = state;
        let early = mutant(Mutant::AcknowledgeFirst);
        match receiver.stage {
            Stage::Resume => receiver.resume(memory, || Consumer::resume(Names, self.ring)),
            Stage::Next => match receiver.act(memory, |consumer| (consumer.peek(), consumer.is_again())) {
                (Some(slot), is_again) => {
                    (receiver.slot, receiver.is_again, receiver.stage) = (slot, is_again, Stage::Take);
                }
                (None, _) => receiver.stage = Stage::Resting,
            },
            Stage::Take => {
                receiver.act(memory, |c| if c.is_again() { c.take_again() } else { c.take(1) });
                receiver.stage = if early { Stage::Last } else { Stage::First };
            }
            Stage::First => {
                let slot = receiver.slot;
                receiver.half = receiver.touch(memory, || payload(slot, 0).load(Relaxed));
                receiver.stage = Stage::Second;
            }
            Stage::Second => {
                let slot = receiver.slot;
                let halves = [receiver.half, receiver.touch(memory, || payload(slot, 1).load(Relaxed))];
                (receiver.half, receiver.stage) = (0, if early { Stage::Next } else { Stage::Last });
                let is_again = receiver.is_again;
                *acknowledged += u64::from(early);
                state.deliver(halves, is_again, u64::from(early))?;
            }
            _ => {
                receiver.act(memory, |consumer| acknowledge(&Names, consumer.position()));
                receiver.stage = if early { Stage::First } else { Stage::Next };
                *acknowledged += u64::from(!early);
            }
        }
        Ok(())
    }

    /// A successor in the receiver's role finds all that was not acknowledged, in order.
    fn settle(&self, state: &State) -> Result<(), Verdict> {
        sync::alone(&mut state.memory.clone(), || {
            let mut consumer = Consumer::resume(Names, self.ring);
            for number in state.acknowledged + 1..=state.committed {
                let Some(slot) = consumer.peek() else { return Err(Verdict::Lost) };
                let is_again = consumer.is_again();
                let halves = [0, 1].map(|half| payload(slot, half).load(Relaxed));
                state.judge(halves, is_again, number)?;
                let position = if is_again { consumer.take_again() } else { consumer.take(1) };
                acknowledge(&Names, position);
            }
            if consumer.peek().is_some() { Err(Verdict::Unknown) } else { Ok(()) }
        })
    }
}

impl State {
    fn judge(&self, halves: [u64; 2], is_again: bool, expected: u64) -> Result<(), Verdict> {
        match halves {
            [first, second] if first != second => Err(Verdict::Torn),
            [number, _] if number == 0 || number > self.committed => Err(Verdict::Unknown),
            [number, _] if number != expected => Err(Verdict::Order),
            [number, _] if number <= self.delivered && !is_again => Err(Verdict::Duplicate),
            _ => Ok(()),
        }
    }

    fn deliver(&mut self, halves: [u64; 2], is_again: bool, counted: u64) -> Result<(), Verdict> {
        self.judge(halves, is_again, self.acknowledged + 1 - counted)?;
        self.delivered = self.delivered.max(halves[0]);
        Ok(())
    }
}

impl Model for World {
    type State = State;

    fn start(&self) -> State {
        let memory = [0; CELLS];
        let (sender, receiver) = (Role::new(), Role::new());
        State { memory, sender, receiver, committed: 0, delivered: 0, acknowledged: 0, crashes: 0 }
    }

    fn moves(&self, state: &State) -> Moves {
        let mut moves = Moves::default();
        for (role, stage) in [state.sender.stage, state.receiver.stage].into_iter().enumerate() {
            if !matches!(stage, Stage::Resting | Stage::Done) {
                moves.add(Move::Step(role));
                if state.crashes < self.scenario.crashes {
                    moves.add(Move::Crash(role));
                }
            }
        }
        moves
    }

    fn step(&self, state: &State, turn: Move) -> Result<State, Verdict> {
        let mut next = state.clone();
        match turn {
            Move::Step(0) => self.send(&mut next),
            Move::Step(_) => self.receive(&mut next)?,
            Move::Crash(role) => {
                next.crashes += 1;
                if role == 0 {
                    next.sender = Role::new();
                } else {
                    next.receiver = Role::new();
                }
            }
        }
        if next.receiver.stage == Stage::Resting && next.memory[TAIL] != state.memory[TAIL] {
            next.receiver.stage = Stage::Next;
        }
        if next.sender.stage == Stage::Resting && next.memory[HEAD] != state.memory[HEAD] {
            next.sender.stage = Stage::Next;
        }
        Ok(next)
    }

    fn check(&mut self, state: &State) -> Result<(), Verdict> {
        let waiting = state.committed - state.acknowledged;
        if state.receiver.stage == Stage::Resting && waiting > 0 {
            return Err(Verdict::IdleReceiver);
        }
        if state.sender.stage == Stage::Resting && waiting < self.scenario.slots {
            return Err(Verdict::IdleSender);
        }
        self.settle(state)
    }

    fn print(&self, state: &State) -> u128 {
        let mut print = Print::default();
        state.memory.iter().for_each(|&cell| print.add(cell));
        state.sender.digest(&mut print);
        state.receiver.digest(&mut print);
        print.add(state.committed << 48 | state.delivered << 32 | state.acknowledged << 16 | u64::from(state.crashes));
        print.finish()
    }

    fn describe(&self, turn: Move) -> String {
        let name = |role| if role == 0 { "sender" } else { "receiver" };
        match turn {
            Move::Crash(role) => format!("{} dies", name(role)),
            Move::Step(role) => match sync::last() {
                None => format!("{}: looks at nothing shared", name(role)),
                Some((cell, act, was)) => format!("{}: cell {cell}: {act:?}, it was {was}", name(role)),
            },
        }
    }
}
