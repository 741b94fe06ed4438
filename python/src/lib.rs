//! `ringmail._native`: the Python package's part in Rust.
//!
//! | file | subject |
//! |---|---|
//! | `handle.rs`, `queue.rs`, `ends.rs`, `ring.rs`, `message.rs`, `lend.rs` | the classes that Python sees; their documentation is in `_native.pyi`, from where `build.rs` takes it |
//! | `exchange.rs` | putting and getting: what the classes have in common |
//! | `poll.rs`, `turn.rs` | the same in an event loop, with `_tasks.py` |
//! | `port.rs`, `patience.rs` | joining, waiting, signals, and who is told of a death |
//! | `encode.rs`, `fill.rs` | values into slots, one copy |
//! | `decode.rs`, `held.rs`, `warm.rs` | slots into values: views, or copies into warm memory |
//! | `copy.rs` | a copy of any length |
//! | `numpy.rs` | arrays and dtypes, as NumPy has them in memory |
//! | `errors.rs` | every exception |

include!(concat!(env!("OUT_DIR"), "/doc.rs"));

mod copy;
mod decode;
mod encode;
mod ends;
mod errors;
mod exchange;
mod fill;
mod handle;
mod held;
mod lend;
mod message;
mod numpy;
mod patience;
mod poll;
mod port;
mod queue;
mod ring;
mod turn;
mod warm;

/// The native part of the package. Nobody has tried it without the interpreter's lock yet, and the locks here count on that one: a fork
/// must not copy one that is taken.
#[pyo3::pymodule(gil_used = true)]
mod _native {
    #[pymodule_export]
    use super::ends::{Receiver, Sender};
    #[pymodule_export]
    use super::errors::Disconnected;
    #[pymodule_export]
    use super::handle::{Handle, Source};
    #[pymodule_export]
    use super::held::View;
    #[pymodule_export]
    use super::lend::Loan;
    #[pymodule_export]
    use super::message::Message;
    #[pymodule_export]
    use super::queue::QueueCore;
    #[pymodule_export]
    use super::ring::Ring;
    #[pymodule_export]
    use super::turn::{Bell, Turn};
    #[pymodule_export]
    use super::warm::keep_warm;
}
