//! Lanes that hold what they should not, lanes that lack what they should hold, and devices on their way back to work.

use super::device::{LaneState, Recovery, Standing};
use super::ids::{DeviceId, Lane};
use super::outbox::{Op, Params};
use super::pizza::{Custody, Pizza, PizzaState, Place, Spoiled};
use super::report::{Content, Job};
use super::{Action, Condition, Device, DeviceKind, Kitchen, Life, Mode};

impl Kitchen {
    /// A pizza that is not where it should be, by the word of the device that should have it, is lost: it is made again.
    pub(super) fn miss_pizzas(&mut self) {
        use PizzaState as S;
        for id in self.ids_in(&[S::Prepped, S::Loading, S::Baked, S::Unloaded]) {
            let Some(place) = self.pizzas.get(&id).and_then(Pizza::place) else { continue };
            let Some(device) = self.devices.get(&place.device) else { continue };
            let speaks = device.life == Life::Live && device.fence == self.epoch();
            let missing = |l: &LaneState| l.busy.is_empty() && l.content != Some(Content::Pizza(id));
            if speaks && device.lanes.get(&place.lane).is_some_and(missing) {
                self.discard(id, Spoiled::Lost, true);
            }
        }
    }

    /// What lies somewhere and belongs to no pizza of the state is thrown away; what nobody knows is asked about. What a device said to a
    /// former tenure is of the past: what lay there may be in somebody's gripper by now.
    pub(super) fn clear_lanes(&mut self) {
        let mut finds: Vec<(Place, Content, bool)> = Vec::new();
        let is_ours = |d: &&Device| matches!(d.standing, Standing::Adopted | Standing::Draining);
        let epoch = self.epoch();
        for device in self.devices.values().filter(is_ours).filter(|d| d.fence == epoch) {
            for (lane, state) in &device.lanes {
                let Some(content) = state.content else { continue };
                if state.busy.is_empty() && state.blocked.is_none() && self.is_foreign(content, &device.id, *lane) {
                    let may = self.may_begin(device)
                        || (device.may_go_on(self.epoch()) && !self.zone_held(&device.facts.zone));
                    finds.push((Place { device: device.id.clone(), lane: *lane }, content, may));
                }
            }
        }
        for (place, content, may_begin) in finds {
            self.clear_lane(place, content, may_begin);
        }
    }

    fn is_foreign(&self, content: Content, device: &DeviceId, lane: Lane) -> bool {
        let Content::Pizza(id) = content else { return true };
        let Some(pizza) = self.pizzas.get(&id) else { return true };
        let here = |p: &Place| p.device == *device && p.lane == lane;
        let expected = match &pizza.custody {
            Custody::On(place) => here(place),
            Custody::Between(from, to) => here(from) || here(to),
            Custody::Unknown => true,
            Custody::None | Custody::Counter => false,
        };
        !expected && !pizza.oven.as_ref().is_some_and(here)
    }

    fn clear_lane(&mut self, place: Place, content: Content, may_begin: bool) {
        let gone = match content {
            Content::Pizza(id) if !self.pizzas.contains(&id) => id,
            Content::Pizza(_) | Content::Unknown => return self.ask_to_clear(place),
        };
        // Of two devices that show one pizza, one speaks of the past: whoever is second waits until the first is done.
        if self.attempts_of(gone).iter().any(|attempt| attempt.task.job == Job::Discard) {
            return;
        }
        let Some(device) = self.devices.get(&place.device) else { return };
        if device.recovery == Recovery::Clearing && device.facts.kind != DeviceKind::Oven {
            return self.ask_to_clear(place);
        }
        let ms = self.recipes.values().next().map_or(8_000, |r| r.transfer_ms);
        if device.facts.can(Action::Discard) {
            if may_begin {
                let start = self.start(Job::Discard, vec![place], Params { ms, ..Params::default() });
                self.open_attempt(gone, start);
            }
            return;
        }
        let gripper = |d: &Device| {
            let able = self.may_begin(d) && d.facts.can(Action::Unload) && d.facts.can(Action::Discard);
            let lane = able.then(|| d.free_lane()).flatten()?;
            Some(Place { device: d.id.clone(), lane })
        };
        let gripper = self.devices.values().find_map(gripper);
        if let Some(gripper) = gripper {
            let params = Params { ms, oven: Some(place.clone()), ..Params::default() };
            let start = self.start(Job::Discard, vec![gripper, place], params);
            self.open_attempt(gone, start);
        }
    }

    /// A device on its way back is told to test itself once nothing lies on it.
    pub(super) fn test_returned_devices(&mut self) {
        let epoch = self.epoch();
        let cleared = |d: &&Device| {
            d.recovery == Recovery::Clearing
                && d.quarantine.is_none()
                && d.life == Life::Live
                && d.fence == epoch
                && d.mode == Mode::Automatic
                && matches!(d.condition, Condition::Idle | Condition::Execute)
                && !d.held
                && !d.estop
                && d.standing == Standing::Adopted
                && !self.zone_held(&d.facts.zone)
                && d.lanes.values().all(LaneState::is_free)
        };
        let ids: Vec<DeviceId> = self.devices.values().filter(cleared).map(|d| d.id.clone()).collect();
        for id in ids {
            let instruction = self.instruct(&id, Op::SelfTest, self.settings().start_within_ms);
            let device = self.devices.get_mut(&id).expect("it was there a line ago");
            device.recovery = Recovery::SelfTest(instruction);
        }
    }
}
