//! What the targets share: input read piece by piece, and the places of a ring that mean something.

use std::fs::File;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::FileExt;

/// The fuzzer's bytes, taken from the front; zeros once there are none.
pub struct Input<'a>(pub &'a [u8]);

impl Input<'_> {
    /// Whether all was taken.
    pub fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    pub fn byte(&mut self) -> u8 {
        let (&first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        first
    }

    pub fn word(&mut self) -> u64 {
        u64::from_le_bytes(std::array::from_fn(|_| self.byte()))
    }

    pub fn take(&mut self, len: usize) -> &[u8] {
        let (taken, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        taken
    }
}

/// The shared bytes of a ring, as somebody sees them who keeps to no protocol.
pub struct Shared {
    file: File,
    /// Offset and length of everything behind the header that is ever read: most bytes of a segment are padding, and a
    /// fuzzer that must find the others first finds little.
    spans: Vec<(u64, u64)>,
}

impl Shared {
    pub fn new(fd: BorrowedFd<'_>) -> Self {
        let file = File::from(fd.try_clone_to_owned().expect("one more descriptor"));
        let number = |at: u64| {
            let mut bytes = [0; 8];
            file.read_exact_at(&mut bytes, at).expect("a ring has a header");
            u64::from_le_bytes(bytes)
        };
        let (len, capacity, participants, skips) = (number(16), number(24), number(48), number(56));
        let (records, record_stride, payloads) = (number(64), number(72), number(80));
        // docs/layout.md: tail, head, taken, bumped, filled, freed, presence, counters.
        let mut spans: Vec<_> =
            [8, 8, 24, 8, 4, 4, 12, 56].into_iter().zip(0..).map(|(len, line)| (1024 + 128 * line, len)).collect();
        spans.extend((0..number(120) & 0xffff_ffff).map(|place| (participants + 64 * place, 20)));
        if skips != 0 {
            spans.push((skips, 8 * capacity));
        }
        // State word and length; what follows them is payload, for which any bytes are good.
        spans.extend((0..capacity).map(|slot| (records + record_stride * slot, 16)).filter(|(at, _)| at + 16 <= len));
        spans.push((payloads, 64.min(len - payloads)));
        Self { file, spans }
    }

    /// Lays the input over everything that means something.
    pub fn overwrite(&self, input: &mut Input<'_>) {
        for &(at, len) in &self.spans {
            let bytes = input.take(len as usize);
            self.file.write_all_at(bytes, at).expect("a ring can be written");
        }
    }

    /// Writes one word of one place, both chosen by the input.
    pub fn poke(&self, input: &mut Input<'_>) {
        let (at, len) = self.spans[usize::from(input.byte()) % self.spans.len()];
        let at = at + 8 * (u64::from(input.byte()) % len.div_ceil(8));
        let word = match input.byte() {
            choice @ 0..128 => u64::from(choice),
            // Just before a position or a lap wraps.
            128..160 => u64::MAX - u64::from(input.byte()),
            _ => input.word(),
        };
        self.file.write_all_at(&word.to_le_bytes()[..len.min(8) as usize], at).expect("a ring can be written");
    }
}

/// The targets of both flavours: they differ in what is `Clone`, and in nothing else that is called here.
#[macro_export]
macro_rules! target {
    ($flavour:ident) => {
        use libfuzzer_sys::fuzz_target;
        use ringmail::zerocopy::FromZeros;
        use ringmail::{Message, Options, Redelivery, $flavour as flavour};
        use ringmail_fuzz::{Input, Shared};
        use std::time::Duration;

        type Ring<M> = flavour::Ring<M>;

        fuzz_target!(|bytes: &[u8]| {
            let mut input = Input(bytes);
            let capacity = [1, 2, 3, 5, 7, 64][usize::from(input.byte()) % 6];
            let redelivery =
                [Redelivery::Always, Redelivery::AtMost(1), Redelivery::Never][usize::from(input.byte()) % 3];
            // Long enough that a slot beyond the last is beyond the mapping.
            let options = Options::new()
                .capacity(capacity)
                .participants(4)
                .redelivery(redelivery)
                .max_len(5000)
                .spin(Duration::ZERO);
            match input.byte() % 4 {
                0 => sized::<u64>(&Ring::anonymous(&options).unwrap(), input),
                1 => sized::<[u8; 3000]>(&Ring::anonymous(&options).unwrap(), input),
                2 => unsized_(&Ring::<[u8]>::anonymous(&options).unwrap(), vec![1; 5000], vec![0; 5000], input),
                _ => unsized_(&Ring::<[u32]>::anonymous(&options).unwrap(), vec![1; 1250], vec![0; 1250], input),
            }
        });

        fn sized<M: Message + FromZeros + Send + Sync>(ring: &Ring<M>, input: Input<'_>) {
            let mut buffer = M::new_box_zeroed().unwrap();
            let copy = |receiver: &mut flavour::Receiver<M>| drop(receiver.try_recv_copy());
            drive(ring, &M::new_zeroed(), &mut buffer, copy, input);
        }

        fn unsized_<T>(ring: &Ring<[T]>, message: Vec<T>, mut buffer: Vec<T>, input: Input<'_>)
        where
            [T]: Message,
        {
            drive(ring, &*message, &mut *buffer, |_| {}, input);
        }

        /// Does as the input says, one byte an operation; nothing of it may wait longer than a moment.
        fn drive<M: Message + ?Sized>(
            ring: &Ring<M>,
            message: &M,
            buffer: &mut M,
            copy: impl Fn(&mut flavour::Receiver<M>),
            mut input: Input<'_>,
        ) {
            const MOMENT: Duration = Duration::from_micros(10);
            let shared = Shared::new(ring.as_fd());
            let operations = usize::from(input.byte()) % 64;
            let script = input.take(4 * operations).to_vec();
            shared.overwrite(&mut input);
            let (mut sender, mut receiver) = (ring.sender().ok(), ring.receiver().ok());
            let mut input = Input(&script);
            while !input.is_over() {
                match input.byte() % 19 {
                    0 => shared.poke(&mut input),
                    1 => drop(ring.stats()),
                    2 => ring.close(),
                    16 => drop(ring.recover()),
                    3 => {
                        sender = None;
                        sender = ring.sender().ok();
                    }
                    4 => {
                        receiver = None;
                        receiver = ring.receiver().ok();
                    }
                    operation => {
                        if let Some(sender) = &mut sender {
                            match operation {
                                5 => drop(sender.try_send(message)),
                                6 => drop(sender.send_timeout(message, MOMENT)),
                                7 => {
                                    // The one way to send many waits for ever before a full ring that is open.
                                    ring.close();
                                    drop(sender.send_many((0..input.byte()).map(|_| message)));
                                }
                                8 => drop(sender.wait_acked(Some(MOMENT))),
                                9 => drop((sender.len(), sender.is_full(), sender.has_space())),
                                _ => {}
                            }
                        }
                        if let Some(receiver) = &mut receiver {
                            match operation {
                                10 => drop(receiver.try_recv_into(buffer)),
                                11 => copy(receiver),
                                12 => drop(receiver.recv_timeout(MOMENT).map(|message| message.copy_into(buffer))),
                                13 => drop(receiver.recv_timeout(MOMENT).map(|message| message.reject())),
                                14 => {
                                    if let Ok(batch) = receiver.try_recv_many(usize::from(input.byte())) {
                                        assert!(batch.iter().count() <= batch.len());
                                    }
                                }
                                15 => drop(receiver.len()),
                                17 => {
                                    // It waits for ever in a ring that is empty and open.
                                    ring.close();
                                    if let Ok(batch) = receiver.recv_many(usize::from(input.byte())) {
                                        assert!(batch.iter().count() <= batch.len());
                                    }
                                }
                                18 => {
                                    // What is held while others clear up stays the receiver's.
                                    let held = receiver.recv_timeout(MOMENT);
                                    drop(ring.recover());
                                    drop(held.map(|message| message.copy_into(buffer)));
                                }
                                _ => {}
                            }
                        }
                    }
                }
            }
        }
    };
}
