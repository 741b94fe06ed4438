//! The type of an array's elements: NumPy's short text (`<f4`, `|b1`, `<M8[ns]`, `<U5`) or, for records and sub-arrays, a small
//! MessagePack value around such texts.
//!
//! Whatever passes [`DTypeRef::size`] has a size that NumPy would find too: what is read from a message passes it before anybody
//! else sees it, so that no array reaches beyond its payload.

use super::format::{MAX_DIMS, MAX_DTYPE_DEPTH, bytes_of};
use super::token::Tokens;
use rmp::encode::{self, ByteBuf};

/// A dtype as it is written, borrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DTypeRef<'a> {
    /// NumPy's `dtype.str`: byte order (`<`, `>`, `|`), kind, size, and a unit in brackets for times.
    Simple(&'a str),
    /// A record or a sub-array, as [`DType::write`] writes it.
    Structured(&'a [u8]),
}

/// What a simple dtype says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Simple<'a> {
    /// `<`, `>`, or `|` where it does not matter.
    pub order: u8,
    /// NumPy's letter: `b` bool, `i` `u` integers, `f` `c` floats and complex, `m` `M` timedelta and datetime, `S` bytes, `U` text,
    /// `V` anything.
    pub kind: u8,
    /// Bytes of one element.
    pub size: usize,
    /// What stands in the brackets of `m` and `M`; empty without.
    pub unit: &'a str,
}

impl<'a> Simple<'a> {
    /// Reads NumPy's text; says what is wrong with it.
    pub fn parse(text: &'a str) -> Result<Self, &'static str> {
        let [order @ (b'<' | b'>' | b'|'), kind, digits @ ..] = text.as_bytes() else {
            return Err("a dtype is a byte order (<, > or |), a kind and a size");
        };
        let (order, kind) = (*order, *kind);
        let end = digits.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(digits.len());
        if end == 0 || end > 18 {
            return Err("the size of a dtype is a number of at most 18 digits");
        }
        let number = digits[..end].iter().fold(0, |number, digit| number * 10 + usize::from(digit - b'0'));
        let rest = &text[2 + end..];
        let unit = match rest {
            "" => "",
            _ => rest.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or("?"),
        };
        if !unit.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err("a unit of time is letters and digits in brackets");
        }
        let sizes: &[usize] = match kind {
            b'b' => &[1],
            b'i' | b'u' => &[1, 2, 4, 8],
            b'f' => &[2, 4, 8, 12, 16],
            b'c' => &[8, 16, 24, 32],
            b'm' | b'M' => &[8],
            b'S' | b'U' | b'V' => &[],
            b'O' => return Err("objects have no bytes that another process could read"),
            _ => return Err("the kind of a dtype is one of b i u f c m M S U V"),
        };
        if !(sizes.is_empty() || sizes.contains(&number)) {
            return Err("no such size for this kind of dtype");
        }
        if !(unit.is_empty() || matches!(kind, b'm' | b'M')) {
            return Err("only times have a unit");
        }
        if order == b'|' && number > 1 && !matches!(kind, b'S' | b'V') {
            return Err("the byte order of a number of several bytes is < or >");
        }
        let size = if kind == b'U' { number * 4 } else { number };
        Ok(Self { order, kind, size, unit })
    }
}

impl<'a> DTypeRef<'a> {
    /// Bytes of one element.
    ///
    /// # Errors
    ///
    /// What is wrong with the descriptor, and what is allowed.
    #[inline]
    pub fn size(&self) -> Result<usize, &'static str> {
        match *self {
            Self::Simple(text) => Ok(Simple::parse(text)?.size),
            Self::Structured(_) => Ok(self.to_dtype()?.size()),
        }
    }

    /// The descriptor taken apart.
    ///
    /// # Errors
    ///
    /// As for [`size`](Self::size).
    pub fn to_dtype(&self) -> Result<DType, &'static str> {
        match *self {
            Self::Simple(text) => {
                Simple::parse(text)?;
                Ok(DType::Simple(text.into()))
            }
            Self::Structured(bytes) => {
                let mut tokens = Tokens::new(bytes);
                let dtype = DType::read(&mut tokens, MAX_DTYPE_DEPTH)?;
                if !tokens.rest().is_empty() { Err("bytes after a dtype") } else { Ok(dtype) }
            }
        }
    }

    /// The bytes that are written: a key by which to remember what was made of a dtype.
    pub fn bytes(&self) -> &'a [u8] {
        match *self {
            Self::Simple(text) => text.as_bytes(),
            Self::Structured(bytes) => bytes,
        }
    }

    pub(super) fn is_structured(&self) -> bool {
        matches!(self, Self::Structured(_))
    }
}

