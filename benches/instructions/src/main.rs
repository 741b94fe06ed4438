//! A guard against slower code that no busy machine can disturb: how many instructions a message takes, counted one by
//! one, and no more than a bound. It says nothing about time: a locked instruction counts as one;
//! but those are counted apart too, and an spsc ring has none.
//!
//! Run by `cargo xtask test instructions`. Ends with 0 if every bound is kept, 1 if not, 77 if nothing can be counted here.
//! `--page` writes the counts into a page (`docs/hot-path.md`) and judges nothing; `--listing` says what a case executes, instruction by
//! instruction, with the help of `objdump`; `--run` executes one without counting, for another tool that counts.

#[cfg(all(target_os = "linux", target_env = "gnu", target_arch = "x86_64"))]
mod cases;
#[cfg(all(target_os = "linux", target_env = "gnu", target_arch = "x86_64"))]
mod listing;
#[cfg(all(target_os = "linux", target_env = "gnu", target_arch = "x86_64"))]
mod step;
#[cfg(all(target_os = "linux", target_env = "gnu", target_arch = "x86_64"))]
mod table;

use std::process::ExitCode;

/// How a test tells that it was skipped.
const SKIPPED: u8 = 77;

#[cfg(all(target_os = "linux", target_env = "gnu", target_arch = "x86_64"))]
fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match args.as_slice() {
        [] => match table::print() {
            Ok(true) => return ExitCode::SUCCESS,
            Ok(false) => return ExitCode::FAILURE,
            Err(error) => {
                println!("skipped: no process can be stepped through here: {error}");
                return ExitCode::from(SKIPPED);
            }
        },
        ["--page", page] => table::write_into(page),
        ["--listing", case] => listing::print(case),
        ["--run", case, messages] => table::run(case, messages),
        _ => Err(std::io::Error::other(
            "usage: ringmail-instructions [--page PAGE | --listing CASE | --run CASE MESSAGES]",
        )),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu", target_arch = "x86_64")))]
fn main() -> ExitCode {
    println!("skipped: instructions are counted on x86_64-unknown-linux-gnu only");
    ExitCode::from(SKIPPED)
}
