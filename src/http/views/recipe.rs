//! Recipes and settings, as they are read and written. Both are replaced whole: read, change, put.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::openapi::{ObjectBuilder, RefOr, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::kitchen::recipe::{Gates, NMinusOne, Settings};
use crate::kitchen::{DeviceId, Gate, Millis, Recipe, RecipeId};
use crate::protocol::Id;

use super::words::NMinusOneWord;

/// A recipe as it is read.
#[derive(Clone, Debug, Serialize)]
pub struct RecipeView {
    /// Name, as orders use it.
    pub id: String,
    /// Grows with every change.
    pub version: u32,
    /// The rest.
    #[serde(flatten)]
    pub body: RecipeBody,
}

/// A recipe as it is written; its name is in the path.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RecipeBody {
    /// For people.
    #[schema(max_length = 200)]
    pub title: String,
    /// From dough to topping on a before-oven robot.
    #[schema(value_type = u64, minimum = 1, maximum = 14_400_000)]
    pub prep_ms: Millis,
    /// Into the oven, or out of it.
    #[schema(value_type = u64, minimum = 1, maximum = 14_400_000)]
    pub transfer_ms: Millis,
    /// In the oven.
    #[schema(value_type = u64, minimum = 1, maximum = 14_400_000)]
    pub bake_ms: Millis,
    /// How long a baked pizza may stay in the oven before it burns.
    #[schema(value_type = u64, minimum = 1, maximum = 14_400_000)]
    pub window_ms: Millis,
    /// How long a prepared pizza may wait before its dough is stale.
    #[schema(value_type = u64, minimum = 1, maximum = 14_400_000)]
    pub stale_ms: Millis,
    /// Slice and pack.
    #[schema(value_type = u64, minimum = 1, maximum = 14_400_000)]
    pub finish_ms: Millis,
    /// Name of the oven's program.
    #[schema(max_length = 100)]
    pub oven_program: String,
    /// Which steps a camera judges.
    #[serde(default)]
    pub gates: GatesBody,
}

/// Which steps wait for a verdict.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GatesBody {
    /// After the preparation.
    pub prep: GateBody,
    /// After the oven.
    pub bake: GateBody,
    /// After packing.
    pub finish: GateBody,
}

/// What a step does with cameras.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GateBody {
    /// No camera judges the step.
    #[default]
    None,
    /// Without a verdict the pizza goes on, marked unverified.
    Wanted,
    /// Without a verdict a person decides.
    Required,
}

/// By hand: what is flattened into it refuses unknown fields when it is written, and `id` and `version` are none of its own.
impl PartialSchema for RecipeView {
    fn schema() -> RefOr<Schema> {
        let RefOr::T(Schema::Object(body)) = RecipeBody::schema() else { unreachable!("a struct with named fields") };
        let body = ObjectBuilder::from(body).additional_properties(None::<RefOr<Schema>>);
        let body = body.property("id", Id::schema()).required("id");
        let version = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0));
        let body = body.property("version", version.description(Some("Grows with every change."))).required("version");
        body.description(Some("A recipe as it is read.")).into()
    }
}

impl ToSchema for RecipeView {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("RecipeView")
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        RecipeBody::schemas(schemas);
    }
}

impl RecipeView {
    /// A recipe of the menu.
    pub fn of(recipe: &Recipe) -> Self {
        Self { id: recipe.id.to_string(), version: recipe.version, body: RecipeBody::of(recipe) }
    }
}

impl RecipeBody {
    /// What can be written back.
    pub fn of(recipe: &Recipe) -> Self {
        let gates = recipe.gates;
        Self {
            title: recipe.title.clone(),
            prep_ms: recipe.prep_ms,
            transfer_ms: recipe.transfer_ms,
            bake_ms: recipe.bake_ms,
            window_ms: recipe.window_ms,
            stale_ms: recipe.stale_ms,
            finish_ms: recipe.finish_ms,
            oven_program: recipe.oven_program.clone(),
            gates: GatesBody { prep: gates.prep.into(), bake: gates.bake.into(), finish: gates.finish.into() },
        }
    }

    /// The recipe under this name.
    pub fn named(self, id: RecipeId) -> Recipe {
        let gates = self.gates;
        Recipe {
            id,
            version: 0,
            title: self.title,
            prep_ms: self.prep_ms,
            transfer_ms: self.transfer_ms,
            bake_ms: self.bake_ms,
            window_ms: self.window_ms,
            stale_ms: self.stale_ms,
            finish_ms: self.finish_ms,
            oven_program: self.oven_program,
            gates: Gates { prep: gates.prep.into(), bake: gates.bake.into(), finish: gates.finish.into() },
        }
    }
}

impl From<Gate> for GateBody {
    fn from(gate: Gate) -> Self {
        match gate {
            Gate::None => Self::None,
            Gate::Wanted => Self::Wanted,
            Gate::Required => Self::Required,
        }
    }
}

