//! The workers of one sample: each on its core, as threads of this process or as forked processes of their own, started
//! together.
//!
//! What is measured is the time from the first worker's start to the last one's finish, by the monotonic clock, which all
//! processes share. Everything that happens once (mapping, page faults, the first laps) belongs before
//! [`Post::start`].

use crate::bare::Shared;
use crate::bystanders::Bystanders;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::*};
use std::time::Duration;

/// The most workers that a sample may have.
pub const MOST: usize = 16;
/// How often workers can meet.
const MEETINGS: usize = 6;
/// Figures that a worker can report beside its times.
const FIGURES: usize = 4;
/// After so long a sample has failed.
const PATIENCE_S: u32 = 6;

/// Where the workers of a sample live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// In this process, each a thread.
    Threads,
    /// Each a forked process.
    Processes,
}

impl Mode {
    pub fn letter(self) -> char {
        match self {
            Self::Threads => 'T',
            Self::Processes => 'P',
        }
    }
}

/// The cores that samples run on.
#[derive(Clone, Debug)]
pub struct Cores {
    pub list: Vec<usize>,
    /// Crews that are larger than a pair may run on any of them, as the scheduler likes.
    pub float: bool,
}

impl Cores {
    /// Binds the calling thread, worker `place` of `crew`.
    pub fn bind(&self, place: usize, crew: usize) {
        if self.float && crew > 2 {
            pin(&self.list);
        } else {
            pin(&[self.list[place % self.list.len()]]);
        }
    }
}

/// Binds the calling thread to some cores.
pub fn pin(cores: &[usize]) {
    // SAFETY: a set of no cores is all zeroes.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    for &core in cores {
        // SAFETY: the core's number was checked when it was given.
        unsafe { libc::CPU_SET(core, &mut set) };
    }
    // SAFETY: `set` is readable and has the size that is said.
    let result = unsafe { libc::sched_setaffinity(0, size_of_val(&set), &set) };
    assert_eq!(result, 0, "cannot run on cores {cores:?}: {}", std::io::Error::last_os_error());
}

/// Nanoseconds of the monotonic clock.
#[inline]
#[expect(clippy::disallowed_methods, reason = "the standard library's instants cannot be passed between processes")]
pub fn now_ns() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is writable.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// What workers and the main thread see of each other, in memory that forked processes share.
#[repr(C)]
pub struct Gate {
    arrived: [Line<AtomicUsize>; MEETINGS],
    /// How many senders are done with the warm-up and with the timed pass.
    pub done: [Line<AtomicUsize>; 2],
    desks: [Line<Desk>; MOST],
}

/// A cache line of its own, with its neighbour that the prefetcher takes along.
#[repr(C, align(128))]
pub struct Line<T>(pub T);

#[repr(C)]
struct Desk {
    start_ns: AtomicU64,
    finish_ns: AtomicU64,
    /// Time that the worker was ready to run and did not.
    delayed_ns: AtomicU64,
    figures: [AtomicU64; FIGURES],
}

/// A worker's place in the crew.
pub struct Post<'a> {
    gate: &'a Gate,
    place: usize,
    crew: usize,
    meetings: usize,
    delayed_ns: u64,
}

impl Post<'_> {
    /// Waits for all others, spinning; workers that share a core give way to each other.
    pub fn meet(&mut self) {
        let arrived = &self.gate.arrived[self.meetings].0;
        self.meetings += 1;
        arrived.fetch_add(1, AcqRel);
        let mut turns = 0_u32;
        while arrived.load(Acquire) < self.crew {
            turns += 1;
            if turns.is_multiple_of(64) {
                std::thread::yield_now();
            }
            std::hint::spin_loop();
        }
    }

    /// Waits for all others and starts the clock.
    pub fn start(&mut self) {
        self.delayed_ns = delayed_ns();
        self.meet();
        self.desk().start_ns.store(now_ns(), Release);
    }

    /// Stops the clock.
    pub fn finish(&mut self) {
        self.desk().finish_ns.store(now_ns(), Release);
        self.desk().delayed_ns.store(delayed_ns() - self.delayed_ns, Release);
    }

    /// Leaves a figure for the main thread.
    pub fn report(&self, place: usize, figure: u64) {
        self.desk().figures[place].store(figure, Release);
    }

    /// Whether this is the last of `senders` to say that it is done with `pass`.
    pub fn is_last(&self, pass: usize, senders: usize) -> bool {
        self.gate.done[pass].0.fetch_add(1, AcqRel) + 1 == senders
    }

    fn desk(&self) -> &Desk {
        &self.gate.desks[self.place].0
    }
}

