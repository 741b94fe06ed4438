//! Samples, and what may be said about them: medians and spreads, of ratios of neighbours.
//!
//! A ratio is taken within a round, between two samples of the same regime that lie next to each other in time. The median of
//! these ratios is the result, their least and greatest its spread; the ratio of two medians would compare what was
//! measured at different times.

use crate::cases::{Case, Direction, Outcome};
use crate::regime::Regime;

/// One sample that was kept.
#[derive(Clone, Debug)]
pub struct Sample {
    pub round: usize,
    /// Its place among the case's contestants.
    pub contestant: usize,
    pub regime: Regime,
    pub outcome: Outcome,
}

/// A median and its spread.
#[derive(Clone, Copy, Debug)]
pub struct Summary {
    pub median: f64,
    pub least: f64,
    pub greatest: f64,
    pub count: usize,
}

impl Summary {
    pub fn of(mut figures: Vec<f64>) -> Option<Self> {
        figures.sort_by(f64::total_cmp);
        let (&least, &greatest) = (figures.first()?, figures.last()?);
        let count = figures.len();
        let median = (figures[(count - 1) / 2] + figures[count / 2]) / 2.0;
        Some(Self { median, least, greatest, count })
    }
}

/// The samples of a case.
pub struct Samples {
    /// Those that were kept.
    pub kept: Vec<Sample>,
    /// Whether all of Ringmail's own came to their end.
    pub sound: bool,
}

impl Samples {
    /// The figures of one contestant, taken from its outcomes.
    pub fn summary(
        &self,
        regime: Regime,
        contestant: usize,
        figure: impl Fn(&Outcome) -> Option<f64>,
    ) -> Option<Summary> {
        let kept = self.kept.iter().filter(|sample| (sample.regime, sample.contestant) == (regime, contestant));
        Summary::of(kept.filter_map(|sample| figure(&sample.outcome)).collect())
    }

    fn value(&self, round: usize, regime: Regime, contestant: usize) -> Option<f64> {
        let matches =
            |sample: &&Sample| (sample.round, sample.regime, sample.contestant) == (round, regime, contestant);
        self.kept.iter().find(matches).map(|sample| sample.outcome.value)
    }

    /// The subject's figures, each as a ratio to the best of `others` in the same round; rounds that lack one are left out.
    pub fn ratios(&self, regime: Regime, others: &[usize], direction: Direction) -> Option<Summary> {
        let rounds = self.kept.iter().map(|sample| sample.round + 1).max().unwrap_or(0);
        let ratio = |round| {
            let values: Option<Vec<_>> = others.iter().map(|&other| self.value(round, regime, other)).collect();
            let best = values?.into_iter().reduce(|a, b| direction.better(a, b))?;
            Some(self.value(round, regime, 0)? / best)
        };
        Summary::of((0..rounds).filter_map(ratio).collect())
    }
}

/// The case's results, regime by regime, as lines of text.
pub fn report(case: &Case, samples: &Samples) -> String {
    let mut text = String::new();
    let subject = case.contestants[0].name;
    for regime in [Regime::Near, Regime::Far] {
        if !samples.kept.iter().any(|sample| sample.regime == regime) {
            continue;
        }
        text += &format!("  {regime} ({})\n", case.direction.unit());
        for (place, contestant) in case.contestants.iter().enumerate() {
            let name = format!("{} ({})", contestant.name, contestant.mode.letter());
            let Some(figures) = samples.summary(regime, place, |outcome| Some(outcome.value)) else {
                text += &format!("    {name:<34} no sample\n");
                continue;
            };
            text += &format!("    {name:<34} {:>9} {:<22}", number(figures.median), spread(figures));
            if let Some(tail) = samples.summary(regime, place, |outcome| outcome.p99) {
                text += &format!(" p99 {:>9} {:<22}", number(tail.median), spread(tail));
            }
            if place > 0
                && let Some(ratio) = samples.ratios(regime, &[place], case.direction)
            {
                text += &format!(" {subject} / this: {}", ratio_text(ratio));
            }
            text += &format!(" n={}\n", figures.count);
        }
        for goal in &case.goals {
            let place = |name: &&str| case.contestants.iter().position(|contestant| contestant.name == *name);
            let others: Vec<_> = goal.best_of.iter().filter_map(place).collect();
            assert_eq!(others.len(), goal.best_of.len(), "a goal names an unknown contestant");
            let best = goal.best_of.join(", ");
            let wish = match case.direction {
                Direction::MoreIsBetter(_) => "at least",
                Direction::LessIsBetter(_) => "at most",
            };
            let verdict = samples.ratios(regime, &others, case.direction).map_or_else(
                || "no round has all of them".to_owned(),
                |ratio| {
                    let verdict = if case.direction.meets(ratio.median, goal.bound) { "reached" } else { "MISSED" };
                    format!("{} {verdict}", ratio_text(ratio))
                },
            );
            text += &format!("    goal: {wish} {}x the best of {best}: {verdict}\n", goal.bound);
        }
    }
    if samples.kept.is_empty() {
        text += "  no sample could be kept: the machine was too busy\n";
    }
    text
}

fn ratio_text(ratio: Summary) -> String {
    format!("{:.2}x ({:.2}-{:.2}, {} rounds)", ratio.median, ratio.least, ratio.greatest, ratio.count)
}

fn spread(figures: Summary) -> String {
    format!("({}-{})", number(figures.least), number(figures.greatest))
}

/// Three digits that count.
fn number(figure: f64) -> String {
    match figure {
        100.0.. => format!("{figure:.0}"),
        10.0.. => format!("{figure:.1}"),
        1.0.. => format!("{figure:.2}"),
        _ => format!("{figure:.3}"),
    }
}
