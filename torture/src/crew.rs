//! The processes of a round, and what is done to them.
//!
//! All children's deaths are seen here, also those of forked grandchildren, which come to this process when their
//! parents die. So when a round is over it is certain that nobody of it lives.

use crate::page::{Global, Own, PLACES, Page};
use crate::payload::{self, Header};
use crate::state::{Order, State};
use crate::worker::{Setup, Side};
use std::collections::HashSet;
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

/// What was done, and to whom.
#[derive(Clone, Debug, Default)]
pub struct Deeds {
    pub killed: u64,
    pub stopped: u64,
    pub forks: u64,
    pub execs: u64,
    pub panics: u64,
    pub longest_ns: u64,
}

/// Most messages that a receiver takes at once.
pub const BATCH: u64 = 32;

/// The end of a worker, as its last words tell it.
#[derive(Clone, Copy, Debug)]
pub struct Death {
    /// Which incarnation it was.
    pub id: u64,
    pub side: Side,
    pub state: State,
    pub was_stopped: bool,
    /// Otherwise it left in order.
    pub was_killed: bool,
}

impl Death {
    /// Messages that it may have been handed without having written them down.
    pub fn hidden(&self) -> u64 {
        match (self.side, self.state) {
            (Side::Receiver, State::Receiving | State::ReceivingInto) => 1,
            (Side::Receiver, State::ReceivingMany) => BATCH,
            _ => 0,
        }
    }

    /// Messages that it may have had in hand, of which it held `hold` at most beside those of its last call.
    pub fn in_hand(&self, hold: u64) -> u64 {
        match self.state {
            _ if self.side == Side::Sender || !self.was_killed => 0,
            State::Starting | State::Idle => 0,
            State::Receiving | State::ReceivingInto | State::Forking | State::Executing | State::Leaving => hold,
            _ => hold.max(BATCH),
        }
    }

    /// Whether it may have died between dropping a message and counting that: in a call that looks after the dead.
    pub fn may_have_dropped(&self) -> bool {
        self.was_killed && (self.hidden() > 0 || self.state == State::Starting)
    }
}

/// A worker's process.
#[derive(Debug)]
struct Process {
    pid: libc::pid_t,
    setup: Setup,
    /// When it goes on, if it is stopped.
    stopped: Option<Instant>,
}

/// All of a round.
#[derive(Debug)]
pub struct Crew<'a> {
    page: &'a Page,
    ring: Option<OwnedFd>,
    places: Vec<Option<Process>>,
    pub deeds: Deeds,
    pub deaths: Vec<Death>,
    /// Messages that were in `recv_into` when their receiver died.
    pub last_words: HashSet<Header>,
    pub violations: Vec<String>,
}

impl<'a> Crew<'a> {
    /// Nobody yet. `ring` is given to workers that know no name.
    pub fn new(page: &'a Page, ring: Option<OwnedFd>) -> Self {
        (0..=PLACES).for_each(|place| page.clear(place));
        page.global(Global::NextId).store(0, SeqCst);
        let places = (0..PLACES).map(|_| None).collect();
        let (deeds, deaths, last_words, violations) = (Deeds::default(), Vec::new(), HashSet::new(), Vec::new());
        Self { page, ring, places, deeds, deaths, last_words, violations }
    }

    pub fn start(&mut self, setup: Setup) {
        let place = setup.place;
        self.page.clear(place);
        let input = match &self.ring {
            Some(ring) => Stdio::from(ring.try_clone().expect("a descriptor is left")),
            None => Stdio::null(),
        };
        let child = Command::new("/proc/self/exe").args(setup.args()).stdin(input).spawn();
        let pid = child.expect("a process can be started").id() as libc::pid_t;
        self.places[place] = Some(Process { pid, setup, stopped: None });
    }

    pub fn is_over(&self) -> bool {
        self.places.iter().all(Option::is_none)
    }

    /// The places of a side that somebody has.
    pub fn of(&self, side: Side) -> Vec<usize> {
        let is = |place: &usize| self.places[*place].as_ref().is_some_and(|process| process.setup.side == side);
        (0..PLACES).filter(is).collect()
    }

    /// How many of a side can run.
    pub fn running(&self, side: Side) -> usize {
        self.of(side).into_iter().filter(|&place| self.can_run(place)).count()
    }

    pub fn can_run(&self, place: usize) -> bool {
        self.places[place].as_ref().is_some_and(|process| process.stopped.is_none())
            && self.page.own(place, Own::Ready).load(SeqCst) != 0
            && self.page.own(place, Own::Order).load(SeqCst) != Order::Exec as u64
    }

    pub fn is_stopped(&self, place: usize) -> bool {
        self.places[place].as_ref().is_some_and(|process| process.stopped.is_some())
    }

