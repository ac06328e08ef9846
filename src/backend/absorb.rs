//! What a kitchen's request changes, in one transaction that raises the kitchen's beat first.
//!
//! Outcomes are taken in order and without gap; what came before is absorbed. An outcome counts only under the kitchen and assignment
//! that the order's row names; any other is logged and answered as revoked.

use std::collections::BTreeSet;

use crate::protocol::Id;
use crate::protocol::exchange::{ExchangeRequest, Held, News, Outcome, Progress};

use super::order::{Input, Verdict, Why};
use super::store::{self, Change, Connection, Error, KitchenRow};

/// How often an outcome is tried while a client changes the same order.
const TRIES: usize = 16;

/// What came of a request.
#[derive(Debug)]
pub struct Absorbed {
    /// The kitchen's row as it then is.
    pub row: KitchenRow,
    /// Orders that changed.
    pub changed: BTreeSet<Id>,
    /// Orders, under assignments, that the kitchen spoke of.
    pub spoken: BTreeSet<Held>,
    /// True if an order was given back, or may now find a kitchen.
    pub for_keeper: bool,
}

impl Absorbed {
    /// Nothing came of it.
    pub fn nothing(row: KitchenRow) -> Self {
        Self { row, changed: BTreeSet::new(), spoken: BTreeSet::new(), for_keeper: false }
    }
}

/// Absorbs. None: there is no such kitchen.
pub async fn absorb(
    connection: &mut Connection,
    kitchen: &Id,
    request: &ExchangeRequest,
    lease_ms: u64,
    wall: u64,
) -> Result<Option<Absorbed>, Error> {
    let Some(row) = store::raise_beat(connection, kitchen, lease_ms, wall).await? else { return Ok(None) };
    let before = row.clone();
    let mut absorbed = Absorbed::nothing(row);
    begin_series(&mut absorbed.row, request);
    absorb_outcomes(connection, &mut absorbed, &request.outcomes, wall).await?;
    absorb_report(&mut absorbed, request);
    let upto = absorbed.row.logs_cursor;
    let lines = request.logs.iter().filter(|line| line.index > upto);
    store::add_logs(connection, kitchen, lines, wall).await?;
    absorbed.row.logs_cursor = request.logs.iter().map(|line| line.index).max().unwrap_or(0).max(upto);
    if is_other(&absorbed.row, &before) {
        store::save_kitchen(connection, &absorbed.row).await?;
    }
    Ok(Some(absorbed))
}

fn is_other(one: &KitchenRow, other: &KitchenRow) -> bool {
    let key = |row: &KitchenRow| (row.stamp, row.cursor, row.logs_cursor, row.series.clone());
    key(one) != key(other)
}

/// Another series: the kitchen's state was made anew or restored, and numbers begin where it says.
fn begin_series(row: &mut KitchenRow, request: &ExchangeRequest) {
    if row.series == request.series.as_str() {
        return;
    }
    let kitchen = &row.registration.id;
    tracing::warn!(%kitchen, series = %request.series, "Kitchen {kitchen} counts its outcomes anew, from {}", request.first);
    row.series = request.series.to_string();
    (row.cursor, row.logs_cursor) = (request.first.saturating_sub(1), 0);
}

async fn absorb_outcomes(
    connection: &mut Connection,
    absorbed: &mut Absorbed,
    outcomes: &[Outcome],
    wall: u64,
) -> Result<(), Error> {
    for outcome in outcomes {
        if let News::Order { order, assignment, .. } = &outcome.news {
            absorbed.spoken.insert(Held { order: order.clone(), assignment: *assignment });
        }
        if outcome.number <= absorbed.row.cursor {
            metrics::counter!("brigade_backend_outcomes_total", "result" => "replayed").increment(1);
            continue;
        }
        if outcome.number != absorbed.row.cursor + 1 {
            let (kitchen, cursor) = (&absorbed.row.registration.id, absorbed.row.cursor);
            tracing::error!(%kitchen, "Kitchen {kitchen} sends outcome {} after {cursor}: asked again", outcome.number);
            metrics::counter!("brigade_backend_outcomes_total", "result" => "gap").increment(1);
            return Ok(());
        }
        take(connection, absorbed, &outcome.news, wall).await?;
        absorbed.row.cursor = outcome.number;
    }
    Ok(())
}

