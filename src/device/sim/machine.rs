//! A simulated machine: robot, oven or camera. It moves things in the world, as slowly and as badly as its knobs say.

use std::collections::BTreeMap;
use std::sync::Arc;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::faults::{Faults, Knobs};
use super::world::{Mishap, Place, World};
use crate::device::firmware::{Device, End, Happening, Status};
use crate::device::session::Notice;
use crate::history::DeviceFact;
use crate::protocol::{Action, Attempt, DeviceId, Facts, Hold, Id, Lane, Millis, TaskStart, Verdict};

/// How often sensors are looked at, in milliseconds.
const SENSE_MS: Millis = 20;
/// Attempts whose epoch is remembered for the record.
const EPOCHS_MAX: usize = 1_024;

/// What a machine is built from.
#[derive(Clone, Debug)]
pub struct MachineOptions {
    /// Its name.
    pub id: DeviceId,
    /// Who it is and what it can do.
    pub facts: Facts,
    /// Its boot, for the record; the runtime gets the same.
    pub boot: u64,
    /// Its faults.
    pub knobs: Knobs,
    /// Seed of its chances.
    pub seed: u64,
}

/// A simulated machine.
pub struct Machine {
    name: Id,
    options: MachineOptions,
    world: Arc<World>,
    chance: StdRng,
    motions: Vec<Motion>,
    /// What it remembers to hold; lost at a reboot, when only the sensors are left.
    known: BTreeMap<Lane, Id>,
    happened: Vec<Happening>,
    is_held: bool,
    polled_at: Millis,
    /// Under which epoch attempts were instructed, for the record.
    epochs: BTreeMap<Attempt, u64>,
}

/// A task on its way.
struct Motion {
    order: TaskStart,
    action: Action,
    /// How long it takes in all.
    total_us: u64,
    /// How much of it is done.
    done_us: u64,
    /// Load, unload: the pizza has changed hands, at half of the way.
    is_handed_over: bool,
}

impl Machine {
    /// A machine at power-up. What lies on it lies on it still.
    pub fn new(options: MachineOptions, world: Arc<World>) -> Self {
        let name = Id::from(options.id.clone());
        let chance = StdRng::seed_from_u64(options.seed ^ options.boot);
        let (known, epochs, happened, motions) = (BTreeMap::new(), BTreeMap::new(), Vec::new(), Vec::new());
        let machine =
            Self { name, options, world, chance, motions, known, happened, is_held: false, polled_at: 0, epochs };
        machine.record("booted", None, |_| {});
        machine
    }

    fn place(&self, lane: Lane) -> Place {
        Place::new(self.name.clone(), lane)
    }

    fn record(&self, event: &str, order: Option<&TaskStart>, fill: impl FnOnce(&mut DeviceFact)) {
        let mut entry = DeviceFact::new(&self.name, event);
        entry.boot = Some(format!("{:016x}", self.options.boot));
        if let Some(order) = order {
            entry.pizza = Some(order.pizza.to_string());
            entry.task = Some(order.attempt.id.to_string());
            entry.att = Some(order.attempt.att);
            entry.epoch = self.epochs.get(&order.attempt).copied();
        }
        fill(&mut entry);
        self.world.record().write(entry);
    }

    /// Moves on by so much time. Heat goes on while motion is held, stuck or frozen.
    fn advance(&mut self, now: Millis, faults: &Faults) {
        let passed_us = now.saturating_sub(self.polled_at) * 1_000;
        self.polled_at = now;
        let hangs = faults.stuck || faults.frozen;
        for motion in &mut self.motions {
            let is_bake = motion.action == Action::Bake;
            let moves = !hangs && (is_bake || !(self.is_held || faults.estop));
            let slow_pct = if is_bake { 100 } else { u64::from(faults.slow_pct.max(1)) };
            motion.done_us += if moves { passed_us * 100 / slow_pct } else { 0 };
        }
    }

