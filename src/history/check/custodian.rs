//! Invariant 1: a pizza has at most one custodian, and a slot holds at most one pizza.

use std::collections::BTreeMap;

use super::Violation;
use crate::history::{DeviceFact, Fact, Fault, History};

/// A gripper (no slot) or a slot.
type Place = (String, Option<u8>);

#[derive(Default)]
struct World {
    /// Where each pizza is, and the line that put it there.
    places: BTreeMap<String, (Place, usize)>,
}

/// Follows every pizza through grippers and slots.
pub(super) fn one_custodian(history: &History) -> Result<(), Violation> {
    let mut world = World::default();
    for told in history.all() {
        match &told.fact {
            Fact::Device(fact) => world.see(told.line, fact)?,
            Fact::Fault(fact) if fact.fault == Fault::PowerCut => world = World::default(),
            Fact::Fault(_) | Fact::Client(_) | Fact::Replica(_) | Fact::Broker(_) | Fact::Backend(_) => {}
        }
    }
    Ok(())
}

impl World {
    fn see(&mut self, line: usize, fact: &DeviceFact) -> Result<(), Violation> {
        let Some(pizza) = &fact.pizza else { return Ok(()) };
        let gripper = (fact.device.clone(), None);
        let slot = fact.oven.clone().map(|oven| (oven, fact.slot));
        match (fact.event.as_str(), slot) {
            ("started", _) if fact.op.as_deref() == Some("prep") => self.appear(line, pizza, gripper),
            ("placed", Some(slot)) => self.go(line, pizza, &gripper, slot),
            ("picked", Some(slot)) => self.go(line, pizza, &slot, gripper),
            ("shelved", Some(slot)) => self.go(line, pizza, &gripper, slot),
            ("packed" | "discarded" | "cleared", _) => {
                self.places.remove(pizza);
                Ok(())
            }
            // The world did not let it happen; a robot would have pressed one pizza onto another.
            ("failed", _) if fact.code.as_deref() == Some("BLOCKED") => {
                let why = format!("{} had to put pizza {pizza} where something lay", fact.device);
                Err(Violation::new(why, [line]))
            }
            _ => Ok(()),
        }
    }

    fn appear(&mut self, line: usize, pizza: &str, at: Place) -> Result<(), Violation> {
        match self.places.insert(pizza.to_owned(), (at, line)) {
            Some((before, since)) => {
                let why = format!("pizza {pizza} was made while it was in {}", name(&before));
                Err(Violation::new(why, [since, line]))
            }
            None => Ok(()),
        }
    }

    fn go(&mut self, line: usize, pizza: &str, from: &Place, to: Place) -> Result<(), Violation> {
        let there = self.places.iter().find(|(other, (place, _))| *place == to && *other != pizza);
        if let Some((other, (_, since))) = there.filter(|_| to.1.is_some()) {
            let why = format!("pizza {pizza} was put into {}, where {other} lay", name(&to));
            return Err(Violation::new(why, [*since, line]));
        }
        let before = self.places.insert(pizza.to_owned(), (to, line));
        match before.filter(|(before, _)| before != from) {
            Some((before, since)) => {
                let why = format!("pizza {pizza} was taken from {} and lay in {}", name(from), name(&before));
                Err(Violation::new(why, [since, line]))
            }
            None => Ok(()),
        }
    }
}

fn name((device, slot): &Place) -> String {
    slot.map_or_else(|| device.clone(), |slot| format!("{device} slot {slot}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::testing::{did, fault, history, in_slot};

    fn made(t_ms: u64, pizza: &str) -> Fact {
        Fact::Device(DeviceFact { op: Some("prep".to_owned()), ..did(t_ms, "robot1", "started", pizza) })
    }

    fn placed(t_ms: u64, pizza: &str) -> Fact {
        in_slot(did(t_ms, "robot1", "placed", pizza), "oven1", 0)
    }

    fn picked(t_ms: u64, pizza: &str) -> Fact {
        in_slot(did(t_ms, "robot3", "picked", pizza), "oven1", 0)
    }

    #[test]
    fn a_pizza_that_goes_from_hand_to_hand_is_fine() {
        let packed = Fact::Device(did(4, "robot3", "packed", "1.0.0"));
        let two =
            [made(1, "1.0.0"), placed(2, "1.0.0"), picked(3, "1.0.0"), packed, made(5, "1.1.0"), placed(6, "1.1.0")];
        assert_eq!(one_custodian(&history(two)), Ok(()));
    }

    #[test]
    fn two_pizzas_in_one_slot_are_found() {
        let found = one_custodian(&history([placed(1, "1.0.0"), placed(2, "1.1.0")])).unwrap_err();
        assert_eq!(found.lines, vec![1, 2], "{}", found.why);
        let blocked = DeviceFact { code: Some("BLOCKED".to_owned()), ..did(1, "robot1", "failed", "1.1.0") };
        assert!(one_custodian(&history([Fact::Device(blocked)])).is_err());
    }

    #[test]
    fn a_pizza_in_two_places_is_found() {
        assert!(one_custodian(&history([made(1, "1.0.0"), made(2, "1.0.0")])).is_err());
        assert!(one_custodian(&history([made(1, "1.0.0"), picked(2, "1.0.0")])).is_err());
    }

    #[test]
    fn a_power_cut_empties_the_simulated_world() {
        let cut = [placed(1, "1.0.0"), fault(2, Fault::PowerCut), placed(3, "1.1.0")];
        assert_eq!(one_custodian(&history(cut)), Ok(()));
    }
}
