//! Opens a data directory: identity first, then the database, then both are compared. Nothing is served before all of it is done.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use crate::kitchen::{Rules, rows};

use super::codec;
use super::disks::{Disks, Own};
use super::error::Error;
use super::fatal::Fatal;
use super::identity::{Found, Identity, IdentityFile, VoteSeen, sync_directory};
use super::install;
use super::log_store::{LogStore, last_log_id};
use super::manifest::Torn;
use super::options::Options;
use super::replica::Replica;
use super::shelf::Shelf;
use super::state_machine::StateMachine;
use super::store::{STATE, Store, is_damage, key};
use super::types::{LogId, Vote};
use super::writer::Writer;

/// All that openraft and `RaftNode` need of the disk.
pub(crate) struct Opened {
    pub store: Arc<Store>,
    pub replica: Arc<Replica>,
    pub shelf: Arc<Shelf>,
    pub log: LogStore,
    pub state_machine: StateMachine,
    pub writer: JoinHandle<()>,
    pub disks: Arc<Disks>,
}

/// Opens the directory of these options, or makes a new one.
pub(crate) fn open(options: &Options, fatal: &Fatal) -> Result<Opened, Error> {
    open_directory(options, fatal).map_err(|error| error.or_disk_full(&options.data_dir))
}

fn open_directory(options: &Options, fatal: &Fatal) -> Result<Opened, Error> {
    let dir = options.data_dir.as_path();
    fs::create_dir_all(dir).map_err(|source| Error::File { path: dir.into(), source })?;
    let db = dir.join("db");
    let database = db.join("CURRENT").exists();
    let mut identity = IdentityFile::open(dir, database, &options.cluster, options.node_id)?;
    if identity.identity().fresh {
        create(dir, &db, &mut identity, fatal).map_err(|source| Error::Database { path: db.clone(), source })?;
    }
    let damaged = |source| Error::Database { path: db.clone(), source };
    let store = open_database(&db, identity.identity(), fatal).map_err(damaged)?;
    let found = found(&store).map_err(damaged)?;
    identity.identity().verify(&found)?;
    let (rules, known) = (rules(&store).map_err(damaged)?, options.rules_max);
    if rules > known {
        return Err(Error::NewerRules { found: rules, known });
    }
    load(options, Arc::new(store), identity, found.last_log).map_err(damaged)
}

/// The rules that the kitchen in this database goes by.
fn rules(store: &Store) -> io::Result<Rules> {
    let meta = store.get(STATE, &rows::meta_key())?;
    rows::rules_in(meta.as_deref()).map_err(codec::invalid)
}

/// Opens the database; without the end of its write-ahead log, if that is damaged and nobody was answered for it.
///
/// A power cut can leave the bytes that were written and not synced as a last record of full length with wrong content, on all
/// replicas at once. What the identity remembers decides: every vote that was answered, and the entries up to the floor, must lie
/// before the damage. Entries between floor and damage were synced in the last second, and then they are whole: a disk that damages
/// those is the one that lied about a sync (docs/decisions/storage.md).
fn open_database(db: &Path, identity: &Identity, fatal: &Fatal) -> io::Result<Store> {
    let damage = match Store::open(db, false, fatal.clone()) {
        Err(error) if is_damage(&error) => error,
        other => return other,
    };
    if let Ok(Some(torn)) = Torn::find(db) {
        cut_manifest(&torn, identity, damage)?;
        return open_database(db, identity, fatal);
    }
    let Ok(whole) = Store::peek_before_damage(db).and_then(|store| found(&store)) else { return Err(damage) };
    if let Err(lost) = identity.verify(&whole) {
        tracing::error!(%damage, "Something that was answered for is behind the damage: {lost}");
        return Err(damage);
    }
    let last = whole.last_log.unwrap_or(0);
    tracing::warn!(last, %damage, "The end of the write-ahead log is damaged, as a power cut leaves it: what was written behind entry {last} and never answered for is dropped");
    Store::open_before_damage(db, fatal.clone())
}

/// Cuts the torn record off the MANIFEST, if all that was answered for is there without it; otherwise the damage stays, and is refused.
///
/// It was not synced: RocksDB syncs each record before it acts on it, so that what this one would have released is still on disk.
fn cut_manifest(torn: &Torn, identity: &Identity, damage: io::Error) -> io::Result<()> {
    let Ok(whole) = torn.look(|db| Store::peek_before_damage(db).and_then(|store| found(&store))) else {
        return Err(damage);
    };
    if let Err(lost) = identity.verify(&whole) {
        tracing::error!(%damage, "Something that was answered for is missing without the torn end of the MANIFEST: {lost}");
        return Err(damage);
    }
    let kept = torn.cut()?;
    tracing::warn!(bytes = torn.behind, kept = %kept.display(), %damage, "The MANIFEST ends in zeros, as a power cut leaves it: its last record, which nobody counted on, is cut off");
    Ok(())
}

/// The first use of a directory. The identity says `fresh` until the database is there and durable, so a crash in between is
/// repaired by starting over: nothing has been promised yet.
fn create(dir: &Path, db: &Path, identity: &mut IdentityFile, fatal: &Fatal) -> io::Result<()> {
    if db.exists() {
        fs::remove_dir_all(db)?;
    }
    let store = Store::open(db, true, fatal.clone())?;
    store.put_meta_synced(key::DISK, &identity.identity().disk)?;
    drop(store);
    sync_directory(db)?;
    sync_directory(dir)?;
    identity.update(|identity| identity.fresh = false)
}

pub(super) fn found(store: &Store) -> io::Result<Found> {
    let vote: Option<Vote> = store.meta(key::VOTE)?;
    let (_, last) = last_log_id(store)?;
    let disk = store.meta(key::DISK)?;
    Ok(Found { disk, vote: vote.as_ref().map(VoteSeen::of), last_log: last.map(|id| id.index) })
}

fn load(options: &Options, store: Arc<Store>, identity: IdentityFile, last_log: Option<u64>) -> io::Result<Opened> {
    let installing: Option<String> = store.meta(key::INSTALLING)?;
    let shelf =
        Shelf::open(options.data_dir.join("snapshots"), &options.cluster, options.rules_max, installing.as_deref())?;
    install::resume(&store, &shelf)?;
    let applied: Option<LogId> = store.meta(key::APPLIED)?;
    let kitchen = install::load_kitchen(&store)?;
    let replica = Arc::new(Replica::new(kitchen, applied.map_or(0, |id| id.index), last_log));
    let shelf = Arc::new(shelf);
    let state_machine = StateMachine::new(store.clone(), replica.clone(), shelf.clone(), options)?;
    let own = Own { node: options.node_id, disk: identity.identity().disk.clone(), edition: identity.edition() };
    let disks = Arc::new(Disks::load(&store, own)?);
    let (handle, writer) = Writer::start(store.clone(), identity);
    let log = LogStore::new(store.clone(), handle)?;
    Ok(Opened { store, replica, shelf, log, state_machine, writer, disks })
}
