//! Tokens without what is kept of them, and who one is.

use serde::Serialize;
use utoipa::ToSchema;

use crate::http::access::{Caller, OPEN, RULES};
use crate::kitchen::Token;

use super::time::rfc3339;
use super::words::TokenRoleWord;

/// A token of the kitchen.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TokenView {
    /// Its id: no secret.
    pub id: String,
    /// Whose it is.
    pub name: String,
    /// What it allows.
    #[schema(value_type = TokenRoleWord)]
    pub role: &'static str,
    /// When it was added.
    pub added_at: String,
    /// Who added it.
    pub added_by: String,
    /// When it stops being good; None for never.
    pub ends_at: Option<String>,
    /// True once it has.
    pub ended: bool,
    /// The hour in which it was last used.
    pub last_used: Option<String>,
}

impl TokenView {
    /// As it stands at this wall time.
    pub fn of(token: &Token, wall: u64) -> Self {
        Self {
            id: token.new.id.to_string(),
            name: token.new.name.clone(),
            role: token.new.role.as_str(),
            added_at: rfc3339(token.added_wall),
            added_by: token.added_by.clone(),
            ends_at: token.ends_wall().map(rfc3339),
            ended: token.ends_wall().is_some_and(|ends| ends <= wall),
            last_used: token.used_hour.map(|hour| rfc3339(hour.saturating_mul(3_600_000))),
        }
    }
}

/// A token that was added. The only place where one is shown.
#[derive(Clone, Serialize, ToSchema)]
pub struct AddedView {
    /// The token itself; None when it was added before: it is shown once.
    pub token: Option<String>,
    /// What is kept of it.
    #[serde(flatten)]
    pub kept: TokenView,
}

/// Without the token.
impl std::fmt::Debug for AddedView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AddedView({:?})", self.kept)
    }
}

/// Who asks.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AccessView {
    /// True where no token is asked for.
    pub open: bool,
    /// Whose token it is.
    pub name: Option<String>,
    /// What it allows.
    #[schema(value_type = Option<TokenRoleWord>)]
    pub role: Option<&'static str>,
    /// When it stops being good.
    pub ends_at: Option<String>,
    /// Every method and path that the role may use: `POST /v1/devices/{id}/hold`.
    pub may: Vec<String>,
}

impl AccessView {
    /// What this caller is.
    pub fn of(caller: &Caller, open: bool) -> Self {
        let role = caller.role();
        let rules = OPEN.iter().chain(&RULES).filter(|(_, _, who)| role.is_some_and(|role| who.has(role)));
        let ends_wall = match caller {
            Caller::Holder { ends_wall, .. } => *ends_wall,
            Caller::Anybody | Caller::Unknown | Caller::Configured => None,
        };
        Self {
            open,
            name: caller.name().map(ToOwned::to_owned),
            role: role.map(|role| role.as_str()),
            ends_at: ends_wall.map(rfc3339),
            may: rules.map(|(method, path, _)| format!("{method} {path}")).collect(),
        }
    }
}
