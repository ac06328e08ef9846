//! What others may read of the kitchen: borrowed rows, and the few questions that leader and API ask.

use super::feed::Outcome as FeedOutcome;
use super::{
    Attempt, AttemptId, Device, DeviceId, Escalation, Incident, Instruction, InstructionId, Kitchen, Meta, Order,
    OrderId, Pizza, PizzaId, Recipe, RecipeId, Token, TokenId,
};

impl Kitchen {
    /// What is neither order, pizza nor device.
    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    /// Open orders, by id.
    pub fn orders(&self) -> impl DoubleEndedIterator<Item = &Order> {
        self.orders.values()
    }

    /// An open order.
    pub fn order(&self, id: &OrderId) -> Option<&Order> {
        self.orders.get(id)
    }

    /// Pizzas of open orders, by arrival.
    pub fn pizzas(&self) -> impl DoubleEndedIterator<Item = &Pizza> {
        self.pizzas.values()
    }

    /// A pizza of an open order.
    pub fn pizza(&self, id: PizzaId) -> Option<&Pizza> {
        self.pizzas.get(&id)
    }

    /// Devices, by id.
    pub fn devices(&self) -> impl DoubleEndedIterator<Item = &Device> {
        self.devices.values()
    }

    /// Attempts that are not proven over.
    pub fn attempts(&self) -> impl DoubleEndedIterator<Item = &Attempt> {
        self.attempts.values()
    }

    /// An attempt that is not proven over.
    pub fn attempt(&self, id: AttemptId) -> Option<&Attempt> {
        self.attempts.get(&id)
    }

    /// What devices are told, the oldest first.
    pub fn outbox(&self) -> impl DoubleEndedIterator<Item = &Instruction> {
        self.outbox.values()
    }

    /// True while an attempt of this instruction may still run, or the instruction is still to be obeyed.
    pub fn is_open(&self, id: &InstructionId) -> bool {
        self.outbox.contains(id) || self.attempts.values().any(|a| a.instruction == *id)
    }

    /// The menu.
    pub fn recipes(&self) -> impl DoubleEndedIterator<Item = &Recipe> {
        self.recipes.values()
    }

    /// A recipe of the menu.
    pub fn recipe(&self, id: &RecipeId) -> Option<&Recipe> {
        self.recipes.get(id)
    }

    /// Incidents, open and lately decided, the oldest first.
    pub fn incidents(&self) -> impl DoubleEndedIterator<Item = &Incident> {
        self.incidents.values()
    }

    /// Devices that failed too often, the oldest first.
    pub fn escalations(&self) -> impl DoubleEndedIterator<Item = (&u64, &Escalation)> {
        self.escalations.iter()
    }

    /// What the backend must still learn, in order.
    pub fn feed(&self) -> impl DoubleEndedIterator<Item = &FeedOutcome> {
        self.feed.values()
    }

    /// Who may use the API, by id; ended ones included.
    pub fn tokens(&self) -> impl DoubleEndedIterator<Item = &Token> {
        self.tokens.values()
    }

    /// A token, ended or not.
    pub fn token(&self, id: &TokenId) -> Option<&Token> {
        self.tokens.get(id)
    }

    /// True when a zone stands still.
    pub fn is_held(&self, device: &DeviceId) -> bool {
        self.devices.get(device).is_some_and(|d| d.held || self.zone_held(&d.facts.zone))
    }
}
