//! One death: a process is started, dies where it was told, and what it leaves is put right by the living.

use crate::ring::{mpmc, spsc};
use crate::sweep::compare::{Seen, compare};
use crate::sweep::table::{Relief, Scene};
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// Longer than anything takes for which nobody waits.
pub const LONG: Duration = Duration::from_secs(2);
/// A child that lives so long waits for ever.
const FOREVER: Duration = Duration::from_secs(5);

/// One death.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a> {
    pub flavour: &'a str,
    pub scene: &'a Scene,
    pub name: &'a str,
    pub point: u64,
}

/// What was seen, and what came of it.
pub type Found = (Seen, Result<&'static str, String>);

macro_rules! point {
    ($function:ident, $flavour:ident, $parent:ident, $message:ty) => {
        fn $function(told: &Told<'_>) -> io::Result<Found> {
            use $flavour::$parent as parent;
            type Ring = ringmail::$flavour::Ring<$message>;
            let (scene, name) = (told.scene, told.name);
            let ring: Option<Ring> = (scene.name != "create").then(|| parent::prepare(name, scene));
            let mut seen = Seen::default();
            let mut victim = Victim::start(told)?;
            let ended = victim.watch(scene, |relief| {
                seen.relieved = true;
                seen.received.extend(ring.as_ref().and_then(|ring| parent::relieve(ring, relief)));
            })?;
            seen.said = std::mem::take(&mut victim.said);
            if let Err(wrong) = ended {
                return Ok((seen, Err(wrong)));
            }
            let start = Instant::now();
            let Some(mut ring) = ring else { return Ok((seen, parent::can_create(name).map(|()| "can be created"))) };
            if scene.is_crowded() {
                // Another one beside the parent, who has to take the place of the dead.
                let parent = ring;
                ring = Ring::open(name).map_err(io::Error::other)?;
                drop(ring.receiver());
                drop(parent);
            }
            let outcome = parent::take_all(&ring).and_then(|rest| {
                seen.received.extend(rest);
                seen.dropped = ring.stats().dropped;
                let outcome = compare(scene, &seen)?;
                parent::put_right(&ring, scene)?;
                let elapsed = start.elapsed();
                if elapsed > LONG { Err(format!("putting it right took {elapsed:?}")) } else { Ok(outcome) }
            });
            Ok((seen, outcome))
        }
    };
}

point!(mpmc_point, mpmc, parent, [u8]);
point!(spsc_point, spsc, parent, [u8]);
point!(mpmc_long_point, mpmc, long_parent, [u8]);
point!(spsc_long_point, spsc, long_parent, [u8]);
point!(mpmc_sized_point, mpmc, parent, [u8; 48]);
point!(spsc_sized_point, spsc, parent, [u8; 48]);

impl Told<'_> {
    pub fn play(&self) -> io::Result<Found> {
        match (self.flavour, self.scene.is_sized()) {
            ("mpmc", _) if self.scene.is_long() => mpmc_long_point(self),
            (_, _) if self.scene.is_long() => spsc_long_point(self),
            ("mpmc", false) => mpmc_point(self),
            ("mpmc", true) => mpmc_sized_point(self),
            (_, false) => spsc_point(self),
            (_, true) => spsc_sized_point(self),
        }
    }
}

/// Who is to die.
struct Victim {
    child: Child,
    output: ChildStdout,
    said: String,
}

impl Drop for Victim {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Victim {
    fn start(told: &Told<'_>) -> io::Result<Self> {
        let mut command = Command::new("/proc/self/exe");
        command.args(["scene", told.flavour, told.scene.name, told.name, &told.point.to_string()]);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let output = child.stdout.take().expect("piped");
        Ok(Self { child, output, said: String::new() })
    }

    /// Sees it to its end; relieves it once when it sleeps, if its scene waits.
    fn watch(&mut self, scene: &Scene, mut relieve: impl FnMut(Relief)) -> io::Result<Result<(), String>> {
        let (start, mut relief) = (Instant::now(), scene.relief);
        loop {
            let ended = self.child.try_wait()?;
            self.listen()?;
            if let Some(status) = ended {
                return Ok(if status.code().is_none_or(|code| code == 0) {
                    Ok(())
                } else {
                    Err("it panicked".to_owned())
                });
            }
            if start.elapsed() > FOREVER {
                return Ok(Err("it waits for ever".to_owned()));
            }
            if relief != Relief::None && self.is_asleep() {
                relieve(std::mem::replace(&mut relief, Relief::None));
            }
            std::thread::sleep(Duration::from_micros(200));
        }
    }

    /// Whether it has begun its last call, and sleeps in it: for others nothing in a scene sleeps.
    fn is_asleep(&self) -> bool {
        let state = || {
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).ok()?;
            stat.rsplit_once(") ")?.1.chars().next()
        };
        self.said.lines().any(|line| line == "armed") && state() == Some('S')
    }

    /// Reads what it has said so far.
    fn listen(&mut self) -> io::Result<()> {
        let mut bytes = [0; 4096];
        loop {
            let mut ready = libc::pollfd { fd: self.output.as_raw_fd(), events: libc::POLLIN, revents: 0 };
            // SAFETY: `ready` is writable.
            if unsafe { libc::poll(&mut ready, 1, 0) } <= 0 {
                return Ok(());
            }
            match self.output.read(&mut bytes)? {
                0 => return Ok(()),
                count => self.said.push_str(&String::from_utf8_lossy(&bytes[..count])),
            }
        }
    }
}
