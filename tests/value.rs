//! Values survive the way through a message, type for type; and whatever bytes a message has, it is a value or an error.
#![cfg(feature = "value")]

#[path = "value/examples.rs"]
mod examples;
#[path = "value/hostile.rs"]
mod hostile;
#[path = "value/random.rs"]
mod random;
#[path = "value/ring.rs"]
mod ring;
#[path = "value/round_trip.rs"]
mod round_trip;
#[path = "value/wire.rs"]
mod wire;

use ringmail::value::{Data, Value};

/// There and back, borrowed and owned: the message.
fn round_trip(value: &Value<'_>) -> Data<'static> {
    let message = value.encode().unwrap();
    assert_eq!(message.as_ptr().addr() % 64, 0);
    let borrowed = Value::decode(&message).unwrap();
    let owned = Value::decode_owned(&message).unwrap();
    // The bytes say more than equality: they tell sharing, and NaNs.
    assert_eq!(&*borrowed.encode().unwrap(), &*message, "borrowed: {borrowed:?}\nof: {value:?}");
    assert_eq!(&*owned.encode().unwrap(), &*message, "owned: {owned:?}\nof: {value:?}");
    drop(borrowed);
    // The structure is one value of plain MessagePack, to the byte.
    let len = u64::from_le_bytes(message[8..16].try_into().unwrap()) as usize;
    let mut structure = &message[16..16 + len];
    rmpv::decode::read_value_ref(&mut structure).unwrap();
    assert!(structure.is_empty());
    message
}
