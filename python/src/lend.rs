//! A slot that is filled in place: an array in the ring, sent when its `with` block ends in order.

use crate::errors::{Stop, Way};
use crate::numpy::{self, Facts, Place};
use crate::patience::Patience;
use crate::poll;
use crate::port::{self, LARGE, Port, Sender, Wait};
use crate::turn::Turn;
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use ringmail::mpmc;
use ringmail::value::wire::{ArrayHeader, Encoder, Event, Layout, Order, Reader};
use std::sync::{Arc, Mutex, PoisonError};

/// A claimed slot, and the sender that it borrows.
struct Lent {
    /// Goes before the sender does.
    loan: mpmc::Loan<'static, [u8]>,
    sender: Arc<Sender>,
}

/// Keeps the ring's memory under an array that was lent, also after it was sent. Not the sender: that may have to leave before.
#[pyclass(frozen, module = "ringmail._native")]
struct Ground {
    _ring: port::Ring,
}

#[doc = doc!("Loan")]
#[pyclass(frozen, module = "ringmail")]
pub struct Loan {
    lent: Mutex<Option<Lent>>,
    array: Py<PyAny>,
}

/// Claims a slot for an array.
pub fn lend(port: &Port, shape: &Bound<'_, PyAny>, dtype: &Bound<'_, PyAny>, patience: Patience) -> PyResult<Loan> {
    let py = shape.py();
    let mut frame = Frame::of(shape, dtype)?;
    let sender = port.sender()?;
    let lender = lender(&sender);
    let len = frame.len()?;
    let first = py.detach(|| lender.try_loan(len)).map_err(Stop::from);
    let loan = match first {
        Ok(loan) => loan,
        Err(Stop::NotNow) => {
            let again = |wait| match wait {
                Wait::No => Ok(lender.try_loan(len)?),
                Wait::For(slice) => Ok(lender.loan_timeout(len, slice)?),
            };
            port.persist(py, Way::Out, patience, len <= LARGE, again)?
        }
        Err(stop) => return Err(stop.raise(py, Way::Out)),
    };
    frame.hang(port, sender, loan)
}

/// Claims a slot for an array, if one is free now; or has the call woken when one may be.
pub fn poll_lend(
    port: &Port,
    shape: &Bound<'_, PyAny>,
    dtype: &Bound<'_, PyAny>,
    turn: &Turn,
) -> PyResult<Option<Loan>> {
    let mut frame = Frame::of(shape, dtype)?;
    let sender = turn.sender(port)?;
    let lender = lender(&sender);
    let len = frame.len()?;
    let polled = turn.poll(|context, waiting| lender.poll_loan(len, context, waiting));
    let loan = poll::done(shape.py(), port, Way::Out, turn, polled)?;
    loan.map(|loan| frame.hang(port, sender, loan)).transpose()
}

/// A sender as its loans borrow it: for as long as the [`Arc`] beside them in [`Lent`] is there.
fn lender(sender: &Arc<Sender>) -> &'static Sender {
    // SAFETY: what borrows it goes before the `Arc` that is kept with it; an `Arc` does not move what it has.
    unsafe { &*Arc::as_ptr(sender) }
}

/// An array that has no slot yet.
struct Frame<'py> {
    dtype: Bound<'py, PyAny>,
    encoder: Encoder,
}

