//! What containers hold. A clone of a container is the same container, and is sent as such; changing it makes it another.
//!
//! Nesting may be as deep as memory allows: nothing here, or in what walks values, recurses, dropping and comparing included.

use super::Value;
use core::ops::Deref;
use std::sync::Arc;

/// The items of a container.
#[derive(Clone, Default)]
pub struct Items<'a>(Arc<Vec<Value<'a>>>);

impl<'a> Items<'a> {
    /// The items, to be changed: copied before if they are shared.
    pub fn to_mut(&mut self) -> &mut Vec<Value<'a>> {
        Arc::make_mut(&mut self.0)
    }

    /// The items themselves.
    pub fn into_vec(mut self) -> Vec<Value<'a>> {
        core::mem::take(self.to_mut())
    }

    /// Whether both are the same container, and not merely equal.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Where it is, if it may be in several places.
    pub(super) fn shared(&self) -> Option<usize> {
        (Arc::strong_count(&self.0) > 1).then(|| Arc::as_ptr(&self.0).addr())
    }
}

impl Drop for Items<'_> {
    fn drop(&mut self) {
        let Some(items) = Arc::get_mut(&mut self.0) else { return };
        if !items.iter().any(|item| item.items().is_some_and(|items| !items.is_empty())) {
            return;
        }
        // Depth becomes length: what is inside is dropped from one stack.
        let mut stack = core::mem::take(items);
        while let Some(mut item) = stack.pop() {
            if let Some(inner) = item.items_mut().and_then(|items| Arc::get_mut(&mut items.0)) {
                stack.append(inner);
            }
        }
    }
}

impl<'a> Deref for Items<'a> {
    type Target = [Value<'a>];

    #[inline]
    fn deref(&self) -> &[Value<'a>] {
        &self.0
    }
}

impl<'a> From<Vec<Value<'a>>> for Items<'a> {
    fn from(items: Vec<Value<'a>>) -> Self {
        Self(Arc::new(items))
    }
}

impl<'a, V: Into<Value<'a>>> FromIterator<V> for Items<'a> {
    fn from_iter<I: IntoIterator<Item = V>>(items: I) -> Self {
        items.into_iter().map(Into::into).collect::<Vec<_>>().into()
    }
}

impl<'i, 'a> IntoIterator for &'i Items<'a> {
    type Item = &'i Value<'a>;
    type IntoIter = core::slice::Iter<'i, Value<'a>>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// A dict: pairs in the order in which they were written.
///
/// Keys may be any values, and nobody looks for duplicates; Python's last one wins.
#[derive(Clone, Default)]
pub struct Dict<'a>(pub(super) Items<'a>);

impl<'a> Dict<'a> {
    /// How many pairs.
    pub fn len(&self) -> usize {
        self.0.len() / 2
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Keys and values, in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&Value<'a>, &Value<'a>)> + ExactSizeIterator {
        self.0.as_chunks().0.iter().map(|[key, value]| (key, value))
    }

    /// The value of a key that is text; looks at one after the other.
    pub fn get(&self, key: &str) -> Option<&Value<'a>> {
        self.iter().rev().find(|(candidate, _)| candidate.as_str() == Some(key)).map(|(_, value)| value)
    }

    /// Sets the value of a key that is text.
    pub fn insert(&mut self, key: impl Into<Value<'a>>, value: impl Into<Value<'a>>) {
        let (key, value) = (key.into(), value.into());
        let found = key.as_str().and_then(|key| self.iter().rposition(|(other, _)| other.as_str() == Some(key)));
        let items = self.0.to_mut();
        match found {
            Some(place) => items[2 * place + 1] = value,
            None => items.extend([key, value]),
        }
    }

    /// Keys and values in turn, as they are written.
    pub fn items(&self) -> &Items<'a> {
        &self.0
    }
}

impl<'a, K: Into<Value<'a>>, V: Into<Value<'a>>> FromIterator<(K, V)> for Dict<'a> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        Self(pairs.into_iter().flat_map(|(key, value)| [key.into(), value.into()]).collect())
    }
}

/// A named tuple: the name of its class, which only Python knows, and its fields.
#[derive(Clone)]
pub struct NamedTuple<'a> {
    pub(super) class: Arc<ClassName>,
    pub(super) items: Items<'a>,
}

#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct ClassName {
    pub(super) name: Box<str>,
    pub(super) fields: Box<[Box<str>]>,
}

impl<'a> NamedTuple<'a> {
    /// A named tuple of the class `module:qualname`.
    pub fn new<F: AsRef<str>, V: Into<Value<'a>>>(class: &str, fields: impl IntoIterator<Item = (F, V)>) -> Self {
        let (names, items): (Vec<_>, Vec<_>) =
            fields.into_iter().map(|(name, value)| (Box::from(name.as_ref()), value.into())).unzip();
        Self { class: Arc::new(ClassName { name: class.into(), fields: names.into() }), items: items.into() }
    }

    /// `module:qualname`.
    pub fn class(&self) -> &str {
        &self.class.name
    }

    /// The names of the fields.
    pub fn fields(&self) -> impl ExactSizeIterator<Item = &str> {
        self.class.fields.iter().map(|field| &**field)
    }

    /// The values of the fields.
    pub fn items(&self) -> &Items<'a> {
        &self.items
    }

    /// The value of a field.
    pub fn get(&self, field: &str) -> Option<&Value<'a>> {
        self.items.get(self.fields().position(|name| name == field)?)
    }
}
