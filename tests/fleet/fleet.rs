//! The kitchens, the backend, the clients, and what is done to them.

use std::collections::BTreeMap;
use std::time::Duration;

use brigade::cli::local::{Backend, Client, Placed, Plan as SitePlan, Processes, Site, processes, wait_until_open};
use brigade::config::BackendConfig;
use rand::Rng;
use rand::rngs::StdRng;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::link::Link;
use crate::verdict::Verdict;

/// How long orders may take to end once nothing is broken any more.
const PATIENCE: Duration = Duration::from_secs(600);

/// What a fleet is like.
pub struct Plan {
    pub kitchens: usize,
    pub speed: u64,
    /// The backend comes to the kitchens, not they to it.
    pub polled: bool,
    /// Assignment leases of five seconds, so that a test sees one end.
    pub short_leases: bool,
}

impl Plan {
    /// So many kitchens, as fast as this machine can follow.
    pub fn of(kitchens: usize) -> Self {
        Self { kitchens, speed: 60, polled: false, short_leases: false }
    }
}

/// The backend's side of short leases; `tie` has the kitchens'.
const SHORT_LEASES: [(&str, &str); 3] = [
    ("BRIGADE_BACKEND_LEASE_MS", "5000"),
    ("BRIGADE_BACKEND_MARGIN_MS", "1000"),
    ("BRIGADE_BACKEND_UNREACHABLE_MS", "2000"),
];

/// One kitchen.
pub struct Kitchen {
    pub name: String,
    pub site: Site,
    pub client: Client,
    processes: Processes,
}

/// All of it.
pub struct Fleet {
    pub backend: Backend,
    pub kitchens: Vec<Kitchen>,
    /// From each kitchen to the backend.
    pub links: Vec<Link>,
    placed: Vec<Placed>,
    menu: Vec<String>,
    broken: BTreeMap<&'static str, usize>,
    backend_is_dead_until: Option<Instant>,
    _dir: TempDir,
}

/// How a kitchen is tied to the backend.
async fn tie(plan: &Plan, backend: &Backend, kitchen: &str, link: &Link) -> BackendConfig {
    if plan.polled {
        return BackendConfig::poll();
    }
    let tied = backend.register(kitchen).await.expect("the kitchen is registered");
    let tied = BackendConfig { urls: vec![link.url.clone()], ..tied };
    match plan.short_leases {
        true => BackendConfig { wait_ms: 500, lease_margin_ms: 1_000, ..tied },
        false => tied,
    }
}

impl Fleet {
    /// Starts everything and waits until all kitchens are open and the backend knows what they make.
    pub async fn open(plan: Plan) -> Self {
        processes::use_program(env!("CARGO_BIN_EXE_brigade").into());
        let dir = tempfile::Builder::new().prefix("brigade-fleet-").tempdir().expect("a folder");
        let settings = if plan.short_leases { &SHORT_LEASES[..] } else { &[] };
        let backend = Backend::start_with(dir.path(), settings).await.expect("the backend starts");
        let (mut kitchens, mut links) = (Vec::new(), Vec::new());
        for n in 1..=plan.kitchens {
            let name = format!("kitchen{n}");
            let link = Link::to(backend.url()).await;
            let tied = tie(&plan, &backend, &name, &link).await;
            links.push(link);
            let (keep, tied) = (Some(dir.path().join(&name)), Some(tied));
            let (speed, name, closed) = (plan.speed, name.clone(), plan.polled);
            let site = SitePlan { speed, keep, name: name.clone(), backend: tied, closed, ..SitePlan::default() };
            let site = Site::lay_out(&site).expect("files are written");
            let processes = Processes::start(&site).expect("processes start");
            let client = site.client();
            kitchens.push(Kitchen { name, site, client, processes });
        }
        let stop = CancellationToken::new();
        for kitchen in &mut kitchens {
            let open = wait_until_open(&kitchen.client, &kitchen.site, &mut kitchen.processes, &stop).await;
            open.expect("the kitchen opens");
            if plan.polled {
                // A closed kitchen: the backend comes with a token of its own, which may exchange and no more.
                let token = kitchen.client.add_token("main-backend", "backend").await.expect("a token is added");
                let registered = backend.register_polled(&kitchen.name, &kitchen.site.apis(), &token).await;
                registered.expect("the kitchen is registered");
            }
        }
        let (placed, broken) = (Vec::new(), BTreeMap::new());
        let mut fleet =
            Self { backend, kitchens, links, placed, menu: Vec::new(), broken, backend_is_dead_until: None, _dir: dir };
        fleet.until_the_backend_knows_all().await;
        fleet.menu = fleet.backend.menu().await.expect("the kitchens told what they make");
        fleet
    }

    /// Until every kitchen has told what it makes, and when: before, the backend gives it nothing.
    async fn until_the_backend_knows_all(&self) {
        let limit = Instant::now() + PATIENCE;
        for kitchen in &self.kitchens {
            let quotes = async || {
                let shown = self.backend.kitchen(&kitchen.name).await.unwrap_or_default();
                shown["report"]["quotes"].as_object().is_some_and(|quotes| !quotes.is_empty())
            };
            while !quotes().await {
                assert!(Instant::now() < limit, "{} told the backend nothing", kitchen.name);
                sleep(Duration::from_millis(50)).await;
            }
        }
    }

