//! The reading side: any bytes are one well-formed value or an error.
//!
//! Invariants, whatever the message says:
//!
//! - Nothing is read outside it: every token comes through [`Tokens`], every payload through [`Reader::payload`].
//! - `pending` counts the values that are still to come, as the encoder's does, and never exceeds the bytes of structure that are
//!   left: a value takes a byte at least. So who reserves room for `len` items reserves, over the whole message, no more
//!   items than it has bytes.
//! - Each payload belongs to one value and they come in order: no value is worth more bytes than the message has.
//! - It keeps no stack. Depth costs nothing here; who builds nested things must not recurse either.

use super::dtype::DTypeRef;
use super::event::{ArrayRef, Class, Dims, Event, ViewRef};
use super::format::*;
use super::header::Order;
use super::token::Tokens;
use crate::error::value::DecodeError;
use rmp::Marker;

/// Reads a message, value by value.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    message: &'a [u8],
    tokens: Tokens<'a>,
    classes: Vec<Class<'a>>,
    pending: u64,
    numbered: u64,
    /// Parts of a pickle still to come.
    parts: u64,
    flags: u16,
    /// Where the structure ends.
    end: usize,
    table: &'a [[u8; 8]],
    /// The number of the next payload, and where those before it end.
    next: usize,
    filled: usize,
}

impl<'a> Reader<'a> {
    /// Reads the header.
    ///
    /// # Errors
    ///
    /// If it is no value's header, or that of a longer message.
    #[inline]
    pub fn new(message: &'a [u8]) -> Result<Self, DecodeError> {
        let Some((header, rest)) = message.split_first_chunk::<HEADER>() else { return Err(no_header(message)) };
        let [magic, version, f0, f1, c0, c1, c2, c3, len @ ..] = *header;
        if magic != MAGIC || version != VERSION {
            return Err(no_header(message));
        }
        let flags = u16::from_le_bytes([f0, f1]);
        if flags & !flag::ALL != 0 {
            return Err(DecodeError::Malformed { at: 2, what: "flags of the header are 1 and 2" });
        }
        let count = u32::from_le_bytes([c0, c1, c2, c3]) as usize;
        let len = u64::from_le_bytes(len);
        let short = DecodeError::Truncated { at: HEADER, needed: len, len: message.len() };
        let Some(structure) = usize::try_from(len).ok().and_then(|len| rest.get(..len)) else { return Err(short) };
        let end = HEADER + structure.len();
        let (table, filled) = if count == 0 { (&[][..], end) } else { table(message, end, count)? };
        let tokens = Tokens::new(structure);
        let classes = Vec::new();
        Ok(Self { message, tokens, classes, pending: 1, numbered: 0, parts: 0, flags, end, table, next: 0, filled })
    }

    /// Whether values may refer to others. If not, nothing that was read need be remembered.
    #[inline]
    pub fn has_refs(&self) -> bool {
        self.flags & flag::REFS != 0
    }

    /// Whether there may be pickles: a reader that does not allow them can refuse the message at once.
    #[inline]
    pub fn has_pickles(&self) -> bool {
        self.flags & flag::PICKLE != 0
    }

    /// How many values with a number came so far: the last of them has this number less 1.
    #[inline]
    pub fn numbered(&self) -> u64 {
        self.numbered
    }

    /// How many payloads the message says it has.
    pub fn payloads(&self) -> usize {
        self.table.len()
    }

