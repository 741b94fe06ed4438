//! How many bytes a second go through, against how long the messages are, below what `memcpy` alone does.

use super::canvas::{Picture, bytes};
use super::curves::{self, Axes, HEIGHT, Line, WIDTH};
use super::missing;
use crate::samples::{Kind, Samples};

/// The cases and their lengths in bytes.
const CASES: [(&str, f64); 9] = [
    ("copy-8", 8.0),
    ("copy-64", 64.0),
    ("copy-512", 512.0),
    ("copy-4k", 4096.0),
    ("copy-64k", 65536.0),
    ("copy-1m", 1_048_576.0),
    ("copy-16m", 16_777_216.0),
    ("copy-256m", 268_435_456.0),
    ("copy-4g", 4_294_967_296.0),
];

/// In place nothing is moved, so its gigabytes a second mean nothing; the bare ring is told in words elsewhere; and bytes of any length are not
/// drawn where messages of one type are.
fn is_left_out(name: &str) -> bool {
    name.ends_with("in place") || name.ends_with("[u8]") || ["bare ring", "memcpy, going round"].contains(&name)
}

pub fn picture(samples: &Samples) -> Option<Picture> {
    let regime = samples.regime();
    let mut names = Vec::new();
    for (case, _) in CASES {
        for entry in samples.contestants(case, regime) {
            if !names.contains(&entry) && !is_left_out(entry.0.0) {
                names.push(entry);
            }
        }
    }
    let line = |(name, kind): ((&str, bool), Kind)| {
        let figure = |&(case, length): &(&str, f64)| samples.median(case, regime, name).map(|speed| (length, speed));
        let points: Vec<_> = CASES.iter().filter_map(figure).collect();
        let called = if name.1 { format!("{} (threads)", name.0) } else { name.0.to_owned() };
        Line { name: called, points, is_limit: kind == Kind::Limit, is_dashed: name.1 }
    };
    let lines: Vec<_> = names.into_iter().map(line).filter(|line| !line.points.is_empty()).collect();
    if lines.is_empty() {
        return None;
    }
    let more = format!(
        "Copied in and seen in place, GB/s; median of the regime \"{regime}\". Gray: the same bytes copied, and nothing else; otherwise dashed: between threads."
    );
    let mut picture = Picture::new(WIDTH, HEIGHT, "Throughput against the length of the message", &more);
    let longest = lines.iter().flat_map(|line| line.points.iter().map(|point| point.0)).fold(0.0, f64::max);
    let ticks = CASES.iter().filter(|case| case.1 <= longest).map(|&(_, length)| (length, size(length))).collect();
    let axes = Axes {
        ticks,
        ends: (CASES[0].1, longest),
        x_label: "bytes of a message",
        y_label: "GB/s",
        y_name: |speed| format!("{speed}"),
    };
    curves::draw(&mut picture, &axes, &lines);
    picture.foot(&samples.machine, &missing(samples, &CASES.map(|(case, length)| (case, size(length)))));
    Some(picture)
}

fn size(length: f64) -> String {
    if length >= 1_073_741_824.0 { format!("{} GiB", length / 1_073_741_824.0) } else { bytes(length) }
}
