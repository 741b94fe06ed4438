//! The examples, run as they stand: what they print, how they end, and that they leave nothing behind.
//!
//! `cargo test` builds them before it runs this; `cargo test --test examples` alone does not.
#![allow(clippy::disallowed_methods, reason = "tests look at the system from outside")]

mod support;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use support::{Side, WATCHDOG, wait_asleep, wait_for, watchdog};

/// An example that runs, in a process group of its own; whoever is left of it goes with this.
struct Example {
    child: Child,
    lines: mpsc::Receiver<String>,
    errors: Option<JoinHandle<String>>,
}

/// How an example ended.
#[derive(Debug)]
struct End {
    status: ExitStatus,
    out: Vec<String>,
    err: String,
}

impl Example {
    fn start(name: &str, args: &[&str], input: Stdio) -> Self {
        Self::start_with(name, args, input, "")
    }

    fn start_with(name: &str, args: &[&str], input: Stdio, ring: &str) -> Self {
        Self::start_all(name, args, input, Stdio::piped(), ring)
    }

    /// With its standard output somewhere else than here.
    fn start_to(name: &str, args: &[&str], input: Stdio, output: Stdio) -> Self {
        Self::start_all(name, args, input, output, "")
    }

    fn start_all(name: &str, args: &[&str], input: Stdio, output: Stdio, ring: &str) -> Self {
        let test = std::env::current_exe().expect("a test knows its program");
        let built = test.ancestors().nth(2).expect("target/*/deps/examples").join("examples");
        let program = built.join(name);
        assert!(program.exists(), "{} is missing: cargo build --examples", program.display());
        let mut command = Command::new(program);
        command.args(args).env("RING", ring).env("RUST_BACKTRACE", "0").process_group(0);
        command.stdin(input).stdout(output).stderr(Stdio::piped());
        let mut child = command.spawn().expect("an example starts");
        let (out, mut err) = (child.stdout.take(), child.stderr.take().expect("piped"));
        let (send, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in out.into_iter().flat_map(|out| BufReader::new(out).lines().map_while(Result::ok)) {
                let _ = send.send(line);
            }
        });
        let errors = thread::spawn(move || {
            let mut text = String::new();
            err.read_to_string(&mut text).expect("errors are text");
            text
        });
        Self { child, lines, errors: Some(errors) }
    }

    fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    /// Waits for a line on its standard output.
    fn next_line(&self) -> String {
        self.lines.recv_timeout(WATCHDOG).expect("the example says something")
    }

    /// Its live processes but the first: who was started by it.
    fn others(&self) -> Vec<i32> {
        let group = self.pid();
        let tasks = fs::read_dir("/proc").expect("there is a /proc").flatten();
        let pids = tasks.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        let lives = |pid: &i32| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            let fields: Vec<&str> = stat.rsplit_once(") ").map_or(vec![], |(_, rest)| rest.split(' ').collect());
            fields.len() > 2 && fields[0] != "Z" && fields[2] == group.to_string()
        };
        pids.filter(|pid| *pid != group).filter(lives).collect()
    }

    /// Waits until it has started `count` others, which run its own program by now.
    fn wait_others(&self, count: usize) -> Vec<i32> {
        let mut others = Vec::new();
        let program = |pid: i32| fs::read_link(format!("/proc/{pid}/exe")).ok();
        let role = |pid: i32| fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        wait_for("the example's children", || {
            others = self.others();
            others.retain(|pid| program(*pid) == program(self.pid()) && role(*pid) != role(self.pid()));
            others.len() == count
        });
        others
    }

    /// Waits until it ends by itself, and all that it started.
    fn end(mut self) -> End {
        let mut status = None;
        wait_for("an example to end", || {
            status = self.child.try_wait().expect("it is our child");
            status.is_some()
        });
        wait_for("what an example started to end", || self.others().is_empty());
        let err = self.errors.take().expect("taken once").join().expect("errors were read");
        let out = self.lines.iter().collect();
        End { status: status.expect("waited for"), out, err }
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        self.others().into_iter().for_each(|pid| signal(pid, libc::SIGKILL));
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl End {
    fn good(self) -> Self {
        assert!(self.status.success(), "{self:#?}");
        self
    }

    /// It failed by itself, and said why.
    fn failed(self, why: &str) -> Self {
        assert_eq!(self.status.code(), Some(1), "{self:#?}");
        assert!(self.err.contains(why), "no {why:?} in {self:#?}");
        self
    }

    fn says(&self, what: &str) -> bool {
        self.out.iter().any(|line| line.contains(what))
    }
}

fn signal(pid: i32, signal: i32) {
    // SAFETY: kill touches no memory.
    unsafe { libc::kill(pid, signal) };
}

fn run(name: &str, args: &[&str]) -> End {
    Example::start(name, args, Stdio::null()).end()
}

/// A directory that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let path = std::env::temp_dir().join(&*support::name("examples"));
        fs::create_dir(&path).expect("a new directory");
        Self(path)
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("a path of text").to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Names in shared memory that have `part` in them.
fn left_behind(part: &str) -> Vec<String> {
    let names = fs::read_dir("/dev/shm").expect("there is shared memory").flatten();
    let names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.starts_with("ringmail.") && name.contains(part)).collect()
}

