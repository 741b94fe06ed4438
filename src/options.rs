//! What a ring is to be like.

use crate::bodies::Bodies;
use crate::error::OpenError;
use crate::layout::{FENCE, Flavour, Header, KEEP_OPEN, MAX_CAPACITY, MAX_LEN, MAX_PARTICIPANTS, Wish};
use crate::message::{MAX_ALIGN, Message, Shape};
use crate::ring::word::MAX_ATTEMPT;
use crate::segment::Segment;
use std::time::Duration;

/// What becomes of a message whose receiver died, or gave it back, without acknowledging it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Redelivery {
    /// Another receiver gets it, as often as it takes. [`Received::redelivered`](crate::mpmc::Received::redelivered) says
    /// how often that was.
    #[default]
    Always,
    /// Another receiver gets it, at most this many times (0 to 14), then it is dropped: a poisonous message does not go
    /// round for ever.
    AtMost(u32),
    /// It is dropped.
    Never,
}

impl Redelivery {
    /// How many more deliveries that allows; `u32::MAX` is without bound.
    pub(crate) fn limit(self) -> u32 {
        match self {
            Self::Always => u32::MAX,
            Self::AtMost(times) => times,
            Self::Never => 0,
        }
    }
}

/// What a ring is to be like: given to the verbs that create one.
///
/// Every setter consumes and returns the options. Values out of bounds are reported by the creating verb, as
/// [`OpenError::InvalidInput`] naming the setter, and nothing is created.
///
/// ```
/// use ringmail::{Options, Redelivery};
///
/// let options = Options::new().capacity(1024).max_len(4096).redelivery(Redelivery::AtMost(3));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "options do nothing until a ring is created with them"]
pub struct Options {
    capacity: usize,
    max_len: usize,
    participants: u32,
    redelivery: Redelivery,
    mode: u32,
    spin: Duration,
    prefault: bool,
    retain: usize,
    keep_open: bool,
    membarrier: bool,
    body_stride: Option<u64>,
}

impl Default for Options {
    fn default() -> Self {
        Self::new()
    }
}

impl Options {
    /// The defaults: 1024 slots for messages of up to 1024 bytes, 64 participants, readable by this user alone.
    pub const fn new() -> Self {
        Self {
            capacity: 1024,
            max_len: 1024,
            participants: 64,
            redelivery: Redelivery::Always,
            mode: 0o600,
            spin: Duration::from_micros(50),
            prefault: false,
            retain: 256 << 20,
            keep_open: false,
            membarrier: true,
            body_stride: None,
        }
    }

    /// Slots: exactly so many messages fit that nobody has acknowledged. 1 to 16,777,216; 1024 by default.
    ///
    /// It is not rounded: what a sender may be ahead of its receivers is part of what the ring promises. In an `mpmc` ring a slot that came
    /// free out of turn (its loan was dropped, or senders passed over it while it was held) counts again when the tail comes round to it:
    /// until the messages that wait before that are received, one fewer fits.
    pub const fn capacity(mut self, slots: usize) -> Self {
        self.capacity = slots;
        self
    }

    /// The longest message in bytes, for unsized message types; a sized type brings its own. 1 to 16 GiB; 1024 by default.
    ///
    /// While messages are at most 4 KiB long (or less, where they are aligned to more than 64 bytes), every slot has that much room
    /// from the start: a ring takes about `capacity x max_len` bytes of memory. Beyond that, messages of up to 1088 bytes lie with
    /// their slots (1152 each), and longer ones get memory when they are first sent, as much as they need: what could be sent costs
    /// address space alone, `(capacity + 64 to 1024) x max_len` of it, or about 1 TiB where `capacity x max_len` alone is more than
    /// half of that (beyond 262,144 slots, 2 MiB each, and another 512 GiB). A process has 128 TiB. Memory that there is not is an
    /// error of the send that needs it (`NoSpace`), where the ring's file system has a limit; an anonymous ring has none but the
    /// machine's own, which kills.
    ///
    /// The same error comes where no address space is left in one piece: where `capacity x max_len` is more than 512 GiB, messages
    /// longer than some `512 GiB / (capacity + 1024)` share 512 GiB, each rounded up to a multiple of that length. How they lie
    /// decides: after a burst that filled it, a few that are still held may leave no piece for a very long one; so may long loans that
    /// are committed short, and keep where they began. Shorter messages always have room.
    pub const fn max_len(mut self, bytes: usize) -> Self {
        self.max_len = bytes;
        self
    }

