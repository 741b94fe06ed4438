//! Arrays, memoryviews and scalars: bytes, and how to read them.
//!
//! Invariant: an array has as many bytes as its shape and type say.

use super::Data;
use super::wire::{ArrayHeader, DType, DTypeRef, Order, Simple, ViewHeader};
use crate::error::value::{AccessError, EncodeError};
use core::fmt;
use smallvec::SmallVec;
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// A Rust type that arrays may consist of.
pub trait Element: FromBytes + IntoBytes + Immutable + Copy {
    /// The dtype that NumPy has for it on this machine.
    const DTYPE: &'static str;
}

macro_rules! elements {
    ($($type:ty, $little:literal, $big:literal;)*) => {
        $(impl Element for $type {
            const DTYPE: &'static str = if cfg!(target_endian = "little") { $little } else { $big };
        })*
    };
}

elements! {
    u8, "|u1", "|u1"; i8, "|i1", "|i1";
    u16, "<u2", ">u2"; i16, "<i2", ">i2";
    u32, "<u4", ">u4"; i32, "<i4", ">i4";
    u64, "<u8", ">u8"; i64, "<i8", ">i8";
    f32, "<f4", ">f4"; f64, "<f8", ">f8";
    [f32; 2], "<c8", ">c8"; [f64; 2], "<c16", ">c16";
}

/// A shape, inline up to 4 dimensions.
pub(super) type Shape = SmallVec<[usize; 4]>;

/// An array of NumPy.
///
/// ```
/// use ringmail::value::Array;
///
/// let array = Array::new(&[2, 3], &[1.0_f32, 2.0, 3.0, 4.0, 5.0, 6.0])?;
/// assert_eq!(array.dtype().as_simple(), Some("<f4"));
/// assert_eq!(array.as_slice::<f32>()?[4], 5.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Array<'a> {
    pub(super) dtype: DType,
    pub(super) shape: Shape,
    pub(super) order: Order,
    pub(super) writable: bool,
    pub(super) data: Data<'a>,
}

impl<'a> Array<'a> {
    /// An array of `elements` that stay where they are, in C's order, writable to its receiver.
    ///
    /// # Errors
    ///
    /// [`DataLen`](EncodeError::DataLen) if there are more or fewer elements than `shape` says.
    pub fn new<T: Element>(shape: &[usize], elements: &'a [T]) -> Result<Self, EncodeError> {
        Self::from_data(DType::Simple(T::DTYPE.into()), shape, elements.as_bytes().into())
    }

    /// An array of any type, in C's order, writable to its receiver.
    ///
    /// # Errors
    ///
    /// [`DataLen`](EncodeError::DataLen) if there are more or fewer bytes than `shape` and `dtype` say;
    /// [`InvalidDType`](EncodeError::InvalidDType); [`TooLong`](EncodeError::TooLong) of a shape of more than 64 dimensions.
    pub fn from_data(dtype: DType, shape: &[usize], data: Data<'a>) -> Result<Self, EncodeError> {
        let mut bytes = Vec::new();
        let structured = dtype.write(&mut bytes);
        let written =
            if structured { Some(DTypeRef::Structured(&bytes)) } else { dtype.as_simple().map(DTypeRef::Simple) };
        let item = match written.map_or(Err("not a dtype"), |written| written.size()) {
            Ok(item) => item,
            Err(what) => return Err(EncodeError::InvalidDType { dtype: dtype.to_string(), what }),
        };
        super::wire::check_shape(shape, item, data.len())?;
        Ok(Self { dtype, shape: shape.into(), order: Order::C, writable: true, data })
    }

    /// The same, with its elements read in this order.
    pub fn with_order(mut self, order: Order) -> Self {
        self.order = order;
        self
    }

    /// The same, with this said of its receiver's array.
    pub fn with_writable(mut self, writable: bool) -> Self {
        self.writable = writable;
        self
    }

    /// The type of the elements.
    pub fn dtype(&self) -> &DType {
        &self.dtype
    }

    /// How many elements, by dimension; empty for a single one.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The order of the elements in memory.
    pub fn order(&self) -> Order {
        self.order
    }

    /// Whether Python's array is, or is to be, writable.
    pub fn is_writable(&self) -> bool {
        self.writable
    }

