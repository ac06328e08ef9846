//! Questions to people, and what they may answer.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::kitchen::incident::{Incident, Question};
use crate::kitchen::{Decision, DeviceId, Escalation, Lane, Millis, Place};
use crate::protocol::Id;

use super::time::{rfc3339, until};
use super::words::QuestionWord;

/// A question.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct IncidentView {
    /// Its number.
    pub id: u64,
    /// where_is_pizza, clear_lane, judge_pizza, item_fails, twin_devices, obeys_another_controller, emergency_stop, remove_from_counter.
    #[schema(value_type = QuestionWord)]
    pub kind: &'static str,
    /// The question in words, with the decisions that answer it.
    pub question: String,
    /// The decisions that answer it.
    #[schema(value_type = Vec<DecisionWord>)]
    pub decisions: &'static [&'static str],
    /// The pizza concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pizza: Option<String>,
    /// The order concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<String>,
    /// The device concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// The lane concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u8>)]
    pub lane: Option<Lane>,
    /// When it was raised.
    pub raised_at: String,
    /// For how long it has been open, or was raised ago.
    pub raised_ago_ms: i64,
    /// How long until it answers itself the safe way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decides_itself_in_ms: Option<i64>,
    /// True while nobody answered.
    pub open: bool,
    /// The answer.
    pub answer: Option<AnswerView>,
}

/// Who decided what.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AnswerView {
    /// The decision, or what made the question go away.
    pub decision: String,
    /// Who; empty when it answered itself.
    pub actor: String,
    /// Why.
    pub reason: String,
}

impl IncidentView {
    /// An incident of the state.
    pub fn of(incident: &Incident, now: Millis) -> Self {
        let (kind, decisions) = kind(&incident.question);
        let mut view = Self {
            id: incident.id,
            kind,
            question: incident.question.text(),
            decisions,
            pizza: None,
            order: None,
            device: None,
            lane: None,
            raised_at: rfc3339(incident.raised_wall),
            raised_ago_ms: until(now, incident.raised_at),
            decides_itself_in_ms: incident.decides_itself_at.map(|at| until(at, now)),
            open: incident.answer.is_none(),
            answer: incident.answer.as_ref().map(|a| AnswerView {
                decision: a.decision.clone(),
                actor: a.actor.clone(),
                reason: a.reason.clone(),
            }),
        };
        view.name_what_is_concerned(&incident.question);
        view
    }

    fn name_what_is_concerned(&mut self, question: &Question) {
        match question {
            Question::WhereIsPizza { pizza }
            | Question::JudgePizza { pizza, .. }
            | Question::RemoveFromCounter { pizza } => self.pizza = Some(pizza.to_string()),
            Question::ItemFails { order, pizza, .. } => {
                (self.pizza, self.order) = (Some(pizza.to_string()), Some(order.to_string()));
            }
            Question::ClearLane { place } => {
                (self.device, self.lane) = (Some(place.device.to_string()), Some(place.lane));
            }
            Question::TwinDevices { device }
            | Question::ObeysAnotherController { device, .. }
            | Question::EmergencyStop { device, .. } => self.device = Some(device.to_string()),
        }
    }
}

fn kind(question: &Question) -> (&'static str, &'static [&'static str]) {
    match question {
        Question::WhereIsPizza { .. } => ("where_is_pizza", &["pizza_gone", "on_device"]),
        Question::ClearLane { .. } => ("clear_lane", &["lane_clear"]),
        Question::JudgePizza { .. } => ("judge_pizza", &["good", "bad"]),
        Question::ItemFails { .. } => ("item_fails", &["retry", "give_up"]),
        Question::TwinDevices { .. } => ("twin_devices", &["resolved"]),
        Question::ObeysAnotherController { .. } => ("obeys_another_controller", &["resolved"]),
        Question::EmergencyStop { .. } => ("emergency_stop", &["resolved"]),
        Question::RemoveFromCounter { .. } => ("remove_from_counter", &["resolved"]),
    }
}

/// What a person says.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[schema(examples(json!({ "decision": "lane_clear", "actor": "ann", "reason": "wiped it" })))]
#[serde(deny_unknown_fields)]
pub struct DecisionBody {
    /// What is decided.
    pub decision: DecisionWord,
    /// For `on_device`: where it is.
    #[serde(default)]
    pub place: Option<PlaceBody>,
    /// Who decides.
    #[schema(min_length = 1, max_length = 100, pattern = r"\S")]
    pub actor: String,
    /// Why.
    #[schema(min_length = 1, max_length = 200, pattern = r"\S")]
    pub reason: String,
}

/// The decisions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DecisionWord {
    /// The pizza is gone: remake it.
    PizzaGone,
    /// The pizza is on this lane, and good.
    OnDevice,
    /// Nothing lies on the lane any more.
    LaneClear,
    /// The pizza is good.
    Good,
    /// The pizza is bad.
    Bad,
    /// Try again.
    Retry,
    /// The order fails.
    GiveUp,
    /// What was asked for is done.
    Resolved,
}

/// A lane of a device.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlaceBody {
    /// The device.
    #[schema(value_type = Id)]
    pub device: DeviceId,
    /// Its lane.
    #[schema(value_type = u8, maximum = 255)]
    pub lane: Lane,
}

impl DecisionBody {
    /// The kitchen's decision; None when a place is missing or given in vain.
    pub fn decision(&self) -> Option<Decision> {
        let place = self.place.clone().map(|p| Place { device: p.device, lane: p.lane });
        match (self.decision, place) {
            (DecisionWord::OnDevice, Some(place)) => Some(Decision::OnDevice { place }),
            (DecisionWord::OnDevice, None) => None,
            (_, Some(_)) => None,
            (DecisionWord::PizzaGone, None) => Some(Decision::PizzaGone),
            (DecisionWord::LaneClear, None) => Some(Decision::LaneClear),
            (DecisionWord::Good, None) => Some(Decision::Good),
            (DecisionWord::Bad, None) => Some(Decision::Bad),
            (DecisionWord::Retry, None) => Some(Decision::Retry),
            (DecisionWord::GiveUp, None) => Some(Decision::GiveUp),
            (DecisionWord::Resolved, None) => Some(Decision::Resolved),
        }
    }
}

/// A device that failed too often.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EscalationView {
    /// Its number.
    pub id: u64,
    /// Which device.
    pub device: String,
    /// So many failures …
    pub failures: u32,
    /// … within so many milliseconds.
    #[schema(value_type = u64)]
    pub within_ms: Millis,
    /// When.
    pub at: String,
    /// How long ago.
    pub ago_ms: i64,
}

impl EscalationView {
    /// One of the record.
    pub fn of(id: u64, escalation: &Escalation, now: Millis) -> Self {
        Self {
            id,
            device: escalation.device.to_string(),
            failures: escalation.failures,
            within_ms: escalation.within_ms,
            at: rfc3339(escalation.wall),
            ago_ms: until(now, escalation.at),
        }
    }
}