    /// How many processes may take part at once. 1 to 1000; 64 by default. Each costs 64 bytes.
    pub const fn participants(mut self, processes: u32) -> Self {
        self.participants = processes;
        self
    }

    /// What becomes of a message that was received and not acknowledged. [`Redelivery::Always`] by default.
    pub const fn redelivery(mut self, policy: Redelivery) -> Self {
        self.redelivery = policy;
        self
    }

    /// Permission bits of a named ring, as `chmod` takes them; the process's umask does not narrow them. 0o600 by default.
    ///
    /// Who may open a ring at all may send, receive and, out of line with the protocol, destroy: there is no read-only
    /// access. So the bits must give reading and writing together.
    pub const fn mode(mut self, bits: u32) -> Self {
        self.mode = bits;
        self
    }

    /// How long a blocking call spins before it sleeps. Up to one second; 50 us by default; zero sleeps at once.
    ///
    /// It is an upper bound, give or take some microseconds: a handle whose spins come to nothing spins ever more briefly, until one would have paid.
    /// A sleeping receiver needs a wake-up of some 15 us; a spinning one sees a message after about 0.1 us. After a long message, a
    /// receiver that spins at all may spin as long as it takes to copy another: an eighth of a nanosecond a byte, up to 2 ms.
    pub const fn spin(mut self, time: Duration) -> Self {
        self.spin = time;
        self
    }

    /// Touches all of the ring's memory in the creating process before the first message. Off by default.
    ///
    /// Without it the first lap runs at the speed of page faults. Where long messages have memory of their own, as much is
    /// committed as the messages of a ring that keeps up go round in, or a single one needs: no more than
    /// [`retain`](Self::retain).
    pub const fn prefault(mut self, yes: bool) -> Self {
        self.prefault = yes;
        self
    }

    /// How many bytes of memory for long messages may lie idle, in nobody's use, once messages are acknowledged; what is beyond
    /// goes back to the system at once, and up to an eighth with it, lest every message brings the same again. 256 MiB by default; 0
    /// keeps none.
    ///
    /// What messages in the ring take does not count, however much it is: an idle ring keeps so much, a busy one has as much more
    /// as its messages need. Memory that is kept is warm: a message written into it costs a copy, one that must first be given
    /// its memory costs ten times that. So it should cover what comes and goes while the ring is at work: a few messages for a
    /// steady stream, however long its backlog, and all of a backlog that fills up and empties again and again. The default
    /// is some forty frames of 1080p in colour, and 1 % of a machine with 24 GiB; messages of 100 MiB want more.
    pub const fn retain(mut self, bytes: usize) -> Self {
        self.retain = bytes;
        self
    }

    /// Waits for a successor when nobody is left on the other side, instead of `Disconnected`. Off by default.
    ///
    /// For workers under a supervisor that starts them again. The stream then ends only by
    /// [`close`](crate::mpmc::Ring::close), and a named ring stays until it is closed or [unlinked](crate::unlink).
    pub const fn keep_open(mut self, yes: bool) -> Self {
        self.keep_open = yes;
        self
    }

    /// Lets sleepers pay for the fence that waking needs, by the `membarrier` system call. On by default.
    ///
    /// Off, every send and every acknowledgement pays a fence of its own (a third of the throughput or more at 8 bytes).
    /// Only for processes that may not use `membarrier`, as under some seccomp filters: they get
    /// [`JoinError::NoMembarrier`](crate::JoinError::NoMembarrier) from a ring that needs it. A creator that may not use it
    /// itself makes a ring that does without, whatever this says.
    pub const fn membarrier(mut self, yes: bool) -> Self {
        self.membarrier = yes;
        self
    }

