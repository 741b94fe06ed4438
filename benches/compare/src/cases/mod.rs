//! What is measured: each case has a subject, the first contestant, and others that it is held against.

mod attach;
mod copies;
mod fanin;
mod frames;
mod idle;
mod kill;
mod memory;
mod mpmc;
mod rtt;
mod spsc;
mod stream;
mod survive;
mod video;

use crate::crew::{Cores, Log, Mode};
use crate::payload::Payload;
use crate::peers::Visitor;
use crate::queue::Queue;
use hdrhistogram::Histogram;

/// What one sample of a contestant came to.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// In the unit of the case; the median, where it is a time for one of many.
    pub value: f64,
    /// The 99th and the 99.9th percentile, where there are any.
    pub p99: Option<f64>,
    pub p999: Option<f64>,
    /// The times of all, where each was taken.
    pub times: Option<Histogram<u64>>,
    pub log: Log,
}

impl Outcome {
    /// A figure that has no tail.
    pub fn new(value: f64, log: Log) -> Self {
        Self { value, p99: None, p999: None, times: None, log }
    }
}

type Run = Box<dyn Fn(&Cores, u64) -> Option<Outcome>>;

/// One way to do what a case measures.
pub struct Contestant {
    pub name: &'static str,
    pub mode: Mode,
    /// Does it so many times; `None` if it did not come to an end.
    pub run: Run,
}

impl Contestant {
    pub fn new(name: &'static str, mode: Mode, run: impl Fn(&Cores, u64) -> Option<Outcome> + 'static) -> Self {
        Self { name, mode, run: Box::new(run) }
    }

    /// A contestant whose figure is millions a second.
    pub fn rate(name: &'static str, mode: Mode, run: impl Fn(&Cores, u64) -> Option<Log> + 'static) -> Self {
        Self::new(name, mode, move |cores, n| run(cores, n).map(|log| Outcome::new(log.million_per_s(n), log)))
    }
}

/// What a contestant is to the one that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Ours,
    Peer,
    /// Nothing that could be used in its place: what the machine can do.
    Limit,
}

impl Contestant {
    /// What it is, as its name says.
    pub fn kind(&self) -> Kind {
        if self.name.starts_with("ringmail") {
            Kind::Ours
        } else if self.name.starts_with("bare") || self.name.starts_with("memcpy") {
            Kind::Limit
        } else {
            Kind::Peer
        }
    }
}

/// Which figures are good, and their unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    MoreIsBetter(&'static str),
    LessIsBetter(&'static str),
}

impl Direction {
    pub fn unit(self) -> &'static str {
        match self {
            Self::MoreIsBetter(unit) | Self::LessIsBetter(unit) => unit,
        }
    }

    /// Which figures are good, in a word.
    pub fn better_word(self) -> &'static str {
        match self {
            Self::MoreIsBetter(_) => "more",
            Self::LessIsBetter(_) => "less",
        }
    }

    /// The better one of two figures.
    pub fn better(self, a: f64, b: f64) -> f64 {
        match self {
            Self::MoreIsBetter(_) => a.max(b),
            Self::LessIsBetter(_) => a.min(b),
        }
    }

    /// Whether a ratio keeps to a bound.
    pub fn meets(self, ratio: f64, bound: f64) -> bool {
        match self {
            Self::MoreIsBetter(_) => ratio >= bound,
            Self::LessIsBetter(_) => ratio <= bound,
        }
    }
}

/// What is held against the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figure {
    Value,
    /// The 99th percentile.
    P99,
}

impl Figure {
    pub fn of(self, outcome: &Outcome) -> Option<f64> {
        match self {
            Self::Value => Some(outcome.value),
            Self::P99 => outcome.p99,
        }
    }

    /// What a goal says of it, if anything.
    pub fn word(self) -> &'static str {
        match self {
            Self::Value => "",
            Self::P99 => " in p99",
        }
    }
}

/// What a contestant is to reach: a ratio to the best of some others, of each round.
#[derive(Clone, Copy, Debug)]
pub struct Goal {
    /// The case's subject if it is not named.
    pub subject: Option<&'static str>,
    pub figure: Figure,
    pub best_of: &'static [&'static str],
    pub bound: f64,
}

impl Goal {
    /// To be the first of all.
    pub const FIRST: Self = Self { subject: None, figure: Figure::Value, best_of: &[], bound: 1.0 };
    /// To have the shortest tail of all.
    pub const FIRST_IN_P99: Self = Self { figure: Figure::P99, ..Self::FIRST };

    /// To come near to the best of some, or to be ahead of it.
    pub const fn beside(best_of: &'static [&'static str], bound: f64) -> Self {
        Self { best_of, bound, ..Self::FIRST }
    }

    /// To be the first of all, for a contestant that is not the case's subject.
    pub const fn first(subject: &'static str) -> Self {
        Self { subject: Some(subject), ..Self::FIRST }
    }

    /// Whether it is held against every peer, and not against some that it names.
    pub fn is_against_all(&self) -> bool {
        self.best_of.is_empty()
    }

    /// Whether a contestant is one of all peers, to a subject. Who copies its messages is not held against those that make them in place for
    /// showing that, since they do less; who makes them there is held against everybody.
    pub fn is_rival(&self, case: &Case, subject: usize, other: usize) -> bool {
        let is_in_place = |place: usize| case.contestants[place].name.ends_with("in place");
        case.contestants[other].kind() == Kind::Peer && (is_in_place(subject) || !is_in_place(other))
    }
}

/// How much a sample does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// What fits into the time of a sample: a multiple of `step`, found from samples of `first`.
    Fitting { first: u64, step: u64 },
    /// Always as much, and no more than so many rounds of it.
    Fixed { n: u64, rounds: usize },
}

pub struct Case {
    pub name: &'static str,
    /// What is measured, for the reader of the figures.
    pub about: &'static str,
    pub direction: Direction,
    pub size: Size,
    pub contestants: Vec<Contestant>,
    pub goals: Vec<Goal>,
}

pub fn all() -> Vec<Case> {
    let families = [
        spsc::cases,
        mpmc::cases,
        rtt::cases,
        copies::cases,
        frames::cases,
        video::cases,
        fanin::cases,
        stream::cases,
        kill::cases,
        survive::cases,
        idle::cases,
        attach::cases,
        memory::cases,
    ];
    families.into_iter().flat_map(|cases| cases()).collect()
}

/// Collects a contestant for every queue that it is shown: a case says what is done with one.
pub struct Enlist<F>(pub Vec<Contestant>, pub F);

/// Makes a contestant of a queue.
pub trait Measure<M: Payload> {
    fn contestant<Q: Queue<M>>(&self, name: &'static str, mode: Mode, queue: impl Fn() -> Q + 'static) -> Contestant;
}

impl<M: Payload, F: Measure<M>> Visitor<M> for Enlist<F> {
    fn visit<Q: Queue<M>>(&mut self, name: &'static str, mode: Mode, queue: impl Fn() -> Q + 'static) {
        self.0.push(self.1.contestant(name, mode, queue));
    }
}
