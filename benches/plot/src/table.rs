//! The table of the README: every case that is told there, Ringmail beside the best of its peers, losses beside wins.
//!
//! It stands between two marks, and what stands there is replaced: no figure is typed by hand.

use crate::samples::{Advantage, Kind, Name, Samples};
use std::fmt::Write;

const BEGIN: &str = "<!-- figures: written by cargo xtask plot -->";
const END: &str = "<!-- end of figures -->";

/// A line of the table: what it is called, the case, and which of our contestants stands for us.
struct Row {
    about: &'static str,
    case: &'static str,
    ours: &'static str,
}

const fn row(about: &'static str, case: &'static str, ours: &'static str) -> Row {
    Row { about, case, ours }
}

const ROWS: &[Row] = &[
    row("`spsc`, 8 B, one a call", "spsc-8", "ringmail, two processes"),
    row("`spsc`, 8 B, batches of 64", "spsc-8x64", "ringmail, two processes"),
    row("`spsc`, 64 B, one a call", "spsc-64", "ringmail, two processes"),
    row("`spsc`, 1 KiB, one a call", "spsc-1k", "ringmail, two processes"),
    row("`mpmc`, 8 B, 1 to 1", "mpmc-8-1p1c", "ringmail, processes"),
    row("`mpmc`, 8 B, 2 to 2", "mpmc-8-2p2c", "ringmail, processes"),
    row("`mpmc`, 8 B, 4 to 4", "mpmc-8-4p4c", "ringmail, processes"),
    row("`mpmc`, 64 B, 1 to 1", "mpmc-64-1p1c", "ringmail, processes"),
    row("`mpmc`, 64 B, 1 to 2", "mpmc-64-1p2c", "ringmail, processes"),
    row("`mpmc`, 64 B, 4 to 4", "mpmc-64-4p4c", "ringmail, processes"),
    row("`mpmc`, 1 KiB, 2 to 2", "mpmc-1024-2p2c", "ringmail, processes"),
    row("64 KiB copied in", "copy-64k", "ringmail spsc"),
    row("1 MiB copied in", "copy-1m", "ringmail spsc"),
    row("1080p in colour, copied in, read in place", "video-1080p", "ringmail spsc"),
    row("4K in colour, copied in, read in place", "video-4k", "ringmail spsc"),
    row("4 actors, 1 learner, 28 KB observations", "fan-in", "ringmail mpmc"),
    row("round trip, 64 B, spinning", "rtt-spin", "ringmail spsc"),
    row("round trip, 64 B, blocking", "rtt-blocking", "ringmail spsc"),
    row("round trip, 64 B, after 300 us idle", "rtt-pause", "ringmail spsc"),
    row("processor time of an idle receiver", "idle", "ringmail spsc"),
    row("joining a queue by name", "attach", "ringmail spsc"),
    row("memory, 1024 x 64 B", "memory-short-used", "ringmail spsc"),
    row("memory, 64 x 64 KiB, just made", "memory-long-new", "ringmail spsc"),
];

/// The table, with what it was taken with.
pub fn table(samples: &Samples) -> String {
    let regime = samples.regime();
    let mut text = String::from(
        "| | Ringmail | best between processes | ahead by | best between threads | ahead by |\n|---|---|---|---|---|---|\n",
    );
    for row in ROWS {
        let ours = (row.ours, false);
        let (Some(figure), Some((unit, _))) = (samples.median(row.case, regime, ours), samples.unit(row.case)) else {
            continue;
        };
        write!(text, "| {} | {} {} |", row.about, number(figure), spelled(unit)).expect("a string takes it");
        for threads in [false, true] {
            let (name, ahead) = match best(samples, row.case, threads) {
                Some((name, figure)) => {
                    let ahead = samples.advantage(row.case, regime, ours, (name, threads));
                    (format!("{name}: {}", number(figure)), ahead.map_or_else(String::new, word))
                }
                None => (String::new(), String::new()),
            };
            write!(text, " {name} | {ahead} |").expect("a string takes it");
        }
        text.push('\n');
    }
    writeln!(
        text,
        "\nMedians of one run, all side by side in the regime \"{regime}\"; a ratio is the median of ratios within rounds, above 1 where \
         Ringmail is ahead and **bold** where it is not. Between threads nothing needs shared memory, recovery or names.\n"
    )
    .expect("a string takes it");
    for line in &samples.machine {
        writeln!(text, "- {line}").expect("a string takes it");
    }
    text
}

