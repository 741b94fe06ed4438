//! Bodies in the spsc ring, with a successor in the role after each death.
//!
//! The sender goes by its own position, as nobody else does: what a predecessor claimed beyond it, and what it claimed
//! itself for a loan that it dropped, is free for it alone. For all others everything from the head on is in use.

use super::{
    Aim, Came, DEAD_PLACES, Description, Hand, Names, Room, SLOTS, is_dead, is_forgotten, is_kept, is_shared,
    judge_rest,
};
use crate::owner::Owner;
use crate::ring::body::{Pool, Run, Tenancy};
use crate::ring::mpmc::Liveness;
use crate::ring::position::Positions;
use crate::ring::spsc::{Consumer, Producer, Shared, acknowledge, is_current, is_current_beyond};
use crate::search::{Model, Move, Moves, Print, Prints, Report, Verdict, search};
use crate::sync::{self, CELLS, DEAD, Log, Memory, Mutant, Ordering::Acquire, mutant};
use std::fmt::Write;

/// What is explored.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// Slots of the ring, 1 or 2.
    pub slots: u64,
    /// Bodies for messages that take one.
    pub bodies: usize,
    /// More of them, for messages that take two; 5 in all at most.
    pub runs: usize,
    /// Messages with such a number (a bit each) take two.
    pub long: u16,
    /// Of these, such have two lent and need one.
    pub shortened: u16,
    /// Messages sent, numbered from 1.
    pub messages: u8,
    /// Before a message with such a number (a bit each) a loan is half filled and dropped.
    pub drops: u16,
    /// Messages that the receiver holds and acknowledges together.
    pub batch: usize,
    /// Whether what is acknowledged is given back: nothing is to be retained.
    pub trims: bool,
    /// As in the mpmc ring.
    pub retain: Option<(u64, bool)>,
    /// The most deaths.
    pub crashes: u8,
    /// The mistake to make.
    pub fault: Option<Mutant>,
}

impl Scenario {
    /// Explores it.
    pub fn explore(self, name: &str) -> Report {
        assert!(
            self.slots as usize <= SLOTS && (1..=2).contains(&self.batch) && usize::from(self.crashes) < DEAD_PLACES
        );
        sync::seed(self.fault);
        let ring = Positions::new(self.slots);
        let pool = Pool::new(Names, self.bodies, self.bodies + self.runs);
        search(name, &mut World { scenario: self, ring, pool, settled: Prints::default() })
    }
}

/// The ring as all know it; its sender knows where it is itself, and where at least the head is.
struct Known(Option<(u64, u64)>);

impl Known {
    /// As its sender knows it.
    fn to(producer: &Producer<Names>) -> Self {
        Self(Some((producer.known_head(), producer.tail())))
    }
}

impl Liveness for Known {
    fn is_dead(&self, owner: Owner) -> bool {
        is_dead(owner)
    }
}

impl Tenancy for Known {
    fn is_current(&self, position: u64) -> bool {
        match self.0 {
            Some((known, end)) => is_current_beyond(&Names, position, known, end),
            None => is_current(position, Shared::head(&Names).load(Acquire), None),
        }
    }
}

/// How far a role has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doing {
    Resume,
    /// Ends the use of what a predecessor left.
    Begin,
    /// Ends the use of a loan's bodies.
    Abandon,
    /// Lets go what is not needed.
    Shorten,
    Next,
    Take,
    /// Obtains memory or gives it back.
    Memory,
    First,
    Second,
    Describe,
    Last,
    Resting,
    Done,
}

#[derive(Clone, Debug)]
struct Role<H> {
    doing: Doing,
    /// Which of its successive holders this is.
    place: u32,
    handle: Option<H>,
    log: Log,
    /// Slots in hand, and how many messages.
    slots: [usize; 2],
    count: usize,
    /// The bodies that are filled.
    body: Option<Run>,
    /// Bodies to be given back.
    left: [Option<Run>; 2],
    has_dropped: bool,
    hand: Hand,
}

