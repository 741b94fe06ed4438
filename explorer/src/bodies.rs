//! The bodies of long messages: the core's own pool, in every order of steps, with a death before each.
//!
//! The core says whose a body is; `src/bodies.rs` of the product says what its user does with the memory, and cannot be
//! compiled here, for it asks the system. So its two procedures, to obtain memory and to give it back, are told once
//! more, access by access, in `Hand`. The memory is a `Room` that knows what it cannot know in truth: whether
//! there is any, and who wrote what.
//!
//! What is checked in every state and step:
//!
//! - a body has one user: a sender who fills it, a message in the ring, or somebody who gives its memory back;
//! - who is named in a body as giving its memory back, and lives, is about to, and there is a body for everybody who
//!   wants one;
//! - nobody touches a body where no memory is, whatever its watermark says;
//! - a receiver reads the whole of the very message that it took;
//! - when all are killed, what was sent and not acknowledged is there to be read; then every slot takes a message with
//!   a body again; and whoever tidies up finds all the memory, also what the dead had just got;
//! - of bodies that name a message in the ring, there are those that it lies in, and no others;
//! - when all is acknowledged and nobody died, no more bodies have memory than are to be retained (where a scenario says how
//!   many; where not, what is acknowledged is given back, whatever else there is).

pub mod mpmc;
pub mod spsc;

use crate::owner::Owner;
use crate::ring::body::{Name, Pool, Rotation, Run, Seized, Tenancy};
use crate::ring::idle::{self, Idle, Look};
use crate::ring::{body, mpmc as mpmc_core, spsc as spsc_core};
use crate::search::{Print, Verdict};
use crate::sync::{self, AtomicU64, CELLS, DEAD, Log, Memory, Mutant, Ordering::SeqCst, mutant};
use std::fmt::Write;

/// The most slots of a ring.
const SLOTS: usize = 2;
/// The most bodies.
pub const BODIES: usize = 5;
const SKIPS: usize = SLOTS;
const EXTRA: usize = 2 * SLOTS;
const TAIL: usize = EXTRA + 1;
const HEAD: usize = TAIL + 1;
const USERS: usize = HEAD + 1;
const LEFT: usize = USERS + BODIES;
const GIVEN: usize = LEFT + 1;
const BASE: usize = GIVEN + 1;
const _: () = assert!(BASE < DEAD);

/// The most holders that a role has one after the other.
const DEAD_PLACES: usize = 6;

/// The names of the shared words, of either flavour.
#[derive(Clone, Copy, Debug)]
pub struct Names;

static CELL: [AtomicU64; CELLS] = {
    let mut cells = [const { AtomicU64(0) }; CELLS];
    let mut index = 0;
    while index < CELLS {
        cells[index] = AtomicU64(index);
        index += 1;
    }
    cells
};

impl body::Shared for Names {
    fn body(&self, index: usize) -> &AtomicU64 {
        &CELL[USERS + index]
    }
}

impl idle::Shared for Names {
    fn left(&self) -> &AtomicU64 {
        &CELL[LEFT]
    }
    fn given(&self) -> &AtomicU64 {
        &CELL[GIVEN]
    }
    fn base(&self) -> &AtomicU64 {
        &CELL[BASE]
    }
}

impl spsc_core::Shared for Names {
    fn tail(&self) -> &AtomicU64 {
        &CELL[TAIL]
    }
    fn head(&self) -> &AtomicU64 {
        &CELL[HEAD]
    }
    fn taken(&self) -> &AtomicU64 {
        &CELL[EXTRA]
    }
}

impl mpmc_core::Shared for Names {
    fn word(&self, index: usize) -> &AtomicU64 {
        &CELL[index]
    }
    fn skip(&self, index: usize) -> &AtomicU64 {
        &CELL[SKIPS + index]
    }
    fn bumped(&self) -> &AtomicU64 {
        &CELL[EXTRA]
    }
    fn tail(&self) -> &AtomicU64 {
        &CELL[TAIL]
    }
    fn head(&self) -> &AtomicU64 {
        &CELL[HEAD]
    }
    fn count(&self, _: mpmc_core::Event) {}
}

/// Whether the kernel says that somebody is dead.
fn is_dead(owner: Owner) -> bool {
    owner == Owner::ORPHAN || CELL[DEAD].load(SeqCst) >> owner.index() & 1 != 0
}

/// What a slot says of its message: which body it lies in, or the first of how many, and, for the judge, which message it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Description {
    body: u8,
    count: u8,
    message: u8,
}

