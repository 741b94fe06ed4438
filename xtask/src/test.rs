//! `cargo xtask test`: every test there is, step by step, and one line that sums them up.

use crate::python;
use crate::run::{
    FEATURES, OF_LIBRARY, cargo, cargo_with, code, count, of, run as run_plainly, succeeds, target, tool, toolchain,
};
use crate::tally::Tally;
use crate::torture;
use std::io;
use std::num::NonZero;
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

/// How a step ended.
enum Outcome {
    Ok,
    Failed,
    Skipped(String),
}

/// What the step of that name needs.
const DENY: &str = "cargo-deny";

struct Step {
    name: &'static str,
    run: fn(&mut Tally) -> Outcome,
}

const STEPS: [Step; 9] = [
    Step { name: "tests", run: tests },
    Step { name: "benches", run: benches },
    Step { name: "loom", run: loom },
    Step { name: "torture", run: torture },
    Step { name: "instructions", run: instructions },
    Step { name: "asan", run: asan },
    Step { name: "msrv", run: msrv },
    Step { name: "deny", run: deny },
    Step { name: "python", run: package },
];

/// Runs the steps of these names, or all. A failing step does not keep the next one from running.
pub fn run(wanted: &[&str]) -> Result<bool, String> {
    if let Some(unknown) = wanted.iter().find(|&&name| STEPS.iter().all(|step| step.name != name)) {
        return Err(format!("no such step of the test: {unknown}"));
    }
    let mut sum = Tally::default();
    let mut report = Vec::new();
    let is_wanted = |step: &&Step| wanted.is_empty() || wanted.contains(&step.name);
    if wanted.is_empty() {
        // Built while the first steps wait for their processes.
        thread::spawn(|| tool(DENY));
    }
    for step in STEPS.iter().filter(is_wanted) {
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
        report.push(format!("{:12} {verdict}", step.name));
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
    judge(count(cargo(&["test", "--workspace", "--features", FEATURES, "--no-fail-fast"])), tally)
}

/// Every in-process benchmark once, unmeasured.
fn benches(_: &mut Tally) -> Outcome {
    verdict(run_plainly(cargo(&["test", "--package", "ringmail", "--features", "value", "--bench", "*"])))
}

/// The models of the core.
///
/// A process a file, in which one test runs after the other: loom maps and unmaps a stack for each thread of each execution, and threads
/// of one process wait for each other at that, so that two tests at once took longer than one after the other.
fn loom(tally: &mut Tally) -> Outcome {
    let target = target("loom");
    let test = |args: &[&str]| {
        let all = ["test", "--release", "--package", "ringmail-loom-tests", "--target-dir", &target];
        cargo_with("RUSTFLAGS", "--cfg loom", &[&all[..], args].concat())
    };
    if !run_plainly(test(&["--no-run"])) {
        return Outcome::Failed;
    }
    let files = match longest_first(Path::new("loom-tests/tests")) {
        Ok(files) => Mutex::new(files.into_iter()),
        Err(error) => {
            eprintln!("xtask: cannot list the models: {error}");
            return Outcome::Failed;
        }
    };
    let next = || files.lock().unwrap_or_else(PoisonError::into_inner).next();
    let sum = Mutex::new((true, Tally::default()));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, NonZero::get) {
            scope.spawn(|| {
                while let Some(file) = next() {
                    let (ok, counted) = count(test(&["--test", &file, "--", "--test-threads", "1"]));
                    let mut sum = sum.lock().unwrap_or_else(PoisonError::into_inner);
                    sum.0 &= ok;
                    sum.1.add(counted);
                }
            });
        }
    });
    judge(sum.into_inner().unwrap_or_else(PoisonError::into_inner), tally)
}

/// The names of the tests in a folder, the longest file first: it has most to do.
fn longest_first(folder: &Path) -> io::Result<Vec<String>> {
    let mut files = Vec::new();
    for entry in folder.read_dir()? {
        let entry = entry?;
        if let Some(name) = entry.path().file_stem()
            && entry.path().extension().is_some_and(|extension| extension == "rs")
        {
            files.push((entry.metadata()?.len(), name.to_string_lossy().into_owned()));
        }
    }
    files.sort_unstable_by(|a, b| b.cmp(a));
    Ok(files.into_iter().map(|(_, name)| name).collect())
}

/// Real processes, really killed: by chance for a minute, and once at every access to shared memory.
fn torture(_: &mut Tally) -> Outcome {
    // On a machine that does other things as well a wait says nothing; the figure is printed all the same.
    let random = ["--minutes", "1", "--seed", "1", "--longest-wait", "10000"];
    verdict(torture::random(&random) & torture::sweep(&[]))
}

/// The instructions that a message takes, none above its bound.
fn instructions(_: &mut Tally) -> Outcome {
    // How the program says that nothing can be counted here.
    const SKIPPED: i32 = 77;
    match code(cargo(&["run", "--release", "--package", "ringmail-instructions"])) {
        Some(SKIPPED) => Outcome::Skipped("no process can be stepped through here".to_owned()),
        code => verdict(code == Some(0)),
    }
}

/// Hostile and strange segments, and every verb, once more, with every access to memory checked.
fn asan(tally: &mut Tally) -> Outcome {
    let nightly = match toolchain("nightly") {
        Ok(nightly) => nightly,
        Err(missing) => return Outcome::Skipped(missing),
    };
    if !cfg!(all(target_arch = "x86_64", target_env = "gnu")) {
        return Outcome::Skipped("it is set up for x86_64-unknown-linux-gnu only".to_owned());
    }
    // With a target named, what runs while building is left alone.
    let args =
        ["test", "--package", "ringmail", "--no-fail-fast", "--test", "hostile", "--test", "strange", "--test", "api"];
    let mut command = of(&nightly, "cargo", &args);
    command.args(["--target", "x86_64-unknown-linux-gnu", "--target-dir", &target("asan")]);
    command.env("RUSTFLAGS", "-Zsanitizer=address");
    judge(count(command), tally)
}

/// The library, built by the oldest toolchain that it declares.
fn msrv(_: &mut Tally) -> Outcome {
    match toolchain(env!("CARGO_PKG_RUST_VERSION")) {
        Ok(oldest) => {
            let args = ["check", "--package", "ringmail", "--features", OF_LIBRARY, "--target-dir", &target("msrv")];
            verdict(run_plainly(of(&oldest, "cargo", &args)))
        }
        Err(missing) => Outcome::Skipped(missing),
    }
}

/// Licences, sources and advisories of what we depend on.
fn deny(_: &mut Tally) -> Outcome {
    let tool = match tool(DENY) {
        Ok(tool) => tool,
        Err(missing) => return Outcome::Skipped(missing),
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

/// The Python package, as a user installs it.
fn package(tally: &mut Tally) -> Outcome {
    match python::test(tally) {
        Ok(ok) => verdict(ok),
        Err(missing) => Outcome::Skipped(missing),
    }
}
