//! The other end of tests/test_rust.py: sends each value back, with the sum of its array `obs` where it has one.

use ringmail::mpmc::Ring;
use ringmail::value::Value;
use std::error::Error;

/// Answers until the requests end.
pub fn run(requests: &str, replies: &str) -> Result<(), Box<dyn Error>> {
    let replies = Ring::<[u8]>::open(replies)?.sender()?;
    let requests = Ring::<[u8]>::open(requests)?.receiver()?;
    for message in requests.iter() {
        let value = message.value()?;
        let obs = value.get("obs").and_then(Value::as_array);
        let sum =
            obs.and_then(|obs| obs.as_slice::<f32>().ok()).map(|obs| obs.iter().map(|&x| f64::from(x)).sum::<f64>());
        replies.send_value(&Value::dict([("sum", sum.into()), ("value", value.clone())]))?;
    }
    Ok(())
}
