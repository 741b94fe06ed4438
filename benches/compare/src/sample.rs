//! Samples, and what may be said about them: medians and spreads, of ratios of neighbours.
//!
//! A ratio is taken within a round, between two samples of the same regime that lie next to each other in time. The median of
//! these ratios is the result, their least and greatest its spread; the ratio of two medians would compare what was
//! measured at different times.

use crate::cases::{Case, Direction, Figure, Goal, Outcome};
use crate::regime::Regime;
use std::collections::BTreeMap;

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
    /// What a quarter of the figures lies below, and what a quarter lies above.
    pub quartiles: (f64, f64),
    pub count: usize,
}

impl Summary {
    pub fn of(mut figures: Vec<f64>) -> Option<Self> {
        figures.sort_by(f64::total_cmp);
        let (&least, &greatest) = (figures.first()?, figures.last()?);
        let count = figures.len();
        let median = (figures[(count - 1) / 2] + figures[count / 2]) / 2.0;
        let quartiles = (figures[(count - 1) / 4], figures[count - 1 - (count - 1) / 4]);
        Some(Self { median, least, greatest, quartiles, count })
    }
}

/// The samples of a case.
pub struct Samples {
    /// Those that were kept.
    pub kept: Vec<Sample>,
    /// What became of contestants, by their places, that failed or did not come to an end.
    pub stuck: BTreeMap<usize, &'static str>,
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

    fn figure(&self, round: usize, regime: Regime, contestant: usize, figure: Figure) -> Option<f64> {
        let matches =
            |sample: &&Sample| (sample.round, sample.regime, sample.contestant) == (round, regime, contestant);
        self.kept.iter().find(matches).and_then(|sample| figure.of(&sample.outcome))
    }

    /// Those of `peers` that come within a factor of two of the best of them: whose rounds decide who is first. The others would only
    /// cost rounds, since a round counts that has everybody.
    fn rivals(&self, regime: Regime, peers: &[usize], direction: Direction, figure: Figure) -> Vec<usize> {
        let median = |&peer: &usize| Some((peer, self.summary(regime, peer, |outcome| figure.of(outcome))?.median));
        let medians: Vec<_> = peers.iter().filter_map(median).collect();
        let Some(best) = medians.iter().map(|&(_, median)| median).reduce(|a, b| direction.better(a, b)) else {
            return Vec::new();
        };
        let is_close = |median: f64| median.max(best) <= 2.0 * median.min(best);
        medians.into_iter().filter(|&(_, median)| is_close(median)).map(|(peer, _)| peer).collect()
    }

    /// A subject's figures, each as a ratio to the best of `others` in the same round; rounds that lack one are left out.
    pub fn ratios(
        &self,
        regime: Regime,
        (subject, others): (usize, &[usize]),
        direction: Direction,
        figure: Figure,
    ) -> Option<Summary> {
        let rounds = self.kept.iter().map(|sample| sample.round + 1).max().unwrap_or(0);
        let ratio = |round| {
            let values: Option<Vec<_>> =
                others.iter().map(|&other| self.figure(round, regime, other, figure)).collect();
            let best = values?.into_iter().reduce(|a, b| direction.better(a, b))?;
            Some(self.figure(round, regime, subject, figure)? / best)
        };
        // Beside nothing there is no ratio.
        Summary::of((0..rounds).filter_map(ratio).filter(|ratio| ratio.is_finite()).collect())
    }
}

