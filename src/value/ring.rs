//! Sending and receiving values: encode into a buffer that each thread keeps, then copy into the ring, once.

use super::Value;
use super::encode::Payloads;
use super::wire::Encoder;
use crate::error::value::{DecodeError, RecvValueError, SendValueError};
use crate::error::*;
use crate::received::{Hold, Received};
use crate::{mpmc, spsc};
use std::cell::RefCell;
use std::time::Duration;

/// Bytes of structure that a thread keeps for longer than until its next value.
const KEPT: usize = 1 << 16;

thread_local! {
    static ENCODER: RefCell<Encoder> = RefCell::new(Encoder::new());
}

/// Writes `value` into a message that `loan` gets, and commits it.
macro_rules! send {
    ($value:expr, |$len:ident| $loan:expr) => {
        ENCODER.with_borrow_mut(|encoder| {
            let mut payloads = Payloads::new();
            if encoder.structure_len() > KEPT {
                encoder.shrink_to(KEPT);
            }
            encoder.clear();
            $value.write(encoder, &mut payloads).map_err(SendValueError::Encode)?;
            let layout = encoder.layout().map_err(SendValueError::Encode)?;
            let $len = layout.len();
            let mut loan = $loan?;
            layout.write_into(&mut loan, |number, place| place.copy_from_slice(payloads[number]));
            loan.publish($len).map_err(|stop| SendValueError::Send(stop.into()))
        })
    };
}

macro_rules! verbs {
    ($flavour:ident, $($mut:tt)?) => {
        impl $flavour::Sender<[u8]> {
            /// Sends a value: arrays, long text and bytes are copied once, straight into the ring. Blocks while the ring is full.
            ///
            /// # Errors
            ///
            /// [`Encode`](SendValueError::Encode) if the value cannot be written; otherwise as for [`send`](Self::send).
            pub fn send_value(&$($mut)? self, value: &Value<'_>) -> Result<(), SendValueError<SendError>> {
                send!(value, |len| self.loan(len))
            }

            /// Sends a value if there is room. Never blocks.
            ///
            /// # Errors
            ///
            /// [`Encode`](SendValueError::Encode) if the value cannot be written; otherwise as for [`try_send`](Self::try_send).
            pub fn try_send_value(&$($mut)? self, value: &Value<'_>) -> Result<(), SendValueError<TrySendError>> {
                send!(value, |len| self.try_loan(len))
            }

            /// Sends a value. Blocks while the ring is full, for at most `timeout`.
            ///
            /// # Errors
            ///
            /// [`Encode`](SendValueError::Encode) if the value cannot be written; otherwise as for
            /// [`send_timeout`](Self::send_timeout).
            pub fn send_value_timeout(
                &$($mut)? self,
                value: &Value<'_>,
                timeout: Duration,
            ) -> Result<(), SendValueError<SendTimeoutError>> {
                send!(value, |len| self.loan_timeout(len, timeout))
            }
        }

        impl $flavour::Receiver<[u8]> {
            /// Receives a value, copied out of the ring, and acknowledges it. Blocks while the ring is empty.
            ///
            /// To have arrays in place, receive the message and ask [it](Received::value).
            ///
            /// # Errors
            ///
            /// [`Decode`](RecvValueError::Decode) if the message is no value, which is acknowledged all the same; otherwise as for
            /// [`recv`](Self::recv).
            pub fn recv_value(&$($mut)? self) -> Result<Value<'static>, RecvValueError<RecvError>> {
                Value::decode_owned(&self.recv()?).map_err(RecvValueError::Decode)
            }

            /// Receives a value if there is one. Never blocks.
            ///
            /// # Errors
            ///
            /// [`Decode`](RecvValueError::Decode) as for [`recv_value`](Self::recv_value); otherwise as for
            /// [`try_recv`](Self::try_recv).
            pub fn try_recv_value(&$($mut)? self) -> Result<Value<'static>, RecvValueError<TryRecvError>> {
                Value::decode_owned(&self.try_recv()?).map_err(RecvValueError::Decode)
            }

            /// Receives a value. Blocks while the ring is empty, for at most `timeout`.
            ///
            /// # Errors
            ///
            /// [`Decode`](RecvValueError::Decode) as for [`recv_value`](Self::recv_value); otherwise as for
            /// [`recv_timeout`](Self::recv_timeout).
            pub fn recv_value_timeout(
                &$($mut)? self,
                timeout: Duration,
            ) -> Result<Value<'static>, RecvValueError<RecvTimeoutError>> {
                Value::decode_owned(&self.recv_timeout(timeout)?).map_err(RecvValueError::Decode)
            }
        }
    };
}

verbs!(mpmc,);
verbs!(spsc, mut);

impl<H: Hold> Received<'_, [u8], H> {
    /// The message as a value, whose text, bytes and arrays stay in the ring: they live as long as the message is held.
    ///
    /// # Errors
    ///
    /// If the message is no value.
    pub fn value(&self) -> Result<Value<'_>, DecodeError> {
        Value::decode(self)
    }
}
