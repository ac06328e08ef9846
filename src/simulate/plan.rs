//! What is to be simulated: a line of devices, a menu, orders, failures, and the site's settings.

use crate::kitchen::{DeviceKind, Millis, Recipe, RecipeId, Settings};

/// How many devices of each kind there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinePlan {
    /// Robots before the ovens.
    pub before: u32,
    /// Ovens.
    pub ovens: u32,
    /// Slots of each oven.
    pub slots_per_oven: u32,
    /// Robots after the ovens.
    pub after: u32,
    /// Cameras.
    pub cameras: u32,
}

impl LinePlan {
    /// What stands in the line, in the order in which pizzas pass it: the beginning of the devices' names, their kind, how many they
    /// are, and lanes of each. The first device of a kind is number 1.
    pub fn devices(&self) -> [(&'static str, DeviceKind, u32, u32); 4] {
        [
            ("b", DeviceKind::BeforeOven, self.before, 1),
            ("oven", DeviceKind::Oven, self.ovens, self.slots_per_oven),
            ("a", DeviceKind::AfterOven, self.after, 1),
            ("camera", DeviceKind::Camera, self.cameras, 1),
        ]
    }
}

impl std::fmt::Display for LinePlan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.before, self.ovens)?;
        if self.slots_per_oven != 1 {
            write!(f, "x{}", self.slots_per_oven)?;
        }
        write!(f, "/{}", self.after)?;
        if self.cameras > 0 {
            write!(f, "/{}", self.cameras)?;
        }
        Ok(())
    }
}

/// Why a plan can't be simulated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadPlan(pub String);

impl std::str::FromStr for LinePlan {
    type Err = BadPlan;

    /// `2/4/2`, `2/4x2/2` (ovens with two slots), `2/4/2/3` (with three cameras).
    fn from_str(text: &str) -> Result<Self, BadPlan> {
        let bad = || {
            let use_this =
                "use before/ovens/after, as in 2/4/2; 2/4x2/2 for ovens of two slots, 2/4/2/3 with three cameras";
            BadPlan(format!("{text:?} is no line: {use_this}"))
        };
        let parts: Vec<&str> = text.split('/').collect();
        let [before, ovens, after, rest @ ..] = parts.as_slice() else { return Err(bad()) };
        let (ovens, slots) = ovens.split_once('x').unwrap_or((ovens, "1"));
        let number = |text: &str| text.parse::<u32>().ok().filter(|n| *n <= 200).ok_or_else(bad);
        let cameras = match rest {
            [] => 0,
            [cameras] => number(cameras)?,
            _ => return Err(bad()),
        };
        let line = Self {
            before: number(before)?,
            ovens: number(ovens)?,
            slots_per_oven: number(slots)?,
            after: number(after)?,
            cameras,
        };
        if line.before == 0 || line.ovens == 0 || line.after == 0 || !(1..=16).contains(&line.slots_per_oven) {
            return Err(BadPlan(format!(
                "line {text} can't cook: it needs a robot before, an oven of 1 to 16 slots and a robot after"
            )));
        }
        Ok(line)
    }
}

/// An order that will come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// When, in milliseconds from the start.
    pub at: Millis,
    /// What.
    pub items: Vec<RecipeId>,
    /// When it is promised, from its arrival; None as the site promises.
    pub promise_ms: Option<Millis>,
    /// Higher goes first.
    pub priority: i8,
}

/// How often devices of the line fail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Failures {
    /// Mean time between failures of one robot; 0 for never.
    pub robots_mtbf_ms: Millis,
    /// The same for one oven.
    pub ovens_mtbf_ms: Millis,
    /// Mean time until it works again.
    pub mttr_ms: Millis,
    /// Of a thousand verdicts, so many are bad.
    pub bad_permille: u64,
}

/// Everything about one run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The devices.
    pub line: LinePlan,
    /// The menu.
    pub menu: Vec<Recipe>,
    /// The orders, by arrival.
    pub arrivals: Vec<Arrival>,
    /// What fails.
    pub failures: Failures,
    /// What the site decides.
    pub settings: Settings,
    /// Each action takes up to so many thousandths more or less than planned.
    pub noise_permille: u64,
    /// How long a message takes between the controller and a device, one way.
    pub link_ms: Millis,
    /// How long a person takes to answer a question.
    pub person_ms: Millis,
    /// Decides everything that chance decides.
    pub seed: u64,
}

impl Plan {
    /// A line with a menu and nothing to do yet: no noise, no failures.
    pub fn new(line: LinePlan, menu: Vec<Recipe>) -> Self {
        Self {
            line,
            menu,
            arrivals: Vec::new(),
            failures: Failures::default(),
            settings: Settings::default(),
            noise_permille: 0,
            link_ms: 0,
            person_ms: 60_000,
            seed: 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_as_it_is_written() {
        for text in ["2/4/2", "2/4x2/2", "6/10/3/3"] {
            assert_eq!(text.parse::<LinePlan>().unwrap().to_string(), text);
        }
        for text in ["", "2/4", "0/4/2", "2/4x0/2", "2/4/2/1/1", "a/b/c", "2/900/2"] {
            assert!(text.parse::<LinePlan>().is_err(), "{text}");
        }
    }
}
