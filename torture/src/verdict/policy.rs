//! What a redelivery policy allows, and what the ring says it did.
//!
//! A message may be dropped only once it was handed out one time more than it may come again, each time to somebody who
//! died with it or gave it back. Messages that were received say so themselves. One that nobody received can have been
//! handed out only to those who died before they wrote it down, and of these it is known how many there can have been.
//!
//! The ring counts what it drops. That must be at least what nobody received and what was given back by those it came
//! to for the last time; and at most these and what the dead had in hand. Who is killed between dropping and counting
//! is allowed for.

use crate::crew::Death;
use crate::verdict::{Messages, Round};

/// Whether a message that came so often before is dropped when it is given back.
pub fn is_spent(round: &Round<'_>, redelivered: u32) -> bool {
    // An spsc successor may count too low, but never takes for fresh what was out before.
    round.limit.is_some_and(|limit| redelivered == limit && (round.mpmc || limit == 0))
}

/// Whether nobody may have got it so often.
pub fn is_too_often(round: &Round<'_>, times: u32) -> bool {
    round.limit.is_some_and(|limit| times > limit + 1 && (round.mpmc || limit == 0))
}

/// Judges `missing` named messages and all nameless ones by the policy.
pub(super) fn judge(messages: &mut Messages, round: &Round<'_>, missing: u64) {
    let (nameless, forged) = messages.nameless.missing_and_forged(round);
    let (verdict, examples) = (&mut messages.judged.verdict, &mut messages.judged.examples);
    let missing = missing + nameless;
    verdict.forged += forged;
    if forged > 0 {
        examples.push(format!("forged: {forged} messages too short to say whose they are"));
    }
    let Some(limit) = round.limit else {
        verdict.lost += missing;
        verdict.unruly += round.dropped;
        if nameless > 0 {
            examples.push(format!("lost: {nameless} messages too short to say whose they are"));
        }
        if round.dropped > 0 {
            examples.push(format!("{} messages are dropped where none may be", round.dropped));
        }
        return;
    };
    // Each was handed out that often, and every time to somebody who could not say so.
    let most = round.hidden() / u64::from(limit + 1);
    verdict.unseen += missing.min(most);
    if missing > most {
        verdict.lost += missing - most;
        examples.push(format!("{missing} messages were never received, and {most} can have been dropped before"));
    }
    let slack = round.deaths.iter().filter(|death| death.may_have_dropped()).count() as u64 + round.forks;
    let least = missing + messages.spent;
    if round.dropped + slack < least {
        verdict.unruly += least - round.dropped;
        examples.push(format!("{} messages are said to be dropped, and {least} were", round.dropped));
    }
    let in_hand = |death: &Death| death.in_hand(round.hold);
    let held = round.deaths.iter().map(in_hand).sum::<u64>() + (round.forks + round.execs) * round.hold;
    let most = least + held;
    if round.mpmc && round.dropped > most {
        verdict.unruly += round.dropped - most;
        examples.push(format!("{} messages are said to be dropped, and {most} can have been", round.dropped));
    }
}
