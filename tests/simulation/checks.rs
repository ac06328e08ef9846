//! What must never happen, judged by what physically happened and by what devices heard: nothing here asks the kitchen for its opinion.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use brigade::device::{Notice, Output};
use brigade::history::DeviceFact;
use brigade::kitchen::{
    Applied, CommandResult, DeviceId, Epoch, Event, InstructionId, Millis, OrderStatus, Question, Row,
};
use brigade::protocol::{Attempt, Cmd, Leader, Leaf, Lease, Message, Op, TaskStart, decode};

use crate::proofs::Proofs;
use crate::run::Simulation;

/// What a device has heard, as its wire saw it.
#[derive(Default)]
struct Heard {
    epoch: Epoch,
    /// When heartbeats were sent, by number, on the device's clock.
    sent: BTreeMap<u64, Millis>,
    leases: Vec<(Lease, Millis)>,
    asked: BTreeMap<Attempt, Vec<InstructionId>>,
}

/// What has been seen so far.
#[derive(Default)]
pub struct Checks {
    /// What each entry did, as the first replica that applied it did it.
    pub digests: Vec<u64>,
    /// By the place of the device in the line: two may have one id.
    heard: BTreeMap<usize, Heard>,
    twins: BTreeSet<String>,
    started: BTreeSet<(String, u32)>,
    running: BTreeMap<String, (String, u32)>,
    proofs: Proofs,
    packed: BTreeMap<String, u32>,
    rejected: BTreeSet<String>,
    asked_to_remove: BTreeSet<String>,
    accepted: BTreeSet<String>,
    epoch: Epoch,
    /// Discarded by the log: nobody eats it any more.
    discarded: BTreeSet<String>,
    /// Pizzas that burnt while somebody still wanted them.
    pub burnt: u32,
}

/// A digest of all that an entry did, and of the row that every entry changes.
pub fn digest(applied: &Applied, first: &Row) -> u64 {
    let mut hasher = DefaultHasher::new();
    for row in [first].into_iter().chain(&applied.rows).chain(&applied.archive) {
        row.key.hash(&mut hasher);
        row.value.hash(&mut hasher);
    }
    applied.events.len().hash(&mut hasher);
    hasher.finish()
}

impl Checks {
    /// A device sends something.
    pub fn device_says(&mut self, device: usize, shown: Millis, message: &Message) {
        if let Message::Heartbeat(beat) = message {
            let heard = self.heard.entry(device).or_default();
            heard.sent.insert(beat.seq, shown);
            if heard.sent.len() > 128 {
                heard.sent.pop_first();
            }
        }
    }

    /// A device hears something.
    pub fn device_hears(&mut self, device: usize, shown: Millis, leaf: Leaf, retained: bool, bytes: &[u8]) {
        let heard = self.heard.entry(device).or_default();
        match leaf {
            Leaf::Leader => {
                let epoch = decode::<Leader>(bytes).map_or(Epoch(0), |l| l.epoch);
                heard.epoch = heard.epoch.max(epoch);
            }
            Leaf::Lease if !retained => {
                let Ok(lease) = decode::<Lease>(bytes) else { return };
                heard.epoch = heard.epoch.max(lease.epoch);
                heard.leases.retain(|(l, at)| at + l.l_ms + 20_000 > shown);
                if let Some(at) = heard.sent.get(&lease.seq) {
                    heard.leases.push((lease, *at));
                }
            }
            Leaf::Cmd if !retained => {
                let Ok(cmd) = decode::<Cmd>(bytes) else { return };
                heard.epoch = heard.epoch.max(cmd.epoch);
                if let Op::TaskStart(task) = &cmd.op {
                    heard.asked.entry(task.attempt.clone()).or_default().push(cmd.id);
                }
            }
            _ => {}
        }
    }

    /// Its memory is gone, and nothing moves.
    pub fn device_died(&mut self, device: usize, id: &DeviceId) {
        self.heard.remove(&device);
        self.running.retain(|_, (at, _)| at != id.as_str());
    }

