//! Records of the audit log.

use serde::Serialize;
use utoipa::ToSchema;

use crate::kitchen::{AuditRecord, Role};

use super::time::rfc3339;
use super::word;
use super::words::{AuditOutcomeWord, TokenRoleWord};

/// A page of the audit log, the latest record first.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AuditPage {
    /// The records.
    pub items: Vec<AuditView>,
    /// The cursor of the next page; none on the last one. A page may be short, or empty, and have a next one.
    pub next: Option<u64>,
}

/// One request that changed something, or was to.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AuditView {
    /// Its number in this log, from 1.
    pub number: u64,
    /// Log index of its entry.
    pub index: u64,
    /// When.
    pub at: String,
    /// Whose token it was, and behind a colon whom the caller said he is.
    pub actor: String,
    /// What the token allows; null where access was open: then nobody vouches for the actor.
    #[schema(value_type = Option<TokenRoleWord>)]
    pub role: Option<&'static str>,
    /// What was asked for: the operation's id in this description, as `hold_device`.
    pub action: String,
    /// What it is about: its path behind `/v1/`, as `devices/oven1`.
    pub object: String,
    /// More of it, for people: an order's pizzas, the settings that changed, the node that joined.
    pub detail: String,
    /// Why, or nothing.
    pub reason: String,
    /// What came of it.
    #[schema(value_type = AuditOutcomeWord)]
    pub outcome: String,
    /// Why it was refused.
    pub refusal: Option<String>,
}

impl AuditView {
    /// As the archive keeps it.
    pub fn of(number: u64, record: AuditRecord) -> Self {
        Self {
            number,
            index: record.index,
            at: rfc3339(record.wall),
            actor: record.asked.actor,
            role: record.asked.role.map(Role::as_str),
            action: record.action,
            object: record.object,
            detail: record.detail,
            reason: record.asked.reason,
            outcome: word(&record.outcome),
            refusal: Some(record.refusal).filter(|refusal| !refusal.is_empty()),
        }
    }
}
