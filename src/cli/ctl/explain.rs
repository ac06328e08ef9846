//! `brigade ctl quote` and `brigade ctl explain`: questions that change nothing.

use clap::Args;
use reqwest::Method;
use serde_json::{Value, json};

use super::orders::segment;
use super::table::{pairs, table};
use super::{Failure, Out, Session, items, span, text};

/// Which order.
#[derive(Clone, Debug, Args)]
pub struct Quote {
    /// A recipe; once for each pizza.
    #[arg(long = "recipe", required = true, num_args = 1..)]
    recipes: Vec<String>,
    /// Higher goes first.
    #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
    priority: i8,
    /// Ready within so many seconds.
    #[arg(long)]
    within_s: Option<u64>,
}

/// What is to be explained.
#[derive(Clone, Debug, Args)]
pub struct Explain {
    /// A device, or a pizza as in 17.0.0; every device if it is missing.
    id: Option<String>,
}

pub async fn quote(session: &Session, quote: Quote, out: Out<'_>) -> Result<(), Failure> {
    let mut body = json!({ "items": quote.recipes, "priority": quote.priority });
    if let Some(s) = quote.within_s {
        body["promise_ms"] = s.saturating_mul(1_000).into();
    }
    let answer = session.client.send(Method::POST, "/v1/quotes", body).await?;
    session.print(out, &answer, |q| {
        pairs(&[
            ("half of such orders", format!("ready in {} ({})", span(q, "/ready_in_p50_ms"), text(q, "/ready_at_p50"))),
            ("95 of 100", format!("ready in {} ({})", span(q, "/ready_in_p95_ms"), text(q, "/ready_at_p95"))),
            ("pizzas ahead", text(q, "/pizzas_ahead")),
            ("promise", format!("{}{}", span(q, "/promise_ms"), if q["in_time"] == true { "" } else { ": too short" })),
        ])
    })
}

pub async fn run(session: &Session, explain: Explain, out: Out<'_>) -> Result<(), Failure> {
    let ids = match explain.id {
        Some(id) => vec![id],
        None => {
            let devices = session.client.get("/v1/devices").await?;
            items(&devices).iter().map(|d| text(d, "/id")).collect()
        }
    };
    let mut all = Vec::new();
    for id in ids {
        let answer = session.client.get(&path(&id)).await?;
        let named = |why: &Value| {
            let mut why = why.clone();
            why["id"] = Value::from(id.as_str());
            why
        };
        all.extend(items(&answer).iter().map(named));
    }
    session.print(out, &json!({ "items": all }), |answer| {
        let row = |w: &Value| [text(w, "/id"), text(w, "/reason"), span(w, "/changes_in_ms"), text(w, "/text")];
        table(["ID", "REASON", "CHANGES IN", "WHY"], items(answer).iter().map(row))
    })
}

fn path(id: &str) -> String {
    let is_pizza = id.split('.').count() == 3 && id.split('.').all(|part| part.parse::<u64>().is_ok());
    format!("/v1/{}/{}/explanation", if is_pizza { "pizzas" } else { "devices" }, segment(id))
}

#[cfg(test)]
mod tests {
    use super::path;

    #[test]
    fn pizzas_are_told_from_devices_by_their_ids() {
        assert_eq!(path("17.0.2"), "/v1/pizzas/17.0.2/explanation");
        assert_eq!(path("oven.1"), "/v1/devices/oven.1/explanation");
        assert_eq!(path("../x"), "/v1/devices/..%2Fx/explanation");
    }
}
