//! Many senders, many receivers: messages a second, as bars, a row for each length.

use super::canvas::{INK, LIMIT, OURS, PAPER, Picture, SOFT, Scale, Side, Stroke, color, toward};
use crate::samples::{Kind, Name, Samples};
use crate::table::number;
use plotters::style::RGBColor;

const SIZES: [(&str, &str); 3] = [("8", "8 B"), ("64", "64 B"), ("1024", "1 KiB")];
const SHAPES: [(&str, &str); 5] =
    [("1p1c", "1 to 1"), ("2p1c", "2 to 1"), ("1p2c", "1 to 2"), ("2p2c", "2 to 2"), ("4p4c", "4 to 4")];

const WIDTH: i32 = 1200;
/// Where the names begin, how many stand in a row, and its height.
const NAMES: i32 = 84;
const COLUMNS: usize = 6;
const LINE: i32 = 22;
/// Height of a row, and of the bars in it.
const ROW: i32 = 262;
const BARS: i32 = 200;
const LEFT: i32 = 84;
const RIGHT: i32 = 1176;

pub fn picture(samples: &Samples) -> Option<Picture> {
    let regime = samples.regime();
    let (mut names, mut limits): (Vec<Name<'_>>, Vec<Name<'_>>) = (Vec::new(), Vec::new());
    for case in cases() {
        for (name, kind) in samples.contestants(&case, regime) {
            let known = if kind == Kind::Limit { &mut limits } else { &mut names };
            if !known.contains(&name) {
                known.push(name);
            }
        }
    }
    if names.is_empty() {
        return None;
    }
    // Ours first, then processes, then threads.
    names.sort_by_key(|&(name, threads)| (!name.starts_with("ringmail"), threads));
    let limit =
        limits.first().map_or_else(String::new, |(name, _)| format!(" Dashed: {name}, which recovers from nothing."));
    let stuck = cases().iter().any(|case| !samples.stuck(case).is_empty());
    let stuck = if stuck { " ×: failed or did not end." } else { "" };
    let more = format!(
        "Millions a second, median of the regime \"{regime}\". Hollow: between threads of one process.{limit}{stuck}"
    );
    // The first row of bars begins below the names.
    let top = NAMES + LINE * names.len().div_ceil(COLUMNS) as i32;
    let mut picture = Picture::new(WIDTH, top + 3 * ROW + 40, "Many senders, many receivers", &more);
    legend(&mut picture, &names);
    for (row, (size, size_name)) in SIZES.iter().enumerate() {
        draw_row(&mut picture, samples, (&names, &limits), top + row as i32 * ROW, (size, size_name));
    }
    picture.foot(&samples.machine, "");
    Some(picture)
}

/// The cases that the picture is of.
fn cases() -> Vec<String> {
    let of_size = |size| SHAPES.iter().map(move |(shape, _)| format!("mpmc-{size}-{shape}"));
    SIZES.iter().flat_map(|(size, _)| of_size(size)).collect()
}

/// The names, in rows over the width.
fn legend(picture: &mut Picture, names: &[(&str, bool)]) {
    let step = (RIGHT - 28) / COLUMNS as i32;
    for (place, &name) in names.iter().enumerate() {
        let (x, y) = (28 + (place % COLUMNS) as i32 * step, NAMES + (place / COLUMNS) as i32 * LINE);
        bar(picture, (x, y - 6), (x + 14, y + 6), name);
        picture.word((x + 20, y), &shown(name), INK, 14, Side::Left, name.0.starts_with("ringmail"));
    }
}

fn shown((name, threads): (&str, bool)) -> String {
    match (name, threads) {
        ("ringmail, processes", _) => "ringmail".to_owned(),
        ("ringmail", true) => "ringmail (threads)".to_owned(),
        _ => name.to_owned(),
    }
}

/// What a bar is drawn in: another way to use the same queue is darker.
fn shade(name: &str) -> RGBColor {
    let is_other = [", polling", ", yielding"].iter().any(|way| name.ends_with(way));
    toward(color(name), INK, if is_other { 0.55 } else { 0.0 })
}

fn bar(picture: &mut Picture, from: (i32, i32), to: (i32, i32), (name, threads): (&str, bool)) {
    let color = shade(name);
    picture.rectangle(from, to, color, true);
    if threads && to.1 - from.1 > 5 {
        picture.rectangle((from.0 + 2, from.1 + 2), (to.0 - 2, to.1 - 2), PAPER, true);
    }
}

