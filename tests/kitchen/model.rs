//! One model device: it obeys the device protocol at the level of `kitchen::Report`, and can be broken in every way that a
//! test needs. It never sees the kitchen: it is told, leased and asked for its report by `line`.

use std::collections::{BTreeMap, BTreeSet};

use brigade::kitchen::device::actions_of;
use brigade::kitchen::{
    Action, ActionFact, After, AttemptId, CommandResult, Condition, Content, DeviceId, DeviceKind, Epoch, Facts,
    Instruction, InstructionId, Lane, Millis, Mode, Op, PizzaId, Place, Report, Task, TaskReport, TaskState,
};

use crate::world::{World, place};

/// How long a lease holds.
pub const LEASE_MS: Millis = 3_000;
/// How long after its lease a task with `after` may start.
const ORPHAN_MS: Millis = 10_000;

/// A task on the device.
#[derive(Clone, Debug)]
pub struct ModelTask {
    pub task: Task,
    pub instruction: InstructionId,
    pub state: TaskState,
    pub code: String,
    expires_at: Millis,
    half_at: Millis,
    end_at: Millis,
    stops_at: Millis,
    moved: bool,
}

/// What is wrong with the device. All false or empty: it is honest and works.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// Its cable is out: it hears nothing, nobody hears it, and it goes on with what it may.
    pub cut: bool,
    /// It has no power.
    pub off: bool,
    /// Its heart beats and nothing else moves.
    pub hung: bool,
    /// Motion hangs and so does its watchdog; it hears, and shows the same task for ever.
    pub frozen: bool,
    /// Its reports are lost for so many rounds, while its heart beats.
    pub mute: u32,
    /// So many next tasks fail.
    pub fail: u32,
    /// A failing task drops the pizza.
    pub drops: bool,
    /// So many next starts are refused.
    pub refuse: Option<(u32, Option<CommandResult>)>,
    /// What a camera says instead of PASS, so many times.
    pub verdicts: (u32, &'static str),
    /// A task takes so many percent of the time that it should take.
    pub slow_percent: u64,
    /// Every report is delivered twice, and once more late.
    pub repeats: bool,
}

/// A model device.
pub struct ModelDevice {
    pub id: DeviceId,
    pub facts: Facts,
    pub faults: Faults,
    pub boot: u64,
    pub rev: u64,
    pub fence: Epoch,
    pub mode: Mode,
    pub estop: bool,
    pub held: bool,
    /// What its sensor says at the end of a bake, in tenths of a degree Celsius.
    pub temp_dc: Option<i32>,
    pub tasks: BTreeMap<AttemptId, ModelTask>,
    pub last: Option<Report>,
    pub sent: Vec<Report>,
    results: Vec<(InstructionId, CommandResult)>,
    known: BTreeSet<InstructionId>,
    ever: BTreeSet<AttemptId>,
    names: BTreeMap<Lane, PizzaId>,
    lease: (Epoch, Millis, BTreeSet<InstructionId>),
}

impl ModelDevice {
    pub fn new(id: &str, kind: DeviceKind, lanes: u8, boot: u64) -> Self {
        let action = |a: &Action| ActionFact { action: *a, typ_ms: 500, max_ms: 3_000 };
        let facts = Facts {
            kind,
            model: "model".to_owned(),
            firmware: "1".to_owned(),
            protocol: 1,
            zone: String::new(),
            lanes: (0..lanes).collect(),
            actions: actions_of(kind).iter().map(action).collect(),
            stages: Vec::new(),
            heartbeat_ms: 1_000,
            orphan_ms: 10_000,
        };
        Self {
            id: id.parse().expect("a test's id is an id"),
            facts,
            faults: Faults { slow_percent: 100, ..Faults::default() },
            boot,
            rev: 0,
            fence: Epoch(0),
            mode: Mode::Automatic,
            estop: false,
            held: false,
            temp_dc: None,
            tasks: BTreeMap::new(),
            last: None,
            sent: Vec::new(),
            results: Vec::new(),
            known: BTreeSet::new(),
            ever: BTreeSet::new(),
            names: BTreeMap::new(),
            lease: (Epoch(0), 0, BTreeSet::new()),
        }
    }

    /// True when the controller can talk to it.
    pub fn is_connected(&self) -> bool {
        !self.faults.cut && !self.faults.off
    }

