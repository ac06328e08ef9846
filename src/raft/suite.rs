//! openraft's own test suite of storage, over the real RocksDB and snapshot files.

use std::sync::Mutex;
use std::thread::JoinHandle;

use openraft::StorageError;
use openraft::testing::log::{StoreBuilder, Suite};
use tempfile::TempDir;

use super::fatal::Fatal;
use super::log_store::LogStore;
use super::open::open;
use super::options::Options;
use super::state_machine::StateMachine;
use super::types::{Peer, Types};

/// Makes stores, and keeps their sync threads: RocksDB must be closed before the process ends.
#[derive(Default)]
struct Builder(Mutex<Vec<JoinHandle<()>>>);

impl StoreBuilder<Types, LogStore, StateMachine, TempDir> for &Builder {
    async fn build(&self) -> Result<(TempDir, LogStore, StateMachine), StorageError<Types>> {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let options = Options::new("suite", 1, dir.path(), [(1, Peer::default())].into());
        let opened = open(&options, &Fatal::default()).expect("a new directory opens");
        self.0.lock().expect("nothing panics while it holds this lock").push(opened.writer);
        Ok((dir, opened.log, opened.state_machine))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openrafts_storage_suite_passes_over_rocksdb() {
    let builder = Builder::default();
    Suite::test_all(&builder).await.expect("the suite passes");
    for writer in builder.0.into_inner().expect("the suite passed") {
        writer.join().expect("a sync thread ends when its log is dropped");
    }
}
