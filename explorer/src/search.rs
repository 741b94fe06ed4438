//! The search: every state that can be reached, once, depth first.

use std::collections::HashSet;
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};
use std::time::Instant;

/// What is wrong with a state or a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A message was read that is not one, but parts of two.
    Torn,
    /// A message was delivered that nobody had committed, or that was taken back.
    Unknown,
    /// A message was delivered twice, and not flagged; or once more after it was acknowledged.
    Duplicate,
    /// A receiver saw two messages of one sender in the wrong order.
    Order,
    /// A committed message is neither delivered nor to be found.
    Lost,
    /// A message was delivered more often than the policy allows.
    TooOften,
    /// A message was delivered before, and says another number of times than it was.
    Miscounted,
    /// Two processes have one slot, or one body.
    Shared,
    /// A slot names the former owner of a place that somebody new has.
    Named,
    /// The core says that the words are not those of a ring.
    Corrupt,
    /// A receiver rests although a message waits, or somebody dead holds one or a slot.
    IdleReceiver,
    /// A sender rests although a slot is free and no message waits.
    IdleSender,
    /// After all, the ring does not hold as many messages as it has slots, or not in order.
    Broken,
    /// Somebody touches a body where no memory is.
    Gone,
    /// Memory is left that nobody knows of.
    Leaked,
    /// Steps lead back to where they began.
    Livelock,
    /// Steps lead on and on.
    Endless,
    /// A process that runs alone does not finish what can be finished.
    Alone,
    /// While one process stands still, the others do not finish what can be finished.
    Frozen,
}

/// One process' turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    /// It makes a step.
    Step(usize),
    /// It dies.
    Crash(usize),
}

/// Sets of moves: a bit for each.
#[derive(Clone, Copy, Debug, Default)]
pub struct Moves(u32);

impl Moves {
    /// Adds one.
    pub fn add(&mut self, turn: Move) {
        self.0 |= match turn {
            Move::Step(process) => 1 << process,
            Move::Crash(process) => 1 << 16 << process,
        };
    }

    /// Takes the first out.
    pub fn pop(&mut self) -> Option<Move> {
        let bit = (self.0 != 0).then(|| self.0.trailing_zeros() as usize)?;
        self.0 &= self.0 - 1;
        Some(if bit < 16 { Move::Step(bit) } else { Move::Crash(bit - 16) })
    }
}

/// What is searched.
pub trait Model {
    /// All that tells one moment from another.
    type State: Clone;
    /// The first moment.
    fn start(&self) -> Self::State;
    /// What may happen next.
    fn moves(&self, state: &Self::State) -> Moves;
    /// What then is.
    fn step(&self, state: &Self::State, turn: Move) -> Result<Self::State, Verdict>;
    /// What must hold in every state.
    fn check(&mut self, state: &Self::State) -> Result<(), Verdict>;
    /// The fingerprint of all of the state.
    fn print(&self, state: &Self::State) -> u128;
    /// The last step in words.
    fn describe(&self, turn: Move) -> String;
}

/// A search that ended.
#[derive(Debug)]
pub struct Report {
    /// States visited.
    pub states: usize,
    /// The longest path.
    pub depth: usize,
    /// What is wrong, and the steps that led there.
    pub found: Option<(Verdict, Vec<String>)>,
}

impl Report {
    /// The whole space, and nothing wrong; at least `states`.
    #[track_caller]
    pub fn holds(&self, states: usize) {
        assert!(self.found.is_none(), "{self}");
        assert!(self.states >= states, "{} states are too few to prove anything", self.states);
    }

    /// A violation of one of these kinds.
    #[track_caller]
    pub fn fails(&self, kinds: &[Verdict]) {
        let Some((verdict, _)) = &self.found else { panic!("nothing found in {} states", self.states) };
        assert!(kinds.contains(verdict), "{self}");
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((verdict, trace)) = &self.found else { return write!(f, "no violation in {} states", self.states) };
        writeln!(f, "{verdict:?} after {} steps, {} states:", trace.len(), self.states)?;
        trace.iter().try_for_each(|line| writeln!(f, "  {line}"))
    }
}

/// Longer than any path of a scenario that ends.
const DEEPEST: usize = 3000;

struct Frame<S> {
    state: S,
    print: u128,
    turn: Option<Move>,
    left: Moves,
}

