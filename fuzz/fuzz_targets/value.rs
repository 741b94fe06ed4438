//! Any bytes as a value: an error, or a value that can be written, and is the same when it is read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringmail::value::Value;

fuzz_target!(|bytes: &[u8]| {
    // A header that fits, else no fuzzer gets far: the input is the flags, the number of payloads and what follows.
    let Some((&[flags, payloads, len], rest)) = bytes.split_first_chunk() else { return };
    let structure = usize::from(len).min(rest.len());
    let header = [0xc1, 1, flags, 0, payloads, 0, 0, 0, structure as u8, 0, 0, 0, 0, 0, 0, 0];
    let message = [&header, rest].concat();
    let owned = Value::decode_owned(&message);
    let borrowed = Value::decode(&message);
    match (owned, borrowed) {
        (Ok(owned), Ok(borrowed)) => {
            let again = owned.encode().unwrap();
            assert_eq!(borrowed.encode().unwrap(), again);
            assert_eq!(Value::decode(&again).unwrap().encode().unwrap(), again);
            assert!(!format!("{owned:?}").is_empty());
        }
        (owned, borrowed) => assert_eq!(owned.err(), borrowed.err()),
    }
});
