//! What all pictures are made of: shapes in pixels, drawn once as SVG and once as PNG.

use plotters::backend::{BitMapBackend, DrawingBackend, SVGBackend};
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, IntoDrawingArea};
use plotters::element::{Circle, PathElement, Rectangle, Text};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontStyle, IntoFont, RGBColor, ShapeStyle, TextStyle, register_font};
use std::error::Error;
use std::path::Path;

pub const PAPER: RGBColor = RGBColor(0xFC, 0xFC, 0xFA);
pub const INK: RGBColor = RGBColor(0x22, 0x26, 0x2B);
pub const SOFT: RGBColor = RGBColor(0x6B, 0x72, 0x7B);
pub const GRID: RGBColor = RGBColor(0xE2, 0xE4, 0xE6);
pub const OURS: RGBColor = RGBColor(0xC8, 0x1E, 0x3A);
pub const OURS_TOO: RGBColor = RGBColor(0xE8, 0x7B, 0x1C);
/// The limit that the machine sets.
pub const LIMIT: RGBColor = RGBColor(0x8A, 0x90, 0x98);

/// What contestants are drawn in whose names begin so: the first that does.
const COLORS: &[(&str, RGBColor)] = &[
    ("ringmail mpmc", OURS_TOO),
    ("ringmail", OURS),
    ("bare", LIMIT),
    ("memcpy", LIMIT),
    ("shaq", RGBColor(0x1F, 0x6F, 0xB4)),
    ("iceoryx2", RGBColor(0x2A, 0x8C, 0x5A)),
    ("ringfire", RGBColor(0x7A, 0x4F, 0xB5)),
    ("cloudtoid", RGBColor(0x0E, 0x8F, 0x9E)),
    ("ipmpsc", RGBColor(0x8C, 0x5A, 0x2B)),
    ("ipc-channel", RGBColor(0xB0, 0x3F, 0x8E)),
    ("pipe", RGBColor(0x5B, 0x65, 0x70)),
    ("Unix", RGBColor(0x9A, 0x8A, 0x2A)),
    ("kanal", RGBColor(0x3D, 0x9B, 0xD8)),
    ("crossbeam", RGBColor(0x4B, 0x5B, 0xC4)),
    ("ArrayQueue, spinning", RGBColor(0xC2, 0x7F, 0xC0)),
    ("ArrayQueue", RGBColor(0x7F, 0x8F, 0xE0)),
    ("rtrb", RGBColor(0x3B, 0x7A, 0x3B)),
    ("disruptor", RGBColor(0xA8, 0x6A, 0x1D)),
];

/// What a contestant is drawn in, the same in every picture.
pub fn color(contestant: &str) -> RGBColor {
    COLORS.iter().find(|(name, _)| contestant.starts_with(name)).map_or(INK, |&(_, color)| color)
}

/// A color nearer to another one: by no part of the way, or by all of it.
pub fn toward(RGBColor(r, g, b): RGBColor, RGBColor(to_r, to_g, to_b): RGBColor, part: f64) -> RGBColor {
    let mix = |from: u8, to: u8| (f64::from(from) + part * (f64::from(to) - f64::from(from))).round() as u8;
    RGBColor(mix(r, to_r), mix(g, to_g), mix(b, to_b))
}

/// How a line is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stroke {
    Solid,
    Dashed,
    DashDotted,
    Dotted,
}

impl Stroke {
    /// Pixels of line and of gap, in turn; none where there are no gaps.
    fn pattern(self) -> &'static [f64] {
        match self {
            Self::Solid => &[],
            Self::Dashed => &[9.0, 7.0],
            Self::DashDotted => &[13.0, 4.0, 3.0, 4.0],
            Self::Dotted => &[2.0, 4.0],
        }
    }
}

/// Which side of its place a text stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Left,
    Middle,
    Right,
}

type Place = (i32, i32);

#[derive(Clone, Debug)]
enum Shape {
    Line { points: Vec<Place>, color: RGBColor, width: u32, stroke: Stroke },
    Dot { at: Place, color: RGBColor, size: i32 },
    Box { from: Place, to: Place, color: RGBColor, filled: bool },
    Word { at: Place, text: String, color: RGBColor, size: i32, side: Side, bold: bool },
}

