//! Whether the README says what the file of every figure says: tests, for whoever edits between the marks by hand.

use crate::table::{MARKS, ROWS};
use std::fs;
use std::path::Path;

/// Figures of the README's first table that the file does not have.
fn unfounded(readme: &str, csv: &str) -> Vec<String> {
    let mut reader = csv::ReaderBuilder::new().comment(Some(b'#')).from_reader(csv.as_bytes());
    let known: Vec<_> = reader.records().map(|row| row.expect("a row")).collect();
    let is_known = |case: &str, contestant: &str, mode: &str, figure: &str| {
        // It was rounded to its last digit.
        let digits = figure.split_once('.').map_or(0, |(_, digits)| digits.len());
        let rounded = 0.501 * 0.1_f64.powi(digits as i32);
        let figure: f64 = figure.parse().expect("a figure");
        let medians = known.iter().filter(|row| row.iter().take(3).eq([case, contestant, mode]));
        medians.flat_map(|row| row[6].parse()).any(|median: f64| (median - figure).abs() <= rounded)
    };
    let mut unfounded = Vec::new();
    for line in MARKS.between(readme).expect("the marks are there").lines() {
        let mut cells = line.split('|').map(str::trim).skip(1);
        let about = cells.next().unwrap_or_default();
        let Some(row) = ROWS.iter().find(|row| about.starts_with(row.about)) else { continue };
        let mut cell = || cells.next().unwrap_or_default();
        let ours = cell().split(' ').next().unwrap_or_default();
        let figures = [(row.ours, "P", ours)];
        let mut peers = Vec::new();
        for mode in ["P", "T"] {
            peers.extend(cell().rsplit_once(": ").map(|(name, figure)| (name, mode, figure)));
            cell();
        }
        for (name, mode, figure) in figures.into_iter().chain(peers) {
            if !is_known(row.case, name, mode, figure) {
                unfounded.push(format!("{}: {name} ({mode}): {figure}", row.case));
            }
        }
    }
    unfounded
}

#[test]
fn the_readme_says_what_the_file_of_figures_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    // Before the first run of `cargo xtask plot` there is none.
    let Ok(csv) = fs::read_to_string(root.join("docs/figures.csv")) else { return };
    let readme = fs::read_to_string(root.join("README.md")).expect("it is there");
    assert_eq!(unfounded(&readme, &csv), [] as [String; 0]);
}

#[test]
fn a_figure_that_somebody_typed_is_found() {
    use crate::samples::{Samples, tests::RUN};
    let samples = Samples::parse(RUN).expect("it is well formed");
    let tables = crate::table::tables(&samples);
    let csv = crate::figures::csv(&samples).expect("it is written");
    let readme = |tables: &str| MARKS.insert(&[MARKS.begin, MARKS.end].concat(), tables).expect("the marks are there");
    assert_eq!(unfounded(&readme(&tables), &csv), [] as [String; 0]);
    assert!(tables.contains("| 165 ns |") && tables.contains("| shaq: 330 |"), "{tables}");
    let typed = tables.replacen("| 165 ns |", "| 155 ns |", 1).replacen("| shaq: 330 |", "| shaq: 340 |", 1);
    assert_eq!(unfounded(&readme(&typed), &csv), ["rtt-spin: ringmail spsc (P): 155", "rtt-spin: shaq (P): 340"]);
}
