//! `brigade ctl orders`.

use clap::Subcommand;
use reqwest::Method;
use serde_json::{Value, json};

use super::table::{pairs, table};
use super::{Failure, Out, Session, items, span, text};

/// What is done with orders.
#[derive(Clone, Debug, Subcommand)]
pub enum Orders {
    /// The latest orders.
    List {
        /// open, ended, all, accepted, in_progress, ready, collected, cancelled, failed or returned.
        #[arg(long, default_value = "open")]
        status: String,
        /// How many; 1 to 500.
        #[arg(long, default_value_t = 50)]
        limit: u32,
        /// Where the last page ended.
        #[arg(long)]
        cursor: Option<u64>,
    },
    /// One order with its pizzas and what was tried.
    Show {
        /// The order.
        id: String,
    },
    /// Orders pizzas.
    Place {
        /// A recipe; once for each pizza.
        #[arg(long = "recipe", required = true, num_args = 1..)]
        recipes: Vec<String>,
        /// The order's id: repeating the command with it orders nothing twice. Drawn at random if it is missing.
        #[arg(long)]
        id: Option<String>,
        /// Higher goes first.
        #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
        priority: i8,
        /// Ready within so many seconds.
        #[arg(long)]
        within_s: Option<u64>,
    },
    /// Takes an order back.
    Cancel {
        /// The order.
        id: String,
    },
    /// The order was handed out.
    Collect {
        /// The order.
        id: String,
    },
    /// A pizza is bad: it is thrown away and made again.
    Remake {
        /// The pizza, as `orders show` names it: 17.2.0.
        pizza: String,
    },
}

pub async fn run(session: &Session, orders: Orders, out: Out<'_>) -> Result<(), Failure> {
    match orders {
        Orders::List { status, limit, cursor } => {
            let cursor = cursor.map_or(String::new(), |c| format!("&cursor={c}"));
            let path = format!("/v1/orders?status={}&limit={limit}{cursor}", segment(&status));
            let page = session.client.get(&path).await?;
            session.print(out, &page, list)
        }
        Orders::Show { id } => show(session, &id, out).await,
        Orders::Place { recipes, id, priority, within_s } => {
            let id = id.unwrap_or_else(|| format!("ctl-{:016x}", rand::random::<u64>()));
            let mut body = json!({ "items": recipes, "priority": priority });
            if let Some(s) = within_s {
                body["promise_ms"] = s.saturating_mul(1_000).into();
            }
            let order = session.client.send(Method::PUT, &path(&id), body).await?;
            session.print(out, &order, one)
        }
        Orders::Cancel { id } => {
            let path = format!("{}/cancellation", path(&id));
            let order = session.client.send(Method::POST, &path, json!({})).await?;
            session.print(out, &order, one)
        }
        Orders::Collect { id } => {
            let path = format!("{}/collection", path(&id));
            let order = session.client.send(Method::POST, &path, json!({})).await?;
            session.print(out, &order, one)
        }
        Orders::Remake { pizza } => {
            let (actor, reason) = (session.said.actor(), &session.said.reason);
            if reason.trim().is_empty() {
                return Err(Failure::NoReason);
            }
            let path = format!("/v1/pizzas/{}/remake", segment(&pizza));
            let body = json!({ "reason": reason, "actor": actor });
            let remade = session.client.send(Method::POST, &path, body).await?;
            session.print(out, &remade, |pizza| pizzas(std::slice::from_ref(pizza)))
        }
    }
}

async fn show(session: &Session, id: &str, out: Out<'_>) -> Result<(), Failure> {
    let mut order = session.client.get(&path(id)).await?;
    order["history"] = session.client.get(&format!("{}/history", path(id))).await?;
    session.print(out, &order, |order| {
        format!("{}\n{}\n{}", one(order), pizzas(list_of(order)), attempts(&order["history"]))
    })
}

fn list(page: &Value) -> String {
    let row = |o: &Value| {
        let count = o["items"].as_array().map_or(0, Vec::len);
        let due = if o["promised_in_ms"].is_null() { text(o, "/ended_at") } else { span(o, "/promised_in_ms") };
        [text(o, "/id"), text(o, "/number"), text(o, "/status"), count.to_string(), text(o, "/placed_at"), due]
    };
    let rows = table(["ORDER", "NUMBER", "STATUS", "PIZZAS", "PLACED", "DUE/ENDED"], items(page).iter().map(row));
    match page["next"].as_str() {
        Some(next) => format!("{rows}more: --cursor {next}\n"),
        None => rows,
    }
}

fn one(o: &Value) -> String {
    let status = format!("{} ({})", text(o, "/status"), text(o, "/classic_status"));
    pairs(&[
        ("order", text(o, "/id")),
        ("number", text(o, "/number")),
        ("status", status),
        ("items", text(o, "/items")),
        ("placed", text(o, "/placed_at")),
        ("promised", format!("{} (in {})", text(o, "/promised_at"), span(o, "/promised_in_ms"))),
        ("ended", format!("{} (took {}, late {})", text(o, "/ended_at"), span(o, "/took_ms"), span(o, "/late_ms"))),
        ("reason", text(o, "/reason")),
    ])
}

fn list_of(order: &Value) -> &[Value] {
    order["pizzas"].as_array().map_or(&[][..], Vec::as_slice)
}

fn pizzas(all: &[Value]) -> String {
    let row = |p: &Value| {
        let place = if p["place"].is_null() { text(p, "/custody") } else { text(p, "/place") };
        [text(p, "/id"), text(p, "/recipe"), text(p, "/state"), place, span(p, "/since_ms"), span(p, "/burns_in_ms")]
    };
    table(["PIZZA", "RECIPE", "STATE", "WHERE", "SINCE", "BURNS IN"], all.iter().map(row))
}

fn attempts(history: &Value) -> String {
    let rows = list_of(history).iter().flat_map(|p| {
        let tried = p["attempts"].as_array().map_or(&[][..], Vec::as_slice);
        tried.iter().map(|a| {
            let job = format!("{}#{}", text(a, "/job"), text(a, "/number"));
            let (opened, ended) = (span(a, "/opened_after_ms"), span(a, "/ended_after_ms"));
            [text(p, "/pizza"), job, text(a, "/device"), opened, ended, text(a, "/outcome")]
        })
    });
    table(["PIZZA", "JOB", "DEVICE", "FROM", "TO", "OUTCOME"], rows)
}

fn path(id: &str) -> String {
    format!("/v1/orders/{}", segment(id))
}

/// A text as one segment of a path: an operator's typing error must not become another route.
pub fn segment(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b':' | b'-');
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}
