//! Cameras judge steps: a gate opens after a step, and closes with a verdict, with a person's word, or unverified.

use super::device::Device;
use super::event::Event;
use super::ids::PizzaId;
use super::incident::Question;
use super::outbox::Params;
use super::pizza::{Input, Judgement, Pizza, PizzaState, Place, Spoiled};
use super::recipe::{Gate, Recipe};
use super::report::Job;
use super::vocabulary::Verdict;
use super::{Action, Kitchen};

/// So many looks without a clear verdict are enough.
const LOOKS_MAX: u8 = 2;

/// What a recipe wants of an inspection.
pub(super) fn gate_of(recipe: &Recipe, job: Job) -> Gate {
    match job {
        Job::InspectPrep => recipe.gates.prep,
        Job::InspectBake => recipe.gates.bake,
        Job::InspectFinish => recipe.gates.finish,
        Job::Prep | Job::Load | Job::Bake | Job::Unload | Job::Shelve | Job::Fetch | Job::Finish | Job::Discard => {
            Gate::None
        }
    }
}

/// The step that an inspection judges, as cameras name it.
fn stage_of(job: Job) -> &'static str {
    match job {
        Job::InspectPrep => "prep",
        Job::InspectBake => "bake",
        Job::InspectFinish => "finish",
        Job::Prep | Job::Load | Job::Bake | Job::Unload | Job::Shelve | Job::Fetch | Job::Finish | Job::Discard => "",
    }
}

impl Kitchen {
    /// Sends a camera to every gate that has none, and lets go what needs no more waiting.
    pub(super) fn pass_gates(&mut self) {
        // Only after these steps does anything wait for a verdict.
        for id in &self.ids_in(&[PizzaState::Prepped, PizzaState::Unloaded, PizzaState::Finished]) {
            let Some(pizza) = self.pizzas.get(id) else { continue };
            match &pizza.gate {
                Some(gate) if self.attempt_on(*id, gate.job).is_none() && gate.incident.is_none() => {
                    let pizza = pizza.clone();
                    self.look_at(&pizza);
                }
                Some(_) => {}
                None if pizza.state == PizzaState::Finished => {
                    self.feed_pizza(*id, Input::Released);
                }
                None => {}
            }
        }
    }

    fn look_at(&mut self, pizza: &Pizza) {
        let Some(gate) = &pizza.gate else { return };
        let sees = |d: &&Device| {
            d.facts.can(Action::Inspect)
                && (d.facts.stages.is_empty() || d.facts.stages.iter().any(|s| s == stage_of(gate.job)))
        };
        let free = self.devices.values().filter(sees).find_map(|d| {
            let lane = self.may_begin(d).then(|| d.free_lane()).flatten()?;
            Some((
                Place { device: d.id.clone(), lane },
                d.facts.actions.iter().find(|a| a.action == Action::Inspect)?.typ_ms,
            ))
        });
        if let Some((camera, ms)) = free {
            let params = Params {
                ms,
                station: self.station_of(pizza),
                stage: Some(stage_of(gate.job).to_owned()),
                ..Params::default()
            };
            let start = self.start(gate.job, vec![camera], params);
            self.open_attempt(pizza.id, start);
        } else if !self.devices.values().filter(sees).any(|d| d.is_up() && !d.keeps_refusing()) {
            // A pizza that waits for a verdict waits in a gripper that others in the ovens wait for.
            self.go_without_verdict(pizza.id);
        }
    }

    /// Where a camera looks: at the pizza's place; at one that is packed, where it was packed.
    fn station_of(&self, pizza: &Pizza) -> Option<Place> {
        if let Some(place) = pizza.place() {
            return Some(place.clone());
        }
        let packed_by = pizza.history.iter().rev().find(|a| a.job == Job::Finish).map(|a| a.device.clone())?;
        let lane = *self.devices.get(&packed_by)?.lanes.keys().next()?;
        Some(Place { device: packed_by, lane })
    }

    /// A verdict is in, or could not be had (None).
    pub(super) fn record_verdict(&mut self, id: PizzaId, job: Job, verdict: Option<Verdict>) {
        let at = self.meta.now;
        let Some(pizza) = self.pizzas.get_mut(&id) else { return };
        let Some(gate) = pizza.gate.as_mut().filter(|g| g.job == job) else { return };
        gate.looks += 1;
        let looks = gate.looks;
        pizza.judgements.push(Judgement { job, verdict, at });
        match verdict {
            Some(Verdict::Pass) => self.close_gate(id),
            Some(Verdict::Fail) => self.reject(id, job),
            Some(Verdict::Unsure) | None if looks >= LOOKS_MAX => self.go_without_verdict(id),
            Some(Verdict::Unsure) | None => {}
        }
    }

    /// The camera says that the step is bad: its robot failed at it, and the pizza is made again.
    fn reject(&mut self, id: PizzaId, job: Job) {
        let done_by = match job {
            Job::InspectPrep => Job::Prep,
            Job::InspectBake => Job::Bake,
            _ => Job::Finish,
        };
        let Some(pizza) = self.pizzas.get_mut(&id) else { return };
        let culprit = pizza.history.iter().rev().find(|a| a.job == done_by).map(|a| a.device.clone());
        if let Some(culprit) = culprit {
            pizza.failed_on.insert(culprit.clone());
            let what = format!("{id} was judged bad after {}", done_by.as_str());
            self.device_failed(&culprit, &what, Some((id.order, id.item)));
        }
        self.discard(id, Spoiled::JudgedBad, true);
    }

    /// No verdict can be had: by recipe the pizza goes on unverified, or a person decides.
    pub(super) fn go_without_verdict(&mut self, id: PizzaId) {
        let Some(pizza) = self.pizzas.get(&id) else { return };
        let Some(gate) = pizza.gate.clone() else { return };
        let required = self.recipes.get(&pizza.recipe).is_some_and(|r| gate_of(r, gate.job) == Gate::Required);
        if let Some(look) = self.attempt_on(id, gate.job).map(|a| a.id) {
            self.request_cancel(look);
        }
        if !required {
            let at = self.meta.now;
            let pizza = self.pizzas.get_mut(&id).expect("it was there a line ago");
            pizza.judgements.push(Judgement { job: gate.job, verdict: None, at });
            self.event(Event::Unverified { pizza: id, step: stage_of(gate.job).to_owned() });
            self.close_gate(id);
        } else if gate.incident.is_none() {
            let incident = self.raise_incident(Question::JudgePizza { pizza: id, job: gate.job }, None);
            if let Some(gate) = self.pizzas.get_mut(&id).and_then(|p| p.gate.as_mut()) {
                gate.incident = Some(incident);
            }
        }
    }

    pub(super) fn close_gate(&mut self, id: PizzaId) {
        let Some(pizza) = self.pizzas.get_mut(&id) else { return };
        let asked = pizza.gate.take().and_then(|g| g.incident);
        if let Some(incident) = asked {
            self.close_incident(incident, "a camera judged it after all", "", "");
        }
        let Some(pizza) = self.pizzas.get(&id) else { return };
        if pizza.state == PizzaState::Finished {
            self.feed_pizza(id, Input::Released);
        }
    }
}
