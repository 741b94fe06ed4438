//! What once went wrong, each by the shortest way that showed it.

use ringmail::{JoinError, Options, Redelivery, SendError, mpmc, spsc};
use std::borrow::Borrow;
use std::cell::Cell;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

/// A successor was handed the slots of messages that were still out.
#[test]
fn an_owned_message_keeps_the_receivers_role() {
    let ring = spsc::Ring::<u64>::anonymous(&Options::new().capacity(1)).unwrap();
    let (mut tx, mut rx) = (ring.sender().unwrap(), ring.receiver().unwrap());
    tx.send(&1).unwrap();
    let owned = rx.recv().unwrap().into_owned();
    drop(rx);
    assert_eq!(ring.receiver().unwrap_err(), JoinError::RoleTaken { pid: std::process::id() });
    assert!(tx.try_send(&2).unwrap_err().is_full());
    assert_eq!(*owned, 1);
    drop(owned);
    let mut rx = ring.receiver().unwrap();
    tx.send(&2).unwrap();
    assert_eq!(rx.recv_copy(), Ok(2));
}

/// Messages sent into a closed ring in one run were said to be sent.
#[test]
fn many_messages_into_a_closed_ring_are_not_sent() {
    let ring = spsc::Ring::<u64>::anonymous(&Options::new().capacity(8)).unwrap();
    let (mut tx, rx) = (ring.sender().unwrap(), ring.receiver().unwrap());
    ring.close();
    drop(rx);
    let error = tx.send_many([1, 2, 3]).unwrap_err();
    assert_eq!(error.sent, 0);
    assert!(error.error.is_disconnected());
}

/// A close was taken for the absence of receivers.
#[test]
fn acknowledgements_come_after_a_close_too() {
    let ring = mpmc::Ring::<u64>::anonymous(&Options::new()).unwrap();
    let (tx, rx) = (ring.sender().unwrap(), ring.receiver().unwrap());
    tx.send(&1).unwrap();
    ring.close();
    assert!(tx.wait_acked(Some(Duration::from_millis(1))).unwrap_err().is_timeout());
    drop(rx.recv().unwrap());
    assert_eq!(tx.wait_acked(None), Ok(()));
}

/// Creation that failed half-way kept its memory and its lock.
#[test]
fn a_failed_creation_leaves_no_descriptor() {
    let name = format!("test-regressions-{}", std::process::id());
    let path = format!("/dev/shm/ringmail.{name}");
    std::fs::write(&path, b"not a ring").unwrap();
    let mine = || {
        let links = std::fs::read_dir("/proc/self/fd").unwrap();
        let targets = links.filter_map(|link| std::fs::read_link(link.ok()?.path()).ok());
        targets.filter(|target| target.to_string_lossy().starts_with("/dev/shm/#")).count()
    };
    for _ in 0..3 {
        let created = mpmc::Ring::<u64>::create(&name, &Options::new().capacity(1000));
        assert!(created.is_err());
    }
    std::fs::remove_file(&path).unwrap();
    assert_eq!(mine(), 0, "no unnamed segment stays open");
}

/// Bytes that no ring has made arithmetic overflow.
#[test]
fn any_bytes_in_the_words_are_an_error_or_a_message() {
    for fill in [0x00_u8, 0xff, 0x5a, 0x80, 0x01] {
        let options = Options::new().capacity(3).redelivery(Redelivery::AtMost(2)).participants(2);
        let ring = mpmc::Ring::<[u8]>::anonymous(&options).unwrap();
        let single = spsc::Ring::<[u8]>::anonymous(&options).unwrap();
        let (tx, rx) = (ring.sender().unwrap(), ring.receiver().unwrap());
        let (mut one_tx, mut one_rx) = (single.sender().unwrap(), single.receiver().unwrap());
        scribble(ring.as_fd().as_raw_fd(), fill);
        scribble(single.as_fd().as_raw_fd(), fill);
        for _ in 0..8 {
            let _ = tx.try_send(b"x");
            let _ = rx.try_recv().map(|message| message.len());
            let _ = rx.try_recv_many(8).map(|batch| batch.iter().count());
            let _ = tx.try_loan(9).map(|loan| loan.commit());
            let _ = (tx.len(), tx.has_space(), rx.is_empty(), tx.wait_acked(Some(Duration::ZERO)));
            let _ = one_tx.try_send(b"x");
            let _ = one_rx.try_recv().map(|message| message.len());
            let _ = one_rx.try_recv_many(8).map(|batch| batch.iter().count());
            let _ = (one_tx.len(), one_tx.has_space(), one_rx.len());
        }
        let _ = (ring.stats(), single.stats());
    }
}