/// The type of an array's elements.
///
/// ```
/// use ringmail::value::{DType, Field};
///
/// let pixel = DType::record([Field::new("x", 0, DType::simple("<u2")?), Field::new("y", 2, DType::simple("<u2")?)], 4);
/// assert_eq!(pixel.size(), 4);
/// # Ok::<(), &str>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum DType {
    /// NumPy's `dtype.str`.
    Simple(Box<str>),
    /// A fixed number of elements in each element.
    SubArray {
        /// Their type.
        base: Box<DType>,
        /// How many, by dimension.
        shape: Vec<usize>,
    },
    /// Named fields: NumPy's structured dtype.
    Record {
        /// The fields, in NumPy's order.
        fields: Vec<Field>,
        /// Bytes of one record, padding included.
        size: usize,
        /// Whether NumPy was told to align it as C would.
        align: bool,
    },
}

/// A field of a [`DType::Record`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Its title, where it has one.
    pub title: Option<String>,
    /// Where it starts, in bytes from the start of the record.
    pub offset: usize,
    /// Its type.
    pub dtype: DType,
}

impl Field {
    /// A field without a title.
    pub fn new(name: impl Into<String>, offset: usize, dtype: DType) -> Self {
        Self { name: name.into(), title: None, offset, dtype }
    }
}

