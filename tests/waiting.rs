//! Waiting: no wake-up is lost, an idle waiter costs nothing, timeouts are kept, and signals change none of that.

#[macro_use]
mod support;

use ringmail::{Options, mpmc as many};
use std::cell::Cell;
use std::hint::spin_loop;
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use support::{Process, Seeded, Side, WATCHDOG, hear, name, role, say, wait_asleep, wait_for, watchdog};

const EACH: u64 = 50_000;

/// The most turns that somebody rests who polls: a moment, about as long as the other side needs to fall asleep.
const MOST_TURNS: usize = 5;

/// Nothing but sleeps: whoever misses does not spin.
const SLEEPY: Options = Options::new().capacity(2).spin(Duration::ZERO);

/// A wait of so long, in vain.
type Wait<'a> = &'a mut dyn FnMut(Duration);

/// How much longer than `time` a wait took that ends after it; not before it.
fn overrun(what: &str, time: Duration, wait: Wait<'_>) -> Duration {
    let start = Instant::now();
    wait(time);
    let took = start.elapsed();
    took.checked_sub(time).unwrap_or_else(|| panic!("{what} of {time:?} took {took:?}"))
}

/// Processor time of this thread.
fn busy() -> Duration {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    #[allow(clippy::disallowed_methods, reason = "tests look at the system from outside")]
    // SAFETY: `now` is a timespec for the call to fill.
    unsafe {
        libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut now)
    };
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

/// A wait costs no more than 0.1 % of a core. Processor time, so a busy machine adds little; and that not to each of three spells.
fn is_idle(who: &str, mut wait: impl FnMut(Duration)) {
    const SPELL: Duration = Duration::from_secs(2);
    let spells = [(); 3].map(|()| {
        let before = busy();
        wait(SPELL);
        (busy() - before).as_secs_f64() / SPELL.as_secs_f64()
    });
    let share = spells.into_iter().fold(1.0, f64::min);
    println!("a blocked {who} costs {:.4} % of a core", 100.0 * share);
    assert!(share < 0.001, "a blocked {who} costs {spells:?} of a core");
}