impl From<GateBody> for Gate {
    fn from(gate: GateBody) -> Self {
        match gate {
            GateBody::None => Self::None,
            GateBody::Wanted => Self::Wanted,
            GateBody::Required => Self::Required,
        }
    }
}

/// Of the settings: a shelf's name leads to how many slots it has.
fn shelves() -> Schema {
    let slots = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1)).maximum(Some(16));
    let shelves = ObjectBuilder::new().property_names(Some(Id::schema())).additional_properties(Some(slots));
    let what = "Shelves on which after-oven robots put a pizza down, and how many slots each has: at most 8.";
    shelves.max_properties(Some(8)).description(Some(what)).into()
}

macro_rules! settings {
    ($($(#[$about:meta])* $name:ident: $type:ty,)*) => {
        /// The site's settings. All fields are written at once: a missing one is refused, not reset.
        #[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
        #[serde(deny_unknown_fields)]
        pub struct SettingsBody { $($(#[$about])* pub $name: $type,)* }

        impl From<&Settings> for SettingsBody {
            fn from(settings: &Settings) -> Self {
                Self { $($name: settings.$name.clone(),)* }
            }
        }

        impl From<SettingsBody> for Settings {
            fn from(body: SettingsBody) -> Self {
                Self { $($name: body.$name,)* }
            }
        }
    };
}

settings! {
    /// Adopt a device that announces itself at once; otherwise an operator says yes.
    adopt_at_once: bool,
    /// So many failures within `failure_window_ms` put a device into quarantine and reach the backend.
    #[schema(minimum = 1, maximum = 1_000)]
    failures_max: u32,
    /// See `failures_max`.
    #[schema(value_type = u64, minimum = 1, maximum = 14_400_000)]
    failure_window_ms: Millis,
    /// The first quarantine; each further one lasts twice as long.
    #[schema(value_type = u64, minimum = 1, maximum = 14_400_000)]
    quarantine_ms: Millis,
    /// How long a kitchen that is out of order keeps the backend's orders that are not begun.
    #[schema(value_type = u64, minimum = 1, maximum = 14_400_000)]
    return_after_ms: Millis,
    /// How many orders that ended are kept: 100 or more; 0 keeps all. Needs rules 2.
    archive_orders_max: u32,
    /// How many food-safety records are kept: 100 or more; 0 keeps all. Needs rules 2.
    food_safety_records_max: u32,
    /// How long a start lease holds.
    #[schema(value_type = u64, minimum = 1, maximum = 60_000)]
    lease_ms: Millis,
    /// How long after its last lease a task with `after` may still start.
    #[schema(value_type = u64, minimum = 1, maximum = 600_000)]
    orphan_ms: Millis,
    /// The largest election timeout of the replicas.
    #[schema(value_type = u64, minimum = 1, maximum = 60_000)]
    election_max_ms: Millis,
    /// How long an instruction may wait on its device before it expires.
    #[schema(value_type = u64, minimum = 1, maximum = 600_000)]
    start_within_ms: Millis,
    /// How long past its watchdog a device may be silent about a task.
    #[schema(value_type = u64, minimum = 1, maximum = 600_000)]
    stuck_grace_ms: Millis,
    /// How long a step waits for a camera that gives no verdict.
    #[schema(value_type = u64, minimum = 1, maximum = 600_000)]
    verdict_wait_ms: Millis,
    /// How long a person has for a pizza whose place is uncertain.
    #[schema(value_type = u64, minimum = 1, maximum = 14_400_000)]
    uncertain_ms: Millis,
    /// What must still hold if any one after-oven robot is lost: off, shelf or strict.
    #[schema(value_type = NMinusOneWord)]
    n_minus_one: NMinusOne,
    /// Shelves on which after-oven robots put a pizza down, and how many slots each has: at most 8, of 1 to 16 slots.
    #[schema(schema_with = shelves)]
    shelves: BTreeMap<DeviceId, u8>,
    /// A pizza may be overtaken by pizzas that are promised up to so much later.
    #[schema(value_type = u64, minimum = 1, maximum = 86_400_000)]
    overtake_ms: Millis,
    /// The promise of an order that names none.
    #[schema(value_type = u64, minimum = 1, maximum = 86_400_000)]
    promise_ms: Millis,
    /// An order that could only be ready so long after its promise is refused.
    #[schema(value_type = u64, minimum = 1, maximum = 2_592_000_000_u64)]
    admit_late_ms: Millis,
    /// How many pizzas one order may have.
    #[schema(minimum = 1, maximum = 1_000)]
    pizzas_per_order_max: u32,
    /// How many pizzas may be open at once.
    #[schema(minimum = 1, maximum = 1_000_000)]
    open_pizzas_max: u32,
    /// How often one item is made before a person decides.
    #[schema(minimum = 1, maximum = 1_000)]
    remakes_max: u16,
}