#[test]
fn hello_to_one_who_waits() {
    let _watchdog = watchdog("hello, received first");
    let ring = support::name("hello");
    let recv = Example::start_with("hello", &["recv"], Stdio::null(), &ring);
    assert!(recv.next_line().contains("waiting"));
    let sent = Example::start_with("hello", &["send", "good", "morning"], Stdio::null(), &ring).end().good();
    assert_eq!(sent.out, ["sent: good morning", "it was received"]);
    assert_eq!(recv.end().good().out, ["received: good morning", "all senders have left"]);
    assert!(!ring.exists());
}

#[test]
fn hello_to_one_who_comes_later() {
    let _watchdog = watchdog("hello, sent first");
    let ring = support::name("hello");
    let send = Example::start_with("hello", &["send"], Stdio::null(), &ring);
    assert_eq!(send.next_line(), "sent: hello");
    wait_asleep(&ring, Side::Senders);
    let received = Example::start_with("hello", &["recv"], Stdio::null(), &ring).end().good();
    assert_eq!(received.out[1..], ["received: hello", "all senders have left"]);
    assert_eq!(send.end().good().out, ["it was received"]);
    assert!(!ring.exists());
}

/// How many frames each receiver says it got, from its sum.
fn frames_of(end: &End) -> Vec<u64> {
    let sums = end.out.iter().filter(|line| line.contains("frames/s"));
    let counts = sums.filter_map(|line| line.split_once(": ")?.1.split_whitespace().next()?.parse().ok());
    counts.collect()
}

/// A PNG file's width, height and pixels.
fn png(path: &str) -> (u32, u32, Vec<u8>) {
    let file = BufReader::new(fs::File::open(path).expect("a picture was written"));
    let mut reader = png::Decoder::new(file).read_info().expect("it is a PNG");
    let mut pixels = vec![0; reader.output_buffer_size().expect("small")];
    let info = reader.next_frame(&mut pixels).expect("it is whole");
    pixels.truncate(info.buffer_size());
    (info.width, info.height, pixels)
}

#[test]
fn frames_of_the_test_picture() {
    let _watchdog = watchdog("frames");
    let folder = Folder::new();
    // Also sides that are odd, and frames that do not fill their last word.
    for (size, width, height) in [("320x180", 320, 180), ("17x19", 17, 19)] {
        let path = folder.file("last.png");
        let end = run("frames", &["--frames", "300", "--size", size, "--png", &path]).good();
        assert_eq!(frames_of(&end), [300]);
        assert!(end.says("every sequence number and checksum is right"), "{end:#?}");
        assert!(end.says("300 frames sent, 300 acknowledged"), "{end:#?}");
        let sum = end.out.iter().find(|line| line.contains("frames/s")).expect("a sum");
        for figure in [" frames/s", " GB/s", "latency p50 ", " us p99 ", " us"] {
            assert!(sum.contains(figure), "no {figure:?} in {sum:?}");
        }
        let (columns, rows, pixels) = png(&path);
        assert_eq!((columns, rows), (width, height));
        assert!(pixels.chunks(3).any(|pixel| pixel != &pixels[..3]), "the picture is all one colour");
    }
}

