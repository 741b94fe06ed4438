//! Streams of bytes: all of them arrive, in order, whatever the lengths they are written and read in; and an end is
//! told from a death.

mod support;

use ringmail::stream::{self, Reader, Writer};
use ringmail::{Options, RecvError, Redelivery, SendError, StreamError, spsc};
use std::io::{self, BufRead, ErrorKind, Read, Write};
use support::{Process, Seeded, fork, name, role, say, watchdog};

type Ring = spsc::Ring<[u8]>;

/// Bytes that a full chunk of [`stream::options`] has for the stream.
const CHUNK: usize = (128 << 10) - 1;
/// The same of a chunk that lies with its slot.
const SMALL: usize = 1088 - 1;

/// Bytes of which no two places look alike for long.
fn picture(len: usize) -> Vec<u8> {
    (0..len as u64).map(|place| (place.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8).collect()
}

fn pair() -> (Writer, Reader) {
    stream::pair(&stream::options()).unwrap()
}

/// What an error of a reader holds.
fn fault(error: &io::Error) -> StreamError {
    *error.get_ref().expect("an error of ours").downcast_ref().expect("of a stream")
}

/// What comes until the first error, which must be of that kind.
fn read_until_error(reader: &mut Reader) -> (Vec<u8>, io::Error) {
    let mut bytes = Vec::new();
    let error = reader.read_to_end(&mut bytes).unwrap_err();
    (bytes, error)
}

#[test]
fn child() {
    let Some((role, args)) = role() else { return };
    let ring = Ring::open(&args[0]).unwrap();
    match role.as_str() {
        // Sends three chunks, and has begun a fourth.
        "write" => {
            let mut writer = Writer::new(ring.sender().unwrap());
            writer.write_all(&picture(3 * CHUNK + SMALL + 1)).unwrap();
            say("written");
            loop {
                std::thread::park();
            }
        }
        "write-all" => {
            let mut writer = Writer::new(ring.sender().unwrap());
            let picture = picture(1 << 20);
            say("writing");
            let error = loop {
                if let Err(error) = writer.write_all(&picture) {
                    break error;
                }
            };
            say(format!("{:?}", error.kind()));
        }
        "read" => {
            let mut reader = Reader::new(ring.receiver().unwrap());
            let mut bytes = vec![0; CHUNK + 1];
            reader.read_exact(&mut bytes).unwrap();
            say("reading");
            loop {
                std::thread::park();
            }
        }
        role => panic!("no role {role}"),
    }
}

#[test]
fn every_length_arrives() {
    let _watchdog = watchdog("every length");
    let lengths = [0, 1, 2, SMALL - 1, SMALL, SMALL + 1, CHUNK - 1, CHUNK, CHUNK + 1, SMALL + CHUNK, 10 * CHUNK];
    for len in lengths {
        let sent = picture(len);
        // At once, and a byte before.
        for first in [0, len.min(1)] {
            let (mut writer, mut reader) = pair();
            writer.write_all(&sent[..first]).unwrap();
            writer.write_all(&sent[first..]).unwrap();
            writer.finish().unwrap();
            let mut received = Vec::new();
            assert_eq!(reader.read_to_end(&mut received).unwrap(), len);
            assert!(received == sent, "{len} bytes, {first} of them first");
            // The end stays.
            assert_eq!(reader.read(&mut [0]).unwrap(), 0);
            assert!(reader.fill_buf().unwrap().is_empty());
        }
    }
}

/// Also in rings whose messages are as short as can be, lie with their slots, or have bodies; and of one slot.
#[test]
fn many_bytes_arrive_in_writes_and_reads_of_any_length() {
    let _watchdog = watchdog("a stream");
    let cases = [(1, 2, 2_000), (3, 3, 5_000), (2, 1024, 2 << 20), (1, 5000, 8 << 20), (32, 128 << 10, 64 << 20)];
    for (capacity, max_len, total) in cases {
        let (mut writer, mut reader) = stream::pair(&Options::new().capacity(capacity).max_len(max_len)).unwrap();
        let sent = picture(total);
        let longest = (4 * max_len).min(total);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let (mut rest, mut chance) = (&sent[..], Seeded(7));
                while !rest.is_empty() {
                    let len = (1 + chance.below(longest)).min(rest.len());
                    match chance.below(8) {
                        0 => writer.flush().unwrap(),
                        1 => {
                            let spare = writer.spare().unwrap();
                            let len = len.min(spare.len());
                            assert!(len > 0);
                            spare[..len].copy_from_slice(&rest[..len]);
                            writer.advance(len).unwrap();
                            rest = &rest[len..];
                        }
                        _ => {
                            let len = if chance.below(3) == 0 { len.min(100) } else { len };
                            let written = writer.write(&rest[..len]).unwrap();
                            assert!((1..=len).contains(&written));
                            rest = &rest[written..];
                        }
                    }
                }
                drop(writer);
            });
            let (mut done, mut chance, mut buffer) = (0, Seeded(9), vec![0; longest]);
            loop {
                let most = if chance.below(3) == 0 { 100.min(longest) } else { longest };
                let len = 1 + chance.below(most);
                let read = if chance.below(2) == 0 {
                    let bytes = reader.fill_buf().unwrap();
                    let read = bytes.len().min(len);
                    buffer[..read].copy_from_slice(&bytes[..read]);
                    reader.consume(read);
                    read
                } else {
                    reader.read(&mut buffer[..len]).unwrap()
                };
                assert!(buffer[..read] == sent[done..][..read], "bytes from {done} on in messages of {max_len}");
                done += read;
                if read == 0 {
                    break;
                }
            }
            assert_eq!(done, total);
        });
    }
}

