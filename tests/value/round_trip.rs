//! Every kind of value, one by one.

use super::round_trip;
use ringmail::value::wire::{Event, Reader};
use ringmail::value::{AccessError, Array, BigInt, DType, Data, Dict, EncodeError, Field, NamedTuple};
use ringmail::value::{Element as _, Order, Pickle, Scalar, Value, View};

fn dtype(text: &str) -> DType {
    DType::simple(text).unwrap()
}

/// Goes there and back and is equal.
fn keeps(value: impl Into<Value<'static>>) {
    let value = value.into();
    let message = round_trip(&value);
    assert_eq!(Value::decode(&message).unwrap(), value);
    assert_eq!(Value::decode_owned(&message).unwrap(), value);
}

#[test]
fn numbers() {
    keeps(());
    keeps(true);
    keeps(false);
    for exponent in 0..127 {
        for near in [-1, 0, 1] {
            let value = (1_i128 << exponent) + near;
            for value in [value, -value] {
                keeps(value);
                let message = Value::from(value).encode().unwrap();
                assert_eq!(Value::decode(&message).unwrap().as_i128(), Some(value));
            }
        }
    }
    for bytes in [&[0xff; 40][..], &[0x7f; 17], &[0; 33], &[0x80], &[0xff, 0x80, 0xff], &[]] {
        keeps(BigInt::from_le_bytes(bytes));
    }
    assert_eq!(Value::from(u64::MAX).as_u64(), Some(u64::MAX));
    assert_eq!(Value::from(u64::MAX).as_i64(), None);
    assert_eq!(Value::from(i64::MIN).as_i64(), Some(i64::MIN));
    for value in [0.0, -0.0, 1.5, f64::MIN_POSITIVE, f64::MAX, f64::INFINITY, f64::NEG_INFINITY] {
        keeps(value);
        keeps(Value::Complex { re: value, im: -value });
    }
    let message = round_trip(&Value::from(f64::from_bits(0x7ff8_0000_dead_beef)));
    assert_eq!(Value::decode(&message).unwrap().as_f64().unwrap().to_bits(), 0x7ff8_0000_dead_beef);
    assert_ne!(Value::from(1), Value::from(1.0));
    assert_ne!(Value::from(1), Value::from(true));
}

#[test]
fn text_and_bytes_of_every_length() {
    for len in (0..300).chain([1023, 1024, 1025, 65_535, 65_536, 1_000_000]) {
        let bytes: Vec<_> = (0..len).map(|at| b'a' + (at % 26) as u8).collect();
        keeps(String::from_utf8(bytes.clone()).unwrap());
        keeps(Data::from(bytes.clone()));
        keeps(Value::bytearray(bytes.clone()));
        keeps(Value::Surrogates(bytes.into()));
    }
    keeps("déjà vu, 東京, \u{10ffff}, \0".to_owned());
    let (bytes, bytearray) = (Value::from(&b"x"[..]), Value::bytearray(&b"x"[..]));
    assert_ne!(bytes, bytearray);
    assert_ne!(bytes, Value::from("x"));
}

#[test]
fn arrays_of_every_type() {
    let simple = "|b1 |i1 |u1 <i2 >i2 <u2 >u2 <i4 >u4 <i8 >u8 <f2 >f2 <f4 >f4 <f8 >f8 <f16 >f16 <c8 >c8 <c16 >c16 <c32 >c32 \
                  |S0 |S5 <U0 <U5 >U7 |V0 |V16 <M8[ns] >M8[D] <M8[25us] <m8 <m8[s] >m8[10ms]";
    for text in simple.split_whitespace() {
        let item = dtype(text).size();
        for shape in [&[][..], &[0], &[1], &[7], &[2, 3], &[3, 0, 2], &[1; 64]] {
            let elements = shape.iter().product::<usize>() * item;
            let data: Vec<_> = (0..elements).map(|at| at as u8).collect();
            for (order, writable) in [(Order::C, true), (Order::Fortran, false)] {
                let array = Array::from_data(dtype(text), shape, data.clone().into()).unwrap();
                let array = array.with_order(order).with_writable(writable);
                keeps(array.clone());
                let message = Value::from(array.clone()).encode().unwrap();
                let decoded = Value::decode(&message).unwrap();
                let decoded = decoded.as_array().unwrap();
                assert_eq!((decoded.order(), decoded.is_writable()), (order, writable));
                assert_eq!((decoded.shape(), decoded.dtype()), (shape, &dtype(text)));
                assert_eq!(decoded.data().as_ptr().addr() % 64, 0);
                assert!(decoded.data().is_borrowed());
            }
        }
        keeps(dtype(text));
        keeps(Scalar::from_data(dtype(text), Data::from(vec![3; item])).unwrap());
    }
}

