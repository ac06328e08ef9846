//! `brigade ctl tokens`: who may use the API. A token is printed once, when it is added.

use clap::{Args, Subcommand, ValueEnum};
use reqwest::Method;
use serde_json::{Value, json};

use super::orders::segment;
use super::table::{pairs, table};
use super::{Failure, Out, Session, items, text};

/// What is done with tokens.
#[derive(Clone, Debug, Subcommand)]
pub enum Tokens {
    /// All tokens, without the tokens themselves: whose they are, what they allow, when they were last used.
    List,
    /// Adds a token and prints it, this once.
    Add(Add),
    /// Takes a token away: it is good no longer.
    Revoke {
        /// Its id, as `list` shows it.
        id: String,
    },
}

/// A new token.
#[derive(Clone, Debug, Args)]
pub struct Add {
    /// Whose it is: 1 to 48 letters, digits and _ . @ -. What is done with it is done by this name.
    #[arg(long)]
    name: String,
    /// What it allows.
    #[arg(long, value_enum)]
    role: Role,
    /// How long it is good, as 90d, 12h or 30m; for ever if it is missing.
    #[arg(long, value_name = "SPAN", value_parser = life_ms)]
    expires_in: Option<u64>,
    /// The token's id: repeating the command with it adds nothing twice. Drawn at random if it is missing.
    #[arg(long)]
    id: Option<String>,
}

/// What a token allows.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Role {
    /// Looks at everything, changes nothing
    Viewer,
    /// Acts in the kitchen
    Operator,
    /// The main backend: exchanges and orders
    Backend,
    /// Everything, replicas, settings and tokens included
    Admin,
}

impl Role {
    fn word(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Backend => "backend",
            Self::Admin => "admin",
        }
    }
}

pub async fn run(session: &Session, tokens: Tokens, out: Out<'_>) -> Result<(), Failure> {
    match tokens {
        Tokens::List => {
            let answer = session.client.get("/v1/tokens").await?;
            session.print(out, &answer, list)
        }
        Tokens::Add(add) => {
            let id = add.id.unwrap_or_else(|| format!("ctl-{:016x}", rand::random::<u64>()));
            let mut body = json!({ "name": add.name, "role": add.role.word() });
            if let Some(life_ms) = add.expires_in {
                body["life_ms"] = life_ms.into();
            }
            let answer = session.client.send_with_key(Method::POST, "/v1/tokens", body, &id).await?;
            session.print(out, &answer, added)
        }
        Tokens::Revoke { id } => {
            let path = format!("/v1/tokens/{}", segment(&id));
            let answer = session.client.send(Method::DELETE, &path, json!({})).await?;
            session.print(out, &answer, |a| format!("token {} of {} is revoked\n", text(a, "/id"), text(a, "/name")))
        }
    }
}

fn list(answer: &Value) -> String {
    let row = |t: &Value| {
        let ends = if t["ended"] == true { format!("{} (ended)", text(t, "/ends_at")) } else { text(t, "/ends_at") };
        [text(t, "/id"), text(t, "/name"), text(t, "/role"), text(t, "/added_at"), ends, text(t, "/last_used")]
    };
    table(["TOKEN", "NAME", "ROLE", "ADDED", "ENDS", "LAST USED (HOUR)"], items(answer).iter().map(row))
}

fn added(t: &Value) -> String {
    let what = pairs(&[
        ("id", text(t, "/id")),
        ("name", text(t, "/name")),
        ("role", text(t, "/role")),
        ("ends", text(t, "/ends_at")),
    ]);
    match t["token"].as_str() {
        Some(token) => format!("{what}token  {token}\nIt is shown this once: keep it now.\n"),
        None => {
            format!("{what}It was added before, and is shown once: if nobody kept it, revoke it and add another.\n")
        }
    }
}

/// `90d`, `12h`, `30m` or `45s` in milliseconds.
fn life_ms(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is no span: use a number with d, h, m or s behind it, as 90d");
    let unit = text.chars().last().ok_or_else(wrong)?;
    let unit_ms = match unit {
        'd' => 86_400_000,
        'h' => 3_600_000,
        'm' => 60_000,
        's' => 1_000,
        _ => return Err(wrong()),
    };
    let number: u64 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
    number.checked_mul(unit_ms).filter(|ms| *ms > 0).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_and_others_refused() {
        assert_eq!((life_ms("90d"), life_ms("12h")), (Ok(7_776_000_000), Ok(43_200_000)));
        assert_eq!((life_ms("30m"), life_ms("45s")), (Ok(1_800_000), Ok(45_000)));
        for wrong in ["", "d", "90", "-1d", "1.5h", "0d", "9ü", "99999999999999999999d", "999999999999999999d"] {
            assert!(life_ms(wrong).is_err(), "{wrong}");
        }
    }
}
