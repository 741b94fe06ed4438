//! Waiting without a thread: tasks are woken by messages, room, ends and deaths, whoever is cancelled, and idle ones
//! cost nothing.

#[path = "async/crowd.rs"]
mod crowd;
#[macro_use]
mod support;

use ringmail::{Options, Waiting, mpmc as many};
use std::collections::BTreeMap;
use std::future::Future;
use std::os::unix::fs::FileExt;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};
use support::{Process, Side, fork, hear, is_asleep, name, role, say, wait_asleep, wait_for, watchdog};

/// Counts its wake-ups and passes them on to a thread.
struct Bell(AtomicU32, std::thread::Thread);

impl Bell {
    fn new() -> Arc<Self> {
        Arc::new(Self(AtomicU32::new(0), std::thread::current()))
    }

    fn rings(&self) -> u32 {
        self.0.load(Relaxed)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Relaxed);
        self.1.unpark();
    }
}

/// Runs one future on this thread.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let waker = Waker::from(Bell::new());
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(done) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return done;
        }
        std::thread::park();
    }
}

/// Polls a future once.
fn poll_once<F: Future>(future: Pin<&mut F>, bell: &Arc<Bell>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(&Waker::from(Arc::clone(bell))))
}

/// Threads of this process that sleep for tasks, and how often each went to sleep so far.
fn sleepers() -> Vec<u64> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
    let ours = tasks.filter(|task| {
        std::fs::read_to_string(task.path().join("comm")).is_ok_and(|comm| comm.trim_end() == "ringmail-waits")
    });
    ours.map(|task| {
        let status = std::fs::read_to_string(task.path().join("status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")).unwrap();
        line.trim().parse().unwrap()
    })
    .collect()
}

/// Nothing spins, so that everybody sleeps.
const SLEEPY: Options = Options::new().capacity(1).spin(Duration::ZERO);

/// Takes the WAITERS bit away, so that the next publisher wakes nobody: as one that was killed before he could.
fn mute(name: &str, side: Side) {
    let at = match side {
        Side::Receivers => 1536,
        Side::Senders => 1664,
    };
    let file = std::fs::File::options().read(true).write(true).open(support::path(name)).unwrap();
    let mut word = [0; 4];
    file.read_exact_at(&mut word, at).unwrap();
    file.write_all_at(&(u32::from_ne_bytes(word) & !1).to_ne_bytes(), at).unwrap();
}

const ROUNDS: u64 = 20_000;