impl<H: Clone + std::fmt::Debug> Role<H> {
    const fn new(place: u32) -> Self {
        Self {
            doing: Doing::Resume,
            place,
            handle: None,
            log: Log::EMPTY,
            slots: [0; 2],
            count: 0,
            body: None,
            left: [None; 2],
            has_dropped: false,
            hand: Hand::new(),
        }
    }

    fn me(&self) -> Owner {
        Owner::new(self.place, 1)
    }

    fn digest(&self, print: &mut Print) {
        let Self { doing, place, handle, log, slots, count, body, left, has_dropped, hand } = self;
        let numbers = log.values();
        write!(print, "{doing:?}{place}{handle:?}{numbers:?}{slots:?}{count}{body:?}{left:?}{has_dropped}")
            .expect("a print takes all");
        hand.digest(print);
    }

    fn resume(&mut self, memory: &mut Memory, resume: impl FnOnce() -> H) {
        if let Some(handle) = sync::step(memory, &mut self.log, resume) {
            (self.handle, self.doing) = (Some(handle), Doing::Next);
        }
    }

    /// One step on the handle, of one access or, where the handle knows enough, of none.
    fn act<T>(&mut self, memory: &mut Memory, act: impl FnOnce(&mut H) -> T) -> T {
        let handle = self.handle.as_mut().expect("a role that was resumed");
        sync::step(memory, &mut self.log, || act(handle)).expect("no more than one access")
    }
}

/// A moment.
#[derive(Clone, Debug)]
pub struct State {
    memory: Memory,
    room: Room,
    sender: Role<Producer<Names>>,
    receiver: Role<Consumer<Names>>,
    committed: u8,
    acknowledged: u8,
    crashes: u8,
}

struct World {
    scenario: Scenario,
    ring: Positions,
    pool: Pool<Names>,
    settled: Prints,
}

/// What comes when all are dead.
const STRANGE: u8 = 100;

impl World {
    fn send(&self, State { memory, room, sender, committed, .. }: &mut State) -> Result<(), Verdict> {
        let number = *committed + 1;
        match sender.doing {
            Doing::Resume => {
                sender.resume(memory, || Producer::resume(Names, self.ring));
                if sender.handle.is_some() {
                    sender.doing = Doing::Begin;
                }
            }
            Doing::Begin => {
                let position = sender.handle.as_ref().expect("resumed").tail();
                let begun = sync::step(memory, &mut sender.log, || self.pool.release_all(position));
                if begun.is_some() {
                    sender.doing = Doing::Next;
                }
            }
            Doing::Abandon => {
                let run = sender.body.expect("obtained");
                let left = *sender.left[0].get_or_insert(run);
                sync::step(memory, &mut sender.log, || self.pool.release(run.first)).expect("one access");
                if run.count > 1 {
                    sender.body = Some(Run { first: run.first + 1, count: run.count - 1 });
                    return Ok(());
                }
                (sender.body, sender.left[0], sender.has_dropped, sender.doing) = (None, None, true, Doing::Next);
                if self.scenario.trims {
                    sender.hand.leave(left, self.bodies(), self.scenario.retain);
                    sender.doing = Doing::Memory;
                }
            }
            Doing::Shorten => {
                let run = sender.body.expect("obtained");
                let rest = Run::one(run.first + 1);
                sync::step(memory, &mut sender.log, || self.pool.release(rest.first)).expect("one access");
                (sender.body, sender.doing) = (Some(Run::one(run.first)), Doing::Describe);
                if self.scenario.trims {
                    sender.hand.leave(rest, self.bodies(), self.scenario.retain);
                    sender.doing = Doing::Memory;
                }
            }
            Doing::Next => match sender.act(memory, Producer::claim) {
                Some(slot) => {
                    (sender.slots[0], sender.doing) = (slot, Doing::Memory);
                    let is_long = self.scenario.long >> number & 1 != 0;
                    sender.hand.start(Aim::Obtain, 1 + usize::from(is_long), self.bodies());
                }
                None => sender.doing = Doing::Resting,
            },
            Doing::Memory => {
                let producer = sender.handle.as_ref().expect("resumed");
                let (me, position, known) = (sender.me(), producer.tail(), Known::to(producer));
                let Role { hand, log, .. } = sender;
                match hand.step((memory, room, log), &self.pool, &known, me, position) {
                    Came::On => {}
                    Came::With(run) => (sender.body, sender.doing) = (Some(run), Doing::First),
                    Came::Over if sender.body.is_some() => sender.doing = Doing::Describe,
                    Came::Over => sender.doing = Doing::Next,
                    // There are enough for all messages that take one. (That there is no run is an error of that send, and
                    // the slot is the sender's as it was: it tries again once something has changed.)
                    Came::Without if self.scenario.long >> number & 1 == 0 => return Err(Verdict::Leaked),
                    Came::Without => sender.doing = Doing::Resting,
                }
            }
            Doing::First => {
                room.write(sender.body.expect("obtained"), 0, number)?;
                sender.doing = Doing::Second;
                if self.scenario.drops >> number & 1 != 0 && !sender.has_dropped {
                    sender.doing = Doing::Abandon;
                }
            }
            Doing::Second => {
                // What is shortened has all of it in its first body.
                let (run, is_short) = (sender.body.expect("obtained"), self.scenario.shortened >> number & 1 != 0);
                room.write(if is_short { Run::one(run.first) } else { run }, 1, number)?;
                sender.doing = if is_short { Doing::Shorten } else { Doing::Describe };
            }
            Doing::Describe => {
                room.slots[sender.slots[0]] = Description::new(sender.body.expect("obtained"), number);
                sender.doing = Doing::Last;
            }
            _ => {
                sender.act(memory, |producer| producer.commit(1));
                (*committed, sender.body, sender.has_dropped) = (number, None, false);
                sender.doing = if number == self.scenario.messages { Doing::Done } else { Doing::Next };
            }
        }
        Ok(())
    }

