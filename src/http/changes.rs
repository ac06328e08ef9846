//! What is about to change, for the record: `lease_ms: 5000 → 8000; strict: false → true`.

use serde::Serialize;
use serde_json::Value;

/// The longest list, in characters. What a menu of a thousand toppings changes is not for one line.
const LENGTH_MAX: usize = 500;

/// The longest value that is shown.
const VALUE_LENGTH_MAX: usize = 80;

/// The fields whose values differ, but for those named in `but`. Nothing if nothing differs.
pub fn changes<T: Serialize>(before: &T, after: &T, but: &[&str]) -> String {
    let (before, after) = (fields(before), fields(after));
    let differs = after.iter().filter(|(name, value)| before.get(*name) != Some(*value) && !but.contains(&&***name));
    let old = |name: &str| shown(before.get(name).unwrap_or(&Value::Null));
    let all: Vec<String> = differs.map(|(name, value)| format!("{name}: {} → {}", old(name), shown(value))).collect();
    shortened(&all.join("; "), LENGTH_MAX)
}

fn fields<T: Serialize>(value: &T) -> serde_json::Map<String, Value> {
    match serde_json::to_value(value) {
        Ok(Value::Object(fields)) => fields,
        _ => serde_json::Map::new(),
    }
}

fn shown(value: &Value) -> String {
    shortened(&value.to_string(), VALUE_LENGTH_MAX)
}

fn shortened(text: &str, characters_max: usize) -> String {
    if text.chars().count() <= characters_max {
        return text.to_owned();
    }
    text.chars().take(characters_max - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_differs_is_named_with_both_values() {
        let (before, after) = (json!({ "a": 1, "b": [1], "v": 1 }), json!({ "a": 1, "b": [1, 2], "v": 2 }));
        assert_eq!(changes(&before, &after, &["v"]), "b: [1] → [1,2]");
        assert_eq!(changes(&before, &before, &[]), "");
    }

    #[test]
    fn a_long_change_is_cut() {
        let after = json!({ "a": "x".repeat(1_000), "b": 1 });
        let text = changes(&json!({ "a": 1, "b": 2 }), &after, &[]);
        assert!(text.starts_with("a: 1 → \"xxx") && text.ends_with("…; b: 2 → 1"), "{text}");
        assert_eq!(shortened(&"ü".repeat(9), 5), "üüüü…");
    }
}
