//! Who waits without a thread of their own: the table behind [`reactor`](crate::reactor), kept under its lock.
//!
//! A task that misses enters its waker under the event word that it would have slept on, and a few *sleepers*,
//! threads that serve everybody, sleep on all such words at once, each on its share and on a word of its own, by
//! which it is called.
//!
//! # Why no wake-up is lost
//!
//! A task does what a sleeping thread does ([`wait`]): it sets WAITERS, passes the barrier, looks once more, and
//! then, instead of falling asleep while the word is as it was, [enters](Roster::enter) with that value. Under the
//! lock the word is compared: if its epoch has moved on, the task is told to look again. So when somebody has
//! entered, the word has WAITERS set and the epoch that the table notes, and the next publisher, or close, or
//! departure, makes a new epoch, and *then* wakes the word. (Whoever entered at an earlier epoch waits on: the
//! newcomer looked after that one's end, and found nothing.) Two things follow.
//!
//! *A sleeper that is about to sleep on the word does not.* In its [turn](Roster::turn), under the lock, it takes the
//! wakers of all whose epoch has moved on, and goes to sleep on the values that it read there. The kernel compares
//! them again: an epoch that moved on since keeps it awake for another turn.
//!
//! *One that sleeps on it is woken.* The kernel wakes by address: it does not matter at which value the sleeper fell
//! asleep. This is why a word that was entered before, and is still slept on, takes no call: the sleeper's next turn
//! finds everybody. A new word does: its sleeper is called by a new value of its own word, which it read in its turn,
//! and so notices also if it is only about to sleep.
//!
//! Whoever makes a new epoch may be killed before it wakes anybody, or after it published and before the new epoch.
//! So a sleeper with words to sleep on does so for no longer than [`NAP`](wait::NAP), takes another turn, and
//! [asks](Roster::begin_asking) of each word where somebody waits whether there is anything to look at.
//!
//! # Why the words are there
//!
//! Nobody enters without keeping the ring, and what leaves the ring [forgets](Roster::forget) its words before it
//! unmaps them, under the lock. All looks at words are made under the lock. What the kernel is given is only an
//! address.

use crate::sync::{AtomicU32, Ordering::*};
use crate::wait;
use std::collections::BTreeMap;
use std::ptr::NonNull;
use std::sync::Arc;
use std::task::Waker;

/// An event word of a ring that this process has mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Word(NonNull<AtomicU32>);

// SAFETY: only an address; it is looked at under the lock, as the head of this file says.
unsafe impl Send for Word {}
// SAFETY: as above.
unsafe impl Sync for Word {}

impl Word {
    /// The word as an address.
    pub fn of(word: &AtomicU32) -> Self {
        Self(NonNull::from(word))
    }

    /// The address.
    pub fn as_ptr(self) -> *const AtomicU32 {
        self.0.as_ptr()
    }

    /// What the word is now.
    ///
    /// # Safety
    ///
    /// It is mapped: it stands in the table, whose lock is held.
    unsafe fn look(self) -> u32 {
        // SAFETY: by contract.
        unsafe { self.0.as_ref() }.load(Relaxed)
    }
}

/// Who waits on what. `Q` is what a sleeper needs to ask about a word.
#[derive(Debug)]
pub struct Roster<Q> {
    watches: BTreeMap<Word, Watch<Q>>,
    sleepers: Vec<Sleeper>,
    /// How many words a sleeper takes.
    share: usize,
    last_ticket: u64,
}

/// A word that is slept on.
#[derive(Debug)]
struct Watch<Q> {
    /// What it was when those who wait entered.
    seen: u32,
    sleeper: usize,
    /// Whether its sleeper has had a turn since it was first entered.
    is_slept_on: bool,
    question: Q,
    /// By ticket, so that who has waited longest is woken first.
    waiters: BTreeMap<u64, Waiter>,
}

/// One that waits, or was woken and has not looked yet.
#[derive(Debug)]
struct Waiter {
    waker: Option<Waker>,
    /// The last alarm that it was woken for.
    alarm: Option<u64>,
    is_alarmed: bool,
}

