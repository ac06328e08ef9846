//! Reads a copy from its first byte to its last, and holds what is in it against itself.

use std::fs::File;
use std::io;
use std::path::Path;

use crate::kitchen::food_safety::{self, Chain, KeptRecord, text};
use crate::kitchen::{Kitchen, Rules, audit, invariants, order};

use super::super::snapshot_file::{Part, SnapshotReader};
use super::{Error, Summary};

/// Checks a copy, and tells what it holds. Reads all of it once.
pub fn verify(path: &Path) -> Result<Summary, Error> {
    let file = |source| Error::File { path: path.to_owned(), source };
    let opened = File::open(path).map_err(file)?;
    let bytes = opened.metadata().map_err(file)?.len();
    let of_content = |error: io::Error| match error.kind() {
        io::ErrorKind::InvalidData => Error::Damaged { path: path.to_owned(), why: error.to_string() },
        _ => file(error),
    };
    let reader = SnapshotReader::open(opened).map_err(of_content)?;
    if reader.rules > Rules::NEWEST {
        return Err(Error::NewerRules { found: reader.rules, known: Rules::NEWEST });
    }
    let (kitchen, index) = (reader.cluster.clone(), reader.meta.last_log_id.map_or(0, |id| id.index));
    let (state, archive) = read(reader).map_err(of_content)?;
    let wrong = |why: String| Error::Damaged { path: path.to_owned(), why };
    let loaded = Kitchen::from_rows(state).map_err(|bad| wrong(bad.to_string()))?;
    archive.agrees_with(&loaded).map_err(wrong)?;
    invariants::check(&loaded).map_err(wrong)?;
    let meta = loaded.meta();
    Ok(Summary {
        kitchen,
        index,
        wall: meta.wall,
        rules: loaded.rules(),
        incarnation: loaded.epoch().incarnation(),
        open_orders: loaded.orders().count() as u64,
        archived_orders: archive.orders,
        food_safety_records: archive.records,
        audit_records: archive.audited,
        bytes,
    })
}

type Rows = Vec<(Vec<u8>, Vec<u8>)>;

fn read(mut reader: SnapshotReader) -> io::Result<(Rows, Archive)> {
    let (mut state, mut archive) = (Rows::new(), Archive::default());
    while let Some((part, rows)) = reader.next()? {
        for row in rows {
            let (key, value) = row?;
            match part {
                Part::State => state.push((key, value)),
                Part::Archive => archive.count(&key, &value)?,
            }
        }
    }
    Ok((state, archive))
}

/// What is in the archive. Its rows are not kept.
#[derive(Default)]
struct Archive {
    orders: u64,
    numbers: u64,
    records: u64,
    audited: u64,
    /// The last food-safety record: its number and its hash.
    last_record: Option<(u64, String)>,
}

impl Archive {
    fn count(&mut self, key: &[u8], value: &[u8]) -> io::Result<()> {
        if let Some(number) = food_safety::number_of(key) {
            return self.count_record(number, value).map_err(super::super::codec::invalid);
        }
        self.orders += u64::from(key.starts_with(b"o/"));
        self.numbers += u64::from(order::number_of(key).is_some());
        self.audited += u64::from(audit::number_of(key).is_some());
        Ok(())
    }

    fn count_record(&mut self, number: u64, value: &[u8]) -> Result<(), String> {
        let line = KeptRecord::read(value).map_err(|why| format!("food-safety record {number}: {why}"))?.line;
        let fields = text::fields(&line).unwrap_or_default();
        let previous = fields.len().checked_sub(2).map(|at| fields[at].as_str()).unwrap_or_default();
        let follows = |(last, hash): &(u64, String)| last + 1 == number && hash == previous;
        if !self.last_record.as_ref().is_none_or(follows) {
            return Err(format!("the chain of food-safety records breaks at record {number}"));
        }
        self.records += 1;
        self.last_record = Some((number, text::hash_of(&line).unwrap_or_default().to_owned()));
        Ok(())
    }

    fn agrees_with(&self, kitchen: &Kitchen) -> Result<(), String> {
        let meta = kitchen.meta();
        let ended = meta.ended.iter().sum::<u64>() - meta.orders_let_go;
        if self.orders != ended || self.numbers != ended {
            return Err(format!(
                "{ended} orders ended, and the archive holds {} of them",
                self.orders.min(self.numbers)
            ));
        }
        let Chain { records, last, let_go, .. } = &meta.food;
        let (number, hash) = self.last_record.clone().unwrap_or((*let_go, last.clone()));
        if self.records != records - let_go || number != *records || hash != *last {
            return Err(format!("{} food-safety records are kept, and {} are there", records - let_go, self.records));
        }
        Ok(())
    }
}
