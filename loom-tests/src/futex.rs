//! Sleeping under the model checker: a futex with one queue a word, and no time.
//!
//! Nobody ever wakes by himself, but where a scenario says so and as often as it says; so a wake-up that is lost leaves a thread asleep
//! for ever, and loom reports a deadlock. The product sleeps for a quarter of a second at most; that is for wakers that are killed, and
//! must not hide a lost wake-up.

use crate::{Fault, Plan};
use loom::thread::{Thread, current, park};
use ringmail::sync::{AtomicU32, Ordering::*, fence};
use ringmail::wait::{self, Look, Patience, Sleep, after_fence, after_publishing};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// One direction's eventcount, and those asleep on it.
#[derive(Clone)]
pub struct Event(Arc<Inner>);

struct Inner {
    word: AtomicU32,
    /// Not loom's: who queues and who wakes is settled by the accesses to the word alone.
    asleep: Mutex<Vec<Thread>>,
    /// Sleeps that end by themselves, of those still to come. Not loom's either: one thread counts them.
    naps: AtomicUsize,
    plan: Plan,
}

impl Sleep for Event {
    fn barrier(&self) {
        if !self.0.plan.has(Fault::NoBarrier) {
            fence(SeqCst);
        }
    }

    fn sleep(&self, word: &AtomicU32, expected: u32, _: Duration) {
        // The kernel looks at the word with its queue locked, so that no waker comes between, and sees the last value, as
        // only a read-modify-write surely does. Under loom no thread runs between that and `park`.
        if word.fetch_or(0, Relaxed) == expected {
            if self.0.naps.load(Relaxed) > 0 {
                self.0.naps.fetch_sub(1, Relaxed);
                return;
            }
            self.0.asleep.lock().unwrap().push(current());
            park();
        }
    }

    fn wake_all(&self, _: &AtomicU32) {
        let mut asleep = self.0.asleep.lock().unwrap();
        let most = if self.0.plan.has(Fault::WakeOne) { asleep.len().min(1) } else { asleep.len() };
        for thread in asleep.drain(..most) {
            thread.unpark();
        }
    }
}

impl Event {
    /// Nobody sleeps, and the stream is open.
    pub fn new(plan: &Plan) -> Self {
        Self::napping(plan, 0)
    }

    /// As [`new`](Self::new), for one sleeper, who wakes by himself so many times.
    pub fn napping(plan: &Plan, naps: usize) -> Self {
        let naps = AtomicUsize::new(naps);
        Self(Arc::new(Inner { word: AtomicU32::new(0), asleep: Mutex::default(), naps, plan: plan.clone() }))
    }

    /// Publishes something and wakes those who wait for it. Returns what was published, and whether the stream is closed.
    pub fn publish<T>(&self, act: impl FnOnce() -> T) -> (T, bool) {
        // With the fence in place of membarrier, which is not modelled. The look before it, which finds that it must be, is
        // left out: it decides nothing, and would double what there is to explore.
        let announce = || {
            let fenced = !self.0.plan.has(Fault::NoFence);
            if fenced { after_fence(&self.0.word, self) } else { after_publishing(&self.0.word, self) }
        };
        if self.0.plan.has(Fault::WakeFirst) {
            let closed = announce();
            return (act(), closed);
        }
        let done = act();
        (done, !self.0.plan.has(Fault::WakeNever) && announce())
    }

    /// Waits until `attempt` yields something.
    pub fn wait<T>(&self, mut attempt: impl FnMut(Look) -> Option<T>) -> T {
        let place = wait::Place { side: wait::Side::Receiver, position: 0, capacity: 1, long: 0 };
        let patience = Patience::new(0);
        let mut wait = wait::Wait::new(&self.0.word, self, &patience, place, None);
        loop {
            let look = wait.next_look().expect("there is no deadline");
            if let Some(done) = attempt(look) {
                return done;
            }
        }
    }

    /// Waits until `attempt` yields something, or the stream is closed and yields nothing more.
    pub fn wait_open<T>(&self, mut attempt: impl FnMut() -> Option<T>) -> Option<T> {
        self.wait(|look| {
            if let Some(done) = attempt() {
                return Some(Some(done));
            }
            if look == Look::Glance || !wait::is_closed(&self.0.word) {
                return None;
            }
            if self.0.plan.has(Fault::NoLastLook) {
                return Some(None);
            }
            self.barrier();
            Some(attempt())
        })
    }

    /// Closes the stream.
    pub fn close(&self) {
        wait::close(&self.0.word, self);
    }
}
