//! Waiting without a thread: a few threads of the process sleep for all its tasks.
//!
//! [`roster`](crate::roster) says who waits on what and why no wake-up is lost; here are the threads. One sleeps on
//! up to 127 rings' event words and on a word of its own, by `futex_waitv`, so a process has one of them as a rule.
//! Where the system has no such call (before Linux 5.16, or behind a filter) it takes one thread for each word. The
//! first is started when somebody first waits, none is ever needed for the process to end, and while nobody waits
//! they sleep without a limit.
//!
//! What a sleeping thread does each [`NAP`](crate::wait::NAP), looking for who died, a sleeper does once for each word, whoever and how
//! many wait on it.
//!
//! No waker is called, cloned or dropped under the lock, so they may do what they like; one that panics costs nobody
//! else anything.
//!
//! # Forks
//!
//! A child has a copy of the table, perhaps in the middle of a change, and none of the threads. It never looks at it:
//! where the reactor is, is noted in a [`Marker`], which the kernel zeroes in a child, and the first that waits there
//! makes another. So locks need not be free at a fork, but the one under which a reactor is made, which `fork` itself
//! takes.

use crate::os::fork::{self, Marker};
use crate::os::futex::{self, Awaited, Awoken};
use crate::os::thread;
use crate::registry::Role;
use crate::roster::{Answer, Entered, Roster, Word};
use crate::sync::{AtomicU32, Ordering::*};
use crate::wait::nap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant};

/// A ring that tasks wait for.
pub trait Watched: fmt::Debug + Send + Sync {
    /// Whether one of `role` at `position` should look again, although nobody woke it.
    fn has_news(&self, role: Role, position: u64) -> bool;
    /// A number for the present absence of everybody of the side other than `role`, if there was somebody.
    fn alarm(&self, role: Role) -> Option<u64>;
}

/// What a sleeper asks about a word.
#[derive(Clone, Copy, Debug)]
struct Question {
    /// Kept by everybody who waits on the word.
    ring: NonNull<dyn Watched>,
    role: Role,
    position: u64,
}

// SAFETY: what it points to is `Sync`, and there for as long as somebody waits, see `Roster::is_asked`.
unsafe impl Send for Question {}

/// The threads of this process that sleep for its tasks.
#[derive(Debug)]
struct Reactor {
    roster: Mutex<Roster<Question>>,
    /// A sleeper has finished asking about a word.
    answered: Condvar,
    /// Whether a thread can sleep on many words.
    at_once: bool,
}

/// The reactor of this process, if anybody ever waited in it.
fn existing() -> Option<&'static Reactor> {
    let number = MARKER.get()?.number().load(Acquire);
    // SAFETY: a number in the marker is the address of a reactor that is never dropped, of this process.
    NonNull::new(std::ptr::with_exposed_provenance_mut::<Reactor>(number as usize)).map(|at| unsafe { at.as_ref() })
}

static MARKER: OnceLock<Marker> = OnceLock::new();

/// The reactor of this process. `None` where there is no memory for it.
fn here() -> Option<&'static Reactor> {
    if let Some(reactor) = existing() {
        return Some(reactor);
    }
    // One thread at a time, and no fork meanwhile.
    let _exclusive = fork::exclusive();
    if MARKER.get().is_none() {
        // Nobody else is about to.
        let _ = MARKER.set(Marker::new().ok()?);
    }
    existing().or_else(|| {
        let at_once = can_sleep_on_many();
        let share = if at_once { futex::MOST - 1 } else { 1 };
        let (roster, answered) = (Mutex::new(Roster::new(share)), Condvar::new());
        let reactor: &Reactor = Box::leak(Box::new(Reactor { roster, answered, at_once }));
        MARKER.get()?.number().store(std::ptr::from_ref(reactor).expose_provenance() as u64, Release);
        Some(reactor)
    })
}

/// Asks the system to sleep on a word that is not as expected.
fn can_sleep_on_many() -> bool {
    let word = AtomicU32::new(0);
    futex::sleep_any(&[Awaited { word: &raw const word, value: 1, private: true }], None) == Awoken::Look
}

impl Reactor {
    fn roster(&self) -> MutexGuard<'_, Roster<Question>> {
        self.roster.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has room for a word made, by a further thread if need be. Without one, entering fails.
    fn make_room(&'static self, roster: &mut Roster<Question>, word: Word) {
        if roster.is_crowded(word) {
            let sleeper = roster.add_sleeper();
            if thread::start("ringmail-waits", move || self.sleep(sleeper)).is_err() {
                roster.remove_sleeper();
            }
        }
    }

    /// What a sleeper does, for ever.
    fn sleep(&self, me: usize) {
        let (mut ready, mut list) = (Vec::new(), Vec::new());
        let mut nap_ends = None;
        loop {
            list.clear();
            let (call, value) = self.roster().turn(me, &mut ready, &mut list);
            let is_again = !ready.is_empty();
            wake(&mut ready);
            if list.is_empty() && !is_again {
                nap_ends = None;
                futex::sleep_privately(&call, value);
                continue;
            }
            let now = Instant::now();
            let ends = *nap_ends.get_or_insert(now + nap());
            if now >= ends {
                self.ask(me, &mut ready);
                nap_ends = None;
            } else if !is_again {
                self.sleep_on(&call, value, &list, ends - now);
            }
        }
    }

