//! The kitchens as one instance knows them, in memory, so that routing asks no database.
//!
//! It is advice: refreshed every second and by every exchange that this instance answers. What must not be wrong is held by the
//! database; a directory that is a second old costs a better choice, not an order.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use crate::protocol::exchange::Report;
use crate::protocol::{Id, Millis};

use super::new_order::Place;
use super::options::Options;
use super::routing::{Candidate, KitchenState};
use super::store::{Beat, KitchenRow};
use super::watch::Watch;

/// What was given to a kitchen counts half after so long, in milliseconds.
const HALF_LIFE_MS: Millis = 60_000;

static NO_REPORT: LazyLock<Report> = LazyLock::new(Report::default);

/// The kitchens.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    kitchens: BTreeMap<Id, Entry>,
    /// The beats, those of retired kitchens included.
    watch: Watch,
    /// The newest version of each configuration; `""` is for all.
    versions: BTreeMap<String, u64>,
    halved_ms: Millis,
}

#[derive(Clone, Debug)]
struct Entry {
    row: KitchenRow,
    /// Pizzas that were given to it and not confirmed.
    unconfirmed: u64,
    /// Pizzas given to it lately.
    recent: u64,
}

/// What a moment is: this instance's monotonic clock, and the wall clock beside it.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// Milliseconds of a clock that nobody sets.
    pub ms: Millis,
    /// Milliseconds since 1970: for people, and for the promise.
    pub wall: u64,
}

impl Directory {
    /// Which rows have to be read anew, given the beats; forgets kitchens that are gone.
    pub fn look(&mut self, beats: &[Beat], now: Now) -> Vec<Id> {
        let all: BTreeSet<&Id> = beats.iter().map(|b| &b.id).collect();
        self.watch.keep_only(|id| all.contains(id));
        let mut stale = Vec::new();
        for beat in beats {
            self.watch.look(&beat.id, beat.beat, beat.lease_ms, now.ms);
            if beat.is_retired {
                self.kitchens.remove(&beat.id);
                continue;
            }
            match self.kitchens.get_mut(&beat.id) {
                Some(entry) if entry.row.stamp == beat.stamp => {
                    entry.row.contact_wall = entry.row.contact_wall.max(beat.contact_wall);
                }
                Some(_) | None => stale.push(beat.id.clone()),
            }
        }
        self.kitchens.retain(|id, _| all.contains(id));
        self.halve(now.ms);
        stale
    }

    fn halve(&mut self, now_ms: Millis) {
        if now_ms.saturating_sub(self.halved_ms) >= HALF_LIFE_MS {
            self.halved_ms = now_ms;
            self.kitchens.values_mut().for_each(|entry| entry.recent /= 2);
        }
    }

    /// A row was read, or an exchange has written it. True if the kitchen now stands otherwise.
    pub fn put(&mut self, row: KitchenRow, now: Now) -> bool {
        let id = row.registration.id.clone();
        self.watch.look(&id, row.beat, row.lease_ms, now.ms);
        let Some(entry) = self.kitchens.get_mut(&id) else {
            self.kitchens.insert(id, Entry { row, unconfirmed: 0, recent: 0 });
            return true;
        };
        if row.beat < entry.row.beat {
            return false;
        }
        let state = |row: &KitchenRow| row.report.as_ref().map(|r| (r.state.clone(), r.quotes.len()));
        let changed = state(&row) != state(&entry.row);
        entry.row = row;
        changed
    }

    /// What is given and not confirmed, as the database has it.
    pub fn set_unconfirmed(&mut self, counts: Vec<(Id, u64)>) {
        let counts: BTreeMap<Id, u64> = counts.into_iter().collect();
        for (id, entry) in &mut self.kitchens {
            entry.unconfirmed = counts.get(id).copied().unwrap_or(0);
        }
    }

    /// An order of so many pizzas goes to a kitchen.
    pub fn assigned(&mut self, kitchen: &Id, pizzas: u64) {
        if let Some(entry) = self.kitchens.get_mut(kitchen) {
            entry.unconfirmed += pizzas;
            entry.recent += pizzas;
        }
    }

    /// The newest versions of the configurations. True if one is new.
    pub fn set_versions(&mut self, versions: Vec<(String, u64)>) -> bool {
        let before = std::mem::replace(&mut self.versions, versions.into_iter().collect());
        before != self.versions
    }

    /// The version that a kitchen should follow.
    pub fn version_for(&self, kitchen: &Id) -> u64 {
        let of = |name: &str| self.versions.get(name).copied().unwrap_or(0);
        of("").max(of(kitchen.as_str()))
    }

    /// The rows, by id.
    pub fn rows(&self) -> impl Iterator<Item = &KitchenRow> {
        self.kitchens.values().map(|entry| &entry.row)
    }

    /// The beats.
    pub fn watch(&self) -> &Watch {
        &self.watch
    }

    /// True if any kitchen has ever offered the recipe.
    pub fn knows(&self, recipe: &Id) -> bool {
        let of = |entry: &Entry| {
            entry.row.menu.contains(recipe) || entry.row.report.as_ref().is_some_and(|r| r.quotes.contains_key(recipe))
        };
        self.kitchens.values().any(of)
    }

    /// How a kitchen stands towards new orders.
    pub fn state_of(&self, row: &KitchenRow, options: &Options, now: Now) -> KitchenState {
        let Some(report) = &row.report else { return KitchenState::Unknown };
        if self.is_reachable(row, options, now) {
            KitchenState::reported(&report.state)
        } else {
            KitchenState::Unreachable
        }
    }

    /// Whether a kitchen was heard lately. An instance that has just started has heard nobody: until it has, the row's wall time is believed,
    /// as nothing but the choice of a kitchen hangs on it.
    fn is_reachable(&self, row: &KitchenRow, options: &Options, now: Now) -> bool {
        let id = &row.registration.id;
        let silent_ms = self.watch.silent_ms(id, now.ms).unwrap_or(u64::MAX);
        let known = self.watch.has_heard(id) || now.wall.abs_diff(row.contact_wall) < 2 * options.unreachable_ms;
        known && silent_ms < options.unreachable_ms
    }

    /// Everybody, as routing wants to see them.
    pub fn candidates(&self, place: Option<&Place>, options: &Options, now: Now) -> Vec<Candidate<'_>> {
        let one = |(id, entry)| self.candidate(id, entry, place, options, now);
        self.kitchens.iter().map(one).collect()
    }

    fn candidate<'a>(
        &'a self,
        id: &'a Id,
        entry: &'a Entry,
        place: Option<&Place>,
        options: &Options,
        now: Now,
    ) -> Candidate<'a> {
        let metres = place.zip(entry.row.registration.place.as_ref()).map_or(0, |(a, b)| a.metres_to(b));
        Candidate {
            id,
            state: self.state_of(&entry.row, options, now),
            report: entry.row.report.as_ref().unwrap_or(&NO_REPORT),
            unreported_pizzas: entry.unconfirmed,
            recent_pizzas: entry.recent,
            travel_ms: metres.saturating_mul(options.travel_ms_per_km) / 1_000,
        }
    }
}
