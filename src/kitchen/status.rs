//! Whether the kitchen can cook, and with how much of what it has.

use serde::{Deserialize, Serialize};

use super::device::Standing;
use super::event::Event;
use super::feed::News;
use super::recipe::NMinusOne;
use super::{Action, Device, Kitchen};

/// How many executors of a stage are up, of how many that belong to the kitchen. Ovens and cameras count by lanes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capacity {
    /// Can work, or are at work.
    pub up: u32,
    /// Belong to the kitchen.
    pub of: u32,
}

/// One word for the kitchen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum KitchenState {
    /// Everything is up.
    Normal,
    /// Something is down; orders go on.
    Degraded,
    /// It finishes what it has.
    Draining,
    /// A stage has no executor: nothing can be cooked.
    #[default]
    OutOfOrder,
}

/// The kitchen's status: recomputed after every entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KitchenStatus {
    /// One word.
    pub state: KitchenState,
    /// Before-oven robots.
    pub prep: Capacity,
    /// Oven slots.
    pub bake: Capacity,
    /// After-oven robots.
    pub finish: Capacity,
    /// Cameras' views.
    pub inspect: Capacity,
    /// No second after-oven robot is up, where the site wants one in hand: what bakes burns if the one is lost.
    #[serde(default)]
    pub without_spare: bool,
}

impl KitchenStatus {
    /// The word, with the stages that are short: `OUT_OF_ORDER(bake)`, `DEGRADED(prep 1/2)`.
    pub fn text(&self) -> String {
        let stages = [("prep", self.prep), ("bake", self.bake), ("finish", self.finish), ("inspect", self.inspect)];
        let list = |picked: Vec<String>, word: &str| {
            if picked.is_empty() { word.to_owned() } else { format!("{word}({})", picked.join(", ")) }
        };
        match self.state {
            KitchenState::Normal => "NORMAL".to_owned(),
            KitchenState::Draining => "DRAINING".to_owned(),
            KitchenState::OutOfOrder => {
                let dead = stages.iter().filter(|(name, c)| c.up == 0 && *name != "inspect");
                list(dead.map(|(name, _)| (*name).to_owned()).collect(), "OUT_OF_ORDER")
            }
            KitchenState::Degraded => {
                let short = stages.iter().filter(|(_, c)| c.up < c.of);
                let short = short.map(|(name, c)| format!("{name} {}/{}", c.up, c.of));
                let spare = self.without_spare.then(|| "n-1".to_owned());
                list(short.chain(spare).collect(), "DEGRADED")
            }
        }
    }
}

impl Kitchen {
    /// The kitchen's status after the last entry.
    pub fn status(&self) -> KitchenStatus {
        self.meta.status
    }

    pub(super) fn refresh_status(&mut self) {
        let status = self.compute_status();
        if status == self.meta.status {
            return;
        }
        self.meta.status = status;
        if status.state == KitchenState::OutOfOrder {
            self.meta.out_of_order_since.get_or_insert(self.meta.now);
        } else {
            self.meta.out_of_order_since = None;
        }
        let status = status.text();
        self.tell_backend(News::Kitchen { status: status.clone() });
        self.event(Event::KitchenChanged { status });
    }

    fn compute_status(&self) -> KitchenStatus {
        let mut status = KitchenStatus::default();
        for device in self.devices.values() {
            let lanes = device.lanes.len() as u32;
            count(&mut status.prep, device, Action::Prep, 1);
            count(&mut status.bake, device, Action::Bake, lanes);
            count(&mut status.finish, device, Action::Finish, 1);
            count(&mut status.inspect, device, Action::Inspect, lanes);
        }
        status.without_spare = status.finish.up == 1 && self.settings().n_minus_one != NMinusOne::Off;
        let must = [status.prep, status.bake, status.finish];
        let all = [status.prep, status.bake, status.finish, status.inspect];
        status.state = if must.iter().any(|c| c.up == 0) {
            KitchenState::OutOfOrder
        } else if self.meta.draining {
            KitchenState::Draining
        } else if status.without_spare || all.iter().any(|c| c.up < c.of) {
            KitchenState::Degraded
        } else {
            KitchenState::Normal
        };
        status
    }

    /// True when what is begun can also be baked and taken out.
    pub(super) fn can_bake_and_finish(&self) -> bool {
        let up = |action| self.devices.values().any(|d| d.is_up() && d.facts.can(action));
        up(Action::Bake) && self.devices.values().any(|d| self.may_take_exits(d))
    }
}

fn count(capacity: &mut Capacity, device: &Device, action: Action, lanes: u32) {
    let belongs = !matches!(device.standing, Standing::Pending | Standing::Retired);
    if belongs && device.facts.can(action) {
        capacity.of += lanes;
        capacity.up += if device.is_up() { lanes } else { 0 };
    }
}
