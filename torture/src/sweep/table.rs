//! The scenes: what each is called, what it starts from, and what may come of it.

use crate::sweep::SLOTS;
use ringmail::{Options, Redelivery};
use std::ops::Range;
use std::time::Duration;

/// What lets a scene go on that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relief {
    /// It does not wait.
    None,
    /// A message is received.
    Receive,
    /// Message 50 is sent.
    Send,
}

/// A scene.
#[derive(Clone, Debug)]
pub struct Scene {
    pub name: &'static str,
    /// Messages that the parent sends before: 0 and so on.
    pub before: u64,
    /// What the dead may have been handed by the call in which they die, and may have acknowledged.
    pub acks: Range<u64>,
    /// What may be there although its send had not returned.
    pub sends: Range<u64>,
    pub policy: Redelivery,
    /// Participants that have room.
    pub places: u32,
    pub relief: Relief,
    /// Whether there is no such thing in an spsc ring.
    pub mpmc_only: bool,
    /// Whether the call acknowledges before it hands out.
    pub copies: bool,
    /// Whether it says which acknowledgement comes next.
    pub says_acking: bool,
    /// The last point, should the scene not end.
    pub most: u64,
}

/// The last point, should a scene not end.
const MOST: u64 = 5000;

/// Places where nothing is to be learned from their number.
const MANY: u32 = 64;

const fn scene(name: &'static str, before: u64, acks: Range<u64>, sends: Range<u64>) -> Scene {
    let (policy, relief) = (Redelivery::Always, Relief::None);
    Scene {
        name,
        before,
        acks,
        sends,
        policy,
        places: MANY,
        relief,
        mpmc_only: false,
        copies: false,
        says_acking: false,
        most: MOST,
    }
}

impl Scene {
    const fn under(mut self, policy: Redelivery) -> Self {
        self.policy = policy;
        self
    }

    /// Room for the parent and one more: whoever comes after the dead gets their place.
    const fn crowded(mut self) -> Self {
        self.places = 2;
        self
    }

    const fn waiting(mut self, relief: Relief) -> Self {
        self.relief = relief;
        self
    }

    const fn mpmc(mut self) -> Self {
        self.mpmc_only = true;
        self
    }

    const fn copying(mut self) -> Self {
        self.copies = true;
        self
    }

    const fn acking(mut self) -> Self {
        self.says_acking = true;
        self
    }

    /// A scene in which thousands of bodies are looked at, again and again.
    const fn lengthy(mut self) -> Self {
        self.most = 40 * MOST;
        self
    }

    /// A scene whose length depends on what else there is on the machine: so many points at most.
    const fn cut_off_at(mut self, most: u64) -> Self {
        self.most = most;
        self
    }

    /// Whether the scene goes on for as long as it likes.
    pub fn may_be_cut_off(&self) -> bool {
        self.most < MOST
    }

    pub fn is_crowded(&self) -> bool {
        self.places < MANY
    }

    /// How often a message may come again; `None` is without bound.
    pub fn limit(&self) -> Option<u32> {
        match self.policy {
            Redelivery::AtMost(times) => Some(times),
            Redelivery::Never => Some(0),
            _ => None,
        }
    }

    /// Whether its ring is one of sized messages.
    pub fn is_sized(&self) -> bool {
        self.name.contains("recv_copy")
    }

    /// Whether its messages have bodies.
    pub fn is_long(&self) -> bool {
        self.name.starts_with("long")
    }

    /// Whether they have three, rather than one.
    fn has_runs(&self) -> bool {
        self.name.starts_with("long run")
    }

    /// Which of the points are looked at where nothing new is to be seen: every so-many-th, the fewer the more bodies there are.
    pub fn step(&self) -> u64 {
        match (self.is_long(), self.has_runs()) {
            (false, _) => 1,
            (true, false) => 11,
            (true, true) => 101,
        }
    }

    pub fn options(&self) -> Options {
        let options = match (self.is_long(), self.has_runs()) {
            (false, _) => options(),
            // As few bodies as there can be: each is looked at more than once.
            (true, false) => options().max_len(7 << 30).retain(0),
            (true, true) => options().max_len(64 << 10).body_stride(4096).retain(0),
        };
        options.participants(self.places).redelivery(self.policy)
    }
}

/// A ring as all scenes use it.
pub fn options() -> Options {
    // Without a spin the number of accesses does not depend on the time.
    Options::new().capacity(SLOTS).max_len(64).keep_open(true).spin(Duration::ZERO)
}

