//! Every byte that is shared: the header, the control lines, the participants and the slots, and where each lies.
//!
//! A segment is, from its first byte:
//!
//! ```text
//! header         what the ring is: written once before anybody can see it, never again
//! control        one 128-byte line for each word that a different process writes
//! participants   one 64-byte record each
//! skips          one u64 a slot (mpmc): positions passed over because the slot was held
//! records        one a slot: state word and description (mpmc), description (spsc), payload of a message that fits
//! table          16 bytes a body, in a ring whose longest message does not fit with its slot
//! bodies         sparse: memory is committed to each up to its watermark
//! ```
//!
//! A **description** is one word: the length of the message in bytes, and one more than the number of its body, or zero. A message
//! longer than a body goes on in those that follow: see [`bodies`].
//!
//! The layout is an ABI. It is `repr(C)` with the offset of every field asserted here, drawn in `docs/layout.md` and held by a golden
//! test; [`VERSION`] changes with it. Geometry is copied out of the header when a ring is opened, checked by planning the
//! same ring again, and never read from the segment afterwards.

use crate::message::{self, Message, NAME_LEN, Shape};
use crate::sync::{AtomicU32, AtomicU64, Ordering::Relaxed};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

mod bodies;

/// First bytes of every segment.
pub const MAGIC: [u8; 8] = *b"RINGMAIL";

/// Version of the layout and of the protocol that is spoken over it.
pub const VERSION: u32 = 1;

/// Bytes that no two words of different writers share: two lines, since adjacent lines are fetched in pairs.
pub const LINE: u64 = 128;

/// Bytes of a page: the alignment of anything that may be mapped, given back or aligned for the strictest message.
pub const PAGE: u64 = 4096;

/// The most slots of a ring: 24 bits, so that 40 bits of a position are left to count laps.
pub const MAX_CAPACITY: u64 = 1 << 24;

/// The longest message in bytes.
pub const MAX_LEN: u64 = 16 << 30;

/// The most address space that a ring's bodies may take: half of what a process has.
pub const MAX_BODIES_LEN: u64 = 64 << 40;

/// The most participants: an index has 10 bits, and the last one names an owner that never lives (see `ring::word`).
pub const MAX_PARTICIPANTS: u32 = 1000;

/// The longest record with payload: a page, and the line before it. A ring with longer messages has bodies.
const MAX_STRIDE: u64 = 4096 + 64;

/// The record of a slot in a ring with bodies: room for messages of up to 1088 bytes, which are 1 KiB and a line for
/// whoever describes it (as Python does its values).
const STRIDE_WITH_BODIES: u64 = 1152;

/// A sized message of at most so many bytes fits with its slot in either flavour, however it is aligned.
const ALWAYS_FITS: usize = 1024;

/// Whether every message of type `M` lies with its slot, in any ring. Known when `M` is.
#[inline(always)]
pub fn always_fits<M: Message + ?Sized>() -> bool {
    message::is_sized::<M>() && message::size_with::<M>(0).is_some_and(|size| size <= ALWAYS_FITS)
}

/// Bytes from one slot to the next in an spsc ring of messages of type `M`, where its slots hold nothing but the message. Known
/// when `M` is, so that no handle need look it up.
#[inline(always)]
pub fn bare_stride<M: Message + ?Sized>() -> Option<usize> {
    let size = if always_fits::<M>() { message::size_with::<M>(0) } else { None };
    // A size is a multiple of the alignment, and so says enough of it; but zero says nothing.
    size.filter(|&size| size > 0).map(|size| stride(size as u64, 1) as usize)
}

/// Bytes from one slot to the next in an mpmc ring of messages of type `M`, as far as their size alone says it.
#[inline(always)]
pub fn slot_stride<M: Message + ?Sized>() -> Option<usize> {
    let size = if always_fits::<M>() { message::size_with::<M>(0) } else { None };
    // A size is a multiple of the alignment. With one up to a line, word and message end in the same stride as without; beyond that they
    // may not.
    let is_told = |size: &usize| *size > 0 && !size.is_multiple_of(2 * 64);
    size.filter(is_told).map(|size| stride(8 + size as u64, 1) as usize)
}