    /// Power off: what it was doing is over, and what it knew is gone.
    pub fn power_off(&mut self) {
        self.faults.off = true;
        self.tasks.clear();
        self.results.clear();
        self.known.clear();
        self.ever.clear();
        self.names.clear();
        self.lease = (Epoch(0), 0, BTreeSet::new());
        self.fence = Epoch(0);
        self.held = false;
        self.last = None;
    }

    /// Power on: another life.
    pub fn power_on(&mut self, boot: u64) {
        self.faults.off = false;
        self.boot = boot;
        self.rev = 0;
    }

    /// The answer to a heartbeat.
    pub fn lease(&mut self, epoch: Epoch, now: Millis, open: BTreeSet<InstructionId>) {
        if epoch >= self.fence && !self.faults.hung {
            self.fence = epoch;
            self.lease = (epoch, now + LEASE_MS, open);
        }
    }

    /// One instruction.
    pub fn receive(&mut self, instruction: &Instruction, epoch: Epoch, now: Millis, world: &World) {
        if self.faults.hung || instruction.boot != self.boot || epoch < self.fence {
            return;
        }
        self.fence = epoch;
        if let Op::Acknowledge(attempt) = &instruction.op
            && self.tasks.get(attempt).is_some_and(|t| t.state.is_over())
        {
            self.tasks.remove(attempt);
        }
        if !self.known.insert(instruction.id) {
            return;
        }
        match &instruction.op {
            Op::Start(task) => self.accept(instruction.id, task, now, world),
            Op::Cancel(attempt) => {
                let result = self.cancel(*attempt);
                self.answer(instruction.id, result);
            }
            Op::Acknowledge(_) => {}
            Op::SelfTest => {
                let idle = self.tasks.values().all(|t| t.state.is_over());
                let result = if idle { CommandResult::Done } else { CommandResult::RejectedBusy };
                self.answer(instruction.id, result);
            }
            Op::Hold => self.held = true,
            Op::Resume => self.held = false,
        }
        if matches!(instruction.op, Op::Hold | Op::Resume) {
            self.answer(instruction.id, CommandResult::Done);
        }
    }

    fn answer(&mut self, id: InstructionId, result: CommandResult) {
        self.results.push((id, result));
        let surplus = self.results.len().saturating_sub(16);
        self.results.drain(..surplus);
    }

    fn accept(&mut self, id: InstructionId, task: &Task, now: Millis, world: &World) {
        if self.ever.contains(&task.attempt) {
            return self.answer(id, CommandResult::Duplicate);
        }
        let objection = self.objection(task, world);
        // Also one that is refused never starts: the refusal is the device's word.
        self.ever.insert(task.attempt);
        if let Some(refusal) = objection {
            return self.answer(id, refusal);
        }
        let task = ModelTask {
            task: task.clone(),
            instruction: id,
            state: TaskState::Waiting,
            code: String::new(),
            expires_at: now + task.start_within_ms,
            half_at: 0,
            end_at: 0,
            stops_at: Millis::MAX,
            moved: false,
        };
        self.tasks.insert(task.task.attempt, task);
    }

    fn objection(&mut self, task: &Task, world: &World) -> Option<CommandResult> {
        if let Some((left, result)) = self.faults.refuse {
            self.faults.refuse = (left > 1).then_some((left - 1, result));
            return Some(result.unwrap_or(CommandResult::RejectedBusy));
        }
        if self.mode != Mode::Automatic || self.held || self.estop {
            return Some(CommandResult::RejectedMode);
        }
        if task.action == Action::Inspect && task.params.station.is_none() {
            return Some(CommandResult::RejectedInvalid);
        }
        let on_lane = |t: &&ModelTask| t.task.lane == task.lane;
        if self.tasks.values().filter(on_lane).any(|t| !t.state.is_over())
            || self.tasks.values().filter(on_lane).count() >= 8
        {
            return Some(CommandResult::RejectedBusy);
        }
        let taken = world.lanes.contains_key(&place(&self.id, task.lane));
        let wants_empty = match task.action {
            Action::Prep | Action::Bake | Action::Unload => true,
            Action::Discard => task.params.oven.is_some(),
            Action::Load | Action::Finish | Action::Shelve | Action::Inspect => false,
        };
        (wants_empty && taken).then_some(CommandResult::RejectedOccupied)
    }