#[test]
fn lines() {
    let _watchdog = watchdog("lines");
    let (mut writer, reader) = stream::pair(&stream::options().capacity(2)).unwrap();
    let lines: Vec<String> = (0..20_000).map(|number| "x".repeat(number * 7 % 301) + &number.to_string()).collect();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for line in &lines {
                writeln!(writer, "{line}").unwrap();
            }
            drop(writer);
        });
        let received: Vec<String> = reader.lines().collect::<Result<_, _>>().unwrap();
        assert!(received == lines);
    });
}

/// What was not flushed cannot be seen, and what was is there without another write.
#[test]
fn flush_sends_what_was_written() {
    let _watchdog = watchdog("what was flushed");
    let ring = Ring::anonymous(&stream::options()).unwrap();
    let (mut writer, mut reader) = (Writer::new(ring.sender().unwrap()), Reader::new(ring.receiver().unwrap()));
    writer.flush().unwrap();
    assert_eq!(ring.stats().backlog, 0, "nothing is no message");
    for len in [1, 10, SMALL, SMALL + 1, 10_000, CHUNK] {
        let sent = picture(len);
        let (begun, rest) = sent.split_at(len - 1);
        writer.write_all(begun).unwrap();
        let seen = ring.stats().backlog;
        assert!(seen == 0 || begun.len() >= SMALL, "{seen} messages of {len} bytes before they are flushed");
        writer.write_all(rest).unwrap();
        writer.flush().unwrap();
        writer.flush().unwrap();
        let mut received = vec![0; len];
        reader.read_exact(&mut received).unwrap();
        assert!(received == sent, "{len} bytes");
        assert_eq!(ring.stats().backlog, 0, "consumed, so acknowledged");
    }
}

/// Small flushed pieces lie with their slots: they take no memory of their own.
#[test]
fn flushed_lines_need_no_memory_for_long_messages() {
    let ring = Ring::anonymous(&stream::options()).unwrap();
    let before = ring.stats().committed;
    let (mut writer, mut reader) = (Writer::new(ring.sender().unwrap()), Reader::new(ring.receiver().unwrap()));
    for _ in 0..1000 {
        writeln!(writer, "a line that somebody waits for").unwrap();
        writer.flush().unwrap();
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        assert_eq!(line, "a line that somebody waits for\n");
    }
    assert_eq!(ring.stats().committed, before);
}

