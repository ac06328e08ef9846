//! `brigade ctl status`.

use serde_json::Value;

use super::table::pairs;
use super::{Failure, Out, Session, span, text};

pub async fn run(session: &Session, out: Out<'_>) -> Result<(), Failure> {
    let answer = session.client.get("/v1/kitchen").await?;
    session.print(out, &answer, show)
}

/// `31 pizzas an hour of 64 (48 %); ovens bound it, one more gives 25 %`.
fn rate(k: &Value) -> String {
    let figure = |name: &str| k["rate"][name].as_f64().unwrap_or(0.0);
    match k["rate"].is_object() {
        true => format!(
            "{:.1} pizzas an hour of {:.1} ({:.0} %); {} bound it, one more gives {:.0} %",
            figure("pizzas_per_hour"),
            figure("limit_per_hour"),
            figure("efficiency_percent"),
            text(k, "/rate/bottleneck"),
            figure("one_more_gives_percent")
        ),
        false => "a stage has no executor".to_owned(),
    }
}

/// `its orders may be begun for 4 min 30 s; 0 outcomes wait for it`.
fn backend(k: &Value) -> String {
    let waiting = format!("{} outcomes wait for it", k["feed_waiting"]);
    match k["backend"]["lease_left_ms"].as_u64() {
        None => "-".to_owned(),
        Some(0) => format!("silent for so long that its orders are not begun; {waiting}"),
        Some(_) => format!("its orders may be begun for {}; {waiting}", span(k, "/backend/lease_left_ms")),
    }
}

fn show(k: &Value) -> String {
    let stage = |name: &str| {
        format!("{}/{}", text(k, &format!("/capacity/{name}/up")), text(k, &format!("/capacity/{name}/of")))
    };
    let capacity = ["prep", "bake", "finish", "inspect"].map(|name| format!("{name} {}", stage(name))).join(", ");
    let in_charge = match k["in_charge"].is_object() {
        true => format!(
            "node {}, epoch {}, for {}",
            k["in_charge"]["node"],
            k["in_charge"]["epoch"],
            span(k, "/in_charge/since_ms")
        ),
        false => "nobody".to_owned(),
    };
    let limit = match k["limit"].is_object() {
        true => format!(
            "{} queued pizzas take at least {} (bound by {})",
            k["limit"]["queued_pizzas"],
            span(k, "/limit/lower_bound_ms"),
            text(k, "/limit/bounded_by")
        ),
        false => "a stage has no executor".to_owned(),
    };
    let states = k["pizzas"].as_object().into_iter().flatten().map(|(state, count)| format!("{count} {state}"));
    let states = states.collect::<Vec<_>>().join(", ");
    let held = k["held_zones"].as_array().map_or(&[][..], Vec::as_slice);
    let held: Vec<&str> =
        held.iter().filter_map(Value::as_str).map(|z| if z.is_empty() { "the whole kitchen" } else { z }).collect();
    pairs(&[
        ("kitchen", text(k, "/kitchen")),
        ("status", text(k, "/status")),
        ("capacity", capacity),
        ("in charge", in_charge),
        ("orders", format!("{} open", k["open_orders"])),
        (
            "pizzas",
            format!("{} open{}", k["open_pizzas"], if states.is_empty() { states } else { format!(": {states}") }),
        ),
        ("limit", limit),
        ("rate", rate(k)),
        ("backend", backend(k)),
        ("held", if held.is_empty() { "-".to_owned() } else { held.join(", ") }),
        ("draining", text(k, "/draining")),
        ("incidents", format!("{} open", k["open_incidents"])),
    ])
}
