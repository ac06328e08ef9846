//! A table of rows that remembers which of them changed, so that a commit writes those and no others.
//!
//! Every change goes through here: what is not marked is not written, and a test after each entry rebuilds the kitchen
//! from its written rows to see that nothing was missed.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeBounds;

/// Rows by key, and the keys touched since the last `drain_touched`.
#[derive(Clone, Debug)]
pub struct Table<K, V> {
    rows: BTreeMap<K, V>,
    touched: BTreeSet<K>,
}

impl<K: Ord, V> Default for Table<K, V> {
    fn default() -> Self {
        Self { rows: BTreeMap::new(), touched: BTreeSet::new() }
    }
}

/// Two tables are equal when their rows are; what was touched is a matter of writing.
impl<K: Ord, V: PartialEq> PartialEq for Table<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.rows == other.rows
    }
}

impl<K: Ord, V: Eq> Eq for Table<K, V> {}

impl<K: Ord + Clone, V> Table<K, V> {
    /// The row of this key.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.rows.get(key)
    }

    /// The row of this key, to be changed: it counts as touched.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let row = self.rows.get_mut(key)?;
        self.touched.insert(key.clone());
        Some(row)
    }

    /// Adds or replaces a row.
    pub fn insert(&mut self, key: K, row: V) {
        self.touched.insert(key.clone());
        self.rows.insert(key, row);
    }

    /// Takes a row out.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let row = self.rows.remove(key)?;
        self.touched.insert(key.clone());
        Some(row)
    }

    /// Puts a row back that was written before: not touched.
    pub fn load(&mut self, key: K, row: V) {
        self.rows.insert(key, row);
    }

    /// True when there is such a row.
    pub fn contains(&self, key: &K) -> bool {
        self.rows.contains_key(key)
    }

    /// All rows in key order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&K, &V)> {
        self.rows.iter()
    }

    /// The rows whose keys lie in a range.
    pub fn range(&self, range: impl RangeBounds<K>) -> impl DoubleEndedIterator<Item = (&K, &V)> {
        self.rows.range(range)
    }

    /// All keys in order.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &K> {
        self.rows.keys()
    }

    /// All rows without their keys.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &V> {
        self.rows.values()
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// True when there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The touched keys, each with its row or None where it was removed.
    pub fn drain_touched(&mut self) -> impl Iterator<Item = (K, Option<&V>)> {
        std::mem::take(&mut self.touched).into_iter().map(|key| {
            let row = self.rows.get(&key);
            (key, row)
        })
    }
}
