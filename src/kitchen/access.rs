//! Who may use the API: tokens, as what was computed outside keeps them. Nothing here draws a token, hashes one or judges whether one is
//! still good: its end is wall time, and wall time decides nothing in `apply`. The API does all three.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::event::Event;
use super::ids::{Millis, TokenId};
use super::refusal::Refusal;
use super::{Kitchen, Reply};

/// How many tokens a kitchen keeps: each is looked at with every request.
pub const TOKENS_MAX: usize = 1_000;
/// How long a token may live at most, in milliseconds: ten years.
pub const LIFE_MS_MAX: Millis = 10 * 365 * 86_400_000;
/// The longest name, in characters.
pub const NAME_LENGTH_MAX: usize = 48;

/// Milliseconds of an hour.
const HOUR_MS: u64 = 3_600_000;

/// What a token allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Looks at everything, changes nothing.
    Viewer,
    /// Acts in the kitchen.
    Operator,
    /// The main backend: exchanges and orders.
    Backend,
    /// Everything, replicas, settings and tokens included.
    Admin,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Operator, Self::Backend, Self::Admin];

    /// The word on every wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Backend => "backend",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// SHA-256 of a token, in 64 lower-case hexadecimal digits. Not shown: who looks at a log need not have it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TokenHash(String);

impl TokenHash {
    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for TokenHash {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, &'static str> {
        let is_digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        let is_hash = text.len() == 64 && text.bytes().all(is_digit);
        if is_hash { Ok(Self(text)) } else { Err("a token's hash has 64 hexadecimal digits") }
    }
}

impl From<TokenHash> for String {
    fn from(hash: TokenHash) -> String {
        hash.0
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(…)")
    }
}

/// A token as it is proposed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewToken {
    /// The caller's key.
    pub id: TokenId,
    /// Whose it is: the actor of what is done with it.
    pub name: String,
    /// What it allows.
    pub role: Role,
    /// What is kept of it.
    pub hash: TokenHash,
    /// How long it is good, in wall time from its entry; None for ever.
    pub life_ms: Option<Millis>,
}

/// A token of the kitchen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// As it was proposed.
    pub new: NewToken,
    /// When it was added, in wall time.
    pub added_wall: u64,
    /// Who added it.
    pub added_by: String,
    /// The last hour in which it was used, counted from 1970; None if it never was.
    #[serde(default)]
    pub used_hour: Option<u64>,
}

impl Token {
    /// When it stops being good, in wall time; None for never.
    pub fn ends_wall(&self) -> Option<u64> {
        self.new.life_ms.map(|life| self.added_wall.saturating_add(life))
    }

    /// True for an admin's that never ends: the key that nobody may lock himself out without.
    fn is_lasting_admin(&self) -> bool {
        self.new.role == Role::Admin && self.new.life_ms.is_none()
    }
}

/// The hour of a wall time, counted from 1970.
pub fn hour_of(wall_ms: u64) -> u64 {
    wall_ms / HOUR_MS
}

/// True for 1 to 48 letters, digits, `_ . @ -`: a name in front of a colon can't be mistaken for what somebody claims behind it.
pub fn is_name(name: &str) -> bool {
    let allowed = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '@' | '-');
    (1..=NAME_LENGTH_MAX).contains(&name.chars().count()) && name.chars().all(allowed)
}

impl NewToken {
    fn check(&self) -> Result<(), Refusal> {
        let invalid = |what: String| Err(Refusal::Invalid { what });
        if !is_name(&self.name) {
            return invalid(format!("a token's name has 1 to {NAME_LENGTH_MAX} letters, digits and _ . @ -"));
        }
        if self.life_ms.is_some_and(|life| !(1_000..=LIFE_MS_MAX).contains(&life)) {
            return invalid(format!("a token lives 1000 to {LIFE_MS_MAX} ms, or for ever"));
        }
        Ok(())
    }

    /// The same token, asked for once more: its hash is of another draw.
    fn is_again(&self, known: &Self) -> bool {
        (&self.name, self.role, self.life_ms) == (&known.name, known.role, known.life_ms)
    }
}

impl Kitchen {
    /// Adds a token; the same once more changes nothing. The `first` one is added only while no lasting admin's is there.
    pub(super) fn add_token(&mut self, new: &NewToken, first: bool, actor: &str) -> Result<Reply, Refusal> {
        new.check()?;
        if first && self.has_lasting_admin() {
            return Ok(Reply::Unchanged);
        }
        match self.tokens.get(&new.id) {
            Some(known) if new.is_again(&known.new) => return Ok(Reply::Unchanged),
            Some(_) => return Err(Refusal::TokenKeyReused { token: new.id.clone() }),
            None => self.check_room_for(new)?,
        }
        let token = Token { new: new.clone(), added_wall: self.meta.wall, added_by: actor.to_owned(), used_hour: None };
        self.tokens.insert(new.id.clone(), token);
        let (token, name, role) = (new.id.clone(), new.name.clone(), new.role);
        self.event(Event::TokenAdded { token, name, role, actor: actor.to_owned() });
        Ok(Reply::Done)
    }

    fn check_room_for(&self, new: &NewToken) -> Result<(), Refusal> {
        let invalid = |what: String| Err(Refusal::Invalid { what });
        if self.tokens.len() >= TOKENS_MAX {
            return invalid(format!("the kitchen keeps at most {TOKENS_MAX} tokens: revoke some"));
        }
        if self.tokens.values().any(|known| known.new.hash == new.hash) {
            return invalid("this token is in use under another id: draw a new one".to_owned());
        }
        Ok(())
    }

    /// Takes a token away. Without `even_last` a lasting admin's token stays until there is another one.
    pub(super) fn revoke_token(&mut self, id: &TokenId, even_last: bool, actor: &str) -> Result<Reply, Refusal> {
        let token = self.tokens.get(id).ok_or_else(|| Refusal::UnknownToken { token: id.clone() })?;
        let others = self.tokens.values().filter(|t| t.new.id != *id && t.is_lasting_admin()).count();
        if token.is_lasting_admin() && others == 0 && !even_last {
            return Err(Refusal::LastAdmin { token: id.clone() });
        }
        let name = token.new.name.clone();
        self.tokens.remove(id);
        self.event(Event::TokenRevoked { token: id.clone(), name, actor: actor.to_owned() });
        Ok(Reply::Done)
    }

    /// Notes that a token was used in an hour. Hours do not go back.
    pub(super) fn note_token_use(&mut self, id: &TokenId, hour: u64) -> Result<Reply, Refusal> {
        let known = self.tokens.get(id).ok_or_else(|| Refusal::UnknownToken { token: id.clone() })?;
        if known.used_hour >= Some(hour) {
            return Ok(Reply::Unchanged);
        }
        if let Some(token) = self.tokens.get_mut(id) {
            token.used_hour = Some(hour);
        }
        Ok(Reply::Done)
    }

    /// True when an admin's token is there that never ends.
    pub fn has_lasting_admin(&self) -> bool {
        self.tokens.values().any(Token::is_lasting_admin)
    }
}
