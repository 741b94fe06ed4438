//! `cargo xtask bench`: how fast it is.

use crate::run::{cargo, run as run_plainly, target};
use std::path::Path;

/// Runs the benchmarks that are asked for.
pub fn run(args: &[&str]) -> Result<bool, String> {
    match args {
        // Those that say in which regime they were taken come first.
        [] => Ok(compare(&[]) & in_process(&[])),
        ["in-process", rest @ ..] => Ok(in_process(rest)),
        ["compare", rest @ ..] => Ok(compare(rest)),
        ["instructions", rest @ ..] => Ok(instructions(rest)),
        [other, ..] => Err(format!("no such kind of benchmark: {other}")),
    }
}

/// What must be known of figures whose regime nobody asked for.
const UNTAGGED: &str = "\
Untagged: between the benchmarks that follow nobody probes how far apart the cores are, so the same code may take several times as long in one as in
the next. Compare neighbours of one group, in several runs; `cargo xtask bench compare` says of each sample in which regime it was taken.";

/// Between threads of one process, beside other queues in the same run.
fn in_process(rest: &[&str]) -> bool {
    println!("\n{UNTAGGED}");
    run_plainly(cargo(
        &[&["bench", "--package", "ringmail", "--features", "value", "--bench", "*", "--"], rest].concat(),
    ))
}

/// The file of samples that a comparison leaves; its histograms lie beside it.
pub fn samples() -> String {
    format!("{}/samples.csv", target("compare"))
}

/// Between processes, beside other crates in the same run, with every peer.
fn compare(rest: &[&str]) -> bool {
    if !Path::new("benches/compare/Cargo.toml").exists() {
        println!("\nbenches/compare skipped: it is not in this checkout");
        return true;
    }
    let samples = samples();
    let program = ["run", "--release", "--package", "ringmail-compare", "--features", "peers", "--"];
    let to = if rest.contains(&"--csv") || rest.contains(&"--list") { vec![] } else { vec!["--csv", &samples] };
    run_plainly(cargo(&[&program[..], &to, rest].concat()))
}

/// The page with the counts of instructions.
const COUNTS: &str = "docs/hot-path.md";

/// How many instructions a message takes, beside every peer: into the page, unless something else is asked for.
fn instructions(rest: &[&str]) -> bool {
    let program = ["run", "--release", "--package", "ringmail-instructions", "--features", "peers", "--"];
    let args = if rest.is_empty() { &["--page", COUNTS] } else { rest };
    run_plainly(cargo(&[&program[..], args].concat()))
}