/// The case's results, regime by regime, as lines of text.
pub fn report(case: &Case, samples: &Samples) -> String {
    let mut text = String::new();
    let subject = case.contestants[0].name;
    for regime in [Regime::Sibling, Regime::Near, Regime::Far] {
        if !samples.kept.iter().any(|sample| sample.regime == regime) {
            continue;
        }
        text += &format!("  {regime} ({})\n", case.direction.unit());
        for (place, contestant) in case.contestants.iter().enumerate() {
            let name = format!("{} ({})", contestant.name, contestant.mode.letter());
            let Some(figures) = samples.summary(regime, place, |outcome| Some(outcome.value)) else {
                text += &format!("    {name:<34} {}\n", samples.stuck.get(&place).unwrap_or(&"no sample"));
                continue;
            };
            text += &format!("    {name:<34} {:>9} {:<22}", number(figures.median), spread(figures));
            if let Some(tail) = samples.summary(regime, place, |outcome| outcome.p99) {
                text += &format!(" p99 {:>9} {:<22}", number(tail.median), spread(tail));
            }
            if let Some(tail) = samples.summary(regime, place, |outcome| outcome.p999) {
                text += &format!(" p99.9 {:>9} {:<22}", number(tail.median), spread(tail));
            }
            if place > 0
                && let Some(ratio) = samples.ratios(regime, (0, &[place]), case.direction, Figure::Value)
            {
                text += &format!(" {subject} / this: {}", ratio_text(ratio));
            }
            let stuck = samples.stuck.get(&place).map_or_else(String::new, |word| format!(", or {word}"));
            text += &format!(" n={}{stuck}\n", figures.count);
        }
        for goal in &case.goals {
            text += &verdict(case, samples, regime, goal);
        }
    }
    if samples.kept.is_empty() {
        text += "  no sample could be kept: the machine was too busy\n";
    }
    text
}

/// Whether a goal is reached in a regime.
fn verdict(case: &Case, samples: &Samples, regime: Regime, goal: &Goal) -> String {
    let name = |&other: &usize| case.contestants[other].name;
    let place = |name: &&str| case.contestants.iter().position(|contestant| contestant.name == *name);
    let subject = goal.subject.map_or(0, |name| place(&name).expect("a goal names an unknown subject"));
    let others: Vec<_> = if goal.is_against_all() {
        let peers: Vec<_> = (0..case.contestants.len()).filter(|&other| goal.is_rival(case, subject, other)).collect();
        samples.rivals(regime, &peers, case.direction, goal.figure)
    } else {
        let others: Vec<_> = goal.best_of.iter().filter_map(place).collect();
        assert_eq!(others.len(), goal.best_of.len(), "a goal names an unknown contestant");
        others
    };
    let who = goal.subject.map_or_else(String::new, |subject| format!("{subject}, "));
    let figure = goal.figure.word();
    if others.is_empty() {
        return format!("    goal: {who}the first of all peers{figure}: there is none\n");
    }
    let best = others.iter().map(name).collect::<Vec<_>>().join(", ");
    let aim = match (goal.is_against_all(), case.direction) {
        (true, _) => format!("the first of all peers{figure}, here"),
        (false, Direction::MoreIsBetter(_)) => format!("at least {}x the best of", goal.bound),
        (false, Direction::LessIsBetter(_)) => format!("at most {}x the best of", goal.bound),
    };
    let verdict = samples.ratios(regime, (subject, &others), case.direction, goal.figure).map_or_else(
        || "no round has all of them".to_owned(),
        |ratio| format!("{} {}", ratio_text(ratio), word(ratio, goal.bound, case.direction)),
    );
    format!("    goal: {who}{aim} {best}: {verdict}\n")
}

/// With fewer rounds nothing is said of a goal, as in the tables that are made of the samples.
const ENOUGH: usize = 5;

