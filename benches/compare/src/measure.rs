//! The samples of a case: contestants in turns, each between two probes, again if it was disturbed.

use crate::Arguments;
use crate::cases::{Case, Kind, Outcome, Size};
use crate::crew::Cores;
use crate::record::{Record, Taken};
use crate::regime::{self, Regime};
use crate::sample::{Sample, Samples};
use std::time::Duration;

/// The most often that one sample is tried.
const TRIES: usize = 5;
/// The largest part of the time that a worker may be kept from running.
const MOST_DELAYED: f64 = 0.04;

/// A contestant that so often did not come to an end takes no further part in a case.
const MOST_STUCK: usize = 2;

/// Takes all samples of a case.
pub fn take(case: &Case, arguments: &Arguments, record: &mut Record) -> Samples {
    let cores = &arguments.cores;
    let mut samples = Samples { kept: Vec::new(), sound: true };
    let mut sizes = Vec::new();
    for contestant in &case.contestants {
        let size = size(case.size, &contestant.run, cores, arguments.sample);
        if size.is_none() {
            println!("  left out: {} ({}) failed at once", contestant.name, contestant.mode.letter());
            samples.sound &= contestant.kind() == Kind::Peer;
        }
        sizes.push(size);
    }
    let rounds = match case.size {
        Size::Fitting { .. } => arguments.rounds,
        Size::Fixed { rounds, .. } => rounds.min(arguments.rounds),
    };
    let mut discarded = [0_usize; 3];
    let mut stuck = vec![0; case.contestants.len()];
    for round in 0..rounds {
        for (place, contestant) in case.contestants.iter().enumerate() {
            let Some(n) = sizes[place] else { continue };
            if stuck[place] >= MOST_STUCK {
                continue;
            }
            for _ in 0..TRIES {
                let before = regime::probe(cores);
                let outcome = (contestant.run)(cores, n);
                let after = regime::probe(cores);
                let regime = Regime::of(before);
                let verdict = match &outcome {
                    None => Verdict::Stuck,
                    Some(_) if Regime::of(after) != regime => Verdict::Regimes,
                    Some(outcome) if is_disturbed(outcome, cores) => Verdict::Disturbed,
                    Some(_) => Verdict::Kept,
                };
                let keep = verdict == Verdict::Kept || (arguments.quick && verdict == Verdict::Disturbed);
                let taken = Taken {
                    case,
                    round,
                    contestant,
                    probes: (before, after),
                    outcome: outcome.as_ref(),
                    verdict: &format!("{:?}", if keep { Verdict::Kept } else { verdict }),
                    kept: keep,
                };
                record.add(&taken).expect("cannot write the samples");
                if let (Some(outcome), true) = (outcome, keep) {
                    samples.kept.push(Sample { round, contestant: place, regime, outcome });
                    break;
                }
                discarded[verdict as usize - 1] += 1;
                if verdict == Verdict::Stuck {
                    stuck[place] += 1;
                    samples.sound &= contestant.kind() == Kind::Peer;
                    break;
                }
            }
        }
    }
    if discarded.iter().any(|&count| count > 0) {
        let [regimes, disturbed, stuck] = discarded;
        println!("  discarded: {regimes} between regimes, {disturbed} disturbed, {stuck} failed or did not end");
    }
    record.end_case().expect("cannot write the histograms");
    samples
}

/// What became of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Kept,
    /// The probes before and after it differ.
    Regimes,
    /// Something else took part of a core.
    Disturbed,
    /// It failed, or did not come to an end.
    Stuck,
}

fn is_disturbed(outcome: &Outcome, cores: &Cores) -> bool {
    outcome.log.workers <= cores.list.len() && outcome.log.delayed > MOST_DELAYED
}

/// How many things fill the time of a sample; `None` if even a few did not come to an end.
fn size(size: Size, run: &dyn Fn(&Cores, u64) -> Option<Outcome>, cores: &Cores, sample: Duration) -> Option<u64> {
    let (first, step) = match size {
        Size::Fitting { first, step } => (first, step),
        Size::Fixed { n, .. } => return Some(n),
    };
    let mut n = first.next_multiple_of(step);
    for _ in 0..2 {
        let elapsed = run(cores, n)?.log.elapsed;
        let fitting = n as f64 * sample.as_secs_f64() / elapsed.as_secs_f64();
        n = (fitting as u64).next_multiple_of(step).max(step);
    }
    Some(n)
}
