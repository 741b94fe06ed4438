//! What lies under a name and is not the ring that was asked for: each has an error of its own, and nothing is
//! believed.

mod support;

use ringmail::zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};
use ringmail::{OpenError, Options, mpmc, spsc};
use std::ffi::CString;
use std::fs::Permissions;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use support::{Name, Process, Seeded, name, path, role, say};

type Ring = mpmc::Ring<u64>;

/// So many slots that one byte of that number changed means other offsets too.
const SMALL: Options = Options::new().capacity(512);

/// The bytes of a good `mpmc` ring of `u64`.
fn good() -> Vec<u8> {
    let name = name("good");
    let _ring = Ring::create(&name, &SMALL).unwrap();
    std::fs::read(name.path()).unwrap()
}

/// A name under which these bytes lie.
fn lay(bytes: &[u8]) -> Name {
    let name = name("strange");
    std::fs::write(name.path(), bytes).unwrap();
    name
}

fn opening(bytes: &[u8]) -> OpenError {
    Ring::open(&lay(bytes)).expect_err("not a ring")
}

#[test]
fn the_untouched_copy_opens() {
    Ring::open(&lay(&good())).unwrap();
}

#[test]
fn nothing_at_all() {
    let name = name("nothing");
    assert!(matches!(Ring::open(&name), Err(OpenError::NotFound { name: n }) if *n == *name));
}

#[test]
fn files_of_other_bytes() {
    assert!(matches!(opening(b""), OpenError::NotARing { found: "an empty file" }));
    assert!(matches!(opening(b"RING"), OpenError::NotARing { found: "a file of other bytes" }));
    let mut seeded = Seeded(0x1234_5678_9abc_def1);
    let mut random: Vec<u8> = (0..8192).map(|_| seeded.below(256) as u8).collect();
    assert!(matches!(opening(&random), OpenError::NotARing { found: "a file of other bytes" }));
    assert!(matches!(opening(&[0; 8192]), OpenError::NotARing { .. }));
    // With the right first bytes, it is the next thing that is wrong.
    random[..8].copy_from_slice(b"RINGMAIL");
    assert!(matches!(opening(&random), OpenError::Version { supported: 1, .. }));
    for _ in 0..100 {
        random[8..].fill_with(|| seeded.below(256) as u8);
        random[8..12].copy_from_slice(&1_u32.to_le_bytes());
        random[12..16].copy_from_slice(&2_u32.to_le_bytes());
        assert!(matches!(opening(&random), OpenError::MessageType { .. }));
        random[136..224].copy_from_slice(&good()[136..224]);
        assert!(matches!(opening(&random), OpenError::Corrupt { .. }));
    }
}

#[test]
fn things_that_are_not_files() {
    let directory = name("directory");
    std::fs::create_dir(directory.path()).unwrap();
    assert!(matches!(Ring::open(&directory), Err(OpenError::NotARing { found: "a directory" })));
    assert!(matches!(Ring::create(&directory, &SMALL), Err(OpenError::NotARing { found: "a directory" })));

    let (target, link) = (lay(&good()), name("link"));
    std::os::unix::fs::symlink(target.path(), link.path()).unwrap();
    assert!(matches!(Ring::open(&link), Err(OpenError::NotARing { found: "a symbolic link" })));
    assert!(matches!(Ring::create(&link, &SMALL), Err(OpenError::NotARing { .. })));
    assert!(link.exists() && target.exists());

    let fifo = name("fifo");
    let fifo_path = CString::new(fifo.path()).unwrap();
    // SAFETY: the string ends with a zero and lives across the call.
    assert_eq!(unsafe { libc::mkfifo(fifo_path.as_ptr(), 0o600) }, 0);
    assert!(matches!(Ring::open(&fifo), Err(OpenError::NotARing { found: "not a regular file" })));
}

