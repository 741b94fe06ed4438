//! What became of every message of a round, told from the ledgers.
//!
//! - *Lost*: its send returned, and nobody received it. (One that was being copied out by `recv_into` when its receiver
//!   was killed is in that receiver's last words.)
//! - *Torn*: what was received does not follow from its header.
//! - *Duplicate*: received twice without a flag; or copied out by `recv_into` twice, which acknowledges; or it came
//!   again though whoever had it before did not die with it, nor gave it back.
//! - *Out of order*: one receiver got two of one sender's messages, neither flagged, the later first.
//! - *Forged*: received and never sent, or given back unsent.
//! - *Beyond policy*: received more often than allowed, or dropped in other numbers than allowed: see [`policy`].
//!
//! Nameless messages, too short to say whose they are, are counted, each length for itself: see [`nameless`].

mod nameless;
mod policy;

use crate::crew::Death;
use crate::ledger::{self, Record};
use crate::payload::{Header, NEVER};
use crate::state::State;
use crate::worker::Side;
use nameless::Nameless;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::path::Path;

const SENT: u8 = 1;
const SEEN: u8 = 2;
const UNFLAGGED: u8 = 4;
const COPIED: u8 = 8;
/// How often it was received, up to fifteen.
const ONCE: u8 = 16;

/// Messages that may have been published without their send having returned: one run.
const IN_FLIGHT: usize = 32;
/// More than anybody sends in a round.
const MOST: u64 = 1 << 27;
/// Beyond it a message does not say how often it came.
const MOST_AGAIN: u32 = 14;

/// How many of each kind there were.
#[derive(Clone, Copy, Debug, Default)]
pub struct Verdict {
    pub sent: u64,
    /// Of the sent, those too short to say whose they are.
    pub nameless: u64,
    pub delivered: u64,
    pub redelivered: u64,
    /// Of the received, those of which it was not told whether they come again.
    pub copied: u64,
    /// Never received, as the policy allows.
    pub unseen: u64,
    pub lost: u64,
    pub torn: u64,
    pub duplicates: u64,
    pub disorder: u64,
    pub forged: u64,
    pub unruly: u64,
}

impl Verdict {
    pub fn is_clean(&self) -> bool {
        self.lost + self.torn + self.duplicates + self.disorder + self.forged + self.unruly == 0
    }

    pub fn add(&mut self, other: &Self) {
        self.sent += other.sent;
        self.nameless += other.nameless;
        self.delivered += other.delivered;
        self.redelivered += other.redelivered;
        self.copied += other.copied;
        self.unseen += other.unseen;
        self.lost += other.lost;
        self.torn += other.torn;
        self.duplicates += other.duplicates;
        self.disorder += other.disorder;
        self.forged += other.forged;
        self.unruly += other.unruly;
    }
}

/// Where processes were killed, and what came of what they had in hand.
pub type Fates = BTreeMap<String, BTreeMap<&'static str, u64>>;

/// What the controller knows of a round.
#[derive(Clone, Copy, Debug)]
pub struct Round<'a> {
    pub mpmc: bool,
    /// Most messages that a receiver holds.
    pub hold: u64,
    /// How often a message may come again; `None` is without bound.
    pub limit: Option<u32>,
    /// The highest number of an incarnation.
    pub newest: u64,
    /// Messages that the ring says it dropped.
    pub dropped: u64,
    pub deaths: &'a [Death],
    pub forks: u64,
    pub execs: u64,
    pub last_words: &'a HashSet<Header>,
}

impl Round<'_> {
    /// Messages that the dead may have been handed without having written them down. Of a forked child nothing else is
    /// known than that it has one at a time; and its parent may have died before it counted it.
    fn hidden(&self) -> u64 {
        let of = |death: &Death| death.hidden() + u64::from(death.state == State::Forking);
        self.deaths.iter().map(of).sum::<u64>() + self.forks
    }
}

/// What the ledgers of a round come to.
#[derive(Debug, Default)]
pub struct Judged {
    pub verdict: Verdict,
    pub examples: Vec<String>,
    pub fates: Fates,
}