    fn receive(&self, State { memory, room, receiver, acknowledged, .. }: &mut State) -> Result<(), Verdict> {
        match receiver.doing {
            Doing::Resume => receiver.resume(memory, || Consumer::resume(Names, self.ring)),
            Doing::Next => match receiver.act(memory, Consumer::peek) {
                Some(slot) => (receiver.slots[receiver.count], receiver.doing) = (slot, Doing::Take),
                None if receiver.count > 0 => receiver.doing = Doing::Describe,
                None => receiver.doing = Doing::Resting,
            },
            Doing::Take => {
                receiver.act(memory, |c| if c.is_again() { c.take_again() } else { c.take(1) });
                receiver.count += 1;
                receiver.doing = Doing::First;
            }
            Doing::First | Doing::Second => {
                let slot = receiver.slots[receiver.count - 1];
                let half = usize::from(receiver.doing == Doing::Second);
                room.read(slot, half)?;
                if room.slots[slot].message != *acknowledged + receiver.count as u8 {
                    return Err(Verdict::Order);
                }
                receiver.doing = match half {
                    0 => Doing::Second,
                    _ if receiver.count < self.scenario.batch => Doing::Next,
                    _ => Doing::Describe,
                };
            }
            // Read again, of all of them: the first by now may be anything, if it is not the receiver's any more.
            Doing::Describe => {
                for place in 0..receiver.count {
                    room.read(receiver.slots[place], 1)?;
                    let run = room.slots[receiver.slots[place]].run();
                    receiver.left[place] = Some(run).filter(|_| self.scenario.trims);
                }
                receiver.doing = Doing::Last;
                if mutant(Mutant::GiveBackFirst) {
                    self.trim_next(receiver, Doing::Last);
                }
            }
            Doing::Memory => {
                let me = receiver.me();
                let Role { hand, log, .. } = receiver;
                if hand.step((memory, room, log), &self.pool, &Known(None), me, 0) != Came::On {
                    let after = if receiver.count > 0 { Doing::Last } else { Doing::Next };
                    self.trim_next(receiver, after);
                }
            }
            _ => {
                receiver.act(memory, |consumer| acknowledge(&Names, consumer.position()));
                *acknowledged += receiver.count as u8;
                (receiver.count, receiver.slots) = (0, [0; 2]);
                self.trim_next(receiver, Doing::Next);
            }
        }
        Ok(())
    }