    /// Bytes from one body to the next: so that a test need not send gigabytes for a message that takes several. A multiple of 4096,
    /// less than `max_len`. (Not for use.)
    #[doc(hidden)]
    pub const fn body_stride(mut self, bytes: usize) -> Self {
        self.body_stride = Some(bytes as u64);
        self
    }

    pub(crate) fn mode_bits(&self) -> u32 {
        self.mode
    }

    /// What is done to a segment before anybody else can see it.
    pub(crate) fn preparation(&self) -> fn(&Segment) {
        match self.prefault {
            true => |segment| {
                segment.populate();
                Bodies::prefault(segment);
            },
            false => |_| {},
        }
    }

    /// Checks every setter.
    pub(crate) fn wish<M: Message + ?Sized>(&self, flavour: Flavour) -> Result<Wish, OpenError> {
        fn invalid<T>(setter: &'static str, value: impl ToString, allowed: String) -> Result<T, OpenError> {
            Err(OpenError::InvalidInput { setter, value: value.to_string(), allowed })
        }
        let Some(shape) = Shape::of::<M>() else {
            let allowed = format!("a type aligned to at most {MAX_ALIGN} bytes whose elements have a size");
            return invalid("message type", core::any::type_name::<M>(), allowed);
        };
        if !(1..=MAX_CAPACITY).contains(&(self.capacity as u64)) {
            return invalid("capacity", self.capacity, format!("1 to {MAX_CAPACITY}"));
        }
        let least = shape.fixed.max(1);
        if !shape.is_sized() && !(least..=MAX_LEN).contains(&(self.max_len as u64)) {
            return invalid("max_len", self.max_len, format!("{least} to {MAX_LEN} bytes"));
        }
        if shape.is_sized() && shape.fixed > MAX_LEN {
            return invalid("message type", shape, format!("a type of at most {MAX_LEN} bytes"));
        }
        if !(1..=MAX_PARTICIPANTS).contains(&self.participants) {
            return invalid("participants", self.participants, format!("1 to {MAX_PARTICIPANTS}"));
        }
        if let Redelivery::AtMost(times) = self.redelivery
            && times >= MAX_ATTEMPT
        {
            return invalid(
                "redelivery",
                format!("AtMost({times})"),
                format!("AtMost(0) to AtMost({})", MAX_ATTEMPT - 1),
            );
        }
        let pairs = [0o600, 0o060, 0o006];
        if self.mode & !0o666 != 0
            || self.mode & 0o600 != 0o600
            || pairs.iter().any(|&p| ![0, p].contains(&(self.mode & p)))
        {
            let mode = format!("{:#o}", self.mode);
            return invalid("mode", mode, "0o600, 0o660, 0o606 or 0o666".to_owned());
        }
        if self.spin > Duration::from_secs(1) {
            return invalid("spin", format!("{:?}", self.spin), "0 to 1 s".to_owned());
        }
        let mut flags = 0;
        if self.keep_open {
            flags |= KEEP_OPEN;
        }
        if !self.membarrier || crate::os::futex::register_for_barriers().is_err() {
            flags |= FENCE;
        }
        let wish = Wish {
            flavour,
            shape,
            capacity: self.capacity as u64,
            max_len: self.max_len as u64,
            participants: self.participants,
            flags,
            redelivery: self.redelivery.limit(),
            spin_ns: self.spin.as_nanos() as u32,
            retain: self.retain as u64,
            body_stride: self.body_stride,
        };
        if Header::plan(&wish, [0; 16]) == Err("body_stride") {
            let allowed = "a multiple of 4096, less than max_len".to_owned();
            return invalid("body_stride", self.body_stride.unwrap_or(0), allowed);
        }
        Ok(wish)
    }
}
