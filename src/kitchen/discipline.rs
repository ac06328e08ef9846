//! Failures, refusals and quarantine: who fails too often works no more for a while, and the backend learns it once.

use super::device::{Failure, Quarantine, Recovery};
use super::event::Event;
use super::feed::News;
use super::ids::DeviceId;
use super::{Escalation, Kitchen};

/// So many refusals without a success between them count as a failure.
const REFUSALS_MAX: u32 = 5;

impl Kitchen {
    /// It said no, or let something expire: it rests, each time for longer; who says nothing but no has failed.
    pub(super) fn device_refused(&mut self, id: &DeviceId, code: &str) {
        let now = self.meta.now;
        let Some(device) = self.devices.get_mut(id) else { return };
        device.rest_until = Some(now + (1_000 << device.refusals.min(4)));
        device.refusals += 1;
        if device.refusals % REFUSALS_MAX == 0 {
            self.device_failed(id, &format!("refuses everything: {code}"), None);
        }
    }

    /// A failure on record; too many within the window mean quarantine, and the backend learns it once.
    pub(super) fn device_failed(&mut self, id: &DeviceId, what: &str, item: Option<(u64, u16)>) {
        let now = self.meta.now;
        let (window, most) = (self.settings().failure_window_ms, self.settings().failures_max);
        let Some(device) = self.devices.get_mut(id) else { return };
        device.failures.retain(|f| f.at + window > now);
        device.failures.push(Failure { at: now, item });
        device.failures_total += 1;
        let failures = device.failures.len() as u32;
        let on_trial = device.recovery == Recovery::Trial;
        let free = device.quarantine.is_none();
        self.event(Event::DeviceFailed { device: id.clone(), what: what.to_owned() });
        if free && (failures >= most || on_trial) {
            self.quarantine(id, if on_trial { "it failed on trial" } else { "too many failures" });
        }
        // Once: what comes on top within the same window is known already.
        if failures == most {
            self.escalate(id, failures, window);
        }
    }

    fn escalate(&mut self, id: &DeviceId, failures: u32, within_ms: u64) {
        let number = self.escalations.keys().next_back().map_or(1, |n| n + 1);
        let escalation =
            Escalation { device: id.clone(), failures, within_ms, at: self.meta.now, wall: self.meta.wall };
        self.escalations.insert(number, escalation);
        let oldest: Vec<u64> = self.escalations.keys().copied().take_while(|n| n + 100 <= number).collect();
        for number in oldest {
            self.escalations.remove(&number);
        }
        self.tell_backend(News::Escalation { device: id.clone(), failures, within_ms });
        self.event(Event::Escalated { device: id.clone(), failures });
    }

    /// No work for a while, each time for longer; then a self-test and one trial task.
    pub(super) fn quarantine(&mut self, id: &DeviceId, why: &str) {
        let (now, first_ms) = (self.meta.now, self.settings().quarantine_ms);
        let Some(device) = self.devices.get_mut(id) else { return };
        let doublings = device.quarantines.min(5);
        device.quarantines += 1;
        // One that waits for a person goes on doing so.
        device.quarantine.get_or_insert(Quarantine { until: Some(now + (first_ms << doublings)) });
        device.recovery = Recovery::Clearing;
        self.device_changed(id, why);
    }

    /// An item that fails everywhere says nothing about the robots.
    pub(super) fn forgive(&mut self, id: &DeviceId, item: (u64, u16)) {
        let most = self.settings().failures_max;
        let Some(device) = self.devices.get_mut(id) else { return };
        device.failures.retain(|f| f.item != Some(item));
        if (device.failures.len() as u32) < most && device.quarantine.is_some_and(|q| q.until.is_some()) {
            device.quarantine = None;
            self.device_changed(id, "the recipe is to blame");
        }
    }

    pub(super) fn device_changed(&mut self, id: &DeviceId, why: &str) {
        let Some(device) = self.devices.get(id) else { return };
        let state = device.state_word().to_owned();
        self.event(Event::DeviceChanged { device: id.clone(), state, why: why.to_owned() });
    }

    /// Back from quarantine: a self-test follows once nothing lies on the device.
    pub(super) fn end_quarantine(&mut self, id: &DeviceId) {
        let most = self.settings().failures_max;
        let Some(device) = self.devices.get_mut(id) else { return };
        device.quarantine = None;
        // What was escalated counts no more; what was not goes on counting within its window.
        if device.failures.len() as u32 >= most {
            device.failures.clear();
        }
        device.recovery = Recovery::Clearing;
        self.device_changed(id, "its quarantine is over");
    }
}
