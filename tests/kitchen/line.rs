//! The harness: a kitchen with its replica, model devices in a world, and the leader's part played honestly.
//!
//! After every entry the invariants hold, the replica agrees, and the rows written so far are the kitchen's rows.

use std::collections::BTreeMap;

use brigade::kitchen::feed::News;
use brigade::kitchen::recipe::{Gates, Recipe, Settings};
use brigade::kitchen::rows::InMemory;
use brigade::kitchen::{
    Applied, ArchivedOrder, AssignedOrder, BackendAnswer, Command, DeviceId, DeviceKind, Directive, Entry, Epoch,
    Event, Gate, Incident, InstructionId, Kitchen, Millis, NewOrder, OrderId, OrderStatus, PizzaState, Reply,
    invariants, rows,
};

use crate::model::ModelDevice;
use crate::world::World;

/// One replica, with the rows that it has written.
#[derive(Clone, Default)]
pub struct Replica {
    pub kitchen: Kitchen,
    pub archive: InMemory,
    pub written: InMemory,
}

impl Replica {
    /// Applies an entry and writes its rows.
    pub fn apply(&mut self, index: u64, entry: &Entry) -> Applied {
        let applied = self.kitchen.apply(index, entry, &self.archive);
        rows::write(&mut self.written, &[self.kitchen.first_row()]);
        rows::write(&mut self.written, &applied.rows);
        rows::write(&mut self.archive, &applied.archive);
        applied
    }
}

/// A recipe whose pizza is done in half a minute.
pub fn quick(id: &str, gate: Gate) -> Recipe {
    Recipe {
        id: id.parse().expect("a test's id is an id"),
        version: 0,
        title: id.to_owned(),
        prep_ms: 4_000,
        transfer_ms: 2_000,
        bake_ms: 20_000,
        window_ms: 40_000,
        stale_ms: 60_000,
        finish_ms: 3_000,
        oven_program: "hot".to_owned(),
        gates: Gates { prep: gate, bake: gate, finish: gate },
    }
}

/// The kitchen, its devices and its leader.
pub struct Line {
    pub main: Replica,
    pub twin: Replica,
    pub third: Option<Replica>,
    pub devices: BTreeMap<DeviceId, ModelDevice>,
    pub world: World,
    pub now: Millis,
    pub index: u64,
    pub events: Vec<Event>,
    pub trace: Vec<String>,
    pub faults: Vec<String>,
    pub orders: Vec<OrderId>,
    pub heard: BTreeMap<DeviceId, Millis>,
    pub named: BTreeMap<DeviceId, BTreeMap<InstructionId, Millis>>,
    pub boots: u64,
    pub worked_at: Millis,
    /// Time stops as soon as the first open pizza is in this state, even if it would leave it within the same moment.
    pub stop_at: Option<PizzaState>,
    /// The main backend answers at once whenever the kitchen waits for it.
    pub backend_answers: bool,
}

impl Line {
    /// Nothing but settings and the menu: plain (no camera), seen (a camera is wanted) and strict (required).
    pub fn bare() -> Self {
        let mut line = Self {
            main: Replica::default(),
            twin: Replica::default(),
            third: None,
            devices: BTreeMap::new(),
            world: World::default(),
            now: 1_000,
            index: 0,
            events: Vec::new(),
            trace: Vec::new(),
            faults: Vec::new(),
            orders: Vec::new(),
            heard: BTreeMap::new(),
            named: BTreeMap::new(),
            boots: 0,
            worked_at: 0,
            stop_at: None,
            backend_answers: true,
        };
        line.take_charge(true);
        line.hear_backend(0);
        for (id, gate) in [("plain", Gate::None), ("seen", Gate::Wanted), ("strict", Gate::Required)] {
            line.request(Command::PutRecipe { recipe: quick(id, gate) });
        }
        line.configure(|s| s.quarantine_ms = 5_000);
        line
    }

    /// A line of so many robots before the ovens, ovens of one slot, robots after the ovens, and cameras.
    pub fn new(before: u8, ovens: u8, after: u8, cameras: u8) -> Self {
        let mut line = Self::bare();
        let kinds = [
            ("b", DeviceKind::BeforeOven, before),
            ("oven", DeviceKind::Oven, ovens),
            ("a", DeviceKind::AfterOven, after),
            ("cam", DeviceKind::Camera, cameras),
        ];
        for (name, kind, count) in kinds {
            for n in 1..=count {
                line.install(&format!("{name}{n}"), kind, 1);
            }
        }
        line.pass(1_000);
        line
    }

