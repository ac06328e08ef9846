//! The instances that benches/optimum solves exactly, with what the kitchen makes of them: one JSON object on standard output.

use brigade::kitchen::Settings;
use brigade::kitchen::recipe::NMinusOne;
use brigade::simulate::arrivals::{at_once, reference_menu};
use brigade::simulate::{Plan, run};

/// Lines, and how many pizzas the solver can still prove something about.
const SIZES: [(&str, [usize; 2]); 3] = [("1/2/1", [6, 8]), ("2/3/1", [6, 8]), ("2/4/2", [7, 9])];
/// Instances of each size.
const SEEDS: std::ops::Range<u64> = 0..5;

/// Writes them.
pub fn write() {
    let mut instances = Vec::new();
    for (line, sizes) in SIZES {
        for pizzas in sizes {
            instances.extend(SEEDS.map(|seed| instance(line, pizzas, seed)));
        }
    }
    println!("{{\"instances\": [\n{}\n]}}", instances.join(",\n"));
}

fn instance(line: &str, pizzas: usize, seed: u64) -> String {
    let menu = reference_menu(pizzas, seed + 100);
    let [off, strict] = [NMinusOne::Off, NMinusOne::Strict].map(|policy| {
        let mut plan = Plan::new(line.parse().expect("the lines of the sets are lines"), menu.clone());
        plan.arrivals = at_once(&menu, pizzas, Some(24 * 3_600_000));
        plan.settings = Settings { n_minus_one: policy, ..Settings::default() };
        run(&plan)
    });
    let jobs: Vec<[u64; 3]> = menu.iter().map(|r| [r.prep_ms, r.bake_ms, r.finish_ms]).collect();
    format!(
        "{{\"line\": \"{line}\", \"seed\": {seed}, \"transfer_ms\": {}, \"window_ms\": {}, \"jobs_ms\": {jobs:?}, \"bound_ms\": {}, \
         \"off_ms\": {}, \"strict_ms\": {}, \"burnt\": {}}}",
        menu[0].transfer_ms,
        menu[0].window_ms,
        off.lower_bound_ms,
        off.makespan_ms,
        strict.makespan_ms,
        off.burnt + strict.burnt
    )
}