    fn cancel(&mut self, attempt: AttemptId) -> CommandResult {
        match self.tasks.get_mut(&attempt) {
            // What moves food is not torn away from it: only a preparation stops in the middle.
            Some(task) if !task.state.is_over() => {
                if task.state != TaskState::Waiting && task.task.action != Action::Prep {
                    return CommandResult::RejectedUnsupported;
                }
                task.state = TaskState::Cancelled;
            }
            Some(_) => {}
            None if self.ever.insert(attempt) => {
                let task = cancelled(attempt);
                self.tasks.insert(attempt, task);
            }
            None => {}
        }
        CommandResult::Done
    }

    /// The oven slots that it reaches into at this moment. A hung one stops at its watchdog all the same.
    pub fn reaches_into(&self, now: Millis) -> Vec<Place> {
        let moves = |t: &&ModelTask| t.state == TaskState::Running && now <= t.stops_at;
        self.tasks.values().filter(moves).filter_map(|t| t.task.params.oven.clone()).collect()
    }

    /// When something will happen here by itself.
    pub fn next_moment(&self) -> Option<Millis> {
        let moment = |t: &ModelTask| match t.state {
            TaskState::Waiting => Some(t.expires_at),
            TaskState::Running if t.moved => Some(t.end_at.min(t.stops_at)),
            TaskState::Running => Some(t.half_at.min(t.stops_at)),
            _ => None,
        };
        if self.faults.off || self.faults.hung || self.faults.frozen {
            return None;
        }
        self.tasks.values().filter_map(moment).min()
    }

    /// Goes on with its tasks. `paused_ms` of the time since the last call was spent standing still.
    pub fn work(&mut self, now: Millis, paused_ms: Millis, world: &mut World) {
        if self.faults.off || self.faults.hung || self.faults.frozen {
            return self.delay(paused_ms);
        }
        if self.estop {
            self.delay(paused_ms);
        }
        let ids: Vec<AttemptId> = self.tasks.keys().copied().collect();
        for id in ids {
            self.work_on(id, now, world);
        }
    }

    fn delay(&mut self, ms: Millis) {
        for task in self.tasks.values_mut().filter(|t| t.state == TaskState::Running && t.task.action != Action::Bake) {
            task.half_at += ms;
            task.end_at += ms;
        }
    }

    fn work_on(&mut self, id: AttemptId, now: Millis, world: &mut World) {
        let Some(task) = self.tasks.get(&id).cloned() else { return };
        if task.state == TaskState::Waiting {
            if self.may_start(&task, now, world) {
                self.start(id, now, world);
            } else if now >= task.expires_at {
                self.finish(id, TaskState::Expired, "");
            }
        }
        if task.state == TaskState::Running && now > task.stops_at {
            return self.finish(id, TaskState::Failed, "WATCHDOG");
        }
        let stands = self.estop && task.task.action != Action::Bake;
        let Some(task) = self.tasks.get(&id).filter(|t| t.state == TaskState::Running && !stands).cloned() else {
            return;
        };
        if !task.moved && now >= task.half_at {
            self.do_half(id, &task, world);
        }
        let running = self.tasks.get(&id).is_some_and(|t| t.state == TaskState::Running);
        if running && now >= task.end_at {
            self.do_rest(id, &task, world);
        }
    }

    fn may_start(&self, task: &ModelTask, now: Millis, world: &World) -> bool {
        let (epoch, until, open) = &self.lease;
        let orphan = if task.task.after.is_some() { ORPHAN_MS } else { 0 };
        let leased = *epoch == self.fence && now < until + orphan && open.contains(&task.instruction);
        let ready = match task.task.after {
            Some(After::Loaded(lane)) => world.lanes.contains_key(&place(&self.id, lane)),
            Some(After::Ms(_)) | None => true,
        };
        leased && ready && !self.held && !self.estop && self.mode == Mode::Automatic
    }

    fn start(&mut self, id: AttemptId, now: Millis, world: &mut World) {
        world.start(id, &self.id);
        let task = self.tasks.get_mut(&id).expect("the caller saw it");
        let ms = task.task.params.ms * self.faults.slow_percent / 100;
        task.state = TaskState::Running;
        task.half_at = now + ms / 2;
        task.end_at = now + ms;
        if task.task.max_ms > 0 {
            task.stops_at = now + task.task.max_ms;
        }
        let (action, lane) = (task.task.action, task.task.lane);
        if action == Action::Prep {
            world.put(place(&self.id, lane), id.task.pizza);
            self.names.insert(lane, id.task.pizza);
        } else if action == Action::Bake && world.lanes.get(&place(&self.id, lane)) == Some(&id.task.pizza) {
            self.names.insert(lane, id.task.pizza);
        }
    }

