//! What clients, kitchens, operators and monitoring see: JSON over HTTP; errors are RFC 9457 problems; `/openapi.json` describes it.
//!
//! Routes and their description are one list, so that neither has what the other lacks. Handlers translate and decide nothing.

mod describe;
mod edge;
mod escalations;
mod exchange;
mod extract;
mod follow;
mod health;
mod kitchens;
mod list;
mod logs;
mod orders;
mod page;
pub mod problems;
mod settings;
mod views;

use axum::extract::DefaultBodyLimit;
use axum::{Router, middleware};
use utoipa::OpenApi;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Backend;
use problems::{Kind, Problem};

/// The largest body, in bytes: an exchange with the most outcomes and log lines of usual size.
const BODY_MAX: usize = 2 << 20;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Brigade: the main backend",
        description = "Takes orders from clients, and gives each to the kitchen that suits it best. Errors are RFC 9457 problems."
    ),
    tags(
        (name = "orders", description = "For clients."),
        (name = "kitchens", description = "The pool of kitchens: for operators, and the exchange for kitchens."),
        (name = "operation", description = "Configuration, logs, escalations, health.")
    ),
    security(("token" = []))
)]
struct Description;

impl Backend {
    /// All routes.
    pub fn router(&self) -> Router {
        let (router, mut description) = described().split_for_parts();
        let components = description.components.get_or_insert_with(Default::default);
        components.add_security_scheme("token", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
        let json = describe::text(&description);
        router
            .route("/openapi.json", axum::routing::get(move || health::openapi(json.clone())))
            .fallback(unknown_route)
            .method_not_allowed_fallback(method_not_allowed)
            .layer(DefaultBodyLimit::max(BODY_MAX))
            .layer(middleware::from_fn_with_state(self.clone(), edge::edge))
            .with_state(self.clone())
    }
}

fn described() -> OpenApiRouter<Backend> {
    OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(orders::place, orders::show, orders::withdraw))
        .routes(routes!(orders::create, list::list))
        .routes(routes!(orders::cancel))
        .routes(routes!(orders::history))
        .routes(routes!(orders::decide))
        .routes(routes!(follow::events))
        .routes(routes!(orders::quote))
        .routes(routes!(kitchens::menu))
        .routes(routes!(kitchens::list))
        .routes(routes!(kitchens::put, kitchens::show, kitchens::retire))
        .routes(routes!(kitchens::renew_token))
        .routes(routes!(exchange::exchange))
        .routes(routes!(settings::show, settings::put))
        .routes(routes!(settings::show_for, settings::put_for))
        .routes(routes!(logs::list))
        .routes(routes!(escalations::list))
        .routes(routes!(escalations::acknowledge))
        .routes(routes!(kitchens::statistics))
        .routes(routes!(health::livez))
        .routes(routes!(health::readyz))
        .routes(routes!(health::metrics))
        .routes(routes!(page::page))
        .routes(routes!(page::style))
}

async fn unknown_route() -> Problem {
    Problem::new(Kind::UnknownRoute, "see /openapi.json for the routes")
}

async fn method_not_allowed() -> Problem {
    Problem::new(Kind::MethodNotAllowed, "the header allow names the methods of this path")
}
