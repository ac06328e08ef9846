//! A model device: it takes instructions, holds what lies on its lanes, and says how it is. It has no protocol session: what it is
//! told arrives, and nothing arrives twice.

use std::collections::BTreeMap;

use crate::kitchen::device::actions_of;
use crate::kitchen::{
    Action, ActionFact, AttemptId, CommandResult, Condition, Content, DeviceId, DeviceKind, Epoch, Facts,
    InstructionId, Lane, Millis, Mode, Report, Task, TaskReport, TaskState,
};

/// How long a camera looks.
const LOOK_MS: Millis = 200;

/// A task on the device.
#[derive(Clone, Debug)]
pub struct Doing {
    pub task: Task,
    pub state: TaskState,
    pub started_at: Millis,
    pub takes_ms: Millis,
    pub code: String,
}

/// A robot, an oven or a camera.
#[derive(Clone, Debug)]
pub struct Machine {
    pub id: DeviceId,
    pub facts: Facts,
    pub boot: u64,
    pub is_up: bool,
    pub holds: BTreeMap<Lane, Content>,
    pub tasks: BTreeMap<AttemptId, Doing>,
    pub results: Vec<(InstructionId, CommandResult)>,
    pub is_changed: bool,
    rev: u64,
}

impl Machine {
    /// A device that was just switched on.
    pub fn new(id: String, kind: DeviceKind, lanes: u32) -> Self {
        let action = |a: &Action| ActionFact { action: *a, typ_ms: LOOK_MS, max_ms: 3_600_000 };
        let facts = Facts {
            kind,
            model: "model".to_owned(),
            firmware: "1".to_owned(),
            protocol: 1,
            zone: String::new(),
            lanes: (0..lanes as Lane).collect(),
            actions: actions_of(kind).iter().map(action).collect(),
            stages: Vec::new(),
            heartbeat_ms: 1_000,
            orphan_ms: 10_000,
        };
        Self {
            id: id.parse().expect("the names that a plan gives are ids"),
            facts,
            boot: 1,
            is_up: true,
            holds: BTreeMap::new(),
            tasks: BTreeMap::new(),
            results: Vec::new(),
            is_changed: true,
            rev: 0,
        }
    }

    pub fn is_robot(&self) -> bool {
        matches!(self.facts.kind, DeviceKind::BeforeOven | DeviceKind::AfterOven)
    }

    /// Takes a task; it starts at once, unless it is a bake whose slot is empty.
    pub fn accept(&mut self, instruction: InstructionId, task: Task) {
        let doing = Doing { task, state: TaskState::Waiting, started_at: 0, takes_ms: 0, code: String::new() };
        self.tasks.insert(doing.task.attempt, doing);
        self.answer(instruction, CommandResult::Done);
    }

    /// Ends a task, where that can still be done: what is being moved is moved to its end.
    pub fn cancel(&mut self, instruction: InstructionId, attempt: AttemptId) {
        if let Some(doing) = self.tasks.get_mut(&attempt) {
            let moves = matches!(doing.task.action, Action::Load | Action::Unload | Action::Discard);
            let ends = match doing.state {
                TaskState::Waiting => true,
                TaskState::Running | TaskState::Paused => !moves,
                _ => false,
            };
            if ends {
                doing.state = TaskState::Cancelled;
            }
        }
        self.answer(instruction, CommandResult::Done);
    }

    /// Says what became of an instruction; the last few are remembered.
    pub fn answer(&mut self, instruction: InstructionId, result: CommandResult) {
        if self.results.len() >= 16 {
            self.results.remove(0);
        }
        self.results.push((instruction, result));
        self.is_changed = true;
    }

    /// Tasks that may start now.
    pub fn startable(&self) -> Vec<AttemptId> {
        let may = |d: &&Doing| {
            let ready = d.task.after.is_none() || self.holds.contains_key(&d.task.lane);
            d.state == TaskState::Waiting && ready
        };
        self.tasks.values().filter(may).map(|d| d.task.attempt).collect()
    }

    /// A new life after a failure: a person has emptied it.
    pub fn comes_back(&mut self) {
        self.boot += 1;
        self.rev = 0;
        self.is_up = true;
        self.holds.clear();
        self.tasks.clear();
        self.results.clear();
        self.is_changed = true;
    }

    /// Its whole state.
    pub fn report(&mut self, fence: Epoch) -> Report {
        self.rev += 1;
        self.is_changed = false;
        let task = |d: &Doing| TaskReport {
            attempt: d.task.attempt,
            state: d.state,
            code: d.code.clone(),
            detail: String::new(),
            temp_dc: None,
        };
        Report {
            boot: self.boot,
            rev: self.rev,
            mode: Mode::Automatic,
            condition: Condition::Idle,
            estop: false,
            fence,
            holds: self.holds.iter().map(|(lane, content)| (*lane, *content)).collect(),
            tasks: self.tasks.values().map(task).collect(),
            results: self.results.clone(),
            errors: Vec::new(),
        }
    }
}