    /// Goes on with the next body to be given back, or with what comes then.
    fn trim_next(&self, receiver: &mut Role<Consumer<Names>>, then: Doing) {
        match receiver.left.iter_mut().find_map(Option::take) {
            Some(run) => {
                receiver.hand.leave(run, self.bodies(), self.scenario.retain);
                receiver.doing = Doing::Memory;
            }
            None => receiver.doing = then,
        }
    }

    fn bodies(&self) -> usize {
        self.scenario.bodies + self.scenario.runs
    }

    /// A body has one user.
    fn is_shared(&self, state: &State) -> bool {
        let in_hand = state.sender.hand.uses().chain(state.receiver.hand.uses());
        let messages = self.messages(state).map(|(_, run)| run);
        is_shared(state.sender.body.into_iter().chain(messages).flat_map(Run::bodies).chain(in_hand))
    }

    /// The messages in the ring, by their positions, and where they lie.
    fn messages(&self, state: &State) -> impl Iterator<Item = (u64, Run)> {
        let (ring, slots) = (self.ring, state.room.slots);
        (state.acknowledged..state.committed).map(move |number| {
            let (lap, index) = (u64::from(number) / ring.capacity(), u64::from(number) % ring.capacity());
            let position = ring.at(lap, index as usize);
            (position, slots[ring.index(position)].run())
        })
    }

    /// All are killed; successors come.
    fn settle(&mut self, state: &State) -> Result<(), Verdict> {
        let (mut memory, mut room) = (state.memory, state.room);
        memory[DEAD] = 0;
        let mut print = Print::default();
        memory.iter().for_each(|&cell| print.add(cell));
        room.digest(&mut print);
        print.add(u64::from(state.committed) << 16 | u64::from(state.acknowledged));
        if !self.settled.insert(print.finish()) {
            return Ok(());
        }
        memory[DEAD] = (1 << (2 * DEAD_PLACES)) - 1;
        let me = Owner::new(2 * DEAD_PLACES as u32, 1);
        let mut consumer = sync::alone(&mut memory, || Consumer::resume(Names, self.ring));
        let owed = state.committed - state.acknowledged;
        if self.drain(&mut memory, &room, &mut consumer)? != owed.into() {
            return Err(Verdict::Lost);
        }
        let mut producer = sync::alone(&mut memory, || Producer::resume(Names, self.ring));
        sync::alone(&mut memory, || self.pool.release_all(producer.tail()));
        for number in 0..self.scenario.slots as u8 {
            let slot = sync::alone(&mut memory, || producer.claim()).ok_or(Verdict::Broken)?;
            let (position, mut hand) = (producer.tail(), Hand::new());
            let is_long = number == 0 && self.scenario.runs > 0;
            hand.start(Aim::Obtain, 1 + usize::from(is_long), self.bodies());
            let known = Known::to(&producer);
            let Came::With(run) = hand.finish(&mut memory, &mut room, &self.pool, &known, (me, position)) else {
                return Err(Verdict::Leaked);
            };
            (0..2).try_for_each(|half| room.write(run, half, STRANGE + number))?;
            room.slots[slot] = Description::new(run, STRANGE + number);
            sync::alone(&mut memory, || producer.commit(1));
        }
        if self.drain(&mut memory, &room, &mut consumer)? != self.scenario.slots {
            return Err(Verdict::Broken);
        }
        // Now that all positions of the dead are past, anybody finds all the memory.
        let mut hand = Hand::new();
        hand.start(Aim::Tidy, 1, self.bodies());
        hand.finish(&mut memory, &mut room, &self.pool, &Known(None), (me, 0));
        if room.is_there.contains(&true) { Err(Verdict::Leaked) } else { Ok(()) }
    }

