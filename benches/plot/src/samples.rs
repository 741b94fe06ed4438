//! The samples of a run, as `ringmail-compare` wrote them, and what may be said about them.
//!
//! Only samples that were kept are read. Figures are medians within one regime; a ratio is the median of ratios of neighbours, each within one round:
//! what was measured at different times is not compared.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::fs;
use std::path::Path;

/// How fast a cache line moved while a sample was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Regime {
    Sibling,
    Near,
    Far,
}

impl Regime {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::Far, Self::Sibling, Self::Near];

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|regime| regime.to_string() == name)
    }
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

/// What a contestant is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Ours,
    Peer,
    Limit,
}

#[derive(Clone, Debug)]
pub struct Sample {
    pub case: String,
    pub round: usize,
    pub contestant: String,
    pub kind: Kind,
    /// Between threads of one process, and not between processes.
    pub threads: bool,
    pub regime: Regime,
    pub value: f64,
    pub unit: String,
    pub less_is_better: bool,
}

/// A run.
#[derive(Clone, Debug, Default)]
pub struct Samples {
    /// What it was taken with, as lines of text.
    pub machine: Vec<String>,
    pub kept: Vec<Sample>,
}

/// A contestant of a case: its name, and whether it lives in threads.
pub type Name<'a> = (&'a str, bool);

impl Samples {
    pub fn read(path: &Path) -> Result<Self, Box<dyn Error>> {
        let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Self::parse(&text)
    }

    pub fn parse(text: &str) -> Result<Self, Box<dyn Error>> {
        let machine = text.lines().filter_map(|line| line.strip_prefix("# ")).map(str::to_owned).collect();
        let mut reader = csv::ReaderBuilder::new().comment(Some(b'#')).from_reader(text.as_bytes());
        let columns = reader.headers()?.clone();
        let mut kept = Vec::new();
        for row in reader.records() {
            let row = row?;
            let field = |name: &str| {
                let place = columns.iter().position(|column| column == name);
                place.and_then(|place| row.get(place)).ok_or_else(|| format!("the samples have no column {name}"))
            };
            if field("verdict")? != "Kept" {
                continue;
            }
            kept.push(Sample {
                case: field("case")?.to_owned(),
                round: field("round")?.parse()?,
                contestant: field("contestant")?.to_owned(),
                kind: match field("kind")? {
                    "Ours" => Kind::Ours,
                    "Limit" => Kind::Limit,
                    _ => Kind::Peer,
                },
                threads: field("mode")? == "T",
                regime: Regime::named(field("regime")?).ok_or("a regime that nobody knows")?,
                value: field("value")?.parse()?,
                unit: field("unit")?.to_owned(),
                less_is_better: field("better")? == "less",
            });
        }
        Ok(Self { machine, kept })
    }

    /// The regime in which most samples were taken: the one that pictures and tables show.
    pub fn regime(&self) -> Regime {
        let count = |regime: &Regime| self.kept.iter().filter(|sample| sample.regime == *regime).count();
        Regime::ALL.into_iter().max_by_key(count).unwrap_or(Regime::Near)
    }

    fn of<'a>(&'a self, case: &str, regime: Regime) -> impl Iterator<Item = &'a Sample> {
        self.kept.iter().filter(move |sample| sample.case == case && sample.regime == regime)
    }

    /// The contestants of a case that have samples, in the order of the run.
    pub fn contestants(&self, case: &str, regime: Regime) -> Vec<(Name<'_>, Kind)> {
        let mut names: Vec<(Name<'_>, Kind)> = Vec::new();
        for sample in self.of(case, regime) {
            let name = (sample.contestant.as_str(), sample.threads);
            if names.iter().all(|&(other, _)| other != name) {
                names.push((name, sample.kind));
            }
        }
        names
    }

    pub fn median(&self, case: &str, regime: Regime, (contestant, threads): Name<'_>) -> Option<f64> {
        let is_its = |sample: &&Sample| (sample.contestant.as_str(), sample.threads) == (contestant, threads);
        median(self.of(case, regime).filter(is_its).map(|sample| sample.value).collect())
    }

    /// The case's unit, and whether less of it is better.
    pub fn unit(&self, case: &str) -> Option<(&str, bool)> {
        let sample = self.kept.iter().find(|sample| sample.case == case)?;
        Some((&sample.unit, sample.less_is_better))
    }

    /// How much better the first contestant is than the second: above one it is, whichever way the unit goes.
    pub fn advantage(&self, case: &str, regime: Regime, ours: Name<'_>, theirs: Name<'_>) -> Option<Advantage> {
        let mut rounds = BTreeMap::<usize, [Option<f64>; 2]>::new();
        for sample in self.of(case, regime) {
            let name = (sample.contestant.as_str(), sample.threads);
            let place = [ours, theirs].iter().position(|&other| other == name);
            if let Some(place) = place {
                rounds.entry(sample.round).or_default()[place] = Some(sample.value);
            }
        }
        let (_, less_is_better) = self.unit(case)?;
        let ratio = |values: [Option<f64>; 2]| {
            let [ours, theirs] = values;
            let ratio = ours? / theirs?;
            Some(if less_is_better { 1.0 / ratio } else { ratio })
        };
        let ratios: Vec<_> = rounds.into_values().filter_map(ratio).collect();
        Advantage::of(ratios)
    }
}

