//! What only Python understands.

use super::{Data, Items, Value};

/// A pickle of protocol 5 with its buffers: opaque in Rust, passed on as it is.
///
/// To unpickle is to run whatever the pickle says: Python receivers may forbid it.
#[derive(Clone)]
pub struct Pickle<'a>(pub(super) Items<'a>);

impl<'a> Pickle<'a> {
    /// A pickle without buffers.
    pub fn new(pickle: impl Into<Data<'a>>) -> Self {
        Self(vec![Value::Bytes(pickle.into())].into())
    }

    /// The same, with one more buffer out of band.
    pub fn with_buffer(mut self, buffer: impl Into<Data<'a>>, writable: bool) -> Self {
        let buffer = if writable { Value::bytearray(buffer) } else { Value::Bytes(buffer.into()) };
        self.0.to_mut().push(buffer);
        self
    }

    /// The pickle itself.
    pub fn pickle(&self) -> &[u8] {
        self.0.first().and_then(Value::as_bytes).unwrap_or_default()
    }

    /// Its buffers, and whether each is writable.
    pub fn buffers(&self) -> impl Iterator<Item = (&[u8], bool)> {
        let buffers = self.0.iter().skip(1);
        buffers.map(|part| (part.as_bytes().unwrap_or_default(), matches!(part, Value::ByteArray(_))))
    }
}
