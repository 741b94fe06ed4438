//! What an array is, straight from NumPy's own structures: no Python code on the way of an ordinary one.

use ::numpy::npyffi::{self, NpyTypes, PY_ARRAY_API, PyArray_Descr, PyArrayObject, get_type_object};
use ::numpy::npyffi::{NPY_ARRAY_C_CONTIGUOUS, NPY_ARRAY_F_CONTIGUOUS, NPY_ARRAY_WRITEABLE};
use pyo3::exceptions::PyValueError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyList, PyString, PyTuple, PyType};
use ringmail::value::wire::{DType, DTypeRef, Dims, Field, Order};
use std::collections::HashMap;
use std::os::raw::{c_int, c_void};
use std::ptr;
use std::sync::{Mutex, PoisonError};

/// NumPy's own classes.
pub struct Classes {
    array: *mut ffi::PyTypeObject,
    generic: *mut ffi::PyTypeObject,
    dtype: *mut ffi::PyTypeObject,
}

// SAFETY: addresses of classes, which are never freed.
unsafe impl Send for Classes {}
// SAFETY: as above.
unsafe impl Sync for Classes {}

static CLASSES: PyOnceLock<Classes> = PyOnceLock::new();

/// What of NumPy an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Array,
    Scalar,
    DType,
}

impl Classes {
    fn load(py: Python<'_>) -> Self {
        // SAFETY: attached; NumPy is imported by the first look at its table.
        let class = |which| unsafe { get_type_object(py, which) };
        Self {
            array: class(NpyTypes::PyArray_Type),
            generic: class(NpyTypes::PyGenericArrType_Type),
            dtype: class(NpyTypes::PyArrayDescr_Type),
        }
    }
}

/// NumPy's classes, if anybody imported it: nothing can be of them otherwise.
fn classes(py: Python<'_>) -> Option<&'static Classes> {
    if let Some(known) = CLASSES.get(py) {
        return Some(known);
    }
    let modules = py.import("sys").and_then(|sys| sys.getattr("modules")).ok()?;
    modules.get_item("numpy").ok()?;
    Some(CLASSES.get_or_init(py, || Classes::load(py)))
}

/// What of NumPy this is; `None` for subclasses of arrays as well.
#[inline]
pub fn kind(object: &Bound<'_, PyAny>) -> Option<Kind> {
    let classes = classes(object.py())?;
    let class = object.get_type_ptr();
    if class == classes.array {
        return Some(Kind::Array);
    }
    // SAFETY: two classes, attached.
    let is = |of| unsafe { ffi::PyType_IsSubtype(class, of) } != 0;
    if is(classes.generic) {
        return Some(Kind::Scalar);
    }
    is(classes.dtype).then_some(Kind::DType)
}

/// Whether an object is an array, also of a subclass.
pub fn is_array(object: &Bound<'_, PyAny>) -> bool {
    let py = object.py();
    // SAFETY: two classes, attached.
    classes(py).is_some_and(|known| unsafe { ffi::PyType_IsSubtype(object.get_type_ptr(), known.array) } != 0)
}

/// An array as it lies in memory.
#[derive(Clone, Copy)]
pub struct Facts<'a> {
    pub data: *mut u8,
    pub shape: &'a [usize],
    pub strides: &'a [isize],
    pub item: usize,
    pub writable: bool,
    /// `None` where elements do not follow each other.
    pub order: Option<Order>,
    pub dtype: *mut PyArray_Descr,
}

impl<'a> Facts<'a> {
    /// Of an array ([`is_array`]).
    pub fn of(array: &'a Bound<'_, PyAny>) -> Self {
        let object = array.as_ptr().cast::<PyArrayObject>();
        // SAFETY: the caller says that it is an array, which is borrowed for as long as what is read here.
        let fields = unsafe { &(*object).fields };
        let dims = fields.nd as usize;
        let (shape, strides): (&[usize], &[isize]) = if dims == 0 {
            (&[], &[])
        } else {
            // SAFETY: NumPy keeps `nd` dimensions, which are never negative.
            let shape = unsafe { std::slice::from_raw_parts(fields.dimensions.cast::<usize>(), dims) };
            // SAFETY: and as many strides.
            let strides = unsafe { std::slice::from_raw_parts(fields.strides.cast::<isize>(), dims) };
            (shape, strides)
        };
        let order = if fields.flags & NPY_ARRAY_C_CONTIGUOUS != 0 {
            Some(Order::C)
        } else if fields.flags & NPY_ARRAY_F_CONTIGUOUS != 0 {
            Some(Order::Fortran)
        } else {
            None
        };
        // SAFETY: an array always has a dtype.
        let item = unsafe { npyffi::PyDataType_ELSIZE(array.py(), fields.descr) } as usize;
        let writable = fields.flags & NPY_ARRAY_WRITEABLE != 0;
        Self { data: fields.data.cast(), shape, strides, item, writable, order, dtype: fields.descr }
    }

