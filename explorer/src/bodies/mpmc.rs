//! Bodies in the mpmc ring. A sender that finds the ring full and a receiver that finds nothing rest until a word
//! changes, as in [`crate::mpmc`], where it is shown that they rest rightly.

mod aftermath;

use super::{
    Aim, BODIES, Came, Description, EXTRA, Hand, Names, Room, SLOTS, USERS, is_dead, is_forgotten, is_kept, is_shared,
    judge_rest,
};
use crate::owner::Owner;
use crate::ring::body::{Pool, Run, Tenancy};
use crate::ring::mpmc::{Claim, Core, Liveness, Miss, Step, Taken};
use crate::ring::position::Positions;
use crate::ring::recover::Patience;
use crate::ring::word::{Phase, Word};
use crate::search::{Model, Move, Moves, Print, Prints, Report, Verdict, search};
use crate::sync::{self, CELLS, DEAD, Log, Memory, Mutant, Private, mutant};
use std::cell::Cell;

/// What a sender does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Sends a long message.
    Send,
    /// Sends a message that takes two bodies, if they are to be had.
    SendRun,
    /// Fills two bodies that were lent and sends what is in the first.
    Shorten,
    /// Fills half a loan and drops it.
    Abort,
    /// Fills half a loan of two bodies and drops it.
    AbortRun,
    /// Asks for memory before it claims, as after a refusal.
    Expect,
    /// Gives back what nobody uses.
    Tidy,
}

impl Deed {
    /// Bodies that it takes, at first.
    fn bodies(self) -> usize {
        if matches!(self, Self::SendRun | Self::Shorten | Self::AbortRun) { 2 } else { 1 }
    }

    /// Whether a message comes of it.
    fn is_sent(self) -> bool {
        matches!(self, Self::Send | Self::SendRun | Self::Shorten)
    }
}

/// What is explored.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Slots of the ring, 1 or 2.
    pub slots: u64,
    /// Bodies, 1 to 5.
    pub bodies: usize,
    /// So many of them, the first, are for messages that take one.
    pub singles: usize,
    /// What each sender does.
    pub senders: Vec<Vec<Deed>>,
    /// Receivers that take what comes.
    pub receivers: usize,
    /// Whether what is acknowledged is given back: nothing is to be retained.
    pub trims: bool,
    /// Bodies that may stay when nobody uses them, and whether all are looked at before one is given back. `None`: nobody counts.
    pub retain: Option<(u64, bool)>,
    /// The most processes that die.
    pub crashes: u8,
    /// The mistake to make.
    pub fault: Option<Mutant>,
}

impl Scenario {
    /// Nobody dies, and memory is given back at once.
    pub fn new(slots: u64, bodies: usize, senders: Vec<Vec<Deed>>, receivers: usize) -> Self {
        Self { slots, bodies, singles: bodies, senders, receivers, trims: true, retain: None, crashes: 0, fault: None }
    }

    /// With so many deaths at most.
    pub fn crashes(self, crashes: u8) -> Self {
        Self { crashes, ..self }
    }

    /// With a mistake.
    pub fn fault(self, fault: Mutant) -> Self {
        Self { fault: Some(fault), ..self }
    }

    /// With so many more bodies, for messages that take two.
    pub fn runs(self, bodies: usize) -> Self {
        Self { bodies: self.singles + bodies, ..self }
    }

    /// With memory that stays.
    pub fn retaining(self) -> Self {
        Self { trims: false, ..self }
    }

    /// With so many bodies that may stay when nobody uses them. Whoever finds too many looks at all first, or does not.
    pub fn keeps(self, bodies: u64, looks: bool) -> Self {
        Self { retain: Some((bodies, looks)), ..self }
    }

    /// Explores it.
    pub fn explore(self, name: &str) -> Report {
        search(name, &mut World::new(self))
    }
}

/// The ring as everybody knows it.
struct Known(Core<Names>);

impl Liveness for Known {
    fn is_dead(&self, owner: Owner) -> bool {
        is_dead(owner)
    }
}

impl Tenancy for Known {
    fn is_current(&self, position: u64) -> bool {
        self.0.is_current(position)
    }
}

