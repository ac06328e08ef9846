//! What an answer of the backend means for a kitchen, and what the kitchen says of itself.

use crate::kitchen::rows::InMemory;
use crate::kitchen::{Command, Entry, Kitchen, OrderStatus};
use crate::protocol::exchange::{Assignment, Configuration, ExchangeAnswer, Held, News, Progress};

use super::answer::{Plan, plan};
use super::request::{What, of, report};

/// A kitchen with the built-in menu and nobody to cook.
struct Scene {
    kitchen: Kitchen,
    index: u64,
}

impl Scene {
    fn new() -> Self {
        let mut scene = Self { kitchen: Kitchen::default(), index: 0 };
        scene.apply(Command::TakeCharge { node: 1, incarnation: 1, gap_measured: true, kitchen: String::new() });
        for recipe in crate::kitchen::recipe::built_in_menu() {
            scene.apply(Command::PutRecipe { recipe });
        }
        scene
    }

    fn apply(&mut self, command: Command) {
        self.index += 1;
        let of_client = matches!(command, Command::TakeCharge { .. } | Command::PutRecipe { .. });
        let epoch = (!of_client).then(|| self.kitchen.epoch());
        let entry = Entry { at: 1_000 + self.index, wall: 1_700_000_000_000, epoch, asked: None, command };
        self.kitchen.apply(self.index, &entry, &InMemory::new());
    }

    fn follow(&mut self, plan: Plan) {
        plan.follow.into_iter().for_each(|answer| self.apply(Command::FollowBackend(answer)));
        plan.orders.into_iter().for_each(|order| self.apply(Command::TakeAssignment(order)));
    }
}

fn assignment(order: &str, number: u64) -> Assignment {
    let items = vec!["margherita".parse().unwrap()];
    Assignment { order: order.parse().unwrap(), assignment: number, items, priority: 0, promise_ms: 60_000 }
}

fn answer(assignments: Vec<Assignment>) -> ExchangeAnswer {
    ExchangeAnswer { v: 1, as_of: 1_000, lease_ms: 300_000, assignments, ..ExchangeAnswer::default() }
}

#[test]
fn an_order_comes_with_a_lease_that_counts_from_the_question_less_the_margin() {
    let scene = Scene::new();
    let plan = plan(&scene.kitchen, &answer(vec![assignment("o1", 1)]), 10_000);
    assert_eq!(plan.follow.map(|f| f.lease_until), Some(1_000 + 300_000 - 10_000));
    assert_eq!(plan.orders.len(), 1);
}

#[test]
fn an_answer_that_says_nothing_new_writes_nothing() {
    let mut scene = Scene::new();
    let first = plan(&scene.kitchen, &answer(vec![assignment("o1", 1)]), 0);
    scene.follow(first);
    let again = plan(&scene.kitchen, &answer(vec![assignment("o1", 1)]), 0);
    assert_eq!(again, Plan::default(), "the same answer twice");
    let later = ExchangeAnswer { as_of: 2_000, ..answer(vec![]) };
    assert!(plan(&scene.kitchen, &later, 0).follow.is_some(), "a later one renews the lease of what waits");
}

#[test]
fn an_idle_kitchen_writes_no_entry_for_an_exchange() {
    let mut scene = Scene::new();
    let first = plan(&scene.kitchen, &answer(vec![]), 0);
    assert!(first.follow.is_some(), "the first makes the backend known");
    scene.follow(first);
    assert_eq!(plan(&scene.kitchen, &ExchangeAnswer { as_of: 5_000, ..answer(vec![]) }, 0), Plan::default());
}

#[test]
fn what_the_kitchen_holds_and_tells_is_in_the_request() {
    let mut scene = Scene::new();
    let taken = plan(&scene.kitchen, &answer(vec![assignment("o1", 4)]), 0);
    scene.follow(taken);
    let request = of(&scene.kitchen, 2_000, What::Outcomes);
    assert_eq!(request.held, [Held { order: "o1".parse().unwrap(), assignment: 4 }]);
    assert_eq!((request.first, request.as_of), (1, 2_000));
    let accepted = |n: &News| matches!(n, News::Order { status: Progress::Accepted, assignment: 4, .. });
    assert!(accepted(&request.outcomes[0].news));
    assert!(of(&scene.kitchen, 2_000, What::Held).outcomes.is_empty());
    assert_eq!(scene.kitchen.orders().next().map(|o| o.status), Some(OrderStatus::Accepted));
}

#[test]
fn a_kitchen_without_devices_quotes_nothing_and_says_that_it_is_out_of_order() {
    let report = report(&Scene::new().kitchen);
    assert_eq!(report.state, "OUT_OF_ORDER");
    assert!(report.status.starts_with("OUT_OF_ORDER(") && report.quotes.is_empty());
}

#[test]
fn configuration_becomes_commands_and_what_can_not_be_read_is_told() {
    let scene = Scene::new();
    let recipes = [
        (
            "calzone".parse().unwrap(),
            serde_json::json!({"title": "Calzone", "prep_ms": 1, "transfer_ms": 1, "bake_ms": 1, "window_ms": 1, "stale_ms": 1, "finish_ms": 1, "oven_program": "hot"}),
        ),
        ("wrong".parse().unwrap(), serde_json::json!({"titel": "x"})),
    ];
    let settings = [("promise_ms".to_owned(), serde_json::json!(600_000))];
    let configuration = Configuration { version: 3, recipes: recipes.into(), settings: settings.into() };
    let answer = ExchangeAnswer { configuration: Some(configuration), ..answer(vec![]) };
    let plan = plan(&scene.kitchen, &answer, 0);
    let fine: Vec<(&str, bool)> = plan.configuration.iter().map(|(name, c)| (name.as_str(), c.is_ok())).collect();
    assert_eq!(fine, [("recipe calzone", true), ("recipe wrong", false), ("settings", true)]);
    assert_eq!(plan.follow.and_then(|f| f.configuration).map(|c| c.version), Some(3));
}
