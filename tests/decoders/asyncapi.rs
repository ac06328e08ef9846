//! docs/asyncapi.json and the code say the same of the device protocol: topics, quality of service, what is retained, sizes, and payloads.
//!
//! Payloads are compared by trying: each golden message with one member left out or of another type is valid by its schema exactly when the
//! decoder takes it. A firmware author may rely on either.

use std::collections::BTreeSet;

use brigade::protocol::{
    AllCmd, Cmd, Conn, Facts, Heartbeat, Id, Leader, Leaf, Lease, Message, Observation, Payload, State, Topic,
};
use jsonschema::{Draft, Registry, Resource, Validator};
use serde_json::{Value, json};

use crate::mqtt::golden_by_name;

fn document() -> Value {
    serde_json::from_str(include_str!("../../docs/asyncapi.json")).expect("the document is JSON")
}

/// The channel, the leaf that it is, and the most bytes that a receiver accepts.
const CHANNELS: [(&str, Leaf, usize); 9] = [
    ("conn", Leaf::Conn, Conn::BYTES_MAX),
    ("facts", Leaf::Facts, Facts::BYTES_MAX),
    ("state", Leaf::State, State::BYTES_MAX),
    ("hb", Leaf::Hb, Heartbeat::BYTES_MAX),
    ("obs", Leaf::Obs, Observation::BYTES_MAX),
    ("lease", Leaf::Lease, Lease::BYTES_MAX),
    ("cmd", Leaf::Cmd, Cmd::BYTES_MAX),
    ("all_cmd", Leaf::AllCmd, AllCmd::BYTES_MAX),
    ("leader", Leaf::Leader, Leader::BYTES_MAX),
];

/// The message of a channel, and its name.
fn message_of<'a>(document: &'a Value, channel: &str) -> (&'a str, &'a Value) {
    let messages = document["channels"][channel]["messages"].as_object().expect("a channel has messages");
    let (name, _) = messages.iter().next().expect("it has one");
    (name, &document["components"]["messages"][name])
}

fn validator(document: &Value, schema: &str) -> Validator {
    let registry = Registry::new().add("urn:protocol", Resource::from_contents(document.clone()));
    let registry = registry.expect("the document has a name").prepare().expect("its references lead somewhere");
    let options = jsonschema::options().with_draft(Draft::Draft7).with_registry(&registry);
    options.build(&json!({ "$ref": format!("urn:protocol{schema}") })).expect("the schema is one")
}

#[test]
fn every_topic_is_described_as_the_code_has_it() {
    let document = document();
    let (kitchen, device) = ("k1".parse::<Id>().unwrap(), "robot1".parse().unwrap());
    assert_eq!(document["channels"].as_object().map(serde_json::Map::len), Some(CHANNELS.len()));
    assert_eq!(document["operations"].as_object().map(serde_json::Map::len), Some(CHANNELS.len()));
    for (channel, leaf, bytes_max) in CHANNELS {
        let topic = match leaf {
            Leaf::AllCmd => Topic::All,
            Leaf::Leader => Topic::Leader,
            leaf => Topic::Device(std::clone::Clone::clone(&device), leaf),
        };
        let address = document["channels"][channel]["address"].as_str().unwrap();
        assert_eq!(address.replace("{kitchen}", "k1").replace("{device}", "robot1"), topic.name(&kitchen));
        let is_heard = Leaf::FROM_DEVICE.contains(&leaf);
        let (verb, action) = if is_heard { ("hear", "receive") } else { ("say", "send") };
        let operation = &document["operations"][format!("{verb}_{channel}")];
        assert_eq!(
            (&operation["action"], &operation["channel"]["$ref"]),
            (&json!(action), &json!(format!("#/channels/{channel}")))
        );
        let mqtt = &operation["bindings"]["mqtt"];
        assert_eq!((&mqtt["qos"], &mqtt["retain"]), (&json!(leaf.qos()), &json!(leaf.retain())), "{channel}");
        assert_eq!(message_of(&document, channel).1["x-bytes-max"], json!(bytes_max), "{channel}");
    }
}

