//! The database: SQLite or PostgreSQL through one driver, the same statements for both. The only place that names sqlx.
//!
//! Every write is a job that runs inside a transaction (`Store::write`). What must hold between two instances is held by the statements
//! themselves: compare-and-set on a revision, and the row lock of a kitchen. Nothing here decides about orders.

mod changes;
mod claims;
mod configurations;
mod error;
mod history;
mod kitchens;
mod logs;
mod orders;
mod tokens;
mod writer;

use futures::future::BoxFuture;
use sqlx::any::{AnyPoolOptions, AnyRow};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{AnyConnection, AnyPool, Executor, Row};

use super::options::Options;

pub use changes::prune_changes;
pub use claims::{Claim, claim, raise_claims};
pub use configurations::{StoredConfiguration, put_configuration};
pub use error::Error;
pub use history::HistoryRow;
pub use kitchens::{
    Beat, KitchenRow, Mode, Registration, hold_still, put_kitchen, raise_beat, retire_kitchen, save_kitchen,
};
pub use logs::{Escalation, LogFilter, StoredLine, acknowledge, add_escalation, add_logs, prune_logs};
pub use orders::{Change, NewOrder, OrderFilter, OrderRow, change_order, insert_order, order_in};
pub use tokens::{Holder, Role, add_token, new_token, remove_tokens};

/// A connection inside a transaction.
pub type Connection = AnyConnection;

/// The schema's parts, in order; never edited once released.
const MIGRATIONS: [(&str, &str); 1] = [("the tables", include_str!("schema.sql"))];

/// The database. Clones share it.
#[derive(Clone)]
pub struct Store {
    read: AnyPool,
    write: Write,
}

#[derive(Clone)]
enum Write {
    /// One writer task, which commits what has gathered in one transaction: an fsync costs more than all its statements.
    Grouped(writer::Writer),
    /// PostgreSQL groups commits by itself.
    Pool(AnyPool),
}

impl Store {
    /// Opens the database and brings its tables up to date.
    pub async fn open(options: &Options) -> Result<Self, Error> {
        sqlx::any::install_default_drivers();
        if options.is_postgres() {
            let pool = AnyPoolOptions::new().max_connections(options.connections);
            let pool = pool.connect(&options.database).await.map_err(Error::open)?;
            migrate(&pool, "BIGSERIAL PRIMARY KEY").await?;
            return Ok(Self { read: pool.clone(), write: Write::Pool(pool) });
        }
        let url = with_mode(&options.database);
        let one = sqlite_pool(1).connect(&url).await.map_err(Error::open)?;
        migrate(&one, "INTEGER PRIMARY KEY AUTOINCREMENT").await?;
        let read = sqlite_pool(4).connect(&url).await.map_err(Error::open)?;
        Ok(Self { read, write: Write::Grouped(writer::Writer::start(one)) })
    }

    /// Runs the job inside a transaction, and returns once that is durable. An error undoes the job.
    pub async fn write<T, F>(&self, job: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut AnyConnection) -> BoxFuture<'c, Result<T, Error>> + Send + 'static,
    {
        match &self.write {
            Write::Grouped(writer) => writer.write(job).await,
            Write::Pool(pool) => {
                let mut transaction = pool.begin().await?;
                let result = job(&mut transaction).await;
                if result.is_ok() {
                    transaction.commit().await?;
                } else {
                    // A failure to undo ends the connection, which undoes as well.
                    drop(transaction.rollback().await);
                }
                result
            }
        }
    }

    /// True if the database answers readers, and takes transactions.
    pub async fn is_up(&self) -> bool {
        let reads = sqlx::query("SELECT 1 AS one").fetch_one(&self.read).await.is_ok();
        reads && self.write(|_| Box::pin(async { Ok(()) })).await.is_ok()
    }

    /// How often to look for what other instances changed, in milliseconds. A SQLite file has one instance.
    pub fn look_every_ms(&self) -> u64 {
        match &self.write {
            Write::Grouped(_) => 1_000,
            Write::Pool(_) => 50,
        }
    }
}

fn sqlite_pool(connections: u32) -> AnyPoolOptions {
    // FULL: an acknowledged order survives a power cut. WAL: readers don't wait for the writer.
    const PRAGMAS: &str = "PRAGMA busy_timeout = 10000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;";
    AnyPoolOptions::new().max_connections(connections).after_connect(|connection, _| {
        Box::pin(async move {
            connection.execute(PRAGMAS).await?;
            Ok(())
        })
    })
}

fn with_mode(url: &str) -> String {
    if url.contains('?') { url.to_owned() } else { format!("{url}?mode=rwc") }
}

async fn migrate(pool: &AnyPool, serial: &str) -> Result<(), Error> {
    let one = |(i, (name, sql)): (usize, &(&'static str, &str))| {
        let sql = sql.replace("{serial}", serial);
        Migration::new(i as i64 + 1, (*name).into(), MigrationType::Simple, sql.into(), false)
    };
    let migrations: Vec<Migration> = MIGRATIONS.iter().enumerate().map(one).collect();
    let migrator = Migrator { migrations: migrations.into(), ..Migrator::DEFAULT };
    migrator.run(pool).await.map_err(Error::Migrate)
}

/// A number that is never negative.
fn number(row: &AnyRow, column: &str) -> Result<u64, Error> {
    let value: i64 = row.try_get(column)?;
    u64::try_from(value).map_err(|_| Error::Content(format!("{column} is {value}")))
}

fn text(row: &AnyRow, column: &str) -> Result<String, Error> {
    Ok(row.try_get(column)?)
}

fn flag(row: &AnyRow, column: &str) -> Result<bool, Error> {
    Ok(row.try_get::<i64, _>(column)? != 0)
}

/// As the database keeps it. Counters and milliseconds never come near the limit.
fn int(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// A value that the database keeps as JSON.
fn json<T: serde::de::DeserializeOwned>(text: &str, what: &str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|error| Error::Content(format!("{what}: {error}")))
}

fn to_json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("our types have string keys")
}

fn id(text: &str) -> Result<crate::protocol::Id, Error> {
    text.parse().map_err(|error| Error::Content(format!("{error}")))
}

fn maybe_id(text: &str) -> Result<Option<crate::protocol::Id>, Error> {
    if text.is_empty() { Ok(None) } else { id(text).map(Some) }
}
