//! The main backend and its link to the node in charge, by the program's own deciders of the kitchen's side: `backend_sync::request::of` and
//! `answer::plan`. Letters are lost and late, the link is cut, and whatever was not known as about to begin when its lease was over is
//! given to another kitchen, where it is cooked for certain. Nothing of that may be begun here from then on.

use std::collections::BTreeMap;

use brigade::kitchen::{Command, Millis, OrderStatus};
use brigade::leader::backend_sync::answer::plan;
use brigade::leader::backend_sync::request::{What, of};
use brigade::protocol::Id;
use brigade::protocol::exchange::{Assignment, ExchangeAnswer, ExchangeRequest, Held, News, Progress};

use crate::agenda::Event;
use crate::clock::Clock;
use crate::raft::Purpose;
use crate::run::Simulation;

/// How often the node in charge asks.
const ASK_MS: Millis = 2_000;
/// The assignment lease, and by how much each side is on the safe one.
const LEASE_MS: Millis = 60_000;
const MARGIN_MS: Millis = 5_000;

/// Where an order is, in the backend's eyes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The kitchen's, and not known as about to begin.
    Assigned,
    /// The kitchen's for good.
    Starting,
    /// It ended there.
    Ended(Progress),
    /// Another kitchen cooks it.
    Elsewhere,
}

/// The backend.
pub struct Backend {
    pub orders: BTreeMap<Id, (Vec<Id>, Standing)>,
    clock: Clock,
    cursor: u64,
    /// When the kitchen was last heard, by the backend's clock.
    heard_at: Millis,
    cut_until: Millis,
}

impl Backend {
    pub fn new(clock: Clock) -> Self {
        Self { orders: BTreeMap::new(), clock, cursor: 0, heard_at: 0, cut_until: 0 }
    }

    /// The kitchen is silent for so long that its lease is over.
    fn lease_is_over(&self, now: Millis) -> bool {
        self.clock.at(now) > self.heard_at + LEASE_MS + MARGIN_MS
    }

    /// Absorbs what the kitchen tells; returns what of it is not its own any more.
    fn absorb(&mut self, request: &ExchangeRequest) -> Result<Vec<Held>, String> {
        let mut revoked = Vec::new();
        let known = self.cursor;
        for outcome in request.outcomes.iter().filter(|o| o.number > known) {
            if outcome.number != self.cursor + 1 {
                return Err(format!("outcome {} came after {}: a gap", outcome.number, self.cursor));
            }
            self.cursor = outcome.number;
            let News::Order { order, assignment, status, .. } = &outcome.news else { continue };
            let Some((_, standing)) = self.orders.get_mut(order) else {
                return Err(format!("{order} was never ordered"));
            };
            *standing = match (*standing, *status) {
                (Standing::Elsewhere, Progress::InProgress | Progress::Ready | Progress::Collected) => {
                    return Err(format!("{order} is cooked elsewhere, and {} here", status.as_str()));
                }
                (Standing::Elsewhere, _) => {
                    revoked.push(Held { order: order.clone(), assignment: *assignment });
                    Standing::Elsewhere
                }
                (Standing::Ended(end), _) => Standing::Ended(end),
                (before, Progress::Accepted) => before,
                (_, Progress::Starting | Progress::InProgress) => Standing::Starting,
                (_, Progress::Returned) => Standing::Elsewhere,
                (_, end) => Standing::Ended(end),
            };
        }
        let elsewhere = |h: &&Held| self.orders.get(&h.order).is_none_or(|o| o.1 == Standing::Elsewhere);
        revoked.extend(request.held.iter().filter(elsewhere).cloned());
        Ok(revoked)
    }

    fn answer(&mut self, request: &ExchangeRequest, now: Millis) -> Result<ExchangeAnswer, String> {
        self.heard_at = self.clock.at(now);
        let revoked = self.absorb(request)?;
        let held = |order: &Id| request.held.iter().any(|h| h.order == *order);
        let open = self.orders.iter().filter(|(id, (_, s))| *s == Standing::Assigned && !held(id));
        let assignments = open.map(|(order, (items, _))| Assignment {
            order: order.clone(),
            assignment: 1,
            items: items.clone(),
            priority: 0,
            promise_ms: 1_800_000,
        });
        Ok(ExchangeAnswer {
            v: 1,
            as_of: request.as_of,
            lease_ms: LEASE_MS,
            acknowledged: self.cursor,
            assignments: assignments.collect(),
            revoked,
            ..ExchangeAnswer::default()
        })
    }
}

