//! Histograms as `ringmail-compare` wrote them beside the samples: which part of all round trips took at most how long.

use std::error::Error;
use std::fs;
use std::path::Path;

/// Which part, and nanoseconds.
pub type Point = (f64, f64);

/// A contestant's points.
#[derive(Clone, Debug)]
pub struct Curve {
    pub contestant: String,
    pub threads: bool,
    pub points: Vec<Point>,
}

/// The curves of a case in a regime, from the files of a folder.
pub fn read(folder: &Path, case: &str, regime: &str) -> Result<Vec<Curve>, Box<dyn Error>> {
    let mut curves = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        let parts: Vec<_> = name.split('.').collect();
        let [of, contestant, mode, tag, "hgrm"] = parts[..] else { continue };
        if of == case && tag == regime {
            let points = parse(&fs::read_to_string(&path)?);
            curves.push(Curve { contestant: contestant.to_owned(), threads: mode == "T", points });
        }
    }
    curves.sort_by(|a, b| a.contestant.cmp(&b.contestant));
    Ok(curves)
}

/// The rows of a table that are figures.
fn parse(table: &str) -> Vec<Point> {
    let row = |line: &str| {
        let mut fields = line.split_whitespace();
        let (value, part) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        Some((part, value))
    };
    table.lines().filter_map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_and_heads_are_not() {
        let table = "         Value     Percentile TotalCount 1/(1-Percentile)\n\
                     \n       110.5 0.000000000000          1           1.00\n\
                     \n       160.0 0.500000000000        500           2.00\n\
                     \n      9999.0 1.000000000000       1000            inf\n\
                     #[Mean    =        170.0, StdDeviation   =          9.0]\n";
        assert_eq!(parse(table), [(0.0, 110.5), (0.5, 160.0), (1.0, 9999.0)]);
    }
}
