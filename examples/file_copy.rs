//! Standard input to standard output, through a ring between two processes; or, to compare, through a pipe.
//!
//! ```sh
//! tar c dir | cargo run --release --example file_copy | tar x -C elsewhere
//! cargo run --release --example file_copy -- --pipe < file > copy
//! ```
//!
//! The receiver is this program once more, the ring or the pipe its standard input. It ends with an error if the sender
//! is killed; one that reads from a pipe cannot tell that from the end.

use ringmail::{spsc, stream};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;
const BUFFER: usize = 128 << 10; // What is read at once from a pipe, or for one.

fn input() -> io::Result<OwnedFd> {
    io::stdin().as_fd().try_clone_to_owned()
}

/// Reads standard input straight into the ring; says how many bytes there were.
fn send_by_ring(to: &mut stream::Writer) -> io::Result<u64> {
    let (mut input, mut total) = (File::from(input()?), 0);
    while let bytes = input.read(to.spare()?)?
        && bytes > 0
    {
        to.advance(bytes)?;
        total += bytes as u64;
    }
    Ok(total)
}

fn send_by_pipe(mut to: impl Write) -> io::Result<u64> {
    let (mut input, mut buffer, mut total) = (File::from(input()?), vec![0; BUFFER], 0);
    while let bytes = input.read(&mut buffer)?
        && bytes > 0
    {
        to.write_all(&buffer[..bytes])?;
        total += bytes as u64;
    }
    Ok(total)
}

/// Writes to standard output what comes, from where it lies.
fn receive(mut from: impl BufRead) -> Result<()> {
    let mut output = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    while let bytes = from.fill_buf()?
        && !bytes.is_empty()
    {
        let written = output.write(bytes)?;
        from.consume(written);
    }
    Ok(())
}

/// Starts the receiver, sends, and says how long it took until all was written.
fn copy(how: &str) -> Result<()> {
    let (mut receiver, start) = (Command::new(std::env::current_exe()?), Instant::now());
    receiver.arg(format!("--from-{how}"));
    let (total, end) = if how == "pipe" {
        let mut receiver = receiver.stdin(Stdio::piped()).spawn()?;
        (send_by_pipe(receiver.stdin.take().ok_or("no pipe")?), receiver.wait()?)
    } else {
        let ring = spsc::Ring::<[u8]>::anonymous(&stream::options())?;
        let mut writer = stream::Writer::new(ring.sender()?);
        let mut receiver = receiver.stdin(ring.as_fd().try_clone_to_owned()?).spawn()?;
        let watch = std::thread::spawn(move || {
            let end = receiver.wait();
            ring.close(); // Should it fail before it joins, nobody waits for it.
            end
        });
        let mut total = send_by_ring(&mut writer);
        match total {
            Ok(sent) => total = writer.finish().map(|_| sent),
            Err(_) => drop(writer.into_inner()), // Not an end: the receiver is to fail too.
        }
        (total, watch.join().map_err(|_| "could not wait for the receiver")??)
    };
    let (total, seconds) = (total?, start.elapsed().as_secs_f64());
    eprintln!("{total} bytes in {seconds:.3} s through a {how}: {:.2} GB/s", total as f64 / seconds / 1e9);
    end.success().then_some(()).ok_or("the receiver failed".into())
}

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let receiver = || Ok(spsc::Ring::<[u8]>::from_fd(input()?)?.receiver()?);
    let done = match (words.next().as_deref(), words.next()) {
        (None, _) => copy("ring"),
        (Some("--pipe"), None) => copy("pipe"),
        (Some("--from-ring"), None) => receiver().and_then(|receiver| receive(stream::Reader::new(receiver))),
        (Some("--from-pipe"), None) => receive(BufReader::with_capacity(BUFFER, io::stdin())),
        _ => Err("allowed is `--pipe`, or nothing".into()),
    };
    done.inspect_err(|error| eprintln!("file_copy: {error}")).map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS)
}
