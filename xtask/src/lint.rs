//! `cargo xtask lint`: what a compiler can find, every warning an error.

use crate::run::{FEATURES, cargo, cargo_with, run as run_plainly, target};

/// Runs everything, and says whether there is nothing to complain about.
pub fn run() -> Result<bool, String> {
    let loom = target("loom");
    let model = ["--package", "ringmail-loom-tests", "--all-targets", "--target-dir", &loom, "--", "-D", "warnings"];
    let instrumented = target("torture");
    let torture = ["--package", "ringmail-torture", "--features", "instrumented", "--target-dir", &instrumented];
    let commands = [
        cargo(&["fmt", "--all", "--check"]),
        cargo(&["clippy", "--workspace", "--all-targets", "--features", FEATURES, "--", "-D", "warnings"]),
        cargo(&[&["clippy"], &torture[..], &["--", "-D", "warnings"]].concat()),
        cargo_with("RUSTFLAGS", "--cfg loom", &[&["clippy"], &model[..]].concat()),
        cargo_with("RUSTDOCFLAGS", "-D warnings", &["doc", "--workspace", "--no-deps", "--features", FEATURES]),
    ];
    Ok(commands.map(run_plainly).iter().all(|&ok| ok))
}