async fn take(connection: &mut Connection, absorbed: &mut Absorbed, news: &News, wall: u64) -> Result<(), Error> {
    let kitchen = absorbed.row.registration.id.clone();
    match news {
        News::Order { order, assignment, status, reason } => {
            let heard = (order, *assignment, *status, reason.as_deref());
            hear(connection, absorbed, &kitchen, heard, wall).await
        }
        News::Kitchen { status } => {
            tracing::info!(%kitchen, %status, "Kitchen {kitchen} is {status}");
            // The report may come later, and no order should go there until then.
            if let Some(report) = &mut absorbed.row.report {
                report.state = status.split('(').next().unwrap_or_default().to_owned();
                report.status.clone_from(status);
                absorbed.row.stamp += 1;
            }
            absorbed.for_keeper = true;
            Ok(())
        }
        News::Escalation { device, failures, within_ms } => {
            tracing::warn!(%kitchen, %device, "{device} in kitchen {kitchen} failed {failures} times within {within_ms} ms");
            store::add_escalation(connection, &kitchen, (device, *failures, *within_ms), wall).await
        }
    }
}

async fn hear(
    connection: &mut Connection,
    absorbed: &mut Absorbed,
    kitchen: &Id,
    (order, assignment, status, reason): (&Id, u64, Progress, Option<&str>),
    wall: u64,
) -> Result<(), Error> {
    let input = Input::News(kitchen.clone(), assignment, status);
    for _ in 0..TRIES {
        let Some(row) = store::order_in(connection, order).await? else {
            refused(kitchen, order, status, "there is no such order");
            return Ok(());
        };
        let standing = match row.standing.decide(&input) {
            Verdict::Change(standing) => standing,
            Verdict::Unchanged(why) => {
                unchanged(kitchen, order, status, why);
                return Ok(());
            }
        };
        let returned = status == Progress::Returned;
        let what = format!("{kitchen} says {}", status.as_str());
        let what = reason.map_or(what.clone(), |reason| format!("{what}: {reason}"));
        let (reason, returned_by) = (reason.map(str::to_owned), returned.then(|| kitchen.clone()));
        let change = Change { standing, what, reason, returned_by, why: None };
        if store::change_order(connection, &row, &change, wall).await? {
            metrics::counter!("brigade_backend_outcomes_total", "result" => "taken").increment(1);
            absorbed.changed.insert(order.clone());
            absorbed.for_keeper |= returned;
            return Ok(());
        }
    }
    Err(Error::Contention)
}

fn unchanged(kitchen: &Id, order: &Id, status: Progress, why: Why) {
    match why {
        Why::NotTheirs | Why::Ended => refused(kitchen, order, status, why.as_str()),
        Why::AlreadySo | Why::Behind | Why::NotWaiting | Why::Begun | Why::NotBegun => {
            metrics::counter!("brigade_backend_outcomes_total", "result" => "known").increment(1);
        }
    }
}

fn refused(kitchen: &Id, order: &Id, status: Progress, why: &str) {
    let status = status.as_str();
    tracing::warn!(%kitchen, order.id = %order, "Kitchen {kitchen} says {status} of order {order}: absorbed, {why}");
    metrics::counter!("brigade_backend_outcomes_total", "result" => "refused").increment(1);
}

fn absorb_report(absorbed: &mut Absorbed, request: &ExchangeRequest) {
    let row = &mut absorbed.row;
    if let Some(report) = &request.report
        && row.report.as_ref() != Some(report)
    {
        absorbed.for_keeper |= row.report.as_ref().is_none_or(|r| r.state != report.state || r.quotes.is_empty());
        if !report.quotes.is_empty() {
            row.menu = report.quotes.keys().cloned().collect();
        }
        row.report = Some(report.clone());
        row.stamp += 1;
    }
    let refused = request.configuration_refused.clone().unwrap_or_default();
    if (row.configuration, &row.configuration_refused) != (request.configuration, &refused) {
        (row.configuration, row.configuration_refused) = (request.configuration, refused);
        row.stamp += 1;
    }
}
