//! The pictures and the tables that the documentation shows, from the samples of a run of `ringmail-compare`.
//!
//! ```text
//! ringmail-plot [--samples PATH] [--pictures FOLDER] [--readme PATH] [--figures FOLDER] [--partial]
//! ```
//!
//! `cargo xtask plot` runs it with the paths of this repository.

#[cfg(test)]
mod committed;
#[cfg(feature = "draw")]
mod draw;
mod figures;
mod kills;
mod marks;
mod origin;
mod percentiles;
mod race;
mod ratio;
mod reasons;
mod samples;
mod table;

use samples::Samples;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const HELP: &str = "\
ringmail-plot [options]
  --samples PATH      the samples of a run (target/compare/samples.csv); histograms lie beside them
  --pictures FOLDER   draws every picture there is data for, as SVG and as PNG; needs the feature `draw`
  --readme PATH       writes the tables between their marks
  --figures FOLDER    writes figures.md and figures.csv
  --partial           also if rows or contestants that are there now would vanish";

#[derive(Default)]
struct Arguments {
    samples: Option<PathBuf>,
    pictures: Option<PathBuf>,
    readme: Option<PathBuf>,
    figures: Option<PathBuf>,
    partial: bool,
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    use lexopt::prelude::*;
    let mut arguments = Arguments::default();
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        let path = match argument {
            Long("samples") => &mut arguments.samples,
            Long("pictures") => &mut arguments.pictures,
            Long("readme") => &mut arguments.readme,
            Long("figures") => &mut arguments.figures,
            Long("partial") => {
                arguments.partial = true;
                continue;
            }
            Long("help") | Short('h') => {
                println!("{HELP}");
                return Ok(());
            }
            _ => return Err(argument.unexpected().into()),
        };
        *path = Some(parser.value()?.into());
    }
    let path = arguments.samples.take().unwrap_or_else(|| PathBuf::from("target/compare/samples.csv"));
    write(&Samples::read(&path)?, path.parent().unwrap_or(Path::new(".")), &arguments)
}

/// Writes what is wanted, or nothing at all.
fn write(samples: &Samples, histograms: &Path, arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let tables = table::tables(samples);
    let (mut texts, mut gone) = (Vec::new(), Vec::new());
    if let Some(path) = &arguments.readme {
        let old = fs::read_to_string(path)?;
        gone.extend(table::vanishing(table::MARKS.between(&old)?, &tables).into_iter().map(str::to_owned));
        let mut new = table::MARKS.insert(&old, &tables)?;
        match kills::table(samples) {
            Some(table) => new = kills::MARKS.insert(&new, &table)?,
            None => gone.push("the table of kills, which stays as it is".to_owned()),
        }
        texts.push((path.clone(), new));
    }
    if let Some(folder) = &arguments.figures {
        let (page, path) = (figures::page(samples), folder.join("figures.csv"));
        let new = figures::csv(samples)?;
        if path.exists() {
            gone.extend(figures::vanishing(&fs::read_to_string(&path)?, &new)?);
        }
        texts.extend([(folder.join("figures.md"), page), (path, new)]);
    }
    if !gone.is_empty() {
        let list = gone.iter().map(|what| format!("\n  {what}")).collect::<String>();
        let word = format!("these samples do not have what the documentation shows now:{list}");
        if !arguments.partial {
            return Err(format!("{word}\nNothing was written. Measure it too, or say --partial.").into());
        }
        println!("{word}");
    }
    if let Some(folder) = &arguments.pictures {
        draw(samples, histograms, folder)?;
    }
    if texts.is_empty() {
        print!("{tables}");
    }
    for (path, text) in texts {
        fs::write(&path, text)?;
        println!("{}", path.display());
    }
    Ok(())
}

#[cfg(feature = "draw")]
fn draw(samples: &Samples, histograms: &Path, folder: &Path) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(folder)?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::tests::RUN;

    /// A folder of its own for each test, gone with it.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("ringmail-plot-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).expect("a folder");
            Self(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn what_would_vanish_is_refused_unless_told_otherwise() {
        let folder = Folder::new("vanish");
        let readme = folder.0.join("README.md");
        let marks = [table::MARKS, kills::MARKS].map(|marks| [marks.begin, marks.end].join("\nold\n")).join("\n");
        fs::write(&readme, &marks).expect("written");
        let write = |partial, text: &str| {
            let arguments = Arguments {
                readme: Some(readme.clone()),
                figures: Some(folder.0.clone()),
                partial,
                ..Arguments::default()
            };
            let samples = Samples::parse(text).expect("it is well formed");
            super::write(&samples, &folder.0, &arguments).map_err(|error| error.to_string())
        };
        let read = || {
            ["README.md", "figures.csv", "figures.md"]
                .map(|name| fs::read_to_string(folder.0.join(name)).unwrap_or_default())
        };
        let killed = "survive-sender,0,\"shaq, 2 to 2\",Peer,P,near,1,1,5,%,less,,,0.0,Kept\n";
        let all = format!("{RUN}{killed}");
        write(false, &all).expect("nothing vanishes");
        let before = read();
        assert!(before.iter().all(|text| text.contains("spsc")) && before[0].contains("5 % still"));

        let error = write(false, RUN).expect_err("the kills vanish");
        assert!(error.contains("kills") && error.contains("survive-sender: shaq, 2 to 2 (P)"), "{error}");
        let some: String =
            all.lines().filter(|line| !line.starts_with("spsc-8")).map(|line| format!("{line}\n")).collect();
        let error = write(false, &some).expect_err("a row vanishes");
        assert!(error.contains("`spsc`, 8 B, one a call") && error.contains("spsc-8: rtrb (T)"), "{error}");
        assert_eq!(read(), before, "nothing was written");

        write(true, &some).expect("told so");
        assert!(read().iter().all(|text| !text.contains("rtrb: 250") && !text.contains("spsc-8")));
    }
}
