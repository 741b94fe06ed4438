//! Every figure of every case: as a page to read, and as a file to check the tables against.

use crate::race;
use crate::ratio::Ratio;
use crate::samples::{Kind, Name, Regime, Samples};
use crate::table::{all_lost, number, spelled};
use std::collections::BTreeSet;
use std::error::Error;
use std::fmt::Write;

/// One contestant's figures in one case and regime.
struct Line<'a> {
    name: Name<'a>,
    kind: Kind,
    rounds: usize,
    median: f64,
    least: f64,
    greatest: f64,
    p99: Option<f64>,
    /// How much better the one that stands for us is.
    ratio: Option<Ratio>,
}

fn lines<'a>(samples: &'a Samples, case: &str, regime: Regime) -> Vec<Line<'a>> {
    let ours = race::ours(samples, case, regime).first().map(|&name| (name, false));
    let line = |(name, kind): (Name<'a>, Kind)| {
        let figures = samples.figures(case, regime, name);
        let other = ours.filter(|&ours| ours != name);
        Some(Line {
            name,
            kind,
            rounds: figures.len(),
            median: samples.median(case, regime, name)?,
            least: figures.iter().copied().reduce(f64::min)?,
            greatest: figures.into_iter().reduce(f64::max)?,
            p99: samples.p99(case, regime, name),
            ratio: other.and_then(|ours| samples.ratio(case, regime, ours, name)),
        })
    };
    samples.contestants(case, regime).into_iter().filter_map(line).collect()
}

/// The page.
pub fn page(samples: &Samples) -> String {
    let usual = samples.regime();
    let mut text = format!(
        "# Every figure\n\n\
         Written by `cargo xtask plot` from a run of `cargo xtask bench compare`; `cargo xtask bench compare --list` says what each case is, and \
         [`performance.md`](performance.md) what bounds it and how a figure comes about. [`figures.csv`](figures.csv) has the same for every regime.\n\n\
         (P): between processes, (T): between threads of one. The ratio is that of Ringmail's first row to this one: the median of ratios within \
         rounds, above 1 where Ringmail is ahead, **bold** where it is behind, with the least and the greatest and the number of rounds. Of fewer \
         than five rounds nothing is said. Each case is told in the regime \"{usual}\" where it has enough rounds there.\n\n"
    );
    for line in &samples.machine {
        writeln!(text, "- {line}").expect("a string takes it");
    }
    let lost = all_lost(samples);
    writeln!(text, "\n## Behind\n\nWherever one of Ringmail's contestants between processes is behind a peer, ties and few rounds included.\n\n{lost}")
        .expect("a string takes it");
    for case in samples.cases() {
        let regime = samples.regime_of(case);
        let (unit, less_is_better) = samples.unit(case).unwrap_or_default();
        let better = if less_is_better { "less" } else { "more" };
        let origin = samples.origins.get(case).map_or_else(String::new, |origin| format!("; taken {}", origin.told()));
        writeln!(
            text,
            "\n## `{case}`\n\n{}, {better} is better; regime \"{regime}\"{origin}.\n\n\
             | | median | least-greatest | rounds | 99 % | ratio |\n|---|---|---|---|---|---|",
            spelled(unit)
        )
        .expect("a string takes it");
        let mut lines = lines(samples, case, regime);
        // Ours first: the row that the ratios are of is on top.
        let ours = race::ours(samples, case, regime);
        lines.sort_by_key(|line| match line.name {
            (name, false) => ours.iter().position(|ours| *ours == name).unwrap_or(ours.len()),
            _ => ours.len(),
        });
        for line in lines {
            writeln!(
                text,
                "| {} | {} | {}-{} | {} | {} | {} |",
                shown(line.name),
                number(line.median),
                number(line.least),
                number(line.greatest),
                line.rounds,
                line.p99.map_or_else(String::new, number),
                line.ratio.map_or_else(String::new, |ratio| ratio.told())
            )
            .expect("a string takes it");
        }
        for (name, word) in samples.stuck(case) {
            writeln!(text, "| {} | {word} | | 0 | | |", shown(name)).expect("a string takes it");
        }
    }
    text
}

fn shown((name, threads): Name<'_>) -> String {
    format!("{name} ({})", mode(threads))
}

fn mode(threads: bool) -> &'static str {
    if threads { "T" } else { "P" }
}

const COLUMNS: [&str; 16] = [
    "case",
    "contestant",
    "mode",
    "kind",
    "regime",
    "rounds",
    "median",
    "min",
    "max",
    "p99",
    "unit",
    "better",
    "ratio",
    "ratio_min",
    "ratio_max",
    "ratio_rounds",
];

