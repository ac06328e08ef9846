//! What devices say: facts and reports. A report is cumulative, so the latest one is enough; a lower revision is ignored.

use super::command::{Life, Reply};
use super::device::{Device, Facts, Standing};
use super::event::Event;
use super::ids::DeviceId;
use super::incident::Question;
use super::pizza::{Custody, Input, PizzaState, Place};
use super::refusal::Refusal;
use super::report::{Content, Report};
use super::{Kitchen, PizzaId};
use crate::defect;

/// How many former lives of a device are remembered.
const FORMER_BOOTS_MAX: usize = 8;

impl Kitchen {
    pub(super) fn record_facts(&mut self, id: &DeviceId, _boot: u64, facts: &Facts) -> Result<Reply, Refusal> {
        facts.check().map_err(|why| Refusal::Invalid { what: format!("device {id} {why}") })?;
        match self.devices.get(id) {
            Some(known) if known.facts == *facts && known.standing != Standing::Retired => Ok(Reply::Unchanged),
            Some(known) if known.facts.kind != facts.kind && known.standing != Standing::Retired => {
                let (adopted, claimed) = (known.facts.kind, facts.kind);
                Err(Refusal::KindChanged { device: id.clone(), adopted, claimed })
            }
            Some(known) if known.standing != Standing::Retired => {
                let device = self.devices.get_mut(id).expect("it was there a line ago");
                for lane in &facts.lanes {
                    device.lanes.entry(*lane).or_default();
                }
                device.facts = facts.clone();
                Ok(Reply::Done)
            }
            Some(_) | None => {
                let adopted = self.settings().adopt_at_once;
                let standing = if adopted { Standing::Adopted } else { Standing::Pending };
                let mut device = Device::new(id.clone(), facts.clone(), standing);
                // Robots that were at its lanes when it was retired may be there still.
                for (lane, state) in self.devices.get(id).map(|d| d.lanes.clone()).unwrap_or_default() {
                    device.lanes.entry(lane).or_default().busy = state.busy;
                }
                self.devices.insert(id.clone(), device);
                self.event(Event::DeviceAnnounced { device: id.clone() });
                self.device_changed(id, "it announced itself");
                Ok(Reply::Done)
            }
        }
    }

    pub(super) fn record_report(&mut self, id: &DeviceId, report: &Report) -> Result<Reply, Refusal> {
        let Some(device) = self.devices.get(id) else {
            return Err(Refusal::UnknownDevice { device: id.clone() });
        };
        let known_boot = device.boot;
        if known_boot == Some(report.boot) {
            let newer = report.rev > device.rev || (report.rev == device.rev && report.fence > device.fence);
            // What a silent device said before still counts when it is heard again.
            if !newer && device.life == Life::Live && !defect::is("late-reports-accepted") {
                return Ok(Reply::Unchanged);
            }
            if report.rev < device.rev && !defect::is("late-reports-accepted") {
                return Ok(Reply::Unchanged);
            }
        } else if device.former_boots.contains(&report.boot) {
            return Ok(self.record_flip(id));
        }
        let rebooted = known_boot.is_some_and(|boot| boot != report.boot);
        self.record_condition(id, report);
        if rebooted {
            self.device_rebooted(id);
        }
        self.merge_tasks(id, &report.tasks);
        self.merge_results(id, report);
        self.find_pizzas(id);
        self.close_cleared_lanes(id);
        self.check_safety(id, report);
        Ok(Reply::Done)
    }

    /// A former life speaks again. Once may be a late message; twice within a minute are two devices with one id.
    fn record_flip(&mut self, id: &DeviceId) -> Reply {
        let now = self.meta.now;
        let Some(device) = self.devices.get_mut(id) else { return Reply::Unchanged };
        device.flips.retain(|at| at + 60_000 > now);
        device.flips.push(now);
        if device.flips.len() < 2 || device.quarantine.is_some_and(|q| q.until.is_none()) {
            return Reply::Unchanged;
        }
        device.quarantine = Some(super::device::Quarantine { until: None });
        self.raise_incident(Question::TwinDevices { device: id.clone() }, None);
        self.device_changed(id, "two devices answer to this id");
        Reply::Done
    }

    fn record_condition(&mut self, id: &DeviceId, report: &Report) {
        let device = self.devices.get_mut(id).expect("the caller looked it up");
        let was_live = device.life == Life::Live;
        if device.boot != Some(report.boot)
            && let Some(former) = device.boot.replace(report.boot)
        {
            device.former_boots.push(former);
            let surplus = device.former_boots.len().saturating_sub(FORMER_BOOTS_MAX);
            device.former_boots.drain(..surplus);
        }
        device.rev = report.rev;
        device.mode = report.mode;
        device.condition = report.condition;
        device.estop = report.estop;
        device.fence = report.fence;
        device.errors.clone_from(&report.errors);
        device.life = Life::Live;
        for state in device.lanes.values_mut() {
            state.content = None;
        }
        for (lane, content) in &report.holds {
            device.lanes.entry(*lane).or_default().content = Some(*content);
        }
        if !was_live {
            self.device_changed(id, "its heart beats again");
        }
    }

    /// A pizza whose place was uncertain turns up where a device says that it holds it.
    fn find_pizzas(&mut self, id: &DeviceId) {
        let Some(device) = self.devices.get(id) else { return };
        let pizza_on = |(lane, content): (u8, Option<Content>)| match content {
            Some(Content::Pizza(pizza)) => Some((lane, pizza)),
            Some(Content::Unknown) | None => None,
        };
        let held: Vec<(u8, PizzaId)> = device.lanes.iter().filter_map(|(n, l)| pizza_on((*n, l.content))).collect();
        for (lane, pizza) in held {
            let place = Place { device: id.clone(), lane };
            if self.pizzas.get(&pizza).is_some_and(|p| p.state == PizzaState::Uncertain) {
                self.found(pizza, place);
            }
        }
    }

    /// An uncertain pizza is here. An oven that does not bake it has spoiled it.
    pub(super) fn found(&mut self, id: PizzaId, place: Place) {
        use super::vocabulary::Action;
        let Some(device) = self.devices.get(&place.device) else { return };
        let (bakes, unloads, preps) =
            (device.facts.can(Action::Bake), device.facts.can(Action::Unload), device.facts.can(Action::Prep));
        let input = if bakes {
            return;
        } else if unloads {
            Input::UnloadDone
        } else if preps {
            Input::LoadAbandoned
        } else {
            return;
        };
        self.close_incidents_about(id, "it was found");
        if let Some(pizza) = self.pizzas.get_mut(&id) {
            pizza.incident = None;
            pizza.oven = None;
            pizza.exit = None;
        }
        self.set_custody(id, Custody::On(place));
        self.feed_pizza(id, input);
    }

    fn check_safety(&mut self, id: &DeviceId, report: &Report) {
        if report.fence > self.epoch() {
            let question = Question::ObeysAnotherController { device: id.clone(), seen: report.fence };
            self.raise_once(question);
        }
        if report.estop {
            let zone = self.devices.get(id).map_or(String::new(), |d| d.facts.zone.clone());
            self.meta.held_zones.insert(zone.clone());
            self.raise_once(Question::EmergencyStop { device: id.clone(), zone });
        }
        let overdue = report.errors.iter().any(|e| e == "OVERDUE");
        if overdue {
            self.discard_overdue(id);
        }
    }
}
