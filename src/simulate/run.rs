//! The loop: the earliest event happens, the kitchen learns of it, and what it decides becomes further events.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use crate::kitchen::rows::{self, InMemory};
use crate::kitchen::{
    Applied, AttemptId, Command, Content, Decision, Entry, Instruction, InstructionId, Kitchen, Life, Millis, NewOrder,
    Op, Question, Reply, Report,
};

use super::plan::Plan;
use super::result::{Outcome, Tally};
use super::world::World;

/// A device that is silent for so long is lost.
const LOST_MS: Millis = 5_000;
/// A run that goes on for so long after the last order came is given up.
const PATIENCE_MS: Millis = 48 * 3_600_000;

/// Something that happens at its time.
enum Event {
    /// An order comes.
    Order(usize),
    /// An instruction reaches its device.
    Instruction(Box<Instruction>),
    /// A task of a machine should be at its end.
    TaskEnds(usize, AttemptId),
    /// What a machine says reaches the kitchen.
    Report(usize, Box<Report>),
    /// A machine dies, if it still lives that life.
    Fails(usize, u64),
    /// Nothing was heard of it for long.
    Silent(usize, u64),
    /// It is repaired.
    Repaired(usize),
    /// A person answers a question.
    Answer(u64),
    /// Some deadline of the kitchen may be due.
    Deadline,
}

struct Simulation<'a> {
    plan: &'a Plan,
    kitchen: Kitchen,
    archive: InMemory,
    world: World,
    agenda: BinaryHeap<Reverse<(Millis, u64)>>,
    events: BTreeMap<u64, Event>,
    sequence: u64,
    now: Millis,
    index: u64,
    deadline_at: Option<Millis>,
    asked: u64,
    orders_to_come: usize,
    tally: Tally,
}

/// Cooks a plan through.
pub fn run(plan: &Plan) -> Outcome {
    run_watched(plan, &mut |_, _| {})
}

/// Cooks a plan through, and tells from time to time how far it is: kitchen time, pizzas packed.
pub fn run_watched(plan: &Plan, watch: &mut dyn FnMut(Millis, u64)) -> Outcome {
    let mut sim = Simulation::new(plan);
    sim.open();
    let last = plan.arrivals.iter().map(|a| a.at).max().unwrap_or(0);
    let mut steps = 0u64;
    while sim.is_busy() && sim.now < last + PATIENCE_MS && sim.step() {
        steps += 1;
        if steps.is_multiple_of(4_096) {
            watch(sim.now, sim.kitchen.meta().packed);
        }
    }
    let Simulation { kitchen, world, tally, now, .. } = sim;
    tally.into_outcome(plan, &kitchen, world.spans, now)
}

impl<'a> Simulation<'a> {
    fn new(plan: &'a Plan) -> Self {
        Self {
            plan,
            kitchen: Kitchen::default(),
            archive: InMemory::default(),
            world: World::new(plan),
            agenda: BinaryHeap::new(),
            events: BTreeMap::new(),
            sequence: 0,
            now: 0,
            index: 0,
            deadline_at: None,
            asked: 0,
            orders_to_come: plan.arrivals.len(),
            tally: Tally::default(),
        }
    }

    /// Takes charge, learns settings and menu, and meets the devices.
    fn open(&mut self) {
        self.apply(Command::TakeCharge { node: 1, incarnation: 1, gap_measured: true, kitchen: String::new() });
        self.apply(Command::Configure { settings: self.plan.settings.clone() });
        for recipe in self.plan.menu.clone() {
            self.apply(Command::PutRecipe { recipe });
        }
        for number in 0..self.world.machines.len() {
            let machine = &self.world.machines[number];
            let (device, boot, facts) = (machine.id.clone(), machine.boot, machine.facts.clone());
            self.apply(Command::RecordFacts { device, boot, facts });
            self.schedule_failure(number);
        }
        self.send_reports();
        for (n, arrival) in self.plan.arrivals.iter().enumerate() {
            self.at(arrival.at, Event::Order(n));
        }
    }

    fn is_busy(&self) -> bool {
        self.orders_to_come > 0 || self.kitchen.orders().next().is_some()
    }

    fn at(&mut self, at: Millis, event: Event) {
        self.sequence += 1;
        self.agenda.push(Reverse((at, self.sequence)));
        self.events.insert(self.sequence, event);
    }

