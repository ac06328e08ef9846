//! The torn end of a MANIFEST, RocksDB's own record of its files: zeros where the last record was being written when the power went.
//!
//! RocksDB opens no such database, and replicas that work in step may be hit at once. This finds the torn record, lets others look at the
//! database without it, and cuts it off, with the file as it was kept beside the database. It cuts nothing else: a record that is
//! damaged in any other way, or that anything follows, stays where it is and is refused. Zeros that reach beyond the record in which they
//! begin are of several records, which may have been whole and counted on: without them a database opens that lacks whole tables, as the
//! write-ahead log that they released is gone, and the log's end does not tell. Called by `open` alone, which decides.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::identity::sync_directory;

/// RocksDB writes its logs in blocks of this size; no record crosses the end of one.
const BLOCK: usize = 32 * 1_024;

/// Checksum, length and type in front of each record.
const HEADER: usize = 7;

/// So many zeros at the end are no part of what RocksDB writes there: a record that was whole once and has one wrong byte may end in a few.
const ZEROS_MIN: usize = 8;

/// A MANIFEST whose last record was being written.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Torn {
    /// The database.
    db: PathBuf,
    /// Name of the file.
    name: String,
    /// All records that are whole.
    whole: Vec<u8>,
    /// How many bytes lie behind them.
    pub behind: usize,
}

impl Torn {
    /// Looks at the MANIFEST in use. None if its end is not torn, whatever else may be wrong with it.
    pub fn find(db: &Path) -> io::Result<Option<Self>> {
        let name = fs::read_to_string(db.join("CURRENT"))?.trim_end().to_owned();
        let mut whole = fs::read(db.join(&name))?;
        let Some(end) = torn_at(&whole) else { return Ok(None) };
        let behind = whole.len() - end;
        whole.truncate(end);
        Ok(Some(Self { db: db.to_owned(), name, whole, behind }))
    }

    /// Shows the database as it would be without the torn record. Nothing on disk is changed by it.
    pub fn look<T>(&self, look: impl FnOnce(&Path) -> io::Result<T>) -> io::Result<T> {
        let beside = self.db.with_extension("look");
        remove(&beside)?;
        fs::create_dir(&beside)?;
        for entry in fs::read_dir(&self.db)? {
            let name = entry?.file_name();
            // RocksDB locks and renames those of the directory that it opens.
            let is_its_own = name.to_string_lossy().starts_with("LO");
            if !is_its_own && name.to_str() != Some(&self.name) {
                fs::hard_link(self.db.join(&name), beside.join(&name))?;
            }
        }
        fs::write(beside.join(&self.name), &self.whole)?;
        let seen = look(&beside);
        remove(&beside)?;
        seen
    }

    /// Cuts the torn record off, durably. Where the file is kept as it was.
    pub fn cut(&self) -> io::Result<PathBuf> {
        let (path, kept) = (self.db.join(&self.name), self.db.with_file_name(format!("{}.torn", self.name)));
        fs::copy(&path, &kept)?;
        File::open(&kept)?.sync_all()?;
        let new = self.db.join("MANIFEST.new");
        let mut file = File::create(&new)?;
        file.write_all(&self.whole)?;
        file.sync_all()?;
        fs::rename(&new, &path)?;
        sync_directory(&self.db)?;
        Ok(kept)
    }
}

fn remove(dir: &Path) -> io::Result<()> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Where the torn record begins, if the file ends in one: from somewhere inside it on there are zeros and nothing else.
fn torn_at(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    let claimed = loop {
        let left = BLOCK - at % BLOCK;
        if left < HEADER {
            at += left;
        }
        let header = bytes.get(at..at + HEADER)?;
        let length = HEADER + usize::from(u16::from_le_bytes([header[4], header[5]]));
        let record = bytes.get(at..at + length);
        if !record.is_some_and(is_whole) {
            break length;
        }
        at += length;
    };
    let written = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let is_last = written > at && written < at + claimed && bytes.len() <= at + claimed;
    (is_last && bytes.len() - written >= ZEROS_MIN).then_some(at)
}

/// True if the checksum in front of a record is that of its type and content, masked as RocksDB does.
fn is_whole(record: &[u8]) -> bool {
    let stored = u32::from_le_bytes([record[0], record[1], record[2], record[3]]);
    stored == crc32c(&record[HEADER - 1..]).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// CRC-32C (Castagnoli, reflected), bit by bit: a MANIFEST has a few kilobytes.
fn crc32c(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(content: &[u8]) -> Vec<u8> {
        let mut typed = vec![1];
        typed.extend(content);
        let sum = crc32c(&typed).rotate_right(15).wrapping_add(0xa282_ead8);
        let mut record = sum.to_le_bytes().to_vec();
        record.extend(u16::try_from(content.len()).unwrap().to_le_bytes());
        record.extend(typed);
        record
    }

    /// Two records, the second of which has lost all from `kept` on.
    fn torn(kept: usize) -> (Vec<u8>, usize) {
        let (mut bytes, last) = (record(b"the first edit"), record(&[7; 60]));
        let at = bytes.len();
        bytes.extend(&last[..kept]);
        bytes.resize(at + last.len(), 0);
        (bytes, at)
    }

    #[test]
    fn the_checksum_is_castagnolis() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn a_last_record_that_ends_in_zeros_is_torn_wherever_they_begin_behind_its_length() {
        for kept in 5..=58 {
            let (bytes, at) = torn(kept);
            assert_eq!(torn_at(&bytes), Some(at), "{kept} bytes of it were written");
        }
    }

    #[test]
    fn zeros_of_more_than_one_record_are_left_alone() {
        let (mut bytes, _) = torn(20);
        bytes.push(0);
        assert_eq!(torn_at(&bytes), None, "what stood behind it may have been counted on");
        for kept in 1..5 {
            assert_eq!(torn_at(&torn(kept).0), None, "{kept} bytes do not tell how long it was");
        }
    }

    #[test]
    fn whole_files_and_all_other_damage_are_left_alone() {
        let (whole, at) = torn(67);
        assert_eq!(torn_at(&whole), None, "nothing is damaged");
        assert_eq!(torn_at(&whole[..whole.len() - 5]), None, "it ends early: RocksDB knows what to do");
        for at in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[at] ^= 0x10;
            assert_eq!(torn_at(&flipped), None, "byte {at} is wrong and nothing is zero");
        }
        let (mut followed, _) = torn(20);
        followed.extend(record(b"a later edit"));
        assert_eq!(torn_at(&followed), None, "something follows");
        let mut hole = whole.clone();
        hole[4..at].fill(0);
        assert_eq!(torn_at(&hole), None, "zeros in the middle");
        assert_eq!(torn_at(&[]), None);
        assert_eq!(torn_at(&[0; 100]), None, "nothing of it is left");
    }

    #[test]
    fn records_are_found_behind_the_end_of_a_block() {
        let filler = BLOCK - 2 * HEADER - 3;
        let mut bytes = record(&vec![1; filler]);
        bytes.extend(record(&[]));
        bytes.extend([0; 3]);
        assert_eq!(bytes.len(), BLOCK);
        let (torn, at) = torn(30);
        bytes.extend(torn);
        assert_eq!(torn_at(&bytes), Some(BLOCK + at));
    }
}
