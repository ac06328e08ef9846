//! The physical limit: how fast any schedule could be, so that ours can be measured against it.
//!
//! The bound for a hybrid flow shop: for each stage k with m_k executors, the sum of the m_k smallest heads (work before the stage),
//! all occupancy of the stage with its transfers, and the m_k smallest tails (work after it), over m_k; and the longest single
//! job. (Santos, Hunsucker and Deal, "Global lower bounds for flow shops with multiple processors", EJOR 80, 1995.)

use super::{Kitchen, Millis, PizzaState, Recipe};

/// So many of the pizzas that wait stand for all of them.
const MIX_MAX: usize = 64;

/// How many executors each stage has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// Before-oven robots.
    pub before: u32,
    /// Oven slots.
    pub slots: u32,
    /// After-oven robots.
    pub after: u32,
}

/// Which stage bounds the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bottleneck {
    /// Before-oven robots.
    Prep,
    /// Oven slots.
    Bake,
    /// After-oven robots.
    Finish,
    /// The longest single pizza.
    LongestJob,
}

impl Bottleneck {
    /// One word for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Prep => "prep",
            Self::Bake => "ovens",
            Self::Finish => "finish",
            Self::LongestJob => "the longest pizza",
        }
    }
}

/// What a line can make in the long run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SteadyRate {
    /// Thousandths of a pizza in an hour: no schedule keeps up more for long.
    pub milli_per_hour: u64,
    /// The stage that bounds it.
    pub bottleneck: Bottleneck,
    /// One more executor at that stage gives so many thousandths more.
    pub gain_permille: u64,
}

/// How much work some pizzas are for each stage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mix {
    pizzas: u64,
    prep_ms: Millis,
    bake_ms: Millis,
    finish_ms: Millis,
    longest_ms: Millis,
}

impl Mix {
    /// How many they are.
    pub fn pizzas(&self) -> u64 {
        self.pizzas
    }

    /// These and others together.
    pub fn add(&mut self, others: Self) {
        self.pizzas += others.pizzas;
        self.prep_ms += others.prep_ms;
        self.bake_ms += others.bake_ms;
        self.finish_ms += others.finish_ms;
        self.longest_ms = self.longest_ms.max(others.longest_ms);
    }

    /// The work of the longest of them; None if there are none.
    pub fn longest_ms(&self) -> Option<Millis> {
        (self.pizzas > 0).then_some(self.longest_ms)
    }

    fn stages(&self, line: Line) -> [(u32, Millis, Bottleneck); 3] {
        [
            (line.before, self.prep_ms, Bottleneck::Prep),
            (line.slots, self.bake_ms, Bottleneck::Bake),
            (line.after, self.finish_ms, Bottleneck::Finish),
        ]
    }
}

impl<'r> Extend<&'r Recipe> for Mix {
    fn extend<I: IntoIterator<Item = &'r Recipe>>(&mut self, recipes: I) {
        for recipe in recipes {
            self.pizzas += 1;
            self.prep_ms += recipe.prep_ms + recipe.transfer_ms;
            self.bake_ms += recipe.bake_ms + 2 * recipe.transfer_ms;
            self.finish_ms += recipe.transfer_ms + recipe.finish_ms;
            self.longest_ms = self.longest_ms.max(recipe.work_ms());
        }
    }
}

impl<'r> FromIterator<&'r Recipe> for Mix {
    fn from_iter<I: IntoIterator<Item = &'r Recipe>>(recipes: I) -> Self {
        let mut mix = Self::default();
        mix.extend(recipes);
        mix
    }
}

/// The steady rate X* of a mix of pizzas: the smallest of executors over mean occupancy, over all stages. None for no pizzas, or a line
/// that lacks a stage.
pub fn steady_rate(mix: &Mix, line: Line) -> Option<SteadyRate> {
    let rate = |line: Line| {
        let of = |(m, work, stage): (u32, Millis, Bottleneck)| {
            (work > 0).then(|| (u64::from(m) * mix.pizzas * 3_600_000_000 / work, stage))
        };
        mix.stages(line).into_iter().filter_map(of).min_by_key(|(rate, _)| *rate)
    };
    let (milli_per_hour, bottleneck) = rate(line).filter(|(rate, _)| *rate > 0)?;
    let mut wider = line;
    match bottleneck {
        Bottleneck::Prep => wider.before += 1,
        Bottleneck::Bake | Bottleneck::LongestJob => wider.slots += 1,
        Bottleneck::Finish => wider.after += 1,
    }
    let (more, _) = rate(wider)?;
    Some(SteadyRate { milli_per_hour, bottleneck, gain_permille: (more - milli_per_hour) * 1_000 / milli_per_hour })
}

/// Head, occupancy and tail of a pizza at one stage.
type Job = (Millis, Millis, Millis);

