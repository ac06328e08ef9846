//! `brigade ctl drain` and `undrain`: the kitchen finishes what it has and takes no more, and takes orders again.

use std::time::Duration;

use clap::Args;
use reqwest::Method;
use serde_json::{Value, json};

use super::table::pairs;
use super::{Failure, Out, Session, text};

/// Between two looks at a kitchen that drains.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// The kitchen takes no new orders, and finishes what it has.
#[derive(Clone, Debug, Args)]
pub struct Drain {
    /// Come back when nothing is open any more; says meanwhile what is. What a person must decide keeps it waiting.
    #[arg(long)]
    wait: bool,
}

pub async fn drain(session: &Session, drain: Drain, out: Out<'_>) -> Result<(), Failure> {
    let mut kitchen = session.client.send(Method::POST, "/v1/kitchen/drain", json!({})).await?;
    let mut said = String::new();
    while drain.wait && !is_drained(&kitchen) {
        let now = open(&kitchen);
        if now != said {
            eprintln!("brigade ctl: {now}");
            said = now;
        }
        tokio::time::sleep(LOOK_EVERY).await;
        kitchen = match session.client.get("/v1/kitchen").await {
            Ok(kitchen) => kitchen,
            // A failover is no end of the wait.
            Err(Failure::Unreachable { .. } | Failure::Refused(_)) => continue,
            Err(failure) => return Err(failure),
        };
    }
    session.print(out, &kitchen, show)
}

pub async fn undrain(session: &Session, out: Out<'_>) -> Result<(), Failure> {
    let kitchen = session.client.send(Method::POST, "/v1/kitchen/undrain", json!({})).await?;
    session.print(out, &kitchen, show)
}

/// Nothing is under way, and nothing is to come.
fn is_drained(kitchen: &Value) -> bool {
    kitchen["draining"] == true && kitchen["open_orders"] == 0 && kitchen["instructions_open"] == 0
}

fn open(kitchen: &Value) -> String {
    let count = |name: &str| text(kitchen, &format!("/{name}"));
    let (orders, pizzas) = (count("open_orders"), count("open_pizzas"));
    format!("{orders} orders and {pizzas} pizzas are open, {} questions wait for a person", count("open_incidents"))
}

fn show(kitchen: &Value) -> String {
    let drained = match (kitchen["draining"] == true, is_drained(kitchen)) {
        (true, true) => "nothing is open: it may be switched off".to_owned(),
        (true, false) => open(kitchen),
        (false, _) => "it takes orders".to_owned(),
    };
    pairs(&[("kitchen", text(kitchen, "/kitchen")), ("status", text(kitchen, "/status")), ("drained", drained)])
}