/// The messages of a round.
#[derive(Debug, Default)]
struct Messages {
    /// One byte each, by sender.
    of: HashMap<u64, Vec<u8>>,
    nameless: Nameless,
    /// How often those came that came again, as they said.
    again: HashMap<Header, u32>,
    /// What each sender wrote down last: how many sends had returned, and whether it was about to send nameless ones.
    last_sent: HashMap<u64, (u64, bool)>,
    /// Messages given back that were handed out as often as allowed.
    spent: u64,
    judged: Judged,
}

impl Messages {
    fn mark(&mut self, header: Header) -> &mut u8 {
        let marks = self.of.entry(header.sender).or_default();
        let at = header.seq as usize;
        if marks.len() <= at {
            marks.resize(at + 1, 0);
        }
        &mut marks[at]
    }

    fn example(&mut self, what: &str, header: Header, by: u64) {
        if self.judged.examples.len() < 8 {
            self.judged.examples.push(format!("{what}: message {} of {}, at {by}", header.seq, header.sender));
        }
    }

    /// Goes through what one incarnation wrote down.
    fn read(&mut self, by: u64, round: &Round<'_>, records: &mut dyn Iterator<Item = Record>) {
        let mut last: HashMap<u64, u64> = HashMap::new();
        let (mut sent, mut trying) = (0, None);
        for record in records {
            trying = None;
            match record {
                Record::Tried { header, count } => trying = Some((header, count)),
                Record::Sent(header) => {
                    self.judged.verdict.sent += 1;
                    if let Some(len) = header.nameless_len() {
                        self.judged.verdict.nameless += 1;
                        self.nameless.of[len].sent += 1;
                    } else {
                        *self.mark(header) |= SENT;
                        sent = header.seq + 1;
                    }
                }
                Record::Rejected { redelivered, .. } => {
                    self.spent += u64::from(policy::is_spent(round, redelivered));
                }
                Record::Delivered { header, whole: false, .. } => {
                    self.judged.verdict.torn += 1;
                    self.example("torn", header, by);
                }
                Record::Delivered { header, redelivered, .. } => {
                    self.delivered(by, round, header, redelivered);
                    if redelivered == Some(0) && header.nameless_len().is_none() {
                        let earlier = last.insert(header.sender, header.seq);
                        if earlier.is_some_and(|earlier| earlier > header.seq) {
                            self.judged.verdict.disorder += 1;
                            self.example("out of order", header, by);
                        }
                    }
                }
            }
        }
        if let Some((header, count)) = trying
            && let Some(len) = header.nameless_len()
        {
            self.nameless.of[len].doubtful += count;
        }
        self.last_sent.insert(by, (sent, trying.is_some()));
    }

    /// One message that came, whole.
    fn delivered(&mut self, by: u64, round: &Round<'_>, header: Header, redelivered: Option<u32>) {
        let verdict = &mut self.judged.verdict;
        verdict.delivered += 1;
        match redelivered {
            None => verdict.copied += 1,
            Some(0) => {}
            Some(_) => verdict.redelivered += 1,
        }
        if redelivered > round.limit.or(redelivered) {
            verdict.unruly += 1;
            self.example("beyond policy", header, by);
        }
        if let Some(len) = header.nameless_len() {
            self.nameless.of[len].delivered(redelivered);
            return;
        }
        if header.seq & NEVER != 0 || header.seq >= MOST || !(1..=round.newest).contains(&header.sender) {
            self.judged.verdict.forged += 1;
            self.example("forged", header, by);
            return;
        }
        let (flag, twice) = match redelivered {
            None => (COPIED, COPIED),
            Some(0) => (UNFLAGGED, UNFLAGGED),
            Some(count) => {
                let most = self.again.entry(header).or_default();
                *most = count.max(*most);
                (0, 0)
            }
        };
        let mark = self.mark(header);
        let before = *mark;
        *mark = (before | SEEN | flag).saturating_add(if before >> 4 < 15 { ONCE } else { 0 });
        let times = u32::from(*mark >> 4);
        if before & twice != 0 {
            self.judged.verdict.duplicates += 1;
            self.example("duplicate", header, by);
        }
        if policy::is_too_often(round, times) {
            self.judged.verdict.unruly += 1;
            self.example("received too often", header, by);
        }
    }