impl Description {
    fn new(run: Run, message: u8) -> Self {
        Self { body: run.first as u8, count: run.count as u8, message }
    }

    fn run(self) -> Run {
        Run { first: self.body.into(), count: self.count.into() }
    }

    /// The body in which a half of the message lies.
    fn body_of(self, half: usize) -> usize {
        body_of(self.run(), half)
    }
}

/// The body in which a half of a message lies: of two bodies, each has one.
fn body_of(run: Run, half: usize) -> usize {
    run.first + if run.count > 1 { half } else { 0 }
}

/// The memory of the bodies.
#[derive(Clone, Copy, Debug, Default)]
struct Room {
    /// Whether a body is said to have memory.
    watermark: [bool; BODIES],
    /// Whether it is said that it may have more.
    unsure: [bool; BODIES],
    /// Whether it has.
    is_there: [bool; BODIES],
    /// Two halves of a message, so that tearing shows.
    content: [[u8; 2]; BODIES],
    slots: [Description; SLOTS],
}

impl Room {
    fn write(&mut self, run: Run, half: usize, message: u8) -> Result<(), Verdict> {
        let body = body_of(run, half);
        self.content[body][half] = message;
        if self.is_there[body] { Ok(()) } else { Err(Verdict::Gone) }
    }

    /// Reads half of the message of a slot.
    fn read(&self, slot: usize, half: usize) -> Result<(), Verdict> {
        let Description { message, .. } = self.slots[slot];
        match self.slots[slot].body_of(half) {
            // The product says that such a message is none.
            body if !self.watermark[body] => Err(Verdict::Lost),
            body if !self.is_there[body] => Err(Verdict::Gone),
            body if self.content[body][half] != message => Err(Verdict::Torn),
            _ => Ok(()),
        }
    }

    fn digest(&self, print: &mut Print) {
        let bits = |bits: [bool; BODIES]| bits.iter().fold(0, |all, &bit| all << 1 | u64::from(bit));
        let content = |half: usize| self.content.iter().fold(0, |all, halves| all << 8 | u64::from(halves[half]));
        let flags = bits(self.watermark) << 16 | bits(self.unsure) << 8 | bits(self.is_there);
        print.add(flags << 40 | content(0));
        print.add(content(1));
        let slot =
            |slot: &Description| u64::from(slot.body) << 16 | u64::from(slot.count) << 8 | u64::from(slot.message);
        print.add(self.slots.iter().fold(0, |all, of| all << 24 | slot(of)));
    }
}

/// How far somebody has come with memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Stage {
    Idle,
    /// Claims a body.
    Claim,
    /// Looks for one in nobody's use.
    Find,
    /// Looks whether it has memory.
    Look,
    /// Says that it may have more.
    Mark,
    /// Gets memory for it.
    Commit,
    /// Says so.
    Raise,
    /// Counts a body as idle.
    Count,
    /// Asks whether more may be idle than stays.
    Ask,
    /// Begins to look at all bodies.
    Begin,
    /// Looks whether a body has memory.
    Weigh,
    /// Looks whether it is idle.
    Taken,
    /// Notes how many are.
    End,
    /// Asks once more.
    Again,
    /// Looks whether it is worth while to tidy up there.
    Worth,
    /// Looks whether somebody died giving it back.
    Doubt,
    /// Takes it to give its memory back.
    Seize,
    /// Looks how much it has.
    Had,
    /// Counts it as given back.
    Give,
    /// Gives it back.
    Punch,
    /// Says so.
    Lower,
    /// Sets it free.
    Release,
}

/// What somebody wants with memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Aim {
    /// A body with memory for a message.
    Obtain,
    /// Memory for some message or other: of a sender who was told before that there is none.
    Expect,
    /// To give a body's memory back.
    Trim,
    /// To give back what is idle beyond what stays, now that one more is.
    Leave,
    /// To give back all that nobody uses.
    Tidy,
}

/// What a step came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Came {
    /// There is more to do.
    On,
    /// Bodies were obtained.
    With(Run),
    /// There is none.
    Without,
    /// It is done.
    Over,
}

/// Somebody who obtains memory or gives it back.
#[derive(Clone, Copy, Debug)]
struct Hand {
    stage: Stage,
    aim: Aim,
    body: usize,
    /// Bodies that the message takes, that are to be left, or to be given back: from which on, how many, and how many of them
    /// are still to be seen to.
    first: usize,
    run: usize,
    more: usize,
    seized: Seized,
    keep: bool,
    /// Bodies to look at before all is tidy.
    left: usize,
    count: usize,
    /// A second time.
    is_again: bool,
    /// Bodies that stay.
    retain: u64,
    /// Whether all bodies are looked at before the one that was left is given back.
    looks: bool,
    /// All that was ever left, and what is known of a look.
    sum: u64,
    look: Option<Look>,
    /// Bodies found idle; and of these, those that are too many.
    found: u64,
    over: u64,
    /// Of the rotation.
    next: u64,
    window: u64,
}

