//! What a run leaves: every sample as a line of a table, and the histograms beside it.

use crate::cases::{Case, Contestant, Outcome};
use crate::regime::Regime;
use crate::times;
use hdrhistogram::Histogram;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;

const COLUMNS: &str = "case,round,contestant,kind,mode,regime,probe_before_ns,probe_after_ns,value,unit,better,p99,p999,\
                       delayed,verdict";

/// The file of samples, if one is wanted.
pub struct Record {
    file: Option<(File, PathBuf)>,
    /// The times of the kept samples of a case, by file name.
    times: BTreeMap<String, Histogram<u64>>,
}

/// One sample as it was taken.
pub struct Taken<'a> {
    pub case: &'a Case,
    pub round: usize,
    pub contestant: &'a Contestant,
    pub probes: (f64, f64),
    pub outcome: Option<&'a Outcome>,
    pub verdict: &'a str,
    pub kept: bool,
}

impl Record {
    /// Begins the file with what the figures are taken with.
    pub fn new(path: Option<PathBuf>, machine: &str) -> io::Result<Self> {
        let file = path.map(|path| {
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder)?;
            }
            let mut file = File::create(&path)?;
            machine.lines().try_for_each(|line| writeln!(file, "# {line}"))?;
            writeln!(file, "{COLUMNS}")?;
            Ok::<_, io::Error>((file, path))
        });
        Ok(Self { file: file.transpose()?, times: BTreeMap::new() })
    }

    /// Adds a sample.
    pub fn add(&mut self, taken: &Taken<'_>) -> io::Result<()> {
        let Some((file, _)) = &mut self.file else { return Ok(()) };
        let Taken { case, round, contestant, probes: (before, after), outcome, verdict, kept } = taken;
        let regime = Regime::of(*before);
        let figure = |figure: Option<f64>| figure.map_or_else(String::new, |figure| format!("{figure:.4}"));
        writeln!(
            file,
            "{},{round},\"{}\",{:?},{},{regime},{before:.1},{after:.1},{},{},{},{},{},{},{verdict}",
            case.name,
            contestant.name,
            contestant.kind(),
            contestant.mode.letter(),
            figure(outcome.map(|outcome| outcome.value)),
            case.direction.unit(),
            case.direction.better_word(),
            figure(outcome.and_then(|outcome| outcome.p99)),
            figure(outcome.and_then(|outcome| outcome.p999)),
            figure(outcome.map(|outcome| outcome.log.delayed)),
        )?;
        if let (true, Some(times)) = (kept, outcome.and_then(|outcome| outcome.times.as_ref())) {
            let name = format!("{}.{}.{}.{regime}", case.name, plain(contestant.name), contestant.mode.letter());
            let sum = self.times.entry(name).or_insert_with(times::histogram);
            sum.add(times).expect("of the same bounds");
        }
        Ok(())
    }

    /// Writes the histograms of a case that is done.
    pub fn end_case(&mut self) -> io::Result<()> {
        let Some((_, path)) = &self.file else { return Ok(()) };
        for (name, times) in std::mem::take(&mut self.times) {
            let mut table = Vec::new();
            times::write(&times, &mut table)?;
            std::fs::write(path.with_file_name(format!("{name}.hgrm")), table)?;
        }
        Ok(())
    }
}

/// A name as a part of a file's.
fn plain(name: &str) -> String {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn names_become_names_of_files() {
        assert_eq!(plain("ringmail spsc, two processes"), "ringmail-spsc-two-processes");
        assert_eq!(plain("bare cache line"), "bare-cache-line");
    }
}
