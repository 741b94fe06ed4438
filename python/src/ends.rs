//! `Sender` and `Receiver`: the two sides of a ring, each as an object of its own.

use crate::errors::Disconnected;
use crate::exchange;
use crate::handle::{Handle, Source};
use crate::lend::{self, Loan};
use crate::patience::Patience;
use crate::poll;
use crate::port::Port;
use crate::ring;
use crate::turn::Turn;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use std::sync::Arc;

#[doc = doc!("Sender")]
#[pyclass(frozen, weakref, extends = Handle, module = "ringmail")]
pub struct Sender {
    port: Arc<Port>,
}

impl Sender {
    /// Of a port.
    pub fn of(py: Python<'_>, port: Port) -> PyResult<Py<Self>> {
        let port = Arc::new(port);
        Py::new(py, Handle::of(Arc::clone(&port)).add_subclass(Self { port }))
    }
}

#[pymethods]
impl Sender {
    /// A sender of the ring behind a descriptor, which is duplicated.
    #[staticmethod]
    fn _of_fd(py: Python<'_>, fd: i32) -> PyResult<Py<Self>> {
        Self::of(py, Port::new(ring::from_fd(fd)?, false))
    }

    #[doc = doc!("Sender.put")]
    #[pyo3(signature = (value, block=true, timeout=None))]
    fn put(&self, value: &Bound<'_, PyAny>, block: bool, timeout: Option<f64>) -> PyResult<()> {
        exchange::put(&self.port, value, Patience::new(block, timeout)?)
    }

    #[doc = doc!("Sender.put_nowait")]
    fn put_nowait(&self, value: &Bound<'_, PyAny>) -> PyResult<()> {
        exchange::put(&self.port, value, Patience::None)
    }

    #[doc = doc!("Sender.aput")]
    #[pyo3(signature = (value, timeout=None))]
    fn aput<'py>(slf: Bound<'py, Self>, value: Bound<'py, PyAny>, timeout: Option<f64>) -> PyResult<Bound<'py, PyAny>> {
        poll::coroutine(slf.py(), "put", (&slf, value, timeout))
    }

    fn _poll_put(&self, value: &Bound<'_, PyAny>, turn: &Turn) -> PyResult<bool> {
        poll::put(&self.port, value, turn)
    }

    #[doc = doc!("Sender.put_many")]
    #[pyo3(signature = (values, block=true, timeout=None))]
    fn put_many(&self, values: &Bound<'_, PyAny>, block: bool, timeout: Option<f64>) -> PyResult<usize> {
        exchange::put_many(&self.port, values, Patience::new(block, timeout)?)
    }

    #[doc = doc!("Sender.send")]
    #[pyo3(signature = (data, block=true, timeout=None))]
    fn send(&self, data: &Bound<'_, PyAny>, block: bool, timeout: Option<f64>) -> PyResult<()> {
        exchange::send_raw(&self.port, data, Patience::new(block, timeout)?)
    }

    #[doc = doc!("Sender.loan")]
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

    #[doc = doc!("Sender.aloan")]
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

    #[doc = doc!("Sender.has_space")]
    fn has_space(&self) -> PyResult<bool> {
        Ok(self.port.sender()?.has_space())
    }

    #[doc = doc!("Sender.wait_for_all_ack")]
    #[pyo3(signature = (timeout=None))]
    fn wait_for_all_ack(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<bool> {
        exchange::wait_acked(py, &self.port, Patience::new(true, timeout)?)
    }

    /// For a process that was given it when it started.
    fn _arrive(&self) -> PyResult<()> {
        self.port.expect_sender()
    }

    /// For a process that was given the other end, too.
    fn _withdraw(&self) {
        self.port.withdraw();
    }

    fn __repr__(&self) -> String {
        self.port.shown("Sender capacity", self.port.ring().capacity())
    }
}

#[doc = doc!("Receiver")]
#[pyclass(frozen, weakref, extends = Source, module = "ringmail")]
pub struct Receiver {
    port: Arc<Port>,
}

impl Receiver {
    /// Of a port.
    pub fn of(py: Python<'_>, port: Port, allow_pickle: bool) -> PyResult<Py<Self>> {
        let port = Arc::new(port);
        Py::new(py, Source::of(Arc::clone(&port), allow_pickle).add_subclass(Self { port }))
    }
}

#[pymethods]
impl Receiver {
    /// A receiver of the ring behind a descriptor, which is duplicated.
    #[staticmethod]
    fn _of_fd(py: Python<'_>, fd: i32, allow_pickle: bool) -> PyResult<Py<Self>> {
        Self::of(py, Port::new(ring::from_fd(fd)?, false), allow_pickle)
    }

    fn __aiter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __anext__<'py>(slf: Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        poll::coroutine(slf.py(), "next_until_end", (&slf,))
    }

    fn __iter__(slf: Bound<'_, Self>) -> PyResult<Bound<'_, Self>> {
        if slf.get().port.is_closed() {
            return Err(PyValueError::new_err("the receiver is closed"));
        }
        Ok(slf)
    }

    fn __next__<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyAny>>> {
        match slf.as_super().get().get(slf.py(), true, None) {
            Ok(value) => Ok(Some(value)),
            Err(end) if end.is_instance_of::<Disconnected>(slf.py()) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// For a process that was given it when it started.
    fn _arrive(&self) -> PyResult<()> {
        self.port.expect_receiver()
    }

    /// For a process that was given the other end, too.
    fn _withdraw(&self) {
        self.port.withdraw();
    }

    fn __repr__(&self) -> String {
        self.port.shown("Receiver capacity", self.port.ring().capacity())
    }
}
