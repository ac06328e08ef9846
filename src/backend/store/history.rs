//! What happened to each order: one line a change, kept with it in the same transaction.

use sqlx::AnyConnection;
use sqlx::any::AnyRow;

use crate::backend::explain::Explanation;
use crate::backend::order::State;
use crate::protocol::Id;

use super::orders::{Change, word};
use super::{Error, Store, int, json, maybe_id, number, text, to_json};

/// One line of an order's history.
#[derive(Clone, Debug)]
pub struct HistoryRow {
    /// The order's revision from here on.
    pub revision: u64,
    /// Wall time in milliseconds since 1970.
    pub wall: u64,
    /// Its state from here on.
    pub state: State,
    /// Whose it is from here on.
    pub kitchen: Option<Id>,
    /// Under which assignment.
    pub assignment: u64,
    /// What happened.
    pub what: String,
    /// Why this kitchen.
    pub why: Option<Explanation>,
}

impl Store {
    /// What happened to an order, oldest first.
    pub async fn history(&self, order: &Id) -> Result<Vec<HistoryRow>, Error> {
        let sql = "SELECT * FROM history WHERE order_id = $1 ORDER BY revision";
        let rows = sqlx::query(sql).bind(order.as_str()).fetch_all(&self.read).await?;
        rows.iter().map(history_of).collect()
    }
}

fn history_of(row: &AnyRow) -> Result<HistoryRow, Error> {
    let why = text(row, "why")?;
    Ok(HistoryRow {
        revision: number(row, "revision")?,
        wall: number(row, "wall")?,
        state: text(row, "state")?.parse().map_err(Error::Content)?,
        kitchen: maybe_id(&text(row, "kitchen")?)?,
        assignment: number(row, "assignment")?,
        what: text(row, "what")?,
        why: if why.is_empty() { None } else { Some(json(&why, "why this kitchen")?) },
    })
}

/// Adds a line.
pub(super) async fn add_history(
    connection: &mut AnyConnection,
    order: &Id,
    revision: u64,
    change: &Change,
    wall: u64,
) -> Result<(), Error> {
    let sql = "INSERT INTO history (order_id, revision, wall, state, kitchen, assignment, what, why) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    let why = change.why.as_ref().map(to_json).unwrap_or_default();
    let query = sqlx::query(sql).bind(order.as_str()).bind(int(revision)).bind(int(wall));
    let query = query.bind(change.standing.state.as_str()).bind(word(&change.standing.kitchen));
    let query = query.bind(int(change.standing.assignment)).bind(&change.what).bind(why);
    query.execute(connection).await?;
    Ok(())
}
