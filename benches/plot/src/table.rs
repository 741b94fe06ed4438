//! The tables of the README: the cases that are told there, Ringmail beside the best of its peers, and every case in which it is behind.
//!
//! They stand between two marks, and what stands there is replaced: no figure is typed by hand.

use crate::marks::Marks;
use crate::origin;
use crate::race::{self, Rival};
use crate::reasons::reason;
use crate::samples::{Name, Regime, Samples};
use std::fmt::Write;

/// Where the tables stand.
pub const MARKS: Marks =
    Marks { begin: "<!-- figures: written by cargo xtask plot -->", end: "<!-- end of figures -->" };

/// A line of the table: what it is called, the case, and which of our contestants stands for us.
pub struct Row {
    pub about: &'static str,
    pub case: &'static str,
    pub ours: &'static str,
}

const fn row(about: &'static str, case: &'static str, ours: &'static str) -> Row {
    Row { about, case, ours }
}

pub const ROWS: &[Row] = &[
    row("`spsc`, 8 B, one a call", "spsc-8", "ringmail, two processes"),
    row("`spsc`, 8 B, batches of 64", "spsc-8x64", "ringmail, two processes"),
    row("`spsc`, 64 B, one a call", "spsc-64", "ringmail, two processes"),
    row("`spsc`, 1 KiB, one a call", "spsc-1k", "ringmail, two processes"),
    row("`spsc`, 1 KiB, made in place", "spsc-1k", "ringmail in place"),
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

/// Both tables, with what they were taken with.
pub fn tables(samples: &Samples) -> String {
    let usual = samples.regime();
    let mut text = String::from(
        "| | Ringmail | best between processes | ratio | best between threads | ratio |\n|---|---|---|---|---|---|\n",
    );
    let told = |row: &&Row| samples.median(row.case, samples.regime_of(row.case), (row.ours, false)).is_some();
    let rows: Vec<_> = ROWS.iter().filter(told).collect();
    for row in &rows {
        let regime = samples.regime_of(row.case);
        write!(
            text,
            "| {}{} | {} |",
            row.about,
            aside(regime, usual),
            figure(samples, row.case, regime, (row.ours, false))
        )
        .expect("a string takes it");
        for threads in [false, true] {
            let (name, ratio) = match race::rival(samples, row.case, regime, row.ours, threads) {
                Some(rival) => (format!("{}: {}", rival.name, number(rival.figure)), rival.ratio.told()),
                None => (String::new(), String::new()),
            };
            write!(text, " {name} | {ratio} |").expect("a string takes it");
        }
        text.push('\n');
    }
    let cases: Vec<_> = rows.iter().map(|row| row.case).collect();
    writeln!(
        text,
        "\nA ratio is the median of ratios within rounds, above 1 where Ringmail is ahead and **bold** where it is behind; in brackets are the \
         least and the greatest, and how many rounds there were. *A tie* is what the middle half of them does not agree on, and of fewer than five \
         nothing is said. Regime \"{usual}\", unless a row names another; {}. Between threads nothing needs shared memory, recovery or \
         names. [Every figure of every case](docs/figures.md) stands on a page of its own.\n",
        origin::told(samples, &cases)
    )
    .expect("a string takes it");
    for line in &samples.machine {
        writeln!(text, "- {line}").expect("a string takes it");
    }
    text + &lost(samples)
}

/// One of our contestants that is behind in a case, with whom.
struct Loss<'a> {
    case: &'a str,
    ours: &'a str,
    /// Whether it is the one that stands for the case.
    is_headline: bool,
    regime: Regime,
    /// Between processes, and between threads.
    rivals: [Option<Rival<'a>>; 2],
}

impl Loss<'_> {
    fn row(&self, samples: &Samples) -> String {
        let told = |rival: &Option<Rival<'_>>| {
            rival.as_ref().map_or_else(String::new, |rival| format!("{}: {}", rival.name, rival.ratio.told()))
        };
        let mut reasons: Vec<_> = self.rivals.iter().flatten().map(|rival| reason(self.case, rival.name)).collect();
        reasons.dedup();
        let who = if self.is_headline { String::new() } else { format!(": {}", self.ours) };
        format!(
            "| `{}`{who}{} | {} | {} | {} | {} |\n",
            self.case,
            aside(self.regime, samples.regime()),
            figure(samples, self.case, self.regime, (self.ours, false)),
            told(&self.rivals[0]),
            told(&self.rivals[1]),
            reasons.join("; ")
        )
    }

    fn in_short(&self) -> String {
        let rivals = self.rivals.iter().flatten().map(|rival| format!("{:.2}x {}", rival.ratio.median, rival.name));
        format!("`{}` {} ({})", self.case, self.ours, rivals.collect::<Vec<_>>().join(", "))
    }
}

