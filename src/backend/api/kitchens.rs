//! The pool of kitchens: registering, tokens, how they are, the menu, and sums over all.

use std::collections::BTreeMap;

use axum::Json as JsonBody;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::backend::Backend;
use crate::backend::new_order::Place;
use crate::backend::routing::KitchenState;
use crate::backend::store::{self, Holder, KitchenRow, Mode, Registration, Role};
use crate::protocol;

use super::extract::{Client, Id, Json, Operator};
use super::problems::{Kind, Problem};
use super::views::KitchenView;

/// A kitchen as an operator registers it.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewKitchen {
    /// Its name; its id if this is missing.
    #[serde(default)]
    #[schema(max_length = 100)]
    name: Option<String>,
    /// Where it is.
    #[serde(default)]
    place: Option<Place>,
    /// pull: the kitchen calls the backend; poll: the backend calls the kitchen.
    #[serde(default)]
    mode: Mode,
    /// `http://host:port` of its replicas, for poll.
    #[serde(default)]
    #[schema(value_type = Vec<Url>)]
    urls: Vec<String>,
    /// A token of role `backend` that the kitchen added, for poll (docs/ACCESS.md).
    #[serde(default)]
    api_token: Option<String>,
}

/// `http://host:port` or `https://host:port`.
#[derive(ToSchema)]
#[schema(value_type = String, pattern = "^https?://")]
#[expect(dead_code, reason = "it is described, and read as text")]
struct Url(String);

/// A token, shown once.
#[derive(Serialize, ToSchema)]
pub struct TokenView {
    /// The kitchen.
    kitchen: String,
    /// Its token: kept nowhere but as a hash. Older ones are void.
    token: String,
}

/// `PUT /v1/kitchens/{id}`: 201 with its token the first time; later it changes who it is, and its token stays.
#[utoipa::path(put, path = "/v1/kitchens/{id}", operation_id = "register_kitchen", tag = "kitchens", params(("id" = protocol::Id, Path, description = "The kitchen's id.")), request_body = NewKitchen,
    responses((status = 201, body = TokenView), (status = 200, body = KitchenView)))]
pub async fn put(
    State(backend): State<Backend>,
    Operator(_): Operator,
    Id(id): Id,
    Json(new): Json<NewKitchen>,
) -> Result<Response, Problem> {
    if let Some(fault) = fault(&new) {
        return Err(Problem::new(Kind::Invalid, fault));
    }
    let registration = Registration {
        id: id.clone(),
        name: new.name.unwrap_or_else(|| id.to_string()),
        place: new.place,
        mode: new.mode,
        urls: new.urls,
        api_token: new.api_token.unwrap_or_default(),
    };
    if backend.register(registration).await? {
        let token = backend.renew_token(&id).await?;
        return Ok((StatusCode::CREATED, JsonBody(TokenView { kitchen: id.to_string(), token })).into_response());
    }
    Ok(JsonBody(backend.kitchen_view(&find(&backend, &id).await?).await?).into_response())
}

fn fault(new: &NewKitchen) -> Option<String> {
    let is_url = |url: &String| url.starts_with("http://") || url.starts_with("https://");
    if let Some(url) = new.urls.iter().find(|url| !is_url(url)) {
        return Some(format!("urls names {url:?}: use http://host:port"));
    }
    if new.mode == Mode::Poll && new.urls.is_empty() {
        return Some("mode poll needs urls: http://host:port of the kitchen's replicas".to_owned());
    }
    if new.name.as_ref().is_some_and(|name| name.chars().count() > 100) {
        return Some("name is too long: use at most 100 characters".to_owned());
    }
    new.place.and_then(|place| place.fault())
}

/// `POST /v1/kitchens/{id}/token`: a fresh one; the older ones are void.
#[utoipa::path(post, path = "/v1/kitchens/{id}/token", operation_id = "renew_kitchen_token", tag = "kitchens", params(("id" = protocol::Id, Path, description = "The kitchen's id.")), responses((status = 200, body = TokenView), (status = 404, description = "unknown-kitchen")))]
pub async fn renew_token(
    State(backend): State<Backend>,
    Operator(_): Operator,
    Id(id): Id,
) -> Result<JsonBody<TokenView>, Problem> {
    find(&backend, &id).await?;
    let token = backend.renew_token(&id).await?;
    Ok(JsonBody(TokenView { kitchen: id.to_string(), token }))
}

