//! `brigade demo`: a whole kitchen on this machine: three controller processes, a process of simulated devices, orders from a client,
//! and a leader that is killed now and then.
//!
//! What it counts as burnt, made twice or lost comes from what the devices physically did, in their own record outside the
//! controllers; what was accepted comes from the client. The kitchen's own state is asked only for where its orders are.

mod pool;
mod report;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::clock::boottime_ms;
use crate::shutdown;

use super::local::{Client, Placed, Plan, Processes, Record, Site, wait_until_open};
use report::Report;

/// What the command is told.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// How many orders are placed
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    orders: u32,
    /// Pizzas in each order; 0 gives 1, 2, 3, 4, 1, 2, …
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=100))]
    pizzas: u32,
    /// So many times as fast as life: scales device work and food deadlines, never heartbeats, leases or elections
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=1_000))]
    speed: u64,
    /// Another line of devices than 2 + 4 + 2 and 3 cameras (TOML)
    #[arg(long, value_name = "FILE")]
    line: Option<std::path::PathBuf>,
    /// So many kitchens behind a main backend; the first loses its ovens in the middle, and its orders move
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(2..=4), conflicts_with_all = ["kill_leader_every", "broker"])]
    kitchens: Option<u32>,
    /// Kill the leader (SIGKILL) every so many seconds; it comes back a second later
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(2..=3_600))]
    kill_leader_every: Option<u64>,
    /// Ask for tokens as a site does; a file holds the admin's
    #[arg(long, conflicts_with = "kitchens")]
    closed: bool,
    /// Use this broker instead of one in each replica
    #[arg(long, value_name = "URL")]
    broker: Option<String>,
    /// End when all orders have ended; not 0 if one was lost, a pizza made twice or burnt
    #[arg(long)]
    exit: bool,
    /// The last line on standard output is one JSON object
    #[arg(long)]
    json: bool,
    /// Give up after so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 1_800)]
    timeout: u64,
    /// Keep configuration, data, logs and the devices' record in this folder
    #[arg(long, value_name = "DIR")]
    keep: Option<std::path::PathBuf>,
}

impl Args {
    fn plan(&self) -> Plan {
        let (brokers, line, keep) = (self.broker.iter().cloned().collect(), self.line.clone(), self.keep.clone());
        Plan { speed: self.speed, brokers, line, keep, closed: self.closed, ..Plan::default() }
    }
}

/// Runs the demo. Exit code 1 when something was lost, burnt or made twice, or the demo itself failed.
pub async fn run(args: Args) -> ExitCode {
    let stop = match shutdown::on_signals() {
        Ok(stop) => stop,
        Err(error) => return super::exit_code(Err(error.into())),
    };
    if let Some(kitchens) = args.kitchens {
        return pool::run(&args, kitchens, &stop).await;
    }
    match play(&args, &stop).await {
        Ok(report) if report.is_good() => ExitCode::SUCCESS,
        Ok(report) => {
            eprintln!("brigade: {}", report.what_is_wrong());
            ExitCode::FAILURE
        }
        Err(error) => super::exit_code(Err(error)),
    }
}

async fn play(args: &Args, stop: &CancellationToken) -> Result<Report> {
    let mut site = Site::lay_out(&args.plan())?;
    say(&format!("A kitchen of three replicas and a line of devices, {} times as fast as life", args.speed));
    let mut processes = Processes::start(&site)?;
    let played = act(args, &site, &mut processes, stop).await;
    processes.stop().await;
    if let Err(error) = &played {
        say(&format!("{error:#}; what the processes logged is in {}", site.keep().display()));
    }
    let report = played?;
    if args.exit || args.json {
        report.print(args.json);
    }
    Ok(report)
}

async fn act(args: &Args, site: &Site, processes: &mut Processes, stop: &CancellationToken) -> Result<Report> {
    let client = site.client();
    say("Starting: the replicas elect a leader, the devices announce themselves");
    let line = wait_until_open(&client, site, processes, stop).await?;
    say(&format!("The kitchen is open: its API is at {}", site.apis().join(" ")));
    let began_ms = boottime_ms();
    let placed = client.place_orders(args.orders, args.pizzas).await?;
    say(&format!("{} orders with {} pizzas are accepted", placed.len(), pizzas_in(&placed)));
    let kills = follow(args, &client, processes, &placed, stop).await?;
    let ends = client.ends_of(&placed).await?;
    let record = Record::read(&site.record())?;
    let report = Report::draw_up(&placed, &ends, &record, &kills, began_ms, line, args.speed);
    if !args.exit {
        report.print(false);
        say("The kitchen stays open; Ctrl-C closes it. Look into it with:");
        let token = match args.closed {
            true => format!(" --token-file {}", site.admin_token().display()),
            false => String::new(),
        };
        say(&format!("  brigade ctl --api {}{token} status", site.apis().join(",")));
        stop.cancelled().await;
    }
    Ok(report)
}

fn pizzas_in(placed: &[Placed]) -> usize {
    placed.iter().map(|order| order.items.len()).sum()
}

/// Progress is for people: it goes to standard error.
fn say(text: &str) {
    eprintln!("{text}");
}

/// Watches the orders until all have ended, and kills the leader meanwhile. Returns the moments of the kills.
async fn follow(
    args: &Args,
    client: &Client,
    processes: &mut Processes,
    placed: &[Placed],
    stop: &CancellationToken,
) -> Result<Vec<u64>> {
    let limit = Instant::now() + Duration::from_secs(args.timeout);
    let bar = progress_bar(placed.len() as u64);
    let every = args.kill_leader_every.map(Duration::from_secs);
    let mut next_kill = every.map(|every| Instant::now() + every);
    let mut kills = Vec::new();
    // Without a terminal the bar is hidden: a line for each tenth of the orders instead.
    let mut told = 0;
    loop {
        let open = client.open_orders().await;
        if let Some(open) = open {
            let ended = placed.len() - open.min(placed.len());
            bar.set_position(ended as u64);
            if bar.is_hidden() && ended >= told + placed.len().div_ceil(10) {
                told = ended;
                say(&format!("{ended} of {} orders have ended", placed.len()));
            }
            if open == 0 {
                break;
            }
        }
        if stop.is_cancelled() {
            bail!("stopped with orders open");
        }
        if Instant::now() > limit {
            bail!("orders are open after {} s", args.timeout);
        }
        processes.revive()?;
        if next_kill.is_some_and(|at| Instant::now() >= at)
            && let Some(leader) = client.leader().await
            && processes.kill(leader)?
        {
            kills.push(boottime_ms());
            bar.suspend(|| say(&format!("Killed node {leader}, which was in charge")));
            next_kill = every.map(|every| Instant::now() + every);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    bar.finish();
    Ok(kills)
}

fn progress_bar(orders: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {pos} of {len} orders have ended, {elapsed}");
    let bar = ProgressBar::new(orders);
    bar.enable_steady_tick(Duration::from_millis(500));
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
