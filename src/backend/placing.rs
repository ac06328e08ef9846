//! Orders come in, get a kitchen, change and end: each change is decided by `order`, and written by compare-and-set.

use crate::protocol::{Id, Millis};

use super::Backend;
use super::explain::{Explanation, Other};
use super::new_order::NewOrder;
use super::order::{Input, Standing, Verdict, Why};
use super::routing::{Choice, NoKitchen, Wanted, choose_kitchen};
use super::store::{self, Change, Connection, Error, OrderRow};

/// How often a change is tried while others change the same order.
const TRIES: usize = 16;

/// Why an order is not taken. Nothing is stored then.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// Its id belongs to an order with other content.
    #[error("order {0} exists and was stated otherwise: take another id, or repeat what was stated")]
    Reused(Id),
    /// No kitchen has ever offered a recipe.
    #[error("no kitchen knows the recipe {0}: see /v1/menu")]
    UnknownRecipe(Id),
    /// No kitchen can take it now.
    #[error("no kitchen can make this at the moment: try again")]
    NoKitchen(Vec<Other>),
    /// All would be too late.
    #[error("every kitchen would be too late: the earliest would be with the client in {} s", earliest_ms / 1_000)]
    TooLate {
        /// When the earliest would be there, in milliseconds.
        earliest_ms: Millis,
    },
    /// The database did not do as asked.
    #[error(transparent)]
    Store(#[from] Error),
}

/// Why an order is not cancelled.
#[derive(Debug, thiserror::Error)]
pub enum CancelError {
    /// There is none.
    #[error("no order {0}")]
    Unknown(Id),
    /// It ended.
    #[error("order {} is {}: it is too late", .0.id, .0.standing.state)]
    TooLate(Box<OrderRow>),
    /// The database did not do as asked.
    #[error(transparent)]
    Store(#[from] Error),
}

/// What is written beside the new standing.
#[derive(Clone, Debug, Default)]
pub(super) struct Note {
    pub what: String,
    pub reason: Option<String>,
    pub why: Option<Explanation>,
}

impl Backend {
    /// Takes an order. True if it is new; the same again changes nothing.
    pub async fn place(&self, id: Id, body: NewOrder, client: &str) -> Result<(OrderRow, bool), PlaceError> {
        if let Some(row) = self.store().order(&id).await? {
            return same(row, &body);
        }
        let choice = self.choose(&body, body.promise_ms, None, true)?;
        let kitchen = Some(choice.kitchen.clone());
        let new = store::NewOrder { id: id.clone(), body, client: client.to_owned(), kitchen, why: Some(choice.why) };
        let (wall, insert) = (self.now().wall, new.clone());
        let created =
            self.store().write(move |c| Box::pin(async move { store::insert_order(c, &insert, wall).await })).await?;
        if !created {
            // Somebody placed it a moment ago.
            let row = self.store().order(&id).await?.ok_or(Error::Contention)?;
            return same(row, &new.body);
        }
        self.ring(&id, [Some(&choice.kitchen), None]);
        tracing::debug!(order.id = %id, kitchen = %choice.kitchen, "Order {id} goes to {}", choice.kitchen);
        let standing = Standing::new(new.kitchen);
        let (reason, returned_by) = (String::new(), None);
        let (body, client, revision) = (new.body, new.client, 1);
        let row = OrderRow {
            id,
            body,
            client,
            standing,
            reason,
            returned_by,
            revision,
            placed_wall: wall,
            changed_wall: wall,
        };
        Ok((row, true))
    }

    /// The kitchen that suits best, which is counted as given to it at once.
    pub(super) fn choose(
        &self,
        body: &NewOrder,
        promise_ms: Millis,
        returned_by: Option<&Id>,
        is_new: bool,
    ) -> Result<Choice, PlaceError> {
        let mut directory = self.directory();
        if let Some(recipe) = body.items.iter().find(|recipe| !directory.knows(recipe)) {
            return Err(PlaceError::UnknownRecipe(recipe.clone()));
        }
        // What was accepted is made, however late.
        let late_ms_max = is_new.then_some(self.options().late_ms_max);
        let wanted = Wanted { items: &body.items, promise_ms, late_ms_max, returned_by };
        let candidates = directory.candidates(body.place.as_ref(), self.options(), self.now());
        let choice = choose_kitchen(&wanted, &candidates).map_err(|no| match no {
            NoKitchen::Now(why) => PlaceError::NoKitchen(why),
            NoKitchen::TooLate { earliest_ms } => PlaceError::TooLate { earliest_ms },
        })?;
        directory.assigned(&choice.kitchen, body.items.len() as u64);
        Ok(choice)
    }

