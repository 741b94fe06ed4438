//! Lines of figures over something, both logarithmic: the frame that several pictures share.

use super::canvas::{GRID, INK, LIMIT, Picture, SOFT, Scale, Side, color, spread};

/// A line: its name, its points, and whether it is a limit.
pub struct Line {
    pub name: String,
    pub points: Vec<(f64, f64)>,
    pub is_limit: bool,
    /// Cut, to be told from another line of the same color.
    pub is_dashed: bool,
}

/// What stands along the axes.
pub struct Axes<'a> {
    /// Places along the x axis, and what they are called.
    pub ticks: Vec<(f64, String)>,
    pub x_label: &'a str,
    pub y_label: &'a str,
    pub y_name: fn(f64) -> String,
}

/// Where the lines are drawn: left, top, right, bottom.
const FRAME: (i32, i32, i32, i32) = (92, 92, 930, 590);
pub const WIDTH: i32 = 1200;
pub const HEIGHT: i32 = 680;
/// Pixels between labels.
const DISTANCE: i32 = 19;

/// Draws the lines, each named at its right end.
pub fn draw(picture: &mut Picture, axes: &Axes<'_>, lines: &[Line]) {
    let (left, top, right, bottom) = FRAME;
    let figures = || lines.iter().flat_map(|line| line.points.iter().map(|point| point.1));
    let low = figures().fold(f64::INFINITY, f64::min);
    let high = figures().fold(0.0, f64::max);
    let y = Scale { low: low / 1.3, high: high * 1.3, pixels: (bottom, top), logarithmic: true };
    let ends = axes.ticks.first().zip(axes.ticks.last());
    let Some(((first, _), (last, _))) = ends else { return };
    let x = Scale { low: *first, high: *last, pixels: (left + 14, right - 14), logarithmic: true };
    for decade in y.decades() {
        let at = y.place(decade);
        picture.line(vec![(left, at), (right, at)], GRID, 1, false);
        picture.word((left - 10, at), &(axes.y_name)(decade), SOFT, 14, Side::Right, false);
    }
    for (tick, name) in &axes.ticks {
        let at = x.place(*tick);
        picture.line(vec![(at, top), (at, bottom)], GRID, 1, false);
        picture.word((at, bottom + 18), name, SOFT, 14, Side::Middle, false);
    }
    picture.word((i32::midpoint(left, right), bottom + 44), axes.x_label, INK, 15, Side::Middle, false);
    picture.word((left - 64, top - 14), axes.y_label, INK, 15, Side::Left, false);
    // Ours last, on top.
    let mut order: Vec<&Line> = lines.iter().collect();
    order.sort_by_key(|line| (line.name.starts_with("ringmail"), !line.is_limit));
    for line in &order {
        let points: Vec<_> = line.points.iter().map(|&(at, figure)| (x.place(at), y.place(figure))).collect();
        let color = if line.is_limit { LIMIT } else { color(&line.name) };
        let width = if line.name.starts_with("ringmail") { 4 } else { 2 };
        picture.line(points.clone(), color, width, line.is_dashed || line.is_limit);
        if points.len() < 16 {
            points.iter().for_each(|&at| picture.dot(at, color, if width > 2 { 5 } else { 3 }));
        }
    }
    // Names at the right, apart, each with a thread to its line's end.
    let ends: Vec<_> = order.iter().filter_map(|line| line.points.last().map(|last| (*line, *last))).collect();
    let wanted: Vec<i32> = ends.iter().map(|(_, (_, figure))| y.place(*figure)).collect();
    let moved = spread(&wanted, DISTANCE, (top, bottom));
    for ((line, (at, _)), (from, to)) in ends.iter().zip(wanted.into_iter().zip(moved)) {
        let color = if line.is_limit { LIMIT } else { color(&line.name) };
        let is_ours = line.name.starts_with("ringmail");
        picture.line(
            vec![(x.place(*at) + 6, from), (right + 8, from), (right + 26, to), (right + 32, to)],
            color,
            1,
            false,
        );
        picture.word((right + 38, to), &line.name, color, 15, Side::Left, is_ours);
    }
}
