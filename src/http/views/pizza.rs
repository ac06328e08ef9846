//! One pizza as people follow it.

use serde::Serialize;
use utoipa::ToSchema;

use crate::kitchen::order::DiscardedPizza;
use crate::kitchen::pizza::Judgement;
use crate::kitchen::{Custody, Millis, Order, Pizza, Place};

use super::time::until;
use super::word;
use super::words::{CustodyWord, PizzaStateWord, SpoiledWord, VerdictWord};

/// A pizza.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PizzaView {
    /// Its id: order number, item, generation.
    pub id: String,
    /// Its order.
    pub order: String,
    /// How it is made.
    pub recipe: String,
    /// QUEUED, PREPPING, PREPPED, LOADING, BAKING, BAKED, UNLOADING, UNLOADED, SHELVED, FINISHING, FINISHED, PACKED, UNCERTAIN or DISCARDED.
    #[schema(value_type = PizzaStateWord)]
    pub state: String,
    /// For how long it has been in this state; of an ended order, how long it was.
    pub since_ms: i64,
    /// Who has it: nobody, device, between, counter or unknown.
    #[schema(value_type = CustodyWord)]
    pub custody: &'static str,
    /// The lane that has it, or that it comes from: `robot1/0`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// The lane that it goes to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// The oven slot that is reserved for it, or has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oven: Option<String>,
    /// The robot that will take it out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit: Option<String>,
    /// How long until its bake ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baked_in_ms: Option<i64>,
    /// How long until it burns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub burns_in_ms: Option<i64>,
    /// How long until its dough is stale.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stale_in_ms: Option<i64>,
    /// The inspection that it waits for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<String>,
    /// The incident that a person must decide before it goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incident: Option<u64>,
    /// Why it will not be delivered.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<SpoiledWord>)]
    pub discarded: Option<String>,
    /// Who had it made again, and what was wrong with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub word: Option<WordView>,
    /// What cameras and persons said.
    pub judgements: Vec<JudgementView>,
}

/// A person's word about a pizza.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct WordView {
    /// Who.
    pub actor: String,
    /// Why.
    pub reason: String,
}

/// What a camera or a person said of a step.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct JudgementView {
    /// The inspection.
    pub job: &'static str,
    /// PASS, FAIL or UNSURE; none if nobody judged it.
    #[schema(value_type = Option<VerdictWord>)]
    pub verdict: Option<String>,
}

impl PizzaView {
    /// A pizza of the state, or the last generation of an ended order.
    pub fn of(pizza: &Pizza, now: Millis) -> Self {
        let span = |moment: Option<Millis>| moment.map(|m| until(m, now));
        let (custody, place, to) = custody(&pizza.custody);
        Self {
            id: pizza.id.to_string(),
            order: pizza.order.to_string(),
            recipe: pizza.recipe.to_string(),
            state: word(&pizza.state),
            since_ms: until(now, pizza.since),
            custody,
            place,
            to,
            oven: pizza.oven.as_ref().map(ToString::to_string),
            exit: pizza.exit.as_ref().map(|e| e.device.to_string()),
            baked_in_ms: span(pizza.bake_end),
            burns_in_ms: span(pizza.burn_at),
            stale_in_ms: span(pizza.stale_at),
            waits_for: pizza.gate.as_ref().map(|g| g.job.as_str().to_owned()),
            incident: pizza.parked.or(pizza.incident),
            discarded: None,
            word: None,
            judgements: judgements(&pizza.judgements),
        }
    }

    /// A generation that will not be delivered.
    pub fn discarded(discarded: &DiscardedPizza, order: &Order, now: Millis) -> Self {
        let recipe = order.items.get(usize::from(discarded.pizza.item));
        Self {
            id: discarded.pizza.to_string(),
            order: order.id.to_string(),
            recipe: recipe.map_or(String::new(), ToString::to_string),
            state: "DISCARDED".to_owned(),
            since_ms: until(now, discarded.at),
            custody: "nobody",
            place: None,
            to: None,
            oven: None,
            exit: None,
            baked_in_ms: None,
            burns_in_ms: None,
            stale_in_ms: None,
            waits_for: None,
            incident: None,
            discarded: Some(word(&discarded.reason)),
            word: discarded.word.as_ref().map(|w| WordView { actor: w.actor.clone(), reason: w.reason.clone() }),
            judgements: judgements(&discarded.judgements),
        }
    }
}

fn custody(custody: &Custody) -> (&'static str, Option<String>, Option<String>) {
    let text = |place: &Place| Some(place.to_string());
    match custody {
        Custody::None => ("nobody", None, None),
        Custody::On(place) => ("device", text(place), None),
        Custody::Between(from, to) => ("between", text(from), text(to)),
        Custody::Counter => ("counter", None, None),
        Custody::Unknown => ("unknown", None, None),
    }
}

fn judgements(all: &[Judgement]) -> Vec<JudgementView> {
    all.iter().map(|j| JudgementView { job: j.job.as_str(), verdict: j.verdict.as_ref().map(word) }).collect()
}
