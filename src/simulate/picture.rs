//! A picture of a run, as SVG: what every lane of every device did and when, and below it how long orders took until they were ready.
//!
//! Both share one time axis, so that a queue below can be seen in the devices above. Written by hand, without any library: a
//! picture is rectangles, lines and text. It has its own white ground, so that it can be read in dark viewers as well.

mod chart;
mod ready;

use crate::kitchen::Millis;
use crate::kitchen::report::Job;

use super::plan::Plan;
use super::result::Outcome;

/// Left of the axes: names.
const LEFT: f64 = 92.0;
/// Right of the axes.
const RIGHT: f64 = 24.0;
/// The title and the legend.
const TOP: f64 = 64.0;
/// One lane.
const ROW: f64 = 18.0;
/// Between the two charts, and below them: the labels of the time axis.
const AXIS: f64 = 44.0;
/// The chart of ready times.
const READY: f64 = 180.0;

/// Kinds of work, with their colour in the legend.
const COLOURS: [(&str, &str, &[Job]); 8] = [
    ("prep", "#4e79a7", &[Job::Prep]),
    ("load", "#a0cbe8", &[Job::Load]),
    ("bake", "#f28e2b", &[Job::Bake]),
    ("unload", "#8cd17d", &[Job::Unload]),
    ("finish", "#59a14f", &[Job::Finish]),
    ("shelf", "#edc948", &[Job::Shelve, Job::Fetch]),
    ("inspect", "#b07aa1", &[Job::InspectPrep, Job::InspectBake, Job::InspectFinish]),
    ("discard", "#4a4a4a", &[Job::Discard]),
];
/// What went wrong.
const FAILED: &str = "#d1001f";

/// Where moments are on the page.
#[derive(Clone, Copy)]
struct Scale {
    width: f64,
    until: Millis,
}

impl Scale {
    /// A minute has at least nine pixels, so that a transfer of eight seconds can be seen; a page of at most 24,000 pixels can be shown.
    fn of(outcome: &Outcome) -> Self {
        let ends = outcome.spans.iter().map(|s| s.until).chain(outcome.order_results.iter().filter_map(|o| o.ready_at));
        let until = ends.max().unwrap_or(0).max(60_000);
        let minutes = until as f64 / 60_000.0;
        Self { width: (minutes * 9.0).clamp(1_100.0, 24_000.0), until }
    }

    fn x(self, at: Millis) -> f64 {
        LEFT + self.width * at as f64 / self.until as f64
    }

    /// Whole minutes between two marks of the axis, so that labels do not touch.
    fn minutes_between_marks(self) -> u64 {
        let pixels_per_minute = self.width / (self.until as f64 / 60_000.0);
        let steps = [1, 2, 5, 10, 15, 30, 60, 120, 240, 480, 1_440];
        steps.into_iter().find(|step| *step as f64 * pixels_per_minute >= 60.0).unwrap_or(10_080)
    }
}

/// The picture of a run under a title.
pub fn svg(title: &str, plan: &Plan, outcome: &Outcome) -> String {
    let scale = Scale::of(outcome);
    let rows = chart::rows(plan);
    let chart_bottom = TOP + ROW * rows.len() as f64;
    let ready_top = chart_bottom + AXIS + 20.0;
    let (width, height) = (LEFT + scale.width + RIGHT, ready_top + READY + AXIS);
    let mut page = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
         viewBox=\"0 0 {width:.0} {height:.0}\" font-family=\"sans-serif\" font-size=\"11\" fill=\"#222222\">\n\
         <title>{}</title>\n<path class=\"ground\" d=\"M0 0H{width:.0}V{height:.0}H0Z\" fill=\"#ffffff\"/>\n",
        escaped(title)
    );
    page += &text(LEFT, 20.0, "start", "font-size=\"15\" font-weight=\"bold\"", title);
    page += &legend();
    page += &chart::draw(&rows, outcome, scale);
    page += &time_axis(scale, TOP, chart_bottom);
    page += &ready::draw(outcome, scale, ready_top);
    page += &time_axis(scale, ready_top, ready_top + READY);
    page + "</svg>\n"
}

fn legend() -> String {
    let mut x = LEFT;
    let mut drawn = String::new();
    for (name, colour, _) in COLOURS {
        drawn += &format!(
            "<path class=\"legend\" d=\"M{x:.0} 34h12v12h-12Z\" fill=\"{colour}\"/>\n{}",
            text(x + 17.0, 44.0, "start", "", name)
        );
        x += 84.0;
    }
    drawn + &cross(x, 34.0, x + 12.0, 46.0) + &text(x + 17.0, 44.0, "start", "", "cut short by a failure")
}

/// Marks every few minutes, as thin lines across a chart, with labels below it.
fn time_axis(scale: Scale, top: f64, bottom: f64) -> String {
    let step = scale.minutes_between_marks();
    let mut drawn = String::new();
    for minute in (0..=scale.until / 60_000).step_by(step as usize) {
        let x = scale.x(minute * 60_000);
        drawn += &line(x, top, x, bottom + 4.0, "#00000022");
        drawn += &text(x, bottom + 16.0, "middle", "", &minute.to_string());
    }
    drawn += &line(LEFT, bottom, LEFT + scale.width, bottom, "#666666");
    drawn + &text(LEFT + scale.width / 2.0, bottom + 32.0, "middle", "", "minutes from the start")
}

fn line(x1: f64, y1: f64, x2: f64, y2: f64, colour: &str) -> String {
    format!("<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"{colour}\"/>\n")
}

/// What is marked as gone wrong.
fn cross(x1: f64, y1: f64, x2: f64, y2: f64) -> String {
    let path = format!("M{x1:.1} {y1:.1}L{x2:.1} {y2:.1}M{x1:.1} {y2:.1}L{x2:.1} {y1:.1}");
    format!("<path class=\"failure\" d=\"{path}\" stroke=\"{FAILED}\" stroke-width=\"1.6\" fill=\"none\"/>\n")
}

fn text(x: f64, y: f64, anchor: &str, more: &str, content: &str) -> String {
    format!("<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" {more}>{}</text>\n", escaped(content))
}

/// Names come from outside: none of them may end a tag or an attribute.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe += "&amp;",
            '<' => safe += "&lt;",
            '>' => safe += "&gt;",
            '"' => safe += "&quot;",
            '\'' => safe += "&#39;",
            // XML can not hold the other control characters, however they are written.
            c if c.is_control() => safe.push(' '),
            c => safe.push(c),
        }
    }
    safe
}

/// Minutes and seconds.
fn clock(at: Millis) -> String {
    format!("{}:{:02}", at / 60_000, at / 1_000 % 60)
}

#[cfg(test)]
mod tests;
