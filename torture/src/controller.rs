//! Random torture: rounds of processes at work in one ring, killed, stopped, forked, executed and made to panic by
//! chance.
//!
//! What a round is like follows from the seed and the round's number; what happens in it also from the scheduler.

use crate::crew::{Crew, Deeds};
use crate::folder::{self, Folder};
use crate::page::{Global, Page};
use crate::payload::mix;
use crate::plan::{Ending, Plan};
use crate::random::Random;
use crate::report::{Goals, Sum};
use crate::ring::{self, Checked};
use crate::state::Order;
use crate::verdict::{self, Fates, Round, Verdict};
use crate::worker::{Setup, Side};
use std::io;
use std::path::Path;
use std::sync::atomic::Ordering::SeqCst;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// After so long nobody is slow any more: something waits for ever.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Arguments {
    pub goals: Goals,
    pub seed: u64,
    pub round: u64,
    pub biased: bool,
    pub long: bool,
    /// Nobody may wait longer for a peer that is there.
    pub longest_wait: Duration,
}

/// What a round came to.
#[derive(Debug, Default)]
pub struct Outcome {
    pub verdict: Verdict,
    pub deeds: Deeds,
    pub reaped: u64,
    pub adopted: u64,
    pub dropped: u64,
    pub fates: Fates,
    pub leaked: u64,
    pub violations: Vec<String>,
}

/// Rounds until the goals are met or something is wrong. Returns whether nothing is.
pub fn run(arguments: &Arguments) -> io::Result<bool> {
    // Orphans of killed workers come to us, so that we know when they end.
    // SAFETY: touches no memory.
    unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1) };
    let folder = Folder::new()?;
    let page = Page::open(&folder.path().join("page"))?;
    let start = Instant::now();
    let mut sum = Sum::default();
    let mut round = arguments.round;
    while !arguments.goals.are_met(&sum, start.elapsed()) && sum.violations.is_empty() {
        let mut random = Random::new(arguments.seed, round);
        let plan = Plan::draw(&mut random, arguments.biased, arguments.long);
        let mut outcome = play(&plan, round, &mut random, folder.path(), &page)?;
        let longest = Duration::from_nanos(outcome.deeds.longest_ns);
        if longest > arguments.longest_wait {
            outcome.violations.push(format!("somebody waited {longest:?} though a peer was there"));
        }
        if !outcome.violations.is_empty() || !outcome.verdict.is_clean() {
            outcome.violations.insert(0, format!("seed {} round {round}: {plan:?}", arguments.seed));
        }
        sum.add(outcome);
        round += 1;
        if sum.is_time_to_tell(start.elapsed()) {
            println!("{:4.0} s  {}", start.elapsed().as_secs_f32(), sum.line());
        }
    }
    let left = folder.names_left()?;
    sum.violations.extend(left.iter().map(|path| format!("left behind: {}", path.display())));
    print!("\n{}", sum.report(start.elapsed(), round - arguments.round));
    Ok(sum.is_clean())
}

/// One round.
fn play(plan: &Plan, round: u64, random: &mut Random, folder: &Path, page: &Page) -> io::Result<Outcome> {
    let name = plan.named.then(|| format!("torture-{}-{round}", std::process::id()));
    let ring = ring::create(plan.mpmc, name.as_deref(), &plan.options()).map_err(io::Error::from)?;
    let dense = ring.stats().committed;
    let mut crew = Crew::new(page, if plan.named { None } else { Some(ring.fd()?) });
    page.global(Global::Ending).store(u64::from(!plan.keep_open), SeqCst);
    let setup = Setup {
        side: Side::Sender,
        mpmc: plan.mpmc,
        folder: folder.to_owned(),
        place: 0,
        seed: random.next(),
        max_len: plan.max_len,
        hold: plan.hold,
        name: name.clone(),
    };
    for place in 0..plan.senders + plan.receivers {
        let side = if place < plan.senders { Side::Sender } else { Side::Receiver };
        crew.start(Setup { side, place, ..setup.clone() });
    }
    torment(&mut crew, plan, random);
    let mut outcome = Outcome::default();
    let end = end(&mut crew, plan, page, &*ring);
    outcome.violations.extend(end.err());
    let mut rest = Vec::new();
    match ring.drain() {
        Ok(records) => rest = records,
        Err(wrong) => outcome.violations.push(wrong),
    }
    let stats = ring.stats();
    (outcome.reaped, outcome.adopted, outcome.dropped) = (stats.reaped, stats.redelivered, stats.dropped);
    if !stats.closed
        && let Err(wrong) = ring.refill()
    {
        outcome.leaked = 1;
        outcome.violations.push(wrong);
    }
    if let Err(wrong) = ring.judge_memory(dense, plan.retain as u64) {
        outcome.leaked = 1;
        outcome.violations.push(wrong);
    }
    let round = Round {
        mpmc: plan.mpmc,
        hold: plan.hold.max(1) as u64,
        limit: plan.limit(),
        newest: crew.newest(),
        dropped: stats.dropped,
        deaths: &crew.deaths,
        forks: crew.deeds.forks,
        execs: crew.deeds.execs,
        last_words: &crew.last_words,
    };
    let judged = verdict::judge(folder, &rest, &round)?;
    (outcome.verdict, outcome.fates) = (judged.verdict, judged.fates);
    outcome.violations.extend(judged.examples);
    outcome.violations.append(&mut crew.violations);
    for path in folder::files(folder, "violation.")? {
        outcome.violations.push(std::fs::read_to_string(&path)?);
        std::fs::remove_file(path)?;
    }
    outcome.deeds = std::mem::take(&mut crew.deeds);
    drop(ring);
    if let Some(name) = name {
        match ringmail::unlink(&name) {
            Err(error) if !error.is_not_found() => return Err(error.into()),
            _ => {}
        }
    }
    Ok(outcome)
}

