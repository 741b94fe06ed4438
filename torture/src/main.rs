//! The torture test: what Ringmail promises when processes die, stop, fork, execute others and panic.
//!
//! `random` lets many processes use one ring and maltreats them by chance; what it knows, it knows from what the
//! processes wrote down before they were killed. `sweep` kills one process at every single access to shared memory, in
//! one scenario after the other. `mutants` seeds mistakes and wants to see them found.
#![allow(clippy::duplicate_mod, reason = "what is compiled twice, once for each flavour: see `ring`")]

mod controller;
mod crew;
mod folder;
mod ledger;
#[cfg(feature = "instrumented")]
mod mutants;
mod page;
mod payload;
mod plan;
mod random;
mod report;
mod ring;
mod state;
#[cfg(feature = "instrumented")]
mod sweep;
mod verdict;
mod worker;

use controller::Arguments;
use report::Goals;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const HELP: &str = "\
ringmail-torture random [options]    processes maltreated by chance
  --minutes N   for so long (fractions allowed)
  --sends N     until so many messages were sent
  --kills N     until so many processes were killed
  --stops N     until so many were stopped
                (without any of these: 10 million, 5000, 500)
  --seed S      what chance does
  --round R     the first round
  --longest-wait MS
                what nobody may wait beyond for a peer that is there (500)
  --biased      rounds in which mistakes of the protocol show
  --long        rounds of messages that have bodies
With the feature `instrumented`:
ringmail-torture sweep [FILTER]...   one process killed at every access to shared memory
ringmail-torture mutants [NAME]...   mistakes that must be found";

fn arguments() -> Result<(String, Arguments, Vec<String>), lexopt::Error> {
    use lexopt::prelude::*;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |now| now.as_nanos() as u64 % 1_000_000);
    let mut arguments = Arguments {
        goals: Goals::default(),
        seed: now,
        round: 0,
        biased: false,
        long: false,
        longest_wait: Duration::from_millis(500),
    };
    let (mut command, mut rest) = (None, Vec::new());
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        let goals = &mut arguments.goals;
        match argument {
            Long("minutes") => {
                let minutes: f64 = parser.value()?.parse()?;
                goals.time = Some(Duration::try_from_secs_f64(minutes * 60.0).map_err(|error| error.to_string())?);
            }
            Long("sends") => goals.sends = Some(parser.value()?.parse()?),
            Long("kills") => goals.kills = Some(parser.value()?.parse()?),
            Long("stops") => goals.stops = Some(parser.value()?.parse()?),
            Long("seed") => arguments.seed = parser.value()?.parse()?,
            Long("round") => arguments.round = parser.value()?.parse()?,
            Long("longest-wait") => arguments.longest_wait = Duration::from_millis(parser.value()?.parse()?),
            Long("biased") => arguments.biased = true,
            Long("long") => arguments.long = true,
            Long("help") | Short('h') => {
                println!("{HELP}");
                std::process::exit(0);
            }
            Value(value) if command.is_none() => command = Some(value.string()?),
            Value(value) => rest.push(value.string()?),
            _ => return Err(argument.unexpected()),
        }
    }
    let goals = &mut arguments.goals;
    if goals.time.is_none() && goals.sends.or(goals.kills).or(goals.stops).is_none() {
        *goals = Goals { time: None, sends: Some(10_000_000), kills: Some(5000), stops: Some(500) };
    }
    Ok((command.unwrap_or_else(|| "random".to_owned()), arguments, rest))
}

fn main() -> ExitCode {
    #[cfg(feature = "instrumented")]
    mutants::seed_this_process();
    let raw: Vec<String> = std::env::args().skip(1).collect();
    if let [first, setup @ ..] = &raw[..]
        && first == "worker"
    {
        // Should the controller be killed, nobody else would end this process.
        // SAFETY: touches no memory.
        unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
        ring::work(worker::Setup::parse(setup).expect("the controller knows what a worker is told"));
        return ExitCode::SUCCESS;
    }
    #[cfg(feature = "instrumented")]
    if let [first, told @ ..] = &raw[..]
        && first == "scene"
    {
        // SAFETY: as above.
        unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
        sweep::play(told);
        return ExitCode::SUCCESS;
    }
    let (command, arguments, rest) = arguments().unwrap_or_else(|error| {
        eprintln!("{error}\n\n{HELP}");
        std::process::exit(2);
    });
    let done = match command.as_str() {
        "random" if rest.is_empty() => {
            println!("seed {}", arguments.seed);
            controller::run(&arguments)
        }
        #[cfg(feature = "instrumented")]
        "sweep" => sweep::run(&rest),
        #[cfg(feature = "instrumented")]
        "mutants" => mutants::run(&rest, arguments.seed),
        _ => {
            eprintln!("no such command in this build: {command}\n\n{HELP}");
            std::process::exit(2);
        }
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
