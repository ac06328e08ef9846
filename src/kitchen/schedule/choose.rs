//! Which pizza is begun next, and when: the one that leaves ovens and robots the least idle, just in time.
//!
//! A pizza may be overtaken by one of the same priority that is promised a little later (`overtake_ms`), and by no other, so that nobody
//! waits for ever. Among those the costs decide, in weighted milliseconds: a slot that stands empty, a pizza that waits in the oven for its
//! robot, and pieces of a robot's time that are too short for anything. The weights were found by search over the reference set
//! (docs/SCHEDULING.md); twice as much or half as much of each makes little difference.

use crate::kitchen::ids::{DeviceId, Millis};
use crate::kitchen::pizza::Pizza;
use crate::kitchen::recipe::Recipe;
use crate::kitchen::{Action, Kitchen};

use super::plan::{Passage, Plan};

/// A slot stands empty.
const IDLE: u64 = 24;
/// A pizza waits in its slot for the robot.
const WAIT: u64 = 36;
/// A piece of a robot's time is of no use.
const SCRAP: u64 = 10;
/// A robot before the oven waits until it may begin.
const EARLY: u64 = 8;
/// Less urgent by so much.
const SLACK_SHARE: u64 = 12;
/// The items of an order that is begun go before those of others, at this price.
pub(super) const TOGETHER: u64 = 10_000 * IDLE;

/// What a passage costs, in weighted milliseconds, for a pizza that would be begun so much later, and is less urgent by so much.
pub(super) fn cost(passage: &Passage, begun_in: Millis, slack_ms: Millis) -> u64 {
    let wait_ms = passage.out_at.saturating_sub(passage.bake_end) + passage.held_ms;
    IDLE * passage.idle_ms + WAIT * wait_ms + SCRAP * passage.scraps_ms + EARLY * begun_in + slack_ms / SLACK_SHARE
}

impl Kitchen {
    /// The shortest time for which any of these pizzas takes an after-oven robot: what is shorter is of no use.
    pub(super) fn shortest_exit<'a>(&self, plan: &Plan<'_>, pizzas: impl Iterator<Item = &'a Pizza>) -> Millis {
        let Some(robot) = plan.robots.first() else { return 0 };
        let exits = pizzas.filter_map(|p| self.recipes.get(&p.recipe)).map(|r| robot.exit_ms(r));
        exits.min().unwrap_or(0)
    }

    /// How long a robot is expected to prepare by this recipe: on average, and in nine of ten cases.
    pub(super) fn prep_ms(&self, recipe: &Recipe, robot: &DeviceId) -> (Millis, Millis) {
        let pace = self.pace(robot, Action::Prep, &recipe.id);
        (pace.mean_ms(recipe.prep_ms), pace.p90_ms(recipe.prep_ms))
    }
}