/// `DELETE /v1/kitchens/{id}`: off the list, its tokens void. What it had not begun goes elsewhere once its lease is over.
#[utoipa::path(delete, path = "/v1/kitchens/{id}", operation_id = "retire_kitchen", tag = "kitchens", params(("id" = protocol::Id, Path, description = "The kitchen's id.")), responses((status = 204), (status = 404, description = "unknown-kitchen")))]
pub async fn retire(State(backend): State<Backend>, Operator(_): Operator, Id(id): Id) -> Result<StatusCode, Problem> {
    let kitchen = id.clone();
    if !backend
        .store()
        .write(move |c| {
            Box::pin(async move {
                store::remove_tokens(c, &Holder { role: Role::Kitchen, name: kitchen.to_string() }).await?;
                store::retire_kitchen(c, &kitchen).await
            })
        })
        .await?
    {
        return Err(unknown(&id));
    }
    backend.refresh().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Every kitchen.
#[derive(Debug, Serialize, ToSchema)]
pub struct Kitchens {
    /// By id.
    items: Vec<KitchenView>,
}

/// `GET /v1/kitchens`: the pool of kitchens.
#[utoipa::path(get, path = "/v1/kitchens", operation_id = "list_kitchens", tag = "kitchens", responses((status = 200, body = Kitchens)))]
pub async fn list(State(backend): State<Backend>, Operator(_): Operator) -> Result<JsonBody<Kitchens>, Problem> {
    let rows = backend.store().kitchens().await?;
    Ok(JsonBody(Kitchens { items: backend.kitchen_views(&rows).await? }))
}

/// `GET /v1/kitchens/{id}`: one kitchen.
#[utoipa::path(get, path = "/v1/kitchens/{id}", operation_id = "show_kitchen", tag = "kitchens", params(("id" = protocol::Id, Path, description = "The kitchen's id.")), responses((status = 200, body = KitchenView), (status = 404, description = "unknown-kitchen")))]
pub async fn show(
    State(backend): State<Backend>,
    Operator(_): Operator,
    Id(id): Id,
) -> Result<JsonBody<KitchenView>, Problem> {
    Ok(JsonBody(backend.kitchen_view(&find(&backend, &id).await?).await?))
}

/// What can be ordered now.
#[derive(Debug, Serialize, ToSchema)]
pub struct Menu {
    /// By recipe.
    items: Vec<MenuItem>,
}

/// A recipe that kitchens can make now.
#[derive(Debug, Serialize, ToSchema)]
pub struct MenuItem {
    /// The recipe.
    recipe: String,
    /// How many kitchens offer it.
    kitchens: u64,
    /// Ready in the quickest of them in so much, in 95 of 100 cases.
    ready_in_ms: u64,
}

/// `GET /v1/menu`: what can be ordered now.
#[utoipa::path(get, path = "/v1/menu", operation_id = "show_menu", tag = "orders", responses((status = 200, body = Menu)))]
pub async fn menu(State(backend): State<Backend>, Client(_): Client) -> JsonBody<Menu> {
    let mut items: BTreeMap<String, MenuItem> = BTreeMap::new();
    let (directory, now) = (backend.directory(), backend.now());
    for row in directory.rows() {
        let is_open =
            matches!(directory.state_of(row, backend.options(), now), KitchenState::Normal | KitchenState::Degraded);
        let quotes = row.report.iter().filter(|_| is_open).flat_map(|report| &report.quotes);
        for (recipe, quote) in quotes {
            let new = || MenuItem { recipe: recipe.to_string(), kitchens: 0, ready_in_ms: u64::MAX };
            let item = items.entry(recipe.to_string()).or_insert_with(new);
            item.kitchens += 1;
            item.ready_in_ms = item.ready_in_ms.min(quote.p95_ms);
        }
    }
    JsonBody(Menu { items: items.into_values().collect() })
}

/// Counts, by kitchen and over all.
#[derive(Debug, Serialize, ToSchema)]
pub struct Statistics {
    /// The backend's orders by status.
    orders: BTreeMap<String, u64>,
    /// What kitchens counted since each was new, summed up; local orders included.
    sum: BTreeMap<String, u64>,
    /// The same by kitchen.
    kitchens: BTreeMap<String, BTreeMap<String, u64>>,
}

/// `GET /v1/statistics`: counts, by kitchen and over all.
#[utoipa::path(get, path = "/v1/statistics", operation_id = "count", tag = "operation", responses((status = 200, body = Statistics)))]
pub async fn statistics(
    State(backend): State<Backend>,
    Operator(_): Operator,
) -> Result<JsonBody<Statistics>, Problem> {
    let orders = backend.store().orders_by_state().await?;
    let mut kitchens = BTreeMap::new();
    let mut sum: BTreeMap<String, u64> = BTreeMap::new();
    for row in backend.store().kitchens().await? {
        let counts = row.report.map(|report| report.statistics).unwrap_or_default();
        counts.iter().for_each(|(name, count)| *sum.entry(name.clone()).or_default() += count);
        kitchens.insert(row.registration.id.to_string(), counts);
    }
    let orders = orders.into_iter().map(|(state, count)| (state.as_str().to_ascii_lowercase(), count)).collect();
    Ok(JsonBody(Statistics { orders, sum, kitchens }))
}

impl Backend {
    async fn kitchen_view(&self, row: &KitchenRow) -> Result<KitchenView, Problem> {
        let mut views = self.kitchen_views(std::slice::from_ref(row)).await?;
        Ok(views.remove(0))
    }

    async fn kitchen_views(&self, rows: &[KitchenRow]) -> Result<Vec<KitchenView>, Problem> {
        let open = self.store().open_escalations().await?;
        let (directory, now) = (self.directory(), self.now());
        let view = |row: &KitchenRow| {
            let id = &row.registration.id;
            let state = directory.state_of(row, self.options(), now);
            KitchenView::of(row, state, directory.version_for(id), open.get(id).copied().unwrap_or(0))
        };
        Ok(rows.iter().map(view).collect())
    }
}

/// The kitchen, or a problem.
pub(super) async fn find(backend: &Backend, id: &protocol::Id) -> Result<KitchenRow, Problem> {
    backend.store().kitchen(id).await?.ok_or_else(|| unknown(id))
}

fn unknown(id: &protocol::Id) -> Problem {
    Problem::new(Kind::UnknownKitchen, format!("no kitchen {id} is registered")).with("kitchen", id.as_str())
}
