//! A worker process: what it is told at its start, and what it has whichever flavour and side it works for.

use crate::ledger::{Ledger, Record};
use crate::page::{self, Global, LONGEST, Own, PLACES, Page};
use crate::payload::{self, Header, NAMED};
use crate::random::Random;
use crate::state::{Order, State};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

/// How a worker ends that saw what must not be; any code but 0.
pub const VIOLATION: i32 = 4;

/// A side of the ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Sender,
    Receiver,
}

impl Side {
    pub fn opposite(self) -> Self {
        match self {
            Self::Sender => Self::Receiver,
            Self::Receiver => Self::Sender,
        }
    }
}

/// What a worker is told.
#[derive(Clone, Debug)]
pub struct Setup {
    pub side: Side,
    pub mpmc: bool,
    pub folder: PathBuf,
    pub place: usize,
    pub seed: u64,
    pub max_len: usize,
    /// Most messages held at once.
    pub hold: usize,
    /// The ring's name; without one its descriptor is the standard input.
    pub name: Option<String>,
}

impl Setup {
    /// As arguments for the worker.
    pub fn args(&self) -> Vec<String> {
        vec![
            "worker".to_owned(),
            if self.side == Side::Sender { "send" } else { "receive" }.to_owned(),
            if self.mpmc { "mpmc" } else { "spsc" }.to_owned(),
            self.folder.to_string_lossy().into_owned(),
            self.place.to_string(),
            self.seed.to_string(),
            self.max_len.to_string(),
            self.hold.to_string(),
            self.name.clone().unwrap_or_default(),
        ]
    }

    /// From such arguments, without the first.
    pub fn parse(args: &[String]) -> Option<Self> {
        let [side, flavour, folder, place, seed, max_len, hold, name] = args else { return None };
        Some(Self {
            side: if side == "send" { Side::Sender } else { Side::Receiver },
            mpmc: flavour == "mpmc",
            folder: folder.into(),
            place: place.parse().ok()?,
            seed: seed.parse().ok()?,
            max_len: max_len.parse().ok()?,
            hold: hold.parse().ok()?,
            name: (!name.is_empty()).then(|| name.clone()),
        })
    }
}

/// One incarnation of a worker.
#[derive(Debug)]
pub struct Life {
    pub setup: Setup,
    pub random: Random,
    page: Page,
    place: usize,
    id: u64,
    seq: u64,
    ledger: Ledger,
    forks: u64,
}

impl Life {
    pub fn begin(setup: Setup) -> Self {
        let page = Page::open(&setup.folder.join("page")).expect("the controller made it");
        let id = page.new_id();
        let ledger = Ledger::create(&setup.folder, id).expect("a ledger of its own");
        page.own(setup.place, Own::Id).store(id, SeqCst);
        let random = Random::new(setup.seed, id);
        Self { random, page, place: setup.place, id, seq: 0, ledger, forks: 0, setup }
    }

    /// In a forked child: somebody else, who leaves no trace in the parent's place.
    pub fn be_another(&mut self) {
        self.place = PLACES;
        self.id = self.page.new_id();
        self.seq = 0;
        self.ledger = Ledger::create(&self.setup.folder, self.id).expect("a ledger of its own");
        self.random = Random::new(self.setup.seed, self.id);
    }

    pub fn is_child(&self) -> bool {
        self.place == PLACES
    }

    pub fn own(&self, which: Own) -> &AtomicU64 {
        self.page.own(self.place, which)
    }

    /// Says what comes next.
    pub fn enter(&self, state: State) {
        self.own(Own::State).store(state as u64, SeqCst);
    }

    /// The controller's order, which it takes back; to finish it does not.
    pub fn order(&self) -> Order {
        let word = self.own(Own::Order);
        match Order::of(word.load(SeqCst)) {
            Order::GoOn => Order::GoOn,
            Order::Finish => Order::Finish,
            once => match word.compare_exchange(once as u64, Order::GoOn as u64, SeqCst, SeqCst) {
                Ok(_) => once,
                Err(_) => Order::GoOn,
            },
        }
    }

    /// How long the next message is: now and then too short to say whose it is.
    pub fn len(&mut self) -> usize {
        let (named, most) = (NAMED as u64, self.setup.max_len as u64);
        if most < named || self.random.percent(5) {
            return self.random.below(named.min(most + 1)) as usize;
        }
        self.random.skewed(named, most) as usize
    }

    /// The message `ahead` of the next one.
    pub fn fill(&mut self, message: &mut [u8], ahead: usize) {
        let header = Header { sender: self.id, seq: self.seq + ahead as u64 };
        payload::write(message, header, self.random.next() as u32);
    }

    /// A message that must never arrive.
    pub fn fill_never(&mut self, message: &mut [u8]) {
        let header = Header { sender: self.id, seq: self.seq | payload::NEVER };
        payload::write(message, header, self.random.next() as u32);
    }

    /// So many messages of that length are about to be sent.
    pub fn trying(&mut self, count: usize, len: usize) {
        if len < NAMED {
            self.ledger.write([Record::Tried { header: Header::nameless(len), count: count as u64 }]);
        }
    }