/// Does things to processes until the time of the round is over.
fn torment(crew: &mut Crew<'_>, plan: &Plan, random: &mut Random) {
    let end = Instant::now() + plan.time;
    while Instant::now() < end && crew.violations.is_empty() {
        sleep(Duration::from_micros(1000 + random.below(4000)));
        crew.bury().into_iter().for_each(|setup| crew.start(Setup { seed: mix(setup.seed), ..setup }));
        crew.go_on(false);
        crew.publish_absence();
        let side = if random.percent(50) { Side::Sender } else { Side::Receiver };
        let of = crew.of(side);
        let place = of[random.below(of.len() as u64) as usize];
        // Where others of its side can take over, one of them shall be there; where there is one only, it is its turn
        // too.
        let is_last = crew.can_run(place) && crew.running(side) <= 1;
        let spared = is_last && of.len() > 1 && plan.mpmc && !random.percent(5);
        if spared {
            continue;
        }
        match random.below(100) {
            0..16 => crew.kill(place),
            16..21 if !crew.is_stopped(place) => {
                let time = Duration::from_millis(1 + random.skewed(1, 80));
                crew.stop(place, time);
            }
            21..24 => crew.order(place, Order::Fork),
            24..26 => crew.order(place, Order::Exec),
            26..29 => crew.order(place, Order::Panic),
            _ => {}
        }
    }
}

/// Ends the round, one way or another. Afterwards no process of it lives.
fn end(crew: &mut Crew<'_>, plan: &Plan, page: &Page, ring: &dyn Checked) -> Result<(), String> {
    let mut result = Ok(());
    match plan.ending {
        Ending::Massacre => {}
        Ending::Finish => {
            crew.go_on(true);
            result = wait(crew, Some((Side::Sender, Order::Finish)), |crew| crew.of(Side::Sender).is_empty());
        }
        Ending::Close => {
            page.global(Global::Ending).store(1, SeqCst);
            ring.close();
            crew.go_on(true);
            result = wait(crew, None, |crew| crew.is_over());
        }
    }
    crew.of(Side::Sender).into_iter().chain(crew.of(Side::Receiver)).for_each(|place| crew.kill(place));
    let over = wait(crew, None, |crew| crew.is_over() && !crew.has_children());
    result.and(over)
}

/// Waits until `done`. Receivers that leave of themselves, of a ring that senders still finish with, are replaced.
fn wait(crew: &mut Crew<'_>, order: Option<(Side, Order)>, done: impl Fn(&Crew<'_>) -> bool) -> Result<(), String> {
    let start = Instant::now();
    loop {
        for setup in crew.bury() {
            if order.is_some() && setup.side == Side::Receiver {
                crew.start(Setup { seed: mix(setup.seed), ..setup });
            }
        }
        crew.publish_absence();
        if let Some((side, order)) = order {
            crew.of(side).into_iter().for_each(|place| crew.order(place, order));
        }
        if done(crew) {
            return Ok(());
        }
        if start.elapsed() > PATIENCE * if order.is_none() { 5 } else { 1 } {
            return Err(format!("wedged: {} do not come to an end", crew.describe()));
        }
        sleep(Duration::from_millis(1));
    }
}
