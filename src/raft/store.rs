//! The one RocksDB of a replica: column families, limits of memory, and the records of `meta`.
//!
//! One database means one write-ahead log, so that what recovery brings back is one prefix of everything written. Nothing here
//! syncs by itself except `put_meta_synced` and `write_synced`: the log's syncs belong to `writer`.

use std::io;
use std::path::Path;

use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamily, ColumnFamilyDescriptor, DB, DBCompressionType, DBRecoveryMode,
    IteratorMode, LogLevel, Options, ReadOptions, WriteBatch, WriteOptions,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::defect;

use super::codec;
use super::fatal::Fatal;

/// Records of the replica itself.
pub(crate) const META: &str = "meta";
/// The Raft log, by index.
pub(crate) const LOG: &str = "log";
/// Rows of the kitchen.
pub(crate) const STATE: &str = "state";
/// Finished orders.
pub(crate) const ARCHIVE: &str = "archive";
/// The ring of the last events, by index.
pub(crate) const EVENTS: &str = "events";

const FAMILIES: [&str; 5] = [META, LOG, STATE, ARCHIVE, EVENTS];

/// Keys of `meta`.
pub(crate) mod key {
    pub const DISK: &str = "disk";
    pub const VOTE: &str = "vote";
    pub const PURGED: &str = "purged";
    pub const APPLIED: &str = "applied";
    pub const MEMBERSHIP: &str = "membership";
    pub const INSTALLING: &str = "installing";
    pub const EVENTS_FLOOR: &str = "events_floor";
    pub const PEER_DISKS: &str = "peer_disks";
    pub const PEER_EDITIONS: &str = "peer_editions";
    pub const LINEAGE: &str = "lineage";
}

/// A key and its value, as RocksDB hands them out.
pub(crate) type RawRow = (Box<[u8]>, Box<[u8]>);

/// The open database.
pub(crate) struct Store {
    pub db: DB,
    pub fatal: Fatal,
}

impl Store {
    /// Opens the database, or creates it if `create`.
    pub fn open(path: &Path, create: bool, fatal: Fatal) -> io::Result<Self> {
        let mut options = database_options();
        options.create_if_missing(create);
        options.create_missing_column_families(create);
        let db = DB::open_cf_descriptors(&options, path, families()).map_err(io::Error::other)?;
        Ok(Self { db, fatal })
    }

    /// Opens the database for looking at: nothing on disk changes.
    pub fn peek(path: &Path) -> io::Result<Self> {
        let options = database_options();
        let db = DB::open_cf_descriptors_read_only(&options, path, families(), false).map_err(io::Error::other)?;
        Ok(Self { db, fatal: Fatal::default() })
    }

    /// What is whole before the first damage in the write-ahead log, for looking at: nothing on disk changes.
    pub fn peek_before_damage(path: &Path) -> io::Result<Self> {
        let options = before_damage_options();
        let db = DB::open_cf_descriptors_read_only(&options, path, families(), false).map_err(io::Error::other)?;
        Ok(Self { db, fatal: Fatal::default() })
    }

    /// Opens the database and forgets what lies behind the first damage in the write-ahead log: only after a look.
    pub fn open_before_damage(path: &Path, fatal: Fatal) -> io::Result<Self> {
        let options = before_damage_options();
        let db = DB::open_cf_descriptors(&options, path, families()).map_err(io::Error::other)?;
        Ok(Self { db, fatal })
    }

    /// A column family's handle.
    pub fn cf(&self, name: &str) -> &ColumnFamily {
        self.db.cf_handle(name).expect("every column family is opened with the database")
    }

    /// A value of any column family.
    pub fn get(&self, cf: &str, key: &[u8]) -> io::Result<Option<Vec<u8>>> {
        self.failing("read", self.db.get_cf(self.cf(cf), key))
    }

    /// A record of `meta`.
    pub fn meta<T: DeserializeOwned>(&self, key: &str) -> io::Result<Option<T>> {
        let bytes = self.get(META, key.as_bytes())?;
        let record = bytes.map(|b| codec::decode(&b)).transpose();
        self.fatal.check(&format!("record {key:?} of the database"), record)
    }

    /// Adds a record of `meta` to a batch.
    pub fn put_meta<T: Serialize>(&self, batch: &mut WriteBatch, key: &str, value: &T) {
        batch.put_cf(self.cf(META), key, codec::encode(value));
    }

    /// Writes one record of `meta`, and returns once it is on disk.
    pub fn put_meta_synced<T: Serialize>(&self, key: &str, value: &T) -> io::Result<()> {
        let mut batch = WriteBatch::default();
        self.put_meta(&mut batch, key, value);
        self.write_synced(batch)
    }

