//! What came of a run: counts, times beside the limit, and who did what when.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::kitchen::limit::{Bottleneck, Line, lower_bound, steady_rate};
use crate::kitchen::report::Job;
use crate::kitchen::{
    Event, Kitchen, Millis, OrderId, OrderStatus, PizzaId, PizzaState, Recipe, RecipeId, Reply, Spoiled,
};

use super::plan::{Arrival, Plan};

/// One task on one lane of a device.
#[derive(Clone, Debug, Serialize)]
pub struct Span {
    /// The device.
    pub device: String,
    /// Its lane.
    pub lane: u8,
    /// What was done.
    pub job: Job,
    /// At which pizza.
    #[serde(serialize_with = "as_text")]
    pub pizza: PizzaId,
    /// From this moment …
    pub from: Millis,
    /// … until this one, in milliseconds from the start.
    pub until: Millis,
    /// Empty, or why it ended early.
    pub how: &'static str,
}

fn as_text<S: serde::Serializer>(pizza: &PizzaId, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(pizza)
}

/// An order of the run.
#[derive(Clone, Debug, Serialize)]
pub struct OrderResult {
    /// When it came.
    pub placed_at: Millis,
    /// When it was promised.
    pub promised_at: Millis,
    /// When all of it was packed; None where that never was.
    pub ready_at: Option<Millis>,
    /// How many pizzas.
    pub pizzas: usize,
}

/// What came of a run. Times in milliseconds.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// The line, as in 2/4/2.
    pub line: String,
    /// Orders that were accepted.
    pub orders: usize,
    /// Orders that were refused, with the reason of the first.
    pub refused: usize,
    /// Why the first was refused.
    pub refused_why: Option<String>,
    /// Pizzas packed.
    pub packed: u64,
    /// Pizzas that burnt.
    pub burnt: u64,
    /// Pizzas made again for any reason.
    pub remade: u64,
    /// The same by reason.
    pub remade_by: BTreeMap<String, u64>,
    /// From the first order to the last pizza.
    pub makespan_ms: Millis,
    /// No schedule is faster, without failures and with the times of the recipes.
    pub lower_bound_ms: Millis,
    /// What bounds it.
    pub bounded_by: &'static str,
    /// makespan / lower bound.
    pub makespan_by_bound: f64,
    /// Pizzas packed in an hour.
    pub pizzas_per_hour: f64,
    /// No schedule keeps up more.
    pub limit_per_hour: f64,
    /// The stage that bounds it.
    pub bottleneck: &'static str,
    /// One more executor there gives so many per cent.
    pub one_more_gives_percent: f64,
    /// From an order's arrival until it is ready: half of them are faster.
    pub flow_p50_ms: Millis,
    /// The same: 95 of 100 are faster.
    pub flow_p95_ms: Millis,
    /// Orders that were ready when promised.
    pub promises_kept: usize,
    /// Failures of devices.
    pub device_failures: u64,
    /// Share of the time in which devices of each kind were at work or occupied, in per cent.
    pub busy_percent: BTreeMap<&'static str, f64>,
    /// Every order.
    #[serde(skip)]
    pub order_results: Vec<OrderResult>,
    /// Every task.
    #[serde(skip)]
    pub spans: Vec<Span>,
}

/// What is counted while a run goes on.
#[derive(Default)]
pub(super) struct Tally {
    orders: BTreeMap<OrderId, OrderResult>,
    refused: usize,
    refused_why: Option<String>,
    remade_by: BTreeMap<String, u64>,
    last_packed: Millis,
    pub device_failures: u64,
}

impl Tally {
    pub fn placed(&mut self, id: OrderId, arrival: &Arrival, now: Millis, reply: &Reply, kitchen: &Kitchen) {
        match reply {
            Reply::Refused(why) => {
                self.refused += 1;
                self.refused_why.get_or_insert_with(|| why.to_string());
            }
            _ => {
                let promised_at = kitchen.order(&id).map_or(now, |o| o.promised_at);
                let pizzas = arrival.items.len();
                self.orders.insert(id, OrderResult { placed_at: now, promised_at, ready_at: None, pizzas });
            }
        }
    }

    pub fn count(&mut self, events: &[Event], now: Millis) {
        for event in events {
            match event {
                Event::PizzaDiscarded { reason, .. } => {
                    *self.remade_by.entry(word(reason)).or_insert(0) += 1;
                }
                Event::PizzaChanged { to: PizzaState::Packed, .. } => self.last_packed = now,
                Event::OrderChanged { order, status: OrderStatus::Ready } => {
                    if let Some(order) = self.orders.get_mut(order) {
                        order.ready_at = Some(now);
                    }
                }
                _ => {}
            }
        }
    }

