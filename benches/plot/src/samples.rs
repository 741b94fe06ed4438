//! The samples of a run, as `ringmail-compare` wrote them, and what may be said about them.
//!
//! Only samples that were kept are read, and who did not come to an end. Figures are medians within one regime.

use crate::origin::{self, Origin};
use crate::ratio::{self, Ratio};
use std::collections::{BTreeMap, BTreeSet};
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

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ours => "Ours",
            Self::Peer => "Peer",
            Self::Limit => "Limit",
        })
    }
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
    /// Of each of many, where each was timed.
    pub p99: Option<f64>,
    pub unit: String,
    pub less_is_better: bool,
}

/// Who failed, or did not come to an end, in a case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Stuck {
    case: String,
    contestant: String,
    threads: bool,
    /// What became of him, in words.
    word: &'static str,
}

/// A run, or several that were put together.
#[derive(Clone, Debug, Default)]
pub struct Samples {
    /// What it was taken with, as lines of text.
    pub machine: Vec<String>,
    /// When and from what each case was taken, where that was noted.
    pub origins: BTreeMap<String, Origin>,
    pub kept: Vec<Sample>,
    stuck: BTreeSet<Stuck>,
}

/// A contestant of a case: its name, and whether it lives in threads.
pub type Name<'a> = (&'a str, bool);

impl Samples {
    pub fn read(path: &Path) -> Result<Self, Box<dyn Error>> {
        let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Self::parse(&text)
    }

    pub fn parse(text: &str) -> Result<Self, Box<dyn Error>> {
        let (mut machine, mut origins) = (Vec::new(), BTreeMap::new());
        for line in text.lines().filter_map(|line| line.strip_prefix("# ")) {
            match origin::parse(line) {
                Some((case, origin)) => drop(origins.insert(case.to_owned(), origin)),
                // Runs that were put together may say the same.
                None if machine.iter().any(|known| known == line) => {}
                None => machine.push(line.to_owned()),
            }
        }
        let mut reader = csv::ReaderBuilder::new().comment(Some(b'#')).from_reader(text.as_bytes());
        let columns = reader.headers()?.clone();
        let (mut kept, mut stuck) = (Vec::new(), BTreeSet::new());
        for row in reader.records() {
            let row = row?;
            let field = |name: &str| {
                let place = columns.iter().position(|column| column == name);
                place.and_then(|place| row.get(place)).ok_or_else(|| format!("the samples have no column {name}"))
            };
            let verdict = field("verdict")?;
            let (case, contestant) = (field("case")?.to_owned(), field("contestant")?.to_owned());
            let threads = field("mode")? == "T";
            let word = match verdict {
                "Stuck" => "did not end",
                "Failed" => "failed",
                "Kept" => "",
                _ => continue,
            };
            if !word.is_empty() {
                stuck.insert(Stuck { case, contestant, threads, word });
                continue;
            }
            kept.push(Sample {
                case,
                round: field("round")?.parse()?,
                contestant,
                kind: match field("kind")? {
                    "Ours" => Kind::Ours,
                    "Limit" => Kind::Limit,
                    _ => Kind::Peer,
                },
                threads,
                regime: Regime::named(field("regime")?).ok_or("a regime that nobody knows")?,
                value: field("value")?.parse()?,
                p99: field("p99")?.parse().ok(),
                unit: field("unit")?.to_owned(),
                less_is_better: field("better")? == "less",
            });
        }
        Ok(Self { machine, origins, kept, stuck })
    }

    /// The regime in which most samples were taken: the one that pictures show.
    pub fn regime(&self) -> Regime {
        let count = |regime: &Regime| self.kept.iter().filter(|sample| sample.regime == *regime).count();
        Regime::ALL.into_iter().max_by_key(count).unwrap_or(Regime::Near)
    }

    /// The regime that tells of a case: that of most samples, unless the case has too few rounds in it and more in another.
    pub fn regime_of(&self, case: &str) -> Regime {
        let usual = self.regime();
        let rounds = |regime: Regime| {
            let ours = self.of(case, regime).filter(|sample| sample.kind == Kind::Ours);
            ours.map(|sample| sample.round).collect::<BTreeSet<_>>().len()
        };
        if rounds(usual) >= ratio::ENOUGH {
            return usual;
        }
        let others = Regime::ALL.into_iter().filter(|&regime| regime != usual);
        others.chain([usual]).max_by_key(|&regime| rounds(regime)).unwrap_or(usual)
    }