/// Bytes from one slot to the next where `whole` are used.
///
/// A stride divides a cache line or is a multiple of it, so that no small slot straddles two.
///
/// (Always inlined: else whoever uses this crate would call it for each message.)
#[inline(always)]
fn stride(whole: u64, align: u64) -> u64 {
    match whole {
        0..64 => whole.next_power_of_two().max(8).max(align),
        _ => whole.next_multiple_of(64),
    }
}

/// The kind of ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Flavour {
    /// One sender, one receiver.
    Spsc = 1,
    /// Any number of both.
    Mpmc = 2,
}

impl Flavour {
    /// The name as users write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Spsc => "spsc",
            Self::Mpmc => "mpmc",
        }
    }

    /// Bytes before the payload: the state word (mpmc), then the description.
    fn prefix(self, described: bool) -> u64 {
        match (self, described) {
            (Self::Spsc, false) => 0,
            (Self::Spsc, true) | (Self::Mpmc, false) => 8,
            (Self::Mpmc, true) => 16,
        }
    }
}

/// Set in [`Header::flags`]: absence of peers is not the end; wait for a successor.
pub const KEEP_OPEN: u32 = 1;
/// Set in [`Header::flags`]: publishers pay a fence, because sleepers may not use membarrier.
pub const FENCE: u32 = 2;

/// The first bytes of the segment. Immutable once the segment can be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Header {
    /// [`MAGIC`].
    pub magic: [u8; 8],
    /// [`VERSION`].
    pub version: u32,
    /// A [`Flavour`] as number.
    pub flavour: u32,
    /// Bytes of the whole segment.
    pub segment_len: u64,
    /// Slots, exactly.
    pub capacity: u64,
    /// Longest message in bytes.
    pub max_len: u64,
    /// Longest message in bytes that is kept with its slot; beyond it a message has a body.
    pub inline_len: u64,
    /// Offset of the first participant record.
    pub participants_offset: u64,
    /// Offset of the first skip word; 0 in an spsc ring.
    pub skips_offset: u64,
    /// Offset of slot 0's record.
    pub records_offset: u64,
    /// Bytes from one record to the next.
    pub record_stride: u64,
    /// Offset of slot 0's payload.
    pub payloads_offset: u64,
    /// Bytes from one payload to the next.
    pub payload_stride: u64,
    /// Offset of the table of bodies; 0 while messages are inline.
    pub bodies_offset: u64,
    /// Bytes from one body to the next: as the creator chose.
    pub body_stride: u64,
    /// Bytes of bodies that stay committed when nobody uses them; 0 where there are none.
    pub retain: u64,
    /// Places for participants.
    pub participants: u32,
    /// [`KEEP_OPEN`], [`FENCE`].
    pub flags: u32,
    /// How often a message is delivered again: see `Redelivery`. `u32::MAX` is without bound.
    pub redelivery: u32,
    /// How long a waiter spins before it sleeps, in nanoseconds.
    pub spin_ns: u32,
    /// Bytes of a sized message, or of the fixed part of an unsized one.
    pub message_fixed: u64,
    /// Bytes of one trailing element; 0 for a sized message.
    pub message_element: u64,
    /// Alignment of a message.
    pub message_align: u64,
    /// Name of the message type, without its path.
    pub message_name: [u8; NAME_LEN],
    /// Random: tells two rings of one name apart.
    pub id: [u8; 16],
    /// Bodies; 0 where every message fits with its slot.
    pub bodies: u64,
    /// Zero.
    pub reserved: [u8; 264],
}

/// What a ring is asked to be; [`Header::plan`] turns it into bytes.
#[derive(Clone, Copy, Debug)]
pub struct Wish {
    /// The kind of ring.
    pub flavour: Flavour,
    /// The message type.
    pub shape: Shape,
    /// Slots.
    pub capacity: u64,
    /// Longest message in bytes; a sized type brings its own.
    pub max_len: u64,
    /// Places for participants.
    pub participants: u32,
    /// [`KEEP_OPEN`], [`FENCE`].
    pub flags: u32,
    /// As [`Header::redelivery`].
    pub redelivery: u32,
    /// As [`Header::spin_ns`].
    pub spin_ns: u32,
    /// As [`Header::retain`].
    pub retain: u64,
    /// As [`Header::body_stride`], if that is not for the plan to say. Of no meaning in a ring without bodies.
    pub body_stride: Option<u64>,
}