    /// Sleeps on the words of a turn.
    fn sleep_on(&self, call: &AtomicU32, value: u32, list: &[(Word, u32)], nap: Duration) {
        if !self.at_once {
            list.iter().for_each(|&(word, value)| futex::sleep_at(word.as_ptr(), value, nap));
            return;
        }
        let own = Awaited { word: call, value, private: true };
        let theirs = list.iter().map(|&(word, value)| Awaited { word: word.as_ptr(), value, private: false });
        let words: Vec<_> = std::iter::once(own).chain(theirs).collect();
        if futex::sleep_any(&words, Some(nap)) == Awoken::Refused {
            // No memory for so many, for the time being.
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Looks at each word of a sleeper on which somebody waits, without being woken.
    fn ask(&self, me: usize, ready: &mut Vec<Waker>) {
        let words = self.roster().waited_on(me);
        for word in words {
            let Some(Question { ring, role, position }) = self.roster().begin_asking(me, word) else { continue };
            // SAFETY: who waits keeps the ring, and does not leave before the answer.
            let ring = unsafe { ring.as_ref() };
            let answer = Answer { has_news: ring.has_news(role, position), alarm: ring.alarm(role) };
            self.roster().end_asking(me, answer, ready);
            self.answered.notify_all();
            wake(ready);
        }
    }
}

/// Wakes tasks. The lock is not held.
fn wake(ready: &mut Vec<Waker>) {
    for waker in ready.drain(..) {
        // The others are not to go without because of one.
        let _ = catch_unwind(AssertUnwindSafe(|| waker.wake()));
    }
}

/// Forgets words that are about to be unmapped.
pub fn forget(words: [&AtomicU32; 2]) {
    if let Some(reactor) = existing() {
        let watches = words.map(|word| reactor.roster().forget(Word::of(word)));
        drop(watches);
    }
}

/// The place of one waiting call among those that are to be woken: what the `poll_` verbs keep between two polls.
///
/// A fresh one is in no place; a verb that returns `Pending` has given it one, in which it keeps the ring open, and
/// `Ready`, like dropping it, takes it away. One that was used with another ring before, or with the other side,
/// changes places.
///
/// ```
/// use ringmail::{Options, Waiting, mpmc};
/// use std::task::{Context, Poll, Waker};
///
/// let (tx, rx) = mpmc::channel::<u64>(&Options::new())?;
/// let (mut waiting, mut context) = (Waiting::new(), Context::from_waker(Waker::noop()));
/// assert!(rx.poll_recv(&mut context, &mut waiting).is_pending()); // the waker is called when there is reason to poll again
/// tx.send(&7)?;
/// assert!(matches!(rx.poll_recv(&mut context, &mut waiting), Poll::Ready(Ok(message)) if *message == 7));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
pub struct Waiting {
    place: Option<Place>,
}

/// A place in a reactor's table.
#[derive(Debug)]
struct Place {
    reactor: &'static Reactor,
    word: Word,
    ticket: u64,
    /// Keeps the word mapped and what is asked about it alive.
    _ring: Arc<dyn Watched>,
}

impl Waiting {
    /// In no place.
    pub const fn new() -> Self {
        Self { place: None }
    }

    /// Whether the last wake-up came because everybody of the other side had left or died, and this is the first
    /// question since.
    ///
    /// Only of use in a ring with [`Options::keep_open`](crate::Options::keep_open), where that is no error: a
    /// waiting call is woken once for each such absence all the same, within the time in which others are told
    /// `Disconnected`.
    pub fn take_alarm(&mut self) -> bool {
        self.place().is_some_and(|place| place.reactor.roster().take_alarm(place.word, place.ticket))
    }

    /// Takes the place away.
    pub(crate) fn leave(&mut self) {
        let Some(place) = self.place.take() else { return };
        if place.is_here() {
            let mut roster = place.reactor.roster();
            while roster.is_asked(place.word) {
                roster = place.reactor.answered.wait(roster).unwrap_or_else(PoisonError::into_inner);
            }
            let waker = roster.leave(place.word, place.ticket);
            drop(roster);
            drop(waker);
        }
    }

    /// Takes a place among those who wait on `word` of `ring`, for one of `role` at `position` who prepared to sleep
    /// while it is `expected`. Where that is no use, or impossible, the waker is called at once.
    ///
    /// `word` is mapped as long as `ring` lives, and [forgotten](forget) before it is unmapped.
    pub(crate) fn enter(
        &mut self,
        ring: &Arc<impl Watched + 'static>,
        word: &AtomicU32,
        expected: u32,
        (role, position): (Role, u64),
        waker: &Waker,
    ) {
        let word = Word::of(word);
        if self.place().is_some_and(|place| place.word != word) {
            self.leave();
        }
        let Some(reactor) = here() else { return waker.wake_by_ref() };
        let (mine, ring) = (waker.clone(), Arc::<_>::clone(ring) as Arc<dyn Watched>);
        let question = Question { ring: NonNull::from(&*ring), role, position };
        let ticket = self.place().map(|place| place.ticket);
        let mut roster = reactor.roster();
        reactor.make_room(&mut roster, word);
        // SAFETY: the caller's promise, and the ring is kept below.
        let entered = unsafe { roster.enter(ticket, word, expected, mine, question) };
        drop(roster);
        match entered {
            Ok(Entered { ticket, call, replaced }) => {
                drop(replaced);
                self.place = Some(Place { reactor, word, ticket, _ring: ring });
                if let Some(call) = call {
                    futex::wake_privately(&call);
                }
            }
            // Where there is no thread that would wait, this is polling: slow, but it gets there.
            Err(waker) => waker.wake(),
        }
    }

    /// The place, if it is of this process: one that came through a fork is nobody's.
    fn place(&mut self) -> Option<&Place> {
        if self.place.as_ref().is_some_and(|place| !place.is_here()) {
            self.place = None;
        }
        self.place.as_ref()
    }
}

impl Place {
    fn is_here(&self) -> bool {
        existing().is_some_and(|reactor| std::ptr::eq(reactor, self.reactor))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.leave();
    }
}
