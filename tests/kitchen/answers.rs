//! A person in the kitchen: answers what is asked, truthfully, and does what the answer says.

use brigade::kitchen::{Command, Decision, PizzaId, Place, Question, Reply};

use crate::line::Line;

impl Line {
    /// A person answers everything that is asked, truthfully, and does what the answer says.
    pub fn answer_all(&mut self) {
        for incident in self.questions() {
            let still_open = self.questions().iter().any(|i| i.id == incident.id);
            if still_open {
                let decision = self.answer_to(&incident.question);
                self.decide(incident.id, decision);
            }
        }
    }

    /// A person's word.
    pub fn decide(&mut self, incident: u64, decision: Decision) -> Reply {
        let (actor, reason) = ("ada".to_owned(), "I looked".to_owned());
        self.request(Command::DecideIncident { incident, decision, actor, reason })
    }

    fn answer_to(&mut self, question: &Question) -> Decision {
        match question {
            Question::WhereIsPizza { pizza } => match self.whereabouts(*pizza) {
                Some(place) => Decision::OnDevice { place },
                None => Decision::PizzaGone,
            },
            Question::ClearLane { place } => {
                self.world.take(place);
                if let Some(device) = self.devices.get_mut(&place.device) {
                    device.forget(place);
                }
                Decision::LaneClear
            }
            Question::JudgePizza { .. } => Decision::Good,
            Question::ItemFails { .. } => Decision::Retry,
            Question::RemoveFromCounter { pizza } => {
                self.world.counter.retain(|p| p != pizza);
                Decision::Resolved
            }
            Question::EmergencyStop { .. } => {
                self.devices.values_mut().for_each(|d| d.estop = false);
                self.tick();
                Decision::Resolved
            }
            Question::TwinDevices { .. } | Question::ObeysAnotherController { .. } => Decision::Resolved,
        }
    }

    /// Where a pizza really is.
    pub fn whereabouts(&self, pizza: PizzaId) -> Option<Place> {
        self.world.lanes.iter().find(|(_, p)| **p == pizza).map(|(place, _)| place.clone())
    }
}