/// Where one of our contestants between processes is behind a peer, be it by a hair.
fn losses(samples: &Samples) -> Vec<Loss<'_>> {
    let mut losses = Vec::new();
    for case in samples.cases() {
        let regime = samples.regime_of(case);
        for (place, ours) in race::ours(samples, case, regime).into_iter().enumerate() {
            let rivals = [false, true].map(|threads| {
                race::rival(samples, case, regime, ours, threads).filter(|rival| rival.ratio.median < 1.0)
            });
            if rivals.iter().any(Option::is_some) {
                losses.push(Loss { case, ours, is_headline: place == 0, regime, rivals });
            }
        }
    }
    losses
}

const LOSSES: &str = "| case | Ringmail | between processes | between threads | why |\n|---|---|---|---|---|\n";

/// Every case that is lost: by the contestant that stands for it in a row, and by others of ours in short.
fn lost(samples: &Samples) -> String {
    let (headlines, others): (Vec<_>, Vec<_>) = losses(samples).into_iter().partition(|loss| loss.is_headline);
    let mut text = String::new();
    if headlines.is_empty() {
        text += "\nRingmail is behind in no case.\n";
    } else {
        text += "\nEvery case in which Ringmail is behind, ties and few rounds included, with the peer that is farthest ahead:\n\n";
        text += LOSSES;
        headlines.iter().for_each(|loss| text += &loss.row(samples));
    }
    if !others.is_empty() {
        let others: Vec<_> = others.iter().map(Loss::in_short).collect();
        writeln!(
            text,
            "\nOther ways to use it are behind here ([in full](docs/figures.md#behind)): {}.",
            others.join("; ")
        )
        .expect("a string takes it");
    }
    let failed: Vec<_> = samples.cases().into_iter().flat_map(|case| failed(samples, case)).collect();
    if !failed.is_empty() {
        writeln!(text, "\nRingmail's own came to no end: {}.", failed.join("; ")).expect("a string takes it");
    }
    text
}

fn failed(samples: &Samples, case: &str) -> Vec<String> {
    let ours = samples.stuck(case).into_iter().filter(|((name, _), _)| name.starts_with("ringmail"));
    ours.map(|((name, _), word)| format!("`{case}` {name} {word}")).collect()
}

/// All losses in full, for a page in `docs/`.
pub fn all_lost(samples: &Samples) -> String {
    let rows: String = losses(samples).iter().map(|loss| loss.row(samples)).collect();
    [LOSSES, &rows.replace("(docs/", "(")].concat()
}

/// The rows of the first table that a text with it has and another one has not: what would vanish without a word.
pub fn vanishing(old: &str, new: &str) -> Vec<&'static str> {
    let has = |text: &str, row: &Row| {
        text.lines().any(|line| {
            let rest = line.strip_prefix("| ").and_then(|line| line.strip_prefix(row.about));
            rest.is_some_and(|rest| rest.starts_with(" |") || rest.starts_with(" ("))
        })
    };
    ROWS.iter().filter(|row| has(old, row) && !has(new, row)).map(|row| row.about).collect()
}

/// A contestant's median, with its unit.
fn figure(samples: &Samples, case: &str, regime: Regime, name: Name<'_>) -> String {
    let median = samples.median(case, regime, name).map_or_else(String::new, number);
    let unit = samples.unit(case).map_or("", |(unit, _)| unit);
    format!("{median} {}", spelled(unit))
}

/// The regime, where it is not the usual one.
fn aside(regime: Regime, usual: Regime) -> String {
    if regime == usual { String::new() } else { format!(" ({regime})") }
}

