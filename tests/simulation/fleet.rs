//! The backend's link to the node in charge, by the kitchen's own deciders (`request::of`, `answer::plan`), and what the backend does unasked.
//! Letters are lost and late, the link is cut, the backend is restarted and knows only its database.

use brigade::backend::order::{Input, Standing, State};
use brigade::backend::watch::Watch;
use brigade::kitchen::{Command, Epoch, Millis, OrderStatus};
use brigade::leader::backend_sync::answer::plan;
use brigade::leader::backend_sync::request::{What, of, report};
use brigade::protocol::Id;
use brigade::protocol::exchange::{ExchangeAnswer, ExchangeRequest, Progress};

use crate::agenda::Event;
use crate::backend::{LEASE_MS, MARGIN_MS, Row, here, there};
use crate::raft::Purpose;
use crate::run::Simulation;

/// How often the node in charge asks.
const ASK_MS: Millis = 2_000;

impl Simulation {
    /// A client orders at the backend.
    pub fn order_at_backend(&mut self, items: Vec<Id>) {
        let id = format!("f{}", self.backend.orders.len()).parse().expect("an id");
        let kitchen = self.backend.choose(&items, None, self.now);
        self.seen.count(if kitchen == Some(here()) { "orders given here" } else { "orders given elsewhere" });
        self.backend.orders.insert(id, Row { items, standing: Standing::new(kitchen) });
    }

    /// A client takes back an order of the backend.
    pub fn cancel_at_backend(&mut self) {
        let ids: Vec<Id> = self.backend.orders.keys().cloned().collect();
        if !ids.is_empty() {
            let id = &ids[self.chance.below(ids.len())];
            if self.backend.decide(id, &Input::Cancel) {
                self.seen.count("orders of the backend cancelled");
            }
        }
    }

    /// The node in charge asks, and asks again later.
    pub fn ask_backend(&mut self, node: usize, tenure: u64) {
        let Some(serving) = self.nodes[node].tenure.as_ref().filter(|t| t.number == tenure) else { return };
        let (epoch, life) = (serving.epoch, self.nodes[node].life);
        let pause_ms = if self.nodes[node].kitchen.feed().next().is_some() { 300 } else { ASK_MS };
        self.agenda.at(self.now + pause_ms, Event::AskBackend { node, life, tenure });
        let now = self.kitchen_now(node);
        let kitchen = &self.nodes[node].kitchen;
        let request = ExchangeRequest { report: Some(report(kitchen)), ..of(kitchen, now, What::Outcomes) };
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
    pub fn at_backend(&mut self, node: usize, epoch: Epoch, request: &ExchangeRequest) {
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
    pub fn backend_answers(&mut self, node: usize, epoch: Epoch, answer: &ExchangeAnswer) {
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

    /// What the backend does unasked: it looks whose lease is over, finds kitchens for what has none, and is restarted now and then.
    pub fn backend_looks(&mut self) {
        self.agenda.at(self.now + 1_000, Event::BackendLooks);
        if self.climate.every_ms > 0 && !self.is_healed && self.chance.happens(50) {
            self.seen.count("backends restarted");
            self.backend.watch = Watch::default();
        }
        let clock_ms = self.backend.clock.at(self.now);
        let beat = self.backend.beat;
        self.backend.watch.look(&here(), beat, LEASE_MS, clock_ms);
        let over = self.backend.watch.lease_over(&here(), MARGIN_MS, clock_ms) == Some(beat);
        let ids: Vec<Id> = self.backend.orders.keys().cloned().collect();
        for id in ids {
            self.look_at_order(&id, over);
        }
    }

    fn look_at_order(&mut self, id: &Id, over: bool) {
        let row = &self.backend.orders[id];
        let (state, owner, number) = (row.standing.state, row.standing.owner().cloned(), row.standing.assignment);
        if owner == Some(here()) && over && matches!(state, State::Assigned | State::Accepted) {
            if self.backend.decide(id, &Input::Move { from: here(), to: there() }) {
                self.seen.count("orders moved once the lease was over");
            }
        } else if state == State::Waiting {
            let items = row.items.clone();
            let returned_by = (number > 0).then(here);
            if let Some(kitchen) = self.backend.choose(&items, returned_by.as_ref(), self.now) {
                self.backend.decide(id, &Input::Assign(kitchen));
            }
        } else if owner == Some(there()) {
            self.other_kitchen_works(id, number);
        }
    }

    /// The other kitchen gives some back; of what it begins it makes an end at once.
    fn other_kitchen_works(&mut self, id: &Id, number: u64) {
        if !self.chance.happens(2_000) {
            return;
        }
        if !self.is_healed && self.chance.happens(3_000) {
            self.seen.count("orders given back by the other kitchen");
            self.backend.decide(id, &Input::News(there(), number, Progress::Returned));
            return;
        }
        if self.backend.decide(id, &Input::News(there(), number, Progress::Starting)) {
            self.backend.cooked_there.insert(id.clone());
        }
        self.backend.decide(id, &Input::News(there(), number, Progress::Ready));
    }

    /// What is cooked elsewhere was never begun here: whatever a replica knows, told or not.
    pub fn check_backend(&mut self) {
        let Some(node) = self.in_charge() else { return };
        let (kitchen, shelf) = (&self.nodes[node].kitchen, &self.nodes[node].shelf);
        let mut wrong = None;
        for id in &self.backend.cooked_there {
            let id = id.as_str().parse().expect("an order id");
            let ended = || brigade::kitchen::orders::archived_order(shelf, &id).map(|a| a.order.status);
            let here = kitchen.order(&id).map(|o| o.status).or_else(ended);
            if matches!(here, Some(OrderStatus::InProgress | OrderStatus::Ready | OrderStatus::Failed)) {
                wrong = Some(format!("{id} is cooked elsewhere, and {here:?} here"));
            }
        }
        wrong.into_iter().for_each(|why| self.fail(why));
    }

    /// Nothing of the backend's is open any more.
    pub fn backend_is_done(&self) -> bool {
        self.backend.orders.values().all(|row| !row.standing.state.is_open())
    }
}
