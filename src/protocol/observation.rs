//! `obs`: a camera's verdict, early. The verdict itself is the result of an `inspect` task.

use serde::{Deserialize, Serialize};

use super::id::Id;
use crate::kitchen::{DeviceId, Millis, Verdict};

/// `obs`: what a camera saw. One that names no pizza counts as UNSURE.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation {
    /// Named by the camera; the same observation sent twice has one id.
    pub id: Id,
    /// Which camera.
    pub cam: DeviceId,
    /// How long ago it was seen, in milliseconds when it was sent. No wall clock is compared.
    pub ago_ms: Millis,
    /// The device at which it looked.
    pub station: Id,
    /// Which pizza, if it can tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pizza: Option<Id>,
    /// Which stage: `prep`, `bake`, `finish`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<Id>,
    /// What it thinks.
    pub verdict: Verdict,
    /// What is wrong, for people and statistics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub defect: Option<Id>,
    /// How sure it is, in percent, 0 to 100.
    pub conf: u8,
}

impl Observation {
    /// The verdict that counts.
    pub fn verdict(&self) -> Verdict {
        if self.pizza.is_some() { self.verdict } else { Verdict::Unsure }
    }
}