    /// What a motion does in the world, half-way and at its end. Some(end) when it is over.
    fn act(&mut self, motion: &mut Motion, faults: &Faults) -> Option<End> {
        let is_half_way = motion.done_us * 2 >= motion.total_us;
        if is_half_way && faults.fail && motion.action != Action::Bake {
            return Some(failed("JAMMED"));
        }
        if is_half_way && !motion.is_handed_over {
            motion.is_handed_over = true;
            if let Err(mishap) = self.hand_over(&motion.order, motion.action) {
                return Some(failed(mishap.code()));
            }
        }
        (motion.done_us >= motion.total_us).then(|| self.complete(&motion.order, motion.action, faults))
    }

    /// Half-way through, the pizza changes hands.
    fn hand_over(&mut self, order: &TaskStart, action: Action) -> Result<(), Mishap> {
        let Some(slot) = slot_of(order) else { return Ok(()) };
        let gripper = self.place(order.lane);
        let (from, to, event) = match action {
            Action::Load => (gripper, slot.clone(), "placed"),
            Action::Unload => (slot.clone(), gripper, "picked"),
            Action::Prep | Action::Bake | Action::Finish | Action::Discard | Action::Shelve | Action::Inspect => {
                return Ok(());
            }
        };
        let pizza = self.world.carry(&from, to)?;
        match action {
            Action::Load => drop(self.known.remove(&order.lane)),
            _ => drop(self.known.insert(order.lane, pizza.clone())),
        }
        self.record(event, Some(order), |entry| {
            entry.pizza = Some(pizza.to_string());
            entry.oven = Some(slot.device.to_string());
            entry.slot = Some(slot.lane);
        });
        Ok(())
    }

    /// What is done once the motion is over.
    fn complete(&mut self, order: &TaskStart, action: Action, faults: &Faults) -> End {
        let gripper = self.place(order.lane);
        let mut code = String::new();
        match action {
            Action::Prep | Action::Load | Action::Unload | Action::Bake => {}
            Action::Finish => self.leave(order, &gripper, "packed"),
            Action::Discard => self.leave(order, &slot_of(order).unwrap_or(gripper), "discarded"),
            Action::Shelve => match self.world.carry(&gripper, shelf_of(order)) {
                Ok(_) => {
                    self.known.remove(&order.lane);
                    let shelf = shelf_of(order);
                    self.record("shelved", Some(order), |entry| {
                        entry.oven = Some(shelf.device.to_string());
                        entry.slot = Some(shelf.lane);
                    });
                }
                Err(mishap) => return failed(mishap.code()),
            },
            Action::Inspect => code = verdict_text(self.judge(order, faults)).to_owned(),
        }
        let temp_dc = (action == Action::Bake).then(|| chamber_dc(order));
        End::Finished { code, temp_dc }
    }

    fn leave(&mut self, order: &TaskStart, from: &Place, event: &str) {
        let gone = self.world.take_away(from);
        if from.device == self.name {
            self.known.remove(&from.lane);
        }
        // What leaves is what lay there, whatever the instruction called it.
        if let Some(pizza) = gone {
            self.record(event, Some(order), |entry| entry.pizza = Some(pizza.to_string()));
        }
    }

    fn judge(&mut self, order: &TaskStart, faults: &Faults) -> Verdict {
        let roll: u8 = self.chance.random_range(0..100);
        let verdict = match roll {
            roll if roll < faults.wrong_verdict_pct => Verdict::Fail,
            roll if roll < faults.wrong_verdict_pct.saturating_add(faults.unsure_pct) => Verdict::Unsure,
            _ => Verdict::Pass,
        };
        let is_finish = order.params.stage.as_ref().is_some_and(|stage| stage.as_str() == "finish");
        if verdict == Verdict::Fail && is_finish {
            self.record("rejected", Some(order), |_| {});
        }
        verdict
    }

