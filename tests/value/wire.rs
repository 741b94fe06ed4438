//! The encoder and the reader by themselves.

use ringmail::value::wire::*;
use ringmail::value::{DecodeError, EncodeError};

fn fault(write: impl FnOnce(&mut Encoder)) -> EncodeError {
    let mut encoder = Encoder::new();
    write(&mut encoder);
    encoder.layout().unwrap_err()
}

#[test]
fn faults_are_told_at_the_end() {
    assert_eq!(fault(|_| {}), EncodeError::Unfinished { missing: 1 });
    assert_eq!(fault(|encoder| _ = encoder.begin_dict(2)), EncodeError::Unfinished { missing: 4 });
    let surplus = |encoder: &mut Encoder| {
        encoder.put_nil();
        encoder.put_nil();
    };
    assert_eq!(fault(surplus), EncodeError::Surplus);
    let no_part = |encoder: &mut Encoder| {
        encoder.begin_pickle(0);
        encoder.put_str("x");
    };
    assert_eq!(fault(no_part), EncodeError::PickleParts);
    let nested = |encoder: &mut Encoder| {
        encoder.begin_pickle(1);
        encoder.put_bytes(b"x");
        encoder.begin_list(0);
    };
    assert_eq!(fault(nested), EncodeError::PickleParts);
    let ahead = |encoder: &mut Encoder| {
        encoder.begin_list(1);
        encoder.put_ref(1);
    };
    assert_eq!(fault(ahead), EncodeError::NoSuchReference { number: 1, count: 1 });
    let class = |encoder: &mut Encoder| _ = encoder.begin_named_tuple(0);
    assert_eq!(fault(class), EncodeError::NoSuchReference { number: 0, count: 0 });
    let scalar = |encoder: &mut Encoder| encoder.put_scalar(DTypeRef::Simple("<f8"), &[0; 4]);
    assert_eq!(fault(scalar), EncodeError::DataLen { len: 4, needed: 8 });
    let order = Order::C;
    let many = |encoder: &mut Encoder| {
        let header = ArrayHeader { dtype: DTypeRef::Simple("|u1"), shape: &[1; 65], order, writable: true };
        encoder.put_array(&header);
    };
    assert_eq!(fault(many), EncodeError::TooLong { what: "shape", len: 65, max: 64 });
    let large = |encoder: &mut Encoder| _ = encoder.put_bytes_payload(usize::MAX);
    assert!(matches!(fault(large), EncodeError::TooLong { what: "payload", .. }));
    let list = |encoder: &mut Encoder| _ = encoder.begin_list(1 << 32);
    assert!(matches!(fault(list), EncodeError::TooLong { what: "container", .. }));
    // The first is told, and clearing forgets it.
    let mut encoder = Encoder::new();
    surplus(&mut encoder);
    encoder.put_ref(9);
    assert_eq!(encoder.layout().unwrap_err(), EncodeError::Surplus);
    encoder.clear();
    encoder.put_nil();
    assert_eq!(encoder.layout().unwrap().as_bytes().unwrap().len(), HEADER + 1);
}

#[test]
fn going_back_leaves_no_trace() {
    let write = |encoder: &mut Encoder, detour: bool| {
        encoder.begin_list(3);
        encoder.put_bytes_payload(5);
        let mark = encoder.mark();
        if detour {
            encoder.begin_new_named_tuple("m:C", &["f"]);
            encoder.begin_pickle(2);
            encoder.put_bytearray_payload(7);
            encoder.put_ref(77);
            encoder.put_nil();
            encoder.rewind(mark);
        }
        let tuple = encoder.begin_new_named_tuple("m:D", &["f"]);
        assert_eq!((tuple.number, tuple.class), (2, 0));
        encoder.put_bytes_payload(7);
        encoder.put_bool(true);
    };
    let message = |detour| {
        let mut encoder = Encoder::new();
        write(&mut encoder, detour);
        let layout = encoder.layout().unwrap();
        let mut message = vec![0xaa; layout.len()];
        layout.write_into(&mut message, |number, place| place.fill(number as u8));
        message
    };
    assert_eq!(message(true), message(false));
}

