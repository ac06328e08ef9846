//! Devices that fall silent, hang, reboot and come back: what that means for what they were doing.
//!
//! A device lost in the middle of a task leaves the attempt UNKNOWN, not failed. Not having seen it start proves nothing.
//! Proof that it is over: its end was reported, the device's word (refused, expired, cancelled, a new boot), no lease ever
//! named it, time (d), or an operator's word.

use std::collections::BTreeMap;

use super::attempt::{Attempt, AttemptState, Outcome};
use super::command::{Life, Reply};
use super::device::Recovery;
use super::ids::{DeviceId, InstructionId, Millis, PizzaId};
use super::incident::Question;
use super::pizza::{Custody, Input, PizzaState, Spoiled};
use super::refusal::Refusal;
use super::report::{AttemptId, Job};
use super::{Device, Kitchen};
use crate::defect;

impl Kitchen {
    /// What the monitor saw of a device's heart.
    pub(super) fn judge_device(
        &mut self,
        id: &DeviceId,
        life: Life,
        named: &BTreeMap<InstructionId, Millis>,
    ) -> Result<Reply, Refusal> {
        let Some(device) = self.devices.get(id) else {
            return Err(Refusal::UnknownDevice { device: id.clone() });
        };
        let before = device.life;
        let changes = match (before, life) {
            (Life::Live | Life::Suspect, Life::Lost | Life::Stuck) => true,
            (Life::Live, Life::Suspect) | (Life::Suspect, Life::Live) => true,
            // Who was lost or stuck comes back by its own report, which says what became of its work.
            (Life::Lost | Life::Stuck, _) | (Life::Live, Life::Live) | (Life::Suspect, Life::Suspect) => false,
        };
        if !changes {
            return Ok(Reply::Unchanged);
        }
        match life {
            Life::Live | Life::Suspect => {
                self.devices.get_mut(id).expect("it was there a line ago").life = life;
                self.device_changed(id, "its heartbeats");
            }
            Life::Lost => self.device_lost(id, named),
            Life::Stuck => self.device_stuck(id, Some(named)),
        }
        Ok(Reply::Done)
    }

    fn device_lost(&mut self, id: &DeviceId, named: &BTreeMap<InstructionId, Millis>) {
        let device = self.devices.get_mut(id).expect("the caller looked it up");
        device.life = Life::Lost;
        let was_working = device.lanes.values().any(|l| !l.busy.is_empty());
        self.device_changed(id, "silent on every broker");
        self.doubt_attempts(id, Some(named));
        self.spoil_what_it_held(id);
        if was_working {
            self.device_failed(id, "lost in the middle of a task", None);
        }
    }

    /// Its heart beats and its work does not move: cancel, and no more work until it has proven itself.
    ///
    /// Where nobody says what leases named, everything may have been named until now.
    pub(super) fn device_stuck(&mut self, id: &DeviceId, named: Option<&BTreeMap<InstructionId, Millis>>) {
        let Some(device) = self.devices.get_mut(id) else { return };
        device.life = Life::Stuck;
        self.doubt_attempts(id, named);
        self.spoil_what_it_held(id);
        self.device_failed(id, "stuck", None);
        if self.devices.get(id).is_some_and(|d| d.quarantine.is_none()) {
            self.quarantine(id, "its work does not move");
        }
        for attempt in self.attempts_on_device(id) {
            self.request_cancel(attempt);
            self.lose_hung_load(attempt.task.pizza);
        }
    }

    /// No oven waits for it any more, and the robot that loads it hangs: nobody knows where it is, and nobody will ever say.
    pub(super) fn lose_hung_load(&mut self, id: PizzaId) {
        let loading = self.pizzas.get(&id).is_some_and(|p| p.state == PizzaState::Loading);
        let hangs = |a: &Attempt| self.devices.get(&a.device).is_some_and(|d| d.quarantine.is_some());
        let in_doubt = self.attempt_on(id, Job::Load).is_some_and(|a| a.started_at.is_some() && hangs(a));
        if loading && in_doubt && self.attempt_on(id, Job::Bake).is_none() {
            self.lose_custody(id);
        }
    }

    fn attempts_on_device(&self, id: &DeviceId) -> Vec<AttemptId> {
        self.attempts.iter().filter(|(_, a)| a.device == *id).map(|(a, _)| *a).collect()
    }

