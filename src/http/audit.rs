//! `GET /v1/audit`: who asked for what, when and why, and what came of it. Read from the archive, backwards: the latest is asked for most.

use std::io;

use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::kitchen::audit::{archive_key, number_of};
use crate::kitchen::{AuditOutcome, AuditRecord};
use crate::raft::RaftNode;

use super::Api;
use super::answer::Answer;
use super::extract::{Consistency, Query, page_limit};
use super::moment::{Moment, moment};
use super::problems::Problem;
use super::views::audit::{AuditPage, AuditView};
use super::views::words::AuditOutcomeWord;

/// The largest page.
const PAGE_MAX: usize = 500;
/// How many records one request looks at, matching or not.
const LOOKED_AT_MAX: usize = 10_000;
/// Records are in the order of the log. So far the clocks of two replicas may disagree before one is missed, in milliseconds.
const CLOCKS_DIFFER_MS: u64 = 600_000;

/// `?actor=ann&object=devices/oven1&from=2026-07-01&limit=50`.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AuditQuery {
    /// Only this actor: the name of a token, or that with what was claimed behind its colon.
    #[serde(default)]
    actor: Option<String>,
    /// Only this action: place_order, hold_device, …
    #[serde(default)]
    action: Option<String>,
    /// Only about this: orders/table-7, devices/oven1, kitchen, …
    #[serde(default)]
    object: Option<String>,
    /// Only with this outcome.
    #[serde(default)]
    #[param(value_type = Option<AuditOutcomeWord>, inline)]
    outcome: Option<AuditOutcome>,
    /// Only at this moment or later: a day or a time in UTC.
    #[serde(default)]
    #[param(value_type = Option<Moment>, inline)]
    from: Option<String>,
    /// Only before this moment.
    #[serde(default)]
    #[param(value_type = Option<Moment>, inline)]
    to: Option<String>,
    /// How many; 50 if it is missing.
    #[serde(default)]
    #[param(minimum = 1, maximum = 500)]
    limit: Option<usize>,
    /// Only what is before this record: a page's `next`.
    #[serde(default)]
    cursor: Option<u64>,
    /// How fresh the answer must be.
    #[serde(default)]
    #[param(inline)]
    consistency: Consistency,
}

/// What is looked for, as it is compared.
struct Wanted {
    query: AuditQuery,
    from: u64,
    to: u64,
}

impl Wanted {
    fn has(&self, record: &AuditRecord) -> bool {
        let is = |wanted: &Option<String>, text: &str| wanted.as_ref().is_none_or(|wanted| wanted == text);
        let of_token = record.asked.actor.split_once(':').map_or(&*record.asked.actor, |(name, _)| name);
        (is(&self.query.actor, &record.asked.actor) || is(&self.query.actor, of_token))
            && is(&self.query.action, &record.action)
            && is(&self.query.object, &record.object)
            && self.query.outcome.is_none_or(|outcome| outcome == record.outcome)
            && (self.from..self.to).contains(&record.wall)
    }

    /// True for a record before which none can be wanted.
    fn ends_at(&self, record: &AuditRecord) -> bool {
        record.wall.saturating_add(CLOCKS_DIFFER_MS) < self.from
    }
}

/// `GET /v1/audit`: every request that changed something, or was to: who, when, why, and what came of it. The latest first.
///
/// A page may be short and have a next one: go on while `next` is there. The latest million records are kept.
#[utoipa::path(get, path = "/v1/audit", operation_id = "list_audit_records", tag = "access", params(AuditQuery),
    responses((status = 200, body = AuditPage), (status = 503, description = "storage")))]
pub async fn list(State(api): State<Api>, Query(query): Query<AuditQuery>) -> Result<Answer<AuditPage>, Problem> {
    let limit = page_limit(query.limit, 50, PAGE_MAX)?;
    let from = moment("from", query.from.as_deref())?.unwrap_or(0);
    let to = moment("to", query.to.as_deref())?.unwrap_or(u64::MAX);
    let seen = api.read(query.consistency, |kitchen, _| kitchen.meta().audited).await?;
    api.wait_until_written(seen.index).await?;
    let before = query.cursor.unwrap_or(u64::MAX).min(seen.body + 1);
    let (node, wanted) = (api.node().clone(), Wanted { query, from, to });
    let read = tokio::task::spawn_blocking(move || page(&node, &wanted, before, limit)).await;
    let page = read.map_err(Problem::storage)?.map_err(Problem::storage)?;
    Ok(seen.map(|_| page))
}

/// Looks back from `before` on.
fn page(node: &RaftNode, wanted: &Wanted, before: u64, limit: usize) -> io::Result<AuditPage> {
    let (mut items, mut before) = (Vec::new(), before);
    for _ in 0..LOOKED_AT_MAX / PAGE_MAX {
        let records = behind(node, before, PAGE_MAX)?;
        let is_last = records.len() < PAGE_MAX;
        for (number, record) in records {
            if wanted.ends_at(&record) {
                return Ok(AuditPage { items, next: None });
            }
            before = number;
            if wanted.has(&record) {
                items.push(AuditView::of(number, record));
            }
            if items.len() == limit {
                return Ok(AuditPage { items, next: Some(before).filter(|before| *before > 1) });
            }
        }
        if is_last {
            return Ok(AuditPage { items, next: None });
        }
    }
    Ok(AuditPage { items, next: Some(before) })
}

/// At most `limit` records with smaller numbers, the latest first.
fn behind(node: &RaftNode, before: u64, limit: usize) -> io::Result<Vec<(u64, AuditRecord)>> {
    let rows = node.archive_page_back(Some(&archive_key(before)), limit)?;
    let numbered = rows.into_iter().map_while(|(key, value)| Some((number_of(&key)?, value)));
    let read = |(number, value): (u64, Vec<u8>)| {
        let record = AuditRecord::read(&value).map_err(|why| io::Error::other(format!("audit record {number}: {why}")));
        record.map(|record| (number, record))
    };
    numbered.map(read).collect()
}
