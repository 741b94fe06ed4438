//! Putting values into a port and getting them out: what queues, senders and receivers have in common.

use crate::decode::{self, Wish};
use crate::encode::Parcel;
use crate::errors::{Stop, Way, not_now};
use crate::fill::{Export, Fill};
use crate::held::Held;
use crate::message::Message;
use crate::numpy;
use crate::patience::Patience;
use crate::port::{LARGE, Port, Receiver, Sender, Wait};
use crate::warm;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyList;
use ringmail::mpmc;
use ringmail::value::wire::Layout;
use std::sync::Arc;
use std::time::Duration;

/// Sends a value.
#[inline]
pub fn put(port: &Port, value: &Bound<'_, PyAny>, patience: Patience) -> PyResult<()> {
    let sender = port.sender()?;
    let mut parcel = Parcel::pack(value)?;
    let (layout, fills) = parcel.layout()?;
    send(value.py(), port, &sender, &layout, fills, patience)
}

fn send(
    py: Python<'_>,
    port: &Port,
    sender: &Sender,
    layout: &Layout<'_>,
    fills: &[Fill],
    patience: Patience,
) -> PyResult<()> {
    if let Some(bytes) = layout.as_bytes() {
        return send_bytes(py, port, sender, bytes, patience);
    }
    let write = |place: &mut [u8]| layout.write_into(place, |number, place| fills[number].copy_to(place));
    send_by(py, port, sender, layout.len(), patience, &write)
}

/// Sends what `write` writes into a slot of `len` bytes.
fn send_by(
    py: Python<'_>,
    port: &Port,
    sender: &Sender,
    len: usize,
    patience: Patience,
    write: &(impl Fn(&mut [u8]) + Sync),
) -> PyResult<()> {
    let attempt = |wait| -> Result<(), Stop> {
        let mut loan = match wait {
            Wait::No => sender.try_loan(len)?,
            Wait::For(slice) => sender.loan_timeout(len, slice)?,
        };
        write(&mut loan);
        Ok(loan.commit()?)
    };
    let done = if len > LARGE { py.detach(|| attempt(Wait::No)) } else { attempt(Wait::No) };
    match done {
        Err(Stop::NotNow) => port.persist(py, Way::Out, patience, len <= LARGE, attempt),
        done => done.map_err(|stop| stop.raise(py, Way::Out)),
    }
}

#[inline]
fn send_bytes(py: Python<'_>, port: &Port, sender: &Sender, bytes: &[u8], patience: Patience) -> PyResult<()> {
    if bytes.len() > LARGE {
        let fill = Fill::straight(bytes);
        return send_by(py, port, sender, bytes.len(), patience, &|place| fill.copy_to(place));
    }
    match sender.try_send(bytes).map_err(Stop::from) {
        Ok(()) => Ok(()),
        Err(Stop::NotNow) => {
            let again = |wait| match wait {
                Wait::No => Ok(sender.try_send(bytes)?),
                Wait::For(slice) => Ok(sender.send_timeout(bytes, slice)?),
            };
            port.persist(py, Way::Out, patience, true, again)
        }
        Err(stop) => Err(stop.raise(py, Way::Out)),
    }
}

/// Sends bytes as they are.
pub fn send_raw(port: &Port, data: &Bound<'_, PyAny>, patience: Patience) -> PyResult<()> {
    let sender = port.sender()?;
    let export = Export::of(data)?;
    if export.order().is_some() {
        return send_bytes(data.py(), port, &sender, export.bytes(), patience);
    }
    let bytes = data.py().get_type::<pyo3::types::PyBytes>().call1((data,))?;
    send_bytes(data.py(), port, &sender, Export::of(&bytes)?.bytes(), patience)
}

/// Sends the values in order, each as [`put`] does, until the time is up; says how many.
pub fn put_many(port: &Port, values: &Bound<'_, PyAny>, patience: Patience) -> PyResult<usize> {
    let py = values.py();
    let values = py.get_type::<PyList>().call1((values,))?.cast_into::<PyList>()?;
    for (sent, value) in values.iter().enumerate() {
        match put(port, &value, patience) {
            Err(error) if sent > 0 && is_full(py, &error) => return Ok(sent),
            done => done?,
        }
    }
    Ok(values.len())
}

