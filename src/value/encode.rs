//! From a tree to tokens.
//!
//! What is shared is written once: containers, arrays and views by where they are, long text and bytes too. The walk keeps its own
//! stack.

use super::wire::{DType, DTypeRef, Encoder, INLINE};
use super::{ClassName, Data, Items, Value};
use crate::error::value::EncodeError;
use smallvec::SmallVec;
use std::collections::HashMap;
use std::sync::Arc;

/// The payloads of a value, in the order of their numbers: borrowed from it.
pub type Payloads<'v> = SmallVec<[&'v [u8]; 8]>;

/// A container whose items are being written.
struct Level<'v, 'a> {
    rest: core::slice::Iter<'v, Value<'a>>,
    number: u32,
    /// Whether it is a pickle: its parts stand there themselves, never for another.
    is_pickle: bool,
}

/// What was written and may come again.
#[derive(Default)]
struct Seen<'v> {
    /// Kind and address, and the number.
    values: HashMap<(u8, usize), u32>,
    classes: HashMap<&'v ClassName, u32>,
}

impl Value<'_> {
    /// Writes the value into `encoder`, which must be [clear](Encoder::clear), or in the middle of a container. The contents of the
    /// payloads that this adds are appended to `payloads`.
    ///
    /// # Errors
    ///
    /// [`NoSuchLevel`](EncodeError::NoSuchLevel) of an [`Up`](Value::Up) that leads out of the value; everything else
    /// [`Encoder::layout`] says.
    pub fn write<'v>(&'v self, encoder: &mut Encoder, payloads: &mut Payloads<'v>) -> Result<(), EncodeError> {
        let mut stack: SmallVec<[Level<'v, '_>; 8]> = SmallVec::new();
        let mut seen = None;
        let mut value = self;
        loop {
            if let Some(level) = one(value, encoder, payloads, &mut seen, &stack)? {
                stack.push(level);
            }
            value = loop {
                let Some(level) = stack.last_mut() else { return Ok(()) };
                match level.rest.next() {
                    Some(value) => break value,
                    None => stack.pop(),
                };
            };
        }
    }

    /// The value as a message, in memory of its own, aligned to 64 bytes.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn encode(&self) -> Result<Data<'static>, EncodeError> {
        let (mut encoder, mut payloads) = (Encoder::new(), Payloads::new());
        self.write(&mut encoder, &mut payloads)?;
        let layout = encoder.layout()?;
        let mut message = Data::zeroed(layout.len());
        layout.write_into(message.to_mut(), |number, place| place.copy_from_slice(payloads[number]));
        Ok(message)
    }
}

