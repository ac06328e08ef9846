//! Quotes: when an order would be ready, by the plan, without changing anything.
//!
//! What is under way and what waits ahead is put through the plan pizza by pizza, and the order behind it: once with devices as fast as on
//! average, once as slow as in one case of ten. What waits far ahead counts by its work alone.

use std::collections::{BTreeSet, VecDeque};

use crate::kitchen::ids::{Millis, RecipeId};
use crate::kitchen::limit::{Mix, steady_rate};
use crate::kitchen::pizza::{Pizza, PizzaState};
use crate::kitchen::recipe::Recipe;
use crate::kitchen::{Action, Kitchen, PizzaId};

use super::QueueKey;
use super::plan::{Pacing, Plan, Wish};

/// So many pizzas ahead are planned one by one.
const PLANNED_AHEAD: usize = 400;

/// When an order would be ready, from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quote {
    /// In half of the cases by then.
    pub p50_ms: Millis,
    /// In 95 of 100 cases by then.
    pub p95_ms: Millis,
    /// How many pizzas go first.
    pub pizzas_ahead: usize,
}

impl Kitchen {
    /// When an order of these pizzas would be ready. None while a stage has no executor, or for recipes that are not on the menu.
    pub fn quote(&self, items: &[RecipeId], priority: i8, promise_ms: Option<Millis>) -> Option<Quote> {
        let recipes: Vec<&Recipe> = items.iter().map(|id| self.recipes.get(id)).collect::<Option<_>>()?;
        let promised_at = self.meta.now + promise_ms.unwrap_or(self.settings().promise_ms);
        let last = recipes.iter().map(|r| key(priority, promised_at, r)).max()?;
        let ahead: Vec<&Pizza> =
            self.waiting_keys().into_iter().take_while(|k| *k < last).filter_map(|k| self.pizzas.get(&k.2)).collect();
        let ready_in = |pacing| Some(self.forecast(pacing, &ahead, &recipes)?.saturating_sub(self.meta.now));
        let p50_ms = ready_in(Pacing::Mean)?;
        let p95_ms = ready_in(Pacing::Slow)?.max(p50_ms);
        Some(Quote { p50_ms, p95_ms, pizzas_ahead: ahead.len() })
    }

    /// All that wait, the most urgent first, whatever they wait for.
    fn waiting_keys(&self) -> BTreeSet<QueueKey> {
        self.queue.iter().chain(self.unannounced.iter()).chain(&self.announced).copied().collect()
    }

    fn forecast(&self, pacing: Pacing, ahead: &[&Pizza], own: &[&Recipe]) -> Option<Millis> {
        let mut line = Forecast { kitchen: self, pacing, plan: self.plan_at(pacing), robots: VecDeque::new() };
        if line.plan.slots.is_empty() || line.plan.robots.is_empty() {
            return None;
        }
        line.meet_robots();
        let (far, near) = ahead.split_at(ahead.len().saturating_sub(PLANNED_AHEAD));
        line.wait_for_work_of(far);
        for pizza in near {
            line.cook(self.recipes.get(&pizza.recipe)?)?;
        }
        own.iter().map(|recipe| line.cook(recipe)).try_fold(0, |latest, ready| Some(latest.max(ready?)))
    }

    /// How long from now until so many more pizzas are done, by the rate that the line can keep up: quick to reckon, however much is open.
    pub(in crate::kitchen) fn ready_by_rate(&self, items: &[RecipeId]) -> Option<Millis> {
        let recipe_of = |pizza| self.recipes.get(&self.pizzas.get(&pizza)?.recipe);
        let mut mix = self.queue.first_work(recipe_of);
        mix.add(self.unannounced.first_work(recipe_of));
        mix.extend(items.iter().filter_map(|id| self.recipes.get(id)));
        let (rate, longest) = (steady_rate(&mix, self.line())?, mix.longest_ms()?);
        let pizzas = u64::from(self.meta.open_pizzas) + items.len() as u64;
        Some(longest + (pizzas - 1) * 3_600_000_000 / rate.milli_per_hour)
    }
}

/// Where a pizza of a new order would stand in the queue.
fn key(priority: i8, promised_at: Millis, recipe: &Recipe) -> QueueKey {
    let last = PizzaId { order: u64::MAX, item: 0, generation: 0 };
    (-i16::from(priority), promised_at as i64 - recipe.work_ms() as i64, last)
}

/// The line, as it would go on.
struct Forecast<'k> {
    kitchen: &'k Kitchen,
    pacing: Pacing,
    plan: Plan<'k>,
    /// When each before-oven robot is free, the earliest first.
    robots: VecDeque<Millis>,
}

impl Forecast<'_> {
    /// Before-oven robots with what they hold: that goes into the ovens first.
    fn meet_robots(&mut self) {
        let kitchen = self.kitchen;
        let mut held: Vec<(Millis, &Recipe)> = Vec::new();
        let mut loading = 0;
        for pizza in kitchen.active_pizzas() {
            let Some(recipe) = kitchen.recipes.get(&pizza.recipe) else { continue };
            match pizza.state {
                PizzaState::Prepping => held.push((pizza.since + self.prep_ms(recipe), recipe)),
                PizzaState::Prepped => held.push((self.plan.now, recipe)),
                PizzaState::Loading => loading += 1,
                _ => {}
            }
        }
        let up = kitchen.devices.values().filter(|d| d.is_up() && d.facts.can(Action::Prep)).count();
        held.sort_by_key(|(at, _)| *at);
        let busy = held.len() + loading;
        self.robots = (0..up.saturating_sub(busy)).map(|_| self.plan.now).collect();
        self.robots.extend((0..loading).map(|_| self.plan.now));
        for (ready_at, recipe) in held {
            self.pass(recipe, ready_at.max(self.plan.now));
        }
    }

    fn prep_ms(&self, recipe: &Recipe) -> Millis {
        let all = self.kitchen.learned.get(&(None, Action::Prep)).map_or_else(Default::default, |l| l.pace(&recipe.id));
        self.pacing.of(all).mean_ms(recipe.prep_ms)
    }

    /// A pizza that is ready goes through oven and exit; its robot is free once it is loaded.
    fn pass(&mut self, recipe: &Recipe, ready_at: Millis) -> Option<Millis> {
        let slot = self.plan.next_slot()?;
        let passage = self.plan.passage(Wish { recipe, ready_at, load_ms: recipe.transfer_ms }, slot, 0)?;
        self.plan.book(slot, recipe, &passage);
        let free_at = passage.load_at + recipe.transfer_ms;
        let at = self.robots.partition_point(|r| *r <= free_at);
        self.robots.insert(at, free_at);
        Some(passage.done_at)
    }

    fn cook(&mut self, recipe: &Recipe) -> Option<Millis> {
        let begun_at = self.robots.pop_front()?;
        self.pass(recipe, begun_at + self.prep_ms(recipe))
    }

    /// Nothing is free before this work is done.
    fn wait_for_work_of(&mut self, far: &[&Pizza]) {
        let mix: Mix = far.iter().filter_map(|p| self.kitchen.recipes.get(&p.recipe)).collect();
        let Some(rate) = steady_rate(&mix, self.kitchen.line()) else { return };
        let span = mix.pizzas() * 3_600_000_000 / rate.milli_per_hour;
        self.robots.iter_mut().for_each(|at| *at += span);
        self.plan.slots.iter_mut().for_each(|slot| slot.free_at += span);
    }
}
