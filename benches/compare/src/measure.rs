//! The samples of a case: contestants in turns, each between two probes, again if it was disturbed.

use crate::Arguments;
use crate::cases::{Case, Kind, Outcome, Size};
use crate::crew::{self, Cores};
use crate::record::{Record, Taken};
use crate::regime::{self, Regime};
use crate::sample::{Sample, Samples};
use std::collections::BTreeMap;
use std::time::Duration;

/// The most often that one sample is tried.
const TRIES: usize = 5;
/// The largest part of the time that a worker may be kept from running.
const MOST_DELAYED: f64 = 0.04;

/// A contestant that so often did not come to an end takes no further part in a case. After the first time it is given less to do.
const MOST_STUCK: usize = 2;

/// Takes all samples of a case.
pub fn take(case: &Case, arguments: &Arguments, record: &mut Record) -> Samples {
    let cores = &arguments.cores;
    let mut samples = Samples { kept: Vec::new(), stuck: BTreeMap::new(), sound: true };
    record.begin_case(case);
    let mut sizes = Vec::new();
    for (place, contestant) in case.contestants.iter().enumerate() {
        let size = size(case.size, &contestant.run, cores, arguments.sample);
        if size.is_none() {
            let verdict = Verdict::without_outcome();
            println!("  left out: {} ({}) {}", contestant.name, contestant.mode.letter(), verdict.word());
            samples.stuck.insert(place, verdict.word());
            samples.sound &= contestant.kind() == Kind::Peer;
            let probe = regime::probe(cores, 2);
            record.add(&Taken {
                case,
                round: 0,
                contestant,
                probes: (probe, probe),
                outcome: None,
                verdict: verdict.name(),
                kept: false,
            });
        }
        sizes.push(size);
    }
    let rounds = match case.size {
        Size::Fitting { .. } => arguments.rounds,
        Size::Fixed { rounds, .. } => rounds.min(arguments.rounds),
    };
    let mut discarded = BTreeMap::<Verdict, usize>::new();
    let mut stuck = vec![0; case.contestants.len()];
    for round in 0..rounds {
        for (place, contestant) in case.contestants.iter().enumerate() {
            let Some((n, workers)) = sizes[place] else { continue };
            if stuck[place] >= MOST_STUCK {
                continue;
            }
            for _ in 0..TRIES {
                let before = regime::probe(cores, workers);
                let outcome = (contestant.run)(cores, n);
                let after = regime::probe(cores, workers);
                let regime = Regime::of(before);
                let verdict = match &outcome {
                    None => Verdict::without_outcome(),
                    Some(_) if Regime::of(after) != regime => Verdict::Regimes,
                    Some(outcome) if outcome.log.delayed > MOST_DELAYED => Verdict::Disturbed,
                    Some(_) => Verdict::Kept,
                };
                let keep = verdict == Verdict::Kept || (arguments.quick && verdict == Verdict::Disturbed);
                let taken = Taken {
                    case,
                    round,
                    contestant,
                    probes: (before, after),
                    outcome: outcome.as_ref(),
                    verdict: if keep { Verdict::Kept } else { verdict }.name(),
                    kept: keep,
                };
                record.add(&taken);
                if let (Some(outcome), true) = (outcome, keep) {
                    samples.kept.push(Sample { round, contestant: place, regime, outcome });
                    break;
                }
                *discarded.entry(verdict).or_default() += 1;
                if matches!(verdict, Verdict::Stuck | Verdict::Failed) {
                    stuck[place] += 1;
                    // A queue whose speed varies a hundredfold: what took it a moment may take it a minute.
                    if let (Size::Fitting { step, .. }, Some((n, _))) = (case.size, &mut sizes[place]) {
                        *n = (*n / 16).next_multiple_of(step).max(step);
                    }
                    samples.stuck.insert(place, verdict.word());
                    samples.sound &= contestant.kind() == Kind::Peer;
                    break;
                }
            }
        }
    }
    if !discarded.is_empty() {
        let counts: Vec<_> = discarded.iter().map(|(verdict, count)| format!("{count} {}", verdict.word())).collect();
        println!("  discarded: {}", counts.join(", "));
    }
    record.end_case(case).expect("cannot write the samples");
    samples
}

/// What became of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    Kept,
    /// The probes before and after it differ.
    Regimes,
    /// Something else took part of a core.
    Disturbed,
    /// It did not come to an end in its time.
    Stuck,
    /// One of its workers failed.
    Failed,
}

impl Verdict {
    /// That of the crew that just ran and left nothing.
    fn without_outcome() -> Self {
        if crew::ran_out_of_time() { Self::Stuck } else { Self::Failed }
    }

    /// As it stands in the file of samples.
    fn name(self) -> &'static str {
        match self {
            Self::Kept => "Kept",
            Self::Regimes => "Regimes",
            Self::Disturbed => "Disturbed",
            Self::Stuck => "Stuck",
            Self::Failed => "Failed",
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Regimes => "between regimes",
            Self::Disturbed => "disturbed",
            Self::Stuck => "did not end",
            Self::Failed => "failed",
        }
    }
}

/// How many things fill the time of a sample, and how many workers do them; `None` if even a few did not come to an end.
fn size(
    size: Size,
    run: &dyn Fn(&Cores, u64) -> Option<Outcome>,
    cores: &Cores,
    sample: Duration,
) -> Option<(u64, usize)> {
    let (first, step) = match size {
        Size::Fitting { first, step } => (first, step),
        // Those are all of two workers.
        Size::Fixed { n, .. } => return Some((n, 2)),
    };
    let (mut n, mut workers) = (first.next_multiple_of(step), 2);
    for _ in 0..2 {
        let log = run(cores, n)?.log;
        let fitting = n as f64 * sample.as_secs_f64() / log.elapsed.as_secs_f64();
        n = (fitting as u64).next_multiple_of(step).max(step);
        workers = log.workers;
    }
    Some((n, workers))
}