#[test]
fn frames_are_full_hd_unless_told_otherwise() {
    let _watchdog = watchdog("frames of no size");
    let folder = Folder::new();
    let path = folder.file("last.png");
    let end = run("frames", &["--frames", "3", "--png", &path]).good();
    assert_eq!(frames_of(&end), [3]);
    let (columns, rows, _) = png(&path);
    assert_eq!((columns, rows), (1920, 1080));
}

#[test]
fn frames_to_several_receivers() {
    let _watchdog = watchdog("frames to several");
    let folder = Folder::new();
    let path = folder.file("last.png");
    let args = ["--receivers", "3", "--frames", "500", "--size", "64x48", "--png", &path];
    let end = run("frames", &args).good();
    assert_eq!(frames_of(&end).len(), 3);
    assert_eq!(frames_of(&end).iter().sum::<u64>(), 500);
    assert!(end.says("frame 499 is in"), "{end:#?}");
    assert_eq!(png(&path).0, 64);
}

/// A YUV4MPEG2 stream of pictures of one colour each.
fn stream(width: usize, height: usize, space: y4m::Colorspace, colours: &[[u8; 3]]) -> Vec<u8> {
    use y4m::Colorspace::*;
    let (chroma, deep) = match space {
        Cmono => (0, false),
        C422 => (width.div_ceil(2) * height, false),
        C444 => (width * height, false),
        C420p10 => (width.div_ceil(2) * height.div_ceil(2), true),
        _ => (width.div_ceil(2) * height.div_ceil(2), false),
    };
    let mut bytes = Vec::new();
    let builder = y4m::encode(width, height, y4m::Ratio::new(25, 1)).with_colorspace(space);
    let mut encoder = builder.write_header(&mut bytes).expect("memory takes it");
    for colour in colours {
        let planes = [width * height, chroma, chroma];
        let plane = |place: usize| -> Vec<u8> {
            let value = colour[place];
            let sample = if deep { (u16::from(value) << 2).to_le_bytes().to_vec() } else { vec![value] };
            sample.repeat(planes[place])
        };
        let (y, u, v) = (plane(0), plane(1), plane(2));
        encoder.write_frame(&y4m::Frame::new([&y, &u, &v], None)).expect("memory takes it");
    }
    bytes
}

const BLACK: [u8; 3] = [16, 128, 128];
const GREY: [u8; 3] = [126, 128, 128];
const RED: [u8; 3] = [81, 90, 240];

#[test]
fn frames_of_a_file() {
    use y4m::Colorspace::*;
    let _watchdog = watchdog("frames of a file");
    let folder = Folder::new();
    let (input, path) = (folder.file("in.y4m"), folder.file("last.png"));
    for space in [C420, C420jpeg, C422, C444, C420p10, Cmono] {
        let (last, rgb) = if let Cmono = space { (GREY, [128, 128, 128]) } else { (RED, [255, 0, 0]) };
        fs::write(&input, stream(21, 13, space, &[BLACK, GREY, last])).expect("a file");
        let end = run("frames", &["--input", &input, "--png", &path]).good();
        assert_eq!(frames_of(&end), [3], "{space:?}: {end:#?}");
        let (width, height, pixels) = png(&path);
        assert_eq!((width, height), (21, 13));
        let far = pixels.chunks(3).find(|pixel| pixel.iter().zip(rgb).any(|(is, should)| is.abs_diff(should) > 3));
        assert_eq!((pixels.len(), far), (21 * 13 * 3, None), "{space:?}");
    }
    // Only the first of them.
    let end = run("frames", &["--input", &input, "--frames", "1", "--png", &path]).good();
    assert_eq!(frames_of(&end), [1]);
    assert!(png(&path).2.iter().all(|&byte| byte == 0), "the first frame is black");
}