impl Header {
    /// Its flavour, if that is one.
    pub fn kind(&self) -> Option<Flavour> {
        [Flavour::Spsc, Flavour::Mpmc].into_iter().find(|&flavour| flavour as u32 == self.flavour)
    }

    /// Lays out the ring of `wish`, or names the first field that cannot be: the wish is out of bounds.
    pub fn plan(wish: &Wish, id: [u8; 16]) -> Result<Self, &'static str> {
        let Wish { flavour, shape, capacity, participants, .. } = *wish;
        if !(1..=MAX_CAPACITY).contains(&capacity) {
            return Err("capacity");
        }
        if !(1..=MAX_PARTICIPANTS).contains(&participants) {
            return Err("participants");
        }
        if !shape.align.is_power_of_two() || shape.align > PAGE {
            return Err("message_align");
        }
        let sized = shape.is_sized();
        let max_len = if sized { shape.fixed } else { wish.max_len };
        if max_len > MAX_LEN || max_len < shape.fixed || (!sized && max_len == 0) {
            return Err("max_len");
        }
        let slot = SlotPlan::of(flavour, &shape, max_len);

        let participants_offset = CONTROL + size_of::<Control>() as u64;
        let skips_offset = participants_offset + u64::from(participants) * size_of::<Participant>() as u64;
        let skips_offset = skips_offset.next_multiple_of(LINE);
        let skips_len = if flavour == Flavour::Mpmc { 8 * capacity } else { 0 };
        let records_offset = (skips_offset + skips_len).next_multiple_of(PAGE);
        let records_end = records_offset + slot.stride * capacity;
        let bodies = match slot.has_bodies {
            true => bodies::Plan::of(capacity, participants.into(), max_len, wish.body_stride).ok_or("body_stride")?,
            false => bodies::Plan::NONE,
        };
        let bodies_offset = if slot.has_bodies { records_end.next_multiple_of(PAGE) } else { 0 };
        let end = match slot.has_bodies {
            true => bodies_start(bodies_offset, bodies.count) + bodies.count * bodies.stride,
            false => records_end.next_multiple_of(PAGE),
        };
        Ok(Self {
            magic: MAGIC,
            version: VERSION,
            flavour: flavour as u32,
            segment_len: end,
            capacity,
            max_len,
            inline_len: slot.inline_len,
            participants_offset,
            skips_offset: if flavour == Flavour::Mpmc { skips_offset } else { 0 },
            records_offset,
            record_stride: slot.stride,
            payloads_offset: records_offset + slot.payload,
            payload_stride: slot.stride,
            bodies_offset,
            body_stride: bodies.stride,
            retain: if slot.has_bodies { wish.retain } else { 0 },
            participants,
            flags: wish.flags,
            redelivery: wish.redelivery,
            spin_ns: wish.spin_ns,
            message_fixed: shape.fixed,
            message_element: shape.element,
            message_align: shape.align,
            message_name: shape.name,
            id,
            bodies: bodies.count,
            reserved: [0; 264],
        })
    }

    /// Bytes that are allocated when the ring is created; what lies behind them is sparse.
    pub fn dense_len(&self) -> u64 {
        let table_len = self.bodies * size_of::<Body>() as u64;
        if self.bodies == 0 { self.segment_len } else { (self.bodies_offset + table_len).next_multiple_of(PAGE) }
    }

    /// How many of the bodies are for messages that take one: the first. The others are for runs.
    pub fn single_bodies(&self) -> u64 {
        let plan = || bodies::Plan::of(self.capacity, self.participants.into(), self.max_len, Some(self.body_stride));
        if self.bodies == 0 { 0 } else { plan().map_or(0, |plan| plan.singles) }
    }

    /// Where the first body starts.
    pub fn bodies_start(&self) -> u64 {
        bodies_start(self.bodies_offset, self.bodies)
    }

    /// The message type that the header speaks of.
    pub fn shape(&self) -> Shape {
        Shape {
            fixed: self.message_fixed,
            element: self.message_element,
            align: self.message_align,
            name: self.message_name,
        }
    }
}

