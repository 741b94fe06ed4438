//! The queue: both sides of a supervised ring in one object, with the verbs of `multiprocessing.Queue`.

use crate::errors;
use crate::exchange;
use crate::handle::Source;
use crate::lend::{self, Loan};
use crate::patience::Patience;
use crate::poll;
use crate::port::{self, Port};
use crate::ring::{self, Wishes};
use crate::turn::Turn;
use pyo3::exceptions::{PyAssertionError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyType};
use std::sync::Arc;

/// Slots of a queue without a `maxsize`: 4.5 MiB of memory.
const UNBOUNDED: usize = 4096;

#[doc = doc!("QueueCore")]
#[pyclass(frozen, subclass, extends = Source, module = "ringmail._native")]
pub struct QueueCore {
    port: Arc<Port>,
    maxsize: usize,
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
    ) -> PyResult<PyClassInitializer<Self>> {
        let maxsize = usize::try_from(maxsize).unwrap_or(0);
        let capacity = if maxsize == 0 { UNBOUNDED } else { maxsize };
        let ring = match fd {
            Some(fd) => ring::from_fd(fd)?,
            None => {
                let wishes =
                    Wishes { max_message_bytes, participants, retain_bytes, keep_open: true, ..Wishes::of(capacity) };
                port::Ring::anonymous(&wishes.options()?).map_err(errors::open)?
            }
        };
        let port = Arc::new(Port::new(ring, true));
        Ok(Source::of(Arc::clone(&port), allow_pickle).add_subclass(Self { port, maxsize }))
    }

    #[classmethod]
    fn __class_getitem__<'py>(cls: &Bound<'py, PyType>, item: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        cls.py().import("types")?.getattr("GenericAlias")?.call1((cls, item))
    }

    #[doc = doc!("QueueCore.put")]
    #[pyo3(signature = (obj, block=true, timeout=None))]
    fn put(&self, obj: &Bound<'_, PyAny>, block: bool, timeout: Option<f64>) -> PyResult<()> {
        exchange::put(&self.port, obj, Patience::new(block, timeout)?)
    }

    #[doc = doc!("QueueCore.put_nowait")]
    fn put_nowait(&self, obj: &Bound<'_, PyAny>) -> PyResult<()> {
        exchange::put(&self.port, obj, Patience::None)
    }

    #[doc = doc!("QueueCore.aput")]
    #[pyo3(signature = (obj, timeout=None))]
    fn aput<'py>(slf: Bound<'py, Self>, obj: Bound<'py, PyAny>, timeout: Option<f64>) -> PyResult<Bound<'py, PyAny>> {
        poll::coroutine(slf.py(), "put", (&slf, obj, timeout))
    }

    fn _poll_put(&self, obj: &Bound<'_, PyAny>, turn: &Turn) -> PyResult<bool> {
        poll::put(&self.port, obj, turn)
    }

    #[doc = doc!("QueueCore.put_many")]
    #[pyo3(signature = (objs, block=true, timeout=None))]
    fn put_many(&self, objs: &Bound<'_, PyAny>, block: bool, timeout: Option<f64>) -> PyResult<usize> {
        exchange::put_many(&self.port, objs, Patience::new(block, timeout)?)
    }

    #[doc = doc!("QueueCore.loan")]
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

    #[doc = doc!("QueueCore.aloan")]
    #[pyo3(signature = (shape, dtype, timeout=None))]
    fn aloan<'py>(
        slf: Bound<'py, Self>,
        shape: Bound<'py, PyAny>,
        dtype: Bound<'py, PyAny>,
        timeout: Option<f64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        poll::coroutine(slf.py(), "loan", (&slf, shape, dtype, timeout))
    }

    fn _poll_loan(&self, shape: &Bound<'_, PyAny>, dtype: &Bound<'_, PyAny>, turn: &Turn) -> PyResult<Option<Loan>> {
        lend::poll_lend(&self.port, shape, dtype, turn)
    }

    fn __aiter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __anext__<'py>(slf: Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        poll::coroutine(slf.py(), "get", (&slf,))
    }

    #[doc = doc!("QueueCore.qsize")]
    fn qsize(&self) -> PyResult<usize> {
        Ok(self.open_port()?.backlog())
    }

    #[doc = doc!("QueueCore.empty")]
    fn empty(&self) -> PyResult<bool> {
        Ok(self.open_port()?.backlog() == 0)
    }

    #[doc = doc!("QueueCore.full")]
    fn full(&self) -> PyResult<bool> {
        let port = self.open_port()?;
        Ok(port.backlog() >= port.ring().capacity())
    }

    /// For a process that was given it when it started.
    fn _arrive(&self) -> PyResult<()> {
        self.port.expect_sender()?;
        self.port.expect_receiver()
    }

    /// For a process that was given one end of its ring, too.
    fn _withdraw(&self) {
        self.port.withdraw();
    }

    /// For a process that is about to end by an error.
    fn _abandon(&self) {
        self.port.abandon();
    }

    #[doc = doc!("QueueCore.join_thread")]
    fn join_thread(&self) -> PyResult<()> {
        if self.port.is_closed() { Ok(()) } else { Err(PyAssertionError::new_err("the queue is not closed")) }
    }

    #[doc = doc!("QueueCore.cancel_join_thread")]
    fn cancel_join_thread(&self) {}

    #[doc = doc!("QueueCore.stats")]
    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        ring::stats(py, &self.port.ring().stats())
    }

    #[doc = doc!("QueueCore.maxsize")]
    #[getter]
    fn maxsize(&self) -> usize {
        self.maxsize
    }

    fn __repr__(&self) -> String {
        self.port.shown("Queue maxsize", self.maxsize)
    }
}
