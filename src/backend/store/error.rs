//! What can go wrong with the database.

/// Why the database did not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It can't be opened.
    #[error("the database can't be opened")]
    Open(#[source] sqlx::Error),
    /// Its tables can't be brought up to date.
    #[error("the database's tables can't be brought up to date")]
    Migrate(#[source] sqlx::migrate::MigrateError),
    /// It did not answer, or refused a statement.
    #[error("the database did not do as asked")]
    Database(#[from] sqlx::Error),
    /// The transaction that held several jobs was not committed.
    #[error("the transaction was not committed: {0}")]
    Commit(String),
    /// A row holds what this program never writes.
    #[error("the database holds what can't be: {0}")]
    Content(String),
    /// Another one changed the row first, again and again.
    #[error("others changed the same row again and again")]
    Contention,
}

impl Error {
    pub(super) fn open(error: sqlx::Error) -> Self {
        Self::Open(error)
    }
}
