//! The words and payloads of a mapped ring, found by the geometry that was checked when it was opened.
//!
//! This is the only pointer arithmetic of the fast path. A [`Slots`] is a handful of numbers, copied into each handle so that
//! no pointer is chased; whoever holds one also holds the mapping.

use crate::layout::{self, Body, Control, Description, Flavour, Header};
use crate::message::{self, Message};
use crate::ring::body::{self, Run};
use crate::ring::{idle, mpmc, position::Positions, spsc};
use crate::segment::Segment;
use crate::sync::{
    AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
    point,
};
use std::ptr::NonNull;

/// Bytes that change cores together. (Words are kept [twice as far](layout::LINE) apart.)
const CACHE_LINE: usize = 64;
/// Two of them: the slot of a message of 64 bytes, with its state word.
const LINES_2: usize = 2 * CACHE_LINE;

/// Where everything of one mapped ring is.
#[derive(Clone, Copy, Debug)]
pub struct Slots {
    control: NonNull<Control>,
    records: *mut u8,
    record_stride: usize,
    payloads: *mut u8,
    payload_stride: usize,
    skips: *const AtomicU64,
    max_len: usize,
    inline_len: usize,
    /// Where in a record the description is.
    description_at: usize,
    table: *const Body,
    bodies: *mut u8,
    body_stride: usize,
    body_count: usize,
}

// SAFETY: all shared words are atomics, and payloads are only reached by whom the protocol lets.
unsafe impl Send for Slots {}
// SAFETY: as above.
unsafe impl Sync for Slots {}

impl Slots {
    /// The slots of `segment`, which must stay mapped as long as they are used.
    pub fn new(segment: &Segment) -> Self {
        let header = segment.header();
        let at = |offset: u64| {
            // SAFETY: offsets were checked against the length of the mapping.
            unsafe { segment.base().add(offset as usize) }
        };
        Self {
            control: NonNull::from(segment.control()),
            records: at(header.records_offset),
            record_stride: header.record_stride as usize,
            payloads: at(header.payloads_offset),
            payload_stride: header.payload_stride as usize,
            skips: segment.skips(),
            max_len: header.max_len as usize,
            inline_len: header.inline_len as usize,
            description_at: if header.flavour == Flavour::Mpmc as u32 { 8 } else { 0 },
            table: at(header.bodies_offset).cast(),
            // In a ring without bodies this is the end of it or beyond, and never used.
            bodies: segment.base().wrapping_add(header.bodies_start() as usize),
            body_stride: header.body_stride as usize,
            body_count: header.bodies as usize,
        }
    }

    /// The control lines.
    #[inline]
    pub fn control(&self) -> &Control {
        // SAFETY: mapped as long as the handle lives, all atomics.
        unsafe { self.control.as_ref() }
    }

    /// How many messages were ever rejected. Each of them is there to be found: it is counted when that is done.
    #[inline]
    pub fn rejected(&self) -> u64 {
        self.control().counters.0.rejected.load(Acquire)
    }

    /// Longest message in bytes.
    #[inline]
    pub fn max_len(&self) -> usize {
        self.max_len
    }

    /// Longest message in bytes that lies with its slot.
    #[inline]
    pub fn inline_len(&self) -> usize {
        self.inline_len
    }

    /// Whether messages may be too long to lie with their slot.
    #[inline]
    pub fn have_bodies(&self) -> bool {
        self.body_count > 0
    }

    /// Whether any message of type `M` may lie in a body, in this ring.
    #[inline(always)]
    pub fn have_bodies_for<M: Message + ?Sized>(&self) -> bool {
        !layout::always_fits::<M>() && self.have_bodies()
    }

    /// The payload of a slot: `inline_len` bytes, aligned for the message type.
    #[inline]
    pub fn payload(&self, index: usize) -> *mut u8 {
        // SAFETY: `index` comes from a position and is below the capacity, for which the segment has room.
        unsafe { self.payloads.add(index * self.payload_stride) }
    }

    /// The payload of a slot in an spsc ring: as [`payload`](Self::payload), without a multiplication where the type says how far
    /// slots are apart.
    #[inline(always)]
    pub fn bare_payload<M: Message + ?Sized>(&self, index: usize) -> *mut u8 {
        match layout::bare_stride::<M>() {
            Some(stride) => {
                debug_assert_eq!(stride, self.payload_stride);
                // SAFETY: as for `payload`.
                unsafe { self.payloads.add(index * stride) }
            }
            None => self.payload(index),
        }
    }