    fn end(&mut self, motion: &Motion, end: End) {
        let (event, code) = match &end {
            End::Finished { code, .. } => ("finished", code.clone()),
            End::Failed { code, .. } => ("failed", code.clone()),
            End::Cancelled => ("cancelled", String::new()),
        };
        let code = (!code.is_empty()).then_some(code);
        self.record(event, Some(&motion.order), |entry| entry.code = code);
        self.happened.push(Happening::Ended { attempt: motion.order.attempt.clone(), end });
    }

    /// In how many milliseconds something that it does changes by itself, if nothing disturbs it: half-way, or at the end.
    pub fn next_change_ms(&self) -> Option<Millis> {
        let faults = self.options.knobs.get();
        let left_us = |motion: &Motion| {
            let is_bake = motion.action == Action::Bake;
            let stands = faults.stuck || faults.frozen || ((self.is_held || faults.estop) && !is_bake);
            let half_us = motion.total_us.div_ceil(2);
            let is_first_half = motion.done_us < half_us && !motion.is_handed_over;
            let left_us = if is_first_half { half_us } else { motion.total_us }.saturating_sub(motion.done_us);
            let slow_pct = if is_bake { 100 } else { u64::from(faults.slow_pct.max(1)) };
            (!stands).then(|| (left_us * slow_pct).div_ceil(100_000))
        };
        self.motions.iter().filter_map(left_us).min()
    }

    fn duration_ms(&self, order: &TaskStart, action: Action) -> Millis {
        let typical = || self.options.facts.action(action).map_or(1_000, |facts| facts.typ_ms);
        order.params.ms.unwrap_or_else(typical)
    }
}

impl Device for Machine {
    fn facts(&self) -> Facts {
        self.options.facts.clone()
    }

    fn status(&mut self, _now: Millis) -> Status {
        let occupied = self.world.occupied(&self.name);
        self.known.retain(|lane, _| occupied.contains(lane));
        let holds = occupied.into_iter().map(|lane| Hold { lane, pizza: self.known.get(&lane).cloned() }).collect();
        let faults = self.options.knobs.get();
        Status { holds, estop: faults.estop, accepts: !faults.refuse, ..Status::default() }
    }

    fn start(&mut self, now: Millis, task: &TaskStart) {
        let Some(action) = task.act.known() else { return };
        let total_ms = self.duration_ms(task, action);
        self.polled_at = self.polled_at.max(now);
        let grace_ms = if task.after.is_some() { self.options.facts.orphan_ms } else { 0 };
        self.record("started", Some(task), |entry| {
            (entry.op, entry.at_ms, entry.grace_ms) = (Some(action.to_string()), Some(now), Some(grace_ms));
        });
        let mut motion =
            Motion { order: task.clone(), action, total_us: total_ms * 1_000, done_us: 0, is_handed_over: false };
        if action == Action::Prep {
            match self.world.make(self.place(task.lane), task.pizza.clone()) {
                Ok(()) => drop(self.known.insert(task.lane, task.pizza.clone())),
                Err(mishap) => return self.end(&motion, failed(mishap.code())),
            }
        }
        if action == Action::Bake {
            motion.is_handed_over = true;
            let window_ms = task.params.window_ms.unwrap_or(Millis::MAX / 2);
            self.world.heat(self.place(task.lane), now + total_ms + window_ms);
        }
        self.motions.push(motion);
    }

    fn stop(&mut self, _now: Millis, attempt: &Attempt) {
        if let Some(at) = self.motions.iter().position(|motion| motion.order.attempt == *attempt) {
            let motion = self.motions.remove(at);
            self.end(&motion, End::Cancelled);
        }
    }

    fn hold(&mut self, now: Millis, held: bool) {
        let faults = self.options.knobs.get();
        self.advance(now, &faults);
        self.is_held = held;
    }

    fn on_overdue(&mut self, now: Millis, lane: Lane) {
        // It is too late for this pizza whatever happens now; without heat it does not catch fire.
        self.world.pass_time(now);
        if !self.options.knobs.get().heat_stays_on {
            self.world.cool(&self.place(lane));
        }
    }

