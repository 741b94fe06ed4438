//! Counting instructions: a child is traced and led through the work one instruction at a time.
//!
//! No counter of the processor's is needed, which virtual machines seldom have, and nothing that happens on the machine
//! changes the count. What the C library executes depends on the processor, so that is counted apart.

use libc::{c_int, c_uint, pid_t};
use std::hint::black_box;
use std::io;
use std::mem::offset_of;
use std::ops::Range;
use std::ptr::null_mut;

/// Instructions executed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// In this program.
    pub own: u64,
    /// In libraries.
    pub elsewhere: u64,
    /// Those in this program that wait until every store before them is done: locked ones and full fences.
    pub locked: u64,
}

/// Counts what `work` executes, given what `prepare` returns: in a child of its own, where it may leave what it likes.
pub fn count<T>(prepare: impl FnOnce() -> T, work: impl FnOnce(&mut T)) -> io::Result<Count> {
    let (base, own) = own_code()?;
    let mut count = Count::default();
    trace(prepare, work, |place| match place {
        Some(place) => {
            let at = base + place;
            // SAFETY: the child is a fork, so the code that it is in is here as well; no instruction is longer.
            let code = unsafe { std::slice::from_raw_parts(at as *const u8, 15.min(own.end - at)) };
            count.own += 1;
            count.locked += u64::from(is_locked(code));
        }
        None => count.elsewhere += 1,
    })?;
    Ok(count)
}

/// As [`count`], and says of each instruction where in this program it is, as its disassembly has it, or that it is in a library.
pub fn trace<T>(
    prepare: impl FnOnce() -> T,
    work: impl FnOnce(&mut T),
    mut each: impl FnMut(Option<usize>),
) -> io::Result<()> {
    let (base, own) = own_code()?;
    stay_here();
    // SAFETY: nobody else runs in this process, but for a test's harness that waits; so no lock is held.
    #[expect(clippy::disallowed_methods, reason = "that is for the library")]
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => play_child(prepare, work),
        pid => lead(&Child(pid), |at| each(own.contains(&at).then(|| at - base))),
    }
}

/// How a child ends that may not be traced.
const UNTRACED: c_int = 77;

fn play_child<T>(prepare: impl FnOnce() -> T, work: impl FnOnce(&mut T)) -> ! {
    // SAFETY: prctl with this option takes a number and touches no memory.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    // SAFETY: this request touches no memory.
    if unsafe { libc::ptrace(libc::PTRACE_TRACEME) } != 0 {
        // SAFETY: ends the process.
        unsafe { libc::_exit(UNTRACED) };
    }
    let mut prepared = prepare();
    // From here on step by step.
    // SAFETY: stops the process until its parent goes on with it.
    unsafe { libc::raise(libc::SIGSTOP) };
    mark();
    work(&mut prepared);
    mark();
    unreachable!("the parent ends it there")
}

/// The count begins when this is called first, and ends when it is called again.
#[inline(never)]
fn mark() {
    black_box(());
}

/// What stands for an argument that a request does not have: as wide as one.
const NOTHING: usize = 0;

/// A child, killed and reaped when let go.
struct Child(pid_t);

