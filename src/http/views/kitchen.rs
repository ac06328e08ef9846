//! The kitchen as a whole: its status, its load, and its counts.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use crate::kitchen::limit::{Line, Mix, lower_bound, steady_rate};
use crate::kitchen::status::Capacity;
use crate::kitchen::{Kitchen, Millis, PizzaState, Recipe, RecipeId};

use super::time::{rfc3339, until};
use super::word;
use super::words::{BottleneckWord, KitchenStateWord};

/// The kitchen now.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct KitchenView {
    /// Its name.
    pub kitchen: String,
    /// NORMAL, DEGRADED(…), DRAINING or OUT_OF_ORDER(…), with the stages concerned.
    pub status: String,
    /// NORMAL, DEGRADED, DRAINING or OUT_OF_ORDER.
    #[schema(value_type = KitchenStateWord)]
    pub state: String,
    /// Executors per stage.
    pub capacity: CapacityView,
    /// It takes no new orders.
    pub draining: bool,
    /// Zones that stand still; the empty name is the whole kitchen.
    pub held_zones: Vec<String>,
    /// Who gives the instructions.
    pub in_charge: Option<InChargeView>,
    /// Open orders.
    pub open_orders: usize,
    /// Pizzas not yet packed.
    pub open_pizzas: u32,
    /// Pizzas by state.
    pub pizzas: BTreeMap<String, u32>,
    /// The physical limit for what is not begun yet; none while a stage has no executor.
    pub limit: Option<LimitView>,
    /// What is made in an hour, beside what the line could make; none while a stage has no executor.
    pub rate: Option<RateView>,
    /// Questions that a person must answer.
    pub open_incidents: usize,
    /// Instructions that devices have not reported on yet.
    pub instructions_open: usize,
    /// Outcomes that the backend has not acknowledged.
    pub feed_waiting: usize,
    /// How the kitchen stands with the main backend; none if it never heard of one.
    pub backend: Option<BackendView>,
    /// Wall time of the last entry.
    pub last_entry_at: String,
}

/// How the kitchen stands with the main backend.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct BackendView {
    /// How long its orders may still be begun without another word of it; 0 once that is over.
    pub lease_left_ms: u64,
    /// The version of its configuration that is followed.
    pub configuration: u64,
    /// Why a part of that was refused.
    pub configuration_refused: Option<String>,
    /// Changes of status and escalations that were not kept for it, as too many waited: look after the link.
    pub outcomes_dropped: u64,
}

/// Executors that are up, per stage.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct CapacityView {
    /// Before-oven robots.
    pub prep: UpOf,
    /// Oven slots.
    pub bake: UpOf,
    /// After-oven robots.
    pub finish: UpOf,
    /// Cameras' views.
    pub inspect: UpOf,
}

/// How many are up, of how many.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct UpOf {
    /// Can work, or are at work.
    pub up: u32,
    /// Belong to the kitchen.
    pub of: u32,
}

/// The node in charge.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct InChargeView {
    /// Which node.
    pub node: u64,
    /// Its epoch.
    pub epoch: u64,
    /// For how long.
    pub since_ms: i64,
}

/// No schedule could be faster.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct LimitView {
    /// How many pizzas are not begun.
    pub queued_pizzas: usize,
    /// No schedule makes them in less time.
    #[schema(value_type = u64)]
    pub lower_bound_ms: Millis,
    /// What bounds it: prep, ovens, finish, or the longest pizza.
    #[schema(value_type = BottleneckWord)]
    pub bounded_by: &'static str,
}

/// What is made in an hour, and what could be.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct RateView {
    /// The rate of the last few pizzas.
    pub pizzas_per_hour: f64,
    /// No schedule keeps up more with this line, for what is queued, or for the menu when nothing is.
    pub limit_per_hour: f64,
    /// The first as a share of the second.
    pub efficiency_percent: f64,
    /// The stage that bounds it: prep, ovens or finish.
    #[schema(value_type = BottleneckWord)]
    pub bottleneck: &'static str,
    /// One more executor there gives so much more.
    pub one_more_gives_percent: f64,
}

/// What is read under the lock, for the limit to be reckoned outside it.
pub struct Backlog {
    queued: Vec<RecipeId>,
    recipes: BTreeMap<RecipeId, Recipe>,
    line: Line,
    present_rate: u64,
}

impl Backlog {
    /// The pizzas that are not begun.
    pub fn of(kitchen: &Kitchen, now: Millis) -> Self {
        let queued = kitchen.pizzas().filter(|p| p.state == PizzaState::Queued).map(|p| p.recipe.clone());
        let recipes = kitchen.recipes().map(|r| (r.id.clone(), r.clone()));
        Self {
            queued: queued.collect(),
            recipes: recipes.collect(),
            line: kitchen.line(),
            present_rate: kitchen.present_rate(now),
        }
    }

    fn pizzas(&self) -> Vec<Recipe> {
        self.queued.iter().filter_map(|id| self.recipes.get(id)).cloned().collect()
    }

