//! Four actor processes send what they see to one learner, which takes it in batches of up to 32.
//!
//! ```sh
//! cargo run --release --example actor_learner -- --steps 1000000
//! ```
//!
//! It ends after so many steps, or with Ctrl-C. The actors are this program once more, the ring their standard input.

use ringmail::zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};
use ringmail::{Options, mpmc};
use std::os::fd::AsFd;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

type Result = std::result::Result<(), Box<dyn std::error::Error>>;
const SIDE: usize = 84;

/// One step: the last four screens, what the actor did, and what came of it.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
#[zerocopy(crate = "ringmail::zerocopy")]
struct Step {
    step: u64,
    actor: u32,
    action: u32,
    reward: f32,
    done: u32,
    observation: [[u8; SIDE * SIDE]; 4],
}

/// Plays until the learner closes the ring: a ball falls, and the nearer the guess of its column, the better.
fn act(actor: u32) -> Result {
    ctrlc::set_handler(|| {})?; // Ctrl-C reaches every process of a terminal, and the learner sees to it.
    let tx = mpmc::Ring::<Step>::from_fd(std::io::stdin().as_fd().try_clone_to_owned()?)?.sender()?;
    let mut screens = [[0; SIDE * SIDE]; 4];
    for step in 0.. {
        let (row, column, action) = (step % SIDE, step / SIDE * 37 % SIDE, (step / SIDE + actor as usize) * 31 % SIDE);
        screens.rotate_left(1);
        screens[3] = [0; SIDE * SIDE];
        screens[3][row * SIDE + column] = 255;
        let (done, miss) = (u32::from(row == SIDE - 1), action.abs_diff(column) as f32 / SIDE as f32);
        let (reward, action) = (done as f32 * (1.0 - miss), action as u32);
        let step = Step { step: step as u64, actor, action, reward, done, observation: screens };
        if tx.send(&step).is_err() {
            break;
        }
    }
    Ok(())
}

/// Learns from `steps` steps; here, it checks their order and adds up the rewards.
fn learn(steps: u64) -> Result {
    let ring = mpmc::Ring::<Step>::anonymous(&Options::new().capacity(256))?;
    let (rx, on_signal, at_end) = (ring.receiver()?, ring.clone(), ring.clone());
    ctrlc::set_handler(move || on_signal.close())?;
    let mut actors = Vec::new();
    for actor in ["0", "1", "2", "3"] {
        let (program, stdin) = (std::env::current_exe()?, ring.as_fd().try_clone_to_owned()?);
        actors.push(Command::new(program).args(["--actor", actor]).stdin(stdin).spawn()?);
    }
    let watch = std::thread::spawn(move || {
        let failed =
            actors.iter_mut().map(|actor| !actor.wait().is_ok_and(|end| end.success())).filter(|bad| *bad).count();
        at_end.close(); // Should they all fail before they join, nobody waits for them.
        failed
    });
    let (start, mut told) = (Instant::now(), Instant::now());
    let (mut taken, mut batches, mut games, mut rewards, mut next) = (0, 0, 0, 0.0, [0; 4]);
    let rate = |taken: u64| taken as f64 / start.elapsed().as_secs_f64();
    while let Ok(batch) = rx.recv_many(32) {
        for step in batch.iter() {
            let next = next.get_mut(step.actor as usize).filter(|next| **next == step.step).ok_or("out of order")?;
            (*next, games, rewards) = (*next + 1, games + step.done, rewards + step.reward);
        }
        (taken, batches) = (taken + batch.len() as u64, batches + 1);
        if taken >= steps {
            ring.close(); // What was sent before is still received.
        }
        if told.elapsed() >= Duration::from_secs(1) {
            told = Instant::now();
            println!("{taken:9} steps  {:8.0} steps/s", rate(taken));
        }
    }
    let (mean, reward) = (taken as f64 / batches.max(1) as f64, rewards / games.max(1) as f32);
    println!("{taken:9} steps  {:8.0} steps/s  {mean:.1} a batch, reward {reward:.2} a game", rate(taken));
    let failed = watch.join().unwrap_or(4);
    if failed == 0 { Ok(()) } else { Err(format!("{failed} of 4 actors failed").into()) }
}

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let done = match (words.next().as_deref(), words.next().map(|number| number.parse()), words.next()) {
        (None, ..) => learn(100_000),
        (Some("--steps"), Some(Ok(steps @ 1..)), None) => learn(steps),
        (Some("--actor"), Some(Ok(actor)), None) => act(actor as u32),
        _ => Err("allowed is `--steps N`, a whole number from 1 up, or nothing".into()),
    };
    done.inspect_err(|error| eprintln!("actor_learner: {error}")).map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS)
}
