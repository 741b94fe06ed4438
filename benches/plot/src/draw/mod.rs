//! The pictures: each on a background of its own, so that they are read on a light page and on a dark one.

mod canvas;
mod curves;
mod kill;
mod latency;
mod tails;
mod throughput;
mod topology;

use crate::samples::Samples;
use canvas::Picture;
use std::error::Error;
use std::path::Path;

/// Who did not come to an end in any of these cases, each with what it is called here.
fn missing(samples: &Samples, cases: &[(&str, String)]) -> String {
    let stuck = |(case, called): &(&str, String)| -> Vec<String> {
        let all = samples.stuck(case).into_iter();
        all.map(|((name, _), word)| format!("{name} {word} ({called})")).collect()
    };
    cases.iter().flat_map(stuck).collect::<Vec<_>>().join(", ")
}

/// Draws every picture that there are samples for.
pub fn all(samples: &Samples, histograms: &Path, folder: &Path) -> Result<(), Box<dyn Error>> {
    canvas::load_fonts()?;
    let mut pictures: Vec<(String, Picture)> = Vec::new();
    let mut add = |name: &str, picture: Option<Picture>| match picture {
        Some(picture) => pictures.push((name.to_owned(), picture)),
        None => println!("{name}: no samples"),
    };
    add("latency", latency::picture(samples));
    add("throughput", throughput::picture(samples));
    add("topology", topology::picture(samples));
    for case in ["rtt-spin", "rtt-blocking", "rtt-pause"] {
        add(&format!("tails-{case}"), tails::picture(samples, histograms, case)?);
    }
    add("kill", kill::picture(samples));
    for (name, picture) in pictures {
        picture.save(folder, &name)?;
        println!("{}", folder.join(&name).with_extension("{svg,png}").display());
    }
    Ok(())
}
