//! What the page shows, as JSON: spans count from now, so that no clock of a tablet matters.

use serde::Serialize;

use super::desk::{Desk, Light};
use super::station::{Reason, Station, reasons};
use crate::protocol::{Action, Millis, TaskStart, TaskState};

/// Who and where the desk is.
#[derive(Clone, Debug, Serialize)]
pub struct Whose {
    /// The device's id.
    pub device: String,
    /// The kitchen's name.
    pub kitchen: String,
    /// Where he stands.
    pub station: &'static str,
}

/// The desk.
#[derive(Debug, Serialize)]
pub struct View {
    /// The number of its last change: `after=` it waits for the next one.
    change: u64,
    #[serde(flatten)]
    whose: Whose,
    /// He takes work, by his last word.
    works: bool,
    /// He did not answer, and must say again that he works.
    unanswered: bool,
    /// How far the line reaches.
    light: Light,
    /// The kitchen holds him.
    held: bool,
    /// The pizza in his hands.
    hands: Option<String>,
    /// What became of the last thing.
    last: Option<String>,
    /// What he is asked, or does.
    task: Option<TaskView>,
}

/// What he is asked, or does.
#[derive(Debug, Serialize)]
struct TaskView {
    task: String,
    att: u32,
    act: String,
    pizza: String,
    recipe: Option<String>,
    from: String,
    to: String,
    state: TaskState,
    /// Until it expires, or until its watchdog ends it.
    ends_in_ms: Option<Millis>,
    /// How long it shall take.
    takes_ms: Option<Millis>,
    /// He is told to stop.
    stops: bool,
    /// How it can fail.
    reasons: &'static [Reason],
}

impl View {
    /// The desk at this moment.
    pub fn of(change: u64, desk: Desk, whose: Whose, now: Millis) -> Self {
        let task = desk.task.as_ref().map(|task| {
            let (order, ends) = (&task.order, task.ends_at.map(|at| at.saturating_sub(now)));
            TaskView::of(order, task.state, ends, desk.stops)
        });
        Self {
            change,
            whose,
            works: desk.presence.wants,
            unanswered: desk.presence.unanswered,
            light: desk.light,
            held: desk.is_held,
            hands: desk.hands.map(|pizza| pizza.to_string()),
            last: desk.last,
            task,
        }
    }
}

impl TaskView {
    fn of(order: &TaskStart, state: TaskState, ends_in_ms: Option<Millis>, stops: bool) -> Self {
        let action = order.act.known();
        let (from, to) = way(order, action);
        Self {
            task: order.attempt.id.to_string(),
            att: order.attempt.att,
            act: order.act.as_str().to_owned(),
            pizza: order.pizza.to_string(),
            recipe: order.params.recipe.as_ref().map(ToString::to_string),
            from,
            to,
            state,
            ends_in_ms,
            takes_ms: order.params.ms,
            stops,
            reasons: action.map_or(&[], reasons),
        }
    }
}

/// From where to where something goes; where nothing goes, what is looked at.
fn way(order: &TaskStart, action: Option<Action>) -> (String, String) {
    let params = &order.params;
    let slot = params.slot.map_or(String::new(), |slot| format!(", slot {slot}"));
    let oven = params.oven.as_ref().map(|oven| format!("{oven}{slot}"));
    let hands = || "your hands".to_owned();
    match action {
        Some(Action::Prep) => ("dough".to_owned(), hands()),
        Some(Action::Load) => (hands(), oven.unwrap_or_default()),
        Some(Action::Unload) => (oven.unwrap_or_default(), hands()),
        Some(Action::Finish) => (hands(), "the counter".to_owned()),
        Some(Action::Shelve) => {
            let shelf = params.shelf.as_ref().map_or("the shelf".to_owned(), ToString::to_string);
            (hands(), format!("{shelf}{slot}"))
        }
        Some(Action::Discard) => (oven.unwrap_or_else(hands), "the bin".to_owned()),
        Some(Action::Inspect) => {
            let station = params.station.as_ref().map_or(String::new(), ToString::to_string);
            (station, params.stage.as_ref().map_or(String::new(), ToString::to_string))
        }
        Some(Action::Bake) | None => (String::new(), String::new()),
    }
}

impl Station {
    /// The word that the page knows.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BeforeOven => "before-oven",
            Self::AfterOven => "after-oven",
            Self::Inspection => "inspection",
        }
    }
}
