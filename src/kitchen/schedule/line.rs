//! The near future as the kitchen's state gives it: when each oven slot and each robot after the ovens falls free.

use std::collections::BTreeMap;

use crate::kitchen::ids::{DeviceId, Millis};
use crate::kitchen::learned::Pace;
use crate::kitchen::pizza::{Pizza, PizzaState, Place};
use crate::kitchen::{Action, Device, Kitchen};

use super::plan::{Pacing, Plan, Robot, Slot, Span, margin};

/// When a slot is free again that holds what nobody expects there.
const CLEARING_MS: Millis = 60_000;

impl Kitchen {
    /// The near future, as the state has it.
    pub(super) fn plan(&self) -> Plan<'_> {
        self.plan_at(Pacing::Mean)
    }

    /// The near future, if all devices were that fast.
    pub(super) fn plan_at(&self, pace: Pacing) -> Plan<'_> {
        Plan { now: self.meta.now, robots: self.plan_robots(pace), slots: self.plan_slots(pace) }
    }

    fn plan_robots<'k>(&'k self, pace: Pacing) -> Vec<Robot<'k>> {
        let robot = |d: &'k Device| Robot {
            id: &d.id,
            unload: pace.of(self.learned(&d.id, Action::Unload).map_or(Pace::default(), |l| l.overall)),
            pace,
            finish: self.learned(&d.id, Action::Finish),
            spans: Vec::new(),
        };
        let mut robots: Vec<Robot<'k>> = self.devices.values().filter(|d| self.may_take_exits(d)).map(robot).collect();
        let by_id: BTreeMap<&DeviceId, usize> = robots.iter().enumerate().map(|(n, r)| (r.id, n)).collect();
        for pizza in self.active_pizzas() {
            let taken = self.executor(pizza).and_then(|id| by_id.get(id));
            if let Some(robot) = taken.map(|n| &mut robots[*n])
                && let Some(span) = self.taken_for(pizza, robot)
            {
                robot.take(span);
            }
        }
        self.take_for_shelved(&mut robots);
        robots
    }

    /// What lies on a shelf is finished by whoever has time for it first.
    fn take_for_shelved(&self, robots: &mut [Robot<'_>]) {
        for id in self.shelved() {
            let Some(recipe) = self.pizzas.get(&id).and_then(|p| self.recipes.get(&p.recipe)) else { continue };
            let gap = |robot: &Robot<'_>| robot.gap(self.meta.now, 0, robot.exit_ms(recipe));
            if let Some(robot) = robots.iter_mut().min_by_key(|r| gap(r)) {
                let from = gap(robot);
                robot.take((from, from + robot.exit_ms(recipe)));
            }
        }
    }

    /// The after-oven robot that a pizza is with, or will be.
    fn executor<'a>(&'a self, pizza: &'a Pizza) -> Option<&'a DeviceId> {
        match pizza.state {
            PizzaState::Loading | PizzaState::Baking | PizzaState::Baked | PizzaState::Unloading => {
                pizza.exit.as_ref().map(|e| &e.device)
            }
            PizzaState::Unloaded | PizzaState::Finishing => pizza.place().map(|p| &p.device),
            PizzaState::Shelved
            | PizzaState::Queued
            | PizzaState::Prepping
            | PizzaState::Prepped
            | PizzaState::Finished
            | PizzaState::Packed
            | PizzaState::Uncertain => None,
        }
    }

    /// When this pizza takes its robot.
    fn taken_for(&self, pizza: &Pizza, robot: &Robot<'_>) -> Option<Span> {
        let now = self.meta.now;
        let recipe = self.recipes.get(&pizza.recipe)?;
        let span = match pizza.state {
            PizzaState::Loading | PizzaState::Baking => {
                let from = pizza.exit.as_ref()?.from.max(now);
                let oven = &pizza.oven.as_ref()?.device;
                let early = margin(self.pace(oven, Action::Bake, &recipe.id).spread_ms(recipe.bake_ms));
                let (span, spread) = robot.exit(recipe);
                (from.saturating_sub(early).max(now), from + span + early + spread)
            }
            // A late exit begins now and is as long as ever; a begun one ends as it began.
            PizzaState::Baked => (now, pizza.exit.as_ref()?.from.max(now) + robot.exit_ms(recipe)),
            PizzaState::Unloading => (now, pizza.since + robot.exit_ms(recipe)),
            _ => {
                let begun = if pizza.state == PizzaState::Finishing { pizza.since } else { now };
                (now, begun + robot.pace.learned(robot.finish, &recipe.id).mean_ms(recipe.finish_ms))
            }
        };
        Some((span.0, span.1.max(now + 1)))
    }

    /// A slot of this oven.
    pub(super) fn plan_slot(&self, oven: &DeviceId, free_at: Millis) -> Slot<'_> {
        Slot { bake: self.learned(oven, Action::Bake), pace: Pacing::Mean, free_at }
    }

    fn plan_slots(&self, pace: Pacing) -> Vec<Slot<'_>> {
        let now = self.meta.now;
        let inside: BTreeMap<&Place, &Pizza> =
            self.active_pizzas().filter_map(|p| Some((p.oven.as_ref()?, p))).collect();
        let mut slots = Vec::new();
        for oven in self.devices.values().filter(|d| d.is_up() && d.facts.can(Action::Bake)) {
            let bake = self.learned(&oven.id, Action::Bake);
            for (lane, state) in oven.lanes.iter().filter(|(_, l)| l.blocked.is_none()) {
                let place = Place { device: oven.id.clone(), lane: *lane };
                let free_at = match inside.get(&place) {
                    Some(pizza) => self.leaves_at(pizza),
                    None if state.is_free() => now,
                    None => now + CLEARING_MS,
                };
                slots.push(Slot { bake, pace, free_at });
            }
        }
        slots
    }

    /// When a pizza has left its slot.
    fn leaves_at(&self, pizza: &Pizza) -> Millis {
        let transfer_ms = self.recipes.get(&pizza.recipe).map_or(0, |r| r.transfer_ms);
        let out_at = match pizza.state {
            PizzaState::Unloading => pizza.since,
            _ => pizza.exit.as_ref().map(|e| e.from).max(pizza.bake_end).unwrap_or(self.meta.now).max(self.meta.now),
        };
        (out_at + transfer_ms).max(self.meta.now)
    }
}
