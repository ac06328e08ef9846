//! How a dinner ends: everybody leaves, every order is looked at once more, and the whole history is judged.

use std::time::{Duration, Instant};

use brigade::history::{Answer, Ask, History, Judgement, Need, calls, judge};

use super::person::answer_questions;
use super::{Dinner, PATIENCE};

/// What a dinner showed.
pub struct Verdict {
    /// Everything that happened.
    pub history: History,
    /// What each invariant says to it.
    pub judgements: Vec<Judgement>,
}

impl Verdict {
    /// The broken invariants, in words.
    pub fn broken(&self) -> Vec<String> {
        let why = |j: &Judgement| Some(format!("{}: {:?}", j.invariant, j.violation.as_ref()?));
        self.judgements.iter().filter_map(why).collect()
    }

    /// Pizzas that stayed in a hot oven past their window.
    pub fn burnt(&self) -> usize {
        self.history.devices().filter(|(_, fact)| fact.event == "burnt").count()
    }
}

impl Dinner {
    /// Ends the dinner: all orders end, no invariant is broken, nothing burnt, and the run exercised what it had to.
    pub fn ends_well(mut self, needs: &[Need]) -> Verdict {
        let verdict = self.end();
        let dir = self.site.dir().display();
        assert_eq!(verdict.broken(), Vec::<String>::new(), "see {dir}");
        assert_eq!(verdict.burnt(), 0, "see {dir}");
        let missing: Vec<String> =
            needs.iter().filter(|need| !need.is_met(&verdict.history)).map(ToString::to_string).collect();
        assert!(missing.is_empty(), "this run proved nothing: it did not exercise {missing:?}; see {dir}");
        verdict
    }

    /// Keeps the folder, with history and logs.
    pub fn keep(&mut self) -> &std::path::Path {
        self.site.keep()
    }

    /// Waits until all orders have ended, looks at each of them, and judges.
    pub fn end(&mut self) -> Verdict {
        self.wait_for_the_end();
        let history = self.history();
        let mut orders: Vec<&str> = calls(&history).iter().map(|call| call.ask.order()).collect();
        orders.sort_unstable();
        orders.dedup();
        for (n, order) in orders.iter().enumerate() {
            let show = || Ask::Show { order: (*order).to_owned(), stale: false };
            self.wait_until("an answer to a last look", |d| {
                !matches!(d.call(1 + n as u64 % 3, show()), Answer::NotApplied { .. } | Answer::Unknown { .. })
            });
        }
        let history = self.history();
        let judgements = judge(&history);
        Verdict { history, judgements }
    }

    fn wait_for_the_end(&mut self) {
        let limit = Instant::now() + 2 * PATIENCE;
        loop {
            self.look_after_controllers();
            self.answer_questions();
            let have_left = self.guests.as_ref().is_none_or(super::Guests::have_left);
            let open = self.get("/v1/kitchen").and_then(|kitchen| kitchen["open_orders"].as_u64());
            if have_left && open == Some(0) {
                return;
            }
            assert!(Instant::now() < limit, "orders are open for ever: {open:?}; have the guests left: {have_left}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// What is written down so far.
    pub fn history(&self) -> History {
        let text = std::fs::read_to_string(self.site.history()).expect("the history is there");
        // The last line may be under way.
        let whole = text.rfind('\n').map_or("", |end| &text[..=end]);
        History::read(whole).expect("everybody writes facts")
    }

    /// True once a device has written down such a fact.
    pub fn has_fact(&self, is_it: impl Fn(&brigade::history::DeviceFact) -> bool) -> bool {
        self.history().devices().any(|(_, fact)| is_it(fact))
    }

    /// Waits until a pizza bakes.
    pub fn wait_until_one_bakes(&self) {
        self.wait_until("a pizza bakes", |d| d.has_fact(|f| f.event == "started" && f.op.as_deref() == Some("bake")));
    }

    /// The person in the kitchen answers what is asked.
    pub fn answer_questions(&self) {
        self.runtime.block_on(answer_questions(&self.api, &self.site.own_broker_urls(), || self.history()));
    }
}
