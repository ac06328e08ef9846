//! The exchange with a kitchen: absorb what it says, wait until there is something to tell, tell it. Pull and poll mode share all of this.

use std::collections::BTreeSet;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::protocol::exchange::{
    Assignment, Cancellation, Configuration, EXCHANGE_ITEMS_MAX, EXCHANGE_VERSION, ExchangeAnswer, ExchangeRequest,
    Held,
};
use crate::protocol::{Id, Millis};

use super::Backend;
use super::absorb::{Absorbed, absorb};
use super::configuration::effective;
use super::store::{Error, OrderRow};

/// The most orders that a kitchen may hold: far more than any cooks.
const HELD_MAX: usize = 10_000;
/// The longest text of a log line or reason, in bytes.
const TEXT_MAX: usize = 4_096;
/// What was told already is told again only after so long, in milliseconds: a kitchen needs time to act on it.
const AGAIN_MS: Millis = 1_000;

/// Why a request is not taken.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// The kitchen is not registered, or retired.
    #[error("no kitchen {0} is registered")]
    Unknown(Id),
    /// The request contradicts the contract.
    #[error("{0}")]
    Invalid(String),
    /// The database did not do as asked.
    #[error(transparent)]
    Store(#[from] Error),
}

/// Whether an exchange may wait for something to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// Answers at once.
    No,
    /// Waits up to so many milliseconds, and at most as long as the options allow.
    UpTo(Millis),
}

/// What a kitchen was told last, and when.
#[derive(Clone, Debug)]
pub(super) struct Told {
    content: Content,
    at_ms: Millis,
}

/// What an answer asks the kitchen to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Content {
    assigned: BTreeSet<Held>,
    revoked: BTreeSet<Held>,
    cancelled: BTreeSet<Held>,
    configuration: u64,
}

impl Backend {
    /// The whole exchange.
    pub async fn exchange(
        &self,
        kitchen: &Id,
        request: &ExchangeRequest,
        waiting: Waiting,
    ) -> Result<ExchangeAnswer, ExchangeError> {
        check(request).map_err(ExchangeError::Invalid)?;
        let mut ear = self.bells().of_kitchen(kitchen);
        let absorbed = self.absorb(kitchen, request).await?;
        // What it brought is acknowledged at once.
        let brought = !request.outcomes.is_empty() || !request.logs.is_empty();
        let wait_ms = match waiting {
            Waiting::UpTo(wait_ms) if !brought => wait_ms.min(self.options().wait_ms_max()),
            Waiting::UpTo(_) | Waiting::No => 0,
        };
        let until = Instant::now() + Duration::from_millis(wait_ms);
        loop {
            ear.mark_unchanged();
            let answer = self.tell(kitchen, request, &absorbed).await?;
            let content = Content::of(&answer);
            let rest_ms = self.again_in_ms(kitchen, &content);
            if Instant::now() >= until || self.0.stop.is_cancelled() || (content != Content::default() && rest_ms == 0)
            {
                self.remember(kitchen, content);
                return Ok(answer);
            }
            let again = Instant::now() + Duration::from_millis(rest_ms);
            let until = if rest_ms > 0 { until.min(again) } else { until };
            // Woken, timed out or stopped: in every case the database is read again.
            let _ = self.0.stop.run_until_cancelled(timeout_at(until, ear.changed())).await;
        }
    }

    /// True if something would be told to a kitchen that asked so, and was not told a moment ago.
    pub(super) async fn has_news(&self, kitchen: &Id, request: &ExchangeRequest) -> Result<bool, ExchangeError> {
        let absorbed = self.store().kitchen(kitchen).await?.map(Absorbed::nothing);
        let absorbed = absorbed.ok_or_else(|| ExchangeError::Unknown(kitchen.clone()))?;
        let content = Content::of(&self.tell(kitchen, request, &absorbed).await?);
        Ok(content != Content::default() && self.again_in_ms(kitchen, &content) == 0)
    }

    async fn absorb(&self, kitchen: &Id, request: &ExchangeRequest) -> Result<Absorbed, ExchangeError> {
        let (id, copy) = (kitchen.clone(), request.clone());
        let (lease_ms, now) = (self.options().lease_ms, self.now());
        let absorbed = self
            .store()
            .write(move |c| Box::pin(async move { absorb(c, &id, &copy, lease_ms, now.wall).await }))
            .await?;
        let absorbed = absorbed.ok_or_else(|| ExchangeError::Unknown(kitchen.clone()))?;
        let changed = self.directory().put(absorbed.row.clone(), self.now());
        absorbed.changed.iter().for_each(|order| self.bells().ring_order(order.as_str()));
        if absorbed.for_keeper || changed {
            self.0.keeper.notify_one();
        }
        metrics::counter!("brigade_backend_exchanges_total").increment(1);
        Ok(absorbed)
    }

