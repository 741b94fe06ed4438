//! The queue: both sides of a supervised ring in one object, with the verbs of `multiprocessing.Queue`.

use crate::errors;
use crate::exchange;
use crate::lend::{self, Loan};
use crate::message::Message;
use crate::patience::Patience;
use crate::poll;
use crate::port::{self, Port};
use crate::ring::{self, Ring, Wishes};
use crate::turn::Turn;
use pyo3::exceptions::{PyAssertionError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyType};
use std::os::fd::AsRawFd;

/// Slots of a queue without a `maxsize`: 4 MiB of memory.
const UNBOUNDED: usize = 4096;

/// What `ringmail.Queue` is made of.
#[pyclass(frozen, subclass, module = "ringmail._native")]
pub struct QueueCore {
    port: Port,
    maxsize: usize,
    allow_pickle: bool,
}

impl QueueCore {
    fn open_port(&self) -> PyResult<&Port> {
        if self.port.is_closed() { Err(PyValueError::new_err("the queue is closed")) } else { Ok(&self.port) }
    }
}

#[pymethods]
impl QueueCore {
    #[new]
    #[pyo3(signature = (maxsize, max_message_bytes, participants, retain_bytes, allow_pickle, fd=None))]
    fn new(
        maxsize: isize,
        max_message_bytes: Option<usize>,
        participants: u32,
        retain_bytes: Option<usize>,
        allow_pickle: bool,
        fd: Option<i32>,
    ) -> PyResult<Self> {
        let maxsize = usize::try_from(maxsize).unwrap_or(0);
        let capacity = if maxsize == 0 { UNBOUNDED } else { maxsize };
        let ring = match fd {
            Some(fd) => ring::from_fd(fd)?,
            None => {
                let wishes = Wishes {
                    capacity,
                    max_message_bytes: ring::room(max_message_bytes, capacity),
                    participants,
                    redelivery: None,
                    keep_open: true,
                    retain_bytes,
                    spin: None,
                    mode: None,
                    prefault: false,
                };
                port::Ring::anonymous(&wishes.options()?).map_err(errors::open)?
            }
        };
        Ok(Self { port: Port::new(ring, true), maxsize, allow_pickle })
    }

