//! What nobody asks for: watching leases, moving orders, finding kitchens for those that wait, the policy for what is out of reach, pruning.
//!
//! Each instance runs one. All that it decides is safe when two do it at once: moves hold the kitchen's row under the beat that was watched,
//! and every change is a compare-and-set.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::protocol::Id;
use crate::tls::Dialer;

use super::Backend;
use super::bells::Tail;
use super::options::StartedPolicy;
use super::order::{Input, State, Verdict};
use super::placing::Note;
use super::poll::Poller;
use super::store::{self, Error, OrderRow};

/// Between two rounds, unless something wakes the keeper.
const ROUND: Duration = Duration::from_millis(1_000);
/// Orders that look for a kitchen in one round.
const WAITING_MAX: u32 = 500;
/// An order is offered again to the kitchen that gave it back after so long, in milliseconds.
const FORGIVE_MS: u64 = 30_000;
/// Between two prunings.
const PRUNE: Duration = Duration::from_secs(60);
/// Changes are kept for other instances for so long, in milliseconds.
const CHANGES_KEEP_MS: u64 = 300_000;

impl Backend {
    /// Does all of it until `stop`. Kitchens that are polled are reached by `dialer`.
    pub async fn run(self, dialer: Dialer, stop: CancellationToken) {
        let (rounds, changes) = (self.clone().rounds(), self.clone().follow_changes());
        let poller = Poller::new(self, &dialer);
        tokio::select! {
            () = stop.cancelled() => {}
            () = rounds => {}
            () = changes => {}
            () = poller.run() => {}
        }
    }

    async fn rounds(self) {
        let mut prune_at = Instant::now();
        loop {
            if let Err(error) = self.round().await {
                tracing::warn!(%error, "A round of the keeper failed, the next one tries again: {error}");
            }
            if Instant::now() >= prune_at {
                prune_at = Instant::now() + PRUNE;
                if let Err(error) = self.prune().await {
                    tracing::warn!(%error, "Old lines were not forgotten: {error}");
                }
            }
            // Woken or not: the round is the same.
            drop(timeout(ROUND, self.0.keeper.notified()).await);
        }
    }

    /// One round. Tests call it with a clock of their own.
    pub async fn round(&self) -> Result<(), Error> {
        self.refresh().await?;
        self.move_orders().await?;
        self.find_kitchens().await?;
        self.follow_policy().await
    }

    /// Brings the directory up to date.
    pub(super) async fn refresh(&self) -> Result<(), Error> {
        let beats = self.store().beats().await?;
        // After the read has ended: see `Watch::look`.
        let stale = self.directory().look(&beats, self.now());
        for kitchen in stale {
            if let Some(row) = self.store().kitchen(&kitchen).await? {
                self.directory().put(row, self.now());
            }
        }
        let unconfirmed = self.store().unconfirmed().await?;
        let versions = self.store().configuration_versions().await?;
        let mut directory = self.directory();
        directory.set_unconfirmed(unconfirmed);
        if directory.set_versions(versions) {
            self.bells().ring_all();
        }
        Ok(())
    }

    /// Gives to others what kitchens hold whose lease is proven over.
    async fn move_orders(&self) -> Result<(), Error> {
        for (kitchen, beat) in self.leases_over() {
            for row in self.store().orders_of(&kitchen).await? {
                match row.standing.state {
                    State::Assigned | State::Accepted => self.move_order(&row, &kitchen, beat).await?,
                    State::Waiting
                    | State::Starting
                    | State::InProgress
                    | State::Ready
                    | State::Collected
                    | State::Cancelled
                    | State::Failed => {}
                }
            }
        }
        Ok(())
    }

    fn leases_over(&self) -> Vec<(Id, u64)> {
        let (margin_ms, now) = (self.options().margin_ms, self.now());
        self.directory().watch().leases_over(margin_ms, now.ms)
    }

