//! From the gripper into the oven: a slot and an exit are reserved together or not at all, then the robot loads.

use crate::kitchen::Kitchen;
use crate::kitchen::attempt::AttemptState;
use crate::kitchen::ids::{Millis, PizzaId};
use crate::kitchen::outbox::{After, Params};
use crate::kitchen::pizza::{Custody, Exit, Input, Pizza, PizzaState, Place, Spoiled};
use crate::kitchen::recipe::Recipe;
use crate::kitchen::report::Job;
use crate::kitchen::{Action, Device};

use super::choose::cost;
use super::plan::{Plan, Wish};

/// A pizza that goes into an oven now.
struct Entry {
    pizza: Pizza,
    recipe: Recipe,
    slot: Place,
    exit: Exit,
    bake_end: Millis,
}

impl Kitchen {
    /// The oven has accepted to bake: now the robot may load.
    pub(super) fn open_loads(&mut self) {
        for pizza in self.in_state(PizzaState::Loading) {
            let (Some(slot), Custody::On(gripper)) = (pizza.oven.clone(), pizza.custody.clone()) else { continue };
            if let Some(load) = self.attempt_on(pizza.id, Job::Load) {
                // The last exit was lost: what is not under way stays out of the oven.
                if pizza.exit.is_none() && load.started_at.is_none() {
                    let load = load.id;
                    self.request_cancel(load);
                }
                continue;
            }
            match self.attempt_on(pizza.id, Job::Bake).map(|a| (a.state, a.cancel.is_some())) {
                None => self.abandon_bake(pizza.id),
                // The oven is lost and nobody can take its promise back: no other oven may bake this pizza.
                Some((AttemptState::Unknown, _)) => self.discard(pizza.id, Spoiled::BakeFailed, true),
                Some((AttemptState::Accepted, false)) if pizza.exit.is_none() => self.abandon_bake(pizza.id),
                Some((AttemptState::Accepted, false)) if self.lane_rests(&gripper, pizza.id) => {
                    self.open_load(&pizza, gripper, slot);
                }
                Some(_) => {}
            }
        }
    }

    fn open_load(&mut self, pizza: &Pizza, gripper: Place, slot: Place) {
        let Some(recipe) = self.recipe_of(pizza) else { return };
        let params = Params { ms: recipe.transfer_ms, oven: Some(slot.clone()), ..Params::default() };
        let start = self.start(Job::Load, vec![gripper, slot], params);
        self.open_attempt(pizza.id, start);
    }

    /// Prepared pizzas go into free slots, the one that fits best first.
    pub(super) fn reserve_slots(&mut self) {
        let mut ready = self.ready_to_load();
        while !ready.is_empty() {
            let Some(slot) = self.free_slot() else { return };
            match self.best_entry(&ready, slot) {
                Ok(entry) => {
                    ready.retain(|p| p.id != entry.pizza.id);
                    self.reserve(entry);
                }
                Err(None) => return,
                Err(Some(later_ms)) => return self.replan_in(later_ms),
            }
        }
    }

    /// Prepared pizzas that nothing keeps in their grippers, the most urgent first.
    fn ready_to_load(&mut self) -> Vec<Pizza> {
        let mut ready = self.in_state(PizzaState::Prepped);
        ready.retain(|pizza| {
            let rests = pizza.place().is_some_and(|gripper| self.lane_rests(gripper, pizza.id));
            pizza.gate.is_none() && rests && !self.takes_promise_back(pizza.id)
        });
        ready
    }

