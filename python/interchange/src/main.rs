//! A Rust process that answers Python in kind: reads values from one ring, and sends each back through another, with the sum of its
//! array `obs` where it has one.
//!
//! ```text
//! ringmail-interchange REQUESTS REPLIES
//! ```

use ringmail::mpmc::Ring;
use ringmail::value::Value;
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let mut names = std::env::args().skip(1);
    let (Some(requests), Some(replies)) = (names.next(), names.next()) else {
        return Err("usage: ringmail-interchange REQUESTS REPLIES".into());
    };
    let replies = Ring::<[u8]>::open(&replies)?.sender()?;
    let requests = Ring::<[u8]>::open(&requests)?.receiver()?;
    for message in requests.iter() {
        let value = message.value()?;
        let obs = value.get("obs").and_then(Value::as_array);
        let sum =
            obs.and_then(|obs| obs.as_slice::<f32>().ok()).map(|obs| obs.iter().map(|&x| f64::from(x)).sum::<f64>());
        replies.send_value(&Value::dict([("sum", sum.into()), ("value", value.clone())]))?;
    }
    Ok(())
}
