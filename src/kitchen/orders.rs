//! What clients ask for: place, cancel, collect; and how an order ends.

use super::assignment::Assignment;
use super::command::{NewOrder, PROMISE_MS_MAX, Reply, Source};
use super::event::Event;
use super::feed::News;
use super::ids::{Millis, OrderId};
use super::order::{ArchivedOrder, Order, OrderStatus, archive_key, archive_number_key};
use super::pizza::{Pizza, PizzaState, Spoiled};
use super::refusal::Refusal;
use super::rows::{Archive, Row, decode, encode};
use super::{Kitchen, PizzaId};
use crate::defect;

impl Kitchen {
    pub(super) fn place_order(&mut self, new: &NewOrder, archive: &dyn Archive) -> Result<Reply, Refusal> {
        if let Some(known) = self.known_order(&new.id, archive) {
            if known.is_same(new) {
                return Ok(Reply::Placed { number: known.number, created: false });
            }
            return Err(Refusal::IdempotencyKeyReused { order: new.id.clone() });
        }
        self.admit(new)?;
        self.add_order(new, None);
        Ok(Reply::Placed { number: self.meta.index, created: true })
    }

    /// Puts an order and its pizzas into the state.
    pub(super) fn add_order(&mut self, new: &NewOrder, assignment: Option<Assignment>) {
        let now = self.meta.now;
        let mut order = self.new_order(new, assignment);
        let mut pizzas = Vec::with_capacity(new.items.len());
        for (item, recipe) in new.items.iter().enumerate() {
            let id = PizzaId { order: order.number, item: item as u16, generation: 0 };
            let work_ms = self.recipes.get(recipe).map_or(0, super::Recipe::work_ms);
            order.pizzas.push(id);
            pizzas.push(Pizza::new(id, &order, recipe.clone(), work_ms, now));
        }
        let count = pizzas.len() as u32;
        self.event(Event::OrderAccepted { order: order.id.clone(), pizzas: count, source: order.source });
        self.tell_of(&order);
        // Before its pizzas: for what they wait, the order says.
        self.orders.insert(order.id.clone(), order);
        for pizza in pizzas {
            self.add_pizza(pizza);
        }
    }

    fn new_order(&self, new: &NewOrder, assignment: Option<Assignment>) -> Order {
        let now = self.meta.now;
        Order {
            id: new.id.clone(),
            number: self.meta.index,
            source: if assignment.is_some() { Source::Backend } else { Source::Local },
            assignment,
            items: new.items.clone(),
            priority: new.priority,
            promise_ms: new.promise_ms,
            status: OrderStatus::Accepted,
            pizzas: Vec::with_capacity(new.items.len()),
            placed_at: now,
            placed_wall: self.meta.wall,
            promised_at: now + new.promise_ms.unwrap_or(self.settings().promise_ms),
            ended_at: None,
            ended_wall: None,
            reason: None,
            discarded: Vec::new(),
        }
    }

    /// Whether the kitchen takes this order at all.
    pub(super) fn admit(&self, new: &NewOrder) -> Result<(), Refusal> {
        let most = self.settings().pizzas_per_order_max;
        if new.items.is_empty() || new.items.len() as u32 > most {
            let what = format!("an order has 1 to {most} pizzas, this one has {}", new.items.len());
            return Err(Refusal::Invalid { what });
        }
        if new.promise_ms.is_some_and(|ms| ms > PROMISE_MS_MAX) {
            return Err(Refusal::Invalid { what: format!("promise_ms is at most a day: {PROMISE_MS_MAX}") });
        }
        if let Some(recipe) = new.items.iter().find(|r| !self.recipes.contains(r)) {
            return Err(Refusal::UnknownRecipe { recipe: recipe.clone() });
        }
        if self.meta.draining {
            return Err(Refusal::Draining);
        }
        let max = self.settings().open_pizzas_max;
        let open = self.meta.open_pizzas;
        if open + new.items.len() as u32 > max {
            return Err(Refusal::CapacityExceeded { open, max });
        }
        self.admit_in_time(new)
    }

    /// What can't be ready in time, nor soon afterwards, is refused with the time that it would take.
    fn admit_in_time(&self, new: &NewOrder) -> Result<(), Refusal> {
        let promise_ms = new.promise_ms.unwrap_or(self.settings().promise_ms);
        match self.ready_by_rate(&new.items) {
            Some(ready_in_ms) if ready_in_ms > promise_ms + self.settings().admit_late_ms => {
                Err(Refusal::TooMuchAhead { ready_in_ms, promise_ms })
            }
            _ => Ok(()),
        }
    }

    fn known_order(&self, id: &OrderId, archive: &dyn Archive) -> Option<Order> {
        match self.orders.get(id) {
            Some(order) => Some(order.clone()),
            None if defect::is("archive-not-asked") => None,
            None => archived_order(archive, id).map(|a| a.order),
        }
    }

