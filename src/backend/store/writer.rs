//! SQLite's one writer: jobs that have gathered while the last transaction was made durable share the next one.
//!
//! Each job has a savepoint of its own, so that one that fails undoes nothing of the others. Nobody is answered before the commit.

use futures::future::BoxFuture;
use sqlx::AnyConnection;
use sqlx::AnyPool;
use tokio::sync::{mpsc, oneshot};

use super::Error;

/// Jobs that share one transaction at most: readers of the WAL and those who wait should not wait long.
const GROUP_MAX: usize = 128;
/// Jobs that wait; more wait to get in line. Each is a request that somebody holds open.
const QUEUE_MAX: usize = 4_096;

/// Answers whoever asked, given the commit's fate.
type Answer = Box<dyn FnOnce(Result<(), Error>) + Send>;
/// True if the job is to be kept.
type Done = (bool, Answer);
type Job = Box<dyn for<'c> FnOnce(&'c mut AnyConnection) -> BoxFuture<'c, Done> + Send>;

/// Hands jobs to the task. Clones share it; the task ends with the last one.
#[derive(Clone)]
pub(super) struct Writer(mpsc::Sender<Job>);

impl Writer {
    pub(super) fn start(pool: AnyPool) -> Self {
        let (sender, jobs) = mpsc::channel(QUEUE_MAX);
        tokio::spawn(run(pool, jobs));
        Self(sender)
    }

    pub(super) async fn write<T, F>(&self, job: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut AnyConnection) -> BoxFuture<'c, Result<T, Error>> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let boxed: Job = Box::new(move |connection| {
            Box::pin(async move {
                let result = job(connection).await;
                let keep = result.is_ok();
                let answer = move |commit: Result<(), Error>| {
                    // Whoever asked may be gone: the job stands all the same.
                    let _ = answer.send(commit.and(result));
                };
                (keep, Box::new(answer) as Answer)
            })
        });
        self.0.send(boxed).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }
}

fn gone() -> Error {
    Error::Commit("the writer has ended".to_owned())
}

async fn run(pool: AnyPool, mut jobs: mpsc::Receiver<Job>) {
    let mut group = Vec::with_capacity(GROUP_MAX);
    while jobs.recv_many(&mut group, GROUP_MAX).await > 0 {
        let mut answers = Vec::with_capacity(group.len());
        let result = commit(&pool, group.drain(..), &mut answers).await;
        let cause = result.err().map(|error| error.to_string());
        for answer in answers {
            answer(cause.as_ref().map_or(Ok(()), |cause| Err(Error::Commit(cause.clone()))));
        }
    }
}

async fn commit(pool: &AnyPool, jobs: impl Iterator<Item = Job>, answers: &mut Vec<Answer>) -> Result<(), sqlx::Error> {
    // IMMEDIATE: what is read is what is written over, whoever else has the file open.
    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
    for job in jobs {
        sqlx::query("SAVEPOINT job").execute(&mut *transaction).await?;
        let (keep, answer) = job(&mut transaction).await;
        answers.push(answer);
        if !keep {
            sqlx::query("ROLLBACK TO job").execute(&mut *transaction).await?;
        }
        sqlx::query("RELEASE job").execute(&mut *transaction).await?;
    }
    transaction.commit().await
}
