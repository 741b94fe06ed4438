//! Every public error: its predicates, its words, its source. And every option out of bounds, which names its setter.

use ringmail::{
    JoinError, OpenError, Options, RecvError, RecvTimeoutError, Redelivery, SendError, SendManyError,
    SendManyTimeoutError, SendTimeoutError, TryRecvError, TrySendError, TrySendManyError, WaitAckedError, mpmc, spsc,
};
use std::error::Error;
use std::io;
use std::time::Duration;

const TAKEN: JoinError = JoinError::RoleTaken { pid: 42 };

/// Each question is answered with yes by the error that stands where it stands, and by no other.
#[track_caller]
fn tells_apart<E: Error>(errors: &[E], questions: &[fn(&E) -> bool]) {
    assert_eq!(errors.len(), questions.len());
    for (place, error) in errors.iter().enumerate() {
        let yes: Vec<_> = (0..questions.len()).filter(|&question| questions[question](error)).collect();
        assert_eq!(yes, [place], "{error}");
    }
}

/// One of each variant that all errors of sending and receiving share, beside the others: with their words and their questions.
macro_rules! shared {
    ($error:ident, $too_large:literal $(, $variant:expr, $predicate:ident, $text:expr)*) => {{
        let errors = [
            $error::Disconnected,
            $error::TooLarge { len: 9, max: 8 },
            $error::Corrupt,
            $error::Join(TAKEN),
            $($variant,)*
        ];
        let questions =
            [$error::is_disconnected, $error::is_too_large, $error::is_corrupt, $error::is_join, $($error::$predicate,)*];
        tells_apart(&errors, &questions.map(|question| question as fn(&$error) -> bool));
        let words = [
            "disconnected: nobody is left on the other side",
            concat!($too_large, ": 9 bytes, at most 8"),
            "the segment is corrupt",
            "an inherited handle could not join the ring in this process",
            $($text,)*
        ];
        assert_eq!(errors.map(|error| error.to_string()), words);
        for error in errors {
            let source = error.source().map(ToString::to_string);
            assert_eq!(source, (error == $error::Join(TAKEN)).then(|| TAKEN.to_string()));
        }
    }};
}

const NO_SPACE: &str = "no memory for the message: 7 bytes";

#[test]
fn sending() {
    shared!(SendError, "message longer than the ring allows", SendError::NoSpace { needed: 7 }, is_no_space, NO_SPACE);
    shared!(
        TrySendError,
        "message longer than the ring allows",
        TrySendError::Full,
        is_full,
        "the ring is full",
        TrySendError::NoSpace { needed: 7 },
        is_no_space,
        NO_SPACE
    );
    shared!(
        SendTimeoutError,
        "message longer than the ring allows",
        SendTimeoutError::Timeout,
        is_timeout,
        "timed out waiting for a free slot",
        SendTimeoutError::NoSpace { needed: 7 },
        is_no_space,
        NO_SPACE
    );
    shared!(
        WaitAckedError,
        "message longer than the ring allows",
        WaitAckedError::Timeout,
        is_timeout,
        "timed out waiting for acknowledgements"
    );
}

#[test]
fn receiving() {
    shared!(RecvError, "message longer than the buffer");
    shared!(TryRecvError, "message longer than the buffer", TryRecvError::Empty, is_empty, "the ring is empty");
    shared!(
        RecvTimeoutError,
        "message longer than the buffer",
        RecvTimeoutError::Timeout,
        is_timeout,
        "timed out waiting for a message"
    );
}

#[test]
fn sending_many() {
    macro_rules! each {
        ($many:ident, $error:ident $(, $word:ident $predicate:ident)?) => {{
            use $error::*;
            let errors = [Disconnected, TooLarge { len: 9, max: 8 }, NoSpace { needed: 7 }, Corrupt, Join(TAKEN) $(, $word)?]
                .map(|error| $many { sent: 3, error });
            let questions: &[fn(&$many) -> bool] = &[
                $many::is_disconnected,
                $many::is_too_large,
                $many::is_no_space,
                $many::is_corrupt,
                $many::is_join,
                $($many::$predicate,)?
            ];
            tells_apart(&errors, questions);
            for many in errors {
                assert_eq!(many.to_string(), format!("stopped after 3 messages: {}", many.error));
                assert_eq!(many.source().unwrap().to_string(), many.error.to_string());
            }
        }};
    }
    each!(SendManyError, SendError);
    each!(TrySendManyError, TrySendError, Full is_full);
    each!(SendManyTimeoutError, SendTimeoutError, Timeout is_timeout);
}

