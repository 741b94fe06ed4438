//! What queues, senders and receivers have in common: the ring behind them, and for those that receive how values come out of it.

use crate::exchange;
use crate::message::Message;
use crate::patience::Patience;
use crate::poll;
use crate::port::Port;
use crate::ring::Ring;
use crate::turn::Turn;
use pyo3::prelude::*;
use pyo3::types::PyList;
use std::os::fd::AsRawFd;
use std::sync::Arc;

#[doc = doc!("Handle")]
#[pyclass(frozen, subclass, module = "ringmail._native")]
pub struct Handle {
    port: Arc<Port>,
}

impl Handle {
    /// Of a port.
    pub fn of(port: Arc<Port>) -> PyClassInitializer<Self> {
        Self { port }.into()
    }
}

#[pymethods]
impl Handle {
    #[doc = doc!("Handle.close")]
    fn close(&self, py: Python<'_>) {
        self.port.close(py);
    }

    #[doc = doc!("Handle.closed")]
    #[getter]
    fn closed(&self) -> bool {
        self.port.is_closed()
    }

    #[doc = doc!("Handle.ring")]
    #[getter]
    fn ring(&self) -> Ring {
        self.port.ring().clone().into()
    }

    #[doc = doc!("Handle.capacity")]
    #[getter]
    fn capacity(&self) -> usize {
        self.port.ring().capacity()
    }

    #[doc = doc!("Handle.max_message_bytes")]
    #[getter]
    fn max_message_bytes(&self) -> usize {
        self.port.ring().max_len()
    }

    #[doc = doc!("Handle.qsize")]
    fn qsize(&self) -> usize {
        self.port.backlog()
    }

    #[doc = doc!("Handle.fileno")]
    fn fileno(&self) -> i32 {
        self.port.ring().as_fd().as_raw_fd()
    }

    fn __enter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __exit__(&self, class: &Bound<'_, PyAny>, _error: &Bound<'_, PyAny>, _trace: &Bound<'_, PyAny>) {
        self.close(class.py());
    }
}

#[doc = doc!("Source")]
#[pyclass(frozen, subclass, extends = Handle, module = "ringmail._native")]
pub struct Source {
    port: Arc<Port>,
    allow_pickle: bool,
}

impl Source {
    /// Of a port.
    pub fn of(port: Arc<Port>, allow_pickle: bool) -> PyClassInitializer<Self> {
        Handle::of(Arc::clone(&port)).add_subclass(Self { port, allow_pickle })
    }
}

#[pymethods]
impl Source {
    #[doc = doc!("Source.get")]
    #[pyo3(signature = (block=true, timeout=None))]
    pub fn get<'py>(&self, py: Python<'py>, block: bool, timeout: Option<f64>) -> PyResult<Bound<'py, PyAny>> {
        exchange::get(py, &self.port, self.allow_pickle, Patience::new(block, timeout)?)
    }

    #[doc = doc!("Source.get_nowait")]
    fn get_nowait<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        exchange::get(py, &self.port, self.allow_pickle, Patience::None)
    }

    #[doc = doc!("Source.get_many")]
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

    #[doc = doc!("Source.get_into")]
    #[pyo3(signature = (out, block=true, timeout=None))]
    fn get_into<'py>(&self, out: Bound<'py, PyAny>, block: bool, timeout: Option<f64>) -> PyResult<Bound<'py, PyAny>> {
        exchange::get_into(&self.port, &out, Patience::new(block, timeout)?)?;
        Ok(out)
    }

    #[doc = doc!("Source.recv")]
    #[pyo3(signature = (block=true, timeout=None))]
    fn recv(&self, py: Python<'_>, block: bool, timeout: Option<f64>) -> PyResult<Message> {
        exchange::recv(py, &self.port, self.allow_pickle, Patience::new(block, timeout)?)
    }

    #[doc = doc!("Source.allow_pickle")]
    #[getter]
    fn allow_pickle(&self) -> bool {
        self.allow_pickle
    }

    #[doc = doc!("Source.aget")]
    #[pyo3(signature = (timeout=None))]
    fn aget<'py>(slf: Bound<'py, Self>, timeout: Option<f64>) -> PyResult<Bound<'py, PyAny>> {
        poll::coroutine(slf.py(), "get", (&slf, timeout))
    }

    #[doc = doc!("Source.aget_many")]
    #[pyo3(signature = (max, timeout=None))]
    fn aget_many<'py>(slf: Bound<'py, Self>, max: usize, timeout: Option<f64>) -> PyResult<Bound<'py, PyAny>> {
        poll::coroutine(slf.py(), "get_many", (&slf, max, timeout))
    }

    #[doc = doc!("Source.arecv")]
    #[pyo3(signature = (timeout=None))]
    fn arecv<'py>(slf: Bound<'py, Self>, timeout: Option<f64>) -> PyResult<Bound<'py, PyAny>> {
        poll::coroutine(slf.py(), "recv", (&slf, timeout))
    }

    /// The turn itself while there is no value.
    fn _poll_get<'py>(&self, turn: &Bound<'py, Turn>) -> PyResult<Bound<'py, PyAny>> {
        let value = poll::get(turn.py(), &self.port, self.allow_pickle, turn.get())?;
        Ok(value.unwrap_or_else(|| turn.as_any().clone()))
    }

    fn _poll_get_many<'py>(&self, max: usize, turn: &Bound<'py, Turn>) -> PyResult<Option<Bound<'py, PyList>>> {
        poll::get_many(turn.py(), &self.port, self.allow_pickle, max, turn.get())
    }

    fn _poll_recv(&self, turn: &Bound<'_, Turn>) -> PyResult<Option<Message>> {
        poll::recv(turn.py(), &self.port, self.allow_pickle, turn.get())
    }
}