/// Overwrites all but the header, which is never read again, and the participants, who are this process.
fn scribble(fd: i32, fill: u8) {
    // SAFETY: fstat fills the struct that it is given.
    let mut stat = unsafe { std::mem::zeroed::<libc::stat>() };
    // SAFETY: as above.
    assert_eq!(unsafe { libc::fstat(fd, &raw mut stat) }, 0);
    for (from, to) in [(1024, 1024 + 512), (4096 + 128, stat.st_size)] {
        let bytes = vec![fill; (to - from) as usize];
        // SAFETY: the bytes are readable for the length given.
        let written = unsafe { libc::pwrite(fd, bytes.as_ptr().cast(), bytes.len(), from) };
        assert_eq!(written, bytes.len() as isize);
    }
}

/// A child that joined its second ring first took that ring's descriptor for the first one's.
#[test]
#[allow(clippy::disallowed_methods, reason = "a fork is what is tested")]
fn a_forked_child_tells_its_rings_apart() {
    let options = Options::new().capacity(4);
    let rings = [(); 2].map(|()| mpmc::Ring::<u64>::anonymous(&options).unwrap());
    let ends = rings.each_ref().map(|ring| (ring.sender().unwrap(), ring.receiver().unwrap()));
    // SAFETY: the child only uses the rings and leaves by `_exit`.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let sent = ends[1].0.send(&2).is_ok() && ends[0].0.send(&1).is_ok();
        let held = rings.iter().all(|ring| ring.stats().participants.iter().filter(|peer| peer.alive).count() == 2);
        // SAFETY: ends the child at once, without destructors of the parent's.
        unsafe { libc::_exit(if sent && held { 0 } else { 1 }) };
    }
    assert_eq!((ends[0].1.recv_copy(), ends[1].1.recv_copy()), (Ok(1), Ok(2)));
    let mut status = 0;
    // SAFETY: waits for the child just made.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    assert_eq!(status, 0);
}

/// A second successor took what only the first receiver had been handed for fresh.
#[test]
fn what_was_handed_out_stays_known_after_two_deaths() {
    let ring = spsc::Ring::<u64>::anonymous(&Options::new().capacity(4)).unwrap();
    let mut tx = ring.sender().unwrap();
    tx.send_many([1, 2, 3]).unwrap();
    let mut rx = ring.receiver().unwrap();
    std::mem::forget(rx.recv_many(3).unwrap());
    drop(rx);
    let mut rx = ring.receiver().unwrap();
    std::mem::forget(rx.recv().unwrap());
    drop(rx);
    let mut rx = ring.receiver().unwrap();
    for message in 1..=3 {
        let received = rx.recv().unwrap();
        assert_eq!(*received, message);
        assert!(received.redelivered() > 0, "{message} was handed out before");
    }
}

/// A sender out of line that runs on past what is held made the receiver remember each message behind it.
#[test]
fn an_spsc_receiver_remembers_no_more_than_a_lap() {
    let ring = spsc::Ring::<u64>::anonymous(&Options::new().capacity(64)).unwrap();
    let file = File::from(ring.as_fd().try_clone_to_owned().unwrap());
    let mut rx = ring.receiver().unwrap();
    let claim = |tail: u64| file.write_all_at(&tail.to_le_bytes(), 1024).unwrap();
    claim(64);
    let held = rx.try_recv().unwrap().into_owned();
    let mut received = 1;
    for lap in 2..100 {
        received += rx.try_iter().count();
        claim(64 * lap);
        assert!(rx.try_recv().is_err());
    }
    assert_eq!(received, 64);
    drop(held);
}

/// The slots of an spsc ring lay closer together than messages without bytes are aligned.
#[test]
fn messages_without_bytes_are_aligned() {
    let (mut tx, mut rx) = spsc::channel::<[u128; 0]>(&Options::new().capacity(4)).unwrap();
    for _ in 0..10 {
        tx.try_send(&[]).unwrap();
        let message = rx.try_recv().unwrap();
        assert_eq!(std::ptr::from_ref(&*message).addr() % align_of::<u128>(), 0);
    }
}

