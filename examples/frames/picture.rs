//! The moving test picture, and pictures as PNG files.

use crate::Result;
use crate::frame::{Format, Frame};
use ringmail::zerocopy::IntoBytes;
use std::f32::consts::TAU;
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

/// Waves of light and colour that drift across each other. Each plane is drawn once, twice as wide as it is shown and
/// repeating itself both ways; a frame copies its rows from wherever they have drifted to.
pub struct Picture {
    format: Format,
    planes: Vec<Vec<u8>>,
}

impl Picture {
    pub fn new(format: Format) -> Self {
        let waves: [fn(f32, f32) -> f32; 3] = [
            |x, y| {
                let height = (x + (2.0 * y).sin()).sin() + (y + x.cos()).cos();
                125.0 + 35.0 * height + 20.0 * (12.0 * height).sin()
            },
            |x, y| 128.0 + 50.0 * (x + y.sin()).sin(),
            |x, y| 128.0 + 50.0 * (y - x + x.sin()).cos(),
        ];
        let planes = format.planes().into_iter().zip(waves).map(|((columns, rows), wave)| {
            let (across, down) = (TAU / columns as f32, TAU / rows as f32);
            let mut plane = Vec::with_capacity(2 * columns * rows);
            for row in 0..rows {
                let start = plane.len();
                plane.extend((0..columns).map(|column| wave(column as f32 * across, row as f32 * down) as u8));
                plane.extend_from_within(start..);
            }
            plane
        });
        Self { format, planes: planes.collect() }
    }

    /// Paints the picture of one moment, with its number in binary below, the highest of 16 bits first.
    pub fn paint(&self, sequence: u64, mut pixels: &mut [u8]) {
        let n = sequence as usize;
        let (width, height) = (self.format.width as usize, self.format.height as usize);
        let drifts = [(4 * n, n), (n, 3 * n), (2 * n, n)];
        for (((columns, rows), plane), (right, down)) in self.format.planes().into_iter().zip(&self.planes).zip(drifts)
        {
            let (shown, rest) = pixels.split_at_mut(columns * rows);
            for (row, line) in shown.chunks_exact_mut(columns).enumerate() {
                let start = (row + down) % rows * 2 * columns + right % columns;
                line.copy_from_slice(&plane[start..start + columns]);
            }
            if columns == width {
                let side = width / 16;
                for row in height - (side / 2).min(height)..height - side.min(height) / 8 {
                    for bit in 0..16 {
                        let light = if n >> (15 - bit) & 1 == 1 { 235 } else { 16 };
                        shown[row * width..][bit * side + side / 8..(bit + 1) * side - side / 8].fill(light);
                    }
                }
            }
            pixels = rest;
        }
    }
}

/// Writes a frame as a PNG file.
pub fn write_png(path: &Path, frame: &Frame) -> Result<()> {
    let format = frame.head.format;
    let planes = format.planes();
    let bytes = frame.pixels.as_bytes();
    let sample = |plane: usize, x: usize, y: usize| {
        let before: usize = planes[..plane].iter().map(|(columns, rows)| columns * rows).sum();
        let place = (before + y * planes[plane].0 + x) * format.sample_len();
        let value =
            if format.depth > 8 { u16::from_le_bytes([bytes[place], bytes[place + 1]]) } else { bytes[place].into() };
        f32::from(value) / (1u32 << (format.depth - 8)) as f32
    };
    // As players do: the matrix of high definition for pictures of that size, the older one below.
    let (red, blue) = if format.height >= 720 { (0.2126, 0.0722) } else { (0.299, 0.114) };
    let mut rgb = Vec::with_capacity(planes[0].0 * planes[0].1 * 3);
    for y in 0..planes[0].1 {
        for x in 0..planes[0].0 {
            let light = (sample(0, x, y) - 16.0) * 255.0 / 219.0;
            let [u, v] = [1, 2].map(|plane| match format.chroma.map(usize::from) {
                [0, _] | [_, 0] => 0.0,
                [across, down] => (sample(plane, x / across, y / down) - 128.0) * 255.0 / 224.0,
            });
            let (r, b) = (light + 2.0 * (1.0 - red) * v, light + 2.0 * (1.0 - blue) * u);
            let g = (light - red * r - blue * b) / (1.0 - red - blue);
            rgb.extend([r, g, b].map(|colour| colour.round() as u8));
        }
    }
    let file = File::create(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut encoder = png::Encoder::new(BufWriter::new(file), format.width, format.height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_compression(png::Compression::Fast);
    Ok(encoder.write_header()?.write_image_data(&rgb)?)
}