    /// Every attempt on the device is unknown from now on, except what no lease can have named.
    fn doubt_attempts(&mut self, id: &DeviceId, named: Option<&BTreeMap<InstructionId, Millis>>) {
        let now = self.meta.now;
        for attempt_id in self.attempts_on_device(id) {
            let attempt = self.attempts.get(&attempt_id).expect("just listed");
            let of_this_tenure = attempt.epoch == self.epoch();
            let last_named = named.map_or(Some(now), |named| named.get(&attempt.instruction).copied());
            if attempt.state == AttemptState::Planned && of_this_tenure && last_named.is_none() {
                self.end_attempt(attempt_id, &Outcome::NotStarted("NEVER_NAMED".to_owned()));
                continue;
            }
            self.doubt(attempt_id, last_named);
            if defect::is("reassignment-without-proof") {
                self.proven_by_time(attempt_id);
            }
        }
    }

    fn doubt(&mut self, id: AttemptId, last_named: Option<Millis>) {
        let since = self.meta.in_charge.map_or(0, |c| c.since);
        let Some(attempt) = self.attempts.get(&id) else { return };
        let proof_at = self.proof_by_time(attempt, last_named.unwrap_or(since).max(since));
        let (device, start) = (attempt.device.clone(), attempt.instruction);
        self.outbox.remove(&start);
        let attempt = self.attempts.get_mut(&id).expect("it was there a line ago");
        attempt.state = AttemptState::Unknown;
        attempt.proof_at = proof_at;
        attempt.due_at = None;
        self.event(super::Event::AttemptUnknown { attempt: id, device });
        // It was awaited past its window. Who hangs may show the same task for ever, and a remake needs no proof.
        let awaited = |p: &super::Pizza| p.state == PizzaState::Unloading && p.burn_at.is_none();
        if id.task.job == Job::Unload && self.pizzas.get(&id.task.pizza).is_some_and(awaited) {
            self.discard(id.task.pizza, Spoiled::Burnt, true);
        }
    }

    /// Rule (d): lease + margin + watchdog, and `orphan_ms` for what starts by itself, since the last lease that named it. The
    /// margin: a restarted voter can elect at once while the former leader still leases; and clocks drift, 1 % at most. A lease may be
    /// as long as it ever was here, and a device knows its own `orphan_ms`, whatever the site's settings say today.
    fn proof_by_time(&self, attempt: &Attempt, named_at: Millis) -> Option<Millis> {
        let settings = self.settings();
        let lease_ms = settings.lease_ms.max(self.meta.lease_ms_max);
        let its_own = self.devices.get(&attempt.device).map_or(0, |d| d.facts.orphan_ms);
        let orphan_ms = if attempt.has_after { settings.orphan_ms.max(its_own) } else { 0 };
        if defect::is("proof-without-margin") {
            return Some(named_at + attempt.max_ms?);
        }
        let span = lease_ms + attempt.max_ms? + orphan_ms;
        Some(named_at + span + settings.election_max_ms + span / 100)
    }

    /// The time that proves an attempt over has passed.
    pub(super) fn proven_by_time(&mut self, id: AttemptId) {
        self.end_attempt(id, &Outcome::Vanished("PROVEN_BY_TIME".to_owned()));
    }

    /// What a lost robot was making or held is spoiled: it is made again elsewhere, now. What is being moved is decided by
    /// the oven, and what bakes goes on by the clock.
    pub(super) fn spoil_what_it_held(&mut self, id: &DeviceId) {
        let touched: Vec<PizzaId> = self.active.keys().copied().filter(|p| self.spoils_with(*p, id)).collect();
        for pizza in touched {
            self.discard(pizza, Spoiled::Lost, true);
        }
    }

    fn spoils_with(&self, id: PizzaId, device: &DeviceId) -> bool {
        let Some(pizza) = self.pizzas.get(&id) else { return false };
        if pizza.place().is_none_or(|p| p.device != *device) {
            return false;
        }
        match pizza.state {
            PizzaState::Prepping | PizzaState::Prepped | PizzaState::Unloaded | PizzaState::Finishing => true,
            PizzaState::Loading => self.attempt_on(id, Job::Load).is_none(),
            // Its oven will not say when it ends, and nobody knows when it began.
            PizzaState::Baking => pizza.unmeasured,
            PizzaState::Queued
            | PizzaState::Baked
            | PizzaState::Unloading
            | PizzaState::Shelved
            | PizzaState::Finished
            | PizzaState::Packed
            | PizzaState::Uncertain => false,
        }
    }

