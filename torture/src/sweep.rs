//! The sweep: in every scene one process dies at its first access to shared memory, then another one at its second, and
//! so on, until one gets to the end.
//!
//! After each death the parent knows from the dead one's own words what its calls had returned. Then everything sent
//! must come, but for what the dead had got as far as acknowledging, or what was handed out as often as the ring's
//! policy allows, and that is counted; nothing else may come but what it was just sending; what it had been handed
//! comes flagged; both roles can be taken; the ring has all its slots; and none of that takes long.

mod compare;
mod point;
pub mod table;

pub use point::LONG;

use crate::folder::Folder;
use crate::ring::{cloning, mpmc, spsc};
use point::Told;
use ringmail::torture;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::panic::Location;
use std::time::Instant;
use table::{SCENES, Scene};

/// So much wrong is enough of one scene: each of those who wait for ever takes its time.
const ENOUGH: u64 = 3;
/// After so many points at places that were seen before, only some are looked at until there is a new one: see [`Scene::step`].
const DULL: u64 = 40;
/// Slots of every scene's ring.
pub const SLOTS: usize = 4;

/// In a child: says a line to the parent, in one piece.
pub fn say(line: &str) {
    let _ = io::stdout().write_all(format!("{line}\n").as_bytes());
}

/// In a child: plays a scene and dies at the point it was told.
pub fn play(told: &[String]) {
    let [flavour, scene, name, point] = told else { panic!("a scene is flavour, name, ring and point") };
    let point = point.parse().expect("a number");
    let arm = || {
        say("armed");
        torture::arm(point, die);
    };
    match flavour.as_str() {
        "mpmc" if scene.starts_with("clone") => cloning::play(scene, name, arm),
        "mpmc" => mpmc::scenes::play(scene, name, arm),
        _ => spsc::scenes::play(scene, name, arm),
    }
    torture::disarm();
}

fn die(at: &'static Location<'static>) -> ! {
    say(&format!("at {}:{}", at.file(), at.line()));
    // SAFETY: signals this process.
    unsafe { libc::raise(libc::SIGKILL) };
    unreachable!("killed")
}

/// Sweeps the scenes whose names contain one of `filters`, or all. Returns whether all was right.
pub fn run(filters: &[String]) -> io::Result<bool> {
    let folder = Folder::new()?;
    let (mut points, mut wrong, start) = (0, 0, Instant::now());
    for flavour in ["mpmc", "spsc"] {
        for scene in SCENES.iter().filter(|scene| flavour == "mpmc" || !scene.mpmc_only) {
            let title = format!("{flavour} {}", scene.name);
            if filters.is_empty() || filters.iter().any(|filter| title.contains(filter.as_str())) {
                let (swept, failed) = sweep(flavour, scene, &title)?;
                points += swept;
                wrong += failed;
            }
        }
    }
    for path in folder.names_left()? {
        println!("VIOLATION left behind: {}", path.display());
        wrong += 1;
    }
    println!("\n{points} points swept in {:.0} s, {wrong} with something wrong", start.elapsed().as_secs_f32());
    Ok(wrong == 0 && points > 0)
}

fn sweep(flavour: &str, scene: &Scene, title: &str) -> io::Result<(u64, u64)> {
    let mut outcomes: BTreeMap<&str, u64> = BTreeMap::new();
    let (mut places, mut wrong) = (BTreeSet::new(), 0);
    let sum = |point: u64, places: &BTreeSet<String>, outcomes: &BTreeMap<&str, u64>| {
        let outcomes: Vec<_> = outcomes.iter().map(|(what, count)| format!("{count} {what}")).collect();
        println!("{title:27} {point:4} points at {:3} places: {}", places.len(), outcomes.join(", "));
    };
    let (mut point, mut step, mut dull, mut looked_at) = (0, 1, 0, 0);
    while point < scene.most {
        let name = format!("sweep-{}-{point}", std::process::id());
        let (seen, outcome) = Told { flavour, scene, name: &name, point }.play()?;
        let _ = ringmail::unlink(&name);
        match outcome {
            Ok(what) => *outcomes.entry(what).or_default() += u64::from(seen.at().is_some()),
            Err(what) => {
                println!("VIOLATION {title}, point {point} at {}: {what}", seen.at().unwrap_or("the end"));
                wrong += 1;
            }
        }
        looked_at += 1;
        // All bodies are looked at in turn, hundreds of times the same: some of these will do. (What lies
        // between two of them and is seen only there is left out.)
        let is_new = seen.at().is_none_or(|at| !places.contains(at));
        if is_new && step > 1 {
            (point, step, dull) = (point + 1 - step, 1, 0);
            continue;
        }
        dull = if is_new { 0 } else { dull + 1 };
        let Some(at) = seen.at() else {
            sum(looked_at - 1, &places, &outcomes);
            return Ok((looked_at - 1, wrong));
        };
        places.insert(at.to_owned());
        if wrong == ENOUGH {
            println!("{title:27} given up");
            return Ok((looked_at, wrong));
        }
        step = if dull > DULL { scene.step() } else { 1 };
        point += step;
    }
    sum(scene.most, &places, &outcomes);
    if scene.may_be_cut_off() {
        println!("{title:27} cut off: others have rings on this machine");
    } else {
        println!("VIOLATION {title}: it does not end");
        wrong += 1;
    }
    Ok((scene.most, wrong))
}