#[test]
fn records() {
    let inner = DType::record([Field::new("x", 0, dtype("<f4")), Field::new("é", 8, dtype(">i8"))], 16);
    let matrix = DType::SubArray { base: Box::new(inner.clone()), shape: vec![2, 3] };
    let titled = Field { title: Some("title".into()), ..Field::new("t", 100, dtype("|S3")) };
    let fields = vec![Field::new("in", 0, inner), Field::new("m", 0, matrix.clone()), titled];
    let outer = DType::Record { fields, size: 103, align: true };
    assert_eq!((matrix.size(), outer.size()), (96, 103));
    keeps(matrix);
    keeps(outer.clone());
    keeps(Scalar::from_data(outer.clone(), Data::zeroed(103)).unwrap());
    keeps(Array::from_data(outer, &[4, 5], Data::zeroed(2060)).unwrap());
    keeps(DType::record([], 0));
}

#[test]
fn containers() {
    let items = || [Value::from(1), "two".into(), 3.0.into(), Value::Nil];
    for len in [0, 1, 4] {
        let items = || items().into_iter().take(len);
        let all = [Value::list(items()), Value::tuple(items()), Value::set(items()), Value::frozenset(items())];
        for (place, value) in all.iter().enumerate() {
            keeps(value.clone());
            assert!(all.iter().enumerate().all(|(other, it)| (it == value) == (other == place)));
        }
    }
    for len in [14, 15, 16, 17, 65_534, 65_535, 65_536] {
        keeps(Value::list(0..len));
        keeps(Value::tuple(0..len));
        keeps(Value::dict((0..len).map(|key| (key, key))));
    }
    // Whatever looks like the mark of a kind is none if a value wrote it.
    keeps(Value::list([Value::Complex { re: 1.0, im: 2.0 }]));
    keeps(Value::list([Value::bytearray(&[1][..])]));
    keeps(Value::list([Value::from(i128::MAX)]));
    keeps(Value::list([Value::list::<i32>([])]));
}

#[test]
fn dicts() {
    let mut dict: Dict<'static> = [("b", 1), ("a", 2)].into_iter().collect();
    dict.insert("c", 3.5);
    dict.insert("b", "again");
    dict.insert(Value::tuple([1, 2]), ());
    let value = Value::from(dict.clone());
    assert_eq!(value.get("b").and_then(Value::as_str), Some("again"));
    assert_eq!(value.get("a").and_then(Value::as_i64), Some(2));
    assert_eq!(value.get("d"), None);
    let message = round_trip(&value);
    let decoded = Value::decode(&message).unwrap();
    let keys: Vec<_> = decoded.as_dict().unwrap().iter().map(|(key, _)| key.clone()).collect();
    assert_eq!(keys, [Value::from("b"), "a".into(), "c".into(), Value::tuple([1, 2])]);
    assert_eq!((dict.len(), dict.is_empty()), (4, false));
}

#[test]
fn named_tuples() {
    let point = |x: f64, y: f64| NamedTuple::new("shapes:Point", [("x", x), ("y", y)]);
    let empty = NamedTuple::new::<&str, ()>("shapes:Nothing", []);
    let line = NamedTuple::new("shapes:Line", [("from", Value::from(point(0.0, 1.0))), ("to", point(2.0, 3.0).into())]);
    let value = Value::list([Value::from(line), empty.clone().into(), point(4.0, 5.0).into(), empty.into()]);
    keeps(value.clone());
    for len in [0, 1, 31, 32, 33, 255, 256, 257, 65_535, 65_536] {
        keeps(NamedTuple::new(&"n".repeat(len), [("f".repeat(len), 1)]));
    }
    let message = round_trip(&value);
    assert_eq!(message.windows(12).filter(|part| part == b"shapes:Point").count(), 1, "a class is written once");
    let decoded = Value::decode(&message).unwrap();
    let to = decoded.as_items().unwrap()[0].get("to").unwrap();
    assert_eq!(to.get("y").and_then(Value::as_f64), Some(3.0));
    let Value::NamedTuple(to) = to else { panic!("{to:?}") };
    assert_eq!((to.class(), to.fields().collect::<Vec<_>>()), ("shapes:Point", vec!["x", "y"]));
}