    /// A class that a [named tuple](Event::NamedTuple) came with; `None` if none came yet with this number.
    pub fn class(&self, number: u32) -> Option<Class<'a>> {
        self.classes.get(number as usize).copied()
    }

    /// The next value; `None` after the last one.
    ///
    /// # Errors
    ///
    /// Where the message is malformed. What comes after an error is of no use.
    #[inline]
    pub fn event(&mut self) -> Result<Option<Event<'a>>, DecodeError> {
        if self.pending == 0 {
            return self.finish();
        }
        self.pending -= 1;
        let Some([first]) = self.tokens.bytes() else { return Err(self.truncated()) };
        if self.parts > 0 {
            return self.part(first).map(Some);
        }
        // What most values are made of, by their bytes: taking the marker apart twice costs as much as the rest.
        let event = match first {
            0..=0x7f => return Ok(Some(Event::Int(first.into()))),
            0xe0.. => return Ok(Some(Event::Int((first as i8).into()))),
            0xa0..=0xbf => self.str(usize::from(first & 0x1f))?,
            0x80..=0x8f => self.dict(usize::from(first & 0x0f))?,
            0x90..=0x9f => self.array(usize::from(first & 0x0f))?,
            0xc0 => return Ok(Some(Event::Nil)),
            0xc2 | 0xc3 => return Ok(Some(Event::Bool(first == 0xc3))),
            0xcb => match self.tokens.bytes() {
                Some(bits) => return Ok(Some(Event::Float(f64::from_be_bytes(bits)))),
                None => return Err(self.truncated()),
            },
            _ => return self.other(first).map(Some),
        };
        self.numbered += 1;
        Ok(Some(event))
    }

    /// Any value but the commonest.
    fn other(&mut self, first: u8) -> Result<Event<'a>, DecodeError> {
        let event = self.token(Marker::from_u8(first))?;
        self.numbered += u64::from(event.is_numbered());
        Ok(event)
    }

    /// A part of a pickle.
    #[cold]
    fn part(&mut self, first: u8) -> Result<Event<'a>, DecodeError> {
        match self.token(Marker::from_u8(first))? {
            event @ (Event::Bytes(_) | Event::ByteArray(_)) => {
                (self.parts, self.numbered) = (self.parts - 1, self.numbered + 1);
                Ok(event)
            }
            _ => Err(self.malformed("the parts of a pickle are bytes and bytearrays")),
        }
    }

    fn token(&mut self, marker: Marker) -> Result<Event<'a>, DecodeError> {
        macro_rules! number {
            ($type:ty) => {
                match self.tokens.bytes() {
                    Some(bytes) => <$type>::from_be_bytes(bytes),
                    None => return Err(self.truncated()),
                }
            };
        }
        Ok(match marker {
            Marker::FixPos(value) => Event::Int(value.into()),
            Marker::FixNeg(value) => Event::Int(value.into()),
            Marker::FixStr(len) => self.str(len.into())?,
            Marker::FixMap(len) => self.dict(len.into())?,
            Marker::FixArray(len) => self.array(len.into())?,
            Marker::F64 => Event::Float(number!(f64)),
            Marker::Null => Event::Nil,
            Marker::False => Event::Bool(false),
            Marker::True => Event::Bool(true),
            Marker::I8 => Event::Int(number!(i8).into()),
            Marker::I16 => Event::Int(number!(i16).into()),
            Marker::I32 => Event::Int(number!(i32).into()),
            Marker::I64 => Event::Int(number!(i64)),
            Marker::U8 => Event::Int(number!(u8).into()),
            Marker::U16 => Event::Int(number!(u16).into()),
            Marker::U32 => Event::Int(number!(u32).into()),
            Marker::U64 => {
                let value = number!(u64);
                i64::try_from(value).map_or(Event::UInt(value), Event::Int)
            }
            Marker::F32 => Event::Float(number!(f32).into()),
            Marker::Str8 => {
                let len = number!(u8);
                self.str(len.into())?
            }
            Marker::Str16 => {
                let len = number!(u16);
                self.str(len.into())?
            }
            Marker::Str32 => {
                let len = number!(u32);
                self.str(len as usize)?
            }
            Marker::Bin8 => {
                let len = number!(u8);
                Event::Bytes(self.take(len.into())?)
            }
            Marker::Bin16 => {
                let len = number!(u16);
                Event::Bytes(self.take(len.into())?)
            }
            Marker::Bin32 => {
                let len = number!(u32);
                Event::Bytes(self.take(len as usize)?)
            }
            Marker::Array16 => {
                let len = number!(u16);
                self.array(len.into())?
            }
            Marker::Array32 => {
                let len = number!(u32);
                self.array(len as usize)?
            }
            Marker::Map16 => {
                let len = number!(u16);
                self.dict(len.into())?
            }
            Marker::Map32 => {
                let len = number!(u32);
                self.dict(len as usize)?
            }
            Marker::Reserved => return Err(self.malformed("0xc1 is no token of MessagePack")),
            marker => match self.tokens.extension(marker) {
                Some((kind, body)) => self.extension(kind, body)?,
                None => return Err(self.truncated()),
            },
        })
    }

    #[inline]
    fn str(&mut self, len: usize) -> Result<Event<'a>, DecodeError> {
        let bytes = self.take(len)?;
        match core::str::from_utf8(bytes) {
            Ok(text) => Ok(Event::Str(text)),
            Err(_) => Err(self.malformed("text is UTF-8")),
        }
    }

    #[inline]
    fn dict(&mut self, len: usize) -> Result<Event<'a>, DecodeError> {
        self.expect(2 * len as u64)?;
        Ok(Event::Dict { len })
    }

    /// A list, or what the first item says that it is.
    #[inline]
    fn array(&mut self, len: usize) -> Result<Event<'a>, DecodeError> {
        if len > 0 && matches!(self.tokens.rest(), [0xc7..=0xc9 | 0xd4..=0xd8, ..]) {
            return self.marked(len);
        }
        self.expect(len as u64)?;
        Ok(Event::List { len })
    }

    fn marked(&mut self, len: usize) -> Result<Event<'a>, DecodeError> {
        let mut ahead = self.tokens;
        let marker = ahead.marker().and_then(|marker| ahead.extension(marker));
        let Some((kind, body)) = marker else { return Err(self.truncated()) };
        if !matches!(kind, ext::KIND | ext::CLASS | ext::SAME_CLASS) {
            self.expect(len as u64)?;
            return Ok(Event::List { len });
        }
        self.tokens = ahead;
        let len = len - 1;
        self.expect(len as u64)?;
        match (kind, body) {
            (ext::KIND, [kind::TUPLE]) => Ok(Event::Tuple { len }),
            (ext::KIND, [kind::SET]) => Ok(Event::Set { len }),
            (ext::KIND, [kind::FROZENSET]) => Ok(Event::FrozenSet { len }),
            (ext::KIND, [kind::PICKLE]) => self.pickle(len),
            (ext::CLASS, body) => {
                let mut tokens = Tokens::new(body);
                let Some(name) = tokens.str() else { return Err(self.malformed("a class starts with its name")) };
                let fields = tokens;
                for _ in 0..len {
                    if tokens.str().is_none() {
                        return Err(self.malformed("a class has as many names of fields as the tuple has items"));
                    }
                }
                if !tokens.rest().is_empty() {
                    return Err(self.malformed("a class has as many names of fields as the tuple has items"));
                }
                let class = self.classes.len() as u32;
                self.classes.push(Class { name, fields, len });
                Ok(Event::NamedTuple { class, len })
            }
            (ext::SAME_CLASS, &[b0, b1, b2, b3]) => {
                let class = u32::from_le_bytes([b0, b1, b2, b3]);
                match self.class(class) {
                    Some(known) if known.len == len => Ok(Event::NamedTuple { class, len }),
                    Some(_) => Err(self.malformed("a named tuple has as many items as its class has fields")),
                    None => Err(self.malformed("the class of a named tuple is one that was defined before")),
                }
            }
            _ => Err(self.malformed("the kind of an array is 1 (tuple), 2 (set), 3 (frozenset) or 4 (pickle)")),
        }
    }

    fn pickle(&mut self, len: usize) -> Result<Event<'a>, DecodeError> {
        if !self.has_pickles() {
            return Err(self.malformed("a pickle in a message whose header says that it has none"));
        }
        let Some(buffers) = len.checked_sub(1) else { return Err(self.malformed("a pickle has at least one part")) };
        // A pickle among the parts of another is refused by `part`, whatever this says.
        self.parts = len as u64;
        Ok(Event::Pickle { buffers })
    }

    fn extension(&mut self, kind: i8, body: &'a [u8]) -> Result<Event<'a>, DecodeError> {
        match (kind, body) {
            (ext::REF, &[b0, b1, b2, b3]) => {
                let number = u32::from_le_bytes([b0, b1, b2, b3]);
                if !self.has_refs() {
                    return Err(self.malformed("a reference in a message whose header says that it has none"));
                }
                if u64::from(number) >= self.numbered {
                    return Err(self.malformed("a reference is to a value that was begun before"));
                }
                Ok(Event::Ref(number))
            }
            (ext::COMPLEX, body) => match body.as_chunks() {
                (&[re, im], []) => Ok(Event::Complex { re: f64::from_le_bytes(re), im: f64::from_le_bytes(im) }),
                _ => Err(self.malformed("a complex number has 16 bytes")),
            },
            (ext::BIG_INT, [_, ..]) => Ok(Event::BigInt(body)),
            (ext::SURROGATES, body) => Ok(Event::Surrogates(body)),
            (ext::BYTEARRAY, body) => Ok(Event::ByteArray(body)),
            (ext::PAYLOAD, &[k0, k1, k2, k3, i0, i1, i2, i3]) => {
                let bytes = self.payload(u32::from_le_bytes([i0, i1, i2, i3]), None)?;
                match u32::from_le_bytes([k0, k1, k2, k3]) {
                    payload::STR => match core::str::from_utf8(bytes) {
                        Ok(text) => Ok(Event::Str(text)),
                        Err(_) => Err(self.malformed("text is UTF-8")),
                    },
                    payload::BYTES => Ok(Event::Bytes(bytes)),
                    payload::BYTEARRAY => Ok(Event::ByteArray(bytes)),
                    payload::SURROGATES => Ok(Event::Surrogates(bytes)),
                    _ => Err(self.malformed("a payload is 0 (text), 1 (bytes), 2 (bytearray) or 3 (surrogates)")),
                }
            }
            (ext::ARRAY, body) => self.shaped(body),
            (ext::MEMORYVIEW, body) => self.view(body),
            (ext::SCALAR, &[flags, b0, b1, b2, b3, ref rest @ ..]) => {
                let len = u32::from_le_bytes([b0, b1, b2, b3]) as usize;
                let Some((text, data)) = rest.split_at_checked(len) else {
                    return Err(self.malformed("the dtype of a scalar lies within it"));
                };
                let (dtype, size) = self.dtype(flags, trait_flag::STRUCTURED, text)?;
                if data.len() != size {
                    return Err(self.malformed("a scalar has as many bytes as its dtype says"));
                }
                Ok(Event::Scalar { dtype, data })
            }
            (ext::DTYPE, [flags, text @ ..]) => Ok(Event::DType(self.dtype(*flags, trait_flag::STRUCTURED, text)?.0)),
            (ext::KIND | ext::CLASS | ext::SAME_CLASS, _) => {
                Err(self.malformed("extensions 1 to 3 stand at the start of an array"))
            }
            (ext::BIG_INT..=ext::REF, _) => Err(self.malformed("an extension of another length than its type has")),
            _ => Err(self.malformed("the type of an extension is one of 1 to 13")),
        }
    }

    /// An array.
    fn shaped(&mut self, body: &'a [u8]) -> Result<Event<'a>, DecodeError> {
        let (flags, number, dims, text) = self.shape(body, 0)?;
        let (dtype, item) =
            self.dtype(flags, trait_flag::FORTRAN | trait_flag::WRITABLE | trait_flag::STRUCTURED, text)?;
        let shape = Dims::new(dims);
        let data = self.payload(number, Some(bytes_of(shape.iter(), item)))?;
        let (order, writable) = traits(flags);
        Ok(Event::Array(ArrayRef { dtype, item, shape, order, writable, data }))
    }

    fn view(&mut self, body: &'a [u8]) -> Result<Event<'a>, DecodeError> {
        let (flags, number, dims, text) = self.shape(body, 1)?;
        if flags & !(trait_flag::FORTRAN | trait_flag::WRITABLE) != 0 {
            return Err(self.malformed("flags of a memoryview are 1 and 2"));
        }
        let Ok(format) = core::str::from_utf8(text) else { return Err(self.malformed("a format is UTF-8")) };
        let [item, dims @ ..] = dims else { return Err(self.malformed(SHAPE)) };
        let Ok(item) = usize::try_from(u64::from_le_bytes(*item)) else { return Err(self.malformed(SHAPE)) };
        let shape = Dims::new(dims);
        let data = self.payload(number, Some(bytes_of(shape.iter(), item)))?;
        let (order, writable) = traits(flags);
        Ok(Event::View(ViewRef { format, item, shape, order, writable, data }))
    }

    /// Flags, number of the payload, dimensions with `more` numbers before them, and the text after them.
    #[allow(clippy::type_complexity, reason = "four parts of one record")]
    fn shape(&self, body: &'a [u8], more: usize) -> Result<(u8, u32, &'a [[u8; 8]], &'a [u8]), DecodeError> {
        let &[flags, dims, 0, 0, i0, i1, i2, i3, ref rest @ ..] = body else { return Err(self.malformed(SHAPE)) };
        let dims = usize::from(dims);
        if dims > MAX_DIMS {
            return Err(self.malformed("an array has at most 64 dimensions"));
        }
        let Some((sizes, text)) = rest.split_at_checked(8 * (dims + more)) else { return Err(self.malformed(SHAPE)) };
        Ok((flags, u32::from_le_bytes([i0, i1, i2, i3]), sizes.as_chunks().0, text))
    }

    fn dtype(&self, flags: u8, allowed: u8, text: &'a [u8]) -> Result<(DTypeRef<'a>, usize), DecodeError> {
        if flags & !allowed != 0 {
            return Err(self.malformed("flags of an array are 1, 2 and 4, those of a scalar or dtype 4"));
        }
        let dtype = if flags & trait_flag::STRUCTURED != 0 {
            DTypeRef::Structured(text)
        } else {
            match core::str::from_utf8(text) {
                Ok(text) => DTypeRef::Simple(text),
                Err(_) => return Err(self.malformed("a dtype is ASCII")),
            }
        };
        match dtype.size() {
            Ok(size) => Ok((dtype, size)),
            Err(what) => Err(self.malformed(what)),
        }
    }

    /// The next payload, which must be `number`; of `len` bytes, if that is given: `Some(None)` is a length that cannot be.
    fn payload(&mut self, number: u32, len: Option<Option<usize>>) -> Result<&'a [u8], DecodeError> {
        let Some(said) = self.table.get(self.next).filter(|_| number as usize == self.next) else {
            return Err(self.malformed("payloads are used once each, in order"));
        };
        let said = u64::from_le_bytes(*said);
        if len.is_some_and(|len| len.map(|len| len as u64) != Some(said)) {
            return Err(self.malformed("a payload has as many bytes as shape and size of the elements say"));
        }
        let short = DecodeError::Truncated { at: self.filled, needed: said, len: self.message.len() };
        let start = align_up(self.filled, ALIGN);
        let range = start.and_then(|start| Some(start..start.checked_add(usize::try_from(said).ok()?)?));
        let Some((range, bytes)) = range.and_then(|range| Some((range.clone(), self.message.get(range)?))) else {
            return Err(short);
        };
        (self.next, self.filled) = (self.next + 1, range.end);
        Ok(bytes)
    }

    /// Counts `more` values that are to come.
    #[inline]
    fn expect(&mut self, more: u64) -> Result<(), DecodeError> {
        self.pending += more;
        if self.pending > self.tokens.rest().len() as u64 {
            return Err(self.truncated());
        }
        Ok(())
    }

    #[inline]
    fn take(&mut self, len: usize) -> Result<&'a [u8], DecodeError> {
        match self.tokens.take(len) {
            Some(bytes) => Ok(bytes),
            None => Err(self.truncated()),
        }
    }

    /// Whether nothing is left over.
    fn finish(&self) -> Result<Option<Event<'a>>, DecodeError> {
        if !self.tokens.rest().is_empty() {
            return Err(self.malformed("nothing follows the value within the structure"));
        }
        if self.next != self.table.len() {
            return Err(self.malformed("every payload belongs to a value"));
        }
        if self.filled != self.message.len() {
            return Err(DecodeError::Malformed { at: self.filled, what: "nothing follows the last part of a message" });
        }
        Ok(None)
    }

    fn at(&self) -> usize {
        self.end - self.tokens.rest().len()
    }

    #[cold]
    fn truncated(&self) -> DecodeError {
        DecodeError::Truncated { at: self.at(), needed: self.pending.max(1), len: self.message.len() }
    }

    #[cold]
    fn malformed(&self, what: &'static str) -> DecodeError {
        DecodeError::Malformed { at: self.at(), what }
    }
}

