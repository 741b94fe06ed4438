//! The sweep: in every scene one process dies at its first access to shared memory, then another one at its second, and so
//! on, until one gets to the end.
//!
//! After each death the parent knows from the dead one's own words what its calls had returned. Then everything sent must
//! come, but for what the dead had got as far as acknowledging; nothing else may come but what it was just sending; what
//! it had been handed comes flagged; both roles can be taken; the ring has all its slots; and none of that takes long.

use crate::ring::{Checked, mpmc, spsc};
use ringmail::torture;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Write};
use std::panic::Location;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Slots of every scene's ring.
pub const SLOTS: usize = 4;
/// The last point, should a scene not end.
const MOST: u64 = 5000;
/// Longer than anything takes for which nobody waits.
const LONG: Duration = Duration::from_secs(2);
/// A child that lives so long waits for ever.
const FOREVER: Duration = Duration::from_secs(5);

/// A scene: its name, messages that the parent sends before, whether the child's last call may acknowledge or send.
struct Scene {
    name: &'static str,
    before: u64,
    /// What may be gone: received by the child's last call, or before it.
    acks: std::ops::Range<u64>,
    /// What may be there although its send had not returned.
    sends: std::ops::Range<u64>,
}

const fn scene(name: &'static str, before: u64, acks: std::ops::Range<u64>, sends: std::ops::Range<u64>) -> Scene {
    Scene { name, before, acks, sends }
}

const SCENES: [Scene; 26] = [
    scene("create", 0, 0..0, 0..0),
    scene("open", 2, 0..0, 0..0),
    scene("sender", 2, 0..0, 0..0),
    scene("receiver", 2, 0..0, 0..0),
    scene("send", 1, 0..0, 100..101),
    scene("send, next lap", 0, 0..0, 200..201),
    scene("send, full", SLOTS as u64, 0..0, 100..101),
    scene("loan, commit", 1, 0..0, 100..101),
    scene("loan, drop", 1, 0..0, 0..0),
    scene("send_many", 1, 0..0, 100..103),
    scene("wait_acked", 0, 0..0, 0..0),
    scene("reap", 1, 0..0, 100..101),
    scene("bump", 0, 100..101, 200..201),
    scene("leave sending", 1, 0..0, 0..0),
    scene("recv", 2, 0..1, 0..0),
    scene("recv, empty", 0, 50..51, 0..0),
    scene("recv_many", 4, 0..3, 0..0),
    scene("recv_many, reject", 4, 0..0, 0..0),
    scene("recv_into", 2, 0..1, 0..0),
    scene("ack", 2, 0..1, 0..0),
    scene("reject", 2, 0..0, 0..0),
    scene("into_owned", 2, 0..1, 0..0),
    scene("adopt", 1, 0..1, 0..0),
    scene("adopt, second heir", 3, 0..3, 0..0),
    scene("leave receiving", 2, 0..1, 0..0),
    scene("unlink", 2, 0..0, 0..0),
];

/// In a child: says a line to the parent, in one piece.
pub fn say(line: &str) {
    let _ = io::stdout().write_all(format!("{line}\n").as_bytes());
}

/// In a child: plays a scene and dies at the point it was told.
pub fn play(told: &[String]) {
    let [flavour, scene, name, point] = told else { panic!("a scene is flavour, name, ring and point") };
    let point = point.parse().expect("a number");
    let arm = || torture::arm(point, die);
    if flavour == "mpmc" {
        mpmc::scenes::play(scene, name, arm)
    } else {
        spsc::scenes::play(scene, name, arm)
    }
    torture::disarm();
}

fn die(at: &'static Location<'static>) -> ! {
    say(&format!("at {}:{}", at.file(), at.line()));
    // SAFETY: signals this process.
    unsafe { libc::raise(libc::SIGKILL) };
    unreachable!("killed")
}

/// Sweeps the scenes whose names contain one of `filters`, or all. Returns whether all was right.
pub fn run(filters: &[String]) -> io::Result<bool> {
    let (mut points, mut wrong, start) = (0, 0, Instant::now());
    for flavour in ["mpmc", "spsc"] {
        for scene in &SCENES {
            let title = format!("{flavour} {}", scene.name);
            // Nothing is passed over in an spsc ring.
            if title == "spsc bump" {
                continue;
            }
            if filters.is_empty() || filters.iter().any(|filter| title.contains(filter.as_str())) {
                let (swept, failed) = sweep(flavour, scene, &title)?;
                points += swept;
                wrong += failed;
            }
        }
    }
    println!("\n{points} points swept in {:.0} s, {wrong} with something wrong", start.elapsed().as_secs_f32());
    Ok(wrong == 0 && points > 0)
}

fn sweep(flavour: &str, scene: &Scene, title: &str) -> io::Result<(u64, u64)> {
    let mut outcomes: BTreeMap<&str, u64> = BTreeMap::new();
    let (mut places, mut wrong) = (BTreeSet::new(), 0);
    for point in 0..MOST {
        let name = format!("sweep-{}-{point}", std::process::id());
        let told = Told { flavour, scene, name: &name, point };
        let result = match flavour {
            "mpmc" => mpmc_point(&told)?,
            _ => spsc_point(&told)?,
        };
        let _ = ringmail::unlink(&name);
        if std::path::Path::new(&format!("/dev/shm/ringmail.{name}")).exists() {
            println!("VIOLATION {title}, point {point}: the name is left");
            wrong += 1;
        }
        let (said, outcome) = result;
        let at = said.lines().find_map(|line| line.strip_prefix("at ")).map(str::to_owned);
        match outcome {
            Ok(what) => *outcomes.entry(what).or_default() += u64::from(at.is_some()),
            Err(what) => {
                println!("VIOLATION {title}, point {point} at {}: {what}", at.as_deref().unwrap_or("the end"));
                wrong += 1;
            }
        }
        let Some(at) = at else {
            let outcomes: Vec<_> = outcomes.iter().map(|(what, count)| format!("{count} {what}")).collect();
            println!("{title:24} {point:4} points at {:3} places: {}", places.len(), outcomes.join(", "));
            return Ok((point, wrong));
        };
        places.insert(at);
    }
    println!("VIOLATION {title}: it does not end");
    Ok((MOST, wrong + 1))
}

