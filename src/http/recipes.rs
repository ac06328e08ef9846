//! The menu and the site's settings: read whole, replaced whole.

use axum::extract::State;

use crate::kitchen::{Asked, Command, RecipeId, Reply};
use crate::protocol::Id as IdText;

use super::Api;
use super::answer::Answer;
use super::asker::Asker;
use super::changes::changes;
use super::extract::{Id, Json, Plain, Query};
use super::problems::{Kind, Problem};
use super::views::Items;
use super::views::recipe::{RecipeBody, RecipeView, SettingsBody};

/// `GET /v1/recipes`: the menu.
#[utoipa::path(get, path = "/v1/recipes", operation_id = "list_recipes", tag = "menu", params(Plain), responses((status = 200, body = Items<RecipeView>)))]
pub async fn list(State(api): State<Api>, Query(q): Query<Plain>) -> Result<Answer<Items<RecipeView>>, Problem> {
    let read = api.read(q.consistency, |kitchen, _| kitchen.recipes().map(RecipeView::of).collect());
    Ok(read.await?.map(|items| Items { items }))
}

/// `GET /v1/recipes/{id}`: one recipe of the menu.
#[utoipa::path(get, path = "/v1/recipes/{id}", operation_id = "show_recipe", tag = "menu",
    params(("id" = IdText, Path, description = "The recipe's name."), Plain),
    responses((status = 200, body = RecipeView), (status = 404, description = "no-such-recipe")))]
pub async fn show(
    State(api): State<Api>,
    Id(id): Id<RecipeId>,
    Query(query): Query<Plain>,
) -> Result<Answer<RecipeView>, Problem> {
    let read = api.read(query.consistency, |kitchen, _| kitchen.recipe(&id).map(RecipeView::of));
    read.await?.or(|| no_such(&id))
}

/// `PUT /v1/recipes/{id}`: a recipe is replaced whole, or new.
///
/// Pizzas that are begun keep what they were begun with.
#[utoipa::path(put, path = "/v1/recipes/{id}", operation_id = "put_recipe", tag = "menu",
    params(("id" = IdText, Path, description = "The recipe's name.")), request_body = RecipeBody,
    responses((status = 200, body = RecipeView, description = "It is changed."), (status = 201, body = RecipeView, description = "It is new.")))]
pub async fn put(
    State(api): State<Api>,
    asker: Asker,
    Id(id): Id<RecipeId>,
    Json(body): Json<RecipeBody>,
) -> Result<Answer<RecipeView>, Problem> {
    let recipe = body.named(id.clone());
    let before = api.node().with_kitchen(|kitchen| kitchen.recipe(&id).map(RecipeView::of));
    let change = before.map_or("new".to_owned(), |before| changes(&before, &RecipeView::of(&recipe), &["version"]));
    let reply = api.write(Asked { change, ..asker.asked()? }, Command::PutRecipe { recipe }).await?;
    let mut answer = api.look(|kitchen, _| kitchen.recipe(&id).map(RecipeView::of)).or(|| no_such(&id))?;
    if reply != Reply::Unchanged && answer.body.version == 1 {
        answer.status = axum::http::StatusCode::CREATED;
    }
    Ok(answer)
}

/// `GET /v1/kitchen/settings`: the site's settings.
#[utoipa::path(get, path = "/v1/kitchen/settings", operation_id = "show_settings", tag = "menu", params(Plain), responses((status = 200, body = SettingsBody)))]
pub async fn settings(State(api): State<Api>, Query(q): Query<Plain>) -> Result<Answer<SettingsBody>, Problem> {
    api.read(q.consistency, |kitchen, _| kitchen.settings().into()).await
}

/// `PUT /v1/kitchen/settings`: the settings are replaced whole: a missing one is refused, not reset.
#[utoipa::path(put, path = "/v1/kitchen/settings", operation_id = "put_settings", tag = "menu", request_body = SettingsBody, responses((status = 200, body = SettingsBody)))]
pub async fn configure(
    State(api): State<Api>,
    asker: Asker,
    Json(body): Json<SettingsBody>,
) -> Result<Answer<SettingsBody>, Problem> {
    let before = api.node().with_kitchen(|kitchen| SettingsBody::from(kitchen.settings()));
    let asked = Asked { change: changes(&before, &body, &[]), ..asker.asked()? };
    api.write(asked, Command::Configure { settings: body.into() }).await?;
    Ok(api.look(|kitchen, _| kitchen.settings().into()))
}

fn no_such(id: &RecipeId) -> Problem {
    Problem::new(Kind::NoSuchRecipe, format!("there is no recipe {id}: see /v1/recipes")).with("recipe", id.as_str())
}
