//! Ringmail's core in every order of steps, with a crash before each: a model checker whose model is the shipped source.
//!
//! # No copy of the algorithm
//!
//! A transition lives in one place that both the product and its proof use. This crate compiles the files of `src/ring`
//! and `src/owner.rs` a second time, under a `sync` of its own, whose atomics are names of cells in a memory that the
//! explorer keeps ([`sync`]). The product knows nothing of it, and no feature of the product is switched on for it.
//!
//! # What is a step
//!
//! One access to shared memory, sequentially consistent; also the question whether somebody is dead. (Which weaker orders
//! suffice is loom's business.) A process between two accesses is a Rust function half-way through, which cannot be kept
//! and compared. So its state is what it *was told*: each operation is cut into pieces where the core itself remembers
//! nothing but a position, and within a piece the state is the list of the values that its accesses returned. A step runs
//! the piece from its beginning, answers from the list as far as it goes, lets one more access touch the memory, and
//! answers all others with poison; their effects are ignored. A piece that asked for no more has ended, and its result counts.
//!
//! # What is checked
//!
//! [`search`] visits every state once, depth first, and keeps a fingerprint of 128 bits of each. A step back into a state
//! that is still open is a livelock; a path longer than any real one is endless work. What must hold of those who rest is
//! asked of every state ([`mpmc`]). From every state all are killed, and strangers must find what is owed and a ring that
//! works ([`mpmc::aftermath`]). From every state of the smaller spaces each process is run alone, and with any one frozen
//! the others in every order, and they must finish what can be finished ([`mpmc::progress`]). Beside all this somebody
//! clears up after the dead, and may die in it ([`mpmc::visit`]).
//!
//! What is too large for that is visited up to symmetries ([`mpmc::symmetry`]).

#[path = "../../src/owner.rs"]
pub mod owner;
#[path = "../../src/ring/mod.rs"]
pub mod ring;

pub mod bodies;
pub mod mpmc;
pub mod search;
pub mod spsc;
pub mod sync;