fn bodies_start(table: u64, bodies: u64) -> u64 {
    (table + bodies * size_of::<Body>() as u64).next_multiple_of(bodies::BODY_ALIGN)
}

/// What a slot looks like.
struct SlotPlan {
    /// Bytes from one to the next.
    stride: u64,
    /// Where in it the payload starts.
    payload: u64,
    /// Longest message that fits.
    inline_len: u64,
    /// Whether longer messages have a body.
    has_bodies: bool,
}

impl SlotPlan {
    /// The payload of a longer unsized message starts on a line of its own, since numerical code wants 64-byte alignment; that of a sized one
    /// too, where it fills lines.
    fn of(flavour: Flavour, shape: &Shape, max_len: u64) -> Self {
        let sized = shape.is_sized();
        let prefix = flavour.prefix(!sized);
        let align = match sized {
            false if shape.element > 1 || max_len >= 256 => shape.align.max(64),
            // Beside its word it would lie in as many lines, and one of them that everybody looks at while it is filled.
            true if max_len > 0 && max_len.is_multiple_of(64) => shape.align.max(64),
            _ => shape.align,
        };
        let payload = prefix.next_multiple_of(align);
        let whole = (payload + max_len).next_multiple_of(align);
        if whole > MAX_STRIDE {
            // What is aligned more strictly than to a line, or has one length, has a body whatever its length.
            let fits = !sized && align <= 64;
            let stride = if fits { STRIDE_WITH_BODIES } else { align.max(64) };
            let inline_len = if fits { stride - 64 } else { 0 };
            return Self { stride, payload: if fits { 64 } else { 0 }, inline_len, has_bodies: true };
        }
        Self { stride: stride(whole, align), payload, inline_len: max_len, has_bodies: false }
    }
}

/// One word on a line of its own.
#[derive(Debug)]
#[repr(C, align(128))]
pub struct Line<T>(pub T);

/// Offset of [`Control`].
pub const CONTROL: u64 = 1024;

/// The words that everybody writes, each on its own line.
#[derive(Debug)]
#[repr(C)]
pub struct Control {
    /// spsc: position of the next message to be sent; the commit point. mpmc: a hint of it, never above the truth.
    pub tail: Line<AtomicU64>,
    /// spsc: position of the first message not acknowledged. mpmc: a hint of the first one to look at.
    pub head: Line<AtomicU64>,
    /// spsc: the receiver's own notes.
    pub taken: Line<Taken>,
    /// mpmc: one above the highest position ever passed over.
    pub bumped: Line<AtomicU64>,
    /// Receivers sleep here; senders look at it after each commit.
    pub filled: Line<AtomicU32>,
    /// Senders sleep here; receivers look at it after each acknowledgement.
    pub freed: Line<AtomicU32>,
    /// Who has come and gone.
    pub presence: Line<Presence>,
    /// Counts of what is rare.
    pub counters: Line<Counters>,
    /// What the bodies take.
    pub memory: Line<Memory>,
    /// Bytes of bodies that were ever left: written at each acknowledgement of a message that has one. See `ring::idle`.
    pub left: Line<AtomicU64>,
    /// Zero.
    pub reserved: [Line<[u8; 128]>; 14],
}

/// What an spsc receiver leaves for its successor.
#[derive(Debug)]
#[repr(C)]
pub struct Taken {
    /// Position after the last message that was handed out.
    pub position: AtomicU64,
    /// The position whose deliveries are counted in `attempts`.
    pub again: AtomicU64,
    /// How often the message at `again` was handed out without being acknowledged.
    pub attempts: AtomicU64,
}

/// Joins and leaves.
#[derive(Debug)]
#[repr(C)]
pub struct Presence {
    /// Grows with every join and leave, so that a verdict about the peers can be kept until it does.
    pub changes: AtomicU32,
    /// Not 0 once there has been a sender.
    pub ever_sender: AtomicU32,
    /// Not 0 once there has been a receiver.
    pub ever_receiver: AtomicU32,
}

