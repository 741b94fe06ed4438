//! Video frames from one process to others, in place.
//!
//! ```sh
//! cargo run --release --example frames
//! cargo run --release --example frames -- --receivers 3 --size 640x360
//! ffmpeg -i x.mp4 -f yuv4mpegpipe - | cargo run --release --example frames -- --input -
//! ```
//!
//! The program starts itself again as the receiver, which finds the ring as its standard input. `stream.rs` is the part that
//! uses Ringmail.

mod frame;
mod picture;
mod report;
mod source;
mod stream;

use lexopt::{Arg, Parser, ValueExt};
use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

pub type Result<T> = std::result::Result<T, Box<dyn Error>>;

const USAGE: &str = "\
frames [--input FILE.y4m | --input - | --size WIDTHxHEIGHT] [--frames N] [--receivers N] [--png FILE]

  --input FILE       a YUV4MPEG2 file, or - for standard input; without it, a moving test picture
  --size WxH         the size of the test picture, 16x16 to 16384x16384 [1920x1080]
  --frames N         stop after so many frames, 1 and up [1000, or all of the input]
  --receivers N      1 to 16 processes, each frame to one of them; one uses an spsc ring, more an mpmc ring [1]
  --png FILE         where the last frame goes [frames.png]

A real video: ffmpeg -i x.mp4 -f yuv4mpegpipe - | cargo run --release --example frames -- --input -";

#[derive(Clone, Debug)]
pub struct Args {
    pub input: Option<PathBuf>,
    pub size: Option<(u32, u32)>,
    pub frames: Option<u64>,
    pub receivers: u32,
    pub png: PathBuf,
    /// Which receiver this process is; the sender is none.
    pub receiver: Option<u32>,
}

fn parse() -> Result<Args> {
    let mut args =
        Args { input: None, size: None, frames: None, receivers: 1, png: "frames.png".into(), receiver: None };
    let mut parser = Parser::from_env();
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Long("input") => args.input = Some(parser.value()?.into()),
            Arg::Long("size") => args.size = Some(size(&parser.value()?.string()?)?),
            Arg::Long("frames") => args.frames = Some(number("frames", &parser.value()?.string()?, u64::MAX)?),
            Arg::Long("receivers") => args.receivers = number("receivers", &parser.value()?.string()?, 16)? as u32,
            Arg::Long("png") => args.png = parser.value()?.into(),
            Arg::Long("receiver") => args.receiver = Some(parser.value()?.parse()?),
            Arg::Long("help") | Arg::Short('h') => {
                println!("{USAGE}");
                std::process::exit(0);
            }
            other => return Err(format!("{}\n\n{USAGE}", other.unexpected()).into()),
        }
    }
    if args.input.is_some() && args.size.is_some() {
        return Err("--size is for the test picture, an --input has its own: give only one of them".into());
    }
    Ok(args)
}

fn number(option: &str, text: &str, most: u64) -> Result<u64> {
    let bounds = if most == u64::MAX { "1 and up".to_owned() } else { format!("1 to {most}") };
    let number = text.parse().ok().filter(|number| (1..=most).contains(number));
    number.ok_or_else(|| format!("--{option} {text}: allowed is {bounds}").into())
}

fn size(text: &str) -> Result<(u32, u32)> {
    let sizes = text.split_once('x').and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)));
    let allowed = sizes.filter(|(width, height)| [width, height].iter().all(|side| (16..=16384).contains(*side)));
    allowed.ok_or_else(|| format!("--size {text}: allowed is 16x16 to 16384x16384, as in 1920x1080").into())
}

fn main() -> ExitCode {
    let done = parse().and_then(|args| match (args.receiver, args.receivers) {
        (None, 1) => stream::spsc::send(&args),
        (None, _) => stream::mpmc::send(&args),
        (Some(_), 1) => stream::spsc::receive(&args),
        (Some(_), _) => stream::mpmc::receive(&args),
    });
    if let Err(error) = done {
        eprintln!("frames: {error}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