const SHAPE: &str = "an array is flags, dimensions, two zeros, the payload's number and the shape";

#[cold]
fn no_header(message: &[u8]) -> DecodeError {
    match *message {
        [MAGIC, VERSION, ..] | [MAGIC] => {
            DecodeError::Truncated { at: message.len(), needed: (HEADER - message.len()) as u64, len: message.len() }
        }
        [MAGIC, found, ..] => DecodeError::Version { found, supported: VERSION },
        _ => DecodeError::NotAValue { found: message.first().copied() },
    }
}

/// The table of payloads, after the structure, and where it ends.
fn table(message: &[u8], end: usize, count: usize) -> Result<(&[[u8; 8]], usize), DecodeError> {
    let short = DecodeError::Truncated { at: end, needed: 8 * count as u64, len: message.len() };
    let start = align_up(end, 8);
    let range = start.and_then(|start| Some(start..start.checked_add(count.checked_mul(8)?)?));
    let Some((range, bytes)) = range.and_then(|range| Some((range.clone(), message.get(range)?))) else {
        return Err(short);
    };
    Ok((bytes.as_chunks().0, range.end))
}

fn traits(flags: u8) -> (Order, bool) {
    let order = if flags & trait_flag::FORTRAN != 0 { Order::Fortran } else { Order::C };
    (order, flags & trait_flag::WRITABLE != 0)
}