#[test]
fn the_examples_are_the_golden_messages_and_keep_to_their_schemas() {
    let document = document();
    let golden = golden_by_name();
    let mut shown = BTreeSet::new();
    for (channel, leaf, _) in CHANNELS {
        let (name, message) = message_of(&document, channel);
        let validator = validator(&document, message["payload"]["$ref"].as_str().unwrap());
        for example in message["examples"].as_array().unwrap() {
            let (file, payload) = (example["name"].as_str().unwrap(), &example["payload"]);
            let (golden_leaf, bytes) = &golden[file];
            assert_eq!((*golden_leaf, &serde_json::from_slice::<Value>(bytes).unwrap()), (leaf, payload), "{file}");
            validator.validate(payload).unwrap_or_else(|e| panic!("{name}, {file}: {e}"));
            Message::decode(leaf, payload.to_string().as_bytes()).unwrap_or_else(|e| panic!("{name}, {file}: {e}"));
            shown.insert(file.to_owned());
        }
    }
    assert_eq!(shown, golden.into_keys().collect(), "every golden message is an example");
}

/// Where the decoder is more patient than the contract: what a firmware must say all the same, or what is nobody's to judge.
fn is_forgiven(pointer: &str) -> bool {
    // Measurements are for people; a percentage beyond 100 is a percentage.
    pointer.starts_with("/telem") || ["/conf", "/pct", "/temp_dc"].iter().any(|end| pointer.ends_with(end))
}

/// Every place in a value.
fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    let mut inside = |name: &str, value: &Value| {
        let at = format!("{at}/{name}");
        pointers(value, &at, found);
        found.push(at);
    };
    match value {
        Value::Object(members) => members.iter().for_each(|(name, value)| inside(name, value)),
        Value::Array(items) => items.iter().enumerate().for_each(|(n, value)| inside(&n.to_string(), value)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The value with one place changed, or left out.
fn changed(value: &Value, pointer: &str, to: Option<&Value>) -> Value {
    let mut value = value.clone();
    let (parent, name) = pointer.rsplit_once('/').expect("a place is in something");
    match (value.pointer_mut(parent).expect("it is there"), to) {
        (Value::Object(members), None) => drop(members.remove(name)),
        (Value::Object(members), Some(to)) => drop(members.insert(name.to_owned(), to.clone())),
        (Value::Array(items), None) => drop(items.remove(name.parse().expect("a number"))),
        (Value::Array(items), Some(to)) => items[name.parse::<usize>().expect("a number")] = to.clone(),
        (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_), _) => unreachable!("nothing is in it"),
    }
    value
}

#[test]
fn what_is_valid_by_the_schemas_is_what_the_decoders_take() {
    let document = document();
    let others =
        [json!(-1), json!(1.5), json!(7), json!("x y"), json!("x-y"), json!(true), json!([{}]), json!({ "a": 1 })];
    let (mut refused, mut taken) = (0, 0);
    for (channel, leaf, _) in CHANNELS {
        let message = message_of(&document, channel).1;
        let validator = validator(&document, message["payload"]["$ref"].as_str().unwrap());
        for example in message["examples"].as_array().unwrap() {
            let payload = &example["payload"];
            let mut places = Vec::new();
            pointers(payload, "", &mut places);
            for place in places.iter().filter(|place| !is_forgiven(place)) {
                for other in others.iter().map(Some).chain([None]) {
                    let value = changed(payload, place, other);
                    let (by_schema, decoded) =
                        (validator.is_valid(&value), Message::decode(leaf, value.to_string().as_bytes()));
                    assert_eq!(by_schema, decoded.is_ok(), "{}: {place} as {other:?}: {decoded:?}", example["name"]);
                    if by_schema { taken += 1 } else { refused += 1 }
                }
            }
        }
    }
    assert!(refused > 1_000 && taken > 300, "{refused} were refused and {taken} taken: that is too few to tell");
}
