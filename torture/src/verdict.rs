//! What became of every message of a round, told from the ledgers.
//!
//! - *Lost*: its send returned, and nobody received it. (One that was being copied out by `recv_into` when its receiver was
//!   killed is in that receiver's last words.)
//! - *Torn*: what was received does not follow from its header.
//! - *Duplicate*: received twice without a flag.
//! - *Out of order*: one receiver got two of one sender's messages, neither flagged, the later first.
//! - *Forged*: received and never sent, or given back unsent.

use crate::ledger::{self, Record};
use crate::payload::{Header, NEVER};
use std::collections::{HashMap, HashSet};
use std::io;
use std::path::Path;

const SENT: u8 = 1;
const SEEN: u8 = 2;
const UNFLAGGED: u8 = 4;

/// Messages that may have been published without their send having returned: one run.
const IN_FLIGHT: usize = 32;
/// More than anybody sends in a round.
const MOST: u64 = 1 << 27;

/// How many of each kind there were.
#[derive(Clone, Copy, Debug, Default)]
pub struct Verdict {
    pub sent: u64,
    pub delivered: u64,
    pub redelivered: u64,
    pub lost: u64,
    pub torn: u64,
    pub duplicates: u64,
    pub disorder: u64,
    pub forged: u64,
}

impl Verdict {
    pub fn is_clean(&self) -> bool {
        self.lost + self.torn + self.duplicates + self.disorder + self.forged == 0
    }

    pub fn add(&mut self, other: &Self) {
        self.sent += other.sent;
        self.delivered += other.delivered;
        self.redelivered += other.redelivered;
        self.lost += other.lost;
        self.torn += other.torn;
        self.duplicates += other.duplicates;
        self.disorder += other.disorder;
        self.forged += other.forged;
    }
}

/// The messages of a round, one byte each.
#[derive(Debug, Default)]
struct Messages {
    of: HashMap<u64, Vec<u8>>,
    verdict: Verdict,
    examples: Vec<String>,
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
        if self.examples.len() < 8 {
            self.examples.push(format!("{what}: message {} of {}, at {by}", header.seq, header.sender));
        }
    }

    /// Goes through what one incarnation wrote down.
    fn read(&mut self, by: u64, newest: u64, records: &mut dyn Iterator<Item = Record>) {
        let mut last: HashMap<u64, u64> = HashMap::new();
        for record in records {
            match record {
                Record::Sent(header) => {
                    *self.mark(header) |= SENT;
                    self.verdict.sent += 1;
                }
                Record::Delivered { header, whole: false, .. } => {
                    self.verdict.torn += 1;
                    self.example("torn", header, by);
                }
                Record::Delivered { header, .. }
                    if header.seq & NEVER != 0 || header.seq >= MOST || !(1..=newest).contains(&header.sender) =>
                {
                    self.verdict.forged += 1;
                    self.example("forged", header, by);
                }
                Record::Delivered { header, redelivered, .. } => {
                    self.verdict.delivered += 1;
                    let mark = self.mark(header);
                    let before = *mark;
                    *mark |= SEEN;
                    if redelivered > 0 {
                        self.verdict.redelivered += 1;
                        continue;
                    }
                    *mark |= UNFLAGGED;
                    if before & UNFLAGGED != 0 {
                        self.verdict.duplicates += 1;
                        self.example("duplicate", header, by);
                    }
                    let earlier = last.insert(header.sender, header.seq);
                    if earlier.is_some_and(|earlier| earlier > header.seq) {
                        self.verdict.disorder += 1;
                        self.example("out of order", header, by);
                    }
                }
            }
        }
    }

    /// What was sent and never came, and what came without having been sent.
    fn close(&mut self, last_words: &HashSet<(u64, u64)>) {
        let of = std::mem::take(&mut self.of);
        for (&sender, marks) in &of {
            let end = marks.iter().rposition(|mark| mark & SENT != 0).map_or(0, |last| last + 1);
            for (seq, &mark) in marks.iter().enumerate() {
                let header = Header { sender, seq: seq as u64 };
                if mark & (SENT | SEEN) == SENT && !last_words.contains(&(sender, header.seq)) {
                    self.verdict.lost += 1;
                    self.example("lost", header, 0);
                }
                if mark & SEEN != 0 && seq >= end + IN_FLIGHT {
                    self.verdict.forged += 1;
                    self.example("forged", header, 0);
                }
            }
        }
    }
}

/// Reads and deletes the ledgers in `folder`, and says what became of the messages. `rest` is what the controller received;
/// `newest` the highest number of an incarnation.
pub fn judge(
    folder: &Path,
    newest: u64,
    rest: &[Record],
    last_words: &HashSet<(u64, u64)>,
) -> io::Result<(Verdict, Vec<String>)> {
    let mut messages = Messages::default();
    ledger::read_all(folder, |id, records| messages.read(id, newest, records))?;
    messages.read(0, newest, &mut rest.iter().copied());
    messages.close(last_words);
    Ok((messages.verdict, messages.examples))
}