impl Hand {
    const fn new() -> Self {
        Self {
            stage: Stage::Idle,
            aim: Aim::Obtain,
            body: 0,
            first: 0,
            run: 1,
            more: 0,
            seized: Seized::Sound,
            keep: false,
            left: 0,
            count: 0,
            is_again: false,
            retain: 0,
            looks: false,
            sum: 0,
            look: None,
            found: 0,
            over: 0,
            next: 0,
            window: 0,
        }
    }

    /// Begins. `run` is how many bodies a message is to have.
    fn start(&mut self, aim: Aim, run: usize, count: usize) {
        let stage = match aim {
            Aim::Obtain => Stage::Claim,
            Aim::Expect => Stage::Find,
            Aim::Trim => Stage::Seize,
            Aim::Leave => Stage::Count,
            Aim::Tidy => Stage::Worth,
        };
        *self = Self { stage, aim, run, left: count, count, next: self.next, window: self.window, ..Self::new() };
    }

    /// Begins to give back bodies that were left: all of them, where nobody counts; else to count them as idle, and to give back what
    /// then is too much. The last first.
    fn leave(&mut self, run: Run, count: usize, keeps: Option<(u64, bool)>) {
        self.start(if keeps.is_some() { Aim::Leave } else { Aim::Trim }, run.count, count);
        (self.first, self.more, self.body) = (run.first, run.count - 1, run.first + run.count - 1);
        (self.retain, self.looks) = keeps.unwrap_or_default();
    }

    /// Begins to give back what is too much, if it is, after bodies were counted as idle on the way.
    fn ask_again(&mut self, count: usize, (retain, looks): (u64, bool)) {
        self.start(Aim::Leave, 1, count);
        (self.stage, self.retain, self.looks) = (Stage::Again, retain, looks);
    }

    /// The bodies that it uses.
    fn uses(&self) -> std::ops::Range<usize> {
        use Stage::*;
        let is_free = mutant(Mutant::ReleaseFirst) && self.stage == Lower;
        match self.stage {
            Look | Mark | Commit | Raise if self.aim == Aim::Obtain => self.first..self.first + self.run,
            Look | Mark | Commit | Raise | Had | Give | Punch | Lower | Release if !is_free => self.body..self.body + 1,
            _ => 0..0,
        }
    }

    fn end(&mut self, came: Came) -> Came {
        *self = Self { next: self.next, window: self.window, ..Self::new() };
        came
    }

    /// It has a body, with memory.
    fn has(&mut self) -> Came {
        if self.aim == Aim::Obtain {
            if self.body + 1 == self.first + self.run {
                return self.end(Came::With(Run { first: self.first, count: self.run }));
            }
            (self.body, self.stage) = (self.body + 1, Stage::Look);
            return Came::On;
        }
        self.stage = Stage::Release;
        Came::On
    }

    /// It is done with giving back one body.
    fn clear(&mut self) -> Came {
        let is_own = self.aim == Aim::Leave && self.look.is_none();
        if self.more > 0 && (self.aim == Aim::Trim || (is_own && self.over > 0)) {
            (self.more, self.body, self.stage) = (self.more - 1, self.body - 1, Stage::Seize);
            return Came::On;
        }
        if matches!(self.aim, Aim::Trim | Aim::Expect) {
            return self.end(Came::Over);
        }
        if is_own {
            self.stage = Stage::Again;
            return Came::On;
        }
        self.left -= 1;
        self.stage = Stage::Worth;
        Came::On
    }

