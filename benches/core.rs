//! How many commands a second one core applies, with a thousand open pizzas and replanning in every entry.
//!
//! `cargo bench --bench core`. Devices answer at once what a real one answers after a while, so that the mix of entries is a
//! kitchen's: reports, orders, deadlines. Nothing here touches a disk or a network; rows are encoded, as apply always does.

mod line;

use std::time::Duration;

use line::Bench;

/// So many pizzas are open all the time.
const OPEN: u32 = 1_000;

fn main() {
    for (name, before, ovens, after, cameras) in [
        ("default line (2 B, 4 ovens, 2 A, 3 cameras)", 2, 4, 2, 3),
        ("50 devices (12 B, 20 ovens, 12 A, 6 cameras)", 12, 20, 12, 6),
    ] {
        let mut bench = Bench::new([before, ovens, after, cameras], OPEN);
        bench.run(5_000);
        (bench.spent, bench.applied, bench.bytes) = (Duration::ZERO, 0, 0);
        bench.run(60_000);
        let per_second = bench.applied as f64 / bench.spent.as_secs_f64();
        println!(
            "{name}: {per_second:.0} commands/s, {:.1} us each, {} bytes of rows each, {} pizzas packed",
            bench.spent.as_secs_f64() * 1e6 / bench.applied as f64,
            bench.bytes / bench.applied,
            bench.kitchen.meta().packed
        );
    }
}