    /// Half-way: what is to be moved moves now, or falls.
    fn do_half(&mut self, id: AttemptId, task: &ModelTask, world: &mut World) {
        if self.faults.fail > 0 {
            self.faults.fail -= 1;
            if self.faults.drops && task.task.action != Action::Bake {
                world.take(&place(&self.id, task.task.lane));
            }
            return self.finish(id, TaskState::Failed, "MECHANICAL");
        }
        let own = place(&self.id, task.task.lane);
        let pizza = id.task.pizza;
        let other = task.task.params.oven.clone();
        let good = match (task.task.action, other) {
            (Action::Load, Some(slot)) if !world.lanes.contains_key(&slot) => world.carry(pizza, &own, slot),
            (Action::Load, _) => false,
            (Action::Unload, Some(slot)) => {
                self.names.insert(own.lane, pizza);
                world.carry(pizza, &slot, own)
            }
            (Action::Discard, Some(slot)) => world.take(&slot).is_some(),
            (Action::Discard, None) => world.take(&own).is_some(),
            _ => true,
        };
        match self.tasks.get_mut(&id) {
            Some(task) if good => task.moved = true,
            _ => self.finish(id, TaskState::Failed, "NOT_THERE"),
        }
    }

    fn do_rest(&mut self, id: AttemptId, task: &ModelTask, world: &mut World) {
        let own = place(&self.id, task.task.lane);
        match task.task.action {
            Action::Finish if world.lanes.get(&own) == Some(&id.task.pizza) => {
                world.take(&own);
                world.pack(id.task.pizza);
                self.finish(id, TaskState::Finished, "");
            }
            Action::Finish => self.finish(id, TaskState::Failed, "NOT_THERE"),
            Action::Inspect => {
                let (left, lie) = self.faults.verdicts;
                self.faults.verdicts.0 = left.saturating_sub(1);
                self.finish(id, TaskState::Finished, if left > 0 { lie } else { "PASS" });
            }
            _ => self.finish(id, TaskState::Finished, ""),
        }
    }

    fn finish(&mut self, id: AttemptId, state: TaskState, code: &str) {
        if let Some(task) = self.tasks.get_mut(&id) {
            task.state = state;
            task.code = code.to_owned();
        }
    }

    /// What it would say now: a new revision where something changed.
    pub fn report(&mut self, world: &World) -> Report {
        let content = |lane: &Lane| {
            let pizza = world.lanes.get(&place(&self.id, *lane))?;
            let named = self.names.get(lane) == Some(pizza);
            Some((*lane, if named { Content::Pizza(*pizza) } else { Content::Unknown }))
        };
        let task = |t: &ModelTask| TaskReport {
            attempt: t.task.attempt,
            state: t.state,
            code: t.code.clone(),
            detail: String::new(),
            temp_dc: self.temp_dc.filter(|_| t.task.action == Action::Bake && t.state.is_over()),
        };
        let mut report = Report {
            boot: self.boot,
            rev: self.rev,
            mode: self.mode,
            condition: if self.held { Condition::Held } else { Condition::Idle },
            estop: self.estop,
            fence: self.fence,
            holds: self.facts.lanes.iter().filter_map(content).collect(),
            tasks: self.tasks.values().map(task).collect(),
            results: self.results.clone(),
            errors: Vec::new(),
        };
        if self.last.as_ref() != Some(&report) {
            self.rev += 1;
            report.rev = self.rev;
            self.last = Some(report.clone());
        }
        report
    }

    /// A person takes away what lies on a lane.
    pub fn forget(&mut self, place: &Place) {
        self.names.remove(&place.lane);
    }
}

/// The cancel of an unknown attempt is answered CANCELLED and remembered.
fn cancelled(attempt: AttemptId) -> ModelTask {
    let task = Task {
        attempt,
        action: attempt.task.job.action(),
        lane: 0,
        params: Default::default(),
        start_within_ms: 0,
        max_ms: 0,
        after: None,
    };
    let instruction = InstructionId { index: 0, n: 0 };
    let (state, code) = (TaskState::Cancelled, String::new());
    ModelTask { task, instruction, state, code, expires_at: 0, half_at: 0, end_at: 0, stops_at: 0, moved: false }
}
