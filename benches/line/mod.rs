//! A line of devices that do at once what a real one does after a while, and a kitchen that is kept full: for measuring `apply`.
#![allow(dead_code, reason = "each bench uses a part of it")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use brigade::kitchen::device::actions_of;
use brigade::kitchen::recipe::{Gates, Settings, built_in_menu};
use brigade::kitchen::rows::InMemory;
use brigade::kitchen::{
    Action, ActionFact, AttemptId, Command, Condition, Content, Device, DeviceId, DeviceKind, Entry, Facts,
    InstructionId, Kitchen, Mode, NewOrder, Op, Recipe, Report, Task, TaskReport, TaskState,
};

/// A device that does at once what it is told, one state after the other.
struct Quick {
    rev: u64,
    forgot: bool,
    known: BTreeSet<InstructionId>,
    tasks: BTreeMap<AttemptId, (Task, TaskState, u64, bool)>,
}

/// A kitchen with its line.
pub struct Bench {
    pub kitchen: Kitchen,
    /// So many pizzas are open all the time.
    open: u32,
    now: u64,
    index: u64,
    orders: u64,
    /// Time in `apply`.
    pub spent: Duration,
    pub applied: u64,
    pub bytes: u64,
    /// Time of each entry at which a robot before the ovens had nothing to do and pizzas waited: a whole scheduling pass.
    pub passes: Vec<Duration>,
    devices: BTreeMap<DeviceId, Quick>,
    holds: BTreeMap<(DeviceId, u8), Content>,
}

impl Bench {
    /// Robots before the ovens, ovens, robots after them, cameras; and how many pizzas are kept open.
    pub fn new([before, ovens, after, cameras]: [u8; 4], open: u32) -> Self {
        let mut bench = Self {
            kitchen: Kitchen::default(),
            open,
            now: 0,
            index: 0,
            orders: 0,
            spent: Duration::ZERO,
            applied: 0,
            bytes: 0,
            passes: Vec::new(),
            devices: BTreeMap::new(),
            holds: BTreeMap::new(),
        };
        bench.apply(Command::TakeCharge { node: 1, incarnation: 1, gap_measured: true, kitchen: String::new() });
        // However much is open, more is taken.
        let settings = Settings { admit_late_ms: 30 * 24 * 3_600_000, ..Settings::default() };
        bench.apply(Command::Configure { settings });
        for recipe in built_in_menu() {
            bench.apply(Command::PutRecipe { recipe: Recipe { gates: Gates::default(), ..recipe.clone() } });
            bench.apply(Command::PutRecipe { recipe });
        }
        let kinds = [
            ("b", DeviceKind::BeforeOven, before),
            ("oven", DeviceKind::Oven, ovens),
            ("a", DeviceKind::AfterOven, after),
            ("cam", DeviceKind::Camera, cameras),
        ];
        for (name, kind, count) in kinds {
            for n in 0..count {
                bench.install(&format!("{name}{n}"), kind);
            }
        }
        bench
    }

    fn install(&mut self, id: &str, kind: DeviceKind) {
        let action = |a: &Action| ActionFact { action: *a, typ_ms: 200, max_ms: 3_000 };
        let facts = Facts {
            kind,
            model: "bench".to_owned(),
            firmware: "1".to_owned(),
            protocol: 1,
            zone: String::new(),
            lanes: vec![0],
            actions: actions_of(kind).iter().map(action).collect(),
            stages: Vec::new(),
            heartbeat_ms: 1_000,
            orphan_ms: 10_000,
        };
        let device: DeviceId = id.parse().expect("an id");
        self.devices
            .insert(device.clone(), Quick { rev: 0, forgot: false, known: BTreeSet::new(), tasks: BTreeMap::new() });
        self.apply(Command::RecordFacts { device: device.clone(), boot: 1, facts });
        self.report(&device);
    }

    fn apply(&mut self, command: Command) {
        self.index += 1;
        let of_tenure =
            matches!(command, Command::RecordFacts { .. } | Command::RecordReport { .. } | Command::DeadlinesDue);
        let epoch = of_tenure.then(|| self.kitchen.epoch());
        let entry = Entry { at: self.now, wall: self.now, epoch, asked: None, command };
        let is_pass = of_tenure && self.has_idle_robot();
        let begun = Instant::now();
        let applied = self.kitchen.apply(self.index, &entry, &InMemory::new());
        let next = self.kitchen.next_deadline();
        let took = begun.elapsed();
        self.spent += took;
        if is_pass {
            self.passes.push(took);
        }
        std::hint::black_box(next);
        self.applied += 1;
        self.bytes += applied.rows.iter().map(|r| r.value.as_ref().map_or(0, Vec::len) as u64).sum::<u64>();
    }

    fn has_idle_robot(&self) -> bool {
        let is_idle = |d: &Device| d.facts.kind == DeviceKind::BeforeOven && d.is_up() && d.free_lane().is_some();
        self.kitchen.devices().any(is_idle)
    }

