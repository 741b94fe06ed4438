//! `cargo xtask`: the chores of this repository, as CI and people run them.

mod bench;
mod fuzz;
mod lint;
mod plot;
mod python;
mod run;
mod tally;
mod test;
mod torture;

use std::env;
use std::path::Path;
use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask <command>

  test [STEP]...             every test, or only some steps of: tests, benches, loom, torture, instructions,
                             asan, msrv, deny, python
  lint                       fmt, clippy and rustdoc, warnings being errors
  bench                      every benchmark
  bench in-process [ARG]...  those between threads; arguments go to criterion, such as a filter
  bench compare [ARG]...     those between processes and against other crates; arguments go to the harness
  bench instructions [ARG].. how many instructions a message takes, into docs/hot-path.md; --listing CASE prints which
  plot [--partial] [SAMPLES] the pictures (docs/pictures), the README's tables and every figure (docs/figures.*), from what bench
                             compare left; --partial also if rows that are there now would vanish
  torture [OPTION]...        processes killed, stopped and forked by chance; --minutes N, --sends N, --kills N, --stops N, --seed S
  torture sweep [SCENE]...   one process killed at every access to shared memory, scene by scene
  torture mutants [NAME]...  deliberate mistakes, which must be found
  fuzz [--seconds N]         any bytes and operations, for N seconds a target (60); needs nightly Rust and cargo-fuzz
";

fn main() -> ExitCode {
    // Cargo tells where this crate lies; its parent is the repository.
    if let Some(here) = env::var_os("CARGO_MANIFEST_DIR")
        && let Some(root) = Path::new(&here).parent()
        && let Err(error) = env::set_current_dir(root)
    {
        eprintln!("xtask: cannot enter {}: {error}", root.display());
        return ExitCode::FAILURE;
    }
    let args: Vec<String> = env::args_os().skip(1).map(|arg| arg.to_string_lossy().into_owned()).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match args.as_slice() {
        ["test", steps @ ..] => test::run(steps),
        ["lint"] => lint::run(),
        ["bench", rest @ ..] => bench::run(rest),
        ["plot", rest @ ..] => plot::run(rest),
        ["torture", rest @ ..] => torture::run(rest),
        ["fuzz", rest @ ..] => fuzz::run(rest),
        ["help" | "-h" | "--help"] => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        [] => Err("a command is missing".to_owned()),
        ["lint", ..] => Err("lint takes no arguments".to_owned()),
        [other, ..] => Err(format!("no such command: {other}")),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(wrong) => {
            eprint!("xtask: {wrong}\n\n{USAGE}");
            ExitCode::from(2)
        }
    }
}