    /// The slots of an mpmc ring, if the type of its messages says how far they are apart.
    #[inline(always)]
    pub fn typed<M: Message + ?Sized>(&self) -> Option<Typed<'_>> {
        let stride = layout::slot_stride::<M>()?;
        debug_assert_eq!((stride, stride), (self.record_stride, self.payload_stride));
        Some(Typed { slots: self, stride })
    }

    /// The payload of a slot in an mpmc ring: as [`payload`](Self::payload), without a multiplication where the type says how far slots are
    /// apart.
    #[inline(always)]
    pub fn payload_of<M: Message + ?Sized>(&self, index: usize) -> *mut u8 {
        match self.typed::<M>() {
            // SAFETY: as for `payload`; payloads are as far apart as words.
            Some(typed) => unsafe { self.payloads.add(index * typed.stride) },
            None => self.payload(index),
        }
    }

    /// Asks for the line after the one that the sender of an spsc ring has just written a small message into: it comes from the
    /// receiver's core while this line is filled.
    #[inline(always)]
    pub fn foresee_line<M: Message + ?Sized>(&self, payload: *const u8) {
        if layout::bare_stride::<M>().is_some_and(|stride| stride <= CACHE_LINE) {
            own::<CACHE_LINE>(payload);
        }
    }

    /// As [`foresee_line`](Self::foresee_line), for a sender who is about to write `count` messages from slot `index` on: the lines
    /// in which its next run will start.
    #[inline(always)]
    pub fn foresee_run<M: Message + ?Sized>(&self, index: usize, count: usize) {
        if let Some(stride) = layout::bare_stride::<M>()
            && stride <= CACHE_LINE
        {
            let next = self.payload(index).wrapping_add((count * stride).max(CACHE_LINE));
            own::<0>(next);
            own::<CACHE_LINE>(next);
            own::<{ 2 * CACHE_LINE }>(next);
            own::<{ 3 * CACHE_LINE }>(next);
        }
    }

    /// Asks for the lines in which the message of slot `index` begins, for a receiver of an spsc ring who has just looked for it in vain: what
    /// its sender writes there comes together with the position that tells of it then, and not after that. (Where messages share a line, its
    /// sender is still writing there: a stream of 8 B took twice as long.)
    #[inline]
    pub fn expect(&self, index: usize) {
        if self.record_stride < CACHE_LINE {
            return;
        }
        let record = self.record(index).cast_const();
        see(record);
        if self.record_stride == LINES_2 {
            see(record.wrapping_add(CACHE_LINE));
        }
    }

    #[inline]
    fn record(&self, index: usize) -> *mut u8 {
        // SAFETY: as for the payload.
        unsafe { self.records.add(index * self.record_stride) }
    }

    /// What a slot says of its message, where messages differ in length or place.
    #[inline]
    fn description(&self, index: usize) -> &AtomicU64 {
        // SAFETY: within the record of that slot.
        let description = unsafe { self.record(index).add(self.description_at) };
        // SAFETY: mapped, aligned by the layout, and accessed as an atomic by everybody.
        unsafe { &*description.cast::<AtomicU64>() }
    }

    /// Notes how long the message is and where it lies.
    #[inline]
    pub fn describe(&self, index: usize, description: Description) {
        self.description(index).store(description.0, Relaxed);
    }

    /// The message of a slot whose payload is at `payload`: where it lies, and how many bytes it is; read once, and `None` where it
    /// cannot be.
    #[inline(always)]
    pub fn message<M: Message + ?Sized>(&self, index: usize, payload: *const u8) -> (*const u8, Option<usize>) {
        if const { message::is_sized::<M>() } && !self.have_bodies_for::<M>() {
            return (payload, message::size_with::<M>(0));
        }
        let description = Description(self.description(index).load(Relaxed));
        // One comparison for both: with a body it is far beyond any length.
        if description.0 <= self.inline_len as u64 {
            return (payload, Some(description.len()));
        }
        match self.message_in_body(description) {
            Some(start) => (start, Some(description.len())),
            None => (payload, None),
        }
    }

    #[cold]
    fn message_in_body(&self, description: Description) -> Option<*const u8> {
        let (len, body) = (description.len(), description.body()?);
        if body < self.body_count {
            // It comes while the table is asked.
            see(self.body_start(body));
        }
        let is_there = match len <= self.body_stride {
            true => body < self.body_count && len <= self.max_len && len as u64 <= self.body(body).watermark(),
            false => len <= self.max_len && self.is_run_there(body, len),
        };
        is_there.then(|| self.body_start(body).cast_const())
    }

    /// Whether there is memory behind `len` bytes from body `first` on, in each of the bodies that they take.
    #[cold]
    #[inline(never)]
    fn is_run_there(&self, first: usize, len: usize) -> bool {
        self.run(first, len)
            .is_some_and(|run| self.parts(run, len).all(|(body, part)| part <= self.body(body).watermark()))
    }

    /// The bodies of the message in a slot, if it lies in any.
    #[inline]
    pub fn run_of(&self, index: usize) -> Option<Run> {
        let description = Description(self.description(index).load(Relaxed));
        let (body, len) = (description.body()?, description.len());
        // No message is longer; and what is told of one that would be must not take long to go over.
        if len <= self.max_len { self.run(body, len) } else { None }
    }

    /// The bodies that `len` bytes take, from body `first` on, if there are so many.
    #[inline]
    pub fn run(&self, first: usize, len: usize) -> Option<Run> {
        if len <= self.body_stride {
            return (first < self.body_count).then_some(Run::one(first));
        }
        // A ring without bodies has none, however long a message is said to be.
        let count = len.checked_div(self.body_stride)? + usize::from(!len.is_multiple_of(self.body_stride));
        (count <= self.body_count && first <= self.body_count - count).then_some(Run { first, count })
    }

    /// The bodies of a run that `len` bytes take, and how many bytes lie in each.
    pub fn parts(&self, run: Run, len: usize) -> impl Iterator<Item = (usize, u64)> + use<> {
        let stride = self.body_stride;
        run.bodies().enumerate().map(move |(place, body)| (body, (len - place * stride).min(stride) as u64))
    }

    /// What the table says of a body.
    pub fn body(&self, body: usize) -> &Body {
        assert!(body < self.body_count, "a body beyond the last");
        // SAFETY: checked just now, and the segment has a table of so many.
        let entry = unsafe { self.table.add(body) };
        // SAFETY: mapped, aligned by the layout, and accessed as atomics by everybody.
        unsafe { &*entry }
    }

    /// Where a body starts, and behind it those that follow, each where the last one ends; of the address space of each, memory is
    /// behind what is committed.
    pub fn body_start(&self, body: usize) -> *mut u8 {
        assert!(body < self.body_count, "a body beyond the last");
        // SAFETY: checked just now, and the mapping has room for so many.
        unsafe { self.bodies.add(body * self.body_stride) }
    }

    /// Copies a sized message out of the payload of a slot, in a ring without bodies. In a slot that is not the caller's the value
    /// is some mixture of messages.
    ///
    /// # Safety
    ///
    /// `payload` is that of a slot of this ring.
    #[inline(always)]
    pub unsafe fn read<M: Message>(&self, payload: *const u8) -> M {
        debug_assert!(!self.have_bodies());
        // SAFETY: the payload has room for an `M`, is aligned for it, and any bytes are a value of `M: FromBytes`.
        unsafe { core::ptr::read(payload.cast::<M>()) }
    }

    /// Whether a message lies with its slot.
    #[inline(always)]
    pub fn fits_in_slot<M: Message + ?Sized>(&self, message: &M) -> bool {
        if const { message::is_sized::<M>() } {
            return !self.have_bodies_for::<M>();
        }
        size_of_val(message) <= self.inline_len
    }

    /// Copies in a message that lies with its slot, whose payload is at `payload`. Its length was checked.
    ///
    /// # Safety
    ///
    /// The caller has the slot as its sender, and `message` is at most `inline_len` bytes long.
    #[inline(always)]
    pub unsafe fn write<M: Message + ?Sized>(&self, index: usize, payload: *mut u8, message: &M) {
        let bytes = message.as_bytes();
        if const { !message::is_sized::<M>() } {
            self.describe(index, Description::inline(bytes.len()));
        }
        // SAFETY: the slot is the caller's and has room.
        unsafe { copy_in(bytes, payload) };
    }
}