    /// So many messages' sends have returned.
    pub fn sent(&mut self, count: usize, len: usize) {
        if count == 0 {
            return;
        }
        self.own(Own::Sends).fetch_add(count as u64, SeqCst);
        if len < NAMED {
            self.ledger.write((0..count).map(|_| Record::Sent(Header::nameless(len))));
            return;
        }
        let headers = (self.seq..self.seq + count as u64).map(|seq| Header { sender: self.id, seq });
        self.ledger.write(headers.map(Record::Sent));
        self.seq += count as u64;
    }

    /// Messages were read, and are not yet acknowledged.
    pub fn delivered<'a>(&mut self, messages: impl IntoIterator<Item = (&'a [u8], u32)>) {
        self.ledger.write(messages.into_iter().map(|(message, count)| Record::delivered(message, Some(count))));
        self.own(Own::Receives).fetch_add(1, SeqCst);
    }

    /// A message was copied and acknowledged; how often it had come before there is no way to know.
    pub fn copied(&mut self, message: &[u8]) {
        self.ledger.write([Record::delivered(message, None)]);
        self.own(Own::Receives).fetch_add(1, SeqCst);
    }

    /// Messages are about to be given back.
    pub fn rejecting<'a>(&mut self, messages: impl IntoIterator<Item = (&'a [u8], u32)>) {
        self.enter(State::Rejecting);
        let header = |message| payload::read(message).0;
        let records = messages.into_iter();
        self.ledger.write(records.map(|(bytes, redelivered)| Record::Rejected { header: header(bytes), redelivered }));
    }

    /// The buffer that outlives this process.
    pub fn buffer(&self) -> &'static mut [u8] {
        // SAFETY: mapped until the process ends, used by nobody else while it lives, by one call at a time, and not
        // inherited.
        unsafe { std::slice::from_raw_parts_mut(self.page.buffer(self.place), LONGEST) }
    }

    /// Does something that may wait, and notes how long it did while a peer was there and this process could run.
    pub fn timed<T>(&self, work: impl FnOnce() -> T) -> T {
        let start = page::now_ns();
        let done = work();
        let end = page::now_ns();
        if end - start > 1_000_000 {
            let excuses = [self.page.absence(self.setup.side.opposite()), self.page.stopped(self.place)];
            let waited = excuses.map(|excuse| excuse.waited(start, end)).into_iter().min();
            self.own(Own::Longest).fetch_max(waited.unwrap_or(0), SeqCst);
        }
        done
    }

    /// Whether it is right that the other side is said to be gone.
    pub fn is_ending(&self) -> bool {
        self.page.global(Global::Ending).load(SeqCst) != 0
    }

    /// Tells the controller what must not be, and ends.
    pub fn violation(&self, what: &str) -> ! {
        let text = format!("{:?} {} (pid {}): {what}", self.setup.side, self.id, std::process::id());
        let _ = std::fs::write(self.setup.folder.join(format!("violation.{}", self.id)), text);
        self.end(VIOLATION)
    }

    /// Ends without letting go of anything.
    pub fn end(&self, code: i32) -> ! {
        // SAFETY: ends the process.
        unsafe { libc::_exit(code) }
    }

    /// Dies as if by another's hand.
    pub fn die(&self) -> ! {
        // SAFETY: signals the calling process.
        unsafe { libc::raise(libc::SIGKILL) };
        self.end(VIOLATION)
    }

    /// Becomes a new process with the same id.
    pub fn exec(&self) -> ! {
        self.enter(State::Executing);
        self.own(Own::Ready).store(0, SeqCst);
        let error = Command::new("/proc/self/exe").args(self.setup.args()).exec();
        self.violation(&format!("exec: {error}"))
    }

    /// Forks. The child does `work`, as another, and ends; sometimes the parent waits for that.
    #[expect(clippy::disallowed_methods, reason = "a worker has one thread, and forking is what is tortured")]
    pub fn fork(&mut self, work: impl FnOnce(&mut Self)) {
        self.enter(State::Forking);
        self.forks += 1;
        // SAFETY: this process has one thread.
        match unsafe { libc::fork() } {
            -1 => {}
            0 => {
                // Should it hang, that ends it, and is noticed.
                // SAFETY: touches no memory.
                unsafe { libc::alarm(20) };
                self.be_another();
                work(self);
                self.end(0)
            }
            child => {
                self.own(Own::Forks).fetch_add(1, SeqCst);
                if self.random.percent(50) {
                    let mut status = 0;
                    // SAFETY: `status` is writable.
                    unsafe { libc::waitpid(child, &mut status, 0) };
                    let code = libc::WEXITSTATUS(status);
                    if libc::WIFEXITED(status) && code != 0 {
                        self.end(code);
                    }
                    if libc::WIFSIGNALED(status) && libc::WTERMSIG(status) != libc::SIGKILL {
                        self.violation(&format!("a forked child ended by signal {}", libc::WTERMSIG(status)));
                    }
                }
            }
        }
    }
}

/// Does something that panics, quietly, and survives it.
pub fn surviving(work: impl FnOnce()) {
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
    if let Err(panic) = outcome
        && !panic.is::<Expected>()
    {
        std::panic::resume_unwind(panic);
    }
}

/// Panics as was ordered.
pub fn panic_as_ordered() -> ! {
    std::panic::resume_unwind(Box::new(Expected))
}

struct Expected;