/// Shapes on paper.
#[derive(Clone, Debug)]
pub struct Picture {
    width: i32,
    height: i32,
    shapes: Vec<Shape>,
}

impl Picture {
    /// Paper with a title and a line that says more.
    pub fn new(width: i32, height: i32, title: &str, more: &str) -> Self {
        let mut picture = Self { width, height, shapes: Vec::new() };
        picture.word((28, 32), title, INK, 22, Side::Left, true);
        picture.word((28, 58), more, SOFT, 14, Side::Left, false);
        picture
    }

    /// Says at the foot what the figures were taken with, and who is missing from them.
    pub fn foot(&mut self, machine: &[String], missing: &str) {
        let line = machine.first().map_or("", |line| line.trim_start_matches("machine: "));
        self.word((28, self.height - 16), line, SOFT, 12, Side::Left, false);
        self.word((28, self.height - 34), missing, SOFT, 12, Side::Left, false);
    }

    pub fn line(&mut self, points: Vec<Place>, color: RGBColor, width: u32, stroke: Stroke) {
        self.shapes.push(Shape::Line { points, color, width, stroke });
    }

    /// A line of the grid.
    pub fn rule(&mut self, from: Place, to: Place) {
        self.line(vec![from, to], GRID, 1, Stroke::Solid);
    }

    pub fn dot(&mut self, at: Place, color: RGBColor, size: i32) {
        self.shapes.push(Shape::Dot { at, color, size });
    }

    pub fn rectangle(&mut self, from: Place, to: Place, color: RGBColor, filled: bool) {
        self.shapes.push(Shape::Box { from, to, color, filled });
    }

    pub fn word(&mut self, at: Place, text: &str, color: RGBColor, size: i32, side: Side, bold: bool) {
        self.shapes.push(Shape::Word { at, text: text.to_owned(), color, size, side, bold });
    }

    /// Writes the picture twice: `.svg` and `.png`.
    pub fn save(&self, folder: &Path, name: &str) -> Result<(), Box<dyn Error>> {
        let size = (self.width as u32, self.height as u32);
        let path = folder.join(name);
        let (svg, png) = (path.with_extension("svg"), path.with_extension("png"));
        self.draw(SVGBackend::new(&svg, size).into_drawing_area())
            .map_err(|error| format!("{}: {error}", svg.display()))?;
        self.draw(BitMapBackend::new(&png, size).into_drawing_area())
            .map_err(|error| format!("{}: {error}", png.display()))?;
        Ok(())
    }

    fn draw<B: DrawingBackend>(&self, area: DrawingArea<B, Shift>) -> Result<(), Box<dyn Error>>
    where
        B::ErrorType: 'static,
    {
        area.fill(&PAPER)?;
        for shape in &self.shapes {
            match shape {
                Shape::Line { points, color, width, stroke } => {
                    let style = ShapeStyle::from(color).stroke_width(*width);
                    for piece in pieces(points, stroke.pattern()) {
                        area.draw(&PathElement::new(piece, style))?;
                    }
                }
                Shape::Dot { at, color, size } => area.draw(&Circle::new(*at, *size, color.filled()))?,
                Shape::Box { from, to, color, filled } => {
                    let style = ShapeStyle { color: color.to_rgba(), filled: *filled, stroke_width: 1 };
                    area.draw(&Rectangle::new([*from, *to], style))?;
                }
                Shape::Word { at, text, color, size, side, bold } => {
                    let style = if *bold { FontStyle::Bold } else { FontStyle::Normal };
                    let anchor = match side {
                        Side::Left => HPos::Left,
                        Side::Middle => HPos::Center,
                        Side::Right => HPos::Right,
                    };
                    let font = (FAMILY, *size).into_font().style(style);
                    let style = TextStyle::from(font).color(color).pos(Pos::new(anchor, VPos::Center));
                    area.draw(&Text::new(text.clone(), *at, style))?;
                }
            }
        }
        area.present()?;
        Ok(())
    }
}