    #[classmethod]
    fn __class_getitem__<'py>(cls: &Bound<'py, PyType>, item: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        cls.py().import("types")?.getattr("GenericAlias")?.call1((cls, item))
    }

    #[pyo3(signature = (obj, block=true, timeout=None))]
    fn put(&self, obj: &Bound<'_, PyAny>, block: bool, timeout: Option<f64>) -> PyResult<()> {
        exchange::put(&self.port, obj, Patience::new(block, timeout)?)
    }

    fn put_nowait(&self, obj: &Bound<'_, PyAny>) -> PyResult<()> {
        exchange::put(&self.port, obj, Patience::None)
    }

    #[pyo3(signature = (obj, timeout=None))]
    fn aput<'py>(slf: Bound<'py, Self>, obj: Bound<'py, PyAny>, timeout: Option<f64>) -> PyResult<Bound<'py, PyAny>> {
        poll::coroutine(slf.py(), "put", (&slf, obj, timeout))
    }

    fn _poll_put(&self, obj: &Bound<'_, PyAny>, turn: &Turn) -> PyResult<bool> {
        poll::put(&self.port, obj, turn)
    }

    #[pyo3(signature = (objs, block=true, timeout=None))]
    fn put_many(&self, objs: &Bound<'_, PyAny>, block: bool, timeout: Option<f64>) -> PyResult<usize> {
        exchange::put_many(&self.port, objs, Patience::new(block, timeout)?)
    }

    #[pyo3(signature = (shape, dtype, block=true, timeout=None))]
    fn loan(
        &self,
        shape: &Bound<'_, PyAny>,
        dtype: &Bound<'_, PyAny>,
        block: bool,
        timeout: Option<f64>,
    ) -> PyResult<Loan> {
        lend::lend(&self.port, shape, dtype, Patience::new(block, timeout)?)
    }

    #[pyo3(signature = (block=true, timeout=None))]
    fn get<'py>(&self, py: Python<'py>, block: bool, timeout: Option<f64>) -> PyResult<Bound<'py, PyAny>> {
        exchange::get(py, &self.port, self.allow_pickle, Patience::new(block, timeout)?)
    }

    fn get_nowait<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        exchange::get(py, &self.port, self.allow_pickle, Patience::None)
    }

    #[pyo3(signature = (max, block=true, timeout=None))]
    fn get_many<'py>(
        &self,
        py: Python<'py>,
        max: usize,
        block: bool,
        timeout: Option<f64>,
    ) -> PyResult<Bound<'py, PyList>> {
        exchange::get_many(py, &self.port, self.allow_pickle, max, Patience::new(block, timeout)?)
    }

    #[pyo3(signature = (out, block=true, timeout=None))]
    fn get_into<'py>(&self, out: Bound<'py, PyAny>, block: bool, timeout: Option<f64>) -> PyResult<Bound<'py, PyAny>> {
        exchange::get_into(&self.port, &out, Patience::new(block, timeout)?)?;
        Ok(out)
    }

    #[pyo3(signature = (block=true, timeout=None))]
    fn recv(&self, py: Python<'_>, block: bool, timeout: Option<f64>) -> PyResult<Message> {
        exchange::recv(py, &self.port, self.allow_pickle, Patience::new(block, timeout)?)
    }

    #[pyo3(signature = (timeout=None))]
    fn aget<'py>(slf: Bound<'py, Self>, timeout: Option<f64>) -> PyResult<Bound<'py, PyAny>> {
        poll::coroutine(slf.py(), "get", (&slf, timeout))
    }

    #[pyo3(signature = (timeout=None))]
    fn arecv<'py>(slf: Bound<'py, Self>, timeout: Option<f64>) -> PyResult<Bound<'py, PyAny>> {
        poll::coroutine(slf.py(), "recv", (&slf, timeout))
    }

    /// The turn itself while there is no value.
    fn _poll_get<'py>(&self, turn: &Bound<'py, Turn>) -> PyResult<Bound<'py, PyAny>> {
        let value = poll::get(turn.py(), &self.port, self.allow_pickle, turn.get())?;
        Ok(value.unwrap_or_else(|| turn.as_any().clone()))
    }

    fn _poll_recv(&self, turn: &Bound<'_, Turn>) -> PyResult<Option<Message>> {
        poll::recv(turn.py(), &self.port, self.allow_pickle, turn.get())
    }

    fn __aiter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __anext__<'py>(slf: Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        poll::coroutine(slf.py(), "get", (&slf,))
    }

    fn qsize(&self) -> PyResult<usize> {
        Ok(self.open_port()?.backlog())
    }

    fn empty(&self) -> PyResult<bool> {
        Ok(self.open_port()?.backlog() == 0)
    }

    fn full(&self) -> PyResult<bool> {
        let port = self.open_port()?;
        Ok(port.backlog() >= port.ring().capacity())
    }

    fn close(&self, py: Python<'_>) {
        py.detach(|| self.port.close());
    }

    /// For a process that is about to end by an error.
    fn _abandon(&self) {
        self.port.abandon();
    }

    fn join_thread(&self) -> PyResult<()> {
        if self.port.is_closed() { Ok(()) } else { Err(PyAssertionError::new_err("the queue is not closed")) }
    }

    fn cancel_join_thread(&self) {}

    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        ring::stats(py, &self.port.ring().stats())
    }

    #[getter]
    fn closed(&self) -> bool {
        self.port.is_closed()
    }

    #[getter]
    fn maxsize(&self) -> usize {
        self.maxsize
    }

    #[getter]
    fn allow_pickle(&self) -> bool {
        self.allow_pickle
    }

    #[getter]
    fn capacity(&self) -> usize {
        self.port.ring().capacity()
    }

    #[getter]
    fn max_message_bytes(&self) -> usize {
        self.port.ring().max_len()
    }

    #[getter]
    fn ring(&self) -> Ring {
        self.port.ring().clone().into()
    }

    fn fileno(&self) -> i32 {
        self.port.ring().as_fd().as_raw_fd()
    }

    fn __repr__(&self) -> String {
        format!("<ringmail.Queue maxsize={}{}>", self.maxsize, if self.closed() { " closed" } else { "" })
    }
}
