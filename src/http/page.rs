//! The page for people: static files that are built into the program, without outside resources. What it shows it reads from the API.
//!
//! Browsers keep the files and ask each time whether they are still the same: after an update nobody sees half an old page.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use utoipa::openapi::path::{HttpMethod, OperationBuilder, ParameterBuilder, ParameterIn, Paths};
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{ContentBuilder, Object, ResponseBuilder, Type};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Api, origin};

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";

/// One file as it is served.
#[derive(Clone, Copy, Debug)]
struct File {
    path: &'static str,
    kind: &'static str,
    text: &'static str,
}

const fn script(path: &'static str, text: &'static str) -> File {
    File { path, kind: JS, text }
}

const INDEX: File = File { path: "/", kind: HTML, text: include_str!("../../assets/kitchen.html") };

const FILES: [File; 14] = [
    File { path: "/brigade.css", kind: CSS, text: include_str!("../../assets/brigade.css") },
    File { path: "/kitchen.css", kind: CSS, text: include_str!("../../assets/kitchen.css") },
    script("/page/main.js", include_str!("../../assets/page/main.js")),
    script("/page/access.js", include_str!("../../assets/page/access.js")),
    script("/page/dom.js", include_str!("../../assets/page/dom.js")),
    script("/page/words.js", include_str!("../../assets/page/words.js")),
    script("/page/link.js", include_str!("../../assets/page/link.js")),
    script("/page/store.js", include_str!("../../assets/page/store.js")),
    script("/page/actions.js", include_str!("../../assets/page/actions.js")),
    script("/page/line.js", include_str!("../../assets/page/line.js")),
    script("/page/orders.js", include_str!("../../assets/page/orders.js")),
    script("/page/cluster.js", include_str!("../../assets/page/cluster.js")),
    script("/page/chart.js", include_str!("../../assets/page/chart.js")),
    script("/page/wall.js", include_str!("../../assets/page/wall.js")),
];

/// True for the path of the page or of one of its files. They hold no data: what they show they ask for with a token.
pub fn is_file(path: &str) -> bool {
    path == INDEX.path || FILES.iter().any(|file| file.path == path)
}

/// The page and its files.
pub fn routes() -> OpenApiRouter<Api> {
    FILES.into_iter().fold(OpenApiRouter::new().routes(routes!(index)), |router, file| {
        let handler = get(move |headers: HeaderMap| async move { serve(file, &headers) });
        router.routes((Vec::new(), described(file), handler))
    })
}

/// By hand, as the files have no handlers of their own.
fn described(file: File) -> Paths {
    let known = ParameterBuilder::new().name("If-None-Match").parameter_in(ParameterIn::Header);
    let known = known.schema(Some(Object::with_type(Type::String)));
    let media = file.kind.split(';').next().unwrap_or_default();
    let whole = ResponseBuilder::new().description("The file.").content(media, ContentBuilder::new().build());
    let operation = OperationBuilder::new()
        .operation_id(Some(format!("load{}", file.path.replace(['/', '.'], "_"))))
        .tag("page")
        // It holds no data: what it shows it asks for with a token.
        .security(SecurityRequirement::default())
        .summary(Some(format!("A file of the page: {}", file.path)))
        .parameter(known.description(Some("The etag of what the browser has.")))
        .response("200", whole)
        .response("304", ResponseBuilder::new().description("It is still the same."));
    let mut paths = Paths::new();
    paths.add_path_operation(file.path, vec![HttpMethod::Get], operation.build());
    paths
}

/// `GET /`: the page for people.
///
/// It may speak to the members of the kitchen and to nobody else.
#[utoipa::path(get, path = "/", operation_id = "load_page", tag = "page", security(()),
    params(("If-None-Match" = Option<String>, Header, description = "The etag of what the browser has.")),
    responses((status = 200, body = String, description = "The page.", content_type = "text/html"), (status = 304, description = "It is still the same.")))]
async fn index(State(api): State<Api>, headers: HeaderMap) -> Response {
    let members: Vec<String> = origin::addresses(&api).iter().map(|a| format!(" http://{a} https://{a}")).collect();
    let policy = format!(
        "default-src 'none'; img-src data:; style-src 'self'; script-src 'self'; connect-src 'self'{}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        members.concat()
    );
    ([(header::CONTENT_SECURITY_POLICY, policy)], serve(INDEX, &headers)).into_response()
}

fn serve(file: File, headers: &HeaderMap) -> Response {
    let tag = format!("\"{:08x}-{:x}\"", crc32fast::hash(file.text.as_bytes()), file.text.len());
    let known = headers.get(header::IF_NONE_MATCH).and_then(|known| known.to_str().ok());
    let head = [
        (header::CONTENT_TYPE, file.kind.to_owned()),
        (header::ETAG, tag.clone()),
        (header::CACHE_CONTROL, "no-cache".to_owned()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
    ];
    if known.is_some_and(|known| known.split(',').any(|one| one.trim().trim_start_matches("W/") == tag)) {
        return (StatusCode::NOT_MODIFIED, head).into_response();
    }
    (head, file.text).into_response()
}
