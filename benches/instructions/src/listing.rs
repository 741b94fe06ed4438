//! What a case executes, instruction by instruction: the disassembly of all that a message passes through, with how often it does.

use crate::cases::{self, Case};
use crate::step;
use crate::table::{COUNT, warm};
use std::collections::BTreeMap;
use std::io;
use std::process::Command;

/// Prints the listing of the case of that name, by `objdump`, and how many instructions come from each line of source.
pub fn print(name: &str) -> io::Result<()> {
    let case = cases::named(name)?;
    let (mut executed, less) = (places(case, 2 * COUNT)?, places(case, COUNT)?);
    for (place, count) in less {
        *executed.entry(place).or_default() -= count;
    }
    let mut objdump = Command::new("objdump");
    objdump.args(["--disassemble", "--line-numbers", "--no-show-raw-insn", "--demangle"]).arg(std::env::current_exe()?);
    let disassembly = objdump.output()?.stdout;
    let (mut source, mut sums, mut last) = (String::new(), BTreeMap::<String, f64>::new(), 0);
    for line in String::from_utf8_lossy(&disassembly).lines() {
        let Some((place, instruction)) = line.trim_start().split_once(":\t") else {
            if let Some(place) = place_in_source(line) {
                source = place;
            }
            continue;
        };
        let Ok(place) = usize::from_str_radix(place, 16) else { continue };
        let count = executed.get(&place).map_or(0.0, |&count| count as f64 / COUNT as f64);
        if count > 0.0 {
            if place > last + 16 {
                println!();
            }
            last = place;
            println!("{count:5.2}  {:5x}  {instruction:58}  {source}", place & 0xf_ffff);
            *sums.entry(source.clone()).or_default() += count;
        }
    }
    println!("\nby lines of source:");
    sums.iter().for_each(|(source, sum)| println!("{sum:6.2}  {source}"));
    Ok(())
}

/// How often a pass executes the instruction at each place of this program.
fn places(case: &Case, messages: usize) -> io::Result<BTreeMap<usize, i64>> {
    let mut executed = BTreeMap::new();
    let each = |place: Option<usize>| {
        if let Some(place) = place {
            *executed.entry(place).or_default() += 1;
        }
    };
    step::trace(|| warm(case), |pass| pass(messages), each)?;
    Ok(executed)
}

/// A place in source that `objdump` names, from the last folder of sources on.
fn place_in_source(line: &str) -> Option<String> {
    let (file, number) = line.split_once(" (").map_or(line, |(place, _)| place).rsplit_once(':')?;
    number.parse::<u32>().ok()?;
    let from = file.rfind("/src/").map_or(0, |at| at + "/src/".len());
    Some(format!("{}:{number}", &file[from..]))
}
