//! Messages as values of Python.
//!
//! The reader gives events in prefix order; a stack of frames here turns them into objects. Items of a container wait on one stack
//! of objects until all are there: so nobody, not even the garbage collector, meets a container that is half filled. Only
//! in messages with references are lists, dicts and sets made when they begin, empty, for others to refer to.

use crate::copy::copy;
use crate::held::{Held, Memory, View};
use crate::numpy::{self, Place};
use crate::port::LARGE;
use crate::warm::{self, Warm};
use pyo3::exceptions::{PyBufferError, PyValueError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::*;
use ringmail::value::DecodeError;
use ringmail::value::wire::{ArrayRef, Class, Event, INLINE, Reader, ViewRef};
use std::ffi::{CStr, CString};
use std::sync::Arc;

/// What a receiver wants.
#[derive(Clone, Copy)]
pub struct Wish<'a> {
    /// Whether pickles are read.
    pub allow_pickle: bool,
    /// The message that arrays are to lie in; copies if `None`.
    pub held: Option<&'a Held>,
}

/// The exception for bytes that are no value.
#[cold]
pub fn malformed(error: DecodeError) -> PyErr {
    let hint = if error.is_foreign() { "; `recv()` gives the bytes of any message" } else { "" };
    PyValueError::new_err(format!("{error}{hint}"))
}

/// Reads a message.
pub fn decode<'py>(py: Python<'py>, message: &[u8], wish: Wish<'_>) -> PyResult<Bound<'py, PyAny>> {
    let mut reader = Reader::new(message).map_err(malformed)?;
    if reader.has_pickles() && !wish.allow_pickle {
        return Err(forbidden());
    }
    let remembers = reader.has_refs();
    let mut build = Build { py, wish, items: Vec::new(), frames: Vec::new(), memo: Vec::new(), remembers };
    loop {
        let Some(event) = reader.event().map_err(malformed)? else {
            return Err(PyValueError::new_err("the message ends within its value"));
        };
        if let Some(whole) = build.take(&reader, event)? {
            return match reader.event().map_err(malformed)? {
                None => Ok(whole),
                Some(_) => Err(PyValueError::new_err("the message goes on after its value")),
            };
        }
    }
}

#[cold]
fn forbidden() -> PyErr {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let text = "the message holds a pickle, which allow_pickle=False forbids";
    Python::attach(|py| match CLASS.import(py, "pickle", "UnpicklingError") {
        Ok(class) => PyErr::from_type(class.clone(), text),
        Err(error) => error,
    })
}

#[derive(Clone, Copy)]
enum Kind<'a> {
    List,
    Tuple,
    Named(Class<'a>),
    Dict,
    Set,
    FrozenSet,
    Pickle,
}

/// A container whose items are coming.
struct Frame<'a> {
    kind: Kind<'a>,
    /// Where its items start on the stack of objects.
    start: usize,
    left: usize,
    number: usize,
}

struct Build<'py, 'a> {
    py: Python<'py>,
    wish: Wish<'a>,
    items: Vec<Bound<'py, PyAny>>,
    frames: Vec<Frame<'a>>,
    /// What has a number, if references may come; `None` for a container that can only be made when it is whole.
    memo: Vec<Option<Bound<'py, PyAny>>>,
    remembers: bool,
}

impl<'py, 'a> Build<'py, 'a> {
    /// Takes an event; returns the whole value when it is complete.
    #[inline]
    fn take(&mut self, reader: &Reader<'a>, event: Event<'a>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = self.py;
        let object = match event {
            Event::Nil => py.None().into_bound(py),
            Event::Bool(value) => PyBool::new(py, value).to_owned().into_any(),
            Event::Int(value) => {
                // SAFETY: attached; a new reference, or null with an error.
                let number = unsafe { ffi::PyLong_FromLongLong(value) };
                // SAFETY: as above.
                unsafe { Bound::from_owned_ptr_or_err(py, number) }?
            }
            Event::Float(value) => PyFloat::new(py, value).into_any(),
            Event::Str(text) => PyString::new(py, text).into_any(),
            Event::Bytes(data) => self.bytes(data)?,
            Event::List { len } => return self.begin(Kind::List, len),
            Event::Tuple { len } => return self.begin(Kind::Tuple, len),
            Event::Dict { len } => return self.begin(Kind::Dict, 2 * len),
            Event::Set { len } => return self.begin(Kind::Set, len),
            Event::FrozenSet { len } => return self.begin(Kind::FrozenSet, len),
            Event::Pickle { buffers } => return self.begin(Kind::Pickle, buffers + 1),
            Event::NamedTuple { class, len } => match reader.class(class) {
                Some(class) => return self.begin(Kind::Named(class), len),
                None => return Err(PyValueError::new_err("a named tuple without its class")),
            },
            Event::Ref(number) => match self.memo.get(number as usize) {
                Some(Some(object)) => object.clone(),
                _ => return Err(PyValueError::new_err("a reference to a tuple from within itself")),
            },
            other => self.rare(other)?,
        };
        if self.remembers && event.is_numbered() {
            self.memo.push(Some(object.clone()));
        }
        self.add(object)
    }