/// What a ratio is called beside its bound. Who is first is a tie if the middle half of the rounds does not agree on it.
fn word(ratio: Summary, bound: f64, direction: Direction) -> &'static str {
    let (low, high) = ratio.quartiles;
    if ratio.count < ENOUGH {
        "few rounds"
    } else if bound == 1.0 && low <= bound && bound <= high {
        "a tie"
    } else if direction.meets(ratio.median, bound) {
        "reached"
    } else {
        "MISSED"
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crew::Log;

    const MORE: Direction = Direction::MoreIsBetter("a second");
    const LESS: Direction = Direction::LessIsBetter("ns");

    /// Samples from rows of round, contestant, regime and figure.
    fn samples(rows: &[(usize, usize, Regime, f64)]) -> Samples {
        let sample = |&(round, contestant, regime, value): &(_, _, _, f64)| {
            let outcome = Outcome::new(value, Log::of(1));
            Sample { round, contestant, regime, outcome }
        };
        Samples { kept: rows.iter().map(sample).collect(), stuck: BTreeMap::new(), sound: true }
    }

    #[test]
    fn a_summary_is_of_the_middle() {
        let odd = Summary::of(vec![5.0, 1.0, 3.0]).expect("figures");
        assert_eq!((odd.least, odd.median, odd.greatest, odd.count), (1.0, 3.0, 5.0, 3));
        let even = Summary::of(vec![4.0, 1.0, 2.0, 3.0]).expect("figures");
        assert_eq!(even.median, 2.5);
        let many = Summary::of((1..=11).map(f64::from).collect()).expect("figures");
        assert_eq!(many.quartiles, (3.0, 9.0));
        assert!(Summary::of(Vec::new()).is_none());
    }

    #[test]
    fn ratios_are_of_neighbours_in_one_regime() {
        use Regime::{Far, Near};
        let samples = samples(&[
            (0, 0, Near, 20.0),
            (0, 1, Near, 10.0),
            (0, 2, Near, 5.0),
            // The subject has moved to the other regime: no ratio.
            (1, 0, Far, 3.0),
            (1, 1, Near, 10.0),
            (1, 2, Near, 5.0),
            (2, 0, Near, 30.0),
            (2, 1, Near, 10.0),
            (2, 2, Near, 60.0),
        ]);
        let ratio = samples.ratios(Near, (0, &[1, 2]), MORE, Figure::Value).expect("two rounds");
        assert_eq!((ratio.least, ratio.greatest, ratio.count), (0.5, 2.0, 2));
        let ratio = samples.ratios(Near, (0, &[1, 2]), LESS, Figure::Value).expect("two rounds");
        assert_eq!((ratio.least, ratio.greatest, ratio.count), (3.0, 4.0, 2));
        assert!(samples.ratios(Far, (0, &[1]), MORE, Figure::Value).is_none());
    }

    #[test]
    fn who_is_far_behind_is_no_rival() {
        use Regime::Near;
        let samples = samples(&[(0, 0, Near, 9.0), (0, 1, Near, 10.0), (0, 2, Near, 5.0), (0, 3, Near, 4.9)]);
        assert_eq!(samples.rivals(Near, &[1, 2, 3], MORE, Figure::Value), [1, 2]);
        assert_eq!(samples.rivals(Near, &[1, 2, 3], LESS, Figure::Value), [2, 3]);
        assert_eq!(samples.rivals(Regime::Far, &[1, 2, 3], LESS, Figure::Value), [] as [usize; 0]);
    }

    #[test]
    fn a_goal_can_be_about_the_tail() {
        use Regime::Near;
        let mut samples = samples(&[(0, 0, Near, 10.0), (0, 1, Near, 20.0), (1, 0, Near, 10.0), (1, 1, Near, 20.0)]);
        let tail = |samples: &Samples| samples.ratios(Near, (0, &[1]), LESS, Figure::P99);
        assert!(tail(&samples).is_none(), "there is none");
        for (sample, p99) in samples.kept.iter_mut().zip([90.0, 30.0, 60.0, 30.0]) {
            sample.outcome.p99 = Some(p99);
        }
        assert_eq!(tail(&samples).expect("two rounds").median, 2.5);
        assert_eq!(samples.ratios(Near, (0, &[1]), LESS, Figure::Value).expect("two rounds").median, 0.5);
        assert_eq!(samples.ratios(Near, (1, &[0]), LESS, Figure::Value).expect("two rounds").median, 2.0);
    }

    #[test]
    fn a_tie_is_called_one() {
        let ratio = |figures: &[f64]| Summary::of(figures.to_vec()).expect("figures");
        let even = ratio(&[0.96, 0.98, 1.01, 1.02, 1.03]);
        assert_eq!(word(even, 1.0, MORE), "a tie");
        assert_eq!(word(even, 0.9, MORE), "reached");
        assert_eq!(word(even, 1.2, MORE), "MISSED");
        let ahead = ratio(&[0.9, 1.1, 1.2, 1.3, 1.4]);
        assert_eq!(word(ahead, 1.0, MORE), "reached");
        assert_eq!(word(ahead, 1.0, LESS), "MISSED");
        assert_eq!(word(ratio(&[1.1, 1.2, 1.3, 1.4]), 1.0, MORE), "few rounds");
    }
}