    /// Bytes of all elements.
    pub fn len(&self) -> usize {
        self.shape.iter().product::<usize>() * self.item
    }
}

/// A dtype as it is written.
pub enum Written {
    /// NumPy's short text; at most 24 bytes of it are short enough to need no memory.
    Short([u8; 24], usize),
    Text(String),
    Structured(Vec<u8>),
}

impl Written {
    /// As the encoder takes it.
    pub fn as_ref(&self) -> DTypeRef<'_> {
        match self {
            Self::Short(bytes, len) => DTypeRef::Simple(str::from_utf8(&bytes[..*len]).unwrap_or("?")),
            Self::Text(text) => DTypeRef::Simple(text),
            Self::Structured(bytes) => DTypeRef::Structured(bytes),
        }
    }
}

/// How a dtype is written; `None` if only pickle knows.
pub fn write_dtype(py: Python<'_>, dtype: *mut PyArray_Descr) -> PyResult<Option<Written>> {
    // SAFETY: a dtype, borrowed from its array or object.
    let fields = unsafe { &(*dtype).fields };
    // SAFETY: as above.
    let item = unsafe { npyffi::PyDataType_ELSIZE(py, dtype) } as usize;
    // SAFETY: as above.
    let is_legacy = unsafe { npyffi::PyDataType_ISLEGACY(dtype) };
    // SAFETY: as above; null where there is none.
    let has_metadata = unsafe { !npyffi::PyDataType_METADATA(py, dtype).is_null() };
    // What other packages added, such as bfloat16, has no text that NumPy alone understands.
    let is_known = is_legacy && (0..24).contains(&fields.type_num);
    if !is_known || has_metadata {
        return Ok(None);
    }
    let order = match fields.byteorder as u8 {
        b'=' if cfg!(target_endian = "little") => b'<',
        b'=' => b'>',
        given => given,
    };
    let kind = fields.kind as u8;
    match kind {
        b'b' | b'i' | b'u' | b'f' | b'c' | b'S' | b'U' => {
            let size = if kind == b'U' { item / 4 } else { item };
            let order = if kind == b'S' || item == 1 { b'|' } else { order };
            Ok(Some(short(order, kind, size)))
        }
        b'V' | b'm' | b'M' => {
            // SAFETY: a dtype is an object, borrowed as above.
            let object = unsafe { Bound::from_borrowed_ptr(py, dtype.cast()) };
            if kind != b'V' {
                return Ok(Some(Written::Text(object.getattr("str")?.extract()?)));
            }
            let Some(structure) = take_apart(&object)? else { return Ok(None) };
            let mut bytes = Vec::new();
            let structured = structure.write(&mut bytes);
            Ok(Some(if structured {
                Written::Structured(bytes)
            } else {
                Written::Text(String::from_utf8(bytes).map_err(|_| PyValueError::new_err("dtype"))?)
            }))
        }
        _ => Ok(None),
    }
}

fn short(order: u8, kind: u8, size: usize) -> Written {
    let mut bytes = [0; 24];
    (bytes[0], bytes[1]) = (order, kind);
    let mut digits = [0; 20];
    let (mut rest, mut count) = (size, 0);
    loop {
        digits[count] = b'0' + (rest % 10) as u8;
        (rest, count) = (rest / 10, count + 1);
        if rest == 0 {
            break;
        }
    }
    for (place, digit) in digits[..count].iter().rev().enumerate() {
        bytes[2 + place] = *digit;
    }
    Written::Short(bytes, 2 + count)
}