/// What seldom happens, counted by whoever did it.
#[derive(Debug)]
#[repr(C)]
pub struct Counters {
    /// Claims of the dead that were freed.
    pub reaped: AtomicU64,
    /// Messages of the dead, or rejected ones, that were delivered again.
    pub adopted: AtomicU64,
    /// Messages that a receiver gave back.
    pub rejected: AtomicU64,
    /// Messages dropped by the redelivery policy.
    pub dropped: AtomicU64,
    /// Positions passed over because an earlier message still held the slot.
    pub bumped: AtomicU64,
    /// Claims given back: loans dropped without a commit.
    pub aborted: AtomicU64,
    /// Claims undone because the position had just been passed over.
    pub undone: AtomicU64,
}

/// What the bodies take, counted by whoever commits or gives back. A count may be too high, if its counter died in between; the
/// watermarks of the bodies are the truth.
#[derive(Debug)]
#[repr(C)]
pub struct Memory {
    /// Bytes committed to bodies.
    pub committed: AtomicU64,
    /// The most there have been.
    pub high_water: AtomicU64,
    /// Bytes that were ever given back of bodies that nobody used: see `ring::idle`.
    pub given: AtomicU64,
    /// What was left and not given back when all bodies were last looked at, less what was then idle.
    pub base: AtomicU64,
}

/// What the table says of a body.
#[derive(Debug)]
#[repr(C, align(16))]
pub struct Body {
    /// Who uses it: see `ring::body`.
    pub user: AtomicU64,
    /// Bytes from its start that are really there; and [`UNSURE`]. Written by its user alone.
    pub committed: AtomicU64,
}

/// Set in [`Body::committed`] while more may be there than it says: a multiple of a page.
pub const UNSURE: u64 = 1;

impl Body {
    /// Bytes from its start that are really there.
    pub fn watermark(&self) -> u64 {
        self.committed.load(Relaxed) & !UNSURE
    }
}

/// Bits of a description that hold the length.
const LENGTH_BITS: u32 = 36;

/// What a slot says of its message: how long it is, and in which body it lies or begins, if not with the slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Description(pub u64);

impl Description {
    /// A message that lies with its slot.
    #[inline]
    pub const fn inline(len: usize) -> Self {
        Self(len as u64)
    }

    /// A message in a body, or from that one on.
    #[inline]
    pub const fn in_body(len: usize, body: usize) -> Self {
        Self(len as u64 | (body as u64 + 1) << LENGTH_BITS)
    }

    /// Bytes.
    #[inline]
    pub const fn len(self) -> usize {
        (self.0 & ((1 << LENGTH_BITS) - 1)) as usize
    }

    /// The body, or the first of them, if it is in one.
    #[inline]
    pub fn body(self) -> Option<usize> {
        (self.0 >> LENGTH_BITS).checked_sub(1).map(|body| body as usize)
    }
}

/// One process's place in the ring. Written by its owner, who holds the kernel lock of the same index.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct Participant {
    /// 0 when free, else the generation of the owner: 1..=255.
    pub generation: AtomicU32,
    /// The owner's process id, in its own namespace.
    pub pid: AtomicU32,
    /// Senders it has.
    pub senders: AtomicU32,
    /// Receivers it has.
    pub receivers: AtomicU32,
    /// The generation last used here; outlives the owner.
    pub last_generation: AtomicU32,
}

/// Asserts where each field of a type is; one that is not listed does not compile.
macro_rules! assert_offsets {
    ($type:ident: $($offset:literal $field:ident),+) => {
        const _: fn(&$type) = |$type { $($field: _),+ }| ();
        const _: () = { $(assert!(core::mem::offset_of!($type, $field) == $offset);)+ };
    };
}

assert_offsets!(Header: 0 magic, 8 version, 12 flavour, 16 segment_len, 24 capacity, 32 max_len, 40 inline_len,
    48 participants_offset, 56 skips_offset, 64 records_offset, 72 record_stride, 80 payloads_offset, 88 payload_stride,
    96 bodies_offset, 104 body_stride, 112 retain, 120 participants, 124 flags, 128 redelivery, 132 spin_ns,
    136 message_fixed, 144 message_element, 152 message_align, 160 message_name, 224 id, 240 bodies, 248 reserved);
assert_offsets!(Control: 0 tail, 128 head, 256 taken, 384 bumped, 512 filled, 640 freed, 768 presence, 896 counters,
    1024 memory, 1152 left, 1280 reserved);