#[test]
fn frames_of_ffmpeg() {
    let _watchdog = watchdog("frames of ffmpeg");
    let folder = Folder::new();
    let (input, path) = (folder.file("in.y4m"), folder.file("last.png"));
    // As ffmpeg heads it.
    let mut bytes = b"YUV4MPEG2 W4 H2 F25:1 Ip A1:1 C420jpeg XYSCSS=420JPEG XCOLORRANGE=LIMITED\nFRAME\n".to_vec();
    bytes.extend([RED[0]; 8].iter().chain(&[RED[1]; 2]).chain(&[RED[2]; 2]));
    fs::write(&input, bytes).expect("a file");
    assert_eq!(frames_of(&run("frames", &["--input", &input, "--png", &path]).good()), [1]);
    let (columns, rows, pixels) = png(&path);
    assert_eq!((columns, rows), (4, 2));
    assert!(pixels[0] > 250 && pixels[1] < 5, "the frame is red, not {:?}", &pixels[..3]);
}

#[test]
fn frames_of_standard_input() {
    let _watchdog = watchdog("frames of standard input");
    let folder = Folder::new();
    let path = folder.file("last.png");
    for receivers in ["1", "2"] {
        let args = ["--input", "-", "--receivers", receivers, "--png", &path];
        let mut example = Example::start("frames", &args, Stdio::piped());
        let mut input = example.child.stdin.take().expect("piped");
        // A pipe gives what it has: neither heads nor frames come whole.
        for piece in stream(64, 36, y4m::Colorspace::C420, &[BLACK, GREY, BLACK, RED]).chunks(1000) {
            input.write_all(piece).expect("the example reads");
        }
        drop(input);
        let end = example.end().good();
        assert_eq!(frames_of(&end).iter().sum::<u64>(), 4, "{end:#?}");
        let (_, _, pixels) = png(&path);
        assert!(pixels[0] > 250 && pixels[1] < 5, "the last frame is red, not {:?}", &pixels[..3]);
    }
}

#[test]
fn frames_says_what_is_wrong_with_its_input() {
    let _watchdog = watchdog("frames of bad files");
    let folder = Folder::new();
    let (input, path) = (folder.file("in.y4m"), folder.file("last.png"));
    let good = stream(32, 18, y4m::Colorspace::C420, &[GREY, RED]);
    let changed = |from: &str, to: &str| {
        let text = String::from_utf8_lossy(&good[..40]).replace(from, to);
        assert!(text.contains(to), "{text}");
        text.into_bytes()
    };
    let cases: [(Vec<u8>, &str); 9] = [
        (vec![], "the input is empty"),
        (b"RIFF\n".to_vec(), "not a YUV4MPEG2 stream"),
        (vec![b'x'; 5000], "not a YUV4MPEG2 stream"),
        (good[..good.len() - 1].to_vec(), "frame 2 is not complete"),
        ([&good[..], b"FRAME"].concat(), "no frame where frame 3 should begin"),
        ([&good[..], b"PICTURE\n"].concat(), "no frame where frame 3 should begin"),
        ([&good[..], &good[..]].concat(), "another stream begins after frame 2"),
        (changed("C420", "C999"), "unknown colour space"),
        (changed("W32 H18", "W99999 H99999"), "larger than 1 GiB"),
    ];
    for (bytes, why) in cases {
        fs::write(&input, bytes).expect("a file");
        run("frames", &["--input", &input, "--png", &path]).failed(why);
    }
    // A head and nothing else is a stream of no frames.
    let head = good.iter().position(|&byte| byte == b'\n').expect("a head ends");
    fs::write(&input, &good[..=head]).expect("a file");
    assert_eq!(frames_of(&run("frames", &["--input", &input, "--png", &path]).good()), [0]);
    let nowhere = folder.file("no/such/folder.png");
    run("frames", &["--frames", "2", "--size", "16x16", "--png", &nowhere]).failed(&nowhere);
}

/// Feeds frames without end, until nobody reads them.
fn feed(mut input: ChildStdin) -> JoinHandle<()> {
    thread::spawn(move || {
        let stream = stream(64, 36, y4m::Colorspace::C420, &[GREY]);
        let head = stream.iter().position(|&byte| byte == b'\n').expect("a head ends") + 1;
        let mut alive = input.write_all(&stream[..head]).is_ok();
        while alive {
            alive = input.write_all(&stream[head..]).is_ok();
        }
    })
}

