//! Tells the program which compiler built it: the bounds are exact for one only.

use std::env;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(rustc).arg("--version").output().map(|output| output.stdout).unwrap_or_default();
    // `rustc 1.95.0 (a commit, a date)`, maybe `1.95.0-nightly`.
    let version = String::from_utf8_lossy(&version).split_whitespace().nth(1).unwrap_or("unknown").to_owned();
    println!("cargo::rustc-env=COMPILER={version}");
}
