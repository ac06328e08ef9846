//! Time passes: devices work, the leader's part is played honestly (dispatch, leases, silence, deadlines), and reports arrive.

use std::collections::BTreeSet;

use brigade::kitchen::{Command, DeviceId, Life, Millis, Op, PizzaState, Report};

use crate::line::Line;
use crate::model::ModelDevice;
use crate::world::World;

/// After so long without a heartbeat no new work, and after so long it is lost.
const SUSPECT_MS: Millis = 3_000;
const LOST_MS: Millis = 5_000;

impl Line {
    /// Lets time pass until something is so.
    #[track_caller]
    pub fn until(&mut self, what: &str, holds: impl Fn(&Self) -> bool) {
        for _ in 0..2_000 {
            if holds(self) {
                return;
            }
            self.pass(100);
        }
        panic!("it never came that {what}\n{}", self.tail(300));
    }

    /// Until the first open pizza is in this state.
    #[track_caller]
    pub fn until_state(&mut self, state: PizzaState) {
        self.stop_at = Some(state);
        self.until(&format!("a pizza is {state:?}"), |l| l.state() == Some(state));
        self.stop_at = None;
    }

    pub fn is_stopped(&self) -> bool {
        self.stop_at.is_some() && self.stop_at == self.state()
    }

    /// Lets time pass.
    pub fn pass(&mut self, ms: Millis) {
        let end = self.now + ms;
        self.tick();
        while self.now < end && !self.is_stopped() {
            self.now = self.next_moment().clamp(self.now + 1, end);
            self.tick();
        }
    }

    fn next_moment(&self) -> Millis {
        let busy = self.kitchen().attempts().next().is_some() || self.devices.values().any(|d| !d.is_connected());
        let beat = self.now + if busy { 1_000 } else { 20_000 };
        let moments = self.devices.values().filter_map(ModelDevice::next_moment);
        moments.chain(self.kitchen().next_deadline()).chain([beat]).min().expect("there is a beat")
    }

    pub fn tick(&mut self) {
        self.judge_silence();
        if self.backend_answers {
            self.answer_for_backend();
        }
        let mut passed = self.now - self.worked_at;
        self.worked_at = self.now;
        for _ in 0..12 {
            let before = self.index;
            self.dispatch();
            for device in self.devices.values_mut() {
                device.work(self.now, passed, &mut self.world);
            }
            passed = 0;
            self.watch_slots();
            self.listen();
            self.meet_deadlines();
            if self.index == before || self.is_stopped() {
                return;
            }
        }
    }

    /// No two robots reach into one slot.
    fn watch_slots(&mut self) {
        let mut reached = BTreeSet::new();
        for (id, device) in &self.devices {
            for slot in device.reaches_into(self.now) {
                if !reached.insert(slot.clone()) {
                    self.world.violations.push(format!("{id} and another robot reach into {slot}"));
                }
            }
        }
    }

    fn meet_deadlines(&mut self) {
        for _ in 0..20 {
            if self.kitchen().next_deadline().is_none_or(|at| at > self.now) {
                return;
            }
            self.tenure(Command::DeadlinesDue);
            if self.is_stopped() {
                return;
            }
        }
        self.fault(format!("a deadline stays due: {:?}", self.kitchen().next_deadline()));
    }

    fn judge_silence(&mut self) {
        let ids: Vec<DeviceId> = self.devices.keys().cloned().collect();
        for id in ids {
            if self.devices[&id].is_connected() {
                self.heard.insert(id.clone(), self.now);
            }
            let silent = self.now - self.heard.get(&id).copied().unwrap_or(self.now);
            let known = self.kitchen().device(&id).map(|d| d.life);
            let life = match known {
                Some(Life::Live) if silent >= LOST_MS => Life::Lost,
                Some(Life::Suspect) if silent >= LOST_MS => Life::Lost,
                Some(Life::Live) if silent >= SUSPECT_MS => Life::Suspect,
                Some(Life::Suspect) if silent == 0 => Life::Live,
                _ => continue,
            };
            self.judge(&id, life);
        }
    }

    /// The monitor's word about a device, with what leases of this tenure named.
    pub fn judge(&mut self, id: &DeviceId, life: Life) {
        let named = self.named.get(id).cloned().unwrap_or_default();
        self.tenure(Command::JudgeDevice { device: id.clone(), life, named });
    }

    /// Instructions and leases go out to who is connected and known under this epoch.
    fn dispatch(&mut self) {
        let epoch = self.main.kitchen.epoch();
        for (id, device) in self.devices.iter_mut().filter(|(_, d)| d.is_connected()) {
            let Some(known) = self.main.kitchen.device(id) else { continue };
            let told = known.fence == epoch && !matches!(known.life, Life::Lost);
            let mut open = BTreeSet::new();
            for instruction in self.main.kitchen.outbox().filter(|i| i.device == *id && told) {
                device.receive(instruction, epoch, self.now, &self.world);
                if matches!(instruction.op, Op::Start(_)) && !self.main.kitchen.is_held(id) {
                    open.insert(instruction.id);
                }
            }
            if known.life != Life::Lost {
                let named = self.named.entry(id.clone()).or_default();
                named.extend(open.iter().map(|i| (*i, self.now)));
            }
            device.lease(epoch, self.now, open);
        }
    }

    fn listen(&mut self) {
        let ids: Vec<DeviceId> = self.devices.keys().cloned().collect();
        for id in ids {
            let device = self.devices.get_mut(&id).expect("just listed");
            if !device.is_connected() || device.faults.hung {
                continue;
            }
            if device.faults.mute > 0 {
                device.faults.mute -= 1;
                continue;
            }
            let repeats = device.faults.repeats;
            let report = device.report(&self.world);
            let known = self.kitchen().device(&id);
            let news = known.is_some_and(|d| {
                d.boot != Some(report.boot) || d.rev < report.rev || d.fence < report.fence || d.life != Life::Live
            });
            if news {
                self.hear(&id, report, repeats);
            }
            if self.is_stopped() {
                return;
            }
        }
    }

    fn hear(&mut self, id: &DeviceId, report: Report, repeats: bool) {
        let device = self.devices.get_mut(id).expect("a device of this line");
        device.sent.push(report.clone());
        let late = device.sent.len().checked_sub(3).map(|n| device.sent[n].clone());
        self.tenure(Command::RecordReport { device: id.clone(), report: report.clone() });
        if repeats {
            self.tenure(Command::RecordReport { device: id.clone(), report });
            if let Some(late) = late {
                self.tenure(Command::RecordReport { device: id.clone(), report: late });
            }
        }
    }

    /// A message of a former life, or of another device with the same id, arrives.
    pub fn haunt(&mut self, id: &str) {
        let device = self.device(id);
        let report = Report { boot: device.boot.saturating_sub(1), ..device.report(&World::default()) };
        let known = self.kitchen().device(&id.parse::<DeviceId>().expect("an id"));
        if known.is_some_and(|d| d.former_boots.contains(&report.boot)) {
            self.tenure(Command::RecordReport { device: id.parse().expect("an id"), report });
        }
    }

    /// Switches a device off and, after so long, on again: another life.
    pub fn reboot(&mut self, id: &str, dark_ms: Millis) {
        self.device(id).power_off();
        self.pass(dark_ms);
        self.power_on(id);
    }

    /// It has power again: another life.
    pub fn power_on(&mut self, id: &str) {
        let boot = self.device(id).boot + 1;
        self.device(id).power_on(boot);
    }
}
