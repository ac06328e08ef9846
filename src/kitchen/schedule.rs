//! Which step on which device, and when. Runs at the end of every entry, and begins whatever may begin.
//!
//! The rule of the trade: decide the exit before the entry. A pizza goes into an oven only when an after-oven robot is
//! reserved to take it out inside its window; delaying a load is cheap, delaying an unload burns food. A pass looks at the
//! pizzas that are under way and at the most urgent of those that wait, so its cost does not grow with the queue.

use std::collections::BTreeMap;

use super::attempt::AttemptState;
use super::ids::{Millis, PizzaId};
use super::outbox::{After, Params};
use super::pizza::{Custody, Input, Pizza, PizzaState, Place, Spoiled};
use super::recipe::Recipe;
use super::report::{AttemptId, Content, Job, TaskId};
use super::{Device, Kitchen};

/// How many waiting pizzas a pass looks at.
const LOOK_AHEAD: usize = 64;

/// Where a waiting pizza stands in the queue: priority, then slack (promise − work), then arrival.
pub type QueueKey = (i16, i64, PizzaId);

/// The place of a pizza in the queue; constant as long as it waits.
pub fn queue_key(pizza: &Pizza) -> QueueKey {
    (-i16::from(pizza.priority), pizza.promised_at as i64 - pizza.work_ms as i64, pizza.id)
}

impl Kitchen {
    /// Begins whatever may begin now.
    pub(super) fn settle(&mut self) {
        self.meta.replan_at = None;
        if self.meta.in_charge.is_some() {
            self.miss_pizzas();
            self.pass_gates();
            self.renew_exits();
            self.open_loads();
            self.finish_unloaded();
            self.unload_baked();
            self.reserve_slots();
            self.begin_preps();
            self.clear_lanes();
            self.test_returned_devices();
        }
        self.refresh_status();
    }

    /// True when the device may begin something now.
    pub(super) fn may_begin(&self, device: &Device) -> bool {
        device.may_work(self.epoch()) && !self.zone_held(&device.facts.zone)
    }

    fn recipe_of(&self, pizza: &Pizza) -> Option<Recipe> {
        self.recipes.get(&pizza.recipe).cloned()
    }

    /// Pizzas that are begun and not packed.
    pub(super) fn active_pizzas(&self) -> impl Iterator<Item = &Pizza> {
        self.active.keys().filter_map(|id| self.pizzas.get(id))
    }

    /// The pizzas in one of these states, by arrival.
    pub(super) fn ids_in(&self, states: &[PizzaState]) -> Vec<PizzaId> {
        self.active.iter().filter(|(_, s)| states.contains(s)).map(|(id, _)| *id).collect()
    }

    /// The pizzas in one state, the most urgent first.
    fn in_state(&self, state: PizzaState) -> Vec<Pizza> {
        let ids = self.ids_in(&[state]);
        let mut found: Vec<Pizza> = ids.iter().filter_map(|id| self.pizzas.get(id)).cloned().collect();
        found.sort_by_key(queue_key);
        found
    }