    pub(super) fn cancel_order(&mut self, id: &OrderId, reason: &str, archive: &dyn Archive) -> Result<Reply, Refusal> {
        let Some(order) = self.orders.get(id) else {
            return match archived_order(archive, id).map(|a| a.order.status) {
                None => Err(Refusal::UnknownOrder { order: id.clone() }),
                Some(OrderStatus::Cancelled) => Ok(Reply::Unchanged),
                Some(status) => Err(Refusal::PointOfNoReturn { order: id.clone(), status: status.as_str().to_owned() }),
            };
        };
        for pizza in order.pizzas.clone() {
            if self.pizzas.get(&pizza).is_some_and(|p| p.state != PizzaState::Packed) {
                self.discard(pizza, Spoiled::Cancelled, false);
            }
        }
        let reason: String = reason.chars().take(200).collect();
        self.end_order(id, OrderStatus::Cancelled, Some(reason));
        Ok(Reply::Done)
    }

    pub(super) fn collect_order(&mut self, id: &OrderId, archive: &dyn Archive) -> Result<Reply, Refusal> {
        if let Some(order) = self.orders.get(id) {
            return Err(Refusal::NotReady { order: id.clone(), status: order.status.as_str().to_owned() });
        }
        let Some(mut archived) = archived_order(archive, id) else {
            return Err(Refusal::UnknownOrder { order: id.clone() });
        };
        match archived.order.status {
            OrderStatus::Collected => return Ok(Reply::Unchanged),
            OrderStatus::Ready => {}
            status => return Err(Refusal::NotReady { order: id.clone(), status: status.as_str().to_owned() }),
        }
        archived.order.status = OrderStatus::Collected;
        self.scratch.archive.push(Row { key: archive_key(id), value: Some(encode(&archived)) });
        self.announce_order(&archived.order);
        Ok(Reply::Done)
    }

    /// An order whose pizzas are all packed is ready.
    pub(super) fn end_order_if_ready(&mut self, id: &OrderId) {
        let Some(order) = self.orders.get(id) else { return };
        let packed = |p: &PizzaId| self.pizzas.get(p).is_some_and(|p| p.state == PizzaState::Packed);
        if order.pizzas.iter().all(packed) {
            self.end_order(id, OrderStatus::Ready, None);
        }
    }

    /// Moves an order and its last pizzas from the state to the archive: its one end.
    pub(super) fn end_order(&mut self, id: &OrderId, status: OrderStatus, reason: Option<String>) {
        let Some(mut order) = self.orders.remove(id) else { return };
        order.status = status;
        order.reason = reason;
        order.ended_at = Some(self.meta.now);
        order.ended_wall = Some(self.meta.wall);
        let pizzas: Vec<Pizza> = order.pizzas.iter().filter_map(|p| self.take_pizza(*p)).collect();
        let slot = match status {
            OrderStatus::Cancelled => 1,
            OrderStatus::Failed => 2,
            OrderStatus::Returned => 3,
            OrderStatus::Ready | OrderStatus::Collected | OrderStatus::Accepted | OrderStatus::InProgress => 0,
        };
        self.meta.ended[slot] += 1;
        if status == OrderStatus::Ready {
            self.meta.promises[usize::from(self.meta.now > order.promised_at)] += 1;
        }
        self.announce_order(&order);
        let number_key = archive_number_key(order.number);
        self.scratch.archive.push(Row { key: number_key, value: Some(id.as_str().as_bytes().to_vec()) });
        let archived = ArchivedOrder { order, pizzas };
        self.record_pizzas(&archived);
        self.scratch.archive.push(Row { key: archive_key(id), value: Some(encode(&archived)) });
    }

    /// When the backend's orders that are not begun go back to it: some time after the kitchen fell out of order.
    pub(super) fn return_due_at(&self) -> Option<Millis> {
        let since = self.meta.out_of_order_since?;
        self.orders.values().any(Order::is_returnable).then(|| since + self.settings().return_after_ms)
    }

    /// Gives the backend's orders that are not begun back to it: another kitchen can make them. Local ones wait.
    pub(super) fn return_orders(&mut self) {
        let orders: Vec<OrderId> = self.orders.values().filter(|o| o.is_returnable()).map(|o| o.id.clone()).collect();
        let why = format!("the kitchen is {}", self.meta.status.text());
        for id in orders {
            self.give_up(&id, OrderStatus::Returned, &why);
        }
    }

    /// Marks an order as begun.
    pub(super) fn begin_order(&mut self, id: &OrderId) {
        if self.orders.get(id).is_some_and(|o| o.status == OrderStatus::Accepted) {
            let order = self.orders.get_mut(id).expect("it was there a line ago");
            order.status = OrderStatus::InProgress;
            let order = order.clone();
            self.announce_order(&order);
        }
    }

    fn announce_order(&mut self, order: &Order) {
        self.event(Event::OrderChanged { order: order.id.clone(), status: order.status });
        self.tell_of(order);
    }

    /// The backend learns of its own orders.
    fn tell_of(&mut self, order: &Order) {
        let Some(assignment) = order.assignment else { return };
        let (order, status, reason) = (order.id.clone(), order.status, order.reason.clone());
        self.tell_backend(News::Order { order, assignment: assignment.number, status, reason });
    }
}

/// The archived order of this id. A row that can't be read is a broken invariant: this process wrote it.
pub fn archived_order(archive: &dyn Archive, id: &OrderId) -> Option<ArchivedOrder> {
    let bytes = archive.get(&archive_key(id))?;
    Some(decode(&bytes).expect("the archive holds what end_order wrote"))
}
