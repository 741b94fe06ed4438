//! What is left of a queue when one of its processes is killed: how often the others stood still, and what a message costs from then on.
//!
//! Taken from the cases `survive-*` and `kill-*`; a table of the README and a picture are made of it.

use crate::marks::Marks;
use crate::origin;
use crate::samples::{Kind, Name, Regime, Samples};
use crate::table::number;
use std::fmt::Write;

/// Where the table stands.
pub const MARKS: Marks = Marks { begin: "<!-- kills: written by cargo xtask plot -->", end: "<!-- end of kills -->" };

/// What became of a contestant in one kind of trial.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Trial {
    /// So many of a hundred stood still.
    Still(f64),
    /// It failed, or never began: which of these, in words.
    Stuck(&'static str),
    /// It took no part.
    None,
}

/// What became of a contestant.
#[derive(Clone, Debug, PartialEq)]
pub struct Row<'a> {
    pub name: &'a str,
    pub sender: Trial,
    pub receiver: Trial,
    /// Nanoseconds that a message costs before a sleeping receiver is killed, and after it.
    pub sleeper: Option<[f64; 2]>,
}

impl Row<'_> {
    pub fn is_ours(&self) -> bool {
        self.name.starts_with("ringmail")
    }

    /// The worst of it: what rows are sorted by.
    fn worst(&self) -> f64 {
        let rate = |trial| match trial {
            Trial::Still(rate) => rate,
            Trial::Stuck(_) => 100.0,
            Trial::None => 0.0,
        };
        rate(self.sender).max(rate(self.receiver))
    }
}

const CASES: [&str; 2] = ["survive-sender", "survive-receiver"];

/// Who was measured with a receiver that was killed while it slept: the contestant, the case, and its figures before and after.
const SLEEPERS: [(&str, &str, [&str; 2]); 4] = [
    ("ringmail mpmc, 2 to 2", "kill-mpmc", ["ringmail, before", "ringmail, after"]),
    ("ringmail spsc, 1 to 1", "kill-spsc", ["ringmail, before", "ringmail, after"]),
    ("shaq, 2 to 2", "kill-shaq", ["shaq, before", "shaq, after"]),
    ("ringfire, 1 to 1", "kill-ringfire", ["ringfire, before", "ringfire, after"]),
];

/// What became of everybody: ours first, then who went on best.
pub fn rows<'a>(samples: &'a Samples) -> Vec<Row<'a>> {
    let mut names: Vec<Name<'_>> = Vec::new();
    for case in CASES {
        let kept = Regime::ALL.into_iter().flat_map(|regime| samples.contestants(case, regime));
        let peers = kept.filter(|(_, kind)| *kind != Kind::Limit).map(|(name, _)| name);
        for name in peers.chain(samples.stuck(case).into_keys()) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    let row = |name: Name<'a>| {
        let [sender, receiver] = CASES.map(|case| trial(samples, case, name));
        Row { name: name.0, sender, receiver, sleeper: sleeper(samples, name.0) }
    };
    let mut rows: Vec<_> = names.into_iter().map(row).collect();
    rows.sort_by(|a, b| {
        b.is_ours().cmp(&a.is_ours()).then(a.worst().total_cmp(&b.worst())).then_with(|| a.name.cmp(b.name))
    });
    rows
}

/// Over all regimes: a death does not depend on how fast lines move.
fn trial(samples: &Samples, case: &str, name: Name<'_>) -> Trial {
    let figures: Vec<_> = Regime::ALL.into_iter().flat_map(|regime| samples.figures(case, regime, name)).collect();
    match figures.len() {
        0 => samples.stuck(case).get(&name).map_or(Trial::None, |word| Trial::Stuck(word)),
        count => Trial::Still(figures.iter().sum::<f64>() / count as f64),
    }
}

