//! What all rounds together came to, for people to read.

use crate::controller::Outcome;
use crate::crew::Deeds;
use crate::verdict::{Fates, Verdict};
use std::fmt::Write;
use std::time::Duration;

/// When it is enough.
#[derive(Clone, Copy, Debug, Default)]
pub struct Goals {
    pub time: Option<Duration>,
    pub sends: Option<u64>,
    pub kills: Option<u64>,
    pub stops: Option<u64>,
}

impl Goals {
    pub fn are_met(&self, sum: &Sum, elapsed: Duration) -> bool {
        self.time.is_none_or(|time| elapsed >= time)
            && self.sends.is_none_or(|sends| sum.verdict.sent >= sends)
            && self.kills.is_none_or(|kills| sum.deeds.killed >= kills)
            && self.stops.is_none_or(|stops| sum.deeds.stopped >= stops)
    }
}

/// All rounds so far.
#[derive(Debug, Default)]
pub struct Sum {
    pub verdict: Verdict,
    pub deeds: Deeds,
    pub violations: Vec<String>,
    reaped: u64,
    adopted: u64,
    dropped: u64,
    /// Where the killed were, and what came of it.
    fates: Fates,
    leaked: u64,
    told: u64,
}

/// Seconds between two lines.
const TELL_EVERY: u64 = 15;

impl Sum {
    pub fn add(&mut self, outcome: Outcome) {
        self.verdict.add(&outcome.verdict);
        let (deeds, more) = (&mut self.deeds, outcome.deeds);
        deeds.killed += more.killed;
        deeds.stopped += more.stopped;
        deeds.forks += more.forks;
        deeds.execs += more.execs;
        deeds.panics += more.panics;
        deeds.longest_ns = deeds.longest_ns.max(more.longest_ns);
        for (place, fates) in outcome.fates {
            let sum = self.fates.entry(place).or_default();
            fates.into_iter().for_each(|(fate, count)| *sum.entry(fate).or_default() += count);
        }
        self.reaped += outcome.reaped;
        self.adopted += outcome.adopted;
        self.dropped += outcome.dropped;
        self.leaked += outcome.leaked;
        self.violations.extend(outcome.violations);
    }

    pub fn is_clean(&self) -> bool {
        self.violations.is_empty() && self.verdict.is_clean()
    }

    pub fn is_time_to_tell(&mut self, elapsed: Duration) -> bool {
        let due = elapsed.as_secs() / TELL_EVERY > self.told;
        self.told = elapsed.as_secs() / TELL_EVERY;
        due
    }

    pub fn line(&self) -> String {
        let (verdict, deeds) = (&self.verdict, &self.deeds);
        format!(
            "{} sent ({} nameless), {} received ({} again, {} copied), {} killed, {} stopped, {} forks, {} execs, \
             {} panics; {} reaped, {} adopted, {} dropped by policy ({} unseen); {} lost, {} torn, {} forged, \
             {} duplicates, {} FIFO breaks, {} beyond policy, {} leaks; longest wait {} ms",
            verdict.sent,
            verdict.nameless,
            verdict.delivered,
            verdict.redelivered,
            verdict.copied,
            deeds.killed,
            deeds.stopped,
            deeds.forks,
            deeds.execs,
            deeds.panics,
            self.reaped,
            self.adopted,
            self.dropped,
            verdict.unseen,
            verdict.lost,
            verdict.torn,
            verdict.forged,
            verdict.duplicates,
            verdict.disorder,
            verdict.unruly,
            self.leaked,
            deeds.longest_ns / 1_000_000,
        )
    }

    pub fn report(&self, elapsed: Duration, rounds: u64) -> String {
        let mut text = String::new();
        for (place, fates) in &self.fates {
            let list: Vec<_> = fates.iter().map(|(fate, count)| format!("{count} {fate}")).collect();
            let _ = writeln!(text, "{:8} killed: {place:32} -> {}", fates.values().sum::<u64>(), list.join(", "));
        }
        let _ = writeln!(text, "\n{rounds} rounds in {:.0} s: {}", elapsed.as_secs_f32(), self.line());
        for violation in &self.violations {
            let _ = writeln!(text, "VIOLATION {violation}");
        }
        text
    }
}
