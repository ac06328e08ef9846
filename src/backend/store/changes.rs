//! What other instances must notice: a line for each kitchen and order that changed, in the transaction that changed them.

use sqlx::AnyConnection;

use crate::protocol::Id;

use super::{Error, Store, int, number, text};

impl Store {
    /// Changes behind `after`: number, kitchen and order, in the order of their numbers.
    pub async fn changes(&self, after: u64) -> Result<Vec<(u64, String, String)>, Error> {
        let sql = "SELECT seq, kitchen, order_id FROM changes WHERE seq > $1 ORDER BY seq LIMIT 10000";
        let rows = sqlx::query(sql).bind(int(after)).fetch_all(&self.read).await?;
        rows.iter().map(|row| Ok((number(row, "seq")?, text(row, "kitchen")?, text(row, "order_id")?))).collect()
    }

    /// The number of the last change.
    pub async fn last_change(&self) -> Result<u64, Error> {
        let sql = "SELECT CAST(COALESCE(MAX(seq), 0) AS BIGINT) AS seq FROM changes";
        number(&sqlx::query(sql).fetch_one(&self.read).await?, "seq")
    }
}

/// Tells other instances that something changed for these kitchens, and for who follows the order.
pub(super) async fn note(
    connection: &mut AnyConnection,
    kitchens: impl Iterator<Item = &Id>,
    order: &Id,
    wall: u64,
) -> Result<(), Error> {
    let mut kitchens: Vec<&str> = kitchens.map(Id::as_str).collect();
    if kitchens.is_empty() {
        kitchens.push("");
    }
    for kitchen in kitchens {
        add_change(connection, kitchen, order.as_str(), wall).await?;
    }
    Ok(())
}

pub(super) async fn add_change(
    connection: &mut AnyConnection,
    kitchen: &str,
    order: &str,
    wall: u64,
) -> Result<(), Error> {
    let sql = "INSERT INTO changes (kitchen, order_id, wall) VALUES ($1, $2, $3)";
    sqlx::query(sql).bind(kitchen).bind(order).bind(int(wall)).execute(connection).await?;
    Ok(())
}

/// Forgets changes that every instance has noticed long ago.
pub async fn prune_changes(connection: &mut AnyConnection, before_wall: u64) -> Result<u64, Error> {
    let done = sqlx::query("DELETE FROM changes WHERE wall < $1").bind(int(before_wall)).execute(connection).await?;
    Ok(done.rows_affected())
}
