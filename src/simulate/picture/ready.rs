//! The lower chart: each order where it was ready, as high as it took, and where it would have had to be by its promise.

use crate::kitchen::Millis;

use super::super::result::{OrderResult, Outcome};
use super::{FAILED, LEFT, READY, Scale, clock, escaped, line, text};

const KEPT: &str = "#2f7d32";
const PROMISE: &str = "#7a7a7a";

/// Draws the chart below this height.
pub fn draw(outcome: &Outcome, scale: Scale, top: f64) -> String {
    let ready: Vec<(&OrderResult, Millis)> =
        outcome.order_results.iter().filter_map(|o| Some((o, o.ready_at?))).collect();
    let slowest = ready.iter().map(|(o, at)| at - o.placed_at).max().unwrap_or(0);
    let promises = ready.iter().map(|(o, _)| o.promised_at.saturating_sub(o.placed_at));
    // A promise that is far above all that happened would press the orders to the ground.
    let shown = promises.filter(|ms| *ms <= 3 * slowest).max().unwrap_or(0);
    let highest = (slowest.max(shown) * 11 / 10).max(60_000);
    let y = |ms: Millis| top + READY * (1.0 - ms as f64 / highest as f64);
    let mut drawn = text(LEFT, top - 8.0, "start", "font-weight=\"bold\"", &caption(outcome, ready.len()));
    let step = step_minutes(highest);
    for minute in (0..=highest / 60_000).step_by(step as usize) {
        let height = y(minute * 60_000);
        drawn += &line(LEFT, height, LEFT + scale.width, height, "#00000018");
        drawn += &text(LEFT - 8.0, height + 4.0, "end", "", &format!("{minute} min"));
    }
    for (order, ready_at) in ready {
        let x = scale.x(ready_at);
        let promised = order.promised_at.saturating_sub(order.placed_at);
        if promised <= highest {
            drawn += &line(x - 4.0, y(promised), x + 4.0, y(promised), PROMISE);
        }
        drawn += &point(order, ready_at, x, y(ready_at - order.placed_at));
    }
    drawn
}

fn caption(outcome: &Outcome, ready: usize) -> String {
    let (kept, all) = (outcome.promises_kept, outcome.orders);
    let never = if ready < all { format!(", {} never ready", all - ready) } else { String::new() };
    format!(
        "Minutes from an order's arrival until it is ready (green in time, red late, dash: promised): {kept} of {all} in time{never}"
    )
}

fn point(order: &OrderResult, ready_at: Millis, x: f64, y: f64) -> String {
    let colour = if ready_at <= order.promised_at { KEPT } else { FAILED };
    let (placed, pizzas) = (clock(order.placed_at), order.pizzas);
    let what =
        format!("placed {placed}, ready {}, {pizzas} pizzas, promised {}", clock(ready_at), clock(order.promised_at));
    format!(
        "<circle class=\"order\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.8\" fill=\"{colour}\" fill-opacity=\"0.75\">\
         <title>{}</title></circle>\n",
        escaped(&what)
    )
}

fn step_minutes(highest: Millis) -> u64 {
    let steps = [1, 2, 5, 10, 15, 30, 60, 120, 240, 480, 1_440];
    steps.into_iter().find(|step| highest / 60_000 / step <= 8).unwrap_or(10_080)
}