/// A ratio over rounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Advantage {
    pub median: f64,
    /// Whether the middle half of the rounds does not agree on who is ahead.
    pub is_tie: bool,
}

impl Advantage {
    fn of(mut ratios: Vec<f64>) -> Option<Self> {
        ratios.sort_by(f64::total_cmp);
        let last = ratios.len().checked_sub(1)?;
        let (low, high) = (ratios[last / 4], ratios[last - last / 4]);
        Some(Self { is_tie: last > 1 && low <= 1.0 && high >= 1.0, median: median(ratios)? })
    }
}

fn median(mut figures: Vec<f64>) -> Option<f64> {
    figures.sort_by(f64::total_cmp);
    let last = figures.len().checked_sub(1)?;
    Some((figures[last / 2] + figures[last.div_ceil(2)]) / 2.0)
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// Two rounds of one case, and one sample that was discarded.
    pub const RUN: &str = "\
# machine: a CPU, 2 cores; Linux 6; rustc 1
# peers: rtrb 0.4.1
case,round,contestant,kind,mode,regime,probe_before_ns,probe_after_ns,value,unit,better,p99,p999,delayed,verdict
rtt-spin,0,\"ringmail spsc\",Ours,P,near,110,110,160,ns,less,200,300,0.0,Kept
rtt-spin,0,\"rtrb\",Peer,T,near,110,110,120,ns,less,,,0.0,Kept
rtt-spin,0,\"shaq\",Peer,P,near,110,110,320,ns,less,,,0.0,Kept
rtt-spin,1,\"ringmail spsc\",Ours,P,near,110,110,170,ns,less,,,0.0,Kept
rtt-spin,1,\"shaq\",Peer,P,near,110,110,340,ns,less,,,0.0,Kept
rtt-spin,1,\"shaq\",Peer,P,near,110,450,9999,ns,less,,,0.0,Regimes
rtt-spin,1,\"shaq\",Peer,P,near,110,110,9999,ns,less,,,0.2,Disturbed
rtt-spin,2,\"shaq\",Peer,P,far,450,450,800,ns,less,,,0.0,Kept
spsc-8,0,\"ringmail, two processes\",Ours,P,near,110,110,200,million/s,more,,,0.0,Kept
spsc-8,0,\"rtrb\",Peer,T,near,110,110,250,million/s,more,,,0.0,Kept
spsc-8,0,\"bare stream\",Limit,P,near,110,110,260,million/s,more,,,0.0,Kept
";

    #[test]
    fn samples_are_read_and_what_was_discarded_is_not() {
        let samples = Samples::parse(RUN).expect("it is well formed");
        assert_eq!(samples.machine.len(), 2);
        assert_eq!(samples.kept.len(), 9);
        assert_eq!(samples.regime(), Regime::Near);
        assert_eq!(samples.median("rtt-spin", Regime::Near, ("shaq", false)), Some(330.0));
        assert_eq!(samples.median("rtt-spin", Regime::Far, ("shaq", false)), Some(800.0));
        assert_eq!(samples.median("rtt-spin", Regime::Near, ("shaq", true)), None);
        assert_eq!(samples.contestants("rtt-spin", Regime::Near).len(), 3);
    }

    #[test]
    fn an_advantage_is_above_one_whichever_way_the_unit_goes() {
        let samples = Samples::parse(RUN).expect("it is well formed");
        let ours = ("ringmail spsc", false);
        let ahead = samples.advantage("rtt-spin", Regime::Near, ours, ("shaq", false)).expect("two rounds");
        assert_eq!(ahead, Advantage { median: 2.0, is_tie: false });
        let behind = samples.advantage("rtt-spin", Regime::Near, ours, ("rtrb", true)).expect("one round");
        assert_eq!(behind.median, 0.75);
        let ours = ("ringmail, two processes", false);
        let behind = samples.advantage("spsc-8", Regime::Near, ours, ("rtrb", true)).expect("one round");
        assert_eq!(behind.median, 0.8);
        assert_eq!(samples.advantage("spsc-8", Regime::Far, ours, ("rtrb", true)), None);
    }

    #[test]
    fn a_tie_is_called_one() {
        assert!(Advantage::of(vec![0.97, 0.99, 1.01, 1.02]).expect("ratios").is_tie);
        assert!(!Advantage::of(vec![0.9, 1.1, 1.2, 1.2, 1.3]).expect("ratios").is_tie);
        assert!(Advantage::of(Vec::new()).is_none());
    }

    #[test]
    fn a_missing_column_is_named() {
        let error = Samples::parse("case,round\nx,0\n").expect_err("there is no verdict");
        assert!(error.to_string().contains("verdict"), "{error}");
    }
}