/// A dtype of any kind, field by field; `None` if only pickle knows.
fn take_apart(dtype: &Bound<'_, PyAny>) -> PyResult<Option<DType>> {
    let py = dtype.py();
    if !dtype.getattr("metadata")?.is_none() || dtype.getattr("hasobject")?.extract()? {
        return Ok(None);
    }
    let subdtype = dtype.getattr("subdtype")?;
    if !subdtype.is_none() {
        let (base, shape): (Bound<'_, PyAny>, Vec<usize>) = subdtype.extract()?;
        return Ok(take_apart(&base)?.map(|base| DType::SubArray { base: Box::new(base), shape }));
    }
    let names = dtype.getattr("names")?;
    if names.is_none() {
        let text: String = dtype.getattr("str")?.extract()?;
        // What NumPy names and the format does not know, pickle does.
        return Ok(DType::simple(&text).ok());
    }
    let void = py.import("numpy")?.getattr("void")?;
    if !dtype.getattr("type")?.is(&void) {
        return Ok(None);
    }
    let known = dtype.getattr("fields")?;
    let mut fields = Vec::new();
    for name in names.cast::<PyTuple>()? {
        let entry = known.get_item(&name)?;
        let entry = entry.cast::<PyTuple>()?;
        let title = match entry.len() {
            3 => match entry.get_item(2)?.extract::<String>() {
                Ok(title) => Some(title),
                Err(_) => return Ok(None),
            },
            _ => None,
        };
        let Some(dtype) = take_apart(&entry.get_item(0)?)? else { return Ok(None) };
        fields.push(Field { name: name.extract()?, title, offset: entry.get_item(1)?.extract()?, dtype });
    }
    let (size, align) = (dtype.getattr("itemsize")?.extract()?, dtype.getattr("isalignedstruct")?.extract()?);
    Ok(Some(DType::Record { fields, size, align }))
}

/// How many dtypes are remembered. A sender may make up any number of them.
const REMEMBERED: usize = 1024;

type Known = HashMap<Box<[u8]>, Py<PyAny>>;

/// The dtype of this description.
pub fn read_dtype<'py>(py: Python<'py>, dtype: DTypeRef<'_>) -> PyResult<Bound<'py, PyAny>> {
    // By kind: a record could be written in the bytes of a text.
    static SIMPLE: Mutex<Option<Known>> = Mutex::new(None);
    static STRUCTURED: Mutex<Option<Known>> = Mutex::new(None);
    let known = if matches!(dtype, DTypeRef::Simple(_)) { &SIMPLE } else { &STRUCTURED };
    if let Some(found) =
        known.lock().unwrap_or_else(PoisonError::into_inner).as_ref().and_then(|k| k.get(dtype.bytes()))
    {
        return Ok(found.bind(py).clone());
    }
    let structure = dtype.to_dtype().map_err(PyValueError::new_err)?;
    let made = put_together(py, &structure)?;
    let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
    let known = known.get_or_insert_default();
    if known.len() >= REMEMBERED {
        known.clear();
    }
    known.insert(dtype.bytes().into(), made.clone().unbind());
    Ok(made)
}

fn put_together<'py>(py: Python<'py>, dtype: &DType) -> PyResult<Bound<'py, PyAny>> {
    static DTYPE: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let class = DTYPE.import(py, "numpy", "dtype")?;
    match dtype {
        DType::Simple(text) => class.call1((&**text,)),
        DType::SubArray { base, shape } => class.call1(((put_together(py, base)?, PyTuple::new(py, shape)?),)),
        DType::Record { fields, size, align } => {
            let description = PyDict::new(py);
            let (names, formats) = (PyList::empty(py), PyList::empty(py));
            let (offsets, titles) = (PyList::empty(py), PyList::empty(py));
            for field in fields {
                names.append(PyString::new(py, &field.name))?;
                formats.append(put_together(py, &field.dtype)?)?;
                offsets.append(field.offset)?;
                titles.append(field.title.as_deref())?;
            }
            description.set_item("names", names)?;
            description.set_item("formats", formats)?;
            description.set_item("offsets", offsets)?;
            if fields.iter().any(|field| field.title.is_some()) {
                description.set_item("titles", titles)?;
            }
            description.set_item("itemsize", size)?;
            class.call1((description, *align))
        }
    }
}

/// Where a new array has its elements.
pub enum Place<'py> {
    /// In memory of its own, to be filled.
    Own,
    /// There, in so many bytes; the object keeps them.
    Of(*mut u8, usize, Bound<'py, PyAny>),
}