    /// Invariant 5: a start needs a lease of the highest epoch seen that names it and has not run out.
    pub fn may_start(&self, device: usize, shown: Millis, task: &TaskStart, orphan_ms: Millis) -> Result<(), String> {
        let Some(heard) = self.heard.get(&device) else { return Err("it has heard nothing".to_owned()) };
        let grace_ms = if task.after.is_some() { orphan_ms } else { 0 };
        let asked = heard.asked.get(&task.attempt).ok_or("nobody asked for it")?;
        let names = |(lease, sent_at): &&(Lease, Millis)| {
            lease.epoch == heard.epoch
                && shown < sent_at + lease.l_ms + grace_ms
                && lease.open.iter().any(|id| asked.contains(id))
        };
        match heard.leases.iter().find(names) {
            Some(_) => Ok(()),
            None => Err(format!("no lease of epoch {} names {asked:?}: {:?}", heard.epoch, heard.leases.last())),
        }
    }

    /// From here on two devices have this id. What one of them does says nothing about the other, and the kitchen can't know who is meant
    /// until it has found out: what it holds for over is not judged on them, nor what they do at the same time.
    pub fn has_twin(&mut self, id: &DeviceId) {
        self.twins.insert(id.to_string());
    }

    /// What an entry told, besides: epochs grow, and no order is accepted twice.
    pub fn note_events(&mut self, events: &[Event]) -> Result<(), String> {
        for event in events {
            let runs = |(task, att): &(String, u32)| {
                self.running.get(task).is_some_and(|(at, runs)| runs == att && !self.twins.contains(at))
            };
            self.proofs.note(event, runs)?;
            match event {
                Event::IncidentRaised { question, .. } => {
                    let pizza = question.split_whitespace().nth(1).unwrap_or_default();
                    if question.starts_with(&format!("Pizza {pizza} is not for the customer")) {
                        self.asked_to_remove.insert(pizza.to_owned());
                    }
                }
                Event::PizzaDiscarded { pizza, .. } => drop(self.discarded.insert(pizza.to_string())),
                Event::InCharge { epoch, .. } if *epoch <= self.epoch => {
                    return Err(format!("epoch {epoch} follows {}", self.epoch));
                }
                Event::InCharge { epoch, .. } => self.epoch = *epoch,
                Event::OrderAccepted { order, .. } if !self.accepted.insert(order.to_string()) => {
                    return Err(format!("order {order} was accepted twice"));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Invariant 5: what a replaced controller says is refused. `outputs` is all that a device does with what it has just heard.
    pub fn refused_former(&self, device: usize, name: &DeviceId, outputs: &[Output]) -> Result<(), String> {
        let highest = self.heard.get(&device).map_or(Epoch(0), |h| h.epoch);
        let refused: BTreeSet<InstructionId> = outputs.iter().filter_map(refusal_of).collect();
        let obeyed = outputs.iter().find_map(|output| match output {
            Output::Notice(Notice::Instructed { id, epoch, op, .. }) if *epoch < highest => {
                (!refused.contains(id)).then(|| format!("{name} obeys {op} {id} of epoch {epoch}, and knew {highest}"))
            }
            _ => None,
        });
        obeyed.map_or(Ok(()), Err)
    }

    fn record(&mut self, entry: &DeviceFact) -> Result<(), String> {
        let task = entry.task.clone().unwrap_or_default();
        let (device, att) = (&entry.device, entry.att.unwrap_or(0));
        match entry.event.as_str() {
            "started" => {
                let has_twin = self.twins.contains(device);
                if !has_twin {
                    self.proofs.may_start(&(task.clone(), att))?;
                }
                if !self.started.insert((task.clone(), att)) {
                    return Err(format!("{task}#{att} was started twice, now on {device}"));
                }
                let before = self.running.insert(task.clone(), (device.clone(), att));
                if let Some((other, before)) = before.filter(|(other, _)| !has_twin && !self.twins.contains(other)) {
                    return Err(format!("{device} starts {task}#{att} while {other} is at #{before}"));
                }
            }
            "finished" | "failed" | "cancelled" => {
                if self.running.get(&task).is_some_and(|(_, running)| *running == att) {
                    self.running.remove(&task);
                }
                if entry.code.as_deref() == Some("BLOCKED") {
                    return Err(format!("{device} ran into something at {task}#{att}"));
                }
            }
            "booted" => self.running.retain(|_, (at, _)| at != device),
            "packed" => {
                let pizza = entry.pizza.clone().unwrap_or_default();
                *self.packed.entry(pizza.clone()).or_default() += 1;
                if self.packed[&pizza] > 1 {
                    return Err(format!("{pizza} was packed twice"));
                }
            }
            "rejected" => drop(self.rejected.insert(entry.pizza.clone().unwrap_or_default())),
            "burnt" if entry.pizza.as_ref().is_none_or(|p| !self.discarded.contains(p)) => self.burnt += 1,
            _ => {}
        }
        Ok(())
    }
}

fn refusal_of(output: &Output) -> Option<InstructionId> {
    match output {
        Output::Notice(Notice::Refused {
            id, result: CommandResult::StaleEpoch | CommandResult::StaleBoot, ..
        }) => Some(*id),
        _ => None,
    }
}

impl Simulation {
    /// Judges what has physically happened since the last look.
    pub fn check_record(&mut self) {
        for entry in self.world.record().take() {
            self.trace.note(|| {
                let (task, code) = (entry.task.as_deref().unwrap_or(""), entry.code.as_deref().unwrap_or(""));
                let pizza = entry.pizza.as_deref().unwrap_or("");
                format!("  {} {} {pizza} {task}#{} {code}", entry.device, entry.event, entry.att.unwrap_or(0))
            });
            self.seen.physical(&entry.event, entry.code.as_deref());
            if let Err(why) = self.checks.record(&entry) {
                self.fail(why);
            }
        }
    }

    /// What must be so in the very end.
    pub fn judge(&mut self) {
        let Some(node) = self.in_charge() else { return self.fail("nobody is in charge in the end".to_owned()) };
        for order in 0..self.orders.len() {
            if let Err(why) = self.judge_order(node, order) {
                self.fail(why);
            }
        }
        let rows = self.nodes[node].kitchen.rows();
        for other in 0..self.nodes.len() {
            self.apply_all(other);
            let it = &self.nodes[other];
            if it.kitchen.rows() != rows || it.shelf != self.nodes[node].shelf {
                self.fail(format!("replica {} differs from replica {} in the end", other + 1, node + 1));
            }
        }
        if self.climate.every_ms == 0 && self.checks.burnt > 0 {
            self.fail(format!("{} pizzas burnt though nothing failed", self.checks.burnt));
        }
    }

    fn judge_order(&self, node: usize, order: usize) -> Result<(), String> {
        let placed = &self.orders[order];
        let id = &placed.new.id;
        let it = &self.nodes[node];
        let archived = brigade::kitchen::orders::archived_order(&it.shelf, id);
        let Some(archived) = archived else {
            return match (placed.acknowledged, it.kitchen.order(id)) {
                (_, Some(open)) => Err(format!("order {id} never ended: {:?}", open.status)),
                (true, None) => Err(format!("order {id} was acknowledged and is lost")),
                (false, None) => Ok(()),
            };
        };
        let times = |pizza: &String| self.checks.packed.get(pizza).copied().unwrap_or(0);
        if archived.order.status == OrderStatus::Ready {
            let missing = archived.order.pizzas.iter().map(ToString::to_string).find(|p| times(p) != 1);
            if let Some(pizza) = missing {
                return Err(format!("order {id} is ready, and {pizza} was packed {} times", times(&pizza)));
            }
        }
        // Whatever else was packed of it is a spare, and somebody was asked to take it away; what a camera rejected may be both.
        let number = format!("{}.", archived.order.number);
        let due: BTreeSet<String> = match archived.order.status {
            OrderStatus::Ready => archived.order.pizzas.iter().map(ToString::to_string).collect(),
            _ => BTreeSet::new(),
        };
        let cancelled = archived.order.status != OrderStatus::Ready;
        let spare = self.checks.packed.keys().find(|p| {
            p.starts_with(&number) && !due.contains(*p) && !self.checks.asked_to_remove.contains(*p) && !cancelled
        });
        spare.map_or(Ok(()), |spare| Err(format!("order {id} has a spare that nobody was told of: {spare}")))
    }
}

/// Questions are told from each other by their text; this keeps the text true.
pub fn text_of_removal(pizza: brigade::kitchen::PizzaId) -> String {
    Question::RemoveFromCounter { pizza }.text()
}
