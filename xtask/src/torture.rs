//! `cargo xtask torture`: processes killed, stopped, forked and executed, and what becomes of their messages.

use crate::run::{cargo, run as run_plainly, target};

/// Runs the kind of torture that is asked for.
pub fn run(args: &[&str]) -> Result<bool, String> {
    match args {
        ["sweep", rest @ ..] => Ok(sweep(rest)),
        ["mutants", rest @ ..] => Ok(mutants(rest)),
        [other, ..] if !other.starts_with('-') => Err(format!("no such kind of torture: {other}")),
        args => Ok(random(args)),
    }
}

/// Processes maltreated by chance, over the library as it is shipped.
pub fn random(args: &[&str]) -> bool {
    run_plainly(cargo(&[&["run", "--release", "--package", "ringmail-torture", "--", "random"], args].concat()))
}

/// One process killed at every access to shared memory, in the scenes whose names contain one of `scenes`, or in all.
pub fn sweep(scenes: &[&str]) -> bool {
    instrumented("sweep", scenes)
}

/// Deliberate mistakes, those of these names or all, each of which must be found.
pub fn mutants(names: &[&str]) -> bool {
    instrumented("mutants", names)
}

/// Something over a library with crash points and mistakes in it, built where it evicts no other.
fn instrumented(what: &str, args: &[&str]) -> bool {
    let target = target("torture");
    let build = ["run", "--release", "--package", "ringmail-torture", "--features", "instrumented"];
    run_plainly(cargo(&[&build[..], &["--target-dir", &target, "--", what], args].concat()))
}