    /// So many more entries.
    pub fn run(&mut self, entries: u64) {
        let end = self.applied + entries;
        while self.applied < end {
            while self.kitchen.meta().open_pizzas < self.open {
                self.place_order();
            }
            self.now += 100;
            self.obey();
            self.work();
            if self.kitchen.next_deadline().is_some_and(|at| at <= self.now) {
                self.apply(Command::DeadlinesDue);
            }
        }
    }

    fn place_order(&mut self) {
        self.orders += 1;
        let menu = ["margherita", "funghi", "diavola", "marinara"];
        let item = |n: u64| menu[((self.orders + n) % 4) as usize].parse().expect("an id");
        let items = (0..1 + self.orders % 3).map(item).collect();
        let id = format!("order-{}", self.orders).parse().expect("an id");
        self.apply(Command::PlaceOrder(NewOrder { id, items, priority: 0, promise_ms: None }));
    }

    /// Every device takes what is new in the outbox.
    fn obey(&mut self) {
        for instruction in self.kitchen.outbox() {
            let Some(device) = self.devices.get_mut(&instruction.device) else { continue };
            if !device.known.insert(instruction.id) {
                continue;
            }
            match &instruction.op {
                Op::Start(task) => {
                    device.tasks.insert(task.attempt, (task.clone(), TaskState::Waiting, 0, false));
                }
                Op::Cancel(attempt) => {
                    if let Some(task) = device.tasks.get_mut(attempt) {
                        task.1 = TaskState::Cancelled;
                    }
                }
                Op::Acknowledge(attempt) => {
                    device.tasks.remove(attempt);
                    device.forgot = true;
                }
                Op::SelfTest | Op::Hold | Op::Resume => {}
            }
        }
    }

    /// Every device goes one state on with each of its tasks, and says so.
    fn work(&mut self) {
        let ids: Vec<DeviceId> = self.devices.keys().cloned().collect();
        for id in ids {
            let attempts: Vec<AttemptId> = self.devices[&id].tasks.keys().copied().collect();
            let device = self.devices.get_mut(&id).expect("just listed");
            let mut changed = std::mem::take(&mut device.forgot);
            for attempt in attempts {
                changed |= self.work_on(&id, attempt);
            }
            if changed {
                self.report(&id);
            }
        }
    }

    fn work_on(&mut self, id: &DeviceId, attempt: AttemptId) -> bool {
        let now = self.now;
        let device = self.devices.get_mut(id).expect("a device of this line");
        let Some((task, state, end, accepted)) = device.tasks.get_mut(&attempt) else { return false };
        let lane = (id.clone(), task.lane);
        let pizza = Content::Pizza(attempt.task.pizza);
        match state {
            TaskState::Waiting => {
                if task.action == Action::Bake && !self.holds.contains_key(&lane) {
                    // Accepted: it says so once, and waits for the robot.
                    return !std::mem::replace(accepted, true);
                }
                *state = TaskState::Running;
                *end = now + task.params.ms / 100;
                if task.action == Action::Prep {
                    self.holds.insert(lane, pizza);
                }
            }
            TaskState::Running if now >= *end => {
                *state = TaskState::Finished;
                let other = task.params.oven.clone().map(|p| (p.device, p.lane));
                match (task.action, other) {
                    (Action::Load, Some(slot)) => {
                        self.holds.remove(&lane);
                        self.holds.insert(slot, pizza);
                    }
                    (Action::Unload, Some(slot)) => {
                        self.holds.remove(&slot);
                        self.holds.insert(lane, pizza);
                    }
                    (Action::Finish, _) => drop(self.holds.remove(&lane)),
                    _ => {}
                }
            }
            _ => return false,
        }
        true
    }

    fn report(&mut self, id: &DeviceId) {
        let device = self.devices.get_mut(id).expect("a device of this line");
        device.rev += 1;
        let code = |a: &AttemptId| if a.task.job.action() == Action::Inspect { "PASS" } else { "" };
        let task = |(attempt, (_, state, ..)): (&AttemptId, &(Task, TaskState, u64, bool))| TaskReport {
            attempt: *attempt,
            state: *state,
            code: code(attempt).to_owned(),
            detail: String::new(),
            temp_dc: None,
        };
        let report = Report {
            boot: 1,
            rev: device.rev,
            mode: Mode::Automatic,
            condition: Condition::Idle,
            estop: false,
            fence: self.kitchen.epoch(),
            holds: self.holds.iter().filter(|((d, _), _)| d == id).map(|((_, l), c)| (*l, *c)).collect(),
            tasks: device.tasks.iter().map(task).collect(),
            results: Vec::new(),
            errors: Vec::new(),
        };
        self.apply(Command::RecordReport { device: id.clone(), report });
    }
}