    /// The pizza that leaves slot and robot the least idle. Otherwise how long to wait until one could be loaded.
    fn best_entry(&self, ready: &[Pizza], slot: Place) -> Result<Entry, Option<Millis>> {
        let plan = self.plan_with_only(&slot);
        let shortest = self.shortest_exit(&plan, ready.iter());
        let mut best: Option<(u64, Entry)> = None;
        let mut soonest: Option<Millis> = None;
        for pizza in ready {
            let Some(recipe) = self.recipes.get(&pizza.recipe) else { continue };
            let wish = Wish { recipe, ready_at: plan.now, load_ms: self.load_ms(pizza, recipe) };
            let Some(passage) = plan.passage(wish, 0, shortest) else {
                return Err(Some(self.settings().verdict_wait_ms));
            };
            let later_ms = passage.load_at - plan.now;
            if later_ms > 0 {
                soonest = Some(soonest.map_or(later_ms, |s| s.min(later_ms)));
                continue;
            }
            let late_ms = self.late_after_a_loss(&plan, recipe, &passage);
            if late_ms > 0 {
                let late_ms = late_ms.max(RETRY_MS_MIN);
                soonest = Some(soonest.map_or(late_ms, |s| s.min(late_ms)));
                continue;
            }
            let cost = cost(&passage, 0, 0);
            if best.as_ref().is_none_or(|(least, _)| cost < *least) {
                let (exit, bake_end) = (passage.exit(&plan), passage.bake_end);
                let (pizza, recipe, slot) = (pizza.clone(), recipe.clone(), slot.clone());
                best = Some((cost, Entry { pizza, recipe, slot, exit, bake_end }));
            }
        }
        best.map(|(_, entry)| entry).ok_or(soonest)
    }

    /// The plan, with this one free slot.
    fn plan_with_only(&self, slot: &Place) -> Plan<'_> {
        let mut plan = self.plan();
        plan.slots = vec![self.plan_slot(&slot.device, self.meta.now)];
        plan
    }

    pub(super) fn load_ms(&self, pizza: &Pizza, recipe: &Recipe) -> Millis {
        let robot = pizza.place().map(|p| &p.device);
        robot.map_or(recipe.transfer_ms, |r| self.expected_ms(r, Action::Load, recipe.transfer_ms))
    }

    /// A pizza that turned up again may still be awaited by the oven that it was meant for. No other oven may bake it until that
    /// promise is taken back; where nobody can do that, it is made again.
    fn takes_promise_back(&mut self, id: PizzaId) -> bool {
        let Some((bake, state)) = self.attempt_on(id, Job::Bake).map(|a| (a.id, a.state)) else { return false };
        match state {
            AttemptState::Unknown => self.discard(id, Spoiled::BakeFailed, true),
            AttemptState::Planned | AttemptState::Accepted | AttemptState::Running => self.request_cancel(bake),
        }
        true
    }

    fn reserve(&mut self, entry: Entry) {
        let Entry { pizza, recipe, slot, exit, bake_end } = entry;
        let params = Params {
            ms: recipe.bake_ms,
            program: Some(recipe.oven_program.clone()),
            window_ms: Some(recipe.window_ms),
            ..Params::default()
        };
        let mut start = self.start(Job::Bake, vec![slot.clone()], params);
        start.has_watchdog = false;
        start.after = Some(After::Loaded(slot.lane));
        start.start_within_ms = 2 * self.settings().start_within_ms + 2 * recipe.transfer_ms;
        self.open_attempt(pizza.id, start);
        if let Some(pizza) = self.pizzas.get_mut(&pizza.id) {
            pizza.oven = Some(slot);
            pizza.exit = Some(exit);
            pizza.bake_end = Some(bake_end);
        }
        self.feed_pizza(pizza.id, Input::SlotReserved);
    }

    fn free_slot(&self) -> Option<Place> {
        let slot = |d: &Device| {
            let able = self.may_begin(d) && d.facts.can(Action::Bake);
            let lane = able.then(|| d.free_lane()).flatten()?;
            Some(Place { device: d.id.clone(), lane })
        };
        self.devices.values().find_map(slot)
    }
}

/// When to ask again, at the earliest, whether what is in the ovens could do without any one robot: it changes with what robots finish, and not
/// with time alone.
const RETRY_MS_MIN: Millis = 250;
