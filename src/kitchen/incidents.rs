//! Raising incidents, deciding them, and closing those whose question answered itself.

use super::Kitchen;
use super::command::Reply;
use super::event::Event;
use super::ids::{DeviceId, Millis, PizzaId};
use super::incident::{Answer, Decision, Incident, Question};
use super::order::OrderStatus;
use super::pizza::{Place, Spoiled};
use super::refusal::Refusal;
use super::vocabulary::Verdict;

/// How many decided incidents stay in the state.
const DECIDED_MAX: usize = 200;

impl Kitchen {
    pub(super) fn raise_incident(&mut self, question: Question, decides_itself_at: Option<Millis>) -> u64 {
        self.meta.incidents += 1;
        let id = self.meta.incidents;
        self.event(Event::IncidentRaised { incident: id, question: question.text() });
        let incident = Incident {
            id,
            question,
            raised_at: self.meta.now,
            raised_wall: self.meta.wall,
            decides_itself_at,
            answer: None,
        };
        self.incidents.insert(id, incident);
        id
    }

    /// Raises a question unless it is open already.
    pub(super) fn raise_once(&mut self, question: Question) {
        if !self.incidents.values().any(|i| i.answer.is_none() && i.question == question) {
            self.raise_incident(question, None);
        }
    }

    /// Something lies on a lane: a person clears it, and nothing is put there meanwhile.
    pub(super) fn ask_to_clear(&mut self, place: Place) {
        let incident = self.raise_incident(Question::ClearLane { place: place.clone() }, None);
        if let Some(lane) = self.devices.get_mut(&place.device).and_then(|d| d.lanes.get_mut(&place.lane)) {
            lane.blocked = Some(incident);
        }
    }

    /// A lane that was to be cleared and is empty now needs nobody's word.
    pub(super) fn close_cleared_lanes(&mut self, id: &DeviceId) {
        let Some(device) = self.devices.get(id) else { return };
        let cleared: Vec<(u8, u64)> = device
            .lanes
            .iter()
            .filter(|(_, l)| l.content.is_none())
            .filter_map(|(n, l)| l.blocked.map(|incident| (*n, incident)))
            .collect();
        for (lane, incident) in cleared {
            self.unblock(&Place { device: id.clone(), lane });
            self.close_incident(incident, "the device says that the lane is empty", "", "");
        }
    }

    fn unblock(&mut self, place: &Place) {
        if let Some(lane) = self.devices.get_mut(&place.device).and_then(|d| d.lanes.get_mut(&place.lane)) {
            lane.blocked = None;
        }
    }

    pub(super) fn close_incidents_about(&mut self, id: PizzaId, why: &str) {
        let about = |q: &Question| match q {
            Question::WhereIsPizza { pizza }
            | Question::JudgePizza { pizza, .. }
            | Question::ItemFails { pizza, .. } => *pizza == id,
            Question::ClearLane { .. }
            | Question::TwinDevices { .. }
            | Question::ObeysAnotherController { .. }
            | Question::EmergencyStop { .. }
            | Question::RemoveFromCounter { .. } => false,
        };
        let open: Vec<u64> =
            self.incidents.values().filter(|i| i.answer.is_none() && about(&i.question)).map(|i| i.id).collect();
        for incident in open {
            self.close_incident(incident, why, "", "");
        }
    }

    pub(super) fn close_incident(&mut self, id: u64, decision: &str, actor: &str, reason: &str) {
        let at = self.meta.now;
        let Some(incident) = self.incidents.get_mut(&id).filter(|i| i.answer.is_none()) else { return };
        incident.answer =
            Some(Answer { decision: decision.to_owned(), actor: actor.to_owned(), reason: reason.to_owned(), at });
        self.event(Event::IncidentClosed { incident: id, answer: decision.to_owned() });
        let decided: Vec<u64> = self.incidents.values().filter(|i| i.answer.is_some()).map(|i| i.id).collect();
        let surplus = decided.len().saturating_sub(DECIDED_MAX);
        for old in decided.into_iter().take(surplus) {
            self.incidents.remove(&old);
        }
    }

    /// A person's word, on record with actor and reason.
    pub(super) fn decide_incident(
        &mut self,
        id: u64,
        decision: &Decision,
        actor: &str,
        reason: &str,
    ) -> Result<Reply, Refusal> {
        let open = self.incidents.get(&id).filter(|i| i.answer.is_none());
        let Some(question) = open.map(|i| i.question.clone()) else {
            return Err(Refusal::UnknownIncident { incident: id });
        };
        self.check_decision(&question, decision)?;
        let cut = |text: &str| text.chars().take(200).collect::<String>();
        // On record first: what follows from it may close questions about the same pizza.
        self.close_incident(id, &format!("{decision:?}"), &cut(actor), &cut(reason));
        self.follow_decision(&question, decision);
        Ok(Reply::Done)
    }

