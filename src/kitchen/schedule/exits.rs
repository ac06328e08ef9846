//! The exit before the entry: which after-oven robot takes a pizza out, reserved before the pizza goes in.

use crate::kitchen::ids::{DeviceId, Millis, PizzaId};
use crate::kitchen::pizza::{Exit, Pizza, PizzaState};
use crate::kitchen::recipe::{NMinusOne, Recipe};
use crate::kitchen::{Action, Device, Kitchen};

use super::plan::{Passage, Plan, planned_wait};

/// A pizza that is in an oven, or will be: from when and until when it can be taken out, and how long that takes its robot.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Inside {
    until: Millis,
    from: Millis,
    span: Millis,
    /// How long it takes to take it out and put it onto a shelf.
    put_down: Millis,
}

impl Kitchen {
    /// A pizza whose robot can't come any more gets another exit; without one it is not loaded, or waits for whoever is free.
    pub(super) fn renew_exits(&mut self) {
        for id in &self.ids_in(&[PizzaState::Loading, PizzaState::Baking, PizzaState::Baked]) {
            let Some(pizza) = self.pizzas.get(id) else { continue };
            let kept =
                pizza.exit.as_ref().and_then(|e| self.devices.get(&e.device)).is_some_and(|d| self.may_take_exits(d));
            if kept {
                continue;
            }
            let exit = self.rescue(pizza);
            if pizza.exit.is_some() || exit.is_some() {
                self.pizzas.get_mut(id).expect("it was there a line ago").exit = exit;
            }
        }
    }

    /// Another exit for a pizza that lost its own. One that is not in the oven yet must fit into its window.
    fn rescue(&self, pizza: &Pizza) -> Option<Exit> {
        let recipe = self.recipes.get(&pizza.recipe)?;
        let bake_end = pizza.bake_end.unwrap_or(self.meta.now);
        let plan = self.plan();
        let offer = |(n, robot): (usize, &super::plan::Robot<'_>)| {
            let span = robot.exit_ms(recipe);
            let from = robot.gap(bake_end.max(self.meta.now), 0, span);
            (from, n, from + span)
        };
        let (from, robot, until) = plan.robots.iter().enumerate().map(offer).min()?;
        let may_wait = pizza.state != PizzaState::Loading || from <= bake_end + recipe.window_ms / 2;
        may_wait.then(|| Exit { device: plan.robots[robot].id.clone(), from, until })
    }

    /// The robot that really takes the pizza out is the one that is taken.
    pub(super) fn take_exit(&mut self, id: PizzaId, device: &DeviceId, recipe: &Recipe) {
        let from = self.meta.now;
        let finish_ms = self.pace(device, Action::Finish, &recipe.id).mean_ms(recipe.finish_ms);
        let until = from + self.expected_ms(device, Action::Unload, recipe.transfer_ms) + finish_ms;
        if let Some(pizza) = self.pizzas.get_mut(&id) {
            pizza.exit = Some(Exit { device: device.clone(), from, until });
        }
    }

    /// A robot that takes pizzas out and finishes them, and that is expected to do so in a while. One that said no again after
    /// its rest is not: what it was reserved for would wait in the oven until it burns.
    pub(in crate::kitchen) fn may_take_exits(&self, device: &Device) -> bool {
        device.is_up()
            && !device.keeps_refusing()
            && device.facts.can(Action::Unload)
            && device.facts.can(Action::Finish)
            && !self.zone_held(&device.facts.zone)
    }

    /// By how much something in the ovens, or this pizza, would leave too late if any one after-oven robot were lost; 0 if nothing would.
    ///
    /// Where no second one is up there is nothing to ask: orders always go on, and the kitchen's status says so.
    pub(super) fn late_after_a_loss(&self, plan: &Plan<'_>, recipe: &Recipe, passage: &Passage) -> Millis {
        if self.settings().n_minus_one == NMinusOne::Off || plan.robots.len() < 2 {
            return 0;
        }
        let robot = &plan.robots[passage.robot];
        let mut inside = self.inside_ovens();
        let (from, span) = (passage.bake_end, robot.exit_ms(recipe));
        let until = from + last_call(recipe);
        inside.push(Inside { until, from, span, put_down: 2 * recipe.transfer_ms });
        inside.sort_unstable();
        self.shorten_by_shelf(&mut inside);
        let at_work: Vec<Millis> = plan.robots.iter().map(|r| self.free_of_present_work(r.id)).collect();
        (0..at_work.len()).map(|lost| latest_leaves(&inside, &at_work, lost, until)).max().unwrap_or(0)
    }

    /// With a shelf in reckoning, the first to leave are only put down there.
    fn shorten_by_shelf(&self, inside: &mut [Inside]) {
        if self.settings().n_minus_one == NMinusOne::Shelf {
            let slots = self.free_shelf_slots().len();
            inside.iter_mut().take(slots).for_each(|pizza| pizza.span = pizza.put_down);
        }
    }

    fn inside_ovens(&self) -> Vec<Inside> {
        let inside = |p: &Pizza| {
            let waits = matches!(p.state, PizzaState::Loading | PizzaState::Baking | PizzaState::Baked);
            let recipe = self.recipes.get(&p.recipe).filter(|_| waits)?;
            let (from, exit) = (p.bake_end?.max(self.meta.now), p.exit.as_ref()?);
            let (until, span) = (p.bake_end? + last_call(recipe), exit.until - exit.from);
            Some(Inside { until, from, span, put_down: 2 * recipe.transfer_ms })
        };
        self.active_pizzas().filter_map(inside).collect()
    }

    /// When a robot is done with what it holds or is taking out.
    fn free_of_present_work(&self, id: &DeviceId) -> Millis {
        let at = |p: &Pizza| {
            let place = p.place().filter(|place| place.device == *id);
            match p.state {
                PizzaState::Unloading => p.exit.as_ref().filter(|e| e.device == *id).map(|e| e.until),
                PizzaState::Unloaded => place.map(|_| self.meta.now + self.finish_ms(p)),
                PizzaState::Finishing => place.map(|_| p.since + self.finish_ms(p)),
                _ => None,
            }
        };
        self.active_pizzas().filter_map(at).max().unwrap_or(self.meta.now)
    }

    fn finish_ms(&self, pizza: &Pizza) -> Millis {
        self.recipes.get(&pizza.recipe).map_or(0, |r| r.finish_ms)
    }
}

/// How long after its bake a pizza must be taken out by plan, if a robot was lost meanwhile: a part of the window is for noticing that.
fn last_call(recipe: &Recipe) -> Millis {
    recipe.window_ms - planned_wait(recipe)
}

/// By how much something would be late if the robots that remain took everything out, the first to burn first.
/// What must leave before the new one (`since`) is none of its doing, and is not asked.
fn latest_leaves(inside: &[Inside], free_at: &[Millis], lost: usize, since: Millis) -> Millis {
    let mut free_at = free_at.to_vec();
    free_at.swap_remove(lost);
    let late = |pizza: &Inside| {
        let robot = free_at.iter_mut().min().expect("there are at least two robots");
        let out_at = (*robot).max(pizza.from);
        *robot = out_at + pizza.span;
        if pizza.until < since { 0 } else { out_at.saturating_sub(pizza.until) }
    };
    inside.iter().map(late).max().unwrap_or(0)
}
