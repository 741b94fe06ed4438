//! The writing side: tokens go into one small buffer that is used again, payloads stay where they are until the message has
//! its place.
//!
//! Invariant: what is written is in prefix order, so it is one whole value exactly when as many values came as were announced.
//! `pending` counts what is still to come: 1 at first, less 1 for every value, plus its items for a container. No
//! value is taken at 0, and none is handed out above it. The first fault is kept and told at the end: [`Encoder::layout`].

use super::dtype::DTypeRef;
use super::format::*;
use super::header::{ArrayHeader, Named, Order, Placed, ViewHeader};
use super::layout::Layout;
use crate::error::value::EncodeError;
use rmp::encode::{self, ByteBuf};

/// A state of an encoder to which it can go back: see [`Encoder::mark`].
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    structure: usize,
    payloads: usize,
    classes: usize,
    pending: u64,
    numbered: u64,
    parts: u64,
    flags: u16,
}

/// Writes one value, token by token. Use it again after [`clear`](Self::clear): it keeps its memory.
///
/// Nothing fails while tokens are written; what was wrong, [`layout`](Self::layout) says.
#[derive(Debug)]
pub struct Encoder {
    /// Room for the header, then the structure.
    pub(super) structure: ByteBuf,
    /// Where each payload starts, from the first one on, and how long it is.
    pub(super) payloads: Vec<(usize, usize)>,
    /// Items of each class of named tuples.
    classes: Vec<u32>,
    pending: u64,
    numbered: u64,
    /// Parts of a pickle still to come.
    parts: u64,
    flags: u16,
    fault: Option<EncodeError>,
}

impl Default for Encoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Encoder {
    /// An encoder that has written nothing.
    pub fn new() -> Self {
        Self {
            structure: ByteBuf::from_vec(vec![0; HEADER]),
            payloads: Vec::new(),
            classes: Vec::new(),
            pending: 1,
            numbered: 0,
            parts: 0,
            flags: 0,
            fault: None,
        }
    }

    /// Forgets what was written and keeps the memory.
    #[inline]
    pub fn clear(&mut self) {
        self.structure.as_mut_vec().truncate(HEADER);
        self.payloads.clear();
        self.classes.clear();
        (self.pending, self.numbered, self.parts, self.flags, self.fault) = (1, 0, 0, 0, None);
    }

    /// As [`clear`](Self::clear), and gives memory back beyond about `bytes`.
    pub fn shrink_to(&mut self, bytes: usize) {
        self.clear();
        self.structure.as_mut_vec().shrink_to(bytes);
        self.payloads.shrink_to(bytes / size_of::<(usize, usize)>());
        self.classes.shrink_to(bytes / size_of::<u32>());
    }

    /// Bytes of structure so far.
    pub fn structure_len(&self) -> usize {
        self.structure.as_vec().len() - HEADER
    }

    /// The number that the next value gets, if it is of a kind that is numbered: all but nil, bools, numbers, scalars, dtypes
    /// and references.
    #[inline]
    pub fn next_number(&self) -> u64 {
        self.numbered
    }

    /// Where the encoder stands, to be able to [go back](Self::rewind) there.
    pub fn mark(&self) -> Mark {
        Mark {
            structure: self.structure.as_vec().len(),
            payloads: self.payloads.len(),
            classes: self.classes.len(),
            pending: self.pending,
            numbered: self.numbered,
            parts: self.parts,
            flags: self.flags,
        }
    }

    /// Takes back what was written since `mark`, faults included. Numbers that were given since are given again.
    pub fn rewind(&mut self, mark: Mark) {
        self.structure.as_mut_vec().truncate(mark.structure.max(HEADER));
        self.payloads.truncate(mark.payloads);
        self.classes.truncate(mark.classes);
        let Mark { pending, numbered, parts, flags, .. } = mark;
        (self.pending, self.numbered, self.parts, self.flags, self.fault) = (pending, numbered, parts, flags, None);
    }

