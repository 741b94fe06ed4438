//! The door to atomics, as the explorer builds it: every atomic is the name of a cell, and every access a step.
//!
//! The core calls these in place of the standard library's. There is one memory a thread, swapped in for each step.

use std::cell::{Cell, RefCell};
use std::fmt;

pub use core::sync::atomic::Ordering;

#[path = "../../src/sync/mutant.rs"]
mod mutant;

pub use self::mutant::Mutant;

/// Cells of a memory.
pub const CELLS: usize = 16;

/// Where the dead are recorded, one bit a place in the table of participants.
pub const DEAD: usize = CELLS - 1;

/// The most accesses that a piece makes.
pub const LONGEST: usize = 40;

/// All that processes share.
pub type Memory = [u64; CELLS];

/// What was done to a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Read.
    Load,
    /// Replaced.
    Store(u64),
    /// Replaced if it was the first value.
    Exchange(u64, u64),
    /// Raised.
    Max(u64),
    /// Added to.
    Add(u64),
}

/// What the accesses of an unfinished piece returned.
#[derive(Clone, Copy, Debug)]
pub struct Log {
    len: usize,
    told: [u64; LONGEST],
    cells: [u8; LONGEST],
}

impl Log {
    /// Nothing yet.
    pub const EMPTY: Self = Self { len: 0, told: [0; LONGEST], cells: [0; LONGEST] };

    /// The values.
    pub fn values(&self) -> &[u64] {
        &self.told[..self.len]
    }

    /// The values, and the cells that they are from.
    pub fn entries(&self) -> impl Iterator<Item = (usize, u64)> {
        self.cells[..self.len].iter().map(|&cell| cell.into()).zip(self.values().iter().copied())
    }
}

struct Machine {
    memory: Memory,
    log: Log,
    /// Answers given in this run of the piece.
    given: usize,
    /// Every access touches the memory, rather than one.
    free: bool,
    touched: bool,
    more: bool,
    last: Option<(usize, Act, u64)>,
}

thread_local! {
    static MACHINE: RefCell<Machine> = const {
        RefCell::new(Machine {
            memory: [0; CELLS],
            log: Log::EMPTY,
            given: 0,
            free: true,
            touched: false,
            more: false,
            last: None,
        })
    };
    static FAULT: Cell<Option<Mutant>> = const { Cell::new(None) };
}

/// Runs a piece for one step on `memory`. `None`: it has more to do, and `log` says how far it came.
#[inline]
pub fn step<T>(memory: &mut Memory, log: &mut Log, piece: impl FnOnce() -> T) -> Option<T> {
    MACHINE.with_borrow_mut(|machine| {
        machine.memory = *memory;
        machine.log.len = log.len;
        machine.log.told[..log.len].copy_from_slice(log.values());
        machine.log.cells[..log.len].copy_from_slice(&log.cells[..log.len]);
        (machine.given, machine.free, machine.touched, machine.more) = (0, false, false, false);
        machine.last = None;
    });
    let result = piece();
    MACHINE.with_borrow_mut(|machine| {
        *memory = machine.memory;
        if machine.more {
            let len = machine.log.len;
            log.told[..len].copy_from_slice(machine.log.values());
            log.cells[..len].copy_from_slice(&machine.log.cells[..len]);
            log.len = len;
            return None;
        }
        log.len = 0;
        Some(result)
    })
}

/// Runs something to its end on `memory`, alone.
pub fn alone<T>(memory: &mut Memory, run: impl FnOnce() -> T) -> T {
    MACHINE.with_borrow_mut(|machine| (machine.memory, machine.free) = (*memory, true));
    let result = run();
    MACHINE.with_borrow_mut(|machine| *memory = machine.memory);
    result
}

/// The access of the last step, if it made one: the cell, what was done, and the value before.
pub fn last() -> Option<(usize, Act, u64)> {
    MACHINE.with_borrow(|machine| machine.last)
}

/// Whether to make that mistake.
#[inline]
pub fn mutant(mutant: Mutant) -> bool {
    FAULT.get() == Some(mutant)
}

/// Chooses the mistake of this thread's explorations.
pub fn seed(mutant: Option<Mutant>) {
    FAULT.set(mutant);
}

/// The name of a cell.
pub struct AtomicU64(pub usize);

impl AtomicU64 {
    fn access(&self, act: Act) -> u64 {
        MACHINE.with_borrow_mut(|machine| machine.access(self.0, act))
    }

    /// One step.
    #[inline]
    pub fn load(&self, _: Ordering) -> u64 {
        self.access(Act::Load)
    }

    /// One step.
    #[inline]
    pub fn store(&self, value: u64, _: Ordering) {
        self.access(Act::Store(value));
    }

    /// One step.
    #[inline]
    pub fn compare_exchange(&self, from: u64, to: u64, _: Ordering, _: Ordering) -> Result<u64, u64> {
        let was = self.access(Act::Exchange(from, to));
        if was == from { Ok(was) } else { Err(was) }
    }

    /// One step.
    #[inline]
    pub fn fetch_max(&self, value: u64, _: Ordering) -> u64 {
        self.access(Act::Max(value))
    }

    /// One step.
    #[inline]
    pub fn fetch_add(&self, value: u64, _: Ordering) -> u64 {
        self.access(Act::Add(value))
    }
}

impl Machine {
    #[inline]
    fn access(&mut self, cell: usize, act: Act) -> u64 {
        if self.free {
            return self.touch(cell, act);
        }
        self.given += 1;
        if self.given <= self.log.len {
            return self.log.told[self.given - 1];
        }
        if self.touched {
            self.more = true;
            // Poison, and never a won exchange.
            return if let Act::Exchange(from, _) = act { !from } else { 0 };
        }
        self.touched = true;
        let was = self.touch(cell, act);
        (self.log.told[self.log.len], self.log.cells[self.log.len]) = (was, cell as u8);
        self.log.len += 1;
        was
    }

    #[inline]
    fn touch(&mut self, cell: usize, act: Act) -> u64 {
        let was = self.memory[cell];
        self.memory[cell] = match act {
            Act::Load => was,
            Act::Store(value) => value,
            Act::Exchange(from, to) if was == from => to,
            Act::Exchange(..) => was,
            Act::Max(value) => was.max(value),
            Act::Add(value) => was.wrapping_add(value),
        };
        self.last = Some((cell, act, was));
        was
    }
}

impl fmt::Debug for AtomicU64 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cell {}", self.0)
    }
}

/// A number of one process alone.
#[derive(Debug, Default)]
pub struct Private(Cell<u64>);

impl Private {
    /// Starts at `value`.
    pub const fn new(value: u64) -> Self {
        Self(Cell::new(value))
    }

    /// The number.
    #[inline]
    pub fn get(&self) -> u64 {
        self.0.get()
    }

    /// Replaces the number.
    #[inline]
    pub fn set(&self, value: u64) {
        self.0.set(value);
    }

    /// The number.
    #[inline]
    pub fn get_alone(&self) -> u64 {
        self.get()
    }

    /// Replaces the number.
    #[inline]
    pub fn set_alone(&self, value: u64) {
        self.set(value);
    }
}
