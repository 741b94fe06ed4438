//! Values of Python as the tokens of a message.
//!
//! The walk keeps its own stack, so depth is bounded by memory alone. Payloads stay where they are until the message has its place
//! in the ring: [`Parcel`] keeps what they belong to, and copies each once.
//!
//! # Shared references
//!
//! A container, an array, or long text or bytes that are met again are a reference to the first time. What cannot be built from its
//! parts is pickled as a whole, which knows how:
//!
//! - a tuple that holds itself;
//! - a value of which a part that only pickle knows reaches something that is met outside of that part, too. What a part reaches
//!   is what its pickler remembered; what has no identity to lose, such as classes, does not count.
//!
//! A part is pickled alone, and what it reaches is kept, so that no address comes to be another's. So whatever two parts share, or a part
//! and the containers around and beside it, the second of them finds there. A value with more than [`PARTS`] such parts is pickled
//! as a whole too, because that is quicker.

use crate::fill::{Export, Fill};
use crate::numpy::{self, Facts, Kind, Written};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::*;
use ringmail::value::wire::{ArrayHeader, Encoder, INLINE, Layout, Named, Order, ViewHeader};
use smallvec::SmallVec;
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

/// A value that is ready to be written into a slot.
pub struct Parcel<'py> {
    /// Always there, until it is dropped.
    encoder: Option<Encoder>,
    fills: Vec<Fill>,
    /// Whatever the fills belong to.
    _keep: Vec<Keep<'py>>,
}

/// What keeps a payload where it is.
#[expect(dead_code, reason = "kept, not looked at")]
enum Keep<'py> {
    Object(Bound<'py, PyAny>),
    Export(Export),
}

/// How many parts that only pickle knows are pickled one by one: each costs a pickler, a hundred times what an object in one costs.
const PARTS: usize = 16;

/// How much memory for structure a thread keeps.
const KEPT: usize = 1 << 20;

thread_local! {
    /// The encoder that was used last.
    static SPARE: RefCell<Option<Encoder>> = const { RefCell::new(None) };
}

impl<'py> Parcel<'py> {
    /// Packs a value.
    pub fn pack(value: &Bound<'py, PyAny>) -> PyResult<Self> {
        let mut encoder = SPARE.with(|spare| spare.borrow_mut().take()).unwrap_or_default();
        encoder.clear();
        let mut walk = Walk::new(value.py(), encoder);
        match walk.whole(value) {
            Ok(()) => Ok(Self { encoder: Some(walk.encoder), fills: walk.fills, _keep: walk.keep }),
            Err(error) => {
                restore(walk.encoder);
                Err(error)
            }
        }
    }

    /// Where everything lies in the message, and what to copy there.
    pub fn layout(&mut self) -> PyResult<(Layout<'_>, &[Fill])> {
        let Some(encoder) = &mut self.encoder else { return Err(PyRuntimeError::new_err("sent already")) };
        let layout = encoder.layout().map_err(|error| PyValueError::new_err(error.to_string()))?;
        Ok((layout, &self.fills))
    }
}

impl Drop for Parcel<'_> {
    fn drop(&mut self) {
        self.encoder.take().into_iter().for_each(restore);
    }
}

fn restore(mut encoder: Encoder) {
    if encoder.structure_len() > KEPT {
        encoder.shrink_to(KEPT);
    }
    // At the end of a thread there is nothing to keep it in.
    let _ = SPARE.try_with(|spare| spare.replace(Some(encoder)));
}