assert_offsets!(Taken: 0 position, 8 again, 16 attempts);
assert_offsets!(Presence: 0 changes, 4 ever_sender, 8 ever_receiver);
assert_offsets!(Counters: 0 reaped, 8 adopted, 16 rejected, 24 dropped, 32 bumped, 40 aborted, 48 undone);
assert_offsets!(Memory: 0 committed, 8 high_water, 16 given, 24 base);
assert_offsets!(Body: 0 user, 8 committed);
assert_offsets!(Participant: 0 generation, 4 pid, 8 senders, 12 receivers, 16 last_generation);

const _: () = {
    assert!(size_of::<Header>() == 512 && align_of::<Header>() == 8 && 512 <= CONTROL);
    assert!(size_of::<Control>() as u64 == 3 * 1024 && size_of::<Line<AtomicU64>>() as u64 == LINE);
    assert!(CONTROL + size_of::<Control>() as u64 == PAGE);
    assert!(size_of::<Participant>() == 64 && size_of::<Body>() == 16);
};

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether what is known of `M` in advance is as its rings are laid out.
    fn check<M: Message>() {
        let (size, align) = (size_of::<M>() as u64, align_of::<M>() as u64);
        let shape = Shape { fixed: size, element: 0, align, name: [0; NAME_LEN] };
        let [spsc, mpmc] = [Flavour::Spsc, Flavour::Mpmc].map(|flavour| SlotPlan::of(flavour, &shape, size));
        let told = format!("{size} bytes, aligned to {align}");
        assert_eq!(always_fits::<M>(), size <= 1024, "{told}");
        if size > 1024 {
            assert_eq!((bare_stride::<M>(), slot_stride::<M>()), (None, None), "{told}");
            return;
        }
        assert_eq!(
            (spsc.has_bodies, spsc.inline_len, mpmc.has_bodies, mpmc.inline_len),
            (false, size, false, size),
            "{told}"
        );
        assert_eq!((bare_stride::<M>(), spsc.payload), (Some(spsc.stride as usize), 0), "{told}");
        let is_told = !size.is_multiple_of(128);
        assert_eq!(slot_stride::<M>(), is_told.then_some(mpmc.stride as usize), "{told}");
    }

    macro_rules! check_row {
        ($row:literal: $($column:literal)*) => { $(check::<[u8; 16 * $row + $column]>();)* };
    }

    macro_rules! check_rows {
        ($($row:literal)*) => { $(check_row!($row: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16);)* };
    }

    macro_rules! check_arrays {
        ($element:ty: $($len:literal)*) => { $(check::<[$element; $len]>();)* };
    }

    macro_rules! aligned {
        ($($name:ident $align:literal)*) => {
            $(
                #[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
                #[repr(C, align($align))]
                struct $name([u8; $align]);
            )*
        };
    }

    aligned!(Aligned32 32 Aligned64 64 Aligned128 128 Aligned256 256 Aligned512 512 Aligned1024 1024);

    #[test]
    fn what_is_known_of_a_message_in_advance_is_so() {
        check_rows!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31);
        check_rows!(32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63 64);
        check_arrays!(u16: 1 2 3 5 31 32 33 63 64 65 511 512 513);
        check_arrays!(u32: 1 2 3 5 7 8 9 15 16 17 31 32 33 255 256 257);
        check_arrays!(u64: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 24 25 32 127 128 129);
        check_arrays!(u128: 1 2 3 4 5 6 7 8 9 12 16 17 63 64 65);
        check_arrays!(Aligned32: 1 2 3 4 5 6 7 8 31 32 33);
        check_arrays!(Aligned64: 1 2 3 4 5 6 7 8 15 16 17);
        check_arrays!(Aligned128: 1 2 3 4 5 6 7 8 9);
        check_arrays!(Aligned256: 1 2 3 4 5);
        check_arrays!(Aligned512: 1 2 3);
        check_arrays!(Aligned1024: 1 2);
    }

    #[test]
    fn nothing_is_known_in_advance_of_what_has_no_bytes_or_no_one_size() {
        assert_eq!((bare_stride::<[u8; 0]>(), slot_stride::<[u8; 0]>()), (None, None));
        assert_eq!((bare_stride::<[u8]>(), slot_stride::<[u8]>(), always_fits::<[u8]>()), (None, None, false));
    }
}
