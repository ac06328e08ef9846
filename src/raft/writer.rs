//! The one thread that syncs: it takes everything that waits, syncs the write-ahead log once, and then answers in order.
//!
//! It never answers before the sync, never retries one that failed, and never writes log entries: `log_store` has written them
//! already (so that they can be read and sent to followers while the disk is busy). After a sync it also keeps the identity
//! file: votes before they are answered, the log floor at most `FLOOR_EVERY` late.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use openraft::storage::IOFlushed;
use tokio::sync::oneshot;

use super::identity::{IdentityFile, VoteSeen};
use super::store::Store;
use super::types::Types;

/// How old the log floor in the identity file may be while entries are being synced.
pub(crate) const FLOOR_EVERY: Duration = Duration::from_secs(1);

/// What waits for the disk.
pub(crate) enum Job {
    /// Entries up to this index have been written.
    Append(u64, IOFlushed<Types>),
    /// A vote has been written.
    Vote(VoteSeen, oneshot::Sender<io::Result<()>>),
    /// The log is about to be cut after this index: the floor must not stay above it.
    LowerFloor(Option<u64>, oneshot::Sender<io::Result<()>>),
}

/// Hands work to the thread.
#[derive(Clone)]
pub(crate) struct Writer {
    // Unbounded on purpose: openraft bounds what it has in flight, and an append must never block its core.
    jobs: Sender<Job>,
}

impl Writer {
    /// Starts the thread; it ends, with a last sync, when all `Writer`s are gone.
    pub fn start(store: Arc<Store>, identity: IdentityFile) -> (Self, JoinHandle<()>) {
        let (jobs, waiting) = channel();
        let worker = Worker { store, identity, floor: None, floor_written: Instant::now() };
        let thread = std::thread::Builder::new().name("raft-sync".to_owned());
        let thread = thread.spawn(move || worker.run(&waiting)).expect("the system can start a thread");
        (Self { jobs }, thread)
    }

    /// Leaves a job for the next group. If the thread is gone, the job's callback is dropped, which openraft takes as an error.
    pub fn submit(&self, job: Job) {
        // The thread ends before its senders only by a panic, which is fatal already.
        let _ = self.jobs.send(job);
    }

    /// Submits a job with an answer and waits for it.
    pub async fn wait(&self, job: impl FnOnce(oneshot::Sender<io::Result<()>>) -> Job) -> io::Result<()> {
        let (done, answer) = oneshot::channel();
        self.submit(job(done));
        answer.await.unwrap_or_else(|_| Err(io::Error::other("the sync thread has ended")))
    }
}

struct Worker {
    store: Arc<Store>,
    identity: IdentityFile,
    /// The last synced index that the identity file does not know yet.
    floor: Option<u64>,
    floor_written: Instant,
}

impl Worker {
    fn run(mut self, waiting: &Receiver<Job>) {
        let _guard = super::fatal::PanicGuard(self.store.fatal.clone(), "the sync thread");
        loop {
            match waiting.recv_timeout(FLOOR_EVERY / 4) {
                Ok(first) => self.serve(std::iter::once(first).chain(waiting.try_iter()).collect()),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if self.floor_written.elapsed() >= FLOOR_EVERY {
                let _ = self.write_floor();
            }
        }
        let _ = self.store.sync();
        let _ = self.write_floor();
    }

    /// One group: one sync, then every answer in the order in which the jobs came.
    fn serve(&mut self, group: Vec<Job>) {
        let synced = match self.store.fatal.reason() {
            None => self.store.sync(),
            Some(reason) => Err(io::Error::other(reason.to_string())),
        };
        for job in group {
            let result = synced.as_ref().copied().map_err(|e| io::Error::new(e.kind(), e.to_string()));
            self.answer(job, result);
        }
    }

    fn answer(&mut self, job: Job, synced: io::Result<()>) {
        match job {
            Job::Append(last, done) => {
                if synced.is_ok() {
                    self.floor = Some(last);
                }
                done.io_completed(synced);
            }
            Job::Vote(vote, done) => {
                let _ = done.send(synced.and_then(|()| self.update_identity(|identity| identity.see_vote(vote))));
            }
            Job::LowerFloor(to, done) => {
                let lowered = synced.and_then(|()| {
                    self.floor = None;
                    self.update_identity(|identity| identity.lower_floor(to))
                });
                let _ = done.send(lowered);
            }
        }
    }

    fn write_floor(&mut self) -> io::Result<()> {
        self.floor_written = Instant::now();
        let Some(floor) = self.floor.take() else { return Ok(()) };
        if self.store.fatal.reason().is_some() {
            return Ok(());
        }
        self.update_identity(|identity| identity.floor = Some(floor))
    }

    fn update_identity(&mut self, change: impl FnOnce(&mut super::identity::Identity)) -> io::Result<()> {
        let written = self.identity.update(change);
        self.store.fatal.check("identity file", written)
    }
}