/// A line cut into pieces with gaps between them, of so many pixels in turn.
fn pieces(points: &[Place], pattern: &[f64]) -> Vec<Vec<Place>> {
    if pattern.is_empty() {
        return vec![points.to_vec()];
    }
    let (mut pieces, mut phase, mut left) = (Vec::new(), 0, pattern[0]);
    for pair in points.windows(2) {
        let [(x, y), (to_x, to_y)] = [pair[0], pair[1]].map(|(x, y)| (f64::from(x), f64::from(y)));
        let length = (to_x - x).hypot(to_y - y);
        let (mut at, mut is_inside) = (0.0, length > 0.0);
        while is_inside {
            // Where this part of the pattern ends, and not how much is left of it, says when the next begins: a rest that is too small to add
            // would never be used up.
            is_inside = at + left < length;
            let end = if is_inside { at + left } else { length };
            if phase % 2 == 0 {
                let place = |at: f64| {
                    let part = at / length;
                    ((x + part * (to_x - x)).round() as i32, (y + part * (to_y - y)).round() as i32)
                };
                pieces.push(vec![place(at), place(end)]);
            }
            left -= end - at;
            at = end;
            if is_inside {
                phase = (phase + 1) % pattern.len();
                left = pattern[phase];
            }
        }
    }
    pieces
}

/// How the pictures' font is called, here and by whoever shows the SVG.
const FAMILY: &str = "sans-serif";

/// Fonts that most systems have one of: the plain face, and the bold one.
const FONTS: &[[&str; 2]] = &[
    ["/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf", "/usr/share/fonts/truetype/dejavu/DejaVuSans-Bold.ttf"],
    ["/usr/share/fonts/dejavu-sans-fonts/DejaVuSans.ttf", "/usr/share/fonts/dejavu-sans-fonts/DejaVuSans-Bold.ttf"],
    ["/usr/share/fonts/TTF/DejaVuSans.ttf", "/usr/share/fonts/TTF/DejaVuSans-Bold.ttf"],
    [
        "/usr/share/fonts/truetype/liberation/LiberationSans-Regular.ttf",
        "/usr/share/fonts/truetype/liberation/LiberationSans-Bold.ttf",
    ],
];

/// Has the drawing library know a font of the system's.
pub fn load_fonts() -> Result<(), Box<dyn Error>> {
    let found = FONTS.iter().find(|faces| faces.iter().all(|face| Path::new(face).exists()));
    let Some([plain, bold]) = found else {
        return Err(format!("no font: {} or the like is missing (Debian: fonts-dejavu-core)", FONTS[0][0]).into());
    };
    for (style, face) in [(FontStyle::Normal, plain), (FontStyle::Bold, bold)] {
        // Kept until the end of the program, as the library wants it.
        let bytes = Box::leak(std::fs::read(face)?.into_boxed_slice());
        register_font(FAMILY, style, bytes).map_err(|_| format!("{face} is no font"))?;
    }
    Ok(())
}

/// A scale: from figures to pixels, by their logarithm or as they are.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    pub low: f64,
    pub high: f64,
    /// Pixels of the low end and of the high end.
    pub pixels: (i32, i32),
    pub logarithmic: bool,
}

impl Scale {
    pub fn place(&self, figure: f64) -> i32 {
        let measure = |figure: f64| if self.logarithmic { figure.log10() } else { figure };
        let (low, high) = (measure(self.low), measure(self.high));
        let part = (measure(figure) - low) / (high - low);
        let (from, to) = (f64::from(self.pixels.0), f64::from(self.pixels.1));
        (from + part * (to - from)).round() as i32
    }

    /// Round figures within the scale: powers of ten, and where there are less than two of these between its ends, twos and fives of them too.
    pub fn ticks(&self) -> Vec<f64> {
        let (first, last) = (self.low.log10().floor() as i32, self.high.log10().ceil() as i32);
        let digits: &[f64] = if (self.high / self.low).log10() < 2.0 { &[1.0, 2.0, 5.0] } else { &[1.0] };
        let ticks = (first..=last).flat_map(|power| digits.iter().map(move |digit| digit * 10_f64.powi(power)));
        // What a float lacks of a round figure is no reason to leave it out.
        ticks.filter(|&tick| self.low * 0.999 <= tick && tick <= self.high * 1.001).collect()
    }
}

