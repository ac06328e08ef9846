//! Rows of orders and of their history. What a change is, is decided in `order.rs`; here it is written, by compare-and-set.

use sqlx::AnyConnection;
use sqlx::any::AnyRow;

use crate::backend::explain::Explanation;
use crate::backend::new_order::NewOrder as Body;
use crate::backend::order::{Standing, State};
use crate::defect;
use crate::protocol::Id;

use super::changes::note;
use super::history::add_history;
use super::{Error, Store, flag, id, int, json, maybe_id, number, text, to_json};

/// An order as the database has it.
#[derive(Clone, Debug)]
pub struct OrderRow {
    /// Its client's id for it.
    pub id: Id,
    /// What its client stated.
    pub body: Body,
    /// Who placed it.
    pub client: String,
    /// How it stands.
    pub standing: Standing,
    /// Why it is so, if that was said.
    pub reason: String,
    /// The kitchen that gave it back last.
    pub returned_by: Option<Id>,
    /// Grows with every change.
    pub revision: u64,
    /// Wall time in milliseconds since 1970.
    pub placed_wall: u64,
    /// Wall time of the last change.
    pub changed_wall: u64,
}

/// An order that is new.
#[derive(Clone, Debug)]
pub struct NewOrder {
    /// Its id.
    pub id: Id,
    /// What its client stated.
    pub body: Body,
    /// Who placed it.
    pub client: String,
    /// Who gets it.
    pub kitchen: Option<Id>,
    /// Why.
    pub why: Option<Explanation>,
}

/// How an order changes.
#[derive(Clone, Debug)]
pub struct Change {
    /// How it stands from now on.
    pub standing: Standing,
    /// What happened, for people.
    pub what: String,
    /// Why; the old reason stays if this is none.
    pub reason: Option<String>,
    /// Who gave it back; the old one stays if this is none.
    pub returned_by: Option<Id>,
    /// Why this kitchen.
    pub why: Option<Explanation>,
}

/// Which orders a page shows, newest first.
#[derive(Clone, Debug, Default)]
pub struct OrderFilter {
    /// In one of these states; empty for all.
    pub states: Vec<State>,
    /// Of this kitchen.
    pub kitchen: Option<Id>,
    /// Before this one: its wall time and id.
    pub before: Option<(u64, Id)>,
    /// So many at most.
    pub limit: u32,
}

fn order_of(row: &AnyRow) -> Result<OrderRow, Error> {
    let state = text(row, "state")?.parse().map_err(Error::Content)?;
    let standing = Standing {
        state,
        kitchen: maybe_id(&text(row, "kitchen")?)?,
        assignment: number(row, "assignment")?,
        cancel_requested: flag(row, "cancel_requested")?,
    };
    Ok(OrderRow {
        id: id(&text(row, "id")?)?,
        body: json(&text(row, "body")?, "an order's body")?,
        client: text(row, "client")?,
        standing,
        reason: text(row, "reason")?,
        returned_by: maybe_id(&text(row, "returned_by")?)?,
        revision: number(row, "revision")?,
        placed_wall: number(row, "placed_wall")?,
        changed_wall: number(row, "changed_wall")?,
    })
}

pub(super) fn word(kitchen: &Option<Id>) -> &str {
    kitchen.as_ref().map_or("", Id::as_str)
}

impl Store {
    /// One order.
    pub async fn order(&self, order: &Id) -> Result<Option<OrderRow>, Error> {
        order_in(&mut *self.read.acquire().await?, order).await
    }

    /// The open orders of a kitchen, oldest first.
    pub async fn orders_of(&self, kitchen: &Id) -> Result<Vec<OrderRow>, Error> {
        let sql = "SELECT * FROM orders WHERE kitchen = $1 AND state IN ('ASSIGNED', 'ACCEPTED', 'STARTING', 'IN_PROGRESS') \
                   ORDER BY placed_wall, id";
        let rows = sqlx::query(sql).bind(kitchen.as_str()).fetch_all(&self.read).await?;
        rows.iter().map(order_of).collect()
    }

    /// The oldest orders in a state.
    pub async fn orders_in(&self, state: State, limit: u32) -> Result<Vec<OrderRow>, Error> {
        let sql = "SELECT * FROM orders WHERE state = $1 ORDER BY placed_wall, id LIMIT $2";
        let rows = sqlx::query(sql).bind(state.as_str()).bind(i64::from(limit)).fetch_all(&self.read).await?;
        rows.iter().map(order_of).collect()
    }

    /// Pizzas that were given to each kitchen and not confirmed.
    pub async fn unconfirmed(&self) -> Result<Vec<(Id, u64)>, Error> {
        let sql = "SELECT kitchen, CAST(SUM(pizzas) AS BIGINT) AS pizzas FROM orders WHERE state = 'ASSIGNED' GROUP BY kitchen";
        let rows = sqlx::query(sql).fetch_all(&self.read).await?;
        rows.iter().map(|row| Ok((id(&text(row, "kitchen")?)?, number(row, "pizzas")?))).collect()
    }

