//! Sending and receiving without waiting allocates nothing and makes no system call, whichever verb does it.
//!
//! Allocations are counted by an allocator that counts, for each thread. System calls are left to the kernel: a forked child
//! takes on a seccomp filter under which its first one ends it.

#[macro_use]
mod support;

use libc::{c_int, c_void};
use ringmail::zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};
use ringmail::{Message, Options};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::{black_box, spin_loop};
use std::io::Write;
use std::time::Duration;
use support::seccomp::answer_calls;
use support::{Forked, fork, name};

/// Messages that are counted, and before them some that are not.
const COUNT: usize = 100_000;
const WARM: usize = 20 * RUN;

/// Messages sent before as many are received. Laps end in the middle of a run.
const RUN: usize = 32;
const CAPACITY: usize = 60;

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

fn note_allocation() {
    // A thread that is ending has no counter any more, and is not looked at.
    let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
}

// SAFETY: everything is the system's allocator's; the counting touches no memory but a number of the thread's own.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note_allocation();
        // SAFETY: by this function's own contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note_allocation();
        // SAFETY: by this function's own contract.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note_allocation();
        // SAFETY: by this function's own contract.
        unsafe { System.realloc(memory, layout, size) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: by this function's own contract.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// How often this thread allocates in `work`.
fn allocations(work: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.get();
    work();
    ALLOCATIONS.get() - before
}

/// How a process ends that makes a system call while it must not.
const TRAPPED: c_int = 99;

/// Says which system call it was, and ends the process.
extern "C" fn trapped(_: c_int, info: *mut libc::siginfo_t, _: *mut c_void) {
    // SAFETY: the kernel filled it.
    let number = unsafe { (*info).si_errno };
    let mut text = [b' '; 64];
    let _ = write!(&mut text[..], "\na system call that must not be: number {number}");
    text[63] = b'\n';
    // SAFETY: so many bytes are readable.
    unsafe { libc::write(libc::STDERR_FILENO, text.as_ptr().cast(), text.len()) };
    // SAFETY: ends the process.
    unsafe { libc::_exit(TRAPPED) }
}

/// From here on this process's first system call ends it, but for those by which it says so and ends.
fn make_no_system_call() {
    // SAFETY: an action of zeros is one without flags and mask.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = trapped as *const () as usize;
    action.sa_flags = libc::SA_SIGINFO;
    // SAFETY: the handler does only what a signal handler may.
    assert_eq!(unsafe { libc::sigaction(libc::SIGSYS, &raw const action, std::ptr::null_mut()) }, 0);
    answer_calls(&[libc::SYS_write, libc::SYS_exit_group], libc::SECCOMP_RET_ALLOW, libc::SECCOMP_RET_TRAP);
}

/// A process that prepares something and then does it without a system call, or ends with the code [`TRAPPED`].
fn without_system_calls<T>(prepare: impl FnOnce() -> T, work: impl FnOnce(&mut T)) -> Forked {
    fork(|| {
        // SAFETY: prctl with this option takes a number and touches no memory.
        unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
        let mut prepared = prepare();
        make_no_system_call();
        work(&mut prepared);
        // Taking it apart makes system calls.
        std::mem::forget(prepared);
        0
    })
}

/// One way to send and one to receive, over a ring of their own.
struct Way {
    name: &'static str,
    /// Moves so many runs of messages.
    pass: Box<dyn FnMut(usize)>,
}

fn allocate_nothing(ways: Vec<Way>) {
    for Way { name, mut pass } in ways {
        pass(WARM / RUN);
        assert_eq!(allocations(|| pass(COUNT / RUN)), 0, "{name}");
    }
}

/// A handle of the parent's is not the child's, so that makes its own.
fn make_no_system_calls(ways: fn() -> Vec<Way>) {
    for (at, Way { name, .. }) in ways().into_iter().enumerate() {
        let prepare = || {
            let mut way = ways().swap_remove(at);
            (way.pass)(WARM / RUN);
            way
        };
        assert_eq!(without_system_calls(prepare, |way| (way.pass)(COUNT / RUN)).wait(), 0, "{name}");
    }
}

#[derive(Clone, Copy, Debug, FromBytes, Immutable, IntoBytes, KnownLayout, PartialEq)]
#[repr(C)]
struct Tick {
    time: u64,
    price: f64,
}

const TICK: Tick = Tick { time: 1, price: 2.0 };
const BYTES: [u8; 7] = *b"message";

both! {
    pub fn way<M: Message + ?Sized>(
        name: &'static str,
        mut send: impl FnMut(&mut flavour::Sender<M>) + 'static,
        mut receive: impl FnMut(&mut flavour::Receiver<M>) + 'static,
    ) -> Way {
        // Without a spin, so that whoever goes to sleep is found out.
        let options = Options::new().capacity(CAPACITY).max_len(16).spin(Duration::ZERO);
        let (mut tx, mut rx) = flavour::channel(&options).unwrap();
        let pass = move |runs| {
            for _ in 0..runs {
                send(&mut tx);
                receive(&mut rx);
            }
        };
        Way { name, pass: Box::new(pass) }
    }

    /// The verbs that there are for all messages.
    fn ways_of_all<M: Message + ?Sized>(sent: &'static M, mut buffer: Box<M>) -> Vec<Way> {
        let check = |received: &M| assert_eq!(received.as_bytes(), sent.as_bytes());
        let send = move |tx: &mut flavour::Sender<M>| (0..RUN).for_each(|_| tx.send(sent).unwrap());
        vec![
            way("send, recv", send, move |rx| (0..RUN).for_each(|_| check(&rx.recv().unwrap()))),
            way(
                "try_send, try_recv",
                move |tx: &mut flavour::Sender<M>| (0..RUN).for_each(|_| tx.try_send(sent).unwrap()),
                move |rx| (0..RUN).for_each(|_| check(&rx.try_recv().unwrap())),
            ),
            way(
                "send_many, recv_many",
                move |tx: &mut flavour::Sender<M>| assert_eq!(tx.send_many([sent; RUN]).unwrap(), RUN),
                move |rx| {
                    let batch = rx.recv_many(RUN).unwrap();
                    assert_eq!(batch.len(), RUN);
                    batch.iter().for_each(check);
                },
            ),
            way(
                "send_many, recv_many of more",
                move |tx: &mut flavour::Sender<M>| assert_eq!(tx.send_many([sent; RUN]).unwrap(), RUN),
                move |rx| assert_eq!(rx.recv_many(RUN + 1).unwrap().len(), RUN),
            ),
            way("send, recv_into", send, move |rx| {
                for _ in 0..RUN {
                    assert_eq!(rx.recv_into(&mut buffer).unwrap(), size_of_val(sent));
                    check(&buffer);
                }
            }),
            way("send, iter", send, move |rx| rx.iter().take(RUN).for_each(|message| check(&message))),
            way("send, try_iter", send, move |rx| assert_eq!(rx.try_iter().count(), RUN)),
        ]
    }

    fn ways() -> Vec<Way> {
        let mut ways = ways_of_all::<Tick>(&TICK, Box::new(TICK));
        ways.extend(ways_of_all::<[u8]>(&BYTES, Box::new(BYTES)));
        ways.push(way::<Tick>(
            "loan_uninit, recv_copy",
            |tx| (0..RUN).for_each(|_| tx.loan_uninit().unwrap().write(TICK).unwrap()),
            |rx| (0..RUN).for_each(|_| assert_eq!(rx.recv_copy().unwrap(), TICK)),
        ));
        ways.push(way::<Tick>(
            "fill_many, recv_many",
            |tx| tx.fill_many(RUN, |_, tick| *tick = TICK).unwrap(),
            |rx| assert!(rx.recv_many(RUN).unwrap().iter().eq([&TICK; RUN])),
        ));
        ways.push(way::<[u8]>(
            "loan, recv and ack",
            |tx| {
                for _ in 0..RUN {
                    let mut loan = tx.loan(16).unwrap();
                    loan[..BYTES.len()].copy_from_slice(&BYTES);
                    loan.commit_len(BYTES.len()).unwrap();
                }
            },
            |rx| {
                for _ in 0..RUN {
                    let message = rx.recv().unwrap();
                    assert_eq!(*message, BYTES);
                    message.ack();
                }
            },
        ));
        ways
    }

    #[test]
    fn nothing_is_allocated() {
        allocate_nothing(ways());
    }

    #[test]
    fn no_system_call_is_made() {
        make_no_system_calls(ways);
    }

    /// Each side only does what it need not wait for, and turns its thumbs, so that neither has to sleep.
    #[test]
    fn no_system_call_is_made_between_two_processes() {
        let name = name("fast-path");
        let ring = flavour::Ring::<u64>::create(&name, &Options::new().capacity(1000)).unwrap();
        let sender = without_system_calls(
            || ring.sender().unwrap(),
            |tx| {
                let mut numbers = 0..COUNT as u64;
                while !numbers.is_empty() {
                    spin_loop();
                    let room = tx.capacity() - tx.len();
                    numbers.by_ref().take(room).for_each(|number| tx.send(&number).unwrap());
                }
            },
        );
        let receiver = without_system_calls(
            || ring.receiver().unwrap(),
            |rx| {
                let mut numbers = 0..COUNT as u64;
                while !numbers.is_empty() {
                    spin_loop();
                    let waiting = rx.len();
                    numbers.by_ref().take(waiting).for_each(|number| assert_eq!(*rx.recv().unwrap(), number));
                }
            },
        );
        assert_eq!(receiver.wait(), 0, "receiver");
        assert_eq!(sender.wait(), 0, "sender");
    }
}

#[test]
fn neither_for_slices() {
    fn ways() -> Vec<Way> {
        let slice = |tx: &mut ringmail::spsc::Sender<_>| tx.send_slice(&[TICK; RUN]).unwrap();
        vec![spsc::way("send_slice, as_slices", slice, |rx| {
            let batch = rx.recv_many(RUN).unwrap();
            let (before, after) = batch.as_slices().unwrap();
            assert_eq!(before.len() + after.len(), RUN);
        })]
    }
    allocate_nothing(ways());
    make_no_system_calls(ways);
}

#[test]
fn the_counts_can_be_other_than_zero() {
    assert_eq!(allocations(|| drop(black_box(Box::new(1)))), 1);
    assert_eq!(allocations(|| drop(black_box(vec![0; 9]))), 1);
    assert_eq!(without_system_calls(|| (), |()| _ = black_box(std::process::id())).wait(), TRAPPED);
    let sleep = || std::thread::sleep(std::time::Duration::from_millis(1));
    assert_eq!(without_system_calls(|| (), |()| sleep()).wait(), TRAPPED);
    assert_eq!(without_system_calls(|| (), |()| ()).wait(), 0);
}
