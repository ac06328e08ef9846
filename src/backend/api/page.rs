//! The operator's page: one file with a little script, without outside resources. It asks for a token, and shows what the API shows.

use axum::http::header;
use axum::response::{Html, IntoResponse};

/// `GET /`: the page. It has no data; the script fetches it with the operator's token.
#[utoipa::path(get, path = "/", operation_id = "load_page", tag = "operation", security(()), responses((status = 200, body = String, content_type = "text/html")))]
pub async fn page() -> impl IntoResponse {
    // Everything from here, nothing from elsewhere: what a kitchen reports is shown as text and can't run.
    let policy =
        "default-src 'none'; style-src 'self'; script-src 'unsafe-inline'; connect-src 'self'; frame-ancestors 'none'";
    ([(header::CONTENT_SECURITY_POLICY, policy)], Html(include_str!("../../../assets/backend.html")))
}

/// `GET /brigade.css`: shared with the kitchen's page.
#[utoipa::path(get, path = "/brigade.css", operation_id = "load_style", tag = "operation", security(()), responses((status = 200, body = String, content_type = "text/css")))]
pub async fn style() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], include_str!("../../../assets/brigade.css"))
}
