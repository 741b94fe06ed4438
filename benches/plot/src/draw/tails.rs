//! Which part of all round trips took at most how long, out to the last of a thousand and beyond.

use super::canvas::{Picture, time};
use super::curves::{self, Axes, HEIGHT, Line, WIDTH};
use super::missing;
use crate::percentiles;
use crate::samples::{Regime, Samples};
use std::error::Error;
use std::path::Path;

/// Parts along the x axis, as one in so many that take longer.
const TICKS: [(f64, &str); 6] =
    [(2.0, "50 %"), (10.0, "90 %"), (100.0, "99 %"), (1e3, "99.9 %"), (1e4, "99.99 %"), (1e5, "99.999 %")];

pub fn picture(samples: &Samples, folder: &Path, case: &str) -> Result<Option<Picture>, Box<dyn Error>> {
    let regime = samples.regime();
    let curves = percentiles::read(folder, case, &regime.to_string())?;
    let line = |curve: percentiles::Curve| {
        let within = |&(part, ns): &(f64, f64)| {
            // From the median on, and no further than the axis.
            let inverse = if part < 1.0 { 1.0 / (1.0 - part) } else { f64::INFINITY };
            (2.0..=1e5).contains(&inverse).then_some((inverse, ns))
        };
        let points: Vec<_> = curve.points.iter().filter_map(within).collect();
        let name = called(samples, case, &curve.contestant);
        let is_limit = name.starts_with("bare");
        let name = if curve.threads { format!("{name} (threads)") } else { name };
        Line { name, points, is_limit, is_dashed: curve.threads }
    };
    let lines: Vec<_> = curves.into_iter().map(line).filter(|line| line.points.len() > 1).collect();
    if lines.is_empty() {
        return Ok(None);
    }
    let title = match case {
        "rtt-spin" => "Round trips of 64 B, both sides looking all the time",
        "rtt-blocking" => "Round trips of 64 B, blocking verbs, back to back",
        _ => "Round trips of 64 B, blocking verbs, after 300 µs of nothing",
    };
    let more = format!("Each round trip timed, all rounds together, regime \"{regime}\"; dashed: between threads.");
    let mut picture = Picture::new(WIDTH, HEIGHT, title, &more);
    let last = lines.iter().flat_map(|line| line.points.iter().map(|point| point.0)).fold(10.0, f64::max);
    let ticks = TICKS.iter().filter(|&&(part, _)| part <= last).map(|&(part, name)| (part, name.to_owned())).collect();
    let axes = Axes {
        ticks,
        ends: (TICKS[0].0, last),
        x_label: "part of all round trips",
        y_label: "took at most",
        y_name: time,
    };
    curves::draw(&mut picture, &axes, &lines);
    picture.foot(&samples.machine, &missing(samples, &[(case, "in any round".to_owned())]));
    Ok(Some(picture))
}

/// The contestant's name, of which the name of its file has letters and digits alone.
fn called(samples: &Samples, case: &str, in_file: &str) -> String {
    let plain = |name: &str| name.chars().filter(char::is_ascii_alphanumeric).collect::<String>();
    let names = Regime::ALL.into_iter().flat_map(|regime| samples.contestants(case, regime));
    let name = names.map(|((name, _), _)| name).find(|name| plain(name) == plain(in_file));
    name.unwrap_or(in_file).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::tests::{head, rows};

    #[test]
    fn names_are_those_of_the_samples() {
        let contestants: &[(&str, &str, &str, &[f64])] =
            &[("ringmail spsc, spinning", "P", "near", &[1.0]), ("crossbeam-channel", "T", "far", &[1.0])];
        let text = [head(), "\n", &rows("rtt-spin", "less", contestants)].concat();
        let samples = Samples::parse(&text).expect("it is well formed");
        assert_eq!(called(&samples, "rtt-spin", "ringmail-spsc-spinning"), "ringmail spsc, spinning");
        assert_eq!(called(&samples, "rtt-spin", "crossbeam-channel"), "crossbeam-channel");
        assert_eq!(called(&samples, "rtt-spin", "somebody-else"), "somebody-else");
    }
}