/// The next message.
#[inline]
fn next<'r>(
    py: Python<'_>,
    port: &Port,
    receiver: &'r Receiver,
    patience: Patience,
) -> PyResult<mpmc::Received<'r, [u8]>> {
    match receiver.try_recv().map_err(Stop::from) {
        Ok(message) => Ok(message),
        Err(Stop::NotNow) => {
            let again = |wait| match wait {
                Wait::No => Ok(receiver.try_recv()?),
                Wait::For(slice) => Ok(receiver.recv_timeout(slice)?),
            };
            port.persist(py, Way::In, patience, true, again)
        }
        Err(stop) => Err(stop.raise(py, Way::In)),
    }
}

/// Receives a value: a copy.
#[inline]
pub fn get<'py>(py: Python<'py>, port: &Port, allow_pickle: bool, patience: Patience) -> PyResult<Bound<'py, PyAny>> {
    let receiver = port.receiver()?;
    let message = next(py, port, &receiver, patience)?;
    decode::decode(py, &message, Wish { allow_pickle, held: None })
}

/// Receives up to `max` values: waits for the first only.
pub fn get_many<'py>(
    py: Python<'py>,
    port: &Port,
    allow_pickle: bool,
    max: usize,
    patience: Patience,
) -> PyResult<Bound<'py, PyList>> {
    let receiver = port.receiver()?;
    if max == 0 {
        return Ok(PyList::empty(py));
    }
    let first = next(py, port, &receiver, patience)?;
    gather(py, &receiver, first, allow_pickle, max)
}

/// The value of a message that was received, and what else is there, up to `max` values.
pub fn gather<'py>(
    py: Python<'py>,
    receiver: &Receiver,
    first: mpmc::Received<'_, [u8]>,
    allow_pickle: bool,
    max: usize,
) -> PyResult<Bound<'py, PyList>> {
    let values = PyList::empty(py);
    let mut message = first;
    let mut bytes = 0;
    loop {
        bytes += message.len();
        match decode::decode(py, &message, Wish { allow_pickle, held: None }) {
            Ok(value) => values.append(value)?,
            Err(error) => {
                // What came before is not to be lost with it.
                error.value(py).setattr("received", values)?;
                return Err(error);
            }
        }
        drop(message);
        if values.len() == max {
            break;
        }
        match receiver.try_recv() {
            Ok(next) => message = next,
            // Told to whoever asks next.
            Err(_) => break,
        }
    }
    if bytes >= warm::BATCH {
        warm::teach_allocator();
    }
    Ok(values)
}

/// Receives an array into one that is there; what does not fit is given back.
pub fn get_into(port: &Port, out: &Bound<'_, PyAny>, patience: Patience) -> PyResult<()> {
    if !numpy::is_array(out) {
        return Err(PyTypeError::new_err(format!("out is no array but {}", out.get_type().name()?)));
    }
    let receiver = port.receiver()?;
    let message = next(out.py(), port, &receiver, patience)?;
    match decode::decode_into(&message, out) {
        Ok(()) => Ok(()),
        Err(error) => {
            message.reject();
            Err(error)
        }
    }
}

/// Receives a message in place.
pub fn recv(py: Python<'_>, port: &Port, allow_pickle: bool, patience: Patience) -> PyResult<Message> {
    let receiver = port.receiver()?;
    let held: Held = Arc::new(next(py, port, &receiver, patience)?.into_owned());
    Ok(Message::new(held, allow_pickle))
}

/// Waits until everything that this object sent is acknowledged; says whether it is.
pub fn wait_acked(py: Python<'_>, port: &Port, patience: Patience) -> PyResult<bool> {
    let sender = port.sender()?;
    let attempt = |wait| match wait {
        // It was just tried, and each try costs a system call.
        Wait::No => Err(Stop::NotNow),
        Wait::For(slice) => Ok(sender.wait_acked(Some(slice))?),
    };
    let done = match attempt(Wait::For(Duration::ZERO)) {
        Err(Stop::NotNow) => port.persist(py, Way::Out, patience, false, attempt),
        done => done.map_err(|stop| stop.raise(py, Way::Out)),
    };
    match done {
        Err(error) if is_full(py, &error) => Ok(false),
        done => done.map(|()| true),
    }
}

fn is_full(py: Python<'_>, error: &PyErr) -> bool {
    error.is_instance(py, not_now(py, Way::Out).get_type(py).as_any())
}
