//! The instances: the reference set, and hybrid flow shops as the literature draws them.

use brigade::kitchen::Recipe;
use brigade::simulate::arrivals::reference_menu;
use brigade::simulate::chance::Chance;

/// Instances of one kind, all for one line.
pub struct Set {
    /// For people.
    pub name: String,
    /// The line.
    pub line: &'static str,
    /// The recipe of every pizza, for each instance.
    pub instances: Vec<Vec<Recipe>>,
}

/// The lines of the reference set. At the last two, robots compete for an oven.
const LINES: [&str; 6] = ["2/4/2", "3/4/1", "4/4/2", "6/10/3", "4/2/4", "6/3/6"];

/// The reference set: prep 45 to 90 s, bake 150 to 270, finish 30 to 60, transfer 8 s, window 25 s.
pub fn reference() -> Vec<Set> {
    let instances = || (0..12).map(|seed| reference_menu(150, seed)).collect();
    LINES.into_iter().map(|line| Set { name: line.to_owned(), line, instances: instances() }).collect()
}

/// Hybrid flow shops drawn by the recipe of J. Carlier and E. Neron, "An exact method for solving the multi-processor flow-shop", RAIRO
/// Operations Research 34 (2000): 10 and 15 jobs, times uniform from 3 to 20 units, three machines at each stage but for one narrow stage
/// (layouts a to d). Drawn anew, as theirs have five or ten stages: here a unit is ten seconds and there are the kitchen's three
/// stages, with what those instances lack: transfers of 8 s that hold both sides, no room between stages, and 25 s in the oven at most.
pub fn shops() -> Vec<Set> {
    let mut sets = Vec::new();
    for jobs in [10, 15] {
        for (layout, line) in [("a", "3/1/3"), ("b", "1/3/3"), ("c", "3/2/3"), ("d", "3/3/3")] {
            let instances = (0..10).map(|seed| shop(jobs, seed)).collect();
            sets.push(Set { name: format!("j{jobs}c3{layout} {line}"), line, instances });
        }
    }
    sets
}

fn shop(jobs: usize, seed: u64) -> Vec<Recipe> {
    let mut chance = Chance::new(seed * 31 + jobs as u64);
    let mut times = || 10_000 * chance.between(3, 20);
    let drawn = |mut recipe: Recipe| {
        (recipe.prep_ms, recipe.bake_ms, recipe.finish_ms) = (times(), times(), times());
        recipe
    };
    reference_menu(jobs, seed).into_iter().map(drawn).collect()
}
