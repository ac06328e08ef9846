//! The file format of a snapshot: a magic, then frames with a checksum each, and an end that counts them.
//!
//! Frame: kind (1 byte), length and CRC32 of kind and payload (4 bytes each, little endian), payload. First the header (what the
//! snapshot covers), then rows of the state in key order, rows of the archive in key order, then the end. Never holds more than
//! one frame in memory. Used to build, verify, send and install.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, ErrorKind, Read, Seek, SeekFrom, Write};

use serde::{Deserialize, Serialize};

use crate::kitchen::Rules;

use super::codec;
use super::types::SnapshotMeta;

const MAGIC: &[u8; 8] = b"BRIGSNP1";
/// Rows are gathered to about this many bytes a frame.
const FRAME_BYTES: usize = 256 * 1024;
/// A longer frame is refused before it is read.
const FRAME_BYTES_MAX: u32 = 64 << 20;

/// Kind, length and checksum.
const HEAD_BYTES: u64 = 9;

const HEADER: u8 = b'H';
const ROWS: [u8; 2] = [b'S', b'A'];
const END: u8 = b'E';

/// What is wrong with a snapshot file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Damage {
    #[error("a checksum does not match its content")]
    Checksum,
    #[error("the file ends too early")]
    Truncated,
    #[error("this is no snapshot of this program: {0}")]
    Foreign(&'static str),
}

impl From<Damage> for io::Error {
    fn from(damage: Damage) -> Self {
        codec::invalid(format!("damaged snapshot: {damage}"))
    }
}

/// Which rows: the kitchen's state or the archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    State,
    Archive,
}

#[derive(Serialize, Deserialize)]
struct Header {
    cluster: String,
    meta: SnapshotMeta,
    /// The rules that held when it was made: who does not know them must not read on.
    #[serde(default)]
    rules: Rules,
}

#[derive(Serialize, Deserialize, PartialEq)]
struct End {
    frames: u64,
}

/// Writes one snapshot.
pub(crate) struct SnapshotWriter<W: Write> {
    file: BufWriter<W>,
    frames: u64,
    part: Part,
    pending: Vec<u8>,
}

impl<W: Write> SnapshotWriter<W> {
    pub fn new(file: W, cluster: &str, meta: &SnapshotMeta, rules: Rules) -> io::Result<Self> {
        let mut file = BufWriter::new(file);
        file.write_all(MAGIC)?;
        let mut writer = Self { file, frames: 0, part: Part::State, pending: vec![] };
        let header = Header { cluster: cluster.to_owned(), meta: meta.clone(), rules };
        writer.frame(HEADER, &codec::encode(&header))?;
        Ok(writer)
    }

    /// Adds a row; all of the state first, each part in key order.
    pub fn row(&mut self, part: Part, key: &[u8], value: &[u8]) -> io::Result<()> {
        if part != self.part || self.pending.len() >= FRAME_BYTES {
            self.flush_rows()?;
            self.part = part;
        }
        for field in [key, value] {
            self.pending.extend((field.len() as u32).to_le_bytes());
            self.pending.extend(field);
        }
        Ok(())
    }

    /// Writes the end. Nothing is synced.
    pub fn finish(mut self) -> io::Result<W> {
        self.flush_rows()?;
        let end = End { frames: self.frames };
        self.frame(END, &codec::encode(&end))?;
        self.file.into_inner().map_err(io::IntoInnerError::into_error)
    }

    fn flush_rows(&mut self) -> io::Result<()> {
        let rows = std::mem::take(&mut self.pending);
        if rows.is_empty() { Ok(()) } else { self.frame(ROWS[self.part as usize], &rows) }
    }

    fn frame(&mut self, kind: u8, payload: &[u8]) -> io::Result<()> {
        self.file.write_all(&[kind])?;
        self.file.write_all(&(payload.len() as u32).to_le_bytes())?;
        self.file.write_all(&checksum(kind, payload).to_le_bytes())?;
        self.file.write_all(payload)?;
        self.frames += 1;
        Ok(())
    }
}

/// Reads one snapshot, frame by frame, and checks each.
pub(crate) struct SnapshotReader {
    file: BufReader<File>,
    frames: u64,
    /// What the snapshot covers.
    pub meta: SnapshotMeta,
    /// The cluster that it was made in.
    pub cluster: String,
    /// The rules that held.
    pub rules: Rules,
}

impl SnapshotReader {
    pub fn open(file: File) -> io::Result<Self> {
        let mut file = BufReader::with_capacity(FRAME_BYTES, file);
        let mut magic = [0; 8];
        read(&mut file, &mut magic)?;
        if &magic != MAGIC {
            return Err(Damage::Foreign("wrong first bytes").into());
        }
        let (kind, payload) = frame(&mut file)?;
        if kind != HEADER {
            return Err(Damage::Foreign("no header").into());
        }
        let Header { cluster, meta, rules } = codec::decode(&payload)?;
        Ok(Self { file, frames: 1, meta, cluster, rules })
    }

    /// The next rows; None at an end that is as it should be.
    pub fn next(&mut self) -> io::Result<Option<(Part, Rows)>> {
        let (kind, payload) = frame(&mut self.file)?;
        let part = match kind {
            END => return self.at_end(&payload),
            b'S' => Part::State,
            b'A' => Part::Archive,
            _ => return Err(Damage::Foreign("unknown frame").into()),
        };
        self.frames += 1;
        Ok(Some((part, Rows { bytes: payload, at: 0 })))
    }