impl Child {
    /// The signal by which it stopped, after the next time it did.
    fn stop(&self) -> io::Result<c_int> {
        let mut status = 0;
        // SAFETY: `status` is an integer for the call to fill.
        while unsafe { libc::waitpid(self.0, &raw mut status, 0) } != self.0 {
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error);
            }
        }
        if libc::WIFSTOPPED(status) {
            return Ok(libc::WSTOPSIG(status));
        }
        if libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == UNTRACED {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        panic!("the child ended with {status:#x}");
    }

    /// Lets it go on, without the signal by which it stopped.
    fn resume(&self, how: c_uint) -> io::Result<()> {
        // SAFETY: neither request touches memory of ours.
        match unsafe { libc::ptrace(how, self.0, NOTHING, NOTHING) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// Lets it execute one instruction. What signals it is sent meanwhile come to nothing.
    fn step(&self) -> io::Result<()> {
        loop {
            self.resume(libc::PTRACE_SINGLESTEP)?;
            if self.stop()? == libc::SIGTRAP {
                return Ok(());
            }
        }
    }

    /// Where its next instruction is.
    fn at(&self) -> usize {
        let place = offset_of!(libc::user, regs) + offset_of!(libc::user_regs_struct, rip);
        // SAFETY: this request returns a word of the child's registers.
        unsafe { libc::ptrace(libc::PTRACE_PEEKUSER, self.0, place, NOTHING) as usize }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // SAFETY: kill touches no memory; the process is not reaped yet, or the number is nobody's so soon.
        unsafe { libc::kill(self.0, libc::SIGKILL) };
        // SAFETY: a null status is allowed.
        unsafe { libc::waitpid(self.0, null_mut(), 0) };
    }
}

fn lead(child: &Child, mut each: impl FnMut(usize)) -> io::Result<()> {
    while child.stop()? != libc::SIGSTOP {
        child.resume(libc::PTRACE_CONT)?;
    }
    let options = libc::PTRACE_O_EXITKILL as usize;
    // SAFETY: this request touches no memory.
    unsafe { libc::ptrace(libc::PTRACE_SETOPTIONS, child.0, NOTHING, options) };
    let marker = mark as *const () as usize;
    while child.at() != marker {
        child.step()?;
    }
    let mut at = marker;
    loop {
        each(at);
        child.step()?;
        at = child.at();
        if at == marker {
            return Ok(());
        }
    }
}

/// Whether the instruction at the start of `code` is a locked one, an exchange with memory, which is locked unsaid, or `mfence`.
fn is_locked(code: &[u8]) -> bool {
    const LOCK: u8 = 0xf0;
    let is_prefix = |byte: u8| matches!(byte, LOCK | 0x26 | 0x2e | 0x36 | 0x3e | 0x64..=0x67 | 0xf2 | 0xf3);
    let prefixes = code.iter().take_while(|&&byte| is_prefix(byte)).count();
    let (prefixes, rest) = code.split_at(prefixes);
    // A REX prefix comes last.
    let rest = if let [0x40..=0x4f, rest @ ..] = rest { rest } else { rest };
    prefixes.contains(&LOCK)
        || match rest {
            [0x0f, 0xae, 0xf0, ..] => true,
            [0x86 | 0x87, operands, ..] => operands >> 6 != 3,
            _ => false,
        }
}

/// Where this program was loaded, and the addresses of its code: the same in a forked child.
fn own_code() -> io::Result<(usize, Range<usize>)> {
    let inside = mark as *const () as usize;
    let maps = std::fs::read_to_string("/proc/self/maps")?;
    let range = |line: &str| {
        let (start, end) = line.split_once(' ')?.0.split_once('-')?;
        Some(usize::from_str_radix(start, 16).ok()?..usize::from_str_radix(end, 16).ok()?)
    };
    let program = std::env::current_exe()?;
    let own = maps.lines().filter(|line| line.ends_with(&*program.to_string_lossy())).filter_map(range);
    let base = own.map(|range| range.start).min();
    let code = maps.lines().filter_map(range).find(|range| range.contains(&inside));
    base.zip(code).ok_or_else(|| io::ErrorKind::NotFound.into())
}

/// Keeps this process and its children on one core. They take turns anyway, and waking each other from one core to another
/// makes a step several times as slow.
fn stay_here() {
    // SAFETY: this returns a number.
    let Ok(here) = usize::try_from(unsafe { libc::sched_getcpu() }) else { return };
    // SAFETY: a set of zeros is an empty one.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: the set is ours, and it ignores a number beyond its end.
    unsafe { libc::CPU_SET(here, &mut set) };
    // SAFETY: the set is as long as is said. Should it fail, it is only slower.
    unsafe { libc::sched_setaffinity(0, size_of_val(&set), &raw const set) };
}

#[cfg(test)]
mod tests {
    use super::{Count, count};
    use std::arch::asm;

    fn turns(of: u64) -> Count {
        let turn = |&mut of: &mut u64| {
            // SAFETY: it counts a register of its own down to zero.
            unsafe { asm!("2:", "dec {turns}", "jnz 2b", turns = inout(reg) of => _) }
        };
        count(|| of, turn).unwrap()
    }

    #[test]
    fn counts_every_instruction() {
        let (some, more) = (turns(1000), turns(1500));
        assert_eq!((some.elsewhere, more.elsewhere), (0, 0));
        assert_eq!(more.own - some.own, 2 * 500);
        assert!(some.own < 2 * 1000 + 300, "{some:?}");
        assert_eq!(some.locked, 0);
    }

    #[test]
    fn tells_locked_instructions() {
        let work = |word: &mut u64| {
            let at: *mut u64 = word;
            // SAFETY: it changes a word that is ours.
            unsafe {
                asm!("lock inc qword ptr [{at}]", "xchg {other}, [{at}]", "mfence", "xchg {other}, {at}",
                    "xchg {other}, {at}", "lfence", at = inout(reg) at => _, other = inout(reg) 0_u64 => _)
            }
        };
        assert_eq!(count(|| 0, work).unwrap().locked, 3);
    }
}
