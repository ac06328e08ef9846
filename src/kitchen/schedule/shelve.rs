//! Onto the shelf when another pizza would burn meanwhile, and back from it when nobody is waiting.

use crate::kitchen::ids::{DeviceId, Millis};
use crate::kitchen::outbox::Params;
use crate::kitchen::pizza::{Pizza, PizzaState, Place};
use crate::kitchen::recipe::Recipe;
use crate::kitchen::report::Job;
use crate::kitchen::{Action, Device, Kitchen};

impl Kitchen {
    /// Puts a pizza down if its robot can save another one by that. False if it is to be finished.
    pub(super) fn shelve(&mut self, pizza: &Pizza, gripper: &Place, recipe: &Recipe) -> bool {
        let able = self.devices.get(&gripper.device).is_some_and(|d| d.facts.can(Action::Shelve));
        if !able || !self.saves_another(&gripper.device, pizza, recipe) {
            return false;
        }
        let Some(slot) = self.free_shelf_slots().into_iter().next() else { return false };
        let params = Params { ms: recipe.transfer_ms, shelf: Some(slot.clone()), ..Params::default() };
        let start = self.start(Job::Shelve, vec![gripper.clone(), slot], params);
        self.open_attempt(pizza.id, start);
        true
    }

    /// A pizza in an oven would burn while this one is finished, and not while it is put down.
    fn saves_another(&self, robot: &DeviceId, pizza: &Pizza, recipe: &Recipe) -> bool {
        let now = self.meta.now;
        let finish_ms = self.pace(robot, Action::Finish, &recipe.id).p90_ms(recipe.finish_ms);
        let waits_for_it = |p: &Pizza| {
            matches!(p.state, PizzaState::Baking | PizzaState::Baked)
                && p.exit.as_ref().is_none_or(|e| e.device == *robot)
        };
        self.active_pizzas().filter(|p| p.id != pizza.id && waits_for_it(p)).any(|p| {
            let window_ms = self.recipes.get(&p.recipe).map_or(0, |r| r.window_ms);
            let burns_at = p.bake_end.map_or(Millis::MAX, |end| end + window_ms);
            now + finish_ms > burns_at && now + recipe.transfer_ms <= burns_at
        })
    }

    /// Robots that nobody waits for take pizzas from the shelf, to finish them.
    pub(super) fn fetch_shelved(&mut self) {
        for id in self.shelved() {
            let Some(pizza) = self.pizzas.get(&id).cloned() else { continue };
            let (Some(recipe), Some(slot)) = (self.recipe_of(&pizza), pizza.place().cloned()) else { continue };
            let idle = |d: &Device| {
                let able = self.may_begin(d) && d.facts.can(Action::Unload) && d.facts.can(Action::Finish);
                let lane = able.then(|| d.free_lane()).flatten()?;
                let needed = self.is_needed_elsewhere(&d.id, &pizza, &recipe);
                (!needed).then(|| Place { device: d.id.clone(), lane })
            };
            let Some(gripper) = self.devices.values().find_map(idle) else { return };
            let params = Params { ms: recipe.transfer_ms, oven: Some(slot.clone()), ..Params::default() };
            let start = self.start(Job::Fetch, vec![gripper, slot], params);
            self.open_attempt(id, start);
        }
    }
}