#[test]
fn payloads_are_aligned_and_nothing_old_is_left() {
    let mut encoder = Encoder::new();
    for (count, text) in [(0, 0), (1, 0), (2, 40), (7, 48), (8, 47), (9, 300)] {
        encoder.clear();
        encoder.begin_list(count + 1);
        encoder.put_str(&"t".repeat(text));
        let lens: Vec<_> = (0..count).map(|number| [0, 1, 63, 64, 65, 100][number % 6]).collect();
        for (number, &len) in lens.iter().enumerate() {
            let placed = encoder.put_bytes_payload(len);
            assert_eq!(placed, Placed { number: number as u32 + 2, payload: number as u32, len });
        }
        let layout = encoder.layout().unwrap();
        let (mut zeros, mut ones) = (vec![0; layout.len()], vec![0xff; layout.len()]);
        for message in [&mut zeros, &mut ones] {
            let mut filled = 0;
            layout.write_into(message, |number, place| {
                assert_eq!(place.len(), lens[number]);
                place.fill(b'p');
                filled += 1;
            });
            assert_eq!(filled, count);
        }
        assert!(zeros == ones, "every byte is written");
        assert_eq!(layout.as_bytes().is_some(), count == 0);
        let mut end = 0;
        for number in 0..count {
            let range = layout.payload(number);
            assert_eq!(range.start % ALIGN, 0);
            assert!(range.start >= end && range.start < end.max(16 + 20 + text + 8 * count) + 2 * ALIGN + 11 * count);
            end = range.end;
        }
        assert!(count == 0 || end == layout.len());
        let mut reader = Reader::new(&ones).unwrap();
        assert_eq!(reader.payloads(), count);
        let mut seen = 0;
        while let Some(event) = reader.event().unwrap() {
            if let Event::Bytes(bytes) = event {
                assert!(bytes.iter().all(|&byte| byte == b'p'));
                assert_eq!(bytes.as_ptr_range().start.addr() - ones.as_ptr().addr(), layout.payload(seen).start);
                seen += 1;
            }
        }
        assert_eq!(seen, count);
    }
}

#[test]
fn a_failing_payload_stops_the_rest() {
    let mut encoder = Encoder::new();
    encoder.begin_tuple(3);
    (0..3).for_each(|_| _ = encoder.put_bytes_payload(1));
    let layout = encoder.layout().unwrap();
    let mut calls = 0;
    let result = layout.try_write_into(&mut vec![0; layout.len()], |number, _| {
        calls += 1;
        if number == 1 { Err("broken") } else { Ok(()) }
    });
    assert_eq!((result, calls), (Err("broken"), 2));
}

#[test]
fn numbers_count_what_can_be_referred_to() {
    let mut encoder = Encoder::new();
    assert_eq!(encoder.begin_list(15), 0);
    encoder.put_nil();
    encoder.put_bool(true);
    encoder.put_i64(1);
    encoder.put_u64(u64::MAX);
    encoder.put_big_int(&[1; 20]);
    encoder.put_f64(1.0);
    encoder.put_complex(1.0, 2.0);
    encoder.put_dtype(DTypeRef::Simple("<f4"));
    encoder.put_scalar(DTypeRef::Simple("<f4"), &[0; 4]);
    encoder.put_ref(0);
    assert_eq!(encoder.put_str("s"), 1);
    assert_eq!(encoder.put_bytes(b"b"), 2);
    assert_eq!(encoder.put_surrogates(b"\xed\xa0\x80"), 3);
    assert_eq!(encoder.begin_pickle(0), 4);
    assert_eq!(encoder.put_bytes(b"."), 5);
    assert_eq!(encoder.begin_dict(0), 6);
    assert_eq!(encoder.next_number(), 7);
    let message = encoder.layout().unwrap().as_bytes().unwrap().to_vec();
    let mut reader = Reader::new(&message).unwrap();
    assert!(reader.has_refs() && reader.has_pickles());
    let (mut events, mut numbered) = (0, 0);
    while let Some(event) = reader.event().unwrap() {
        events += 1;
        numbered += u64::from(event.is_numbered());
        assert_eq!(reader.numbered(), numbered);
    }
    assert_eq!((events, numbered), (17, 7));
}