    /// When such an order would be ready, and where; nothing is kept.
    pub fn quote(&self, body: &NewOrder) -> Result<Choice, PlaceError> {
        let directory = self.directory();
        if let Some(recipe) = body.items.iter().find(|recipe| !directory.knows(recipe)) {
            return Err(PlaceError::UnknownRecipe(recipe.clone()));
        }
        let (items, promise_ms) = (&body.items, body.promise_ms);
        let wanted = Wanted { items, promise_ms, late_ms_max: None, returned_by: None };
        let candidates = directory.candidates(body.place.as_ref(), self.options(), self.now());
        choose_kitchen(&wanted, &candidates).map_err(|no| match no {
            NoKitchen::Now(why) => PlaceError::NoKitchen(why),
            NoKitchen::TooLate { earliest_ms } => PlaceError::TooLate { earliest_ms },
        })
    }

    /// The client takes an order back: at once if it is not begun, otherwise the kitchen is asked.
    pub async fn cancel(&self, order: &Id, reason: &str) -> Result<OrderRow, CancelError> {
        let note = Note { what: format!("cancellation: {reason}"), reason: Some(reason.to_owned()), why: None };
        let changed = self.change(order, None, Input::Cancel, note).await?;
        let (row, verdict) = changed.ok_or_else(|| CancelError::Unknown(order.clone()))?;
        match verdict {
            Verdict::Change(_) | Verdict::Unchanged(Why::AlreadySo) => Ok(row),
            Verdict::Unchanged(
                Why::Ended | Why::Behind | Why::NotTheirs | Why::NotWaiting | Why::Begun | Why::NotBegun,
            ) => Err(CancelError::TooLate(Box::new(row))),
        }
    }

    /// Gives up an order that is begun in a kitchen out of reach.
    pub(super) async fn fail(&self, order: &Id, reason: &str) -> Result<Option<(OrderRow, Verdict)>, Error> {
        let note = Note { what: format!("given up: {reason}"), reason: Some(reason.to_owned()), why: None };
        self.change(order, None, Input::Fail, note).await
    }

    /// Decides about an order and writes what comes of it. With `still`, only while that kitchen's beat is the one that was watched, under
    /// the lock of its row. Returns the order as it then is; none if there is none.
    pub(super) async fn change(
        &self,
        order: &Id,
        still: Option<(Id, u64)>,
        input: Input,
        note: Note,
    ) -> Result<Option<(OrderRow, Verdict)>, Error> {
        let (wall, id) = (self.now().wall, order.clone());
        let done = self.store().write(move |c| Box::pin(decide_in(c, id, still, input, note, wall))).await?;
        Ok(done.map(|(before, after, verdict)| {
            if matches!(verdict, Verdict::Change(_)) {
                self.ring(order, [before.standing.kitchen.as_ref(), after.standing.kitchen.as_ref()]);
            }
            (after, verdict)
        }))
    }

    /// Wakes who follows the order, and these kitchens.
    pub(super) fn ring(&self, order: &Id, kitchens: [Option<&Id>; 2]) {
        self.bells().ring_order(order.as_str());
        kitchens.into_iter().flatten().for_each(|kitchen| self.bells().ring_kitchen(kitchen.as_str()));
    }
}

async fn decide_in(
    connection: &mut Connection,
    id: Id,
    still: Option<(Id, u64)>,
    input: Input,
    note: Note,
    wall: u64,
) -> Result<Option<(OrderRow, OrderRow, Verdict)>, Error> {
    if let Some((kitchen, beat)) = still
        && !store::hold_still(connection, &kitchen, beat).await?
    {
        // It has made contact since: its lease is not over.
        let row = store::order_in(connection, &id).await?;
        return Ok(row.map(|row| (row.clone(), row, Verdict::Unchanged(Why::NotTheirs))));
    }
    for _ in 0..TRIES {
        let Some(row) = store::order_in(connection, &id).await? else { return Ok(None) };
        let standing = match row.standing.decide(&input) {
            Verdict::Change(standing) => standing,
            Verdict::Unchanged(why) => return Ok(Some((row.clone(), row, Verdict::Unchanged(why)))),
        };
        let Note { what, reason, why } = note.clone();
        let change = Change { standing: standing.clone(), what, reason, returned_by: None, why };
        if store::change_order(connection, &row, &change, wall).await? {
            return Ok(Some((row.clone(), changed(row, change, wall), Verdict::Change(standing))));
        }
    }
    Err(Error::Contention)
}

/// The row after a change.
pub(super) fn changed(row: OrderRow, change: Change, wall: u64) -> OrderRow {
    OrderRow {
        standing: change.standing,
        reason: change.reason.unwrap_or(row.reason),
        returned_by: change.returned_by.or(row.returned_by),
        revision: row.revision + 1,
        changed_wall: wall,
        ..row
    }
}

fn same(row: OrderRow, body: &NewOrder) -> Result<(OrderRow, bool), PlaceError> {
    if row.body == *body { Ok((row, false)) } else { Err(PlaceError::Reused(row.id)) }
}