/// How far a process has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Doing {
    /// Tries the simple case.
    Next,
    From,
    At,
    Sweep,
    /// Obtains memory or gives it back, and then goes on with `then`.
    Memory,
    First,
    Second,
    /// Lets go what is not needed.
    Shorten,
    Describe,
    /// The store that ends it.
    Last,
    Resting,
    Done,
    Dead,
}

#[derive(Clone, Copy, Debug)]
struct Process {
    doing: Doing,
    log: Log,
    news: bool,
    cursor: u64,
    position: u64,
    deed: usize,
    claim: Option<Claim>,
    taken: Option<Taken>,
    /// The bodies that are filled, or of which the message was taken.
    body: Option<Run>,
    hand: Hand,
}

impl Process {
    const fn new(doing: Doing) -> Self {
        let (claim, taken, body) = (None, None, None);
        Self {
            doing,
            log: Log::EMPTY,
            news: false,
            cursor: 0,
            position: 0,
            deed: 0,
            claim,
            taken,
            body,
            hand: Hand::new(),
        }
    }

    fn miss(&mut self) {
        self.doing = if self.news { Doing::Next } else { Doing::Resting };
        (self.news, self.position) = (false, 0);
    }

    fn go(&mut self, doing: Doing) {
        (self.doing, self.news, self.position) = (doing, false, 0);
    }

    fn digest(&self, print: &mut Print) {
        let values = self.log.values();
        let body = self.body.map_or(0, |run| (run.count << 3 | run.first) as u64);
        let flags = u64::from(self.news) << 16 | (self.doing as u64) << 8 | self.deed as u64;
        print.add(flags << 32 | body << 16 | values.len() as u64);
        let claim = self.claim.map_or(0, |claim| (claim.lap << 8) | (claim.index as u64 + 1));
        let taken = self.taken.map_or(0, |taken| (taken.lap << 8) | (taken.attempt << 4) | (taken.index as u64 + 1));
        [self.cursor, self.position, claim, taken].into_iter().for_each(|value| print.add(value));
        self.hand.digest(print);
        values.iter().for_each(|&value| print.add(value));
    }
}

/// A moment.
#[derive(Clone, Debug)]
pub struct State {
    memory: Memory,
    room: Room,
    processes: [Process; 3],
    /// A bit a message.
    committed: u16,
    acknowledged: u16,
    crashes: u8,
}

/// A scenario with its ring.
pub struct World {
    scenario: Scenario,
    known: Known,
    pool: Pool<Names>,
    settled: Prints,
    /// Who made the last step, at what, and with what in hand.
    told: Cell<(Doing, Hand)>,
}

fn owner(process: usize) -> Owner {
    Owner::new(process as u32, 1)
}

fn bit(message: u8) -> u16 {
    1 << (message - 1)
}

/// What comes when all are dead.
const STRANGE: u8 = 100;

impl World {
    fn new(scenario: Scenario) -> Self {
        assert!(scenario.slots as usize <= SLOTS && scenario.senders.len() + scenario.receivers <= 3);
        sync::seed(scenario.fault);
        let known = Known(Core::new(Names, Positions::new(scenario.slots), Patience(u32::MAX)));
        assert!(scenario.bodies <= BODIES, "more bodies than there are cells for");
        let pool = Pool::new(Names, scenario.singles, scenario.bodies);
        let told = Cell::new((Doing::Next, Hand::new()));
        Self { scenario, known, pool, settled: Prints::default(), told }
    }

    fn senders(&self) -> usize {
        self.scenario.senders.len()
    }

    fn processes(&self) -> usize {
        self.senders() + self.scenario.receivers
    }

    fn claim_position(&self, claim: Option<Claim>) -> u64 {
        claim.map_or(0, |claim| self.known.0.positions().at(claim.lap, claim.index))
    }

    /// One step with memory.
    fn with_hand(&self, state: &mut State, number: usize) -> Came {
        let State { memory, room, processes, .. } = state;
        let Process { hand, log, claim, .. } = &mut processes[number];
        hand.step((memory, room, log), &self.pool, &self.known, owner(number), self.claim_position(*claim))
    }

