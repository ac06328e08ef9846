//! Why: what a device waits for, and what a pizza waits for, answered from the state and by the same plan that decides.

use crate::kitchen::ids::{DeviceId, Millis};
use crate::kitchen::order::Waiting;
use crate::kitchen::pizza::{Pizza, PizzaState, Place};
use crate::kitchen::{Action, Attempt, AttemptState, Device, Kitchen, PizzaId};

use super::plan::Wish;

/// Why something is as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Why {
    /// One word for programs.
    pub reason: &'static str,
    /// A sentence for people.
    pub text: String,
    /// In how many milliseconds this is expected to change, where the plan says.
    pub changes_in_ms: Option<Millis>,
}

fn why(reason: &'static str, text: String, changes_in_ms: Option<Millis>) -> Why {
    Why { reason, text, changes_in_ms }
}

fn seconds(ms: Millis) -> String {
    format!("{}.{} s", ms / 1_000, ms % 1_000 / 100)
}

impl Kitchen {
    /// Why a device does what it does, or nothing: a word for each of its lanes that is at work, or one for the device.
    pub fn explain_device(&self, id: &DeviceId) -> Option<Vec<Why>> {
        let device = self.devices.get(id)?;
        let at_work: Vec<Why> = self.attempts.values().filter(|a| a.device == *id).map(|a| self.at_work(a)).collect();
        if !at_work.is_empty() {
            return Some(at_work);
        }
        Some(vec![self.idle(device)])
    }

    fn at_work(&self, attempt: &Attempt) -> Why {
        let now = self.meta.now;
        let (id, ms) = (attempt.id, attempt.typ_ms);
        match (attempt.state, attempt.started_at) {
            (AttemptState::Unknown, _) => {
                let left = attempt.proof_at.map(|at| at.saturating_sub(now));
                why("unknown", format!("nobody knows what became of {id}: its lane waits for proof"), left)
            }
            (_, Some(since)) => {
                let expected = self.expected_ms(&attempt.device, id.task.job.action(), ms);
                let left = (since + expected).saturating_sub(now);
                why("working", format!("works at {id} for {}", seconds(now - since)), Some(left))
            }
            (AttemptState::Accepted, None) if attempt.has_after => {
                why("reserved", format!("has accepted {id} and waits for the pizza"), None)
            }
            _ => why("told", format!("was told to do {id} {} ago", seconds(now - attempt.opened_at)), None),
        }
    }

    fn idle(&self, device: &Device) -> Why {
        let now = self.meta.now;
        if self.zone_held(&device.facts.zone) {
            // The empty name is the whole kitchen.
            let all = self.zone_held("");
            let who = if all { "the whole kitchen".to_owned() } else { format!("its zone {:?}", device.facts.zone) };
            return why("held", format!("{who} stands still"), None);
        }
        if let Some(at) = device.rest_until.filter(|_| device.is_up()) {
            let text = "it said no a moment ago, and rests before it is asked again".to_owned();
            return why("resting", text, Some(at.saturating_sub(now)));
        }
        if !device.may_work(self.epoch()) {
            let left = device.quarantine.and_then(|q| q.until).map(|at| at.saturating_sub(now));
            return why("unavailable", format!("it is {} and gets no work", device.state_word()), left);
        }
        let held = device.lanes.keys().find_map(|lane| {
            let place = Place { device: device.id.clone(), lane: *lane };
            self.active_pizzas().find(|p| p.place() == Some(&place))
        });
        match held {
            Some(pizza) => self.explain(pizza),
            None if device.facts.can(Action::Prep) => self.idle_before(&device.id),
            None if device.facts.can(Action::Bake) => self.idle_oven(),
            None if device.facts.can(Action::Unload) => self.idle_after(&device.id),
            None => why("nothing-to-do", "there is nothing for it to do".to_owned(), None),
        }
    }

    fn idle_before(&self, id: &DeviceId) -> Why {
        let waiting = self.looked_at();
        if waiting.is_empty() {
            return why("nothing-waits", "no pizza waits to be begun".to_owned(), None);
        }
        if !self.can_bake_and_finish() {
            return why("no-exit", "no oven or no robot after the ovens can work: nothing is begun".to_owned(), None);
        }
        let mut plan = self.plan();
        self.book_prepared(&mut plan);
        let Some(lane) = self.devices.get(id).and_then(Device::free_lane) else {
            return why("lane-taken", "something lies on its lane".to_owned(), None);
        };
        match self.next_choice(&plan, &waiting, &[Place { device: id.clone(), lane }]) {
            Some(choice) => {
                let recipe = self.pizzas.get(&choice.pizza).map_or("", |p| p.recipe.as_str());
                let slot_in = seconds(plan.slots[choice.slot].free_at.saturating_sub(plan.now));
                let text = format!(
                    "begins {} ({recipe}) in {}, so that it is ready as an oven slot falls free in {slot_in}",
                    choice.pizza,
                    seconds(choice.begin_in)
                );
                why("just-in-time", text, Some(choice.begin_in))
            }
            None => why("no-slot", "no oven slot can be planned with".to_owned(), None),
        }
    }