#[test]
fn views_and_pickles() {
    keeps(View::new("B", 1, &[5], Data::from(&b"hello"[..])).unwrap());
    let view = View::new("T{<i:a:d:b:}", 12, &[2, 2], Data::zeroed(48)).unwrap();
    keeps(view.with_order(Order::Fortran).with_writable(false));
    let big = vec![7; 5000];
    let pickle = Pickle::new(&b"\x80\x05."[..]).with_buffer(big.clone(), true).with_buffer(vec![], false);
    assert_eq!((pickle.pickle(), pickle.buffers().count()), (&b"\x80\x05."[..], 2));
    assert_eq!(pickle.buffers().next(), Some((&big[..], true)));
    keeps(Value::list([Value::from(1), Value::Pickle(pickle), "after".into()]));
}

#[test]
fn shared_things_stay_shared() {
    let array = Value::from(Array::new(&[3], &[1.0_f64, 2.0, 3.0]).unwrap());
    let list = Value::list([1, 2, 3]);
    let bytes = Value::bytearray(&b"abc"[..]);
    let long = Value::from(Data::from(vec![1; 5000]));
    for shared in [array, list.clone(), bytes, long] {
        let once = Value::list([shared.clone()]).encode().unwrap();
        let value = Value::list([shared.clone(), shared.clone(), Value::tuple([shared])]);
        let message = round_trip(&value);
        assert!(message.len() < once.len() + 64, "{} and {}", message.len(), once.len());
        let (mut reader, mut refs) = (Reader::new(&message).unwrap(), 0);
        while let Some(event) = reader.event().unwrap() {
            refs += usize::from(matches!(event, Event::Ref(1)));
        }
        assert_eq!(refs, 2, "{value:?}");
    }
    // Equal is not the same.
    let value = Value::list([list, Value::list([1, 2, 3])]);
    let message = round_trip(&value);
    let decoded = Value::decode(&message).unwrap();
    let [Value::List(first), Value::List(second)] = decoded.as_items().unwrap() else { panic!("{decoded:?}") };
    assert!(first == second && !first.is_same(second));
    // What is changed is not the same any more.
    let Value::List(mut changed) = Value::list([Value::from(1)]) else { unreachable!() };
    let before = changed.clone();
    changed.to_mut().push(2.into());
    assert_eq!((before.len(), changed.len()), (1, 2));
    // A buffer of a pickle is never a reference, though the same bytes came before.
    let long = Data::from(vec![2; 5000]);
    let pickle = Pickle::new(long.clone()).with_buffer(long.clone(), false);
    round_trip(&Value::list([Value::Bytes(long), Value::Pickle(pickle)]));
}

#[test]
fn cycles() {
    let own = Value::list([Value::Up(1)]);
    keeps(own);
    let value = Value::dict([("self", Value::Up(1)), ("in", Value::tuple([Value::Up(2), Value::Up(1)]))]);
    keeps(value);
    let inner = Value::list([Value::Up(2)]);
    keeps(Value::list([inner.clone(), Value::tuple([inner])]));
    for (value, up, depth) in
        [(Value::Up(1), 1, 0), (Value::list([Value::Up(2)]), 2, 1), (Value::list([Value::Up(0)]), 0, 1)]
    {
        assert_eq!(value.encode().unwrap_err(), EncodeError::NoSuchLevel { up, depth });
    }
}

#[test]
fn a_hundred_thousand_levels() {
    const DEPTH: usize = 100_000;
    let mut lists = Value::from(1);
    let mut mixed = Value::from(1);
    for level in 0..DEPTH {
        lists = Value::list([lists]);
        mixed = match level % 4 {
            0 => Value::tuple([mixed]),
            1 => Value::dict([("k", mixed)]),
            2 => Value::frozenset([mixed]),
            _ => NamedTuple::new("m:C", [("f", mixed)]).into(),
        };
    }
    // Two depths, since the second is also shared: the walk up goes through what is held elsewhere.
    let held = lists.clone();
    for value in [lists, mixed] {
        let message = value.encode().unwrap();
        let decoded = Value::decode(&message).unwrap();
        assert_eq!(decoded, value);
        assert!(format!("{decoded:?}").contains("..."));
        assert_eq!(Value::decode_owned(&message).unwrap().encode().unwrap(), message);
    }
    drop(held);
    // Sharing at every level: 2^200 paths.
    let mut value = Value::from(1);
    for _ in 0..200 {
        value = Value::list([value.clone(), value]);
    }
    let message = round_trip(&value);
    assert!(message.len() < 3000);
    let decoded = Value::decode(&message).unwrap();
    assert_eq!(decoded, value);
    assert!(format!("{decoded:?}").len() < 1_000_000);
}