/// Asks the processor to make the line `BEYOND` bytes after `address` this core's own, soon. A hint: any address will do, and
/// nothing that a program can see changes.
#[inline(always)]
fn own<const BEYOND: usize>(address: *const u8) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: a prefetch neither faults nor writes; processors that do not know this one pass over it.
    unsafe {
        core::arch::asm!("prefetchw [{} + {}]", in(reg) address, const BEYOND, options(nostack, readonly, preserves_flags));
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = address;
}

/// Asks the processor for a copy of the line at `address`, soon. A hint, as [`own`] is.
#[inline(always)]
fn see(address: *const u8) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: a prefetch neither faults nor changes anything.
    unsafe {
        core::arch::asm!("prefetcht0 [{}]", in(reg) address, options(nostack, readonly, preserves_flags));
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = address;
}

/// Where a message goes that is being written: the description of the message, but for its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place(Description);

impl Place {
    /// With its slot.
    pub const SLOT: Self = Self(Description::inline(0));

    /// In a body.
    pub fn in_body(body: usize) -> Self {
        Self(Description::in_body(0, body))
    }

    /// The body, if that is where it goes.
    #[inline]
    pub fn body(self) -> Option<usize> {
        self.0.body()
    }

    /// Notes in slot `index` where its message lies, and that it is `len` bytes long; nothing, where the type says both.
    #[inline(always)]
    pub fn describe<M: Message + ?Sized>(self, slots: &Slots, index: usize, len: usize) {
        if const { !message::is_sized::<M>() } || slots.have_bodies_for::<M>() {
            slots.describe(index, Description(self.0.0 | len as u64));
        }
    }
}