    fn idle_oven(&self) -> Why {
        let ready = self.ids_in(&[PizzaState::Prepped]);
        if let Some(pizza) = ready.first().and_then(|id| self.pizzas.get(id)) {
            return self.explain(pizza);
        }
        let under_way = |p: &Pizza| {
            let recipe = self.recipes.get(&p.recipe)?;
            let prep_ms = p.place().map(|place| self.prep_ms(recipe, &place.device).0)?;
            Some((p.since + prep_ms).saturating_sub(self.meta.now))
        };
        let next = self.active_pizzas().filter(|p| p.state == PizzaState::Prepping).filter_map(under_way).min();
        match next {
            Some(ms) => why("awaits-prep", format!("the next pizza is prepared in {}", seconds(ms)), Some(ms)),
            None => why("nothing-waits", "no pizza is on its way to it".to_owned(), None),
        }
    }

    fn idle_after(&self, id: &DeviceId) -> Why {
        let next =
            self.active_pizzas().filter_map(|p| Some((p.exit.as_ref().filter(|e| e.device == *id)?.from, p.id))).min();
        match next {
            Some((at, pizza)) => {
                let ms = at.saturating_sub(self.meta.now);
                why("awaits-bake", format!("takes {pizza} out of its oven in {}", seconds(ms)), Some(ms))
            }
            None => why("nothing-bakes", "no pizza bakes that it is reserved for".to_owned(), None),
        }
    }

    /// Why a pizza is where it is, and what it waits for.
    pub fn explain_pizza(&self, id: PizzaId) -> Option<Why> {
        self.pizzas.get(&id).map(|pizza| self.explain(pizza))
    }

    fn explain(&self, pizza: &Pizza) -> Why {
        let now = self.meta.now;
        let id = pizza.id;
        if let Some(incident) = pizza.parked.or(pizza.incident) {
            return why("incident", format!("{id} waits for a person's answer to incident {incident}"), None);
        }
        if let Some(gate) = &pizza.gate {
            return why("verdict", format!("{id} waits for a verdict ({})", gate.job.as_str()), None);
        }
        match pizza.state {
            PizzaState::Queued => {
                if let Some(why) = self.why_not_begun(pizza) {
                    return why;
                }
                let first = self.queue.first().is_some_and(|k| k.2 == id);
                let text = if first { "is the next to be begun" } else { "waits behind more urgent pizzas" };
                why("queued", format!("{id} {text}"), None)
            }
            PizzaState::Prepped => self.why_not_loaded(pizza),
            PizzaState::Baking | PizzaState::Loading => {
                let exit = pizza.exit.as_ref().map_or("nobody yet".to_owned(), |e| {
                    format!(
                        "{} from {} to {} from now",
                        e.device,
                        seconds(e.from.saturating_sub(now)),
                        seconds(e.until.saturating_sub(now))
                    )
                });
                let left = pizza.bake_end.map(|at| at.saturating_sub(now));
                why("baking", format!("{id} is taken out by {exit}: that robot is free for it first"), left)
            }
            PizzaState::Baked => {
                let left = pizza.burn_at.map(|at| at.saturating_sub(now));
                let text = format!("{id} waits for a robot, and burns in {}", left.map_or("-".to_owned(), seconds));
                why("awaits-robot", text, left)
            }
            state => {
                let word = format!("{state:?}").to_uppercase();
                why("under-way", format!("{id} is {word} for {}", seconds(now - pizza.since)), None)
            }
        }
    }

    /// An order of the backend needs more than its turn.
    fn why_not_begun(&self, pizza: &Pizza) -> Option<Why> {
        let order = self.orders.get(&pizza.order)?;
        let id = pizza.id;
        if !self.lease_allows(id) {
            let text = format!("{id} waits: the backend has not answered for so long that it may have given it away");
            return Some(why("lease-over", text, None));
        }
        match order.waiting() {
            Waiting::ToBegin => None,
            Waiting::ToBeAnnounced => Some(why("queued", format!("{id} waits behind more urgent pizzas"), None)),
            Waiting::ToBeCleared => {
                Some(why("awaits-backend", format!("{id} waits for the backend to hear that it is begun here"), None))
            }
        }
    }

    fn why_not_loaded(&self, pizza: &Pizza) -> Why {
        let id = pizza.id;
        let plan = self.plan();
        let Some(recipe) = self.recipes.get(&pizza.recipe) else {
            return why("no-recipe", format!("{id} has no recipe any more"), None);
        };
        let wish = Wish { recipe, ready_at: plan.now, load_ms: self.load_ms(pizza, recipe) };
        let passage = plan.next_slot().and_then(|slot| plan.passage(wish, slot, 0));
        let Some(passage) = passage else {
            return why("no-exit", format!("{id} waits: no oven or no robot after the ovens can work"), None);
        };
        let left = passage.load_at.saturating_sub(plan.now);
        if passage.held_ms > 0 {
            let text = format!("{id} waits: no robot could take it out in time if it were loaded now");
            return why("exit-taken", text, Some(left));
        }
        if left > 0 {
            return why("slots-taken", format!("{id} waits for an oven slot"), Some(left));
        }
        let late_ms = self.late_after_a_loss(&plan, recipe, &passage);
        if late_ms > 0 {
            let text = format!("{id} waits: with it, something would burn if a robot after the ovens were lost (n-1)");
            return why("n-1", text, Some(late_ms));
        }
        why("next", format!("{id} is loaded next"), Some(0))
    }
}