    async fn move_order(&self, row: &OrderRow, from: &Id, beat: u64) -> Result<(), Error> {
        // Nobody else can take it: it stays where it is, in case that kitchen comes back.
        let Ok(choice) = self.choose(&row.body, self.promise_ms(row), Some(from), false) else { return Ok(()) };
        let to = choice.kitchen.clone();
        let what = format!("moved from {from}: its lease is over");
        let note = Note { what, reason: None, why: Some(choice.why) };
        let input = Input::Move { from: from.clone(), to: to.clone() };
        let moved = self.change(&row.id, Some((from.clone(), beat)), input, note).await?;
        if matches!(moved, Some((_, Verdict::Change(_)))) {
            tracing::warn!(order.id = %row.id, %from, %to, "Order {} moved from {from} to {to}", row.id);
            metrics::counter!("brigade_backend_orders_moved_total").increment(1);
        }
        Ok(())
    }

    /// Gives the orders that wait to kitchens, oldest first.
    async fn find_kitchens(&self) -> Result<(), Error> {
        for row in self.store().orders_in(State::Waiting, WAITING_MAX).await? {
            let is_fresh = self.now().wall.saturating_sub(row.changed_wall) < FORGIVE_MS;
            let returned_by = row.returned_by.as_ref().filter(|_| is_fresh);
            let Ok(choice) = self.choose(&row.body, self.promise_ms(&row), returned_by, false) else { continue };
            let what = format!("given to {}", choice.kitchen);
            let note = Note { what, reason: None, why: Some(choice.why) };
            self.change(&row.id, None, Input::Assign(choice.kitchen), note).await?;
        }
        Ok(())
    }

    fn promise_ms(&self, row: &OrderRow) -> u64 {
        (row.placed_wall + row.body.promise_ms).saturating_sub(self.now().wall)
    }

    /// What is begun in a kitchen out of reach waits for a person, or fails after a while.
    async fn follow_policy(&self) -> Result<(), Error> {
        match self.options().started_policy {
            StartedPolicy::Wait => return Ok(()),
            StartedPolicy::Fail => {}
        }
        let (after_ms, now) = (self.options().started_fail_ms, self.now());
        let silent = self.directory().watch().silent_for(after_ms, now.ms);
        for kitchen in silent {
            for row in self.store().orders_of(&kitchen).await? {
                if matches!(row.standing.state, State::Starting | State::InProgress) {
                    let reason = format!("kitchen {kitchen} is out of reach for {} min", after_ms / 60_000);
                    self.fail(&row.id, &reason).await?;
                }
            }
        }
        Ok(())
    }

    async fn prune(&self) -> Result<(), Error> {
        self.bells().sweep();
        let wall = self.now().wall;
        let (logs, changes) = (self.options().logs_keep_hours * 3_600_000, CHANGES_KEEP_MS);
        self.store()
            .write(move |c| {
                Box::pin(async move {
                    store::prune_logs(c, wall.saturating_sub(logs)).await?;
                    store::prune_changes(c, wall.saturating_sub(changes)).await
                })
            })
            .await
            .map(drop)
    }

    /// Rings here for what other instances changed.
    async fn follow_changes(self) {
        let every = Duration::from_millis(self.store().look_every_ms());
        let mut tail = None;
        loop {
            if let Err(error) = self.ring_changes(&mut tail).await {
                tracing::debug!(%error, "Changes of other instances were not read: {error}");
            }
            sleep(every).await;
        }
    }

    async fn ring_changes(&self, tail: &mut Option<Tail>) -> Result<(), Error> {
        let Some(tail) = tail else {
            *tail = Some(Tail::behind(self.store().last_change().await?));
            return Ok(());
        };
        for (seq, kitchen, order) in self.store().changes(tail.low).await? {
            if !tail.is_new(seq) {
                continue;
            }
            match kitchen.as_str() {
                // A configuration, or an order that waits: the next round reads them.
                "*" | "" => self.0.keeper.notify_one(),
                kitchen => self.bells().ring_kitchen(kitchen),
            }
            if !order.is_empty() {
                self.bells().ring_order(&order);
            }
        }
        tail.settle(self.now().ms);
        Ok(())
    }
}
