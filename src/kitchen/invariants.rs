//! What must hold after every entry. Each invariant of the failure catalogue that concerns the state is a named function here;
//! tests and simulations run them all after each entry.

use std::collections::{BTreeMap, BTreeSet};

use super::access::{TOKENS_MAX, is_name};
use super::attempt::AttemptState;
use super::pizza::{Custody, PizzaState, Place};
use super::report::{Job, TaskId};
use super::{Kitchen, PizzaId};

/// One invariant: Err says what is wrong.
pub type Invariant = fn(&Kitchen) -> Result<(), String>;

/// The one that builds all indexes anew.
pub const DEAR: &str = "derived indexes follow the rows";

/// All of them, with their names.
pub const ALL: [(&str, Invariant); 11] = [
    ("a pizza has at most one custodian", one_custodian),
    ("a lane has at most one pizza", one_pizza_per_lane),
    ("a step has at most one unfenced attempt", one_attempt_per_step),
    ("no device works on two attempts of one lane", one_attempt_per_lane),
    ("an item has exactly one open pizza, the present generation", one_pizza_per_item),
    ("nothing is loaded without a reserved exit", exit_before_entry),
    ("blocked lanes and open attempts agree", lanes_and_attempts_agree),
    ("the outbox instructs only what is open", outbox_is_live),
    (DEAR, indexes_follow),
    ("orders in the state are open", orders_are_open),
    ("tokens have ids, names and hashes of their own", tokens_differ),
];

/// Checks every invariant. Err names the first that does not hold.
pub fn check(kitchen: &Kitchen) -> Result<(), String> {
    ALL.iter().try_for_each(|(name, holds)| holds(kitchen).map_err(|why| format!("{name}: {why}")))
}

/// The same without the dear one: for whoever looks after every entry while others wait.
pub fn check_often(kitchen: &Kitchen) -> Result<(), String> {
    let mut cheap = ALL.iter().filter(|(name, _)| *name != DEAR);
    cheap.try_for_each(|(name, holds)| holds(kitchen).map_err(|why| format!("{name}: {why}")))
}

fn one_custodian(k: &Kitchen) -> Result<(), String> {
    for pizza in k.pizzas.values() {
        let owned = match (&pizza.custody, pizza.state) {
            (Custody::None, PizzaState::Queued) => true,
            (Custody::On(place), PizzaState::Baking | PizzaState::Baked | PizzaState::Unloading) => {
                pizza.oven.as_ref() == Some(place)
            }
            (Custody::On(_), PizzaState::Prepping | PizzaState::Prepped | PizzaState::Loading) => true,
            (Custody::Between(..), PizzaState::Loading) => true,
            (Custody::On(_), PizzaState::Unloaded | PizzaState::Finishing | PizzaState::Shelved) => true,
            (Custody::Counter, PizzaState::Finished | PizzaState::Packed) => true,
            (Custody::Unknown, PizzaState::Uncertain) => true,
            _ => false,
        };
        if !owned {
            return Err(format!("{} is {:?} and in custody {:?}", pizza.id, pizza.state, pizza.custody));
        }
    }
    Ok(())
}

fn one_pizza_per_lane(k: &Kitchen) -> Result<(), String> {
    let mut owners: BTreeMap<&Place, PizzaId> = BTreeMap::new();
    for pizza in k.pizzas.values() {
        if let Some(place) = pizza.place()
            && let Some(other) = owners.insert(place, pizza.id)
        {
            return Err(format!("{place} has {other} and {}", pizza.id));
        }
    }
    Ok(())
}

fn one_attempt_per_step(k: &Kitchen) -> Result<(), String> {
    let mut seen: BTreeSet<TaskId> = BTreeSet::new();
    for attempt in k.attempts.values() {
        let fenced = !k.pizzas.contains(&attempt.id.task.pizza);
        let harmless = matches!(attempt.id.task.job, Job::Discard);
        if !fenced && !harmless && !seen.insert(attempt.id.task) {
            return Err(format!("{} has two open attempts", attempt.id.task));
        }
    }
    Ok(())
}

fn one_attempt_per_lane(k: &Kitchen) -> Result<(), String> {
    let mut seen: BTreeMap<&Place, super::AttemptId> = BTreeMap::new();
    for attempt in k.attempts.values() {
        if let Some(other) = seen.insert(attempt.lane(), attempt.id) {
            return Err(format!("{} runs {other} and {}", attempt.lane(), attempt.id));
        }
    }
    Ok(())
}

