//! What a run leaves: every sample as a line of a table, and the histograms beside it.
//!
//! The file begins with what the run was taken with, and has a line of that before the samples of each case, since a run of some cases may join a
//! file that has others: those stay as they are, with the line that tells when and with what they were taken. It is written anew after each case.

use crate::cases::{Case, Contestant, Outcome};
use crate::regime::Regime;
use crate::times;
use hdrhistogram::Histogram;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

const COLUMNS: &str = "case,round,contestant,kind,mode,regime,probe_before_ns,probe_after_ns,value,unit,better,p99,p999,\
                       delayed,verdict";

/// The file of samples, if one is wanted.
pub struct Record {
    file: Option<Joined>,
    path: PathBuf,
    /// What the samples of each case are taken with.
    taken_with: String,
    /// The samples of the case that is under way.
    lines: String,
    /// The times of the kept samples of a case, by file name.
    times: BTreeMap<String, Histogram<u64>>,
}

/// A file of samples, case by case.
#[derive(Debug, PartialEq, Eq)]
struct Joined {
    header: String,
    /// The lines of each case, after one that says what they were taken with.
    cases: Vec<(String, String)>,
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
    /// Begins with what the figures are taken with: `header` for the run, `taken_with` for each case. With `merge`, the cases that
    /// the file has already stay until they are measured again.
    pub fn new(path: Option<PathBuf>, merge: bool, header: &str, taken_with: String) -> io::Result<Self> {
        let mut file = None;
        if let Some(path) = &path {
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)?;
            }
            let cases = match fs::read_to_string(path) {
                Ok(text) if merge => Joined::parse(&text)?.cases,
                Err(error) if merge && error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => Vec::new(),
            };
            let header = header.lines().fold(String::new(), |text, line| text + "# " + line + "\n");
            file = Some(Joined { header, cases });
        }
        let (path, lines, times) = (path.unwrap_or_default(), String::new(), BTreeMap::new());
        let record = Self { file, path, taken_with, lines, times };
        record.write()?;
        Ok(record)
    }

    pub fn begin_case(&mut self, case: &Case) {
        self.lines = format!("{CASE}{}: {}\n", case.name, self.taken_with);
    }

    /// Adds a sample.
    pub fn add(&mut self, taken: &Taken<'_>) {
        let Taken { case, round, contestant, probes: (before, after), outcome, verdict, kept } = taken;
        let regime = Regime::of(*before);
        let figure = |figure: Option<f64>| figure.map_or_else(String::new, |figure| format!("{figure:.4}"));
        writeln!(
            self.lines,
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
        )
        .expect("a string takes it");
        if let (true, Some(times)) = (kept, outcome.and_then(|outcome| outcome.times.as_ref())) {
            let name = format!("{}.{}.{}.{regime}", case.name, plain(contestant.name), contestant.mode.letter());
            let sum = self.times.entry(name).or_insert_with(times::histogram);
            sum.add(times).expect("of the same bounds");
        }
    }

    /// Writes the samples of a case that is done, and its histograms in the place of those that it had.
    pub fn end_case(&mut self, case: &Case) -> io::Result<()> {
        let (lines, times) = (std::mem::take(&mut self.lines), std::mem::take(&mut self.times));
        let Some(file) = &mut self.file else { return Ok(()) };
        file.put(case.name, lines);
        self.write()?;
        let folder = self.path.parent().unwrap_or(Path::new("."));
        for entry in fs::read_dir(if folder.as_os_str().is_empty() { Path::new(".") } else { folder })? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if name.ends_with(".hgrm") && name.split_once('.').is_some_and(|(of, _)| of == case.name) {
                fs::remove_file(path)?;
            }
        }
        for (name, times) in times {
            let mut table = Vec::new();
            times::write(&times, &mut table)?;
            fs::write(self.path.with_file_name(format!("{name}.hgrm")), table)?;
        }
        Ok(())
    }

    /// Whole or not at all: what it had is not lost with a run that is broken off.
    fn write(&self) -> io::Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        let new = self.path.with_extension("new");
        fs::write(&new, file.text())?;
        fs::rename(&new, &self.path)
    }
}

/// How the line begins that says what a case was taken with.
const CASE: &str = "# case ";

