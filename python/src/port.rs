//! A ring as one Python object has it: which sides it has joined, and how its calls wait.
//!
//! A side is joined by its first use, so that whoever merely passes a queue on counts neither as sender nor as receiver. Only a
//! process that was given it as an argument takes part from its start on, so that its death counts before it has done anything:
//! of a queue on both sides, because it may be meant for either, until the first use says which.
//!
//! # Waiting
//!
//! Every call tries once. If that misses, it looks a few times more within a microsecond: a peer that answers from another core
//! takes no longer. Then it lets the interpreter go, and gives way once: a peer that was just woken often waits for this very core,
//! because that is where systems put it, and what the call spins there first comes on top of either side's way. After that it waits
//! in slices, each of which spins and sleeps as the library does; after each it looks at signals, which is how Ctrl-C gets through, and
//! at who has died. Signals are for the main thread alone, and end its slice where they find it asleep. So a slice is as long as the dead may
//! wait, in the main thread [`SLICE`] at most: a signal may come just before it falls asleep, or to another thread. There the first is
//! [`FIRST`], and they grow from there.
//!
//! # Who is told of a death
//!
//! A plain ring says `Disconnected` when the other side is gone, whether it left or died. A *supervised* one (a `Queue`) never
//! does, because the next process may just be starting, as in a pool. There a call is told when somebody of the
//! other side has died, nobody of it lives, and the call would have to wait: once for each death, then it waits for a successor.
//!
//! # Forks
//!
//! The locks here are only taken by threads that are attached to the interpreter, and none is held while it is let go; a
//! fork from Python therefore never copies one that is taken.

use crate::errors::{self, Stop, Way};
use crate::patience::{FIRST, Patience, SLICE, UNDISTURBED};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use ringmail::{Participant, mpmc};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A ring of bytes.
pub type Ring = mpmc::Ring<[u8]>;
/// Its sending side.
pub type Sender = mpmc::Sender<[u8]>;
/// Its receiving side.
pub type Receiver = mpmc::Receiver<[u8]>;

/// Above this many bytes a copy is made without the interpreter.
pub const LARGE: usize = 64 * 1024;

/// How often a call looks again before it lets the interpreter go, and relaxed turns before each look.
const LOOKS: u32 = 3;
const TURNS: u32 = 4;

/// How often the dead are looked for.
const ROUNDS: Duration = Duration::from_millis(200);

/// How an attempt is to wait.
#[derive(Clone, Copy, Debug)]
pub enum Wait {
    /// Not at all.
    No,
    /// For so long at most.
    For(Duration),
}

/// A side that may be joined: not yet, until it or the other one is used, by this handle, or never again.
enum Side<T> {
    Idle,
    Expected(Arc<T>),
    Joined(Arc<T>),
    Closed,
}

/// What is known of the dead of a supervised ring.
#[derive(Default)]
struct Obituaries {
    looked: Option<Instant>,
    /// Which dead processes were told of, and when.
    told: HashMap<u32, Instant>,
    /// Who was dead when this object joined, which clears their places: nobody else would know of them any more.
    before: Vec<Participant>,
}