impl DType {
    /// A simple dtype, by NumPy's `dtype.str`.
    ///
    /// # Errors
    ///
    /// What is wrong with it, and what is allowed.
    pub fn simple(text: &str) -> Result<Self, &'static str> {
        DTypeRef::Simple(text).to_dtype()
    }

    /// A record of `size` bytes.
    pub fn record(fields: impl IntoIterator<Item = Field>, size: usize) -> Self {
        Self::Record { fields: fields.into_iter().collect(), size, align: false }
    }

    /// NumPy's text of a simple dtype.
    pub fn as_simple(&self) -> Option<&str> {
        match self {
            Self::Simple(text) => Some(text),
            _ => None,
        }
    }

    /// Bytes of one element; 0 for what no array can have.
    pub fn size(&self) -> usize {
        match self {
            Self::Simple(text) => Simple::parse(text).map_or(0, |simple| simple.size),
            Self::SubArray { base, shape } => bytes_of(shape.iter().copied(), base.size()).unwrap_or(0),
            Self::Record { size, .. } => *size,
        }
    }

    /// Appends the bytes of a [`DTypeRef`]; says whether it is [structured](DTypeRef::Structured).
    pub fn write(&self, into: &mut Vec<u8>) -> bool {
        if let Self::Simple(text) = self {
            into.extend_from_slice(text.as_bytes());
            return false;
        }
        let mut buf = ByteBuf::from_vec(core::mem::take(into));
        self.put(&mut buf);
        *into = buf.into_vec();
        true
    }

    fn put(&self, buf: &mut ByteBuf) {
        match self {
            Self::Simple(text) => {
                let Ok(()) = encode::write_str(buf, text);
            }
            Self::SubArray { base, shape } => {
                let Ok(_) = encode::write_array_len(buf, 2);
                base.put(buf);
                let Ok(_) = encode::write_array_len(buf, shape.len() as u32);
                for &dim in shape {
                    let Ok(_) = encode::write_uint(buf, dim as u64);
                }
            }
            Self::Record { fields, size, align } => {
                let Ok(_) = encode::write_array_len(buf, 3);
                let Ok(_) = encode::write_uint(buf, *size as u64);
                let Ok(()) = encode::write_bool(buf, *align);
                let Ok(_) = encode::write_array_len(buf, fields.len() as u32);
                for field in fields {
                    let Ok(_) = encode::write_array_len(buf, 3 + u32::from(field.title.is_some()));
                    let Ok(()) = encode::write_str(buf, &field.name);
                    let Ok(_) = encode::write_uint(buf, field.offset as u64);
                    field.dtype.put(buf);
                    if let Some(title) = &field.title {
                        let Ok(()) = encode::write_str(buf, title);
                    }
                }
            }
        }
    }

    fn read(tokens: &mut Tokens<'_>, depth: usize) -> Result<Self, &'static str> {
        let Some(depth) = depth.checked_sub(1) else { return Err("dtypes nested more than 64 levels deep") };
        if !tokens.is_array() {
            let text = tokens.str().ok_or("a dtype is a text or an array of 2 or 3")?;
            Simple::parse(text)?;
            return Ok(Self::Simple(text.into()));
        }
        match tokens.array() {
            Some(2) => {
                let base = Self::read(tokens, depth)?;
                let count = tokens.array().filter(|&count| count as usize <= MAX_DIMS);
                let count = count.ok_or("a sub-array has a shape of at most 64 dimensions")?;
                let shape: Option<Vec<_>> = (0..count).map(|_| usize::try_from(tokens.uint()?).ok()).collect();
                let shape = shape.ok_or("a dimension is an integer from 0 up")?;
                bytes_of(shape.iter().copied(), base.size()).ok_or("a sub-array larger than memory")?;
                Ok(Self::SubArray { base: Box::new(base), shape })
            }
            Some(3) => {
                let size = tokens.uint().and_then(|size| isize::try_from(size).ok());
                let size = size.ok_or("the size of a record is an integer from 0 up")? as usize;
                let align = tokens.bool().ok_or("whether a record is aligned is a bool")?;
                let count = tokens.array().ok_or("a record has an array of fields")?;
                // Each takes bytes of the message, so the loop ends; nothing is reserved for what may not come.
                let mut fields = Vec::new();
                for _ in 0..count {
                    let parts = tokens.array().filter(|parts| matches!(parts, 3 | 4));
                    let parts = parts.ok_or("a field is an array of 3 or 4")?;
                    let name = tokens.str().ok_or("a field starts with its name")?.to_owned();
                    let offset = tokens.uint().and_then(|offset| isize::try_from(offset).ok());
                    let offset = offset.ok_or("a field's offset is an integer from 0 up")? as usize;
                    let dtype = Self::read(tokens, depth)?;
                    if dtype.size().checked_add(offset).is_none_or(|end| end > size) {
                        return Err("a field lies within its record");
                    }
                    let title = match parts {
                        4 => Some(tokens.str().ok_or("a field's title is a text")?.to_owned()),
                        _ => None,
                    };
                    fields.push(Field { name, title, offset, dtype });
                }
                Ok(Self::Record { fields, size, align })
            }
            _ => Err("a dtype is a text or an array of 2 or 3"),
        }
    }
}

impl core::fmt::Display for DTypeRef<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Simple(text) => f.write_str(text),
            Self::Structured(_) => match self.to_dtype() {
                Ok(dtype) => write!(f, "{dtype}"),
                Err(_) => f.write_str("?"),
            },
        }
    }
}

impl core::fmt::Display for DType {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Simple(text) => f.write_str(text),
            Self::SubArray { base, shape } => write!(f, "({base}, {shape:?})"),
            Self::Record { fields, .. } => {
                f.write_str("{")?;
                for (place, field) in fields.iter().enumerate() {
                    write!(f, "{}{}: {}", if place > 0 { ", " } else { "" }, field.name, field.dtype)?;
                }
                f.write_str("}")
            }
        }
    }
}