/// Writes one value, or the head of a container.
fn one<'v, 'a>(
    value: &'v Value<'a>,
    encoder: &mut Encoder,
    payloads: &mut Payloads<'v>,
    seen: &mut Option<Box<Seen<'v>>>,
    stack: &[Level<'v, 'a>],
) -> Result<Option<Level<'v, 'a>>, EncodeError> {
    let is_part = stack.last().is_some_and(|level| level.is_pickle);
    if let Some(key) = identity(value).filter(|_| !is_part) {
        let values = &mut seen.get_or_insert_default().values;
        if let Some(&number) = values.get(&key) {
            encoder.put_ref(number);
            return Ok(None);
        }
        // Its number is the next; one that is too high for a reference is not kept.
        if let Ok(number) = u32::try_from(encoder.next_number()) {
            values.insert(key, number);
        }
    }
    let level = |items: &'v Items<'a>, number| Ok(Some(Level { rest: items.iter(), number, is_pickle: false }));
    match value {
        Value::Nil => encoder.put_nil(),
        Value::Bool(value) => encoder.put_bool(*value),
        Value::Int(value) => encoder.put_i64(*value),
        Value::BigInt(value) => match value.to_u64() {
            Some(value) => encoder.put_u64(value),
            None => encoder.put_big_int(value.bytes()),
        },
        Value::Float(value) => encoder.put_f64(*value),
        Value::Complex { re, im } => encoder.put_complex(*re, *im),
        Value::Str(text) if text.len() >= INLINE => {
            encoder.put_str_payload(text.len());
            payloads.push(text.as_bytes());
        }
        Value::Str(text) => _ = encoder.put_str(text),
        Value::Surrogates(bytes) if bytes.len() >= INLINE => {
            encoder.put_surrogates_payload(bytes.len());
            payloads.push(bytes);
        }
        Value::Surrogates(bytes) => _ = encoder.put_surrogates(bytes),
        Value::Bytes(bytes) if bytes.len() >= INLINE => {
            encoder.put_bytes_payload(bytes.len());
            payloads.push(bytes);
        }
        Value::Bytes(bytes) => _ = encoder.put_bytes(bytes),
        Value::ByteArray(bytes) if bytes.len() >= INLINE => {
            encoder.put_bytearray_payload(bytes.len());
            payloads.push(bytes);
        }
        Value::ByteArray(bytes) => _ = encoder.put_bytearray(bytes),
        Value::View(view) => {
            encoder.put_view(&view.header());
            payloads.push(&view.data);
        }
        Value::Array(array) => {
            with_dtype(&array.dtype, |dtype| encoder.put_array(&array.header(dtype)));
            payloads.push(&array.data);
        }
        Value::Scalar(scalar) => with_dtype(&scalar.dtype, |dtype| encoder.put_scalar(dtype, &scalar.data)),
        Value::DType(dtype) => with_dtype(dtype, |dtype| encoder.put_dtype(dtype)),
        Value::List(items) => return level(items, encoder.begin_list(items.len())),
        Value::Tuple(items) => return level(items, encoder.begin_tuple(items.len())),
        Value::Set(items) => return level(items, encoder.begin_set(items.len())),
        Value::FrozenSet(items) => return level(items, encoder.begin_frozenset(items.len())),
        Value::Dict(dict) => return level(dict.items(), encoder.begin_dict(dict.len())),
        Value::NamedTuple(tuple) => {
            let classes = &mut seen.get_or_insert_default().classes;
            let named = match classes.get(&*tuple.class) {
                Some(&class) => encoder.begin_named_tuple(class),
                None => encoder.begin_new_named_tuple(&tuple.class.name, &tuple.class.fields),
            };
            classes.insert(&tuple.class, named.class);
            return level(&tuple.items, named.number);
        }
        Value::Pickle(pickle) => {
            let number = encoder.begin_pickle(pickle.0.len().saturating_sub(1));
            return Ok(Some(Level { rest: pickle.0.iter(), number, is_pickle: true }));
        }
        Value::Up(up) => match stack.len().checked_sub(*up).and_then(|place| stack.get(place)) {
            Some(level) => encoder.put_ref(level.number),
            None => return Err(EncodeError::NoSuchLevel { up: *up, depth: stack.len() }),
        },
    }
    Ok(None)
}

/// What tells a value from an equal one, for those that may come again.
#[inline]
fn identity(value: &Value<'_>) -> Option<(u8, usize)> {
    let shared = match value {
        Value::Nil | Value::Bool(_) | Value::Int(_) | Value::Float(_) => None,
        Value::Str(text) => (text.len() >= INLINE).then(|| text.as_ptr().addr()),
        Value::Surrogates(bytes) | Value::Bytes(bytes) => (bytes.len() >= INLINE).then(|| bytes.as_ptr().addr()),
        Value::ByteArray(bytes) => shared(bytes),
        Value::View(view) => shared(view),
        Value::Array(array) => shared(array),
        value => value.items().and_then(Items::shared),
    };
    shared.map(|address| (value.kind(), address))
}

fn shared<T>(value: &Arc<T>) -> Option<usize> {
    (Arc::strong_count(value) > 1).then(|| Arc::as_ptr(value).addr())
}

fn with_dtype<T>(dtype: &DType, then: impl FnOnce(DTypeRef<'_>) -> T) -> T {
    if let DType::Simple(text) = dtype {
        return then(DTypeRef::Simple(text));
    }
    let mut bytes = Vec::new();
    dtype.write(&mut bytes);
    then(DTypeRef::Structured(&bytes))
}
