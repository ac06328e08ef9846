//! Completes an OpenAPI description that was made from handlers: what the routes of an API have in common is added here, in one place.
//!
//! A handler names its problems by word, as in `(status = 409, description = "point-of-no-return")`; what any route of its shape may answer
//! comes from the API's conventions. Each status then has the problem document with exactly these types, an example of each, and the headers
//! that callers see. Nothing here knows which problems there are.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use utoipa::openapi::{ObjectBuilder, OpenApi, RefOr, Schema, Type};

use super::TYPE_PREFIX;

/// A kind of problem, as callers meet it.
#[derive(Clone, Copy, Debug)]
pub struct ProblemKind {
    /// HTTP status, last part of the type, and title.
    pub spec: (u16, &'static str, &'static str),
    /// When it is answered.
    pub when: &'static str,
}

/// What is known of a route from its description.
#[derive(Debug)]
pub struct Shape {
    /// Its path, with `{id}` where an id is.
    pub path: String,
    /// GET: it changes nothing.
    pub is_read: bool,
    /// It takes a body.
    pub has_body: bool,
    /// Anybody may ask, without a token.
    pub is_open: bool,
    parameters: BTreeSet<(String, String)>,
}

/// A header of answers: its name, whether those of a shape with a status have it, and its OpenAPI header object.
pub type Header = (&'static str, fn(&Shape, u16) -> bool, Value);

/// What the routes of one API have in common.
pub struct Conventions {
    /// Every kind of problem.
    pub problems: Vec<ProblemKind>,
    /// Those that any route of this shape may answer, by word.
    pub shared: fn(&Shape) -> Vec<&'static str>,
    /// Headers of answers.
    pub headers: Vec<Header>,
    /// What every request of this shape may come with: OpenAPI parameter objects.
    pub parameters: fn(&Shape) -> Vec<Value>,
}

impl Shape {
    fn of(path: &str, method: &str, operation: &Value) -> Self {
        let text = |parameter: &Value, name: &str| parameter[name].as_str().unwrap_or_default().to_owned();
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        Self {
            path: path.to_owned(),
            is_read: method == "get",
            has_body: operation.get("requestBody").is_some(),
            is_open: operation["security"] == json!([{}]),
            parameters: parameters.map(|p| (text(p, "in"), text(p, "name"))).collect(),
        }
    }

    /// It takes options in its query.
    pub fn has_query(&self) -> bool {
        self.parameters.iter().any(|(place, _)| place == "query")
    }

    /// It takes this parameter: in `path`, `query` or `header`.
    pub fn takes(&self, place: &str, name: &str) -> bool {
        self.parameters.contains(&(place.to_owned(), name.to_owned()))
    }
}

/// The description with all that its routes have in common. Panics when a handler names a problem that there is not: a test of each API
/// makes its description.
pub fn complete(description: &OpenApi, conventions: &Conventions) -> Value {
    let mut description = serde_json::to_value(description).expect("a description is JSON");
    for (path, item) in description["paths"].as_object_mut().into_iter().flatten() {
        for (method, operation) in item.as_object_mut().into_iter().flatten() {
            add_parameters(operation, (conventions.parameters)(&Shape::of(path, method, operation)));
            let shape = Shape::of(path, method, operation);
            say_what_it_does(operation);
            take_missing_body(operation);
            take_missing_parameters(operation);
            add_problems(operation, &shape, conventions);
            add_headers(operation, &shape, conventions);
        }
    }
    say_how_large_numbers_are(&mut description);
    share_refusals(&mut description);
    leave_out_the_unnamed_licence(&mut description);
    let components = &mut description["components"];
    components["schemas"]["Problem"] = problem_schema();
    components["examples"] = conventions.problems.iter().map(|kind| (kind.spec.1.to_owned(), example(kind))).collect();
    components["headers"] =
        conventions.headers.iter().map(|(n, _, header)| ((*n).to_owned(), header.clone())).collect();
    description
}

fn add_parameters(operation: &mut Value, parameters: Vec<Value>) {
    if !parameters.is_empty() {
        let all = operation["parameters"].as_array().cloned().unwrap_or_default();
        operation["parameters"] = all.into_iter().chain(parameters).collect();
    }
}

/// Handlers' comments begin with method and path, for readers of the code; a description says them anyway.
fn say_what_it_does(operation: &mut Value) {
    let Some(summary) = operation["summary"].as_str() else { return };
    let Some((_, said)) = summary.strip_prefix('`').and_then(|rest| rest.split_once("`: ")) else { return };
    let said = said.trim_end_matches('.');
    let (first, rest) = said.split_at(said.chars().next().map_or(0, char::len_utf8));
    operation["summary"] = format!("{}{rest}", first.to_uppercase()).into();
}

/// A body that may be missing may still not be `null`.
fn take_missing_body(operation: &mut Value) {
    let contents = operation.pointer_mut("/requestBody/content").and_then(Value::as_object_mut);
    for (_, content) in contents.into_iter().flatten() {
        let present = content["schema"]["oneOf"].as_array().and_then(|of| of.iter().find(|s| s["type"] != "null"));
        if let Some(present) = present.cloned() {
            content["schema"] = present;
        }
    }
}

/// A parameter that may be missing may still not be `null`: all of them are text.
fn take_missing_parameters(operation: &mut Value) {
    let parameters = operation.pointer_mut("/parameters").and_then(Value::as_array_mut);
    for parameter in parameters.into_iter().flatten() {
        if let Some([present, _]) = parameter["schema"]["type"].as_array().map(Vec::as_slice) {
            parameter["schema"]["type"] = present.clone();
        }
        let of =
            parameter["schema"]["oneOf"].as_array().and_then(|of| of.iter().find(|s| s["type"] != "null")).cloned();
        if let Some(present) = of {
            parameter["schema"] = present;
        }
    }
}

fn add_problems(operation: &mut Value, shape: &Shape, conventions: &Conventions) {
    let mut words: BTreeSet<String> = (conventions.shared)(shape).into_iter().map(ToOwned::to_owned).collect();
    let responses = operation["responses"].as_object_mut().expect("every handler names its answers");
    let is_named_only = |status: &str, response: &Value| status >= "400" && response.get("content").is_none();
    responses.retain(|status, response| {
        let named = is_named_only(status, response);
        if named {
            words.extend(response["description"].as_str().unwrap_or_default().split(", ").map(ToOwned::to_owned));
        }
        !named
    });
    let mut by_status: BTreeMap<u16, Vec<&ProblemKind>> = BTreeMap::new();
    for word in &words {
        let kind = conventions.problems.iter().find(|kind| kind.spec.1 == word);
        let kind = kind.unwrap_or_else(|| panic!("{} names the problem {word:?}, which is none", shape.path));
        by_status.entry(kind.spec.0).or_default().push(kind);
    }
    for (status, kinds) in by_status {
        let response = responses.entry(status.to_string()).or_insert_with(|| json!({ "description": "" }));
        add_problem_document(response, status, &kinds);
    }
    for (status, response) in responses {
        if response["description"] == "" {
            response["description"] = if status == "201" { "It is there now." } else { "As asked." }.into();
        }
    }
}

fn add_problem_document(response: &mut Value, status: u16, kinds: &[&ProblemKind]) {
    let lines = kinds.iter().map(|kind| format!("`{}`: {}", kind.spec.1, kind.when));
    let before = response["description"].as_str().filter(|text| !text.is_empty()).map(ToOwned::to_owned);
    response["description"] = before.into_iter().chain(lines).collect::<Vec<_>>().join("\n\n").into();
    let types: Vec<String> = kinds.iter().map(|kind| format!("{TYPE_PREFIX}{}", kind.spec.1)).collect();
    let reference = |kind: &&ProblemKind| {
        let word = kind.spec.1;
        (word.to_owned(), json!({ "$ref": format!("#/components/examples/{word}") }))
    };
    response["content"]["application/problem+json"] = json!({
        "schema": {
            "allOf": [
                { "$ref": "#/components/schemas/Problem" },
                { "type": "object", "properties": { "type": { "enum": types }, "status": { "const": status } } },
            ],
        },
        "examples": kinds.iter().map(reference).collect::<Map<_, _>>(),
    });
}

fn add_headers(operation: &mut Value, shape: &Shape, conventions: &Conventions) {
    for (status, response) in operation["responses"].as_object_mut().into_iter().flatten() {
        let status = status.parse().unwrap_or_default();
        for (name, _, _) in conventions.headers.iter().filter(|(_, has, _)| has(shape, status)) {
            response["headers"][*name] = json!({ "$ref": format!("#/components/headers/{name}") });
        }
    }
}

/// What is made of `u64` and `usize` says that it is signed, or nothing of its limit.
fn say_how_large_numbers_are(schema: &mut Value) {
    if let Value::Object(members) = schema {
        let is_whole = members.get("type").is_some_and(|t| t == "integer" || t[0] == "integer");
        if is_whole && members.get("minimum") == Some(&json!(0)) && !members.contains_key("maximum") {
            let is_32 = members.get("format") == Some(&json!("int32"));
            let (format, maximum) = if is_32 { ("uint32", u64::from(u32::MAX)) } else { ("uint64", u64::MAX) };
            members.extend([("format".to_owned(), format.into()), ("maximum".to_owned(), maximum.into())]);
        }
        members.values_mut().for_each(say_how_large_numbers_are);
    } else if let Value::Array(items) = schema {
        items.iter_mut().for_each(say_how_large_numbers_are);
    }
}

/// Routes of one shape refuse in the same ways: what is only a problem, and the same at several, is described once.
fn share_refusals(description: &mut Value) {
    let mut shared: Map<String, Value> = Map::new();
    for (_, item) in description["paths"].as_object_mut().into_iter().flatten() {
        for (_, operation) in item.as_object_mut().into_iter().flatten() {
            for (status, response) in operation["responses"].as_object_mut().into_iter().flatten() {
                let problem = response.pointer("/content/application~1problem+json/examples");
                let Some(words) = problem.and_then(Value::as_object) else { continue };
                let name =
                    [status.as_str()].into_iter().chain(words.keys().map(String::as_str)).collect::<Vec<_>>().join(".");
                let is_alone = response["content"].as_object().is_some_and(|content| content.len() == 1);
                // Another one of this name has other headers.
                if is_alone && shared.get(&name).is_none_or(|known| known == response) {
                    let reference = json!({ "$ref": format!("#/components/responses/{name}") });
                    shared.insert(name, std::mem::replace(response, reference));
                }
            }
        }
    }
    description["components"]["responses"] = shared.into();
}

/// The program names none, and OpenAPI wants a licence to have a name.
fn leave_out_the_unnamed_licence(description: &mut Value) {
    if description["info"]["license"]["name"] == "" {
        description["info"].as_object_mut().map(|info| info.remove("license"));
    }
}

/// The schema of a message of a stream whose `data` is one JSON document, which is a component by this name.
pub fn stream_message(component: impl AsRef<str>, what_id_is: &str) -> RefOr<Schema> {
    let text = || ObjectBuilder::new().schema_type(Type::String);
    let data = text().description(Some(format!("The JSON of one `{}`.", component.as_ref())));
    let data = data.content_media_type("application/json");
    let message = ObjectBuilder::new().schema_type(Type::Object).property("id", text().description(Some(what_id_is)));
    let message = message.property("event", text().description(Some("`message`, or what its name says.")));
    message.property("data", data).into()
}

fn problem_schema() -> Value {
    json!({
        "type": "object",
        "description": "A problem document (RFC 9457). Some types have members of their own.",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": { "type": "string", "pattern": format!("^{TYPE_PREFIX}[a-z-]+$"), "description": "Stable: programs decide by it." },
            "title": { "type": "string", "description": "The type, in words." },
            "status": { "type": "integer", "description": "The answer's HTTP status." },
            "detail": { "type": "string", "description": "For people: what is wrong, and what to do." },
        },
    })
}

fn example(kind: &ProblemKind) -> Value {
    let (status, word, title) = kind.spec;
    let value =
        json!({ "type": format!("{TYPE_PREFIX}{word}"), "title": title, "status": status, "detail": kind.when });
    json!({ "summary": title, "value": value })
}
