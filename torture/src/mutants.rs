//! Mistakes that must be found: the random torture with each of them seeded into every process.

use ringmail::Mutant;
use ringmail::torture::{MUTANTS, seed, slow_down};
use std::io;
use std::process::Command;
use std::time::Instant;

/// Names the mistake of a process and its children.
const VARIABLE: &str = "RINGMAIL_TORTURE_MUTANT";
/// No mistake: to see that what finds others finds nothing then.
const NONE: &str = "None";
/// At one of so many crash points every process dawdles.
const DAWDLE: &str = "RINGMAIL_TORTURE_DAWDLE";
const ONE_IN: &str = "20";
/// How long a mistake may stay hidden.
const MINUTES: &str = "0.3";
const LONGER: &str = "1";

/// Mistakes whose windows are nanoseconds wide: every process dawdles at one of so many accesses, so that the windows
/// are as wide as what others do in them. Nobody is blamed for slowness then: what is found is found in the messages.
const SLOWLY: [Mutant; 4] = [Mutant::WordFirst, Mutant::RaiseLate, Mutant::BlindClaim, Mutant::ForgetfulSeize];

/// Mistakes about the memory of long messages.
const LONG: [Mutant; 14] = [
    Mutant::BlindClaim,
    Mutant::TrustTrimmer,
    Mutant::ForgetfulSeize,
    Mutant::GiveBackFirst,
    Mutant::WatermarkFirst,
    Mutant::ReleaseFirst,
    Mutant::Unmarked,
    Mutant::Unreleased,
    Mutant::CountFirst,
    Mutant::LateGift,
    Mutant::LateLook,
    Mutant::GoneAtOnce,
    Mutant::KeepLost,
    Mutant::KnownTooFar,
];

/// Mistakes that chance need not hit on, not by dawdling either:
/// - `Unseen` takes two receivers and a sender, each stopped at one access, in one order of many. The explorer
///   finds it.
/// - of `SkipFirst` no harm is known but a sender that sees a full ring once too often and looks again.
/// - `WakeFirst` and `WakeOne` put off a wake-up by a nap of a quarter of a second at most, which any other message cuts
///   short. The loom models find their like.
/// - `TrustTrimmer` takes a death between two accesses, and shows where no memory can be had: elsewhere the system
///   gives some to
///   whoever touches what is gone. The explorer finds it.
/// - `Unreleased` takes more deaths of spsc senders at as many positions than there are spare bodies, 256 at least.
///   The explorer
///   finds it.
/// - `Overwritten`, `Unfreed` and `Forgiven` are made by who recovers, or joins at a dead one's place, at the very instant that
///   somebody adopts; or spoil a count that is not looked at here. The explorer finds them.
/// - `LateGift`, `LateLook` and `GoneAtOnce` put what is idle too low by a body, if two give memory back at the very same instant; the
///   next look puts it right. The explorer finds them.
/// - `KeepLost` keeps bodies too many for as long as one message is in the ring, if two senders want overlapping runs at the same
///   instant. The explorer finds it.
const NARROW: [Mutant; 13] = [
    Mutant::Unseen,
    Mutant::SkipFirst,
    Mutant::WakeFirst,
    Mutant::WakeOne,
    Mutant::TrustTrimmer,
    Mutant::Unreleased,
    Mutant::Overwritten,
    Mutant::Unfreed,
    Mutant::Forgiven,
    Mutant::LateGift,
    Mutant::LateLook,
    Mutant::GoneAtOnce,
    Mutant::KeepLost,
];

/// Makes the mistake that the environment names, if it names one.
pub fn seed_this_process() {
    if let Ok(name) = std::env::var(VARIABLE) {
        let mutant = MUTANTS.into_iter().find(|mutant| format!("{mutant:?}") == name);
        assert!(mutant.is_some() || name == NONE, "a mutant that there is");
        seed(mutant);
    }
    if let Ok(one_in) = std::env::var(DAWDLE) {
        slow_down(one_in.parse().expect("a number"));
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
        let is_slow = SLOWLY.contains(&mutant);
        let minutes = if is_slow { LONGER } else { MINUTES };
        command.args(["random", "--biased", "--minutes", minutes, "--seed", &number.to_string()]);
        if LONG.contains(&mutant) {
            command.arg("--long");
        }
        if is_slow {
            command.args(["--longest-wait", "10000"]).env(DAWDLE, ONE_IN);
        }
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
