//! Messages in place: what keeps a slot, and what hands out its bytes.
//!
//! Invariant: a message is acknowledged when the last [`Held`] of it goes. Every array and every buffer that points into it keeps
//! one: arrays as their base, buffers as the object that exports them. So nothing can point into a slot that is used again,
//! whatever a user does with `np.ndarray(buffer=..)`, which forgets the export but keeps the object.

use crate::warm::Warm;
use pyo3::exceptions::PyBufferError;
use pyo3::ffi;
use pyo3::prelude::*;
use ringmail::mpmc;
use ringmail::value::wire::{Order, ViewRef};
use std::ffi::CString;
use std::os::raw::{c_int, c_void};
use std::ptr;
use std::sync::Arc;

/// A message that is held; dropping the last of its clones acknowledges it.
pub type Held = Arc<mpmc::OwnedReceived<[u8]>>;

/// What keeps a [`View`]'s bytes where they are.
#[allow(dead_code, reason = "kept, not looked at")]
pub enum Memory {
    Held(Held),
    Warm(Warm),
    Words(Box<[u128]>),
}

#[doc = doc!("View")]
#[pyclass(frozen, module = "ringmail._native")]
pub struct View {
    start: *mut u8,
    len: usize,
    format: CString,
    item: usize,
    shape: Box<[isize]>,
    strides: Box<[isize]>,
    writable: bool,
    _memory: Memory,
}

// SAFETY: the bytes stay while `_memory` does; who writes them is Python's business, as with any buffer.
unsafe impl Send for View {}
// SAFETY: as above.
unsafe impl Sync for View {}

impl View {
    /// Plain bytes of a message, read-only.
    pub fn of(held: &Held, bytes: &[u8]) -> Self {
        Self::flat(Memory::Held(Arc::clone(held)), bytes.as_ptr().cast_mut(), bytes.len(), false)
    }

    /// Plain bytes in memory that has a copy of them or is theirs.
    pub fn flat(memory: Memory, start: *mut u8, len: usize, writable: bool) -> Self {
        let (shape, strides) = (Box::new([len as isize]), Box::new([1]));
        Self { start, len, format: c"B".to_owned(), item: 1, shape, strides, writable, _memory: memory }
    }

    /// The items that a message describes, in memory that has a copy of them or is theirs. `None` if they do not have as many bytes as there are:
    /// their shape may lie in memory that somebody else writes to, also after it was checked.
    pub fn shaped(memory: Memory, start: *mut u8, format: CString, items: ViewRef<'_>, writable: bool) -> Option<Self> {
        let ViewRef { item, shape, order, data, .. } = items;
        let len = data.len();
        let shape: Box<[isize]> = shape.iter().map(|dim| dim as isize).collect();
        if shape.iter().any(|&dim| dim < 0) {
            return None;
        }
        let described = if shape.contains(&0) {
            Some(0)
        } else {
            shape.iter().try_fold(item, |bytes, &dim| bytes.checked_mul(usize::try_from(dim).ok()?))
        };
        if described != Some(len) {
            return None;
        }
        let mut strides = vec![0; shape.len()].into_boxed_slice();
        let mut step = item as isize;
        for place in 0..shape.len() {
            let place = if order == Order::C { shape.len() - 1 - place } else { place };
            strides[place] = step;
            step = step.saturating_mul(shape[place].max(1));
        }
        Some(Self { start, len, format, item, shape, strides, writable, _memory: memory })
    }
}

#[pymethods]
impl View {
    // SAFETY: `view` is what the buffer protocol hands over.
    unsafe fn __getbuffer__(slf: Bound<'_, Self>, view: *mut ffi::Py_buffer, flags: c_int) -> PyResult<()> {
        let this = slf.get();
        let is_asked = |flag: c_int| flags & flag == flag;
        if is_asked(ffi::PyBUF_WRITABLE) && !this.writable {
            return Err(PyBufferError::new_err("a message in place is read-only"));
        }
        let dims = this.shape.len();
        let follows = |order: usize| {
            // In C order the last stride is the item, in Fortran's the first.
            let place = if order == 0 { dims.checked_sub(1) } else { Some(0) };
            dims <= 1 || place.is_some_and(|place| this.strides[place] == this.item as isize)
        };
        let wants_c = is_asked(ffi::PyBUF_C_CONTIGUOUS) || !is_asked(ffi::PyBUF_STRIDES);
        if (wants_c && !follows(0)) || (is_asked(ffi::PyBUF_F_CONTIGUOUS) && !follows(1)) {
            return Err(PyBufferError::new_err("the items lie in the other order"));
        }
        let filled = ffi::Py_buffer {
            buf: this.start.cast::<c_void>(),
            obj: ptr::null_mut(),
            len: this.len as isize,
            itemsize: this.item as isize,
            readonly: c_int::from(!this.writable),
            ndim: if is_asked(ffi::PyBUF_ND) { dims as c_int } else { 1 },
            format: if is_asked(ffi::PyBUF_FORMAT) { this.format.as_ptr().cast_mut() } else { ptr::null_mut() },
            shape: if is_asked(ffi::PyBUF_ND) { this.shape.as_ptr().cast_mut() } else { ptr::null_mut() },
            strides: if is_asked(ffi::PyBUF_STRIDES) { this.strides.as_ptr().cast_mut() } else { ptr::null_mut() },
            suboffsets: ptr::null_mut(),
            internal: ptr::null_mut(),
        };
        // SAFETY: the consumer's, to be filled.
        unsafe { view.write(filled) };
        // SAFETY: filled just now; the tables and the bytes live as long as this object, which the view now keeps.
        unsafe { (*view).obj = slf.into_any().into_ptr() };
        Ok(())
    }
}