/// Copies a message into shared memory.
///
/// # Safety
///
/// `start` has room for the bytes, and nobody else uses it. (A message never lies in a place that somebody may claim.)
#[inline(always)]
pub unsafe fn copy_in(bytes: &[u8], start: *mut u8) {
    // In two steps for the torture test, so that it can die between them; else the first is nothing.
    let (half, rest) = bytes.split_at(if cfg!(feature = "torture") { bytes.len() / 2 } else { 0 });
    // SAFETY: by contract.
    unsafe { core::ptr::copy_nonoverlapping(half.as_ptr(), start, half.len()) };
    point();
    // SAFETY: `half` and `rest` together have room.
    let middle = unsafe { start.add(half.len()) };
    // SAFETY: as for the first half.
    unsafe { core::ptr::copy_nonoverlapping(rest.as_ptr(), middle, rest.len()) };
}

impl Slots {
    /// Copies sized messages into slots that follow each other.
    ///
    /// # Safety
    ///
    /// The caller has the slots from `index` on as their sender, as many as there are messages.
    #[inline]
    pub unsafe fn write_run<M: Message>(&self, index: usize, messages: &[M]) {
        if self.payload_stride == size_of::<M>() {
            let start = self.payload(index).cast::<M>();
            // SAFETY: the slots are the caller's and lie as densely as the slice.
            unsafe { core::ptr::copy_nonoverlapping(messages.as_ptr(), start, messages.len()) };
        } else {
            for (ahead, message) in messages.iter().enumerate() {
                // SAFETY: one of the caller's slots.
                unsafe { self.write(index + ahead, self.payload(index + ahead), message) };
            }
        }
    }

    /// The messages in slots that follow each other, if they lie as densely as a slice.
    ///
    /// # Safety
    ///
    /// The caller holds `count` messages from slot `index` on for `'a`.
    #[inline]
    pub unsafe fn read_run<'a, M: Message>(&self, index: usize, count: usize) -> Option<&'a [M]> {
        (self.payload_stride == size_of::<M>()).then(|| {
            // SAFETY: held by the caller, aligned for `M`, and any bytes are values of it.
            unsafe { core::slice::from_raw_parts(self.payload(index).cast::<M>(), count) }
        })
    }
}

impl body::Shared for Slots {
    fn body(&self, index: usize) -> &AtomicU64 {
        &Self::body(self, index).user
    }

    fn foresee(&self, index: usize) {
        own::<0>(core::ptr::from_ref(Self::body(self, index)).cast());
    }
}

impl idle::Shared for Slots {
    #[inline]
    fn left(&self) -> &AtomicU64 {
        &self.control().left.0
    }
    #[inline]
    fn given(&self) -> &AtomicU64 {
        &self.control().memory.0.given
    }
    #[inline]
    fn base(&self) -> &AtomicU64 {
        &self.control().memory.0.base
    }
}

