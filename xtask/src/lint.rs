//! `cargo xtask lint`: what a compiler can find, every warning an error.

use crate::run::{FEATURES, cargo, cargo_with, run as run_plainly, target};

/// Runs everything, and says whether there is nothing to complain about.
pub fn run() -> Result<bool, String> {
    let loom = target("loom");
    let model = ["--package", "ringmail-loom-tests", "--all-targets", "--target-dir", &loom, "--", "-D", "warnings"];
    let instrumented = target("torture");
    let torture = ["--package", "ringmail-torture", "--features", "instrumented", "--target-dir", &instrumented];
    // What the comparison is measured with. From nothing it takes a hundred seconds of processor time, most of it for iceoryx2 and the `bindgen`
    // that it wants built, although it has no use for that on Linux. Little of it would be saved by doing it together with the others.
    let peers = ["--package", "ringmail-compare", "--package", "ringmail-instructions", "--all-targets"];
    let with_peers = ["--features", "ringmail-compare/peers,ringmail-instructions/peers"];
    let apart = |args: &[&str], manifest: &str, rest: &[&str]| {
        let mut command = cargo(&[args, &["--manifest-path", manifest], rest].concat());
        command.env("CARGO_TARGET_DIR", target(manifest.split('/').next().unwrap_or(manifest)));
        // Nothing is linked, so nothing need be there. (Else the fuzzer's own library is built, by a compiler of C++.)
        command.env("CUSTOM_LIBFUZZER_PATH", "none/libfuzzer.a");
        command
    };
    let mut commands = Vec::from([
        cargo(&["fmt", "--all", "--check"]),
        cargo(&["clippy", "--workspace", "--all-targets", "--features", FEATURES, "--", "-D", "warnings"]),
        cargo(&[&["clippy"], &torture[..], &["--", "-D", "warnings"]].concat()),
        cargo(&[&["clippy"], &peers[..], &with_peers, &["--", "-D", "warnings"]].concat()),
        cargo_with("RUSTFLAGS", "--cfg loom", &[&["clippy"], &model[..]].concat()),
        cargo_with("RUSTDOCFLAGS", "-D warnings", &["doc", "--workspace", "--no-deps", "--features", FEATURES]),
    ]);
    // Workspaces of their own.
    for manifest in ["python/Cargo.toml", "python/interchange/Cargo.toml", "fuzz/Cargo.toml"] {
        commands.push(apart(&["fmt"], manifest, &["--check"]));
        commands.push(apart(&["clippy"], manifest, &["--", "-D", "warnings"]));
    }
    let mut ok = true;
    for command in commands {
        ok &= run_plainly(command);
    }
    Ok(ok)
}
