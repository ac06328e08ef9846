//! Pizzas come and go: added, moved from state to state, discarded, remade.

use super::Kitchen;
use super::event::Event;
use super::ids::PizzaId;
use super::incident::Question;
use super::order::{DiscardedPizza, Order, Waiting};
use super::pizza::{Custody, Input, Pizza, PizzaState, Spoiled, advance};
use super::report::AttemptId;
use super::schedule::queue_key;

/// The present rate is that of the last so many pizzas.
const PACKED_RECENT: usize = 16;

impl Kitchen {
    pub(super) fn add_pizza(&mut self, pizza: Pizza) {
        self.meta.open_pizzas += 1;
        self.index_pizza(&pizza);
        self.pizzas.insert(pizza.id, pizza);
    }

    /// Takes a pizza out of the state.
    pub(super) fn take_pizza(&mut self, id: PizzaId) -> Option<Pizza> {
        let pizza = self.pizzas.remove(&id)?;
        self.forget_waiting(&pizza);
        self.active.remove(&id);
        if pizza.state != PizzaState::Packed {
            self.meta.open_pizzas -= 1;
        }
        Some(pizza)
    }

    fn forget_waiting(&mut self, pizza: &Pizza) {
        let key = queue_key(pizza);
        self.queue.remove(key);
        self.unannounced.remove(key);
        self.announced.remove(&key);
    }

    /// Puts a pizza into the derived index that its state belongs to.
    pub(super) fn index_pizza(&mut self, pizza: &Pizza) {
        self.forget_waiting(pizza);
        if pizza.state == PizzaState::Queued && pizza.parked.is_none() {
            let key = queue_key(pizza);
            match self.orders.get(&pizza.order).map_or(Waiting::ToBegin, Order::waiting) {
                Waiting::ToBegin => self.queue.insert(key),
                Waiting::ToBeAnnounced => self.unannounced.insert(key),
                Waiting::ToBeCleared => drop(self.announced.insert(key)),
            }
        }
        match pizza.state {
            PizzaState::Queued | PizzaState::Packed => self.active.remove(&pizza.id),
            state => self.active.insert(pizza.id, state),
        };
    }

    /// Gives an input to a pizza's state machine. False when it has no meaning there; then nothing changed.
    pub(super) fn feed_pizza(&mut self, id: PizzaId, input: Input) -> bool {
        let now = self.meta.now;
        let Some(before) = self.pizzas.get(&id) else { return false };
        let Some(next) = advance(before.state, input) else { return false };
        let (from, order) = (before.state, before.order.clone());
        let recipe_version = self.recipes.get(&before.recipe).map_or(0, |recipe| recipe.version);
        let pizza = self.pizzas.get_mut(&id).expect("it was there a line ago");
        pizza.state = next;
        pizza.since = now;
        if next == PizzaState::Prepping {
            pizza.recipe_version = recipe_version;
        }
        let pizza = pizza.clone();
        self.index_pizza(&pizza);
        if next == PizzaState::Packed {
            self.meta.open_pizzas -= 1;
            self.meta.packed += 1;
            self.count_packed();
        }
        self.event(Event::PizzaChanged { pizza: id, order: order.clone(), from, to: next });
        match next {
            PizzaState::Prepping => self.begin_order(&order),
            PizzaState::Packed => self.end_order_if_ready(&order),
            _ => {}
        }
        true
    }

    fn count_packed(&mut self) {
        if self.meta.packed_at.len() > PACKED_RECENT {
            self.meta.packed_at.remove(0);
        }
        self.meta.packed_at.push(self.meta.now);
    }

    /// Discards a pizza for a reason; the same entry puts another one in its place where `remake` says so.
    ///
    /// Its attempts are cancelled, and the lanes that they may touch stay blocked until there is proof: a remake is another
    /// pizza and needs none.
    pub(super) fn discard(&mut self, id: PizzaId, reason: Spoiled, remake: bool) {
        let Some(mut pizza) = self.take_pizza(id) else { return };
        if pizza.state == PizzaState::Packed {
            self.meta.packed -= 1;
        }
        self.meta.discarded += 1;
        self.record_overtaken(&mut pizza);
        for attempt in self.attempts_of(id) {
            self.request_cancel(attempt);
        }
        self.close_incidents_about(id, "the pizza was discarded");
        self.ask_about_shelf_of(&pizza);
        let remade_as = remake.then(|| self.remake(&pizza));
        let order = pizza.order.clone();
        let record = DiscardedPizza {
            pizza: id,
            reason,
            state: pizza.state,
            at: self.meta.now,
            wall: self.meta.wall,
            recipe_version: pizza.recipe_version,
            history: std::mem::take(&mut pizza.history),
            judgements: std::mem::take(&mut pizza.judgements),
            word: None,
        };
        if let Some(order) = self.orders.get_mut(&order) {
            order.discarded.push(record);
        }
        self.event(Event::PizzaDiscarded { pizza: id, order, reason, remade_as });
        if pizza.custody == Custody::Counter && reason != Spoiled::Cancelled {
            self.raise_incident(Question::RemoveFromCounter { pizza: id }, None);
        }
    }

    fn remake(&mut self, old: &Pizza) -> PizzaId {
        let id = old.id.remade();
        let order = self.orders.get_mut(&old.order).expect("a pizza in the state has its order there");
        order.pizzas[usize::from(id.item)] = id;
        let mut pizza = Pizza::new(id, order, old.recipe.clone(), old.work_ms, self.meta.now);
        pizza.failed_on = old.failed_on.clone();
        let give_up = id.generation >= self.settings().remakes_max || self.failed_on_two_of_a_kind(&pizza);
        self.add_pizza(pizza);
        if give_up {
            self.park(id);
        }
        id
    }

    /// The attempts that are open for a pizza.
    pub(super) fn attempts_of(&self, pizza: PizzaId) -> Vec<AttemptId> {
        use super::report::{Job, TaskId};
        let first = AttemptId { task: TaskId { pizza, job: Job::Prep }, number: 0 };
        let last = AttemptId { task: TaskId { pizza, job: Job::Discard }, number: u32::MAX };
        self.attempts.range(first..=last).map(|(id, _)| *id).collect()
    }

    fn failed_on_two_of_a_kind(&self, pizza: &Pizza) -> bool {
        let mut kinds: Vec<_> =
            pizza.failed_on.iter().filter_map(|d| self.devices.get(d)).map(|d| d.facts.kind).collect();
        kinds.sort_unstable();
        kinds.windows(2).any(|pair| pair[0] == pair[1])
    }

    /// Nothing more is begun for this pizza until a person decides: the recipe is to blame, so the robots' counters are restored.
    fn park(&mut self, id: PizzaId) {
        let Some(pizza) = self.pizzas.get(&id) else { return };
        let question = Question::ItemFails { order: pizza.order.clone(), pizza: id, recipe: pizza.recipe.to_string() };
        let devices: Vec<_> = pizza.failed_on.iter().cloned().collect();
        let incident = self.raise_incident(question, None);
        let pizza = self.pizzas.get_mut(&id).expect("it was there a line ago");
        pizza.parked = Some(incident);
        let pizza = pizza.clone();
        self.index_pizza(&pizza);
        for device in devices {
            self.forgive(&device, (id.order, id.item));
        }
    }
}
