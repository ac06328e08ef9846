//! What kitchens follow: one document for all, and one more for each kitchen that differs. Versions count over all of them.

use sqlx::AnyConnection;

use super::{Error, Store, int, json, number, text, to_json};
use crate::backend::configuration::Document;

/// A document as the database has it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StoredConfiguration {
    /// Over all documents; 0 before the first.
    pub version: u64,
    /// What it says.
    pub document: Document,
}

impl Store {
    /// The document for all (`""`), or that of a kitchen.
    pub async fn configuration(&self, kitchen: &str) -> Result<StoredConfiguration, Error> {
        let sql = "SELECT version, body FROM configurations WHERE kitchen = $1";
        let row = sqlx::query(sql).bind(kitchen).fetch_optional(&self.read).await?;
        row.map_or(Ok(StoredConfiguration::default()), |row| {
            let document = json(&text(&row, "body")?, "a configuration")?;
            Ok(StoredConfiguration { version: number(&row, "version")?, document })
        })
    }

    /// The newest version of each document, by kitchen; `""` is for all.
    pub async fn configuration_versions(&self) -> Result<Vec<(String, u64)>, Error> {
        let rows = sqlx::query("SELECT kitchen, version FROM configurations").fetch_all(&self.read).await?;
        rows.iter().map(|row| Ok((text(row, "kitchen")?, number(row, "version")?))).collect()
    }
}

/// Replaces a document whole, if its version is still the one expected. The new version, or the one that is there.
pub async fn put_configuration(
    connection: &mut AnyConnection,
    kitchen: &str,
    document: &Document,
    expected: Option<u64>,
    wall: u64,
) -> Result<Result<u64, u64>, Error> {
    // Locks all versions, so that two documents never get the same one.
    sqlx::query("UPDATE configurations SET version = version").execute(&mut *connection).await?;
    let sql = "SELECT CAST(COALESCE(MAX(version), 0) AS BIGINT) AS newest, \
               CAST(COALESCE(MAX(CASE WHEN kitchen = $1 THEN version ELSE 0 END), 0) AS BIGINT) AS version FROM configurations";
    let row = sqlx::query(sql).bind(kitchen).fetch_one(&mut *connection).await?;
    let (newest, present) = (number(&row, "newest")?, number(&row, "version")?);
    if expected.is_some_and(|expected| expected != present) {
        return Ok(Err(present));
    }
    let sql = "INSERT INTO configurations (kitchen, version, body) VALUES ($1, $2, $3) \
               ON CONFLICT (kitchen) DO UPDATE SET version = $2, body = $3";
    let query = sqlx::query(sql).bind(kitchen).bind(int(newest + 1)).bind(to_json(document));
    query.execute(&mut *connection).await?;
    super::changes::add_change(connection, if kitchen.is_empty() { "*" } else { kitchen }, "", wall).await?;
    Ok(Ok(newest + 1))
}