/// A ring and the sides of it that this object has.
pub struct Port {
    ring: Ring,
    supervised: bool,
    sender: Mutex<Side<Sender>>,
    receiver: Mutex<Side<Receiver>>,
    obituaries: Mutex<Obituaries>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Port {
    /// A port that has joined nothing yet.
    pub fn new(ring: Ring, supervised: bool) -> Self {
        let obituaries = Mutex::default();
        Self { ring, supervised, sender: Mutex::new(Side::Idle), receiver: Mutex::new(Side::Idle), obituaries }
    }

    /// The ring.
    pub fn ring(&self) -> &Ring {
        &self.ring
    }

    /// The sending side, joined by now.
    #[inline]
    pub fn sender(&self) -> PyResult<Arc<Sender>> {
        joined(&self.sender, &self.receiver, || {
            self.remember_the_dead();
            self.ring.sender()
        })
    }

    /// The receiving side, joined by now.
    #[inline]
    pub fn receiver(&self) -> PyResult<Arc<Receiver>> {
        joined(&self.receiver, &self.sender, || {
            self.remember_the_dead();
            self.ring.receiver()
        })
    }

    /// Takes part in sending from now on, to see whether this process lives, until it is known to be there for something else.
    pub fn expect_sender(&self) -> PyResult<()> {
        expect(&self.sender, || self.ring.sender())
    }

    /// As [`expect_sender`](Self::expect_sender), in receiving.
    pub fn expect_receiver(&self) -> PyResult<()> {
        expect(&self.receiver, || self.ring.receiver())
    }

    /// Takes part no more in what was not used yet.
    pub fn withdraw(&self) {
        let unexpected = (vacate(&self.sender), vacate(&self.receiver));
        drop(unexpected);
    }

    /// Leaves both sides for good. A call that is waiting finishes first.
    pub fn close(&self, py: Python<'_>) {
        let sender = std::mem::replace(&mut *lock(&self.sender), Side::Closed);
        let receiver = std::mem::replace(&mut *lock(&self.receiver), Side::Closed);
        // Dropped outside of the locks, and without the interpreter, which the locks are not: leaving wakes others.
        py.detach(|| drop((sender, receiver)));
    }

    /// As [`close`](Self::close), but the ring is to see a process die when this one ends: nothing is laid down in order.
    pub fn abandon(&self) {
        std::mem::forget(std::mem::replace(&mut *lock(&self.sender), Side::Closed));
        std::mem::forget(std::mem::replace(&mut *lock(&self.receiver), Side::Closed));
    }

    /// Whether this object was closed.
    pub fn is_closed(&self) -> bool {
        matches!(*lock(&self.sender), Side::Closed)
    }

    /// How an object that has it is shown: what it is, and how many messages fit.
    pub fn shown(&self, what: &str, size: usize) -> String {
        format!("<ringmail.{what}={size}{}>", if self.is_closed() { " closed" } else { "" })
    }

    /// Messages that nobody has acknowledged.
    pub fn backlog(&self) -> usize {
        match &*lock(&self.receiver) {
            Side::Expected(receiver) | Side::Joined(receiver) => return receiver.len(),
            Side::Idle | Side::Closed => {}
        }
        match &*lock(&self.sender) {
            Side::Expected(sender) | Side::Joined(sender) => sender.len(),
            Side::Idle | Side::Closed => self.ring.stats().backlog,
        }
    }

    /// Goes on with an operation that missed once: waits, signals, deaths. A `brief` one takes no time when it succeeds, so that it may
    /// be tried without letting the interpreter go.
    #[cold]
    #[inline(never)]
    pub fn persist<T: Send>(
        &self,
        py: Python<'_>,
        way: Way,
        patience: Patience,
        brief: bool,
        attempt: impl Fn(Wait) -> Result<T, Stop> + Sync,
    ) -> PyResult<T> {
        let began = Instant::now();
        let attempt = &attempt;
        if brief
            && !matches!(patience, Patience::None)
            && let Some(done) = linger(attempt)
        {
            return done.map_err(|stop| stop.raise(py, way));
        }
        let is_main = is_main();
        let longest = self.longest(is_main);
        ringmail::heed_signals(is_main);
        let mut most = if is_main { FIRST.min(longest) } else { longest };
        let mut has_yielded = false;
        loop {
            let Some(slice) = patience.slice(most) else {
                self.look_round(way, began)?;
                return Err(errors::not_now(py, way));
            };
            let done = py.detach(|| match has_yielded {
                true => attempt(Wait::For(slice)),
                false => after_yielding(attempt, slice),
            });
            has_yielded = true;
            most = (2 * most).min(longest);
            match done {
                Err(Stop::NotNow) => {}
                Err(stop) => return Err(stop.raise(py, way)),
                Ok(done) => return Ok(done),
            }
            py.check_signals()?;
            self.look_round(way, began)?;
        }
    }

    /// For how long a wait may go on without a look at signals and at who has died.
    fn longest(&self, is_main: bool) -> Duration {
        match is_main {
            true => SLICE.min(self.rounds()),
            false => self.rounds(),
        }
    }

    /// How often somebody who waits looks round.
    fn rounds(&self) -> Duration {
        if self.supervised { ROUNDS } else { UNDISTURBED }
    }

    /// Now and then, [`mourn`](Self::mourn)s.
    fn look_round(&self, way: Way, began: Instant) -> PyResult<()> {
        let looked = lock(&self.obituaries).looked;
        if looked.is_some_and(|looked| looked.elapsed() < ROUNDS) { Ok(()) } else { self.mourn(way, began) }
    }

    /// In a supervised ring: an error if the other side died since `began`, or has not been told of yet, and nobody of it lives.
    pub fn mourn(&self, way: Way, began: Instant) -> PyResult<()> {
        if !self.supervised {
            return Ok(());
        }
        let mut obituaries = lock(&self.obituaries);
        let now = Instant::now();
        obituaries.looked = Some(now);
        let participants = self.ring.stats().participants;
        let before = obituaries.before.clone();
        let peers = participants.iter().chain(&before).filter(|peer| match way {
            Way::Out => peer.receivers > 0,
            Way::In => peer.senders > 0,
        });
        let (living, dead): (Vec<_>, Vec<_>) = peers.partition(|peer| peer.alive);
        for peer in &living {
            obituaries.told.remove(&peer.pid);
            obituaries.before.retain(|dead| dead.pid != peer.pid);
        }
        if !living.is_empty() {
            return Ok(());
        }
        let dead: Vec<_> = dead.iter().map(|peer| peer.pid).collect();
        for pid in dead {
            let told = *obituaries.told.entry(pid).or_insert(now);
            if told >= began {
                // The others who are waiting are to be told as well.
                obituaries.looked = None;
                let side = if way == Way::Out { "receiver" } else { "sender" };
                return Err(errors::disconnected(&format!("the last {side}, process {pid}, died")));
            }
        }
        Ok(())
    }

    /// In a supervised ring: notes who is dead before this object joins.
    fn remember_the_dead(&self) {
        if self.supervised {
            let participants = self.ring.stats().participants.into_iter();
            lock(&self.obituaries).before.extend(participants.filter(|peer| !peer.alive));
        }
    }
}

/// Whether Python runs its signal handlers in this thread: in the process's first.
fn is_main() -> bool {
    // SAFETY: nothing is passed.
    let thread = unsafe { libc::gettid() };
    thread.cast_unsigned() == std::process::id()
}

/// Looks a few times more; `None` if that misses.
fn linger<T>(attempt: &impl Fn(Wait) -> Result<T, Stop>) -> Option<Result<T, Stop>> {
    (0..LOOKS).find_map(|_| {
        (0..TURNS).for_each(|_| std::hint::spin_loop());
        match attempt(Wait::No) {
            Err(Stop::NotNow) => None,
            done => Some(done),
        }
    })
}

/// Gives way once before it waits.
fn after_yielding<T>(attempt: &impl Fn(Wait) -> Result<T, Stop>, slice: Duration) -> Result<T, Stop> {
    std::thread::yield_now();
    match attempt(Wait::No) {
        Err(Stop::NotNow) => attempt(Wait::For(slice)),
        done => done,
    }
}

#[inline]
fn joined<T, O, E>(
    side: &Mutex<Side<T>>,
    other: &Mutex<Side<O>>,
    join: impl FnOnce() -> Result<T, E>,
) -> PyResult<Arc<T>>
where
    E: Into<ringmail::JoinError>,
{
    let mut side = lock(side);
    match &*side {
        Side::Joined(handle) => return Ok(Arc::clone(handle)),
        Side::Closed => return Err(PyValueError::new_err("it is closed")),
        Side::Idle | Side::Expected(_) => {}
    }
    let handle = match &*side {
        Side::Expected(handle) => Arc::clone(handle),
        _ => Arc::new(join().map_err(|error| errors::join(error.into()))?),
    };
    *side = Side::Joined(Arc::clone(&handle));
    drop(side);
    drop(vacate(other));
    Ok(handle)
}

/// A side that was not used yet, to be dropped outside of the lock: leaving wakes others.
fn vacate<T>(side: &Mutex<Side<T>>) -> Option<Side<T>> {
    let mut side = lock(side);
    matches!(*side, Side::Expected(_)).then(|| std::mem::replace(&mut *side, Side::Idle))
}

/// Joins a side afresh: what a forked process inherited is its parent's.
fn expect<T, E>(side: &Mutex<Side<T>>, join: impl FnOnce() -> Result<T, E>) -> PyResult<()>
where
    E: Into<ringmail::JoinError>,
{
    let mut side = lock(side);
    if matches!(*side, Side::Closed) {
        return Ok(());
    }
    let handle = Arc::new(join().map_err(|error| errors::join(error.into()))?);
    let inherited = std::mem::replace(&mut *side, Side::Expected(handle));
    drop(side);
    drop(inherited);
    Ok(())
}
