//! The exit before the entry: which after-oven robot takes a pizza out, reserved before the pizza goes in.

use std::collections::BTreeMap;

use super::ids::{DeviceId, Millis, PizzaId};
use super::pizza::{Exit, Pizza, PizzaState};
use super::recipe::{Gate, Recipe};
use super::{Action, Device, Kitchen};

/// Spans in which a robot is taken, as (from, until).
type Plans = BTreeMap<DeviceId, Vec<(Millis, Millis)>>;

/// How long a verdict between unload and finish usually takes.
const VERDICT_MS: Millis = 200;

impl Kitchen {
    /// An exit for a bake that would end at `bake_end`; otherwise how long to wait before one could be had.
    ///
    /// Only half of the window is planned away: the rest is for what comes late.
    pub(super) fn find_exit(&self, recipe: &Recipe, bake_end: Millis) -> Result<Exit, Millis> {
        let latest = bake_end + recipe.window_ms / 2;
        let plans = self.exit_plans();
        let offer = |(device, plan): (&DeviceId, &Vec<(Millis, Millis)>)| {
            let span = self.exit_ms(recipe, device);
            let from = first_gap(plan, bake_end, span);
            (from, from + span, device.clone())
        };
        let (from, until, device) = plans.iter().map(offer).min().ok_or(self.settings().verdict_wait_ms)?;
        if from > latest {
            return Err(from - latest);
        }
        Ok(Exit { device, from, until })
    }

    /// A pizza whose robot can't come any more gets another exit; without one it is not loaded, or waits for whoever is free.
    pub(super) fn renew_exits(&mut self) {
        for id in &self.ids_in(&[PizzaState::Loading, PizzaState::Baking, PizzaState::Baked]) {
            let Some(pizza) = self.pizzas.get(id) else { continue };
            let kept =
                pizza.exit.as_ref().and_then(|e| self.devices.get(&e.device)).is_some_and(|d| self.may_take_exits(d));
            if kept {
                continue;
            }
            let had_one = pizza.exit.is_some();
            let bake_end = pizza.bake_end.unwrap_or(self.meta.now);
            let exit = self.recipes.get(&pizza.recipe).and_then(|r| self.find_exit(r, bake_end).ok());
            if had_one || exit.is_some() {
                self.pizzas.get_mut(id).expect("it was there a line ago").exit = exit;
            }
        }
    }

    /// The robot that really takes the pizza out is the one that is taken.
    pub(super) fn take_exit(&mut self, id: PizzaId, device: &DeviceId, recipe: &Recipe) {
        let from = self.meta.now;
        let until = from + self.exit_ms(recipe, device);
        if let Some(pizza) = self.pizzas.get_mut(&id) {
            pizza.exit = Some(Exit { device: device.clone(), from, until });
        }
    }

    /// What each after-oven robot is reserved for, or at work on.
    fn exit_plans(&self) -> Plans {
        let able = |d: &&Device| self.may_take_exits(d);
        let mut plans: Plans = self.devices.values().filter(able).map(|d| (d.id.clone(), Vec::new())).collect();
        for pizza in self.active_pizzas() {
            if let Some((device, from, until)) = self.taken_by(pizza)
                && let Some(plan) = plans.get_mut(device)
            {
                plan.push((from, until));
            }
        }
        for plan in plans.values_mut() {
            plan.sort_unstable();
        }
        plans
    }

    /// A robot that takes pizzas out and finishes them, and that is expected to do so in a while. One that said no again after
    /// its rest is not: what it was reserved for would wait in the oven until it burns.
    pub(super) fn may_take_exits(&self, device: &Device) -> bool {
        device.is_up()
            && !device.keeps_refusing()
            && device.facts.can(Action::Unload)
            && device.facts.can(Action::Finish)
            && !self.zone_held(&device.facts.zone)
    }

    /// How long an exit takes this robot: unload, a verdict, finish.
    fn exit_ms(&self, recipe: &Recipe, robot: &DeviceId) -> Millis {
        let verdict = if recipe.gates.bake == Gate::None { 0 } else { VERDICT_MS };
        let unload_ms = self.expected_ms(robot, Action::Unload, recipe.transfer_ms);
        unload_ms + verdict + self.expected_ms(robot, Action::Finish, recipe.finish_ms)
    }

    /// How long a device is expected to take, by what it took so far.
    pub(super) fn expected_ms(&self, device: &DeviceId, action: Action, ms: Millis) -> Millis {
        self.devices.get(device).map_or(ms, |d| d.expects(action, ms))
    }

    fn taken_by<'a>(&self, pizza: &'a Pizza) -> Option<(&'a DeviceId, Millis, Millis)> {
        let now = self.meta.now;
        let recipe = self.recipes.get(&pizza.recipe)?;
        match pizza.state {
            PizzaState::Loading | PizzaState::Baking | PizzaState::Baked | PizzaState::Unloading => {
                let exit = pizza.exit.as_ref()?;
                // A late exit begins now and is as long as ever; a begun one ends as it began.
                let from = if pizza.state == PizzaState::Unloading { pizza.since } else { exit.from.max(now) };
                Some((&exit.device, from, (from + self.exit_ms(recipe, &exit.device)).max(now + 1)))
            }
            PizzaState::Unloaded | PizzaState::Finishing | PizzaState::Shelved => {
                let place = pizza.place()?;
                let begun = if pizza.state == PizzaState::Finishing { pizza.since } else { now };
                let finish_ms = self.expected_ms(&place.device, Action::Finish, recipe.finish_ms);
                Some((&place.device, now, (begun + finish_ms).max(now + 1)))
            }
            PizzaState::Queued
            | PizzaState::Prepping
            | PizzaState::Prepped
            | PizzaState::Finished
            | PizzaState::Packed
            | PizzaState::Uncertain => None,
        }
    }
}

/// The earliest moment from `from` on at which `span` fits between the spans of a sorted plan.
fn first_gap(plan: &[(Millis, Millis)], from: Millis, span: Millis) -> Millis {
    let mut at = from;
    for (busy_from, busy_until) in plan {
        if at + span <= *busy_from {
            break;
        }
        at = at.max(*busy_until);
    }
    at
}

#[cfg(test)]
mod tests {
    use super::first_gap;

    #[test]
    fn an_exit_goes_into_the_first_gap_that_is_long_enough() {
        let plan = [(10, 20), (25, 40), (60, 70)];
        assert_eq!(first_gap(&plan, 0, 10), 0);
        assert_eq!(first_gap(&plan, 5, 10), 40);
        assert_eq!(first_gap(&plan, 5, 5), 5);
        assert_eq!(first_gap(&plan, 20, 5), 20);
        assert_eq!(first_gap(&plan, 41, 30), 70);
        assert_eq!(first_gap(&[], 7, 30), 7);
    }
}
