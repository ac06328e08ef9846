//! How good the schedule is, and what it costs: burnt and remade pizzas, time beside the limit, the time of a scheduling pass.
//!
//! `cargo bench --bench schedule`, or `make bench-schedule`; with a word, one part of it: `reference`, `shops`, `pass`, or `optimum`,
//! which writes the small instances of benches/optimum as JSON with what the kitchen makes of them. Nothing here passes or fails.

#[path = "../line/mod.rs"]
mod line;
mod optimum;
mod pass;
mod sets;
mod table;

/// What is known of other ways to schedule the reference set, from an earlier model of the same line without noise or failures.
const BASELINE: &str = "\
For comparison, the reference set without noise or failures (an earlier model, 150 pizzas):
  pushing each pizza into any oven burns 3.3 % at 2/4/2, 44.6 % at 3/4/1, 4.1 % at 4/4/2, 11 % at 6/10/3;
  reserving the exit before the entry burns none and needs 1.05, 1.11, 1.02, 1.08 x the bound.
";

fn main() {
    // Cargo passes --bench; the words that are left choose.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let wants = |part: &str| words.is_empty() || words.iter().any(|word| word == part);
    if words.iter().any(|word| word == "optimum") {
        optimum::write();
        return;
    }
    if wants("pass") {
        pass::measure();
    }
    if wants("reference") {
        table::print("Reference set, 150 pizzas at once, means of 12 seeds", &sets::reference());
        println!("{BASELINE}");
    }
    if wants("shops") {
        table::print("Hybrid flow shops, all pizzas at once, means of 10 instances", &sets::shops());
    }
}
