//! Siblings, near or far: how fast a cache line moves between the two cores at this moment.
//!
//! On virtual machines the host moves virtual CPUs between groups of cores that share a cache, and now and then onto one core, as two
//! hardware threads of it: round trips of 40 to 60 ns, 80 to 130, and 310 upwards, on some processors (Sapphire Rapids) 210 to 430. The bounds
//! lie where no processor was seen to have any: a sample near a bound would be taken for one of another regime. The same code then differs by
//! a factor of 3 to 15, for seconds or minutes. A figure without its regime says nothing, and figures of two regimes must
//! not be compared: every sample is taken between two probes, each a few milliseconds of ping-pong between the cores. Of more than two cores each
//! is probed with its neighbour in the list, and the slowest pair counts.

use crate::bare::PingPong;
use crate::crew::{Cores, now_ns, pin};
use std::fmt;

/// Below so many nanoseconds a round trip is one between hardware threads of a core.
const SIBLING_NS: f64 = 70.0;
/// Below so many it is near.
const NEAR_NS: f64 = 170.0;
const BURSTS: usize = 25;
const TRIPS: u64 = 400;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Regime {
    Sibling,
    Near,
    Far,
}

impl fmt::Display for Regime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sibling => "sibling",
            Self::Near => "near",
            Self::Far => "far",
        })
    }
}

impl Regime {
    /// The regime in which round trips take so long.
    pub fn of(trip_ns: f64) -> Self {
        match trip_ns {
            ..SIBLING_NS => Self::Sibling,
            ..NEAR_NS => Self::Near,
            _ => Self::Far,
        }
    }
}

/// The slowest of the round trips between neighbours among the cores that so many workers run on, in nanoseconds.
pub fn probe(cores: &Cores, workers: usize) -> f64 {
    let used = if cores.float && workers > 2 { cores.list.len() } else { workers.clamp(2, cores.list.len()) };
    cores.list[..used].windows(2).map(|pair| trip(pair[0], pair[1])).fold(0.0, f64::max)
}

/// The median of bursts of round trips between two cores, in nanoseconds a round trip.
fn trip(one: usize, other: usize) -> f64 {
    let table = PingPong::map();
    let trips = BURSTS as u64 * TRIPS;
    let mut bursts = std::thread::scope(|scope| {
        scope.spawn(|| {
            pin(&[other]);
            for number in 1..=trips {
                table.await_number(0, number);
                table.send(1, number);
            }
        });
        let probe = scope.spawn(|| {
            pin(&[one]);
            let mut number = 0;
            let burst = |_| {
                let start = now_ns();
                for _ in 0..TRIPS {
                    number += 1;
                    table.send(0, number);
                    table.await_number(1, number);
                }
                (now_ns() - start) as f64 / TRIPS as f64
            };
            (0..BURSTS).map(burst).collect::<Vec<_>>()
        });
        probe.join().expect("the probe cannot fail")
    });
    bursts.sort_by(f64::total_cmp);
    bursts[BURSTS / 2]
}

#[cfg(test)]
mod tests {
    use super::Regime;

    #[test]
    fn three_clusters_are_told_apart() {
        assert!([38.0, 54.0].iter().all(|&ns| Regime::of(ns) == Regime::Sibling));
        assert!([84.0, 112.0, 130.0].iter().all(|&ns| Regime::of(ns) == Regime::Near));
        assert!([210.0, 310.0, 800.0].iter().all(|&ns| Regime::of(ns) == Regime::Far));
    }
}