    /// `None`.
    #[inline]
    pub fn put_nil(&mut self) {
        self.one();
        let Ok(()) = encode::write_nil(&mut self.structure);
    }

    /// A bool.
    #[inline]
    pub fn put_bool(&mut self, value: bool) {
        self.one();
        let Ok(()) = encode::write_bool(&mut self.structure, value);
    }

    /// An integer.
    #[inline]
    pub fn put_i64(&mut self, value: i64) {
        self.one();
        let Ok(_) = encode::write_sint(&mut self.structure, value);
    }

    /// An integer from 0 up.
    #[inline]
    pub fn put_u64(&mut self, value: u64) {
        self.one();
        let Ok(_) = encode::write_uint(&mut self.structure, value);
    }

    /// An integer of any size, in two's complement, little endian; of no bytes, 0.
    pub fn put_big_int(&mut self, bytes: &[u8]) {
        self.one();
        self.extension(ext::BIG_INT, &[if bytes.is_empty() { &[0] } else { bytes }]);
    }

    /// A float.
    #[inline]
    pub fn put_f64(&mut self, value: f64) {
        self.one();
        let bits = value.to_be_bytes();
        let mut token = [0xcb; 9];
        token[1..].copy_from_slice(&bits);
        self.structure.as_mut_vec().extend_from_slice(&token);
    }

    /// A complex number.
    pub fn put_complex(&mut self, re: f64, im: f64) {
        self.one();
        self.extension(ext::COMPLEX, &[&re.to_le_bytes(), &im.to_le_bytes()]);
    }

    /// Text. From [`INLINE`] bytes on [`put_str_payload`](Self::put_str_payload) is the better one.
    #[inline]
    pub fn put_str(&mut self, text: &str) -> u32 {
        self.one();
        if let Some(len) = self.len32("text within the structure", text.len()) {
            let Ok(_) = encode::write_str_len(&mut self.structure, len);
            self.structure.as_mut_vec().extend_from_slice(text.as_bytes());
        }
        self.number()
    }

    /// Text of `len` bytes of UTF-8, in a payload.
    pub fn put_str_payload(&mut self, len: usize) -> Placed {
        self.one();
        self.put_payload(payload::STR, len)
    }

    /// Text with lone surrogates, in the UTF-8 that Python's `surrogatepass` makes.
    pub fn put_surrogates(&mut self, bytes: &[u8]) -> u32 {
        self.one();
        self.extension(ext::SURROGATES, &[bytes]);
        self.number()
    }

    /// As [`put_surrogates`](Self::put_surrogates), in a payload.
    pub fn put_surrogates_payload(&mut self, len: usize) -> Placed {
        self.one();
        self.put_payload(payload::SURROGATES, len)
    }

    /// Bytes. From [`INLINE`] bytes on [`put_bytes_payload`](Self::put_bytes_payload) is the better one.
    #[inline]
    pub fn put_bytes(&mut self, bytes: &[u8]) -> u32 {
        self.part();
        if let Some(len) = self.len32("bytes within the structure", bytes.len()) {
            let Ok(_) = encode::write_bin_len(&mut self.structure, len);
            self.structure.as_mut_vec().extend_from_slice(bytes);
        }
        self.number()
    }

    /// Bytes in a payload.
    pub fn put_bytes_payload(&mut self, len: usize) -> Placed {
        self.part();
        self.put_payload(payload::BYTES, len)
    }

    /// A bytearray. From [`INLINE`] bytes on [`put_bytearray_payload`](Self::put_bytearray_payload) is the better one.
    pub fn put_bytearray(&mut self, bytes: &[u8]) -> u32 {
        self.part();
        self.extension(ext::BYTEARRAY, &[bytes]);
        self.number()
    }

    /// A bytearray in a payload.
    pub fn put_bytearray_payload(&mut self, len: usize) -> Placed {
        self.part();
        self.put_payload(payload::BYTEARRAY, len)
    }