    fn send(&self, state: &mut State, number: usize) -> Result<(), Verdict> {
        let (core, me) = (&self.known.0, owner(number));
        let deed = self.scenario.senders[number][state.processes[number].deed];
        let message = (1 + 4 * number + state.processes[number].deed) as u8;
        if state.processes[number].doing == Doing::Memory {
            let came = self.with_hand(state, number);
            let process = &mut state.processes[number];
            match came {
                Came::On => {}
                Came::With(run) => (process.body, process.doing) = (Some(run), Doing::First),
                // There are bodies enough for all messages that take one.
                Came::Without if deed.bodies() == 1 => return Err(Verdict::Leaked),
                Came::Without => match self.scenario.retain {
                    Some(retain) => process.hand.ask_again(self.scenario.bodies, retain),
                    None => process.doing = Doing::Last,
                },
                Came::Over if process.claim.is_none() => self.next_deed(process, number),
                // What was asked for in vain is not sent; what was shortened is.
                Came::Over if process.body.is_none() => process.doing = Doing::Last,
                Came::Over => process.doing = Doing::Describe,
            }
            return Ok(());
        }
        let State { memory, room, processes, committed, .. } = state;
        let process = &mut processes[number];
        let cursor = Private::new(process.cursor);
        match process.doing {
            Doing::Next if matches!(deed, Deed::Expect | Deed::Tidy) => {
                let aim = if deed == Deed::Tidy { Aim::Tidy } else { Aim::Expect };
                process.hand.start(aim, 1, self.scenario.bodies);
                process.doing = Doing::Memory;
            }
            Doing::Next => {
                let claimed = sync::step(memory, &mut process.log, || core.claim_next(&cursor, me));
                match claimed {
                    None => return Ok(()),
                    Some(None) => process.doing = Doing::From,
                    Some(claim) => self.claimed(process, deed, claim),
                }
                process.cursor = cursor.get();
            }
            Doing::From => {
                let from = sync::step(memory, &mut process.log, || core.claim_from(&cursor));
                if let Some(position) = from {
                    (process.doing, process.position) = (Doing::At, position);
                }
            }
            Doing::At => {
                let position = process.position;
                let at = || core.claim_at(position, &cursor, me, &self.known);
                let Some(step) = sync::step(memory, &mut process.log, at) else { return Ok(()) };
                process.cursor = cursor.get();
                match step {
                    Step::To(position) => process.position = position,
                    Step::Done(Ok(claim)) => self.claimed(process, deed, Some(claim)),
                    Step::Done(Err(Miss::NotNow)) => process.miss(),
                    Step::Done(Err(Miss::Corrupt)) => return Err(Verdict::Corrupt),
                }
            }
            Doing::First => {
                room.write(process.body.expect("obtained"), 0, message)?;
                process.doing = if deed.is_sent() { Doing::Second } else { Doing::Last };
            }
            Doing::Second => {
                // What is shortened has all of it in its first body.
                let run = process.body.expect("obtained");
                let run = if deed == Deed::Shorten { Run::one(run.first) } else { run };
                room.write(run, 1, message)?;
                process.doing = if deed == Deed::Shorten { Doing::Shorten } else { Doing::Describe };
            }
            Doing::Shorten => {
                let run = process.body.expect("obtained");
                let rest = Run::one(run.first + 1);
                sync::step(memory, &mut process.log, || self.pool.release(rest.first)).expect("one access");
                process.body = Some(Run::one(run.first));
                process.doing = Doing::Describe;
                if self.scenario.trims {
                    process.hand.leave(rest, self.scenario.bodies, self.scenario.retain);
                    process.doing = Doing::Memory;
                }
            }
            Doing::Describe => {
                let claim = process.claim.expect("claimed");
                room.slots[claim.index] = Description::new(process.body.expect("obtained"), message);
                process.doing = Doing::Last;
            }
            _ => {
                let claim = process.claim.take().expect("claimed");
                let body = process.body.take();
                let is_sent = body.is_some() && deed.is_sent();
                let end = || if is_sent { core.commit(claim) } else { core.abort(claim) };
                sync::step(memory, &mut process.log, end).expect("one access");
                if is_sent {
                    *committed |= bit(message);
                }
                match body {
                    Some(run) if !is_sent && self.scenario.trims => {
                        process.hand.leave(run, self.scenario.bodies, self.scenario.retain);
                        process.doing = Doing::Memory;
                    }
                    _ => self.next_deed(process, number),
                }
            }
        }
        Ok(())
    }

