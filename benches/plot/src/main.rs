//! The pictures and the table that the documentation shows, from the samples of a run of `ringmail-compare`.
//!
//! ```text
//! ringmail-plot [--samples PATH] [--pictures FOLDER] [--readme PATH]
//! ```
//!
//! `cargo xtask plot` runs it with the paths of this repository.

#[cfg(feature = "draw")]
mod draw;
mod percentiles;
mod samples;
mod table;

use samples::Samples;
use std::error::Error;
use std::path::{Path, PathBuf};

const HELP: &str = "\
ringmail-plot [options]
  --samples PATH      the samples of a run (target/compare/samples.csv); histograms lie beside them
  --pictures FOLDER   draws every picture there is data for, as SVG and as PNG; needs the feature `draw`
  --readme PATH       writes the table between its marks";

fn main() -> Result<(), Box<dyn Error>> {
    use lexopt::prelude::*;
    let (mut path, mut pictures, mut readme) = (PathBuf::from("target/compare/samples.csv"), None, None);
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("samples") => path = parser.value()?.into(),
            Long("pictures") => pictures = Some(PathBuf::from(parser.value()?)),
            Long("readme") => readme = Some(PathBuf::from(parser.value()?)),
            Long("help") | Short('h') => {
                println!("{HELP}");
                return Ok(());
            }
            _ => return Err(argument.unexpected().into()),
        }
    }
    let samples = Samples::read(&path)?;
    if let Some(folder) = pictures {
        draw(&samples, path.parent().unwrap_or(Path::new(".")), &folder)?;
    }
    match readme {
        Some(readme) => {
            let text = std::fs::read_to_string(&readme)?;
            std::fs::write(&readme, table::insert(&text, &table::table(&samples))?)?;
            println!("{}", readme.display());
        }
        None => print!("{}", table::table(&samples)),
    }
    Ok(())
}

#[cfg(feature = "draw")]
fn draw(samples: &Samples, histograms: &Path, folder: &Path) -> Result<(), Box<dyn Error>> {
    std::fs::create_dir_all(folder)?;
    draw::all(samples, histograms, folder)
}

#[cfg(not(feature = "draw"))]
fn draw(_: &Samples, histograms: &Path, folder: &Path) -> Result<(), Box<dyn Error>> {
    // What is drawn from is read all the same.
    let curves = percentiles::read(histograms, "rtt-spin", "near")?.into_iter();
    let points: usize =
        curves.map(|curve| curve.points.len() + curve.contestant.len() + usize::from(curve.threads)).sum();
    Err(format!("{points} points, and no pictures in {}: built without the feature draw", folder.display()).into())
}
