//! What the end of each step means for its pizza: where it goes on, who has it, or why it is made again.

use super::attempt::{Attempt, Outcome};
use super::ids::PizzaId;
use super::pizza::{Custody, Input, OpenGate, PizzaState, Place, Spoiled};
use super::recipe::Gate;
use super::report::{Content, Job};
use super::vocabulary::Verdict;
use super::{Kitchen, Life};

/// So many tries of one step on one pizza are enough: then it is made again.
const TRIES_MAX: u32 = 5;

impl Kitchen {
    /// Where the end of an attempt leads its pizza, by job.
    pub(super) fn lead_pizza(&mut self, attempt: &Attempt, outcome: &Outcome) {
        match attempt.id.task.job {
            Job::Prep => self.after_prep(attempt, outcome),
            Job::Load => self.after_load(attempt, outcome),
            Job::Bake => self.after_bake(attempt, outcome),
            Job::Unload => self.after_unload(attempt, outcome),
            Job::Finish => self.after_finish(attempt, outcome),
            Job::InspectPrep | Job::InspectBake | Job::InspectFinish => self.after_inspection(attempt, outcome),
            Job::Shelve => self.after_shelve(attempt, outcome),
            Job::Fetch => self.after_fetch(attempt, outcome),
            Job::Discard => {}
        }
    }

    fn after_prep(&mut self, attempt: &Attempt, outcome: &Outcome) {
        let id = attempt.id.task.pizza;
        match outcome {
            Outcome::Succeeded(_) if self.pizzas.get(&id).is_some_and(|p| p.unmeasured) => {
                self.discard(id, Spoiled::Stale, true);
            }
            Outcome::Succeeded(_) => {
                let stale_at =
                    self.pizzas.get(&id).and_then(|p| self.recipes.get(&p.recipe)).map(|r| self.meta.now + r.stale_ms);
                if let Some(pizza) = self.pizzas.get_mut(&id) {
                    pizza.stale_at = stale_at;
                }
                if self.feed_pizza(id, Input::PrepDone) {
                    self.open_gate(id, Job::InspectPrep);
                }
            }
            Outcome::NotStarted(_) if !self.holds(attempt.lane(), id) => {
                self.set_custody(id, Custody::None);
                self.feed_pizza(id, Input::PrepAbandoned);
            }
            Outcome::NotStarted(_) | Outcome::Failed(_) | Outcome::Vanished(_) => {
                self.discard(id, Spoiled::Dropped, true)
            }
        }
    }

    /// A load is over: the oven decides who has the pizza.
    fn after_load(&mut self, attempt: &Attempt, outcome: &Outcome) {
        let id = attempt.id.task.pizza;
        let Some(pizza) = self.pizzas.get(&id) else { return };
        if pizza.state != PizzaState::Loading {
            return;
        }
        let (gripper, slot) = (attempt.touches[0].clone(), attempt.touches[1].clone());
        let transfer_ms = 2 * attempt.typ_ms + 2_000;
        let robot_has_it = self.holds(&gripper, id);
        match outcome {
            Outcome::Succeeded(_) => self.await_oven(id, gripper, slot, transfer_ms),
            Outcome::NotStarted(_) | Outcome::Failed(_) if attempt.id.number >= TRIES_MAX => {
                self.discard(id, Spoiled::Dropped, true);
            }
            Outcome::NotStarted(_) | Outcome::Failed(_) if robot_has_it => self.abandon_bake(id),
            Outcome::NotStarted(_) | Outcome::Failed(_) => self.await_oven(id, gripper, slot, transfer_ms),
            Outcome::Vanished(_) => self.ask_oven_after_loss(id, &slot),
        }
    }

