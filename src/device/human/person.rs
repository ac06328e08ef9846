//! The person as the session sees him: a machine whose motions begin and end when he says so.

use std::sync::Arc;

use super::desk::{Light, Shared};
use super::station::Station;
use super::world::Hands;
use crate::device::firmware::{Device, End, Happening, Status};
use crate::device::session::{Notice, Session};
use crate::protocol::{Attempt, Facts, Fault, Hold, Id, Lane, Level, Millis, Mode, TaskStart, TaskState};

/// So many intervals of heartbeats without an answer, and the light goes out.
const DARK_AFTER: Millis = 3;

/// A person at a tablet.
pub struct Person {
    /// Where he stands.
    pub station: Station,
    /// The part of the kitchen.
    pub zone: Option<Id>,
    /// What he is asked and says.
    pub desk: Arc<Shared>,
    /// His hands in a simulated world, with what they do; none in a real one.
    pub hands: Option<(Hands, Option<TaskStart>)>,
}

impl Device for Person {
    fn facts(&self) -> Facts {
        self.station.facts(self.zone.clone())
    }

    /// Who is not there is a device that a person has taken out of the controller's hands: it counts for nothing until he is back.
    fn status(&mut self, now: Millis) -> Status {
        self.desk.change(|desk| {
            desk.pass_time(now);
            let is_there = desk.presence.is_there;
            let away = !is_there && desk.hands.is_some();
            let detail = desk.hands.as_ref().map_or(String::new(), |pizza| format!("he holds pizza {pizza}"));
            let fault = Fault { code: "PERSON_AWAY".to_owned(), lvl: Level::Urgent, task: None, detail };
            Status {
                mode: if is_there { Mode::Automatic } else { Mode::Manual },
                holds: desk.hands.iter().map(|pizza| Hold { lane: 0, pizza: Some(pizza.clone()) }).collect(),
                errors: if away { vec![fault] } else { Vec::new() },
                begins: Some(desk.begins().to_vec()),
                ..Status::default()
            }
        })
    }

    fn start(&mut self, _now: Millis, task: &TaskStart) {
        if let Some((hands, doing)) = &mut self.hands {
            hands.begin(task);
            *doing = Some(task.clone());
        }
        self.desk.change(|desk| desk.started(task));
    }

    fn stop(&mut self, _now: Millis, attempt: &Attempt) {
        self.desk.change(|desk| desk.stop(attempt));
    }

    fn hold(&mut self, _now: Millis, held: bool) {
        self.desk.change(|desk| desk.is_held = held);
    }

    fn on_overdue(&mut self, _now: Millis, _lane: Lane) {}

    fn poll(&mut self, _now: Millis) -> Vec<Happening> {
        let happened = self.desk.change(|desk| desk.take_happened());
        if let Some((hands, doing)) = &self.hands {
            let did = |order: &&TaskStart| {
                let done = |h: &Happening| matches!(h, Happening::Ended { attempt, end: End::Finished { .. } } if *attempt == order.attempt);
                happened.iter().any(done)
            };
            doing.iter().filter(did).for_each(|order| hands.did(order));
        }
        happened
    }

    fn notice(&mut self, _now: Millis, notice: &Notice) {
        if let Notice::Expired { attempt } = notice {
            self.desk.change(|desk| desk.expired(attempt));
        }
    }

    fn look(&mut self, now: Millis, session: &Session) {
        let mut open: Vec<_> = session.open_tasks().collect();
        // What he does goes before what he will be asked.
        open.sort_by_key(|task| task.state == TaskState::Waiting);
        let patience_ms = DARK_AFTER * session.heartbeat_ms();
        let answered = session.answered_at().is_some_and(|at| now < at.saturating_add(patience_ms));
        let light = match (session.is_connected(), answered) {
            (true, true) => Light::Kitchen,
            (true, false) => Light::Broker,
            (false, _) => Light::Nobody,
        };
        self.desk.change(|desk| {
            desk.shows(open.into_iter().next());
            (desk.light, desk.is_held) = (light, session.is_held());
        });
    }
}
