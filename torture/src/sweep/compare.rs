//! What the dead said against what came.

use crate::sweep::table::{Relief, Scene};
use std::collections::BTreeSet;

/// What was seen after a death.
#[derive(Debug, Default)]
pub struct Seen {
    /// Everything the dead said, and those who died before them on their behalf.
    pub said: String,
    /// What came, in order, and how often it was said to have come before.
    pub received: Vec<(u64, u32)>,
    pub relieved: bool,
    /// Messages that the ring says it dropped.
    pub dropped: u64,
}

impl Seen {
    /// Where in the source it died, if it did.
    pub fn at(&self) -> Option<&str> {
        self.said.lines().find_map(|line| line.strip_prefix("at "))
    }

    /// The messages of which the dead said that, as often as they did.
    fn of(&self, word: &str) -> Vec<u64> {
        self.said.lines().filter_map(|line| line.strip_prefix(word)?.trim().parse().ok()).collect()
    }
}

/// What came of a death, or what is wrong.
pub fn compare(scene: &Scene, seen: &Seen) -> Result<&'static str, String> {
    let (held, acked, acking) = (seen.of("held "), seen.of("acked "), seen.of("acking "));
    let out: Vec<u64> = held.iter().copied().chain(seen.of("had ")).collect();
    let mut due: BTreeSet<u64> = (0..scene.before).chain(seen.of("sent ")).collect();
    if scene.relief == Relief::Send && seen.relieved {
        due.insert(50);
    }
    let mut came = BTreeSet::new();
    let mut last = None;
    for &(seq, redelivered) in &seen.received {
        if acked.contains(&seq) || !came.insert(seq) {
            return Err(format!("message {seq} comes again"));
        }
        if !due.contains(&seq) && !scene.sends.contains(&seq) {
            return Err(format!("message {seq} was never sent"));
        }
        if out.contains(&seq) && redelivered == 0 {
            return Err(format!("message {seq} comes again and does not say so"));
        }
        if scene.limit().is_some_and(|limit| redelivered > limit) {
            return Err(format!("message {seq} comes again more often than allowed"));
        }
        if redelivered == 0 && last.replace(seq).is_some_and(|last| last > seq) {
            return Err(format!("message {seq} comes out of order"));
        }
    }
    let gone: Vec<u64> = due.into_iter().filter(|seq| !came.contains(seq) && !acked.contains(seq)).collect();
    // Acknowledged may be only what the dead had been handed. (What copies hands nothing out before it acknowledges.)
    let may_be_acked = |seq: &u64| {
        let begun = acking.contains(seq) || (!scene.says_acking && held.contains(seq)) || scene.copies;
        scene.acks.contains(seq) && begun
    };
    // Dropped only what was handed out once more than it may come again: to those who said so, and once to whoever died
    // before it could.
    let may_be_dropped = |seq: &u64| {
        let said = out.iter().filter(|&out| out == seq).count() + usize::from(scene.acks.contains(seq));
        scene.limit().is_some_and(|limit| said > limit as usize)
    };
    if let Some(lost) = gone.iter().find(|seq| !may_be_acked(seq) && !may_be_dropped(seq)) {
        return Err(format!("message {lost} is lost"));
    }
    // Whoever drops a message and is killed counts it once too little, or its heir counts it twice.
    let slack = u64::from(seen.at().is_some() && scene.limit().is_some());
    let least = gone.iter().filter(|seq| !may_be_acked(seq)).count() as u64;
    let most = gone.iter().filter(|seq| may_be_dropped(seq)).count() as u64;
    if !(least.saturating_sub(slack)..=most + slack).contains(&seen.dropped) {
        return Err(format!("{} messages are counted as dropped, and {least} to {most} were", seen.dropped));
    }
    let again = seen.received.iter().any(|&(_, redelivered)| redelivered > 0);
    let (sends, acks) = (scene.sends.clone(), scene.acks.clone());
    Ok(match () {
        () if sends.clone().any(|seq| came.contains(&seq)) => "sent",
        () if !sends.is_empty() && acks.is_empty() => "not sent",
        () if seen.dropped > 0 => "dropped",
        () if again => "redelivered",
        () if !sends.is_empty() => "not sent",
        () if acks.contains(&50) && !seen.relieved => "nothing to receive",
        () if !acks.is_empty() && acks.clone().all(|seq| !came.contains(&seq)) => "acknowledged",
        () if !acks.is_empty() => "not received",
        () => "as before",
    })
}
