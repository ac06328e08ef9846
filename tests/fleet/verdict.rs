//! What became of every order, by the backend's history, the kitchens and the devices' records.

use std::collections::BTreeMap;
use std::fmt;

use brigade::cli::local::{Backend, Placed, Record};

use crate::fleet::Kitchen;

/// States in which an order has ended.
const ENDS: [&str; 4] = ["READY", "COLLECTED", "CANCELLED", "FAILED"];

/// What was found.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Orders by their state at the backend.
    pub ends: BTreeMap<String, usize>,
    /// Orders completed, by kitchen.
    pub by_kitchen: BTreeMap<String, usize>,
    /// Orders that were assigned more than once.
    pub moved: usize,
    /// What was broken, and how often.
    pub broken: BTreeMap<&'static str, usize>,
    /// Everything that must not be.
    pub wrong: Vec<String>,
}

impl Verdict {
    /// Judges a fleet.
    pub async fn of(
        backend: &Backend,
        kitchens: &[Kitchen],
        placed: &[Placed],
        broken: BTreeMap<&'static str, usize>,
    ) -> Self {
        let mut verdict = Self { broken, ..Self::default() };
        let mut packed: BTreeMap<(String, u16), Vec<String>> = BTreeMap::new();
        for kitchen in kitchens {
            let ids = kitchen.client.orders_by_number().await.expect("the kitchen lists its orders");
            let record = Record::read(&kitchen.site.record()).expect("the devices' record is there");
            if record.made_twice() > 0 {
                verdict.wrong.push(format!("{}: {} made twice", kitchen.name, record.made_twice()));
            }
            for ((number, item), times) in record.delivered() {
                let id = ids.get(&number).cloned().unwrap_or_else(|| format!("{} #{number}", kitchen.name));
                let makers = packed.entry((id, item)).or_default();
                makers.extend((0..times).map(|_| kitchen.name.clone()));
            }
        }
        for order in placed {
            verdict.judge(backend, order).await;
            for item in 0..order.items.len() as u16 {
                let makers = packed.remove(&(order.id.clone(), item)).unwrap_or_default();
                if makers.len() != 1 {
                    verdict.wrong.push(format!("item {item} of {} was packed by {makers:?}", order.id));
                }
            }
        }
        let nobodys = packed.into_iter().filter(|((id, _), makers)| !makers.is_empty() && id != "local");
        verdict.wrong.extend(nobodys.map(|(what, makers)| format!("{what:?} was packed by {makers:?} for nobody")));
        verdict
    }

    async fn judge(&mut self, backend: &Backend, order: &Placed) {
        let shown = backend.order(&order.id).await.expect("the backend knows what it accepted");
        let state = shown["status"].as_str().unwrap_or("-").to_owned();
        if state != "READY" {
            self.wrong.push(format!("{} is {state}", order.id));
        }
        *self.ends.entry(state).or_default() += 1;
        *self.by_kitchen.entry(shown["kitchen"].as_str().unwrap_or("-").to_owned()).or_default() += 1;
        self.moved += usize::from(shown["assignment"].as_u64() > Some(1));
        let history = backend.history(&order.id).await.expect("every order has a history");
        let steps = history["items"].as_array().expect("it is a list");
        let ends = steps.iter().filter(|s| ENDS.contains(&s["status"].as_str().unwrap_or_default())).count();
        if ends != 1 {
            self.wrong.push(format!("{} ended {ends} times: {history}", order.id));
        }
    }

    /// Every accepted order is READY, ended once, and each of its pizzas was packed in one kitchen.
    #[track_caller]
    pub fn assert_sound(&self, orders: usize) {
        assert!(self.wrong.is_empty(), "{:#?}\n{self}", self.wrong);
        assert_eq!(self.ends.values().sum::<usize>(), orders);
    }

    /// A run in which nothing broke proves nothing.
    #[track_caller]
    pub fn assert_something_was_proved(&self) {
        for what in ["leaders killed", "whole kitchens killed", "backends killed"] {
            assert!(self.broken.contains_key(what), "proved nothing: no {what}; {:?}", self.broken);
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "orders by end: {:?}; by kitchen: {:?}", self.ends, self.by_kitchen)?;
        write!(f, "moved to another kitchen: {}; broken: {:?}", self.moved, self.broken)
    }
}
