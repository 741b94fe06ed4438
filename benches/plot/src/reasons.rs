//! Why Ringmail is behind, where that is known: what `docs/performance.md` says at length, in a sentence.

/// What the names of cases begin with, the peer that is ahead (any, if empty), and the reason.
const REASONS: &[(&str, &str, &str)] = &[
    ("mpmc-8-", "ArrayQueue", "sides of nearly the same speed drift together, and the sender's loop is a longer chain"),
    ("spsc-8x32", "", "a receiver that polls is quicker than one that rests between batches"),
    ("spsc-64x32", "", "a receiver that polls is quicker than one that rests between batches"),
    ("spsc-1kx32", "", "made in the slots now, by `fill_many`; what is left, no rounds have settled"),
    ("spsc-1k", "disruptor", "its messages are made in the slot; ours, made in place, are as quick"),
    ("mpmc-1024-", "", "every queue varies by a factor of three there from round to round"),
    ("fan-in", "", "each message claims, describes and counts a body: a quarter of a microsecond"),
    ("copy-8", "", "a slot has a word or a length beside the message, so that a line carries fewer"),
    ("copy-64k", "iceoryx2", "it stays in the sender's cache, which is slower where all of a message is read"),
    ("copy-64k", "", "each message claims, describes and counts a body: a quarter of a microsecond"),
    ("video-4k", "", "such pictures go through memory, and rounds differ by more than the queues"),
    ("copy-1m", "rtrb in place", "each message claims, describes and counts a body: a quarter of a microsecond"),
    ("copy-1m", "shaq in place", "each message claims, describes and counts a body: a quarter of a microsecond"),
    ("copy-1m", "", "it goes round in 8 MiB, which suits receivers that read, and the others in 4 and less"),
    ("rtt-spin", "", "in place they are even; why a copy takes longer than theirs is not known"),
    ("rtt-blocking", "", "in place they are even; why a copy takes longer than theirs is not known"),
    ("latency-8", "", "messages share lines, so a reader fetches first the position and then the message"),
    ("latency-64", "", "in place they are even; why a copy takes longer than theirs is not known"),
    ("latency-512", "", "in place they are near; why a copy takes longer than theirs is not known"),
    ("latency-4k", "", "in place they are near; why a copy takes longer than theirs is not known"),
    ("latency-64k", "iceoryx2", "it stays in the sender's cache, which is slower where all of a message is read"),
    ("latency-64k", "", "each message claims, describes and counts a body: a quarter of a microsecond"),
    ("latency-1m", "iceoryx2", "it stays in the sender's cache, which is slower where all of a message is read"),
    ("latency-1m", "", "each message claims, describes and counts a body: a quarter of a microsecond"),
    ("rtt-pause", "", "the system's wake-up, which varies by a third from round to round"),
    ("idle", "", "a sleeper looks four times a second whether its peer lives"),
    ("memory-", "", "places for participants, words to recover by, and bodies that stay warm"),
    ("attach", "", "a lock for each of what a death must free, and the name opened twice"),
];

/// The reason, with the place where it is told at length.
pub fn reason(case: &str, peer: &str) -> String {
    let fits = |(prefix, ahead, _): &&(&str, &str, &str)| case_begins(case, prefix) && peer.starts_with(ahead);
    let place = |case: &str| {
        let is_missed = !["idle", "attach"].contains(&case) && !case.starts_with("memory-");
        if is_missed { "not-yet-where-it-should-be" } else { "what-bounds-each-case" }
    };
    match REASONS.iter().find(fits) {
        Some((_, _, reason)) => format!("[{reason}](docs/performance.md#{})", place(case)),
        None => "reason not known yet".to_owned(),
    }
}

/// Whether a case is of that name, or of a family whose name ends with a dash: `latency-64` is not `latency-64k`.
fn case_begins(case: &str, prefix: &str) -> bool {
    if prefix.ends_with('-') { case.starts_with(prefix) } else { case == prefix }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERFORMANCE: &str = include_str!("../../../docs/performance.md");

    #[test]
    fn what_nobody_knows_is_said_to_be_unknown() {
        assert_eq!(reason("frames-64k-4", "shaq"), "reason not known yet");
        assert!(reason("copy-64k", "shaq").contains("body"));
        assert!(reason("copy-64k", "iceoryx2").contains("cache"));
        assert_eq!(reason("copy-640k", "shaq"), "reason not known yet");
        assert!(reason("latency-64k", "shaq in place").contains("body"));
        assert!(reason("latency-8", "ringfire").contains("share lines"));
        assert_eq!(reason("mpmc-8-2p2c", "kanal"), "reason not known yet");
        assert!(reason("mpmc-8-2p2c", "ArrayQueue, spinning").contains("chain"));
    }

    #[test]
    fn the_places_where_reasons_are_told_exist() {
        for (case, peer, _) in REASONS {
            let text = reason(&format!("{case}{}", if case.ends_with('-') { "1p1c" } else { "" }), peer);
            let anchor = text.split_once('#').expect("a link").1.trim_end_matches(')');
            let heading = |line: &str| line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
            assert!(PERFORMANCE.lines().any(|line| line.starts_with('#') && heading(line) == anchor), "{anchor}");
        }
    }
}
