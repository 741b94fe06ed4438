//! A message in place, as a user holds it.

use crate::decode::{self, Wish};
use crate::held::{Held, View};
use crate::numpy::{self, Kind};
use pyo3::exceptions::{PyBufferError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyMemoryView;
use std::sync::{Arc, Mutex, PoisonError};

#[doc = doc!("Message")]
#[pyclass(frozen, module = "ringmail")]
pub struct Message {
    held: Mutex<Option<Held>>,
    allow_pickle: bool,
}

impl Message {
    /// A message that was just received.
    pub fn new(held: Held, allow_pickle: bool) -> Self {
        Self { held: Mutex::new(Some(held)), allow_pickle }
    }

    fn held(&self) -> PyResult<Held> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.clone().ok_or_else(|| PyValueError::new_err("the message was released"))
    }

    fn let_go(&self) -> Option<Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

#[pymethods]
impl Message {
    #[doc = doc!("Message.value")]
    fn value<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let held = self.held()?;
        decode::decode(py, &held, Wish { allow_pickle: self.allow_pickle, held: Some(&held) })
    }

    #[doc = doc!("Message.array")]
    fn array<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let value = self.value(py)?;
        if numpy::kind(&value) == Some(Kind::Array) {
            return Ok(value);
        }
        let class = value.get_type().name()?;
        Err(PyTypeError::new_err(format!("the message is no array but {class}: see value()")))
    }

    #[doc = doc!("Message.raw")]
    fn raw<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyMemoryView>> {
        let held = self.held()?;
        PyMemoryView::from(Bound::new(py, View::of(&held, &held))?.as_any())
    }

    #[doc = doc!("Message.nbytes")]
    #[getter]
    fn nbytes(&self) -> PyResult<usize> {
        Ok(self.held()?.len())
    }

    #[doc = doc!("Message.redelivered")]
    #[getter]
    fn redelivered(&self) -> PyResult<u32> {
        Ok(self.held()?.redelivered())
    }

    #[doc = doc!("Message.released")]
    #[getter]
    fn released(&self) -> bool {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }

    #[doc = doc!("Message.release")]
    fn release(&self) {
        drop(self.let_go());
    }

    #[doc = doc!("Message.reject")]
    fn reject(&self) -> PyResult<()> {
        let Some(held) = self.let_go() else { return Err(PyValueError::new_err("the message was released")) };
        match Arc::try_unwrap(held) {
            Ok(message) => {
                message.reject();
                Ok(())
            }
            Err(held) => {
                *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Some(held);
                Err(PyBufferError::new_err("somebody still looks at the message: delete its views first"))
            }
        }
    }

    fn __enter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __exit__(&self, _class: &Bound<'_, PyAny>, _error: &Bound<'_, PyAny>, _trace: &Bound<'_, PyAny>) {
        self.release();
    }

    fn __repr__(&self) -> String {
        match self.held() {
            Ok(held) => format!("<ringmail.Message of {} bytes>", held.len()),
            Err(_) => "<ringmail.Message, released>".to_owned(),
        }
    }
}
