//! Each set under each policy, in good and in bad times.

use brigade::kitchen::Settings;
use brigade::kitchen::recipe::NMinusOne;
use brigade::simulate::arrivals::at_once;
use brigade::simulate::plan::Failures;
use brigade::simulate::{Outcome, Plan, run};

use super::sets::Set;

/// What goes wrong.
#[derive(Clone, Copy)]
struct Times {
    name: &'static str,
    noise_permille: u64,
    failures: Failures,
}

const NEVER: Failures = Failures { robots_mtbf_ms: 0, ovens_mtbf_ms: 0, mttr_ms: 0, bad_permille: 0 };
/// Every robot fails each half an hour on average, for five minutes.
const ROBOTS: Failures = Failures { robots_mtbf_ms: 1_800_000, mttr_ms: 300_000, ..NEVER };

const ALL_TIMES: [Times; 3] = [
    Times { name: "as planned", noise_permille: 0, failures: NEVER },
    Times { name: "10 % noise", noise_permille: 100, failures: NEVER },
    Times { name: "robots fail", noise_permille: 0, failures: ROBOTS },
];

/// What is kept in hand, slots of a shelf, and the name of both.
const POLICIES: [(NMinusOne, u8, &str); 4] = [
    (NMinusOne::Off, 0, "off"),
    (NMinusOne::Strict, 0, "strict"),
    (NMinusOne::Strict, 4, "strict+4"),
    (NMinusOne::Shelf, 4, "shelf+4"),
];

/// Sums over instances.
#[derive(Default)]
struct Sum {
    runs: f64,
    packed: f64,
    burnt: f64,
    remade: f64,
    by_bound: f64,
    by_bound_max: f64,
    flow_p95_ms: f64,
    device_failures: f64,
}

/// Cooks and prints.
pub fn print(title: &str, sets: &[Set]) {
    println!("{title}");
    let head = ["line", "policy", "times", "burnt", "burnt %", "remade", "/bound", "worst", "p95 min", "failures"];
    println!("{}", row(&head.map(str::to_owned)));
    for times in ALL_TIMES {
        for set in sets {
            for (policy, shelf, name) in POLICIES {
                let sum = sum(set, policy, shelf, times);
                println!("{}", row(&sum.cells(&set.name, name, times.name)));
            }
        }
    }
    println!();
}

fn sum(set: &Set, policy: NMinusOne, shelf: u8, times: Times) -> Sum {
    let mut sum = Sum::default();
    for (seed, menu) in (0..).zip(&set.instances) {
        let mut plan = Plan::new(set.line.parse().expect("the lines of the sets are lines"), menu.clone());
        // Nobody is refused: what is asked is how long all of it takes.
        plan.arrivals = at_once(menu, menu.len(), Some(24 * 3_600_000));
        plan.settings = Settings {
            n_minus_one: policy,
            open_pizzas_max: 100_000,
            admit_late_ms: 30 * 24 * 3_600_000,
            shelves: (shelf > 0).then(|| ("shelf1".parse().expect("an id"), shelf)).into_iter().collect(),
            ..Settings::default()
        };
        (plan.noise_permille, plan.failures, plan.seed) = (times.noise_permille, times.failures, seed);
        sum.add(&run(&plan));
    }
    sum
}

impl Sum {
    fn add(&mut self, outcome: &Outcome) {
        self.runs += 1.0;
        self.packed += outcome.packed as f64;
        self.burnt += outcome.burnt as f64;
        self.remade += outcome.remade as f64;
        self.by_bound += outcome.makespan_by_bound;
        self.by_bound_max = self.by_bound_max.max(outcome.makespan_by_bound);
        self.flow_p95_ms += outcome.flow_p95_ms as f64;
        self.device_failures += outcome.device_failures as f64;
    }

    fn cells(&self, line: &str, policy: &str, times: &str) -> [String; 10] {
        [
            line.to_owned(),
            policy.to_owned(),
            times.to_owned(),
            format!("{:.0}", self.burnt),
            format!("{:.2}", 100.0 * self.burnt / self.packed.max(1.0)),
            format!("{:.0}", self.remade),
            format!("{:.3}", self.by_bound / self.runs),
            format!("{:.3}", self.by_bound_max),
            format!("{:.1}", self.flow_p95_ms / self.runs / 60_000.0),
            format!("{:.0}", self.device_failures),
        ]
    }
}

fn row(cells: &[String; 10]) -> String {
    let [first, policy, times, numbers @ ..] = cells;
    let numbers: Vec<String> = numbers.iter().map(|cell| format!("{cell:>8}")).collect();
    format!("{first:14} {policy:7} {times:12} {}", numbers.join(" "))
}
