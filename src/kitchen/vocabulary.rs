//! The few words that the kitchen, the device protocol and the API share: kinds of devices, stages, actions, verdicts.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a device is. The text form is the one on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum DeviceKind {
    /// B: prepares a pizza and loads it into an oven.
    #[serde(rename = "robot.before_oven")]
    BeforeOven,
    /// A: unloads a pizza from an oven and finishes it.
    #[serde(rename = "robot.after_oven")]
    AfterOven,
    /// Bakes; one lane per slot.
    #[serde(rename = "oven")]
    Oven,
    /// Judges steps.
    #[serde(rename = "camera")]
    Camera,
    /// A person at a tablet, who can do what a robot does.
    #[serde(rename = "human")]
    Human,
}

impl DeviceKind {
    /// All kinds, in the order in which a pizza meets them.
    pub const ALL: [Self; 5] = [Self::BeforeOven, Self::Oven, Self::AfterOven, Self::Camera, Self::Human];

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BeforeOven => "robot.before_oven",
            Self::AfterOven => "robot.after_oven",
            Self::Oven => "oven",
            Self::Camera => "camera",
            Self::Human => "human",
        }
    }
}

impl fmt::Display for DeviceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a device can be told to do. The text form is the one on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// B: make the pizza from dough to topping, in the gripper.
    Prep,
    /// B: put it into an oven slot.
    Load,
    /// Oven: bake what is in the slot.
    Bake,
    /// A: take it out of an oven slot.
    Unload,
    /// A: slice and pack it.
    Finish,
    /// A or B: throw away what is in the gripper or in an oven slot.
    Discard,
    /// A: put it onto a shelf.
    Shelve,
    /// Camera: judge a step.
    Inspect,
}

impl Action {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Prep => "prep",
            Self::Load => "load",
            Self::Bake => "bake",
            Self::Unload => "unload",
            Self::Finish => "finish",
            Self::Discard => "discard",
            Self::Shelve => "shelve",
            Self::Inspect => "inspect",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a camera thinks of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Verdict {
    /// The step is good.
    Pass,
    /// The step is bad: the pizza is remade.
    Fail,
    /// The camera can't tell: a second look.
    Unsure,
}
