//! Pictures in colour, in place, between two processes: pictures a second.
//!
//! The sender copies a picture into the queue, as it comes from a decoder, and the receiver adds up all of its words where it lies, which is what
//! every picture is verified by. Who cannot lend room is given it in a buffer.

use super::{Case, Contestant, Direction, Enlist, Goal, Measure, Outcome, Size};
use crate::crew::{self, Job, Mode};
use crate::payload::Payload;
use crate::peers::ours::BLOCK;
use crate::peers::{self, Party, Visitor, ours};
use crate::queue::{Queue, Rx, Tx, Wait};

/// Pictures that may wait.
const CAPACITY: usize = 4;
/// Pictures before the clock starts: all memory has been touched by both sides.
const WARM: u64 = 2 * CAPACITY as u64;

struct Pictures;

impl<M: Payload> Measure<M> for Pictures {
    fn contestant<Q: Queue<M>>(&self, name: &'static str, mode: Mode, queue: impl Fn() -> Q + 'static) -> Contestant {
        Contestant::new(name, mode, move |cores, n| {
            let queue = queue();
            let other = queue.clone();
            let sender: Job = Box::new(move |post| {
                let (mut tx, mut picture) = (queue.sender(), M::boxed());
                picture.renumber(0);
                post.meet();
                let mut send = |number| {
                    picture.stamp(number);
                    tx.fill(|slot| slot.words_mut().copy_from_slice(picture.words()));
                };
                (0..WARM).for_each(&mut send);
                post.start();
                (WARM..WARM + n).for_each(&mut send);
                post.finish();
                post.meet();
            });
            let receiver: Job = Box::new(move |post| {
                let (mut rx, mut picture) = (other.receiver(), M::boxed());
                picture.renumber(0);
                post.meet();
                for number in 0..WARM {
                    picture.stamp(number);
                    rx.receive(|slot| assert!(slot.words() == picture.words(), "a picture that nobody sent"));
                }
                picture.stamp(0);
                let rest = picture.sum();
                post.start();
                for number in WARM..WARM + n {
                    // The number stands at both ends.
                    let sum = rest.wrapping_add(2 * number);
                    rx.receive(|slot| assert_eq!(slot.sum(), sum, "a picture that nobody sent"));
                }
                post.finish();
                post.meet();
            });
            let log = crew::run_for(20, mode, cores, vec![sender, receiver])?;
            Some(Outcome::new(n as f64 / log.elapsed.as_secs_f64(), log))
        })
    }
}

fn case<M: Payload>(name: &'static str, about: &'static str) -> Case {
    let mut contestants = Enlist(Vec::new(), Pictures);
    let options = || ours::slots(CAPACITY).prefault(true);
    Visitor::<M>::visit(&mut contestants, "ringmail spsc", Mode::Processes, move || {
        ours::Spsc::<M, BLOCK>::new(&options())
    });
    Visitor::<M>::visit(&mut contestants, "ringmail mpmc", Mode::Processes, move || {
        ours::Mpmc::<M, BLOCK>::new(&options())
    });
    peers::between_processes::<M>(Party::pair(CAPACITY, Wait::Spin), &mut contestants);
    peers::between_threads::<M>(Party::pair(CAPACITY, Wait::Spin), &mut contestants);
    Case {
        name,
        about,
        direction: Direction::MoreIsBetter("frames/s"),
        size: Size::Fitting { first: 4, step: 1 },
        contestants: contestants.0,
        goals: vec![Goal::FIRST],
    }
}

pub fn cases() -> Vec<Case> {
    vec![
        case::<[u64; 1920 * 1080 * 3 / 8]>(
            "video-1080p",
            "1920 x 1080 in colour, 6.2 MB, copied in, added up in place, capacity 4",
        ),
        case::<[u64; 3840 * 2160 * 3 / 8]>(
            "video-4k",
            "3840 x 2160 in colour, 24.9 MB, copied in, added up in place, capacity 4",
        ),
    ]
}
