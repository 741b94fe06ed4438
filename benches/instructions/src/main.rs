//! A guard against slower code that no busy machine can disturb: how many instructions a message takes, counted one by
//! one, and no more than a bound. It says nothing about time: a locked instruction counts as one;
//! but those are counted apart too, and an spsc ring has none.
//!
//! Run by `cargo xtask test instructions`. Ends with 0 if every bound is kept, 1 if not, 77 if nothing can be counted here.

#[cfg(all(target_os = "linux", target_env = "gnu", target_arch = "x86_64"))]
mod cases;
#[cfg(all(target_os = "linux", target_env = "gnu", target_arch = "x86_64"))]
mod step;
#[cfg(all(target_os = "linux", target_env = "gnu", target_arch = "x86_64"))]
mod table;

use std::process::ExitCode;

/// How a test tells that it was skipped.
const SKIPPED: u8 = 77;

#[cfg(all(target_os = "linux", target_env = "gnu", target_arch = "x86_64"))]
fn main() -> ExitCode {
    match table::print() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            println!("skipped: no process can be stepped through here: {error}");
            ExitCode::from(SKIPPED)
        }
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu", target_arch = "x86_64")))]
fn main() -> ExitCode {
    println!("skipped: instructions are counted on x86_64-unknown-linux-gnu only");
    ExitCode::from(SKIPPED)
}
