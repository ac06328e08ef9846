//! The kitchen of a copy, as another incarnation goes on with it. Not part of apply: it happens once, while no replica runs.
//!
//! What was done since the copy was taken is not known here, and devices remember it under the names of then. So everything that has not
//! ended gets a new name and begins anew: an order a new number, and each of its pizzas that was not packed is made from the beginning. What lies
//! in grippers and ovens belongs to nobody then, and is thrown away like all that nobody knows (`clearing`).

use std::collections::BTreeMap;

use super::device::{LaneState, Recovery};
use super::order::{DiscardedPizza, Order};
use super::pizza::Spoiled;
use super::rows::BadRow;
use super::{Epoch, InCharge, Kitchen, Pizza, PizzaId, PizzaState};

/// So many discards can't have been numbered since the copy.
const DISCARDS_AHEAD: u32 = 1 << 20;

impl Kitchen {
    /// The same kitchen as a later incarnation, whose log goes on behind `index`. Names up to there must be new: the open orders take the last of
    /// them.
    pub fn restored(mut self, incarnation: u32, index: u64) -> Result<Self, BadRow> {
        let node = self.meta.in_charge.map_or(0, |c| c.node);
        self.meta.in_charge = Some(InCharge { node, epoch: Epoch::new(incarnation, index), since: self.meta.now });
        self.meta.index = index;
        self.meta.discards = self.meta.discards.saturating_add(DISCARDS_AHEAD);
        self.forget_work();
        let mut orders: Vec<Order> = self.orders.values().cloned().collect();
        orders.sort_by_key(|order| order.number);
        let mut old: BTreeMap<PizzaId, Pizza> = self.pizzas.iter().map(|(id, pizza)| (*id, pizza.clone())).collect();
        old.keys().for_each(|id| drop(self.pizzas.remove(id)));
        let first = index - orders.len() as u64 + 1;
        for (order, number) in orders.into_iter().zip(first..) {
            self.begin_anew(order, number, &mut old);
        }
        let open = self.pizzas.values().filter(|p| p.state != PizzaState::Packed).count();
        self.meta.open_pizzas = open as u32;
        // What is derived is made anew with the rows.
        Self::from_rows(self.rows())
    }

    /// No attempt, instruction, question or lane of the old time means anything any more.
    fn forget_work(&mut self) {
        for attempt in self.attempts.keys().copied().collect::<Vec<_>>() {
            self.attempts.remove(&attempt);
        }
        for instruction in self.outbox.keys().copied().collect::<Vec<_>>() {
            self.outbox.remove(&instruction);
        }
        for incident in self.incidents.keys().copied().collect::<Vec<_>>() {
            self.incidents.remove(&incident);
        }
        for id in self.devices.keys().cloned().collect::<Vec<_>>() {
            let Some(device) = self.devices.get_mut(&id) else { continue };
            device.lanes.values_mut().for_each(|lane| *lane = LaneState::default());
            device.rev = 0;
            if matches!(device.recovery, Recovery::SelfTest(_)) {
                device.recovery = Recovery::Clearing;
            }
        }
    }

    fn begin_anew(&mut self, mut order: Order, number: u64, old: &mut BTreeMap<PizzaId, Pizza>) {
        order.number = number;
        order.status = super::OrderStatus::Accepted;
        for item in 0..order.pizzas.len() {
            let Some(was) = old.remove(&order.pizzas[item]) else { continue };
            let id = PizzaId { order: number, ..was.id };
            order.pizzas[item] = id;
            if was.state == PizzaState::Packed {
                self.pizzas.insert(id, Pizza { id, ..was });
                continue;
            }
            let anew = Pizza::new(id, &order, was.recipe.clone(), was.work_ms, self.meta.now);
            self.pizzas.insert(id, anew);
            if was.state != PizzaState::Queued {
                self.meta.discarded += 1;
                order.discarded.push(self.given_up(was));
            }
        }
        self.orders.insert(order.id.clone(), order);
    }

    /// Food that was begun is on record, whatever became of it.
    fn given_up(&self, pizza: Pizza) -> DiscardedPizza {
        DiscardedPizza {
            pizza: pizza.id,
            reason: Spoiled::Lost,
            state: pizza.state,
            at: self.meta.now,
            wall: self.meta.wall,
            recipe_version: pizza.recipe_version,
            history: pizza.history,
            judgements: pizza.judgements,
            word: None,
        }
    }
}
