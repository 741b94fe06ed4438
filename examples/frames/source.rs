//! Where frames come from: a YUV4MPEG2 stream, or a test picture.

use crate::frame::Format;
use crate::picture::Picture;
use crate::{Args, Result};
use ringmail::zerocopy::IntoBytes;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use y4m::Colorspace::*;

pub struct Source {
    kind: Kind,
    format: Format,
    /// Frames at most.
    most: u64,
}

enum Kind {
    Stream(Box<dyn BufRead>),
    Picture(Picture),
}

impl Source {
    pub fn open(args: &Args) -> Result<Self> {
        let Some(path) = &args.input else {
            let (width, height) = args.size.unwrap_or((1920, 1080));
            let format = Format::new(width, height, [2, 2], 8);
            return Ok(Self { kind: Kind::Picture(Picture::new(format)), format, most: args.frames.unwrap_or(1000) });
        };
        let mut stream: Box<dyn BufRead> = match path.to_str() {
            Some("-") => Box::new(BufReader::new(io::stdin())),
            _ => Box::new(BufReader::new(File::open(path).map_err(|error| format!("{}: {error}", path.display()))?)),
        };
        let format = header(&mut stream).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self { kind: Kind::Stream(stream), format, most: args.frames.unwrap_or(u64::MAX) })
    }

    pub fn format(&self) -> Format {
        self.format
    }

    /// Whether there is one more frame.
    pub fn has_next(&mut self, sequence: u64) -> Result<bool> {
        let Kind::Stream(stream) = &mut self.kind else { return Ok(sequence < self.most) };
        if sequence >= self.most {
            return Ok(false);
        }
        let mut line = Vec::new();
        stream.take(1024).read_until(b'\n', &mut line)?;
        match line.strip_suffix(b"\n").map(|line| line.starts_with(b"FRAME")) {
            None if line.is_empty() => Ok(false),
            Some(true) => Ok(true),
            _ if line.starts_with(b"YUV4MPEG2 ") => {
                Err(format!("input: another stream begins after frame {sequence}, which is not supported").into())
            }
            _ => Err(format!("input: no frame where frame {} should begin", sequence + 1).into()),
        }
    }

    /// Puts the frame's pixels where they are to be: read from the file straight into the ring.
    pub fn fill(&mut self, sequence: u64, pixels: &mut [u64]) -> Result<()> {
        let pixels = &mut pixels.as_mut_bytes()[..self.format.len()];
        match &mut self.kind {
            Kind::Picture(picture) => picture.paint(sequence, pixels),
            Kind::Stream(stream) => stream
                .read_exact(pixels)
                .map_err(|error| format!("input: frame {} is not complete: {error}", sequence + 1))?,
        }
        Ok(())
    }
}

/// Reads the head of a YUV4MPEG2 stream.
fn header(stream: &mut dyn BufRead) -> Result<Format> {
    let head = y4m::Decoder::new(stream).map_err(|error| match error {
        y4m::Error::EOF => "the input is empty or ends in its head".to_owned(),
        y4m::Error::UnknownColorspace => "unknown colour space".to_owned(),
        y4m::Error::OutOfMemory => "frames larger than 1 GiB".to_owned(),
        error => format!("not a YUV4MPEG2 stream: {error}"),
    })?;
    let space = head.get_colorspace();
    let chroma = match space {
        Cmono | Cmono12 => [0, 0],
        C420 | C420p10 | C420p12 | C420jpeg | C420paldv | C420mpeg2 => [2, 2],
        C422 | C422p10 | C422p12 => [2, 1],
        C444 | C444p10 | C444p12 => [1, 1],
        other => return Err(format!("colour space {other:?} is not supported").into()),
    };
    let side = |side: usize| u32::try_from(side).map_err(|_| format!("a side of {side} pixels"));
    Ok(Format::new(side(head.get_width())?, side(head.get_height())?, chroma, space.get_bit_depth() as u32))
}
