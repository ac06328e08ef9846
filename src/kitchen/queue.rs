//! Pizzas that wait, by urgency, and the work of the first of them: every new order asks for it, and few orders change it.
//!
//! Derived from `pizzas`, `orders` and `recipes`. What is remembered of the work is forgotten with whatever changes it.

use std::collections::{BTreeSet, btree_set};
use std::sync::OnceLock;

use super::limit::Mix;
use super::schedule::{LOOK_AHEAD, QueueKey};
use super::{PizzaId, Recipe};

/// Pizzas that wait, the most urgent first.
#[derive(Clone, Debug, Default)]
pub(super) struct Queue {
    keys: BTreeSet<QueueKey>,
    first: OnceLock<First>,
}

/// The first that wait.
#[derive(Clone, Copy, Debug)]
struct First {
    work: Mix,
    /// The last that counts. None if all that wait do.
    last: Option<QueueKey>,
}

/// Two queues are equal when the same pizzas wait; what is remembered of them does not count.
impl PartialEq for Queue {
    fn eq(&self, other: &Self) -> bool {
        self.keys == other.keys
    }
}

impl Queue {
    /// A pizza waits.
    pub fn insert(&mut self, key: QueueKey) {
        if self.keys.insert(key) {
            self.changed_at(key);
        }
    }

    /// A pizza does not wait any more, if it did.
    pub fn remove(&mut self, key: QueueKey) {
        if self.keys.remove(&key) {
            self.changed_at(key);
        }
    }

    /// Recipes are others now.
    pub fn recipes_changed(&mut self) {
        self.first.take();
    }

    fn changed_at(&mut self, key: QueueKey) {
        let is_behind = self.first.get().is_some_and(|first| first.last.is_some_and(|last| key > last));
        if !is_behind {
            self.first.take();
        }
    }

    /// The work of as many as a pass of the schedule looks at.
    pub fn first_work<'r>(&self, recipe_of: impl Fn(PizzaId) -> Option<&'r Recipe>) -> Mix {
        let sum_up = || {
            let some = self.keys.iter().take(LOOK_AHEAD);
            let last = self.keys.iter().nth(LOOK_AHEAD - 1).copied();
            First { work: some.filter_map(|key| recipe_of(key.2)).collect(), last }
        };
        self.first.get_or_init(sum_up).work
    }

    /// All of them, the most urgent first.
    pub fn iter(&self) -> btree_set::Iter<'_, QueueKey> {
        self.keys.iter()
    }

    /// The most urgent.
    pub fn first(&self) -> Option<&QueueKey> {
        self.keys.first()
    }

    /// True if nobody waits.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kitchen::recipe::built_in_menu;

    fn key(slack: i64) -> QueueKey {
        (0, slack, PizzaId { order: slack as u64, item: 0, generation: 0 })
    }

    #[test]
    fn the_work_of_the_first_is_that_of_who_is_there_now() {
        let menu = built_in_menu();
        let recipe_of = |id: PizzaId| menu.get(id.order as usize % menu.len());
        let mut queue = Queue::default();
        // Behind the others, before them, and among them; then all leave, from both ends.
        let order =
            (0..200).map(|n| 1_000 + n * 7).chain((0..50).map(|n| 900 - n * 3)).chain((0..50).map(|n| 1_003 + n * 7));
        let keys: Vec<_> = order.map(key).collect();
        for key in &keys {
            queue.insert(*key);
            let anew: Mix = queue.iter().take(LOOK_AHEAD).filter_map(|key| recipe_of(key.2)).collect();
            assert_eq!(queue.first_work(recipe_of), anew);
        }
        for key in keys.iter().step_by(2).chain(keys.iter().rev()) {
            queue.remove(*key);
            let anew: Mix = queue.iter().take(LOOK_AHEAD).filter_map(|key| recipe_of(key.2)).collect();
            assert_eq!(queue.first_work(recipe_of), anew);
        }
        assert!(queue.is_empty());
    }
}