    /// What was sent and never came, and what came without having been sent. Returns how many never came.
    fn close(&mut self, round: &Round<'_>) -> u64 {
        let mut missing = 0;
        let of = std::mem::take(&mut self.of);
        for (&sender, marks) in &of {
            let end = marks.iter().rposition(|mark| mark & SENT != 0).map_or(0, |last| last + 1);
            for (seq, &mark) in marks.iter().enumerate() {
                let header = Header { sender, seq: seq as u64 };
                if mark & (SENT | SEEN) == SENT && !round.last_words.contains(&header) {
                    missing += 1;
                    if round.limit.is_none() {
                        self.example("lost", header, 0);
                    }
                }
                if mark & SEEN != 0 && seq >= end + IN_FLIGHT {
                    self.judged.verdict.forged += 1;
                    self.example("forged", header, 0);
                }
            }
        }
        self.of = of;
        missing
    }

    /// How many messages of those that an incarnation had, and did not give back, came to somebody else after it.
    fn left_by(&self, records: &mut dyn Iterator<Item = Record>) -> u64 {
        let (mut had, mut gave_back) = (HashSet::new(), HashSet::new());
        for record in records {
            match record {
                Record::Delivered { header, redelivered: Some(count), .. }
                    if count < MOST_AGAIN && self.again.get(&header).is_some_and(|&most| most > count) =>
                {
                    had.insert((header, count));
                }
                Record::Rejected { header, redelivered } => _ = gave_back.insert((header, redelivered)),
                _ => {}
            }
        }
        had.difference(&gave_back).count() as u64
    }

    /// What came of what somebody had in hand who was killed, `left` messages of which came to others.
    fn fate(&self, death: &Death, left: u64) -> &'static str {
        let (sent, is_nameless) = self.last_sent.get(&death.id).copied().unwrap_or_default();
        let came = || self.of.get(&death.id).and_then(|marks| marks.get(sent as usize)).is_some_and(|m| m & SEEN != 0);
        match (death.side, death.state) {
            (Side::Sender, State::Sending | State::SendingMany | State::Lending) => match () {
                () if is_nameless => "too short to tell",
                () if came() => "sent",
                () => "not sent",
            },
            (Side::Receiver, _) if left > 0 => "redelivered",
            (Side::Receiver, State::Rejecting) => "given back",
            (Side::Receiver, State::Holding | State::Acknowledging) => "acknowledged",
            _ => "nothing in hand",
        }
    }
}

/// Reads and deletes the ledgers in `folder`, and says what became of the messages. `rest` is what the controller
/// received.
pub fn judge(folder: &Path, rest: &[Record], round: &Round<'_>) -> io::Result<Judged> {
    let mut messages = Messages::default();
    ledger::read_all(folder, |id, records| messages.read(id, round, records))?;
    messages.read(0, round, &mut rest.iter().copied());
    let missing = messages.close(round);
    policy::judge(&mut messages, round, missing);
    // Once more, now that it is known what came again.
    let mut left = HashMap::new();
    ledger::read_all(folder, |id, records| _ = left.insert(id, messages.left_by(records)))?;
    ledger::delete_all(folder)?;
    let ends: HashMap<u64, &Death> = round.deaths.iter().map(|death| (death.id, death)).collect();
    for (&id, &left) in &left {
        // Of whom no end is known, it was a forked child, or became another by exec.
        let most = ends.get(&id).map_or(round.hold, |death| death.in_hand(round.hold));
        // In an spsc ring acknowledgements out of order are forgotten with their process.
        if round.mpmc && left > most {
            messages.judged.verdict.duplicates += left - most;
            messages
                .judged
                .examples
                .push(format!("{left} messages of {id} come again, who had {most} in hand at most"));
        }
    }
    for death in round.deaths.iter().filter(|death| death.was_killed) {
        let stopped = if death.was_stopped { ", stopped" } else { "" };
        let fate = messages.fate(death, left.get(&death.id).copied().unwrap_or(0));
        let place = format!("{:?} {:?}{stopped}", death.side, death.state);
        *messages.judged.fates.entry(place).or_default().entry(fate).or_default() += 1;
    }
    Ok(messages.judged)
}
