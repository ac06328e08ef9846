//! What one scheduling pass costs, with 50 devices and ever more open pizzas: it must not grow with the queue.

use std::time::Duration;

use super::line::Bench;

/// Robots before the ovens, ovens, robots after them, cameras.
const DEVICES: [u8; 4] = [12, 20, 12, 6];

/// Measures and prints: entries at which a robot before the ovens had nothing to do, so that all of the schedule was decided anew.
pub fn measure() {
    println!("One entry with a whole scheduling pass, 50 devices, in microseconds");
    println!(
        "{:>12} {:>8} {:>8} {:>8} {:>8} {:>8} {:>12}",
        "open pizzas", "passes", "p50", "p95", "p99", "max", "all entries"
    );
    for open in [64, 500, 1_000, 5_000] {
        let mut bench = Bench::new(DEVICES, open);
        bench.run(5_000 + u64::from(open));
        (bench.spent, bench.applied) = (Duration::ZERO, 0);
        bench.passes.clear();
        bench.run(30_000);
        let mut passes = std::mem::take(&mut bench.passes);
        passes.sort_unstable();
        let at = |percent: usize| passes.get((passes.len() * percent / 100).min(passes.len().saturating_sub(1)));
        let us = |time: Option<&Duration>| time.map_or(0.0, |t| t.as_secs_f64() * 1e6);
        let mean = bench.spent.as_secs_f64() * 1e6 / bench.applied as f64;
        let [p50, p95, p99, max] = [50, 95, 99, 100].map(|percent| us(at(percent)));
        println!("{open:>12} {:>8} {p50:>8.1} {p95:>8.1} {p99:>8.1} {max:>8.1} {mean:>12.1}", passes.len());
    }
    println!();
}
