//! `Sender` and `Receiver`: the two sides of a ring, each as an object of its own.

use crate::errors::Disconnected;
use crate::exchange;
use crate::lend::{self, Loan};
use crate::message::Message;
use crate::patience::Patience;
use crate::poll;
use crate::port::Port;
use crate::ring::{self, Ring};
use crate::turn::Turn;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyList;
use std::os::fd::AsRawFd;

/// The sending side.
#[pyclass(frozen, module = "ringmail")]
pub struct Sender {
    port: Port,
}

impl Sender {
    /// Of a port.
    pub fn new(port: Port) -> Self {
        Self { port }
    }
}

#[pymethods]
impl Sender {
    /// A sender of the ring behind a descriptor, which is duplicated.
    #[staticmethod]
    fn _of_fd(fd: i32) -> PyResult<Self> {
        Ok(Self::new(Port::new(ring::from_fd(fd)?, false)))
    }

    #[pyo3(signature = (value, block=true, timeout=None))]
    fn put(&self, value: &Bound<'_, PyAny>, block: bool, timeout: Option<f64>) -> PyResult<()> {
        exchange::put(&self.port, value, Patience::new(block, timeout)?)
    }

    fn put_nowait(&self, value: &Bound<'_, PyAny>) -> PyResult<()> {
        exchange::put(&self.port, value, Patience::None)
    }

    #[pyo3(signature = (value, timeout=None))]
    fn aput<'py>(slf: Bound<'py, Self>, value: Bound<'py, PyAny>, timeout: Option<f64>) -> PyResult<Bound<'py, PyAny>> {
        poll::coroutine(slf.py(), "put", (&slf, value, timeout))
    }

    fn _poll_put(&self, value: &Bound<'_, PyAny>, turn: &Turn) -> PyResult<bool> {
        poll::put(&self.port, value, turn)
    }

    #[pyo3(signature = (values, block=true, timeout=None))]
    fn put_many(&self, values: &Bound<'_, PyAny>, block: bool, timeout: Option<f64>) -> PyResult<usize> {
        exchange::put_many(&self.port, values, Patience::new(block, timeout)?)
    }

    #[pyo3(signature = (data, block=true, timeout=None))]
    fn send(&self, data: &Bound<'_, PyAny>, block: bool, timeout: Option<f64>) -> PyResult<()> {
        exchange::send_raw(&self.port, data, Patience::new(block, timeout)?)
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

    fn has_space(&self) -> PyResult<bool> {
        Ok(self.port.sender()?.has_space())
    }

    #[pyo3(signature = (timeout=None))]
    fn wait_for_all_ack(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<bool> {
        exchange::wait_acked(py, &self.port, Patience::new(true, timeout)?)
    }

    fn close(&self, py: Python<'_>) {
        py.detach(|| self.port.close());
    }

    #[getter]
    fn closed(&self) -> bool {
        self.port.is_closed()
    }

    #[getter]
    fn ring(&self) -> Ring {
        self.port.ring().clone().into()
    }

    #[getter]
    fn capacity(&self) -> usize {
        self.port.ring().capacity()
    }

    #[getter]
    fn max_message_bytes(&self) -> usize {
        self.port.ring().max_len()
    }

    fn qsize(&self) -> usize {
        self.port.backlog()
    }

    fn fileno(&self) -> i32 {
        self.port.ring().as_fd().as_raw_fd()
    }

    fn __enter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __exit__(&self, class: &Bound<'_, PyAny>, _error: &Bound<'_, PyAny>, _trace: &Bound<'_, PyAny>) {
        self.close(class.py());
    }

    fn __repr__(&self) -> String {
        format!("<ringmail.Sender capacity={}{}>", self.capacity(), if self.closed() { " closed" } else { "" })
    }
}

/// The receiving side.
#[pyclass(frozen, module = "ringmail")]
pub struct Receiver {
    port: Port,
    allow_pickle: bool,
}

impl Receiver {
    /// Of a port.
    pub fn new(port: Port, allow_pickle: bool) -> Self {
        Self { port, allow_pickle }
    }
}

#[pymethods]
impl Receiver {
    /// A receiver of the ring behind a descriptor, which is duplicated.
    #[staticmethod]
    fn _of_fd(fd: i32, allow_pickle: bool) -> PyResult<Self> {
        Ok(Self::new(Port::new(ring::from_fd(fd)?, false), allow_pickle))
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

    fn close(&self, py: Python<'_>) {
        py.detach(|| self.port.close());
    }

    #[getter]
    fn closed(&self) -> bool {
        self.port.is_closed()
    }

    #[getter]
    fn allow_pickle(&self) -> bool {
        self.allow_pickle
    }

    #[getter]
    fn ring(&self) -> Ring {
        self.port.ring().clone().into()
    }

    #[getter]
    fn capacity(&self) -> usize {
        self.port.ring().capacity()
    }

    #[getter]
    fn max_message_bytes(&self) -> usize {
        self.port.ring().max_len()
    }

    fn qsize(&self) -> usize {
        self.port.backlog()
    }

    fn fileno(&self) -> i32 {
        self.port.ring().as_fd().as_raw_fd()
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
        poll::coroutine(slf.py(), "next_until_end", (&slf,))
    }

    fn __iter__(slf: Bound<'_, Self>) -> PyResult<Bound<'_, Self>> {
        if slf.get().closed() {
            return Err(PyValueError::new_err("the receiver is closed"));
        }
        Ok(slf)
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        match exchange::get(py, &self.port, self.allow_pickle, Patience::Forever) {
            Ok(value) => Ok(Some(value)),
            Err(end) if end.is_instance_of::<Disconnected>(py) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn __enter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __exit__(&self, class: &Bound<'_, PyAny>, _error: &Bound<'_, PyAny>, _trace: &Bound<'_, PyAny>) {
        self.close(class.py());
    }

    fn __repr__(&self) -> String {
        format!("<ringmail.Receiver capacity={}{}>", self.capacity(), if self.closed() { " closed" } else { "" })
    }
}