impl<'py> Frame<'py> {
    fn of(shape: &Bound<'py, PyAny>, dtype: &Bound<'py, PyAny>) -> PyResult<Self> {
        let py = shape.py();
        numpy::import(py)?;
        let mut shape: Vec<usize> = match shape.extract::<usize>() {
            Ok(len) => vec![len],
            Err(_) => shape.extract()?,
        };
        let mut dtype = py.import("numpy")?.getattr("dtype")?.call1((dtype,))?;
        // As NumPy does it: elements that are arrays are more dimensions, and so are theirs.
        loop {
            let subdtype = dtype.getattr("subdtype")?;
            if subdtype.is_none() {
                break;
            }
            let (base, more): (Bound<'_, PyAny>, Vec<usize>) = subdtype.extract()?;
            shape.extend(more);
            dtype = base;
        }
        let written = numpy::write_dtype(py, dtype.as_ptr().cast())?;
        let refused = || PyValueError::new_err(format!("no array of dtype {dtype} can lie in shared memory"));
        let written = written.ok_or_else(refused)?;
        let mut encoder = Encoder::new();
        let header = ArrayHeader { dtype: written.as_ref(), shape: &shape, order: Order::C, writable: true };
        encoder.put_array(&header);
        Ok(Self { dtype, encoder })
    }

    fn layout(&mut self) -> PyResult<Layout<'_>> {
        self.encoder.layout().map_err(|error| PyValueError::new_err(error.to_string()))
    }

    /// Bytes of the message that it is.
    fn len(&mut self) -> PyResult<usize> {
        Ok(self.layout()?.len())
    }

    /// Puts it into a slot of that sender.
    fn hang(mut self, port: &Port, sender: Arc<Sender>, mut loan: mpmc::Loan<'static, [u8]>) -> PyResult<Loan> {
        let py = self.dtype.py();
        let layout = self.layout()?;
        layout.write_structure(&mut loan);
        let room = &mut loan[layout.payload(0)];
        let (start, len) = (room.as_mut_ptr(), room.len());
        // The dimensions as the reader has them.
        let mut reader = Reader::new(&loan).map_err(crate::decode::malformed)?;
        let Some(Event::Array(described)) = reader.event().map_err(crate::decode::malformed)? else {
            return Err(PyRuntimeError::new_err("an array that is none"));
        };
        let ground = Bound::new(py, Ground { _ring: port.ring().clone() })?.into_any();
        let place = Place::Of(start, len, ground);
        // SAFETY: the layout made room for as many bytes; the mapping lives as long as the sender.
        let array = unsafe { numpy::array(py, &self.dtype, described.shape, Order::C, true, place) }?;
        Ok(Loan { lent: Mutex::new(Some(Lent { loan, sender })), array: array.unbind() })
    }
}

impl Loan {
    fn end(&self, py: Python<'_>) -> Option<Lent> {
        let lent = self.lent.lock().unwrap_or_else(PoisonError::into_inner).take();
        if lent.is_some() {
            // The name of the `with` block outlives it; the slot is somebody else's now.
            numpy::forbid_writing(self.array.bind(py));
        }
        lent
    }
}

#[pymethods]
impl Loan {
    #[doc = doc!("Loan.array")]
    #[getter]
    fn array<'py>(&self, py: Python<'py>) -> Bound<'py, PyAny> {
        self.array.bind(py).clone()
    }

    #[doc = doc!("Loan.commit")]
    fn commit(&self, py: Python<'_>) -> PyResult<()> {
        let Some(Lent { loan, sender }) = self.end(py) else {
            return Err(PyValueError::new_err("the loan is over"));
        };
        let done = loan.commit().map_err(Stop::from);
        drop(sender);
        done.map_err(|stop| stop.raise(py, Way::Out))
    }

    #[doc = doc!("Loan.abort")]
    fn abort(&self, py: Python<'_>) {
        drop(self.end(py));
    }

    fn __enter__<'py>(&self, py: Python<'py>) -> Bound<'py, PyAny> {
        self.array(py)
    }

    fn __exit__(&self, class: &Bound<'_, PyAny>, _error: &Bound<'_, PyAny>, _trace: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = class.py();
        if !class.is_none() {
            self.abort(py);
            return Ok(());
        }
        let is_over = self.lent.lock().unwrap_or_else(PoisonError::into_inner).is_none();
        if is_over { Ok(()) } else { self.commit(py) }
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let facts = self.array.bind(py);
        format!("<ringmail.Loan of shape {:?}>", Facts::of(facts).shape)
    }
}