/// A container whose items are being written.
enum Frame<'py> {
    /// The next place.
    List(Bound<'py, PyList>, usize, usize),
    Tuple(Bound<'py, PyTuple>, usize),
    /// The dict, where its walk is, how many entries it had and how many came.
    Dict(Bound<'py, PyDict>, ffi::Py_ssize_t, usize, usize, Option<Bound<'py, PyAny>>),
    Items(std::vec::IntoIter<Bound<'py, PyAny>>),
}

/// What was met.
struct Met {
    number: u32,
    /// A tuple whose items are not all written.
    open: bool,
}

struct Walk<'py> {
    py: Python<'py>,
    encoder: Encoder,
    fills: Vec<Fill>,
    keep: Vec<Keep<'py>>,
    stack: Vec<Frame<'py>>,
    /// Kept, so that an address is nobody else's meanwhile.
    met: SmallVec<[(Bound<'py, PyAny>, Met); 8]>,
    /// Where in `met` an address is, once it is long.
    index: HashMap<usize, usize>,
    /// The classes of named tuples that came, by address.
    named: Vec<(usize, u32)>,
    /// Where what was reached by pickles lies, and their picklers' memories, which keep it there.
    reached: HashSet<usize>,
    memories: Vec<Bound<'py, PyDict>>,
    /// Whether this cannot be built from its parts.
    knotted: bool,
}

impl<'py> Walk<'py> {
    fn new(py: Python<'py>, encoder: Encoder) -> Self {
        Self {
            py,
            encoder,
            fills: Vec::new(),
            keep: Vec::new(),
            stack: Vec::new(),
            met: SmallVec::new(),
            index: HashMap::new(),
            named: Vec::new(),
            reached: HashSet::new(),
            memories: Vec::new(),
            knotted: false,
        }
    }

    fn whole(&mut self, value: &Bound<'py, PyAny>) -> PyResult<()> {
        let start = self.encoder.mark();
        self.one(value)?;
        while !self.knotted
            && let Some(next) = self.next()?
        {
            self.one(&next)?;
        }
        if self.knotted {
            self.encoder.rewind(start);
            self.fills.clear();
            self.keep.clear();
            self.stack.clear();
            self.met.clear();
            self.index.clear();
            self.reached.clear();
            self.memories.clear();
            self.pickle(value)?;
        }
        Ok(())
    }

    /// The next item of the innermost container that has one.
    fn next(&mut self) -> PyResult<Option<Bound<'py, PyAny>>> {
        loop {
            let Some(frame) = self.stack.last_mut() else { return Ok(None) };
            match frame {
                Frame::List(list, place, len) => {
                    if place < len {
                        let item = list.get_item(*place).map_err(|_| changed("list"))?;
                        *place += 1;
                        return Ok(Some(item));
                    }
                    if list.len() != *len {
                        return Err(changed("list"));
                    }
                }
                Frame::Tuple(tuple, place) => {
                    if *place < tuple.len() {
                        let item = tuple.get_item(*place)?;
                        *place += 1;
                        return Ok(Some(item));
                    }
                    let address = tuple.as_ptr() as usize;
                    self.close(address);
                }
                Frame::Dict(dict, walk, len, came, value) => {
                    if let Some(value) = value.take() {
                        return Ok(Some(value));
                    }
                    if let Some((key, entry)) = next_entry(dict, walk) {
                        *came += 1;
                        if *came > *len {
                            return Err(changed("dict"));
                        }
                        *value = Some(entry);
                        return Ok(Some(key));
                    }
                    if came != len {
                        return Err(changed("dict"));
                    }
                }
                Frame::Items(items) => {
                    if let Some(item) = items.next() {
                        return Ok(Some(item));
                    }
                }
            }
            self.stack.pop();
        }
    }

    /// Writes a value, or begins a container.
    #[inline]
    fn one(&mut self, value: &Bound<'py, PyAny>) -> PyResult<()> {
        let class = value.get_type_ptr();
        if value.is_none() {
            self.encoder.put_nil();
        } else if class == &raw mut ffi::PyUnicode_Type {
            return self.text(value);
        } else if class == &raw mut ffi::PyLong_Type {
            return self.int(value);
        } else if class == &raw mut ffi::PyFloat_Type {
            // SAFETY: an exact float, attached.
            self.encoder.put_f64(unsafe { ffi::PyFloat_AsDouble(value.as_ptr()) });
        } else if class == &raw mut ffi::PyBytes_Type {
            return self.bytes(value);
        } else if class == &raw mut ffi::PyBool_Type {
            self.encoder.put_bool(value.is(PyBool::new(self.py, true)));
        } else if class == &raw mut ffi::PyDict_Type {
            // SAFETY: its class says so.
            return self.dict(unsafe { value.cast_unchecked() });
        } else if class == &raw mut ffi::PyList_Type {
            // SAFETY: its class says so.
            return self.list(unsafe { value.cast_unchecked() });
        } else if class == &raw mut ffi::PyTuple_Type {
            // SAFETY: its class says so.
            return self.tuple(unsafe { value.cast_unchecked() });
        } else {
            return self.other(value);
        }
        Ok(())
    }

    fn other(&mut self, value: &Bound<'py, PyAny>) -> PyResult<()> {
        match numpy::kind(value) {
            Some(Kind::Array) => return self.array(value),
            Some(Kind::Scalar) => return self.scalar(value),
            Some(Kind::DType) => {
                return match numpy::write_dtype(self.py, value.as_ptr().cast())? {
                    Some(written) => {
                        self.encoder.put_dtype(written.as_ref());
                        Ok(())
                    }
                    None => self.pickle(value),
                };
            }
            None => {}
        }
        if let Ok(set) = value.cast_exact::<PySet>() {
            if !self.again(value)? {
                let items: Vec<_> = set.iter().collect();
                let number = self.encoder.begin_set(items.len());
                self.meet(value, number, false);
                self.stack.push(Frame::Items(items.into_iter()));
            }
        } else if let Ok(set) = value.cast_exact::<PyFrozenSet>() {
            if !self.again(value)? {
                let items: Vec<_> = set.iter().collect();
                let number = self.encoder.begin_frozenset(items.len());
                self.meet(value, number, false);
                self.stack.push(Frame::Items(items.into_iter()));
            }
        } else if let Ok(complex) = value.cast_exact::<PyComplex>() {
            self.encoder.put_complex(complex.real(), complex.imag());
        } else if value.is_exact_instance_of::<PyByteArray>() {
            return self.bytearray(value);
        } else if value.is_exact_instance_of::<PyMemoryView>() {
            return self.view(value);
        } else if let Ok(tuple) = value.cast::<PyTuple>()
            && let Some(class) = named_tuple(tuple)?
        {
            return self.named_tuple(tuple, &class);
        } else {
            return self.pickle(value);
        }
        Ok(())
    }

    fn text(&mut self, value: &Bound<'py, PyAny>) -> PyResult<()> {
        // SAFETY: an exact str.
        let text = unsafe { value.cast_unchecked::<PyString>() };
        if let Ok(text) = text.to_str() {
            if text.len() < INLINE {
                self.encoder.put_str(text);
            } else if !self.again(value)? {
                let placed = self.encoder.put_str_payload(text.len());
                self.meet(value, placed.number, false);
                self.fills.push(Fill::straight(text.as_bytes()));
                self.keep.push(Keep::Object(value.clone()));
            }
            return Ok(());
        }
        // With lone surrogates.
        let bytes = value.call_method1("encode", ("utf-8", "surrogatepass"))?;
        let bytes = bytes.cast::<PyBytes>()?;
        if bytes.as_bytes().len() < INLINE {
            self.encoder.put_surrogates(bytes.as_bytes());
        } else {
            self.encoder.put_surrogates_payload(bytes.as_bytes().len());
            self.fills.push(Fill::straight(bytes.as_bytes()));
            self.keep.push(Keep::Object(bytes.clone().into_any()));
        }
        Ok(())
    }

    #[inline]
    fn int(&mut self, value: &Bound<'py, PyAny>) -> PyResult<()> {
        let mut overflow = 0;
        // SAFETY: an exact int, which cannot fail but by overflow.
        let number = unsafe { ffi::PyLong_AsLongLongAndOverflow(value.as_ptr(), &mut overflow) };
        if overflow == 0 {
            self.encoder.put_i64(number);
            return Ok(());
        }
        let bits: usize = value.call_method0("bit_length")?.extract()?;
        let bytes = int_to_bytes(value, bits / 8 + 1)?;
        self.encoder.put_big_int(bytes.as_bytes());
        Ok(())
    }

    #[inline]
    fn bytes(&mut self, value: &Bound<'py, PyAny>) -> PyResult<()> {
        // SAFETY: exact bytes.
        let bytes = unsafe { value.cast_unchecked::<PyBytes>() }.as_bytes();
        if bytes.len() < INLINE {
            self.encoder.put_bytes(bytes);
        } else if !self.again(value)? {
            let placed = self.encoder.put_bytes_payload(bytes.len());
            self.meet(value, placed.number, false);
            self.fills.push(Fill::straight(bytes));
            self.keep.push(Keep::Object(value.clone()));
        }
        Ok(())
    }

    fn bytearray(&mut self, value: &Bound<'py, PyAny>) -> PyResult<()> {
        if self.again(value)? {
            return Ok(());
        }
        let export = Export::of(value)?;
        let bytes = export.bytes();
        let number = if bytes.len() < INLINE {
            self.encoder.put_bytearray(bytes)
        } else {
            let placed = self.encoder.put_bytearray_payload(bytes.len());
            self.fills.push(Fill::straight(bytes));
            self.keep.push(Keep::Export(export));
            placed.number
        };
        self.meet(value, number, false);
        Ok(())
    }

    fn view(&mut self, value: &Bound<'py, PyAny>) -> PyResult<()> {
        if self.again(value)? {
            return Ok(());
        }
        let export = Export::of(value)?;
        let order = export.order();
        let header = ViewHeader {
            format: export.format()?,
            item: export.item(),
            shape: export.shape(),
            order: order.unwrap_or(Order::C),
            writable: !export.is_readonly(),
        };
        let placed = self.encoder.put_view(&header);
        self.meet(value, placed.number, false);
        self.fills.push(match order {
            Some(_) => Fill::straight(export.bytes()),
            None => Fill::strided(export.start(), export.shape(), export.strides(), export.item()),
        });
        self.keep.push(Keep::Export(export));
        Ok(())
    }

    fn array(&mut self, value: &Bound<'py, PyAny>) -> PyResult<()> {
        if self.again(value)? {
            return Ok(());
        }
        let facts = Facts::of(value);
        let Some(written) = numpy::write_dtype(self.py, facts.dtype)? else { return self.pickle(value) };
        let header = ArrayHeader {
            dtype: written.as_ref(),
            shape: facts.shape,
            order: facts.order.unwrap_or(Order::C),
            writable: facts.writable,
        };
        let placed = self.encoder.put_array(&header);
        self.meet(value, placed.number, false);
        self.fills.push(match facts.order {
            // SAFETY: the array is kept, and as long as it says.
            Some(_) => unsafe { Fill::raw(facts.data, facts.len()) },
            None => Fill::strided(facts.data, facts.shape, facts.strides, facts.item),
        });
        self.keep.push(Keep::Object(value.clone()));
        Ok(())
    }

    fn scalar(&mut self, value: &Bound<'py, PyAny>) -> PyResult<()> {
        let array = numpy::of_scalar(value)?;
        let facts = Facts::of(&array);
        match numpy::write_dtype(self.py, facts.dtype)? {
            Some(written) if !matches!(written, Written::Structured(_)) || facts.item > 0 => {
                // SAFETY: one element of the array, which lives until the end of this function.
                let data = unsafe { std::slice::from_raw_parts(facts.data, facts.item) };
                self.encoder.put_scalar(written.as_ref(), data);
                Ok(())
            }
            _ => self.pickle(value),
        }
    }

    fn list(&mut self, list: &Bound<'py, PyList>) -> PyResult<()> {
        if !self.again(list)? {
            let number = self.encoder.begin_list(list.len());
            self.meet(list, number, false);
            self.stack.push(Frame::List(list.clone(), 0, list.len()));
        }
        Ok(())
    }

    fn tuple(&mut self, tuple: &Bound<'py, PyTuple>) -> PyResult<()> {
        if !self.again(tuple)? {
            let number = self.encoder.begin_tuple(tuple.len());
            self.meet(tuple, number, true);
            self.stack.push(Frame::Tuple(tuple.clone(), 0));
        }
        Ok(())
    }

    fn named_tuple(&mut self, tuple: &Bound<'py, PyTuple>, class: &ClassName) -> PyResult<()> {
        if self.again(tuple)? {
            return Ok(());
        }
        let address = tuple.get_type_ptr() as usize;
        let known = self.named.iter().find(|(known, _)| *known == address);
        let number = match known {
            Some((_, class)) => self.encoder.begin_named_tuple(*class).number,
            None => {
                let Named { number, class } = self.encoder.begin_new_named_tuple(&class.name, &class.fields);
                self.named.push((address, class));
                number
            }
        };
        self.meet(tuple, number, true);
        self.stack.push(Frame::Tuple(tuple.clone(), 0));
        Ok(())
    }

    fn dict(&mut self, dict: &Bound<'py, PyDict>) -> PyResult<()> {
        if !self.again(dict)? {
            let number = self.encoder.begin_dict(dict.len());
            self.meet(dict, number, false);
            self.stack.push(Frame::Dict(dict.clone(), 0, dict.len(), 0, None));
        }
        Ok(())
    }

    /// Everything else.
    fn pickle(&mut self, value: &Bound<'py, PyAny>) -> PyResult<()> {
        if self.again(value)? {
            return Ok(());
        }
        static DUMPS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let dumps = DUMPS.get_or_try_init(self.py, || {
            PyResult::Ok(self.py.import("ringmail._pickle")?.getattr("dumps")?.unbind())
        })?;
        // Alone, it shares with nothing.
        let is_part = !self.stack.is_empty();
        let parts = dumps.bind(self.py).call1((value, is_part))?;
        type Parts<'py> = (Bound<'py, PyBytes>, Vec<Bound<'py, PyAny>>, Option<Bound<'py, PyDict>>);
        let (pickle, buffers, memory): Parts<'py> = parts.extract()?;
        if let Some(memory) = memory {
            self.reach(memory)?;
            if self.knotted {
                return Ok(());
            }
        }
        let number = self.encoder.begin_pickle(buffers.len());
        self.bytes_part(pickle.as_any())?;
        for buffer in buffers {
            let export = Export::of(&buffer)?;
            let bytes = export.bytes();
            if export.is_readonly() {
                self.encoder.put_bytes_payload(bytes.len());
            } else {
                self.encoder.put_bytearray_payload(bytes.len());
            }
            self.fills.push(Fill::straight(bytes));
            self.keep.push(Keep::Export(export));
        }
        self.meet(value, number, false);
        Ok(())
    }

    /// Notes what the pickler of a part remembers; knotted if some of it was met before.
    fn reach(&mut self, memory: Bound<'py, PyDict>) -> PyResult<()> {
        if self.memories.len() >= PARTS {
            self.knotted = true;
            return Ok(());
        }
        for remembered in memory.values() {
            let object = remembered.cast::<PyTuple>()?.get_item(1)?;
            let address = object.as_ptr() as usize;
            if (self.find(address).is_some() || !self.reached.insert(address)) && has_identity(&object) {
                self.knotted = true;
                return Ok(());
            }
        }
        self.memories.push(memory);
        Ok(())
    }

    /// Bytes that are never a reference.
    fn bytes_part(&mut self, value: &Bound<'py, PyAny>) -> PyResult<()> {
        let bytes = value.cast::<PyBytes>()?.as_bytes();
        if bytes.len() < INLINE {
            self.encoder.put_bytes(bytes);
        } else {
            self.encoder.put_bytes_payload(bytes.len());
            self.fills.push(Fill::straight(bytes));
            self.keep.push(Keep::Object(value.clone()));
        }
        Ok(())
    }

    /// Whether this very object was met before; then a reference is written.
    #[inline]
    fn again<T>(&mut self, value: &Bound<'py, T>) -> PyResult<bool> {
        if self.met.is_empty() {
            return Ok(false);
        }
        let address = value.as_ptr() as usize;
        let Some(met) = self.find(address) else {
            self.knotted = self.reached.contains(&address);
            return Ok(self.knotted);
        };
        if met.open {
            self.knotted = true;
        } else {
            let number = met.number;
            self.encoder.put_ref(number);
        }
        Ok(true)
    }

    fn find(&mut self, address: usize) -> Option<&mut Met> {
        let place = if self.index.is_empty() {
            self.met.iter().position(|(known, _)| known.as_ptr() as usize == address)
        } else {
            self.index.get(&address).copied()
        };
        place.map(|place| &mut self.met[place].1)
    }

    /// Remembers an object that may be met again.
    #[inline]
    fn meet<T>(&mut self, value: &Bound<'py, T>, number: u32, open: bool) {
        let address = value.as_ptr() as usize;
        if self.met.len() >= self.met.inline_size() {
            if self.index.is_empty() {
                let known = self.met.iter().enumerate();
                self.index.extend(known.map(|(place, (known, _))| (known.as_ptr() as usize, place)));
            }
            self.index.insert(address, self.met.len());
        }
        self.met.push((value.as_any().clone(), Met { number, open }));
    }

    fn close(&mut self, address: usize) {
        if let Some(met) = self.find(address) {
            met.open = false;
        }
    }
}

/// Whether two of it are not as good as one: not for what every process has of its own, nor for dtypes and short text and bytes.
fn has_identity(object: &Bound<'_, PyAny>) -> bool {
    if let Ok(text) = object.cast_exact::<PyString>() {
        return text.len().is_ok_and(|characters| characters >= INLINE / 4);
    }
    if let Ok(bytes) = object.cast_exact::<PyBytes>() {
        return bytes.as_bytes().len() >= INLINE;
    }
    let is_global = object.is_instance_of::<PyType>()
        || object.is_exact_instance_of::<PyFunction>()
        || object.is_exact_instance_of::<PyCFunction>();
    !is_global && numpy::kind(object) != Some(Kind::DType)
}

#[cold]
fn changed(what: &str) -> PyErr {
    PyRuntimeError::new_err(format!("a {what} changed its size while it was sent"))
}

/// The next entry of a dict, which may be changed meanwhile.
fn next_entry<'py>(
    dict: &Bound<'py, PyDict>,
    walk: &mut ffi::Py_ssize_t,
) -> Option<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
    let (mut key, mut value) = (std::ptr::null_mut(), std::ptr::null_mut());
    // SAFETY: a dict; attached, so the borrowed entries live until they are cloned.
    if unsafe { ffi::PyDict_Next(dict.as_ptr(), walk, &mut key, &mut value) } == 0 {
        return None;
    }
    // SAFETY: borrowed from the dict.
    let key = unsafe { Bound::from_borrowed_ptr(dict.py(), key) };
    // SAFETY: as above.
    let value = unsafe { Bound::from_borrowed_ptr(dict.py(), value) };
    Some((key, value))
}