    fn poll(&mut self, now: Millis) -> Vec<Happening> {
        let faults = self.options.knobs.get();
        self.advance(now, &faults);
        self.world.pass_time(now);
        let mut going_on = Vec::new();
        for mut motion in std::mem::take(&mut self.motions) {
            match self.act(&mut motion, &faults) {
                Some(end) => self.end(&motion, end),
                None => {
                    let pct = u8::try_from(motion.done_us * 100 / motion.total_us.max(1)).unwrap_or(100).min(99);
                    self.happened.push(Happening::Progress { attempt: motion.order.attempt.clone(), pct });
                    going_on.push(motion);
                }
            }
        }
        self.motions.append(&mut going_on);
        std::mem::take(&mut self.happened)
    }

    fn next_poll(&self, now: Millis) -> Option<Millis> {
        let left_us = self.motions.iter().map(|motion| motion.total_us.saturating_sub(motion.done_us)).min();
        Some(now + left_us.map_or(SENSE_MS, |left_us| left_us.div_ceil(1_000)).clamp(1, SENSE_MS))
    }

    fn notice(&mut self, _now: Millis, notice: &Notice) {
        match notice {
            Notice::Instructed { id, epoch, op, attempt } => {
                if let Some(attempt) = attempt.clone().filter(|_| op == "task.start") {
                    self.epochs.insert(attempt, epoch.0);
                    if self.epochs.len() > EPOCHS_MAX {
                        self.epochs.pop_first();
                    }
                }
                self.note("instructed", attempt.as_ref(), |entry| {
                    (entry.id, entry.op, entry.epoch) = (Some(id.to_string()), Some(op.clone()), Some(epoch.0));
                });
            }
            Notice::Refused { id, result, attempt } => self.note("refused", attempt.as_ref(), |entry| {
                (entry.id, entry.code) = (Some(id.to_string()), Some(format!("{result:?}")));
            }),
            Notice::Fenced { epoch } => self.note("fenced", None, |entry| entry.epoch = Some(epoch.0)),
            Notice::Leased { epoch, until, open } => self.note("leased", None, |entry| {
                entry.open = open.iter().map(ToString::to_string).collect();
                (entry.epoch, entry.until_ms) = (Some(epoch.0), Some(*until));
            }),
            Notice::Expired { attempt } => self.note("expired", Some(attempt), |_| {}),
        }
    }
}

impl Machine {
    fn note(&self, event: &str, attempt: Option<&Attempt>, fill: impl FnOnce(&mut DeviceFact)) {
        self.record(event, None, |entry| {
            entry.task = attempt.map(|attempt| attempt.id.to_string());
            entry.att = attempt.map(|attempt| attempt.att);
            fill(entry);
        });
    }
}

fn failed(code: &str) -> End {
    End::Failed { code: code.to_owned(), detail: String::new() }
}

fn verdict_text(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "PASS",
        Verdict::Fail => "FAIL",
        Verdict::Unsure => "UNSURE",
    }
}

/// The mean temperature of an oven's chamber over a bake: a few degrees around what a stone oven is set to. It follows from the
/// attempt, so that a seed gives the same kitchen again.
fn chamber_dc(order: &TaskStart) -> i32 {
    let spread: u32 = order.attempt.id.as_str().bytes().map(u32::from).sum::<u32>() + order.attempt.att;
    3_170 + i32::try_from(spread % 60).unwrap_or(0)
}

/// The oven slot that an instruction names.
fn slot_of(order: &TaskStart) -> Option<Place> {
    Some(Place::new(order.params.oven.clone()?, order.params.slot?))
}

/// The place on a shelf that an instruction names; without one, the first of `shelf`.
fn shelf_of(order: &TaskStart) -> Place {
    let shelf = order.params.shelf.clone().or_else(|| "shelf".parse().ok());
    Place::new(shelf.expect("shelf is an id"), order.params.slot.unwrap_or(0))
}
