//! A client of a kitchen on this machine: places orders with ids of its own, and asks where they are. It tries every replica, and repeats: an order's id
//! makes that safe.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use reqwest::StatusCode;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::kitchen::limit::Line;
use crate::tls::Dialer;

/// How long the client repeats a request before it gives up.
const PATIENCE: Duration = Duration::from_secs(30);

/// An order that a replica accepted.
#[derive(Clone, Debug)]
pub struct Placed {
    /// Its id.
    pub id: String,
    /// A recipe for each pizza.
    pub items: Vec<String>,
}

/// Asks the replicas' API.
pub struct Client {
    http: reqwest::Client,
    apis: Vec<String>,
}

impl Client {
    /// A client of these replicas, with a token where they ask for one.
    pub fn new(apis: Vec<String>, token: Option<String>) -> Self {
        let mut headers = HeaderMap::new();
        if let Some(mut value) = token.and_then(|token| HeaderValue::from_str(&format!("Bearer {token}")).ok()) {
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let http = Dialer::plain().http().timeout(Duration::from_secs(5)).default_headers(headers).build();
        Self { http: http.unwrap_or_default(), apis }
    }

    /// Adds a token with a role; what it is. Err if the kitchen is not closed, or nobody leads.
    pub async fn add_token(&self, name: &str, role: &str) -> Result<String> {
        let body = json!({ "name": name, "role": role });
        for api in &self.apis {
            let request = self.http.post(format!("{api}/v1/tokens")).header("idempotency-key", name).json(&body);
            let Ok(answer) = request.send().await else { continue };
            let added: Value = answer.json().await.unwrap_or_default();
            if let Some(token) = added["token"].as_str() {
                return Ok(token.to_owned());
            }
        }
        bail!("no replica added a token for {name}")
    }

    /// The line, once so many devices are there and all of them are up. (A line with one robot after the ovens is never NORMAL.)
    pub async fn line_when_up(&self, devices: usize) -> Option<Line> {
        let there = self.get("/v1/devices").await?.pointer("/items")?.as_array()?.len();
        if there < devices {
            return None;
        }
        let kitchen = self.get("/v1/kitchen").await?;
        let count = |stage: &str, which: &str| kitchen.pointer(&format!("/capacity/{stage}/{which}"))?.as_u64();
        if ["prep", "bake", "finish", "inspect"].iter().any(|s| count(s, "up") != count(s, "of")) {
            return None;
        }
        let up = |stage: &str| Some(count(stage, "up")? as u32).filter(|up| *up > 0);
        Some(Line { before: up("prep")?, slots: up("bake")?, after: up("finish")? })
    }

    /// Places orders from the menu in turn. Returns those that were accepted: all, or an error.
    pub async fn place_orders(&self, orders: u32, pizzas: u32) -> Result<Vec<Placed>> {
        let menu = self.menu().await?;
        let mut placed = Vec::new();
        let mut next = menu.iter().cycle();
        for n in 0..orders {
            let count = if pizzas == 0 { n % 4 + 1 } else { pizzas };
            let items: Vec<String> = (0..count).filter_map(|_| next.next().cloned()).collect();
            let order = Placed { id: format!("demo-{n}"), items };
            self.place(&order).await?;
            placed.push(order);
        }
        Ok(placed)
    }

    async fn menu(&self) -> Result<Vec<String>> {
        let recipes = self.get("/v1/recipes").await.context("no replica shows its menu")?;
        let ids = recipes["items"].as_array().into_iter().flatten();
        let menu: Vec<String> = ids.filter_map(|r| Some(r["id"].as_str()?.to_owned())).collect();
        if menu.is_empty() {
            bail!("the menu is empty");
        }
        Ok(menu)
    }

    /// A client of the leader alone.
    pub async fn leader_api(&self, site: &super::Site) -> Result<Self> {
        let leader = self.leader().await.context("nobody leads")?;
        let api = site.api(leader).context("the leader is none of ours")?;
        Ok(Self { http: self.http.clone(), apis: vec![api] })
    }

    /// Takes an order back.
    pub async fn cancel(&self, id: &str) -> Result<()> {
        self.post(&format!("/v1/orders/{id}/cancellation"), &json!({}))
            .await
            .then_some(())
            .with_context(|| format!("order {id} was not cancelled"))
    }

    /// Asks the leader to hand over to another replica.
    pub async fn transfer(&self) -> Result<()> {
        self.post("/v1/cluster/transfer", &json!({})).await.then_some(()).context("no replica handed over")
    }

    /// A cook's answer to all that the kitchen asks because an item fails again and again: one more try.
    pub async fn retry_items_that_fail(&self) {
        let open = self.get("/v1/incidents?open=true").await.unwrap_or_default();
        let asked = open["items"].as_array().into_iter().flatten();
        for incident in asked.filter(|incident| incident["kind"] == "item_fails") {
            let answer = json!({ "decision": "retry", "actor": "cook", "reason": "it was not the item's fault" });
            // Who was not heard is asked again.
            self.post(&format!("/v1/incidents/{}/decision", incident["id"]), &answer).await;
        }
    }

    /// Places one order, repeating until some replica has it.
    pub async fn place(&self, order: &Placed) -> Result<()> {
        let body = json!({ "items": order.items });
        let limit = Instant::now() + PATIENCE;
        let mut last = "no replica answers".to_owned();
        while Instant::now() < limit {
            for api in &self.apis {
                match self.http.put(format!("{api}/v1/orders/{}", order.id)).json(&body).send().await {
                    Ok(answer) if answer.status().is_success() => return Ok(()),
                    Ok(answer) if answer.status().is_client_error() => {
                        bail!("order {} was refused: {}", order.id, answer.text().await.unwrap_or_default());
                    }
                    Ok(answer) => last = answer.status().to_string(),
                    Err(error) => last = error.to_string(),
                }
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        bail!("order {} was not accepted within {} s: {last}", order.id, PATIENCE.as_secs())
    }

    /// The devices of a kind, by id.
    pub async fn devices_of(&self, kind: &str) -> Option<Vec<String>> {
        let devices = self.get("/v1/devices").await?;
        let of_kind = devices["items"].as_array()?.iter().filter(|d| d["kind"] == kind);
        Some(of_kind.filter_map(|d| Some(d["id"].as_str()?.to_owned())).collect())
    }

    /// An operator's word about a device: adopt, drain, hold, resume, maintenance, release or retire.
    pub async fn direct(&self, device: &str, word: &str) -> Result<()> {
        let is_taken = self.post(&format!("/v1/devices/{device}/{word}"), &json!({})).await;
        is_taken.then_some(()).with_context(|| format!("no replica took {word} for {device}"))
    }

    /// All orders that the kitchen ever had: number → id. None if no replica can say.
    pub async fn orders_by_number(&self) -> Option<BTreeMap<u64, String>> {
        let (mut orders, mut cursor) = (BTreeMap::new(), String::new());
        loop {
            let page = self.get(&format!("/v1/orders?limit=500&order=oldest{cursor}")).await?;
            for order in page["items"].as_array()? {
                orders.insert(order["number"].as_u64()?, order["id"].as_str()?.to_owned());
            }
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return Some(orders),
            }
        }
    }

    /// Where an order is in this kitchen; None if it is not there.
    pub async fn status_of(&self, id: &str) -> Option<String> {
        for api in &self.apis {
            let Ok(answer) = self.http.get(format!("{api}/v1/orders/{id}")).send().await else { continue };
            let order: Value = answer.json().await.ok()?;
            return order["status"].as_str().map(ToOwned::to_owned);
        }
        None
    }

    /// How many orders are open; None if no replica can say.
    pub async fn open_orders(&self) -> Option<usize> {
        let kitchen = self.get("/v1/kitchen").await?;
        Some(kitchen.pointer("/open_orders")?.as_u64()? as usize)
    }

    /// The node that leads, as the replicas see it.
    pub async fn leader(&self) -> Option<u64> {
        self.get("/v1/cluster?consistency=stale").await?.pointer("/leader")?.as_u64()
    }

    /// Where each order ended.
    pub async fn ends_of(&self, placed: &[Placed]) -> Result<BTreeMap<String, String>> {
        let mut ends = BTreeMap::new();
        for order in placed {
            let answer = self.get(&format!("/v1/orders/{}", order.id)).await;
            let status = answer.and_then(|a| Some(a["status"].as_str()?.to_owned()));
            ends.insert(order.id.clone(), status.unwrap_or_else(|| "MISSING".to_owned()));
        }
        Ok(ends)
    }

    /// True once a replica did it: each is asked once.
    async fn post(&self, path: &str, body: &Value) -> bool {
        for api in &self.apis {
            let asked = self.http.post(format!("{api}{path}")).json(body).send().await;
            if asked.is_ok_and(|answer| answer.status().is_success()) {
                return true;
            }
        }
        false
    }

    /// One answer from any replica, asked again for a while.
    async fn get(&self, path: &str) -> Option<Value> {
        let limit = Instant::now() + Duration::from_secs(5);
        loop {
            for api in &self.apis {
                let answer = self.http.get(format!("{api}{path}")).send().await;
                if let Ok(answer) = answer
                    && answer.status() == StatusCode::OK
                    && let Ok(value) = answer.json().await
                {
                    return Some(value);
                }
            }
            if Instant::now() > limit {
                return None;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}
