//! How long devices really take: learned from every success, per device, action and recipe.
//!
//! Whole numbers only, and bounded, so that one odd report can't spoil the plan. All figures are thousandths of the time that the recipe
//! names: a robot that is a tenth slower than every recipe says is at 1,100 whatever it makes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::ids::{DeviceId, Millis, RecipeId};
use super::vocabulary::Action;
use super::{Attempt, Kitchen};

/// The fastest and the slowest pace that is believed.
const PACE_MIN: u32 = 250;
const PACE_MAX: u32 = 4_000;
/// So many recipes are told apart; further ones go by what the device does on the whole.
const RECIPES_MAX: usize = 32;
/// So many successes with a recipe make its own pace count.
const ENOUGH: u32 = 5;
/// The latest counts for an eighth, once there are so many.
const MEMORY: u32 = 8;

/// How long a device takes, in thousandths of what was planned, and how much that varies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pace {
    /// How many successes it is made of; stops at a thousand.
    pub seen: u32,
    /// The mean, the latest counting most.
    pub mean: u32,
    /// How far from the mean, on average.
    pub deviation: u32,
}

/// Before anything was seen: as the recipe says, give or take 3 %.
impl Default for Pace {
    fn default() -> Self {
        Self { seen: 0, mean: 1_000, deviation: 20 }
    }
}

impl Pace {
    fn learn(&mut self, permille: u32) {
        self.seen = (self.seen + 1).min(1_000);
        self.deviation = towards(self.deviation, permille.abs_diff(self.mean), (self.seen + 1).clamp(2, MEMORY));
        self.mean = towards(self.mean, permille, self.seen.clamp(2, MEMORY));
    }

    /// So long on average.
    pub fn mean_ms(&self, ms: Millis) -> Millis {
        ms * u64::from(self.mean) / 1_000
    }

    /// Nine of ten are done by then.
    pub fn p90_ms(&self, ms: Millis) -> Millis {
        self.mean_ms(ms) + self.spread_ms(ms)
    }

    /// How far one in ten is late. Where times are spread evenly, or normally, that is 1.6 times the mean deviation.
    pub fn spread_ms(&self, ms: Millis) -> Millis {
        ms * u64::from(self.deviation) * 16 / 10_000
    }
}

/// A step from one figure towards another, of one part in `parts`; at least 1, so that it arrives.
fn towards(from: u32, to: u32, parts: u32) -> u32 {
    let step = from.abs_diff(to).div_ceil(parts);
    if to > from { from + step } else { from - step }
}

/// What is known of one action, of one device or of all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Learned {
    /// Whatever it makes.
    pub overall: Pace,
    /// The recipes that it made, each for itself.
    pub recipes: BTreeMap<RecipeId, Pace>,
}

impl Learned {
    fn learn(&mut self, recipe: Option<&RecipeId>, permille: u32) {
        self.overall.learn(permille);
        let Some(recipe) = recipe else { return };
        if self.recipes.contains_key(recipe) || self.recipes.len() < RECIPES_MAX {
            let new = Pace { seen: 0, ..self.overall };
            self.recipes.entry(recipe.clone()).or_insert(new).learn(permille);
        }
    }

    /// Its pace with a recipe: the recipe's own once that was seen often enough.
    pub fn pace(&self, recipe: &RecipeId) -> Pace {
        self.recipes.get(recipe).filter(|p| p.seen >= ENOUGH).copied().unwrap_or(self.overall)
    }
}

impl Kitchen {
    /// Learns from a success.
    pub(super) fn learn(&mut self, attempt: &Attempt) {
        let Some(started_at) = attempt.started_at.filter(|_| attempt.typ_ms > 0) else { return };
        let took_ms = self.meta.now - started_at;
        let permille = (took_ms * 1_000 / attempt.typ_ms).clamp(u64::from(PACE_MIN), u64::from(PACE_MAX)) as u32;
        let recipe = self.pizzas.get(&attempt.id.task.pizza).map(|p| p.recipe.clone());
        let action = attempt.id.task.job.action();
        // A new device is expected to be like the others.
        let others = self.learned.get(&(None, action)).map_or(Pace::default(), |l| l.overall);
        for device in [Some(attempt.device.clone()), None] {
            let key = (device, action);
            let before = self.learned.get(&key);
            let new = || Learned { overall: Pace { seen: 0, ..others }, recipes: BTreeMap::new() };
            let mut learned = before.cloned().unwrap_or_else(new);
            learned.learn(recipe.as_ref(), permille);
            if before != Some(&learned) {
                self.learned.insert(key, learned);
            }
        }
    }

    /// What is known of an action of a device; before it was seen at work, of that action of all devices.
    pub fn learned(&self, device: &DeviceId, action: Action) -> Option<&Learned> {
        self.learned.get(&(Some(device.clone()), action)).or_else(|| self.learned.get(&(None, action)))
    }

    /// The pace that is expected of a device for an action with a recipe.
    pub fn pace(&self, device: &DeviceId, action: Action, recipe: &RecipeId) -> Pace {
        self.learned(device, action).map_or(Pace::default(), |l| l.pace(recipe))
    }

    /// How long a device is expected to take for an action, whatever the recipe.
    pub(super) fn expected_ms(&self, device: &DeviceId, action: Action, ms: Millis) -> Millis {
        self.learned(device, action).map_or(ms, |l| l.overall.mean_ms(ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(seen: impl IntoIterator<Item = u32>) -> Pace {
        let mut pace = Pace::default();
        seen.into_iter().for_each(|permille| pace.learn(permille));
        pace
    }

    #[test]
    fn who_is_always_as_planned_needs_no_margin() {
        let pace = after([1_000; 20]);
        assert_eq!((pace.mean, pace.spread_ms(60_000)), (1_000, 0));
    }

    #[test]
    fn who_is_always_slow_is_expected_to_be_slow() {
        let pace = after([1_300; 60]);
        assert_eq!((pace.mean_ms(1_000), pace.p90_ms(1_000)), (1_300, 1_300));
    }

    #[test]
    fn nine_of_ten_of_an_even_spread_are_done_by_then() {
        // From 900 to 1,100, all equally likely: nine of ten are below 1,080.
        let pace = after((0..400u32).map(|n| 900 + n * 67 % 201));
        assert!((1_050..=1_110).contains(&pace.p90_ms(1_000)), "{pace:?}");
        assert!((960..=1_040).contains(&pace.mean), "{pace:?}");
    }

    #[test]
    fn one_odd_report_is_forgotten() {
        let pace = after([1_000; 20].into_iter().chain([4_000]).chain([1_000; 40]));
        assert!(pace.p90_ms(1_000) < 1_050, "{pace:?}");
    }
}
