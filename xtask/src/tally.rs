//! How many tests ran: the sum of the test runners' own summary lines.

use std::fmt;

/// Tests counted so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub passed: u64,
    pub failed: u64,
    pub ignored: u64,
}

impl Tally {
    /// Counts a line such as `test result: ok. 3 passed; 0 failed; 1 ignored; ...`, or pytest's last one, such as
    /// `3 passed, 1 skipped in 4.20s`; any other line counts nothing.
    pub fn read(&mut self, line: &str) {
        let counts = match line.split_once("test result: ") {
            Some((_, counts)) => counts,
            None => match line.trim_matches(['=', ' ']).rsplit_once(" in ") {
                Some((counts, time)) if is_time(time) => counts,
                _ => return,
            },
        };
        for part in counts.split(['.', ';', ',']) {
            let Some((count, what)) = part.trim().split_once(' ') else { continue };
            let Ok(count) = count.parse::<u64>() else { continue };
            match what {
                "passed" => self.passed += count,
                "failed" | "error" | "errors" => self.failed += count,
                "ignored" | "skipped" => self.ignored += count,
                _ => {}
            }
        }
    }

    /// Adds another tally.
    pub fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.ignored += other.ignored;
    }
}

/// Whether this is what pytest says after `in`: `4.20s`, or `61.30s (0:01:01)`.
fn is_time(text: &str) -> bool {
    let seconds = text.split(' ').next().and_then(|first| first.strip_suffix('s'));
    seconds.is_some_and(|seconds| seconds.parse::<f64>().is_ok())
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)?;
        if self.ignored > 0 { write!(f, ", {} skipped", self.ignored) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::Tally;

    #[test]
    fn sums_summary_lines_and_nothing_else() {
        let mut tally = Tally::default();
        tally.read("running 3 tests");
        tally.read("test sends_3_passed ... ok");
        tally.read("test result: ok. 3 passed; 0 failed; 1 ignored; 7 measured; 9 filtered out; finished in 4.20s");
        tally
            .read("test result: FAILED. 10 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s");
        tally.read("============ 5 failed, 4 passed, 2 skipped, 1 error in 51.30s (0:00:51) ============");
        assert_eq!(tally, Tally { passed: 17, failed: 8, ignored: 3 });
        let mut tally = Tally { passed: 13, failed: 2, ignored: 1 };
        tally.read("all 3 passed in the end");
        tally.read("3 passed, as in 2 others");
        assert_eq!(tally, Tally { passed: 13, failed: 2, ignored: 1 });
        assert_eq!(tally.to_string(), "13 passed, 2 failed, 1 skipped");
        assert_eq!(Tally { ignored: 0, ..tally }.to_string(), "13 passed, 2 failed");
    }
}
