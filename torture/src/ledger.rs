//! What was sent and what arrived, written down by the processes that are killed.
//!
//! Each incarnation of a worker appends to a file of its own. A record is 32 bytes and goes out in one `write`, several
//! together only where each is whole by itself: a `write` whose caller is killed may stop at a page boundary, which is
//! a record's boundary too, and a torn tail is not read.

use crate::folder::files;
use crate::payload::{self, Header};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

const SIZE: usize = 32;
const START: &str = "ledger.";
const TRIED: u64 = 0x7e57_0000;
const SENT: u64 = 0x7e57_0001;
const DELIVERED: u64 = 0x7e57_0002;
const REJECTED: u64 = 0x7e57_0003;
/// In the place of a count that was not told.
const UNTOLD: u64 = 0xffff;

/// One thing that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record {
    /// So many messages are about to be sent that are too short to say whose they are.
    Tried { header: Header, count: u64 },
    /// A send returned.
    Sent(Header),
    /// A message was read; it is not yet acknowledged. `recv_into` does not tell how often it came before, and has it
    /// acknowledged.
    Delivered { header: Header, redelivered: Option<u32>, whole: bool },
    /// A message is about to be given back that came so often before.
    Rejected { header: Header, redelivered: u32 },
}

impl Record {
    /// What was read.
    pub fn delivered(message: &[u8], redelivered: Option<u32>) -> Self {
        let (header, whole) = payload::read(message);
        Self::Delivered { header, redelivered, whole }
    }

    fn bytes(self) -> [u8; SIZE] {
        let (kind, header, rest) = match self {
            Self::Tried { header, count } => (TRIED, header, count),
            Self::Sent(header) => (SENT, header, 0),
            Self::Delivered { header, redelivered, whole } => {
                (DELIVERED, header, redelivered.map_or(UNTOLD, u64::from) << 1 | u64::from(whole))
            }
            Self::Rejected { header, redelivered } => (REJECTED, header, redelivered.into()),
        };
        let mut bytes = [0; SIZE];
        for (place, word) in [kind, header.sender, header.seq, rest].into_iter().enumerate() {
            bytes[8 * place..][..8].copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let word = |place: usize| u64::from_le_bytes(bytes[8 * place..][..8].try_into().expect("eight bytes"));
        let (header, rest) = (Header { sender: word(1), seq: word(2) }, word(3));
        match word(0) {
            TRIED => Some(Self::Tried { header, count: rest }),
            SENT => Some(Self::Sent(header)),
            DELIVERED => {
                let redelivered = Some((rest >> 1) as u32).filter(|&count| u64::from(count) != UNTOLD);
                Some(Self::Delivered { header, redelivered, whole: rest & 1 != 0 })
            }
            REJECTED => Some(Self::Rejected { header, redelivered: rest as u32 }),
            _ => None,
        }
    }
}

/// The file of one incarnation, for writing.
#[derive(Debug)]
pub struct Ledger {
    file: File,
    pending: Vec<u8>,
}

impl Ledger {
    pub fn create(folder: &Path, id: u64) -> io::Result<Self> {
        let file = OpenOptions::new().create_new(true).append(true).open(folder.join(format!("{START}{id}")))?;
        Ok(Self { file, pending: Vec::new() })
    }

    /// Writes records down.
    pub fn write(&mut self, records: impl IntoIterator<Item = Record>) {
        self.pending.clear();
        records.into_iter().for_each(|record| self.pending.extend(record.bytes()));
        self.file.write_all(&self.pending).expect("the ledger can be written");
    }
}

/// Reads all ledgers of a folder, one after the other.
pub fn read_all(folder: &Path, mut each: impl FnMut(u64, &mut dyn Iterator<Item = Record>)) -> io::Result<()> {
    let mut bytes = Vec::new();
    for path in files(folder, START)? {
        bytes.clear();
        File::open(&path)?.read_to_end(&mut bytes)?;
        let id = path.extension().and_then(|id| id.to_str()?.parse().ok()).expect("named by its incarnation");
        each(id, &mut bytes.chunks_exact(SIZE).map(|record| Record::parse(record).expect("records are whole")));
    }
    Ok(())
}

/// Deletes all ledgers of a folder.
pub fn delete_all(folder: &Path) -> io::Result<()> {
    files(folder, START)?.into_iter().try_for_each(std::fs::remove_file)
}
