//! Which step on which device, and when. Runs at the end of every entry, and begins whatever may begin.
//!
//! The rule of the trade: decide the exit before the entry. A pizza goes into an oven only when an after-oven robot is
//! reserved to take it out inside its window; delaying a load is cheap, delaying an unload burns food. A pass looks at the
//! pizzas that are under way and at the most urgent of those that wait, so its cost does not grow with the queue.
//!
//! By file: `line` (when slots and robots fall free), `plan` (how a pizza would come through), `choose` (which pizza costs the least), `prep`, `load`, `unload`, `shelve` (what is begun), `exits`
//! (reserved, lost, found again; what if a robot is lost), `forecast` (quotes), `explain` (why).

mod choose;
mod exits;
pub mod explain;
pub mod forecast;
mod line;
mod load;
mod plan;
mod prep;
mod shelve;
mod unload;

use super::ids::{Millis, PizzaId};
use super::pizza::{Custody, Pizza, PizzaState, Place};
use super::recipe::Recipe;
use super::report::Content;
use super::{Device, Kitchen};

/// How many waiting pizzas a pass looks at.
pub(in crate::kitchen) const LOOK_AHEAD: usize = 64;

/// A pass that found nothing to begin yet is repeated after so long at the earliest: what is waited for may move along with the clock, and
/// each repetition is an entry of the log.
const REPLAN_MS_MIN: Millis = 50;

/// Where a waiting pizza stands in the queue: priority, then slack (promise − work), then arrival.
pub type QueueKey = (i16, i64, PizzaId);

/// The place of a pizza in the queue; constant as long as it waits.
pub fn queue_key(pizza: &Pizza) -> QueueKey {
    (-i16::from(pizza.priority), pizza.promised_at as i64 - pizza.work_ms as i64, pizza.id)
}

impl Kitchen {
    /// Begins whatever may begin now.
    pub(in crate::kitchen) fn settle(&mut self) {
        self.meta.replan_at = None;
        if self.meta.in_charge.is_some() {
            self.miss_pizzas();
            self.pass_gates();
            self.renew_exits();
            self.open_loads();
            self.finish_unloaded();
            self.unload_baked();
            self.fetch_shelved();
            self.reserve_slots();
            self.begin_preps();
            self.announce_starts();
            self.clear_lanes();
            self.test_returned_devices();
        }
        self.refresh_status();
    }

    /// True when the device may begin something now.
    pub(in crate::kitchen) fn may_begin(&self, device: &Device) -> bool {
        device.may_work(self.epoch()) && !self.zone_held(&device.facts.zone)
    }

    fn recipe_of(&self, pizza: &Pizza) -> Option<Recipe> {
        self.recipes.get(&pizza.recipe).cloned()
    }

    /// Pizzas that are begun and not packed.
    pub(in crate::kitchen) fn active_pizzas(&self) -> impl Iterator<Item = &Pizza> {
        self.active.keys().filter_map(|id| self.pizzas.get(id))
    }

    /// The pizzas in one of these states, by arrival.
    pub(in crate::kitchen) fn ids_in(&self, states: &[PizzaState]) -> Vec<PizzaId> {
        self.active.iter().filter(|(_, s)| states.contains(s)).map(|(id, _)| *id).collect()
    }

    /// The pizzas in one state, the most urgent first.
    fn in_state(&self, state: PizzaState) -> Vec<Pizza> {
        let ids = self.ids_in(&[state]);
        let mut found: Vec<Pizza> = ids.iter().filter_map(|id| self.pizzas.get(id)).cloned().collect();
        found.sort_by_key(queue_key);
        found
    }

    pub(in crate::kitchen) fn lane(&self, place: &Place) -> Option<&super::device::LaneState> {
        self.devices.get(&place.device)?.lanes.get(&place.lane)
    }

    /// True when a lane holds this pizza and nothing goes on there.
    fn lane_rests(&self, place: &Place, pizza: PizzaId) -> bool {
        let rests = |l: &super::device::LaneState| {
            l.content == Some(Content::Pizza(pizza)) && l.busy.is_empty() && l.blocked.is_none()
        };
        let may = |d: &Device| d.may_go_on(self.epoch()) && !self.zone_held(&d.facts.zone);
        self.devices.get(&place.device).is_some_and(may) && self.lane(place).is_some_and(rests)
    }

    pub(in crate::kitchen) fn set_custody(&mut self, id: PizzaId, custody: Custody) {
        if let Some(pizza) = self.pizzas.get_mut(&id) {
            pizza.custody = custody;
        }
    }

    pub(in crate::kitchen) fn replan_in(&mut self, ms: Millis) {
        let at = self.meta.now + ms.max(REPLAN_MS_MIN);
        self.meta.replan_at = Some(self.meta.replan_at.map_or(at, |before| before.min(at)));
    }
}