/// A message that was longer when it was borrowed a second time was written beyond its slot.
#[test]
fn a_message_that_grows_does_not_overflow_its_slot() {
    struct Growing(Cell<u32>);
    impl Borrow<[u8]> for Growing {
        fn borrow(&self) -> &[u8] {
            self.0.set(self.0.get() + 1);
            &[0xEE; 64][..8 * self.0.get().min(8) as usize]
        }
    }
    let (mut tx, mut rx) = spsc::channel::<[u8]>(&Options::new().capacity(4).max_len(8)).unwrap();
    let growing = || Growing(Cell::new(0));
    assert_eq!(tx.send_many([growing(), growing()]), Ok(2));
    assert_eq!(*rx.recv().unwrap(), [0xEE; 8]);
    assert_eq!(*rx.recv().unwrap(), [0xEE; 8]);
    let untouched = tx.loan(8).unwrap();
    assert_eq!(*untouched, [0; 8]);
}

/// What was copied out while a panic went on was handed over, and given back as well.
#[test]
fn a_copy_made_in_a_panic_is_acknowledged() {
    struct Last<'a>(&'a mut spsc::Receiver<[u8]>, &'a Cell<u32>);
    impl Drop for Last<'_> {
        fn drop(&mut self) {
            while self.1.get() < 5 && self.0.try_recv_into(&mut [0; 8]).is_ok() {
                self.1.set(self.1.get() + 1);
            }
        }
    }
    let (mut tx, mut rx) = spsc::channel::<[u8]>(&Options::new().capacity(4).max_len(8)).unwrap();
    tx.send(b"12345678").unwrap();
    let times = Cell::new(0);
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        let _last = Last(&mut rx, &times);
        resume_unwind(Box::new(()));
    }));
    assert!(unwound.is_err());
    assert_eq!(times.get(), 1);
}

/// A process that was forked by the iterator of a run published it, while its parent had the role.
#[test]
#[expect(clippy::disallowed_methods, reason = "a child that goes on in the middle of a call")]
fn a_run_that_forks_is_published_by_the_parent_alone() {
    let (mut tx, mut rx) = spsc::channel::<u64>(&Options::new().capacity(8)).unwrap();
    let mut child = None;
    let sent = tx.send_many((0..3).map(|number| {
        if number != 1 || child.is_some() {
            return number + if child == Some(0) { 100 } else { 0 };
        }
        // SAFETY: the child sends, which takes no lock that another thread may hold, and ends.
        let pid = unsafe { libc::fork() };
        child = Some(pid);
        if pid > 0 {
            let mut status = -1;
            // SAFETY: it is this process's child.
            unsafe { libc::waitpid(pid, &raw mut status, 0) };
            assert_eq!(status, 0, "the child was told that it may not");
        }
        number
    }));
    if child == Some(0) {
        let is_refused = sent.is_err_and(|error| error.error == SendError::Join(JoinError::Inherited));
        // SAFETY: ends the process.
        unsafe { libc::_exit(i32::from(!is_refused)) }
    }
    assert_eq!(sent, Ok(3));
    assert_eq!(rx.try_iter().map(|message| *message).collect::<Vec<_>>(), [0, 1, 2]);
}

/// A process that was forked by the filler of a run went on filling slots in which its parent had sent messages since.
#[test]
#[expect(clippy::disallowed_methods, reason = "a child that goes on in the middle of a call")]
fn a_filler_that_forks_fills_nothing_more_in_the_child() {
    let (mut tx, mut rx) = spsc::channel::<u64>(&Options::new().capacity(8)).unwrap();
    let (mut published, mut publishing) = std::io::pipe().unwrap();
    let mut child = None;
    let sent = tx.fill_many(3, |number, message| {
        if child == Some(0) {
            // SAFETY: ends the process.
            unsafe { libc::_exit(2) }
        }
        *message = number as u64;
        if number == 1 {
            // SAFETY: the child sends, which takes no lock that another thread may hold, and ends.
            child = Some(unsafe { libc::fork() });
            if child == Some(0) {
                published.read_exact(&mut [0]).unwrap();
            }
        }
    });
    if child == Some(0) {
        let is_refused = sent.is_err_and(|error| error.error == SendError::Join(JoinError::Inherited));
        // SAFETY: ends the process.
        unsafe { libc::_exit(i32::from(!is_refused)) }
    }
    assert_eq!(sent, Ok(()));
    publishing.write_all(&[1]).unwrap();
    let mut status = -1;
    // SAFETY: it is this process's child.
    unsafe { libc::waitpid(child.unwrap(), &raw mut status, 0) };
    assert_eq!(status, 0, "the child was told that it may not, and filled nothing more");
    assert_eq!(rx.try_iter().map(|message| *message).collect::<Vec<_>>(), [0, 1, 2]);
}
