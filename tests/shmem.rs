//! Rings in memory that the `shared_memory` crate made: what holds there too, and what does not.

mod support;

use ringmail::{OpenError, Options, mpmc, spsc};
use shared_memory::{Shmem, ShmemConf};
use std::os::unix::process::ExitStatusExt;
use support::{Process, role, say};

const SIZE: usize = 1 << 20;
const OPTIONS: Options = Options::new().capacity(8).max_len(1000);

fn memory() -> Shmem {
    ShmemConf::new().size(SIZE).create().unwrap()
}

fn open(name: &str) -> Shmem {
    ShmemConf::new().os_id(name).open().unwrap()
}

#[test]
fn child() {
    let Some((role, args)) = role() else { return };
    let shmem = open(&args[0]);
    match role.as_str() {
        "echo" => {
            let ring = mpmc::Ring::<[u8]>::open_in(&shmem).unwrap();
            drop(shmem);
            let (tx, rx) = (ring.sender().unwrap(), ring.receiver().unwrap());
            say("ready");
            let message = rx.recv().unwrap().to_vec();
            tx.send(&message).unwrap();
            say("answered");
            std::thread::park();
        }
        "touch" => {
            let ring = spsc::Ring::<u64>::open_in(&shmem).unwrap();
            let mut tx = ring.sender().unwrap();
            say("ready");
            support::hear();
            tx.send(&1).unwrap();
            say("alive");
        }
        _ => unreachable!("{role}"),
    }
}

#[test]
fn a_ring_between_processes_outlives_the_shmem_it_was_made_in() {
    let shmem = memory();
    let name = shmem.get_os_id().to_owned();
    let ring = mpmc::Ring::<[u8]>::create_in(&shmem, &OPTIONS).unwrap();
    let tx = ring.sender().unwrap();
    let mut echo = Process::start("child", "echo", &[&name]);
    echo.expect("ready");
    drop(shmem);
    tx.send(b"over there").unwrap();
    echo.expect("answered");
    let rx = ring.receiver().unwrap();
    assert_eq!(*rx.recv().unwrap(), *b"over there");
    echo.kill();
    // The lock on the memory tells of the death, as anywhere.
    drop(tx);
    assert!(rx.recv().is_err_and(|error| error.is_disconnected()));
}

#[test]
fn who_lives_keeps_the_memory_and_who_died_does_not() {
    let shmem = memory();
    let ring = spsc::Ring::<u64>::create_in(&shmem, &OPTIONS).unwrap();
    ring.sender().unwrap().send(&1).unwrap();
    let error = mpmc::Ring::<u64>::create_in(&shmem, &OPTIONS).unwrap_err();
    assert!(error.is_already_exists(), "{error}");
    assert_eq!(*spsc::Ring::<u64>::open_in(&shmem).unwrap().receiver().unwrap().recv().unwrap(), 1);
    drop(ring);
    // Nobody has it open: its name and its bytes are there, and the next creator has them.
    let ring = mpmc::Ring::<u64>::create_in(&shmem, &OPTIONS).unwrap();
    assert_eq!(ring.stats().backlog, 0);
    assert!(matches!(spsc::Ring::<u64>::open_in(&shmem), Err(OpenError::Flavour { .. })));
    assert!(!ringmail::list().unwrap().iter().any(|listed| shmem.get_os_id().ends_with(&listed.name)), "not listed");
}

#[test]
fn memory_that_is_not_long_enough_or_not_a_ring() {
    let shmem = memory();
    let long = OPTIONS.max_len(SIZE);
    let error = mpmc::Ring::<[u8]>::create_in(&shmem, &long).unwrap_err();
    assert!(matches!(error, OpenError::Truncated { len, needed } if len == SIZE as u64 && needed > len), "{error}");
    assert!(matches!(mpmc::Ring::<[u8]>::open_in(&shmem), Err(OpenError::NotARing { .. })), "nothing was written");
    // As a creator leaves it that is killed before the last thing it writes.
    drop(mpmc::Ring::<[u8]>::create_in(&shmem, &OPTIONS).unwrap());
    // SAFETY: nobody has a ring there open.
    unsafe { shmem.as_ptr().write_bytes(0, 8) };
    assert!(matches!(mpmc::Ring::<[u8]>::open_in(&shmem), Err(OpenError::NotARing { .. })));
    mpmc::Ring::<[u8]>::create_in(&shmem, &OPTIONS).unwrap().sender().unwrap().send(b"again").unwrap();
}

#[test]
fn a_name_that_leads_elsewhere_is_not_believed() {
    let mut shmem = memory();
    shmem.set_owner(false);
    let path = format!("/dev/shm{}", shmem.get_os_id());
    std::fs::remove_file(&path).unwrap();
    assert!(mpmc::Ring::<[u8]>::create_in(&shmem, &OPTIONS).is_err_and(|error| error.is_not_found()));
    std::fs::write(&path, vec![0; SIZE]).unwrap();
    assert!(mpmc::Ring::<[u8]>::create_in(&shmem, &OPTIONS).is_err_and(|error| error.is_not_found()));
    assert!(std::fs::read(&path).unwrap().iter().all(|&byte| byte == 0), "somebody else's memory stays as it is");
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn long_messages_in_it() {
    let shmem = ShmemConf::new().size(64 << 20).create().unwrap();
    let options = Options::new().capacity(4).max_len(16_000).participants(4).retain(0);
    let error = spsc::Ring::<[u8]>::create_in(&memory(), &options).unwrap_err();
    assert!(matches!(error, OpenError::Truncated { needed, .. } if needed < 64 << 20), "{error}");
    let ring = spsc::Ring::<[u8]>::create_in(&shmem, &options).unwrap();
    let (mut tx, mut rx) = (ring.sender().unwrap(), ring.receiver().unwrap());
    for number in 0..100 {
        tx.send(&[number; 16_000]).unwrap();
        assert_eq!(*rx.recv().unwrap(), [number; 16_000]);
    }
    assert!(ring.stats().committed < 64_000, "{:?}", ring.stats());
}

/// What cannot be promised: nothing keeps its size from being changed.
#[test]
fn memory_that_is_cut_off_kills_who_touches_it() {
    let shmem = memory();
    let _ring = spsc::Ring::<u64>::create_in(&shmem, &OPTIONS).unwrap();
    let mut touch = Process::start("child", "touch", &[shmem.get_os_id()]);
    touch.expect("ready");
    std::fs::File::options().write(true).open(format!("/dev/shm{}", shmem.get_os_id())).unwrap().set_len(0).unwrap();
    touch.tell("touch");
    assert_eq!(touch.wait().signal(), Some(libc::SIGBUS));
    // Not by this process, which would die of it on its way out.
    std::mem::forget(_ring);
}
