//! Ringmail beside its peers: side by side, on the same cores, in the same run, in the same regime.
//!
//! ```text
//! cargo run --release -p ringmail-compare -- [options] [case...]
//! ```
//!
//! Cases are named by any part of their names; without one, all are run. Contestants take turns (A B C, A B C), and each
//! sample lies between two probes of the [regime]. One is discarded, and taken again, if the probes differ, or if one of
//! its workers was kept from running for more than 4 % of the time; where workers outnumber cores and keep each other from running, if anybody else
//! [ran](bystanders) for as long.

mod bare;
mod bystanders;
mod cases;
mod crew;
mod machine;
mod measure;
mod names;
mod payload;
mod peers;
mod queue;
mod record;
mod regime;
mod sample;
mod times;
mod vyukov;

use cases::Case;
use crew::Cores;
use machine::Provenance;
use record::Record;
use std::path::PathBuf;
use std::time::Duration;

const HELP: &str = "\
ringmail-compare [options] [case...]
  --rounds N          rounds per case (at least 5; 11)
  --sample-ms N       length of a sample in milliseconds (60)
  --quick             3 rounds of short samples, and keeps disturbed ones: shows that everything runs, measures nothing
  --cores A,B,...     cores to run on, two at least (0,1)
  --float             crews of more than two workers may run on any of the cores
  --csv PATH          writes every sample, discarded ones too, and beside it a histogram for each latency
  --merge             keeps the samples of other cases that PATH (target/compare/samples.csv) has already; each case has a line
                      that says when and with what its samples were taken
  --list              names the cases";

struct Arguments {
    rounds: usize,
    sample: Duration,
    quick: bool,
    cores: Cores,
    csv: Option<PathBuf>,
    merge: bool,
    list: bool,
    filters: Vec<String>,
}

fn arguments() -> Result<Arguments, lexopt::Error> {
    use lexopt::prelude::*;
    let (mut rounds, mut sample_ms, mut quick) = (None, None, false);
    let (mut list, mut float, mut merge, mut csv, mut filters) = (false, false, false, None, Vec::new());
    let mut cores = vec![0, 1];
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("rounds") => rounds = Some(parser.value()?.parse::<usize>()?),
            Long("sample-ms") => sample_ms = Some(parser.value()?.parse::<u64>()?),
            Long("quick") => quick = true,
            Long("float") => float = true,
            Long("list") => list = true,
            Long("merge") => merge = true,
            Long("cores") => {
                let value = parser.value()?.string()?;
                cores = value.split(',').map(str::parse).collect::<Result<_, _>>().map_err(|_| "a list of numbers")?;
            }
            Long("csv") => csv = Some(PathBuf::from(parser.value()?)),
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
        csv: csv.or_else(|| merge.then(|| PathBuf::from("target/compare/samples.csv"))),
        merge,
        list,
        filters,
    })
}

fn main() {
    let mut arguments = arguments().unwrap_or_else(|error| {
        eprintln!("{error}\n\n{HELP}");
        std::process::exit(2);
    });
    // Peers fail, and the report says so; where, is enough.
    std::panic::set_hook(Box::new(|panic| eprintln!("  {panic}")));
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
    let Arguments { rounds, sample, quick, .. } = arguments;
    let (sample_ms, quick) = (sample.as_millis(), if quick { "yes" } else { "no" });
    let how = format!("rounds={rounds}, sample={sample_ms}ms, quick={quick}");
    let provenance = Provenance::now(&arguments.cores, how);
    let machine = provenance.lines();
    println!("{machine}(T) threads, (P) processes\n");
    let record = Record::new(arguments.csv.take(), arguments.merge, &machine, provenance.line());
    let mut record = record.unwrap_or_else(|error| {
        eprintln!("cannot write the samples: {error}");
        std::process::exit(2);
    });
    let mut sound = true;
    for case in cases {
        println!("{}: {}", case.name, case.about);
        let samples = measure::take(case, &arguments, &mut record);
        println!("{}", sample::report(case, &samples));
        sound &= samples.sound;
    }
    if !sound {
        eprintln!("a sample of Ringmail's own failed: see above");
        std::process::exit(1);
    }
}