#[test]
fn elements_in_place() {
    let array = Array::new(&[2, 2], &[1_u16, 2, 3, 4]).unwrap();
    assert_eq!(array.as_slice::<u16>().unwrap(), [1, 2, 3, 4]);
    let wrong = array.as_slice::<i16>().unwrap_err();
    assert_eq!(wrong, AccessError::DType { found: u16::DTYPE.into(), wanted: i16::DTYPE });
    assert_eq!(array.as_fortran_slice::<u16>().unwrap_err(), AccessError::Order);
    let array = array.with_order(Order::Fortran);
    assert_eq!(array.as_slice::<u16>().unwrap_err(), AccessError::Order);
    assert_eq!(array.as_fortran_slice::<u16>().unwrap(), [1, 2, 3, 4]);
    // One dimension has no order, and one byte no end.
    let array = Array::from_data(dtype("<u1"), &[1, 3], (&b"abc"[..]).into()).unwrap().with_order(Order::Fortran);
    assert_eq!(array.as_slice::<u8>().unwrap(), b"abc");
    let swapped = if cfg!(target_endian = "little") { ">u2" } else { "<u2" };
    let array = Array::from_data(dtype(swapped), &[1], (&b"ab"[..]).into()).unwrap();
    assert!(array.as_slice::<u16>().is_err());
    let odd = Data::from(vec![0; 9]);
    let array = Array::from_data(dtype(f64::DTYPE), &[1], (&odd[1..]).into()).unwrap();
    assert_eq!(array.as_slice::<f64>().unwrap_err(), AccessError::Unaligned { align: 8 });
    let empty = Array::new::<f32>(&[0, 5], &[]).unwrap();
    assert!(empty.as_slice::<f32>().unwrap().is_empty());
    // A copy is made when it is needed, and not before.
    let data = Data::from(vec![1, 2, 3]);
    let mut changed = data.clone();
    changed.to_mut()[0] = 9;
    assert_eq!((&*data, &*changed), (&[1, 2, 3][..], &[9, 2, 3][..]));
}
#[test]
fn scalars_are_numbers_too() {
    for value in [Value::from(Scalar::new(7_u8)), Scalar::new(7_i16).into(), Scalar::new(7_u64).into()] {
        assert_eq!((value.as_i64(), value.as_u64(), value.as_f64()), (Some(7), Some(7), None));
    }
    assert_eq!(Value::from(Scalar::new(-7_i64)).as_u64(), None);
    assert_eq!(Value::from(Scalar::new(0.5_f32)).as_f64(), Some(0.5));
    assert_eq!(Scalar::new(1_i32).get::<u32>(), None);
}

#[test]
fn what_cannot_be_is_refused() {
    assert_eq!(Array::new(&[2], &[1.0_f32]).unwrap_err(), EncodeError::DataLen { len: 4, needed: 8 });
    for text in ["O", "|O", "|O8", "<f3", "f4", "=f4", "|f4", "<f", "<f4[s]", "<M8[s", "<M8[é]", "<x4", "", "<", "|S-1"]
    {
        assert!(DType::simple(text).is_err(), "{text}");
    }
    assert!(DType::simple(&format!("|V{}", "9".repeat(19))).is_err());
    let error = Array::from_data(DType::Simple("|O8".into()), &[], Data::zeroed(8)).unwrap_err();
    assert!(error.to_string().contains("objects"), "{error}");
    let outside = DType::record([Field::new("x", 1, dtype("<f4"))], 4);
    assert!(Array::from_data(outside.clone(), &[], Data::zeroed(4)).unwrap_err().to_string().contains("within"));
    assert!(Value::from(outside).encode().unwrap_err().to_string().contains("within"));
    let mut deep = dtype("<f4");
    for _ in 0..65 {
        deep = DType::SubArray { base: Box::new(deep), shape: vec![1] };
    }
    assert!(Value::from(deep).encode().unwrap_err().to_string().contains("64"));
    assert!(Array::from_data(dtype("|u1"), &[1; 65], Data::zeroed(1)).unwrap_err().to_string().contains("64"));
    let huge = Array::from_data(dtype("<f8"), &[usize::MAX, 2], Data::zeroed(8)).unwrap_err();
    assert_eq!(huge, EncodeError::DataLen { len: 8, needed: usize::MAX });
    // As in NumPy, also where a dimension is 0.
    let huge = Array::from_data(dtype("<f8"), &[1 << 60, 0], Data::zeroed(0)).unwrap_err();
    assert_eq!(huge, EncodeError::DataLen { len: 0, needed: usize::MAX });
}

#[test]
fn values_go_to_other_threads() {
    fn is<T: Send + Sync>(_: &T) {}
    let value = Value::list([1]);
    is(&value);
    assert_eq!(std::thread::spawn(move || value).join().unwrap(), Value::list([1]));
}