both! {
    #[test]
    fn child() {
        let Some((role, args)) = role() else { return };
        let ring = || flavour::Ring::<u64>::open(&args[0]).unwrap();
        match role.as_str() {
            "echo" => block_on(async {
                let (ring, back) = (ring(), flavour::Ring::<u64>::open(&args[1]).unwrap());
                let (mut rx, mut tx) = (ring.receiver().unwrap(), back.sender().unwrap());
                say("joined");
                while let Ok(message) = rx.recv_async().await {
                    tx.send_async(&message).await.unwrap();
                }
            }),
            "send and hang" => {
                let ring = ring();
                let mut tx = ring.sender().unwrap();
                tx.send(&1).unwrap();
                say("sent");
                hear();
            }
            "hold and hang" => {
                let ring = ring();
                let mut rx = ring.receiver().unwrap();
                let _held = rx.recv().unwrap();
                say("holding");
                hear();
            }
            other => panic!("no such role: {other}"),
        }
    }

    /// Were one wake-up in a hundred lost, this would take minutes, and be given up.
    #[test]
    fn no_wake_up_is_lost_between_processes() {
        let _watchdog = watchdog("an echo");
        let (there, back) = (name("there"), name("back"));
        let ring = flavour::Ring::<u64>::create(&there, &SLEEPY).unwrap();
        let answers = flavour::Ring::<u64>::create(&back, &SLEEPY).unwrap();
        let (mut tx, mut rx) = (ring.sender().unwrap(), answers.receiver().unwrap());
        let mut echo = Process::start(CHILD, "echo", &[&there, &back]);
        echo.expect("joined");
        let mut slow = 0;
        block_on(async {
            for number in 0..ROUNDS {
                let start = Instant::now();
                tx.send_async(&number).await.unwrap();
                assert_eq!(*rx.recv_async().await.unwrap(), number);
                slow += u32::from(start.elapsed() > Duration::from_millis(90));
            }
        });
        println!("{slow} long sleeps");
        drop(tx);
        echo.finish();
        // At once: nothing of those who waited keeps a ring.
        drop((ring, rx, answers));
        assert!(!there.exists() && !back.exists());
    }

    #[test]
    fn the_death_of_the_sender_is_told() {
        let _watchdog = watchdog("a wait for the dead");
        let name = name("dead-sender");
        let ring = flavour::Ring::<u64>::create(&name, &SLEEPY).unwrap();
        let mut rx = ring.receiver().unwrap();
        let mut sender = Process::start(CHILD, "send and hang", &[&name]);
        sender.expect("sent");
        block_on(async {
            assert_eq!(*rx.recv_async().await.unwrap(), 1);
            let bell = Bell::new();
            let mut next = pin!(rx.recv_async());
            assert!(poll_once(next.as_mut(), &bell).is_pending());
            sender.kill();
            assert!(next.await.unwrap_err().is_disconnected());
        });
    }

    #[test]
    fn the_death_of_the_receiver_is_told() {
        let _watchdog = watchdog("a wait for the dead");
        let name = name("dead-receiver");
        let ring = flavour::Ring::<u64>::create(&name, &SLEEPY).unwrap();
        let mut tx = ring.sender().unwrap();
        let mut receiver = Process::start(CHILD, "hold and hang", &[&name]);
        tx.send(&1).unwrap();
        receiver.expect("holding");
        let bell = Bell::new();
        let mut next = pin!(tx.send_async(&2));
        assert!(poll_once(next.as_mut(), &bell).is_pending());
        receiver.kill();
        assert!(block_on(next).unwrap_err().is_disconnected());
    }

    /// A publisher that is killed between its publishing and its waking.
    #[test]
    fn what_nobody_was_woken_for_is_found() {
        let _watchdog = watchdog("a wait for a wake-up that never comes");
        let name = name("muted");
        let ring = flavour::Ring::<u64>::create(&name, &SLEEPY).unwrap();
        let (mut tx, mut rx) = (ring.sender().unwrap(), ring.receiver().unwrap());
        let bell = Bell::new();
        {
            let mut next = pin!(rx.recv_async());
            assert!(poll_once(next.as_mut(), &bell).is_pending());
            mute(&name, Side::Receivers);
            tx.send(&1).unwrap();
            assert_eq!(*block_on(next).unwrap(), 1);
        }
        tx.send(&2).unwrap();
        let mut next = pin!(tx.send_async(&3));
        assert!(poll_once(next.as_mut(), &bell).is_pending());
        mute(&name, Side::Senders);
        assert_eq!(*rx.recv().unwrap(), 2);
        block_on(next).unwrap();
        assert_eq!(*rx.recv().unwrap(), 3);
    }

    #[test]
    fn who_is_cancelled_loses_nothing_and_leaves_nothing() {
        let _watchdog = watchdog("a wait amid cancellations");
        const EACH: u64 = 2000;
        let (mut tx, mut rx) = flavour::channel::<u64>(&SLEEPY.capacity(3)).unwrap();
        let sender = std::thread::spawn(move || block_on(async {
            for number in 0..EACH {
                let bell = Bell::new();
                // Once in vain, or not.
                let done = poll_once(pin!(tx.send_async(&number)), &bell).is_ready();
                if !done {
                    tx.send_async(&number).await.unwrap();
                }
            }
        }));
        let bell = Bell::new();
        for number in 0..EACH {
            let early = match poll_once(pin!(rx.recv_async()), &bell) {
                Poll::Ready(message) => Some(*message.unwrap()),
                Poll::Pending => None,
            };
            assert_eq!(early.unwrap_or_else(|| *block_on(rx.recv_async()).unwrap()), number);
        }
        sender.join().unwrap();
        // A waker that is being called just now goes a little later.
        wait_for("every waker to be dropped", || Arc::strong_count(&bell) == 1);
        let mut next = Box::pin(rx.recv_async());
        assert!(poll_once(next.as_mut(), &bell).is_ready(), "nobody sends any more");
        drop(next);
        let (_tx, mut rx) = flavour::channel::<u64>(&SLEEPY).unwrap();
        let mut next = Box::pin(rx.recv_async());
        assert!(poll_once(next.as_mut(), &bell).is_pending());
        assert_eq!(Arc::strong_count(&bell), 2);
        drop(next);
        assert_eq!(Arc::strong_count(&bell), 1, "nobody else runs here that could hold it");
    }

    #[test]
    fn a_new_waker_takes_the_place_of_the_old() {
        let _watchdog = watchdog("a second waker");
        let (mut tx, mut rx) = flavour::channel::<u64>(&SLEEPY).unwrap();
        let (old, new) = (Bell::new(), Bell::new());
        let mut next = pin!(rx.recv_async());
        assert!(poll_once(next.as_mut(), &old).is_pending());
        assert!(poll_once(next.as_mut(), &new).is_pending());
        tx.send(&1).unwrap();
        wait_for("the new waker to be called", || new.rings() == 1);
        assert_eq!(old.rings(), 0);
        assert_eq!(*block_on(next).unwrap(), 1);
    }

    #[test]
    fn a_close_is_told() {
        let _watchdog = watchdog("a wait for a close");
        let ring = flavour::Ring::<u64>::anonymous(&SLEEPY).unwrap();
        let (mut tx, mut rx) = (ring.sender().unwrap(), ring.receiver().unwrap());
        let bell = Bell::new();
        tx.send(&1).unwrap();
        let mut send = pin!(tx.send_async(&2));
        assert!(poll_once(send.as_mut(), &bell).is_pending());
        ring.close();
        assert!(block_on(send).unwrap_err().is_disconnected());
        assert_eq!(*block_on(rx.recv_async()).unwrap(), 1);
        assert!(block_on(rx.recv_async()).unwrap_err().is_disconnected());
    }

    #[test]
    fn in_place_and_several_at_once() {
        let (mut tx, mut rx) = flavour::channel::<[u8]>(&SLEEPY.capacity(4).max_len(100_000)).unwrap();
        block_on(async {
            for len in [3, 90_000] {
                let mut loan = tx.loan_async(len).await.unwrap();
                loan.fill(len as u8);
                loan.commit().unwrap();
            }
            tx.send_async(b"last").await.unwrap();
            let batch = rx.recv_many_async(2).await.unwrap();
            assert_eq!(batch.iter().map(<[u8]>::len).collect::<Vec<_>>(), [3, 90_000]);
            drop(batch);
            assert_eq!(&*rx.recv_async().await.unwrap(), b"last");
            assert!(tx.send_async(&[0; 100_001]).await.unwrap_err().is_too_large());
        });
    }

    /// A child that is forked while its parent waits has none of the parent's threads, and waits all the same.
    #[test]
    fn a_forked_child_waits_on_its_own() {
        let _watchdog = watchdog("a wait after a fork");
        let name = name("forked");
        let ring = flavour::Ring::<u64>::create(&name, &SLEEPY.capacity(2).keep_open(true)).unwrap();
        let (_other, mut unused) = flavour::channel::<u64>(&SLEEPY).unwrap();
        let mut tx = ring.sender().unwrap();
        let bell = Bell::new();
        let mut waits = Box::pin(unused.recv_async());
        assert!(poll_once(waits.as_mut(), &bell).is_pending());
        let mut waits = Some(waits);
        let child = fork(|| {
            drop(waits.take());
            let mut rx = ring.receiver().unwrap();
            let sum = block_on(async {
                let mut sum = *rx.recv_async().await.unwrap();
                sum += *rx.recv_async().await.unwrap();
                sum
            });
            sum as i32
        });
        wait_asleep(&name, Side::Receivers);
        tx.send(&40).unwrap();
        tx.wait_acked(None).unwrap();
        wait_asleep(&name, Side::Receivers);
        tx.send(&2).unwrap();
        assert_eq!(child.wait(), 42);
        assert!(poll_once(waits.take().unwrap().as_mut(), &bell).is_pending());
    }

    #[test]
    fn futures_may_change_threads() {
        fn is_send<T: Send>(future: T) -> T {
            future
        }
        let (mut tx, mut rx) = flavour::channel::<[u8]>(&SLEEPY).unwrap();
        block_on(is_send(tx.send_async(b"one"))).unwrap();
        drop(block_on(is_send(rx.recv_async())).unwrap());
        drop(block_on(is_send(tx.loan_async(1))).unwrap());
        drop(is_send(rx.recv_many_async(1)));
    }

    /// With `keep_open` absence is no error, and who waits is told of it once.
    #[test]
    fn an_alarm_is_raised_once() {
        let _watchdog = watchdog("a wait for an alarm");
        let name = name("alarm");
        let ring = flavour::Ring::<u64>::create(&name, &SLEEPY.keep_open(true)).unwrap();
        let mut rx = ring.receiver().unwrap();
        let mut sender = Process::start(CHILD, "send and hang", &[&name]);
        sender.expect("sent");
        drop(rx.recv().unwrap());
        let (bell, mut waiting) = (Bell::new(), Waiting::new());
        let waker = Waker::from(Arc::clone(&bell));
        let mut poll = |waiting: &mut _| rx.poll_recv(&mut Context::from_waker(&waker), waiting).is_pending();
        assert!(poll(&mut waiting));
        assert!(!waiting.take_alarm());
        sender.kill();
        wait_for("an alarm", || bell.rings() == 1);
        assert!(poll(&mut waiting));
        assert!(waiting.take_alarm() && !waiting.take_alarm());
        // Looked at many times more, and not raised again; a message is, of a successor.
        let before = sleepers().into_iter().max().unwrap();
        wait_for("a few more looks", || sleepers().into_iter().max().unwrap() > before + 5);
        assert_eq!(bell.rings(), 1);
        let mut sender = Process::start(CHILD, "send and hang", &[&name]);
        sender.expect("sent");
        wait_for("a message", || bell.rings() == 2);
        assert!(!poll(&mut waiting));
        assert!(!waiting.take_alarm());
    }
}