    /// Reads to the end, so that every checksum has been compared.
    pub fn verify(mut self) -> io::Result<SnapshotMeta> {
        while self.next()?.is_some() {}
        Ok(self.meta)
    }

    fn at_end(&mut self, payload: &[u8]) -> io::Result<Option<(Part, Rows)>> {
        if codec::decode::<End>(payload)? != (End { frames: self.frames }) {
            return Err(Damage::Truncated.into());
        }
        match self.file.read(&mut [0])? {
            0 => Ok(None),
            _ => Err(Damage::Foreign("bytes behind the end").into()),
        }
    }
}

/// True ends only: the file was written to its end, and is not cut. What is between is not read.
pub(crate) fn check_end(file: &mut (impl Read + Seek)) -> io::Result<()> {
    let length = file.seek(SeekFrom::End(0))?;
    let shortest = HEAD_BYTES + codec::encode(&End { frames: 0 }).len() as u64;
    let longest = HEAD_BYTES + codec::encode(&End { frames: u64::MAX }).len() as u64;
    for size in shortest..=longest.min(length) {
        file.seek(SeekFrom::Start(length - size))?;
        if frame(file).is_ok_and(|(kind, payload)| kind == END && payload.len() as u64 + HEAD_BYTES == size) {
            return Ok(());
        }
    }
    Err(Damage::Truncated.into())
}

/// The rows of one frame.
pub(crate) struct Rows {
    bytes: Vec<u8>,
    at: usize,
}

impl Rows {
    fn field(&mut self) -> Option<Vec<u8>> {
        let length: [u8; 4] = self.bytes.get(self.at..self.at + 4)?.try_into().ok()?;
        let from = self.at + 4;
        let field = self.bytes.get(from..from + u32::from_le_bytes(length) as usize)?.to_vec();
        self.at = from + field.len();
        Some(field)
    }
}

impl Iterator for Rows {
    type Item = io::Result<(Vec<u8>, Vec<u8>)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at == self.bytes.len() {
            return None;
        }
        let row = self.field().and_then(|key| Some((key, self.field()?)));
        if row.is_none() {
            self.at = self.bytes.len();
        }
        Some(row.ok_or_else(|| Damage::Foreign("rows that are cut").into()))
    }
}

fn frame(file: &mut impl Read) -> io::Result<(u8, Vec<u8>)> {
    let mut head = [0; 9];
    read(file, &mut head)?;
    let [kind, l0, l1, l2, l3, c0, c1, c2, c3] = head;
    let length = u32::from_le_bytes([l0, l1, l2, l3]);
    if length > FRAME_BYTES_MAX {
        return Err(Damage::Checksum.into());
    }
    // Not more than what is really there is kept, whatever the length says.
    let mut payload = Vec::new();
    file.take(length.into()).read_to_end(&mut payload)?;
    if payload.len() < length as usize {
        return Err(Damage::Truncated.into());
    }
    if checksum(kind, &payload) != u32::from_le_bytes([c0, c1, c2, c3]) {
        return Err(Damage::Checksum.into());
    }
    Ok((kind, payload))
}

fn read(file: &mut impl Read, into: &mut [u8]) -> io::Result<()> {
    file.read_exact(into).map_err(|error| match error.kind() {
        ErrorKind::UnexpectedEof => Damage::Truncated.into(),
        _ => error,
    })
}

pub(crate) fn checksum(kind: u8, payload: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&[kind]);
    crc.update(payload);
    crc.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written() -> Vec<u8> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        let mut writer =
            SnapshotWriter::new(File::create(&path).unwrap(), "c", &SnapshotMeta::default(), Rules::FIRST).unwrap();
        for n in 0..2_000u32 {
            writer.row(Part::State, &n.to_be_bytes(), &[7; 300]).unwrap();
        }
        writer.row(Part::Archive, b"k", b"v").unwrap();
        writer.finish().unwrap();
        std::fs::read(path).unwrap()
    }

    fn open(bytes: &[u8]) -> io::Result<SnapshotReader> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        std::fs::write(&path, bytes).unwrap();
        SnapshotReader::open(File::open(path).unwrap())
    }

    #[test]
    fn a_snapshot_gives_back_its_rows_in_order() {
        let mut reader = open(&written()).unwrap();
        let mut rows = vec![];
        while let Some((part, frame)) = reader.next().unwrap() {
            rows.extend(frame.map(|row| (part, row.unwrap())));
        }
        assert_eq!(rows.len(), 2_001);
        assert_eq!(rows[1_999], (Part::State, (1_999u32.to_be_bytes().to_vec(), vec![7; 300])));
        assert_eq!(rows[2_000], (Part::Archive, (b"k".to_vec(), b"v".to_vec())));
    }

    #[test]
    fn a_flipped_or_missing_byte_anywhere_is_noticed() {
        let good = written();
        open(&good).unwrap().verify().unwrap();
        for at in (0..good.len()).step_by(997).chain([good.len() - 1]) {
            let mut bad = good.clone();
            bad[at] ^= 1;
            assert!(open(&bad).and_then(SnapshotReader::verify).is_err(), "flipped byte {at}");
            assert!(open(&good[..at]).and_then(SnapshotReader::verify).is_err(), "cut at {at}");
        }
        let ends = |bytes: &[u8]| check_end(&mut io::Cursor::new(bytes)).is_ok();
        assert!(ends(&good) && !ends(&good[..good.len() - 1]) && !ends(&good[..good.len() / 2]) && !ends(b""));
        let longer = [good.as_slice(), b"x"].concat();
        assert!(!ends(&longer));
        assert!(open(&longer).and_then(SnapshotReader::verify).is_err());
    }
}
