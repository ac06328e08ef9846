//! Who is in charge, and what a change of charge means for the food.

use serde::{Deserialize, Serialize};

use super::command::{Entry, Reply};
use super::event::Event;
use super::ids::{Epoch, Millis, NodeId};
use super::pizza::{Custody, PizzaState, Spoiled};
use super::refusal::Refusal;
use super::report::Job;
use super::{Command, Kitchen};
use crate::defect;

/// The node in charge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InCharge {
    /// Which node.
    pub node: NodeId,
    /// Its epoch.
    pub epoch: Epoch,
    /// Since when, in kitchen time.
    pub since: Millis,
}

impl Kitchen {
    /// Refuses what a tenure proposes after it is over. Clients' and operators' entries carry no epoch.
    pub(super) fn check_epoch(&self, entry: &Entry) -> Result<(), Refusal> {
        let of_tenure = match entry.command {
            Command::RaiseRules { .. }
            | Command::RecordFacts { .. }
            | Command::RecordReport { .. }
            | Command::JudgeDevice { .. }
            | Command::DeadlinesDue
            | Command::FollowBackend(_)
            | Command::TakeAssignment(_) => true,
            Command::PlaceOrder(_)
            | Command::CancelOrder { .. }
            | Command::CollectOrder { .. }
            | Command::PutRecipe { .. }
            | Command::Configure { .. }
            | Command::Drain { .. }
            | Command::HoldZone { .. }
            | Command::DirectDevice { .. }
            | Command::DecideIncident { .. }
            | Command::RemakePizza { .. }
            | Command::AddToken { .. }
            | Command::RevokeToken { .. }
            | Command::NoteTokenUse { .. }
            | Command::NoteAct { .. }
            | Command::TakeCharge { .. } => false,
        };
        let current = self.epoch();
        match entry.epoch {
            Some(epoch) if epoch == current => Ok(()),
            Some(epoch) => Err(Refusal::StaleEpoch { epoch, current }),
            None if of_tenure => Err(Refusal::StaleEpoch { epoch: Epoch(0), current }),
            None => Ok(()),
        }
    }

    /// The present epoch; 0 before anyone was ever in charge.
    pub fn epoch(&self) -> Epoch {
        self.meta.in_charge.map_or(Epoch(0), |c| c.epoch)
    }

    /// Who is in charge.
    pub fn in_charge(&self) -> Option<InCharge> {
        self.meta.in_charge
    }

    pub(super) fn take_charge(&mut self, node: NodeId, incarnation: u32, gap_measured: bool) -> Result<Reply, Refusal> {
        let incarnation = incarnation.max(self.epoch().incarnation());
        let token = if defect::is("counter-as-token") { self.meta.index / 64 } else { self.meta.index };
        let epoch = Epoch::new(incarnation, token);
        self.meta.in_charge = Some(InCharge { node, epoch, since: self.meta.now });
        if self.meta.born_wall == 0 {
            self.meta.born_wall = self.meta.wall.max(1);
        }
        if !gap_measured {
            self.distrust_the_clock();
        }
        self.event(Event::InCharge { node, epoch });
        Ok(Reply::InCharge { epoch })
    }

    /// Nobody measured how long the kitchen stood still: what lay in the open is stale, and what was in an oven must be
    /// seen baking by this tenure, or it is discarded when its end is reported.
    fn distrust_the_clock(&mut self) {
        // The backend may have given its orders to another kitchen meanwhile.
        self.meta.backend.lease_until = self.meta.backend.lease_until.min(self.meta.now);
        for id in self.active.keys().copied().collect::<Vec<_>>() {
            let Some(pizza) = self.pizzas.get(&id) else { continue };
            let loading = self.attempt_on(id, Job::Load).is_some() || matches!(pizza.custody, Custody::Between(..));
            let bakes_unseen = self.bakes_unseen(pizza);
            let Some(pizza) = self.pizzas.get_mut(&id) else { continue };
            match pizza.state {
                PizzaState::Prepped | PizzaState::Baked | PizzaState::Unloaded | PizzaState::Shelved => {
                    self.discard(id, Spoiled::Stale, true);
                }
                PizzaState::Loading if !loading => self.discard(id, Spoiled::Stale, true),
                PizzaState::Baking if bakes_unseen => self.discard(id, Spoiled::Stale, true),
                PizzaState::Baking => {
                    pizza.unmeasured = true;
                    pizza.bake_end = None;
                }
                PizzaState::Prepping | PizzaState::Loading | PizzaState::Unloading => pizza.unmeasured = true,
                PizzaState::Queued
                | PizzaState::Finishing
                | PizzaState::Finished
                | PizzaState::Packed
                | PizzaState::Uncertain => {}
            }
        }
    }
}