#[test]
fn bytes_are_shown_in_place() {
    let (mut writer, mut reader) = pair();
    writer.spare().unwrap()[..5].copy_from_slice(b"where");
    // More than there is counts as all there is.
    writer.advance(0).unwrap();
    writer.advance(5).unwrap();
    writer.flush().unwrap();
    let first = reader.fill_buf().unwrap().as_ptr();
    assert_eq!(reader.fill_buf().unwrap(), b"where");
    reader.consume(2);
    assert_eq!(reader.fill_buf().unwrap(), b"ere");
    assert_eq!(reader.fill_buf().unwrap().as_ptr(), first.wrapping_add(2));
    reader.consume(usize::MAX);
    let len = writer.spare().unwrap().len();
    writer.spare().unwrap().fill(7);
    writer.advance(usize::MAX).unwrap();
    writer.advance(1).unwrap();
    assert_eq!(reader.fill_buf().unwrap(), vec![7; len]);
}

#[test]
fn streams_follow_each_other_through_one_ring() {
    let (mut writer, mut reader) = pair();
    for number in 0..50 {
        let sent = picture(number * 5_003);
        writer.write_all(&sent).unwrap();
        let sender = writer.finish().unwrap();
        let mut received = Vec::new();
        reader.read_to_end(&mut received).unwrap();
        assert!(received == sent, "stream {number}");
        // Every message was acknowledged, the end too.
        assert!(sender.is_empty());
        (writer, reader) = (Writer::new(sender), Reader::new(reader.into_inner()));
    }
}

#[test]
fn a_dropped_writer_ends_the_stream() {
    let (mut writer, mut reader) = pair();
    writer.write_all(b"all of it").unwrap();
    drop(writer);
    assert_eq!(io::read_to_string(&mut reader).unwrap(), "all of it");
    let (writer, reader) = pair();
    drop(writer);
    assert_eq!(io::read_to_string(reader).unwrap(), "");
}

#[test]
fn a_panic_does_not_end_the_stream() {
    let (mut writer, mut reader) = pair();
    let panicked = std::thread::spawn(move || {
        writer.write_all(b"sent").unwrap();
        writer.flush().unwrap();
        writer.write_all(b"not sent").unwrap();
        panic!("in the middle");
    });
    panicked.join().unwrap_err();
    let (bytes, error) = read_until_error(&mut reader);
    assert_eq!((bytes.as_slice(), error.kind()), (&b"sent"[..], ErrorKind::ConnectionAborted));
    assert_eq!(fault(&error), StreamError::Aborted);
    // It stays.
    assert_eq!(reader.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionAborted);
}

#[test]
fn a_writer_that_lets_go_does_not_end_the_stream() {
    let (mut writer, mut reader) = pair();
    writer.write_all(b"sent").unwrap();
    writer.flush().unwrap();
    writer.write_all(b"not sent").unwrap();
    drop(writer.into_inner());
    let (bytes, error) = read_until_error(&mut reader);
    assert_eq!((bytes.as_slice(), fault(&error)), (&b"sent"[..], StreamError::Aborted));
}

#[test]
fn a_killed_writer_is_an_error_after_all_that_it_sent() {
    let _watchdog = watchdog("a killed writer");
    for late in [false, true] {
        let ring_name = name("stream");
        let ring = Ring::create(&ring_name, &stream::options()).unwrap();
        let mut reader = Reader::new(ring.receiver().unwrap());
        let mut child = Process::start("child", "write", &[&ring_name]);
        child.expect("written");
        let sent = picture(3 * CHUNK);
        let (mut bytes, rest) = (Vec::new(), late as usize);
        if rest > 0 {
            // The death is met in the middle of a chunk.
            bytes.resize(CHUNK + 10, 0);
            reader.read_exact(&mut bytes).unwrap();
        }
        child.kill();
        let (more, error) = read_until_error(&mut reader);
        bytes.extend(more);
        assert!(bytes == sent, "{} bytes", bytes.len());
        assert_eq!((error.kind(), fault(&error)), (ErrorKind::ConnectionAborted, StreamError::Aborted));
    }
}