/// Moves labels apart that would overlap: as little as it takes, and in their order. `places` are where they would like to be.
pub fn spread(places: &[i32], distance: i32, (top, bottom): (i32, i32)) -> Vec<i32> {
    let mut order: Vec<usize> = (0..places.len()).collect();
    order.sort_by_key(|&label| places[label]);
    let mut moved = places.to_vec();
    for _ in 0..200 {
        let mut still = true;
        for pair in order.windows(2) {
            let overlap = distance - (moved[pair[1]] - moved[pair[0]]);
            if overlap > 0 {
                moved[pair[0]] -= overlap / 2 + overlap % 2;
                moved[pair[1]] += overlap / 2;
                still = false;
            }
        }
        let span = (distance * (order.len() as i32 - 1)).max(0);
        for (rank, &label) in order.iter().enumerate() {
            let rank = rank as i32 * distance;
            moved[label] = moved[label].clamp(top + rank, (bottom - span + rank).max(top + rank));
        }
        if still {
            break;
        }
    }
    moved
}

/// Nanoseconds as a reader has them.
pub fn time(ns: f64) -> String {
    match ns {
        1e9.. => format!("{} s", ns / 1e9),
        1e6.. => format!("{} ms", ns / 1e6),
        1e3.. => format!("{} µs", ns / 1e3),
        _ => format!("{ns} ns"),
    }
}

/// Bytes as a reader has them.
pub fn bytes(count: f64) -> String {
    match count {
        1_048_576.0.. => format!("{} MiB", count / 1_048_576.0),
        1024.0.. => format!("{} KiB", count / 1024.0),
        _ => format!("{count} B"),
    }
}

/// What tests ask of a picture.
#[cfg(test)]
impl Picture {
    /// The words and where they stand.
    pub fn words(&self) -> Vec<(Place, String)> {
        let word = |shape: &Shape| match shape {
            Shape::Word { at, text, .. } => Some((*at, text.clone())),
            _ => None,
        };
        self.shapes.iter().filter_map(word).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// However the parts of the pattern and the points fall together: rests of a part that are too small to be added to a place came up
    /// once in some thousands, and then the picture was never done.
    #[test]
    fn dashes_end() {
        let points: Vec<Place> = (0..20_000).map(|at| (at * 7 % 1_009, at * 13 % 757)).collect();
        let pieces = pieces(&points, &[1.3, 0.7, 2.1, 0.9]);
        assert!(pieces.len() > points.len() && pieces.iter().all(|piece| piece.len() == 2));
    }

    #[test]
    fn labels_do_not_overlap_and_stay_in_order() {
        let wanted = [100, 101, 102, 300, 299];
        let moved = spread(&wanted, 18, (0, 400));
        let mut sorted = moved.clone();
        sorted.sort_unstable();
        assert!(sorted.windows(2).all(|pair| pair[1] - pair[0] >= 18), "{moved:?}");
        assert!(moved[0] < moved[1] && moved[1] < moved[2] && moved[4] < moved[3], "{moved:?}");
        assert!(sorted[0] >= 0 && sorted[4] <= 400, "{moved:?}");
    }

    #[test]
    fn labels_at_the_edge_are_kept_inside() {
        let moved = spread(&[395, 398, 400], 20, (0, 400));
        assert!(moved.iter().all(|&place| (0..=400).contains(&place)), "{moved:?}");
        assert!(moved[1] - moved[0] >= 20 && moved[2] - moved[1] >= 20, "{moved:?}");
    }

    #[test]
    fn a_scale_ends_where_it_is_told() {
        let scale = Scale { low: 10.0, high: 1000.0, pixels: (500, 100), logarithmic: true };
        assert_eq!([scale.place(10.0), scale.place(100.0), scale.place(1000.0)], [500, 300, 100]);
        assert_eq!(scale.ticks(), [10.0, 100.0, 1000.0]);
    }

    #[test]
    fn short_scales_have_twos_and_fives() {
        let scale = Scale { low: 90.0, high: 1100.0, pixels: (500, 100), logarithmic: true };
        assert_eq!(scale.ticks(), [100.0, 200.0, 500.0, 1000.0]);
    }

    #[test]
    fn a_pattern_goes_on_round_corners() {
        let corner = [(0, 0), (10, 0), (10, 10)];
        assert_eq!(pieces(&corner, &[]), [corner.to_vec()]);
        assert_eq!(pieces(&corner, &[8.0, 4.0]), [[(0, 0), (8, 0)], [(10, 2), (10, 10)]]);
        assert_eq!(pieces(&corner, &[12.0, 4.0]), [[(0, 0), (10, 0)], [(10, 0), (10, 2)], [(10, 6), (10, 10)]]);
    }
}
