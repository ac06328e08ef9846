//! Many seeds on all cores, with progress, and what is said when one fails.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};

use crate::run::{Outcome, run};
use crate::seen::Seen;

/// How many seeds a usual run looks at.
const SEEDS: u64 = 300;

/// How many lines of a failed run are shown.
const TAIL: usize = 250;

/// Which seeds.
pub struct Plan {
    pub from: u64,
    pub count: u64,
    /// One seed is to be shown.
    pub is_shown: bool,
    /// The first failure is enough.
    pub stops_early: bool,
}

impl Plan {
    /// `SEED` shows one; `SEEDS` and `FROM` run many.
    pub fn from_environment() -> Self {
        let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
        match number("SEED") {
            Some(seed) => Self { from: seed, count: 1, is_shown: true, stops_early: false },
            None => {
                let (from, count) = (number("FROM").unwrap_or(0), number("SEEDS").unwrap_or(SEEDS));
                Self { from, count, is_shown: false, stops_early: std::env::var_os("STOP_EARLY").is_some() }
            }
        }
    }

    /// True when so many seeds run that they must come upon everything.
    pub fn is_usual(&self) -> bool {
        self.count >= SEEDS
    }
}

/// Runs them, and returns what they have seen. A seed that fails is played again with its trace, and ends the test.
pub fn run_many(plan: &Plan) -> Seen {
    let (began, next) = (Instant::now(), AtomicU64::new(plan.from));
    let (all, failed) = (Mutex::new((Seen::default(), 0)), Mutex::new(Vec::new()));
    let bar = bar(plan.count);
    let until = plan.from + plan.count;
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(plan.count as usize);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    let enough = plan.stops_early && !failed.lock().expect("nothing panics in here").is_empty();
                    if seed >= until || enough {
                        return;
                    }
                    let outcome = run(seed, plan.is_shown);
                    let mut all = all.lock().expect("no run panics while it holds this lock");
                    all.0.add(&outcome.seen);
                    all.1 += outcome.virtual_ms;
                    bar.inc(1);
                    if plan.is_shown {
                        println!("{}", outcome.trace.lines.join("\n"));
                    }
                    if outcome.failure.is_some() {
                        failed.lock().expect("no run panics while it holds this lock").push(outcome);
                    }
                }
            });
        }
    });
    bar.finish_and_clear();
    let (seen, virtual_ms) = all.into_inner().expect("no run panicked");
    let hours = virtual_ms as f64 / 3_600_000.0;
    let spent = began.elapsed().as_secs_f64();
    println!(
        "{} seeds, {hours:.0} kitchen-hours in {spent:.0} s: {:.2} a second and core",
        plan.count,
        hours / spent / threads as f64
    );
    if std::env::var_os("SEEN").is_some() {
        seen.0.iter().for_each(|(what, times)| println!("{times:>9}  {what}"));
    }
    complain(failed.into_inner().expect("no run panicked"));
    seen
}

fn complain(mut failed: Vec<Outcome>) {
    failed.sort_by_key(|outcome| outcome.seed);
    for outcome in &failed {
        println!("seed {} failed: {}", outcome.seed, outcome.failure.as_deref().unwrap_or_default());
    }
    let Some(first) = failed.first() else { return };
    let again = run(first.seed, true);
    panic!(
        "{}\n\n{} of the seeds failed; seed {}: {}\nreplay: SEED={} make simulate",
        again.trace.tail(TAIL),
        failed.len(),
        first.seed,
        first.failure.as_deref().unwrap_or_default(),
        first.seed
    );
}

fn bar(count: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {pos} of {len} seeds, {elapsed}, {eta} left");
    ProgressBar::new(count).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