#[test]
fn frames_ends_when_its_receiver_is_killed() {
    let _watchdog = watchdog("frames without a receiver");
    let mut example = Example::start("frames", &["--input", "-"], Stdio::piped());
    let feeder = feed(example.child.stdin.take().expect("piped"));
    let receivers = example.wait_others(1);
    signal(receivers[0], libc::SIGKILL);
    let end = example.end().failed("1 of 1 receivers failed");
    assert!(end.err.contains("disconnected"), "{end:#?}");
    feeder.join().expect("the feeder ended");
}

#[test]
fn frames_goes_on_when_one_of_its_receivers_is_killed() {
    let _watchdog = watchdog("frames with a receiver less");
    let folder = Folder::new();
    let args = ["--input", "-", "--receivers", "3", "--frames", "100000", "--png", &folder.file("last.png")];
    let mut example = Example::start("frames", &args, Stdio::piped());
    let feeder = feed(example.child.stdin.take().expect("piped"));
    let receivers = example.wait_others(3);
    signal(receivers[1], libc::SIGKILL);
    let end = example.end().failed("1 of 3 receivers failed");
    assert!(end.says("100000 frames sent, 100000 acknowledged"), "{end:#?}");
    assert_eq!(frames_of(&end).len(), 2);
    feeder.join().expect("the feeder ended");
}

#[test]
fn the_receiver_of_frames_ends_when_their_sender_is_killed() {
    let _watchdog = watchdog("frames without a sender");
    let folder = Folder::new();
    let mut example = Example::start("frames", &["--input", "-", "--png", &folder.file("last.png")], Stdio::piped());
    let feeder = feed(example.child.stdin.take().expect("piped"));
    example.wait_others(1);
    signal(example.pid(), libc::SIGKILL);
    let end = example.end();
    assert!(end.err.contains("the sender left before the end"), "{end:#?}");
    feeder.join().expect("the feeder ended");
}

#[test]
fn actors_and_learner() {
    let _watchdog = watchdog("actor_learner");
    let end = run("actor_learner", &["--steps", "3000"]).good();
    let last = end.out.last().expect("it says something");
    let steps: u64 = last.split_whitespace().next().and_then(|word| word.parse().ok()).expect("how many steps");
    // What was on its way when the learner had enough is taken too: at most the ring's 256 and a batch.
    assert!((3000..3000 + 256 + 32).contains(&steps), "{end:#?}");
    assert!(last.contains("steps/s"), "{end:#?}");
    let batch =
        last.split_once(" a batch").and_then(|(before, _)| before.split_whitespace().last()?.parse::<f64>().ok());
    assert!(batch.is_some_and(|mean| mean > 1.0), "several steps come at once: {end:#?}");
}

#[test]
fn actors_and_learner_end_with_ctrl_c() {
    let _watchdog = watchdog("actor_learner, interrupted");
    for to_all in [true, false] {
        let example = Example::start("actor_learner", &["--steps", "1000000000000"], Stdio::null());
        let mut all = example.wait_others(4);
        all.push(example.pid());
        let is_prepared = |pid: &i32| {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
            let caught = caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
            caught >> (libc::SIGINT - 1) & 1 == 1
        };
        wait_for("handlers of Ctrl-C", || all.iter().all(is_prepared));
        assert!(example.next_line().contains("steps/s"));
        // From a terminal it goes to all of them; from `kill` to one.
        signal(if to_all { -example.pid() } else { example.pid() }, libc::SIGINT);
        let end = example.end().good();
        assert_eq!(end.err, "");
    }
}

#[test]
fn a_work_queue() {
    let _watchdog = watchdog("work_queue");
    let example = Example::start("work_queue", &["--jobs", "40"], Stdio::null());
    let pid = example.pid();
    let end = example.end().good();
    assert!(end.says("40 results for 40 jobs, 2 of 4 workers died"), "{end:#?}");
    for job in ["job 7: done by worker", "job 13: done by worker"] {
        assert!(end.out.iter().any(|line| line.starts_with(job) && line.contains("redelivered 1 time")), "{end:#?}");
    }
    assert!(end.err.contains("in the middle of job 7"), "{end:#?}");
    assert_eq!(left_behind(&format!("work_queue.{pid}.")), [""; 0]);
}

