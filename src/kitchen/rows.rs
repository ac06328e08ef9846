//! The kitchen as keyed rows, and back: what RocksDB keeps and what a snapshot holds.
//!
//! A row is a version byte and MessagePack with names, so that a later release can read it and a wrong type can't.

use std::collections::BTreeMap;
use std::ops::Bound;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{Kitchen, Rules};

/// Version of the rows' encoding.
const VERSION: u8 = 1;

/// One row of the state: None deletes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Sorts like the thing it names.
    pub key: Vec<u8>,
    /// A version byte and MessagePack with names.
    pub value: Option<Vec<u8>>,
}

/// The archive of finished orders, as the kitchen asks for it. The same on all replicas at the same index.
pub trait Archive {
    /// The archived row of this key, as an earlier `Applied::archive` wrote it.
    fn get(&self, key: &[u8]) -> Option<Vec<u8>>;

    /// The first archived row behind this key, with its own.
    fn next(&self, after: &[u8]) -> Option<(Vec<u8>, Vec<u8>)>;
}

/// Rows in memory, for simulations and tests: an archive, or what was written of the state.
pub type InMemory = BTreeMap<Vec<u8>, Vec<u8>>;

/// Changes rows in memory as an entry did.
pub fn write(archive: &mut InMemory, rows: &[Row]) {
    for Row { key, value } in rows {
        match value {
            Some(value) => archive.insert(key.clone(), value.clone()),
            None => archive.remove(key),
        };
    }
}

impl Archive for InMemory {
    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        BTreeMap::get(self, key).cloned()
    }

    fn next(&self, after: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
        let (key, value) = self.range::<[u8], _>((Bound::Excluded(after), Bound::Unbounded)).next()?;
        Some((key.clone(), value.clone()))
    }
}

/// Why rows can't be loaded.
#[derive(Debug, thiserror::Error)]
#[error("row {key} can't be read: {why}")]
pub struct BadRow {
    /// The first characters of the key, with bytes that are no text escaped.
    pub key: String,
    /// What is wrong.
    pub why: String,
}

/// Which table a row belongs to: its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RowKey {
    Meta,
    Settings,
    Recipe,
    Order,
    Pizza,
    Attempt,
    Device,
    Learned,
    Outbox,
    Incident,
    Escalation,
    Feed,
    Token,
}

impl RowKey {
    const ALL: [Self; 13] = [
        Self::Meta,
        Self::Settings,
        Self::Recipe,
        Self::Order,
        Self::Pizza,
        Self::Attempt,
        Self::Device,
        Self::Learned,
        Self::Outbox,
        Self::Incident,
        Self::Escalation,
        Self::Feed,
        Self::Token,
    ];

    fn byte(self) -> u8 {
        match self {
            Self::Meta => b'm',
            Self::Settings => b's',
            Self::Recipe => b'r',
            Self::Order => b'o',
            Self::Pizza => b'p',
            Self::Attempt => b'a',
            Self::Device => b'd',
            Self::Learned => b'l',
            Self::Outbox => b'x',
            Self::Incident => b'i',
            Self::Escalation => b'e',
            Self::Feed => b'f',
            Self::Token => b't',
        }
    }
}

/// A value as a row holds it.
pub fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = vec![VERSION];
    rmp_serde::encode::write_named(&mut bytes, value).expect("the kitchen's types encode into memory");
    bytes
}

/// A value from a row.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    match bytes.split_first() {
        Some((&VERSION, body)) => rmp_serde::from_slice(body).map_err(|e| e.to_string()),
        Some((version, _)) => Err(format!("it has version {version}, this release reads {VERSION}")),
        None => Err("it is empty".to_owned()),
    }
}

fn key<K: Serialize>(table: RowKey, key: &K) -> Vec<u8> {
    let mut bytes = vec![table.byte()];
    rmp_serde::encode::write_named(&mut bytes, key).expect("the kitchen's keys encode into memory");
    bytes
}

/// The key of the row that says which rules hold.
pub fn meta_key() -> Vec<u8> {
    key(RowKey::Meta, &0u8)
}

/// The rules that hold, from that row. A kitchen without it has just begun.
pub fn rules_in(meta: Option<&[u8]>) -> Result<Rules, String> {
    #[derive(Deserialize)]
    struct Said {
        #[serde(default)]
        rules: Rules,
    }
    meta.map_or(Ok(Rules::FIRST), |meta| decode::<Said>(meta).map(|said| said.rules))
}

/// Calls a macro for every table with its row key.
macro_rules! each_table {
    ($do:ident) => {
        $do!(Settings, settings);
        $do!(Recipe, recipes);
        $do!(Order, orders);
        $do!(Pizza, pizzas);
        $do!(Attempt, attempts);
        $do!(Device, devices);
        $do!(Learned, learned);
        $do!(Outbox, outbox);
        $do!(Incident, incidents);
        $do!(Escalation, escalations);
        $do!(Feed, feed);
        $do!(Token, tokens);
    };
}

impl Kitchen {
    /// The row that every entry changes. It is not among `Applied::rows`: who writes many entries at once writes its last state alone.
    pub fn first_row(&self) -> Row {
        Row { key: meta_key(), value: Some(encode(&self.meta)) }
    }

    /// The other rows that the last entry touched.
    pub(super) fn drain_rows(&mut self) -> Vec<Row> {
        let mut rows = Vec::new();
        macro_rules! drain {
            ($table:ident, $field:ident) => {
                for (k, row) in self.$field.drain_touched() {
                    rows.push(Row { key: key(RowKey::$table, &k), value: row.map(encode) });
                }
            };
        }
        each_table!(drain);
        rows
    }

    /// Every row: what a snapshot holds.
    pub fn rows(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut rows = vec![(meta_key(), encode(&self.meta))];
        macro_rules! list {
            ($table:ident, $field:ident) => {
                rows.extend(self.$field.iter().map(|(k, row)| (key(RowKey::$table, k), encode(row))));
            };
        }
        each_table!(list);
        rows.sort();
        rows
    }

    /// The kitchen that these rows describe.
    pub fn from_rows(rows: impl IntoIterator<Item = (Vec<u8>, Vec<u8>)>) -> Result<Self, BadRow> {
        let mut kitchen = Self::default();
        for (key, value) in rows {
            // A damaged key may have any length.
            let named = || key.escape_ascii().take(200).map(char::from).collect();
            kitchen.load_row(&key, &value).map_err(|why| BadRow { key: named(), why })?;
        }
        kitchen.derive();
        Ok(kitchen)
    }

    fn load_row(&mut self, row_key: &[u8], value: &[u8]) -> Result<(), String> {
        let (first, rest) = row_key.split_first().ok_or("its key is empty")?;
        let table = RowKey::ALL.into_iter().find(|t| t.byte() == *first).ok_or("no table has this key")?;
        macro_rules! load {
            ($table:ident, $field:ident) => {
                if table == RowKey::$table {
                    let k = rmp_serde::from_slice(rest).map_err(|e| e.to_string())?;
                    self.$field.load(k, decode(value)?);
                }
            };
        }
        if table == RowKey::Meta {
            self.meta = decode(value)?;
        }
        each_table!(load);
        Ok(())
    }

    /// Makes the derived indexes anew.
    fn derive(&mut self) {
        for pizza in self.pizzas.values().cloned().collect::<Vec<_>>() {
            self.index_pizza(&pizza);
        }
    }
}
