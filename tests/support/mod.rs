//! What tests with several processes need: names that nobody else uses, children that never outlive their test, and
//! waiting for conditions.
//!
//! A child is this very test binary again, run for one test only: the one named `child`, which returns at once when
//! it is run as an ordinary test. Parent and child speak in lines, over the child's standard input and output.
#![allow(dead_code, reason = "every test file takes what it needs")]
#![allow(clippy::disallowed_methods, reason = "tests look at the system from outside")]
#![allow(unused_macros, reason = "as for dead code")]

pub mod mount;
pub mod seccomp;

use std::io::{BufRead, BufReader, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// When a test that waits for something is given up. Far beyond what any machine should need: it turns a hang into a
/// failure and says nothing about speed.
pub const WATCHDOG: Duration = Duration::from_secs(60);

/// Runs the same tests over both flavours, as `flavour`, in a module each.
macro_rules! both {
    ($($tests:tt)*) => {
        mod spsc {
            #![allow(unused_mut, dead_code, reason = "mpmc handles need no mut, not every test has children")]
            use super::*;
            use ringmail::spsc as flavour;
            const CHILD: &str = "spsc::child";
            $($tests)*
        }
        mod mpmc {
            #![allow(unused_mut, dead_code, reason = "spsc handles need it, not every test has children")]
            use super::*;
            use ringmail::mpmc as flavour;
            const CHILD: &str = "mpmc::child";
            $($tests)*
        }
    };
}

/// A ring's name that no other test has; removed at the end, should the test have left it.
pub struct Name(String);

/// A directory of one test's own, gone at the end. On the file system of temporary files, which is a disk on most machines.
pub struct Directory(pub PathBuf);

impl Directory {
    pub fn new(what: &str) -> Self {
        let path = std::env::temp_dir().join(&*name(&what.replace(':', "-")));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    /// The path of a file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Its path, for a child.
    pub fn text(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A name for one test.
pub fn name(what: &str) -> Name {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    Name(format!("test-{what}-{}-{}", std::process::id(), COUNT.fetch_add(1, Relaxed)))
}

impl Name {
    /// Where the segment lies.
    pub fn path(&self) -> String {
        path(self)
    }

    /// Whether somebody has the name.
    pub fn exists(&self) -> bool {
        std::fs::symlink_metadata(self.path()).is_ok()
    }
}

impl std::ops::Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(self.path());
        let _ = std::fs::remove_dir(self.path());
    }
}

/// Where the segment of a name lies.
pub fn path(name: &str) -> String {
    format!("/dev/shm/ringmail.{name}")
}

/// Waits until `condition` holds.
pub fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < WATCHDOG, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Ends the process with a message should it still be there after [`WATCHDOG`] twice over: for calls that may hang.
pub struct Watchdog(mpsc::Sender<()>);

/// Watches until dropped.
pub fn watchdog(what: &'static str) -> Watchdog {
    let (alive, ended) = mpsc::channel();
    std::thread::spawn(move || {
        if ended.recv_timeout(2 * WATCHDOG) == Err(mpsc::RecvTimeoutError::Timeout) {
            eprintln!("{what} hangs");
            std::process::abort();
        }
    });
    Watchdog(alive)
}

/// The sides of a ring that one may sleep on.
#[derive(Clone, Copy, Debug)]
pub enum Side {
    Senders,
    Receivers,
}

/// Whether somebody of that side went to sleep since the last wake-up, by the WAITERS bit in the segment.
pub fn is_asleep(path: &str, side: Side) -> bool {
    let at = match side {
        Side::Receivers => 1536,
        Side::Senders => 1664,
    };
    let mut word = [0; 4];
    let file = std::fs::File::open(path).expect("the segment is there");
    file.read_exact_at(&mut word, at).expect("the segment has control words");
    u32::from_ne_bytes(word) & 1 != 0
}

/// Waits until somebody of that side sleeps.
pub fn wait_asleep(name: &str, side: Side) {
    let path = path(name);
    wait_for("somebody to sleep", || is_asleep(&path, side));
}

/// A child of this test, killed and reaped when the test lets go of it.
pub struct Process {
    child: Child,
    input: Option<ChildStdin>,
    lines: mpsc::Receiver<String>,
}

impl Process {
    /// Runs the test `entry` of this binary in a process of its own, to play `role`.
    pub fn start(entry: &str, role: &str, args: &[&str]) -> Self {
        Self::prepare_and_start(|_| (), entry, role, args)
    }

    /// As [`start`](Self::start), for one that mounts a file system: see [`mount::has_small_file_system`].
    pub fn start_to_mount(entry: &str, role: &str, args: &[&str]) -> Self {
        Self::prepare_and_start(mount::allow, entry, role, args)
    }

    fn prepare_and_start(prepare: fn(&mut Command), entry: &str, role: &str, args: &[&str]) -> Self {
        let mut command = Command::new(std::env::current_exe().expect("a test knows its program"));
        command.args(["--exact", entry, "--nocapture", "--test-threads=1"]);
        command.env("RINGMAIL_TEST_ROLE", role).env("RINGMAIL_TEST_ARGS", args.join("\n"));
        prepare(&mut command);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a child starts");
        let output = child.stdout.take().expect("its output is piped");
        let (send, lines) = mpsc::channel();
        std::thread::spawn(move || {
            // What the test harness itself prints has no mark.
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if let Some((_, said)) = line.split_once(MARK) {
                    let _ = send.send(said.to_owned());
                }
            }
        });
        Self { input: child.stdin.take(), child, lines }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The next line that the child says.
    pub fn next_line(&mut self) -> String {
        match self.lines.recv_timeout(WATCHDOG) {
            Ok(line) => line,
            Err(error) => panic!("child {} said nothing: {error}", self.pid()),
        }
    }

    /// Waits until the child says `word`; returns what it says after it on that line.
    pub fn expect(&mut self, word: &str) -> String {
        let line = self.next_line();
        match line.strip_prefix(word) {
            Some(rest) => rest.trim().to_owned(),
            None => panic!("child said {line:?}, not {word:?}"),
        }
    }

    /// Says a line to the child.
    pub fn tell(&mut self, line: &str) {
        writeln!(self.input.as_mut().expect("still open"), "{line}").expect("the child listens");
    }

    pub fn signal(&self, signal: libc::c_int) {
        // SAFETY: kill touches no memory; the child is not reaped yet, so the id is its.
        assert_eq!(unsafe { libc::kill(self.pid() as libc::pid_t, signal) }, 0);
    }

    /// Stops the child, until it is sent SIGCONT. Only when each of its threads has stopped is it certain to do
    /// nothing.
    pub fn stop(&self) {
        self.signal(libc::SIGSTOP);
        wait_for("a child to stop", || {
            let tasks = std::fs::read_dir(format!("/proc/{}/task", self.pid())).expect("the child is not reaped");
            let mut stats = tasks.flatten().flat_map(|task| std::fs::read_to_string(task.path().join("stat")));
            stats.all(|stat| stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T')))
        });
    }

    /// Kills the child with SIGKILL, and reaps it.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Waits until the child ends by itself.
    pub fn wait(&mut self) -> ExitStatus {
        let mut status = None;
        wait_for("a child to end", || {
            status = self.child.try_wait().expect("it is our child");
            status.is_some()
        });
        status.expect("waited for")
    }

    /// Waits until the child ends by itself, and well.
    pub fn finish(mut self) {
        drop(self.input.take());
        let status = self.wait();
        assert!(status.success(), "child ended with {status} (signal {:?})", status.signal());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Begins a line that is meant for the parent.
const MARK: &str = "@@";

/// In a child: the role it is to play, and with what. `None` in an ordinary test run.
pub fn role() -> Option<(String, Vec<String>)> {
    let role = std::env::var("RINGMAIL_TEST_ROLE").ok()?;
    let args = std::env::var("RINGMAIL_TEST_ARGS").unwrap_or_default();
    // Should the parent be killed, nobody else would end this process.
    // SAFETY: prctl with this option takes a number and touches no memory.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    std::mem::forget(watchdog("a child process"));
    Some((role, args.split('\n').map(str::to_owned).collect()))
}

/// In a child: says a line to the parent.
pub fn say(line: impl std::fmt::Display) {
    let line = format!("{MARK}{line}\n");
    std::io::stdout().lock().write_all(line.as_bytes()).expect("the parent listens");
    std::io::stdout().flush().expect("the parent listens");
}

/// In a child: waits for a line from the parent; empty when it has hung up.
pub fn hear() -> String {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).expect("the parent speaks");
    line.trim().to_owned()
}

/// A process made by `fork`, killed and reaped when let go.
pub struct Forked(Option<libc::pid_t>);

/// Forks; the child does `work` and ends with the code it returns, 101 should it panic.
pub fn fork(work: impl FnOnce() -> i32) -> Forked {
    // SAFETY: the child runs only `work` and `_exit`; it uses no lock that another thread of a test may hold.
    match unsafe { libc::fork() } {
        -1 => panic!("fork failed"),
        0 => {
            let code = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_or(101);
            // SAFETY: ends the process.
            unsafe { libc::_exit(code) }
        }
        pid => Forked(Some(pid)),
    }
}

impl Forked {
    pub fn pid(&self) -> u32 {
        self.0.expect("not reaped") as u32
    }

    /// Waits until it ends; its exit code.
    pub fn wait(mut self) -> i32 {
        let (pid, mut status) = (self.0.take().expect("not reaped"), 0);
        wait_for("a forked child to end", || {
            // SAFETY: `status` is an integer for the call to fill.
            unsafe { libc::waitpid(pid, &raw mut status, libc::WNOHANG) == pid }
        });
        if libc::WIFEXITED(status) { libc::WEXITSTATUS(status) } else { -1 }
    }
}

impl Drop for Forked {
    fn drop(&mut self) {
        if let Some(pid) = self.0 {
            // SAFETY: kill touches no memory; the process is not reaped yet, so the id is its.
            unsafe { libc::kill(pid, libc::SIGKILL) };
            // SAFETY: a null status is allowed.
            unsafe { libc::waitpid(pid, std::ptr::null_mut(), 0) };
        }
    }
}

/// Numbers that look random and are the same in every run.
pub struct Seeded(pub u64);

impl Seeded {
    /// A number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}

/// Bytes of memory that are really behind a ring.
pub fn memory(ring: impl AsFd) -> u64 {
    let file = std::fs::File::from(ring.as_fd().try_clone_to_owned().unwrap());
    file.metadata().unwrap().blocks() * 512
}