/// The reader is told of the death also when a successor's stream has long begun: never are two streams taken for one.
#[test]
fn a_killed_writers_successor_begins_another_stream() {
    let _watchdog = watchdog("a killed writer's successor");
    let ring_name = name("successor");
    let ring = Ring::create(&ring_name, &stream::options()).unwrap();
    let mut reader = Reader::new(ring.receiver().unwrap());
    let mut child = Process::start("child", "write", &[&ring_name]);
    child.expect("written");
    child.kill();
    let mut writer = Writer::new(ring.sender().unwrap());
    writer.write_all(b"another").unwrap();
    writer.finish().unwrap();
    let (bytes, error) = read_until_error(&mut reader);
    assert!(bytes == picture(3 * CHUNK), "{} bytes", bytes.len());
    assert_eq!((error.kind(), fault(&error)), (ErrorKind::ConnectionAborted, StreamError::Aborted));
    // And nothing of the other is lost.
    let reader = Reader::new(reader.into_inner());
    assert_eq!(io::read_to_string(reader).unwrap(), "another");
}

#[test]
fn a_killed_reader_breaks_the_pipe() {
    let _watchdog = watchdog("a killed reader");
    let ring_name = name("broken");
    let ring = Ring::create(&ring_name, &stream::options().capacity(4)).unwrap();
    let mut writing = Process::start("child", "write-all", &[&ring_name]);
    writing.expect("writing");
    let mut reading = Process::start("child", "read", &[&ring_name]);
    reading.expect("reading");
    reading.kill();
    writing.expect("BrokenPipe");
    writing.finish();
    drop(ring);
}