/// A thread that sleeps for others.
#[derive(Debug)]
struct Sleeper {
    /// Changed to call it.
    call: Arc<AtomicU32>,
    words: Vec<Word>,
    /// Whether it sleeps, or is about to without another turn.
    is_asleep: bool,
    /// Whether it cannot be called: where a thread can sleep on one word only, and that is another's.
    is_deaf: bool,
    /// What it asks about, without the lock.
    asking: Option<Word>,
}

/// A place in the table.
#[derive(Debug)]
pub struct Entered {
    /// To re-enter and to leave by.
    pub ticket: u64,
    /// The sleeper to be woken, by its own word.
    pub call: Option<Arc<AtomicU32>>,
    /// The waker of an earlier time, to be dropped without the lock.
    pub replaced: Option<Waker>,
}

/// What came of asking about a word.
#[derive(Clone, Copy, Debug, Default)]
pub struct Answer {
    /// There is something to look at.
    pub has_news: bool,
    /// Everybody of the other side is gone; each waiter is woken once for each such number.
    pub alarm: Option<u64>,
}

impl<Q: Copy> Roster<Q> {
    /// An empty one, of sleepers that take up to `share` words each.
    pub fn new(share: usize) -> Self {
        Self { watches: BTreeMap::new(), sleepers: Vec::new(), share, last_ticket: 0 }
    }

    /// Whether a word has no sleeper, and none has room for it.
    pub fn is_crowded(&self, word: Word) -> bool {
        !self.watches.contains_key(&word) && self.vacancy().is_none()
    }

    fn vacancy(&self) -> Option<usize> {
        self.sleepers.iter().position(|sleeper| sleeper.words.len() < self.share && !sleeper.is_deaf)
    }

    /// Counts a further sleeper, and says which it is.
    pub fn add_sleeper(&mut self) -> usize {
        let call = Arc::new(AtomicU32::new(0));
        self.sleepers.push(Sleeper { call, words: Vec::new(), is_asleep: false, is_deaf: false, asking: None });
        self.sleepers.len() - 1
    }

    /// Does without the last sleeper, which never had a turn.
    pub fn remove_sleeper(&mut self) {
        self.sleepers.pop();
    }

    /// Enters one that missed on `word` after it had prepared to sleep while that is `expected`; with the ticket of an
    /// earlier time if it has one. Gives the waker back if the word has moved on, or no sleeper has room: look again.
    ///
    /// # Safety
    ///
    /// The word is mapped until it is [forgotten](Self::forget).
    pub unsafe fn enter(
        &mut self,
        ticket: Option<u64>,
        word: Word,
        expected: u32,
        waker: Waker,
        question: Q,
    ) -> Result<Entered, Waker> {
        // SAFETY: by contract, and the caller has the table to itself.
        if wait::is_news(expected, unsafe { word.look() }) {
            return Err(waker);
        }
        let vacancy = self.vacancy();
        let watch = match self.watches.get_mut(&word) {
            Some(watch) => watch,
            None => {
                let Some(sleeper) = vacancy else { return Err(waker) };
                self.sleepers[sleeper].words.push(word);
                let waiters = BTreeMap::new();
                let watch = Watch { seen: expected, sleeper, is_slept_on: false, question, waiters };
                self.watches.entry(word).or_insert(watch)
            }
        };
        // Those who entered at an earlier epoch wait on: there is nothing for them, or this one would have found it.
        watch.seen = expected;
        watch.question = question;
        let known = ticket.filter(|ticket| watch.waiters.contains_key(ticket));
        let ticket = known.unwrap_or_else(|| {
            self.last_ticket += 1;
            self.last_ticket
        });
        let fresh = || Waiter { waker: None, alarm: None, is_alarmed: false };
        let replaced = watch.waiters.entry(ticket).or_insert_with(fresh).waker.replace(waker);
        let sleeper = &mut self.sleepers[watch.sleeper];
        let call = (!watch.is_slept_on && sleeper.is_asleep).then(|| {
            sleeper.is_asleep = false;
            sleeper.call.fetch_add(1, Relaxed);
            Arc::clone(&sleeper.call)
        });
        Ok(Entered { ticket, call, replaced })
    }

