//! How long a round trip takes, against how long the message is: one line for each mechanism.

use super::canvas::{Picture, bytes, time};
use super::curves::{self, Axes, HEIGHT, Line, WIDTH};
use super::missing;
use crate::samples::Samples;

/// The cases and their lengths in bytes.
const CASES: [(&str, f64); 6] = [
    ("latency-8", 8.0),
    ("latency-64", 64.0),
    ("latency-512", 512.0),
    ("latency-4k", 4096.0),
    ("latency-64k", 65536.0),
    ("latency-1m", 1_048_576.0),
];

pub fn picture(samples: &Samples) -> Option<Picture> {
    let regime = samples.regime();
    let mut names: Vec<(&str, bool)> = Vec::new();
    for (case, _) in CASES {
        for (name, _) in samples.contestants(case, regime) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    let line = |name: (&str, bool)| {
        let figure = |&(case, length): &(&str, f64)| samples.median(case, regime, name).map(|ns| (length, ns));
        let points: Vec<_> = CASES.iter().filter_map(figure).collect();
        Line { name: name.0.to_owned(), points, is_limit: false, is_dashed: name.0.ends_with("in place") }
    };
    let lines: Vec<_> = names.into_iter().map(line).filter(|line| !line.points.is_empty()).collect();
    if lines.is_empty() {
        return None;
    }
    let more = format!(
        "Two processes, both looking all the time; median of the regime \"{regime}\". Copied in and seen in place; dashed: not copied at all."
    );
    let mut picture = Picture::new(WIDTH, HEIGHT, "Round trip against the length of the message", &more);
    let ticks = CASES.iter().map(|&(_, length)| (length, bytes(length))).collect();
    let axes = Axes {
        ticks,
        ends: (CASES[0].1, CASES[CASES.len() - 1].1),
        x_label: "bytes of the message",
        y_label: "there and back",
        y_name: time,
    };
    curves::draw(&mut picture, &axes, &lines);
    picture.foot(&samples.machine, &missing(samples, &CASES.map(|(case, length)| (case, bytes(length)))));
    Some(picture)
}
