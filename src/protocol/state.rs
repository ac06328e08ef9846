//! `state`: the whole state of a device, cumulative, and its way into the kitchen's `Report`.

use serde::{Deserialize, Serialize};

use super::cmd::Attempt;
use super::id::{Act, Id, boot};
use crate::kitchen::{
    AttemptId, CommandResult, Condition, Content, Epoch, InstructionId, Lane, Mode, Report, TaskReport, TaskState,
};

/// Characters of `code` that a Report keeps.
const CODE_LENGTH_MAX: usize = 48;
/// Characters of `detail` that a Report keeps.
const DETAIL_LENGTH_MAX: usize = 200;
/// What a sensor in a kitchen can have measured, in tenths of a degree Celsius: from a deep-freezer to above any oven.
const TEMPERATURES_DC: std::ops::RangeInclusive<i32> = -500..=10_000;

/// `state`: what the device is, does and holds. What is not in here is over and acknowledged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Drawn at power-up.
    #[serde(with = "boot")]
    pub boot: u64,
    /// Grows by one with every change within a boot.
    pub rev: u64,
    /// Who may move it.
    pub mode: Mode,
    /// How it is.
    pub cond: Condition,
    /// True while an emergency stop is pressed or not reset.
    pub estop: bool,
    /// The highest epoch that it has seen.
    pub fence: Fence,
    /// What is physically on it; lanes that are missing are empty.
    pub holds: Vec<Hold>,
    /// Active tasks, and finished ones not yet acknowledged.
    pub tasks: Vec<TaskLine>,
    /// What became of the last instructions.
    pub cmds: Vec<InstructionResult>,
    /// Present errors.
    pub errors: Vec<Fault>,
    /// Measurements, for people. An oven uses OPC 30200's names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub telem: Option<serde_json::Map<String, serde_json::Value>>,
}

/// The device's memory of controllers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fence {
    /// The highest epoch that it has seen; 0 for none.
    pub epoch: Epoch,
}

/// What one lane holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Which lane.
    pub lane: Lane,
    /// Which pizza; `null`: something, I do not know what.
    pub pizza: Option<Id>,
}

/// One task in `state`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskLine {
    /// Which attempt (`id`, `att`).
    #[serde(flatten)]
    pub attempt: Attempt,
    /// Which pizza; unknown where a cancellation came before its task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pizza: Option<Id>,
    /// What is done; unknown where a cancellation came before its task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub act: Option<Act>,
    /// On which lane.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lane: Option<Lane>,
    /// How far it is.
    pub st: TaskState,
    /// How far it is, in percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pct: Option<u8>,
    /// Why it failed (WATCHDOG, …), or a camera's verdict (PASS, FAIL, UNSURE).
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub code: String,
    /// For people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// The temperature that the task was done at, in tenths of a degree Celsius, once it is over: an oven's mean over the bake (the mean of
    /// OPC 30200's ActualTemperature), a robot's probe. For the food-safety record; nothing is decided by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temp_dc: Option<i32>,
}

/// What became of one instruction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstructionResult {
    /// Which one.
    pub id: InstructionId,
    /// What became of it.
    pub res: CommandResult,
}

/// One present error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// OVERDUE, OVER_TEMPERATURE, …
    pub code: String,
    /// How bad.
    pub lvl: Level,
    /// At which task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<Id>,
    /// For people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

/// How bad an error is. VDA 5050's levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Level {
    /// It goes on.
    Warning,
    /// It goes on, and a person should look soon.
    Urgent,
    /// The task can't go on.
    Critical,
    /// The device can't go on.
    Fatal,
}

/// A state as the kitchen records it, and how much of it was foreign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reported {
    /// What the kitchen records.
    pub report: Report,
    /// Tasks whose ids are none of the kitchen's; they were left out.
    pub foreign_tasks: usize,
}

impl State {
    /// The state as the kitchen records it. Tasks with foreign ids are left out and counted; what a lane holds under a
    /// foreign id is "something".
    pub fn to_report(&self) -> Reported {
        let tasks: Vec<TaskReport> = self.tasks.iter().filter_map(TaskLine::to_report).collect();
        let foreign_tasks = self.tasks.len() - tasks.len();
        let report = Report {
            boot: self.boot,
            rev: self.rev,
            mode: self.mode,
            condition: self.cond,
            estop: self.estop,
            fence: self.fence.epoch,
            holds: self.holds.iter().map(|hold| (hold.lane, hold.content())).collect(),
            tasks,
            results: self.cmds.iter().map(|cmd| (cmd.id, cmd.res)).collect(),
            errors: self.errors.iter().map(|fault| shortened(&fault.code, CODE_LENGTH_MAX)).collect(),
        };
        Reported { report, foreign_tasks }
    }
}

impl Hold {
    fn content(&self) -> Content {
        let named = self.pizza.as_ref().and_then(|pizza| pizza.as_str().parse().ok());
        named.map_or(Content::Unknown, Content::Pizza)
    }
}

impl TaskLine {
    fn to_report(&self) -> Option<TaskReport> {
        let task = self.attempt.id.as_str().parse().ok()?;
        Some(TaskReport {
            attempt: AttemptId { task, number: self.attempt.att },
            state: self.st,
            code: shortened(&self.code, CODE_LENGTH_MAX),
            detail: shortened(&self.detail, DETAIL_LENGTH_MAX),
            // A broken sensor must neither stop the line nor get into the record.
            temp_dc: self.temp_dc.filter(|dc| self.st.is_over() && TEMPERATURES_DC.contains(dc)),
        })
    }
}

fn shortened(text: &str, length_max: usize) -> String {
    text.chars().take(length_max).collect()
}