    /// An array; its elements are a payload.
    pub fn put_array(&mut self, header: &ArrayHeader<'_>) -> Placed {
        self.one();
        let item = match header.dtype.size() {
            Ok(item) => item,
            Err(what) => self.invalid(&header.dtype, what),
        };
        let flags = flags(Some(&header.dtype), header.order, header.writable);
        let len = self.bytes_of(header.shape, item);
        let placed = self.place(len);
        self.shaped(ext::ARRAY, flags, placed, None, header.shape, header.dtype.bytes());
        placed
    }

    /// A memoryview; its bytes are a payload.
    pub fn put_view(&mut self, header: &ViewHeader<'_>) -> Placed {
        self.one();
        let len = self.bytes_of(header.shape, header.item);
        let placed = self.place(len);
        let flags = flags(None, header.order, header.writable);
        self.shaped(ext::MEMORYVIEW, flags, placed, Some(header.item), header.shape, header.format.as_bytes());
        placed
    }

    /// A scalar of NumPy: one element of `dtype`.
    pub fn put_scalar(&mut self, dtype: DTypeRef<'_>, data: &[u8]) {
        self.one();
        match dtype.size() {
            Ok(needed) if needed == data.len() => {}
            Ok(needed) => self.fail(EncodeError::DataLen { len: data.len(), needed }),
            Err(what) => _ = self.invalid(&dtype, what),
        }
        let text = dtype.bytes();
        let len = self.len32("dtype", text.len()).unwrap_or(0).to_le_bytes();
        self.extension(ext::SCALAR, &[&[flags(Some(&dtype), Order::C, false)], &len, text, data]);
    }

    /// A dtype.
    pub fn put_dtype(&mut self, dtype: DTypeRef<'_>) {
        self.one();
        if let Err(what) = dtype.size() {
            self.invalid(&dtype, what);
        }
        self.extension(ext::DTYPE, &[&[flags(Some(&dtype), Order::C, false)], dtype.bytes()]);
    }

    /// The value that got this number, once more.
    pub fn put_ref(&mut self, number: u32) {
        self.one();
        if u64::from(number) >= self.numbered {
            self.fail(EncodeError::NoSuchReference { number: number.into(), count: self.numbered });
        }
        self.flags |= flag::REFS;
        self.extension(ext::REF, &[&number.to_le_bytes()]);
    }

    /// A list; its `len` items follow.
    #[inline]
    pub fn begin_list(&mut self, len: usize) -> u32 {
        self.one();
        self.array(len, 0);
        self.number()
    }

    /// A tuple; its `len` items follow.
    #[inline]
    pub fn begin_tuple(&mut self, len: usize) -> u32 {
        self.one();
        self.marked(len, kind::TUPLE);
        self.number()
    }

    /// A set; its `len` items follow.
    pub fn begin_set(&mut self, len: usize) -> u32 {
        self.one();
        self.marked(len, kind::SET);
        self.number()
    }

    /// A frozenset; its `len` items follow.
    pub fn begin_frozenset(&mut self, len: usize) -> u32 {
        self.one();
        self.marked(len, kind::FROZENSET);
        self.number()
    }

    /// A dict; its `len` keys follow, each with its value after it.
    #[inline]
    pub fn begin_dict(&mut self, len: usize) -> u32 {
        self.one();
        if let Some(entries) = self.len32("dict", len) {
            let Ok(_) = encode::write_map_len(&mut self.structure, entries);
            self.pending += 2 * len as u64;
        }
        self.number()
    }

    /// A named tuple of a class that no earlier one in this message had; as many items follow as there are `fields`.
    ///
    /// `name` is `module:qualname`; only Python knows what that is.
    pub fn begin_new_named_tuple<S: AsRef<str>>(&mut self, name: &str, fields: &[S]) -> Named {
        self.one();
        self.array(fields.len(), 1);
        let texts = || core::iter::once(name).chain(fields.iter().map(AsRef::as_ref));
        let len: usize = texts().map(|text| text.len() + str_header(text.len())).sum();
        if let Some(len) = self.len32("class of a named tuple", len) {
            let Ok(_) = encode::write_ext_meta(&mut self.structure, len, ext::CLASS);
            for text in texts() {
                let Ok(()) = encode::write_str(&mut self.structure, text);
            }
        }
        let class = self.classes.len() as u32;
        self.classes.push(fields.len() as u32);
        Named { number: self.number(), class }
    }