    /// The bytes of the elements.
    pub fn data(&self) -> &Data<'a> {
        &self.data
    }

    /// The bytes of the elements, to be changed: copied before if they are borrowed or shared. As many they stay.
    pub fn data_mut(&mut self) -> &mut [u8] {
        self.data.to_mut()
    }

    /// The elements in C's order, in place.
    ///
    /// # Errors
    ///
    /// If they are of another type, in another order or not aligned.
    pub fn as_slice<T: Element>(&self) -> Result<&[T], AccessError> {
        self.slice(Order::C)
    }

    /// The elements in Fortran's order, in place.
    ///
    /// # Errors
    ///
    /// As for [`as_slice`](Self::as_slice).
    pub fn as_fortran_slice<T: Element>(&self) -> Result<&[T], AccessError> {
        self.slice(Order::Fortran)
    }

    fn slice<T: Element>(&self, order: Order) -> Result<&[T], AccessError> {
        if !is_of::<T>(&self.dtype) {
            return Err(AccessError::DType { found: self.dtype.to_string(), wanted: T::DTYPE });
        }
        if order != self.order && self.shape.iter().filter(|&&dim| dim != 1).count() > 1 {
            return Err(AccessError::Order);
        }
        // The number of bytes is right: so was it said of the array.
        <[T]>::ref_from_bytes(&self.data).map_err(|_| AccessError::Unaligned { align: align_of::<T>() })
    }
}

fn is_of<T: Element>(dtype: &DType) -> bool {
    let read = |text| {
        Simple::parse(text).ok().map(|simple| (simple.kind, simple.size, simple.size > 1 && simple.order == b'>'))
    };
    dtype.as_simple().is_some_and(|text| text == T::DTYPE || read(text) == read(T::DTYPE))
}

impl fmt::Debug for Array<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Array({}, {:?}, {:?}, {:?})", self.dtype, self.shape, self.order, self.data)
    }
}

/// A memoryview: bytes with a format of Python's `struct`, which is not looked into here.
#[derive(Clone, PartialEq, Eq)]
pub struct View<'a> {
    pub(super) format: Box<str>,
    pub(super) item: usize,
    pub(super) shape: Shape,
    pub(super) order: Order,
    pub(super) writable: bool,
    pub(super) data: Data<'a>,
}

impl<'a> View<'a> {
    /// A memoryview in C's order, writable to its receiver.
    ///
    /// # Errors
    ///
    /// As for [`Array::from_data`].
    pub fn new(format: &str, item: usize, shape: &[usize], data: Data<'a>) -> Result<Self, EncodeError> {
        super::wire::check_shape(shape, item, data.len())?;
        Ok(Self { format: format.into(), item, shape: shape.into(), order: Order::C, writable: true, data })
    }

    /// The same, with its items read in this order.
    pub fn with_order(mut self, order: Order) -> Self {
        self.order = order;
        self
    }

    /// The same, with this said of its receiver's view.
    pub fn with_writable(mut self, writable: bool) -> Self {
        self.writable = writable;
        self
    }

    /// What an item is, in the letters of `struct`.
    pub fn format(&self) -> &str {
        &self.format
    }

    /// Bytes of one item.
    pub fn item_len(&self) -> usize {
        self.item
    }

    /// How many items, by dimension.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The order of the items in memory.
    pub fn order(&self) -> Order {
        self.order
    }

    /// Whether Python's view is, or is to be, writable.
    pub fn is_writable(&self) -> bool {
        self.writable
    }

    /// The bytes of the items.
    pub fn data(&self) -> &Data<'a> {
        &self.data
    }

    pub(super) fn header(&self) -> ViewHeader<'_> {
        let Self { format, item, shape, order, writable, .. } = self;
        ViewHeader { format, item: *item, shape, order: *order, writable: *writable }
    }
}

impl fmt::Debug for View<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "View({:?}, {:?}, {:?}, {:?})", self.format, self.shape, self.order, self.data)
    }
}

/// A scalar of NumPy: a dtype and the bytes of one element.
#[derive(Clone, PartialEq, Eq)]
pub struct Scalar<'a> {
    pub(super) dtype: DType,
    pub(super) data: Data<'a>,
}

impl<'a> Scalar<'a> {
    /// A scalar of a Rust type.
    pub fn new<T: Element>(value: T) -> Self {
        Self { dtype: DType::Simple(T::DTYPE.into()), data: Data::copy_of(value.as_bytes()) }
    }

    /// A scalar of any type.
    ///
    /// # Errors
    ///
    /// As for [`Array::from_data`].
    pub fn from_data(dtype: DType, data: Data<'a>) -> Result<Self, EncodeError> {
        let Array { dtype, data, .. } = Array::from_data(dtype, &[], data)?;
        Ok(Self { dtype, data })
    }

    /// The type.
    pub fn dtype(&self) -> &DType {
        &self.dtype
    }

    /// The bytes.
    pub fn data(&self) -> &Data<'a> {
        &self.data
    }

    /// The scalar as a value of that very type; `None` of another.
    pub fn get<T: Element>(&self) -> Option<T> {
        if is_of::<T>(&self.dtype) { T::read_from_bytes(&self.data).ok() } else { None }
    }
}

impl fmt::Debug for Scalar<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scalar({}, {:?})", self.dtype, self.data)
    }
}

impl Array<'_> {
    pub(super) fn header<'h>(&'h self, dtype: DTypeRef<'h>) -> ArrayHeader<'h> {
        ArrayHeader { dtype, shape: &self.shape, order: self.order, writable: self.writable }
    }
}
