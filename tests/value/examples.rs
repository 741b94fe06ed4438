//! The examples of `docs/wire.md`, byte for byte.

use ringmail::value::{Array, DType, Field, NamedTuple, Pickle, Scalar, Value};

fn examples() -> Vec<(&'static str, Value<'static>)> {
    let list = Value::list([Value::Up(1)]);
    let point = |x, y| Value::from(NamedTuple::new("geo:Point", [("x", x), ("y", y)]));
    let record = DType::record([Field::new("x", 0, DType::simple("<f4").unwrap())], 4);
    let step = [("obs", Value::from(Array::new(&[2, 2], &[1_u8, 2, 3, 4]).unwrap())), ("reward", 1.0.into())];
    vec![
        ("None", Value::Nil),
        ("{\"a\": 1, \"b\": 2.0}", Value::dict([("a", Value::from(1)), ("b", 2.0.into())])),
        ("(1, -1, 2**64)", Value::tuple([Value::from(1), (-1).into(), (1_i128 << 64).into()])),
        ("[{1}, frozenset()]", Value::list([Value::set([1]), Value::frozenset::<i32>([])])),
        ("1+2j", Value::Complex { re: 1.0, im: 2.0 }),
        ("x = []; x.append(x)", list),
        ("[Point(1, 2), Point(3, 4)]", Value::list([point(1, 2), point(3, 4)])),
        ("(b\"\", bytearray(b\"x\"))", Value::tuple([Value::from(&b""[..]), Value::bytearray(&b"x"[..])])),
        (
            "[np.float32(1), np.dtype([(\"x\", \"<f4\")])]",
            Value::list([Value::from(Scalar::new(1.0_f32)), record.into()]),
        ),
        ("pickle", Value::Pickle(Pickle::new(&b"\x80\x05N."[..]))),
        ("{\"obs\": np.array([[1, 2], [3, 4]], \"u1\"), \"reward\": 1.0}", Value::dict(step)),
    ]
}

/// The bytes of an example: what stands before `|` in each line of the block after its heading. `...` are zeros up to the place
/// at which the next line says that it starts.
fn bytes(page: &str, name: &str) -> Vec<u8> {
    let (_, rest) =
        page.split_once(&format!("\n`{name}`\n")).unwrap_or_else(|| panic!("docs/wire.md has no example {name}"));
    let block = rest.trim_start().strip_prefix("```text\n").and_then(|rest| rest.split("```").next()).unwrap();
    let mut bytes = vec![];
    for line in block.lines() {
        let (place, hex) = line.split('|').next().unwrap().split_once(':').unwrap();
        let place: usize = place.trim().parse().unwrap();
        assert!(place == bytes.len() || place.is_multiple_of(8) && place > bytes.len(), "{name}: {line}");
        bytes.resize(place, 0);
        bytes.extend(hex.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap()));
    }
    bytes
}

#[test]
fn the_page_tells_the_bytes() {
    let page = include_str!("../../docs/wire.md");
    for (name, value) in examples() {
        let message = value.encode().unwrap();
        let told = bytes(page, name);
        assert!(*message == *told, "{name} is\n{:02x?}\nand docs/wire.md has\n{told:02x?}", &*message);
        assert_eq!(Value::decode(&told).unwrap(), value, "{name}");
    }
    assert_eq!(page.matches("```text\n   0:").count(), examples().len(), "every example is tested");
}
