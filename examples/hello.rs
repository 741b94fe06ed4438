//! A message from one terminal to another; start either first.
//!
//! ```sh
//! cargo run --example hello -- recv
//! cargo run --example hello -- send Good morning
//! ```
//!
//! The ring is called `hello`, or what `RING` says in the environment.

use ringmail::{Options, mpmc};
use std::error::Error;
use std::process::ExitCode;

/// Sends one message and waits until somebody has dealt with it.
fn send(name: &str, text: &str) -> Result<(), Box<dyn Error>> {
    let tx = mpmc::Ring::<[u8]>::open_or_create(name, &Options::new())?.sender()?;
    tx.send(text.as_bytes())?;
    println!("sent: {text}");
    tx.wait_acked(None)?;
    println!("it was received");
    Ok(())
}

/// Receives until all senders have left.
fn recv(name: &str) -> Result<(), Box<dyn Error>> {
    let rx = mpmc::Ring::<[u8]>::open_or_create(name, &Options::new())?.receiver()?;
    println!("waiting for messages on ring {name:?}");
    for message in rx.iter() {
        println!("received: {}", String::from_utf8_lossy(&message));
    }
    println!("all senders have left");
    Ok(())
}

fn main() -> ExitCode {
    let name = std::env::var("RING").unwrap_or_else(|_| "hello".to_owned());
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words[..] {
        ["send"] => send(&name, "hello"),
        ["send", ref text @ ..] => send(&name, &text.join(" ")),
        ["recv"] => recv(&name),
        _ => Err("say `send [TEXT ...]` in one terminal and `recv` in another".into()),
    };
    if let Err(error) = done {
        eprintln!("hello: {error}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
