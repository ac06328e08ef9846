//! The person in the kitchen: looks, takes away what lies where it should not, and answers the questions truly.

use std::time::Duration;

use brigade::history::{DeviceFact, History};
use brigade::mqtt::{Client, Event, Options, Publication, Qos};
use reqwest::Method;
use serde_json::{Value, json};

use super::api::Api;
use super::site::KITCHEN;

/// How long a broker may take.
const LIMIT: Duration = Duration::from_secs(2);

/// Answers every open question. A question whose place could not be cleared waits for the next look.
pub async fn answer_questions(api: &Api, brokers: &[String], history: impl Fn() -> History) {
    let open = api.get_any("/v1/incidents?open=true").await.unwrap_or_default();
    for incident in open["items"].as_array().into_iter().flatten() {
        let (place, decision) = match incident["kind"].as_str() {
            Some("clear_lane") => (named_place(incident), "lane_clear"),
            Some("where_is_pizza") => (incident["pizza"].as_str().and_then(|p| place_of(&history(), p)), "pizza_gone"),
            Some("item_fails") => (None, "retry"),
            Some("judge_pizza") => (None, "good"),
            Some("remove_from_counter" | "obeys_another_controller" | "twin_devices") => (None, "resolved"),
            _ => continue,
        };
        let is_clear = match place {
            Some(place) => clear(brokers, place).await,
            None => true,
        };
        if is_clear {
            decide(api, incident, decision).await;
        }
    }
}

async fn decide(api: &Api, incident: &Value, decision: &str) {
    let body = json!({ "decision": decision, "actor": "cook", "reason": "looked" });
    let path = format!("/v1/incidents/{}/decision", incident["id"]);
    for node in api.nodes() {
        if api.send(Method::POST, node, &path, &body).await.status == 200 {
            return;
        }
    }
}

/// A device and a lane of it.
type Place = (String, u64);

fn named_place(incident: &Value) -> Option<Place> {
    Some((incident["device"].as_str()?.to_owned(), incident["lane"].as_u64()?))
}

/// Where a pizza lies, by what devices did with it.
fn place_of(history: &History, pizza: &str) -> Option<Place> {
    let moves = |fact: &DeviceFact| match fact.event.as_str() {
        "started" if fact.op.as_deref() == Some("prep") => Some(Some((fact.device.clone(), 0))),
        "picked" => Some(Some((fact.device.clone(), 0))),
        "placed" => Some(Some((fact.oven.clone()?, u64::from(fact.slot?)))),
        "packed" | "discarded" | "cleared" => Some(None),
        _ => None,
    };
    let its = history.devices().filter(|(_, fact)| fact.pizza.as_deref() == Some(pizza));
    its.filter_map(|(_, fact)| moves(fact)).last().flatten()
}

/// Takes away what lies there, in the simulated world. False if nobody could be told.
async fn clear(brokers: &[String], (device, lane): Place) -> bool {
    // Named as a slot, a gripper is the same place to the world.
    let deed = json!({ "ev": "discarded", "device": "cook", "oven": device, "slot": lane });
    for broker in brokers {
        if tokio::time::timeout(LIMIT, say(broker, &deed)).await.unwrap_or(false) {
            return true;
        }
    }
    false
}

async fn say(broker: &str, deed: &Value) -> bool {
    let Ok(mut client) = Client::connect(Options::new(broker, format!("cook-{:x}", std::process::id()))) else {
        return false;
    };
    while let Some(event) = client.events.next().await {
        match event {
            Event::Connected { .. } => break,
            Event::Ended(_) => return false,
            Event::Subscribed | Event::Message(_) => {}
        }
    }
    let topic = format!("brigade-sim/v1/{KITCHEN}/world");
    let said = client.publisher.publish_acknowledged(Publication::new(topic, deed.to_string(), Qos::AtLeastOnce)).await;
    client.close(LIMIT).await;
    said.is_ok()
}
