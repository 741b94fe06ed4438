//! Waiting: no wake-up is lost, an idle waiter costs nothing, timeouts are kept, and signals change none of that.

#[macro_use]
mod support;

use ringmail::{Options, mpmc as many};
use std::hint::spin_loop;
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};
use support::{Process, Seeded, Side, WATCHDOG, hear, name, role, say, wait_asleep, wait_for, watchdog};

const EACH: u64 = 50_000;

/// The most turns that somebody rests who polls: a moment, about as long as the other side needs to fall asleep.
const MOST_TURNS: usize = 5;

/// Nothing but sleeps: whoever misses does not spin.
const SLEEPY: Options = Options::new().capacity(2).spin(Duration::ZERO);

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

    #[test]
    fn a_timeout_is_kept() {
        let _watchdog = watchdog("a timeout");
        const TIME: Duration = Duration::from_millis(50);
        fn timed<T>(what: &str, call: impl FnOnce() -> T) -> T {
            let start = Instant::now();
            let result = call();
            let took = start.elapsed();
            println!("{what} of {TIME:?} took {took:?}");
            assert!(took >= TIME, "{what}: {took:?}");
            result
        }
        let (mut tx, mut rx) = flavour::channel::<u64>(&SLEEPY).unwrap();
        assert!(timed("recv_timeout", || rx.recv_timeout(TIME).map(drop)).unwrap_err().is_timeout());
        assert!(timed("recv_many_timeout", || rx.recv_many_timeout(3, TIME).map(drop)).unwrap_err().is_timeout());
        assert!(timed("recv_deadline", || rx.recv_deadline(Instant::now() + TIME).map(drop)).unwrap_err().is_timeout());
        tx.send(&1).unwrap();
        tx.send(&2).unwrap();
        assert!(timed("send_timeout", || tx.send_timeout(&3, TIME)).unwrap_err().is_timeout());
        assert!(timed("send_deadline", || tx.send_deadline(&3, Instant::now() + TIME)).unwrap_err().is_timeout());
        assert!(timed("wait_acked", || tx.wait_acked(Some(TIME))).unwrap_err().is_timeout());
        drop((rx.recv().unwrap(), tx));
        drop(rx.recv().unwrap());
        let (mut tx, _rx) = flavour::channel::<[u8]>(&SLEEPY.capacity(1)).unwrap();
        tx.send(b"full").unwrap();
        assert!(timed("loan_timeout", || tx.loan_timeout(1, TIME).map(drop)).unwrap_err().is_timeout());
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

#[test]
fn an_idle_waiter_costs_next_to_nothing() {
    const TIME: Duration = Duration::from_secs(2);
    fn share(what: &str, wait: impl FnOnce()) {
        let before = busy();
        wait();
        let share = (busy() - before).as_secs_f64() / TIME.as_secs_f64();
        println!("{what} costs {:.4} % of a core", 100.0 * share);
        // Processor time, so a busy machine does not matter; spinning would be near 1.
        assert!(share < 0.05, "{what}: {share}");
    }
    let (tx, rx) = many::channel::<u64>(&Options::new().capacity(1)).unwrap();
    let (full, _receiver) = many::channel::<u64>(&Options::new().capacity(1)).unwrap();
    full.send(&1).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| share("a blocked receiver", || assert!(rx.recv_timeout(TIME).unwrap_err().is_timeout())));
        scope.spawn(|| share("a blocked sender", || assert!(full.send_timeout(&2, TIME).unwrap_err().is_timeout())));
    });
    drop(tx);
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

static SIGNALS: AtomicU32 = AtomicU32::new(0);

extern "C" fn count_signal(_: libc::c_int) {
    SIGNALS.fetch_add(1, Relaxed);
}

/// Sends signals to `thread` until `stop`; its system calls are interrupted and not restarted.
fn storm(thread: libc::pthread_t, stop: &AtomicBool) {
    while !stop.load(Relaxed) {
        // SAFETY: the thread is joined only after this loop.
        unsafe { libc::pthread_kill(thread, libc::SIGUSR1) };
        std::thread::sleep(Duration::from_micros(200));
    }
}

#[test]
fn signals_neither_break_nor_shorten_a_wait() {
    const TIME: Duration = Duration::from_millis(300);
    let _watchdog = watchdog("a wait amid signals");
    // SAFETY: all zero is a valid sigaction: no flags, so no SA_RESTART, and an empty mask.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = count_signal as *const () as libc::sighandler_t;
    // SAFETY: the handler only counts, which is allowed in one.
    assert_eq!(unsafe { libc::sigaction(libc::SIGUSR1, &raw const action, std::ptr::null_mut()) }, 0);
    let (tx, rx) = many::channel::<u64>(&SLEEPY.capacity(1)).unwrap();
    // SAFETY: names the calling thread.
    let (me, stop) = (unsafe { libc::pthread_self() }, AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| storm(me, &stop));
        let start = Instant::now();
        assert!(rx.recv_timeout(TIME).unwrap_err().is_timeout());
        assert!(start.elapsed() >= TIME);
        tx.send(&0).unwrap();
        let start = Instant::now();
        assert!(tx.send_timeout(&1, TIME).unwrap_err().is_timeout());
        assert!(start.elapsed() >= TIME);
        drop(rx.recv().unwrap());
        scope.spawn(|| (0..2000).for_each(|number| tx.send(&number).unwrap()));
        for number in 0..2000 {
            assert_eq!(*rx.recv().unwrap(), number);
        }
        stop.store(true, Relaxed);
    });
    let signals = SIGNALS.load(Relaxed);
    println!("{signals} signals");
    assert!(signals > 10);
}
