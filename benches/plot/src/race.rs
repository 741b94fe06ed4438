//! Who is held against whom: each way of ours to use a queue between processes, against the peer that comes closest to it or is farthest ahead.

use crate::ratio::{ENOUGH, Ratio};
use crate::samples::{Kind, Name, Regime, Samples};

/// Which of our contestants stands for a case: the first of these that it has.
const HEADLINES: [&str; 5] =
    ["ringmail, two processes", "ringmail, processes", "ringmail spsc", "ringmail mpmc", "ringmail stream"];

/// A peer beside one of ours.
#[derive(Clone, Copy, Debug)]
pub struct Rival<'a> {
    pub name: &'a str,
    pub ratio: Ratio,
    /// Its median.
    pub figure: f64,
}

/// Our contestants between processes, the one that stands for the case first.
pub fn ours<'a>(samples: &'a Samples, case: &str, regime: Regime) -> Vec<&'a str> {
    let contestants = samples.contestants(case, regime).into_iter();
    let mut ours: Vec<_> =
        contestants.filter(|&((_, threads), kind)| kind == Kind::Ours && !threads).map(|((name, _), _)| name).collect();
    ours.sort_by_key(|name| HEADLINES.iter().position(|headline| headline == name).unwrap_or(HEADLINES.len()));
    ours
}

/// The peer between threads, or between processes, that is farthest ahead of one of ours, or least behind. Peers with a verdict come first: one
/// lucky round is no lead.
pub fn rival<'a>(samples: &'a Samples, case: &str, regime: Regime, ours: &str, threads: bool) -> Option<Rival<'a>> {
    let in_place = |name: &str| name.ends_with("in place");
    // Who copies is not held against those that make their messages in place for showing that, where we do so too: they do less.
    let copies = !in_place(ours) && self::ours(samples, case, regime).into_iter().any(in_place);
    let is_like = |name: &str| !(copies && in_place(name));
    let rival = |(name, kind): (Name<'a>, Kind)| {
        let counts = kind == Kind::Peer && name.1 == threads && is_like(name.0);
        let ratio = samples.ratio(case, regime, (ours, false), name).filter(|_| counts)?;
        Some(Rival { name: name.0, ratio, figure: samples.median(case, regime, name)? })
    };
    let rivals = samples.contestants(case, regime).into_iter().filter_map(rival);
    rivals.min_by(|a, b| {
        let few = |rival: &Rival<'_>| rival.ratio.rounds < ENOUGH;
        few(a).cmp(&few(b)).then(a.ratio.median.total_cmp(&b.ratio.median))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::tests::{head, rows};

    const NEAR: Regime = Regime::Near;

    fn samples(case: &str, contestants: &[(&str, &str, &str, &[f64])]) -> Samples {
        Samples::parse(&[head(), "\n", &rows(case, "less", contestants)].concat()).expect("it is well formed")
    }

    #[test]
    fn the_rival_is_who_is_farthest_ahead_in_enough_rounds() {
        let samples = samples(
            "rtt-spin",
            &[
                ("ringmail mpmc", "P", "near", &[10.0; 6]),
                ("ringmail spsc", "P", "near", &[10.0; 6]),
                ("ringmail", "T", "near", &[10.0; 6]),
                ("slow", "P", "near", &[20.0; 6]),
                ("quick", "P", "near", &[9.0; 6]),
                ("lucky", "P", "near", &[1.0; 2]),
                ("thread", "T", "near", &[8.0; 6]),
            ],
        );
        assert_eq!(ours(&samples, "rtt-spin", NEAR), ["ringmail spsc", "ringmail mpmc"]);
        let name = |threads| rival(&samples, "rtt-spin", NEAR, "ringmail spsc", threads).map(|rival| rival.name);
        assert_eq!((name(false), name(true)), (Some("quick"), Some("thread")));
    }

    #[test]
    fn what_is_not_copied_is_held_against_its_like() {
        let contestants: &[(&str, &str, &str, &[f64])] = &[
            ("ringmail spsc", "P", "near", &[10.0; 6]),
            ("ringmail spsc in place", "P", "near", &[5.0; 6]),
            ("shaq", "P", "near", &[20.0; 6]),
            ("shaq in place", "P", "near", &[6.0; 6]),
        ];
        let name =
            |case, ours| rival(&samples(case, contestants), case, NEAR, ours, false).map(|rival| rival.name.to_owned());
        assert_eq!(name("latency-4k", "ringmail spsc").as_deref(), Some("shaq"));
        assert_eq!(name("latency-4k", "ringmail spsc in place").as_deref(), Some("shaq in place"));
        let alone = [contestants[0], contestants[2], contestants[3]];
        let samples = samples("spsc-1k", &alone);
        let rival = rival(&samples, "spsc-1k", NEAR, "ringmail spsc", false).expect("there are two");
        assert_eq!(rival.name, "shaq in place", "we have nothing like it there");
    }
}
