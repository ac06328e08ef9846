//! Shelves: where an after-oven robot puts a pizza down when another one would burn while it is finished.
//!
//! A shelf is a station of the site's settings, with slots and no voice of its own: what lies there is known by the robots' reports. What may lie
//! there after a robot was lost, or after its pizza was discarded, is a person's business; until they answer, the slot is not used.

use super::Kitchen;
use super::attempt::{Attempt, Outcome};
use super::ids::PizzaId;
use super::incident::Question;
use super::pizza::{Custody, Input, Pizza, Place, Spoiled};
use super::report::Job;

impl Kitchen {
    /// A slot of a shelf, and not of a device.
    pub(super) fn is_on_shelf(&self, place: &Place) -> bool {
        self.settings().shelves.contains_key(&place.device)
    }

    /// Shelf slots on which something may be put.
    pub(super) fn free_shelf_slots(&self) -> Vec<Place> {
        let slots = self
            .settings()
            .shelves
            .iter()
            .flat_map(|(shelf, slots)| (0..*slots).map(|lane| Place { device: shelf.clone(), lane }));
        slots.filter(|slot| self.shelf_slot_is_free(slot)).collect()
    }

    fn shelf_slot_is_free(&self, slot: &Place) -> bool {
        let asked = |q: &Question| matches!(q, Question::ClearLane { place } if place == slot);
        !self.active_pizzas().any(|p| p.place() == Some(slot))
            && !self.attempts.values().any(|a| a.touches[1..].contains(slot))
            && !self.incidents.values().any(|i| i.answer.is_none() && asked(&i.question))
    }

    pub(super) fn after_shelve(&mut self, attempt: &Attempt, outcome: &Outcome) {
        let (id, shelf) = (attempt.id.task.pizza, attempt.touches[1].clone());
        match outcome {
            Outcome::Succeeded(_) => {
                if self.feed_pizza(id, Input::Shelved) {
                    self.set_custody(id, Custody::On(shelf));
                }
            }
            // The robot still holds it: it is finished there, or put down once more.
            Outcome::NotStarted(_) => {}
            Outcome::Failed(_) | Outcome::Vanished(_) => {
                self.discard(id, Spoiled::Dropped, true);
                self.ask_to_clear(shelf);
            }
        }
    }

    pub(super) fn after_fetch(&mut self, attempt: &Attempt, outcome: &Outcome) {
        let (id, gripper) = (attempt.id.task.pizza, attempt.lane().clone());
        match outcome {
            Outcome::Succeeded(_) => {
                if self.feed_pizza(id, Input::Fetched) {
                    self.set_custody(id, Custody::On(gripper));
                }
            }
            Outcome::NotStarted(_) => {}
            // It lies there still, or in the gripper, or on the floor: `discard` asks about the shelf.
            Outcome::Failed(_) | Outcome::Vanished(_) => self.discard(id, Spoiled::Dropped, true),
        }
    }

    /// A pizza that was discarded while a robot put it down lies on the shelf now, or may.
    pub(super) fn ask_about_shelved_spare(&mut self, attempt: &Attempt, outcome: &Outcome) {
        let was_put_down = matches!(outcome, Outcome::Succeeded(_) | Outcome::Failed(_) | Outcome::Vanished(_));
        if attempt.id.task.job == Job::Shelve && was_put_down && !self.pizzas.contains(&attempt.id.task.pizza) {
            self.raise_once(Question::ClearLane { place: attempt.touches[1].clone() });
        }
    }

    /// A pizza on a shelf is discarded: nobody but a person takes it away. One that a robot is fetching may come along.
    pub(super) fn ask_about_shelf_of(&mut self, pizza: &Pizza) {
        if let Some(place) = pizza.place().filter(|p| self.is_on_shelf(p)).cloned() {
            self.raise_once(Question::ClearLane { place });
        }
    }

    /// Pizzas on shelves that no robot is fetching, the first to be put there first.
    pub(super) fn shelved(&self) -> Vec<PizzaId> {
        let mut shelved: Vec<&Pizza> = self.active_pizzas().filter(|p| p.state == super::PizzaState::Shelved).collect();
        shelved.retain(|p| self.attempt_on(p.id, Job::Fetch).is_none());
        shelved.sort_by_key(|p| (p.since, p.id));
        shelved.into_iter().map(|p| p.id).collect()
    }
}
