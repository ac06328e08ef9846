//! A person says that a pizza is bad: it is thrown away, and another one is made in its place.
//!
//! This is the discard that a bad verdict causes, with a person's word on record. What is under way with the pizza is cancelled, and
//! its lanes stay blocked until there is proof; what lies somewhere is thrown away by the device that has it, as ever. Nobody is
//! blamed: a person who sees a bad pizza need not know who made it so.

use super::ids::{OrderId, PizzaId};
use super::order::{OrderStatus, Word, archive_number_key};
use super::orders::archived_order;
use super::pizza::{PizzaState, Spoiled};
use super::refusal::Refusal;
use super::rows::Archive;
use super::{Kitchen, Reply};

impl Kitchen {
    /// Discards a pizza by a person's word. The id names a generation, so that the same request twice makes one pizza more and not two.
    pub(super) fn remake_pizza(
        &mut self,
        id: PizzaId,
        actor: &str,
        reason: &str,
        archive: &dyn Archive,
    ) -> Result<Reply, Refusal> {
        let Some(pizza) = self.pizzas.get(&id) else { return self.remade_before(id, archive) };
        if pizza.state == PizzaState::Queued {
            let hint = match pizza.parked {
                Some(incident) => format!("nothing of it is made yet: decide incident {incident}"),
                None => "nothing of it is made yet".to_owned(),
            };
            return Err(Refusal::NothingToRemake { pizza: id, state: "QUEUED".to_owned(), hint });
        }
        let order = pizza.order.clone();
        self.discard(id, Spoiled::JudgedBad, true);
        let cut = |text: &str| text.chars().take(200).collect::<String>();
        let word = Word { actor: cut(actor), reason: cut(reason) };
        if let Some(record) = self.orders.get_mut(&order).and_then(|order| order.discarded.last_mut()) {
            record.word = Some(word);
        }
        Ok(Reply::Done)
    }

    /// What a request means whose pizza is not among the present ones: it was remade already, is out of the kitchen's hands, or never was.
    fn remade_before(&self, id: PizzaId, archive: &dyn Archive) -> Result<Reply, Refusal> {
        let is_its = |discarded: &super::order::DiscardedPizza| discarded.pizza == id;
        if let Some(order) = self.orders.values().find(|order| order.number == id.order) {
            let remade = order.discarded.iter().any(is_its);
            return if remade { Ok(Reply::Unchanged) } else { Err(Refusal::UnknownPizza { pizza: id }) };
        }
        let name = archive.get(&archive_number_key(id.order)).and_then(|name| String::from_utf8(name).ok());
        let ended =
            name.and_then(|name| name.parse::<OrderId>().ok()).and_then(|order| archived_order(archive, &order));
        let Some(ended) = ended else { return Err(Refusal::UnknownPizza { pizza: id }) };
        let followed = ended.order.pizzas.iter().any(|p| p.item == id.item && p.generation > id.generation);
        if ended.order.discarded.iter().any(is_its) && followed {
            return Ok(Reply::Unchanged);
        }
        if !ended.order.pizzas.contains(&id) {
            return Err(Refusal::UnknownPizza { pizza: id });
        }
        let hint = match ended.order.status {
            OrderStatus::Ready | OrderStatus::Collected => {
                "the kitchen has given the order away: order what is bad anew"
            }
            OrderStatus::Cancelled
            | OrderStatus::Failed
            | OrderStatus::Returned
            | OrderStatus::Accepted
            | OrderStatus::InProgress => "nothing is made for it any more",
        };
        let state = ended.order.status.as_str().to_owned();
        Err(Refusal::NothingToRemake { pizza: id, state, hint: hint.to_owned() })
    }
}
