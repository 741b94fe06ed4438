//! Many tasks at once: who is woken, how many threads sleep for them, and what they cost while nothing comes.

use super::*;

/// Many futures on this thread, each polled when it is woken.
#[derive(Default)]
struct Crowd<'a> {
    tasks: BTreeMap<u32, Pin<Box<dyn Future<Output = ()> + 'a>>>,
}

struct Task(u32, mpsc::Sender<u32>);

/// How often tasks of crowds were woken in this process.
static WOKEN: AtomicU32 = AtomicU32::new(0);

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        WOKEN.fetch_add(1, Relaxed);
        let _ = self.1.send(self.0);
    }
}

impl<'a> Crowd<'a> {
    fn add(&mut self, task: impl Future<Output = ()> + 'a) {
        self.tasks.insert(self.tasks.len() as u32, Box::pin(task));
    }

    /// Polls everybody, calls `when_all_wait`, and goes on until all are done.
    fn run(mut self, when_all_wait: impl FnOnce()) {
        let (send, woken) = mpsc::channel();
        let mut poll = |id: u32| {
            let Some(task) = self.tasks.get_mut(&id) else { return self.tasks.len() };
            let waker = Waker::from(Arc::new(Task(id, send.clone())));
            if task.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
                self.tasks.remove(&id);
            }
            self.tasks.len()
        };
        let mut left = (0..).map_while(|id| (poll(id) > id as usize).then_some(())).count();
        when_all_wait();
        while left > 0 {
            left = poll(woken.recv_timeout(support::WATCHDOG).expect("somebody is woken"));
        }
    }
}

#[test]
fn everybody_who_waits_is_woken_in_turn() {
    let _watchdog = watchdog("a crowd");
    let (tx, rx) = many::channel::<u64>(&SLEEPY.capacity(100)).unwrap();
    let received = std::cell::RefCell::new(Vec::new());
    let mut crowd = Crowd::default();
    for _ in 0..100 {
        crowd.add(async {
            let message = *rx.recv_async().await.unwrap();
            received.borrow_mut().push(message);
        });
    }
    crowd.run(|| (0..100).for_each(|number| tx.send(&number).unwrap()));
    let mut received = received.into_inner();
    received.sort_unstable();
    assert_eq!(received, (0..100).collect::<Vec<_>>());
}

#[test]
fn child() {
    let Some((role, args)) = role() else { return };
    match role.as_str() {
        "crowd" => crowd(args[0].parse().unwrap(), args[1].parse().unwrap(), args[2].parse().unwrap()),
        "crowd without waitv" => {
            support::seccomp::take_away(libc::SYS_futex_waitv);
            crowd(args[0].parse().unwrap(), args[1].parse().unwrap(), args[2].parse().unwrap());
        }
        other => panic!("no such role: {other}"),
    }
}

/// So many tasks that wait for each of so many rings: how many threads sleep for them, that they cost nothing, that a
/// message reaches each, and that nothing goes on afterwards.
fn crowd(rings: usize, each: usize, threads: usize) {
    let rings: Vec<_> = (0..rings).map(|_| many::channel::<u64>(&SLEEPY.capacity(each)).unwrap()).collect();
    let mut crowd = Crowd::default();
    for (_, rx) in &rings {
        for _ in 0..each {
            crowd.add(async { assert_eq!(*rx.recv_async().await.unwrap(), 7) });
        }
    }
    crowd.run(|| {
        wait_for("the threads to say their names", || sleepers().len() >= threads);
        // A look at everything each NAP, four a second, and one after it; by condition: until each has had ten sleeps.
        let before = sleepers();
        let start = Instant::now();
        wait_for("some naps", || sleepers().iter().zip(&before).all(|(now, before)| now - before >= 10));
        let (most, naps) = (sleepers().into_iter().max().unwrap(), start.elapsed().as_millis() as u64 / 250);
        let most_before = before.into_iter().max().unwrap();
        assert_eq!(sleepers().len(), threads);
        assert_eq!(WOKEN.load(Relaxed), 0, "nobody was woken for nothing");
        println!("{} sleeps in {naps} naps", most - most_before);
        assert!(most - most_before <= 5 * (naps + 2), "{} sleeps in {naps} naps", most - most_before);
        for (tx, _) in &rings {
            (0..each).for_each(|_| tx.send(&7).unwrap());
        }
    });
    // Nobody waits: they look a last time, and then sleep without a limit.
    wait_for("the sleepers to sleep soundly", || {
        let before = sleepers();
        std::thread::sleep(Duration::from_millis(300));
        before == sleepers()
    });
    assert_eq!(sleepers().len(), threads, "they are kept");
    // And are used again.
    let (tx, rx) = &rings[0];
    let asleep = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let bell = Bell::new();
            let mut next = pin!(rx.recv_async());
            assert!(poll_once(next.as_mut(), &bell).is_pending());
            asleep.store(true, Relaxed);
            assert_eq!(*block_on(next).unwrap(), 8);
        });
        wait_for("somebody to wait", || asleep.load(Relaxed));
        tx.send(&8).unwrap();
    });
    assert_eq!(sleepers().len(), threads);
    say("done");
}

fn run_crowd(role: &str, rings: usize, each: usize, threads: usize) {
    let numbers = [rings, each, threads].map(|number| number.to_string());
    let mut crowd = Process::start("crowd::child", role, &numbers.each_ref().map(String::as_str));
    crowd.expect("done");
    crowd.finish();
}

#[test]
fn a_thousand_tasks_on_a_hundred_rings_take_one_thread() {
    run_crowd("crowd", 100, 10, 1);
}

#[test]
fn every_127_rings_take_a_thread() {
    run_crowd("crowd", 127, 1, 1);
    run_crowd("crowd", 128, 1, 2);
    run_crowd("crowd", 260, 1, 3);
}

#[test]
fn without_waitv_each_ring_takes_a_thread() {
    run_crowd("crowd without waitv", 7, 3, 7);
}