    /// A named tuple of a class that an earlier one had; as many items follow as that had.
    pub fn begin_named_tuple(&mut self, class: u32) -> Named {
        self.one();
        let len = self.classes.get(class as usize).copied();
        if len.is_none() {
            self.fail(EncodeError::NoSuchReference { number: class.into(), count: self.classes.len() as u64 });
        }
        self.array(len.unwrap_or(0) as usize, 1);
        self.extension(ext::SAME_CLASS, &[&class.to_le_bytes()]);
        Named { number: self.number(), class }
    }

    /// A pickle of protocol 5; `1 + buffers` values follow, each bytes or a bytearray and never a reference: the pickle itself, then
    /// its buffers that are out of band, bytes where they are read-only.
    pub fn begin_pickle(&mut self, buffers: usize) -> u32 {
        self.one();
        self.flags |= flag::PICKLE;
        self.marked(buffers.saturating_add(1), kind::PICKLE);
        self.parts = buffers as u64 + 1;
        self.number()
    }

    /// How long the message is, and where its payloads lie in it.
    ///
    /// # Errors
    ///
    /// The first thing that was wrong with what was written; [`Unfinished`](EncodeError::Unfinished) if something is missing.
    #[inline]
    pub fn layout(&mut self) -> Result<Layout<'_>, EncodeError> {
        if self.pending > 0 {
            self.fail(EncodeError::Unfinished { missing: self.pending });
        }
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        let len = self.structure_len() as u64;
        let header = self.structure.as_mut_vec();
        header[0] = MAGIC;
        header[1] = VERSION;
        header[2..4].copy_from_slice(&self.flags.to_le_bytes());
        header[4..8].copy_from_slice(&(self.payloads.len() as u32).to_le_bytes());
        header[8..HEADER].copy_from_slice(&len.to_le_bytes());
        Layout::new(self)
    }

    /// Counts one value that is not part of a pickle.
    #[inline]
    fn one(&mut self) {
        if self.pending == 0 || self.parts > 0 {
            return self.misplaced();
        }
        self.pending -= 1;
    }

    /// Counts one value that may be.
    #[inline]
    fn part(&mut self) {
        if self.pending == 0 {
            return self.misplaced();
        }
        self.pending -= 1;
        self.parts = self.parts.saturating_sub(1);
    }

    #[cold]
    fn misplaced(&mut self) {
        self.fail(if self.pending == 0 { EncodeError::Surplus } else { EncodeError::PickleParts });
    }

    #[cold]
    fn fail(&mut self, fault: EncodeError) {
        self.fault.get_or_insert(fault);
    }

    #[cold]
    fn invalid(&mut self, dtype: &DTypeRef<'_>, what: &'static str) -> usize {
        self.fail(EncodeError::InvalidDType { dtype: String::from_utf8_lossy(dtype.bytes()).into_owned(), what });
        0
    }

    /// The next value's number. Beyond 2^32 values none can be referred to.
    #[inline]
    fn number(&mut self) -> u32 {
        let number = self.numbered;
        self.numbered += 1;
        u32::try_from(number).unwrap_or(u32::MAX)
    }

    #[inline]
    fn len32(&mut self, what: &'static str, len: usize) -> Option<u32> {
        let len32 = u32::try_from(len).ok();
        if len32.is_none() {
            self.fail(EncodeError::TooLong { what, len: len as u64, max: u32::MAX.into() });
        }
        len32
    }

    /// The head of an array of `len` items, and of `more` that are no values.
    #[inline]
    fn array(&mut self, len: usize, more: usize) {
        if let Some(count) = self.len32("container", len.saturating_add(more)) {
            let Ok(_) = encode::write_array_len(&mut self.structure, count);
            self.pending += len as u64;
        }
    }

    #[inline]
    fn marked(&mut self, len: usize, kind: u8) {
        self.array(len, 1);
        self.structure.as_mut_vec().extend_from_slice(&[0xd4, ext::KIND as u8, kind]);
    }

    fn extension(&mut self, kind: i8, parts: &[&[u8]]) {
        let len = parts.iter().map(|part| part.len()).sum();
        if let Some(len) = self.len32("value within the structure", len) {
            let Ok(_) = encode::write_ext_meta(&mut self.structure, len, kind);
            for part in parts {
                self.structure.as_mut_vec().extend_from_slice(part);
            }
        }
    }

    fn put_payload(&mut self, kind: u32, len: usize) -> Placed {
        let placed = self.place(len);
        self.extension(ext::PAYLOAD, &[&kind.to_le_bytes(), &placed.payload.to_le_bytes()]);
        placed
    }

    fn bytes_of(&mut self, shape: &[usize], item: usize) -> usize {
        if shape.len() > MAX_DIMS {
            self.fail(EncodeError::TooLong { what: "shape", len: shape.len() as u64, max: MAX_DIMS as u64 });
        }
        bytes_of(shape.iter().copied(), item).unwrap_or(usize::MAX)
    }

    /// A place for a payload after the others.
    fn place(&mut self, len: usize) -> Placed {
        let start = match self.payloads.last() {
            // In bounds: so the sum was, when the last one came.
            Some((start, len)) => align_up(start + len, ALIGN),
            None => Some(0),
        };
        // Half of what can be addressed: sums with headers do not wrap.
        let end = start.and_then(|start| start.checked_add(len)).filter(|&end| end <= isize::MAX as usize / 2);
        if end.is_none() {
            self.fail(EncodeError::TooLong { what: "payload", len: len as u64, max: isize::MAX as u64 / 2 });
        }
        let payload = u32::try_from(self.payloads.len());
        if payload.is_err() {
            self.fail(EncodeError::TooLong { what: "list of payloads", len: 1 << 32, max: u32::MAX.into() });
        }
        if end.is_some() && payload.is_ok() {
            self.payloads.push((start.unwrap_or(0), len));
        }
        Placed { number: self.number(), payload: payload.unwrap_or(u32::MAX), len }
    }

    fn shaped(&mut self, kind: i8, flags: u8, placed: Placed, item: Option<usize>, shape: &[usize], text: &[u8]) {
        let dims = shape.len().min(MAX_DIMS);
        let len = 8 + if item.is_some() { 8 } else { 0 } + 8 * dims + text.len();
        let Some(len) = self.len32("dtype or format", len) else { return };
        let Ok(_) = encode::write_ext_meta(&mut self.structure, len, kind);
        let structure = self.structure.as_mut_vec();
        structure.extend_from_slice(&[flags, dims as u8, 0, 0]);
        structure.extend_from_slice(&placed.payload.to_le_bytes());
        for size in item.iter().chain(&shape[..dims]) {
            structure.extend_from_slice(&(*size as u64).to_le_bytes());
        }
        structure.extend_from_slice(text);
    }
}

fn flags(dtype: Option<&DTypeRef<'_>>, order: Order, writable: bool) -> u8 {
    let mut flags = 0;
    if order == Order::Fortran {
        flags |= trait_flag::FORTRAN;
    }
    if writable {
        flags |= trait_flag::WRITABLE;
    }
    if dtype.is_some_and(DTypeRef::is_structured) {
        flags |= trait_flag::STRUCTURED;
    }
    flags
}

/// Bytes before `len` bytes of text.
fn str_header(len: usize) -> usize {
    match len {
        0..32 => 1,
        32..256 => 2,
        256..65_536 => 3,
        _ => 5,
    }
}
