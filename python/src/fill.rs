//! What is copied into a payload: memory of another object, straight or element by element.

use crate::copy::copy;
use pyo3::exceptions::PyValueError;
use pyo3::ffi;
use pyo3::prelude::*;
use ringmail::value::wire::Order;
use std::ffi::CStr;
use std::mem::MaybeUninit;

/// The source of a payload.
///
/// It does not keep what it points to: see [`Parcel`](crate::encode::Parcel). Somebody else may write there while it is copied, as
/// anywhere in Python where the interpreter is let go; then the message has some of both.
pub enum Fill {
    /// Bytes that follow each other.
    Straight { start: *const u8, len: usize },
    /// Elements at any distances, in C order.
    Strided { start: *const u8, shape: Vec<usize>, strides: Vec<isize>, item: usize },
}

// SAFETY: addresses only; whoever copies has made sure that they stay.
unsafe impl Send for Fill {}
// SAFETY: as above.
unsafe impl Sync for Fill {}

impl Fill {
    /// These bytes.
    pub fn straight(bytes: &[u8]) -> Self {
        Self::Straight { start: bytes.as_ptr(), len: bytes.len() }
    }

    /// Bytes somewhere.
    ///
    /// # Safety
    ///
    /// There are as many.
    pub unsafe fn raw(start: *const u8, len: usize) -> Self {
        Self::Straight { start, len }
    }

    /// Elements somewhere; unit dimensions are left out, and inner ones that follow each other become one.
    pub fn strided(start: *const u8, shape: &[usize], strides: &[isize], item: usize) -> Self {
        let (mut dims, mut steps, mut item) = (Vec::new(), Vec::new(), item);
        let mut inner = true;
        for (&dim, &step) in shape.iter().zip(strides).rev().filter(|(dim, _)| **dim != 1) {
            if inner && step == item as isize {
                item *= dim;
                continue;
            }
            inner = false;
            dims.insert(0, dim);
            steps.insert(0, step);
        }
        Self::Strided { start, shape: dims, strides: steps, item }
    }

    /// Copies it.
    pub fn copy_to(&self, place: &mut [u8]) {
        match self {
            Self::Straight { start, len } => {
                assert_eq!(*len, place.len());
                // SAFETY: kept by the parcel, and as long; the place is in a ring's memory, or a fresh object's.
                unsafe { copy(*start, place.as_mut_ptr(), *len) };
            }
            Self::Strided { start, shape, strides, item } => {
                let needed = shape.iter().product::<usize>() * item;
                assert_eq!(needed, place.len());
                if needed > 0 {
                    gather(*start, shape, strides, *item, place.as_mut_ptr());
                }
            }
        }
    }
}

/// Copies the elements of the dimensions in `shape`, none of which is 0; returns where the next goes.
fn gather(start: *const u8, shape: &[usize], strides: &[isize], item: usize, mut to: *mut u8) -> *mut u8 {
    let ([dim, inner @ ..], [step, steps @ ..]) = (shape, strides) else {
        // SAFETY: an element of the source; the place has room for all.
        unsafe { std::ptr::copy_nonoverlapping(start, to, item) };
        return to.wrapping_add(item);
    };
    let mut from = start;
    if inner.is_empty() {
        macro_rules! elements {
            ($number:ty) => {
                for _ in 0..*dim {
                    // SAFETY: as for any element.
                    let value = unsafe { from.cast::<$number>().read_unaligned() };
                    // SAFETY: as for any element.
                    unsafe { to.cast::<$number>().write_unaligned(value) };
                    (from, to) = (from.wrapping_offset(*step), to.wrapping_add(item));
                }
            };
        }
        match item {
            1 => elements!(u8),
            2 => elements!(u16),
            4 => elements!(u32),
            8 => elements!(u64),
            _ => {
                for _ in 0..*dim {
                    // SAFETY: as for any element.
                    unsafe { std::ptr::copy_nonoverlapping(from, to, item) };
                    (from, to) = (from.wrapping_offset(*step), to.wrapping_add(item));
                }
            }
        }
        return to;
    }
    for _ in 0..*dim {
        to = gather(from, inner, steps, item, to);
        from = from.wrapping_offset(*step);
    }
    to
}

/// An object's memory by the buffer protocol, held in place.
pub struct Export {
    view: Box<ffi::Py_buffer>,
}

impl Export {
    /// Of any object that has it.
    pub fn of(object: &Bound<'_, PyAny>) -> PyResult<Self> {
        let mut view = Box::new(MaybeUninit::<ffi::Py_buffer>::zeroed());
        // SAFETY: attached; the view is filled, or left alone with an error.
        if unsafe { ffi::PyObject_GetBuffer(object.as_ptr(), view.as_mut_ptr(), ffi::PyBUF_FULL_RO) } != 0 {
            return Err(PyErr::fetch(object.py()));
        }
        // SAFETY: filled just now.
        let export = Self { view: unsafe { Box::from_raw(Box::into_raw(view).cast()) } };
        if !export.view.suboffsets.is_null() && export.suboffsets().iter().any(|&offset| offset >= 0) {
            return Err(PyValueError::new_err("a buffer of pointers to buffers cannot be sent"));
        }
        Ok(export)
    }

    fn dims<T>(&self, start: *const T) -> &[T] {
        let dims = self.view.ndim as usize;
        if dims == 0 || start.is_null() {
            return &[];
        }
        // SAFETY: the exporter has as many entries in each of its tables.
        unsafe { std::slice::from_raw_parts(start, dims) }
    }

    fn suboffsets(&self) -> &[isize] {
        self.dims(self.view.suboffsets)
    }

    /// How many items, by dimension.
    pub fn shape(&self) -> &[usize] {
        self.dims(self.view.shape.cast_const().cast())
    }

    /// Bytes from one item to the next, by dimension.
    pub fn strides(&self) -> &[isize] {
        self.dims(self.view.strides)
    }

    /// Bytes of an item.
    pub fn item(&self) -> usize {
        self.view.itemsize as usize
    }

    /// Where the first item is.
    pub fn start(&self) -> *const u8 {
        self.view.buf.cast_const().cast()
    }

    /// Whether nobody may write there.
    pub fn is_readonly(&self) -> bool {
        self.view.readonly != 0
    }

    /// The format of an item.
    pub fn format(&self) -> PyResult<&str> {
        if self.view.format.is_null() {
            return Ok("B");
        }
        // SAFETY: the exporter's, a string of C, kept with the view.
        let format = unsafe { CStr::from_ptr(self.view.format) };
        format.to_str().map_err(|_| PyValueError::new_err("the format of a buffer is no text"))
    }

    /// How the items follow each other, if they do.
    pub fn order(&self) -> Option<Order> {
        let is = |order: u8| {
            // SAFETY: a view that was filled.
            unsafe { ffi::PyBuffer_IsContiguous(&*self.view, order as _) != 0 }
        };
        if is(b'C') { Some(Order::C) } else { is(b'F').then_some(Order::Fortran) }
    }

    /// All bytes, of items that follow each other.
    pub fn bytes(&self) -> &[u8] {
        if self.view.len == 0 {
            return &[];
        }
        // SAFETY: as many bytes, kept by the view; whoever writes them meanwhile has it that way anywhere in Python.
        unsafe { std::slice::from_raw_parts(self.start(), self.view.len as usize) }
    }
}

impl Drop for Export {
    fn drop(&mut self) {
        // SAFETY: filled by `of` and released once; parcels are dropped by threads that are attached.
        unsafe { ffi::PyBuffer_Release(&mut *self.view) };
    }
}
