//! The line: robots before the ovens, ovens, robots after them, and cameras, each with what it does.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::{items, text};
use super::paint::Tone;
use super::rows::left;
use super::screen::Screen;

/// One line of a column.
pub type Cell = (String, Tone);

/// The pizzas that are on the way, by their ids.
fn pizzas(screen: &Screen) -> BTreeMap<&str, &Value> {
    let orders = items(&screen.seen.orders).iter();
    let all = orders.flat_map(|order| order["pizzas"].as_array().into_iter().flatten());
    all.filter_map(|pizza| Some((pizza["id"].as_str()?, pizza))).collect()
}

fn of_kind<'a>(screen: &'a Screen, kind: &'a str) -> impl Iterator<Item = &'a Value> {
    items(&screen.seen.devices).iter().filter(move |device| device["kind"] == kind)
}

/// How a device's state looks.
pub fn tone(device: &Value) -> Tone {
    match device["state"].as_str().unwrap_or_default() {
        "BUSY" => Tone::Good,
        "IDLE" => Tone::Plain,
        "LOST" | "STUCK" => Tone::Bad,
        _ if device["up"] == true => Tone::Plain,
        _ => Tone::Warning,
    }
}

/// `bake 43.1.0`: what it is at.
pub fn work(lane: &Value) -> String {
    let attempt = lane["attempts"][0].as_str().unwrap_or_default();
    let task = attempt.split('#').next().unwrap_or_default();
    match (task.split_once('-'), lane["content"].as_str()) {
        (Some((pizza, job)), _) => format!("{job} {pizza}"),
        (None, Some(content)) => format!("has {content}"),
        (None, None) => String::new(),
    }
}

/// `oven1`, or `oven1/0` where it has several lanes.
fn name(device: &Value, lane: &Value, many: bool) -> String {
    if many { format!("{}/{}", text(device, "/id"), lane["lane"]) } else { text(device, "/id") }
}

/// Robots of a kind, or cameras: a line for each lane.
pub fn robots(screen: &Screen, kind: &str) -> Vec<Cell> {
    let of = |device: &Value| {
        let lanes = device["lanes"].as_array().cloned().unwrap_or_default();
        let many = lanes.len() > 1;
        let row = |lane: &Value| {
            let name = name(device, lane, many);
            let state = text(device, "/state");
            // What works shows its work, what does not shows why.
            let state = if state == "BUSY" { String::new() } else { format!("{state} ") };
            (format!("{name:<7} {state}{}", work(lane)), tone(device))
        };
        lanes.iter().map(row).collect::<Vec<_>>()
    };
    of_kind(screen, kind).flat_map(of).collect()
}

/// Oven slots, with how long until the pizza is baked, and then until it burns.
pub fn ovens(screen: &Screen) -> Vec<Cell> {
    let pizzas = pizzas(screen);
    let of = |oven: &Value| {
        let many = oven["lanes"].as_array().is_some_and(|lanes| lanes.len() > 1);
        let row = |lane: &Value| {
            let name = name(oven, lane, many);
            let inside = lane["content"].as_str();
            let (what, tone) = match inside.and_then(|id| pizzas.get(id)) {
                Some(pizza) => countdown(screen, pizza),
                None if oven["state"] == "IDLE" || oven["state"] == "BUSY" => (work(lane), Tone::Plain),
                None => (format!("{} {}", text(oven, "/state"), work(lane)), tone(oven)),
            };
            (format!("{name:<7} {what}"), tone)
        };
        oven["lanes"].as_array().into_iter().flatten().map(row).collect::<Vec<_>>()
    };
    of_kind(screen, "oven").flat_map(of).collect()
}

/// `43.1.0 bakes 12s`: so long until it is baked. `43.1.0 BURNS 20s`: so long until it is burnt.
fn countdown(screen: &Screen, pizza: &Value) -> Cell {
    let id = text(pizza, "/id");
    let baked = pizza["baked_in_ms"].as_i64().filter(|_| pizza["state"] == "BAKING");
    match (baked, pizza["burns_in_ms"].as_i64()) {
        (Some(ms), _) if ms <= screen.age_ms => (format!("{id} baked"), Tone::Warning),
        (Some(_), _) => (format!("{id} bakes {}", left(screen, pizza, "/baked_in_ms")), Tone::Good),
        (None, Some(_)) => (format!("{id} BURNS {}", left(screen, pizza, "/burns_in_ms")), Tone::Bad),
        (None, None) => (format!("{id} {}", text(pizza, "/state")), Tone::Good),
    }
}
