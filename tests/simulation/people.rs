//! The client who orders and repeats, the cook who answers questions by looking at the world, and the operator.

use brigade::device::sim::Place;
use brigade::history::DeviceFact;
use brigade::kitchen::recipe::{Recipe, built_in_menu};
use brigade::kitchen::{
    Command, Content, Decision, Directive, Incident, NewOrder, OrderId, PizzaId, Question, RecipeId, Reply, pizza,
};
use brigade::protocol::Id;

use crate::agenda::Event;
use crate::raft::Purpose;
use crate::run::Simulation;

/// An order, as its client knows it.
pub struct Placed {
    pub new: NewOrder,
    pub acknowledged: bool,
}

impl Simulation {
    /// The client orders, or takes an order back.
    pub fn client(&mut self) {
        // Two thirds of what the line can do.
        let pause_ms = self.chance.between(40_000, 280_000) / self.speed;
        if !self.is_healed {
            self.agenda.at(self.now + pause_ms, Event::Client);
        }
        if self.chance.happens(700) && !self.orders.is_empty() {
            return self.cancel();
        }
        let count = self.chance.between(1, 4);
        let recipes = self.recipes.len();
        let items: Vec<RecipeId> = (0..count).map(|_| self.recipes[self.chance.below(recipes)].clone()).collect();
        if self.chance.happens(5_000) {
            return self
                .order_at_backend(items.iter().map(|r: &RecipeId| r.as_str().parse().expect("an id")).collect());
        }
        let id: OrderId = format!("o{}", self.orders.len()).parse().expect("an id");
        let priority = if self.chance.happens(1_000) { 5 } else { 0 };
        let new = NewOrder { id, items, priority, promise_ms: None };
        self.orders.push(Placed { new, acknowledged: false });
        self.place(self.orders.len() - 1);
    }

    /// Sends an order to a replica that believes that it leads; a cut-off one may believe so wrongly.
    pub fn place(&mut self, order: usize) {
        let command = Command::PlaceOrder(self.orders[order].new.clone());
        match self.any_leader() {
            Some(node) => self.propose(node, command, None, Purpose::Order(order)),
            None => self.order_answered(order, None),
        }
    }

    fn any_leader(&mut self) -> Option<usize> {
        let open = |n: &usize| self.nodes[*n].is_up && self.nodes[*n].leading_term.is_some();
        let nodes: Vec<usize> = (0..self.nodes.len()).filter(open).collect();
        (!nodes.is_empty()).then(|| nodes[self.chance.below(nodes.len())])
    }

    /// The answer to an order. Without one the client asks again, under the same id.
    pub fn order_answered(&mut self, order: usize, reply: Option<Reply>) {
        match reply {
            Some(Reply::Placed { created, .. }) => {
                if !created {
                    self.seen.count("orders that were placed already");
                }
                self.orders[order].acknowledged = true;
                // A phone without a network shows no answer: its owner asks once more, and by then the order may have ended.
                if self.chance.happens(1_000) {
                    self.seen.count("orders asked again much later");
                    let at = self.now + self.chance.between(60_000, 900_000);
                    self.agenda.at(at, Event::Retry { order });
                }
            }
            Some(other) => self.fail(format!("order {order} was answered {other:?}")),
            None => {
                self.seen.count("orders asked again");
                let at = self.now + self.chance.between(100, 1_000);
                self.agenda.at(at, Event::Retry { order });
            }
        }
    }

    fn cancel(&mut self) {
        if self.chance.happens(3_000) {
            return self.cancel_at_backend();
        }
        let order = self.chance.below(self.orders.len());
        let order = self.orders[order].new.id.clone();
        if let Some(node) = self.any_leader() {
            self.seen.count("cancellations");
            let command = Command::CancelOrder { order, reason: "changed my mind".to_owned() };
            self.propose(node, command, None, Purpose::Other);
        }
    }

    /// The node in charge, where people look.
    pub fn in_charge(&self) -> Option<usize> {
        let serves = |n: &usize| self.nodes[*n].tenure.is_some() && self.quorum_holds(*n);
        (0..self.nodes.len()).find(serves)
    }

    /// The cook answers one question by what is really there.
    pub fn cook(&mut self) {
        let pause_ms = if self.is_healed { 2_000 } else { self.chance.between(1_000, 40_000) };
        self.agenda.at(self.now + pause_ms, Event::Cook);
        let Some(node) = self.in_charge() else { return };
        let open: Vec<Incident> =
            self.nodes[node].kitchen.incidents().filter(|i| i.answer.is_none()).cloned().collect();
        if open.is_empty() {
            return;
        }
        let incident = &open[self.chance.below(open.len())];
        let decision = self.decide(&incident.question);
        self.seen.count("questions answered");
        let actor = "cook".to_owned();
        let command = Command::DecideIncident { incident: incident.id, decision, actor, reason: "looked".to_owned() };
        self.propose(node, command, None, Purpose::Other);
    }