    /// Tells the workers whether one can run on each side.
    pub fn publish_absence(&self) {
        for side in [Side::Sender, Side::Receiver] {
            self.page.absence(side).set(self.running(side) == 0);
        }
    }

    /// Before somebody is taken out.
    fn will_lose(&self, place: usize) {
        let Some(process) = &self.places[place] else { return };
        let side = process.setup.side;
        if self.can_run(place) && self.running(side) <= 1 {
            self.page.absence(side).set(true);
        }
    }

    fn signal(&self, place: usize, signal: libc::c_int) {
        if let Some(process) = &self.places[place] {
            // SAFETY: touches no memory; the child is not reaped yet, so the id is its.
            unsafe { libc::kill(process.pid, signal) };
        }
    }

    pub fn kill(&self, place: usize) {
        self.will_lose(place);
        self.signal(place, libc::SIGKILL);
    }

    pub fn stop(&mut self, place: usize, time: Duration) {
        self.will_lose(place);
        self.page.stopped(place).set(true);
        self.signal(place, libc::SIGSTOP);
        if let Some(process) = &mut self.places[place] {
            process.stopped = Some(Instant::now() + time);
        }
        self.deeds.stopped += 1;
    }

    /// Lets those go on whose time has come, or all.
    pub fn go_on(&mut self, all: bool) {
        let now = Instant::now();
        for place in 0..PLACES {
            let due = |process: &Process| process.stopped.is_some_and(|until| all || until <= now);
            if self.places[place].as_ref().is_some_and(due) {
                self.signal(place, libc::SIGCONT);
                self.page.stopped(place).set(false);
                if let Some(process) = &mut self.places[place] {
                    process.stopped = None;
                }
            }
        }
    }

    pub fn order(&mut self, place: usize, order: Order) {
        if order == Order::Exec {
            self.will_lose(place);
            self.deeds.execs += 1;
        }
        self.page.own(place, Own::Order).store(order as u64, SeqCst);
    }

    /// Buries the dead; returns what the workers among them were told.
    pub fn bury(&mut self) -> Vec<Setup> {
        let mut gone = Vec::new();
        loop {
            let mut status = 0;
            // SAFETY: `status` is writable.
            let pid = unsafe { libc::waitpid(-1, &mut status, libc::WNOHANG) };
            if pid <= 0 {
                break;
            }
            let (code, signal) = (libc::WEXITSTATUS(status), libc::WTERMSIG(status));
            if libc::WIFEXITED(status) && code != 0 {
                self.violations.push(format!("process {pid} ended with code {code}"));
            } else if libc::WIFSIGNALED(status) && signal != libc::SIGKILL {
                self.violations.push(format!("process {pid} ended by signal {signal}"));
            }
            let place = (0..PLACES).find(|&place| self.places[place].as_ref().is_some_and(|one| one.pid == pid));
            if let Some(process) = place.and_then(|place| self.places[place].take()) {
                self.close_place(&process, libc::WIFSIGNALED(status));
                gone.push(process.setup);
            }
        }
        gone
    }

    /// Counts what a dead worker did, and hears its last words.
    fn close_place(&mut self, process: &Process, was_killed: bool) {
        let Setup { side, place, .. } = process.setup;
        let own = |which| self.page.own(place, which).load(SeqCst);
        self.deeds.killed += u64::from(was_killed);
        self.deeds.forks += own(Own::Forks);
        self.deeds.panics += own(Own::Panics);
        self.deeds.longest_ns = self.deeds.longest_ns.max(own(Own::Longest));
        let state = State::of(own(Own::State));
        self.deaths.push(Death { id: own(Own::Id), side, state, was_stopped: process.stopped.is_some(), was_killed });
        if state == State::ReceivingInto {
            self.last_words.extend(payload::find(&self.page.last_words(place)));
        }
    }

    /// Whether any child lives, also one that has no place here.
    pub fn has_children(&self) -> bool {
        let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
        // SAFETY: all zeroes are a value of this type.
        let mut info = unsafe { std::mem::zeroed() };
        // SAFETY: `info` is writable.
        unsafe { libc::waitid(libc::P_ALL, 0, &mut info, flags) == 0 }
    }

    pub fn newest(&self) -> u64 {
        self.page.global(Global::NextId).load(SeqCst)
    }

    /// Who lives, and what they do.
    pub fn describe(&self) -> String {
        let living = self.places.iter().flatten().map(|process| {
            let state = State::of(self.page.own(process.setup.place, Own::State).load(SeqCst));
            format!("{:?} {state:?}", process.setup.side)
        });
        let living: Vec<_> = living.collect();
        if living.is_empty() { "forked children".to_owned() } else { living.join(", ") }
    }
}
