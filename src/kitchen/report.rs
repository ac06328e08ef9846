//! What a device says about itself, as the kitchen records it. The wire form (`protocol::State`) carries the same words.

use serde::{Deserialize, Serialize};

use super::ids::{Epoch, InstructionId, Lane, PizzaId};

/// Who may move the device. VDA 5050's operating modes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Mode {
    /// The controller.
    Automatic,
    /// A person helps while the controller goes on.
    Intervened,
    /// A person alone.
    Manual,
    /// A technician.
    Service,
    /// Not ready yet.
    Startup,
}

/// How the machine is. PackML's states.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Condition {
    /// Ready, nothing to do.
    Idle,
    /// At work.
    Execute,
    /// Stopped from inside: an operator or the controller said hold.
    Held,
    /// Stopped from outside: it waits for something.
    Suspended,
    /// Stopped, needs a reset.
    Stopped,
    /// Stopped by a fault.
    Aborted,
}

/// How far a task is on the device. It only moves forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum TaskState {
    /// Accepted, not started: a lease or its `after` is missing.
    Waiting,
    /// Under way.
    Running,
    /// Stopped for a while.
    Paused,
    /// Done, and good.
    Finished,
    /// Done, and bad; `code` tells.
    Failed,
    /// Ended on request.
    Cancelled,
    /// Never started: `start_within_ms` passed.
    Expired,
}

impl TaskState {
    /// True once the task can't change any more.
    pub fn is_over(self) -> bool {
        match self {
            Self::Waiting | Self::Running | Self::Paused => false,
            Self::Finished | Self::Failed | Self::Cancelled | Self::Expired => true,
        }
    }
}

/// What became of an instruction that changes no task, or that was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CommandResult {
    /// Obeyed.
    Done,
    /// Known already; nothing was done again.
    Duplicate,
    /// For a former life of the device.
    StaleBoot,
    /// From a controller that has been replaced.
    StaleEpoch,
    /// Not in AUTOMATIC, or held.
    RejectedMode,
    /// Its lane is taken, or too much is unacknowledged.
    RejectedBusy,
    /// Unknown op or action.
    RejectedUnsupported,
    /// Bad parameters, or not decodable.
    RejectedInvalid,
    /// Something is in the way.
    RejectedOccupied,
}

/// What is physically on one lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// Something, and the device does not know what.
    Unknown,
    /// This pizza.
    Pizza(PizzaId),
}

/// The kitchen's own name of a task: one job on one pizza. Written `17.2.0-load`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TaskId {
    /// The pizza.
    pub pizza: PizzaId,
    /// What is done with it.
    pub job: Job,
}

/// What is done with a pizza, as the kitchen counts attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Job {
    /// Make it.
    Prep,
    /// Camera: was the preparation good?
    InspectPrep,
    /// Put it into the oven.
    Load,
    /// Bake it.
    Bake,
    /// Take it out.
    Unload,
    /// Camera: was it baked well? (Judged in the gripper, so that no window is spent on it.)
    InspectBake,
    /// Put it onto a shelf.
    Shelve,
    /// Take it from the shelf.
    Fetch,
    /// Slice and pack it.
    Finish,
    /// Camera: was it finished well?
    InspectFinish,
    /// Throw it away.
    Discard,
}

impl Job {
    /// Every job.
    pub const ALL: [Self; 11] = [
        Self::Prep,
        Self::InspectPrep,
        Self::Load,
        Self::Bake,
        Self::Unload,
        Self::InspectBake,
        Self::Shelve,
        Self::Fetch,
        Self::Finish,
        Self::InspectFinish,
        Self::Discard,
    ];

    /// The name, as in a task id.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Prep => "prep",
            Self::InspectPrep => "inspect-prep",
            Self::Load => "load",
            Self::Bake => "bake",
            Self::Unload => "unload",
            Self::InspectBake => "inspect-bake",
            Self::Shelve => "shelve",
            Self::Fetch => "fetch",
            Self::Finish => "finish",
            Self::InspectFinish => "inspect-finish",
            Self::Discard => "discard",
        }
    }

    /// What a device is told to do for it.
    pub fn action(self) -> super::Action {
        use super::Action;
        match self {
            Self::Prep => Action::Prep,
            Self::Load => Action::Load,
            Self::Bake => Action::Bake,
            Self::Unload | Self::Fetch => Action::Unload,
            Self::Shelve => Action::Shelve,
            Self::Finish => Action::Finish,
            Self::Discard => Action::Discard,
            Self::InspectPrep | Self::InspectBake | Self::InspectFinish => Action::Inspect,
        }
    }
}

impl std::fmt::Display for TaskId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.pizza, self.job.as_str())
    }
}

impl std::fmt::Debug for TaskId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

impl std::str::FromStr for TaskId {
    type Err = super::ids::BadId;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let (pizza, job) = text.split_once('-')?;
            let job = Job::ALL.into_iter().find(|j| j.as_str() == job)?;
            Some(Self { pizza: pizza.parse().ok()?, job })
        };
        parse().ok_or_else(|| super::ids::BadId { what: "task id", text: text.chars().take(49).collect() })
    }
}

impl TryFrom<String> for TaskId {
    type Error = super::ids::BadId;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<TaskId> for String {
    fn from(id: TaskId) -> String {
        id.to_string()
    }
}

/// One try at a task on one device. A device executes each at most once.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AttemptId {
    /// The job on the pizza.
    pub task: TaskId,
    /// From 1, one more for every physical try.
    pub number: u32,
}

impl std::fmt::Display for AttemptId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}#{}", self.task, self.number)
    }
}

impl std::fmt::Debug for AttemptId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

/// A task as its device sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskReport {
    /// Which attempt.
    pub attempt: AttemptId,
    /// How far it is.
    pub state: TaskState,
    /// Why it failed, or a camera's verdict (PASS, FAIL, UNSURE). Empty when there is nothing to say.
    pub code: String,
    /// For people.
    pub detail: String,
    /// The temperature that it was done at, in tenths of a degree Celsius; only once it is over, and only from devices that measure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temp_dc: Option<i32>,
}

/// The device's whole state, cumulative: what is not in here is over and acknowledged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Drawn at power-up: 64 bits as 16 hex digits.
    pub boot: u64,
    /// Grows by one with every change within a boot.
    pub rev: u64,
    /// Who may move it.
    pub mode: Mode,
    /// How it is.
    pub condition: Condition,
    /// True while an emergency stop is pressed or not reset.
    pub estop: bool,
    /// The highest epoch that it has seen.
    pub fence: Epoch,
    /// What each lane holds; lanes that are missing are empty.
    pub holds: Vec<(Lane, Content)>,
    /// Active tasks, and finished ones not yet acknowledged.
    pub tasks: Vec<TaskReport>,
    /// What became of the last instructions.
    pub results: Vec<(InstructionId, CommandResult)>,
    /// Codes of present errors (OVERDUE, OVER_TEMPERATURE, …).
    pub errors: Vec<String>,
}