/// What came of a sample.
#[derive(Clone, Debug)]
pub struct Log {
    pub elapsed: Duration,
    /// The largest part of the time that a worker was ready to run and did not; where workers outnumber the cores, the part of the time that
    /// others ran on those.
    pub delayed: f64,
    pub workers: usize,
    figures: Vec<[u64; FIGURES]>,
}

impl Log {
    /// The log of something that took so long, in no crew: for what is not timed by one.
    pub fn of(elapsed_ns: u64) -> Self {
        Self { elapsed: Duration::from_nanos(elapsed_ns), delayed: 0.0, workers: 0, figures: Vec::new() }
    }

    /// What worker `place` reported.
    pub fn figure(&self, worker: usize, place: usize) -> u64 {
        self.figures[worker][place]
    }

    /// Nanoseconds for each of `n` things.
    pub fn ns_each(&self, n: u64) -> f64 {
        self.elapsed.as_nanos() as f64 / n as f64
    }

    /// Millions a second of `n` things.
    pub fn million_per_s(&self, n: u64) -> f64 {
        n as f64 / self.elapsed.as_secs_f64() / 1e6
    }
}

/// A worker. It must call `start` and `finish`, in that order.
pub type Job = Box<dyn FnOnce(&mut Post<'_>) + Send>;

/// Runs the jobs at the same time. `None` if a crew of processes did not get done; threads cannot be stopped, and take the
/// program with them.
pub fn run(mode: Mode, cores: &Cores, jobs: Vec<Job>) -> Option<Log> {
    run_for(PATIENCE_S, mode, cores, jobs)
}

/// As [`run`], with more patience: for jobs that touch gigabytes first.
pub fn run_for(seconds: u32, mode: Mode, cores: &Cores, jobs: Vec<Job>) -> Option<Log> {
    let crew = jobs.len();
    assert!(crew <= MOST);
    let bystanders = (crew > cores.list.len()).then(Bystanders::look);
    // SAFETY: all zeroes are a gate that nobody has passed.
    let gate: Shared<Gate> = unsafe { Shared::zeroed(size_of::<Gate>()) };
    THREADS.store(usize::from(mode == Mode::Threads), Relaxed);
    RAN_OUT.store(0, Relaxed);
    watch(seconds);
    let done = match mode {
        Mode::Threads => {
            std::thread::scope(|scope| {
                for (place, job) in jobs.into_iter().enumerate() {
                    let gate = &*gate;
                    scope.spawn(move || {
                        if !work(gate, cores, place, crew, job) {
                            std::process::abort();
                        }
                    });
                }
            });
            true
        }
        Mode::Processes => {
            // What jobs hold (names of queues) goes when all are done, and not as soon as the last child was forked.
            let mut jobs: Vec<_> = jobs.into_iter().map(Some).collect();
            let mut begin = |place: usize| {
                let job = &mut jobs[place];
                fork(|| job.take().is_some_and(|job| work(&gate, cores, place, crew, job)))
            };
            let children = (0..crew).map(&mut begin).collect();
            reap(children)
        }
    };
    watch(0);
    done.then(|| {
        let desks: Vec<_> = gate.desks[..crew].iter().map(|desk| &desk.0).collect();
        let start = desks.iter().map(|desk| desk.start_ns.load(Acquire)).min().unwrap_or(0);
        let finish = desks.iter().map(|desk| desk.finish_ns.load(Acquire)).max().unwrap_or(0);
        let elapsed = Duration::from_nanos(finish.saturating_sub(start).max(1));
        let delayed = desks.iter().map(|desk| desk.delayed_ns.load(Acquire)).max().unwrap_or(0);
        let delayed = bystanders
            .map_or_else(|| delayed as f64 / elapsed.as_nanos() as f64, |bystanders| bystanders.ran_since(cores, crew));
        let figures = desks.iter().map(|desk| desk.figures.each_ref().map(|figure| figure.load(Acquire))).collect();
        Log { elapsed, delayed, workers: crew, figures }
    })
}

/// One worker's life. Returns whether it came to its end.
fn work(gate: &Gate, cores: &Cores, place: usize, crew: usize, job: Job) -> bool {
    cores.bind(place, crew);
    let mut post = Post { gate, place, crew, meetings: 0, delayed_ns: 0 };
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| job(&mut post))).is_ok()
}