/// In the regime that tells of the case, or any that has both figures.
fn sleeper(samples: &Samples, name: &str) -> Option<[f64; 2]> {
    let (_, case, [before, after]) = SLEEPERS.iter().find(|(contestant, ..)| *contestant == name)?;
    let figures = |regime| {
        let figure = |contestant: &str| samples.median(case, regime, (contestant, false));
        Some([figure(before)?, figure(after)?])
    };
    let usual = samples.regime_of(case);
    std::iter::once(usual).chain(Regime::ALL).find_map(figures)
}

/// The table, or nothing where there are no samples of these cases.
pub fn table(samples: &Samples) -> Option<String> {
    let rows = rows(samples);
    if rows.is_empty() {
        return None;
    }
    let mut text = String::from(
        "| from so many senders to so many receivers | a sender is killed | a receiver is killed | a message before and after a *sleeping* receiver is killed |\n\
         |---|---|---|---|\n",
    );
    for row in &rows {
        let name = if row.is_ours() { format!("**{}**", row.name) } else { row.name.to_owned() };
        let sleeper = row.sleeper.map_or_else(
            || "not tried".to_owned(),
            |[before, after]| format!("{} → {} ns", number(before), number(after)),
        );
        writeln!(text, "| {name} | {} | {} | {sleeper} |", told(row.sender), told(row.receiver))
            .expect("a string takes it");
    }
    let cases: Vec<_> = CASES.into_iter().filter(|case| samples.cases().contains(case)).collect();
    let peers = samples.machine.iter().find(|line| line.contains("peers: ")).map_or("", String::as_str);
    writeln!(
        text,
        "\nOf a hundred trials so many were *still*: those who were left moved no 2,000 messages within a second, or failed over what they received. {}; {peers}.",
        capitalised(&origin::told(samples, &cases))
    )
    .expect("a string takes it");
    Some(text)
}

fn told(trial: Trial) -> String {
    match trial {
        Trial::Still(rate) if rate > 0.0 => format!("**{rate:.0} % still**"),
        Trial::Still(_) => "0 % still".to_owned(),
        Trial::Stuck(word) => word.to_owned(),
        Trial::None => "not tried".to_owned(),
    }
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::tests::{head, rows as of};

    #[test]
    fn everybody_has_a_row_and_a_word_in_each_field() {
        let text = [
            "# ringmail 0.1.0; peers: shaq 4.3.0\n",
            head(),
            "\n",
            &of(
                "survive-sender",
                "less",
                &[
                    ("shaq, 2 to 2", "P", "near", &[60.0]),
                    ("shaq, 2 to 2", "P", "far", &[70.0]),
                    ("pipe, 2 to 2", "P", "near", &[0.0]),
                    ("ringmail mpmc, 2 to 2", "P", "near", &[0.0]),
                ],
            ),
            &of("survive-receiver", "less", &[("shaq, 2 to 2", "P", "near", &[40.0])]),
            "survive-receiver,0,\"Unix socket, 2 to 2\",Peer,P,near,1,1,,%,less,,,,Stuck\n",
            &of(
                "kill-mpmc",
                "less",
                &[("ringmail, before", "P", "near", &[16.0]), ("ringmail, after", "P", "near", &[16.0])],
            ),
        ]
        .concat();
        let table = table(&Samples::parse(&text).expect("it is well formed")).expect("there are samples");
        let rows: Vec<_> = table.lines().skip(2).take(4).collect();
        assert_eq!(
            rows,
            [
                "| **ringmail mpmc, 2 to 2** | 0 % still | not tried | 16.0 → 16.0 ns |",
                "| pipe, 2 to 2 | 0 % still | not tried | not tried |",
                "| shaq, 2 to 2 | **65 % still** | **40 % still** | not tried |",
                "| Unix socket, 2 to 2 | not tried | did not end | not tried |",
            ]
        );
        assert!(table.contains("peers: shaq 4.3.0"));
    }

    #[test]
    fn without_samples_there_is_no_table() {
        assert_eq!(table(&Samples::parse(&format!("{}\n", head())).expect("it is well formed")), None);
    }
}