    /// The oven has accepted to bake: now the robot may load.
    fn open_loads(&mut self) {
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

    /// What an after-oven robot holds, and no verdict keeps, is finished there.
    fn finish_unloaded(&mut self) {
        for pizza in self.in_state(PizzaState::Unloaded) {
            let Some(place) = pizza.place().cloned() else { continue };
            if pizza.gate.is_some() || !self.lane_rests(&place, pizza.id) {
                continue;
            }
            let Some(recipe) = self.recipe_of(&pizza) else { continue };
            let params = Params { ms: recipe.finish_ms, recipe: Some(pizza.recipe.to_string()), ..Params::default() };
            let start = self.start(Job::Finish, vec![place], params);
            self.open_attempt(pizza.id, start);
            self.feed_pizza(pizza.id, Input::FinishOpened);
        }
    }

    /// Baked pizzas leave the oven, the first to burn first, by the robot that was reserved or by any other that is free.
    fn unload_baked(&mut self) {
        let mut baked = self.in_state(PizzaState::Baked);
        baked.sort_by_key(|p| (p.burn_at, p.id));
        for pizza in baked {
            let Some(slot) = pizza.oven.clone() else { continue };
            let only_baked = |a: &AttemptId| a.task == TaskId { pizza: pizza.id, job: Job::Bake };
            let untouched = |k: &Self| k.lane(&slot).is_some_and(|l| l.busy.iter().all(only_baked));
            let Some(gripper) = untouched(self).then(|| self.unloader(&pizza)).flatten() else { continue };
            let Some(recipe) = self.recipe_of(&pizza) else { continue };
            self.take_exit(pizza.id, &gripper.device, &recipe);
            let params = Params { ms: recipe.transfer_ms, oven: Some(slot.clone()), ..Params::default() };
            let start = self.start(Job::Unload, vec![gripper, slot], params);
            self.open_attempt(pizza.id, start);
            self.feed_pizza(pizza.id, Input::UnloadOpened);
        }
    }

    fn unloader(&self, pizza: &Pizza) -> Option<Place> {
        let reserved = pizza.exit.as_ref().and_then(|e| self.devices.get(&e.device));
        let gripper = |d: &Device| {
            let able = self.may_begin(d) && d.facts.can(super::Action::Unload);
            let lane = able.then(|| d.free_lane()).flatten()?;
            Some(Place { device: d.id.clone(), lane })
        };
        reserved.and_then(gripper).or_else(|| self.devices.values().find_map(gripper))
    }

    /// Prepared pizzas get a slot and an exit, together or not at all.
    fn reserve_slots(&mut self) {
        for pizza in self.in_state(PizzaState::Prepped) {
            let Some(gripper) = pizza.place().cloned() else { continue };
            if pizza.gate.is_some() || !self.lane_rests(&gripper, pizza.id) || self.takes_promise_back(pizza.id) {
                continue;
            }
            let Some(slot) = self.free_slot() else { return };
            let Some(recipe) = self.recipe_of(&pizza) else { continue };
            let load_ms = self.expected_ms(&gripper.device, super::Action::Load, recipe.transfer_ms);
            let bake_end = self.meta.now + load_ms + recipe.bake_ms;
            match self.find_exit(&recipe, bake_end) {
                Ok(exit) => self.reserve(&pizza, &recipe, slot, exit, bake_end),
                Err(later_ms) => self.replan_in(later_ms),
            }
        }
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

    fn reserve(&mut self, pizza: &Pizza, recipe: &Recipe, slot: Place, exit: super::pizza::Exit, bake_end: Millis) {
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
            let able = self.may_begin(d) && d.facts.can(super::Action::Bake);
            let lane = able.then(|| d.free_lane()).flatten()?;
            Some(Place { device: d.id.clone(), lane })
        };
        self.devices.values().find_map(slot)
    }

    /// Waiting pizzas are begun on idle robots, each so that its preparation ends as a slot falls free.
    fn begin_preps(&mut self) {
        let mut robots: Vec<Place> = self.idle_prep_robots();
        if robots.is_empty() || self.queue.is_empty() || !self.can_bake_and_finish() {
            return;
        }
        let slots = self.slot_times();
        let mut ahead = self.pizzas_before_the_oven();
        let waiting: Vec<PizzaId> = self.queue.iter().take(LOOK_AHEAD).map(|(_, _, id)| *id).collect();
        for id in waiting {
            if robots.is_empty() {
                return;
            }
            let Some(pizza) = self.pizzas.get(&id).cloned() else { continue };
            let Some(recipe) = self.recipe_of(&pizza) else { continue };
            let Some(slot_free_at) = slots.get(ahead % slots.len().max(1)) else { return };
            let rounds = (ahead / slots.len()) as u64;
            let needed_at = slot_free_at + rounds * (recipe.bake_ms + 2 * recipe.transfer_ms);
            let best = robots.iter().position(|r| !pizza.failed_on.contains(&r.device)).unwrap_or(0);
            let prep_ms = self.expected_ms(&robots[best].device, super::Action::Prep, recipe.prep_ms);
            let prepped_at = self.meta.now + prep_ms;
            if needed_at > prepped_at + recipe.stale_ms / 2 {
                self.replan_in(needed_at - prepped_at - recipe.stale_ms / 2);
                return;
            }
            let robot = robots.remove(best);
            self.begin_prep(&pizza, &recipe, robot);
            ahead += 1;
        }
    }

    fn begin_prep(&mut self, pizza: &Pizza, recipe: &Recipe, robot: Place) {
        let params = Params { ms: recipe.prep_ms, recipe: Some(pizza.recipe.to_string()), ..Params::default() };
        let start = self.start(Job::Prep, vec![robot.clone()], params);
        self.open_attempt(pizza.id, start);
        self.set_custody(pizza.id, Custody::On(robot));
        self.feed_pizza(pizza.id, Input::PrepOpened);
    }

    fn idle_prep_robots(&self) -> Vec<Place> {
        let idle = |d: &Device| {
            let able = self.may_begin(d) && d.facts.can(super::Action::Prep);
            let lane = able.then(|| d.free_lane()).flatten()?;
            Some(Place { device: d.id.clone(), lane })
        };
        self.devices.values().filter_map(idle).collect()
    }

    fn pizzas_before_the_oven(&self) -> usize {
        self.ids_in(&[PizzaState::Prepping, PizzaState::Prepped]).len()
    }

    /// When each slot that is up falls free, the earliest first.
    fn slot_times(&self) -> Vec<Millis> {
        let now = self.meta.now;
        let taken: BTreeMap<&Place, Millis> =
            self.active_pizzas().filter_map(|p| Some((p.oven.as_ref()?, p.bake_end?))).collect();
        let mut times = Vec::new();
        for oven in self.devices.values().filter(|d| d.is_up() && d.facts.can(super::Action::Bake)) {
            for (lane, _) in oven.lanes.iter().filter(|(_, l)| l.blocked.is_none()) {
                let slot = Place { device: oven.id.clone(), lane: *lane };
                times.push(taken.get(&slot).map_or(now, |end| now.max(*end)));
            }
        }
        times.sort_unstable();
        times
    }

    pub(super) fn lane(&self, place: &Place) -> Option<&super::device::LaneState> {
        self.devices.get(&place.device)?.lanes.get(&place.lane)
    }

    /// True when a lane holds this pizza and nothing goes on there.
    fn lane_rests(&self, place: &Place, pizza: PizzaId) -> bool {
        let rests = |l: &super::device::LaneState| {
            l.content == Some(Content::Pizza(pizza)) && l.busy.is_empty() && l.blocked.is_none()
        };
        let may = |d: &Device| d.may_go_on(self.epoch()) && !self.zone_held(&d.facts.zone);
        self.devices.get(&place.device).is_some_and(may) && self.lane(place).is_some_and(rests)
    }

    pub(super) fn set_custody(&mut self, id: PizzaId, custody: Custody) {
        if let Some(pizza) = self.pizzas.get_mut(&id) {
            pizza.custody = custody;
        }
    }

    pub(super) fn replan_in(&mut self, ms: Millis) {
        let at = self.meta.now + ms.max(1);
        self.meta.replan_at = Some(self.meta.replan_at.map_or(at, |before| before.min(at)));
    }
}
