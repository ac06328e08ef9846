//! Takes secrets out of what goes to others: out of configurations by the names of their keys, and out of every text by their form.

use toml::{Table, Value};

/// What stands in the place of a secret.
pub const BLANKED: &str = "(blanked)";
/// What a token of the API begins with, and how many digits follow.
const TOKEN_PREFIX: &str = "brigade_";
const TOKEN_DIGITS: usize = 64;
/// Parts of the names of keys whose values are nobody else's.
const SECRET_NAMES: [&str; 5] = ["password", "token", "secret", "key", "authorization"];

/// A configuration without its secrets, and without its comments, as those may hold some. Err: it is not understood, and stays out.
pub fn configuration(text: &str) -> Result<String, String> {
    let mut table: Table = toml::from_str(text).map_err(|error| error.message().to_owned())?;
    blank_table(&mut table);
    toml::to_string(&table).map_err(|error| error.to_string())
}

fn blank_table(table: &mut Table) {
    for (name, value) in table.iter_mut() {
        let name = name.to_ascii_lowercase();
        // Where a secret lies is none.
        let is_secret = SECRET_NAMES.iter().any(|part| name.contains(part)) && !name.ends_with("_file");
        blank_value(value, is_secret);
    }
}

fn blank_value(value: &mut Value, is_secret: bool) {
    match value {
        Value::Table(table) => blank_table(table),
        Value::Array(values) => values.iter_mut().for_each(|value| blank_value(value, is_secret)),
        other if is_secret => *other = Value::from(BLANKED),
        Value::String(text) => *text = without_user(text),
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) => {}
    }
}

/// A URL without the user and password in front of its host.
fn without_user(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let host = rest[..end].rsplit_once('@').map(|(_, host)| format!("{BLANKED}@{host}"));
    host.map_or_else(|| text.to_owned(), |host| format!("{scheme}://{host}{}", &rest[end..]))
}

/// A text without anything that looks like a token, and without this one.
pub fn text(text: &str, token: Option<&str>) -> String {
    let mut blanked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(TOKEN_PREFIX) {
        let behind = at + TOKEN_PREFIX.len();
        let digits = rest[behind..].bytes().take_while(u8::is_ascii_hexdigit).count();
        blanked.push_str(&rest[..at]);
        blanked.push_str(if digits >= TOKEN_DIGITS { BLANKED } else { &rest[at..behind + digits] });
        rest = &rest[behind + digits..];
    }
    blanked.push_str(rest);
    token.filter(|token| !token.is_empty()).map_or(blanked.clone(), |token| blanked.replace(token, BLANKED))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_keeps_what_explains_and_loses_what_opens() {
        let text = r#"
            kitchen = "k1"   # the password is hunter2
            brokers = ["mqtt://ann:hunter2@10.0.0.11:1883"]
            broker_user = { name = "controller", password = "hunter2" }
            access = { admin_token_file = "/etc/token" }
            [backend]
            token = "hunter2"
            urls = ["https://backend:8000/a@b"]
            [traces]
            endpoint = "https://x:hunter2@collector/v1?y=1"
            [raft]
            heartbeat_ms = 50
        "#;
        let blanked = configuration(text).unwrap();
        assert!(!blanked.contains("hunter2"), "{blanked}");
        for kept in [
            "\"controller\"",
            "/etc/token",
            "heartbeat_ms = 50",
            "@10.0.0.11:1883",
            "https://backend:8000/a@b",
            "@collector/v1?y=1",
        ] {
            assert!(blanked.contains(kept), "{kept}: {blanked}");
        }
        assert!(configuration("password = hunter2").is_err(), "what is not understood stays out");
    }

    #[test]
    fn tokens_are_found_by_their_form_and_metrics_are_left_alone() {
        let token = format!("brigade_{}", "ab".repeat(32));
        let said = format!("brigade_orders_open 3\nsomebody pasted {token}, and my-own-token\nbrigade_");
        let blanked = text(&said, Some("my-own-token"));
        assert_eq!(blanked, "brigade_orders_open 3\nsomebody pasted (blanked), and (blanked)\nbrigade_");
    }
}
