//! Waiting pizzas are begun on idle robots, each so that its preparation ends as an oven slot falls free.

use crate::kitchen::ids::{Millis, PizzaId};
use crate::kitchen::order::OrderStatus;
use crate::kitchen::outbox::Params;
use crate::kitchen::pizza::{Custody, Input, Pizza, PizzaState, Place};
use crate::kitchen::recipe::Recipe;
use crate::kitchen::report::Job;
use crate::kitchen::{Action, Device, Kitchen};

use super::LOOK_AHEAD;
use super::choose::{TOGETHER, cost};
use super::plan::{Passage, Plan, Wish};
use super::queue_key;

/// Pizzas are ready so long before their slot is, so that a slow message does not leave it empty.
const AHEAD_MS: Millis = 3_000;

/// What would be begun next.
pub(super) struct Choice {
    pub pizza: PizzaId,
    robot: usize,
    pub slot: usize,
    passage: Passage,
    pub begin_in: Millis,
}

impl Kitchen {
    pub(super) fn begin_preps(&mut self) {
        let mut robots: Vec<Place> = self.idle_prep_robots();
        if robots.is_empty() || self.queue.is_empty() || !self.can_bake_and_finish() {
            return;
        }
        let mut begun: Vec<(PizzaId, Place)> = Vec::new();
        let mut later_ms = None;
        {
            let mut plan = self.plan();
            self.book_prepared(&mut plan);
            let mut waiting = self.looked_at();
            if let Some(ms) = self.idle_until_needed(&plan, &waiting, &robots) {
                return self.replan_in(ms);
            }
            while !robots.is_empty() {
                match self.next_choice(&plan, &waiting, &robots) {
                    Some(choice) if choice.begin_in > 0 => {
                        later_ms = Some(choice.begin_in);
                        break;
                    }
                    Some(choice) => {
                        waiting.retain(|p| p.id != choice.pizza);
                        let recipe = self.pizzas.get(&choice.pizza).and_then(|p| self.recipes.get(&p.recipe));
                        plan.book(choice.slot, recipe.expect("it was chosen by its recipe"), &choice.passage);
                        begun.push((choice.pizza, robots.remove(choice.robot)));
                    }
                    None => break,
                }
            }
        }
        for (pizza, robot) in begun {
            self.begin_prep(pizza, robot);
        }
        later_ms.into_iter().for_each(|ms| self.replan_in(ms));
    }

    /// Pizzas that are being prepared or wait in grippers get the next slots.
    pub(super) fn book_prepared(&self, plan: &mut Plan<'_>) {
        let mut ready: Vec<(Millis, &Pizza, &Recipe)> = Vec::new();
        for pizza in self.active_pizzas() {
            let Some(recipe) = self.recipes.get(&pizza.recipe) else { continue };
            match pizza.state {
                PizzaState::Prepped => ready.push((plan.now, pizza, recipe)),
                PizzaState::Prepping => {
                    let robot = pizza.place().map(|p| &p.device);
                    let prep_ms = robot.map_or(recipe.prep_ms, |r| self.prep_ms(recipe, r).0);
                    ready.push(((pizza.since + prep_ms).max(plan.now), pizza, recipe));
                }
                _ => {}
            }
        }
        ready.sort_by_key(|(at, pizza, _)| (*at, pizza.id));
        for (ready_at, pizza, recipe) in ready {
            let Some(slot) = plan.next_slot() else { return };
            let wish = Wish { recipe, ready_at, load_ms: self.load_ms(pizza, recipe) };
            let Some(passage) = plan.passage(wish, slot, 0) else { return };
            plan.book(slot, recipe, &passage);
        }
    }

    /// The waiting pizzas that a pass looks at: the most urgent one, and those that may overtake it.
    pub(super) fn looked_at(&self) -> Vec<&Pizza> {
        let may_begin = self.queue.iter().filter(|(_, _, id)| self.lease_allows(*id));
        let waiting: Vec<&Pizza> = may_begin.take(LOOK_AHEAD).filter_map(|(_, _, id)| self.pizzas.get(id)).collect();
        let Some(first) = waiting.first().copied() else { return waiting };
        let latest = first.promised_at + self.settings().overtake_ms;
        waiting.into_iter().filter(|p| p.priority == first.priority && p.promised_at <= latest).collect()
    }

