//! Which machine, and which versions: without them a figure says nothing.

use crate::crew::Cores;
use crate::peers::PACKAGES;
use std::fs::read_to_string;
use std::process::Command;

/// What figures are taken with.
pub struct Provenance {
    model: String,
    cores: String,
    kernel: String,
    rustc: String,
    date: String,
    commit: String,
    load: String,
    workers: String,
    how: String,
}

impl Provenance {
    /// As it is now; `how` the run was asked for.
    pub fn now(cores: &Cores, how: String) -> Self {
        let cpuinfo = read_to_string("/proc/cpuinfo").unwrap_or_default();
        let field = |name| cpuinfo.lines().find(|line| line.starts_with(name))?.split(": ").nth(1);
        let count = std::thread::available_parallelism().map_or(0, usize::from);
        let virt = if cpuinfo.contains(" hypervisor") { ", virtual" } else { "" };
        let float = if cores.float { ", larger crews on any of them" } else { "" };
        let load = read_to_string("/proc/loadavg").unwrap_or_default();
        Self {
            model: field("model name").unwrap_or("unknown CPU").to_owned(),
            cores: format!("{count} cores{virt}"),
            kernel: read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned(),
            rustc: said("rustc", &["--version"]),
            date: said("date", &["-u", "+%Y-%m-%dT%H:%M:%SZ"]),
            commit: commit(),
            load: load.split(' ').next().unwrap_or_default().to_owned(),
            workers: format!("{:?}{float}", cores.list),
            how,
        }
    }

    /// As lines of text.
    pub fn lines(&self) -> String {
        let Self { model, cores, kernel, rustc, date, commit, load, workers, how } = self;
        let versions: Vec<_> = PACKAGES.iter().map(|peer| format!("{peer} {}", locked(peer))).collect();
        format!(
            "machine: {model}, {cores}; Linux {kernel}; {rustc}; load {load}\nworkers on cores {workers}\n\
             ringmail {}; peers: {}\ntaken: {date}, commit {commit}; {how}\n",
            env!("CARGO_PKG_VERSION"),
            versions.join(", "),
        )
    }

    /// As one line, names and values, with no comma in a value.
    pub fn line(&self) -> String {
        let Self { model, kernel, rustc, date, commit, load, workers, how, .. } = self;
        let version = rustc.split(' ').nth(1).unwrap_or(rustc);
        let pairs = [("date", date), ("commit", commit)].map(|(name, value)| (name, value.as_str()));
        let more = [("cpu", model), ("kernel", kernel), ("cores", workers), ("load", load)];
        let more = more.map(|(name, value)| (name, value.replace(',', "")));
        let pairs: Vec<_> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let more: Vec<_> = more.iter().map(|(name, value)| format!("{name}={value}")).collect();
        format!("{}, {how}, rustc={version}, {}", pairs.join(", "), more.join(", "))
    }
}

/// What a program says, in one line.
fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map_or_else(|_| String::new(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The commit of the sources, and whether they differ from it.
fn commit() -> String {
    let git = |arguments: &[&str]| said("git", &[&["-C", env!("CARGO_MANIFEST_DIR")], arguments].concat());
    let commit = git(&["rev-parse", "--short=12", "HEAD"]);
    let changed = !git(&["status", "--porcelain", "--untracked-files=no"]).is_empty();
    match (commit.is_empty(), changed) {
        (true, _) => "unknown".to_owned(),
        (false, true) => format!("{commit} with changes"),
        (false, false) => commit,
    }
}

/// The version of a package that this program was built with.
fn locked(package: &str) -> &'static str {
    let lock = include_str!("../../../Cargo.lock");
    let name = format!("name = \"{package}\"\nversion = \"");
    let version = lock.split_once(&name).and_then(|(_, rest)| rest.split('"').next());
    version.unwrap_or("of unknown version")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_its_values_between_commas() {
        let cores = Cores { list: vec![0, 1], float: true };
        let line = Provenance::now(&cores, "rounds=11, quick=no".to_owned()).line();
        let pairs: Vec<_> = line.split(", ").map(|pair| pair.split_once('=').expect("a name and a value")).collect();
        let names: Vec<_> = pairs.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["date", "commit", "rounds", "quick", "rustc", "cpu", "kernel", "cores", "load"]);
        assert!(!line.contains('\n'));
    }
}