/// One death.
struct Told<'a> {
    flavour: &'a str,
    scene: &'a Scene,
    name: &'a str,
    point: u64,
}

/// What the dead said, and what came of it.
type Found = (String, Result<&'static str, String>);

macro_rules! point {
    ($function:ident, $flavour:ident) => {
        fn $function(told: &Told<'_>) -> io::Result<Found> {
            use $flavour::scenes;
            let Told { scene, name, .. } = *told;
            let ring = (scene.name != "create").then(|| scenes::prepare(name, scene.before));
            let mut child = told.start()?;
            let (mut received, mut relieved) = (Vec::new(), false);
            let alive = wait(&mut child, Duration::from_millis(30))?;
            if alive && let Some(ring) = &ring {
                received.extend(scenes::relieve(ring, scene.name));
                relieved = true;
            }
            if alive && wait(&mut child, FOREVER)? {
                child.kill()?;
                child.wait()?;
                return Ok((String::new(), Err("it waits for ever".to_owned())));
            }
            let ok = child.wait()?.code().is_none_or(|code| code == 0);
            let mut said = String::new();
            child.stdout.take().expect("piped").read_to_string(&mut said)?;
            if !ok {
                return Ok((said, Err("it panicked".to_owned())));
            }
            let start = Instant::now();
            let Some(ring) = ring else { return Ok((said, scenes::can_create(name).map(|()| "can be created"))) };
            let outcome = scenes::take_all(&ring).and_then(|rest| {
                received.extend(rest);
                let outcome = compare(scene, &said, &received, relieved)?;
                if !ring.is_closed() {
                    ring.refill()?;
                }
                drop(ring);
                let elapsed = start.elapsed();
                if elapsed > LONG { Err(format!("putting it right took {elapsed:?}")) } else { Ok(outcome) }
            });
            Ok((said, outcome))
        }
    };
}

point!(mpmc_point, mpmc);
point!(spsc_point, spsc);

impl Told<'_> {
    fn start(&self) -> io::Result<Child> {
        let mut command = Command::new("/proc/self/exe");
        command.args(["scene", self.flavour, self.scene.name, self.name, &self.point.to_string()]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()
    }
}

/// Waits for the child's end, for at most `time`. Returns whether it lives.
fn wait(child: &mut Child, time: Duration) -> io::Result<bool> {
    let start = Instant::now();
    while child.try_wait()?.is_none() {
        if start.elapsed() > time {
            return Ok(true);
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    Ok(false)
}

/// Compares what the dead said with what came.
fn compare(scene: &Scene, said: &str, received: &[(u64, u32)], relieved: bool) -> Result<&'static str, String> {
    let of = |word: &str| -> BTreeSet<u64> {
        said.lines().filter_map(|line| line.strip_prefix(word)?.trim().parse().ok()).collect()
    };
    let (sent, held, acked) = (of("sent "), of("held "), of("acked "));
    let mut due: BTreeSet<u64> = (0..scene.before).chain(sent).collect();
    if scene.name == "recv, empty" && relieved {
        due.insert(50);
    }
    let mut came = BTreeSet::new();
    let mut last = None;
    for &(seq, redelivered) in received {
        if acked.contains(&seq) || !came.insert(seq) {
            return Err(format!("message {seq} comes again"));
        }
        if !due.contains(&seq) && !scene.sends.contains(&seq) {
            return Err(format!("message {seq} was never sent"));
        }
        if held.contains(&seq) && redelivered == 0 {
            return Err(format!("message {seq} comes again and does not say so"));
        }
        if redelivered == 0 && last.replace(seq).is_some_and(|last| last > seq) {
            return Err(format!("message {seq} comes out of order"));
        }
    }
    // Gone may be only what the dead had been handed, and was to acknowledge. (`recv_into` hands nothing out before it does.)
    let excused = |seq: &u64| scene.acks.contains(seq) && (held.contains(seq) || scene.name == "recv_into");
    if let Some(lost) = due.iter().find(|seq| !came.contains(seq) && !acked.contains(seq) && !excused(seq)) {
        return Err(format!("message {lost} is lost"));
    }
    let again = received.iter().any(|&(_, redelivered)| redelivered > 0);
    let (sends, acks) = (scene.sends.clone(), scene.acks.clone());
    Ok(match () {
        () if again => "redelivered",
        () if sends.clone().any(|seq| came.contains(&seq)) => "sent",
        () if !sends.is_empty() => "not sent",
        () if !acks.is_empty() && acks.clone().all(|seq| !due.contains(&seq)) => "nothing to receive",
        () if acks.clone().all(|seq| !came.contains(&seq)) && !acks.is_empty() => "acknowledged",
        () if !acks.is_empty() => "not received",
        () => "as before",
    })
}