/// The bars of one length.
fn draw_row(
    picture: &mut Picture,
    samples: &Samples,
    (names, limits): (&[Name<'_>], &[Name<'_>]),
    top: i32,
    (size, size_name): (&str, &str),
) {
    let regime = samples.regime();
    let figure = |shape: &str, name: Name<'_>| samples.median(&format!("mpmc-{size}-{shape}"), regime, name);
    let all = names.iter().chain(limits);
    let all = all.flat_map(|&name| SHAPES.iter().filter_map(move |(shape, _)| figure(shape, name)));
    let high = all.fold(0.0, f64::max);
    if high == 0.0 {
        return;
    }
    let bottom = top + BARS + 24;
    let y = Scale { low: 0.0, high: high * 1.05, pixels: (bottom, bottom - BARS), logarithmic: false };
    picture.word((28, top + 10), size_name, INK, 16, Side::Left, true);
    for tick in ticks(high) {
        let at = y.place(tick);
        picture.rule((LEFT, at), (RIGHT, at));
        picture.word((LEFT - 8, at), &format!("{tick}"), SOFT, 13, Side::Right, false);
    }
    let group = (RIGHT - LEFT) / SHAPES.len() as i32;
    for (place, (shape, shape_name)) in SHAPES.iter().enumerate() {
        let left = LEFT + place as i32 * group;
        let case = format!("mpmc-{size}-{shape}");
        let stuck = samples.stuck(&case);
        let takes_part = |name: &&Name<'_>| figure(shape, **name).is_some() || stuck.contains_key(*name);
        let bars: Vec<_> = names.iter().filter(takes_part).map(|&name| (name, figure(shape, name))).collect();
        let width = ((group - 24) / bars.len().max(1) as i32).min(22);
        let start = left + (group - width * bars.len() as i32) / 2;
        let limit = limits.first().and_then(|&name| figure(shape, name));
        if let Some(at) = limit.map(|limit| y.place(limit)) {
            picture.line(vec![(left + 6, at), (left + group - 6, at)], LIMIT, 2, Stroke::Dashed);
        }
        for (rank, &(name, figure)) in bars.iter().enumerate() {
            let x = start + rank as i32 * width;
            let Some(figure) = figure else {
                picture.word((x + width / 2, bottom - 9), "×", shade(name.0), 15, Side::Middle, true);
                continue;
            };
            let height = y.place(figure).min(bottom - 1);
            bar(picture, (x + 1, height), (x + width - 2, bottom), name);
            if name == ("ringmail, processes", false) {
                // Above the next bar too, which the number reaches over.
                let next = bars.get(rank + 1).and_then(|(_, figure)| *figure).map_or(height, |figure| y.place(figure));
                let above = height.min(next) - 10;
                // The limit's line is not to go through it.
                picture.rectangle((x + width / 2 - 16, above - 7), (x + width / 2 + 16, above + 6), PAPER, true);
                picture.word((x + width / 2, above), &number(figure), OURS, 13, Side::Middle, true);
            }
        }
        picture.word((left + group / 2, bottom + 16), shape_name, INK, 14, Side::Middle, false);
    }
    picture.line(vec![(LEFT, bottom), (RIGHT, bottom)], SOFT, 1, Stroke::Solid);
}

/// Four or five round figures up to this one.
fn ticks(high: f64) -> Vec<f64> {
    let rough = high / 4.0;
    let power = 10_f64.powf(rough.log10().floor());
    let step =
        [1.0, 2.0, 5.0, 10.0].into_iter().map(|digit| digit * power).find(|&step| step >= rough).unwrap_or(rough);
    (0..).map(|count| f64::from(count) * step).take_while(|&tick| tick <= high).collect()
}

#[cfg(test)]
mod tests {
    use super::{shade, ticks};

    #[test]
    fn no_two_bars_look_alike() {
        let processes = ["ringmail, processes", "shaq", "cloudtoid", "ipmpsc", "pipe", "Unix socket", "ipc-channel"];
        let threads = [
            "ringmail",
            "ArrayQueue",
            "ArrayQueue, spinning",
            "crossbeam-channel",
            "crossbeam-channel, polling",
            "kanal",
            "kanal, polling",
            "disruptor",
        ];
        for names in [&processes[..], &threads] {
            for (place, name) in names.iter().enumerate() {
                assert!(names[..place].iter().all(|other| shade(other) != shade(name)), "{name}");
            }
        }
    }

    #[test]
    fn ticks_are_round() {
        assert_eq!(ticks(116.0), [0.0, 50.0, 100.0]);
        assert_eq!(ticks(3.9), [0.0, 1.0, 2.0, 3.0]);
    }
}