/// The file: a line for each contestant, case and regime.
pub fn csv(samples: &Samples) -> Result<String, Box<dyn Error>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(COLUMNS)?;
    for case in samples.cases() {
        let (unit, less_is_better) = samples.unit(case).unwrap_or_default();
        let better = if less_is_better { "less" } else { "more" };
        for regime in Regime::ALL {
            for Line { name: (name, threads), kind, rounds, median, least, greatest, p99, ratio } in
                lines(samples, case, regime)
            {
                let figure = |figure: f64| format!("{figure:.4}");
                let of_ratio =
                    |part: fn(&Ratio) -> f64| ratio.as_ref().map_or_else(String::new, |ratio| figure(part(ratio)));
                writer.write_record([
                    case,
                    name,
                    mode(threads),
                    &kind.to_string(),
                    &regime.to_string(),
                    &rounds.to_string(),
                    &figure(median),
                    &figure(least),
                    &figure(greatest),
                    &p99.map_or_else(String::new, figure),
                    unit,
                    better,
                    &of_ratio(|ratio| ratio.median),
                    &of_ratio(|ratio| ratio.least),
                    &of_ratio(|ratio| ratio.greatest),
                    &ratio.map_or_else(String::new, |ratio| ratio.rounds.to_string()),
                ])?;
            }
        }
        for (name, threads) in samples.stuck(case).into_keys() {
            let mut record = [""; COLUMNS.len()];
            record[..3].copy_from_slice(&[case, name, mode(threads)]);
            record[5] = "0";
            writer.write_record(record)?;
        }
    }
    let mut text = String::new();
    for line in &samples.machine {
        writeln!(text, "# {line}")?;
    }
    for (case, origin) in &samples.origins {
        let quick = if origin.quick { ", quick=yes" } else { "" };
        writeln!(text, "# case {case}: date={}, commit={}, rustc={}{quick}", origin.date, origin.commit, origin.rustc)?;
    }
    Ok(text + &String::from_utf8(writer.into_inner()?)?)
}

/// Who took part in what, as such a file has it.
fn parts(csv: &str) -> Result<BTreeSet<[String; 3]>, Box<dyn Error>> {
    let mut reader = csv::ReaderBuilder::new().comment(Some(b'#')).from_reader(csv.as_bytes());
    let part = |row: csv::StringRecord| std::array::from_fn(|place| row.get(place).unwrap_or_default().to_owned());
    Ok(reader.records().map(|row| row.map(part)).collect::<Result<_, _>>()?)
}

/// What one such file has and another one has not: what would vanish without a word.
pub fn vanishing(old: &str, new: &str) -> Result<Vec<String>, Box<dyn Error>> {
    let new = parts(new)?;
    let gone = parts(old)?.into_iter().filter(|part| !new.contains(part));
    Ok(gone.map(|[case, contestant, mode]| format!("{case}: {contestant} ({mode})")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::tests::RUN;

    #[test]
    fn the_page_has_everybody_and_who_did_not_end() {
        let page = page(&Samples::parse(RUN).expect("it is well formed"));
        let of_case: Vec<_> = page
            .lines()
            .skip_while(|line| *line != "## `rtt-spin`")
            .take_while(|line| *line != "## `spsc-8`")
            .collect();
        assert!(of_case[2].contains("less is better") && of_case[2].contains("commit abcdef0"), "{}", of_case[2]);
        assert_eq!(
            of_case[6..11],
            [
                "| ringmail spsc (P) | 165 | 160-170 | 2 | 200 |  |",
                "| rtrb (T) | 120 | 120-120 | 1 |  | 0.75x (0.75-0.75, 1) (few rounds) |",
                "| shaq (P) | 330 | 320-340 | 2 |  | 2.00x (2.00-2.00, 2) (few rounds) |",
                "| ipmpsc (P) | failed | | 0 | | |",
                "| pipe (P) | did not end | | 0 | | |",
            ]
        );
        assert!(page.contains("| bare stream (P) | 260 |"), "limits too");
    }

    #[test]
    fn the_file_has_every_regime() {
        let csv = csv(&Samples::parse(RUN).expect("it is well formed")).expect("it is written");
        assert!(csv.contains("\nrtt-spin,shaq,P,Peer,far,1,800.0000,800.0000,800.0000,,ns,less,,,,\n"), "{csv}");
        assert!(csv.contains(",near,2,330.0000,320.0000,340.0000,,ns,less,2.0000,2.0000,2.0000,2\n"), "{csv}");
        assert!(csv.contains("\nrtt-spin,pipe,P,,,0,"), "{csv}");
        assert!(
            csv.starts_with("# machine: a CPU") && csv.contains("# case rtt-spin: date=2026-11-29, commit=abcdef0")
        );
    }

    #[test]
    fn who_would_vanish_is_named() {
        let old = csv(&Samples::parse(RUN).expect("it is well formed")).expect("it is written");
        let less: String =
            RUN.lines().filter(|line| !line.contains("bare stream")).map(|line| format!("{line}\n")).collect();
        let new = csv(&Samples::parse(&less).expect("it is well formed")).expect("it is written");
        assert_eq!(vanishing(&old, &new).expect("both are files"), ["spsc-8: bare stream (P)"]);
        assert!(vanishing(&new, &old).expect("both are files").is_empty());
    }
}