impl Joined {
    fn parse(text: &str) -> io::Result<Self> {
        let mut joined = Self { header: String::new(), cases: Vec::new() };
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix(CASE) {
                let name = rest.split_once(':').map_or(rest, |(name, _)| name);
                joined.lines_of(name).push_str(&format!("{line}\n"));
            } else if line.starts_with('#') {
                joined.header += &format!("{line}\n");
            } else if line != COLUMNS && !line.is_empty() {
                let name = line.split(',').next().unwrap_or_default();
                if line.starts_with("case,") || name.contains('"') {
                    return Err(io::Error::other("its samples have other columns: it cannot be joined"));
                }
                joined.lines_of(name).push_str(&format!("{line}\n"));
            }
        }
        // Older files say it once for all.
        let before = joined.header.lines().next().unwrap_or("#").trim_start_matches(['#', ' ']).to_owned();
        for (name, lines) in &mut joined.cases {
            if !lines.starts_with(CASE) {
                lines.insert_str(0, &format!("{CASE}{name}: {before}\n"));
            }
        }
        Ok(joined)
    }

    fn lines_of(&mut self, name: &str) -> &mut String {
        let place = self.cases.iter().position(|(other, _)| other == name).unwrap_or_else(|| {
            self.cases.push((name.to_owned(), String::new()));
            self.cases.len() - 1
        });
        &mut self.cases[place].1
    }

    /// Puts the lines of a case in the place of those that it had.
    fn put(&mut self, name: &str, lines: String) {
        *self.lines_of(name) = lines;
    }

    fn text(&self) -> String {
        let cases: String = self.cases.iter().map(|(_, lines)| lines.as_str()).collect();
        format!("{}{COLUMNS}\n{cases}", self.header)
    }
}

/// A name as a part of a file's.
fn plain(name: &str) -> String {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_names_of_files() {
        assert_eq!(plain("ringmail spsc, two processes"), "ringmail-spsc-two-processes");
        assert_eq!(plain("bare cache line"), "bare-cache-line");
    }

    const SAMPLE: &str = "\"ringmail\",Ours,P,near,110.0,110.0,1.0000,ns,less,,,0.0000,Kept";

    #[test]
    fn cases_that_are_measured_again_replace_what_was_there() {
        let text = format!(
            "# machine: one\n{COLUMNS}\n# case a: date=1\na,0,{SAMPLE}\na,1,{SAMPLE}\n# case b: date=1\nb,0,{SAMPLE}\n"
        );
        let mut joined = Joined::parse(&text).expect("it is well formed");
        assert_eq!(joined.text(), text);
        joined.put("a", format!("# case a: date=2\na,0,{SAMPLE}\n"));
        joined.put("c", format!("# case c: date=2\nc,0,{SAMPLE}\n"));
        joined.header = "# machine: two\n".to_owned();
        let after = format!(
            "# machine: two\n{COLUMNS}\n# case a: date=2\na,0,{SAMPLE}\n# case b: date=1\nb,0,{SAMPLE}\n# case c: date=2\nc,0,{SAMPLE}\n"
        );
        assert_eq!(joined.text(), after);
        assert_eq!(Joined::parse(&after).expect("it is well formed"), joined);
    }

    #[test]
    fn an_older_file_says_it_once_for_all() {
        let text = format!("# machine: one\n# workers\n{COLUMNS}\na,0,{SAMPLE}\n");
        let joined = Joined::parse(&text).expect("it is well formed");
        assert_eq!(joined.cases, [("a".to_owned(), format!("# case a: machine: one\na,0,{SAMPLE}\n"))]);
        assert!(Joined::parse("case,round,contestant\na,0,x\n").is_err(), "other columns");
    }

    #[test]
    fn a_file_that_is_not_to_be_joined_is_begun_anew() {
        let folder = std::env::temp_dir().join(format!("compare-record-{}", std::process::id()));
        let path = folder.join("samples.csv");
        let begin = |merge| {
            let record = Record::new(Some(path.clone()), merge, "machine: two", "date=2".to_owned());
            drop(record.expect("it can be written"));
            fs::read_to_string(&path).expect("it is there")
        };
        assert_eq!(begin(true), format!("# machine: two\n{COLUMNS}\n"));
        let case = format!("# case a: date=1\na,0,{SAMPLE}\n");
        fs::write(&path, format!("# machine: one\n{COLUMNS}\n{case}")).expect("a file");
        assert_eq!(begin(true), format!("# machine: two\n{COLUMNS}\n{case}"));
        assert_eq!(begin(false), format!("# machine: two\n{COLUMNS}\n"));
        fs::remove_dir_all(folder).expect("the folder");
    }
}
