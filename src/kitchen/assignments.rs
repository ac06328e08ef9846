//! Orders of the main backend: assigned, announced, cleared, revoked.
//!
//! Never in two kitchens. A lease alone leaves a hole: begun within the lease, cut off before that was told, given to another kitchen when the
//! lease is over. So the kitchen announces that it is about to begin an order, and begins it once the backend has acknowledged that; the backend
//! gives an announced order to nobody else. Orders are announced a little ahead, so that the line does not wait for the answer and goes on
//! for a while without the backend. Beyond the lease nothing of the backend's is begun; what is begun is finished.

use super::assignment::{AssignedOrder, Assignment, BackendAnswer};
use super::command::{NewOrder, Reply};
use super::feed::News;
use super::ids::OrderId;
use super::order::{Order, OrderStatus};
use super::orders::archived_order;
use super::pizza::Spoiled;
use super::refusal::Refusal;
use super::rows::Archive;
use super::{Kitchen, PizzaId};
use crate::defect;

/// So many pizzas are announced ahead, for each robot that prepares.
const AHEAD_PER_ROBOT: usize = 2;

impl Kitchen {
    pub(super) fn follow_backend(&mut self, answer: &BackendAnswer, archive: &dyn Archive) -> Result<Reply, Refusal> {
        let standing = &mut self.meta.backend;
        standing.known = true;
        standing.lease_until = standing.lease_until.max(answer.lease_until);
        standing.logged = standing.logged.max(answer.logged.unwrap_or(0));
        if let Some(followed) = answer.configuration.as_ref().filter(|f| f.version >= standing.configuration.version) {
            standing.configuration = followed.clone();
        }
        // First what it lost: an acknowledgement must not clear an order that is another kitchen's by now.
        for (order, assignment) in &answer.revoked {
            self.revoke(order, *assignment);
        }
        self.acknowledge_upto(answer.acknowledged);
        for (order, assignment, reason) in &answer.cancelled {
            if self.orders.get(order).is_some_and(|o| o.is_assigned(*assignment)) {
                self.cancel_order(order, reason, archive)?;
            }
        }
        Ok(Reply::Done)
    }

    /// The backend has these: what they announced may be begun.
    fn acknowledge_upto(&mut self, upto: u64) {
        let known: Vec<u64> = self.feed.range(..=upto).map(|(number, _)| *number).collect();
        for number in known {
            let outcome = self.feed.remove(&number);
            if let Some(News::Starting { order, assignment }) = outcome.map(|o| o.news) {
                self.clear(&order, assignment);
            }
        }
    }

    fn clear(&mut self, id: &OrderId, number: u64) {
        let Some(order) = self.orders.get_mut(id).filter(|o| o.is_assigned(number)) else { return };
        order.assignment = Some(Assignment { cleared: true, ..Assignment::new(number) });
        self.index_order(id);
    }

    /// It is not this kitchen's any more. What is begun is thrown away: the backend gave it up.
    fn revoke(&mut self, id: &OrderId, number: u64) {
        let ours = |o: &&Order| o.is_assigned(number) && !defect::is("revocation-ignored");
        let Some(order) = self.orders.get(id).filter(ours) else { return };
        let end = if order.status == OrderStatus::Accepted { OrderStatus::Returned } else { OrderStatus::Cancelled };
        self.give_up(id, end, "the backend took it back");
    }

    /// Ends an order that will not be made here.
    pub(super) fn give_up(&mut self, id: &OrderId, end: OrderStatus, why: &str) {
        for pizza in self.orders.get(id).map(|o| o.pizzas.clone()).unwrap_or_default() {
            self.discard(pizza, Spoiled::Cancelled, false);
        }
        self.end_order(id, end, Some(why.to_owned()));
    }

    /// An order is this kitchen's: it is cooked here, or the backend learns why not.
    pub(super) fn take_assignment(&mut self, assigned: &AssignedOrder, archive: &dyn Archive) -> Reply {
        self.meta.backend.known = true;
        if let Some((status, reason)) = self.known_assignment(assigned, archive) {
            self.tell_order(&assigned.id, assigned.assignment, status, &reason);
            return Reply::Unchanged;
        }
        if self.orders.contains(&assigned.id) {
            return Reply::Unchanged;
        }
        let new = NewOrder {
            id: assigned.id.clone(),
            items: assigned.items.clone(),
            priority: assigned.priority,
            promise_ms: Some(assigned.promise_ms),
        };
        match self.admit(&new) {
            Ok(()) => {
                self.add_order(&new, Some(Assignment::new(assigned.assignment)));
                Reply::Placed { number: self.meta.index, created: true }
            }
            Err(refusal) => {
                self.tell_order(&new.id, assigned.assignment, OrderStatus::Returned, &refusal.to_string());
                Reply::Refused(refusal)
            }
        }
    }