    /// So many orders from so many clients at once; each repeats itself until it is accepted.
    pub async fn order(&mut self, orders: usize, clients: usize) {
        let first = self.placed.len();
        let new: Vec<Placed> = (first..first + orders).map(|n| self.nth(n)).collect();
        for batch in new.chunks(clients) {
            let placed = futures::future::join_all(batch.iter().map(|order| self.backend.place(order))).await;
            for accepted in placed {
                accepted.expect("an order is accepted in the end");
            }
            self.look_after().await;
        }
        self.placed.extend(new);
    }

    fn nth(&self, n: usize) -> Placed {
        let items = (0..1 + n % 2).map(|i| self.menu[(n + i) % self.menu.len()].clone());
        Placed { id: format!("f{n}"), items: items.collect() }
    }

    /// An order placed at a kitchen itself, until it is ready.
    pub async fn order_locally(&mut self, kitchen: usize, id: &str) {
        let order = Placed { id: id.to_owned(), items: vec![self.menu[0].clone()] };
        self.kitchens[kitchen].client.place(&order).await.expect("the kitchen takes local orders");
        let limit = Instant::now() + PATIENCE;
        while self.kitchens[kitchen].client.status_of(id).await.is_none_or(|status| status != "READY") {
            assert!(Instant::now() < limit, "the local order is not ready");
            self.pass(Duration::from_millis(100)).await;
        }
    }

    /// Waits until an order was given to a second kitchen.
    pub async fn until_one_has_moved(&mut self) {
        let limit = Instant::now() + PATIENCE;
        loop {
            for order in &self.placed {
                let shown = self.backend.order(&order.id).await.expect("the backend knows what it accepted");
                if shown["assignment"].as_u64() > Some(1) {
                    return;
                }
            }
            assert!(Instant::now() < limit, "no order moved");
            self.pass(Duration::from_millis(100)).await;
        }
    }

    /// The node in charge of a kitchen is killed; it comes back a second later.
    pub async fn kill_leader(&mut self, kitchen: usize) {
        let kitchen = &mut self.kitchens[kitchen];
        if let Some(leader) = kitchen.client.leader().await
            && kitchen.processes.kill(leader).expect("it can be killed")
        {
            *self.broken.entry("leaders killed").or_default() += 1;
        }
    }

    /// One fault, by chance.
    pub async fn break_something(&mut self, chance: &mut StdRng) {
        let kitchen = chance.random_range(0..self.kitchens.len());
        match chance.random_range(0..10) {
            0..=4 => self.kill_leader(kitchen).await,
            5..=6 => {
                self.kitchens[kitchen].processes.kill_all().expect("they can be killed");
                *self.broken.entry("whole kitchens killed").or_default() += 1;
            }
            7..=8 if self.backend_is_dead_until.is_none() => {
                self.backend.kill().await;
                let ms = chance.random_range(200..6_000);
                self.backend_is_dead_until = Some(Instant::now() + Duration::from_millis(ms));
                *self.broken.entry("backends killed").or_default() += 1;
                // Clients repeat themselves meanwhile.
                self.pass(Duration::from_millis(ms)).await;
            }
            _ => {}
        }
    }

    /// Time passes; what was killed comes back.
    pub async fn pass(&mut self, span: Duration) {
        let until = Instant::now() + span;
        while Instant::now() < until {
            self.look_after().await;
            sleep(Duration::from_millis(50)).await;
        }
    }

    async fn look_after(&mut self) {
        for kitchen in &mut self.kitchens {
            kitchen.processes.revive().expect("no process ends by itself");
        }
        if self.backend_is_dead_until.is_some_and(|at| Instant::now() >= at) {
            self.backend.run().expect("the backend starts again");
            self.backend_is_dead_until = None;
        }
    }

    /// Waits for every order's end.
    pub async fn until_all_have_ended(&mut self) {
        let limit = Instant::now() + PATIENCE;
        let mut open: Vec<String> = self.placed.iter().map(|o| o.id.clone()).collect();
        while !open.is_empty() {
            self.pass(Duration::from_millis(200)).await;
            let mut still = Vec::new();
            for id in open {
                let ended = self.backend.order(&id).await.is_ok_and(|o| o["classic_status"] == "completed");
                if !ended {
                    still.push(id);
                }
            }
            open = still;
            if Instant::now() > limit {
                let first = &open[0];
                let (order, history) = (self.backend.order(first).await, self.backend.history(first).await);
                panic!("{} orders never ended; {first} is {order:?}\n{history:#?}", open.len());
            }
        }
    }

    /// Judges, and ends all processes.
    pub async fn close(mut self) -> Verdict {
        let verdict = Verdict::of(&self.backend, &self.kitchens, &self.placed, self.broken.clone()).await;
        for kitchen in &mut self.kitchens {
            kitchen.processes.stop().await;
        }
        self.backend.stop().await;
        verdict
    }
}