    /// One access.
    fn step(
        &mut self,
        (memory, room, log): (&mut Memory, &mut Room, &mut Log),
        pool: &Pool<Names>,
        tenancy: &impl Tenancy,
        me: Owner,
        position: u64,
    ) -> Came {
        let (body, idle) = (self.body, Idle::new(Names));
        self.stage = match self.stage {
            Stage::Idle => unreachable!("nothing is wanted"),
            Stage::Claim => {
                let rotation = Rotation::default();
                rotation.next.set(self.next);
                rotation.window.set(self.window);
                let (run, watermark) = (self.run, room.watermark);
                let let_go = |body: usize| {
                    pool.release(body);
                    idle.leave(watermark[body].into());
                };
                let claim = || match run {
                    1 => pool.claim(&rotation, (1, usize::MAX), position, tenancy).map(Run::one),
                    _ => pool.claim_run(run, position, tenancy, |_, _| true, let_go),
                };
                let Some(claimed) = sync::step(memory, log, claim) else { return Came::On };
                (self.next, self.window) = (rotation.next.get(), rotation.window.get());
                match claimed {
                    Some(run) => {
                        (self.first, self.body) = (run.first, run.first);
                        Stage::Look
                    }
                    None if self.is_again => return self.end(Came::Without),
                    None => {
                        self.is_again = true;
                        Stage::Worth
                    }
                }
            }
            Stage::Find => {
                let count = self.count;
                let find = || (0..count).find(|&body| !pool.is_in_use(body, tenancy));
                match sync::step(memory, log, find) {
                    None => return Came::On,
                    Some(None) => return self.end(Came::Over),
                    Some(Some(body)) => {
                        self.body = body;
                        Stage::Seize
                    }
                }
            }
            Stage::Look if room.watermark[body] => return self.has(),
            Stage::Look if mutant(Mutant::WatermarkFirst) => Stage::Raise,
            Stage::Look if mutant(Mutant::Unmarked) => Stage::Commit,
            Stage::Look => Stage::Mark,
            Stage::Mark => {
                room.unsure[body] = true;
                Stage::Commit
            }
            Stage::Commit => {
                room.is_there[body] = true;
                if mutant(Mutant::WatermarkFirst) {
                    return self.has();
                }
                Stage::Raise
            }
            Stage::Raise => {
                (room.watermark[body], room.unsure[body]) = (true, false);
                if !mutant(Mutant::WatermarkFirst) {
                    return self.has();
                }
                Stage::Commit
            }
            Stage::Count => {
                let bodies = self.run as u64;
                self.sum = sync::step(memory, log, || idle.leave(bodies)).expect("one access");
                Stage::Ask
            }
            Stage::Ask => {
                let sum = self.sum;
                match sync::step(memory, log, || idle.most_of(sum)) {
                    None => return Came::On,
                    Some(most) if most <= self.retain => return self.end(Came::Over),
                    Some(_) if self.looks => Stage::Begin,
                    Some(most) => {
                        self.over = most - self.retain;
                        Stage::Seize
                    }
                }
            }
            Stage::Again => match sync::step(memory, log, || idle.most()) {
                None => return Came::On,
                Some(most) if most <= self.retain || self.is_again => return self.end(Came::Over),
                Some(_) => {
                    self.is_again = self.look.is_some();
                    Stage::Begin
                }
            },
            Stage::Begin => {
                let Some(look) = sync::step(memory, log, || idle.begin()) else { return Came::On };
                (self.look, self.body, self.found) = (Some(look), 0, 0);
                Stage::Weigh
            }
            Stage::Weigh if body == self.count => Stage::End,
            Stage::Weigh if room.watermark[body] => Stage::Taken,
            Stage::Weigh => {
                self.body += 1;
                Stage::Weigh
            }
            Stage::Taken => {
                let Some(is_taken) = sync::step(memory, log, || pool.is_taken(body, tenancy)) else {
                    return Came::On;
                };
                self.found += u64::from(!is_taken);
                self.body += 1;
                Stage::Weigh
            }
            Stage::End => {
                let (look, found) = (self.look.expect("begun"), self.found);
                if sync::step(memory, log, || idle.end(look, found)).is_none() {
                    return Came::On;
                }
                (self.over, self.left) = (found.saturating_sub(self.retain), self.count);
                Stage::Worth
            }
            Stage::Worth if self.left == 0 => {
                self.left = self.count;
                match self.aim {
                    Aim::Tidy => return self.end(Came::Over),
                    Aim::Leave => Stage::Again,
                    _ => Stage::Claim,
                }
            }
            Stage::Worth => {
                self.body = self.left - 1;
                let is_much = self.aim == Aim::Tidy || self.over > 0;
                let is_worth = is_much && room.watermark[self.body];
                if is_worth || room.unsure[self.body] { Stage::Seize } else { Stage::Doubt }
            }
            Stage::Doubt => match sync::step(memory, log, || pool.is_in_doubt(body, tenancy)) {
                None => return Came::On,
                Some(true) => Stage::Seize,
                Some(false) => return self.clear(),
            },
            Stage::Seize => match sync::step(memory, log, || pool.seize(body, me, tenancy)) {
                None => return Came::On,
                Some(None) => return self.clear(),
                Some(Some(seized)) => {
                    self.seized = seized;
                    Stage::Had
                }
            },
            Stage::Had => {
                let is_kept = matches!(self.aim, Aim::Obtain | Aim::Expect) && room.watermark[body];
                self.keep = is_kept && self.seized == Seized::Sound;
                match self.aim {
                    Aim::Expect if self.seized == Seized::Sound => Stage::Look,
                    Aim::Leave if room.watermark[body] && !mutant(Mutant::LateGift) => Stage::Give,
                    _ if !self.keep && (room.watermark[body] || room.unsure[body]) => Stage::Punch,
                    Aim::Expect => Stage::Look,
                    _ => Stage::Release,
                }
            }
            Stage::Give => {
                sync::step(memory, log, || idle.give(1)).expect("one access");
                self.over = self.over.saturating_sub(1);
                if room.watermark[body] { Stage::Punch } else { Stage::Release }
            }
            Stage::Punch => {
                (room.is_there[body], room.content[body]) = (false, [0; 2]);
                if mutant(Mutant::ReleaseFirst) { Stage::Release } else { Stage::Lower }
            }
            Stage::Lower => {
                (room.watermark[body], room.unsure[body]) = (self.keep, false);
                match self.aim {
                    _ if mutant(Mutant::ReleaseFirst) => return self.clear(),
                    Aim::Leave if mutant(Mutant::LateGift) => Stage::Give,
                    Aim::Expect => Stage::Look,
                    _ => Stage::Release,
                }
            }
            Stage::Release => {
                sync::step(memory, log, || pool.release(body)).expect("one access");
                if mutant(Mutant::ReleaseFirst) && !self.keep && (room.watermark[body] || room.unsure[body]) {
                    Stage::Lower
                } else {
                    return self.clear();
                }
            }
        };
        Came::On
    }

