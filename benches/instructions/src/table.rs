//! The table of what was counted, and the verdict on it.

use crate::cases::{CAPACITY, CASES, COMPILER, Case};
use crate::step::{self, Count};
use std::io;

/// Messages that are counted, and before them some that are not: whole laps.
const COUNT: usize = CAPACITY;
const WARM: usize = 4 * CAPACITY;

/// How far a count may be over its bound: by the bounds' own compiler, and by another, which may well lay out the same code
/// in another way.
const TOLERANCE: f64 = 0.03;
const TOLERANCE_ELSEWHERE: f64 = 0.25;

/// Counts and prints all cases; says whether each keeps its bound.
pub fn print() -> io::Result<bool> {
    let is_theirs = env!("COMPILER") == COMPILER;
    let tolerance = if is_theirs { TOLERANCE } else { TOLERANCE_ELSEWHERE };
    println!("instructions for a message, sent and received, by rustc {}", env!("COMPILER"));
    println!("{:28} {:>8} {:>8} {:>8} {:>8}", "", "counted", "bound", "in libc", "locked");
    let mut is_kept = true;
    for Case { name, bound, locked: most, make } in CASES {
        let prepare = || {
            let mut pass = make();
            pass(WARM);
            pass
        };
        let Count { own, elsewhere, locked } = step::count(prepare, |pass| pass(COUNT))?;
        let [own, elsewhere, locked] = [own, elsewhere, locked].map(|count| count as f64 / COUNT as f64);
        let (bound, verdict) = match bound {
            None => (String::new(), ""),
            Some(bound) if own > bound * (1.0 + tolerance) || locked > *most => {
                is_kept = false;
                (format!("{bound:.1}"), "OVER")
            }
            Some(bound) if is_theirs && own < bound * (1.0 - tolerance) => (format!("{bound:.1}"), "lower the bound"),
            Some(bound) => (format!("{bound:.1}"), ""),
        };
        println!("{}", format!("{name:28} {own:8.1} {bound:>8} {elsewhere:8.1} {locked:8.1}  {verdict}").trim_end());
    }
    if !is_theirs {
        println!("the bounds are of rustc {COMPILER}: by another a count may be 25 % over");
    }
    Ok(is_kept)
}
