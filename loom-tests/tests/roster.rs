//! Waiting without a thread: whoever enters the table is woken by what is published, whatever the sleeper is just doing.

#![cfg(loom)]

use loom::sync::Mutex;
use loom::thread::{Thread, current, park, spawn};
use ringmail::roster::{Entered, Roster, Word};
use ringmail::sync::{AtomicU32, AtomicU64, Ordering::*, fence};
use ringmail::wait::{self, Sleep};
use ringmail_loom_tests::Plan;
use std::sync::Arc;
use std::task::{Wake, Waker};
use std::time::Duration;

/// What a task, a publisher or the sleeper does wrongly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mistake {
    None,
    /// A task looks, and then says that it sleeps.
    PrepareLate,
    /// A task passes no barrier before it looks.
    NoBarrier,
    /// A publisher passes no fence before it looks for sleepers.
    NoFence,
    /// A task enters with what the word is by then.
    Uncompared,
    /// A task calls nobody to a word that is new.
    Uncalled,
    /// A task that leaves at once does not call who it was told to call.
    UncalledByLeaver,
    /// The sleeper sleeps on what the words are by then, not on what it saw in its turn.
    Reread,
    /// The sleeper wakes one task of those that it was given.
    WakeOneTask,
    /// The sleeper sleeps on one word of those that it was given.
    OneWord,
}

/// The kernel's part: threads asleep, each by one entry a word.
struct Kernel {
    /// Not loom's: who queues and who wakes is settled by the accesses to the words alone.
    asleep: std::sync::Mutex<Vec<(*const AtomicU32, usize, Thread)>>,
    mistake: Mistake,
}

impl Sleep for Kernel {
    fn barrier(&self) {
        if self.mistake != Mistake::NoBarrier {
            fence(SeqCst);
        }
    }

    fn sleep(&self, _: &AtomicU32, _: u32, _: Duration) {
        unreachable!("only the sleeper sleeps, on many words");
    }

    fn wake_all(&self, word: &AtomicU32) {
        let mut asleep = self.asleep.lock().unwrap();
        asleep.retain(|(other, _, thread)| {
            let is_woken = std::ptr::eq(*other, word);
            if is_woken {
                thread.unpark();
            }
            !is_woken
        });
    }
}

impl Kernel {
    /// `futex_waitv`: queues on one word after the other while each is as expected, and sleeps if none was woken
    /// meanwhile.
    fn sleep_any(&self, words: &[(&AtomicU32, u32)]) {
        for &(word, expected) in words {
            // It sees the last value, as only a read-modify-write surely does. No thread runs between that and the queue.
            if word.fetch_or(0, Relaxed) != expected {
                if self.unqueue() < words.iter().position(|&(other, _)| std::ptr::eq(other, word)).unwrap() {
                    // Woken on the way.
                    park();
                }
                return;
            }
            self.asleep.lock().unwrap().push((word, 0, current()));
        }
        park();
        self.unqueue();
    }

    /// Leaves every queue; says how many there were still.
    fn unqueue(&self) -> usize {
        let mut asleep = self.asleep.lock().unwrap();
        let before = asleep.len();
        // Nobody but the sleeper sleeps here.
        asleep.clear();
        before
    }
}

/// Wakes a task's thread.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// One direction of a ring with `COUNT` words, and the threads' table.
struct World {
    events: Vec<AtomicU32>,
    /// Messages published for each event, and taken.
    messages: Vec<AtomicU64>,
    roster: Mutex<(Roster<()>, usize)>,
    call: std::sync::Mutex<Option<Arc<AtomicU32>>>,
    kernel: Kernel,
}

// SAFETY: the kernel's addresses are compared, and not looked at.
unsafe impl Send for World {}
// SAFETY: as above.
unsafe impl Sync for World {}

impl World {
    /// Of so many events, for so many tasks.
    fn new(mistake: Mistake, events: usize, tasks: usize) -> Arc<Self> {
        let mut roster = Roster::new(127);
        roster.add_sleeper();
        Arc::new(Self {
            events: (0..events).map(|_| AtomicU32::new(0)).collect(),
            messages: (0..events).map(|_| AtomicU64::new(0)).collect(),
            roster: Mutex::new((roster, tasks)),
            call: std::sync::Mutex::default(),
            kernel: Kernel { asleep: std::sync::Mutex::default(), mistake },
        })
    }

    fn publish(&self, event: usize) {
        self.messages[event].fetch_add(1, AcqRel);
        let is_fenced = self.kernel.mistake != Mistake::NoFence;
        let word = &self.events[event];
        if is_fenced {
            wait::after_fence(word, &self.kernel)
        } else {
            wait::after_publishing(word, &self.kernel)
        };
    }

    /// Takes a message, if one is there.
    fn take(&self, event: usize) -> bool {
        let messages = &self.messages[event];
        let mut seen = messages.load(Acquire);
        while seen > 0 {
            match messages.compare_exchange(seen, seen - 1, AcqRel, Acquire) {
                Ok(_) => return true,
                Err(now) => seen = now,
            }
        }
        false
    }

