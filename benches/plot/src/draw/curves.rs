//! Lines of figures over something, both logarithmic: the frame that several pictures share.

use super::canvas::{INK, LIMIT, PAPER, Picture, SOFT, Scale, Side, Stroke, color, spread, toward};
use plotters::style::RGBColor;

/// A line: its name, its points, and whether it is a limit.
pub struct Line {
    pub name: String,
    pub points: Vec<(f64, f64)>,
    pub is_limit: bool,
    /// Cut, for what the picture's second line says of it.
    pub is_dashed: bool,
}

/// What stands along the axes.
pub struct Axes<'a> {
    /// Places along the x axis, and what they are called.
    pub ticks: Vec<(f64, String)>,
    /// Where the x axis begins and ends.
    pub ends: (f64, f64),
    pub x_label: &'a str,
    pub y_label: &'a str,
    pub y_name: fn(f64) -> String,
}

/// Where the lines are drawn: left, top, right, bottom.
const FRAME: (i32, i32, i32, i32) = (92, 92, 890, 590);
pub const WIDTH: i32 = 1200;
pub const HEIGHT: i32 = 680;
/// Pixels between labels.
const DISTANCE: i32 = 19;
/// An end so many pixels from the edge of the frame is at it.
const NEAR: i32 = 40;

/// How a line looks.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Style {
    color: RGBColor,
    stroke: Stroke,
    width: u32,
}

/// Draws the lines, each named beside its right end.
pub fn draw(picture: &mut Picture, axes: &Axes<'_>, lines: &[Line]) {
    let (left, top, right, bottom) = FRAME;
    let figures = || lines.iter().flat_map(|line| line.points.iter().map(|point| point.1));
    let low = figures().fold(f64::INFINITY, f64::min);
    let high = figures().fold(0.0, f64::max);
    let y = Scale { low: low / 1.3, high: high * 1.3, pixels: (bottom, top), logarithmic: true };
    let x = Scale { low: axes.ends.0, high: axes.ends.1, pixels: (left + 14, right - 14), logarithmic: true };
    for tick in y.ticks() {
        let at = y.place(tick);
        picture.rule((left, at), (right, at));
        picture.word((left - 10, at), &(axes.y_name)(tick), SOFT, 14, Side::Right, false);
    }
    for (tick, name) in &axes.ticks {
        let at = x.place(*tick);
        picture.rule((at, top), (at, bottom));
        picture.word((at, bottom + 18), name, SOFT, 14, Side::Middle, false);
    }
    picture.word((i32::midpoint(left, right), bottom + 44), axes.x_label, INK, 15, Side::Middle, false);
    picture.word((left - 64, top - 14), axes.y_label, INK, 15, Side::Left, false);
    // Ours last, on top.
    let mut order: Vec<_> = lines.iter().zip(styles(lines)).collect();
    order.sort_by_key(|(line, _)| (line.name.starts_with("ringmail"), !line.is_limit));
    names(picture, &order, &x, &y);
    for (line, Style { color, stroke, width }) in order {
        let points: Vec<_> = line.points.iter().map(|&(at, figure)| (x.place(at), y.place(figure))).collect();
        if points.len() < 16 {
            points.iter().for_each(|&at| picture.dot(at, color, if width > 2 { 5 } else { 3 }));
        }
        picture.line(points, color, width, stroke);
    }
}

