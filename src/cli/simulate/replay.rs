//! The orders of a real kitchen, as its API lists them: from a file, or page by page from a replica.

use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::kitchen::{Recipe, RecipeId};
use crate::simulate::plan::Arrival;
use crate::tls::Dialer;

use super::super::ctl::token;
use super::menu::Menu;

/// The largest page that the API gives.
const PAGE: usize = 500;

/// Nobody answers at this address.
#[derive(Debug, thiserror::Error)]
#[error("{base} does not answer (use the address of a replica, as in http://127.0.0.1:7401)")]
pub struct Unreachable {
    base: String,
    source: reqwest::Error,
}

/// A page of orders, as `GET /v1/orders` answers.
#[derive(Deserialize)]
struct Page {
    items: Vec<Order>,
    next: Option<String>,
}

/// What counts of an order.
#[derive(Deserialize)]
struct Order {
    id: String,
    #[serde(default)]
    status: String,
    #[serde(default)]
    priority: i8,
    items: Vec<RecipeId>,
    placed_at: String,
    promised_at: Option<String>,
}

/// The menu of a kitchen, as `GET /v1/recipes` answers.
#[derive(Deserialize)]
struct Recipes {
    items: Vec<Recipe>,
}

/// The orders of a file or a replica (with the token of BRIGADE_TOKEN, where it asks for one), and the menu: the one that was named, or the kitchen's own, or for a file the built-in one.
pub async fn read(from: &str, named: Option<Menu>) -> Result<(Menu, Vec<Arrival>)> {
    let (menu, orders) = match from.starts_with("http://") || from.starts_with("https://") {
        true => {
            let token = token::find(None, std::env::var("BRIGADE_TOKEN").ok())?;
            let replica = Replica::new(from, token.as_deref());
            let menu = match named {
                Some(menu) => menu,
                None => Menu::given(replica.get::<Recipes>("/v1/recipes?consistency=stale").await?.items)?,
            };
            (menu, replica.orders().await?)
        }
        false => {
            let text = std::fs::read_to_string(from).with_context(|| format!("the orders {from}"))?;
            let orders = from_json(&text).with_context(|| format!("the orders {from}"))?;
            (named.unwrap_or(Menu::BuiltIn), orders)
        }
    };
    let arrivals = arrivals(orders, &menu.recipes(None, 0))?;
    Ok((menu, arrivals))
}

/// Pages as the API answers them, one after the other.
fn from_json(text: &str) -> Result<Vec<Order>> {
    let mut orders = Vec::new();
    let mut next = None;
    for page in serde_json::Deserializer::from_str(text).into_iter::<Page>() {
        let page = page.context("pages stand there as GET /v1/orders?status=all answers them: {\"items\": […]}")?;
        orders.extend(page.items);
        next = page.next;
    }
    if let Some(next) = next {
        eprintln!("brigade: the last page says that more orders follow (cursor {next}); they are missing here");
    }
    Ok(orders)
}

/// What was ordered, from the first order on. What was cancelled is left out: nobody knows what of it was made.
fn arrivals(orders: Vec<Order>, menu: &[Recipe]) -> Result<Vec<Arrival>> {
    let mut arrivals = Vec::new();
    for order in orders.into_iter().filter(|o| o.status != "CANCELLED") {
        let unknown = order.items.iter().find(|item| menu.iter().all(|r| r.id != **item));
        if let Some(item) = unknown {
            bail!("order {} has {item}, which is not on the menu: name a --menu that has it", order.id);
        }
        let wall = |text: &str| wall_ms(text).ok_or_else(|| anyhow!("order {}: {text:?} is no time in UTC", order.id));
        let placed = wall(&order.placed_at)?;
        let promised = order.promised_at.as_deref().map(wall).transpose()?;
        let promise_ms = promised.map(|at| at.saturating_sub(placed)).filter(|ms| *ms > 0);
        arrivals.push(Arrival { at: placed, items: order.items, promise_ms, priority: order.priority });
    }
    arrivals.sort_by_key(|a| a.at);
    let first = arrivals.first().map_or(0, |a| a.at);
    arrivals.iter_mut().for_each(|a| a.at -= first);
    Ok(arrivals)
}

struct Replica {
    base: String,
    http: reqwest::Client,
}

impl Replica {
    fn new(base: &str, token: Option<&str>) -> Self {
        let http = Dialer::plain().http().connect_timeout(Duration::from_secs(2));
        let http = http.default_headers(token::headers(token));
        let http = http.timeout(Duration::from_secs(40)).build().expect("a plain client needs nothing that can fail");
        Self { base: base.trim_end_matches('/').to_owned(), http }
    }

