//! How long a call may wait, as Python's queues say it: `block` and `timeout`.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use std::time::{Duration, Instant};

/// The longest wait without a look at signals, where there may be some. They end a sleep; but one that comes in the microseconds before it
/// does not.
pub const SLICE: Duration = Duration::from_millis(250);

/// The first wait where there may be signals; each is twice as long as the one before it. Who has just begun to wait is who is interrupted most.
pub const FIRST: Duration = Duration::from_millis(20);

/// The longest wait where there is nothing to look at. Not for ever, in case an interpreter that some other program embeds takes signals
/// in a thread that is not that program's first.
pub const UNDISTURBED: Duration = Duration::from_secs(1);

/// How long a call may wait.
#[derive(Clone, Copy, Debug)]
pub enum Patience {
    /// Not at all.
    None,
    /// Until then.
    Until(Instant),
    /// For ever.
    Forever,
}

impl Patience {
    /// From the arguments of a call: `timeout` in seconds. As in `multiprocessing`, a negative one is zero, and without `block`
    /// it does not count.
    #[inline]
    pub fn new(block: bool, timeout: Option<f64>) -> PyResult<Self> {
        match timeout {
            _ if !block => Ok(Self::None),
            None => Ok(Self::Forever),
            Some(seconds) => Self::seconds(seconds),
        }
    }

    fn seconds(seconds: f64) -> PyResult<Self> {
        if seconds.is_nan() {
            return Err(PyValueError::new_err("timeout is not a number"));
        }
        if seconds <= 0.0 {
            return Ok(Self::None);
        }
        let until = Duration::try_from_secs_f64(seconds).ok().and_then(|timeout| Instant::now().checked_add(timeout));
        // One too long to be told as an instant is no limit.
        Ok(until.map_or(Self::Forever, Self::Until))
    }

    /// The next wait, `longest` at most; `None` when the time is up.
    pub fn slice(self, longest: Duration) -> Option<Duration> {
        match self {
            Self::None => None,
            Self::Forever => Some(longest),
            Self::Until(deadline) => {
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() { None } else { Some(left.min(longest)) }
            }
        }
    }
}
