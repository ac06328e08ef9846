//! `brigade demo --kitchens 2`: kitchens behind a main backend. Orders are placed at the backend, the first kitchen loses its ovens in the middle of
//! dinner, what it has not begun moves to another kitchen, and once its ovens are back it finishes the rest.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::Serialize;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::super::local::{Backend, Client, Placed, Plan, Processes, Record, Site, wait_until_open};
use super::{Args, say};

/// What the demo found.
#[derive(Debug, Default, Serialize)]
struct Report {
    /// Orders that the backend accepted.
    accepted: usize,
    /// … and that are READY.
    completed: usize,
    /// … and that have no such end.
    lost: usize,
    /// Orders that went from one kitchen to another.
    moved: usize,
    /// Orders that more than one kitchen made.
    made_in_two_kitchens: usize,
    /// Orders completed, by kitchen.
    by_kitchen: BTreeMap<String, usize>,
    /// Pizzas packed, by the devices' records.
    pizzas_delivered: usize,
    /// Pizzas that were ordered.
    pizzas_ordered: usize,
    /// Attempts executed twice and items delivered twice, by the devices' records.
    made_twice: usize,
    /// Pizzas that burnt, by the devices' records.
    burnt: usize,
}

impl Report {
    fn is_good(&self) -> bool {
        self.lost + self.made_twice + self.made_in_two_kitchens == 0 && self.pizzas_delivered == self.pizzas_ordered
    }

    fn print(&self, json: bool) {
        if json {
            return println!("{}", serde_json::to_string(self).expect("numbers encode"));
        }
        let by: Vec<String> = self.by_kitchen.iter().map(|(kitchen, n)| format!("{kitchen} {n}")).collect();
        eprintln!();
        eprintln!("  orders   {} accepted, {} completed: {}", self.accepted, self.completed, by.join(", "));
        eprintln!("  moved    {} went to another kitchen", self.moved);
        eprintln!(
            "  pizzas   {} ordered, {} delivered, {} burnt",
            self.pizzas_ordered, self.pizzas_delivered, self.burnt
        );
        match self.is_good() {
            true => eprintln!("  result   nothing lost, nothing made twice"),
            false => eprintln!("  result   WRONG: {self:?}"),
        }
    }
}

/// One kitchen with its processes.
struct Kitchen {
    name: String,
    site: Site,
    processes: Processes,
    client: Client,
}

/// Runs the demo. Exit code 1 when something was lost or made twice, or the demo itself failed.
pub async fn run(args: &Args, kitchens: u32, stop: &CancellationToken) -> ExitCode {
    match play(args, kitchens, stop).await {
        Ok(report) if report.is_good() => ExitCode::SUCCESS,
        Ok(report) => {
            eprintln!("brigade: something went wrong: {report:?}");
            ExitCode::FAILURE
        }
        Err(error) => super::super::exit_code(Err(error)),
    }
}

async fn play(args: &Args, count: u32, stop: &CancellationToken) -> Result<Report> {
    let folder = tempfile::Builder::new().prefix("brigade-pool-").tempdir()?;
    let dir = args.keep.clone().unwrap_or_else(|| folder.path().to_owned());
    std::fs::create_dir_all(&dir)?;
    let mut backend = Backend::start(&dir).await?;
    say(&format!("A main backend at {} and {count} kitchens, {} times as fast as life", backend.url(), args.speed));
    let mut kitchens = Vec::new();
    for n in 1..=count {
        kitchens.push(open(args, &dir, &backend, format!("kitchen{n}")).await?);
    }
    let played = act(args, &backend, &mut kitchens, stop).await;
    for kitchen in &mut kitchens {
        kitchen.processes.stop().await;
    }
    backend.stop().await;
    if let Err(error) = &played {
        say(&format!("{error:#}; use --keep DIR to look into the logs"));
    }
    played
}

/// Registers a kitchen and starts its processes.
async fn open(args: &Args, dir: &Path, backend: &Backend, name: String) -> Result<Kitchen> {
    let folder = dir.join(&name);
    let (line, keep, tied) = (args.line.clone(), Some(folder), backend.register(&name).await?);
    let plan = Plan { speed: args.speed, line, keep, name: name.clone(), backend: Some(tied), ..Plan::default() };
    let site = Site::lay_out(&plan)?;
    let processes = Processes::start(&site)?;
    let client = site.client();
    Ok(Kitchen { name, site, processes, client })
}

async fn act(args: &Args, backend: &Backend, kitchens: &mut [Kitchen], stop: &CancellationToken) -> Result<Report> {
    say("Starting: each kitchen's replicas elect a leader, its devices announce themselves");
    for kitchen in kitchens.iter_mut() {
        wait_until_open(&kitchen.client, &kitchen.site, &mut kitchen.processes, stop).await?;
        say(&format!("{} is open: its API is at {}", kitchen.name, kitchen.site.apis().join(" ")));
    }
    let menu = wait_for_menu(backend).await?;
    let placed = place(args, backend, &menu).await?;
    say(&format!("{} orders are accepted by the backend", placed.len()));
    let quarter = placed.len() / 4;
    follow(args, backend, kitchens, &placed, stop, |ended| ended >= quarter).await?;
    let first = &kitchens[0];
    say(&format!("{} loses its ovens: an operator takes all of them out of service", first.name));
    set_ovens(first, "drain").await?;
    let began = Instant::now();
    wait_until_out_of_order(backend, &first.name).await?;
    let ms = began.elapsed().as_millis();
    say(&format!("{} is out of order, as the backend knows after {ms} ms: what it has not begun moves", first.name));
    wait_until_moved(backend, &first.name, &placed).await?;
    set_ovens(&kitchens[0], "resume").await?;
    say(&format!("{} has its ovens back", kitchens[0].name));
    follow(args, backend, kitchens, &placed, stop, |ended| ended == placed.len()).await?;
    let report = draw_up(backend, kitchens, &placed).await?;
    report.print(args.json);
    if !args.exit {
        say(&format!("The kitchens stay open; Ctrl-C closes them. The backend's page: {}/", backend.url()));
        stop.cancelled().await;
    }
    Ok(report)
}