#[test]
fn joining() {
    let many = JoinError::TooManyParticipants { max: 64 };
    let system = JoinError::System { errno: libc::EMFILE };
    let errors = [TAKEN, many, JoinError::NoMembarrier, JoinError::Inherited, system];
    let questions: [fn(&JoinError) -> bool; 5] = [
        JoinError::is_role_taken,
        JoinError::is_too_many_participants,
        JoinError::is_no_membarrier,
        JoinError::is_inherited,
        JoinError::is_system,
    ];
    tells_apart(&errors, &questions);
    let said = errors.map(|error| {
        assert!(error.source().is_none());
        error.to_string()
    });
    assert_eq!(
        said,
        [
            "the role is taken by process 42",
            "all 64 places for participants are taken",
            "the ring needs membarrier, which this process may not use",
            "the guard was inherited through a fork and belongs to the parent",
            &format!("system call failed: {}", io::Error::from_raw_os_error(libc::EMFILE)),
        ]
    );
    assert_eq!(JoinError::from(io::Error::from_raw_os_error(libc::EMFILE)), system);
}

/// One of each, with its words and the kind of `io::Error` that it becomes.
fn open_errors() -> Vec<(OpenError, &'static str, io::ErrorKind)> {
    use OpenError::*;
    let name = || "n".to_owned();
    let text = str::to_owned;
    vec![
        (
            InvalidName { name: text("a/b") },
            "invalid ring name \"a/b\": a name is 1 to 200 characters of A-Z a-z 0-9 . _ -",
            io::ErrorKind::InvalidInput,
        ),
        (
            InvalidInput { setter: "capacity", value: text("0"), allowed: text("1 to 2") },
            "invalid option capacity(0): allowed is 1 to 2",
            io::ErrorKind::InvalidInput,
        ),
        (NotFound { name: name() }, "no ring named \"n\"", io::ErrorKind::NotFound),
        (AlreadyExists { name: name() }, "a ring named \"n\" exists and is in use", io::ErrorKind::AlreadyExists),
        (PermissionDenied { name: name() }, "permission denied for ring \"n\"", io::ErrorKind::PermissionDenied),
        (NotARing { found: "a directory" }, "not a ring: a directory", io::ErrorKind::InvalidData),
        (
            Version { found: 2, supported: 1 },
            "the ring has layout version 2, this build supports 1",
            io::ErrorKind::InvalidData,
        ),
        (Flavour { found: "spsc", wanted: "mpmc" }, "the ring is spsc, not mpmc", io::ErrorKind::InvalidData),
        (
            MessageType { found: text("u8"), wanted: text("u64") },
            "the ring carries u8, not u64",
            io::ErrorKind::InvalidData,
        ),
        (Truncated { len: 1, needed: 2 }, "the segment is truncated: 1 bytes of 2", io::ErrorKind::InvalidData),
        (Corrupt { field: "flags" }, "the ring's header is corrupt in field flags", io::ErrorKind::InvalidData),
        (NoSpace { needed: 9 }, "no space for a ring of 9 bytes", io::ErrorKind::StorageFull),
        (Join(TAKEN), "could not join the ring", io::ErrorKind::Other),
        (
            Io(io::ErrorKind::BrokenPipe.into()),
            "the system refused to create or open the ring",
            io::ErrorKind::BrokenPipe,
        ),
    ]
}

#[test]
fn opening() {
    let questions: [fn(&OpenError) -> bool; 14] = [
        OpenError::is_invalid_name,
        OpenError::is_invalid_input,
        OpenError::is_not_found,
        OpenError::is_already_exists,
        OpenError::is_permission_denied,
        OpenError::is_not_a_ring,
        OpenError::is_version,
        OpenError::is_flavour,
        OpenError::is_message_type,
        OpenError::is_truncated,
        OpenError::is_corrupt,
        OpenError::is_no_space,
        OpenError::is_join,
        OpenError::is_io,
    ];
    let errors: Vec<_> = open_errors().into_iter().map(|(error, ..)| error).collect();
    tells_apart(&errors, &questions);
    for (error, words, kind) in open_errors() {
        assert_eq!(error.to_string(), words);
        let source = error.source().map(ToString::to_string);
        match &error {
            OpenError::Join(inner) => assert_eq!(source, Some(inner.to_string())),
            OpenError::Io(inner) => assert_eq!(source, Some(inner.to_string())),
            _ => assert_eq!(source, None),
        }
        let is_io = matches!(error, OpenError::Io(_));
        let io = io::Error::from(error);
        assert_eq!(io.kind(), kind, "{words}");
        if !is_io {
            assert_eq!(io.to_string(), words);
        }
    }
    assert!(matches!(OpenError::from(TAKEN), OpenError::Join(TAKEN)));
}