impl spsc::Shared for Slots {
    #[inline]
    fn tail(&self) -> &AtomicU64 {
        &self.control().tail.0
    }
    #[inline]
    fn head(&self) -> &AtomicU64 {
        &self.control().head.0
    }
    #[inline]
    fn taken(&self) -> &AtomicU64 {
        &self.control().taken.0.position
    }
}

impl mpmc::Shared for Slots {
    #[inline]
    fn word(&self, index: usize) -> &AtomicU64 {
        // SAFETY: a record of an mpmc ring starts with its state word, aligned, and accessed as an atomic by everybody.
        unsafe { &*self.record(index).cast::<AtomicU64>() }
    }
    #[inline]
    fn skip(&self, index: usize) -> &AtomicU64 {
        // SAFETY: `index` is below the capacity, for which the segment has skip words.
        let skip = unsafe { self.skips.add(index) };
        // SAFETY: as for the state word.
        unsafe { &*skip }
    }
    #[inline]
    fn bumped(&self) -> &AtomicU64 {
        &self.control().bumped.0
    }
    #[inline]
    fn tail(&self) -> &AtomicU64 {
        &self.control().tail.0
    }
    #[inline]
    fn head(&self) -> &AtomicU64 {
        &self.control().head.0
    }
    #[inline(always)]
    fn foresee_message(&self, word: &AtomicU64) {
        foresee_beside(word, self.record_stride);
    }
    #[cold]
    fn count(&self, event: mpmc::Event) {
        use mpmc::Event::*;
        let counters = &self.control().counters.0;
        let counter = match event {
            Reaped => &counters.reaped,
            Adopted => &counters.adopted,
            Rejected => &counters.rejected,
            Dropped => &counters.dropped,
            Bumped => &counters.bumped,
            Aborted => &counters.aborted,
            Undone => &counters.undone,
        };
        // Release, for what is counted after it was done: see `Core::reject`.
        counter.fetch_add(1, Release);
        if self.have_bodies() && matches!(event, Reaped | Dropped) {
            // That ended the use of a body that nobody counts.
            idle::Idle::new(*self).doubt();
        }
    }
}

/// The slots of an mpmc ring that are `stride` bytes apart: a constant to the compiler, who then needs no multiplication.
#[derive(Clone, Copy, Debug)]
pub struct Typed<'a> {
    slots: &'a Slots,
    stride: usize,
}

impl mpmc::Shared for Typed<'_> {
    #[inline(always)]
    fn word(&self, index: usize) -> &AtomicU64 {
        // SAFETY: as for `Slots::payload`.
        let word = unsafe { self.slots.records.add(index * self.stride) };
        // SAFETY: as for the slots' own.
        unsafe { &*word.cast::<AtomicU64>() }
    }
    #[inline(always)]
    fn skip(&self, index: usize) -> &AtomicU64 {
        self.slots.skip(index)
    }
    #[inline(always)]
    fn bumped(&self) -> &AtomicU64 {
        self.slots.bumped()
    }
    #[inline(always)]
    fn tail(&self) -> &AtomicU64 {
        mpmc::Shared::tail(self.slots)
    }
    #[inline(always)]
    fn head(&self) -> &AtomicU64 {
        mpmc::Shared::head(self.slots)
    }
    #[inline(always)]
    fn count(&self, event: mpmc::Event) {
        self.slots.count(event);
    }
    #[inline(always)]
    fn foresee_message(&self, word: &AtomicU64) {
        foresee_beside(word, self.stride);
    }
    /// Only where a message has lines of its own. No farther than one slot ahead: whoever waits for messages one at a time is seldom
    /// there yet.
    #[inline(always)]
    fn foresee(&self, word: &AtomicU64) {
        if self.stride == LINES_2 {
            let word = core::ptr::from_ref(word).cast();
            own::<LINES_2>(word);
            own::<{ LINES_2 + CACHE_LINE }>(word);
        }
    }
}

/// For a sender who is about to claim a slot: asks for the line after that of its word, if that is the slot's too. It comes while the claim
/// is made.
///
/// If it came after that, the commit would wait for it, and whoever looks at the word meanwhile would take that line away first.
#[inline(always)]
fn foresee_beside(word: &AtomicU64, stride: usize) {
    if stride > CACHE_LINE {
        own::<CACHE_LINE>(core::ptr::from_ref(word).cast());
    }
}

/// The position arithmetic of a header.
pub fn positions(header: &Header) -> Positions {
    Positions::new(header.capacity)
}
