//! When and from what cases were taken: lines above the samples, one a case.
//!
//! ```text
//! # case rtt-spin: date=2026-11-29T21:00:00Z, commit=6063698, rounds=11, quick=no, rustc=1.95.0
//! ```

use crate::samples::Samples;
use std::collections::BTreeMap;

/// What a line says of its case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    pub date: String,
    pub commit: String,
    pub rustc: String,
    /// Taken to see that everything runs, and worth nothing as a figure.
    pub quick: bool,
}

/// The case of such a line, without its `# `, and what it says.
pub fn parse(line: &str) -> Option<(&str, Origin)> {
    let (case, said) = line.strip_prefix("case ")?.split_once(": ")?;
    let mut origin = Origin::default();
    for (name, value) in said.split(", ").filter_map(|part| part.split_once('=')) {
        let place = match name {
            "date" => {
                // The day is enough: one run takes hours.
                origin.date = value.trim().split(['T', ' ']).next().unwrap_or_default().to_owned();
                continue;
            }
            "commit" => &mut origin.commit,
            "rustc" => &mut origin.rustc,
            "quick" => {
                origin.quick = value.trim() == "yes";
                continue;
            }
            _ => continue,
        };
        *place = value.trim().to_owned();
    }
    Some((case, origin))
}

impl Origin {
    /// As a sentence has it: what was not noted is left out.
    pub fn told(&self) -> String {
        let parts = [("on", &self.date), ("from commit", &self.commit), ("by rustc", &self.rustc)];
        let known = parts.into_iter().filter(|(_, value)| !value.is_empty());
        let known = known.map(|(word, value)| format!("{word} {value}"));
        known
            .chain(self.quick.then(|| "by a quick run, which measures nothing".to_owned()))
            .collect::<Vec<_>>()
            .join(" ")
    }
}

/// Where the figures of these cases come from, in a sentence.
pub fn told(samples: &Samples, cases: &[&str]) -> String {
    let mut groups = BTreeMap::<String, Vec<&str>>::new();
    for &case in cases {
        groups.entry(samples.origins.get(case).map_or_else(String::new, Origin::told)).or_default().push(case);
    }
    let unknown = groups.remove("");
    let mut parts: Vec<String> = match groups.len() {
        0 => Vec::new(),
        1 => groups.into_keys().map(|origin| format!("taken {origin}")).collect(),
        // The largest group needs no list: it is the rest.
        _ => {
            let rest = groups.iter().max_by_key(|(_, cases)| cases.len()).map(|(origin, _)| origin.clone());
            let list = |cases: &[&str]| cases.iter().map(|case| format!("`{case}`")).collect::<Vec<_>>().join(", ");
            let others = groups.iter().filter(|(origin, _)| Some(*origin) != rest.as_ref());
            let mut parts: Vec<_> = others.map(|(origin, cases)| format!("{} taken {origin}", list(cases))).collect();
            parts.extend(rest.map(|origin| format!("all others taken {origin}")));
            parts
        }
    };
    match unknown {
        Some(all) if all.len() == cases.len() => parts.push("when each was taken was not noted".to_owned()),
        Some(some) => parts.push(format!("when the other {} were taken was not noted", some.len())),
        None => {}
    }
    parts.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_a_case_is_read_and_others_are_not() {
        let line = "case rtt-spin: date=2026-11-29T21:00, commit=abc, rounds=3, rustc=1.95.0 (59807616e 2026-04-14)";
        let (case, origin) = parse(line).expect("it is one");
        assert_eq!(case, "rtt-spin");
        assert_eq!(origin.told(), "on 2026-11-29 from commit abc by rustc 1.95.0 (59807616e 2026-04-14)");
        assert_eq!(
            parse("case a: date=1, quick=yes").expect("it is one").1.told(),
            "on 1 by a quick run, which measures nothing"
        );
        assert_eq!(parse("machine: a CPU"), None);
        assert_eq!(parse("case x: something else").expect("it names a case").1.told(), "");
    }

    #[test]
    fn figures_of_several_runs_are_told_apart() {
        let line = |case, date| format!("# case {case}: date={date}\n");
        let text = [line("a", 1), line("b", 1), line("c", 2), "case,verdict\n".to_owned()].concat();
        let samples = Samples::parse(&text).expect("it is well formed");
        assert_eq!(told(&samples, &["a", "b"]), "taken on 1");
        assert_eq!(told(&samples, &["a", "b", "c"]), "`c` taken on 2; all others taken on 1");
        assert_eq!(told(&samples, &["a", "d"]), "taken on 1; when the other 1 were taken was not noted");
        assert_eq!(told(&samples, &["d"]), "when each was taken was not noted");
    }
}