    /// The next event. False when nothing will ever happen again.
    fn step(&mut self) -> bool {
        let Some(Reverse((at, number))) = self.agenda.pop() else { return false };
        let event = self.events.remove(&number).expect("each number on the agenda has its event");
        self.now = self.now.max(at);
        self.happens(event);
        for started in self.world.start_tasks(self.now) {
            self.at(started.ends_at, Event::TaskEnds(started.machine, started.attempt));
        }
        self.send_reports();
        true
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::Order(n) => self.order(n),
            Event::Instruction(instruction) => self.world.deliver(*instruction, true),
            Event::TaskEnds(machine, attempt) => self.world.finish(machine, attempt, self.now),
            Event::Report(machine, report) => {
                let device = self.world.machines[machine].id.clone();
                self.apply(Command::RecordReport { device, report: *report });
            }
            Event::Fails(machine, boot) => self.fails(machine, boot),
            Event::Silent(machine, boot) => self.silent(machine, boot),
            Event::Repaired(machine) => {
                self.world.machines[machine].comes_back();
                self.schedule_failure(machine);
            }
            Event::Answer(incident) => self.answer(incident),
            Event::Deadline => {
                self.deadline_at = None;
                self.apply(Command::DeadlinesDue);
            }
        }
    }

    fn apply(&mut self, command: Command) -> Reply {
        self.index += 1;
        let of_tenure = matches!(
            command,
            Command::RecordFacts { .. }
                | Command::RecordReport { .. }
                | Command::JudgeDevice { .. }
                | Command::DeadlinesDue
        );
        let epoch = of_tenure.then(|| self.kitchen.epoch());
        let entry = Entry { at: self.now, wall: self.now, epoch, asked: None, command };
        let applied = self.kitchen.apply(self.index, &entry, &self.archive);
        #[cfg(test)]
        if self.index.is_multiple_of(100) {
            crate::kitchen::invariants::check(&self.kitchen).expect("every invariant holds after every entry");
        }
        self.follow(applied)
    }

    /// What an entry leads to: instructions on their way, questions to persons, the next deadline.
    fn follow(&mut self, applied: Applied) -> Reply {
        rows::write(&mut self.archive, &applied.archive);
        self.tally.count(&applied.events, self.now);
        let first = InstructionId { index: self.index, n: 0 };
        let new: Vec<Instruction> = self.kitchen.outbox().rev().take_while(|i| i.id >= first).cloned().collect();
        for instruction in new.into_iter().rev() {
            let at = self.now + self.plan.link_ms;
            self.at(at, Event::Instruction(Box::new(instruction)));
        }
        self.ask_persons();
        let next = self.kitchen.next_deadline();
        if let Some(at) = next.filter(|at| self.deadline_at.is_none_or(|before| *at < before)) {
            self.deadline_at = Some(at);
            self.at(at.max(self.now), Event::Deadline);
        }
        applied.reply
    }

    fn ask_persons(&mut self) {
        let asked = self.asked;
        let new: Vec<u64> = self.kitchen.incidents().rev().map(|i| i.id).take_while(|id| *id > asked).collect();
        for id in new {
            self.asked = self.asked.max(id);
            self.at(self.now + self.plan.person_ms, Event::Answer(id));
        }
    }

    fn send_reports(&mut self) {
        let fence = self.kitchen.epoch();
        for number in 0..self.world.machines.len() {
            let machine = &mut self.world.machines[number];
            if machine.is_changed && machine.is_up {
                let report = Box::new(machine.report(fence));
                self.at(self.now + self.plan.link_ms, Event::Report(number, report));
            }
        }
    }

    fn order(&mut self, n: usize) {
        self.orders_to_come -= 1;
        let arrival = &self.plan.arrivals[n];
        let id = format!("order-{n}").parse().expect("an id");
        let new =
            NewOrder { id, items: arrival.items.clone(), priority: arrival.priority, promise_ms: arrival.promise_ms };
        let order = new.id.clone();
        let reply = self.apply(Command::PlaceOrder(new));
        self.tally.placed(order, arrival, self.now, &reply, &self.kitchen);
    }

    fn schedule_failure(&mut self, number: usize) {
        let failures = self.plan.failures;
        let machine = &self.world.machines[number];
        let mtbf = match machine.is_robot() {
            true => failures.robots_mtbf_ms,
            false if machine.facts.can(crate::kitchen::Action::Bake) => failures.ovens_mtbf_ms,
            false => 0,
        };
        if mtbf > 0 {
            let boot = machine.boot;
            let at = self.now + self.world.chance.span(mtbf);
            self.at(at, Event::Fails(number, boot));
        }
    }

    fn fails(&mut self, number: usize, boot: u64) {
        self.tally.device_failures += 1;
        self.world.fail(number, self.now);
        self.at(self.now + LOST_MS, Event::Silent(number, boot));
        let repaired_at = self.now + self.world.chance.span(self.plan.failures.mttr_ms.max(1));
        self.at(repaired_at, Event::Repaired(number));
    }

    fn silent(&mut self, number: usize, boot: u64) {
        let machine = &self.world.machines[number];
        if machine.is_up || machine.boot != boot {
            return;
        }
        let device = machine.id.clone();
        let named = |i: &Instruction| matches!(i.op, Op::Start(_)) && i.device == device;
        let named = self.kitchen.outbox().filter(|i| named(i)).map(|i| (i.id, self.now)).collect();
        self.apply(Command::JudgeDevice { device, life: Life::Lost, named });
    }

    fn answer(&mut self, id: u64) {
        let Some(incident) = self.kitchen.incidents().find(|i| i.id == id && i.answer.is_none()) else { return };
        let decision = match &incident.question {
            Question::WhereIsPizza { .. } => Decision::PizzaGone,
            Question::ClearLane { .. } => Decision::LaneClear,
            Question::JudgePizza { .. } => Decision::Good,
            Question::ItemFails { .. } => Decision::Retry,
            _ => Decision::Resolved,
        };
        if let Question::ClearLane { place } = incident.question.clone() {
            self.world.put(&place, None::<Content>);
        }
        let actor = "person".to_owned();
        self.apply(Command::DecideIncident { incident: id, decision, actor, reason: String::new() });
    }
}