    /// What there is to tell of an order of that id that is here, or was; it is the same order, unless a local one has its id.
    fn known_assignment(&mut self, assigned: &AssignedOrder, archive: &dyn Archive) -> Option<(OrderStatus, String)> {
        let local = || (OrderStatus::Returned, "this kitchen has a local order of that id".to_owned());
        if let Some(order) = self.orders.get_mut(&assigned.id) {
            let Some(present) = order.assignment else { return Some(local()) };
            if present.number >= assigned.assignment {
                return None;
            }
            // It was given away and came back, while it was here all the time.
            order.assignment = Some(Assignment::new(assigned.assignment));
            let status = order.status;
            self.index_order(&assigned.id);
            return Some((status, String::new()));
        }
        let known = archived_order(archive, &assigned.id)?.order;
        let Some(present) = known.assignment else { return Some(local()) };
        let again = known.status == OrderStatus::Returned && present.number < assigned.assignment;
        (!again).then(|| (known.status, known.reason.unwrap_or_default()))
    }

    fn tell_order(&mut self, id: &OrderId, assignment: u64, status: OrderStatus, reason: &str) {
        let reason = (!reason.is_empty()).then(|| reason.to_owned());
        self.tell_backend(News::Order { order: id.clone(), assignment, status, reason });
    }

    /// Puts the waiting pizzas of an order into the index where they belong now.
    fn index_order(&mut self, id: &OrderId) {
        for pizza in self.orders.get(id).map(|o| o.pizzas.clone()).unwrap_or_default() {
            if let Some(pizza) = self.pizzas.get(&pizza).cloned() {
                self.index_pizza(&pizza);
            }
        }
    }

    /// Announces the next few orders of the backend, so that they are cleared when their turn comes.
    pub(super) fn announce_starts(&mut self) {
        if self.unannounced.is_empty() || self.lease_is_over() {
            return;
        }
        let ahead_max = AHEAD_PER_ROBOT * self.meta.status.prep.up as usize;
        let mut ahead: usize = self.announced_ahead();
        while ahead < ahead_max {
            let Some(order) = self.next_to_announce() else { return };
            ahead += order.pizzas.len();
            let (id, number) = (order.id.clone(), order.assignment.map_or(0, |a| a.number));
            self.tell_backend(News::Starting { order: id.clone(), assignment: number });
            let announced = Some(self.meta.feed_last);
            let order = self.orders.get_mut(&id).expect("it was there a line ago");
            order.assignment = Some(Assignment { announced, ..Assignment::new(number) });
            if defect::is("begun-before-cleared") {
                self.clear(&id, number);
            } else {
                self.index_order(&id);
            }
        }
    }

    /// Pizzas of orders that are announced or cleared, and not begun.
    fn announced_ahead(&self) -> usize {
        let cleared = self.queue.iter().filter(|k| self.order_of(k.2).is_some_and(Order::is_returnable)).count();
        self.announced.len() + cleared
    }

    fn next_to_announce(&self) -> Option<&Order> {
        self.unannounced.first().and_then(|key| self.order_of(key.2))
    }

    fn order_of(&self, pizza: PizzaId) -> Option<&Order> {
        self.pizzas.get(&pizza).and_then(|p| self.orders.get(&p.order))
    }

    /// Orders of the backend may not be begun at the moment.
    pub fn lease_is_over(&self) -> bool {
        self.meta.now >= self.meta.backend.lease_until && !defect::is("begun-past-lease")
    }

    /// Whether the backend's lease lets this pizza be begun. Local orders and those that are begun need none.
    pub(super) fn lease_allows(&self, pizza: PizzaId) -> bool {
        !self.lease_is_over() || !self.order_of(pizza).is_some_and(Order::is_returnable)
    }
}