#[test]
fn other_encoders_need_not_be_frugal() {
    // What MessagePack allows beside the shortest form: numbers and lengths in more bytes than they need, 32-bit floats.
    let structure = [
        &[0xdd, 0, 0, 0, 6][..],
        &[0xcf, 0, 0, 0, 0, 0, 0, 0, 5],
        &[0xd3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        &[0xca, 0x3f, 0x80, 0, 0],
        &[0xdb, 0, 0, 0, 1, b'x'],
        &[0xc6, 0, 0, 0, 1, b'y'],
        &[0xdd, 0, 0, 0, 2, 0xc9, 0, 0, 0, 1, 1, 1, 0xc0],
    ]
    .concat();
    let message = [&[0xc1, 1, 0, 0, 0, 0, 0, 0][..], &(structure.len() as u64).to_le_bytes(), &structure].concat();
    let mut reader = Reader::new(&message).unwrap();
    let mut events = vec![];
    while let Some(event) = reader.event().unwrap() {
        events.push(event);
    }
    use Event::*;
    let expected = [List { len: 6 }, Int(5), Int(-1), Float(1.0), Str("x"), Bytes(b"y"), Tuple { len: 1 }, Nil];
    assert_eq!(events, expected);
}

#[test]
fn what_is_wrong_is_said() {
    let head = |version: u8, flags: u8, payloads: u8, len: u8| {
        [&[0xc1, version, flags, 0, payloads, 0, 0, 0, len][..], &[0; 7]].concat()
    };
    let with = |flags: u8, structure: &[u8]| [&head(1, flags, 0, structure.len() as u8), structure].concat();
    let error = |message: &[u8]| {
        let mut reader = Reader::new(message)?;
        while reader.event()?.is_some() {}
        Ok::<_, DecodeError>(())
    };
    let said = |message: &[u8], what: &str| {
        let error = error(message).unwrap_err();
        assert!(error.to_string().contains(what), "{error}, not {what}");
    };
    assert_eq!(error(&with(0, &[0xc0])), Ok(()));
    assert_eq!(error(&[]), Err(DecodeError::NotAValue { found: None }));
    assert_eq!(error(b"\x80hello, this is no value"), Err(DecodeError::NotAValue { found: Some(0x80) }));
    assert_eq!(error(&head(2, 0, 0, 0)), Err(DecodeError::Version { found: 2, supported: 1 }));
    assert!(error(&head(2, 0, 0, 0)).unwrap_err().is_foreign());
    said(&[0xc1], "truncated");
    said(&head(1, 0, 0, 0)[..15], "truncated");
    said(&head(1, 0, 0, 1), "truncated");
    said(&head(1, 0, 0, 0), "truncated");
    said(&with(4, &[0xc0]), "flags of the header");
    said(&with(0, &[0xc1]), "no token");
    said(&with(0, &[0xc0, 0xc0]), "nothing follows");
    said(&[with(0, &[0xc0]), vec![0]].concat(), "nothing follows");
    said(&with(0, &[0x92, 0xc0]), "truncated");
    said(&with(0, &[0xdd, 0xff, 0xff, 0xff, 0xff, 0xc0]), "truncated");
    said(&with(0, &[0xdf, 0xff, 0xff, 0xff, 0xff, 0xc0]), "truncated");
    said(&with(0, &[0xa1, 0xff]), "UTF-8");
    said(&with(0, &[0xd6, 13, 0, 0, 0, 0]), "has none");
    said(&with(1, &[0xd6, 13, 0, 0, 0, 0]), "begun before");
    said(&with(0, &[0x92, 0xd4, 1, 4, 0xc4, 0]), "has none");
    said(&with(2, &[0x91, 0xd4, 1, 4]), "at least one part");
    said(&with(2, &[0x92, 0xd4, 1, 4, 0xc0]), "parts of a pickle");
    said(&with(3, &[0x93, 0xd4, 1, 4, 0xc4, 0, 0xd6, 13, 0, 0, 0, 0]), "parts of a pickle");
    said(&with(2, &[0x92, 0xd4, 1, 4, 0x92, 0xd4, 1, 4, 0xc4, 0]), "parts of a pickle");
    said(&with(0, &[0x91, 0xd4, 1, 9]), "kind of an array");
    said(&with(0, &[0xd4, 1, 1]), "start of an array");
    said(&with(0, &[0x91, 0xd6, 3, 0, 0, 0, 0]), "defined before");
    let longer = [0x92, 0x91, 0xc7, 2, 2, 0xa1, b'C', 0x92, 0xd6, 3, 0, 0, 0, 0, 0xc0];
    said(&with(0, &longer), "as many items as its class");
    said(&with(0, &[0x92, 0xc7, 2, 2, 0xa1, b'C', 0xc0]), "names of fields");
    said(&with(0, &[0x91, 0xc7, 4, 2, 0xa1, b'C', 0xa1, b'f']), "names of fields");
    said(&with(0, &[0xc7, 0, 4]), "another length");
    said(&with(0, &[0xd4, 5, 0]), "16 bytes");
    said(&with(0, &[0xd4, 14, 0]), "1 to 13");
    said(&with(0, &[0xd7, 8, 1, 0, 0, 0, 0, 0, 0, 0]), "once each, in order");
    said(&with(0, &[0xc7, 5, 12, 0, b'|', b'O', b'0', b'8']), "objects");
    said(&with(0, &[0xc7, 4, 12, 2, b'|', b'b', b'1']), "flags of an array");
    said(&[head(1, 0, 1, 1), vec![0xc0]].concat(), "truncated");
    said(&[head(1, 0, 1, 1), vec![0xc0], vec![0; 15]].concat(), "every payload");
    // Two values, one payload; a payload beyond the end; one of another length than its array.
    let payload = |structure: &[u8], len: u8, bytes: usize| {
        let table = (16 + structure.len()).next_multiple_of(8);
        let mut message = [&head(1, 0, 1, structure.len() as u8), structure].concat();
        message.resize((table + 8).next_multiple_of(64) + bytes, 0);
        message[table] = len;
        message
    };
    let one = [0xd7, 8, 1, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(error(&payload(&one, 3, 3)), Ok(()));
    said(&payload(&[&[0x92][..], &one, &one].concat(), 3, 3), "once each, in order");
    said(&payload(&one, 3, 2), "truncated");
    said(&payload(&one, 3, 4), "nothing follows");
    let array = [&[0xc7, 19, 9, 0, 1, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0][..], b"<f4"].concat();
    assert_eq!(error(&payload(&array, 12, 12)), Ok(()));
    said(&payload(&array, 11, 11), "as many bytes as shape");
}