/// Names at the right, apart, each with a piece of its line. A pale row of dots leads there from the line's end, which is no part of it; from an end
/// farther away none does, for it would run through the others.
fn names(picture: &mut Picture, order: &[(&Line, Style)], x: &Scale, y: &Scale) {
    let (_, top, right, bottom) = FRAME;
    let ends: Vec<_> = order.iter().filter_map(|(line, style)| Some((line, style, *line.points.last()?))).collect();
    let wanted: Vec<i32> = ends.iter().map(|(_, _, (_, figure))| y.place(*figure)).collect();
    let moved = spread(&wanted, DISTANCE, (top, bottom));
    for ((line, style, (at, _)), (from, to)) in ends.iter().zip(wanted.into_iter().zip(moved)) {
        let Style { color, stroke, width } = **style;
        let pale = toward(color, PAPER, 0.55);
        if right - x.place(*at) < NEAR {
            let leader = vec![(x.place(*at) + 8, from), (right + 4, from), (right + 22, to), (right + 26, to)];
            picture.line(leader, pale, 1, Stroke::Dotted);
        }
        picture.line(vec![(right + 30, to), (right + 60, to)], color, width, stroke);
        picture.word((right + 68, to), &line.name, color, 15, Side::Left, line.name.starts_with("ringmail"));
    }
}

/// How each line looks: a color says who it is, and where several lines are of one color, no two are drawn alike.
fn styles(lines: &[Line]) -> Vec<Style> {
    const CUT: [Stroke; 3] = [Stroke::Dashed, Stroke::Dotted, Stroke::DashDotted];
    const WHOLE: [Stroke; 3] = [Stroke::Solid, Stroke::DashDotted, Stroke::Dotted];
    let mut styles: Vec<Style> = Vec::new();
    for line in lines {
        let width = if line.name.starts_with("ringmail") { 4 } else { 2 };
        let base = if line.is_limit { LIMIT } else { color(&line.name) };
        let strokes = if line.is_dashed || line.is_limit { CUT } else { WHOLE };
        let looks = (0..8).flat_map(|turn| {
            // Darker from turn to turn.
            let color = toward(base, INK, f64::from(turn) * 0.4);
            strokes.into_iter().map(move |stroke| Style { color, stroke, width })
        });
        let is_new = |look: &Style| styles.iter().all(|known| (known.color, known.stroke) != (look.color, look.stroke));
        let look = looks.into_iter().find(is_new);
        styles.push(look.unwrap_or(Style { color: INK, stroke: Stroke::Solid, width }));
    }
    styles
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(name: &str, is_dashed: bool) -> Line {
        Line {
            name: name.to_owned(),
            points: vec![(1.0, 2.0), (10.0, 3.0)],
            is_limit: name.starts_with("bare"),
            is_dashed,
        }
    }

    #[test]
    fn no_two_lines_are_drawn_alike() {
        let lines = [
            line("ringmail spsc", false),
            line("ringmail spsc, spinning", false),
            line("ringmail spsc in place", true),
            line("bare cache line", false),
            line("bare cache line, 56 B in it", false),
            line("ArrayQueue", true),
            line("ArrayQueue, spinning", true),
        ];
        let styles = styles(&lines);
        for (place, style) in styles.iter().enumerate() {
            assert!(styles[..place].iter().all(|other| (other.color, other.stroke) != (style.color, style.stroke)));
        }
        assert_eq!((styles[0].stroke, styles[2].stroke), (Stroke::Solid, Stroke::Dashed));
        assert_eq!(styles[0].color, styles[2].color, "who it is");
    }

    #[test]
    fn names_stand_apart_within_the_frame() {
        let lines: Vec<_> = ["a", "b", "c", "d"].map(|name| line(name, false)).into();
        let mut picture = Picture::new(WIDTH, HEIGHT, "title", "more");
        let axes = Axes { ticks: vec![], ends: (1.0, 10.0), x_label: "x", y_label: "y", y_name: |y| format!("{y}") };
        draw(&mut picture, &axes, &lines);
        let words = picture.words();
        let is_name = |text: &str| lines.iter().any(|line| line.name == text);
        let mut places: Vec<_> = words.iter().filter(|(_, text)| is_name(text)).map(|(at, _)| at.1).collect();
        places.sort_unstable();
        assert_eq!(places.len(), lines.len());
        assert!(places.windows(2).all(|pair| pair[1] - pair[0] >= DISTANCE), "{places:?}");
        assert!(places.iter().all(|y| (FRAME.1..=FRAME.3).contains(y)), "{places:?}");
    }
}
