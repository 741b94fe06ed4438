//! Both ends of the stream. The flavours have the same verbs, so one text does for both.

use crate::frame::Frame;
use crate::report::Report;
use crate::source::Source;
use crate::{Args, Result};
use ringmail::Options;
use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};

macro_rules! stream {
    ($flavour:ident) => {
        #[allow(unused_mut)] // spsc wants it, mpmc does not
        pub mod $flavour {
            use super::*;
            use ringmail::$flavour::Ring;

            /// Starts the receivers and sends them frames until the source ends.
            pub fn send(args: &Args) -> Result<()> {
                let mut source = Source::open(args)?;
                let format = source.format();
                // Each receiver keeps its latest frame; beyond that, few enough to stay below a quarter of a gigabyte.
                let slots = args.receivers as usize + ((1 << 28) / format.len()).clamp(2, 8);
                let options = Options::new().capacity(slots).max_len(64 + 8 * format.words()).prefault(true);
                let ring = Ring::<Frame>::anonymous(&options)?;
                let mut tx = ring.sender()?;
                let mut children = Vec::new();
                for number in 1..=args.receivers {
                    children.push(start(number, ring.as_fd().try_clone_to_owned()?.into())?);
                }
                // Once no receiver is left, a send must not wait for one.
                let all = ring.clone();
                let watch = std::thread::spawn(move || {
                    let ends = children.iter_mut().map(|child| child.wait().is_ok_and(|end| end.success()));
                    let failures = ends.filter(|good| !good).count();
                    all.close();
                    failures
                });

                let mut sequence = 0;
                let mut pass_on = || -> Result<()> {
                    while source.has_next(sequence)? {
                        let mut frame = tx.loan(format.words())?;
                        source.fill(sequence, &mut frame.pixels)?;
                        frame.seal(sequence, format);
                        frame.commit()?;
                        sequence += 1;
                    }
                    ring.close();
                    Ok(())
                };
                let end = pass_on();
                drop(tx);
                let failures = watch.join().map_err(|_| "could not wait for the receivers")?;
                println!("sender: {sequence} frames sent, {} acknowledged", ring.stats().acked);
                match (end, failures) {
                    (end, 0) => end,
                    (Ok(()), failed) => Err(format!("{failed} of {} receivers failed", args.receivers).into()),
                    (Err(error), failed) => {
                        Err(format!("{error}; {failed} of {} receivers failed", args.receivers).into())
                    }
                }
            }

            /// Receives frames from the ring on standard input until the stream ends.
            pub fn receive(args: &Args) -> Result<()> {
                let ring = Ring::<Frame>::from_fd(std::io::stdin().as_fd().try_clone_to_owned()?)?;
                let mut rx = ring.receiver()?;
                let mut report = Report::new(args);
                let mut last = None;
                loop {
                    match rx.recv() {
                        Ok(frame) => {
                            report.check(&frame, frame.redelivered() > 0)?;
                            // The latest frame stays where it is until the next one is there: no copy.
                            if last.as_deref().is_none_or(|last: &Frame| last.head.sequence < frame.head.sequence) {
                                last = Some(frame.into_owned());
                            }
                        }
                        Err(error) if error.is_disconnected() => break,
                        Err(error) => Err(error)?,
                    }
                }
                // Of several receivers one has the frame that was sent last.
                report.finish(last.as_deref().filter(|frame| frame.head.sequence + 1 == ring.stats().sent))?;
                if ring.is_closed() { Ok(()) } else { Err("the sender left before the end".into()) }
            }
        }
    };
}

stream!(spsc);
stream!(mpmc);

/// This program again, as a receiver.
fn start(number: u32, ring: Stdio) -> Result<Child> {
    let receiver = ["--receiver".to_owned(), number.to_string()];
    Ok(Command::new(std::env::current_exe()?).args(std::env::args_os().skip(1)).args(receiver).stdin(ring).spawn()?)
}
