//! Answers are held against the description of their API: a status that is named there, the headers, and a body of its schema.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::collections::BTreeMap;

use jsonschema::{Draft, Registry, Resource, Validator};
use serde_json::{Value, json};

/// A description as its golden file has it, with a validator for each JSON body of each answer.
pub struct Description {
    pub document: Value,
    validators: BTreeMap<String, Validator>,
}

/// What a test got: status, headers by lower-case name, and text.
pub struct Got<'a> {
    pub status: u16,
    pub headers: &'a reqwest::header::HeaderMap,
    pub text: &'a str,
}

impl Description {
    /// Reads a golden file.
    pub fn read(golden: &str) -> Self {
        let document: Value = serde_json::from_str(&std::fs::read_to_string(golden).unwrap()).unwrap();
        let validators = schemas(&document).into_iter().map(|(name, at)| (name, validator(&document, &at))).collect();
        Self { document, validators }
    }

    /// The answer keeps to the description: a status that is named there, the headers, and a body of its schema.
    #[track_caller]
    pub fn check(&self, method: &str, path: &str, got: &Got) {
        let Self { document, validators } = self;
        let (method, status) = (method.to_lowercase(), got.status);
        let Some(described) = described_path(document, path) else {
            assert!(status == 404 || status == 204, "{method} {path}: {status} for a path that is not described");
            return;
        };
        let operation = &document["paths"][&described][&method];
        if operation.is_null() {
            let fine = matches!(status, 405) || matches!(method.as_str(), "head" | "options");
            assert!(fine, "{method} {path}: {status} for a method that is not described");
            return;
        }
        let response = resolved(document, &operation["responses"][status.to_string()]);
        assert!(!response.is_null(), "{method} {described}: {status} is not described: {}", got.text);
        for (name, header) in response["headers"].as_object().into_iter().flatten() {
            let is_optional = resolved(document, header)["required"] != true;
            assert!(is_optional || got.headers.contains_key(name), "{method} {described}: {status} lacks {name}");
        }
        let Some(media) = got.headers.get("content-type").map(|v| v.to_str().unwrap()) else { return };
        if got.text.is_empty() && response["content"].is_null() {
            return;
        }
        let media = media.split(';').next().unwrap();
        let name = format!("{method} {described} {status} {media}");
        assert!(!response["content"][media].is_null(), "{name}: the media type is not described");
        if media.ends_with("json") {
            let body: Value = serde_json::from_str(got.text).unwrap();
            let faults: Vec<String> =
                validators[&name].iter_errors(&body).map(|e| format!("{}: {e}", e.instance_path())).collect();
            assert!(faults.is_empty(), "{name}: {faults:#?} in {body:#}");
        }
    }
}

/// Compares what is served with the golden file, or writes it anew with `UPDATE_GOLDEN=1`.
#[track_caller]
pub fn is_golden(text: &str, golden: &str) {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(golden, text).unwrap();
    }
    assert!(text == std::fs::read_to_string(golden).unwrap(), "UPDATE_GOLDEN=1 writes {golden} anew");
    let document: Value = serde_json::from_str(text).unwrap();
    assert_eq!(document["openapi"].as_str().map(|v| &v[..3]), Some("3.1"));
}

/// Where each schema of an answer is, by method, path, status and media type.
fn schemas(document: &Value) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for (path, method, operation) in operations(document) {
        for (status, response) in operation["responses"].as_object().unwrap() {
            let at = match response["$ref"].as_str() {
                Some(shared) => shared.to_owned(),
                None => format!("#/paths/{}", [&path, &method, "responses", status].map(escape).join("/")),
            };
            let content = resolved(document, response)["content"].as_object().into_iter().flatten();
            for media in content.map(|(media, _)| media).filter(|media| media.ends_with("json")) {
                let at = format!("{at}/content/{}/schema", escape(media));
                found.insert(format!("{method} {path} {status} {media}"), at);
            }
        }
    }
    found
}

/// What a reference leads to, or the thing itself.
pub fn resolved<'a>(document: &'a Value, thing: &'a Value) -> &'a Value {
    thing["$ref"].as_str().map_or(thing, |at| document.pointer(&at[1..]).unwrap())
}

fn escape(part: &str) -> String {
    part.replace('~', "~0").replace('/', "~1").replace('{', "%7B").replace('}', "%7D")
}

/// A schema of the document, which refers to others there.
pub fn validator(document: &Value, at: &str) -> Validator {
    let whole = Registry::new().add("urn:api", Resource::from_contents(document.clone())).unwrap().prepare().unwrap();
    let options = jsonschema::options().with_draft(Draft::Draft202012).with_registry(&whole);
    options.build(&json!({ "$ref": format!("urn:api{at}") })).unwrap_or_else(|e| panic!("{at}: {e}"))
}

/// Path, method and operation.
pub fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().unwrap().iter();
    let each = paths.flat_map(|(path, item)| {
        item.as_object().unwrap().iter().map(|(method, operation)| (path.clone(), method.clone(), operation.clone()))
    });
    each.collect()
}

/// The path of the description that a request's path is one of; a word goes before `{id}`.
fn described_path(document: &Value, path: &str) -> Option<String> {
    let asked: Vec<&str> = path.split('/').collect();
    let matches = |described: &str| {
        let parts: Vec<&str> = described.split('/').collect();
        parts.len() == asked.len() && parts.iter().zip(&asked).all(|(d, a)| d == a || (*d == "{id}" && !a.is_empty()))
    };
    let paths = document["paths"].as_object().unwrap().keys();
    paths.filter(|described| matches(described)).min_by_key(|described| described.matches('{').count()).cloned()
}

/// Every operation has a name of its own, a summary and an answer; references lead somewhere; examples keep to their schemas.
pub fn check_document(document: &Value) {
    let mut names = std::collections::BTreeSet::new();
    for (path, method, operation) in operations(document) {
        let name = operation["operationId"].as_str().unwrap_or_default().to_owned();
        assert!(!name.is_empty() && names.insert(name), "{method} {path} has no name of its own");
        let summary = operation["summary"].as_str().unwrap_or_default();
        assert!(!summary.is_empty() && !summary.starts_with('`'), "{method} {path}: {summary:?}");
        assert!(
            operation["responses"].as_object().is_some_and(|r| r.keys().any(|status| status.as_str() < "400")),
            "{method} {path}"
        );
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            assert!(parameter["description"].is_string(), "{method} {path}: {parameter}");
        }
    }
    check_references(document, document);
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        for example in schema["examples"].as_array().into_iter().flatten() {
            let validator = validator(document, &format!("#/components/schemas/{name}"));
            validator.validate(example).unwrap_or_else(|e| panic!("{name}: {e} in {example}"));
        }
    }
}

/// Whatever is referred to is there.
fn check_references(document: &Value, part: &Value) {
    match part {
        Value::Object(members) => {
            if let Some(at) = members.get("$ref").and_then(Value::as_str) {
                assert!(document.pointer(&at[1..]).is_some(), "{at} leads nowhere");
            }
            members.values().for_each(|part| check_references(document, part));
        }
        Value::Array(items) => items.iter().for_each(|part| check_references(document, part)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
