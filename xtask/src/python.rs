//! The Python package: built into a virtual environment of its own, checked and tested there.

use crate::run::{count, run as run_plainly, succeeds, target};
use crate::tally::Tally;
use std::path::Path;
use std::process::Command;

/// The oldest Python that the package is for.
const OLDEST: (u32, u32) = (3, 11);

/// Builds the package, installs it, checks its types and runs its tests; or says why it cannot.
pub fn test(tally: &mut Tally) -> Result<bool, String> {
    let python = interpreter()?;
    // Absolute, because what runs there runs in another folder.
    let home = absolute(&target("python-venv"));
    let own = format!("{home}/bin/python");
    if !Path::new(&own).exists() {
        let mut make = Command::new(&python);
        make.args(["-m", "venv", "--clear", &home]);
        if !run_plainly(make) {
            return Ok(false);
        }
    }
    let run = |args: &[&str]| {
        let mut command = Command::new(&own);
        command.args(args).env("CARGO_TARGET_DIR", absolute(&target("python"))).current_dir("python");
        // What was installed is what counts, in whatever a test starts as well: not the folder of the sources.
        command.env("PYTHONSAFEPATH", "1");
        command
    };
    let own_target = |args: &[&str]| {
        let mut command = run(args);
        command.env("PIP_DISABLE_PIP_VERSION_CHECK", "1");
        command
    };
    // As a user does, with what the tests need.
    if !run_plainly(own_target(&["-m", "pip", "install", "--quiet", ".[test]"])) {
        return Ok(false);
    }
    let typed = run_plainly(run(&["-m", "mypy.stubtest", "ringmail", "--mypy-config-file", "pyproject.toml"]))
        & run_plainly(run(&["-m", "mypy"]));
    let (ok, counted) = count(run(&["-m", "pytest", "--color=no", "-p", "no:cacheprovider"]));
    tally.add(counted);
    Ok(typed && ok && counted.passed > 0)
}

/// A Python that is new enough.
fn interpreter() -> Result<String, String> {
    let (major, minor) = OLDEST;
    let question = format!("import sys, venv; sys.exit(sys.version_info < ({major}, {minor}))");
    let is_one = |name: &&str| {
        let mut command = Command::new(name);
        command.args(["-c", &question]);
        succeeds(command)
    };
    let names = ["python3", "python3.14", "python3.13", "python3.12", "python3.11"];
    let found = names.into_iter().find(is_one).map(str::to_owned);
    found.ok_or_else(|| format!("no python3 of version {major}.{minor} or later"))
}

/// For a program that runs in another folder.
fn absolute(path: &str) -> String {
    std::path::absolute(path).map_or_else(|_| path.to_owned(), |path| path.to_string_lossy().into_owned())
}
