//! Running other programs.

use crate::tally::Tally;
use std::env;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// The features of the library.
pub const OF_LIBRARY: &str = "ringmail/shared_memory,ringmail/value";

/// The features that everything is tested and checked with: those of the library, and the drawing of pictures. Not for the library alone: Cargo
/// refuses features of packages that are not asked for.
pub const FEATURES: &str = "ringmail/shared_memory,ringmail/value,ringmail-plot/draw";

/// Cargo, the one that runs us.
pub fn cargo(args: &[&str]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args);
    command
}

/// Cargo with another value added to a variable of flags, such as `RUSTFLAGS`.
pub fn cargo_with(variable: &str, flags: &str, args: &[&str]) -> Command {
    let mut command = cargo(args);
    let given = env::var(variable).unwrap_or_default();
    command.env(variable, format!("{given} {flags}").trim());
    command
}

/// A folder of its own under the target folder: builds with other flags would evict each other's.
pub fn target(name: &str) -> String {
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    target.join(name).to_string_lossy().into_owned()
}

/// The installed toolchain of that name, which may have a date or a platform after it; else what is missing.
pub fn toolchain(name: &str) -> Result<String, String> {
    let installed = Command::new("rustup").args(["toolchain", "list"]).output();
    let Ok(installed) = installed else { return Err("rustup is not installed".to_owned()) };
    let installed = String::from_utf8_lossy(&installed.stdout).into_owned();
    let is_it = |installed: &str| installed.strip_prefix(name).is_some_and(|rest| rest.starts_with(['.', '-']));
    let missing = || format!("Rust {name} is not installed (rustup toolchain install {name})");
    installed.split_whitespace().find(|&it| is_it(it)).map(str::to_owned).ok_or_else(missing)
}

/// A program of another toolchain's.
pub fn of(toolchain: &str, program: &str, args: &[&str]) -> Command {
    let mut command = Command::new("rustup");
    command.args(["run", toolchain, program]).args(args).env_remove("CARGO");
    command
}

/// The installed program of that name, or the one in the target folder, where CI builds it (minutes on two cores); else what
/// is missing. Whoever asks while it is built waits.
pub fn tool(name: &str) -> Result<String, String> {
    static BUILDING: Mutex<()> = Mutex::new(());
    let _one = BUILDING.lock().unwrap_or_else(PoisonError::into_inner);
    let ours = target("tools");
    let program = format!("{ours}/bin/{name}");
    let runs = |program: &str| {
        let mut command = Command::new(program);
        command.arg("--version");
        succeeds(command)
    };
    if runs(name) {
        return Ok(name.to_owned());
    }
    if !Path::new(&program).exists() && env::var_os("CI").is_some() {
        let built = target("tools/build");
        // It runs for seconds, so it need not be optimised; and it may be built beside the tests, so it gives way to them.
        let mut install = Command::new("nice");
        install.args(["-n", "19"]).arg(cargo(&[]).get_program());
        install.args(["install", name, "--locked", "--quiet", "--debug", "--root", &ours, "--target-dir", &built]);
        install.env("CARGO_PROFILE_DEV_DEBUG", "false");
        run(install);
    }
    if runs(&program) { Ok(program) } else { Err(format!("{name} is not installed (cargo install {name} --locked)")) }
}

/// Says what is run.
fn announce(command: &Command) {
    let args: Vec<_> = command.get_args().map(|arg| arg.to_string_lossy()).collect();
    let program = PathBuf::from(command.get_program());
    let program = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
    println!("\n$ {program} {}", args.join(" "));
}

/// Runs a command to its end with our own input and output. Says whether it succeeded.
pub fn run(command: Command) -> bool {
    code(command) == Some(0)
}

/// Runs a command to its end with our own input and output; its exit code, if it has one.
pub fn code(mut command: Command) -> Option<i32> {
    announce(&command);
    match command.status() {
        Ok(status) => status.code(),
        Err(error) => {
            eprintln!("xtask: cannot run {}: {error}", command.get_program().display());
            None
        }
    }
}