    fn decide(&mut self, question: &Question) -> Decision {
        match question {
            Question::WhereIsPizza { pizza } => match self.find(&pizza.to_string()) {
                Some(place) if self.chance.happens(5_000) => Decision::OnDevice { place },
                Some(place) => {
                    self.take_away(&place);
                    Decision::PizzaGone
                }
                None => Decision::PizzaGone,
            },
            Question::ClearLane { place } => {
                self.take_away(&place.clone());
                Decision::LaneClear
            }
            Question::JudgePizza { .. } if self.chance.happens(8_000) => Decision::Good,
            Question::JudgePizza { .. } => Decision::Bad,
            Question::ItemFails { .. } if self.chance.happens(9_000) => Decision::Retry,
            Question::ItemFails { .. } => Decision::GiveUp,
            Question::TwinDevices { device } => {
                self.pull_a_plug(device);
                Decision::Resolved
            }
            Question::EmergencyStop { .. } => {
                let all_reset = self.devices.iter().all(|d| !d.knobs.get().estop);
                // Before that the answer is refused, and the question asked again.
                self.seen.count(if all_reset { "emergency stops confirmed" } else { "emergency stops not yet reset" });
                Decision::Resolved
            }
            Question::ObeysAnotherController { .. } | Question::RemoveFromCounter { .. } => Decision::Resolved,
        }
    }

    fn find(&self, pizza: &str) -> Option<pizza::Place> {
        for device in &self.devices {
            for lane in &device.facts.lanes {
                let here = self.world.pizza_at(&Place::new(device.id.clone(), *lane));
                if here.is_some_and(|p| p.as_str() == pizza) {
                    return Some(pizza::Place { device: device.id.clone(), lane: *lane });
                }
            }
        }
        None
    }

    fn take_away(&mut self, place: &pizza::Place) {
        let (device, lane) = (Id::from(place.device.clone()), place.lane);
        if let Some(pizza) = self.world.take_away(&Place::new(device.clone(), lane)) {
            let fact =
                DeviceFact { pizza: Some(pizza.to_string()), slot: Some(lane), ..DeviceFact::new(&device, "cleared") };
            self.world.record().set_time(self.now);
            self.world.record().write(fact);
        }
        if let Some(at) = self.devices.iter().position(|d| d.id == place.device) {
            self.wake_device(at, 1);
        }
    }

    /// The operator interferes with a device or the whole kitchen, and lets go later.
    pub fn operator(&mut self) {
        let at = self.now + self.chance.between(20_000, 120_000);
        self.agenda.at(at, Event::Operator);
        let Some(node) = self.in_charge().filter(|_| self.climate.every_ms > 0) else { return };
        let device = self.devices[self.chance.below(self.devices.len())].id.clone();
        let actor = "operator".to_owned();
        let all = [
            Directive::Drain,
            Directive::Hold,
            Directive::Resume,
            Directive::Resume,
            Directive::Maintain,
            Directive::Release,
        ];
        let command = if self.is_healed {
            Command::DirectDevice { device, directive: Directive::Resume, actor }
        } else if self.chance.happens(1_000) {
            self.changed_recipe()
        } else if let Some(command) = self.chance.happens(700).then(|| self.bad_pizza(node)).flatten() {
            command
        } else if self.chance.happens(2_000) {
            let held = !self.nodes[node].kitchen.meta().held_zones.contains("");
            Command::HoldZone { zone: String::new(), held, actor }
        } else {
            Command::DirectDevice { device, directive: all[self.chance.below(all.len())], actor }
        };
        self.propose(node, command, None, Purpose::Other);
    }

    /// Somebody sees that a pizza is bad, wherever it is.
    fn bad_pizza(&mut self, node: usize) -> Option<Command> {
        let begun = |p: &&brigade::kitchen::Pizza| p.state != brigade::kitchen::PizzaState::Queued;
        let pizzas: Vec<PizzaId> = self.nodes[node].kitchen.pizzas().filter(begun).map(|p| p.id).collect();
        if pizzas.is_empty() {
            return None;
        }
        self.seen.count("pizzas called bad");
        let pizza = pizzas[self.chance.below(pizzas.len())];
        Some(Command::RemakePizza { pizza, actor: "operator".to_owned(), reason: "wrong topping".to_owned() })
    }

    /// A dish takes a little longer or shorter from now on.
    fn changed_recipe(&mut self) -> Command {
        self.seen.count("recipes changed");
        let menu = built_in_menu();
        let dish = menu[self.chance.below(menu.len())].sped_up(self.speed);
        let pct = self.chance.between(80, 125);
        let recipe = Recipe { prep_ms: dish.prep_ms * pct / 100, bake_ms: dish.bake_ms * pct / 100, ..dish };
        Command::PutRecipe { recipe }
    }

    /// Everybody lets go: whatever was held, drained or in a technician's hands works again.
    pub fn let_go(&mut self) {
        let Some(node) = self.in_charge() else { return };
        let idle = |d: &brigade::kitchen::Device| d.lanes.values().all(|l| l.content != Some(Content::Unknown));
        let kitchen = &self.nodes[node].kitchen;
        let stuck = |d: &&brigade::kitchen::Device| d.held || d.standing != brigade::kitchen::Standing::Adopted;
        let devices: Vec<_> = kitchen.devices().filter(stuck).filter(|d| idle(d)).map(|d| d.id.clone()).collect();
        let held: Vec<String> = kitchen.meta().held_zones.iter().cloned().collect();
        for device in devices {
            let (directive, actor) = (Directive::Resume, "operator".to_owned());
            self.propose(node, Command::DirectDevice { device, directive, actor }, None, Purpose::Other);
        }
        for zone in held {
            let command = Command::HoldZone { zone, held: false, actor: "operator".to_owned() };
            self.propose(node, command, None, Purpose::Other);
        }
    }
}
