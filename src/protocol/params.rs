//! Parameters of actions: one flat set of names, and which of them each action needs.

use serde::{Deserialize, Serialize};

use super::id::Id;
use crate::kitchen::{Action, DeviceId, Lane, Millis};

/// Parameters of an action. Which are needed, `missing` tells; the rest is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Params {
    /// How long it shall take, in milliseconds; for a bake, how long it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ms: Option<Millis>,
    /// prep, finish: which recipe.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recipe: Option<Id>,
    /// load, unload, discard: which oven.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oven: Option<DeviceId>,
    /// load, unload, discard: which slot of that oven; shelve: which place on the shelf.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slot: Option<Lane>,
    /// bake: how long after its end the pizza may stay in the slot, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window_ms: Option<Millis>,
    /// bake: name of the oven's program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub program: Option<Id>,
    /// inspect: the device to look at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub station: Option<DeviceId>,
    /// inspect: the lane of that device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lane: Option<Lane>,
    /// inspect: which stage is judged (`prep`, `bake`, `finish`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage: Option<Id>,
    /// shelve: which shelf.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shelf: Option<Id>,
}

impl Params {
    /// The first parameter that this action needs and that is missing.
    pub fn missing(&self, action: Action) -> Option<&'static str> {
        let oven_slot = [("oven", self.oven.is_some()), ("slot", self.slot.is_some())];
        let needed: &[(&'static str, bool)] = match action {
            Action::Prep | Action::Finish | Action::Shelve => &[],
            Action::Load | Action::Unload => &oven_slot,
            Action::Bake => &[("ms", self.ms.is_some()), ("window_ms", self.window_ms.is_some())],
            Action::Discard => &[("slot", self.oven.is_none() || self.slot.is_some())],
            Action::Inspect => &[("station", self.station.is_some()), ("stage", self.stage.is_some())],
        };
        needed.iter().find(|(_, is_there)| !is_there).map(|(name, _)| *name)
    }
}