    /// The robot let go; the oven must say so too. A lost oven is believed to have it: an unload will tell.
    fn await_oven(&mut self, id: PizzaId, gripper: Place, slot: Place, transfer_ms: u64) {
        let now = self.meta.now;
        let oven_lost = self.devices.get(&slot.device).is_none_or(|d| d.life == Life::Lost);
        let bake_ms = self.attempt_on(id, Job::Bake).map(|a| a.typ_ms);
        let Some(pizza) = self.pizzas.get_mut(&id) else { return };
        match bake_ms {
            Some(bake_ms) if oven_lost => {
                pizza.custody = Custody::On(slot);
                pizza.bake_end = Some(now + bake_ms);
                self.feed_pizza(id, Input::BakeStarted);
            }
            Some(_) => {
                pizza.custody = Custody::Between(gripper, slot);
                pizza.transfer_by = Some(now + transfer_ms);
            }
            None => self.discard(id, Spoiled::BakeFailed, true),
        }
    }

    /// The robot is gone for good. If the slot is empty it took the pizza along, or dropped it.
    fn ask_oven_after_loss(&mut self, id: PizzaId, slot: &Place) {
        let oven_speaks = self.devices.get(&slot.device).is_some_and(|d| d.life == Life::Live);
        let empty = self.lane(slot).is_some_and(|l| l.content.is_none());
        if oven_speaks && empty {
            self.discard(id, Spoiled::Lost, true);
        } else if !oven_speaks {
            self.lose_custody(id);
        } else if let Some(pizza) = self.pizzas.get_mut(&id) {
            pizza.transfer_by = Some(self.meta.now + 2_000);
        }
    }

    fn after_bake(&mut self, attempt: &Attempt, outcome: &Outcome) {
        let id = attempt.id.task.pizza;
        let Some(pizza) = self.pizzas.get(&id) else { return };
        match (pizza.state, outcome) {
            (PizzaState::Baking | PizzaState::Loading | PizzaState::Uncertain, Outcome::Succeeded(_))
                if pizza.unmeasured =>
            {
                self.discard(id, Spoiled::Stale, true);
            }
            (PizzaState::Baking, Outcome::Succeeded(_)) => self.bake_ended(id),
            (PizzaState::Baking, _) => self.discard(id, Spoiled::BakeFailed, true),
            (PizzaState::Uncertain, Outcome::Failed(_)) => self.discard(id, Spoiled::BakeFailed, true),
            (PizzaState::Loading | PizzaState::Uncertain, Outcome::Succeeded(_)) => {
                // The oven was faster than its own report of the start.
                self.set_custody(id, Custody::On(attempt.lane().clone()));
                self.feed_pizza(id, Input::BakeStarted);
                self.bake_ended(id);
            }
            (PizzaState::Loading, _) => self.abandon_load(id),
            (PizzaState::Baked, Outcome::Failed(code)) if code == "OVERDUE" => self.discard(id, Spoiled::Burnt, true),
            _ => {}
        }
    }

    /// The bake is over, by report or by the clock: from now on the pizza can burn.
    pub(super) fn bake_ended(&mut self, id: PizzaId) {
        let now = self.meta.now;
        let window_ms = self.pizzas.get(&id).and_then(|p| self.recipes.get(&p.recipe)).map_or(0, |r| r.window_ms);
        if let Some(pizza) = self.pizzas.get_mut(&id) {
            pizza.bake_end = Some(now);
            pizza.burn_at = Some(now + window_ms);
        }
        self.feed_pizza(id, Input::BakeEnded);
    }

    fn after_unload(&mut self, attempt: &Attempt, outcome: &Outcome) {
        let id = attempt.id.task.pizza;
        if self.pizzas.get(&id).is_none_or(|p| p.state != PizzaState::Unloading) {
            return;
        }
        let (gripper, slot) = (attempt.touches[0].clone(), attempt.touches[1].clone());
        let still_inside = self.holds(&slot, id);
        match outcome {
            _ if self.pizzas.get(&id).is_some_and(|p| p.unmeasured) => self.discard(id, Spoiled::Stale, true),
            Outcome::Succeeded(_) => self.unloaded(id, gripper),
            _ if self.holds(&gripper, id) => self.unloaded(id, gripper),
            Outcome::NotStarted(_) => self.stays_in_oven(id),
            Outcome::Failed(_) | Outcome::Vanished(_) if still_inside => self.stays_in_oven(id),
            Outcome::Failed(_) | Outcome::Vanished(_) => self.discard(id, Spoiled::Dropped, true),
        }
    }