impl Simulation {
    /// A client orders at the backend.
    pub fn order_at_backend(&mut self, items: Vec<Id>) {
        let id = format!("f{}", self.backend.orders.len()).parse().expect("an id");
        self.backend.orders.insert(id, (items, Standing::Assigned));
        self.seen.count("orders of the backend");
    }

    /// The node in charge asks, and asks again later.
    pub fn ask_backend(&mut self, node: usize, tenure: u64) {
        let Some(serving) = self.nodes[node].tenure.as_ref().filter(|t| t.number == tenure) else { return };
        let (epoch, life) = (serving.epoch, self.nodes[node].life);
        let pause_ms = if self.nodes[node].kitchen.feed().next().is_some() { 300 } else { ASK_MS };
        self.agenda.at(self.now + pause_ms, Event::AskBackend { node, life, tenure });
        let request = of(&self.nodes[node].kitchen, self.kitchen_now(node), What::Outcomes);
        if let Some(delay_ms) = self.link_delay() {
            self.agenda.at(self.now + delay_ms, Event::AtBackend { node, epoch, request: Box::new(request) });
        }
    }

    /// How long a letter is under way; None if it is lost. Now and then one is found again after minutes.
    fn link_delay(&mut self) -> Option<Millis> {
        if self.is_healed {
            return Some(20);
        }
        if self.now < self.backend.cut_until {
            return None;
        }
        if self.climate.every_ms > 0 && self.chance.happens(40) {
            let ms = self.chance.between(5_000, 200_000);
            self.backend.cut_until = self.now + ms;
            self.seen.count("cuts from the backend");
        }
        match self.climate.every_ms > 0 && self.chance.happens(300) {
            true => self.chance.happens(5_000).then(|| self.chance.between(1_000, 150_000)),
            false => Some(self.chance.between(1, 120)),
        }
    }

    /// A question reaches the backend. It answers, also when somebody else is in charge by now.
    pub fn at_backend(&mut self, node: usize, epoch: brigade::kitchen::Epoch, request: &ExchangeRequest) {
        match self.backend.answer(request, self.now) {
            Ok(answer) => {
                if let Some(delay_ms) = self.link_delay() {
                    self.agenda
                        .at(self.now + delay_ms, Event::BackendAnswers { node, epoch, answer: Box::new(answer) });
                }
            }
            Err(why) => self.fail(why),
        }
    }

    /// An answer reaches the node that asked, which follows it under the epoch of its question.
    pub fn backend_answers(&mut self, node: usize, epoch: brigade::kitchen::Epoch, answer: &ExchangeAnswer) {
        if !self.nodes[node].is_up || answer.as_of > self.kitchen_now(node) {
            return;
        }
        let plan = plan(&self.nodes[node].kitchen, answer, MARGIN_MS);
        if let Some(follow) = plan.follow {
            self.propose(node, Command::FollowBackend(follow), Some(epoch), Purpose::Other);
        }
        for order in plan.orders {
            self.propose(node, Command::TakeAssignment(order), Some(epoch), Purpose::Other);
        }
    }

    /// What the kitchen did not say it begins is given to another one once its lease is over.
    pub fn backend_looks(&mut self) {
        self.agenda.at(self.now + 1_000, Event::BackendLooks);
        if !self.backend.lease_is_over(self.now) {
            return;
        }
        for (_, standing) in self.backend.orders.values_mut().filter(|o| o.1 == Standing::Assigned) {
            *standing = Standing::Elsewhere;
            self.seen.count("orders given to another kitchen");
        }
    }

    /// What is cooked elsewhere was never begun here: whatever a replica knows, told or not.
    pub fn check_backend(&mut self) {
        let Some(node) = self.in_charge() else { return };
        let (kitchen, shelf) = (&self.nodes[node].kitchen, &self.nodes[node].shelf);
        let mut wrong = None;
        for (id, (_, standing)) in &self.backend.orders {
            let id = id.as_str().parse().expect("an order id");
            let ended = || brigade::kitchen::orders::archived_order(shelf, &id).map(|a| a.order.status);
            let here = kitchen.order(&id).map(|o| o.status).or_else(ended);
            let cooked = matches!(here, Some(OrderStatus::InProgress | OrderStatus::Ready | OrderStatus::Failed));
            if *standing == Standing::Elsewhere && cooked {
                wrong = Some(format!("{id} is cooked elsewhere, and {here:?} here"));
            }
        }
        wrong.into_iter().for_each(|why| self.fail(why));
    }

    /// Nothing of the backend's is open any more.
    pub fn backend_is_done(&self) -> bool {
        self.backend.orders.values().all(|(_, s)| matches!(s, Standing::Ended(_) | Standing::Elsewhere))
    }
}
