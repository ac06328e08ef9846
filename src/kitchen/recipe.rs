//! Recipes and settings: data that an operator or the backend changes at run time.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::ids::{DeviceId, Millis, RecipeId};
use super::is_zero;
use super::refusal::Refusal;
use super::rules::Rules;

/// The longest span that a recipe may name: four hours, in milliseconds.
pub const SPAN_MS_MAX: Millis = 4 * 3_600_000;

/// How one kind of pizza is made. All spans in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Name, as orders use it.
    pub id: RecipeId,
    /// Grows with every change; set by the kitchen.
    #[serde(default)]
    pub version: u32,
    /// For people.
    pub title: String,
    /// From dough to topping on a before-oven robot.
    pub prep_ms: Millis,
    /// Into the oven, or out of it.
    pub transfer_ms: Millis,
    /// In the oven.
    pub bake_ms: Millis,
    /// How long a baked pizza may stay in the oven before it burns.
    pub window_ms: Millis,
    /// How long a prepared pizza may wait before its dough is stale.
    pub stale_ms: Millis,
    /// Slice and pack on an after-oven robot.
    pub finish_ms: Millis,
    /// Name of the oven's program.
    pub oven_program: String,
    /// Which steps a camera judges.
    #[serde(default)]
    pub gates: Gates,
}

/// Which steps wait for a verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gates {
    /// After the preparation, before the oven.
    #[serde(default)]
    pub prep: Gate,
    /// After the oven, before slicing.
    #[serde(default)]
    pub bake: Gate,
    /// After packing.
    #[serde(default)]
    pub finish: Gate,
}

/// What a step does with cameras.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gate {
    /// No camera judges the step.
    #[default]
    None,
    /// A camera judges it; without a verdict the pizza goes on, marked unverified.
    Wanted,
    /// A camera judges it; without a verdict a person decides.
    Required,
}

impl Recipe {
    /// The same recipe, `factor` times as fast: device work and food deadlines shrink, nothing else does.
    pub fn sped_up(&self, factor: u64) -> Self {
        let scale = |ms: Millis| (ms / factor.max(1)).max(1);
        Self {
            prep_ms: scale(self.prep_ms),
            transfer_ms: scale(self.transfer_ms),
            bake_ms: scale(self.bake_ms),
            window_ms: scale(self.window_ms),
            stale_ms: scale(self.stale_ms),
            finish_ms: scale(self.finish_ms),
            ..self.clone()
        }
    }

    /// Everything that remains once the pizza is begun, without waiting.
    pub fn work_ms(&self) -> Millis {
        self.prep_ms + 2 * self.transfer_ms + self.bake_ms + self.finish_ms
    }

    /// Whether a kitchen can cook by it.
    pub fn check(&self) -> Result<(), Refusal> {
        let spans = [
            ("prep_ms", self.prep_ms),
            ("transfer_ms", self.transfer_ms),
            ("bake_ms", self.bake_ms),
            ("window_ms", self.window_ms),
            ("stale_ms", self.stale_ms),
            ("finish_ms", self.finish_ms),
        ];
        for (name, span) in spans {
            if span == 0 || span > SPAN_MS_MAX {
                let what = format!("{name} of recipe {} is {span}: use 1 to {SPAN_MS_MAX} ms", self.id);
                return Err(Refusal::Invalid { what });
            }
        }
        if self.title.len() > 200 || self.oven_program.len() > 100 {
            let what =
                format!("title or oven_program of recipe {} is too long: use at most 200 and 100 bytes", self.id);
            return Err(Refusal::Invalid { what });
        }
        Ok(())
    }
}

/// The menu that a new kitchen starts with. Times of a real line: a wood-oven style pizza in four to seven minutes.
pub fn built_in_menu() -> Vec<Recipe> {
    let recipe = |id: &str, title: &str, prep_s: u64, bake_s: u64, finish_s: u64| Recipe {
        id: id.parse().expect("the menu's ids are ids"),
        version: 0,
        title: title.to_owned(),
        prep_ms: prep_s * 1_000,
        transfer_ms: 8_000,
        bake_ms: bake_s * 1_000,
        window_ms: 60_000,
        stale_ms: 900_000,
        finish_ms: finish_s * 1_000,
        oven_program: format!("{id}-320"),
        gates: Gates { prep: Gate::Wanted, bake: Gate::Wanted, finish: Gate::Wanted },
    };
    vec![
        recipe("margherita", "Margherita", 45, 150, 30),
        recipe("marinara", "Marinara", 45, 150, 30),
        recipe("funghi", "Funghi", 60, 180, 35),
        recipe("diavola", "Diavola", 70, 200, 40),
        recipe("quattro-formaggi", "Quattro formaggi", 90, 240, 45),
    ]
}

/// What is kept in hand for the loss of an after-oven robot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NMinusOne {
    /// Nothing: ovens are filled as long as every pizza has its exit.
    Off,
    /// What is in the ovens can leave them in time without any one robot, onto a shelf if need be.
    Shelf,
    /// What is in the ovens can leave them in time without any one robot, and be finished.
    #[default]
    Strict,
}