    /// How many orders are in each state.
    pub async fn orders_by_state(&self) -> Result<Vec<(State, u64)>, Error> {
        let sql = "SELECT state, CAST(COUNT(*) AS BIGINT) AS orders FROM orders GROUP BY state";
        let rows = sqlx::query(sql).fetch_all(&self.read).await?;
        let one = |row: &AnyRow| Ok((text(row, "state")?.parse().map_err(Error::Content)?, number(row, "orders")?));
        rows.iter().map(one).collect()
    }

    /// A page, newest first.
    pub async fn orders(&self, filter: &OrderFilter) -> Result<Vec<OrderRow>, Error> {
        let mut sql = "SELECT * FROM orders WHERE 1 = 1".to_owned();
        if !filter.states.is_empty() {
            // The words are this program's own.
            let words: Vec<String> = filter.states.iter().map(|s| format!("'{s}'")).collect();
            sql += &format!(" AND state IN ({})", words.join(", "));
        }
        let (wall, before) = filter.before.clone().map_or((0, String::new()), |(w, id)| (w, id.to_string()));
        let kitchen = word(&filter.kitchen);
        // Every parameter has a use in every form of the statement.
        sql += " AND ($1 = '' OR kitchen = $1) AND ($2 = '' OR placed_wall < $3 OR (placed_wall = $3 AND id < $2))";
        sql += " ORDER BY placed_wall DESC, id DESC LIMIT $4";
        let query = sqlx::query(&sql).bind(kitchen).bind(&before).bind(int(wall)).bind(i64::from(filter.limit));
        query.fetch_all(&self.read).await?.iter().map(order_of).collect()
    }
}

/// One order, within a transaction.
pub async fn order_in(connection: &mut AnyConnection, order: &Id) -> Result<Option<OrderRow>, Error> {
    let row = sqlx::query("SELECT * FROM orders WHERE id = $1").bind(order.as_str()).fetch_optional(connection).await?;
    row.as_ref().map(order_of).transpose()
}

/// Adds an order; false if its id is there already.
pub async fn insert_order(connection: &mut AnyConnection, new: &NewOrder, wall: u64) -> Result<bool, Error> {
    let standing = Standing::new(new.kitchen.clone());
    let sql = "INSERT INTO orders (id, body, client, pizzas, state, kitchen, assignment, cancel_requested, reason, returned_by, \
               revision, placed_wall, changed_wall) VALUES ($1, $2, $3, $4, $5, $6, $7, 0, '', '', 1, $8, $8) \
               ON CONFLICT (id) DO NOTHING";
    let query = sqlx::query(sql).bind(new.id.as_str()).bind(to_json(&new.body)).bind(&new.client);
    let query = query.bind(int(new.body.items.len() as u64)).bind(standing.state.as_str());
    let query = query.bind(word(&standing.kitchen)).bind(int(standing.assignment)).bind(int(wall));
    if query.execute(&mut *connection).await?.rows_affected() == 0 {
        return Ok(false);
    }
    let change = Change { standing, what: "placed".to_owned(), reason: None, returned_by: None, why: new.why.clone() };
    add_history(connection, &new.id, 1, &change, wall).await?;
    note(connection, new.kitchen.iter(), &new.id, wall).await?;
    Ok(true)
}

/// Changes an order if it is still as `row` says; false if another change came first.
pub async fn change_order(
    connection: &mut AnyConnection,
    row: &OrderRow,
    change: &Change,
    wall: u64,
) -> Result<bool, Error> {
    let compare = if defect::is("change-without-comparing") { "revision <> -$9" } else { "revision = $9" };
    let sql = format!(
        "UPDATE orders SET state = $1, kitchen = $2, assignment = $3, cancel_requested = $4, reason = $5, returned_by = $6, \
         revision = revision + 1, changed_wall = $7 WHERE id = $8 AND {compare}"
    );
    let standing = &change.standing;
    let reason = change.reason.as_ref().unwrap_or(&row.reason);
    let returned_by = change.returned_by.as_ref().or(row.returned_by.as_ref()).map_or("", Id::as_str);
    let query = sqlx::query(&sql).bind(standing.state.as_str()).bind(word(&standing.kitchen));
    let query = query.bind(int(standing.assignment)).bind(i64::from(standing.cancel_requested)).bind(reason);
    let query = query.bind(returned_by).bind(int(wall)).bind(row.id.as_str()).bind(int(row.revision));
    if query.execute(&mut *connection).await?.rows_affected() == 0 {
        return Ok(false);
    }
    add_history(connection, &row.id, row.revision + 1, change, wall).await?;
    let (before, after) = (row.standing.kitchen.iter(), standing.kitchen.iter());
    let after = after.filter(|kitchen| row.standing.kitchen.as_ref() != Some(kitchen));
    note(connection, before.chain(after), &row.id, wall).await?;
    Ok(true)
}