fn int_to_bytes<'py>(value: &Bound<'py, PyAny>, len: usize) -> PyResult<Bound<'py, PyBytes>> {
    let signed = PyDict::new(value.py());
    signed.set_item("signed", true)?;
    Ok(value.call_method("to_bytes", (len, "little"), Some(&signed))?.cast_into()?)
}

/// A class of named tuples that a receiver can find again.
struct ClassName {
    name: String,
    fields: Vec<String>,
}

/// The class, if the tuple is a named one, nothing but its items, and found under its name.
fn named_tuple(tuple: &Bound<'_, PyTuple>) -> PyResult<Option<ClassName>> {
    let py = tuple.py();
    let class = tuple.get_type();
    let Some(fields) = class.getattr_opt("_fields")? else { return Ok(None) };
    let Ok(fields) = fields.extract::<Vec<String>>() else { return Ok(None) };
    let plain = class.getattr("__reduce_ex__")?.is(&py.get_type::<PyAny>().getattr("__reduce_ex__")?)
        && tuple.getattr_opt("__dict__")?.is_none_or(|attributes| attributes.is_empty().unwrap_or(false));
    if !plain || fields.len() != tuple.len() || class.getattr_opt("_make")?.is_none() {
        return Ok(None);
    }
    let (module, name): (String, String) =
        match (class.getattr("__module__")?.extract(), class.getattr("__qualname__")?.extract()) {
            (Ok(module), Ok(name)) => (module, name),
            _ => return Ok(None),
        };
    let Ok(found) = crate::decode::lookup(py, &module, &name, false) else { return Ok(None) };
    Ok(found.is(&class).then(|| ClassName { name: format!("{module}:{name}"), fields }))
}
