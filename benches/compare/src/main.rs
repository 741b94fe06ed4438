//! Ringmail beside its peers: side by side, on the same cores, in the same run, in the same regime.
//!
//! ```text
//! cargo run --release -p ringmail-compare -- [options] [case...]
//! ```
//!
//! Cases are named by any part of their names; without one, all are run. Contestants take turns (A B C, A B C), and each
//! sample lies between two probes of the [regime]. One is discarded, and taken again, if the probes differ, or if one of
//! its workers was kept from running for more than 4 % of the time (which cannot be told where workers outnumber cores).

mod bare;
mod cases;
mod crew;
mod machine;
mod payload;
mod regime;
mod sample;

use cases::{Case, Contestant, Outcome};
use crew::Cores;
use regime::Regime;
use sample::{Sample, Samples};
use std::fs::File;
use std::io::Write;
use std::time::Duration;

const HELP: &str = "\
ringmail-compare [options] [case...]
  --rounds N          rounds per case (at least 5; 11)
  --sample-ms N       length of a sample in milliseconds (60)
  --quick             3 rounds of short samples, and keeps disturbed ones: shows that everything runs, measures nothing
  --cores A,B,...     cores to run on, two at least (0,1)
  --float             crews of more than two workers may run on any of the cores
  --csv PATH          writes every sample, discarded ones too
  --list              names the cases";

/// The most often that one sample is tried.
const TRIES: usize = 5;
/// The largest part of the time that a worker may be kept from running.
const MOST_DELAYED: f64 = 0.04;

/// A contestant that so often did not come to an end takes no further part in a case.
const MOST_STUCK: usize = 2;

struct Arguments {
    rounds: usize,
    sample: Duration,
    quick: bool,
    cores: Cores,
    csv: Option<File>,
    list: bool,
    filters: Vec<String>,
}

fn arguments() -> Result<Arguments, lexopt::Error> {
    use lexopt::prelude::*;
    let (mut rounds, mut sample_ms, mut quick) = (None, None, false);
    let (mut list, mut float, mut csv, mut filters) = (false, false, None, Vec::new());
    let mut cores = vec![0, 1];
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("rounds") => rounds = Some(parser.value()?.parse::<usize>()?),
            Long("sample-ms") => sample_ms = Some(parser.value()?.parse::<u64>()?),
            Long("quick") => quick = true,
            Long("float") => float = true,
            Long("list") => list = true,
            Long("cores") => {
                let value = parser.value()?.string()?;
                cores = value.split(',').map(str::parse).collect::<Result<_, _>>().map_err(|_| "a list of numbers")?;
            }
            Long("csv") => {
                let path = parser.value()?;
                csv = Some(File::create(&path).map_err(|error| format!("cannot write {path:?}: {error}"))?);
            }
            Long("help") | Short('h') => {
                println!("{HELP}");
                std::process::exit(0);
            }
            Value(filter) => filters.push(filter.string()?),
            _ => return Err(argument.unexpected()),
        }
    }
    let distinct: std::collections::BTreeSet<_> = cores.iter().collect();
    if cores.len() < 2 || distinct.len() != cores.len() || cores.iter().any(|&core| core >= 1024) {
        return Err("at least two cores, each once".into());
    }
    Ok(Arguments {
        rounds: if quick { rounds.unwrap_or(3) } else { rounds.unwrap_or(11).max(5) },
        sample: Duration::from_millis(sample_ms.unwrap_or(if quick { 5 } else { 60 }).max(1)),
        quick,
        cores: Cores { list: cores, float },
        csv,
        list,
        filters,
    })
}