#[test]
fn descriptors_that_are_no_rings() {
    let null = std::fs::OpenOptions::new().read(true).write(true).open("/dev/null").unwrap();
    assert!(matches!(Ring::from_fd(null), Err(OpenError::NotARing { found: "not a regular file" })));
    let directory = std::fs::File::open("/").unwrap();
    assert!(matches!(Ring::from_fd(directory), Err(OpenError::NotARing { found: "a directory" })));
    let (reader, _writer) = std::io::pipe().unwrap();
    assert!(matches!(Ring::from_fd(OwnedFd::from(reader)), Err(OpenError::NotARing { .. })));
    let file = lay(b"neither");
    assert!(matches!(Ring::from_fd(std::fs::File::open(file.path()).unwrap()), Err(OpenError::NotARing { .. })));
}

#[test]
fn another_version() {
    let mut bytes = good();
    bytes[8..12].copy_from_slice(&2_u32.to_le_bytes());
    assert!(matches!(opening(&bytes), OpenError::Version { found: 2, supported: 1 }));
}

#[test]
fn the_other_flavour() {
    let name = name("flavour");
    let _ring = Ring::create(&name, &SMALL).unwrap();
    let error = spsc::Ring::<u64>::open(&name).unwrap_err();
    assert!(matches!(error, OpenError::Flavour { found: "mpmc", wanted: "spsc" }), "{error}");
    let error = spsc::Ring::<u64>::open_or_create(&name, &SMALL).unwrap_err();
    assert!(matches!(error, OpenError::Flavour { .. }), "{error}");
    let mut bytes = good();
    bytes[12] = 3;
    assert!(matches!(opening(&bytes), OpenError::Corrupt { field: "flavour" }));
}

#[test]
fn another_message_type() {
    #[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
    #[repr(C)]
    struct Tick {
        number: u64,
    }
    let name = name("type");
    let ring = mpmc::Ring::<[u8]>::create(&name, &SMALL).unwrap();
    let found = |found: OpenError| match found {
        OpenError::MessageType { found, wanted } => (found, wanted),
        error => panic!("{error}"),
    };
    let (is, asked) = found(Ring::open(&name).unwrap_err());
    assert_eq!(is, "[u8] (0 + n x 1 bytes, aligned to 1)");
    assert_eq!(asked, "u64 (8 bytes, aligned to 8)");
    found(mpmc::Ring::<[u32]>::open(&name).unwrap_err());
    found(mpmc::Ring::<[i8]>::open(&name).unwrap_err());
    found(mpmc::Ring::<u8>::open(&name).unwrap_err());
    drop(ring);
    // Of one size and alignment, but another name.
    let _ring = Ring::create(&name, &SMALL).unwrap();
    found(mpmc::Ring::<Tick>::open(&name).unwrap_err());
    found(mpmc::Ring::<f64>::open(&name).unwrap_err());
}

#[test]
fn cut_off() {
    let bytes = good();
    let whole = bytes.len() as u64;
    for len in [8, 100, 511] {
        let error = opening(&bytes[..len]);
        assert!(matches!(error, OpenError::Truncated { len: l, needed: 512 } if l == len as u64), "{len}: {error}");
    }
    for len in [512, 4096, bytes.len() - 4096, bytes.len() - 1] {
        let error = opening(&bytes[..len]);
        let expected = matches!(error, OpenError::Truncated { len: l, needed } if l == len as u64 && needed == whole);
        assert!(expected, "{len}: {error}");
    }
    for len in [0, 1, 7] {
        assert!(matches!(opening(&bytes[..len]), OpenError::NotARing { .. }));
    }
}

/// Every byte of the header means something, or must be zero.
#[test]
fn any_byte_of_the_header_changed() {
    let bytes = good();
    let name = lay(&bytes);
    for at in 0..512 {
        let mut bytes = bytes.clone();
        bytes[at] ^= 0xff;
        std::fs::write(name.path(), &bytes).unwrap();
        match (at, Ring::open(&name)) {
            // Policy, spin and identity may be anything.
            (128..136 | 224..240, opened) => drop(opened.unwrap()),
            (0..8, Err(OpenError::NotARing { .. })) => {}
            (8..12, Err(OpenError::Version { .. })) => {}
            (136..224, Err(OpenError::MessageType { .. })) => {}
            (_, Err(OpenError::Corrupt { .. })) => {}
            (_, opened) => panic!("byte {at}: {:?}", opened.err()),
        }
    }
}

