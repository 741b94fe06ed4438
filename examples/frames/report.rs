//! What a receiver sees of the stream: whether each frame is right, and how fast they come.

use crate::frame::{Frame, now_ns};
use crate::picture::write_png;
use crate::{Args, Result};
use hdrhistogram::Histogram;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

pub struct Report<'a> {
    args: &'a Args,
    name: String,
    start: Instant,
    told: Instant,
    next: u64,
    frames: u64,
    bytes: u64,
    latency: Histogram<u64>,
}

impl<'a> Report<'a> {
    pub fn new(args: &'a Args) -> Self {
        let name = match args.receiver {
            Some(number) if args.receivers > 1 => format!("receiver {number}"),
            _ => "receiver".to_owned(),
        };
        let now = Instant::now();
        // 1 ns to 1000 s, to a tenth of a percent.
        let latency = Histogram::new_with_bounds(1, 1_000_000_000_000, 3).expect("these bounds are in order");
        Self { args, name, start: now, told: now, next: 0, frames: 0, bytes: 0, latency }
    }

    /// Checks one frame. Those that come again come late; all others come in order, and to one receiver without a gap.
    pub fn check(&mut self, frame: &Frame, again: bool) -> Result<()> {
        let head = &frame.head;
        self.latency.saturating_record(now_ns().saturating_sub(head.sent_ns));
        let in_order = if self.args.receivers == 1 { head.sequence == self.next } else { head.sequence >= self.next };
        if !in_order && !again {
            return Err(format!("{}: frame {} came where {} was due", self.name, head.sequence, self.next).into());
        }
        if frame.pixels.len() != head.format.words() || frame.checksum(head.sequence) != head.checksum {
            return Err(format!("{}: frame {} is damaged", self.name, head.sequence).into());
        }
        if self.frames == 0 {
            self.start = Instant::now();
        }
        self.next = self.next.max(head.sequence + 1);
        self.frames += 1;
        self.bytes += size_of_val(frame) as u64;
        if self.told.elapsed() >= Duration::from_millis(if self.args.receivers == 1 { 200 } else { 1000 }) {
            self.told = Instant::now();
            let mut stderr = std::io::stderr();
            // One receiver writes over its line; several would write over each other's.
            let end = if self.args.receivers == 1 && stderr.is_terminal() { '\r' } else { '\n' };
            write!(stderr, "{}{end}", self.line())?;
        }
        Ok(())
    }

    fn line(&self) -> String {
        let seconds = self.start.elapsed().as_secs_f64().max(1e-9);
        let frames = self.frames.saturating_sub(1) as f64 / seconds;
        let rate = frames * self.bytes as f64 / self.frames.max(1) as f64 / 1e9;
        let [p50, p99] = [0.5, 0.99].map(|share| self.latency.value_at_quantile(share) as f64 / 1e3);
        let Self { name, frames: count, .. } = self;
        format!(
            "{name}: {count:6} frames {frames:7.0} frames/s {rate:6.2} GB/s  latency p50 {p50:.1} us p99 {p99:.1} us "
        )
    }

    /// Tells the sum, and writes the last frame if this receiver has it.
    pub fn finish(&self, last: Option<&Frame>) -> Result<()> {
        println!("{}", self.line());
        println!("{}: every sequence number and checksum is right", self.name);
        if let Some(frame) = last {
            write_png(&self.args.png, frame)?;
            println!("{}: frame {} is in {}", self.name, frame.head.sequence, self.args.png.display());
        }
        Ok(())
    }
}