/// No schedule makes these pizzas in less time, in milliseconds, and what bounds it. None for a line that lacks a stage.
pub fn lower_bound(pizzas: &[Recipe], line: Line) -> Option<(Millis, Bottleneck)> {
    if line.before == 0 || line.slots == 0 || line.after == 0 {
        return None;
    }
    let occupy_before = |r: &Recipe| r.prep_ms + r.transfer_ms;
    let occupy_slot = |r: &Recipe| r.bake_ms + 2 * r.transfer_ms;
    let occupy_after = |r: &Recipe| r.transfer_ms + r.finish_ms;
    let stages: [(u32, Vec<Job>, Bottleneck); 3] = [
        (
            line.before,
            pizzas.iter().map(|r| (0, occupy_before(r), r.bake_ms + occupy_after(r))).collect(),
            Bottleneck::Prep,
        ),
        (line.slots, pizzas.iter().map(|r| (r.prep_ms, occupy_slot(r), r.finish_ms)).collect(), Bottleneck::Bake),
        (
            line.after,
            pizzas.iter().map(|r| (occupy_before(r) + r.bake_ms, occupy_after(r), 0)).collect(),
            Bottleneck::Finish,
        ),
    ];
    let longest = pizzas.iter().map(Recipe::work_ms).max().unwrap_or(0);
    let bounds = stages.into_iter().map(|(machines, jobs, name)| (stage_bound(machines, &jobs), name));
    bounds.chain([(longest, Bottleneck::LongestJob)]).max_by_key(|(bound, _)| *bound)
}

/// The bound of one stage from (head, occupancy, tail) of its jobs.
fn stage_bound(machines: u32, jobs: &[Job]) -> Millis {
    let machines = (machines as usize).min(jobs.len().max(1));
    let smallest = |pick: fn(&Job) -> Millis| {
        let mut all: Vec<Millis> = jobs.iter().map(pick).collect();
        all.sort_unstable();
        all.into_iter().take(machines).sum::<Millis>()
    };
    let work: Millis = jobs.iter().map(|j| j.1).sum();
    (smallest(|j| j.0) + work + smallest(|j| j.2)) / machines as Millis
}

impl Kitchen {
    /// What the kitchen makes at present, in thousandths of a pizza an hour: the rate of the last few pizzas until now. It falls while
    /// nothing is ready, also because nothing is ordered.
    pub fn present_rate(&self, now: Millis) -> u64 {
        let at = &self.meta.packed_at;
        let Some(first) = at.first().filter(|_| at.len() > 1) else { return 0 };
        let span = now.max(self.meta.now) - first;
        (at.len() as u64 - 1) * 3_600_000_000 / span.max(1)
    }

    /// What the line could keep up for what waits, as far as a pass of the schedule looks, or for the menu when nothing waits.
    pub fn present_limit(&self) -> Option<SteadyRate> {
        let waiting = self.pizzas.values().filter(|p| p.state == PizzaState::Queued).take(MIX_MAX);
        let mut mix: Mix = waiting.filter_map(|p| self.recipes.get(&p.recipe)).collect();
        if mix.pizzas == 0 {
            mix = self.recipes.values().collect();
        }
        steady_rate(&mix, self.line())
    }

    /// The line as it stands: what is up.
    pub fn line(&self) -> Line {
        let status = self.status();
        Line { before: status.prep.up, slots: status.bake.up, after: status.finish.up }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kitchen::recipe::built_in_menu;

    #[test]
    fn one_pizza_can_not_be_faster_than_its_own_work() {
        let pizza = built_in_menu().remove(0);
        let line = Line { before: 2, slots: 4, after: 2 };
        let (bound, by) = lower_bound(std::slice::from_ref(&pizza), line).unwrap();
        assert_eq!((bound, by), (pizza.work_ms(), Bottleneck::LongestJob));
    }

    #[test]
    fn one_more_of_the_scarcest_gives_more_until_another_stage_is_scarce() {
        let mix = built_in_menu().iter().collect();
        let rate = |before, slots, after| steady_rate(&mix, Line { before, slots, after }).unwrap();
        let ovens = rate(4, 2, 4);
        assert_eq!((ovens.bottleneck, ovens.gain_permille), (Bottleneck::Bake, 500));
        // 200 s in a slot each, two slots: 36 in an hour.
        assert_eq!(ovens.milli_per_hour, 36_000);
        let robots = rate(1, 10, 4);
        assert_eq!((robots.bottleneck, robots.gain_permille), (Bottleneck::Prep, 1_000));
        assert_eq!(steady_rate(&Mix::default(), Line { before: 1, slots: 1, after: 1 }), None);
        assert_eq!(steady_rate(&mix, Line { before: 1, slots: 0, after: 1 }), None);
    }

    #[test]
    fn many_pizzas_are_bounded_by_the_scarcest_stage() {
        let pizzas = vec![built_in_menu().remove(0); 100];
        let (bound, by) = lower_bound(&pizzas, Line { before: 4, slots: 2, after: 4 }).unwrap();
        assert_eq!(by, Bottleneck::Bake);
        assert!(bound >= 100 * (150_000 + 16_000) / 2);
        assert_eq!(lower_bound(&pizzas, Line { before: 0, slots: 2, after: 4 }), None);
    }
}