#[test]
fn many_rings_and_one_thread() {
    let _watchdog = watchdog("async_fan_in");
    let example = Example::start("async_fan_in", &[], Stdio::null());
    let pid = example.pid();
    let end = example.end().good();
    for sensor in 0..8 {
        let (count, mean) = if sensor == 5 { (10, 25.5) } else { (1000, 20.5 + f64::from(sensor)) };
        assert!(end.says(&format!("sensor {sensor}: {count} readings, {mean} degrees")), "{end:#?}");
    }
    assert_eq!(left_behind(&format!("async_fan_in.{pid}.")), [""; 0]);
}

/// Bytes of which no two places look alike for long.
fn picture(len: usize) -> Vec<u8> {
    (0..len as u64).map(|place| (place.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8).collect()
}

#[test]
fn file_copy_copies() {
    let _watchdog = watchdog("file_copy");
    let folder = Folder::new();
    let (input, output) = (folder.file("in"), folder.file("out"));
    for len in [0, 1, 5_000_000] {
        let bytes = picture(len);
        fs::write(&input, &bytes).expect("a file");
        for (args, how) in [(&[][..], "ring"), (&["--pipe"], "pipe")] {
            let (from, to) = (fs::File::open(&input).expect("in"), fs::File::create(&output).expect("out"));
            let end = Example::start_to("file_copy", args, from.into(), to.into()).end().good();
            assert!(end.err.starts_with(&format!("{len} bytes in ")) && end.err.contains(how), "{end:#?}");
            assert!(fs::read(&output).expect("it was written") == bytes, "{len} bytes through a {how}");
        }
    }
    // A pipe gives what it has.
    let to = fs::File::create(&output).expect("out");
    let mut example = Example::start_to("file_copy", &[], Stdio::piped(), to.into());
    let (mut stdin, bytes) = (example.child.stdin.take().expect("piped"), picture(1_000_000));
    bytes.chunks(777).for_each(|piece| stdin.write_all(piece).expect("the example reads"));
    drop(stdin);
    assert!(example.end().good().err.starts_with("1000000 bytes in "));
    assert!(fs::read(&output).expect("it was written") == bytes);
}

#[test]
fn file_copy_ends_when_either_side_is_killed() {
    let _watchdog = watchdog("file_copy, killed");
    for kill_the_sender in [true, false] {
        let output = fs::File::create("/dev/null").expect("nowhere");
        let mut example = Example::start_to("file_copy", &[], Stdio::piped(), output.into());
        let mut input = example.child.stdin.take().expect("piped");
        let receiver = example.wait_others(1)[0];
        let feeder = thread::spawn(move || while input.write_all(&[7; 65_536]).is_ok() {});
        wait_for("some bytes to be read", || {
            let io = fs::read_to_string(format!("/proc/{receiver}/io")).unwrap_or_default();
            io.lines().any(|line| line.strip_prefix("wchar: ").is_some_and(|bytes| bytes.len() > 6))
        });
        if kill_the_sender {
            signal(example.pid(), libc::SIGKILL);
            let end = example.end();
            assert!(end.err.contains("file_copy: the stream broke off"), "{end:#?}");
        } else {
            signal(receiver, libc::SIGKILL);
            example.end().failed("disconnected");
        }
        feeder.join().expect("the feeder ended");
    }
}

/// A sender that cannot read on does not let it look like the end.
#[test]
fn file_copy_fails_on_both_sides_when_the_input_does() {
    let _watchdog = watchdog("file_copy of a directory");
    let folder = Folder::new();
    let end = Example::start("file_copy", &[], fs::File::open(&folder.0).expect("a directory").into()).end();
    let end = end.failed("Is a directory");
    assert!(end.err.contains("the stream broke off"), "{end:#?}");
    let full = fs::File::create("/dev/full").expect("there is a /dev/full");
    let input = fs::File::open(std::env::current_exe().expect("ourselves")).expect("a file");
    let end = Example::start_to("file_copy", &[], input.into(), full.into()).end();
    end.failed("No space left");
}

#[test]
fn a_recorded_run_survives_its_process() {
    let _watchdog = watchdog("file_ring");
    let folder = Folder::new();
    let path = folder.file("run.ring");
    let mut next = 0;
    for _ in 0..2 {
        let example = Example::start("file_ring", &["record", &path], Stdio::null());
        assert_eq!(example.next_line(), format!("recording from step {next} on"));
        let steps = || {
            let out = run("file_ring", &["peek", &path]).good().out;
            out[0].split_once(' ').expect("a number of steps").0.parse::<usize>().expect("a number")
        };
        wait_for("some steps", || steps() >= 20);
        signal(example.pid(), libc::SIGKILL);
        example.end();
        let recorded = steps();
        let out = run("file_ring", &["replay", &path]).good().out;
        assert!(out[0].starts_with(&format!("{recorded} steps in ")), "{out:?}");
        assert_eq!(out[1], format!("{recorded} steps taken out, up to {}", next + recorded - 1));
        next += recorded;
    }
    assert_eq!(run("file_ring", &["replay", &path]).good().out[1], "0 steps taken out, up to none");
    // Bytes that are no ring are said to be none.
    fs::write(&path, "something else").expect("a file");
    run("file_ring", &["record", &path]).failed("not a ring");
}

#[test]
fn nonsense_is_answered_with_what_is_allowed() {
    let _watchdog = watchdog("nonsense");
    let cases: &[(&str, &[&str], &str)] = &[
        ("hello", &[], "send [TEXT ...]"),
        ("hello", &["recieve"], "`recv`"),
        ("hello", &["recv", "now"], "`recv`"),
        ("frames", &["--frame", "3"], "--frames N"),
        ("frames", &["movie.y4m"], "--input FILE"),
        ("frames", &["--frames"], "--frames"),
        ("frames", &["--frames", "0"], "1 and up"),
        ("frames", &["--frames", "many"], "1 and up"),
        ("frames", &["--frames", "-1"], "1 and up"),
        ("frames", &["--receivers", "0"], "1 to 16"),
        ("frames", &["--receivers", "17"], "1 to 16"),
        ("frames", &["--size", "1920"], "16x16 to 16384x16384"),
        ("frames", &["--size", "0x0"], "16x16 to 16384x16384"),
        ("frames", &["--size", "99999x10"], "16x16 to 16384x16384"),
        ("frames", &["--input", "/no/such/file", "--size", "64x64"], "only one of them"),
        ("frames", &["--input", "/no/such/file"], "/no/such/file: No such file"),
        ("frames", &["--input", "/"], "/: "),
        ("actor_learner", &["--steps", "0"], "`--steps N`"),
        ("actor_learner", &["--steps"], "`--steps N`"),
        ("actor_learner", &["fast"], "`--steps N`"),
        ("work_queue", &["--jobs", "0"], "`--jobs N`, 1 to 10000"),
        ("work_queue", &["--jobs", "1e9"], "`--jobs N`, 1 to 10000"),
        ("work_queue", &["--help"], "`--jobs N`, 1 to 10000"),
        ("work_queue", &["--worker", "nobody"], "no ring named"),
        ("async_fan_in", &["fast"], "nothing"),
        ("async_fan_in", &["nobody", "1", "1"], "no ring named"),
        ("file_copy", &["in", "out"], "`--pipe`"),
        ("file_copy", &["--pipe", "out"], "`--pipe`"),
        ("file_copy", &["--from-ring"], "not a regular file"),
        ("file_ring", &[], "`record FILE`"),
        ("file_ring", &["record"], "`record FILE`"),
        ("file_ring", &["replay", "/no/such/ring"], "no ring named \"/no/such/ring\""),
        ("file_ring", &["peek", "/dev/null"], "not a regular file"),
        ("file_ring", &["record", "/no/such/folder/ring"], "/no/such/folder/ring"),
    ];
    for (name, args, why) in cases {
        let end = run(name, args).failed(why);
        assert!(end.err.starts_with(&format!("{name}: ")), "{end:#?}");
        assert!(end.out.is_empty(), "{end:#?}");
    }
}

#[test]
fn examples_are_short() {
    fn files(folder: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).expect("a directory").flatten().map(|entry| entry.path());
        entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
    }
    for path in files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")) {
        let lines = fs::read_to_string(&path).expect("text").lines().count();
        assert!(lines < 100, "{} has {lines} lines", path.display());
    }
}