    /// Whether a decision answers a question, as things are.
    fn check_decision(&self, question: &Question, decision: &Decision) -> Result<(), Refusal> {
        match (question, decision) {
            (Question::WhereIsPizza { .. }, Decision::OnDevice { place }) => {
                if self.lane(place).is_none() {
                    return Err(Refusal::UnknownDevice { device: place.device.clone() });
                }
            }
            (Question::EmergencyStop { zone, .. }, Decision::Resolved) => {
                let pressed = self.devices.values().find(|d| d.estop && d.facts.zone == *zone);
                if let Some(device) = pressed.map(|d| &d.id) {
                    let what = format!("{device} still reports an emergency stop: reset it by hand first");
                    return Err(Refusal::Invalid { what });
                }
            }
            (Question::WhereIsPizza { .. }, Decision::PizzaGone)
            | (Question::ClearLane { .. }, Decision::LaneClear)
            | (Question::JudgePizza { .. }, Decision::Good | Decision::Bad)
            | (Question::ItemFails { .. }, Decision::Retry | Decision::GiveUp)
            | (
                Question::TwinDevices { .. }
                | Question::ObeysAnotherController { .. }
                | Question::RemoveFromCounter { .. },
                Decision::Resolved,
            ) => {}
            (question, _) => return Err(Refusal::Invalid { what: question.text() }),
        }
        Ok(())
    }

    fn follow_decision(&mut self, question: &Question, decision: &Decision) {
        match (question, decision) {
            (Question::WhereIsPizza { pizza }, Decision::PizzaGone) => self.discard(*pizza, Spoiled::Lost, true),
            (Question::WhereIsPizza { pizza }, Decision::OnDevice { place }) => self.person_found(*pizza, place),
            (Question::ClearLane { place }, Decision::LaneClear) => self.person_cleared(place),
            (Question::JudgePizza { pizza, job }, Decision::Good) => {
                self.record_verdict(*pizza, *job, Some(Verdict::Pass))
            }
            (Question::JudgePizza { pizza, job }, Decision::Bad) => {
                self.record_verdict(*pizza, *job, Some(Verdict::Fail))
            }
            (Question::ItemFails { pizza, .. }, Decision::Retry) => self.retry_item(*pizza),
            (Question::ItemFails { order, .. }, Decision::GiveUp) => self.fail_order(&order.clone()),
            (Question::TwinDevices { device }, Decision::Resolved) => self.end_quarantine(device),
            (Question::EmergencyStop { zone, .. }, Decision::Resolved) => {
                self.meta.held_zones.remove(zone);
            }
            // Checked before: nothing follows from the others.
            _ => {}
        }
    }

    /// The pizza is there. A robot that knows of it goes on with it; in an oven that does not bake it, and on a robot that
    /// does not know what it holds, it is of no use.
    fn person_found(&mut self, pizza: PizzaId, place: &Place) {
        let oven = self.devices.get(&place.device).is_some_and(|d| d.facts.can(super::Action::Bake));
        if !oven && self.holds(place, pizza) {
            self.found(pizza, place.clone());
        }
        if self.pizzas.get(&pizza).is_some_and(|p| p.state == super::PizzaState::Uncertain) {
            self.discard(pizza, if oven { Spoiled::BakeFailed } else { Spoiled::Lost }, true);
        }
    }

    fn person_cleared(&mut self, place: &Place) {
        self.unblock(place);
        if let Some(lane) = self.devices.get_mut(&place.device).and_then(|d| d.lanes.get_mut(&place.lane)) {
            lane.content = None;
        }
    }

    fn retry_item(&mut self, id: PizzaId) {
        let Some(pizza) = self.pizzas.get_mut(&id) else { return };
        pizza.parked = None;
        pizza.failed_on.clear();
        let pizza = pizza.clone();
        self.index_pizza(&pizza);
    }

    fn fail_order(&mut self, order: &super::OrderId) {
        let Some(pizzas) = self.orders.get(order).map(|o| o.pizzas.clone()) else { return };
        for pizza in pizzas {
            if self.pizzas.get(&pizza).is_some_and(|p| p.state != super::PizzaState::Packed) {
                self.discard(pizza, Spoiled::Cancelled, false);
            }
        }
        self.end_order(order, OrderStatus::Failed, Some("it fails on different devices".to_owned()));
    }

    /// A question that nobody answered in time answers itself the safe way.
    pub(super) fn answer_by_itself(&mut self, id: u64) {
        let Some(question) = self.incidents.get(&id).map(|i| i.question.clone()) else { return };
        self.close_incident(id, "nobody answered in time", "", "");
        if let Question::WhereIsPizza { pizza } = question {
            self.discard(pizza, Spoiled::Lost, true);
        }
    }
}