    pub(super) fn next_choice(&self, plan: &Plan<'_>, waiting: &[&Pizza], robots: &[Place]) -> Option<Choice> {
        let slot = plan.next_slot()?;
        let shortest = self.shortest_exit(plan, waiting.iter().copied());
        let most_urgent = queue_key(waiting.first()?).1;
        let mut passages: Vec<(&Recipe, usize, Passage, Millis)> = Vec::new();
        let mut best: Option<(u64, Choice)> = None;
        for pizza in waiting {
            let robot = robots.iter().position(|r| !pizza.failed_on.contains(&r.device)).unwrap_or(0);
            let Some(recipe) = self.recipes.get(&pizza.recipe) else { continue };
            // The same recipe on the same robot comes through in the same way.
            let known = passages.iter().find(|(r, n, ..)| std::ptr::eq(*r, recipe) && *n == robot);
            let (passage, begin_in) = match known {
                Some((.., passage, begin_in)) => (*passage, *begin_in),
                None => {
                    let (mean_ms, p90_ms) = self.prep_ms(recipe, &robots[robot].device);
                    let wish = Wish { recipe, ready_at: plan.now + mean_ms, load_ms: recipe.transfer_ms };
                    let passage = plan.passage(wish, slot, shortest)?;
                    let begin_in = passage.load_at.saturating_sub(plan.now + p90_ms + AHEAD_MS);
                    passages.push((recipe, robot, passage, begin_in));
                    (passage, begin_in)
                }
            };
            let slack_ms = (queue_key(pizza).1 - most_urgent).max(0) as u64;
            let together = if self.is_begun(pizza) { 0 } else { TOGETHER };
            let cost = cost(&passage, begin_in, slack_ms) + together;
            if best.as_ref().is_none_or(|(least, _)| cost < *least) {
                best = Some((cost, Choice { pizza: pizza.id, robot, slot, passage, begin_in }));
            }
        }
        best.map(|(_, choice)| choice)
    }

    /// So long nothing needs to be begun, whatever it is: the next slot is not free yet when the slowest is prepared.
    fn idle_until_needed(&self, plan: &Plan<'_>, waiting: &[&Pizza], robots: &[Place]) -> Option<Millis> {
        let free_at = plan.slots[plan.next_slot()?].free_at;
        let slowest = waiting.iter().filter_map(|p| self.recipes.get(&p.recipe)).max_by_key(|r| r.prep_ms)?;
        let p90_ms = robots.iter().map(|r| self.prep_ms(slowest, &r.device).1).max()?;
        Some(free_at.saturating_sub(plan.now + p90_ms + AHEAD_MS)).filter(|ms| *ms > 0)
    }

    fn is_begun(&self, pizza: &Pizza) -> bool {
        self.orders.get(&pizza.order).is_some_and(|o| o.status == OrderStatus::InProgress)
    }

    fn begin_prep(&mut self, id: PizzaId, robot: Place) {
        let Some(pizza) = self.pizzas.get(&id) else { return };
        let Some(recipe) = self.recipes.get(&pizza.recipe) else { return };
        let params = Params { ms: recipe.prep_ms, recipe: Some(pizza.recipe.to_string()), ..Params::default() };
        let start = self.start(Job::Prep, vec![robot.clone()], params);
        self.open_attempt(id, start);
        self.set_custody(id, Custody::On(robot));
        self.feed_pizza(id, Input::PrepOpened);
    }

    fn idle_prep_robots(&self) -> Vec<Place> {
        let idle = |d: &Device| {
            let able = self.may_begin(d) && d.facts.can(Action::Prep);
            let lane = able.then(|| d.free_lane()).flatten()?;
            Some(Place { device: d.id.clone(), lane })
        };
        self.devices.values().filter_map(idle).collect()
    }
}
