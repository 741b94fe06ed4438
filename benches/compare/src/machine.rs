//! Which machine, and which versions: without them a figure says nothing.

use crate::crew::Cores;
use crate::peers::PACKAGES;
use std::fs::read_to_string;
use std::process::Command;

/// What the figures were taken with, as lines of text.
pub fn lines(cores: &Cores) -> String {
    let cpuinfo = read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name| cpuinfo.lines().find(|line| line.starts_with(name))?.split(": ").nth(1);
    let model = field("model name").unwrap_or("unknown CPU");
    let count = std::thread::available_parallelism().map_or(0, usize::from);
    let virt = if cpuinfo.contains(" hypervisor") { ", virtual" } else { "" };
    let kernel = read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let rustc = Command::new("rustc").arg("--version").output();
    let rustc = rustc.map_or_else(|_| String::new(), |output| String::from_utf8_lossy(&output.stdout).into_owned());
    let float = if cores.float { ", larger crews on any of them" } else { "" };
    let load = read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default().to_owned();
    let versions: Vec<_> = PACKAGES.iter().map(|peer| format!("{peer} {}", locked(peer))).collect();
    format!(
        "machine: {model}, {count} cores{virt}; Linux {}; {}; load {load}\nworkers on cores {:?}{float}\n\
         ringmail {}; peers: {}\n",
        kernel.trim(),
        rustc.trim(),
        cores.list,
        env!("CARGO_PKG_VERSION"),
        versions.join(", "),
    )
}

/// The version of a package that this program was built with.
fn locked(package: &str) -> &'static str {
    let lock = include_str!("../../../Cargo.lock");
    let name = format!("name = \"{package}\"\nversion = \"");
    let version = lock.split_once(&name).and_then(|(_, rest)| rest.split('"').next());
    version.unwrap_or("of unknown version")
}