#[test]
fn what_is_no_ring_is_not_replaced() {
    let name = lay(b"somebody's data");
    assert!(matches!(Ring::create(&name, &SMALL), Err(OpenError::NotARing { .. })));
    assert!(matches!(Ring::open_or_create(&name, &SMALL), Err(OpenError::NotARing { .. })));
    assert_eq!(std::fs::read(name.path()).unwrap(), b"somebody's data");
}

#[test]
fn somebody_elses() {
    let (private, shared) = (name("private"), name("shared"));
    let mut peer = Process::start("child", "nobody", &[&private, &shared]);
    let said = peer.next_line();
    if said != "done" {
        println!("skipped: {said}");
    }
    peer.finish();
}

/// Needs nobody else, and so no rights.
#[test]
fn ones_own_without_permission() {
    let name = name("locked");
    Process::start("child", "locked", &[&name]).finish();
}

#[test]
fn child() {
    let Some((role, args)) = role() else { return };
    match role.as_str() {
        "nobody" => open_as_nobody(&args[0], &args[1]),
        _ => open_without_permission(&args[0]),
    }
}

/// Lays down the rights of root; says whether it had them.
fn become_nobody() -> bool {
    const NOBODY: libc::uid_t = 65534;
    // SAFETY: asks for a number; then takes numbers and touches no memory.
    if unsafe { libc::geteuid() } != 0 || unsafe { libc::setresgid(NOBODY, NOBODY, NOBODY) } != 0 {
        return false;
    }
    // SAFETY: as above.
    assert_eq!(unsafe { libc::setresuid(NOBODY, NOBODY, NOBODY) }, 0);
    // SAFETY: as above. A process that changed its user may not look at its own descriptors until it says so, or execs.
    unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 1) };
    true
}

fn assert_refused(private: &str) {
    for refused in [Ring::open(private), Ring::create(private, &SMALL), Ring::open_or_create(private, &SMALL)] {
        assert!(matches!(refused, Err(OpenError::PermissionDenied { name }) if name == *private));
    }
}

/// Creates a ring and takes the permission to open it away; root would need none, and so is nobody then.
fn open_without_permission(name: &str) {
    become_nobody();
    let ring = Ring::create(name, &SMALL).unwrap();
    std::fs::set_permissions(path(name), Permissions::from_mode(0o000)).unwrap();
    assert_refused(name);
    // Who has it open goes on, and so does who is given permission again.
    ring.sender().unwrap().send(&1).unwrap();
    std::fs::set_permissions(path(name), Permissions::from_mode(0o600)).unwrap();
    assert_eq!(*Ring::open(name).unwrap().receiver().unwrap().recv().unwrap(), 1);
}

/// Creates rings as root and opens them as a user without rights.
fn open_as_nobody(private: &str, shared: &str) {
    let rings = (Ring::create(private, &SMALL).unwrap(), Ring::create(shared, &SMALL.mode(0o666)).unwrap());
    if !become_nobody() {
        return say("this process may not change its user");
    }
    assert_refused(private);
    assert!(matches!(ringmail::unlink(private), Err(OpenError::PermissionDenied { .. })));
    let open = Ring::open(shared).unwrap();
    open.sender().unwrap().send(&1).unwrap();
    assert_eq!(*rings.1.receiver().unwrap().recv().unwrap(), 1);
    // Another user's files cannot be removed from a sticky directory; whoever made them does that.
    drop((open, rings));
    assert!(std::fs::exists(path(private)).unwrap());
    say("done");
}