pub const SCENES: [Scene; 70] = [
    scene("create", 0, 0..0, 0..0),
    scene("open", 2, 0..0, 0..0),
    scene("list", 2, 0..0, 0..0).cut_off_at(1000),
    scene("sender", 2, 0..0, 0..0),
    scene("receiver", 2, 0..0, 0..0),
    scene("send", 1, 0..0, 100..101),
    scene("send, next lap", 0, 0..0, 200..201),
    scene("send, full", SLOTS as u64, 0..0, 100..101).waiting(Relief::Receive),
    scene("clone, send", 1, 0..0, 100..101).mpmc(),
    scene("loan, commit", 1, 0..0, 100..101),
    scene("loan, drop", 1, 0..0, 0..0),
    scene("send_many", 1, 0..0, 100..103),
    scene("wait_acked", 0, 0..0, 0..0).waiting(Relief::Receive),
    scene("reap", 1, 0..0, 100..101),
    scene("bump", 0, 100..101, 200..201).mpmc(),
    scene("leave sending", 1, 0..0, 0..0),
    scene("recv", 2, 0..1, 0..0),
    scene("recv, empty", 0, 50..51, 0..0).waiting(Relief::Send),
    scene("clone, recv", 2, 0..1, 0..0).mpmc(),
    scene("recv_many", 4, 0..3, 0..0),
    scene("recv_many, reject", 4, 0..0, 0..0),
    scene("recv_into", 2, 0..1, 0..0).copying(),
    scene("recv_into, too short", 2, 0..0, 0..0),
    scene("recv_copy", 2, 0..1, 0..0).copying(),
    scene("recv_copy, adopt", 1, 0..1, 0..0).copying(),
    scene("ack", 2, 0..1, 0..0),
    scene("reject", 2, 0..0, 0..0),
    scene("into_owned", 2, 0..1, 0..0),
    scene("owned, reject", 2, 0..0, 0..0),
    scene("owned, second first", 3, 0..2, 0..0).acking(),
    scene("owned, second rejected", 3, 0..1, 0..0).acking(),
    scene("adopt", 1, 0..1, 0..0),
    scene("adopt, at most once", 1, 0..1, 0..0).under(Redelivery::AtMost(1)),
    scene("adopt, never", 1, 50..51, 0..0).under(Redelivery::Never).waiting(Relief::Send),
    scene("adopt, second heir", 3, 0..3, 0..0),
    scene("reject, at most once", 2, 0..0, 0..0).under(Redelivery::AtMost(1)),
    scene("reject, never", 2, 0..0, 0..0).under(Redelivery::Never),
    scene("leave receiving", 2, 0..1, 0..0),
    scene("rejoin, send", 2, 0..0, 100..101).crowded(),
    scene("rejoin, recv", 1, 0..1, 0..0).crowded(),
    scene("rejoin, at most once", 1, 0..1, 0..0).crowded().under(Redelivery::AtMost(1)),
    scene("rejoin, never", 2, 1..2, 0..0).crowded().under(Redelivery::Never),
    scene("recover", 2, 0..0, 0..0),
    scene("recover, crowded", 2, 0..0, 0..0).crowded(),
    scene("recover, at most once", 2, 0..0, 0..0).under(Redelivery::AtMost(1)),
    scene("recover, never", 2, 0..0, 0..0).under(Redelivery::Never),
    scene("close", 2, 0..0, 0..0),
    scene("unlink", 2, 0..0, 0..0),
    scene("long send", 1, 0..0, 100..101),
    scene("long send_parts", 1, 0..0, 100..101),
    scene("long send_many", 1, 0..0, 100..103),
    scene("long send, dead trimmers", 0, 0..0, 100..101),
    scene("long loan, short", 1, 0..0, 100..101),
    scene("long loan, drop", 1, 0..0, 0..0),
    scene("long ack", 2, 0..1, 0..0),
    scene("long ack, dead trimmers", 1, 0..1, 0..0).mpmc(),
    scene("long owned", 3, 0..2, 0..0).acking(),
    scene("long recv_into", 2, 0..1, 0..0).copying(),
    scene("long recv_many", 4, 0..3, 0..0),
    scene("long adopt", 1, 0..1, 0..0),
    scene("long adopt, at most once", 1, 0..1, 0..0).under(Redelivery::AtMost(1)),
    scene("long recover", 0, 0..0, 0..0),
    scene("long run, send", 1, 0..0, 100..101).lengthy(),
    scene("long run, send, dead trimmers", 0, 0..0, 100..101).lengthy(),
    scene("long run, loan, short", 1, 0..0, 100..101).lengthy(),
    scene("long run, loan, drop", 1, 0..0, 0..0).lengthy(),
    scene("long run, ack", 2, 0..1, 0..0).lengthy(),
    scene("long run, recv_many", 4, 0..3, 0..0).lengthy(),
    scene("long run, adopt", 1, 0..1, 0..0).lengthy(),
    scene("long run, recover", 0, 0..0, 0..0).lengthy(),
];