    /// Writes a batch in memory and into the operating system's cache: survives a killed process, not a power cut.
    pub fn write(&self, batch: WriteBatch) -> io::Result<()> {
        self.failing("write", self.db.write(batch))
    }

    /// Writes a batch, and returns once it and all before it are on disk.
    pub fn write_synced(&self, batch: WriteBatch) -> io::Result<()> {
        let mut options = WriteOptions::default();
        options.set_sync(true);
        self.failing("synced write", self.db.write_opt(batch, &options))
    }

    /// Returns once all that was written is on disk.
    pub fn sync(&self) -> io::Result<()> {
        if defect::is("skipped-fsync") {
            return Ok(());
        }
        self.failing("sync", self.db.flush_wal(true))
    }

    /// The rows with `from <= key < to`, in key order.
    pub fn scan(&self, cf: &str, from: Vec<u8>, to: Option<Vec<u8>>) -> impl Iterator<Item = io::Result<RawRow>> + '_ {
        let mut options = ReadOptions::default();
        options.set_iterate_lower_bound(from);
        if let Some(to) = to {
            options.set_iterate_upper_bound(to);
        }
        let rows = self.db.iterator_cf_opt(self.cf(cf), options, IteratorMode::Start);
        rows.map(|row| self.failing("scan", row))
    }

    /// The rows with `key < to`, the last first.
    pub fn scan_back(&self, cf: &str, to: Option<Vec<u8>>) -> impl Iterator<Item = io::Result<RawRow>> + '_ {
        let mut options = ReadOptions::default();
        if let Some(to) = to {
            options.set_iterate_upper_bound(to);
        }
        let rows = self.db.iterator_cf_opt(self.cf(cf), options, IteratorMode::End);
        rows.map(|row| self.failing("scan", row))
    }

    fn failing<T>(&self, doing: &str, result: Result<T, rocksdb::Error>) -> io::Result<T> {
        self.fatal.check(&format!("database {doing}"), result).map_err(io::Error::other)
    }
}

fn families() -> [ColumnFamilyDescriptor; FAMILIES.len()] {
    let cache = Cache::new_lru_cache(4 << 20);
    FAMILIES.map(|name| ColumnFamilyDescriptor::new(name, family_options(name, &cache)))
}

/// True if RocksDB opened nothing because bytes are not what was written.
pub(crate) fn is_damage(error: &io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rocksdb::Error>());
    inner.is_some_and(|error| error.kind() == rocksdb::ErrorKind::Corruption)
}

fn before_damage_options() -> Options {
    let mut options = database_options();
    options.set_wal_recovery_mode(DBRecoveryMode::PointInTime);
    options
}

/// Small on purpose: the kitchen is in memory, RocksDB only has to bring it back.
fn database_options() -> Options {
    let mut options = Options::default();
    // The default (PointInTime) opens silently with what precedes a flipped byte, votes and entries behind it forgotten.
    options.set_wal_recovery_mode(DBRecoveryMode::TolerateCorruptedTailRecords);
    if defect::is("point-in-time-recovery") {
        options.set_wal_recovery_mode(DBRecoveryMode::PointInTime);
    }
    options.set_paranoid_checks(true);
    options.set_db_write_buffer_size(12 << 20);
    options.set_max_total_wal_size(64 << 20);
    options.set_max_open_files(64);
    options.set_max_background_jobs(2);
    options.set_keep_log_file_num(2);
    options.set_max_log_file_size(1 << 20);
    options.set_log_level(LogLevel::Warn);
    options.set_stats_dump_period_sec(0);
    options
}

fn family_options(name: &str, cache: &Cache) -> Options {
    let mut table = BlockBasedOptions::default();
    table.set_block_cache(cache);
    table.set_cache_index_and_filter_blocks(true);
    if name == ARCHIVE {
        // Every new order asks whether one of its id has ended, and hardly any has: with a filter no block is unpacked for that.
        table.set_bloom_filter(10.0, false);
    }
    let mut options = Options::default();
    options.set_block_based_table_factory(&table);
    options.set_write_buffer_size(4 << 20);
    options.set_max_write_buffer_number(2);
    options.set_target_file_size_base(16 << 20);
    // What is not archived is soon overwritten or purged: compressing it costs more than it saves.
    let lasts = name == ARCHIVE;
    options.set_compression_type(if lasts { DBCompressionType::Lz4 } else { DBCompressionType::None });
    options
}