    /// The cases, in the order of the run, and last those in which nobody came to an end.
    pub fn cases(&self) -> Vec<&str> {
        let mut known = BTreeSet::new();
        let cases = self.kept.iter().map(|sample| sample.case.as_str());
        let cases = cases.chain(self.stuck.iter().map(|stuck| stuck.case.as_str()));
        cases.filter(|case| known.insert(*case)).collect()
    }

    fn of<'a>(&'a self, case: &str, regime: Regime) -> impl Iterator<Item = &'a Sample> {
        self.kept.iter().filter(move |sample| sample.case == case && sample.regime == regime)
    }

    fn of_one<'a>(
        &'a self,
        case: &str,
        regime: Regime,
        (contestant, threads): Name<'_>,
    ) -> impl Iterator<Item = &'a Sample> {
        self.of(case, regime)
            .filter(move |sample| (sample.contestant.as_str(), sample.threads) == (contestant, threads))
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

    /// Who has no sample at all in a case because he failed or did not come to an end, and which of these it was.
    pub fn stuck(&self, case: &str) -> BTreeMap<Name<'_>, &'static str> {
        let of_case = self.stuck.iter().filter(|stuck| stuck.case == case);
        let names = of_case.map(|stuck| ((stuck.contestant.as_str(), stuck.threads), stuck.word));
        let has_samples =
            |name: Name<'_>| Regime::ALL.iter().any(|&regime| self.of_one(case, regime, name).next().is_some());
        names.filter(|&(name, _)| !has_samples(name)).collect()
    }

    /// A contestant's figures, one a round.
    pub fn figures(&self, case: &str, regime: Regime, name: Name<'_>) -> Vec<f64> {
        self.of_one(case, regime, name).map(|sample| sample.value).collect()
    }

    /// The median of what one in a hundred took longer than.
    pub fn p99(&self, case: &str, regime: Regime, name: Name<'_>) -> Option<f64> {
        ratio::median(self.of_one(case, regime, name).filter_map(|sample| sample.p99).collect())
    }

    pub fn median(&self, case: &str, regime: Regime, name: Name<'_>) -> Option<f64> {
        ratio::median(self.figures(case, regime, name))
    }

    /// The case's unit, and whether less of it is better.
    pub fn unit(&self, case: &str) -> Option<(&str, bool)> {
        let sample = self.kept.iter().find(|sample| sample.case == case)?;
        Some((&sample.unit, sample.less_is_better))
    }

    /// How much better the first contestant is than the second: above one it is, whichever way the unit goes. The median of ratios of
    /// neighbours, each within one round: what was measured at different times is not compared.
    pub fn ratio(&self, case: &str, regime: Regime, ours: Name<'_>, theirs: Name<'_>) -> Option<Ratio> {
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
            let (ours, theirs) = (ours?, theirs?);
            Some(if less_is_better { theirs / ours } else { ours / theirs })
        };
        // Beside nothing there is no ratio.
        Ratio::of(rounds.into_values().filter_map(ratio).filter(|ratio| ratio.is_finite()).collect())
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// Two rounds of one case, and one sample that was discarded.
    pub const RUN: &str = "\
# machine: a CPU, 2 cores; Linux 6; rustc 1
# peers: rtrb 0.4.1
# case rtt-spin: date=2026-11-29, commit=abcdef0, rounds=3, rustc=1.95.0
case,round,contestant,kind,mode,regime,probe_before_ns,probe_after_ns,value,unit,better,p99,p999,delayed,verdict
rtt-spin,0,\"ringmail spsc\",Ours,P,near,110,110,160,ns,less,200,300,0.0,Kept
rtt-spin,0,\"rtrb\",Peer,T,near,110,110,120,ns,less,,,0.0,Kept
rtt-spin,0,\"shaq\",Peer,P,near,110,110,320,ns,less,,,0.0,Kept
rtt-spin,1,\"ringmail spsc\",Ours,P,near,110,110,170,ns,less,,,0.0,Kept
rtt-spin,1,\"shaq\",Peer,P,near,110,110,340,ns,less,,,0.0,Kept
rtt-spin,1,\"shaq\",Peer,P,near,110,450,9999,ns,less,,,0.0,Regimes
rtt-spin,1,\"shaq\",Peer,P,near,110,110,9999,ns,less,,,0.2,Disturbed
rtt-spin,1,\"pipe\",Peer,P,near,110,110,,ns,less,,,,Stuck
rtt-spin,2,\"shaq\",Peer,P,near,110,110,,ns,less,,,,Stuck
rtt-spin,0,\"ipmpsc\",Peer,P,near,110,110,,ns,less,,,,Failed
rtt-spin,2,\"shaq\",Peer,P,far,450,450,800,ns,less,,,0.0,Kept
spsc-8,0,\"ringmail, two processes\",Ours,P,near,110,110,200,million/s,more,,,0.0,Kept
spsc-8,0,\"rtrb\",Peer,T,near,110,110,250,million/s,more,,,0.0,Kept
spsc-8,0,\"bare stream\",Limit,P,near,110,110,260,million/s,more,,,0.0,Kept
";

    /// Samples of one case from rows of contestant, mode, regime and figures, one a round; a contestant named `ringmail...` is ours.
    pub fn rows(case: &str, better: &str, rows: &[(&str, &str, &str, &[f64])]) -> String {
        let mut text = String::new();
        for (name, mode, regime, figures) in rows {
            let kind = if name.starts_with("ringmail") { "Ours" } else { "Peer" };
            for (round, figure) in figures.iter().enumerate() {
                text += &format!(
                    "{case},{round},\"{name}\",{kind},{mode},{regime},110,110,{figure},ns,{better},,,0.0,Kept\n"
                );
            }
        }
        text
    }

    /// The line above all rows.
    pub fn head() -> &'static str {
        RUN.lines().find(|line| line.starts_with("case,")).expect("it is there")
    }

    #[test]
    fn samples_are_read_and_what_was_discarded_is_not() {
        let samples = Samples::parse(RUN).expect("it is well formed");
        assert_eq!(samples.machine.len(), 2);
        assert_eq!(samples.kept.len(), 9);
        assert_eq!(samples.regime(), Regime::Near);
        assert_eq!(samples.median("rtt-spin", Regime::Near, ("shaq", false)), Some(330.0));
        assert_eq!(samples.median("rtt-spin", Regime::Far, ("shaq", false)), Some(800.0));
        assert_eq!(samples.median("rtt-spin", Regime::Near, ("shaq", true)), None);
        assert_eq!(samples.p99("rtt-spin", Regime::Near, ("ringmail spsc", false)), Some(200.0));
        assert_eq!(samples.contestants("rtt-spin", Regime::Near).len(), 3);
        assert_eq!(samples.cases(), ["rtt-spin", "spsc-8"]);
    }

    #[test]
    fn who_never_came_to_an_end_is_known() {
        let samples = Samples::parse(RUN).expect("it is well formed");
        let stuck = BTreeMap::from([(("ipmpsc", false), "failed"), (("pipe", false), "did not end")]);
        assert_eq!(samples.stuck("rtt-spin"), stuck, "shaq came to its end in other rounds");
        assert!(samples.stuck("spsc-8").is_empty());
    }

    #[test]
    fn a_ratio_is_above_one_whichever_way_the_unit_goes() {
        let samples = Samples::parse(RUN).expect("it is well formed");
        let ours = ("ringmail spsc", false);
        let ahead = samples.ratio("rtt-spin", Regime::Near, ours, ("shaq", false)).expect("two rounds");
        assert_eq!((ahead.median, ahead.rounds), (2.0, 2));
        let behind = samples.ratio("rtt-spin", Regime::Near, ours, ("rtrb", true)).expect("one round");
        assert_eq!(behind.median, 0.75);
        let ours = ("ringmail, two processes", false);
        let behind = samples.ratio("spsc-8", Regime::Near, ours, ("rtrb", true)).expect("one round");
        assert_eq!(behind.median, 0.8);
        assert_eq!(samples.ratio("spsc-8", Regime::Far, ours, ("rtrb", true)), None);
    }

    #[test]
    fn a_case_is_told_in_the_regime_that_has_enough_rounds_of_it() {
        let six = [1.0; 6];
        let text = [
            head(),
            "\n",
            &rows("usual", "less", &[("ringmail", "P", "near", &six), ("a", "P", "near", &six)]),
            &rows("both", "less", &[("ringmail", "P", "near", &six[..5]), ("ringmail", "P", "far", &six)]),
            &rows("few", "less", &[("ringmail", "P", "near", &six[..4]), ("ringmail", "P", "far", &six)]),
            &rows("fewer", "less", &[("ringmail", "P", "near", &six[..2]), ("ringmail", "P", "far", &six[..1])]),
        ]
        .concat();
        let samples = Samples::parse(&text).expect("it is well formed");
        let regimes = ["usual", "both", "few", "fewer"].map(|case| samples.regime_of(case));
        assert_eq!(regimes, [Regime::Near, Regime::Near, Regime::Far, Regime::Near]);
    }

    #[test]
    fn a_missing_column_is_named() {
        let error = Samples::parse("case,round\nx,0\n").expect_err("there is no verdict");
        assert!(error.to_string().contains("verdict"), "{error}");
    }
}