    /// What the line makes and could make.
    pub fn rate(&self) -> Option<RateView> {
        let mut mix: Mix = self.queued.iter().filter_map(|id| self.recipes.get(id)).collect();
        if mix.pizzas() == 0 {
            mix = self.recipes.values().collect();
        }
        let limit = steady_rate(&mix, self.line)?;
        let per_hour = |milli: u64| milli as f64 / 1_000.0;
        Some(RateView {
            pizzas_per_hour: per_hour(self.present_rate),
            limit_per_hour: per_hour(limit.milli_per_hour),
            efficiency_percent: (self.present_rate * 1_000 / limit.milli_per_hour) as f64 / 10.0,
            bottleneck: limit.bottleneck.as_str(),
            one_more_gives_percent: limit.gain_permille as f64 / 10.0,
        })
    }

    /// The limit for them.
    pub fn limit(&self) -> Option<LimitView> {
        let pizzas = self.pizzas();
        let (lower_bound_ms, by) = lower_bound(&pizzas, self.line)?;
        Some(LimitView { queued_pizzas: pizzas.len(), lower_bound_ms, bounded_by: by.as_str() })
    }
}

impl KitchenView {
    /// The kitchen now, without its limit.
    pub fn of(name: &str, kitchen: &Kitchen, now: Millis) -> Self {
        let (meta, status) = (kitchen.meta(), kitchen.status());
        let up_of = |c: Capacity| UpOf { up: c.up, of: c.of };
        let mut pizzas = BTreeMap::new();
        for pizza in kitchen.pizzas() {
            *pizzas.entry(word(&pizza.state)).or_insert(0) += 1;
        }
        Self {
            kitchen: name.to_owned(),
            status: status.text(),
            state: word(&status.state),
            capacity: CapacityView {
                prep: up_of(status.prep),
                bake: up_of(status.bake),
                finish: up_of(status.finish),
                inspect: up_of(status.inspect),
            },
            draining: meta.draining,
            held_zones: meta.held_zones.iter().cloned().collect(),
            in_charge: kitchen.in_charge().map(|c| InChargeView {
                node: c.node,
                epoch: c.epoch.0,
                since_ms: until(now, c.since),
            }),
            open_orders: kitchen.orders().count(),
            open_pizzas: meta.open_pizzas,
            pizzas,
            limit: None,
            rate: None,
            open_incidents: kitchen.incidents().filter(|i| i.answer.is_none()).count(),
            instructions_open: kitchen.outbox().count(),
            feed_waiting: kitchen.feed().count(),
            backend: meta.backend.known.then(|| BackendView {
                lease_left_ms: meta.backend.lease_until.saturating_sub(now),
                configuration: meta.backend.configuration.version,
                configuration_refused: meta.backend.configuration.refused.clone(),
                outcomes_dropped: meta.backend.dropped,
            }),
            last_entry_at: rfc3339(meta.wall),
        }
    }
}

/// Counts since the kitchen was founded.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct StatisticsView {
    /// Orders that are open.
    pub orders_open: usize,
    /// Orders by their end.
    pub orders_ended: EndedView,
    /// Ready orders that were ready when promised, and those that were not.
    pub promises: PromisesView,
    /// Pizzas packed.
    pub pizzas_packed: u64,
    /// Pizzas discarded.
    pub pizzas_discarded: u64,
    /// Pizzas not yet packed.
    pub pizzas_open: u32,
    /// Incidents raised.
    pub incidents_raised: u64,
    /// Devices that failed too often, on record.
    pub escalations: usize,
    /// Steps that succeeded, over all devices.
    pub steps_succeeded: u64,
    /// Failures, over all devices.
    pub steps_failed: u64,
    /// Outcomes for the backend, ever.
    pub feed_outcomes: u64,
}

/// How often promises were kept.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct PromisesView {
    /// Ready when promised.
    pub kept: u64,
    /// Ready later.
    pub broken: u64,
}

/// Orders by their end.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct EndedView {
    /// All packed, collected or not.
    pub ready: u64,
    /// Taken back.
    pub cancelled: u64,
    /// Could not be made.
    pub failed: u64,
    /// Given back to the backend.
    pub returned: u64,
}

impl StatisticsView {
    /// The counts of this kitchen.
    pub fn of(kitchen: &Kitchen) -> Self {
        let meta = kitchen.meta();
        let [ready, cancelled, failed, returned] = meta.ended;
        Self {
            orders_open: kitchen.orders().count(),
            orders_ended: EndedView { ready, cancelled, failed, returned },
            promises: PromisesView { kept: meta.promises[0], broken: meta.promises[1] },
            pizzas_packed: meta.packed,
            pizzas_discarded: meta.discarded,
            pizzas_open: meta.open_pizzas,
            incidents_raised: meta.incidents,
            escalations: kitchen.escalations().count(),
            steps_succeeded: kitchen.devices().map(|d| d.successes_total).sum(),
            steps_failed: kitchen.devices().map(|d| d.failures_total).sum(),
            feed_outcomes: meta.feed_last,
        }
    }
}