    pub fn into_outcome(self, plan: &Plan, kitchen: &Kitchen, spans: Vec<Span>, now: Millis) -> Outcome {
        let recipes: BTreeMap<_, &Recipe> = plan.menu.iter().map(|r| (&r.id, r)).collect();
        let asked: Vec<Recipe> =
            plan.arrivals.iter().flat_map(|a| &a.items).filter_map(|id| Some((*recipes.get(id)?).clone())).collect();
        let line = limits_of(plan);
        let (lower_bound_ms, by) = bound_of(plan, &recipes).map_or((0, "nothing"), |(ms, by)| (ms, by.as_str()));
        let steady = steady_rate(&asked.iter().collect(), line);
        let first = plan.arrivals.iter().map(|a| a.at).min().unwrap_or(0);
        let makespan_ms = self.last_packed.saturating_sub(first);
        let packed = kitchen.meta().packed;
        let orders: Vec<OrderResult> = self.orders.into_values().collect();
        let mut flows: Vec<Millis> = orders.iter().filter_map(|o| Some(o.ready_at? - o.placed_at)).collect();
        flows.sort_unstable();
        let hours = makespan_ms.max(1) as f64 / 3_600_000.0;
        Outcome {
            line: plan.line.to_string(),
            orders: orders.len(),
            refused: self.refused,
            refused_why: self.refused_why,
            packed,
            burnt: self.remade_by.get("BURNT").copied().unwrap_or(0),
            remade: self.remade_by.values().sum(),
            remade_by: self.remade_by,
            makespan_ms,
            lower_bound_ms,
            bounded_by: by,
            makespan_by_bound: makespan_ms as f64 / lower_bound_ms.max(1) as f64,
            pizzas_per_hour: packed as f64 / hours,
            limit_per_hour: steady.map_or(0.0, |s| s.milli_per_hour as f64 / 1_000.0),
            bottleneck: steady.map_or("nothing", |s| s.bottleneck.as_str()),
            one_more_gives_percent: steady.map_or(0.0, |s| s.gain_permille as f64 / 10.0),
            flow_p50_ms: quantile(&flows, 50),
            flow_p95_ms: quantile(&flows, 95),
            promises_kept: orders.iter().filter(|o| o.ready_at.is_some_and(|at| at <= o.promised_at)).count(),
            device_failures: self.device_failures,
            busy_percent: busy(plan, &spans, now.max(1)),
            order_results: orders,
            spans,
        }
    }
}

/// Where orders come over time, it is looked at what is bounded from so many moments on.
const MOMENTS: usize = 64;

/// No schedule is faster: what comes from some moment on takes at least so long from then on. All of it, where all comes at once.
fn bound_of(plan: &Plan, recipes: &BTreeMap<&RecipeId, &Recipe>) -> Option<(Millis, Bottleneck)> {
    let mut moments: Vec<Millis> = plan.arrivals.iter().map(|a| a.at).collect();
    moments.sort_unstable();
    moments.dedup();
    let (first, last) = (*moments.first()?, *moments.last()?);
    let step = moments.len().div_ceil(MOMENTS);
    let from = |moment: Millis| {
        let later = plan.arrivals.iter().filter(|a| a.at >= moment).flat_map(|a| &a.items);
        let pizzas: Vec<Recipe> = later.filter_map(|id| Some((*recipes.get(id)?).clone())).collect();
        lower_bound(&pizzas, limits_of(plan)).map(|(ms, by)| (moment - first + ms, by))
    };
    moments.into_iter().step_by(step).chain([last]).filter_map(from).max_by_key(|(ms, _)| *ms)
}

/// The line as the limits count it.
pub fn limits_of(plan: &Plan) -> Line {
    let line = plan.line;
    Line { before: line.before, slots: line.ovens * line.slots_per_oven, after: line.after }
}

/// The value that so many per cent of a sorted list do not exceed; 0 of none.
pub fn quantile(sorted: &[Millis], percent: usize) -> Millis {
    match sorted.len() {
        0 => 0,
        n => sorted[(n * percent).div_ceil(100).clamp(1, n) - 1],
    }
}

fn word(reason: &Spoiled) -> String {
    serde_json::to_value(reason).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

fn busy(plan: &Plan, spans: &[Span], now: Millis) -> BTreeMap<&'static str, f64> {
    let line = limits_of(plan);
    let share = |jobs: &[Job], executors: u32| {
        let work: Millis = spans.iter().filter(|s| jobs.contains(&s.job)).map(|s| s.until - s.from).sum();
        100.0 * work as f64 / (now as f64 * f64::from(executors.max(1)))
    };
    BTreeMap::from([
        ("before", share(&[Job::Prep, Job::Load], line.before)),
        ("ovens", share(&[Job::Load, Job::Bake, Job::Unload], line.slots)),
        ("after", share(&[Job::Unload, Job::Shelve, Job::Fetch, Job::Finish], line.after)),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kitchen::recipe::built_in_menu;

    #[test]
    fn what_comes_late_is_bounded_from_when_it_comes() {
        let mut plan = Plan::new("2/4/2".parse().unwrap(), built_in_menu());
        let order = |at| Arrival { at, items: vec!["funghi".parse().unwrap()], promise_ms: None, priority: 0 };
        plan.arrivals = vec![order(60_000), order(3_660_000)];
        let recipes = plan.menu.iter().map(|r| (&r.id, r)).collect();
        let funghi = plan.menu.iter().find(|r| r.id.as_str() == "funghi").unwrap();
        assert_eq!(bound_of(&plan, &recipes), Some((3_600_000 + funghi.work_ms(), Bottleneck::LongestJob)));
        plan.arrivals.clear();
        assert_eq!(bound_of(&plan, &BTreeMap::new()), None);
    }

    #[test]
    fn a_quantile_is_one_of_the_values() {
        let values: Vec<u64> = (1..=100).collect();
        assert_eq!((quantile(&values, 50), quantile(&values, 95), quantile(&values, 100)), (50, 95, 100));
        assert_eq!((quantile(&[7], 5), quantile(&[], 50)), (7, 0));
    }
}