    fn unloaded(&mut self, id: PizzaId, gripper: Place) {
        if let Some(pizza) = self.pizzas.get_mut(&id) {
            pizza.custody = Custody::On(gripper);
            pizza.oven = None;
            pizza.exit = None;
            pizza.burn_at = None;
        }
        if self.feed_pizza(id, Input::UnloadDone) {
            self.open_gate(id, Job::InspectBake);
        }
    }

    /// The unload came to nothing. One that was awaited past the window has burnt meanwhile.
    fn stays_in_oven(&mut self, id: PizzaId) {
        if self.pizzas.get(&id).is_some_and(|p| p.burn_at.is_none()) {
            return self.discard(id, Spoiled::Burnt, true);
        }
        self.feed_pizza(id, Input::UnloadAbandoned);
    }

    fn after_finish(&mut self, attempt: &Attempt, outcome: &Outcome) {
        let id = attempt.id.task.pizza;
        match outcome {
            Outcome::Succeeded(_) => {
                self.set_custody(id, Custody::Counter);
                if self.feed_pizza(id, Input::FinishDone) {
                    self.open_gate(id, Job::InspectFinish);
                }
            }
            Outcome::NotStarted(_) if attempt.id.number >= TRIES_MAX => self.discard(id, Spoiled::Dropped, true),
            Outcome::NotStarted(_) => {
                self.feed_pizza(id, Input::FinishAbandoned);
            }
            Outcome::Failed(_) | Outcome::Vanished(_) => self.discard(id, Spoiled::Dropped, true),
        }
    }

    /// A step that a camera judges waits for its verdict.
    fn open_gate(&mut self, id: PizzaId, job: Job) {
        let since = self.meta.now;
        let Some(recipe) = self.pizzas.get(&id).and_then(|p| self.recipes.get(&p.recipe)) else { return };
        let gate = super::gates::gate_of(recipe, job);
        if let Some(pizza) = self.pizzas.get_mut(&id).filter(|_| gate != Gate::None) {
            pizza.gate = Some(OpenGate { job, looks: 0, since, incident: None });
        }
    }

    fn after_inspection(&mut self, attempt: &Attempt, outcome: &Outcome) {
        let verdict = match outcome {
            Outcome::Succeeded(code) if code == "PASS" => Some(Verdict::Pass),
            Outcome::Succeeded(code) if code == "FAIL" => Some(Verdict::Fail),
            Outcome::Succeeded(_) => Some(Verdict::Unsure),
            Outcome::Failed(_) | Outcome::NotStarted(_) | Outcome::Vanished(_) => None,
        };
        self.record_verdict(attempt.id.task.pizza, attempt.id.task.job, verdict);
    }

    /// The load came to nothing and the robot holds the pizza: the oven's bake is cancelled, and its end abandons the load.
    pub(super) fn abandon_bake(&mut self, id: PizzaId) {
        match self.attempt_on(id, Job::Bake).map(|a| a.id) {
            Some(bake) => self.request_cancel(bake),
            None => self.abandon_load(id),
        }
    }

    /// The oven will not bake. A robot that has not begun to load keeps its pizza; one under way is awaited.
    fn abandon_load(&mut self, id: PizzaId) {
        if let Some(load) = self.attempt_on(id, Job::Load).map(|a| a.id) {
            self.request_cancel(load);
            return self.lose_hung_load(id);
        }
        let Some(pizza) = self.pizzas.get_mut(&id) else { return };
        let on_robot = matches!(pizza.custody, Custody::On(_));
        if !on_robot {
            return self.discard(id, Spoiled::BakeFailed, true);
        }
        pizza.oven = None;
        pizza.exit = None;
        pizza.bake_end = None;
        pizza.transfer_by = None;
        self.feed_pizza(id, Input::LoadAbandoned);
    }

    pub(super) fn holds(&self, place: &Place, pizza: PizzaId) -> bool {
        self.lane(place).is_some_and(|l| l.content == Some(Content::Pizza(pizza)))
    }
}
