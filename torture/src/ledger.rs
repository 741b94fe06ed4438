//! What was sent and what arrived, written down by the processes that are killed.
//!
//! Each incarnation of a worker appends to a file of its own. A record is 32 bytes and goes out in one `write`, several
//! together only where each is whole by itself: a `write` whose caller is killed may stop at a page boundary, which is
//! a record's boundary too, and a torn tail is not read.

use crate::payload::Header;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

const SIZE: usize = 32;
const SENT: u64 = 0x7e57_0001;
const DELIVERED: u64 = 0x7e57_0002;

/// One thing that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record {
    /// A send returned.
    Sent(Header),
    /// A message was read; it is not yet acknowledged.
    Delivered { header: Header, redelivered: u32, whole: bool },
}

impl Record {
    fn bytes(self) -> [u8; SIZE] {
        let (kind, header, rest) = match self {
            Self::Sent(header) => (SENT, header, 0),
            Self::Delivered { header, redelivered, whole } => {
                (DELIVERED, header, u64::from(redelivered) << 1 | u64::from(whole))
            }
        };
        let mut bytes = [0; SIZE];
        for (place, word) in [kind, header.sender, header.seq, rest].into_iter().enumerate() {
            bytes[8 * place..][..8].copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let word = |place: usize| u64::from_le_bytes(bytes[8 * place..][..8].try_into().expect("eight bytes"));
        let header = Header { sender: word(1), seq: word(2) };
        match word(0) {
            SENT => Some(Self::Sent(header)),
            DELIVERED => Some(Self::Delivered { header, redelivered: (word(3) >> 1) as u32, whole: word(3) & 1 != 0 }),
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
        let file = OpenOptions::new().create_new(true).append(true).open(folder.join(format!("ledger.{id}")))?;
        Ok(Self { file, pending: Vec::new() })
    }

    /// Writes records down.
    pub fn write(&mut self, records: impl IntoIterator<Item = Record>) {
        self.pending.clear();
        records.into_iter().for_each(|record| self.pending.extend(record.bytes()));
        self.file.write_all(&self.pending).expect("the ledger can be written");
    }
}

/// Reads all ledgers of a folder, one after the other, and deletes them.
pub fn read_all(folder: &Path, mut each: impl FnMut(u64, &mut dyn Iterator<Item = Record>)) -> io::Result<()> {
    let mut bytes = Vec::new();
    for path in files(folder, "ledger.")? {
        bytes.clear();
        File::open(&path)?.read_to_end(&mut bytes)?;
        let id = path.extension().and_then(|id| id.to_str()?.parse().ok()).expect("named by its incarnation");
        each(id, &mut bytes.chunks_exact(SIZE).map(|record| Record::parse(record).expect("records are whole")));
        std::fs::remove_file(&path)?;
    }
    Ok(())
}

/// The files of a folder whose names start so.
pub fn files(folder: &Path, start: &str) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(start) {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}
