//! What follows when an attempt starts or is over: for its lanes, its device, and its pizza.

use super::attempt::{Attempt, AttemptState, Outcome};
use super::device::Recovery;
use super::event::Event;
use super::incident::Question;
use super::outbox::Op;
use super::pizza::{Custody, Input, PastAttempt, Pizza, PizzaState, Place};
use super::report::{AttemptId, Content, Job, TaskId};
use super::{Kitchen, Life};
use crate::defect;

/// How many past attempts a pizza keeps on record.
const HISTORY_MAX: usize = 64;

impl Kitchen {
    /// A device reported that an attempt runs.
    pub(super) fn attempt_started(&mut self, id: AttemptId) {
        let now = self.meta.now;
        let grace = self.settings().stuck_grace_ms;
        let Some(attempt) = self.attempts.get_mut(&id) else { return };
        let first = attempt.started_at.is_none();
        attempt.state = AttemptState::Running;
        attempt.proof_at = None;
        attempt.started_at.get_or_insert(now);
        let longest = attempt.max_ms.unwrap_or(2 * attempt.typ_ms);
        // One that was in doubt has none any more.
        if first || attempt.due_at.is_none() {
            attempt.due_at = Some(now + longest + grace);
        }
        if first {
            let device = attempt.device.clone();
            self.event(Event::AttemptStarted { attempt: id, device });
        }
        if id.task.job == Job::Bake {
            self.bake_runs(id, first);
        }
    }

    /// The oven says that it bakes: it has the pizza, whatever the robot may say later.
    fn bake_runs(&mut self, id: AttemptId, first: bool) {
        let now = self.meta.now;
        let pizza_id = id.task.pizza;
        let Some(attempt) = self.attempts.get(&id) else { return };
        let (slot, bake_ms) = (attempt.lane().clone(), attempt.typ_ms);
        let Some(pizza) = self.pizzas.get_mut(&pizza_id) else { return };
        if first || pizza.unmeasured {
            pizza.bake_end = Some(now + bake_ms);
            pizza.unmeasured = false;
        }
        if matches!(pizza.state, PizzaState::Loading | PizzaState::Uncertain) {
            pizza.custody = Custody::On(slot);
            pizza.transfer_by = None;
            self.close_incidents_about(pizza_id, "the oven has it");
            self.feed_pizza(pizza_id, Input::BakeStarted);
        }
    }

    /// An attempt is over, with proof: its lanes are free of it, and its pizza goes where that leads.
    pub(super) fn end_attempt(&mut self, id: AttemptId, outcome: &Outcome) {
        let Some(attempt) = self.attempts.remove(&id) else { return };
        for place in &attempt.touches {
            if let Some(lane) = self.devices.get_mut(&place.device).and_then(|d| d.lanes.get_mut(&place.lane)) {
                lane.busy.remove(&id);
            }
        }
        self.outbox.remove(&attempt.instruction);
        if let Some(cancel) = attempt.cancel {
            self.outbox.remove(&cancel);
        }
        self.record_attempt(&attempt, outcome);
        let device = attempt.device.clone();
        self.event(Event::AttemptEnded { attempt: id, device, outcome: outcome.to_string() });
        self.judge_by_outcome(&attempt, outcome);
        self.empty_what_was_left(&attempt, outcome);
        if self.pizzas.contains(&id.task.pizza) {
            self.lead_pizza(&attempt, outcome);
        }
        self.throw_away_spare(&attempt, outcome);
        self.ask_about_shelved_spare(&attempt, outcome);
    }

    /// What was thrown away lies nowhere any more, and what was taken out of an oven lies no longer there, also when it was discarded
    /// meanwhile. An oven's own report of that comes a moment later, and until then nobody may be sent to an empty slot.
    fn empty_what_was_left(&mut self, attempt: &Attempt, outcome: &Outcome) {
        let left: &[Place] = match (attempt.id.task.job, outcome) {
            (Job::Discard, Outcome::Succeeded(_)) => &attempt.touches,
            (Job::Unload, Outcome::Succeeded(_)) => &attempt.touches[1..],
            (Job::Unload, _) if self.holds(attempt.lane(), attempt.id.task.pizza) => &attempt.touches[1..],
            _ => return,
        };
        for place in left {
            let lane = self.devices.get_mut(&place.device).and_then(|d| d.lanes.get_mut(&place.lane));
            if let Some(lane) = lane.filter(|l| l.content == Some(Content::Pizza(attempt.id.task.pizza))) {
                lane.content = None;
            }
        }
    }