/// Once both kitchens have told the backend what they can make.
async fn wait_for_menu(backend: &Backend) -> Result<Vec<String>> {
    let limit = Instant::now() + Duration::from_secs(30);
    while Instant::now() < limit {
        let menu = backend.menu().await?;
        if !menu.is_empty() {
            return Ok(menu);
        }
        sleep(Duration::from_millis(100)).await;
    }
    bail!("no kitchen told the backend what it can make")
}

async fn place(args: &Args, backend: &Backend, menu: &[String]) -> Result<Vec<Placed>> {
    let mut placed = Vec::new();
    let mut next = menu.iter().cycle().cloned();
    for n in 0..args.orders {
        let count = if args.pizzas == 0 { n % 4 + 1 } else { args.pizzas };
        let order = Placed { id: format!("demo-{n}"), items: next.by_ref().take(count as usize).collect() };
        backend.place(&order).await?;
        placed.push(order);
    }
    Ok(placed)
}

/// Watches until so many orders have ended.
async fn follow(
    args: &Args,
    backend: &Backend,
    kitchens: &mut [Kitchen],
    placed: &[Placed],
    stop: &CancellationToken,
    is_enough: impl Fn(usize) -> bool,
) -> Result<()> {
    let limit = Instant::now() + Duration::from_secs(args.timeout);
    let mut told = 0;
    loop {
        let mut ended = 0;
        for order in placed {
            let is_done = backend.order(&order.id).await.is_ok_and(|o| o["classic_status"] == "completed");
            ended += usize::from(is_done);
        }
        if ended >= told + placed.len().div_ceil(10) {
            told = ended;
            say(&format!("{ended} of {} orders have ended", placed.len()));
        }
        if is_enough(ended) {
            return Ok(());
        }
        if stop.is_cancelled() {
            bail!("stopped with orders open");
        }
        if Instant::now() > limit {
            bail!("orders are open after {} s", args.timeout);
        }
        for kitchen in kitchens.iter_mut() {
            kitchen.processes.revive()?;
        }
        sleep(Duration::from_millis(200)).await;
    }
}

/// An operator's word about all ovens of a kitchen.
async fn set_ovens(kitchen: &Kitchen, word: &str) -> Result<()> {
    for oven in kitchen.client.devices_of("oven").await.context("the kitchen shows no devices")? {
        kitchen.client.direct(&oven, word).await?;
    }
    Ok(())
}

async fn wait_until_out_of_order(backend: &Backend, kitchen: &str) -> Result<()> {
    let limit = Instant::now() + Duration::from_secs(60);
    while Instant::now() < limit {
        let status = backend.kitchen(kitchen).await?["status"].as_str().unwrap_or_default().to_owned();
        if status.contains("OUT_OF_ORDER") {
            return Ok(());
        }
        sleep(Duration::from_millis(10)).await;
    }
    bail!("the backend did not learn that {kitchen} is out of order")
}

/// Nothing waits in that kitchen any more that another one could make.
async fn wait_until_moved(backend: &Backend, kitchen: &str, placed: &[Placed]) -> Result<()> {
    let limit = Instant::now() + Duration::from_secs(60);
    while Instant::now() < limit {
        let mut waiting = 0;
        for order in placed {
            let shown = backend.order(&order.id).await?;
            let waits = matches!(shown["status"].as_str(), Some("ASSIGNED" | "ACCEPTED" | "WAITING" | "STARTING"));
            waiting += usize::from(waits && shown["kitchen"].as_str() == Some(kitchen));
        }
        if waiting == 0 {
            return Ok(());
        }
        sleep(Duration::from_millis(200)).await;
    }
    bail!("orders stayed in {kitchen}, which is out of order")
}

async fn draw_up(backend: &Backend, kitchens: &[Kitchen], placed: &[Placed]) -> Result<Report> {
    let mut report = Report { accepted: placed.len(), ..Report::default() };
    for order in placed {
        let shown = backend.order(&order.id).await?;
        let is_ready = matches!(shown["status"].as_str(), Some("READY" | "COLLECTED"));
        report.completed += usize::from(is_ready);
        report.lost += usize::from(!is_ready);
        report.pizzas_ordered += order.items.len();
        report.moved += usize::from(shown["assignment"].as_u64() > Some(1));
        let kitchen = shown["kitchen"].as_str().unwrap_or("-").to_owned();
        *report.by_kitchen.entry(kitchen).or_default() += 1;
        let mut made = 0;
        for kitchen in kitchens {
            made += usize::from(kitchen.client.status_of(&order.id).await.is_some_and(|s| s == "READY"));
        }
        report.made_in_two_kitchens += usize::from(made > 1);
    }
    for kitchen in kitchens {
        let record = Record::read(&kitchen.site.record())?;
        report.pizzas_delivered += record.delivered().values().map(|n| (*n).max(0) as usize).sum::<usize>();
        report.made_twice += record.made_twice();
        report.burnt += record.burnt();
    }
    Ok(report)
}
