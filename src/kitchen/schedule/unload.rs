//! Out of the oven, and finished.

use crate::kitchen::ids::DeviceId;
use crate::kitchen::outbox::Params;
use crate::kitchen::pizza::{Input, Pizza, PizzaState, Place};
use crate::kitchen::recipe::Recipe;
use crate::kitchen::report::{AttemptId, Job, TaskId};
use crate::kitchen::{Action, Device, Kitchen};

impl Kitchen {
    /// What an after-oven robot holds, and no verdict keeps, is finished there, or put down where that saves another one.
    pub(super) fn finish_unloaded(&mut self) {
        for pizza in self.in_state(PizzaState::Unloaded) {
            let Some(place) = pizza.place().cloned() else { continue };
            if pizza.gate.is_some() || !self.lane_rests(&place, pizza.id) {
                continue;
            }
            let Some(recipe) = self.recipe_of(&pizza) else { continue };
            if self.shelve(&pizza, &place, &recipe) {
                continue;
            }
            let params = Params { ms: recipe.finish_ms, recipe: Some(pizza.recipe.to_string()), ..Params::default() };
            let start = self.start(Job::Finish, vec![place], params);
            self.open_attempt(pizza.id, start);
            self.feed_pizza(pizza.id, Input::FinishOpened);
        }
    }

    /// Baked pizzas leave the oven, the first to burn first, by the robot that was reserved or by another that is free.
    pub(super) fn unload_baked(&mut self) {
        let mut baked = self.in_state(PizzaState::Baked);
        baked.sort_by_key(|p| (p.burn_at, p.id));
        for pizza in baked {
            let Some(slot) = pizza.oven.clone() else { continue };
            let only_baked = |a: &AttemptId| a.task == TaskId { pizza: pizza.id, job: Job::Bake };
            let untouched = self.lane(&slot).is_some_and(|l| l.busy.iter().all(only_baked));
            let Some(recipe) = self.recipe_of(&pizza).filter(|_| untouched) else { continue };
            let Some(gripper) = self.unloader(&pizza, &recipe) else { continue };
            self.take_exit(pizza.id, &gripper.device, &recipe);
            let params = Params { ms: recipe.transfer_ms, oven: Some(slot.clone()), ..Params::default() };
            let start = self.start(Job::Unload, vec![gripper, slot], params);
            self.open_attempt(pizza.id, start);
            self.feed_pizza(pizza.id, Input::UnloadOpened);
        }
    }

    /// Who takes a pizza out: the robot that was reserved, or another one that is free and not needed elsewhere until it is done.
    /// One that is needed elsewhere comes last: what is baked burns before what still bakes.
    fn unloader(&self, pizza: &Pizza, recipe: &Recipe) -> Option<Place> {
        let gripper = |d: &Device| {
            let able = self.may_begin(d) && d.facts.can(Action::Unload);
            let lane = able.then(|| d.free_lane()).flatten()?;
            Some(Place { device: d.id.clone(), lane })
        };
        let reserved = pizza.exit.as_ref().and_then(|e| self.devices.get(&e.device));
        if let Some(place) = reserved.and_then(gripper) {
            return Some(place);
        }
        let free: Vec<Place> = self.devices.values().filter_map(gripper).collect();
        let (needed, unneeded): (Vec<Place>, Vec<Place>) =
            free.into_iter().partition(|place| self.is_needed_elsewhere(&place.device, pizza, recipe));
        unneeded.into_iter().chain(needed).next()
    }

    /// Another pizza would burn if this robot took care of this one first.
    pub(super) fn is_needed_elsewhere(&self, robot: &DeviceId, pizza: &Pizza, recipe: &Recipe) -> bool {
        let busy_ms = self.expected_ms(robot, Action::Unload, recipe.transfer_ms)
            + self.pace(robot, Action::Finish, &recipe.id).mean_ms(recipe.finish_ms);
        let done_at = self.meta.now + busy_ms;
        self.active_pizzas().filter(|p| p.id != pizza.id).any(|p| {
            let waits = matches!(p.state, PizzaState::Baking | PizzaState::Baked);
            let by_it = p.exit.as_ref().is_some_and(|e| e.device == *robot);
            let window_ms = self.recipes.get(&p.recipe).map_or(0, |r| r.window_ms);
            waits && by_it && p.bake_end.is_some_and(|end| done_at > end + window_ms / 2)
        })
    }
}