    /// A pizza that was packed, or may have been, after it was discarded: it must not be handed out besides its remake.
    fn throw_away_spare(&mut self, attempt: &Attempt, outcome: &Outcome) {
        let packed = matches!(outcome, Outcome::Succeeded(_) | Outcome::Vanished(_));
        let pizza = attempt.id.task.pizza;
        if attempt.id.task.job == Job::Finish
            && packed
            && !self.pizzas.contains(&pizza)
            && !defect::is("spare-not-told")
        {
            self.raise_once(Question::RemoveFromCounter { pizza });
        }
    }

    fn record_attempt(&mut self, attempt: &Attempt, outcome: &Outcome) {
        let past = self.past(attempt, outcome.to_string());
        if let Some(pizza) = self.pizzas.get_mut(&attempt.id.task.pizza) {
            remember(&mut pizza.history, past);
        }
    }

    /// A pizza is discarded: what still ran with it is on its record too, as it stood then. Its real end comes when the pizza is gone.
    pub(super) fn record_overtaken(&self, pizza: &mut Pizza) {
        let first = AttemptId { task: TaskId { pizza: pizza.id, job: Job::Prep }, number: 0 };
        let last = AttemptId { task: TaskId { pizza: pizza.id, job: Job::Discard }, number: u32::MAX };
        for (_, attempt) in self.attempts.range(first..=last).filter(|(_, a)| a.started_at.is_some()) {
            remember(&mut pizza.history, self.past(attempt, "OVERTAKEN".to_owned()));
        }
    }

    fn past(&self, attempt: &Attempt, outcome: String) -> PastAttempt {
        PastAttempt {
            job: attempt.id.task.job,
            number: attempt.id.number,
            device: attempt.device.clone(),
            opened_at: attempt.opened_at,
            started_at: attempt.started_at,
            ended_at: self.meta.now,
            outcome,
            ended_wall: self.meta.wall,
            temp_dc: attempt.temp_dc,
        }
    }

    /// What an outcome says about the device: a success ends its trial, a failure counts.
    fn judge_by_outcome(&mut self, attempt: &Attempt, outcome: &Outcome) {
        let pizza = attempt.id.task.pizza;
        match outcome {
            Outcome::Succeeded(_) => {
                let Some(device) = self.devices.get_mut(&attempt.device) else { return };
                device.successes_total += 1;
                device.refusals = 0;
                if device.recovery == Recovery::Trial {
                    device.recovery = Recovery::Ready;
                }
                self.learn(attempt);
            }
            Outcome::Failed(code) if code == "CANCELLED" => {}
            Outcome::Failed(code) => {
                let what = format!("{} {code}", attempt.id);
                // A camera that can't see says nothing about the pizza.
                let blames_item = attempt.id.task.job.action() != super::Action::Inspect;
                if let Some(pizza) = self.pizzas.get_mut(&pizza).filter(|_| blames_item) {
                    pizza.failed_on.insert(attempt.device.clone());
                }
                self.device_failed(&attempt.device, &what, Some((pizza.order, pizza.item)));
            }
            Outcome::NotStarted(code) if code == "CANCELLED" || code == "NEVER_NAMED" => {}
            Outcome::NotStarted(code) => self.device_refused(&attempt.device, code),
            Outcome::Vanished(_) => {}
        }
    }

    /// Asks a device to end an attempt. Its answer is the proof; a device that can't be reached proves nothing.
    pub(super) fn request_cancel(&mut self, id: AttemptId) {
        let Some(attempt) = self.attempts.get(&id) else { return };
        if attempt.cancel.is_some() {
            return;
        }
        let reachable = self.devices.get(&attempt.device).is_some_and(|d| d.life != Life::Lost);
        if !reachable {
            return;
        }
        let (device, ttl) = (attempt.device.clone(), self.settings().start_within_ms);
        let waiting = matches!(attempt.state, AttemptState::Planned | AttemptState::Accepted | AttemptState::Unknown);
        let instruction = self.instruct(&device, Op::Cancel(id), ttl);
        let due_at = self.meta.now + ttl + self.settings().stuck_grace_ms;
        let attempt = self.attempts.get_mut(&id).expect("it was there a line ago");
        attempt.cancel = Some(instruction);
        if waiting {
            attempt.due_at = Some(due_at);
        }
        // Nothing may start it any more: neither sent again nor named by a lease.
        let start = attempt.instruction;
        self.outbox.remove(&start);
    }
}

fn remember(history: &mut Vec<PastAttempt>, past: PastAttempt) {
    if history.len() >= HISTORY_MAX {
        history.remove(0);
    }
    history.push(past);
}
