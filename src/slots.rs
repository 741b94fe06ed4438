//! The words and payloads of a mapped ring, found by the geometry that was checked when it was opened.
//!
//! This is the only pointer arithmetic of the fast path. A [`Slots`] is a handful of numbers, copied into each handle so that
//! no pointer is chased; whoever holds one also holds the mapping.

use crate::layout::{Control, Flavour, Header};
use crate::message::{self, Message};
use crate::ring::{mpmc, position::Positions, spsc};
use crate::segment::Segment;
use crate::sync::{AtomicU32, AtomicU64, Ordering::Relaxed, point};
use std::ptr::NonNull;

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
    /// Where in a record the length is.
    length_at: usize,
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
            length_at: if header.flavour == Flavour::Mpmc as u32 { 8 } else { 0 },
        }
    }

    /// The control lines.
    #[inline]
    pub fn control(&self) -> &Control {
        // SAFETY: mapped as long as the handle lives, all atomics.
        unsafe { self.control.as_ref() }
    }

    /// Longest message in bytes.
    #[inline]
    pub fn max_len(&self) -> usize {
        self.max_len
    }

    /// The payload of a slot: `max_len` bytes, aligned for the message type.
    #[inline]
    pub fn payload(&self, index: usize) -> *mut u8 {
        // SAFETY: `index` comes from a position and is below the capacity, for which the segment has room.
        unsafe { self.payloads.add(index * self.payload_stride) }
    }

    /// Bytes from one payload to the next.
    #[inline]
    pub fn payload_stride(&self) -> usize {
        self.payload_stride
    }

    #[inline]
    fn record(&self, index: usize) -> *mut u8 {
        // SAFETY: as for the payload.
        unsafe { self.records.add(index * self.record_stride) }
    }

    /// The length word of a slot for unsized messages.
    #[inline]
    fn length(&self, index: usize) -> &AtomicU32 {
        // SAFETY: within the record of that slot.
        let length = unsafe { self.record(index).add(self.length_at) };
        // SAFETY: mapped, aligned by the layout, and accessed as an atomic by everybody.
        unsafe { &*length.cast::<AtomicU32>() }
    }

    /// Notes the length of an unsized message.
    #[inline]
    pub fn store_len(&self, index: usize, len: usize) {
        self.length(index).store(len as u32, Relaxed);
    }

    /// Notes how many bytes of the payload are the message; nothing to note where its type says so.
    #[inline]
    pub fn set_len<M: Message + ?Sized>(&self, index: usize, len: usize) {
        if const { !message::is_sized::<M>() } {
            self.store_len(index, len);
        }
    }

    /// How many bytes of the payload are the message: read once, and `None` where it cannot be.
    #[inline]
    pub fn len<M: Message + ?Sized>(&self, index: usize) -> Option<usize> {
        if const { message::is_sized::<M>() } {
            return message::size_with::<M>(0);
        }
        let len = self.length(index).load(Relaxed) as usize;
        (len <= self.max_len).then_some(len)
    }

    /// Copies a sized message out. In a slot that is not the caller's the value is some mixture of messages.
    #[inline(always)]
    pub fn read<M: Message>(&self, index: usize) -> M {
        // SAFETY: the payload has room for an `M`, is aligned for it, and any bytes are a value of `M: FromBytes`.
        unsafe { core::ptr::read(self.payload(index).cast::<M>()) }
    }

    /// Copies a message in. Its length was checked.
    ///
    /// # Safety
    ///
    /// The caller has the slot as its sender, and `message` is at most `max_len` bytes long.
    #[inline(always)]
    pub unsafe fn write<M: Message + ?Sized>(&self, index: usize, message: &M) {
        let bytes = message.as_bytes();
        self.set_len::<M>(index, bytes.len());
        // In two steps for the torture test, so that it can die between them; else the first is nothing.
        let (half, rest) = bytes.split_at(if cfg!(feature = "torture") { bytes.len() / 2 } else { 0 });
        let start = self.payload(index);
        // SAFETY: the slot is the caller's and has room; a message never lies in a slot that somebody may claim.
        unsafe { core::ptr::copy_nonoverlapping(half.as_ptr(), start, half.len()) };
        point();
        // SAFETY: `half` and `rest` together have room.
        let middle = unsafe { start.add(half.len()) };
        // SAFETY: as for the first half.
        unsafe { core::ptr::copy_nonoverlapping(rest.as_ptr(), middle, rest.len()) };
    }
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
                unsafe { self.write(index + ahead, message) };
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
        counter.fetch_add(1, Relaxed);
    }
}

/// The position arithmetic of a header.
pub fn positions(header: &Header) -> Positions {
    Positions::new(header.capacity)
}
