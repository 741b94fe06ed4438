//! `Ring`: named rings between unrelated processes, and the figures of any ring.

use crate::ends::{Receiver, Sender};
use crate::errors;
use crate::port::{self, Port};
use crate::warm;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use ringmail::{Options, Redelivery, Stats};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

/// What a ring is to be like.
pub struct Wishes {
    /// Slots.
    pub capacity: usize,
    /// Longest message in bytes; [`LONGEST`] if `None`.
    pub max_message_bytes: Option<usize>,
    /// Processes at once.
    pub participants: u32,
    /// How often an unacknowledged message is delivered again; without bound if `None`.
    pub redelivery: Option<u32>,
    /// Whether absence of peers is not the end.
    pub keep_open: bool,
    /// Bytes that stay with the ring.
    pub retain_bytes: Option<usize>,
    /// Seconds to spin.
    pub spin: Option<f64>,
    /// Permission bits.
    pub mode: Option<u32>,
    /// Whether to touch all memory at once.
    pub prefault: bool,
}

impl Wishes {
    /// So many slots, and nothing else that is out of the ordinary.
    pub fn of(capacity: usize) -> Self {
        Self {
            capacity,
            max_message_bytes: None,
            participants: 64,
            redelivery: None,
            keep_open: false,
            retain_bytes: None,
            spin: None,
            mode: None,
            prefault: false,
        }
    }

    /// As the keyword arguments of a call say it. One that does not exist, or that a ring of that kind has not, is an error.
    fn read(capacity: usize, keywords: Option<&Bound<'_, PyDict>>, has_name: bool) -> PyResult<Options> {
        let mut wishes = Self::of(capacity);
        for (name, value) in keywords.into_iter().flatten() {
            let name: String = name.extract()?;
            let read = match name.as_str() {
                "max_message_bytes" => value.extract().map(|bytes| wishes.max_message_bytes = bytes),
                "participants" => value.extract().map(|processes| wishes.participants = processes),
                "redelivery" => value.extract().map(|times| wishes.redelivery = times),
                "keep_open" => value.extract().map(|yes| wishes.keep_open = yes),
                "retain_bytes" => value.extract().map(|bytes| wishes.retain_bytes = bytes),
                "spin" => value.extract().map(|seconds| wishes.spin = seconds),
                "mode" if has_name => value.extract().map(|bits| wishes.mode = bits),
                "prefault" => value.extract().map(|yes| wishes.prefault = yes),
                _ => return Err(PyTypeError::new_err(format!("got an unexpected keyword argument '{name}'"))),
            };
            read.inspect_err(|error| _ = error.add_note(value.py(), format!("argument '{name}'")))?;
        }
        wishes.options()
    }

    /// As the library takes them.
    pub fn options(&self) -> PyResult<Options> {
        let mut options = Options::new()
            .capacity(self.capacity)
            .max_len(self.longest())
            .participants(self.participants)
            .redelivery(self.redelivery.map_or(Redelivery::Always, Redelivery::AtMost))
            .keep_open(self.keep_open)
            .prefault(self.prefault)
            .retain(self.retain());
        if let Some(seconds) = self.spin {
            let time = Duration::try_from_secs_f64(seconds)
                .map_err(|error| PyValueError::new_err(format!("spin({seconds}): {error}")))?;
            options = options.spin(time);
        }
        if let Some(bits) = self.mode {
            options = options.mode(bits);
        }
        Ok(options)
    }

    /// Bytes that stay with the ring.
    ///
    /// What counts is all that is committed, messages under way included. Less than those take is given back and committed anew with every
    /// message, which takes longer than copying it: 256 MiB are two arrays of 100 MB.
    fn retain(&self) -> usize {
        match self.retain_bytes {
            Some(bytes) => bytes,
            // Messages that may get so long because nobody said how long are not to be committed beforehand.
            None if self.prefault && self.longest() > warm::OURS => warm::OURS,
            None => warm::share(),
        }
    }

    /// The longest message in bytes that the ring is made for: what was asked for, but at least two pages. Below that the library
    /// packs slots so densely that arrays in them are not aligned to 64 bytes.
    fn longest(&self) -> usize {
        match self.max_message_bytes {
            // For the library to refuse.
            Some(0) => 0,
            Some(bytes) => bytes.max(8192),
            None => LONGEST,
        }
    }
}

/// The longest message in bytes where nobody says how long they get: the longest there is. It costs address space, about 1 TiB a ring whatever
/// its capacity, of which a process has 128.
const LONGEST: usize = 16 << 30;

/// Opens a ring behind a number that another object may own: it is duplicated.
pub fn from_fd(fd: i32) -> PyResult<port::Ring> {
    if fd < 0 {
        return Err(PyValueError::new_err(format!("not a file descriptor: {fd}")));
    }
    // SAFETY: borrowed for the duration of `dup`, which says so if there is no such descriptor.
    let borrowed = unsafe { BorrowedFd::borrow_raw(fd) };
    let owned: OwnedFd = borrowed.try_clone_to_owned()?;
    port::Ring::from_fd(owned).map_err(errors::open)
}

#[doc = doc!("Ring")]
#[pyclass(frozen, module = "ringmail")]
pub struct Ring {
    ring: port::Ring,
}

impl From<port::Ring> for Ring {
    fn from(ring: port::Ring) -> Self {
        Self { ring }
    }
}