both! {
    #[test]
    fn child() {
        let Some((role, args)) = role() else { return };
        ringmail::set_nap(WATCHDOG * 10);
        let ring = flavour::Ring::<u64>::open(&args[0]).unwrap();
        let mut turns = Seeded(args[1].parse().unwrap());
        let mut rest = || (0..turns.below(MOST_TURNS)).for_each(|_| spin_loop());
        if role.starts_with("send") {
            let mut tx = ring.sender().unwrap();
            say("joined");
            hear();
            for number in 1..=EACH {
                if role == "send by polling" {
                    rest();
                    while tx.try_send(&number).is_err() {
                        spin_loop();
                    }
                } else {
                    tx.send(&number).unwrap();
                }
            }
            say("sent");
        } else {
            let mut rx = ring.receiver().unwrap();
            say("joined");
            let (mut count, mut sum) = (0, 0);
            loop {
                let message = if role == "receive by polling" {
                    rest();
                    rx.try_recv().map_err(|error| error.is_empty())
                } else {
                    rx.recv().map_err(|_| false)
                };
                match message {
                    Ok(message) => {
                        count += 1;
                        sum += *message;
                    }
                    Err(true) => spin_loop(),
                    Err(false) => break,
                }
            }
            say(format!("received {count} {sum}"));
        }
    }

    /// Every message of a crowd of processes gets through a ring so small that somebody sleeps all the time, and sleeps until he is
    /// woken: were a single wake-up lost, it would be given up.
    pub fn soak(options: &Options, senders: &[&str], receivers: &[&str]) {
        let name = name("soak");
        let ring = flavour::Ring::<u64>::create(&name, options).unwrap();
        let start = |roles: &[&str]| -> Vec<_> {
            roles.iter().zip(1..).map(|(role, seed)| Process::start(CHILD, role, &[&name, &seed.to_string()])).collect()
        };
        let mut receivers = start(receivers);
        receivers.iter_mut().for_each(|receiver| drop(receiver.expect("joined")));
        let mut processes = start(senders);
        processes.iter_mut().for_each(|sender| drop(sender.expect("joined")));
        let start = Instant::now();
        processes.iter_mut().for_each(|sender| sender.tell("go"));
        let mut total = (0, 0);
        for mut sender in processes {
            sender.expect("sent");
            sender.finish();
        }
        for mut receiver in receivers {
            let said = receiver.expect("received");
            let (count, sum) = said.split_once(' ').unwrap();
            total = (total.0 + count.parse::<u64>().unwrap(), total.1 + sum.parse::<u64>().unwrap());
            receiver.finish();
        }
        println!("{} messages in {:?}", total.0, start.elapsed());
        let senders = senders.len() as u64;
        assert_eq!(total, (senders * EACH, senders * EACH * (EACH + 1) / 2));
        drop(ring);
        assert!(!name.exists());
    }

    #[test]
    fn one_to_one_by_sleeping() {
        soak(&SLEEPY.capacity(1), &["send"], &["receive"]);
    }

    #[test]
    fn one_to_one_without_membarrier() {
        soak(&SLEEPY.membarrier(false), &["send"], &["receive"]);
    }

    /// A publisher that keeps its eyes open meets the other side as it falls asleep.
    #[test]
    fn one_sleeps_and_one_polls() {
        for fenced in [false, true] {
            let options = SLEEPY.capacity(1).membarrier(!fenced);
            soak(&options, &["send by polling"], &["receive"]);
            soak(&options, &["send"], &["receive by polling"]);
        }
    }

    /// Has `each` wait in vain, by every verb that may be given a time, as long as it likes.
    fn in_vain(options: &Options, each: &mut dyn FnMut(&str, Wait<'_>)) {
        let (mut tx, mut rx) = flavour::channel::<[u8]>(options).unwrap();
        each("recv_timeout", &mut |time| assert!(rx.recv_timeout(time).unwrap_err().is_timeout()));
        each("recv_deadline", &mut |time| assert!(rx.recv_deadline(Instant::now() + time).unwrap_err().is_timeout()));
        each("recv_many_timeout", &mut |time| assert!(rx.recv_many_timeout(3, time).unwrap_err().is_timeout()));
        while tx.try_send(b"full").is_ok() {}
        each("send_timeout", &mut |time| assert!(tx.send_timeout(b"x", time).unwrap_err().is_timeout()));
        each("send_deadline", &mut |time| {
            assert!(tx.send_deadline(b"x", Instant::now() + time).unwrap_err().is_timeout());
        });
        each("send_parts_timeout", &mut |time| {
            assert!(tx.send_parts_timeout(&[b"x", b"y"], time).unwrap_err().is_timeout());
        });
        each("loan_timeout", &mut |time| assert!(tx.loan_timeout(1, time).unwrap_err().is_timeout()));
        each("wait_acked", &mut |time| assert!(tx.wait_acked(Some(time)).unwrap_err().is_timeout()));
    }

    /// Never early, and once in a while on time: what the machine adds, it does not add each time.
    fn is_kept(options: &Options, time: Duration, times: u32) {
        let _watchdog = watchdog("a timeout");
        in_vain(options, &mut |verb, wait| {
            let mut least = Duration::MAX;
            (0..times).for_each(|_| least = least.min(overrun(verb, time, wait)));
            wait_for(verb, || {
                least = least.min(overrun(verb, time, wait));
                least < Duration::from_millis(1)
            });
            println!("{verb} of {time:?} takes {least:?} longer");
        });
    }

    #[test]
    fn a_timeout_is_kept() {
        is_kept(&SLEEPY, Duration::from_millis(5), 20);
    }

    #[test]
    fn a_timeout_is_kept_by_who_spins() {
        is_kept(&SLEEPY.spin(Duration::from_secs(1)), Duration::from_millis(5), 20);
    }

    #[test]
    fn a_timeout_is_kept_that_takes_two_sleeps() {
        is_kept(&SLEEPY, Duration::from_millis(260), 0);
    }

    #[test]
    fn a_timeout_may_be_nothing_or_for_ever() {
        let _watchdog = watchdog("a timeout");
        let (mut tx, mut rx) = flavour::channel::<u64>(&SLEEPY.capacity(1)).unwrap();
        let past = Instant::now();
        assert!(rx.recv_timeout(Duration::ZERO).unwrap_err().is_timeout());
        assert!(rx.recv_deadline(past).unwrap_err().is_timeout());
        // What can complete completes, however late.
        tx.send_timeout(&1, Duration::ZERO).unwrap();
        assert!(tx.send_timeout(&2, Duration::ZERO).unwrap_err().is_timeout());
        assert!(tx.send_deadline(&2, past).unwrap_err().is_timeout());
        assert!(tx.wait_acked(Some(Duration::ZERO)).unwrap_err().is_timeout());
        assert_eq!(*rx.recv_deadline(past).unwrap(), 1);
        tx.wait_acked(Some(Duration::ZERO)).unwrap();
        tx.send_deadline(&2, past).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                tx.send_timeout(&3, Duration::MAX).unwrap();
                tx.wait_acked(Some(Duration::MAX)).unwrap();
            });
            for number in [2, 3] {
                assert_eq!(*rx.recv_timeout(Duration::MAX).unwrap(), number);
            }
        });
    }

    #[test]
    fn an_idle_waiter_costs_next_to_nothing() {
        let (_tx, mut rx) = flavour::channel::<u64>(&Options::new().capacity(1)).unwrap();
        let (mut full, _receiver) = flavour::channel::<u64>(&Options::new().capacity(1)).unwrap();
        full.send(&1).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| is_idle("receiver", |time| assert!(rx.recv_timeout(time).unwrap_err().is_timeout())));
            scope.spawn(|| is_idle("sender", |time| assert!(full.send_timeout(&2, time).unwrap_err().is_timeout())));
        });
    }

    #[test]
    fn signals_do_not_shorten_a_wait() {
        let _watchdog = watchdog("a wait amid signals");
        amid_signals(10, || {
            in_vain(&SLEEPY, &mut |verb, wait| _ = overrun(verb, Duration::from_millis(100), wait));
        });
    }

    #[test]
    fn a_signal_that_is_heeded_ends_a_wait() {
        const HOUR: Duration = Duration::from_secs(3600);
        let _watchdog = watchdog("a wait that a signal is to end");
        let (_tx, mut rx) = flavour::channel::<u64>(&SLEEPY.capacity(1)).unwrap();
        let (mut full, _receiver) = flavour::channel::<u64>(&SLEEPY.capacity(1)).unwrap();
        full.send(&1).unwrap();
        ringmail::heed_signals(true);
        amid_signals(3, || {
            assert!(rx.recv_timeout(HOUR).unwrap_err().is_timeout());
            assert!(full.send_timeout(&2, HOUR).unwrap_err().is_timeout());
            assert!(full.wait_acked(Some(HOUR)).unwrap_err().is_timeout());
        });
        ringmail::heed_signals(false);
    }

    #[test]
    fn signals_do_not_break_a_wait() {
        const COUNT: u64 = 2000;
        let _watchdog = watchdog("a wait amid signals");
        let (mut tx, mut rx) = flavour::channel::<u64>(&SLEEPY.capacity(1)).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| (0..2 * COUNT).for_each(|number| tx.send(&number).unwrap()));
            amid_signals(1, || {
                (0..COUNT).for_each(|number| assert_eq!(*rx.recv().unwrap(), number));
                for number in COUNT..2 * COUNT {
                    assert_eq!(rx.recv_many(3).unwrap().iter().copied().collect::<Vec<_>>(), [number]);
                }
            });
        });
        std::thread::scope(|scope| {
            scope.spawn(|| (0..2 * COUNT).for_each(|number| assert_eq!(*rx.recv().unwrap(), number)));
            amid_signals(1, || {
                for number in 0..COUNT {
                    tx.send(&(2 * number)).unwrap();
                    tx.loan_uninit().unwrap().write(2 * number + 1).unwrap();
                    tx.wait_acked(None).unwrap();
                }
            });
        });
    }

    #[test]
    fn acknowledgements_are_waited_for() {
        let _watchdog = watchdog("a wait for acknowledgements");
        let name = name("acked");
        let ring = flavour::Ring::<u64>::create(&name, &SLEEPY.capacity(4)).unwrap();
        let (mut tx, mut rx) = (ring.sender().unwrap(), ring.receiver().unwrap());
        tx.wait_acked(None).unwrap();
        (0..3).for_each(|number| tx.send(&number).unwrap());
        let acked = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                tx.wait_acked(None).unwrap();
                assert!(acked.load(Relaxed), "not before the last one is done with");
            });
            drop(rx.recv().unwrap());
            drop(rx.recv().unwrap());
            let last = rx.recv().unwrap();
            wait_asleep(&name, Side::Senders);
            acked.store(true, Relaxed);
            drop(last);
        });
    }
}