/// Units as a reader has them.
pub fn spelled(unit: &str) -> &str {
    match unit {
        "us" => "µs",
        "us/s" => "µs a second",
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::tests::{RUN, head, rows};

    fn line(tables: &str, start: &str) -> String {
        tables.lines().find(|line| line.starts_with(start)).unwrap_or_else(|| panic!("{start}: {tables}")).to_owned()
    }

    #[test]
    fn losses_stand_beside_wins() {
        let tables = tables(&Samples::parse(RUN).expect("it is well formed"));
        assert_eq!(
            line(&tables, "| round trip, 64 B, spinning"),
            "| round trip, 64 B, spinning | 165 ns | shaq: 330 | 2.00x (2.00-2.00, 2) (few rounds) | rtrb: 120 \
             | 0.75x (0.75-0.75, 1) (few rounds) |"
        );
        assert_eq!(
            line(&tables, "| `spsc`, 8 B, one a call"),
            "| `spsc`, 8 B, one a call | 200 million/s |  |  | rtrb: 250 | 0.80x (0.80-0.80, 1) (few rounds) |"
        );
        assert!(!tables.contains("bare stream"), "a limit is no peer");
        assert!(tables.contains("\"near\"") && tables.contains("- machine: a CPU"));
        assert!(
            tables.contains("taken on 2026-11-29 from commit abcdef0 by rustc 1.95.0; when the other 1"),
            "{tables}"
        );
    }

    #[test]
    fn no_loss_is_left_out() {
        let six = |figure: f64| vec![figure; 6];
        let [one, two, three] = [six(1.0), six(2.0), six(3.0)];
        let text = [
            head(),
            "\n",
            &rows(
                "video-1080p",
                "less",
                &[
                    ("ringmail spsc", "P", "near", &two),
                    ("ringmail mpmc", "P", "near", &three),
                    ("shaq", "P", "near", &one),
                    ("pipe", "P", "near", &three),
                    ("kanal", "T", "near", &one),
                ],
            ),
            &rows("rtt-spin", "less", &[("ringmail spsc", "P", "near", &two), ("shaq", "P", "near", &one[..2])]),
            &rows("attach", "less", &[("ringmail spsc", "P", "near", &one), ("shaq", "P", "near", &two)]),
            "idle,0,\"ringmail spsc\",Ours,P,near,1,1,,ns,less,,,,Stuck\n",
        ]
        .concat();
        let samples = Samples::parse(&text).expect("it is well formed");
        let [short, all] = [lost(&samples), all_lost(&samples)];
        for text in [&short, &all] {
            assert_eq!(
                line(text, "| `video-1080p` |"),
                "| `video-1080p` | 2.00 ns | shaq: **0.50x** (0.50-0.50, 6) | kanal: **0.50x** (0.50-0.50, 6) | reason not known yet |"
            );
            let trip = line(text, "| `rtt-spin` |");
            assert!(trip.contains("(few rounds)") && !trip.contains("**") && trip.contains("in place"), "{trip}");
            assert!(!text.contains("attach"), "there it is ahead");
        }
        assert!(line(&all, "| `video-1080p`: ringmail mpmc |").contains("shaq: **0.33x**"));
        assert!(short.contains("`video-1080p` ringmail mpmc (0.33x shaq, 0.33x kanal)"), "{short}");
        assert!(short.contains("`idle` ringmail spsc did not end"), "{short}");
    }

    #[test]
    fn another_regime_is_named() {
        let text = [
            head(),
            "\n",
            &rows("rtt-spin", "less", &[("ringmail spsc", "P", "near", &[1.0; 6]), ("a", "P", "near", &[1.0; 6])]),
            &rows("idle", "less", &[("ringmail spsc", "P", "far", &[1.0; 6])]),
        ]
        .concat();
        let tables = tables(&Samples::parse(&text).expect("it is well formed"));
        line(&tables, "| processor time of an idle receiver (far) | 1.00 ns |");
        line(&tables, "| round trip, 64 B, spinning | 1.00 ns |");
    }

    #[test]
    fn rows_that_would_vanish_are_named() {
        let old =
            "| `spsc`, 8 B, one a call | 1 |\n| joining a queue by name (far) | 2 |\n| memory, 1024 x 64 B | 1 |\n";
        let new = "| memory, 1024 x 64 B | 2 |\n| `spsc`, 8 B, one a call (far) | 1 |\n";
        assert_eq!(vanishing(old, new), ["joining a queue by name"]);
        assert!(vanishing(new, old).is_empty());
    }

    #[test]
    fn numbers_have_three_digits() {
        assert_eq!([number(1234.5), number(12.345), number(1.234)], ["1234", "12.3", "1.23"]);
    }
}
