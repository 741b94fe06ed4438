//! Values from Rust's types.

use super::{Array, BigInt, Data, Dict, Items, NamedTuple, Scalar, Text, Value, View};
use crate::value::wire::DType;
use std::sync::Arc;

macro_rules! from {
    ($($type:ty, $value:ident => $into:expr;)*) => {
        $(impl<'a> From<$type> for Value<'a> {
            #[inline]
            fn from($value: $type) -> Self {
                $into
            }
        })*
    };
}

from! {
    (), _value => Self::Nil;
    bool, value => Self::Bool(value);
    i8, value => Self::Int(value.into());
    i16, value => Self::Int(value.into());
    i32, value => Self::Int(value.into());
    i64, value => Self::Int(value);
    u8, value => Self::Int(value.into());
    u16, value => Self::Int(value.into());
    u32, value => Self::Int(value.into());
    u64, value => BigInt::from(value).into();
    usize, value => (value as u64).into();
    i128, value => BigInt::from(value).into();
    f32, value => Self::Float(value.into());
    f64, value => Self::Float(value);
    &'a str, value => Self::Str(value.into());
    String, value => Self::Str(value.into());
    Text<'a>, value => Self::Str(value);
    &'a [u8], value => Self::Bytes(value.into());
    Data<'a>, value => Self::Bytes(value);
    Array<'a>, value => Self::Array(Arc::new(value));
    View<'a>, value => Self::View(Arc::new(value));
    Scalar<'a>, value => Self::Scalar(Arc::new(value));
    DType, value => Self::DType(Arc::new(value));
    Dict<'a>, value => Self::Dict(value);
    NamedTuple<'a>, value => Self::NamedTuple(value);
    Vec<Value<'a>>, value => Self::List(value.into());
}

impl From<BigInt> for Value<'_> {
    fn from(value: BigInt) -> Self {
        match value.to_i128().and_then(|small| i64::try_from(small).ok()) {
            Some(small) => Self::Int(small),
            None => Self::BigInt(value),
        }
    }
}

impl<'a, V: Into<Value<'a>>> From<Option<V>> for Value<'a> {
    fn from(value: Option<V>) -> Self {
        value.map_or(Self::Nil, Into::into)
    }
}

impl<'a> Value<'a> {
    /// A list.
    pub fn list<V: Into<Value<'a>>>(items: impl IntoIterator<Item = V>) -> Self {
        Self::List(items.into_iter().collect())
    }

    /// A tuple.
    pub fn tuple<V: Into<Value<'a>>>(items: impl IntoIterator<Item = V>) -> Self {
        Self::Tuple(items.into_iter().collect())
    }

    /// A dict.
    pub fn dict<K: Into<Value<'a>>, V: Into<Value<'a>>>(pairs: impl IntoIterator<Item = (K, V)>) -> Self {
        Self::Dict(pairs.into_iter().collect())
    }

    /// A set. Nobody looks for duplicates.
    pub fn set<V: Into<Value<'a>>>(items: impl IntoIterator<Item = V>) -> Self {
        Self::Set(items.into_iter().collect())
    }

    /// A frozenset. Nobody looks for duplicates.
    pub fn frozenset<V: Into<Value<'a>>>(items: impl IntoIterator<Item = V>) -> Self {
        Self::FrozenSet(items.into_iter().collect())
    }

    /// A bytearray.
    pub fn bytearray(bytes: impl Into<Data<'a>>) -> Self {
        Self::ByteArray(Arc::new(bytes.into()))
    }

    /// The bool.
    pub fn as_bool(&self) -> Option<bool> {
        match *self {
            Self::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// The integer, Python's or NumPy's, if it fits.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Int(value) => Some(*value),
            _ => self.as_i128()?.try_into().ok(),
        }
    }

    /// The integer, Python's or NumPy's, if it fits.
    pub fn as_u64(&self) -> Option<u64> {
        self.as_i128()?.try_into().ok()
    }

    /// The integer, Python's or NumPy's, if it fits.
    pub fn as_i128(&self) -> Option<i128> {
        match self {
            Self::Int(value) => Some((*value).into()),
            Self::BigInt(value) => value.to_i128(),
            Self::Scalar(scalar) => {
                let small = || Some(i64::from(scalar.get::<i8>()?));
                let signed = small().or_else(|| scalar.get::<i16>().map(i64::from));
                let signed = signed.or_else(|| scalar.get::<i32>().map(i64::from)).or_else(|| scalar.get());
                let unsigned = || scalar.get::<u8>().map(u64::from).or_else(|| scalar.get::<u16>().map(u64::from));
                let unsigned = || unsigned().or_else(|| scalar.get::<u32>().map(u64::from)).or_else(|| scalar.get());
                signed.map(i128::from).or_else(|| unsigned().map(i128::from))
            }
            _ => None,
        }
    }

    /// The float, Python's or NumPy's; no integer.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Float(value) => Some(*value),
            Self::Scalar(scalar) => scalar.get::<f64>().or_else(|| scalar.get::<f32>().map(f64::from)),
            _ => None,
        }
    }

    /// The text.
    #[inline]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The bytes, of a bytearray too.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            Self::ByteArray(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The array.
    pub fn as_array(&self) -> Option<&Array<'a>> {
        match self {
            Self::Array(array) => Some(array),
            _ => None,
        }
    }

    /// The dict.
    pub fn as_dict(&self) -> Option<&Dict<'a>> {
        match self {
            Self::Dict(dict) => Some(dict),
            _ => None,
        }
    }

    /// The items of a list, tuple, named tuple, set or frozenset.
    pub fn as_items(&self) -> Option<&[Value<'a>]> {
        match self {
            Self::List(items) | Self::Tuple(items) | Self::Set(items) | Self::FrozenSet(items) => Some(items),
            Self::NamedTuple(tuple) => Some(&tuple.items),
            _ => None,
        }
    }

    /// What a dict has under this text, or a named tuple in this field.
    pub fn get(&self, key: &str) -> Option<&Value<'a>> {
        match self {
            Self::Dict(dict) => dict.get(key),
            Self::NamedTuple(tuple) => tuple.get(key),
            _ => None,
        }
    }

    /// Whether this is `None`.
    pub fn is_nil(&self) -> bool {
        matches!(self, Self::Nil)
    }

    /// All that a container holds, a dict's keys and values in turn.
    pub(super) fn items(&self) -> Option<&Items<'a>> {
        match self {
            Self::List(items) | Self::Tuple(items) | Self::Set(items) | Self::FrozenSet(items) => Some(items),
            Self::Dict(dict) => Some(&dict.0),
            Self::NamedTuple(tuple) => Some(&tuple.items),
            Self::Pickle(pickle) => Some(&pickle.0),
            _ => None,
        }
    }

    pub(super) fn items_mut(&mut self) -> Option<&mut Items<'a>> {
        match self {
            Self::List(items) | Self::Tuple(items) | Self::Set(items) | Self::FrozenSet(items) => Some(items),
            Self::Dict(dict) => Some(&mut dict.0),
            Self::NamedTuple(tuple) => Some(&mut tuple.items),
            Self::Pickle(pickle) => Some(&mut pickle.0),
            _ => None,
        }
    }
}