#[test]
fn many_to_many_by_sleeping() {
    mpmc::soak(&SLEEPY, &["send"; 2], &["receive"; 2]);
}

#[test]
fn many_to_many_without_membarrier() {
    mpmc::soak(&SLEEPY.membarrier(false), &["send"; 2], &["receive"; 2]);
}

#[test]
fn many_to_many_with_spinning() {
    mpmc::soak(&Options::new().capacity(3), &["send"; 2], &["receive"; 2]);
}

/// How often a thread of this process went to sleep so far.
fn sleeps(thread: libc::pid_t) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/self/task/{thread}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")).unwrap();
    line.trim().parse().unwrap()
}

/// Where a file is mapped into this process: address and length.
fn mapping_of(path: &str) -> (usize, usize) {
    let inode = std::fs::metadata(path).unwrap().ino().to_string();
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    // Start-end, permissions, offset, device, inode.
    let line = maps.lines().find(|line| line.split_whitespace().nth(4) == Some(&inode)).expect("it is mapped");
    let (start, end) = line.split_once(' ').unwrap().0.split_once('-').unwrap();
    let [start, end] = [start, end].map(|address| usize::from_str_radix(address, 16).unwrap());
    (start, end - start)
}

/// How many bytes of the mapping at an address this process has touched since it last forgot them.
fn touched(start: usize) -> usize {
    let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
    let mut lines = maps.lines().skip_while(|line| !line.starts_with(&format!("{start:x}-")));
    let rss = lines.find_map(|line| line.strip_prefix("Rss:")).unwrap();
    1024 * rss.trim().strip_suffix(" kB").unwrap().parse::<usize>().unwrap()
}

