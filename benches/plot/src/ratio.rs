//! Ratios over rounds, and what may be said of them.

/// With fewer rounds nobody is called ahead or behind, nor two of them even.
pub const ENOUGH: usize = 5;

/// A ratio over rounds: above one where Ringmail is ahead.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ratio {
    pub median: f64,
    pub least: f64,
    pub greatest: f64,
    pub rounds: usize,
    /// What a quarter of the rounds lies below, and what a quarter lies above.
    quartiles: (f64, f64),
}

/// What a ratio is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Ahead,
    /// The middle half of the rounds does not agree on who is ahead.
    Tie,
    Behind,
    /// There are too few rounds to say.
    Few,
}

impl Ratio {
    pub fn of(mut ratios: Vec<f64>) -> Option<Self> {
        ratios.sort_by(f64::total_cmp);
        let last = ratios.len().checked_sub(1)?;
        Some(Self {
            median: middle(&ratios)?,
            least: ratios[0],
            greatest: ratios[last],
            rounds: ratios.len(),
            quartiles: (ratios[last / 4], ratios[last - last / 4]),
        })
    }

    pub fn verdict(&self) -> Verdict {
        let (low, high) = self.quartiles;
        if self.rounds < ENOUGH {
            Verdict::Few
        } else if low <= 1.0 && 1.0 <= high {
            Verdict::Tie
        } else if self.median < 1.0 {
            Verdict::Behind
        } else {
            Verdict::Ahead
        }
    }

    /// The ratio with its spread and rounds, as tables have it: bold where Ringmail is behind.
    pub fn told(&self) -> String {
        let Self { median, least, greatest, rounds, .. } = self;
        let spread = format!("{least:.2}-{greatest:.2}, {rounds}");
        match self.verdict() {
            Verdict::Ahead => format!("{median:.2}x ({spread})"),
            Verdict::Tie => format!("{median:.2}x ({spread}), a tie"),
            Verdict::Behind => format!("**{median:.2}x** ({spread})"),
            Verdict::Few => format!("{median:.2}x ({spread}) (few rounds)"),
        }
    }
}

pub fn median(mut figures: Vec<f64>) -> Option<f64> {
    figures.sort_by(f64::total_cmp);
    middle(&figures)
}

/// The median of figures in order.
fn middle(figures: &[f64]) -> Option<f64> {
    let last = figures.len().checked_sub(1)?;
    Some((figures[last / 2] + figures[last.div_ceil(2)]) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ratio(ratios: &[f64]) -> Ratio {
        Ratio::of(ratios.to_vec()).expect("ratios")
    }

    #[test]
    fn a_tie_is_what_the_middle_half_does_not_agree_on() {
        assert_eq!(ratio(&[0.97, 0.99, 1.01, 1.02, 1.03]).verdict(), Verdict::Tie);
        assert_eq!(ratio(&[0.9, 1.1, 1.2, 1.2, 1.3]).verdict(), Verdict::Ahead);
        assert_eq!(ratio(&[0.7, 0.8, 0.8, 0.9, 1.1]).verdict(), Verdict::Behind);
        assert_eq!(Ratio::of(Vec::new()), None);
    }

    #[test]
    fn few_rounds_have_no_verdict() {
        for few in [&[2.0][..], &[0.5, 0.5], &[0.97, 0.99, 1.01, 1.02]] {
            assert_eq!(ratio(few).verdict(), Verdict::Few);
        }
        assert_eq!(ratio(&[0.5, 0.6, 0.7]).told(), "0.60x (0.50-0.70, 3) (few rounds)");
    }

    #[test]
    fn a_ratio_is_told_with_its_spread_and_rounds() {
        assert_eq!(ratio(&[0.5, 0.6, 0.7, 0.7, 0.8]).told(), "**0.70x** (0.50-0.80, 5)");
        assert_eq!(ratio(&[1.5, 1.6, 1.7, 1.7, 1.8]).told(), "1.70x (1.50-1.80, 5)");
        assert_eq!(ratio(&[0.9, 0.9, 1.0, 1.0, 1.0]).told(), "1.00x (0.90-1.00, 5), a tie");
    }
}
