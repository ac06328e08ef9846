//! The near future as it is planned: when each oven slot falls free, and when each after-oven robot is taken.
//!
//! It is made anew from the state whenever something is to be decided, and thrown away. Every moment in it leaves room for what devices
//! were seen to be late: a robot is taken for the exit itself, and for the time by which its pizza may be done sooner or later than planned.

use crate::kitchen::ids::{DeviceId, Millis, RecipeId};
use crate::kitchen::learned::{Learned, Pace};
use crate::kitchen::pizza::Exit;
use crate::kitchen::recipe::{Gate, Recipe};

/// How long a verdict between unload and finish usually takes.
const VERDICT_MS: Millis = 200;

/// A stretch of time in which a robot is taken.
pub(super) type Span = (Millis, Millis);

/// An after-oven robot.
#[derive(Clone)]
pub(super) struct Robot<'k> {
    pub id: &'k DeviceId,
    pub unload: Pace,
    pub finish: Option<&'k Learned>,
    pub pace: Pacing,
    /// When it is taken, sorted.
    pub spans: Vec<Span>,
}

/// An oven slot.
#[derive(Clone)]
pub(super) struct Slot<'k> {
    pub bake: Option<&'k Learned>,
    pub pace: Pacing,
    /// When something may be loaded there.
    pub free_at: Millis,
}

/// The near future.
#[derive(Clone)]
pub(super) struct Plan<'k> {
    pub now: Millis,
    pub robots: Vec<Robot<'k>>,
    pub slots: Vec<Slot<'k>>,
}

/// How a pizza would come through oven and exit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Passage {
    /// Which of the plan's robots takes it out.
    pub robot: usize,
    /// When it goes into the oven.
    pub load_at: Millis,
    /// When it is baked.
    pub bake_end: Millis,
    /// When it is taken out.
    pub out_at: Millis,
    /// When its robot is free again.
    pub done_at: Millis,
    /// What the robot is taken for, with its margins.
    pub taken: Span,
    /// Time of the robot, before and after, that is too short for anything else.
    pub scraps_ms: Millis,
    /// How long the slot is empty before.
    pub idle_ms: Millis,
    pub held_ms: Millis,
}

impl Passage {
    /// As the pizza keeps it.
    pub fn exit(&self, plan: &Plan<'_>) -> Exit {
        Exit { device: plan.robots[self.robot].id.clone(), from: self.out_at, until: self.done_at }
    }
}

/// What of a pizza matters for its passage.
#[derive(Clone, Copy)]
pub(super) struct Wish<'r> {
    pub recipe: &'r Recipe,
    /// When it can be loaded at the earliest.
    pub ready_at: Millis,
    /// How long its robot takes to load it.
    pub load_ms: Millis,
}

/// How fast devices are taken to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pacing {
    /// As on average, with room for what comes late.
    Mean,
    /// As in the slowest of ten cases, each time.
    Slow,
}

impl Pacing {
    pub fn of(self, pace: Pace) -> Pace {
        match self {
            Self::Mean => pace,
            Self::Slow => Pace { mean: pace.p90_ms(1_000) as u32, deviation: 0, ..pace },
        }
    }

    pub fn learned(self, learned: Option<&Learned>, recipe: &RecipeId) -> Pace {
        self.of(learned.map_or(Pace::default(), |l| l.pace(recipe)))
    }
}

/// Most of a spread before, and as much after: one pizza in ten is later than the whole of it, and the window takes up the rest.
pub(super) fn margin(spread_ms: Millis) -> Millis {
    spread_ms * 7 / 8
}

/// Only a quarter of the window is planned away: the rest is for what comes late.
pub(super) fn planned_wait(recipe: &Recipe) -> Millis {
    recipe.window_ms / 4
}

impl<'k> Robot<'k> {
    /// How long an exit takes this robot: unload, a verdict, finish.
    pub fn exit_ms(&self, recipe: &Recipe) -> Millis {
        self.exit(recipe).0
    }

    /// How long an exit takes this robot, and by how much it may take longer.
    pub fn exit(&self, recipe: &Recipe) -> (Millis, Millis) {
        let verdict_ms = if recipe.gates.bake == Gate::None { 0 } else { VERDICT_MS };
        let finish = self.pace.learned(self.finish, &recipe.id);
        let span = self.unload_ms(recipe) + verdict_ms + finish.mean_ms(recipe.finish_ms);
        (span, finish.spread_ms(recipe.finish_ms))
    }

