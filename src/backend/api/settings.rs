//! The configuration that kitchens follow: one document for all, one more for a kitchen that differs; replaced whole, by version.

use std::borrow::Cow;

use axum::Json as JsonBody;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::openapi::{ObjectBuilder, RefOr, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::backend::Backend;
use crate::backend::configuration::Document;
use crate::backend::store;
use crate::clock::wall_ms;
use crate::protocol;

use super::extract::{Id, Json, Operator};
use super::kitchens::find;
use super::problems::{Kind, Problem};

/// A document with its version.
#[derive(Debug, Serialize)]
pub struct ConfigurationView {
    /// Counts over all documents; 0 before the first.
    version: u64,
    /// What it says.
    #[serde(flatten)]
    document: Document,
}

/// By hand: the document that is flattened into it refuses unknown fields when it is written, and `version` is none of its own.
impl PartialSchema for ConfigurationView {
    fn schema() -> RefOr<Schema> {
        let RefOr::T(Schema::Object(document)) = Document::schema() else { unreachable!("a struct with named fields") };
        let version = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0));
        let version = version.description(Some("Counts over all documents; 0 before the first."));
        let view = ObjectBuilder::from(document).additional_properties(None::<RefOr<Schema>>);
        view.property("version", version).required("version").description(Some("A document with its version.")).into()
    }
}

impl ToSchema for ConfigurationView {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("ConfigurationView")
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        Document::schemas(schemas);
    }
}

/// `GET /v1/configuration`: what all kitchens follow.
#[utoipa::path(get, path = "/v1/configuration", operation_id = "show_configuration", tag = "operation", responses((status = 200, body = ConfigurationView)))]
pub async fn show(State(backend): State<Backend>, Operator(_): Operator) -> Result<Response, Problem> {
    stored(&backend, "").await
}

/// `PUT /v1/configuration`: replaces it whole; `If-Match` with the version refuses when somebody else was first.
#[utoipa::path(put, path = "/v1/configuration", operation_id = "put_configuration", tag = "operation", params(("If-Match" = Option<String>, Header, description = "The version that is replaced: refused when somebody else was first.", pattern = "^\"?[0-9]+\"?$")), request_body = Document, responses((status = 200, body = ConfigurationView), (status = 400, description = "bad-query"), (status = 412, description = "version-changed")))]
pub async fn put(
    State(backend): State<Backend>,
    Operator(_): Operator,
    headers: HeaderMap,
    Json(document): Json<Document>,
) -> Result<Response, Problem> {
    replace(&backend, "", &headers, document).await
}

/// `GET /v1/kitchens/{id}/configuration`: what this kitchen follows beside it.
#[utoipa::path(get, path = "/v1/kitchens/{id}/configuration", operation_id = "show_kitchen_configuration", tag = "operation", params(("id" = protocol::Id, Path, description = "The kitchen's id.")), responses((status = 200, body = ConfigurationView), (status = 404, description = "unknown-kitchen")))]
pub async fn show_for(State(backend): State<Backend>, Operator(_): Operator, Id(id): Id) -> Result<Response, Problem> {
    find(&backend, &id).await?;
    stored(&backend, id.as_str()).await
}

/// `PUT /v1/kitchens/{id}/configuration`: goes before what is said for all, name by name.
#[utoipa::path(put, path = "/v1/kitchens/{id}/configuration", operation_id = "put_kitchen_configuration", tag = "operation", params(("id" = protocol::Id, Path, description = "The kitchen's id."), ("If-Match" = Option<String>, Header, description = "The version that is replaced: refused when somebody else was first.", pattern = "^\"?[0-9]+\"?$")), request_body = Document, responses((status = 200, body = ConfigurationView), (status = 400, description = "bad-query"), (status = 404, description = "unknown-kitchen"), (status = 412, description = "version-changed")))]
pub async fn put_for(
    State(backend): State<Backend>,
    Operator(_): Operator,
    Id(id): Id,
    headers: HeaderMap,
    Json(document): Json<Document>,
) -> Result<Response, Problem> {
    find(&backend, &id).await?;
    replace(&backend, id.as_str(), &headers, document).await
}

async fn stored(backend: &Backend, kitchen: &str) -> Result<Response, Problem> {
    let stored = backend.store().configuration(kitchen).await?;
    Ok(view(stored.version, stored.document))
}

async fn replace(
    backend: &Backend,
    kitchen: &str,
    headers: &HeaderMap,
    document: Document,
) -> Result<Response, Problem> {
    let expected = expected(headers)?;
    let (name, copy, wall) = (kitchen.to_owned(), document.clone(), wall_ms());
    match backend
        .store()
        .write(move |c| Box::pin(async move { store::put_configuration(c, &name, &copy, expected, wall).await }))
        .await?
    {
        Ok(version) => {
            // Kitchens that wait are told at once.
            backend.refresh().await?;
            Ok(view(version, document))
        }
        Err(present) => {
            let detail = format!("it is at version {present} now: read it, and decide anew");
            Err(Problem::new(Kind::VersionChanged, detail).with("version", present))
        }
    }
}

fn expected(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let Some(value) = headers.get(header::IF_MATCH) else { return Ok(None) };
    let version = value.to_str().ok().and_then(|text| text.trim().trim_matches('"').parse().ok());
    version.map(Some).ok_or_else(|| Problem::new(Kind::BadQuery, "if-match is a version, as the etag shows it"))
}

fn view(version: u64, document: Document) -> Response {
    let mut response = JsonBody(ConfigurationView { version, document }).into_response();
    if let Ok(etag) = HeaderValue::from_str(&format!("\"{version}\"")) {
        response.headers_mut().insert(header::ETAG, etag);
    }
    response
}