#[test]
fn a_dead_receivers_message_is_found() {
    let _watchdog = watchdog("a wait for a message of the dead");
    let name = name("adopted");
    let ring = many::Ring::<u64>::create(&name, &SLEEPY.capacity(4)).unwrap();
    let tx = ring.sender().unwrap();
    let mut receiver = Process::start("mpmc::child", "hold and hang", &[&name]);
    tx.send(&7).unwrap();
    receiver.expect("holding");
    let rx = ring.receiver().unwrap();
    let bell = Bell::new();
    let mut next = pin!(rx.recv_async());
    assert!(poll_once(next.as_mut(), &bell).is_pending());
    receiver.kill();
    // Who is woken finds it, and is not woken again and again until he does.
    let message = loop {
        if let Poll::Ready(message) = poll_once(next.as_mut(), &bell) {
            break message.unwrap();
        }
        assert!(bell.rings() < 4);
        std::thread::park();
    };
    assert_eq!((*message, message.redelivered()), (7, 1));
}

#[test]
fn a_waker_that_panics_costs_nobody_else_anything() {
    struct Bomb;
    impl Wake for Bomb {
        fn wake(self: Arc<Self>) {
            panic!("as the test wants it");
        }
    }
    let _watchdog = watchdog("a wait after a panic");
    let (tx, rx) = many::channel::<u64>(&SLEEPY.capacity(2)).unwrap();
    let (mut first, bell) = (Waiting::new(), Bell::new());
    let bomb = Waker::from(Arc::new(Bomb));
    assert!(rx.poll_recv(&mut Context::from_waker(&bomb), &mut first).is_pending());
    let mut second = pin!(rx.recv_async());
    assert!(poll_once(second.as_mut(), &bell).is_pending());
    tx.send(&1).unwrap();
    wait_for("the second to be woken", || bell.rings() == 1);
    assert_eq!(*block_on(second).unwrap(), 1);
    tx.send(&2).unwrap();
    assert_eq!(*block_on(rx.recv_async()).unwrap(), 2);
}