fn main() {
    let mut arguments = arguments().unwrap_or_else(|error| {
        eprintln!("{error}\n\n{HELP}");
        std::process::exit(2);
    });
    let cases = cases::all();
    let wanted = |case: &&Case| {
        arguments.filters.is_empty() || arguments.filters.iter().any(|filter| case.name.contains(filter.as_str()))
    };
    let cases: Vec<_> = cases.iter().filter(wanted).collect();
    if cases.is_empty() {
        eprintln!("no such case; --list names them");
        std::process::exit(2);
    }
    if arguments.list {
        cases.iter().for_each(|case| println!("{:<18} {}", case.name, case.about));
        return;
    }
    print!("{}", machine::lines(&arguments.cores));
    println!("{} rounds, samples of {:?}; (T) threads, (P) processes\n", arguments.rounds, arguments.sample);
    let mut csv = arguments.csv.take();
    write(&mut csv, "case,round,contestant,mode,probe_before_ns,probe_after_ns,value,unit,p99,delayed,verdict");
    let mut sound = true;
    for case in cases {
        println!("{}: {}", case.name, case.about);
        let samples = measure(case, &arguments, &mut csv);
        println!("{}", sample::report(case, &samples));
        sound &= samples.sound;
    }
    if !sound {
        eprintln!("a sample of Ringmail's own failed: see above");
        std::process::exit(1);
    }
}

/// Takes all samples of a case.
fn measure(case: &Case, arguments: &Arguments, csv: &mut Option<File>) -> Samples {
    let cores = &arguments.cores;
    let mut samples = Samples { kept: Vec::new(), sound: true };
    let mut sizes = Vec::new();
    for contestant in &case.contestants {
        let size = size(case, &contestant.run, cores, arguments.sample);
        if size.is_none() {
            println!("  left out: {} ({}) failed at once", contestant.name, contestant.mode.letter());
            samples.sound &= !is_ours(contestant);
        }
        sizes.push(size);
    }
    let mut discarded = [0_usize; 3];
    let mut stuck = vec![0; case.contestants.len()];
    for round in 0..arguments.rounds {
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
                let (value, p99, delayed) = outcome
                    .as_ref()
                    .map_or((f64::NAN, None, f64::NAN), |outcome| (outcome.value, outcome.p99, outcome.log.delayed));
                let p99 = p99.map_or_else(String::new, |p99| format!("{p99:.3}"));
                write(
                    csv,
                    &format!(
                        "{},{round},\"{}\",{},{before:.1},{after:.1},{value:.4},{},{p99},{delayed:.4},{verdict:?}",
                        case.name,
                        contestant.name,
                        contestant.mode.letter(),
                        case.direction.unit(),
                    ),
                );
                let keep = verdict == Verdict::Kept || (arguments.quick && verdict == Verdict::Disturbed);
                if let (Some(outcome), true) = (outcome, keep) {
                    samples.kept.push(Sample { round, contestant: place, regime, outcome });
                    break;
                }
                discarded[verdict as usize - 1] += 1;
                if verdict == Verdict::Stuck {
                    stuck[place] += 1;
                    samples.sound &= !is_ours(contestant);
                    break;
                }
            }
        }
    }
    if discarded.iter().any(|&count| count > 0) {
        let [regimes, disturbed, stuck] = discarded;
        println!("  discarded: {regimes} between regimes, {disturbed} disturbed, {stuck} failed or did not end");
    }
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

/// Whether a failure is Ringmail's; peers may fail, and some are known to.
fn is_ours(contestant: &Contestant) -> bool {
    !["shaq", "kanal", "rtrb", "disruptor"].contains(&contestant.name.split([' ', ',']).next().unwrap_or_default())
}

fn is_disturbed(outcome: &Outcome, cores: &Cores) -> bool {
    outcome.log.workers <= cores.list.len() && outcome.log.delayed > MOST_DELAYED
}

/// How many things fill the time of a sample; `None` if even a few did not come to an end.
fn size(case: &Case, run: &dyn Fn(&Cores, u64) -> Option<Outcome>, cores: &Cores, sample: Duration) -> Option<u64> {
    let mut n = case.first.next_multiple_of(case.step);
    for _ in 0..2 {
        let elapsed = run(cores, n)?.log.elapsed;
        let fitting = n as f64 * sample.as_secs_f64() / elapsed.as_secs_f64();
        n = (fitting as u64).next_multiple_of(case.step).max(case.step);
    }
    Some(n)
}

fn write(csv: &mut Option<File>, line: &str) {
    if let Some(file) = csv {
        writeln!(file, "{line}").expect("cannot write the samples");
    }
}
