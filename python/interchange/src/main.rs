//! A Rust process that exchanges values with Python.
//!
//! ```text
//! ringmail-interchange REQUESTS REPLIES          sends each value back
//! ringmail-interchange scan SCANS ANSWERS COUNT  sends scans and is answered
//! ```

mod echo;
mod scanner;

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["scan", scans, answers, count] => scanner::run(scans, answers, count.parse()?),
        [requests, replies] => echo::run(requests, replies),
        _ => Err("usage: ringmail-interchange [scan] RING RING [COUNT]".into()),
    }
}