    fn drain(&self, memory: &mut Memory, room: &Room, consumer: &mut Consumer<Names>) -> Result<u64, Verdict> {
        let mut found = 0;
        while let Some(slot) = sync::alone(memory, || consumer.peek()) {
            room.read(slot, 0)?;
            room.read(slot, 1)?;
            sync::alone(memory, || {
                let position = if consumer.is_again() { consumer.take_again() } else { consumer.take(1) };
                acknowledge(&Names, position);
            });
            found += 1;
        }
        Ok(found)
    }
}

impl Model for World {
    type State = State;

    fn start(&self) -> State {
        let (sender, receiver) = (Role::new(0), Role::new(DEAD_PLACES as u32));
        let (memory, room) = ([0; CELLS], Room::default());
        State { memory, room, sender, receiver, committed: 0, acknowledged: 0, crashes: 0 }
    }

    fn moves(&self, state: &State) -> Moves {
        let mut moves = Moves::default();
        for (role, doing) in [state.sender.doing, state.receiver.doing].into_iter().enumerate() {
            if !matches!(doing, Doing::Resting | Doing::Done) {
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
        // Not every step is an access to a word.
        sync::step(&mut next.memory, &mut Log::EMPTY.clone(), || ());
        match turn {
            Move::Step(0) => self.send(&mut next)?,
            Move::Step(_) => self.receive(&mut next)?,
            Move::Crash(role) => {
                next.crashes += 1;
                let place = if role == 0 { state.sender.place } else { state.receiver.place };
                next.memory[DEAD] |= 1 << place;
                if role == 0 {
                    next.sender = Role::new(place + 1);
                } else {
                    next.receiver = Role::new(place + 1);
                }
            }
        }
        if next.receiver.doing == Doing::Resting && next.memory[super::TAIL] != state.memory[super::TAIL] {
            next.receiver.doing = Doing::Next;
        }
        if next.sender.doing == Doing::Resting && next.memory[super::HEAD] != state.memory[super::HEAD] {
            next.sender.doing = Doing::Next;
        }
        Ok(next)
    }

    fn check(&mut self, state: &State) -> Result<(), Verdict> {
        if self.is_shared(state) {
            return Err(Verdict::Shared);
        }
        if self.messages(state).any(|(position, run)| is_kept(&state.memory, position, run)) {
            return Err(Verdict::Leaked);
        }
        let State { memory, sender, receiver, .. } = state;
        let hand = |place| if place == sender.place { sender.hand } else { receiver.hand };
        if is_forgotten(memory, |place| hand(place).uses()) {
            return Err(Verdict::Leaked);
        }
        let rests = |doing| matches!(doing, Doing::Resting | Doing::Done);
        let is_all = state.crashes == 0 && state.committed == state.acknowledged;
        if is_all && rests(sender.doing) && rests(receiver.doing) {
            judge_rest(memory, &state.room, self.scenario.retain.map(|(retain, _)| retain))?;
        }
        self.settle(state)
    }

    fn print(&self, state: &State) -> u128 {
        let mut print = Print::default();
        state.memory.iter().for_each(|&cell| print.add(cell));
        state.room.digest(&mut print);
        state.sender.digest(&mut print);
        state.receiver.digest(&mut print);
        print.add(u64::from(state.committed) << 32 | u64::from(state.acknowledged) << 16 | u64::from(state.crashes));
        print.finish()
    }

    fn describe(&self, turn: Move) -> String {
        let name = |role| if role == 0 { "sender" } else { "receiver" };
        match turn {
            Move::Crash(role) => format!("{} dies", name(role)),
            Move::Step(role) => match sync::last() {
                None => format!("{}: a step with memory", name(role)),
                Some((cell, act, was)) => format!("{}: cell {cell}: {act:x?}, it was {was:x}", name(role)),
            },
        }
    }
}