/// Asks the same of both ends at once, from several threads, with everybody cancelled now and then.
#[test]
fn a_soak_of_tasks_and_threads() {
    let _watchdog = watchdog("a soak");
    const EACH: u64 = 3000;
    let (tx, rx) = many::channel::<u64>(&SLEEPY.capacity(2)).unwrap();
    let sum = std::sync::atomic::AtomicU64::new(0);
    std::thread::scope(|scope| {
        for which in 0..2 {
            let (tx, rx, sum) = (tx.clone(), rx.clone(), &sum);
            scope.spawn(move || {
                for number in 1..=EACH {
                    if which == 0 { tx.send(&number).unwrap() } else { block_on(tx.send_async(&number)).unwrap() }
                }
            });
            scope.spawn(move || {
                let mut random = support::Seeded(which + 1);
                let bell = Bell::new();
                for _ in 0..EACH {
                    let message = if random.below(2) == 0 {
                        let mut next = Box::pin(rx.recv_async());
                        match poll_once(next.as_mut(), &bell) {
                            Poll::Ready(message) => message.unwrap(),
                            Poll::Pending if random.below(2) == 0 => block_on(next).unwrap(),
                            Poll::Pending => rx.recv().unwrap(),
                        }
                    } else {
                        rx.recv().unwrap()
                    };
                    sum.fetch_add(*message, Relaxed);
                }
            });
        }
    });
    assert_eq!(sum.into_inner(), EACH * (EACH + 1));
    assert!(rx.is_empty());
}

#[test]
fn the_bit_is_set_while_a_task_waits() {
    let name = name("bit");
    let ring = many::Ring::<u64>::create(&name, &SLEEPY).unwrap();
    let (tx, rx) = (ring.sender().unwrap(), ring.receiver().unwrap());
    assert!(!is_asleep(&name.path(), Side::Receivers));
    let bell = Bell::new();
    let mut next = pin!(rx.recv_async());
    assert!(poll_once(next.as_mut(), &bell).is_pending());
    assert!(is_asleep(&name.path(), Side::Receivers));
    tx.send(&1).unwrap();
    assert!(!is_asleep(&name.path(), Side::Receivers));
    assert_eq!(*block_on(next).unwrap(), 1);
}