    /// What a task does: receives one message of `event`. If it is `fickle`, it leaves the table once and enters again.
    fn receive(&self, event: usize, mut fickle: bool) {
        let word = &self.events[event];
        let mut place = None;
        loop {
            let mut expected = 0;
            if self.kernel.mistake != Mistake::PrepareLate {
                expected = wait::prepare(word, &self.kernel);
            }
            if self.take(event) {
                break;
            }
            if self.kernel.mistake == Mistake::PrepareLate {
                expected = wait::prepare(word, &self.kernel);
            }
            let waker = Waker::from(Arc::new(Unpark(current())));
            let mut locked = self.roster.lock().unwrap();
            if self.kernel.mistake == Mistake::Uncompared {
                expected = word.fetch_or(wait::WAITERS, Relaxed) | wait::WAITERS;
            }
            // SAFETY: the words live as long as the world.
            let entered = unsafe { locked.0.enter(place, Word::of(word), expected, waker, ()) };
            drop(locked);
            let Ok(Entered { ticket, call, .. }) = entered else { continue };
            place = Some(ticket);
            let is_silent = match self.kernel.mistake {
                Mistake::UncalledByLeaver => fickle,
                mistake => mistake == Mistake::Uncalled,
            };
            if let Some(call) = call.filter(|_| !is_silent) {
                self.kernel.wake_all(&call);
            }
            if std::mem::take(&mut fickle) {
                drop(self.roster.lock().unwrap().0.leave(Word::of(word), ticket));
                place = None;
                continue;
            }
            park();
        }
        let mut locked = self.roster.lock().unwrap();
        if let Some(ticket) = place {
            locked.0.leave(Word::of(word), ticket);
        }
        locked.1 -= 1;
        if locked.1 == 0 {
            // The last one ends the sleeper, which in the product nobody does.
            if let Some(call) = &*self.call.lock().unwrap() {
                call.fetch_add(1, Relaxed);
                self.kernel.wake_all(call);
            }
        }
    }

    /// What the sleeper does, until every task is done.
    fn sleep(&self) {
        let (mut ready, mut list) = (Vec::new(), Vec::new());
        loop {
            list.clear();
            let mut locked = self.roster.lock().unwrap();
            if locked.1 == 0 {
                return;
            }
            let (call, value) = locked.0.turn(0, &mut ready, &mut list);
            *self.call.lock().unwrap() = Some(Arc::clone(&call));
            drop(locked);
            if !ready.is_empty() {
                if self.kernel.mistake == Mistake::WakeOneTask {
                    ready.truncate(1);
                }
                ready.drain(..).for_each(Waker::wake);
                continue;
            }
            if self.kernel.mistake == Mistake::OneWord {
                list.truncate(1);
            }
            let mut words = vec![(&*call, value)];
            for &(word, value) in &list {
                // SAFETY: the words live as long as the world.
                let word = unsafe { &*word.as_ptr() };
                let is_reread = self.kernel.mistake == Mistake::Reread;
                words.push((word, if is_reread { word.fetch_or(0, Relaxed) } else { value }));
            }
            self.kernel.sleep_any(&words);
        }
    }
}

/// A task, a publisher and the sleeper.
fn alone(mistake: Mistake) {
    play(mistake, &[0], &[0], false);
}

/// A task for each entry of `tasks`, and one publisher of all `publications`, by event.
fn play(mistake: Mistake, tasks: &'static [usize], publications: &'static [usize], fickle: bool) {
    let events = 1 + publications.iter().max().unwrap();
    let world = World::new(mistake, events, tasks.len());
    let mut threads = Vec::new();
    for (number, &event) in tasks.iter().enumerate() {
        let world = Arc::clone(&world);
        threads.push(spawn(move || world.receive(event, fickle && number == 0)));
    }
    let sleeping = Arc::clone(&world);
    threads.push(spawn(move || sleeping.sleep()));
    threads.push(spawn(move || publications.iter().for_each(|&event| world.publish(event))));
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn a_task_is_woken() {
    Plan::new(1).bound(3).holds(6_000, |_| alone(Mistake::None));
}

#[test]
fn tasks_of_one_word_are_woken() {
    Plan::new(1).bound(1).holds(600, |_| play(Mistake::None, &[0, 0], &[0, 0], false));
}

#[test]
fn tasks_of_two_words_are_woken() {
    Plan::new(1).bound(1).holds(900, |_| play(Mistake::None, &[0, 1], &[1, 0], false));
}

#[test]
fn a_task_that_left_and_came_again_is_woken() {
    Plan::new(1).bound(3).holds(25_000, |_| play(Mistake::None, &[0], &[0], true));
}

#[test]
fn waking_one_of_two_is_caught() {
    Plan::new(1).bound(1).fails("deadlock", |_| play(Mistake::WakeOneTask, &[0, 0], &[0, 0], false));
}

#[test]
fn sleeping_on_one_of_two_words_is_caught() {
    Plan::new(1).bound(1).fails("deadlock", |_| play(Mistake::OneWord, &[0, 1], &[1, 0], false));
}

#[test]
fn leaving_without_the_call_is_caught() {
    Plan::new(1).bound(3).fails("deadlock", |_| play(Mistake::UncalledByLeaver, &[0], &[0], true));
}

#[test]
fn saying_so_after_the_look_is_caught() {
    Plan::new(1).bound(3).fails("deadlock", |_| alone(Mistake::PrepareLate));
}

#[test]
fn a_task_without_barrier_is_caught() {
    Plan::new(1).bound(3).fails("deadlock", |_| alone(Mistake::NoBarrier));
}

#[test]
fn a_publisher_without_fence_is_caught() {
    Plan::new(1).bound(3).fails("deadlock", |_| alone(Mistake::NoFence));
}

#[test]
fn entering_with_a_later_value_is_caught() {
    Plan::new(1).bound(3).fails("deadlock", |_| alone(Mistake::Uncompared));
}

#[test]
fn calling_nobody_is_caught() {
    Plan::new(1).bound(3).fails("deadlock", |_| alone(Mistake::Uncalled));
}

#[test]
fn sleeping_on_a_later_value_is_caught() {
    Plan::new(1).bound(3).fails("deadlock", |_| alone(Mistake::Reread));
}
