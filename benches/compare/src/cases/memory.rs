//! What a queue takes of memory, in KiB: its shared files by the blocks that the system has given them, and what the process itself has more of.
//!
//! One process holds both ends. *New*: they were just made. *Used*: half of the queue was filled and emptied again, four times, so that every place
//! was written and read. What the kernel keeps for a pipe or a socket cannot be seen from outside.

use super::{Case, Contestant, Direction, Enlist, Goal, Measure, Outcome, Size};
use crate::crew::{self, Mode};
use crate::payload::Payload;
use crate::peers::ours::SPIN;
use crate::peers::{self, Party, Visitor, ours};
use crate::queue::{Queue, Rx, Tx, Wait};
use std::collections::HashMap;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// When it is looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    New,
    Used,
}

struct Looking {
    when: When,
    capacity: usize,
}

impl<M: Payload> Measure<M> for Looking {
    fn contestant<Q: Queue<M>>(&self, name: &'static str, _: Mode, queue: impl Fn() -> Q + 'static) -> Contestant {
        let Self { when, capacity } = *self;
        let queue = std::sync::Arc::new(Making(queue));
        Contestant::new(name, Mode::Processes, move |cores, _| {
            let queue = std::sync::Arc::clone(&queue);
            let log = crew::run(
                Mode::Processes,
                cores,
                vec![Box::new(move |post| {
                    let queue = queue;
                    let mut message = M::boxed();
                    message.renumber(0);
                    let before = kib();
                    post.start();
                    let queue = (queue.0)();
                    let (mut tx, mut rx) = (queue.sender(), queue.receiver());
                    if when == When::Used {
                        for _ in 0..4 {
                            (0..capacity / 2).for_each(|_| tx.send(&message));
                            (0..capacity / 2).for_each(|_| rx.receive(|received| received.verify()));
                        }
                    }
                    post.report(0, kib().saturating_sub(before));
                    post.finish();
                })],
            )?;
            Some(Outcome::new(log.figure(0, 0) as f64, log))
        })
    }
}

/// What makes a queue, to be called by one forked worker.
struct Making<F>(F);

// SAFETY: it is sent to a forked process, where it is alone.
unsafe impl<F> Send for Making<F> {}
// SAFETY: as above.
unsafe impl<F> Sync for Making<F> {}

/// The memory of this process: private pages, and whole shared files, whoever has touched their pages.
fn kib() -> u64 {
    let maps = fs::read_to_string("/proc/self/smaps").expect("smaps");
    let files = open_files();
    sum(&maps, |id, path| {
        let file = files.get(&id).copied();
        file.or_else(|| Path::new(path).metadata().ok().filter(|file| key(file) == id).map(|file| file.blocks() / 2))
    })
}

/// What tells files apart.
type Id = (u64, u64);

fn key(file: &Metadata) -> Id {
    (file.dev(), file.ino())
}

/// KiB of every file that is open here.
fn open_files() -> HashMap<Id, u64> {
    let links = fs::read_dir("/proc/self/fd").expect("descriptors").flatten();
    links.filter_map(|link| link.path().metadata().ok()).map(|file| (key(&file), file.blocks() / 2)).collect()
}

/// Adds up a list of mappings. `file` knows how many KiB a file has; else it is what is mapped of it.
fn sum(maps: &str, file: impl Fn(Id, &str) -> Option<u64>) -> u64 {
    let (mut private, mut shared) = (0, HashMap::<Id, (u64, Option<u64>)>::new());
    let mut current: Option<(Id, &str)> = None;
    for line in maps.lines() {
        let mut words = line.split_whitespace();
        let first = words.next().unwrap_or_default();
        if let Some(name) = first.strip_suffix(':') {
            let kib: u64 = words.next().and_then(|word| word.parse().ok()).unwrap_or(0);
            match (current, name) {
                (None, "Anonymous") => private += kib,
                (Some((id, path)), "Rss") => {
                    let entry = shared.entry(id).or_insert_with(|| (0, file(id, path)));
                    entry.0 += kib;
                }
                _ => {}
            }
        } else {
            // Range, permissions, offset, device, inode, path.
            let [permissions, _, device, inode] = std::array::from_fn(|_| words.next().unwrap_or_default());
            let path = words.next().unwrap_or_default();
            let id = device_number(device).zip(inode.parse().ok());
            current = id.filter(|_| permissions.ends_with('s')).map(|id| (id, path));
        }
    }
    private + shared.values().map(|&(mapped, whole)| whole.unwrap_or(mapped)).sum::<u64>()
}

