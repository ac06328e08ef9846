//! A kitchen as the backend sees it: speaks the exchange, begins what it may, and remembers what it began.
//!
//! Pure: it has no clock and no connection. It keeps to the contract and to nothing else, so that what it begins twice is the backend's
//! fault.

use std::collections::BTreeMap;

use brigade::protocol::Id;
use brigade::protocol::exchange::{
    EXCHANGE_VERSION, ExchangeAnswer, ExchangeRequest, Held, LogLine, News, Outcome, Progress, QuoteMs, Report, UpOf,
};

pub fn id(text: &str) -> Id {
    text.parse().unwrap()
}

pub struct FakeKitchen {
    pub id: Id,
    pub series: Id,
    /// Its own clock, in milliseconds: far from anybody else's.
    pub clock: u64,
    /// Its wall clock is wrong by so much.
    pub wall: u64,
    pub report: Report,
    pub held: BTreeMap<Id, Mine>,
    pub feed: Vec<Outcome>,
    pub next: u64,
    pub logs: Vec<LogLine>,
    pub configuration: u64,
    /// What was begun here, under which assignment.
    pub begun: Vec<Held>,
    /// What the backend took away.
    pub revoked: Vec<Held>,
    pub lease_until: u64,
}

#[derive(Clone, Debug)]
pub struct Mine {
    pub assignment: u64,
    pub progress: Progress,
    /// The number of the outcome that says STARTING.
    pub starting: Option<u64>,
}

impl FakeKitchen {
    pub fn new(name: &str) -> Self {
        let quote = QuoteMs { p50_ms: 300_000, p95_ms: 400_000 };
        let report = Report {
            status: "NORMAL".to_owned(),
            state: "NORMAL".to_owned(),
            capacity: [("bake".to_owned(), UpOf { up: 4, of: 4 })].into(),
            limit_milli_per_hour: Some(60_000),
            rate_milli_per_hour: Some(30_000),
            quotes: [(id("margherita"), quote), (id("funghi"), quote)].into(),
            ..Report::default()
        };
        Self {
            id: id(name),
            series: id("s1"),
            clock: 1_000_000,
            wall: 0,
            report,
            held: BTreeMap::new(),
            feed: Vec::new(),
            next: 1,
            logs: Vec::new(),
            configuration: 0,
            begun: Vec::new(),
            revoked: Vec::new(),
            lease_until: 0,
        }
    }

    pub fn request(&self) -> ExchangeRequest {
        let held = self.held.iter().map(|(order, mine)| Held { order: order.clone(), assignment: mine.assignment });
        ExchangeRequest {
            v: EXCHANGE_VERSION,
            series: self.series.clone(),
            as_of: self.clock,
            held: held.collect(),
            first: self.feed.first().map_or(self.next, |o| o.number),
            outcomes: self.feed.iter().take(500).cloned().collect(),
            report: Some(self.report.clone()),
            logs: self.logs.clone(),
            configuration: self.configuration,
            configuration_refused: None,
        }
    }

    /// Takes an answer, accepts what is new, and begins what it announced and was acknowledged.
    pub fn hear(&mut self, answer: &ExchangeAnswer) {
        self.lease_until = self.lease_until.max(answer.as_of + answer.lease_ms);
        self.feed.retain(|outcome| outcome.number > answer.acknowledged);
        self.logs.retain(|line| line.index > answer.logs_acknowledged.unwrap_or(0));
        for revoked in &answer.revoked {
            self.revoked.push(revoked.clone());
            let mine = self.held.get(&revoked.order).filter(|mine| mine.assignment == revoked.assignment);
            if mine.is_some_and(|mine| mine.progress != Progress::InProgress) {
                self.held.remove(&revoked.order);
            }
        }
        self.begin(answer.acknowledged);
        for new in &answer.assignments {
            if !self.held.contains_key(&new.order) {
                let mine = Mine { assignment: new.assignment, progress: Progress::Accepted, starting: None };
                self.held.insert(new.order.clone(), mine);
                self.tell(&new.order.clone(), Progress::Accepted);
            }
        }
        if let Some(configuration) = &answer.configuration {
            self.configuration = configuration.version;
        }
    }

    fn begin(&mut self, acknowledged: u64) {
        if self.clock >= self.lease_until {
            return;
        }
        let may = |mine: &Mine| mine.progress == Progress::Starting && mine.starting.is_some_and(|n| n <= acknowledged);
        let orders: Vec<Id> = self.held.iter().filter(|(_, mine)| may(mine)).map(|(order, _)| order.clone()).collect();
        for order in orders {
            let assignment = self.held[&order].assignment;
            self.begun.push(Held { order: order.clone(), assignment });
            self.tell(&order, Progress::InProgress);
        }
    }

    /// Moves an order on, and says so.
    pub fn tell(&mut self, order: &Id, status: Progress) {
        let number = self.next;
        let mine = self.held.get_mut(order).expect("it is held");
        mine.progress = status;
        if status == Progress::Starting {
            mine.starting = Some(number);
        }
        let assignment = mine.assignment;
        match status {
            Progress::Accepted | Progress::Starting | Progress::InProgress => {}
            Progress::Ready | Progress::Collected | Progress::Cancelled | Progress::Failed | Progress::Returned => {
                self.held.remove(order);
            }
        }
        let reason = (status == Progress::Returned).then(|| "out of order".to_owned());
        self.say(News::Order { order: order.clone(), assignment, status, reason });
    }

    pub fn say(&mut self, news: News) {
        self.feed.push(Outcome { number: self.next, wall: self.wall, news });
        self.next += 1;
    }

    /// Goes on with everything that it holds.
    pub fn work(&mut self) {
        let all: Vec<(Id, Progress)> = self.held.iter().map(|(order, mine)| (order.clone(), mine.progress)).collect();
        for (order, progress) in all {
            match progress {
                Progress::Accepted => self.tell(&order, Progress::Starting),
                Progress::InProgress => self.tell(&order, Progress::Ready),
                Progress::Starting
                | Progress::Ready
                | Progress::Collected
                | Progress::Cancelled
                | Progress::Failed
                | Progress::Returned => {}
            }
        }
    }
}