    fn unload_ms(&self, recipe: &Recipe) -> Millis {
        self.unload.mean_ms(recipe.transfer_ms)
    }

    /// The earliest moment from `from` on at which there is room for `before` ahead of it and `span` from it on.
    pub fn gap(&self, from: Millis, before: Millis, span: Millis) -> Millis {
        first_gap(&self.spans, from.saturating_sub(before), before + span) + before
    }

    /// The pieces of time that a span would leave next to it, as far as they are shorter than anything that could use them.
    fn scraps_ms(&self, now: Millis, (from, until): Span, shortest: Millis) -> Millis {
        let before = self.spans.iter().map(|s| s.1).filter(|end| *end <= from).max().unwrap_or(now).max(now);
        let after = self.spans.iter().map(|s| s.0).filter(|start| *start >= until).min();
        let scrap = |ms: Millis| if ms < shortest { ms } else { 0 };
        scrap(from.saturating_sub(before)) + after.map_or(0, |start| scrap(start - until))
    }

    pub fn take(&mut self, span: Span) {
        let at = self.spans.partition_point(|s| *s <= span);
        self.spans.insert(at, span);
    }
}

impl<'k> Plan<'k> {
    /// The slot that falls free first.
    pub fn next_slot(&self) -> Option<usize> {
        (0..self.slots.len()).min_by_key(|n| self.slots[*n].free_at)
    }

    /// How a pizza would come through, loaded into this slot as soon as all is there. None without robots.
    pub fn passage(&self, wish: Wish<'_>, slot: usize, shortest_exit: Millis) -> Option<Passage> {
        let slot = &self.slots[slot];
        let bake = slot.pace.learned(slot.bake, &wish.recipe.id);
        let (bake_ms, early) = (bake.mean_ms(wish.recipe.bake_ms), margin(bake.spread_ms(wish.recipe.bake_ms)));
        let wanted_at = wish.ready_at.max(slot.free_at);
        let baked_at = wanted_at + wish.load_ms + bake_ms;
        let offer = |(n, robot): (usize, &Robot<'_>)| {
            let (span, spread) = robot.exit(wish.recipe);
            let late = early + spread;
            let out_at = robot.gap(baked_at, early, span + late);
            let taken = (out_at - early.min(out_at), out_at + span + late);
            (out_at, robot.scraps_ms(self.now, taken, shortest_exit), n, out_at + span, taken)
        };
        let (out_at, scraps_ms, robot, done_at, taken) = self.robots.iter().enumerate().map(offer).min()?;
        // What would wait in the oven for too long goes in later.
        let later = (out_at - baked_at).saturating_sub(planned_wait(wish.recipe));
        let load_at = wanted_at + later;
        let idle_ms = wanted_at - slot.free_at;
        Some(Passage {
            robot,
            load_at,
            bake_end: baked_at + later,
            out_at,
            done_at,
            taken,
            scraps_ms,
            idle_ms,
            held_ms: later,
        })
    }

    /// Takes robot and slot for a passage.
    pub fn book(&mut self, slot: usize, recipe: &Recipe, passage: &Passage) {
        let robot = &mut self.robots[passage.robot];
        robot.take(passage.taken);
        self.slots[slot].free_at = passage.out_at + robot.unload_ms(recipe);
    }
}

/// The earliest moment from `from` on at which `span` fits between the spans of a sorted plan.
fn first_gap(plan: &[Span], from: Millis, span: Millis) -> Millis {
    let mut at = from;
    for (busy_from, busy_until) in plan {
        if at + span <= *busy_from {
            break;
        }
        at = at.max(*busy_until);
    }
    at
}

#[cfg(test)]
mod tests {
    use super::first_gap;

    #[test]
    fn an_exit_goes_into_the_first_gap_that_is_long_enough() {
        let plan = [(10, 20), (25, 40), (60, 70)];
        assert_eq!(first_gap(&plan, 0, 10), 0);
        assert_eq!(first_gap(&plan, 5, 10), 40);
        assert_eq!(first_gap(&plan, 5, 5), 5);
        assert_eq!(first_gap(&plan, 20, 5), 20);
        assert_eq!(first_gap(&plan, 41, 30), 70);
        assert_eq!(first_gap(&[], 7, 30), 7);
    }
}