    /// All orders, the oldest first: their numbers grow, so that no page skips or repeats one.
    async fn orders(&self) -> Result<Vec<Order>> {
        let mut orders = Vec::new();
        let mut cursor = String::new();
        loop {
            let path = format!("/v1/orders?status=all&order=oldest&limit={PAGE}&consistency=stale{cursor}");
            let page: Page = self.get(&path).await?;
            orders.extend(page.items);
            match page.next {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return Ok(orders),
            }
        }
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        let url = format!("{}{path}", self.base);
        let asked = self.http.get(&url).send().await;
        let answer = asked.map_err(|source| Unreachable { base: self.base.clone(), source })?;
        let status = answer.status();
        let text = answer.text().await.with_context(|| url.clone())?;
        if !status.is_success() {
            bail!("{url} answers {status}: {}", text.chars().take(300).collect::<String>());
        }
        serde_json::from_str(&text).with_context(|| format!("{url} does not answer as a replica does"))
    }
}

/// Milliseconds since 1970 of a time as the API writes it, `2026-07-28T12:34:56.789Z`.
fn wall_ms(text: &str) -> Option<u64> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let numbers = |text: &str, by: char| text.split(by).map(|n| n.parse::<u64>().ok()).collect::<Option<Vec<_>>>();
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let ([year, month, day], [hours, minutes, seconds]) =
        (<[u64; 3]>::try_from(numbers(date, '-')?).ok()?, <[u64; 3]>::try_from(numbers(time, ':')?).ok()?);
    let in_range = (1970..=9999).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    if !in_range || hours > 23 || minutes > 59 || seconds > 60 {
        return None;
    }
    let ms = format!("{fraction:0<3}").get(..3)?.parse::<u64>().ok()?;
    Some(days(year, month, day) * 86_400_000 + (hours * 3_600 + minutes * 60 + seconds) * 1_000 + ms)
}

/// Days since 1970-01-01. Howard Hinnant, "chrono-compatible low-level date algorithms", days_from_civil.
fn days(year: u64, month: u64, day: u64) -> u64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year / 400, year % 400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kitchen::recipe::built_in_menu;

    #[test]
    fn times_of_the_api_are_read_and_others_refused() {
        assert_eq!(wall_ms("1970-01-01T00:00:00.000Z"), Some(0));
        assert_eq!(wall_ms("2000-02-29T00:00:00Z"), Some(951_782_400_000));
        assert_eq!(wall_ms("2026-07-28T12:34:56.789Z"), Some(1_785_242_096_789));
        for text in ["", "2026-07-28", "2026-07-28T12:34:56.789", "2026-13-28T12:34:56Z", "2026-07-28T24:00:00Z"] {
            assert_eq!(wall_ms(text), None, "{text}");
        }
    }

    #[test]
    fn pages_become_arrivals_from_the_first_order_on() {
        let text = r#"
            {"items": [{"id": "b", "number": 9, "status": "READY", "priority": 3, "items": ["funghi", "diavola"],
              "placed_at": "2026-07-28T12:01:00.500Z", "promised_at": "2026-07-28T12:21:00.500Z"}], "next": "9"}
            {"items": [{"id": "c", "status": "CANCELLED", "items": ["gone"], "placed_at": "2026-07-28T11:00:00Z"},
              {"id": "a", "status": "READY", "items": ["funghi"], "placed_at": "2026-07-28T12:00:00.000Z"}], "next": null}"#;
        let arrivals = arrivals(from_json(text).unwrap(), &built_in_menu()).unwrap();
        assert_eq!(arrivals.iter().map(|a| a.at).collect::<Vec<_>>(), [0, 60_500]);
        assert_eq!((arrivals[0].promise_ms, arrivals[0].priority), (None, 0));
        assert_eq!((arrivals[1].promise_ms, arrivals[1].priority, arrivals[1].items.len()), (Some(1_200_000), 3, 2));
    }

    #[test]
    fn what_can_not_be_cooked_again_says_what_to_do() {
        let order =
            r#"{"items": [{"id": "a", "items": ["hawaii"], "placed_at": "2026-07-28T12:00:00Z"}], "next": null}"#;
        let wrong = arrivals(from_json(order).unwrap(), &built_in_menu()).unwrap_err();
        assert!(wrong.to_string().contains("hawaii, which is not on the menu: name a --menu"), "{wrong}");
        assert!(from_json("nonsense").is_err_and(|e| e.to_string().contains("GET /v1/orders")));
    }
}
