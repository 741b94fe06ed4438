//! `cargo xtask fuzz`: bytes and operations that a fuzzer thinks of, for a while each.

use crate::run::{of, run as run_plainly, tool, toolchain};

const TARGETS: [&str; 5] = ["open", "list", "mpmc", "spsc", "value"];

/// Runs every target for so many seconds. What it needs and lacks is a failure: it was asked for by name.
pub fn run(args: &[&str]) -> Result<bool, String> {
    let seconds = match args {
        [] => 60,
        ["--seconds", seconds] => seconds.parse::<u32>().map_err(|_| format!("no number of seconds: {seconds}"))?,
        _ => return Err(format!("fuzz does not understand: {}", args.join(" "))),
    };
    let found = toolchain("nightly").and_then(|nightly| Ok((nightly, tool("cargo-fuzz")?)));
    let (nightly, tool) = match found {
        Ok(found) => found,
        Err(missing) => {
            eprintln!("xtask: {missing}");
            return Ok(false);
        }
    };
    // See fuzz/README.md for the options. For ever, where nothing is said of the time: so zero is not passed on.
    let time = format!("-max_total_time={}", seconds.max(1));
    let run = |target| {
        let options = ["--", "-max_len=2048", "-len_control=0", "-timeout=5", &time];
        run_plainly(of(&nightly, &tool, &[&["fuzz", "run", target], &options[..]].concat()))
    };
    Ok(TARGETS.map(run).iter().all(|&ok| ok))
}

#[cfg(test)]
mod tests {
    use super::TARGETS;
    use std::collections::BTreeSet;
    use std::path::Path;

    #[test]
    fn every_target_is_run() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/fuzz_targets");
        let files = folder.read_dir().expect("it is there").map(|entry| entry.expect("an entry").path());
        let names: BTreeSet<_> = files.map(|path| path.file_stem().expect("a name").to_os_string()).collect();
        assert_eq!(names, TARGETS.map(Into::into).into());
    }
}
