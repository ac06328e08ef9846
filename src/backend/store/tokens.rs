//! Bearer tokens: drawn here, shown once, kept as SHA-256. A token of 256 random bits needs no slow hash.

use serde::{Deserialize, Serialize};
use sqlx::AnyConnection;

use crate::secret;

use super::{Error, Store, int, text};

/// What a token allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Orders.
    Client,
    /// The exchange of one kitchen.
    Kitchen,
    /// Everything but exchanges.
    Operator,
}

impl Role {
    /// The word in the database and in problems.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Kitchen => "kitchen",
            Self::Operator => "operator",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        [Self::Client, Self::Kitchen, Self::Operator].into_iter().find(|role| role.as_str() == word)
    }
}

/// Whose token it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// What it allows.
    pub role: Role,
    /// The client's or operator's name; the kitchen's id.
    pub name: String,
}

/// A fresh token.
pub fn new_token() -> String {
    secret::draw("bg_")
}

impl Store {
    /// Whose token it is, if anybody's.
    pub async fn holder(&self, token: &str) -> Result<Option<Holder>, Error> {
        let query = sqlx::query("SELECT role, name FROM tokens WHERE hash = $1").bind(secret::digest(token));
        let Some(row) = query.fetch_optional(&self.read).await? else { return Ok(None) };
        let role = text(&row, "role")?;
        let role = Role::from_word(&role).ok_or_else(|| Error::Content(format!("a token's role is {role:?}")))?;
        Ok(Some(Holder { role, name: text(&row, "name")? }))
    }
}

/// Keeps a token; one that is kept already stays as it is.
pub async fn add_token(connection: &mut AnyConnection, token: &str, holder: &Holder, wall: u64) -> Result<(), Error> {
    let sql =
        "INSERT INTO tokens (hash, role, name, created_wall) VALUES ($1, $2, $3, $4) ON CONFLICT (hash) DO NOTHING";
    let query =
        sqlx::query(sql).bind(secret::digest(token)).bind(holder.role.as_str()).bind(&holder.name).bind(int(wall));
    query.execute(connection).await?;
    Ok(())
}

/// Forgets all tokens of a holder.
pub async fn remove_tokens(connection: &mut AnyConnection, holder: &Holder) -> Result<u64, Error> {
    let query = sqlx::query("DELETE FROM tokens WHERE role = $1 AND name = $2");
    let done = query.bind(holder.role.as_str()).bind(&holder.name).execute(connection).await?;
    Ok(done.rows_affected())
}