    fn rare(&self, event: Event<'a>) -> PyResult<Bound<'py, PyAny>> {
        let py = self.py;
        match event {
            Event::UInt(value) => Ok(value.into_pyobject(py)?.into_any()),
            Event::BigInt(bytes) => {
                let signed = PyDict::new(py);
                signed.set_item("signed", true)?;
                let from_bytes = py.get_type::<PyInt>().getattr("from_bytes")?;
                from_bytes.call((PyBytes::new(py, bytes), "little"), Some(&signed))
            }
            Event::Complex { re, im } => Ok(PyComplex::from_doubles(py, re, im).into_any()),
            Event::Surrogates(bytes) => {
                let errors = c"surrogatepass".as_ptr();
                // SAFETY: as many bytes; a new reference, or null with an error.
                let text = unsafe { ffi::PyUnicode_DecodeUTF8(bytes.as_ptr().cast(), bytes.len() as isize, errors) };
                // SAFETY: as above.
                unsafe { Bound::from_owned_ptr_or_err(py, text) }
            }
            Event::ByteArray(bytes) => {
                if let Some(part) = self.part(bytes, true)? {
                    return Ok(part);
                }
                bytearray(py, bytes)
            }
            Event::View(view) => self.view(view),
            Event::Array(array) => self.array(array),
            Event::Scalar { dtype, data } => {
                numpy::import(py)?;
                numpy::scalar(py, &numpy::read_dtype(py, dtype)?, data)
            }
            Event::DType(dtype) => {
                numpy::import(py)?;
                numpy::read_dtype(py, dtype)
            }
            _ => Err(PyValueError::new_err("the message is of a later version")),
        }
    }

    /// A part of a pickle that is worth it: where it lies in the message, or copied into warm memory. Whoever unpickles it takes
    /// any buffer, so that it need be no `bytes` or `bytearray`.
    fn part(&self, bytes: &'a [u8], writable: bool) -> PyResult<Option<Bound<'py, PyAny>>> {
        if !self.frames.last().is_some_and(|frame| matches!(frame.kind, Kind::Pickle)) {
            return Ok(None);
        }
        match self.wish.held {
            Some(held) if bytes.len() >= INLINE => Ok(Some(Bound::new(self.py, View::of(held, bytes))?.into_any())),
            None if bytes.len() >= warm::LEAST => {
                let (memory, start) = self.copied(bytes)?;
                let view = Bound::new(self.py, View::flat(memory, start, bytes.len(), writable))?;
                Ok(Some(PyMemoryView::from(&view)?.into_any()))
            }
            _ => Ok(None),
        }
    }

    /// A copy of a part of the message.
    fn copied(&self, data: &[u8]) -> PyResult<(Memory, *mut u8)> {
        let (memory, start) = if data.len() >= warm::LEAST {
            let warm = Warm::take(data.len())?;
            let start = warm.start();
            (Memory::Warm(warm), start)
        } else {
            let mut words = vec![0; data.len().div_ceil(16)].into_boxed_slice();
            let start = words.as_mut_ptr().cast();
            (Memory::Words(words), start)
        };
        // SAFETY: there is room for as many.
        unsafe { copy_out(self.py, data, start) };
        Ok((memory, start))
    }

    fn bytes(&self, bytes: &'a [u8]) -> PyResult<Bound<'py, PyAny>> {
        if let Some(part) = self.part(bytes, false)? {
            return Ok(part);
        }
        if bytes.len() < LARGE {
            return Ok(PyBytes::new(self.py, bytes).into_any());
        }
        // SAFETY: a new reference to bytes of any content, or null with an error.
        let object = unsafe { ffi::PyBytes_FromStringAndSize(std::ptr::null(), bytes.len() as isize) };
        // SAFETY: as above.
        let object = unsafe { Bound::from_owned_ptr_or_err(self.py, object) }?;
        // SAFETY: bytes that nobody else has seen yet.
        let start = unsafe { ffi::PyBytes_AsString(object.as_ptr()) };
        warm::expect(start.cast(), bytes.len());
        // SAFETY: there is room for as many.
        unsafe { copy_out(self.py, bytes, start.cast()) };
        Ok(object)
    }

    fn view(&self, view: ViewRef<'a>) -> PyResult<Bound<'py, PyAny>> {
        let ViewRef { format, item, writable, data, .. } = view;
        let format = CString::new(format)?;
        if !may_have(self.py, &format, item)? {
            let said = format!("the items of a memoryview of format {format:?} do not have {item} bytes");
            return Err(PyValueError::new_err(said));
        }
        let (memory, start, writable) = match self.wish.held {
            Some(held) => (Memory::Held(Arc::clone(held)), data.as_ptr().cast_mut(), false),
            None => {
                let (memory, start) = self.copied(data)?;
                (memory, start, writable)
            }
        };
        let view = View::shaped(memory, start, format, view, writable);
        let view = view.ok_or_else(|| PyValueError::new_err("a memoryview of another size than its shape says"))?;
        let view = Bound::new(self.py, view)?;
        Ok(PyMemoryView::from(&view)?.into_any())
    }

    fn array(&self, array: ArrayRef<'a>) -> PyResult<Bound<'py, PyAny>> {
        let py = self.py;
        let dtype = dtype_of(py, &array)?;
        let ArrayRef { item, shape, order, writable, data, .. } = array;
        if let Some(held) = self.wish.held
            && data.as_ptr().addr().is_multiple_of(64)
        {
            let owner = Bound::new(py, View::of(held, data))?.into_any();
            let place = Place::Of(data.as_ptr().cast_mut(), data.len(), owner);
            // SAFETY: the reader checked that the data is as long; the owner keeps the message.
            return unsafe { numpy::array(py, &dtype, shape, order, false, place) };
        }
        let writable = writable && self.wish.held.is_none();
        if data.len() >= warm::LEAST || item == 0 {
            let warm = Warm::take(data.len())?;
            let start = warm.start();
            // SAFETY: there is room for as many.
            unsafe { copy_out(py, data, start) };
            let place = Place::Of(start, data.len(), Bound::new(py, warm)?.into_any());
            // SAFETY: as long as the data, which the reader checked; the owner keeps it.
            return unsafe { numpy::array(py, &dtype, shape, order, writable, place) };
        }
        // SAFETY: without a place there is nothing to promise.
        let made = unsafe { numpy::array(py, &dtype, shape, order, writable, Place::Own) }?;
        let facts = numpy::Facts::of(&made);
        if facts.len() != data.len() {
            return Err(PyValueError::new_err("an array of another size than its dtype says"));
        }
        // SAFETY: there is room for as many, seen by nobody else yet.
        unsafe { copy_out(py, data, facts.data) };
        Ok(made)
    }

    fn begin(&mut self, kind: Kind<'a>, left: usize) -> PyResult<Option<Bound<'py, PyAny>>> {
        let number = self.memo.len();
        if self.remembers {
            self.memo.push(match kind {
                Kind::List => Some(PyList::empty(self.py).into_any()),
                Kind::Dict => Some(PyDict::new(self.py).into_any()),
                Kind::Set => Some(PySet::empty(self.py)?.into_any()),
                _ => None,
            });
        }
        self.frames.push(Frame { kind, start: self.items.len(), left, number });
        if left == 0 { self.finish() } else { Ok(None) }
    }

    #[inline]
    fn add(&mut self, object: Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let Some(frame) = self.frames.last_mut() else { return Ok(Some(object)) };
        self.items.push(object);
        frame.left -= 1;
        if frame.left == 0 { self.finish() } else { Ok(None) }
    }

    /// Makes the innermost container, and those that it completes.
    fn finish(&mut self) -> PyResult<Option<Bound<'py, PyAny>>> {
        while let Some(frame) = self.frames.pop() {
            let object = self.make(&frame)?;
            let Some(outer) = self.frames.last_mut() else { return Ok(Some(object)) };
            self.items.push(object);
            outer.left -= 1;
            if outer.left > 0 {
                break;
            }
        }
        Ok(None)
    }

    fn make(&mut self, frame: &Frame<'a>) -> PyResult<Bound<'py, PyAny>> {
        let py = self.py;
        let known = if self.remembers { self.memo[frame.number].clone() } else { None };
        let items = self.items.drain(frame.start..);
        let object = match frame.kind {
            Kind::List => match known {
                Some(object) => {
                    let list = object.cast_into::<PyList>()?;
                    for item in items {
                        list.append(item)?;
                    }
                    return Ok(list.into_any());
                }
                None => PyList::new(py, items)?.into_any(),
            },
            Kind::Dict => {
                let dict = known.map_or_else(|| Ok(PyDict::new(py)), Bound::cast_into::<PyDict>)?;
                let mut items = items;
                while let (Some(key), Some(value)) = (items.next(), items.next()) {
                    dict.set_item(key, value)?;
                }
                return Ok(dict.into_any());
            }
            Kind::Set => {
                let set = match known {
                    Some(object) => object.cast_into::<PySet>()?,
                    None => PySet::empty(py)?,
                };
                for item in items {
                    set.add(item)?;
                }
                return Ok(set.into_any());
            }
            Kind::FrozenSet => PyFrozenSet::new(py, items)?.into_any(),
            Kind::Tuple => PyTuple::new(py, items)?.into_any(),
            Kind::Named(class) => {
                let items = PyTuple::new(py, items)?;
                named_class(py, class, self.wish.allow_pickle)?.call_method1("_make", (items,))?
            }
            Kind::Pickle => {
                static LOADS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
                let mut items = items;
                let Some(pickle) = items.next() else { return Err(PyValueError::new_err("a pickle without bytes")) };
                let loads = LOADS
                    .get_or_try_init(py, || PyResult::Ok(py.import("ringmail._pickle")?.getattr("loads")?.unbind()))?;
                loads.bind(py).call1((pickle, PyList::new(py, items)?))?
            }
        };
        if self.remembers {
            self.memo[frame.number] = Some(object.clone());
        }
        Ok(object)
    }
}

/// Whether an item of a buffer of that format may have so many bytes. A `memoryview` reads and writes as many as the format says, without a look
/// at how many there are; of formats that `struct` does not know it reads nothing.
fn may_have(py: Python<'_>, format: &CStr, item: usize) -> PyResult<bool> {
    static UNKNOWN: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    if format == c"B" {
        return Ok(item == 1);
    }
    if !format.to_bytes().is_ascii() {
        // Names of fields, say: `struct` does not get as far as not knowing it.
        return Ok(true);
    }
    // SAFETY: attached; a string of C.
    if let Ok(size) = usize::try_from(unsafe { ffi::PyBuffer_SizeFromFormat(format.as_ptr()) }) {
        return Ok(size == item);
    }
    let error = PyErr::fetch(py);
    // Anything else says nothing of the format: no memory, too deep a recursion, an interrupt.
    if error.is_instance(py, UNKNOWN.import(py, "struct", "error")?) { Ok(true) } else { Err(error) }
}

/// An array's dtype. One that is itself an array would change the shape.
fn dtype_of<'py>(py: Python<'py>, array: &ArrayRef<'_>) -> PyResult<Bound<'py, PyAny>> {
    numpy::import(py)?;
    let dtype = numpy::read_dtype(py, array.dtype)?;
    if matches!(array.dtype, ringmail::value::wire::DTypeRef::Structured(_)) && !dtype.getattr("subdtype")?.is_none() {
        return Err(PyValueError::new_err("the elements of an array are no arrays themselves"));
    }
    Ok(dtype)
}

/// Copies a message that is a single array into one that is there.
pub fn decode_into(message: &[u8], out: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = out.py();
    let mut reader = Reader::new(message).map_err(malformed)?;
    let Some(Event::Array(array)) = reader.event().map_err(malformed)? else {
        return Err(PyValueError::new_err("the message is no array"));
    };
    let dtype = dtype_of(py, &array)?;
    let facts = numpy::Facts::of(out);
    if !facts.writable {
        return Err(PyBufferError::new_err("out is read-only"));
    }
    if !out.getattr("dtype")?.eq(&dtype)? || !array.shape.iter().eq(facts.shape.iter().copied()) {
        let shape = array.shape.to_vec();
        return Err(PyValueError::new_err(format!(
            "the message is an array of shape {shape:?} and dtype {dtype}, out has shape {:?} and dtype {}",
            facts.shape,
            out.getattr("dtype")?
        )));
    }
    if facts.order == Some(array.order) && facts.len() == array.data.len() {
        // SAFETY: same shape, type and order, so there is room for as many.
        unsafe { copy_out(py, array.data, facts.data) };
        return Ok(());
    }
    let none = py.None().into_bound(py);
    let place = Place::Of(array.data.as_ptr().cast_mut(), array.data.len(), none);
    // SAFETY: the array does not outlive this function, and the message does; nobody else gets it.
    let source = unsafe { numpy::array(py, &dtype, array.shape, array.order, false, place) }?;
    numpy::copy_into(out, &source)
}

fn bytearray<'py>(py: Python<'py>, bytes: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    // SAFETY: a new reference to bytes of any content, or null with an error.
    let object = unsafe { ffi::PyByteArray_FromStringAndSize(std::ptr::null(), bytes.len() as isize) };
    // SAFETY: as above.
    let object = unsafe { Bound::from_owned_ptr_or_err(py, object) }?;
    // SAFETY: a bytearray that nobody else has seen yet.
    let start = unsafe { ffi::PyByteArray_AsString(object.as_ptr()) };
    warm::expect(start.cast(), bytes.len());
    // SAFETY: there is room for as many.
    unsafe { copy_out(py, bytes, start.cast()) };
    Ok(object)
}

struct To(*mut u8);

// SAFETY: an address; see where it is used.
unsafe impl Send for To {}

/// Copies; lets the interpreter go where that takes long.
///
/// # Safety
///
/// There is room for as many bytes at `to`, which nobody else reads or writes meanwhile.
unsafe fn copy_out(py: Python<'_>, from: &[u8], to: *mut u8) {
    let to = To(to);
    let work = move || {
        let to = to;
        // SAFETY: by contract.
        unsafe { copy(from.as_ptr(), to.0, from.len()) }
    };
    if from.len() > LARGE { py.detach(work) } else { work() }
}

/// What a module has under a dotted name.
pub fn lookup<'py>(py: Python<'py>, module: &str, name: &str, import: bool) -> PyResult<Bound<'py, PyAny>> {
    let modules = py.import("sys")?.getattr("modules")?;
    let mut found = match modules.get_item(module) {
        Err(_) if import => py.import(module)?.into_any(),
        found => found?,
    };
    for part in name.split('.') {
        found = found.getattr(part)?;
    }
    Ok(found)
}

/// A class of named tuples: the one of that name, or one like it.
///
/// Only a reader who takes pickles imports a module because a message says so.
fn named_class<'py>(py: Python<'py>, class: Class<'_>, import: bool) -> PyResult<Bound<'py, PyAny>> {
    let (module, name) = class.name().rsplit_once(':').unwrap_or(("", class.name()));
    if let Ok(found) = lookup(py, module, name, import)
        && let Ok(found) = found.cast_into::<PyType>()
        && found.is_subclass_of::<PyTuple>()?
        && let Ok(fields) = found.getattr("_fields").and_then(|fields| fields.extract::<Vec<String>>())
        && class.fields().eq(fields.iter().map(String::as_str))
    {
        return Ok(found.into_any());
    }
    like(py, class, name)
}

/// How many classes are kept for named tuples of which this process has none: a message can ask for any.
const KEPT: usize = 256;

/// A class like the one of that name, the same each time, within reason.
fn like<'py>(py: Python<'py>, class: Class<'_>, name: &str) -> PyResult<Bound<'py, PyAny>> {
    static CLASSES: PyOnceLock<Py<PyDict>> = PyOnceLock::new();
    let classes = CLASSES.get_or_init(py, || PyDict::new(py).unbind()).bind(py);
    let fields = PyTuple::new(py, class.fields().collect::<Vec<_>>())?;
    let key = (class.name(), &fields);
    if let Some(known) = classes.get_item(key)? {
        return Ok(known);
    }
    let rename = PyDict::new(py);
    rename.set_item("rename", true)?;
    let last = name.rsplit('.').next().unwrap_or(name);
    let made = py.import("collections")?.call_method("namedtuple", (last, &fields), Some(&rename))?;
    if classes.len() >= KEPT {
        classes.clear();
    }
    classes.set_item(key, &made)?;
    Ok(made)
}
