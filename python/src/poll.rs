//! Putting and getting in an event loop: one step of a call, which is done or waits its turn.

use crate::decode::{self, Wish};
use crate::encode::Parcel;
use crate::errors::{Stop, Way};
use crate::exchange;
use crate::held::Held;
use crate::message::Message;
use crate::port::{LARGE, Port};
use crate::turn::Turn;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyList;
use ringmail::mpmc;
use std::sync::Arc;
use std::task::Poll;

/// Sends a value, if there is room now; or has the call woken when there may be.
pub fn put(port: &Port, value: &Bound<'_, PyAny>, turn: &Turn) -> PyResult<bool> {
    let py = value.py();
    let sender = turn.sender(port)?;
    let mut parcel = Parcel::pack(value)?;
    let (layout, fills) = parcel.layout()?;
    let bytes = layout.as_bytes();
    let len = bytes.map_or_else(|| layout.len(), <[u8]>::len);
    let polled = turn.poll(|context, waiting| sender.poll_loan(len, context, waiting));
    let Some(loan) = done(py, port, Way::Out, turn, polled)? else { return Ok(false) };
    let fill = |mut loan: mpmc::Loan<'_, [u8]>| -> Result<(), Stop> {
        match bytes {
            Some(bytes) => loan.copy_from_slice(bytes),
            None => layout.write_into(&mut loan, |number, place| fills[number].copy_to(place)),
        }
        Ok(loan.commit()?)
    };
    let sent = if len > LARGE { py.detach(|| fill(loan)) } else { fill(loan) };
    sent.map_err(|stop| stop.raise(py, Way::Out))?;
    Ok(true)
}

/// Receives a value, a copy, if there is one now; or has the call woken when there may be.
pub fn get<'py>(py: Python<'py>, port: &Port, allow_pickle: bool, turn: &Turn) -> PyResult<Option<Bound<'py, PyAny>>> {
    let receiver = turn.receiver(port)?;
    let polled = turn.poll(|context, waiting| receiver.poll_recv(context, waiting));
    let message = done(py, port, Way::In, turn, polled)?;
    message.map(|message| decode::decode(py, &message, Wish { allow_pickle, held: None })).transpose()
}

/// Receives what values there are now, up to `max`, if there are any; or has the call woken when there may be.
pub fn get_many<'py>(
    py: Python<'py>,
    port: &Port,
    allow_pickle: bool,
    max: usize,
    turn: &Turn,
) -> PyResult<Option<Bound<'py, PyList>>> {
    let receiver = turn.receiver(port)?;
    let polled = turn.poll(|context, waiting| receiver.poll_recv(context, waiting));
    let first = done(py, port, Way::In, turn, polled)?;
    first.map(|first| exchange::gather(py, &receiver, first, allow_pickle, max)).transpose()
}

/// Receives a message in place, if there is one now; or has the call woken when there may be.
pub fn recv(py: Python<'_>, port: &Port, allow_pickle: bool, turn: &Turn) -> PyResult<Option<Message>> {
    let receiver = turn.receiver(port)?;
    let polled = turn.poll(|context, waiting| receiver.poll_recv(context, waiting));
    let message = done(py, port, Way::In, turn, polled)?;
    Ok(message.map(|message| Message::new(Held::from(Arc::new(message.into_owned())), allow_pickle)))
}

/// What a poll came to: nothing yet, unless somebody is to be told of a death.
pub fn done<T, E: Into<Stop>>(
    py: Python<'_>,
    port: &Port,
    way: Way,
    turn: &Turn,
    polled: Poll<Result<T, E>>,
) -> PyResult<Option<T>> {
    match polled {
        Poll::Ready(result) => result.map(Some).map_err(|error| error.into().raise(py, way)),
        Poll::Pending => {
            if turn.is_alarmed() {
                port.mourn(way, turn.began())?;
            }
            Ok(None)
        }
    }
}

/// The coroutine of that name in `_tasks.py`.
pub fn coroutine<'py, A>(py: Python<'py>, name: &str, arguments: A) -> PyResult<Bound<'py, PyAny>>
where
    A: pyo3::call::PyCallArgs<'py>,
{
    static MODULE: PyOnceLock<Py<PyModule>> = PyOnceLock::new();
    let module = MODULE.get_or_try_init(py, || py.import("ringmail._tasks").map(Bound::unbind))?;
    module.bind(py).getattr(name)?.call1(arguments)
}