/// What a site decides about its kitchen. Spans in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Adopt a device that announces itself at once; otherwise an operator says yes.
    pub adopt_at_once: bool,
    /// So many failures within `failure_window_ms` put a device into quarantine and reach the backend.
    pub failures_max: u32,
    /// See `failures_max`.
    pub failure_window_ms: Millis,
    /// The first quarantine; each further one lasts twice as long, up to 32 times.
    pub quarantine_ms: Millis,
    /// How long a start lease holds, counted on the device from its heartbeat.
    pub lease_ms: Millis,
    /// How long after its last lease a task with `after` may still start.
    pub orphan_ms: Millis,
    /// The largest election timeout of the replicas: a margin of every proof by time.
    pub election_max_ms: Millis,
    /// How long an instruction may wait on its device before it expires.
    pub start_within_ms: Millis,
    /// How long past its watchdog a device may be silent about a task before it counts as stuck.
    pub stuck_grace_ms: Millis,
    /// How long a step waits for a camera that exists but gives no verdict.
    pub verdict_wait_ms: Millis,
    /// How long a person has for a pizza whose place is uncertain before it is remade.
    pub uncertain_ms: Millis,
    /// What must still hold if any one after-oven robot is lost.
    pub n_minus_one: NMinusOne,
    /// Shelves on which after-oven robots put a pizza down, and how many slots each has.
    pub shelves: BTreeMap<DeviceId, u8>,
    /// A pizza may be overtaken by pizzas that are promised up to so much later, where that leaves the ovens less idle.
    pub overtake_ms: Millis,
    /// The promise of an order that names none.
    pub promise_ms: Millis,
    /// An order that could only be ready so long after its promise is refused.
    pub admit_late_ms: Millis,
    /// How many pizzas one order may have.
    pub pizzas_per_order_max: u32,
    /// How many pizzas may be open at once.
    pub open_pizzas_max: u32,
    /// How often one item is made before a person decides.
    pub remakes_max: u16,
    /// How long a kitchen that is out of order keeps the backend's orders that are not begun.
    pub return_after_ms: Millis,
    /// How many orders that ended are kept; 0 keeps all. Since rules 2.
    #[serde(skip_serializing_if = "is_zero")]
    pub archive_orders_max: u32,
    /// How many food-safety records are kept; 0 keeps all. Since rules 2.
    #[serde(skip_serializing_if = "is_zero")]
    pub food_safety_records_max: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            adopt_at_once: true,
            failures_max: 3,
            failure_window_ms: 600_000,
            quarantine_ms: 60_000,
            lease_ms: 3_000,
            orphan_ms: 10_000,
            election_max_ms: 300,
            start_within_ms: 10_000,
            stuck_grace_ms: 5_000,
            verdict_wait_ms: 10_000,
            uncertain_ms: 30_000,
            n_minus_one: NMinusOne::Strict,
            shelves: BTreeMap::new(),
            overtake_ms: 300_000,
            promise_ms: 1_800_000,
            admit_late_ms: 14_400_000,
            pizzas_per_order_max: 100,
            open_pizzas_max: 20_000,
            remakes_max: 10,
            return_after_ms: 10_000,
            archive_orders_max: 0,
            food_safety_records_max: 0,
        }
    }
}

/// Less than so many orders or records are not kept: whoever ordered must find his order for a while.
pub const KEPT_MIN: u32 = 100;

impl Settings {
    /// The rules that first have all of these.
    pub fn since(&self) -> Rules {
        let keeps_all = self.archive_orders_max == 0 && self.food_safety_records_max == 0;
        if keeps_all { Rules::FIRST } else { Rules::RETENTION }
    }

    /// These, without what needs newer rules.
    pub fn under(&self, rules: Rules) -> Self {
        if self.since() <= rules {
            return self.clone();
        }
        Self { archive_orders_max: 0, food_safety_records_max: 0, ..self.clone() }
    }

    /// Whether a kitchen can run by these.
    pub fn check(&self) -> Result<(), Refusal> {
        let counts = [
            ("failures_max", u64::from(self.failures_max), 1_000),
            ("failure_window_ms", self.failure_window_ms, SPAN_MS_MAX),
            ("quarantine_ms", self.quarantine_ms, SPAN_MS_MAX),
            ("lease_ms", self.lease_ms, 60_000),
            ("orphan_ms", self.orphan_ms, 600_000),
            ("election_max_ms", self.election_max_ms, 60_000),
            ("start_within_ms", self.start_within_ms, 600_000),
            ("stuck_grace_ms", self.stuck_grace_ms, 600_000),
            ("verdict_wait_ms", self.verdict_wait_ms, 600_000),
            ("uncertain_ms", self.uncertain_ms, SPAN_MS_MAX),
            ("overtake_ms", self.overtake_ms, 24 * 3_600_000),
            ("promise_ms", self.promise_ms, 24 * 3_600_000),
            ("admit_late_ms", self.admit_late_ms, 30 * 24 * 3_600_000),
            ("pizzas_per_order_max", u64::from(self.pizzas_per_order_max), 1_000),
            ("open_pizzas_max", u64::from(self.open_pizzas_max), 1_000_000),
            ("return_after_ms", self.return_after_ms, SPAN_MS_MAX),
            ("remakes_max", u64::from(self.remakes_max), 1_000),
        ];
        if self.shelves.len() > 8 || self.shelves.values().any(|slots| !(1..=16).contains(slots)) {
            let what = "shelves are at most 8, of 1 to 16 slots each".to_owned();
            return Err(Refusal::Invalid { what });
        }
        let kept = [
            ("archive_orders_max", self.archive_orders_max),
            ("food_safety_records_max", self.food_safety_records_max),
        ];
        for (name, value) in kept {
            if (1..KEPT_MIN).contains(&value) {
                let what = format!("setting {name} is {value}: use {KEPT_MIN} or more, or 0 to keep all");
                return Err(Refusal::Invalid { what });
            }
        }
        for (name, value, max) in counts {
            if value == 0 || value > max {
                return Err(Refusal::Invalid { what: format!("setting {name} is {value}: use 1 to {max}") });
            }
        }
        Ok(())
    }
}
