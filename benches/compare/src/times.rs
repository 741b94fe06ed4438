//! How long each of many things took: from the worker that timed them, over shared memory, to a file beside the samples.
//!
//! The file is the table that HdrHistogram prints and its plotter reads: value, percentile, count so far, and 1 / (1 - percentile).

use crate::bare::Shared;
use hdrhistogram::Histogram;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering::*};

/// Parts of a nanosecond that are told apart.
pub const PARTS: u64 = 10;
/// Values that a worker can hand over; a histogram of three digits has fewer below some minutes.
const MOST: usize = 1 << 15;

/// An empty histogram, of parts of a nanosecond, to three digits.
pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 1_000_000_000_000, 3).expect("bounds are fine")
}

/// Where a worker leaves its histogram.
#[repr(C)]
pub struct Desk {
    pairs: [[AtomicU64; 2]; MOST],
}

impl Desk {
    pub fn map() -> Shared<Self> {
        // SAFETY: zeroes are atomics.
        unsafe { Shared::zeroed(size_of::<Self>()) }
    }

    pub fn leave(&self, times: &Histogram<u64>) {
        let mut free = self.pairs.iter();
        for value in times.iter_recorded() {
            let [time, count] = free.next().expect("room for every value");
            time.store(value.value_iterated_to(), Relaxed);
            count.store(value.count_at_value(), Release);
        }
    }

    pub fn take(&self) -> Histogram<u64> {
        let mut times = histogram();
        for [time, count] in &self.pairs {
            match count.load(Acquire) {
                0 => break,
                count => times.record_n(time.load(Relaxed), count).expect("recorded before"),
            }
        }
        times
    }
}

/// Writes the table, in nanoseconds.
pub fn write(times: &Histogram<u64>, to: &mut impl Write) -> io::Result<()> {
    let parts = PARTS as f64;
    writeln!(to, "{:>14} {:>14} {:>10} {:>14}", "Value", "Percentile", "TotalCount", "1/(1-Percentile)")?;
    for value in times.iter_quantiles(5) {
        let (quantile, time) = (value.quantile_iterated_to(), value.value_iterated_to() as f64 / parts);
        let inverse =
            if quantile < 1.0 { format!("{:14.2}", 1.0 / (1.0 - quantile)) } else { format!("{:>14}", "inf") };
        writeln!(
            to,
            "{time:14.1} {quantile:14.12} {:10} {inverse}",
            times.count_between(0, value.value_iterated_to())
        )?;
    }
    let (mean, deviation, most) = (times.mean() / parts, times.stdev() / parts, times.max() as f64 / parts);
    writeln!(to, "#[Mean    = {mean:12.1}, StdDeviation   = {deviation:12.1}]")?;
    writeln!(to, "#[Max     = {most:12.1}, Total count    = {:12}]", times.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_comes_over_whole() {
        let mut times = histogram();
        for value in [7, 1_100, 1_100, 48_000_000, 999_999_999_999] {
            times.record(value).expect("within bounds");
        }
        let desk = Desk::map();
        desk.leave(&times);
        assert_eq!(desk.take(), times);
        assert!(Desk::map().take().is_empty());
    }

    #[test]
    fn the_table_ends_with_the_greatest() {
        let mut times = histogram();
        (1..=1000).for_each(|value| times.record(value * PARTS).expect("within bounds"));
        let mut table = Vec::new();
        write(&times, &mut table).expect("a vector takes it");
        let table = String::from_utf8(table).expect("text");
        let rows: Vec<Vec<_>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
        let last = rows.iter().rev().find(|row| !row[0].starts_with('#')).expect("a row");
        assert_eq!(last[1..], ["1.000000000000", "1000", "inf"]);
        let greatest: f64 = last[0].parse().expect("a number");
        assert!((999.0..=1001.0).contains(&greatest), "{greatest}");
        let median = rows.iter().find(|row| row[1] == "0.500000000000").expect("the median");
        assert!((498.0..=502.0).contains(&median[0].parse::<f64>().expect("a number")), "{median:?}");
        assert!(median[2].parse::<u64>().expect("a count").abs_diff(500) <= 2, "{median:?}");
    }
}
