//! `cargo xtask test`: every test there is, step by step, and one line that sums them up.

use crate::run::{cargo, cargo_with, count, run as run_plainly, succeeds, target};
use crate::tally::Tally;
use crate::torture;
use std::env;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

/// How a step ended.
enum Outcome {
    Ok,
    Failed,
    Skipped(String),
}

struct Step {
    name: &'static str,
    run: fn(&mut Tally) -> Outcome,
}

const STEPS: [Step; 6] = [
    Step { name: "tests", run: tests },
    Step { name: "benches", run: benches },
    Step { name: "loom", run: loom },
    Step { name: "torture", run: torture },
    Step { name: "msrv", run: msrv },
    Step { name: "deny", run: deny },
];

/// Runs the steps of these names, or all. A failing step does not keep the next one from running.
pub fn run(wanted: &[&str]) -> Result<bool, String> {
    if let Some(unknown) = wanted.iter().find(|&&name| STEPS.iter().all(|step| step.name != name)) {
        return Err(format!("no such step of the test: {unknown}"));
    }
    let mut sum = Tally::default();
    let mut report = Vec::new();
    for step in STEPS.iter().filter(|step| wanted.is_empty() || wanted.contains(&step.name)) {
        let start = Instant::now();
        let mut tally = Tally::default();
        let outcome = (step.run)(&mut tally);
        let seconds = start.elapsed().as_secs_f32();
        let verdict = match &outcome {
            Outcome::Ok if tally == Tally::default() => format!("ok in {seconds:.1} s"),
            Outcome::Ok => format!("ok in {seconds:.1} s: {tally}"),
            Outcome::Failed => format!("FAILED in {seconds:.1} s: {tally}"),
            Outcome::Skipped(reason) => format!("skipped: {reason}"),
        };
        if matches!(outcome, Outcome::Failed) && tally.failed == 0 {
            // It did not even come to a failing test.
            tally.failed = 1;
        }
        report.push(format!("{:8} {verdict}", step.name));
        sum.add(tally);
    }
    println!("\n{}\n\n{sum}", report.join("\n"));
    Ok(sum.failed == 0)
}

/// The verdict on a test runner, which must have run something.
fn judge((ok, counted): (bool, Tally), tally: &mut Tally) -> Outcome {
    tally.add(counted);
    if ok && counted.passed == 0 {
        eprintln!("xtask: no test was run");
    }
    verdict(ok && counted.passed > 0)
}

fn verdict(ok: bool) -> Outcome {
    if ok { Outcome::Ok } else { Outcome::Failed }
}

/// Unit and integration tests, doc tests, and the examples built.
fn tests(tally: &mut Tally) -> Outcome {
    judge(count(cargo(&["test", "--workspace", "--no-fail-fast"])), tally)
}

/// Every in-process benchmark once, unmeasured.
fn benches(_: &mut Tally) -> Outcome {
    verdict(run_plainly(cargo(&["test", "--package", "ringmail", "--bench", "*"])))
}

/// The models of the core.
fn loom(tally: &mut Tally) -> Outcome {
    let target = target("loom");
    let args = ["test", "--release", "--package", "ringmail-loom-tests", "--no-fail-fast", "--target-dir", &target];
    judge(count(cargo_with("RUSTFLAGS", "--cfg loom", &args)), tally)
}

/// Real processes, really killed: by chance for a minute, and once at every access to shared memory.
fn torture(_: &mut Tally) -> Outcome {
    // On a machine that does other things as well a wait says nothing; the figure is printed all the same.
    let random = ["--minutes", "1", "--seed", "1", "--longest-wait", "10000"];
    verdict(torture::random(&random) & torture::sweep(&[]))
}

/// The library, built by the oldest toolchain that it declares.
fn msrv(_: &mut Tally) -> Outcome {
    let version = env!("CARGO_PKG_RUST_VERSION");
    let installed = Command::new("rustup").args(["toolchain", "list"]).output();
    let Ok(installed) = installed else { return Outcome::Skipped("rustup is not installed".to_owned()) };
    let installed = String::from_utf8_lossy(&installed.stdout).into_owned();
    let is_it = |name: &str| name.strip_prefix(version).is_some_and(|rest| rest.starts_with(['.', '-']));
    let Some(toolchain) = installed.split_whitespace().find(|name| is_it(name)) else {
        return Outcome::Skipped(format!("Rust {version} is not installed (rustup toolchain install {version})"));
    };
    let mut command = Command::new("rustup");
    command.args(["run", toolchain, "cargo", "check", "--package", "ringmail", "--target-dir", &target("msrv")]);
    command.env_remove("CARGO");
    verdict(run_plainly(command))
}

/// Licences, sources and advisories of what we depend on.
fn deny(_: &mut Tally) -> Outcome {
    let Some(tool) = cargo_deny() else {
        return Outcome::Skipped("cargo-deny is not installed (cargo install cargo-deny --locked)".to_owned());
    };
    let deny = |args: &[&str]| {
        let mut command = Command::new(&tool);
        command.args(["--workspace", "--all-features"]).args(args);
        command
    };
    let mut ok = run_plainly(deny(&["check", "bans", "licenses", "sources"]));
    if succeeds(deny(&["fetch", "db"])) {
        ok &= run_plainly(deny(&["check", "--disable-fetch", "advisories"]));
    } else {
        println!("advisories skipped: their database cannot be reached");
    }
    verdict(ok)
}

/// The program of that name, or the one in the target folder, where CI builds it (three minutes on two cores).
fn cargo_deny() -> Option<String> {
    let ours = target("tools");
    let program = format!("{ours}/bin/cargo-deny");
    let runs = |program: &str| {
        let mut command = Command::new(program);
        command.arg("--version");
        succeeds(command)
    };
    if runs("cargo-deny") {
        return Some("cargo-deny".to_owned());
    }
    if !Path::new(&program).exists() && env::var_os("CI").is_some() {
        let built = target("tools/build");
        let args = ["install", "cargo-deny", "--locked", "--quiet", "--root", &ours, "--target-dir", &built];
        run_plainly(cargo(&args));
    }
    runs(&program).then_some(program)
}
