//! Four actors, one learner: observations of 28 KiB (84 x 84 in four planes), thousands a second.
//!
//! As `mpmc`, with messages that are longer than any cache line and shorter than any frame: each actor copies its observation in, the learner adds
//! up all of it. More workers than cores on a small machine: who waits should let others run.

use super::{Case, Contestant, Direction, Enlist, Goal, Measure, Outcome, Size, mpmc::fan};
use crate::crew::Mode;
use crate::payload::Payload;
use crate::peers::ours::BLOCK;
use crate::peers::{self, Party, Visitor, ours};
use crate::queue::{Queue, Wait};

/// 84 x 84 bytes in four planes.
type Observation = [u64; 84 * 84 * 4 / 8];
/// Four actors, one learner.
const CROWD: (usize, usize) = (4, 1);
/// Observations that may wait.
const CAPACITY: usize = 64;

struct Steps;

impl<M: Payload> Measure<M> for Steps {
    fn contestant<Q: Queue<M>>(&self, name: &'static str, mode: Mode, queue: impl Fn() -> Q + 'static) -> Contestant {
        Contestant::new(name, mode, move |cores, n| {
            let log = fan::<M, Q>(mode, cores, n, queue(), CROWD)?;
            Some(Outcome::new(log.million_per_s(n) * 1_000.0, log))
        })
    }
}

pub fn cases() -> Vec<Case> {
    let mut contestants = Enlist(Vec::new(), Steps);
    let ring = || ours::Mpmc::<Observation, BLOCK>::new(&ours::slots(CAPACITY));
    Visitor::<Observation>::visit(&mut contestants, "ringmail mpmc", Mode::Processes, ring);
    let party = Party::crowd(CAPACITY, CROWD, Wait::Yield);
    peers::between_processes::<Observation>(party, &mut contestants);
    peers::between_threads::<Observation>(party, &mut contestants);
    vec![Case {
        name: "fan-in",
        about: "4 actors send observations of 28,224 B to 1 learner, capacity 64",
        direction: Direction::MoreIsBetter("thousand/s"),
        size: Size::Fitting { first: 400, step: 4 },
        contestants: contestants.0,
        goals: vec![Goal::FIRST],
    }]
}
