//! Comparing and printing, however deep and however often shared.

use super::{Dict, Items, NamedTuple, Pickle, Value};
use core::cell::Cell;
use core::fmt::{self, Debug};
use std::collections::HashSet;

/// Equal as trees: of the same kind with the same contents in the same order. So `1` is not `1.0`, and neither dicts nor sets of
/// another order are equal; NaN is not itself.
impl PartialEq for Value<'_> {
    fn eq(&self, other: &Self) -> bool {
        let mut stack = vec![(self, other)];
        // Pairs that were compared, or are to be: with sharing, there may be more paths than time.
        let mut seen = HashSet::new();
        while let Some((left, right)) = stack.pop() {
            let same = match (left, right) {
                (Self::Nil, Self::Nil) => true,
                (Self::Bool(left), Self::Bool(right)) => left == right,
                (Self::Int(left), Self::Int(right)) => left == right,
                (Self::BigInt(left), Self::BigInt(right)) => left == right,
                (Self::Float(left), Self::Float(right)) => left == right,
                (Self::Complex { re, im }, Self::Complex { re: other_re, im: other_im }) => {
                    re == other_re && im == other_im
                }
                (Self::Str(left), Self::Str(right)) => left == right,
                (Self::Surrogates(left), Self::Surrogates(right)) | (Self::Bytes(left), Self::Bytes(right)) => {
                    left == right
                }
                (Self::ByteArray(left), Self::ByteArray(right)) => left == right,
                (Self::View(left), Self::View(right)) => left == right,
                (Self::Array(left), Self::Array(right)) => left == right,
                (Self::Scalar(left), Self::Scalar(right)) => left == right,
                (Self::DType(left), Self::DType(right)) => left == right,
                (Self::Up(left), Self::Up(right)) => left == right,
                (Self::NamedTuple(left), Self::NamedTuple(right)) if left.class != right.class => false,
                (left, right) if left.kind() == right.kind() => match (left.items(), right.items()) {
                    (Some(left), Some(right)) => {
                        let again = left.shared().zip(right.shared()).is_some_and(|pair| !seen.insert(pair));
                        if !again && left.len() == right.len() {
                            stack.extend(left.iter().zip(right.iter()));
                        }
                        left.len() == right.len()
                    }
                    _ => false,
                },
                _ => false,
            };
            if !same {
                return false;
            }
        }
        true
    }
}

/// How many values are printed, and how deep, before the rest is `...`.
const PRINTED: usize = 10_000;
const PRINTED_DEPTH: usize = 100;

/// Prints at most 10,000 values, to a depth of 100: the rest is `...`.
impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        print(self, f, PRINTED_DEPTH, &Cell::new(PRINTED))
    }
}

fn print(value: &Value<'_>, f: &mut fmt::Formatter<'_>, depth: usize, left: &Cell<usize>) -> fmt::Result {
    let (Some(depth), Some(fewer)) = (depth.checked_sub(1), left.get().checked_sub(1)) else {
        return f.write_str("...");
    };
    left.set(fewer);
    let list = |f: &mut fmt::Formatter<'_>, open: &str, items: &Items<'_>, close: &str| {
        f.write_str(open)?;
        for (place, item) in items.iter().enumerate() {
            f.write_str(if place > 0 { ", " } else { "" })?;
            print(item, f, depth, left)?;
            if left.get() == 0 {
                break;
            }
        }
        f.write_str(close)
    };
    match value {
        Value::Nil => f.write_str("None"),
        Value::Bool(value) => value.fmt(f),
        Value::Int(value) => value.fmt(f),
        Value::BigInt(value) => value.fmt(f),
        Value::Float(value) => value.fmt(f),
        Value::Complex { re, im } => write!(f, "({re:?}, {im:?}j)"),
        Value::Str(text) => text.fmt(f),
        Value::Surrogates(bytes) => write!(f, "Surrogates({bytes:?})"),
        Value::Bytes(bytes) => bytes.fmt(f),
        Value::ByteArray(bytes) => write!(f, "ByteArray({bytes:?})"),
        Value::View(view) => view.fmt(f),
        Value::Array(array) => array.fmt(f),
        Value::Scalar(scalar) => scalar.fmt(f),
        Value::DType(dtype) => write!(f, "DType({dtype})"),
        Value::List(items) => list(f, "[", items, "]"),
        Value::Tuple(items) => list(f, "(", items, ")"),
        Value::Set(items) => list(f, "{", items, "}"),
        Value::FrozenSet(items) => list(f, "FrozenSet{", items, "}"),
        Value::Pickle(Pickle(items)) => list(f, "Pickle(", items, ")"),
        Value::Up(levels) => write!(f, "Up({levels})"),
        Value::NamedTuple(NamedTuple { class, items }) => {
            write!(f, "{}", class.name)?;
            list(f, "(", items, ")")
        }
        Value::Dict(dict) => {
            f.write_str("{")?;
            for (place, (key, value)) in dict.iter().enumerate() {
                f.write_str(if place > 0 { ", " } else { "" })?;
                print(key, f, depth, left)?;
                f.write_str(": ")?;
                print(value, f, depth, left)?;
                if left.get() == 0 {
                    break;
                }
            }
            f.write_str("}")
        }
    }
}

macro_rules! as_value {
    ($($type:ident, $value:ident => $into:expr;)*) => {
        $(
            impl PartialEq for $type<'_> {
                fn eq(&self, other: &Self) -> bool {
                    // Clones cost next to nothing.
                    let $value = self.clone();
                    let left = $into;
                    let $value = other.clone();
                    left == $into
                }
            }

            impl fmt::Debug for $type<'_> {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    let $value = self.clone();
                    $into.fmt(f)
                }
            }
        )*
    };
}

as_value! {
    Items, items => Value::List(items);
    Dict, dict => Value::Dict(dict);
    NamedTuple, tuple => Value::NamedTuple(tuple);
    Pickle, pickle => Value::Pickle(pickle);
}