/// Whether a command can be run and succeeds; its output goes nowhere.
pub fn succeeds(mut command: Command) -> bool {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Runs a test runner, passing its output on, and counts its tests.
pub fn count(mut command: Command) -> (bool, Tally) {
    announce(&command);
    let mut tally = Tally::default();
    let ok = pass_on(&mut command, SILENCE, |line| tally.read(line)).unwrap_or_else(|error| {
        eprintln!("xtask: cannot run {}: {error}", command.get_program().display());
        false
    });
    (ok, tally)
}

/// How long a test runner may say nothing before it is taken to hang. Each model of the core takes minutes at most, on two cores that have
/// other work too; and no test should cost more than this before it fails.
const SILENCE: Duration = Duration::from_secs(15 * 60);

fn pass_on(command: &mut Command, silence: Duration, mut read: impl FnMut(&str)) -> io::Result<bool> {
    const TICK: Duration = Duration::from_millis(250);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let (sender, lines) = mpsc::channel();
    if let Some(stdout) = child.stdout.take() {
        let mut lines = BufReader::new(stdout).split(b'\n').map_while(Result::ok);
        thread::spawn(move || lines.try_for_each(|line| sender.send(line)));
    }
    let mut ticks_after_end = 0;
    let mut last_word = Instant::now();
    loop {
        match lines.recv_timeout(TICK) {
            Ok(line) => {
                last_word = Instant::now();
                let mut out = io::stdout().lock();
                out.write_all(&line)?;
                out.write_all(b"\n")?;
                out.flush()?;
                read(&String::from_utf8_lossy(&line));
            }
            Err(RecvTimeoutError::Disconnected) => return Ok(child.wait()?.success()),
            Err(RecvTimeoutError::Timeout) if child.try_wait()?.is_none() => {
                if last_word.elapsed() > silence {
                    eprintln!("xtask: nothing was heard of the tests for {silence:?}: they hang");
                    kill_family(child.id());
                    child.wait()?;
                    return Ok(false);
                }
            }
            // The output is still open although its owner is gone.
            Err(RecvTimeoutError::Timeout) if ticks_after_end < 8 => ticks_after_end += 1,
            Err(RecvTimeoutError::Timeout) => {
                eprintln!("xtask: a test left a process behind that still runs");
                return Ok(false);
            }
        }
    }
}

/// Kills a process with its children, and theirs.
fn kill_family(pid: u32) {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let children: Vec<_> = tasks.flat_map(|task| std::fs::read_to_string(task.path().join("children"))).collect();
    let _ = Command::new("kill").args(["-KILL", &pid.to_string()]).status();
    children.iter().flat_map(|ids| ids.split_whitespace()).filter_map(|id| id.parse().ok()).for_each(kill_family);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_says_nothing_is_ended_with_all_whom_it_started() {
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 1000 & echo $!; echo $$; sleep 1000; echo done"]);
        let mut said = Vec::new();
        let ok = pass_on(&mut command, Duration::from_millis(500), |line| said.push(line.to_owned()));
        assert!(!ok.expect("sh runs"));
        assert_eq!(said.len(), 2, "{said:?}");
        let is_gone = |pid: &String| !Path::new(&format!("/proc/{pid}/cmdline")).exists() || is_dead(pid);
        while !said.iter().all(is_gone) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Whether a process was killed and is only not yet reaped.
    fn is_dead(pid: &str) -> bool {
        std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.is_empty())
    }

    #[test]
    fn the_library_is_asked_for_features_of_its_own() {
        assert!(OF_LIBRARY.split(',').all(|feature| feature.starts_with("ringmail/")), "cargo refuses others");
        assert!(FEATURES.starts_with(OF_LIBRARY), "what is checked is tested too");
    }

    #[test]
    fn a_runner_that_ends_says_how() {
        let mut said = Vec::new();
        let ok =
            pass_on(Command::new("sh").args(["-c", "echo one; exit 3"]), SILENCE, |line| said.push(line.to_owned()));
        assert!(!ok.expect("sh runs"));
        assert_eq!(said, ["one"]);
        assert!(pass_on(Command::new("true").args([""; 0]), SILENCE, |_| ()).expect("true runs"));
    }
}