    /// What the kitchen is to be told now.
    async fn tell(
        &self,
        kitchen: &Id,
        request: &ExchangeRequest,
        absorbed: &Absorbed,
    ) -> Result<ExchangeAnswer, ExchangeError> {
        let own = self.store().orders_of(kitchen).await?;
        let wall = self.now().wall;
        let held: BTreeSet<&Held> = request.held.iter().collect();
        let new = own.iter().filter(|row| !held.contains(&under(row)));
        let cancelled = own.iter().filter(|row| row.standing.cancel_requested);
        Ok(ExchangeAnswer {
            v: EXCHANGE_VERSION,
            as_of: request.as_of,
            lease_ms: self.options().lease_ms,
            acknowledged: absorbed.row.cursor,
            logs_acknowledged: (!request.logs.is_empty()).then_some(absorbed.row.logs_cursor),
            assignments: new.map(|row| assignment(row, wall)).collect(),
            revoked: self.revoked(kitchen, &own, &held, &absorbed.spoken).await?,
            cancellations: cancelled.map(cancellation).collect(),
            configuration: self.configuration_for(kitchen, request.configuration).await?,
        })
    }

    /// What the kitchen holds or spoke of, and is not its own under that assignment.
    async fn revoked(
        &self,
        kitchen: &Id,
        own: &[OrderRow],
        held: &BTreeSet<&Held>,
        spoken: &BTreeSet<Held>,
    ) -> Result<Vec<Held>, Error> {
        let own: BTreeSet<Held> = own.iter().map(under).collect();
        let mut revoked: BTreeSet<Held> = held.iter().filter(|h| !own.contains(**h)).map(|h| (*h).clone()).collect();
        for one in spoken.iter().filter(|one| !own.contains(*one)) {
            // It may have ended there, which is as it should be.
            let row = self.store().order(&one.order).await?;
            let theirs = |row: OrderRow| row.standing.kitchen.as_ref() == Some(kitchen) && under(&row) == *one;
            if !row.is_some_and(theirs) {
                revoked.insert(one.clone());
            }
        }
        Ok(revoked.into_iter().collect())
    }

    async fn configuration_for(&self, kitchen: &Id, followed: u64) -> Result<Option<Configuration>, Error> {
        if self.directory().version_for(kitchen) <= followed {
            return Ok(None);
        }
        let all = self.store().configuration("").await?;
        let own = self.store().configuration(kitchen.as_str()).await?;
        let configuration = effective(all, own);
        Ok((configuration.version > followed).then_some(configuration))
    }

    /// In how many milliseconds this may be told: at once, unless the same was told just now.
    fn again_in_ms(&self, kitchen: &Id, content: &Content) -> Millis {
        let told = self.0.told.lock().unwrap_or_else(PoisonError::into_inner);
        let same = told.get(kitchen).filter(|told| told.content == *content && *content != Content::default());
        same.map_or(0, |told| (told.at_ms + AGAIN_MS).saturating_sub(self.now().ms))
    }

    fn remember(&self, kitchen: &Id, content: Content) {
        let told = Told { content, at_ms: self.now().ms };
        self.0.told.lock().unwrap_or_else(PoisonError::into_inner).insert(kitchen.clone(), told);
    }
}

impl Content {
    fn of(answer: &ExchangeAnswer) -> Self {
        let held = |order: &Id, assignment| Held { order: order.clone(), assignment };
        Self {
            assigned: answer.assignments.iter().map(|a| held(&a.order, a.assignment)).collect(),
            revoked: answer.revoked.iter().cloned().collect(),
            cancelled: answer.cancellations.iter().map(|c| held(&c.order, c.assignment)).collect(),
            configuration: answer.configuration.as_ref().map_or(0, |c| c.version),
        }
    }
}

fn under(row: &OrderRow) -> Held {
    Held { order: row.id.clone(), assignment: row.standing.assignment }
}

fn assignment(row: &OrderRow, wall: u64) -> Assignment {
    Assignment {
        order: row.id.clone(),
        assignment: row.standing.assignment,
        items: row.body.items.clone(),
        priority: row.body.priority,
        promise_ms: (row.placed_wall + row.body.promise_ms).saturating_sub(wall),
    }
}

fn cancellation(row: &OrderRow) -> Cancellation {
    Cancellation { order: row.id.clone(), assignment: row.standing.assignment, reason: row.reason.clone() }
}

/// What contradicts the contract.
fn check(request: &ExchangeRequest) -> Result<(), String> {
    if request.v != EXCHANGE_VERSION {
        return Err(format!("v is {}: this backend speaks {EXCHANGE_VERSION}", request.v));
    }
    let counts = [
        ("outcomes", request.outcomes.len(), EXCHANGE_ITEMS_MAX),
        ("logs", request.logs.len(), EXCHANGE_ITEMS_MAX),
        ("held", request.held.len(), HELD_MAX),
    ];
    if let Some((name, count, max)) = counts.into_iter().find(|(_, count, max)| count > max) {
        return Err(format!("{name} has {count} entries: send at most {max}"));
    }
    if request.first == 0 || request.outcomes.first().is_some_and(|o| o.number != request.first) {
        return Err("first is the number of the first outcome, from 1".to_owned());
    }
    let too_long = |line: &crate::protocol::exchange::LogLine| {
        [&line.event, &line.text].into_iter().chain(&line.order).chain(&line.device).any(|text| text.len() > TEXT_MAX)
    };
    if request.logs.iter().any(too_long) {
        return Err(format!("a log line is longer than {TEXT_MAX} bytes"));
    }
    Ok(())
}