#[test]
fn errors_travel() {
    fn travels<E: Error + Send + Sync + 'static>() {}
    travels::<OpenError>();
    travels::<JoinError>();
    travels::<SendError>();
    travels::<TrySendError>();
    travels::<SendTimeoutError>();
    travels::<SendManyError>();
    travels::<TrySendManyError>();
    travels::<SendManyTimeoutError>();
    travels::<RecvError>();
    travels::<TryRecvError>();
    travels::<RecvTimeoutError>();
    travels::<WaitAckedError>();
}

/// Every creating verb refuses `options`, and says that it was `setter`.
#[track_caller]
fn invalid(options: Options, setter: &str, value: &str) {
    let name = format!("test-invalid-{}", std::process::id());
    let errors = [
        mpmc::Ring::<[u8]>::anonymous(&options).unwrap_err(),
        spsc::Ring::<[u8]>::anonymous(&options).unwrap_err(),
        mpmc::Ring::<[u8]>::create(&name, &options).unwrap_err(),
        mpmc::Ring::<[u8]>::open_or_create(&name, &options).unwrap_err(),
        mpmc::channel::<[u8]>(&options).unwrap_err(),
        spsc::channel::<[u8]>(&options).unwrap_err(),
    ];
    for error in errors {
        match error {
            OpenError::InvalidInput { setter: s, value: v, allowed } => {
                assert_eq!((s, &*v), (setter, value));
                assert!(!allowed.is_empty());
            }
            error => panic!("{error}"),
        }
    }
    assert!(!ringmail::list().unwrap().iter().any(|listed| listed.name == name), "nothing is created");
}

#[test]
fn options_out_of_bounds() {
    let options = Options::new;
    invalid(options().capacity(0), "capacity", "0");
    invalid(options().capacity((1 << 24) + 1), "capacity", "16777217");
    invalid(options().max_len(0), "max_len", "0");
    invalid(options().max_len((16 << 30) + 1), "max_len", "17179869185");
    invalid(options().participants(0), "participants", "0");
    invalid(options().participants(1001), "participants", "1001");
    invalid(options().redelivery(Redelivery::AtMost(15)), "redelivery", "AtMost(15)");
    invalid(options().redelivery(Redelivery::AtMost(u32::MAX)), "redelivery", "AtMost(4294967295)");
    invalid(options().mode(0o400), "mode", "0o400");
    invalid(options().mode(0o640), "mode", "0o640");
    invalid(options().mode(0o620), "mode", "0o620");
    invalid(options().mode(0o604), "mode", "0o604");
    invalid(options().mode(0o066), "mode", "0o66");
    invalid(options().mode(0o700), "mode", "0o700");
    invalid(options().mode(0o4600), "mode", "0o4600");
    invalid(options().spin(Duration::from_millis(1001)), "spin", "1.001s");
    invalid(options().max_len(100_000).body_stride(0), "body_stride", "0");
    invalid(options().max_len(100_000).body_stride(5000), "body_stride", "5000");
    invalid(options().max_len(100_000).body_stride(200_704), "body_stride", "200704");
    invalid(options().spin(Duration::MAX), "spin", "18446744073709551615.999999999s");
}

#[test]
fn options_at_their_bounds() {
    let options = Options::new().capacity(1);
    let bounds = [
        options.clone().capacity(1).max_len(1).participants(1),
        options.clone().capacity(4096).max_len(16 << 30).participants(1000),
        options.clone().max_len(10_000).body_stride(8192),
        options.clone().participants(1000),
        options.clone().redelivery(Redelivery::AtMost(0)),
        options.clone().redelivery(Redelivery::AtMost(14)),
        options.clone().redelivery(Redelivery::Never),
        options.clone().mode(0o600),
        options.clone().mode(0o666),
        options.clone().spin(Duration::ZERO),
        options.clone().spin(Duration::from_secs(1)),
        options.clone().prefault(true),
        options.clone().membarrier(false),
    ];
    for options in bounds {
        let (tx, rx) = mpmc::channel::<[u8]>(&options).unwrap();
        tx.send(b"x").unwrap();
        assert_eq!(*rx.recv().unwrap(), *b"x");
    }
    let ring = spsc::Ring::<u8>::anonymous(&Options::new().capacity(1 << 24)).unwrap();
    assert_eq!(ring.capacity(), 1 << 24);
    assert_eq!(Options::default(), Options::new());
}
