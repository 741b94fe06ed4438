//! What is left of a queue when one of its processes is killed, as a table in colors.

use super::canvas::{INK, PAPER, Picture, SOFT, Side};
use crate::kills::{self, Trial};
use crate::samples::Samples;
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

pub fn picture(samples: &Samples) -> Option<Picture> {
    let rows = kills::rows(samples);
    if rows.is_empty() {
        return None;
    }
    let height = TOP + rows.len() as i32 * ROW + 66;
    let more = "How many trials in a hundred stood still for a second after kill -9, with messages under way; from so many senders to so many receivers.";
    let mut picture = Picture::new(WIDTH, height, "When one of them is killed", more);
    let heads = ["a sender is killed", "a receiver is killed", "a sleeping receiver is killed"];
    for (column, head) in COLUMNS.iter().zip(heads) {
        picture.word((column + COLUMN / 2, TOP - 28), head, INK, 14, Side::Middle, true);
    }
    let sleeper = "a message costs before, and then";
    picture.word((COLUMNS[2] + COLUMN / 2, TOP - 10), sleeper, SOFT, 12, Side::Middle, false);
    for (place, row) in rows.iter().enumerate() {
        let y = TOP + place as i32 * ROW + ROW / 2;
        picture.rule((NAMES, y + ROW / 2), (COLUMNS[2] + COLUMN, y + ROW / 2));
        picture.word((NAMES, y), row.name, INK, 15, Side::Left, row.is_ours());
        for (column, trial) in COLUMNS.into_iter().zip([row.sender, row.receiver]) {
            match trial {
                Trial::Still(still) => {
                    let color = match still {
                        0.0 => WELL,
                        ..10.0 => BETWEEN,
                        _ => ILL,
                    };
                    cell(&mut picture, column, y, color, &format!("{still:.0} %"));
                }
                Trial::Stuck(word) => cell(&mut picture, column, y, SOFT, word),
                Trial::None => nothing(&mut picture, column, y),
            }
        }
        match row.sleeper {
            Some([before, after]) => {
                let color = if after > 1.5 * before { ILL } else { WELL };
                cell(&mut picture, COLUMNS[2], y, color, &format!("{} ns, {} ns", number(before), number(after)));
            }
            None => nothing(&mut picture, COLUMNS[2], y),
        }
    }
    let word = "Did not end, failed: messages never began to flow. Not tried: no such trial, which says nothing about the queue. Ours first, then who went on best.";
    picture.foot(&samples.machine, word);
    Some(picture)
}

fn cell(picture: &mut Picture, left: i32, y: i32, color: RGBColor, text: &str) {
    picture.rectangle((left, y - ROW / 2 + 3), (left + COLUMN, y + ROW / 2 - 3), color, true);
    picture.word((left + COLUMN / 2, y), text, PAPER, 15, Side::Middle, true);
}

/// A field without a figure says so.
fn nothing(picture: &mut Picture, left: i32, y: i32) {
    picture.word((left + COLUMN / 2, y), "not tried", SOFT, 13, Side::Middle, false);
}