    /// The line of the random runs: two of each, the second oven and the second robots with two lanes.
    pub fn mixed() -> Self {
        let mut line = Self::new(1, 1, 1, 2);
        line.install("b2", DeviceKind::BeforeOven, 2);
        line.install("oven2", DeviceKind::Oven, 2);
        line.install("a2", DeviceKind::AfterOven, 2);
        line.pass(1_000);
        line
    }

    /// A new device announces itself.
    pub fn install(&mut self, id: &str, kind: DeviceKind, lanes: u8) {
        self.boots += 100;
        let device = ModelDevice::new(id, kind, lanes, self.boots);
        let (id, facts, boot) = (device.id.clone(), device.facts.clone(), device.boot);
        self.devices.insert(id.clone(), device);
        self.tenure(Command::RecordFacts { device: id, boot, facts });
    }

    pub fn kitchen(&self) -> &Kitchen {
        &self.main.kitchen
    }

    /// A model device by name.
    pub fn device(&mut self, id: &str) -> &mut ModelDevice {
        self.devices.get_mut(&id.parse::<DeviceId>().expect("an id")).expect("a device of this line")
    }

    /// A device as the kitchen knows it.
    pub fn known(&self, id: &str) -> &brigade::kitchen::Device {
        self.kitchen().device(&id.parse().expect("an id")).expect("the kitchen knows it")
    }

    /// A client's or operator's entry.
    pub fn request(&mut self, command: Command) -> Reply {
        self.apply(None, command)
    }

    /// An entry of the present tenure.
    pub fn tenure(&mut self, command: Command) -> Reply {
        self.apply(Some(self.kitchen().epoch()), command)
    }

    pub fn apply(&mut self, epoch: Option<Epoch>, command: Command) -> Reply {
        self.index += 1;
        let entry = Entry { at: self.now, wall: 1_700_000_000_000 + self.now, epoch, asked: None, command };
        self.trace.push(format!("{:>7} #{} {}", self.now, self.index, brief(&entry.command)));
        let applied = self.main.apply(self.index, &entry);
        for event in &applied.events {
            self.trace.push(format!("          {event:?}"));
        }
        if let Reply::Refused(refusal) = &applied.reply {
            self.trace.push(format!("          refused: {refusal}"));
        }
        self.compare(&entry, &applied);
        self.events.extend(applied.events);
        if self.backend_answers {
            self.answer_for_backend();
        }
        applied.reply
    }

    pub fn answer_for_backend(&mut self) {
        let starting = self.kitchen().feed().rfind(|o| matches!(o.news, News::Starting { .. }));
        let lease_ends = self.now + 100_000 >= self.kitchen().meta().backend.lease_until;
        let waits = lease_ends && self.kitchen().orders().any(|o| o.is_returnable());
        if starting.is_some() || waits {
            let acknowledged = starting.map_or(0, |o| o.number);
            self.hear_backend(acknowledged);
        }
    }

    /// The main backend answers: it has the outcomes up to this number, and its orders may be begun for five minutes.
    pub fn hear_backend(&mut self, acknowledged: u64) {
        let lease_until = self.now + 300_000;
        self.tenure(Command::FollowBackend(BackendAnswer { lease_until, acknowledged, ..BackendAnswer::default() }));
    }

    /// The main backend gives the kitchen an order.
    pub fn assign(&mut self, id: &str, items: &[&str], assignment: u64) -> Reply {
        let items = items.iter().map(|r| r.parse().expect("an id")).collect();
        let id: OrderId = id.parse().expect("an id");
        let assigned = AssignedOrder { id: id.clone(), assignment, items, priority: 0, promise_ms: 1_800_000 };
        let lease_until = self.now + 300_000;
        self.tenure(Command::FollowBackend(BackendAnswer { lease_until, ..BackendAnswer::default() }));
        let reply = self.tenure(Command::TakeAssignment(assigned));
        if matches!(reply, Reply::Placed { created: true, .. }) && !self.orders.contains(&id) {
            self.orders.push(id);
        }
        reply
    }

    fn compare(&mut self, entry: &Entry, applied: &Applied) {
        if let Err(why) = invariants::check(&self.main.kitchen) {
            self.fault(why);
        }
        let twin = self.twin.apply(self.index, entry);
        if twin != *applied || self.twin.kitchen != self.main.kitchen {
            self.fault("the second replica differs".to_owned());
        }
        let written = self.main.written.iter().map(|(k, v)| (k.clone(), v.clone()));
        if !written.eq(self.main.kitchen.rows()) {
            self.fault("the rows written so far are not the kitchen's rows".to_owned());
        }
        if let Some(third) = &mut self.third
            && (third.apply(self.index, entry) != *applied || third.kitchen.meta() != self.main.kitchen.meta())
        {
            self.fault("the replica that was made from rows differs".to_owned());
        }
    }

