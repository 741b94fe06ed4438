//! File systems that only one process and its children see.

use super::say;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Lets a child that is about to start mount something, if that may be: who is nobody may still be somebody among its own. Only a
/// process of one thread may become that, as a child is before it runs a program.
pub fn allow(command: &mut Command) {
    // SAFETY: asks for a number.
    let (user, group) = (unsafe { libc::geteuid() }, unsafe { libc::getegid() });
    let maps = [
        ("/proc/self/uid_map", format!("0 {user} 1")),
        ("/proc/self/setgroups", "deny".to_owned()),
        ("/proc/self/gid_map", format!("0 {group} 1")),
    ];
    let become_somebody = move || {
        let unshare = |what| {
            // SAFETY: this process has one thread, and nothing else of it is shared.
            unsafe { libc::unshare(what) == 0 }
        };
        if !unshare(libc::CLONE_NEWNS) && unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNS) {
            maps.iter().try_for_each(|(path, text)| std::fs::write(path, text))?;
        }
        // Where neither may be, the child finds out.
        Ok(())
    };
    // SAFETY: it makes system calls and takes no lock; paths as short as these are not copied to the heap.
    unsafe { command.pre_exec(become_somebody) };
}

/// Mounts a memory file system of 16 MiB over `directory`, for this process and its children alone. Where that may not be, says so, and that
/// the child is done.
pub fn has_small_file_system(directory: &str) -> bool {
    let mounted = mount_small(directory, 16 << 20);
    if let Err(error) = &mounted {
        // No file system of our own, so none that may be filled.
        eprintln!("not shown here: a small file system cannot be mounted: {error}");
        say("done");
    }
    mounted.is_ok()
}

/// Mounts a memory file system of `bytes` over `directory`, for this process and its children alone.
fn mount_small(directory: &str, bytes: usize) -> std::io::Result<()> {
    let done = |code: libc::c_int| if code == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) };
    // SAFETY: this process has no other thread that cares which file systems it sees.
    done(unsafe { libc::unshare(libc::CLONE_NEWNS) })?;
    let options = std::ffi::CString::new(format!("size={bytes}"))?;
    let directory = std::ffi::CString::new(directory)?;
    let (none, root, tmpfs) = (std::ptr::null(), c"/".as_ptr(), c"tmpfs".as_ptr());
    // SAFETY: valid strings; nothing of it is seen outside this process.
    done(unsafe { libc::mount(none, root, none, libc::MS_REC | libc::MS_PRIVATE, none.cast()) })?;
    // SAFETY: as above.
    done(unsafe { libc::mount(tmpfs, directory.as_ptr(), tmpfs, 0, options.as_ptr().cast()) })
}