    /// All of it, alone.
    fn finish(
        &mut self,
        memory: &mut Memory,
        room: &mut Room,
        pool: &Pool<Names>,
        tenancy: &impl Tenancy,
        (me, position): (Owner, u64),
    ) -> Came {
        let mut log = Log::EMPTY;
        loop {
            match self.step((memory, room, &mut log), pool, tenancy, me, position) {
                Came::On => {}
                came => return came,
            }
        }
    }

    fn digest(&self, print: &mut Print) {
        let flags = u64::from(self.keep) | u64::from(self.is_again) << 1 | u64::from(self.seized == Seized::Sound) << 2;
        print.add(
            flags << 32 | (self.stage as u64) << 24 | (self.aim as u64) << 16 | (self.body << 8 | self.left) as u64,
        );
        print.add(self.next << 8 | self.window | ((self.first << 16 | self.run << 8 | self.more) as u64) << 16);
        if self.aim == Aim::Leave {
            write!(print, "{:?}", self.look).expect("a print takes all");
            let counts = [self.retain, self.sum, self.found, self.over, self.left as u64];
            print.add(counts.into_iter().fold(u64::from(self.looks), |all, count| all << 8 | count));
        }
    }
}

/// Whether some body has two users, of all those who use one.
fn is_shared(users: impl Iterator<Item = usize>) -> bool {
    let mut used = [false; BODIES];
    users.into_iter().any(|body| std::mem::replace(&mut used[body], true))
}

/// What is wrong with a moment in which all is acknowledged, nobody died and nobody has anything in hand.
fn judge_rest(memory: &Memory, room: &Room, retain: Option<u64>) -> Result<(), Verdict> {
    let (there, Some(retain)) = (room.is_there.iter().filter(|&&is_there| is_there).count() as u64, retain) else {
        return Ok(());
    };
    let most = sync::alone(&mut memory.clone(), || Idle::new(Names).most());
    if there > retain || there > most { Err(Verdict::Leaked) } else { Ok(()) }
}

/// Whether some body names the message at a position, and is not one of those that it lies in.
fn is_kept(memory: &Memory, position: u64, run: Run) -> bool {
    (0..BODIES).any(|body| memory[USERS + body] == Name::message(position).0 && !run.bodies().contains(&body))
}

/// Whether some body names somebody alive, who `uses` no such body.
fn is_forgotten(memory: &Memory, uses: impl Fn(u32) -> std::ops::Range<usize>) -> bool {
    (0..BODIES).any(|body| {
        let word = memory[USERS + body];
        let owner = Owner::from_bits(word >> 2).index();
        word & 3 == 2 && memory[DEAD] >> owner & 1 == 0 && !uses(owner).contains(&body)
    })
}