#[test]
fn a_reader_that_left_breaks_the_pipe() {
    let (mut writer, reader) = pair();
    drop(reader);
    let error = writer.write_all(&picture(40 * CHUNK)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    assert_eq!(error.get_ref().unwrap().downcast_ref(), Some(&SendError::Disconnected));
    assert_eq!(writer.finish().unwrap_err().kind(), ErrorKind::BrokenPipe);
}

#[test]
fn a_closed_ring_ends_both_sides() {
    let ring = Ring::anonymous(&stream::options()).unwrap();
    let (mut writer, mut reader) = (Writer::new(ring.sender().unwrap()), Reader::new(ring.receiver().unwrap()));
    writer.write_all(b"before").unwrap();
    writer.flush().unwrap();
    ring.close();
    let (bytes, error) = read_until_error(&mut reader);
    assert_eq!((bytes.as_slice(), error.kind()), (&b"before"[..], ErrorKind::ConnectionAborted));
    // Room that was known before is still written; what is sent fails.
    let _ = writer.write(b"after");
    assert_eq!(writer.flush().unwrap_err().kind(), ErrorKind::BrokenPipe);
    assert_eq!(writer.write(b"and later").unwrap_err().kind(), ErrorKind::BrokenPipe);
}

#[test]
fn who_takes_over_from_a_reader_says_so() {
    let _watchdog = watchdog("a reader's successor");
    let ring_name = name("resume");
    let ring = Ring::create(&ring_name, &stream::options()).unwrap();
    let mut writer = Writer::new(ring.sender().unwrap());
    let sent = picture(4 * CHUNK);
    writer.write_all(&sent).unwrap();
    let mut child = Process::start("child", "read", &[&ring_name]);
    child.expect("reading");
    child.kill();
    drop(writer);
    // One byte of the second chunk was consumed; it comes again as a whole.
    let mut reader = Reader::new(ring.receiver().unwrap());
    let error = reader.fill_buf().unwrap_err();
    assert_eq!((error.kind(), fault(&error)), (ErrorKind::InvalidData, StreamError::Headless));
    assert_eq!(fault(&reader.fill_buf().unwrap_err()), StreamError::Headless);
    let mut reader = Reader::resume(reader.into_inner());
    let mut half = vec![0; CHUNK / 2];
    reader.read_exact(&mut half).unwrap();
    // A receiver that changes hands in the middle of a chunk gets it again too.
    let mut bytes = Vec::new();
    Reader::resume(reader.into_inner()).read_to_end(&mut bytes).unwrap();
    assert!(bytes == sent[CHUNK..], "{} bytes", bytes.len());
}

#[test]
fn a_chunk_that_the_policy_drops_is_missed() {
    let ring = Ring::anonymous(&stream::options().redelivery(Redelivery::Never)).unwrap();
    let mut writer = Writer::new(ring.sender().unwrap());
    writer.write_all(&picture(3 * CHUNK)).unwrap();
    drop(writer);
    let mut reader = Reader::new(ring.receiver().unwrap());
    reader.fill_buf().unwrap();
    reader.consume(10);
    let mut reader = Reader::new(reader.into_inner());
    assert_eq!(fault(&reader.fill_buf().unwrap_err()), StreamError::Headless);
}

#[test]
fn other_messages_are_no_stream() {
    for message in [&b""[..], b"hello", &[0], &[1], &[255]] {
        let (mut sender, receiver) = spsc::channel::<[u8]>(&Options::new()).unwrap();
        sender.send(message).unwrap();
        let mut reader = Reader::new(receiver);
        let error = reader.fill_buf().unwrap_err();
        assert_eq!((error.kind(), fault(&error)), (ErrorKind::InvalidData, StreamError::NotAStream), "{message:?}");
        // It is still there for whoever can read it.
        assert_eq!(*reader.into_inner().recv().unwrap(), *message);
    }
}

#[test]
fn messages_of_one_byte_carry_no_stream() {
    let (mut writer, mut reader) = stream::pair(&Options::new().max_len(1)).unwrap();
    let error = writer.write(b"x").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!(error.get_ref().unwrap().downcast_ref(), Some(&SendError::TooLarge { len: 2, max: 1 }));
    drop(writer);
    assert_eq!(io::read_to_string(&mut reader).unwrap(), "");
}

/// What the parent has begun is not the child's to send or to end.
#[test]
fn a_forked_child_leaves_its_parents_stream_alone() {
    let _watchdog = watchdog("a forked child");
    let ring = Ring::anonymous(&stream::options()).unwrap();
    let (mut writer, mut reader) = (Writer::new(ring.sender().unwrap()), Reader::new(ring.receiver().unwrap()));
    writer.write_all(b"of the parent").unwrap();
    writer.flush().unwrap();
    assert_eq!(reader.fill_buf().unwrap(), b"of the parent");
    writer.write_all(b", all of it").unwrap();
    let mut both = Some((writer, reader));
    let code = fork(|| {
        let (mut writer, mut reader) = both.take().unwrap();
        assert_eq!(writer.write(b"of the child").unwrap_err().kind(), ErrorKind::Other);
        writer.flush().unwrap();
        assert_eq!(reader.fill_buf().unwrap_err().kind(), ErrorKind::Other);
        reader.consume(100);
        drop((writer, reader));
        0
    });
    assert_eq!(code.wait(), 0);
    let (writer, reader) = both.take().unwrap();
    drop(writer);
    assert_eq!(io::read_to_string(reader).unwrap(), "of the parent, all of it");
}

/// A writer that was inherited begins a stream of its own once its parent has left, and not by being dropped.
#[test]
fn a_forked_child_may_write_when_its_parent_has_left() {
    let _watchdog = watchdog("a forked writer");
    for does_write in [true, false] {
        let ring = Ring::anonymous(&stream::options()).unwrap();
        let mut writer = Writer::new(ring.sender().unwrap());
        let mut reader = Reader::new(ring.receiver().unwrap());
        writer.write_all(b"par").unwrap();
        writer.flush().unwrap();
        writer.write_all(b"ent").unwrap();
        let (mut told, mut tell) = io::pipe().unwrap();
        let mut writer = Some(writer);
        let child = fork(|| {
            let mut writer = writer.take().unwrap();
            told.read_exact(&mut [0]).unwrap();
            if does_write {
                writer.write_all(b"child").unwrap();
            }
            drop(writer);
            0
        });
        writer.take().unwrap().finish().unwrap();
        tell.write_all(&[1]).unwrap();
        assert_eq!(child.wait(), 0);
        assert_eq!(io::read_to_string(&mut reader).unwrap(), "parent");
        let mut reader = Reader::new(reader.into_inner());
        let mut second = String::new();
        match reader.read_to_string(&mut second) {
            Ok(_) => assert!(does_write && second == "child", "{second:?}"),
            Err(error) => assert!(!does_write && fault(&error) == StreamError::Aborted, "{error}"),
        }
    }
}

#[test]
fn errors_say_what_they_are() {
    for error in [StreamError::Aborted, StreamError::Headless, StreamError::NotAStream] {
        assert_eq!(io::Error::from(error).to_string(), error.to_string());
        assert!(std::error::Error::source(&error).is_none());
    }
    assert!(StreamError::Aborted.to_string().contains("before the end"));
    assert!(StreamError::Headless.to_string().contains("began before"));
    assert!(StreamError::NotAStream.to_string().contains("no part of a stream"));
    let join = ringmail::JoinError::RoleTaken { pid: 1 };
    let sending = [
        (SendError::Disconnected, ErrorKind::BrokenPipe),
        (SendError::TooLarge { len: 2, max: 1 }, ErrorKind::InvalidInput),
        (SendError::NoSpace { needed: 1 }, ErrorKind::StorageFull),
        (SendError::Corrupt, ErrorKind::InvalidData),
        (SendError::Join(join), ErrorKind::Other),
    ];
    for (error, kind) in sending {
        let error = (io::Error::from(error), error.to_string());
        assert_eq!((error.0.kind(), error.0.to_string()), (kind, error.1));
    }
    let receiving = [
        (RecvError::Disconnected, ErrorKind::ConnectionAborted),
        (RecvError::TooLarge { len: 2, max: 1 }, ErrorKind::InvalidInput),
        (RecvError::Corrupt, ErrorKind::InvalidData),
        (RecvError::Join(join), ErrorKind::Other),
    ];
    for (error, kind) in receiving {
        assert_eq!(io::Error::from(error).kind(), kind);
    }
}

/// Handles go to other threads; rings are passed on.
#[test]
fn both_sides_may_move_to_other_threads() {
    fn is_send<T: Send>(_: &T) {}
    let ring = Ring::anonymous(&stream::options()).unwrap();
    let other = Ring::from_fd(ring.as_fd().try_clone_to_owned().unwrap()).unwrap();
    let (mut writer, mut reader) = (Writer::new(ring.sender().unwrap()), Reader::new(other.receiver().unwrap()));
    is_send(&writer);
    is_send(&reader);
    writer.write_all(b"begun here").unwrap();
    std::thread::spawn(move || writer.write_all(b", ended there").unwrap()).join().unwrap();
    assert_eq!(reader.fill_buf().unwrap()[..5], *b"begun");
    reader.consume(5);
    let rest = std::thread::spawn(move || io::read_to_string(reader).unwrap()).join().unwrap();
    assert_eq!(rest, " here, ended there");
}

/// It goes on with the chunk that its parent had not done with, which may be the first.
#[test]
fn a_forked_child_may_read_when_its_parent_has_left() {
    let _watchdog = watchdog("a forked reader");
    let ring = Ring::anonymous(&stream::options()).unwrap();
    let (mut writer, mut reader) = (Writer::new(ring.sender().unwrap()), Reader::new(ring.receiver().unwrap()));
    writer.write_all(b"all of the first chunk").unwrap();
    writer.flush().unwrap();
    writer.write_all(b", and the second").unwrap();
    writer.finish().unwrap();
    reader.read_exact(&mut [0; 10]).unwrap();
    let (mut told, mut tell) = io::pipe().unwrap();
    let mut reader = Some(reader);
    let child = fork(|| {
        let reader = reader.take().unwrap();
        told.read_exact(&mut [0]).unwrap();
        let text = io::read_to_string(reader).unwrap_or_else(|error| error.to_string());
        i32::from(text != "all of the first chunk, and the second")
    });
    drop(reader.take());
    tell.write_all(&[1]).unwrap();
    assert_eq!(child.wait(), 0);
}
