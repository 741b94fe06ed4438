//! Values through rings of both flavours.

use ringmail::value::{Array, EncodeError, RecvValueError, SendValueError, Value};
use ringmail::{Options, RecvTimeoutError, TryRecvError, TrySendError};
use std::time::Duration;

macro_rules! both {
    ($($tests:tt)*) => {
        mod spsc {
            use super::*;
            use ringmail::spsc as flavour;
            $($tests)*
        }
        mod mpmc {
            #![allow(unused_mut, reason = "spsc handles need it")]
            use super::*;
            use ringmail::mpmc as flavour;
            $($tests)*
        }
    };
}

both! {
    #[test]
    fn there_and_back() {
        let options = Options::new().capacity(2).max_len(64 << 20);
        let (mut tx, mut rx) = flavour::channel::<[u8]>(&options).unwrap();
        let long = vec![1.5_f32; 4 << 20];
        for elements in [&long[..3], &long[..2000], &long] {
            let array = Array::new(&[elements.len()], elements).unwrap();
            let value = Value::dict([("obs", Value::from(array)), ("reward", 1.0.into()), ("b", (&b"x"[..]).into())]);
            tx.send_value(&value).unwrap();
            tx.try_send_value(&value).unwrap();
            let full = tx.try_send_value(&value).unwrap_err();
            assert_eq!(full, SendValueError::Send(TrySendError::Full));
            let late = tx.send_value_timeout(&value, Duration::from_millis(1)).unwrap_err();
            assert!(matches!(late, SendValueError::Send(error) if error.is_timeout()));
            {
                let message = rx.recv().unwrap();
                let received = message.value().unwrap();
                assert_eq!(received, value);
                let obs = received.get("obs").and_then(Value::as_array).unwrap();
                assert_eq!(obs.as_slice::<f32>().unwrap(), elements);
                let (data, ring) = (obs.data().as_ptr_range(), message.as_ptr_range());
                assert!(data.start >= ring.start && data.end <= ring.end, "in place");
                assert_eq!(data.start.addr() % 64, 0, "aligned");
            }
            let owned = rx.recv_value().unwrap();
            assert_eq!(owned, value);
            assert!(rx.is_empty(), "copied, and acknowledged");
        }
        assert_eq!(rx.try_recv_value().unwrap_err(), RecvValueError::Recv(TryRecvError::Empty));
        let late = rx.recv_value_timeout(Duration::from_millis(1)).unwrap_err();
        assert_eq!(late, RecvValueError::Recv(RecvTimeoutError::Timeout));
    }

    #[test]
    fn what_fails_leaves_the_ring_as_it_was() {
        let (mut tx, mut rx) = flavour::channel::<[u8]>(&Options::new().capacity(1).max_len(1000)).unwrap();
        let error = tx.send_value(&Value::list([Value::Up(5)])).unwrap_err();
        assert_eq!(error, SendValueError::Encode(EncodeError::NoSuchLevel { up: 5, depth: 1 }));
        let long = vec![0; 2000];
        let error = tx.send_value(&Value::from(&long[..])).unwrap_err();
        assert!(matches!(error, SendValueError::Send(error) if error.is_too_large()), "{error}");
        assert!(tx.is_empty());
        tx.send(b"not a value").unwrap();
        assert!(matches!(rx.recv_value(), Err(RecvValueError::Decode(error)) if error.is_foreign()));
        assert!(tx.is_empty(), "acknowledged");
        tx.send_value(&Value::from(7)).unwrap();
        assert_eq!(rx.recv_value().unwrap(), Value::from(7));
        drop(rx);
        tx.send_value(&Value::Nil).unwrap();
        assert!(matches!(tx.send_value(&Value::Nil), Err(SendValueError::Send(error)) if error.is_disconnected()));
    }
}
