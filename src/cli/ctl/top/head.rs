//! The two lines above every pane: how the kitchen is, who is in charge, what is open, what comes out.

use ratatui::text::{Line, Span};
use serde_json::Value;

use super::super::text;
use super::paint::Tone;
use super::screen::Screen;

/// Both lines.
pub fn lines(screen: &Screen) -> Vec<Line<'static>> {
    vec![standing(screen), figures(screen)]
}

/// A stage's name, with how many of its executors are up.
pub fn stage(screen: &Screen, name: &str, stage: &str) -> String {
    let capacity = &screen.seen.kitchen["capacity"][stage];
    format!("{name} {}/{}", text(capacity, "/up"), text(capacity, "/of"))
}

fn standing(screen: &Screen) -> Line<'static> {
    let (kitchen, cluster) = (&screen.seen.kitchen, &screen.seen.cluster);
    let tone = match kitchen["state"].as_str() {
        Some("NORMAL") => Tone::Good,
        Some("OUT_OF_ORDER") => Tone::Bad,
        _ => Tone::Warning,
    };
    let charge = match kitchen["in_charge"]["node"].as_u64().filter(|_| cluster["leader"].is_u64()) {
        Some(node) => Span::styled(format!("  node {node} in charge"), screen.style(Tone::Plain)),
        None => Span::styled("  NOBODY IN CHARGE", screen.style(Tone::Bad)),
    };
    let questions = match kitchen["open_incidents"].as_u64().unwrap_or(0) {
        0 => String::new(),
        1 => "  1 question waits for an answer".to_owned(),
        count => format!("  {count} questions wait for an answer"),
    };
    let held = kitchen["held_zones"].as_array().is_some_and(|zones| !zones.is_empty());
    Line::from(vec![
        Span::styled(format!(" {} ", text(kitchen, "/kitchen")), screen.style(Tone::Head)),
        Span::styled(text(kitchen, "/status"), screen.style(tone)),
        Span::styled(if held { "  HELD" } else { "" }, screen.style(Tone::Bad)),
        charge,
        Span::styled(questions, screen.style(Tone::Warning)),
    ])
}

fn figures(screen: &Screen) -> Line<'static> {
    let (kitchen, statistics) = (&screen.seen.kitchen, &screen.seen.statistics);
    let open = format!(" {} orders, {} pizzas", text(kitchen, "/open_orders"), text(kitchen, "/open_pizzas"));
    let count = |pointer: &str| statistics.pointer(pointer).and_then(Value::as_u64).unwrap_or(0);
    let broken = count("/promises/broken");
    let kept = format!("  promises: {} kept, ", count("/promises/kept"));
    let rate = &kitchen["rate"];
    let figure = |name: &str| rate[name].as_f64().unwrap_or(0.0);
    let rate = match rate.is_object() {
        true => format!(
            "  {:.0} of {:.0}/h ({:.0} %)",
            figure("pizzas_per_hour"),
            figure("limit_per_hour"),
            figure("efficiency_percent")
        ),
        false => "  a stage has no executor".to_owned(),
    };
    Line::from(vec![
        Span::styled(open, screen.style(Tone::Plain)),
        Span::styled(rate, screen.style(Tone::Plain)),
        Span::styled(kept, screen.style(Tone::Plain)),
        Span::styled(format!("{broken} broken"), screen.style(if broken > 0 { Tone::Warning } else { Tone::Plain })),
    ])
}
