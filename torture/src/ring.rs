//! Both flavours behind one face, for the controller.

use crate::ledger::Record;
use crate::worker::{Life, Setup, Side};
use ringmail::{OpenError, Options, Stats};
use std::os::fd::{AsFd, OwnedFd};

/// A ring as the controller needs it.
pub trait Checked {
    /// Its file, to be passed on.
    fn fd(&self) -> std::io::Result<OwnedFd>;
    fn stats(&self) -> Stats;
    fn close(&self);
    /// Takes all that is left, when nobody else lives.
    fn drain(&self) -> Result<Vec<Record>, String>;
    /// Sees that an empty ring has all its slots, when nobody else lives.
    fn refill(&self) -> Result<(), String>;
    /// Sees that no more memory is left in an empty ring than is to be, when nobody else lives: once somebody tidies up, and
    /// then, unless it is closed, with messages going through it and nobody who does.
    fn judge_memory(&self, dense: u64, retain: u64) -> Result<(), String>;
}

// The same files, over the one flavour and over the other: their handles differ in `&self` and `&mut self`, and in the
// types of what they hand out.
macro_rules! flavour {
    ($flavour:ident) => {
        #[path = "ring"]
        pub mod $flavour {
            use ringmail::$flavour as flavour;
            #[cfg(feature = "instrumented")]
            const NAME: &str = stringify!($flavour);
            #[path = "checking.rs"]
            pub mod checking;
            #[cfg(feature = "instrumented")]
            #[path = "long.rs"]
            pub mod long;
            #[cfg(feature = "instrumented")]
            #[path = "long_parent.rs"]
            pub mod long_parent;
            #[path = "memory.rs"]
            pub mod memory;
            #[cfg(feature = "instrumented")]
            #[path = "parent.rs"]
            pub mod parent;
            #[path = "receiving.rs"]
            pub mod receiving;
            #[cfg(feature = "instrumented")]
            #[path = "scenes.rs"]
            pub mod scenes;
            #[path = "sending.rs"]
            pub mod sending;
        }
    };
}

flavour!(mpmc);
flavour!(spsc);

#[cfg(feature = "instrumented")]
pub mod cloning;

/// Makes a ring, without a name if none is given.
pub fn create(mpmc: bool, name: Option<&str>, options: &Options) -> Result<Box<dyn Checked>, OpenError> {
    if mpmc { mpmc::checking::create(name, options) } else { spsc::checking::create(name, options) }
}

/// Opens the ring that a worker is to work with, and works.
macro_rules! work {
    ($flavour:ident, $life:ident) => {{
        let opened = match &$life.setup.name {
            Some(name) => ringmail::$flavour::Ring::<[u8]>::open(name),
            None => match std::io::stdin().as_fd().try_clone_to_owned() {
                Ok(fd) => ringmail::$flavour::Ring::<[u8]>::from_fd(fd),
                Err(error) => $life.violation(&format!("no ring given: {error}")),
            },
        };
        match (opened, $life.setup.side) {
            (Err(error), _) => $life.violation(&format!("cannot open: {error}")),
            (Ok(ring), Side::Sender) => $flavour::sending::run($life, &ring),
            (Ok(ring), Side::Receiver) => $flavour::receiving::run($life, &ring),
        }
    }};
}

/// Is a worker, to the end.
pub fn work(setup: Setup) {
    let life = Life::begin(setup);
    if life.setup.mpmc { work!(mpmc, life) } else { work!(spsc, life) }
}
