//! `cargo xtask plot`: the pictures and the tables that the documentation shows, from the samples of `cargo xtask bench compare`.

use crate::bench::samples;
use crate::run::{cargo, run as run_plainly};
use std::path::Path;

/// Where the pictures go, the file with the short tables, and the folder of the page and the file with every figure.
const PICTURES: &str = "docs/pictures";
const README: &str = "README.md";
const FIGURES: &str = "docs";

/// Draws everything and writes the tables. `args` may name other samples, and allow that rows vanish for which these have nothing.
pub fn run(args: &[&str]) -> Result<bool, String> {
    const PARTIAL: &str = "--partial";
    let (options, paths): (Vec<&str>, Vec<&str>) = args.iter().partition(|arg| **arg == PARTIAL);
    let taken = samples();
    let path = match paths[..] {
        [] => taken.as_str(),
        [path] if !path.starts_with('-') => path,
        [option] => return Err(format!("plot has no option {option}")),
        _ => return Err("plot takes at most one path, that of the samples".to_owned()),
    };
    if !Path::new(path).exists() {
        return Err(format!("there is no {path}: cargo xtask bench compare makes it"));
    }
    let program = ["run", "--release", "--package", "ringmail-plot", "--features", "draw", "--"];
    let paths = ["--samples", path, "--pictures", PICTURES, "--readme", README, "--figures", FIGURES];
    Ok(run_plainly(cargo(&[&program[..], &paths, &options].concat())))
}