/// Runs `job` in a child, which dies with this process. Returns the child's id.
///
/// Only between samples, when this process has one thread.
#[expect(clippy::disallowed_methods, reason = "the harness is a program of its own: it may fork")]
pub fn fork(job: impl FnOnce() -> bool) -> libc::pid_t {
    // SAFETY: there is no other thread whose locks the child could inherit.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "cannot fork: {}", std::io::Error::last_os_error());
    if child == 0 {
        // SAFETY: sets an attribute of this process.
        unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
        let code = if job() { 0 } else { 101 };
        // SAFETY: leaves without running what the parent will run itself.
        unsafe { libc::_exit(code) };
    }
    child
}

/// Waits for the children. If one fails or the time is up, ends the others.
fn reap(mut children: Vec<libc::pid_t>) -> bool {
    let mut well = true;
    while !children.is_empty() {
        let mut status = 0;
        // SAFETY: `status` is writable.
        let child = unsafe { libc::waitpid(-1, &mut status, 0) };
        children.retain(|&other| other != child);
        if child < 0 || status != 0 {
            if well {
                RAN_OUT.store(usize::from(child < 0), Relaxed);
            }
            well = false;
            children.iter().for_each(|&other| kill(other));
        }
    }
    well
}

/// Kills a child.
pub fn kill(child: libc::pid_t) {
    // SAFETY: the child has not been waited for, so the number is still its own.
    unsafe { libc::kill(child, libc::SIGKILL) };
}

/// Waits for a killed child.
pub fn bury(child: libc::pid_t) {
    // SAFETY: the status is not asked for.
    unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) };
}

/// Whether the last crew that did not get done was out of time, and did not fail.
pub fn ran_out_of_time() -> bool {
    RAN_OUT.load(Relaxed) == 1
}

/// Says it of workers that were no crew of [`run`]'s.
pub fn gave_up(out_of_time: bool) {
    RAN_OUT.store(out_of_time.into(), Relaxed);
}

static RAN_OUT: AtomicUsize = AtomicUsize::new(0);

/// Whether the crew at work are threads.
static THREADS: AtomicUsize = AtomicUsize::new(0);

/// Has this process be interrupted after some seconds; 0 calls that off.
fn watch(seconds: u32) {
    extern "C" fn ring(_: libc::c_int) {
        if THREADS.load(Relaxed) == 1 {
            let words = b"a sample in threads did not end: giving up\n";
            // SAFETY: `words` is readable; writing is allowed in a signal handler.
            unsafe { libc::write(2, words.as_ptr().cast(), words.len()) };
            // SAFETY: leaving at once is allowed in a signal handler.
            unsafe { libc::_exit(3) };
        }
    }
    // SAFETY: all zeroes are an action without flags, so that waiting is interrupted and not resumed.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = ring as extern "C" fn(libc::c_int) as usize;
    // SAFETY: the handler does nothing but what is allowed in one.
    unsafe { libc::sigaction(libc::SIGALRM, &action, std::ptr::null_mut()) };
    // SAFETY: sets this process's alarm.
    unsafe { libc::alarm(seconds) };
}

/// How long the calling thread has been ready to run without running, in all.
fn delayed_ns() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split_whitespace().nth(1).and_then(|figure| figure.parse().ok()).unwrap_or(0)
}
