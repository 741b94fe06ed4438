//! System calls that a process may not make: a filter that the kernel asks before each, for as long as the thread and those
//! that it starts live.

use libc::{c_long, sock_filter, sock_fprog};
use std::io::Write;

/// From here on a system call among `listed` is answered by `these`, any other by `others`, each an action such as
/// `SECCOMP_RET_ALLOW`. A signal that `others` sends has the call's number in its `si_errno`.
///
/// Not the strict mode, which cannot be had in a container that has filters of its own.
pub fn answer_calls(listed: &[c_long], these: u32, others: u32) {
    let step = |code: u32, jt, k| sock_filter { code: code as u16, jt, jf: 0, k };
    // Its number is the first field of what the filter sees.
    let mut program = vec![step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0)];
    for (at, &number) in listed.iter().enumerate() {
        // Over the rest of the list and the two steps for others.
        let past = listed.len() - at - 1 + 2;
        program.push(step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, past as u8, number as u32));
    }
    program.push(step(libc::BPF_ALU | libc::BPF_OR | libc::BPF_K, 0, others));
    program.push(step(libc::BPF_RET | libc::BPF_A, 0, 0));
    program.push(step(libc::BPF_RET | libc::BPF_K, 0, these));
    let program = sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    // SAFETY: prctl with this option takes numbers and touches no memory.
    assert_eq!(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }, 0);
    let mode = libc::SECCOMP_MODE_FILTER;
    // SAFETY: the program is as long as it says, and only read.
    let set = unsafe { libc::prctl(libc::PR_SET_SECCOMP, mode, &raw const program) };
    if set != 0 {
        // Not to where the test's harness would keep it.
        let _ = writeln!(std::io::stderr(), "no seccomp filter: {}", std::io::Error::last_os_error());
        panic!("no seccomp filter");
    }
}

/// From here on the system does not know this call.
pub fn take_away(call: c_long) {
    answer_calls(&[call], libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32, libc::SECCOMP_RET_ALLOW);
}