    pub fn fault(&mut self, why: String) {
        self.trace.push(format!("  FAULT   {why}"));
        self.faults.push(why);
    }

    /// What went wrong so far, in the harness's and the world's eyes.
    pub fn wrong(&self) -> Option<String> {
        let all: Vec<&String> = self.faults.iter().chain(&self.world.violations).collect();
        all.first().map(|first| format!("{first}\n{}", self.tail(400)))
    }

    /// The last lines of what happened.
    pub fn tail(&self, lines: usize) -> String {
        self.trace[self.trace.len().saturating_sub(lines)..].join("\n")
    }

    /// Ends a scenario: nothing may have gone wrong on the way.
    pub fn assert_sound(&self) {
        if let Some(wrong) = self.wrong() {
            panic!("{wrong}");
        }
    }

    /// Another node takes charge.
    pub fn take_charge(&mut self, gap_measured: bool) {
        self.request(Command::TakeCharge {
            node: 1 + self.index % 3,
            incarnation: 1,
            gap_measured,
            kitchen: "naples".to_owned(),
        });
        self.heard = self.devices.keys().map(|id| (id.clone(), self.now)).collect();
        self.named.clear();
    }

    /// Changes the site's settings.
    pub fn configure(&mut self, change: impl FnOnce(&mut Settings)) {
        let mut settings = self.kitchen().settings().clone();
        change(&mut settings);
        self.request(Command::Configure { settings });
    }

    /// Places a local order of these recipes.
    pub fn order(&mut self, id: &str, items: &[&str]) -> Reply {
        let items = items.iter().map(|r| r.parse().expect("an id")).collect();
        let new = NewOrder { id: id.parse().expect("an id"), items, priority: 0, promise_ms: None };
        let order = new.id.clone();
        let reply = self.request(Command::PlaceOrder(new));
        if matches!(reply, Reply::Placed { created: true, .. }) {
            self.orders.push(order);
        }
        reply
    }

    /// Takes an order back.
    pub fn cancel(&mut self, id: &str) -> Reply {
        self.request(Command::CancelOrder { order: id.parse().expect("an id"), reason: "changed my mind".to_owned() })
    }

    /// An operator's word about a device.
    pub fn direct(&mut self, id: &str, directive: Directive) -> Reply {
        self.request(Command::DirectDevice { device: id.parse().expect("an id"), directive, actor: "op".to_owned() })
    }

    /// An order that ended.
    pub fn archived(&self, id: &OrderId) -> Option<ArchivedOrder> {
        let bytes = self.main.archive.get(&brigade::kitchen::order::archive_key(id))?;
        Some(rows::decode(bytes).expect("the archive can be read"))
    }

    /// How an order ended.
    pub fn end_of(&self, id: &str) -> Option<OrderStatus> {
        self.archived(&id.parse().expect("an id")).map(|a| a.order.status)
    }

    /// The first open pizza.
    pub fn pizza(&self) -> &brigade::kitchen::Pizza {
        self.kitchen().pizzas().next().expect("an open pizza")
    }

    /// The state of the present generation of an item of the first open order.
    pub fn state(&self) -> Option<PizzaState> {
        self.kitchen().pizzas().next().map(|p| p.state)
    }

    /// Open incidents.
    pub fn questions(&self) -> Vec<Incident> {
        self.kitchen().incidents().filter(|i| i.answer.is_none()).cloned().collect()
    }

    /// A replica is made from this one's rows and goes on from here.
    pub fn restore_third(&mut self) {
        match Kitchen::from_rows(self.kitchen().rows()) {
            Ok(kitchen) => {
                let (archive, written) = (self.main.archive.clone(), self.main.written.clone());
                self.third = Some(Replica { kitchen, archive, written });
            }
            Err(bad) => self.fault(bad.to_string()),
        }
    }
}

/// An entry in one line.
fn brief(command: &Command) -> String {
    match command {
        Command::RecordReport { device, report } => {
            let tasks: Vec<String> =
                report.tasks.iter().map(|t| format!("{} {:?} {}", t.attempt, t.state, t.code)).collect();
            let results: Vec<String> = report.results.iter().rev().take(2).map(|r| format!("{r:?}")).collect();
            format!(
                "{device} boot {} rev {} fence {} holds {:?} tasks {tasks:?} results {results:?}{}",
                report.boot,
                report.rev,
                report.fence,
                report.holds,
                if report.estop { " ESTOP" } else { "" }
            )
        }
        Command::RecordFacts { device, .. } => format!("{device} announces itself"),
        Command::PutRecipe { recipe } => format!("put recipe {}", recipe.id),
        Command::Configure { .. } => "configure".to_owned(),
        other => format!("{other:?}"),
    }
}
