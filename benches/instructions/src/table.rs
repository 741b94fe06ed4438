//! The table of what was counted, and the verdict on it.

use crate::cases::{self, CAPACITY, COMPILER, Case, Pass};
use crate::step::{self, Count};
use std::{fs, io};

/// Messages that are counted, twice as many being a lap (what is done once in 64 positions comes out even); and before them some that are not.
pub const COUNT: usize = CAPACITY / 2;
const WARM: usize = 4 * CAPACITY;

/// How far a count may be over its bound: by the bounds' own compiler, and by another, which may well lay out the same code
/// in another way.
const TOLERANCE: f64 = 0.03;
const TOLERANCE_ELSEWHERE: f64 = 0.25;

/// The compiler of this program.
const OURS: &str = env!("COMPILER");

/// What a message takes, given how many messages are moved more by the second of two passes than by the first: what is done once
/// a pass is in both.
fn count(case: &Case) -> io::Result<[f64; 3]> {
    let of = |messages| step::count(|| warm(case), |pass| pass(messages));
    let (less, more) = (of(COUNT)?, of(2 * COUNT)?);
    let of_each = |part: fn(Count) -> u64| (part(more) as f64 - part(less) as f64) / COUNT as f64;
    Ok([of_each(|count| count.own), of_each(|count| count.elsewhere), of_each(|count| count.locked)])
}

/// A case whose ring has gone round some times.
pub fn warm(case: &Case) -> Pass {
    let mut pass = (case.make)();
    pass(WARM);
    pass
}

/// Moves so many messages and counts nothing, for another tool that does.
pub fn run(name: &str, messages: &str) -> io::Result<()> {
    let messages = messages.parse().map_err(io::Error::other)?;
    warm(cases::named(name)?)(messages);
    Ok(())
}

/// Counts and prints all cases; says whether each keeps its bound.
pub fn print() -> io::Result<bool> {
    let is_theirs = OURS == COMPILER;
    let tolerance = if is_theirs { TOLERANCE } else { TOLERANCE_ELSEWHERE };
    println!("instructions for a message, sent and received, by rustc {OURS}");
    println!("{:35} {:>8} {:>8} {:>8} {:>8}", "", "counted", "bound", "in libc", "locked");
    let mut is_kept = true;
    for case in cases::all() {
        let [own, elsewhere, locked] = count(case)?;
        let is_locked_more = case.most_locked().is_some_and(|most| locked > most);
        let (bound, verdict) = match case.bound {
            None => (String::new(), ""),
            Some(bound) if own > bound * (1.0 + tolerance) || is_locked_more => {
                is_kept = false;
                (format!("{bound:.1}"), "OVER")
            }
            Some(bound) if is_theirs && own < bound * (1.0 - tolerance) => (format!("{bound:.1}"), "lower the bound"),
            Some(bound) => (format!("{bound:.1}"), ""),
        };
        println!(
            "{}",
            format!("{:35} {own:8.1} {bound:>8} {elsewhere:8.1} {locked:8.1}  {verdict}", case.name).trim_end()
        );
    }
    match is_theirs {
        true => {
            println!("the bounds are of this very compiler: more than {:.0} % over is a failure", TOLERANCE * 100.0)
        }
        false => println!(
            "the bounds are of rustc {COMPILER}, this is {OURS}: a failure is what is more than {:.0} % over",
            TOLERANCE_ELSEWHERE * 100.0
        ),
    }
    Ok(is_kept)
}

/// What the table of a page stands between.
const BEGIN: &str = "<!-- counts: written by cargo xtask bench instructions -->";
const END: &str = "<!-- end of counts -->";

/// Counts all cases and writes them into a page, where the marks are.
pub fn write_into(page: &str) -> io::Result<()> {
    let text = fs::read_to_string(page)?;
    let parts = text.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let (before, after) = parts.ok_or_else(|| io::Error::other("the page has no marks for the table"))?;
    let table = rows_for_page()?;
    print!("{table}");
    fs::write(page, format!("{before}{BEGIN}\n{table}{END}{after}"))
}

/// Counts all cases: the rows of a table.
fn rows_for_page() -> io::Result<String> {
    const WAYS: [&str; 3] = ["apart", "together", "in runs"];
    let mut rows: Vec<(String, [String; 3])> = Vec::new();
    for case in cases::all() {
        let name = cases::squeezed(case.name);
        let Some((queue, way)) = name.rsplit_once(", ") else { continue };
        let Some(way) = WAYS.iter().position(|&one| one == way) else { continue };
        let row = rows.iter().position(|(name, _)| name == queue).unwrap_or_else(|| {
            rows.push((queue.to_owned(), Default::default()));
            rows.len() - 1
        });
        let [own, elsewhere, _] = count(case)?;
        rows[row].1[way] = format!("{:.1}", own + elsewhere);
    }
    let [apart, together, runs] = WAYS;
    let mut table = format!("| rustc {OURS} | {apart} | {together} | {runs} |\n|---|---:|---:|---:|\n");
    for (queue, [apart, together, runs]) in rows {
        table += &format!("| {queue} | {apart} | {together} | {runs} |\n");
    }
    Ok(table)
}
