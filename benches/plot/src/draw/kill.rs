//! What is left of a queue when one of its processes is killed: how often the others stood still, and what a message costs from then on.

use super::canvas::{GRID, INK, PAPER, Picture, SOFT, Side};
use crate::samples::{Name, Regime, Samples};
use crate::table::number;
use plotters::style::RGBColor;

const WIDTH: i32 = 1000;
const TOP: i32 = 128;
const ROW: i32 = 38;
/// Where the names end and the columns are, and how wide these are.
const NAMES: i32 = 28;
const COLUMNS: [i32; 3] = [360, 570, 780];
const COLUMN: i32 = 196;

const WELL: RGBColor = RGBColor(0x2E, 0x8B, 0x57);
const ILL: RGBColor = RGBColor(0xB8, 0x2A, 0x2A);
const BETWEEN: RGBColor = RGBColor(0xC9, 0x8A, 0x12);

/// Who was measured with a receiver that was killed while it slept: the contestant here, and the case with its figures before and after.
const SLEEPERS: [(&str, &str, [&str; 2]); 3] = [
    ("ringmail mpmc, 2 to 2", "kill-mpmc", ["ringmail, before", "ringmail, after"]),
    ("ringmail spsc, 1 to 1", "kill-spsc", ["ringmail, before", "ringmail, after"]),
    ("shaq, 2 to 2", "kill-shaq", ["shaq, before", "shaq, after"]),
];

pub fn picture(samples: &Samples) -> Option<Picture> {
    let regime = samples.regime();
    let others = Regime::ALL.into_iter().filter(|&other| other != regime);
    let regimes: Vec<_> = std::iter::once(regime).chain(others).collect();
    // A death does not depend on how fast lines move.
    let percent = |case: &str, name: Name<'_>| {
        let figures = regimes.iter().map(|&regime| samples.median(case, regime, name));
        figures.flatten().reduce(f64::max)
    };
    let mut names: Vec<Name<'_>> = Vec::new();
    for case in ["survive-sender", "survive-receiver"] {
        for &regime in &regimes {
            for (name, _) in samples.contestants(case, regime) {
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
    }
    if names.is_empty() {
        return None;
    }
    names.sort_by_key(|(name, _)| !name.starts_with("ringmail"));
    let height = TOP + names.len() as i32 * ROW + 50;
    let more = "How many trials in a hundred stood still for a second after kill -9, with messages under way; from so many senders to so many receivers.";
    let mut picture = Picture::new(WIDTH, height, "When one of them is killed", more);
    let heads = ["a sender is killed", "a receiver is killed", "a sleeping receiver is killed"];
    for (column, head) in COLUMNS.iter().zip(heads) {
        picture.word((column + COLUMN / 2, TOP - 28), head, INK, 14, Side::Middle, true);
    }
    picture.word(
        (COLUMNS[2] + COLUMN / 2, TOP - 10),
        "a message costs before, and then",
        SOFT,
        12,
        Side::Middle,
        false,
    );
    for (row, &name) in names.iter().enumerate() {
        let y = TOP + row as i32 * ROW + ROW / 2;
        picture.line(vec![(NAMES, y + ROW / 2), (COLUMNS[2] + COLUMN, y + ROW / 2)], GRID, 1, false);
        picture.word((NAMES, y), name.0, INK, 15, Side::Left, name.0.starts_with("ringmail"));
        for (column, case) in COLUMNS.iter().zip(["survive-sender", "survive-receiver"]) {
            let Some(still) = percent(case, name) else { continue };
            let color = match still {
                0.0 => WELL,
                ..10.0 => BETWEEN,
                _ => ILL,
            };
            cell(&mut picture, *column, y, color, &format!("{still:.0} %"));
        }
        let sleeper = SLEEPERS.iter().find(|(contestant, ..)| *contestant == name.0);
        if let Some((_, case, [before, after])) = sleeper {
            let figures = |regime| {
                let figure = |contestant: &str| samples.median(case, regime, (contestant, false));
                figure(before).zip(figure(after))
            };
            if let Some((before, after)) = regimes.iter().find_map(|&regime| figures(regime)) {
                let color = if after > 1.5 * before { ILL } else { WELL };
                cell(&mut picture, COLUMNS[2], y, color, &format!("{} ns, {} ns", number(before), number(after)));
            }
        }
    }
    picture.foot(&samples.machine);
    Some(picture)
}

fn cell(picture: &mut Picture, left: i32, y: i32, color: RGBColor, text: &str) {
    picture.rectangle((left, y - ROW / 2 + 3), (left + COLUMN, y + ROW / 2 - 3), color, true);
    picture.word((left + COLUMN / 2, y), text, PAPER, 15, Side::Middle, true);
}
