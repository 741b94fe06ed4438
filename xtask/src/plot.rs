//! `cargo xtask plot`: the pictures and the table that the documentation shows, from the samples of `cargo xtask bench compare`.

use crate::bench::samples;
use crate::run::{cargo, run as run_plainly};
use std::path::Path;

/// Where the pictures go, and the file with the table.
const PICTURES: &str = "docs/pictures";
const README: &str = "README.md";

/// Draws everything and writes the table. `args` may name other samples.
pub fn run(args: &[&str]) -> Result<bool, String> {
    let taken = samples();
    let path = match args {
        [] => taken.as_str(),
        [path] => path,
        _ => return Err("plot takes at most one argument, the samples".to_owned()),
    };
    if !Path::new(path).exists() {
        return Err(format!("there is no {path}: cargo xtask bench compare makes it"));
    }
    let program = ["run", "--release", "--package", "ringmail-plot", "--features", "draw", "--"];
    let paths = ["--samples", path, "--pictures", PICTURES, "--readme", README];
    Ok(run_plainly(cargo(&[&program[..], &paths].concat())))
}
