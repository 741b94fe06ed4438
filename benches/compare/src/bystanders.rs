//! What everybody else ran on the cores of a sample, where it cannot be told from how long workers waited: there are more of them than cores, and
//! they wait for each other.
//!
//! Every task of the system is looked at before and after. Who came and went in between is not seen again: of those there must be few.

use crate::crew::{Cores, now_ns};
use std::collections::HashMap;
use std::fs;

/// Tasks that may come and go unseen during a sample.
const MOST_UNSEEN: u64 = 4;

/// How long every task of other processes had run, in nanoseconds.
pub struct Bystanders {
    ran_ns: HashMap<(u32, u32), u64>,
    /// Tasks that the system has started in all.
    started: u64,
    at_ns: u64,
}

impl Bystanders {
    pub fn look() -> Self {
        let mine = std::process::id();
        let others = numbers("/proc").into_iter().filter(|&process| process != mine);
        let tasks = others
            .flat_map(|process| numbers(&format!("/proc/{process}/task")).into_iter().map(move |task| (process, task)));
        let ran_ns = tasks.filter_map(|id| Some((id, ran_ns(id)?))).collect();
        let started = fs::read_to_string("/proc/stat").ok().and_then(|stat| started(&stat)).unwrap_or(0);
        Self { ran_ns, started, at_ns: now_ns() }
    }

    /// The part of the time since then that others ran on these cores; all of it if too many came and went, beside `crew` of one's own.
    pub fn ran_since(&self, cores: &Cores, crew: usize) -> f64 {
        let now = Self::look();
        let came = now.ran_ns.keys().filter(|id| !self.ran_ns.contains_key(id)).count() as u64;
        if (now.started - self.started).saturating_sub(crew as u64 + came) > MOST_UNSEEN {
            return 1.0;
        }
        let grown =
            now.ran_ns.iter().map(|(id, ran)| (id, ran.saturating_sub(self.ran_ns.get(id).copied().unwrap_or(0))));
        // Where a task was is asked only of those that ran.
        let here = grown.filter(|&(&id, ran)| ran > 0 && core(id).is_some_and(|core| cores.list.contains(&core)));
        here.map(|(_, ran)| ran).sum::<u64>() as f64 / (now.at_ns - self.at_ns).max(1) as f64
    }
}

/// The entries of a folder that are numbers.
fn numbers(folder: &str) -> Vec<u32> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

fn ran_ns((process, task): (u32, u32)) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{process}/task/{task}/schedstat")).ok()?;
    text.split_whitespace().next()?.parse().ok()
}

/// The core that a task ran on last.
fn core((process, task): (u32, u32)) -> Option<usize> {
    last_core(&fs::read_to_string(format!("/proc/{process}/task/{task}/stat")).ok()?)
}

/// The 39th field; the second, a name, may have anything in it, and ends with the last bracket.
fn last_core(stat: &str) -> Option<usize> {
    stat.rsplit_once(')')?.1.split_whitespace().nth(36)?.parse().ok()
}

fn started(stat: &str) -> Option<u64> {
    stat.lines().find_map(|line| line.strip_prefix("processes "))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crew::{bury, fork, kill};
    use std::time::Duration;

    #[test]
    fn fields_are_found() {
        let fields = (3..=52).map(|field| field.to_string()).collect::<Vec<_>>().join(" ");
        assert_eq!(last_core(&format!("7 (a) b) {fields}")), Some(39));
        assert_eq!(started("cpu 1 2\nctxt 5\nprocesses 123\nprocs_running 2\n"), Some(123));
    }

    #[test]
    fn who_runs_beside_is_seen() {
        let count = std::thread::available_parallelism().map_or(1, usize::from);
        let all = Cores { list: (0..count).collect(), float: false };
        let before = Bystanders::look();
        let child = fork(|| {
            loop {
                std::hint::spin_loop();
            }
        });
        // Until the kernel has counted some of it.
        while ran_ns((child as u32, child as u32)).is_none_or(|ran| ran < 20_000_000) {
            std::thread::sleep(Duration::from_millis(1));
        }
        let part = before.ran_since(&all, 0);
        let nowhere = before.ran_since(&Cores { list: Vec::new(), float: false }, usize::MAX >> 1);
        kill(child);
        bury(child);
        assert!(part > 0.0, "{part}");
        assert_eq!(nowhere, 0.0, "not on those cores");
    }
}