    /// A new boot: the former life is dead, and everything that it did is over. What lies on it must be cleared.
    pub(super) fn device_rebooted(&mut self, id: &DeviceId) {
        let attempts = self.attempts_on_device(id);
        let former: Vec<InstructionId> = self.outbox.iter().filter(|(_, i)| i.device == *id).map(|(n, _)| *n).collect();
        for instruction in former {
            self.outbox.remove(&instruction);
        }
        if !attempts.is_empty() {
            self.device_failed(id, "rebooted in the middle of a task", None);
        }
        for attempt in attempts {
            self.end_attempt(attempt, &Outcome::Vanished("REBOOTED".to_owned()));
        }
        self.spoil_what_it_held(id);
        self.spoil_what_it_baked(id);
        if let Some(device) = self.devices.get_mut(id) {
            device.recovery = Recovery::Clearing;
        }
        self.device_changed(id, "it rebooted");
    }

    /// Nobody knows how hot an oven was while it was dead.
    fn spoil_what_it_baked(&mut self, id: &DeviceId) {
        let inside = |p: &super::Pizza| {
            matches!(p.state, PizzaState::Baking | PizzaState::Baked)
                && p.oven.as_ref().is_some_and(|o| o.device == *id)
        };
        let spoiled: Vec<PizzaId> = self.active_pizzas().filter(|p| inside(p)).map(|p| p.id).collect();
        for pizza in spoiled {
            self.discard(pizza, Spoiled::BakeFailed, true);
        }
    }

    /// The oven took care of what nobody fetched in time.
    pub(super) fn discard_overdue(&mut self, id: &DeviceId) {
        let overdue = |p: &super::Pizza| {
            p.state == PizzaState::Baked && p.oven.as_ref().is_some_and(|o| o.device == *id && self.slot_is_quiet(o))
        };
        let burnt: Vec<PizzaId> = self.active_pizzas().filter(|p| overdue(p)).map(|p| p.id).collect();
        for pizza in burnt {
            if self.pizzas.get(&pizza).and_then(|p| p.burn_at).is_some_and(|at| at <= self.meta.now + 1_000) {
                self.discard(pizza, Spoiled::Burnt, true);
            }
        }
    }

    fn slot_is_quiet(&self, place: &super::Place) -> bool {
        self.lane(place).is_some_and(|l| l.busy.is_empty())
    }

    /// Nobody knows where the pizza is: a person is asked, and it is remade after a while all the same.
    pub(super) fn lose_custody(&mut self, id: PizzaId) {
        if !self.feed_pizza(id, Input::CustodyLost) {
            return;
        }
        let patience_ms = self.settings().uncertain_ms;
        let decides_itself_at = Some(self.meta.now + patience_ms);
        let incident = self.raise_incident(Question::WhereIsPizza { pizza: id }, decides_itself_at);
        if let Some(pizza) = self.pizzas.get_mut(&id) {
            pizza.custody = Custody::Unknown;
            pizza.transfer_by = None;
            pizza.incident = Some(incident);
        }
    }

    /// An operator's word on record: the device is gone, and whatever it was doing is over.
    pub(super) fn believe_it_is_gone(&mut self, id: &DeviceId) {
        for attempt in self.attempts_on_device(id) {
            self.end_attempt(attempt, &Outcome::Vanished("OPERATOR".to_owned()));
        }
        self.spoil_what_it_held(id);
        self.spoil_what_it_baked(id);
        let Some(device) = self.devices.get_mut(id) else { return };
        let blocked: Vec<u64> = device.lanes.values_mut().filter_map(|l| l.blocked.take()).collect();
        for lane in device.lanes.values_mut() {
            lane.content = None;
        }
        for incident in blocked {
            self.close_incident(incident, "the device is gone", "", "");
        }
    }

    /// The device as it stands, for those who ask.
    pub fn device(&self, id: &DeviceId) -> Option<&Device> {
        self.devices.get(id)
    }
}