#[test]
fn a_sleeper_looks_at_every_slot_only_while_there_is_reason_to() {
    let _watchdog = watchdog("a wait in a long ring");
    let name = name("long");
    let ring = many::Ring::<u64>::create(&name, &Options::new().capacity(1 << 20)).unwrap();
    let (tx, rx) = (ring.sender().unwrap(), ring.receiver().unwrap());
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        // Should this fail, the receiver is not left waiting.
        let tx = tx;
        scope.spawn(move || {
            // SAFETY: asks for a number.
            tell.send(unsafe { libc::gettid() }).unwrap();
            assert_eq!(*rx.recv().unwrap(), 1);
        });
        let thread = told.recv().unwrap();
        wait_asleep(&name, Side::Receivers);
        let (start, len) = mapping_of(&name.path());
        assert!(len > 16 << 20);
        wait_for("naps from which nearly nothing is looked at", || {
            // SAFETY: the mapping is shared: its pages are those of the file, and come again when they are touched.
            assert_eq!(unsafe { libc::madvise(start as *mut libc::c_void, len, libc::MADV_DONTNEED) }, 0);
            let before = sleeps(thread);
            wait_for("two naps", || sleeps(thread) >= before + 2);
            touched(start) < len / 16
        });
        tx.send(&1).unwrap();
    });
}

thread_local! {
    static SIGNALS: Cell<u32> = const { Cell::new(0) };
}

extern "C" fn count_signal(_: libc::c_int) {
    SIGNALS.set(SIGNALS.get() + 1);
}

/// Does `work` in a storm of signals to this thread, of which at least so many come. Its system calls are interrupted and not restarted.
fn amid_signals(least: u32, work: impl FnOnce()) {
    // SAFETY: all zero is a valid sigaction: no flags, so no SA_RESTART, and an empty mask.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = count_signal as *const () as libc::sighandler_t;
    // SAFETY: the handler only counts, which is allowed in one.
    assert_eq!(unsafe { libc::sigaction(libc::SIGUSR1, &raw const action, std::ptr::null_mut()) }, 0);
    // SAFETY: names the calling thread.
    let me = unsafe { libc::pthread_self() };
    let before = SIGNALS.get();
    std::thread::scope(|scope| {
        // Over it is when the other end is dropped, should the work fail as well.
        let (_at_work, over) = mpsc::channel::<()>();
        scope.spawn(move || {
            while over.recv_timeout(Duration::from_micros(200)) == Err(mpsc::RecvTimeoutError::Timeout) {
                // SAFETY: the thread waits for the end of this one.
                unsafe { libc::pthread_kill(me, libc::SIGUSR1) };
            }
        });
        work();
    });
    let signals = SIGNALS.get() - before;
    println!("{signals} signals");
    assert!(signals >= least);
}