/// The best peer of a case, among those between threads or between processes.
fn best<'a>(samples: &'a Samples, case: &str, threads: bool) -> Option<(&'a str, f64)> {
    let regime = samples.regime();
    let (_, less_is_better) = samples.unit(case)?;
    let figure = |(name, kind): (Name<'a>, Kind)| {
        let counts = kind == Kind::Peer && name.1 == threads;
        counts.then(|| samples.median(case, regime, name)).flatten().map(|figure| (name.0, figure))
    };
    let figures = samples.contestants(case, regime).into_iter().filter_map(figure);
    let better = |a: f64, b: f64| if less_is_better { a < b } else { a > b };
    figures.reduce(|a, b| if better(b.1, a.1) { b } else { a })
}

fn word(ahead: Advantage) -> String {
    let ratio = format!("{:.2}x", ahead.median);
    match ahead {
        Advantage { is_tie: true, .. } => format!("{ratio}, a tie"),
        Advantage { median, .. } if median < 1.0 => format!("**{ratio}**"),
        _ => ratio,
    }
}

/// Units as a reader has them.
fn spelled(unit: &str) -> &str {
    match unit {
        "us" => "µs",
        "us/s" => "µs a second",
        "million/s" => "million/s",
        "thousand/s" => "thousand/s",
        "frames/s" => "frames/s",
        other => other,
    }
}

/// Three digits that count.
pub fn number(figure: f64) -> String {
    match figure {
        100.0.. => format!("{figure:.0}"),
        10.0.. => format!("{figure:.1}"),
        _ => format!("{figure:.2}"),
    }
}

/// The text with a new table between its marks.
pub fn insert(text: &str, table: &str) -> Result<String, String> {
    let marks = || format!("the text has no line \"{BEGIN}\" with a line \"{END}\" after it");
    let (before, rest) = text.split_once(BEGIN).ok_or_else(marks)?;
    let (_, after) = rest.split_once(END).ok_or_else(marks)?;
    Ok(format!("{before}{BEGIN}\n\n{table}\n{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::tests::RUN;

    #[test]
    fn losses_stand_beside_wins() {
        let table = table(&Samples::parse(RUN).expect("it is well formed"));
        let line = |start: &str| table.lines().find(|line| line.starts_with(start)).expect("it is there").to_owned();
        let trip = line("| round trip, 64 B, spinning");
        assert_eq!(trip, "| round trip, 64 B, spinning | 165 ns | shaq: 330 | 2.00x | rtrb: 120 | **0.75x** |");
        let stream = line("| `spsc`, 8 B, one a call");
        assert_eq!(stream, "| `spsc`, 8 B, one a call | 200 million/s |  |  | rtrb: 250 | **0.80x** |");
        assert!(!table.contains("bare stream"), "a limit is no peer");
        assert!(table.contains("\"near\"") && table.contains("- machine: a CPU"));
    }

    #[test]
    fn a_table_is_replaced_and_nothing_else() {
        let text = format!("above\n{BEGIN}\nold\n{END}\nbelow\n");
        let once = insert(&text, "new\n").expect("the marks are there");
        assert!(
            once.starts_with("above\n") && once.ends_with("below\n") && once.contains("new") && !once.contains("old")
        );
        assert_eq!(insert(&once, "new\n").expect("the marks are there"), once);
        assert!(insert("nothing", "new").is_err());
        assert!(insert(&format!("{END}\n{BEGIN}"), "new").is_err());
    }

    #[test]
    fn numbers_have_three_digits() {
        assert_eq!([number(1234.5), number(12.345), number(1.234)], ["1234", "12.3", "1.23"]);
    }
}
