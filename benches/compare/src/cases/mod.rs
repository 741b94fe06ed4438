//! What is measured: each case has a subject, the first contestant, and others that it is held against.

mod copies;
mod frames;
mod kill;
mod mpmc;
mod rtt;
mod spsc;
mod stream;

use crate::crew::{Cores, Log, Mode};

/// What one sample of a contestant came to.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// In the unit of the case; the median, where it is a time for one of many.
    pub value: f64,
    /// The 99th percentile, where there is one.
    pub p99: Option<f64>,
    pub log: Log,
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
        Self::new(name, mode, move |cores, n| {
            run(cores, n).map(|log| Outcome { value: log.million_per_s(n), p99: None, log })
        })
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

/// What the subject is to reach: a ratio to the best of some others, of each round.
#[derive(Clone, Copy, Debug)]
pub struct Goal {
    pub best_of: &'static [&'static str],
    pub bound: f64,
}

pub struct Case {
    pub name: &'static str,
    /// What is measured, for the reader of the figures.
    pub about: &'static str,
    pub direction: Direction,
    /// How many things the first sample does: it tells how many fill the time of one.
    pub first: u64,
    /// Samples do a multiple of so many.
    pub step: u64,
    pub contestants: Vec<Contestant>,
    pub goals: Vec<Goal>,
}

pub fn all() -> Vec<Case> {
    let mut cases = spsc::cases();
    cases.extend(rtt::cases());
    cases.extend(mpmc::cases());
    cases.extend(kill::cases());
    cases.extend(frames::cases());
    cases.extend(copies::cases());
    cases.extend(stream::cases());
    cases
}