/// A device as the list of mappings has it, two hexadecimal numbers.
fn device_number(device: &str) -> Option<u64> {
    let (major, minor) = device.split_once(':')?;
    let number = |text| u32::from_str_radix(text, 16).ok();
    Some(libc::makedev(number(major)?, number(minor)?))
}

fn case<M: Payload>(name: &'static str, about: &'static str, capacity: usize, when: When) -> Case {
    let mut enlist = Enlist(Vec::new(), Looking { when, capacity });
    let options = move || ours::slots(capacity);
    Visitor::<M>::visit(&mut enlist, "ringmail spsc", Mode::Processes, move || ours::Spsc::<M, SPIN>::new(&options()));
    Visitor::<M>::visit(&mut enlist, "ringmail mpmc", Mode::Processes, move || ours::Mpmc::<M, SPIN>::new(&options()));
    peers::between_processes::<M>(Party::pair(capacity, Wait::Spin), &mut enlist);
    // The kernel has these.
    enlist.0.retain(|contestant| !["pipe", "Unix socket", "ipc-channel"].contains(&contestant.name));
    Case {
        name,
        about,
        direction: Direction::LessIsBetter("KiB"),
        size: Size::Fixed { n: 1, rounds: 5 },
        contestants: enlist.0,
        goals: Vec::<Goal>::new(),
    }
}

pub fn cases() -> Vec<Case> {
    const SHORT: usize = 1024;
    const LONG: usize = 64;
    type Short = [u64; 8];
    type Long = [u64; 64 * 1024 / 8];
    vec![
        case::<Short>("memory-short-new", "memory of a queue of 1024 x 64 B, just made", SHORT, When::New),
        case::<Short>("memory-short-used", "memory of a queue of 1024 x 64 B that was used", SHORT, When::Used),
        case::<Long>("memory-long-new", "memory of a queue of 64 x 64 KiB, just made", LONG, When::New),
        case::<Long>("memory-long-used", "memory of a queue of 64 x 64 KiB that was used", LONG, When::Used),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mappings_are_added_up_once_for_each_file() {
        let maps = "\
7f00-7f10 rw-p 00000000 00:00 0 \n\
Rss: 40 kB\n\
Anonymous: 36 kB\n\
7f20-7f30 rw-s 00000000 00:1a 77 /dev/shm/one\n\
Rss: 8 kB\n\
Anonymous: 0 kB\n\
7f40-7f50 rw-s 00001000 00:1a 77 /dev/shm/one\n\
Rss: 4 kB\n\
7f60-7f70 rw-s 00000000 00:01 5 /memfd:two (deleted)\n\
Rss: 16 kB\n\
VmFlags: rd wr sh\n";
        let known = |(device, inode): Id, path: &str| {
            (inode == 77 && device == libc::makedev(0, 0x1a) && path == "/dev/shm/one").then_some(100)
        };
        assert_eq!(sum(maps, known), 36 + 100 + 16);
        assert_eq!(sum(maps, |_, _| None), 36 + 12 + 16);
    }

    #[test]
    fn what_this_process_maps_is_seen() {
        let before = kib();
        // SAFETY: zeroes are bytes.
        let map = unsafe { crate::bare::Shared::<[u8; 4096]>::zeroed(4 << 20) };
        assert!(kib() >= before + 4096, "4 MiB more");
        drop(map);
    }
}
