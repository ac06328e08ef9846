//! The upper chart: one row for each lane, one rectangle for each task.

use std::collections::BTreeMap;

use super::super::plan::Plan;
use super::super::result::{Outcome, Span};
use super::{COLOURS, FAILED, LEFT, ROW, Scale, TOP, clock, cross, escaped, line, text};

/// A lane of a device.
pub struct Row {
    device: String,
    lane: u8,
    name: String,
    is_first_of_kind: bool,
}

/// All lanes, also those that never did anything: what stands idle is what a planner looks for.
pub fn rows(plan: &Plan) -> Vec<Row> {
    let mut rows = Vec::new();
    for (prefix, _, count, lanes) in plan.line.devices() {
        for number in 1..=count {
            for lane in 0..lanes as u8 {
                let device = format!("{prefix}{number}");
                let name = if lanes == 1 { device.clone() } else { format!("{device}.{lane}") };
                rows.push(Row { device, lane, name, is_first_of_kind: number == 1 && lane == 0 });
            }
        }
    }
    rows
}

/// Draws the rows and everything that was done.
pub fn draw(rows: &[Row], outcome: &Outcome, scale: Scale) -> String {
    let mut drawn = String::new();
    let mut tops = BTreeMap::new();
    for (n, row) in rows.iter().enumerate() {
        let top = TOP + ROW * n as f64;
        tops.insert((row.device.as_str(), row.lane), top);
        drawn += &text(LEFT - 8.0, top + 13.0, "end", "", &row.name);
        let colour = if row.is_first_of_kind { "#666666" } else { "#00000018" };
        drawn += &line(LEFT, top, LEFT + scale.width, top, colour);
    }
    let at = |span: &Span| tops.get(&(span.device.as_str(), span.lane)).copied();
    drawn.extend(outcome.spans.iter().filter_map(|span| Some(rectangle(span, at(span)?, scale))));
    // Crosses last, or what the device did next would hide them.
    let failed = outcome.spans.iter().filter(|span| !span.how.is_empty());
    drawn.extend(failed.filter_map(|span| {
        let (top, x) = (at(span)?, scale.x(span.until));
        Some(cross(x - 5.0, top + 4.0, x + 5.0, top + ROW - 4.0))
    }));
    drawn
}

fn rectangle(span: &Span, top: f64, scale: Scale) -> String {
    let colour =
        COLOURS.iter().find(|(_, _, jobs)| jobs.contains(&span.job)).map_or("#999999", |(_, colour, _)| colour);
    let (left, right) = (scale.x(span.from), scale.x(span.until));
    // What took no time is still to be seen.
    let width = (right - left).max(0.8);
    let failed = !span.how.is_empty();
    // What is hardly wider than an edge has none, or nothing of its colour would be left.
    let edge = match (failed, width > 3.0) {
        (true, _) => FAILED,
        (false, true) => "#ffffff",
        (false, false) => "none",
    };
    let how = if failed { format!(", {}", span.how) } else { String::new() };
    let (job, pizza) = (span.job.as_str(), span.pizza);
    let what = format!("{}: {job} {pizza}, {} to {}{how}", span.device, clock(span.from), clock(span.until));
    format!(
        "<rect class=\"span\" x=\"{left:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"{:.1}\" fill=\"{colour}\" \
         stroke=\"{edge}\" stroke-width=\"0.5\"><title>{}</title></rect>\n",
        top + 2.0,
        ROW - 4.0,
        escaped(&what)
    )
}
