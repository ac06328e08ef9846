//! What kitchens tell about themselves, for people: log lines and escalations.

use std::collections::BTreeMap;

use serde::Deserialize;
use sqlx::AnyConnection;
use sqlx::any::AnyRow;

use crate::protocol::Id;
use crate::protocol::exchange::LogLine;

use super::{Error, Store, id, int, number, text};

/// Which lines are asked for, oldest first.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct LogFilter {
    /// Of this kitchen.
    #[serde(default)]
    pub kitchen: String,
    /// About this order.
    #[serde(default)]
    pub order: String,
    /// About this device.
    #[serde(default)]
    pub device: String,
    /// Behind this number.
    #[serde(default)]
    pub after: u64,
    /// So many at most: 1 to 1000.
    #[serde(default)]
    #[param(minimum = 1, maximum = 1_000)]
    pub limit: Option<u32>,
}

/// A line as the database has it.
#[derive(Clone, Debug)]
pub struct StoredLine {
    /// Its number in this database.
    pub seq: u64,
    /// Whose it is.
    pub kitchen: Id,
    /// What it says.
    pub line: LogLine,
}

/// A device that failed too often.
#[derive(Clone, Debug)]
pub struct Escalation {
    /// Its number in this database.
    pub seq: u64,
    /// Where.
    pub kitchen: Id,
    /// Which device.
    pub device: String,
    /// So many failures …
    pub failures: u64,
    /// … within so many milliseconds.
    pub within_ms: u64,
    /// The backend's wall time when it came, in milliseconds since 1970.
    pub wall: u64,
    /// Who has seen it; empty for nobody.
    pub acknowledged_by: String,
}

fn line_of(row: &AnyRow) -> Result<StoredLine, Error> {
    let maybe = |text: String| if text.is_empty() { None } else { Some(text) };
    let line = LogLine {
        index: number(row, "position")?,
        wall: number(row, "wall")?,
        event: text(row, "event")?,
        order: maybe(text(row, "order_id")?),
        device: maybe(text(row, "device")?),
        text: text(row, "line")?,
    };
    Ok(StoredLine { seq: number(row, "seq")?, kitchen: id(&text(row, "kitchen")?)?, line })
}

fn escalation_of(row: &AnyRow) -> Result<Escalation, Error> {
    Ok(Escalation {
        seq: number(row, "seq")?,
        kitchen: id(&text(row, "kitchen")?)?,
        device: text(row, "device")?,
        failures: number(row, "failures")?,
        within_ms: number(row, "within_ms")?,
        wall: number(row, "wall")?,
        acknowledged_by: text(row, "acknowledged_by")?,
    })
}

impl Store {
    /// Log lines, oldest first.
    pub async fn logs(&self, filter: &LogFilter) -> Result<Vec<StoredLine>, Error> {
        let sql = "SELECT * FROM logs WHERE seq > $1 AND ($2 = '' OR kitchen = $2) AND ($3 = '' OR order_id = $3) \
                   AND ($4 = '' OR device = $4) ORDER BY seq LIMIT $5";
        let query = sqlx::query(sql).bind(int(filter.after)).bind(&filter.kitchen).bind(&filter.order);
        let query = query.bind(&filter.device).bind(i64::from(filter.limit.unwrap_or(100)));
        query.fetch_all(&self.read).await?.iter().map(line_of).collect()
    }

    /// The latest escalations, newest first.
    pub async fn escalations(&self, limit: u32) -> Result<Vec<Escalation>, Error> {
        let sql = "SELECT * FROM escalations ORDER BY seq DESC LIMIT $1";
        let rows = sqlx::query(sql).bind(i64::from(limit)).fetch_all(&self.read).await?;
        rows.iter().map(escalation_of).collect()
    }

    /// How many escalations of each kitchen nobody has seen.
    pub async fn open_escalations(&self) -> Result<BTreeMap<Id, u64>, Error> {
        let sql = "SELECT kitchen, CAST(COUNT(*) AS BIGINT) AS open FROM escalations WHERE acknowledged_by = '' GROUP BY kitchen";
        let rows = sqlx::query(sql).fetch_all(&self.read).await?;
        rows.iter().map(|row| Ok((id(&text(row, "kitchen")?)?, number(row, "open")?))).collect()
    }
}

/// Lines in one statement: a way to the database for each would make 500 of them long.
const LINES: usize = 50;

/// Keeps lines.
pub async fn add_logs(
    connection: &mut AnyConnection,
    kitchen: &Id,
    lines: impl Iterator<Item = &LogLine>,
    wall: u64,
) -> Result<(), Error> {
    let lines: Vec<&LogLine> = lines.collect();
    for chunk in lines.chunks(LINES) {
        let one = |n: usize| {
            let numbers: Vec<String> = (1..=8).map(|i| format!("${}", n * 8 + i)).collect();
            format!("({})", numbers.join(", "))
        };
        let values: Vec<String> = (0..chunk.len()).map(one).collect();
        let columns = "kitchen, position, wall, received_wall, event, order_id, device, line";
        let sql = format!("INSERT INTO logs ({columns}) VALUES {}", values.join(", "));
        let mut query = sqlx::query(&sql);
        for line in chunk {
            let (order, device) = (line.order.as_deref().unwrap_or(""), line.device.as_deref().unwrap_or(""));
            query = query.bind(kitchen.as_str()).bind(int(line.index)).bind(int(line.wall)).bind(int(wall));
            query = query.bind(&line.event).bind(order).bind(device).bind(&line.text);
        }
        query.execute(&mut *connection).await?;
    }
    Ok(())
}

/// Keeps an escalation.
pub async fn add_escalation(
    connection: &mut AnyConnection,
    kitchen: &Id,
    (device, failures, within_ms): (&Id, u32, u64),
    wall: u64,
) -> Result<(), Error> {
    let sql = "INSERT INTO escalations (kitchen, device, failures, within_ms, wall, acknowledged_by, acknowledged_wall) \
               VALUES ($1, $2, $3, $4, $5, '', 0)";
    let query = sqlx::query(sql).bind(kitchen.as_str()).bind(device.as_str()).bind(i64::from(failures));
    query.bind(int(within_ms)).bind(int(wall)).execute(connection).await?;
    Ok(())
}

/// Notes who has seen an escalation; the first one stays. None if there is no such escalation.
pub async fn acknowledge(
    connection: &mut AnyConnection,
    seq: u64,
    who: &str,
    wall: u64,
) -> Result<Option<Escalation>, Error> {
    let sql =
        "UPDATE escalations SET acknowledged_by = $1, acknowledged_wall = $2 WHERE seq = $3 AND acknowledged_by = ''";
    sqlx::query(sql).bind(who).bind(int(wall)).bind(int(seq)).execute(&mut *connection).await?;
    let row = sqlx::query("SELECT * FROM escalations WHERE seq = $1").bind(int(seq)).fetch_optional(connection).await?;
    row.as_ref().map(escalation_of).transpose()
}

/// Forgets old lines.
pub async fn prune_logs(connection: &mut AnyConnection, before_wall: u64) -> Result<u64, Error> {
    let done =
        sqlx::query("DELETE FROM logs WHERE received_wall < $1").bind(int(before_wall)).execute(connection).await?;
    Ok(done.rows_affected())
}
