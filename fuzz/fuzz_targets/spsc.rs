//! An `spsc` ring whose shared words are anything, and operations on it in any order: none reads or writes outside, none hangs.
#![no_main]

ringmail_fuzz::target!(spsc);