fn one_pizza_per_item(k: &Kitchen) -> Result<(), String> {
    let mut listed = 0;
    for order in k.orders.values() {
        for (item, id) in order.pizzas.iter().enumerate() {
            listed += 1;
            let right = usize::from(id.item) == item && id.order == order.number;
            if !right || k.pizzas.get(id).is_none_or(|p| p.order != order.id) {
                return Err(format!("item {item} of {} is {id}, and the state lacks it", order.id));
            }
        }
    }
    if listed != k.pizzas.len() {
        return Err(format!("{} pizzas for {listed} items", k.pizzas.len()));
    }
    Ok(())
}

fn exit_before_entry(k: &Kitchen) -> Result<(), String> {
    for attempt in k.attempts.values().filter(|a| a.id.task.job == Job::Load && a.opened_at == k.meta.now) {
        let just_opened = attempt.instruction.index == k.meta.index;
        let pizza = k.pizzas.get(&attempt.id.task.pizza);
        if just_opened && pizza.is_some_and(|p| p.exit.is_none()) {
            return Err(format!("{} was opened and {} has no exit", attempt.id, attempt.id.task.pizza));
        }
    }
    Ok(())
}

fn lanes_and_attempts_agree(k: &Kitchen) -> Result<(), String> {
    for attempt in k.attempts.values() {
        if let Some(place) = attempt
            .touches
            .iter()
            .filter(|p| !k.is_on_shelf(p))
            .find(|p| !k.lane(p).is_some_and(|l| l.busy.contains(&attempt.id)))
        {
            return Err(format!("{place} does not know that {} may touch it", attempt.id));
        }
    }
    for device in k.devices.values() {
        for lane in device.lanes.values() {
            if let Some(id) = lane.busy.iter().find(|id| !k.attempts.contains(id)) {
                return Err(format!("a lane of {} waits for {id}, which is over", device.id));
            }
        }
    }
    Ok(())
}

fn outbox_is_live(k: &Kitchen) -> Result<(), String> {
    for instruction in k.outbox.values() {
        let super::Op::Start(task) = &instruction.op else { continue };
        let Some(attempt) = k.attempts.get(&task.attempt) else {
            return Err(format!("{} starts {}, which is over", instruction.id, task.attempt));
        };
        if attempt.state == AttemptState::Unknown || attempt.cancel.is_some() {
            return Err(format!("{} would still start {}, which is {:?}", instruction.id, attempt.id, attempt.state));
        }
        if task.attempt.task.job != Job::Discard && !k.pizzas.contains(&task.attempt.task.pizza) {
            return Err(format!("{} is for {}, which was discarded", instruction.id, task.attempt.task.pizza));
        }
    }
    Ok(())
}

fn indexes_follow(k: &Kitchen) -> Result<(), String> {
    let again = Kitchen::from_rows(k.rows()).map_err(|e| e.to_string())?;
    if again.queue != k.queue || again.active != k.active || again.announced != k.announced {
        return Err("queue, announced or active differ from what the rows give".to_owned());
    }
    if again.ready_by_rate(&[]) != k.ready_by_rate(&[]) {
        return Err("the work that waits first is remembered wrongly".to_owned());
    }
    if again != *k {
        return Err("the rows give another kitchen".to_owned());
    }
    let open = k.pizzas.values().filter(|p| p.state != PizzaState::Packed).count();
    if open != k.meta.open_pizzas as usize {
        return Err(format!("{open} pizzas are open, the count says {}", k.meta.open_pizzas));
    }
    Ok(())
}

fn orders_are_open(k: &Kitchen) -> Result<(), String> {
    match k.orders.values().find(|o| !o.status.is_open()) {
        Some(order) => Err(format!("{} is {:?} and still in the state", order.id, order.status)),
        None => Ok(()),
    }
}

/// Two tokens of one hash would make it a matter of order whose request it is.
fn tokens_differ(k: &Kitchen) -> Result<(), String> {
    let mut hashes: BTreeSet<&str> = BTreeSet::new();
    for (id, token) in k.tokens.iter() {
        if token.new.id != *id || !is_name(&token.new.name) || !hashes.insert(token.new.hash.as_str()) {
            return Err(format!("token {id} is {token:?}"));
        }
    }
    if hashes.len() > TOKENS_MAX {
        return Err(format!("{} tokens", hashes.len()));
    }
    Ok(())
}