/// An array of this shape. It is an error if it does not have as many bytes as there are at a place that is given: shape and dtype may lie in
/// memory that somebody else writes to, also after they were checked.
///
/// # Safety
///
/// At a place that is given there must be as many bytes as are said, for as long as its owner lives.
pub unsafe fn array<'py>(
    py: Python<'py>,
    dtype: &Bound<'py, PyAny>,
    shape: Dims<'_>,
    order: Order,
    writable: bool,
    place: Place<'py>,
) -> PyResult<Bound<'py, PyAny>> {
    let mut dims: smallvec::SmallVec<[npyffi::npy_intp; 8]> = shape.iter().map(|dim| dim as npyffi::npy_intp).collect();
    let order = if order == Order::Fortran { NPY_ARRAY_F_CONTIGUOUS } else { 0 };
    let (data, flags, owner) = match place {
        Place::Own => (ptr::null_mut(), order, None),
        Place::Of(data, len, owner) => {
            (data, order | if writable { NPY_ARRAY_WRITEABLE } else { 0 }, Some((len, owner)))
        }
    };
    let Some(classes) = classes(py) else { return Err(PyValueError::new_err("numpy is not imported")) };
    // SAFETY: attached; the dtype's reference is given away, the shape is read at once, and there is what the caller says.
    let made = unsafe {
        PY_ARRAY_API.PyArray_NewFromDescr(
            py,
            classes.array,
            dtype.clone().into_ptr().cast(),
            dims.len() as c_int,
            dims.as_mut_ptr(),
            ptr::null_mut(),
            data.cast::<c_void>(),
            flags,
            ptr::null_mut(),
        )
    };
    // SAFETY: a new reference, or null with an error.
    let made = unsafe { Bound::from_owned_ptr_or_err(py, made) }?;
    let object = made.as_ptr().cast::<PyArrayObject>();
    if let Some((len, owner)) = owner {
        if Facts::of(&made).len() != len {
            return Err(PyValueError::new_err("an array of another size than its dtype says"));
        }
        // SAFETY: a fresh array; the owner's reference is given away.
        if unsafe { PY_ARRAY_API.PyArray_SetBaseObject(py, object, owner.into_ptr()) } != 0 {
            return Err(PyErr::fetch(py));
        }
    }
    if !writable {
        forbid_writing(&made);
    }
    Ok(made)
}

/// Makes an array read-only.
pub fn forbid_writing(array: &Bound<'_, PyAny>) {
    let object = array.as_ptr().cast::<PyArrayObject>();
    // SAFETY: an array, touched by nobody else while attached.
    unsafe { (*object).fields.flags &= !NPY_ARRAY_WRITEABLE };
}

/// A scalar of this type.
pub fn scalar<'py>(py: Python<'py>, dtype: &Bound<'py, PyAny>, data: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    // SAFETY: a dtype.
    let item = unsafe { npyffi::PyDataType_ELSIZE(py, dtype.as_ptr().cast()) } as usize;
    if item != data.len() {
        return Err(PyValueError::new_err("a scalar of another size than its dtype says"));
    }
    // For the alignment of any number.
    let mut room = smallvec::SmallVec::<[u128; 4]>::from_elem(0, data.len().div_ceil(16).max(1));
    // SAFETY: room for as many bytes, elsewhere.
    unsafe { ptr::copy_nonoverlapping(data.as_ptr(), room.as_mut_ptr().cast(), data.len()) };
    // SAFETY: attached; the bytes are one element of the dtype, and are copied.
    let made =
        unsafe { PY_ARRAY_API.PyArray_Scalar(py, room.as_mut_ptr().cast(), dtype.as_ptr().cast(), ptr::null_mut()) };
    // SAFETY: a new reference, or null with an error.
    unsafe { Bound::from_owned_ptr_or_err(py, made) }
}

/// The array without dimensions that a scalar is.
pub fn of_scalar<'py>(scalar: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let py = scalar.py();
    // SAFETY: attached; a scalar of NumPy's.
    let made = unsafe { PY_ARRAY_API.PyArray_FromScalar(py, scalar.as_ptr(), ptr::null_mut()) };
    // SAFETY: a new reference, or null with an error.
    unsafe { Bound::from_owned_ptr_or_err(py, made) }
}

/// Copies an array's elements into another one of the same shape and type.
pub fn copy_into(target: &Bound<'_, PyAny>, source: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = target.py();
    // SAFETY: attached; both are arrays.
    let done = unsafe { PY_ARRAY_API.PyArray_CopyInto(py, target.as_ptr().cast(), source.as_ptr().cast()) };
    if done == 0 { Ok(()) } else { Err(PyErr::fetch(py)) }
}

/// Imports NumPy, so that its arrays can be made.
pub fn import(py: Python<'_>) -> PyResult<()> {
    if CLASSES.get(py).is_none() {
        py.import("numpy")?;
        CLASSES.get_or_init(py, || Classes::load(py));
    }
    Ok(())
}
