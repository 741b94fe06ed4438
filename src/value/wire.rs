//! The format itself, token by token: what [`Value`](super::Value) and the Python package are made of.
//!
//! A message is a header, the structure in MessagePack, and payloads (the elements of arrays, long text and bytes), each at a
//! multiple of 64 bytes. `docs/wire.md` has every byte.
//!
//! # Writing
//!
//! An [`Encoder`] takes values in prefix order: a container is begun with the number of its items, which follow (a dict's as key,
//! value, key, value). Payloads are announced with their length, and copied once, into the place that the message has at last:
//!
//! ```
//! use ringmail::value::wire::{ArrayHeader, DTypeRef, Encoder, Order};
//!
//! let (tx, rx) = ringmail::mpmc::channel::<[u8]>(&ringmail::Options::new().max_len(1 << 20))?;
//! let pixels = vec![7; 64 * 48];
//!
//! let mut encoder = Encoder::new(); // once; then `clear` it for the next message
//! encoder.begin_dict(2);
//! encoder.put_str("reward");
//! encoder.put_f64(1.0);
//! encoder.put_str("obs");
//! let header = ArrayHeader { dtype: DTypeRef::Simple("|u1"), shape: &[64, 48], order: Order::C, writable: true };
//! let placed = encoder.put_array(&header);
//! assert_eq!((placed.payload, placed.len), (0, 64 * 48));
//!
//! let layout = encoder.layout()?; // here every fault of what was written is told
//! let mut loan = tx.loan(layout.len())?;
//! layout.write_into(&mut loan, |_number, place| place.copy_from_slice(&pixels));
//! loan.commit()?;
//! # let message = rx.recv()?;
//! # let value = ringmail::value::Value::decode(&message)?;
//! # assert_eq!(value.get("obs").unwrap().as_array().unwrap().shape(), [64, 48]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | to write | call |
//! |---|---|
//! | `None`, bool, int, float, complex | `put_nil`, `put_bool`, `put_i64`, `put_u64`, `put_big_int`, `put_f64`, `put_complex` |
//! | text and bytes | `put_str`, `put_bytes`, `put_bytearray`, `put_surrogates`; from [`INLINE`] bytes on the same with `_payload(len)` |
//! | arrays and what belongs to them | `put_array`, `put_view` (memoryview), `put_scalar`, `put_dtype` |
//! | containers | `begin_list`, `begin_tuple`, `begin_set`, `begin_frozenset`, `begin_dict`, `begin_new_named_tuple`, `begin_named_tuple` |
//! | what only Python knows | `begin_pickle(buffers)`, then `1 + buffers` times bytes or a bytearray |
//! | something once more | `put_ref(number)` |
//!
//! Values are numbered from 0 in the order in which they are begun, all but nil, bools, numbers, scalars, dtypes and references. The
//! verbs return the number; `put_ref` with it stands for the same object again, also within itself. [`Encoder::mark`] and
//! [`Encoder::rewind`] take back what turned out not to be writable.
//!
//! [`Layout::as_bytes`] is the whole message where there are no payloads: `tx.send(bytes)`. [`Layout::payload`] and
//! [`Layout::write_structure`] are for those who fill payloads themselves, say with several threads.
//!
//! # Reading
//!
//! A [`Reader`] gives back the same sequence as [`Event`]s, which borrow from the message. It needs no stack, so depth costs
//! nothing; who builds a tree keeps a stack of [`Event::children`] still to come. Everything is checked: any bytes are events
//! or an error.
//!
//! ```
//! use ringmail::value::wire::{Encoder, Event, Reader};
//!
//! let mut encoder = Encoder::new();
//! encoder.begin_tuple(2);
//! encoder.put_i64(1);
//! encoder.put_str("two");
//! let layout = encoder.layout()?;
//!
//! let mut reader = Reader::new(layout.as_bytes().unwrap())?;
//! assert_eq!(reader.event()?, Some(Event::Tuple { len: 2 }));
//! assert_eq!(reader.event()?, Some(Event::Int(1)));
//! assert_eq!(reader.event()?, Some(Event::Str("two")));
//! assert_eq!(reader.event()?, None);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A message in a ring is shared memory: whoever may write the ring may change it while it is read. All lengths and places are read
//! once and checked then.

mod dtype;
mod encoder;
mod event;
mod format;
mod header;
mod layout;
mod reader;
mod token;

pub use self::dtype::{DType, DTypeRef, Field, Simple};
pub use self::encoder::{Encoder, Mark};
pub use self::event::{ArrayRef, Class, Dims, Event, ViewRef};
pub(super) use self::format::check_shape;
pub use self::format::{ALIGN, HEADER, INLINE, MAGIC, MAX_DIMS, VERSION};
pub use self::header::{ArrayHeader, Named, Order, Placed, ViewHeader};
pub use self::layout::Layout;
pub use self::reader::Reader;