/// Searches until something is wrong or everything was seen, and prints how much that was.
pub fn search<M: Model>(name: &str, model: &mut M) -> Report {
    let began = Instant::now();
    let report = run(model);
    let seconds = began.elapsed().as_secs_f64();
    let outcome = report.found.as_ref().map_or_else(
        || format!("whole space, depth {}", report.depth),
        |(verdict, trace)| format!("{verdict:?} after {} steps", trace.len()),
    );
    println!("{name}: {} states, {seconds:.2} s, {outcome}", report.states);
    report
}

fn run<M: Model>(model: &mut M) -> Report {
    // Open states are on the path. They are few, and a map of both would take twice the memory.
    let (mut seen, mut open) = (Prints::default(), Prints::default());
    let mut path: Vec<Frame<M::State>> = Vec::new();
    let mut depth = 0;
    let mut next = Some((model.start(), None));
    let found = loop {
        if let Some((state, turn)) = next.take() {
            let print = model.print(&state);
            if seen.insert(print) {
                open.insert(print);
                if let Err(verdict) = model.check(&state) {
                    break Some((verdict, turn));
                }
                let left = model.moves(&state);
                path.push(Frame { state, print, turn, left });
                depth = depth.max(path.len());
                if depth > DEEPEST {
                    break Some((Verdict::Endless, None));
                }
            } else if open.contains(&print) {
                break Some((Verdict::Livelock, turn));
            }
        }
        let Some(top) = path.last_mut() else { break None };
        match top.left.pop() {
            Some(turn) => match model.step(&top.state, turn) {
                Ok(state) => next = Some((state, Some(turn))),
                Err(verdict) => break Some((verdict, Some(turn))),
            },
            None => {
                open.remove(&top.print);
                path.pop();
            }
        }
    };
    let found = found.map(|(verdict, last)| {
        let turns = path.iter().filter_map(|frame| frame.turn).chain(last);
        (verdict, retrace(model, turns))
    });
    Report { states: seen.len(), depth, found }
}

fn retrace<M: Model>(model: &M, turns: impl Iterator<Item = Move>) -> Vec<String> {
    let mut state = model.start();
    let mut trace = Vec::new();
    for turn in turns {
        let next = model.step(&state, turn);
        trace.push(model.describe(turn));
        match next {
            Ok(next) => state = next,
            Err(_) => break,
        }
    }
    trace
}

/// Two independent folded multiplications. A state is missed if its fingerprint is another's: were the 128 bits random, the
/// chance that any of n states is would be below n^2/2^129, which is 2 in 10^23 for 10^8 states.
#[derive(Clone, Copy, Debug)]
pub struct Print(u64, u64);

impl Default for Print {
    fn default() -> Self {
        Self(0x243f_6a88_85a3_08d3, 0x1319_8a2e_0370_7344)
    }
}

impl Print {
    /// Takes a number in.
    #[inline]
    pub fn add(&mut self, value: u64) {
        self.0 = fold(self.0 ^ value, 0x9e37_79b9_7f4a_7c15).wrapping_add(0xa409_3822_299f_31d0);
        self.1 = fold(self.1 ^ value.rotate_left(32), 0xd6e8_feb8_6659_fd93).wrapping_add(0x082e_fa98_ec4e_6c89);
    }

    /// The fingerprint.
    pub fn finish(mut self) -> u128 {
        self.add(0);
        u128::from(self.0) << 64 | u128::from(self.1)
    }
}

impl fmt::Write for Print {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.bytes().for_each(|byte| self.add(byte.into()));
        Ok(())
    }
}

#[inline]
fn fold(a: u64, b: u64) -> u64 {
    let wide = u128::from(a) * u128::from(b);
    (wide >> 64) as u64 ^ wide as u64
}

/// Fingerprints seen before.
pub type Prints = HashSet<u128, BuildHasherDefault<Kept>>;

/// A fingerprint is a hash already.
#[derive(Debug, Default)]
pub struct Kept(u64);

impl Hasher for Kept {
    fn write(&mut self, _: &[u8]) {
        unreachable!("only fingerprints are kept")
    }
    fn write_u128(&mut self, print: u128) {
        self.0 = (print >> 64) as u64;
    }
    fn finish(&self) -> u64 {
        self.0
    }
}
