//! From tokens to a tree, on a stack of its own.
//!
//! What a reference leads to is shared if it is complete. If it is a container that is still open, the tree cannot be
//! shared into itself: it becomes the number of levels up.

use super::wire::{ArrayRef, Event, Reader, ViewRef};
use super::{Array, BigInt, ClassName, Data, Dict, Items, NamedTuple, Pickle, Scalar, Text, Value, View};
use crate::error::value::DecodeError;
use std::sync::Arc;

impl<'a> Value<'a> {
    /// Reads a message. Text, bytes and arrays stay where they are and are borrowed from it.
    ///
    /// # Errors
    ///
    /// If the message is no value. Any bytes are an error or a value that takes no more memory than some 300 times the message.
    pub fn decode(message: &'a [u8]) -> Result<Self, DecodeError> {
        build(message, &Borrow)
    }
}

impl Value<'static> {
    /// Reads a message and copies what it needs: the message can go. Arrays are copied to where they are aligned.
    ///
    /// # Errors
    ///
    /// As for [`decode`](Self::decode).
    pub fn decode_owned(message: &[u8]) -> Result<Self, DecodeError> {
        build(message, &Copy)
    }
}

/// What becomes of bytes in the message.
trait Keep<'m, 'a> {
    fn data(&self, bytes: &'m [u8]) -> Data<'a>;
    fn text(&self, text: &'m str) -> Text<'a>;
}

struct Borrow;

impl<'m> Keep<'m, 'm> for Borrow {
    fn data(&self, bytes: &'m [u8]) -> Data<'m> {
        bytes.into()
    }

    fn text(&self, text: &'m str) -> Text<'m> {
        text.into()
    }
}

struct Copy;

impl<'m> Keep<'m, 'static> for Copy {
    fn data(&self, bytes: &'m [u8]) -> Data<'static> {
        Data::copy_of(bytes)
    }

    fn text(&self, text: &'m str) -> Text<'static> {
        text.to_owned().into()
    }
}

/// A container whose items are being read.
struct Level<'a> {
    head: Head,
    items: Vec<Value<'a>>,
    left: usize,
    /// Its number.
    number: usize,
}

enum Head {
    List,
    Tuple,
    Set,
    FrozenSet,
    Dict,
    Pickle,
    NamedTuple(Arc<ClassName>),
}

impl<'a> Level<'a> {
    fn finish(self) -> Value<'a> {
        let items = Items::from(self.items);
        match self.head {
            Head::List => Value::List(items),
            Head::Tuple => Value::Tuple(items),
            Head::Set => Value::Set(items),
            Head::FrozenSet => Value::FrozenSet(items),
            Head::Dict => Value::Dict(Dict(items)),
            Head::Pickle => Value::Pickle(Pickle(items)),
            Head::NamedTuple(class) => Value::NamedTuple(NamedTuple { class, items }),
        }
    }
}

/// A numbered value, as far as it is known.
enum Known<'a> {
    /// The container at this place of the stack.
    Open(usize),
    Done(Value<'a>),
}

fn build<'m, 'a>(message: &'m [u8], keep: &impl Keep<'m, 'a>) -> Result<Value<'a>, DecodeError> {
    let mut reader = Reader::new(message)?;
    let mut stack: Vec<Level<'a>> = Vec::new();
    let mut known = Vec::new();
    let mut classes: Vec<Arc<ClassName>> = Vec::new();
    let mut root = None;
    while let Some(event) = reader.event()? {
        let remember = reader.has_refs() && event.is_numbered();
        let number = known.len();
        let mut value = match event {
            Event::Ref(number) => match &known[number as usize] {
                Known::Open(place) => Value::Up(stack.len() - place),
                Known::Done(value) => value.clone(),
            },
            event => match leaf(&event, keep) {
                Some(value) => {
                    if remember {
                        known.push(Known::Done(value.clone()));
                    }
                    value
                }
                None => {
                    let level = open(&event, &reader, &mut classes, number);
                    if remember {
                        known.push(Known::Open(stack.len()));
                    }
                    stack.push(level);
                    match close(&mut stack, &mut known) {
                        Some(value) => value,
                        None => continue,
                    }
                }
            },
        };
        loop {
            let Some(level) = stack.last_mut() else { break root = Some(value) };
            level.items.push(value);
            level.left -= 1;
            match close(&mut stack, &mut known) {
                Some(closed) => value = closed,
                None => break,
            }
        }
    }
    root.ok_or(DecodeError::Malformed { at: 0, what: "a message holds one value" })
}

/// The innermost container, if it is complete.
fn close<'a>(stack: &mut Vec<Level<'a>>, known: &mut [Known<'a>]) -> Option<Value<'a>> {
    let level = stack.pop_if(|level| level.left == 0)?;
    let number = level.number;
    let value = level.finish();
    if let Some(known) = known.get_mut(number) {
        *known = Known::Done(value.clone());
    }
    Some(value)
}

fn open<'a>(event: &Event<'_>, reader: &Reader<'_>, classes: &mut Vec<Arc<ClassName>>, number: usize) -> Level<'a> {
    let head = match *event {
        Event::Tuple { .. } => Head::Tuple,
        Event::Set { .. } => Head::Set,
        Event::FrozenSet { .. } => Head::FrozenSet,
        Event::Dict { .. } => Head::Dict,
        Event::Pickle { .. } => Head::Pickle,
        Event::NamedTuple { class, .. } => {
            if let Some(new) = reader.class(class).filter(|_| class as usize == classes.len()) {
                let fields = new.fields().map(Box::from).collect();
                classes.push(Arc::new(ClassName { name: new.name().into(), fields }));
            }
            Head::NamedTuple(classes[class as usize].clone())
        }
        _ => Head::List,
    };
    // Over the whole message, no more than it has bytes: see the reader.
    let left = event.children();
    Level { head, items: Vec::with_capacity(left), left, number }
}

/// What is no container.
fn leaf<'m, 'a>(event: &Event<'m>, keep: &impl Keep<'m, 'a>) -> Option<Value<'a>> {
    Some(match *event {
        Event::Nil => Value::Nil,
        Event::Bool(value) => Value::Bool(value),
        Event::Int(value) => Value::Int(value),
        Event::UInt(value) => Value::BigInt(value.into()),
        Event::BigInt(bytes) => BigInt::from_le_bytes(bytes).into(),
        Event::Float(value) => Value::Float(value),
        Event::Complex { re, im } => Value::Complex { re, im },
        Event::Str(text) => Value::Str(keep.text(text)),
        Event::Surrogates(bytes) => Value::Surrogates(keep.data(bytes)),
        Event::Bytes(bytes) => Value::Bytes(keep.data(bytes)),
        Event::ByteArray(bytes) => Value::ByteArray(Arc::new(keep.data(bytes))),
        Event::View(ViewRef { format, item, shape, order, writable, data }) => {
            let (format, shape, data) = (format.into(), shape.iter().collect(), keep.data(data));
            Value::View(Arc::new(View { format, item, shape, order, writable, data }))
        }
        Event::Array(ArrayRef { dtype, shape, order, writable, data, .. }) => {
            let (dtype, shape, data) = (dtype.to_dtype().ok()?, shape.iter().collect(), keep.data(data));
            Value::Array(Arc::new(Array { dtype, shape, order, writable, data }))
        }
        Event::Scalar { dtype, data } => {
            Value::Scalar(Arc::new(Scalar { dtype: dtype.to_dtype().ok()?, data: keep.data(data) }))
        }
        Event::DType(dtype) => Value::DType(Arc::new(dtype.to_dtype().ok()?)),
        Event::List { .. }
        | Event::Tuple { .. }
        | Event::NamedTuple { .. }
        | Event::Dict { .. }
        | Event::Set { .. }
        | Event::FrozenSet { .. }
        | Event::Pickle { .. }
        | Event::Ref(_) => return None,
    })
}
