//! Jobs, and the processes that work on them: a job is acknowledged only when it is done.
//!
//! ```sh
//! cargo run --release --example work_queue
//! ```
//!
//! Job 7 makes the first worker that gets it panic, job 13 makes one die on the spot; others do them. The workers are this
//! program once more; they find the rings by name.

use ringmail::zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};
use ringmail::{Options, mpmc};
use std::process::{Command, ExitCode, abort, id};

type Result = std::result::Result<(), Box<dyn std::error::Error>>;
const WORKERS: u64 = 4;
const PART: u64 = 5_000;

/// To find the number of one part of them that takes longest to come down to 1 (`n / 2`, or `3 n + 1` where `n` is odd).
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
#[zerocopy(crate = "ringmail::zerocopy")]
struct Job {
    number: u64,
    first: u64,
}

#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
#[zerocopy(crate = "ringmail::zerocopy")]
struct Done {
    job: u64,
    steps: u64,
    found: u64,
    worker: u32,
    redelivered: u32,
}

/// Works until the producer has left.
fn work(name: &str) -> Result {
    let jobs = mpmc::Ring::<Job>::open(&format!("{name}.jobs"))?.receiver()?;
    let results = mpmc::Ring::<Done>::open(&format!("{name}.results"))?.sender()?;
    for job in jobs.iter() {
        match (job.number, job.redelivered()) {
            (7, 0) => panic!("worker {} in the middle of job 7: the panic gives the job back", id()),
            (13, 0) => abort(),
            _ => {}
        }
        let next = |n: &u64| (*n != 1).then(|| if n.is_multiple_of(2) { n / 2 } else { 3 * n + 1 });
        let steps = |n: u64| (std::iter::successors(Some(n), next).count() as u64 - 1, n);
        let (steps, found) = (job.first..job.first + PART).map(steps).max().unwrap_or_default();
        results.send(&Done { job: job.number, steps, found, worker: id(), redelivered: job.redelivered() })?;
        job.ack(); // Only now. Dropping it says the same.
    }
    Ok(())
}

/// Hands out the jobs, waits until all are done, and looks at the results.
fn produce(jobs: u64) -> Result {
    let name = format!("work_queue.{}", id());
    let ring = mpmc::Ring::<Job>::create(&format!("{name}.jobs"), &Options::new())?;
    // Room for all of them, and for what is done twice because somebody died between the result and the acknowledgement.
    let options = Options::new().capacity((jobs + WORKERS) as usize);
    let (tx, rx) = (ring.sender()?, mpmc::Ring::<Done>::create(&format!("{name}.results"), &options)?.receiver()?);
    let start = |_| Command::new(std::env::current_exe()?).args(["--worker", &name]).spawn();
    let mut workers = (0..WORKERS).map(start).collect::<std::io::Result<Vec<_>>>()?;
    let watch = std::thread::spawn(move || {
        let good = workers.iter_mut().map(|worker| worker.wait().is_ok_and(|end| end.success()));
        let died = good.filter(|good| !good).count();
        ring.close(); // Should they all fail before they join, nobody waits for them.
        died
    });
    for number in 0..jobs {
        tx.send(&Job { number, first: 1 + number * PART })?;
    }
    tx.wait_acked(None)?;
    drop(tx); // So that the workers end.
    let died = watch.join().map_err(|_| "could not wait for the workers")?;
    let done: Vec<Done> = rx.try_iter().map(|done| *done).collect();
    for done in done.iter().filter(|done| done.redelivered > 0) {
        println!("job {}: done by worker {}, redelivered {} time(s)", done.job, done.worker, done.redelivered);
    }
    let missing: Vec<u64> = (0..jobs).filter(|job| done.iter().all(|done| done.job != *job)).collect();
    let longest = done.iter().max_by_key(|done| done.steps).ok_or("no results")?;
    println!("{} results for {jobs} jobs, {died} of {WORKERS} workers died", done.len());
    println!("of the numbers up to {}, {} takes longest: {} steps", jobs * PART, longest.found, longest.steps);
    if missing.is_empty() { Ok(()) } else { Err(format!("jobs never done: {missing:?}").into()) }
}

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let (option, value) = (words.next(), words.next());
    let done = match (option.as_deref(), value.as_deref(), value.as_deref().map(str::parse)) {
        (None, ..) => produce(200),
        (Some("--worker"), Some(name), _) => work(name),
        (Some("--jobs"), _, Some(Ok(jobs @ 1..=10_000))) => produce(jobs),
        _ => Err("allowed is `--jobs N`, 1 to 10000, or nothing".into()),
    };
    done.inspect_err(|error| eprintln!("work_queue: {error}")).map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS)
}