    fn claimed(&self, process: &mut Process, deed: Deed, claim: Option<Claim>) {
        process.claim = claim;
        process.go(Doing::Memory);
        process.hand.start(Aim::Obtain, deed.bodies(), self.scenario.bodies);
    }

    fn next_deed(&self, process: &mut Process, number: usize) {
        process.go(Doing::Next);
        process.deed += 1;
        if process.deed == self.scenario.senders[number].len() {
            *process = Process::new(Doing::Done);
        }
    }

    fn receive(&self, state: &mut State, number: usize) -> Result<(), Verdict> {
        let (core, me) = (&self.known.0, owner(number));
        if state.processes[number].doing == Doing::Memory {
            if self.with_hand(state, number) != Came::On {
                let process = &mut state.processes[number];
                let is_held = process.taken.is_some();
                process.go(if is_held { Doing::Last } else { Doing::Next });
            }
            return Ok(());
        }
        let State { memory, room, processes, acknowledged, .. } = state;
        let process = &mut processes[number];
        let cursor = Private::new(process.cursor);
        match process.doing {
            Doing::Next => {
                let taken = sync::step(memory, &mut process.log, || core.take_next(&cursor, me));
                match taken {
                    None => return Ok(()),
                    Some(None) => process.doing = Doing::From,
                    Some(taken) => Self::took(process, taken),
                }
                process.cursor = cursor.get();
            }
            Doing::From => {
                let from = sync::step(memory, &mut process.log, || core.take_from(&cursor));
                if let Some(position) = from {
                    (process.doing, process.position) = (Doing::At, position);
                }
            }
            Doing::At => {
                let position = process.position;
                let at = || core.take_at(position, &cursor, me, &self.known);
                let Some(step) = sync::step(memory, &mut process.log, at) else { return Ok(()) };
                process.cursor = cursor.get();
                match step {
                    Step::To(position) => process.position = position,
                    Step::Done(Ok(taken)) => Self::took(process, Some(taken)),
                    Step::Done(Err(Miss::NotNow)) => (process.doing, process.position) = (Doing::Sweep, 0),
                    Step::Done(Err(Miss::Corrupt)) => return Err(Verdict::Corrupt),
                }
            }
            Doing::Sweep => {
                let swept = sync::step(memory, &mut process.log, || core.sweep(me, &self.known));
                match swept {
                    None => {}
                    Some(None) => process.miss(),
                    Some(taken) => Self::took(process, taken),
                }
            }
            Doing::First | Doing::Second => {
                let (slot, half) = (process.taken.expect("taken").index, usize::from(process.doing == Doing::Second));
                room.read(slot, half)?;
                process.doing = if half == 0 { Doing::Second } else { Doing::Describe };
            }
            // What the slot says of its body must be asked before it is anybody's.
            Doing::Describe => {
                let run = room.slots[process.taken.expect("taken").index].run();
                process.body = Some(run);
                process.doing = Doing::Last;
                if mutant(Mutant::GiveBackFirst) || mutant(Mutant::CountFirst) {
                    process.hand.leave(run, self.scenario.bodies, self.scenario.retain);
                    process.doing = Doing::Memory;
                }
            }
            _ => {
                let taken = process.taken.take().expect("taken");
                let run = process.body.take().expect("it was said");
                let message = room.slots[taken.index].message;
                sync::step(memory, &mut process.log, || core.acknowledge(taken)).expect("one access");
                *acknowledged |= bit(message);
                process.go(Doing::Next);
                if self.scenario.trims && !mutant(Mutant::GiveBackFirst) && !mutant(Mutant::CountFirst) {
                    process.hand.leave(run, self.scenario.bodies, self.scenario.retain);
                    process.doing = Doing::Memory;
                }
            }
        }
        Ok(())
    }

    fn took(process: &mut Process, taken: Option<Taken>) {
        process.taken = taken;
        process.go(Doing::First);
    }

    /// A body has one user.
    fn is_shared(&self, state: &State) -> bool {
        let filling = state.processes[..self.senders()].iter().filter_map(|process| process.body);
        let in_hand = state.processes.iter().flat_map(|process| process.hand.uses());
        let messages = self.messages(state).map(|(_, run)| run);
        is_shared(filling.chain(messages).flat_map(Run::bodies).chain(in_hand))
    }

