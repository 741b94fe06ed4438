//! How a call of an event loop waits its turn.
//!
//! A wake-up comes from a thread that has nothing to do with Python. It notes the call's number at the [`Bell`] of
//! its loop, and makes the descriptor readable that the loop watches, unless it is already. So it never asks for the
//! interpreter: it cannot be kept waiting by whoever has it, nor come to grief because the interpreter is ending or
//! the loop was closed. The loop then resumes every call that was noted, and each tries for itself, in its own step:
//! a call that is cancelled between its wake-up and that has taken nothing.

use crate::port::{Port, Receiver, Sender};
use pyo3::prelude::*;
use ringmail::Waiting;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Instant;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Who was woken, and the descriptor that says that somebody was.
struct Rung {
    event: File,
    numbers: Mutex<Vec<u64>>,
}

#[doc = doc!("Bell")]
#[pyclass(frozen, module = "ringmail._native")]
pub struct Bell {
    rung: Arc<Rung>,
    given: Mutex<u64>,
}

#[pymethods]
impl Bell {
    #[new]
    fn new() -> PyResult<Self> {
        // SAFETY: numbers only.
        let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if fd < 0 {
            return Err(std::io::Error::last_os_error().into());
        }
        // SAFETY: just made, and nobody else's.
        let event = File::from(unsafe { OwnedFd::from_raw_fd(fd) });
        Ok(Self { rung: Arc::new(Rung { event, numbers: Mutex::default() }), given: Mutex::new(0) })
    }

    #[doc = doc!("Bell.fileno")]
    fn fileno(&self) -> i32 {
        self.rung.event.as_raw_fd()
    }

    #[doc = doc!("Bell.turn")]
    fn turn(&self) -> Turn {
        let number = {
            let mut given = lock(&self.given);
            *given += 1;
            *given
        };
        let waker = Waker::from(Arc::new(Ticket { rung: Arc::clone(&self.rung), number }));
        Turn { number, waker, waiting: Mutex::default(), began: Instant::now(), side: Mutex::new(Side::None) }
    }

    #[doc = doc!("Bell.answer")]
    fn answer(&self) -> Vec<u64> {
        // First the descriptor: who is woken from here on makes it readable again.
        let _ = (&self.rung.event).read(&mut [0; 8]);
        std::mem::take(&mut *lock(&self.rung.numbers))
    }
}

/// A waker of one call.
struct Ticket {
    rung: Arc<Rung>,
    number: u64,
}

impl Wake for Ticket {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut numbers = lock(&self.rung.numbers);
        numbers.push(self.number);
        let is_first = numbers.len() == 1;
        drop(numbers);
        if is_first {
            // It cannot be so full that this fails.
            let _ = (&self.rung.event).write(&1u64.to_ne_bytes());
        }
    }
}

/// The side that a call is on: it keeps it while it waits, should the object be closed meanwhile.
enum Side {
    None,
    Sending(Arc<Sender>),
    Receiving(Arc<Receiver>),
}

#[doc = doc!("Turn")]
#[pyclass(frozen, module = "ringmail._native")]
pub struct Turn {
    #[doc = doc!("Turn.number")]
    #[pyo3(get)]
    number: u64,
    waker: Waker,
    waiting: Mutex<Waiting>,
    began: Instant,
    side: Mutex<Side>,
}

#[pymethods]
impl Turn {
    #[doc = doc!("Turn.leave")]
    fn leave(&self) {
        // Dropped outside of the locks: leaving a ring wakes others.
        let waiting = std::mem::take(&mut *lock(&self.waiting));
        drop(waiting);
        let side = std::mem::replace(&mut *lock(&self.side), Side::None);
        drop(side);
    }
}

impl Turn {
    /// The sending side of a port, the same each time.
    pub fn sender(&self, port: &Port) -> PyResult<Arc<Sender>> {
        let mut side = lock(&self.side);
        if let Side::Sending(sender) = &*side {
            return Ok(Arc::clone(sender));
        }
        let sender = port.sender()?;
        *side = Side::Sending(Arc::clone(&sender));
        Ok(sender)
    }

    /// The receiving side of a port, the same each time.
    pub fn receiver(&self, port: &Port) -> PyResult<Arc<Receiver>> {
        let mut side = lock(&self.side);
        if let Side::Receiving(receiver) = &*side {
            return Ok(Arc::clone(receiver));
        }
        let receiver = port.receiver()?;
        *side = Side::Receiving(Arc::clone(&receiver));
        Ok(receiver)
    }

    /// Polls something that is done, or has this call woken.
    pub fn poll<T>(&self, poll: impl FnOnce(&mut Context<'_>, &mut Waiting) -> Poll<T>) -> Poll<T> {
        poll(&mut Context::from_waker(&self.waker), &mut lock(&self.waiting))
    }

    /// Whether it was woken because nobody of the other side is left.
    pub fn is_alarmed(&self) -> bool {
        lock(&self.waiting).take_alarm()
    }

    /// When the call began.
    pub fn began(&self) -> Instant {
        self.began
    }
}