    /// Whether a word is being asked about, without the lock: nobody may leave it.
    pub fn is_asked(&self, word: Word) -> bool {
        self.watches.get(&word).is_some_and(|watch| self.sleepers[watch.sleeper].asking == Some(word))
    }

    /// Lets one leave. Returns its waker, to be dropped without the lock.
    pub fn leave(&mut self, word: Word, ticket: u64) -> Option<Waker> {
        // The word is slept on a while longer: most who leave enter again.
        self.watches.get_mut(&word)?.waiters.remove(&ticket)?.waker
    }

    /// Whether one was woken by an alarm since it was last asked.
    pub fn take_alarm(&mut self, word: Word, ticket: u64) -> bool {
        let waiter = self.watches.get_mut(&word).and_then(|watch| watch.waiters.get_mut(&ticket));
        waiter.is_some_and(|waiter| std::mem::take(&mut waiter.is_alarmed))
    }

    /// Strikes a word that is about to be unmapped. Returns who waited on it (nobody, since they keep it), to be
    /// dropped without the lock.
    pub fn forget(&mut self, word: Word) -> Option<impl Sized + use<Q>> {
        let watch = self.watches.remove(&word)?;
        self.sleepers[watch.sleeper].words.retain(|&other| other != word);
        Some(watch.waiters)
    }

    /// A sleeper's turn: moves to `ready` the wakers of all whose word has moved on, and lists what to sleep on, as
    /// word and value; its own comes apart. If nobody is ready, the sleeper is taken to be asleep from here on.
    pub fn turn(
        &mut self,
        sleeper: usize,
        ready: &mut Vec<Waker>,
        list: &mut Vec<(Word, u32)>,
    ) -> (Arc<AtomicU32>, u32) {
        let Self { watches, sleepers, share, .. } = self;
        let sleeper = &mut sleepers[sleeper];
        for &word in &sleeper.words {
            let Some(watch) = watches.get_mut(&word) else { continue };
            // SAFETY: in the table.
            let now = unsafe { word.look() };
            if wait::is_news(watch.seen, now) {
                watch.seen = now;
                ready.extend(watch.waiters.values_mut().filter_map(|waiter| waiter.waker.take()));
            }
            watch.is_slept_on = true;
            list.push((word, now));
        }
        sleeper.is_asleep = ready.is_empty();
        sleeper.is_deaf = *share == 1 && !list.is_empty();
        // Nobody changes it but under the lock.
        (Arc::clone(&sleeper.call), sleeper.call.load(Relaxed))
    }

    /// The words of a sleeper that somebody waits on. The others are slept on no longer.
    pub fn waited_on(&mut self, sleeper: usize) -> Vec<Word> {
        let Self { watches, sleepers, .. } = self;
        let words = &mut sleepers[sleeper].words;
        words.retain(|word| {
            let is_idle = watches.get(word).is_none_or(|watch| watch.waiters.is_empty());
            if is_idle {
                watches.remove(word);
            }
            !is_idle
        });
        words.clone()
    }

    /// What is needed to ask about a word, if somebody is still asleep on it. Nobody leaves it until
    /// [`end_asking`](Self::end_asking).
    pub fn begin_asking(&mut self, sleeper: usize, word: Word) -> Option<Q> {
        let watch = self.watches.get(&word)?;
        if watch.waiters.values().all(|waiter| waiter.waker.is_none()) {
            return None;
        }
        self.sleepers[sleeper].asking = Some(word);
        Some(watch.question)
    }

    /// Moves to `ready` the wakers of all whom the answer concerns.
    pub fn end_asking(&mut self, sleeper: usize, answer: Answer, ready: &mut Vec<Waker>) {
        let word = self.sleepers[sleeper].asking.take();
        let Some(watch) = word.and_then(|word| self.watches.get_mut(&word)) else { return };
        for waiter in watch.waiters.values_mut() {
            let is_alarm = answer.alarm.is_some() && waiter.alarm != answer.alarm;
            if is_alarm && waiter.waker.is_some() {
                (waiter.alarm, waiter.is_alarmed) = (answer.alarm, true);
            }
            if answer.has_news || is_alarm {
                ready.extend(waiter.waker.take());
            }
        }
    }
}
