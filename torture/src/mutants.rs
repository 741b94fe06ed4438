//! Mistakes that must be found: the random torture with each of them seeded into every process.

use ringmail::Mutant;
use ringmail::torture::{MUTANTS, seed};
use std::io;
use std::process::Command;
use std::time::Instant;

/// Names the mistake of a process and its children.
const VARIABLE: &str = "RINGMAIL_TORTURE_MUTANT";
/// How long a mistake may stay hidden.
const MINUTES: &str = "0.3";

/// Mistakes whose windows are nanoseconds wide, or whose harm a nap of a tenth of a second bounds: chance need not hit on
/// them here. The explorer finds `Unseen`, `WordFirst` and `RaiseLate`, the loom models find the like of `WakeFirst` and `WakeOne`; of `SkipFirst` no harm is known.
const NARROW: [Mutant; 6] =
    [Mutant::Unseen, Mutant::WordFirst, Mutant::RaiseLate, Mutant::SkipFirst, Mutant::WakeFirst, Mutant::WakeOne];

/// Makes the mistake that the environment names, if it names one.
pub fn seed_this_process() {
    if let Ok(name) = std::env::var(VARIABLE) {
        let mutant = MUTANTS.into_iter().find(|mutant| format!("{mutant:?}") == name);
        seed(Some(mutant.expect("a mutant that there is")));
    }
}

/// Tries the mutants of these names, or all. Returns whether all were found but the narrow ones.
pub fn run(names: &[String], number: u64) -> io::Result<bool> {
    let mut missed = Vec::new();
    println!("seed {number}");
    for mutant in MUTANTS {
        let name = format!("{mutant:?}");
        if !names.is_empty() && !names.contains(&name) {
            continue;
        }
        let start = Instant::now();
        let mut command = Command::new("/proc/self/exe");
        command.args(["random", "--biased", "--minutes", MINUTES, "--seed", &number.to_string()]);
        let output = command.env(VARIABLE, &name).output()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let seen = text
            .lines()
            .filter_map(|line| line.strip_prefix("VIOLATION "))
            .find(|line| !line.starts_with("seed") && !line.starts_with("process"))
            .unwrap_or("(nothing said)");
        let seconds = start.elapsed().as_secs_f32();
        if output.status.success() {
            let narrow = NARROW.contains(&mutant);
            println!("{name:18} not found in {seconds:.0} s{}", if narrow { ", as may be" } else { "" });
            if !narrow {
                missed.push(name);
            }
        } else {
            println!("{name:18} found in {seconds:4.1} s: {}", seen);
        }
    }
    println!("\n{} not found that should be: {missed:?}", missed.len());
    Ok(missed.is_empty())
}
