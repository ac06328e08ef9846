//! The contract in prose keeps to the code: its examples are read, written, and compared with a golden file.

use brigade::protocol::exchange::{ExchangeAnswer, ExchangeRequest};
use serde_json::Value;

fn examples() -> Vec<Value> {
    let docs = include_str!("../../docs/backend-protocol.md");
    let blocks = docs.split("```json").skip(1).map(|rest| rest.split("```").next().unwrap());
    blocks.map(|block| serde_json::from_str(block).expect("an example is JSON")).collect()
}

/// Every member of the one is in the other, with the same value.
fn is_within(part: &Value, whole: &Value) -> bool {
    match (part, whole) {
        (Value::Object(part), Value::Object(whole)) => {
            part.iter().all(|(name, value)| whole.get(name).is_some_and(|w| is_within(value, w)))
        }
        (Value::Array(part), Value::Array(whole)) => {
            part.len() == whole.len() && part.iter().zip(whole).all(|(p, w)| is_within(p, w))
        }
        (part, whole) => part == whole,
    }
}

#[test]
fn the_examples_of_the_documentation_are_what_the_code_reads_and_writes() {
    let [request, answer] = <[Value; 2]>::try_from(examples()).expect("a request and an answer");
    let read: ExchangeRequest = serde_json::from_value(request.clone()).unwrap();
    let read_answer: ExchangeAnswer = serde_json::from_value(answer.clone()).unwrap();
    let written = serde_json::json!({ "request": read, "answer": read_answer });
    // No member of an example is one that the code does not know.
    assert!(is_within(&request, &written["request"]), "{written:#}");
    assert!(is_within(&answer, &written["answer"]), "{written:#}");
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/backend_exchange.json");
    let text = format!("{written:#}\n");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, &text).unwrap();
    }
    assert_eq!(text, std::fs::read_to_string(path).unwrap(), "UPDATE_GOLDEN=1 writes {path} anew");
}
