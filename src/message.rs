//! What may travel through a ring: the [`Message`] bound and the shape of a type as two processes must agree on it.

use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout, PointerMetadata};

/// A type whose bytes mean the same in every process: `[u8]`, `[f32]`, `u64`, or any `zerocopy` type of your own.
///
/// Implemented for every type with the four zerocopy traits; derive those and nothing else:
///
/// ```
/// use ringmail::zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};
///
/// #[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
/// #[zerocopy(crate = "ringmail::zerocopy")] // not needed where zerocopy is a dependency of your own
/// #[repr(C)]
/// struct Tick {
///     time_ns: u64,
///     price: f64,
/// }
/// fn travels<M: ringmail::Message>() {}
/// travels::<Tick>();
/// ```
///
/// `FromBytes` is what makes any bytes in the segment a valid value (so `bool`, `char`, references and enums cannot travel);
/// `IntoBytes` forbids padding; `Immutable` forbids interior mutability.
pub trait Message: FromBytes + IntoBytes + Immutable + KnownLayout + Sealed + 'static {}

impl<M: FromBytes + IntoBytes + Immutable + KnownLayout + 'static + ?Sized> Message for M {}

mod sealed {
    /// Closes [`Message`](super::Message) against other implementations.
    pub trait Sealed {}
    impl<M: ?Sized> Sealed for M {}
}
use sealed::Sealed;

/// The size and alignment of a message type, and its name: what the header records and `open` compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Bytes of a sized type, or of the fixed part of an unsized one.
    pub fixed: u64,
    /// Bytes of one trailing element; 0 for a sized type.
    pub element: u64,
    /// Alignment in bytes.
    pub align: u64,
    /// The type's name without its path, cut to what the header holds.
    pub name: [u8; NAME_LEN],
}

/// Bytes of a type name that the header keeps.
pub const NAME_LEN: usize = 64;

/// The strictest alignment a message type may ask for: one page.
pub const MAX_ALIGN: usize = 4096;

impl Shape {
    /// The shape of `M`, or `None` where two processes could not agree on it: an alignment above [`MAX_ALIGN`], or
    /// trailing elements without a size.
    pub fn of<M: Message + ?Sized>() -> Option<Self> {
        #[derive(FromBytes, IntoBytes, Immutable)]
        #[repr(C, align(4096))]
        struct Page([u8; MAX_ALIGN]);

        let fixed = size_with::<M>(0)?;
        let element = if is_sized::<M>() { 0 } else { size_with::<M>(1)? - fixed };
        if !is_sized::<M>() && element == 0 {
            return None;
        }
        // The alignment of an unsized type can only be asked of a value; any zeroed bytes are one.
        let pages = Page::new_vec_zeroed(fixed.div_ceil(MAX_ALIGN).max(1)).ok()?;
        let value = M::ref_from_bytes(&pages.as_bytes()[..fixed]).ok()?;
        let align = align_of_val(value);
        let name = bare_name(core::any::type_name::<M>());
        Some(Self { fixed: fixed as u64, element: element as u64, align: align as u64, name })
    }

    /// Whether every message of this type has the same length.
    pub fn is_sized(&self) -> bool {
        self.element == 0
    }

    /// The recorded name as text.
    pub fn name(&self) -> String {
        let end = self.name.iter().position(|&byte| byte == 0).unwrap_or(NAME_LEN);
        String::from_utf8_lossy(&self.name[..end]).into_owned()
    }
}

/// A type name without its paths (`demo::market::Tick` is `Tick`, also inside brackets): two programs that share a type
/// need not keep it in the same module.
fn bare_name(full: &str) -> [u8; NAME_LEN] {
    let mut bare = String::with_capacity(full.len());
    for piece in full.split_inclusive(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')) {
        bare.push_str(piece.rsplit("::").next().unwrap_or(piece));
    }
    let mut name = [0; NAME_LEN];
    let len = bare.len().min(NAME_LEN);
    name[..len].copy_from_slice(&bare.as_bytes()[..len]);
    name
}

/// Whether `M` is a sized type: its pointers carry no length.
pub const fn is_sized<M: ?Sized>() -> bool {
    size_of::<*const M>() == size_of::<usize>()
}

/// Bytes of a message of `elements` trailing elements; of any message, where `M` is sized.
#[inline]
pub fn size_with<M: Message + ?Sized>(elements: usize) -> Option<usize> {
    M::size_for_metadata(M::PointerMetadata::from_elem_count(elements))
}

/// Reads `len` bytes at `start` as a message; `None` where no message of this type has that length.
///
/// # Safety
///
/// `start` is aligned for `M`, `len` bytes from it are readable for `'a`, and nobody who follows the protocol writes them.
#[inline]
pub unsafe fn view<'a, M: Message + ?Sized>(start: *const u8, len: usize) -> Option<&'a M> {
    // SAFETY: readable by contract, so no null pointer; said aloud, it spares a test on every receive.
    unsafe { core::hint::assert_unchecked(!start.is_null()) };
    if const { is_sized::<M>() } {
        // SAFETY: a pointer to a sized type is one address, so both have the same size and meaning.
        let message = unsafe { core::mem::transmute_copy::<*const u8, *const M>(&start) };
        // SAFETY: aligned and readable by contract, and any bytes are a value of `M: FromBytes`.
        return (size_with::<M>(0) == Some(len)).then(|| unsafe { &*message });
    }
    // SAFETY: readable by contract.
    let bytes = unsafe { core::slice::from_raw_parts(start, len) };
    M::ref_from_bytes(bytes).ok()
}

/// Lends `len` bytes at `start` as a message to be filled; `None` where no message of this type has that length.
///
/// # Safety
///
/// As for [`view`], and the bytes are writable and lent to nobody else for `'a`.
#[inline]
pub unsafe fn view_mut<'a, M: Message + ?Sized>(start: *mut u8, len: usize) -> Option<&'a mut M> {
    // SAFETY: writable by contract, so no null pointer; said aloud, it spares a test on every loan.
    unsafe { core::hint::assert_unchecked(!start.is_null()) };
    if const { is_sized::<M>() } {
        // SAFETY: a pointer to a sized type is one address, so both have the same size and meaning.
        let message = unsafe { core::mem::transmute_copy::<*mut u8, *mut M>(&start) };
        // SAFETY: aligned, writable and exclusive by contract, and any bytes are a value of `M: FromBytes`.
        return (size_with::<M>(0) == Some(len)).then(|| unsafe { &mut *message });
    }
    // SAFETY: writable and exclusive by contract.
    let bytes = unsafe { core::slice::from_raw_parts_mut(start, len) };
    M::mut_from_bytes(bytes).ok()
}

impl core::fmt::Display for Shape {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { fixed, element, align, .. } = self;
        match element {
            0 => write!(f, "{} ({fixed} bytes, aligned to {align})", self.name()),
            _ => write!(f, "{} ({fixed} + n x {element} bytes, aligned to {align})", self.name()),
        }
    }
}