    /// The messages in the ring, by their positions, and where they lie.
    fn messages(&self, state: &State) -> impl Iterator<Item = (u64, Run)> {
        let (ring, words, slots) = (self.known.0.positions(), state.memory, state.room.slots);
        (0..self.scenario.slots as usize).filter_map(move |slot| {
            let word = Word(words[slot]);
            let is_there = matches!(word.phase(), Phase::Ready | Phase::Reading);
            is_there.then(|| (ring.at(word.lap_near(0), slot), slots[slot].run()))
        })
    }
}

impl Model for World {
    type State = State;

    fn start(&self) -> State {
        let mut processes = [Process::new(Doing::Done); 3];
        processes[..self.processes()].fill(Process::new(Doing::Next));
        State { memory: [0; CELLS], room: Room::default(), processes, committed: 0, acknowledged: 0, crashes: 0 }
    }

    fn moves(&self, state: &State) -> Moves {
        let mut moves = Moves::default();
        for (index, process) in state.processes.iter().enumerate() {
            if matches!(process.doing, Doing::Done | Doing::Dead | Doing::Resting) {
                continue;
            }
            moves.add(Move::Step(index));
            if state.crashes < self.scenario.crashes {
                moves.add(Move::Crash(index));
            }
        }
        moves
    }

    fn step(&self, state: &State, turn: Move) -> Result<State, Verdict> {
        let mut next = state.clone();
        let is_news = match turn {
            Move::Step(number) => {
                self.told.set((state.processes[number].doing, state.processes[number].hand));
                // Not every step is an access to a word.
                sync::step(&mut next.memory, &mut Log::EMPTY.clone(), || ());
                let done = if number < self.senders() {
                    self.send(&mut next, number)
                } else {
                    self.receive(&mut next, number)
                };
                done?;
                state.memory[..=EXTRA] != next.memory[..=EXTRA]
            }
            Move::Crash(process) => {
                next.memory[DEAD] |= 1 << process;
                next.crashes += 1;
                next.processes[process] = Process::new(Doing::Dead);
                true
            }
        };
        for process in next.processes.iter_mut().filter(|_| is_news) {
            match process.doing {
                Doing::Resting => process.doing = Doing::Next,
                Doing::From | Doing::At | Doing::Sweep => process.news = true,
                Doing::Next if !process.log.values().is_empty() => process.news = true,
                _ => {}
            }
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
        if is_forgotten(&state.memory, |process| state.processes[process as usize].hand.uses()) {
            return Err(Verdict::Leaked);
        }
        let rests = |process: &Process| matches!(process.doing, Doing::Resting | Doing::Done);
        if state.crashes == 0 && state.committed == state.acknowledged && state.processes.iter().all(rests) {
            judge_rest(&state.memory, &state.room, self.scenario.retain.map(|(retain, _)| retain))?;
        }
        self.settle(state)
    }

    fn print(&self, state: &State) -> u128 {
        let mut print = Print::default();
        state.memory.iter().for_each(|&cell| print.add(cell));
        state.room.digest(&mut print);
        print.add(u64::from(state.committed) << 32 | u64::from(state.acknowledged) << 16 | u64::from(state.crashes));
        state.processes[..self.processes()].iter().for_each(|process| process.digest(&mut print));
        print.finish()
    }

    fn describe(&self, turn: Move) -> String {
        let name = |process: usize| match process.checked_sub(self.senders()) {
            None => format!("sender {process}"),
            Some(receiver) => format!("receiver {receiver}"),
        };
        let process = match turn {
            Move::Crash(process) => return format!("{} dies", name(process)),
            Move::Step(process) => name(process),
        };
        let (doing, hand) = self.told.get();
        let what = match doing {
            Doing::Memory => format!("{:?} {:?} {}", hand.aim, hand.stage, hand.body),
            _ => format!("{doing:?}"),
        };
        match sync::last() {
            None => format!("{process}, {what}"),
            Some((cell, act, was)) if (USERS..DEAD).contains(&cell) => {
                format!("{process}, {what}: body {} {act:x?}, it was {was:x}", cell - USERS)
            }
            Some((cell, act, was)) => format!("{process}, {what}: cell {cell} {act:x?}, it was {was:x}"),
        }
    }
}