#[pymethods]
impl Ring {
    #[doc = doc!("Ring.create")]
    #[staticmethod]
    #[pyo3(signature = (name, capacity=1024, **options), text_signature = "(name, capacity=1024, *, max_message_bytes=None, participants=64, redelivery=None, \
        keep_open=False, retain_bytes=None, spin=None, mode=None, prefault=False)")]
    fn create(name: &str, capacity: usize, options: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        let options = Wishes::read(capacity, options, true)?;
        Ok(port::Ring::create(name, &options).map_err(errors::open)?.into())
    }

    #[doc = doc!("Ring.open")]
    #[staticmethod]
    fn open(name: &str) -> PyResult<Self> {
        Ok(port::Ring::open(name).map_err(errors::open)?.into())
    }

    #[doc = doc!("Ring.open_or_create")]
    #[staticmethod]
    #[pyo3(signature = (name, capacity=1024, **options), text_signature = "(name, capacity=1024, *, max_message_bytes=None, participants=64, redelivery=None, \
        keep_open=False, retain_bytes=None, spin=None, mode=None, prefault=False)")]
    fn open_or_create(name: &str, capacity: usize, options: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        let options = Wishes::read(capacity, options, true)?;
        Ok(port::Ring::open_or_create(name, &options).map_err(errors::open)?.into())
    }

    #[doc = doc!("Ring.anonymous")]
    #[staticmethod]
    #[pyo3(signature = (capacity=1024, **options), text_signature = "(capacity=1024, *, max_message_bytes=None, participants=64, redelivery=None, \
        keep_open=False, retain_bytes=None, spin=None, prefault=False)")]
    fn anonymous(capacity: usize, options: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        let options = Wishes::read(capacity, options, false)?;
        Ok(port::Ring::anonymous(&options).map_err(errors::open)?.into())
    }

    #[doc = doc!("Ring.from_fd")]
    #[staticmethod]
    #[pyo3(name = "from_fd")]
    fn of_fd(fd: i32) -> PyResult<Self> {
        Ok(from_fd(fd)?.into())
    }

    #[doc = doc!("Ring.unlink")]
    #[staticmethod]
    fn unlink(name: &str) -> PyResult<()> {
        ringmail::unlink(name).map_err(errors::open)
    }

    #[doc = doc!("Ring.list")]
    #[staticmethod]
    fn list(py: Python<'_>) -> PyResult<Bound<'_, PyList>> {
        let names = PyList::empty(py);
        for listed in ringmail::list().map_err(errors::open)? {
            names.append(&listed.name)?;
        }
        Ok(names)
    }

    #[doc = doc!("Ring.sender")]
    #[pyo3(signature = (*, lazy=false))]
    fn sender(&self, py: Python<'_>, lazy: bool) -> PyResult<Py<Sender>> {
        let port = Port::new(self.ring.clone(), false);
        if !lazy {
            port.sender()?;
        }
        Sender::of(py, port)
    }

    #[doc = doc!("Ring.receiver")]
    #[pyo3(signature = (*, allow_pickle=true, lazy=false))]
    fn receiver(&self, py: Python<'_>, allow_pickle: bool, lazy: bool) -> PyResult<Py<Receiver>> {
        let port = Port::new(self.ring.clone(), false);
        if !lazy {
            port.receiver()?;
        }
        Receiver::of(py, port, allow_pickle)
    }

    #[doc = doc!("Ring.stats")]
    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        stats(py, &self.ring.stats())
    }

    #[doc = doc!("Ring.recover")]
    fn recover<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let done = self.ring.recover().map_err(errors::join)?;
        let dict = PyDict::new(py);
        dict.set_item("participants", done.participants)?;
        dict.set_item("reaped", done.reaped)?;
        dict.set_item("returned", done.returned)?;
        dict.set_item("dropped", done.dropped)?;
        Ok(dict)
    }

    #[doc = doc!("Ring.close")]
    fn close(&self, py: Python<'_>) {
        py.detach(|| self.ring.close());
    }

    #[doc = doc!("Ring.closed")]
    #[getter]
    fn closed(&self) -> bool {
        self.ring.is_closed()
    }

    #[doc = doc!("Ring.capacity")]
    #[getter]
    fn capacity(&self) -> usize {
        self.ring.capacity()
    }

    #[doc = doc!("Ring.max_message_bytes")]
    #[getter]
    fn max_message_bytes(&self) -> usize {
        self.ring.max_len()
    }

    #[doc = doc!("Ring.fileno")]
    fn fileno(&self) -> i32 {
        self.ring.as_fd().as_raw_fd()
    }

    fn __repr__(&self) -> String {
        format!("<ringmail.Ring capacity={} max_message_bytes={}>", self.ring.capacity(), self.ring.max_len())
    }
}

/// A ring's figures as a dictionary.
pub fn stats<'py>(py: Python<'py>, stats: &Stats) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("capacity", stats.capacity)?;
    dict.set_item("max_message_bytes", stats.max_len)?;
    dict.set_item("backlog", stats.backlog)?;
    dict.set_item("held", stats.held)?;
    dict.set_item("sent", stats.sent)?;
    dict.set_item("received", stats.received)?;
    dict.set_item("acked", stats.acked)?;
    dict.set_item("redelivered", stats.redelivered)?;
    dict.set_item("rejected", stats.rejected)?;
    dict.set_item("dropped", stats.dropped)?;
    dict.set_item("reaped", stats.reaped)?;
    dict.set_item("segment_bytes", stats.segment_len)?;
    dict.set_item("committed_bytes", stats.committed)?;
    dict.set_item("in_use_bytes", stats.in_use)?;
    dict.set_item("closed", stats.closed)?;
    let participants = PyList::empty(py);
    for peer in &stats.participants {
        let entry = PyDict::new(py);
        entry.set_item("pid", peer.pid)?;
        entry.set_item("senders", peer.senders)?;
        entry.set_item("receivers", peer.receivers)?;
        entry.set_item("alive", peer.alive)?;
        participants.append(entry)?;
    }
    dict.set_item("participants", participants)?;
    Ok(dict)
}
