//! `cargo xtask bench`: how fast it is.

use crate::run::{cargo, run as run_plainly, target};
use std::path::Path;

/// Runs the benchmarks that are asked for.
pub fn run(args: &[&str]) -> Result<bool, String> {
    match args {
        [] => Ok(in_process(&[]) & compare(&[])),
        ["in-process", rest @ ..] => Ok(in_process(rest)),
        ["compare", rest @ ..] => Ok(compare(rest)),
        ["instructions", rest @ ..] => Ok(instructions(rest)),
        [other, ..] => Err(format!("no such kind of benchmark: {other}")),
    }
}

/// Between threads of one process, beside other queues in the same run.
fn in_process(rest: &[&str]) -> bool {
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
