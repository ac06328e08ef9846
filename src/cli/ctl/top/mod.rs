//! `brigade ctl top`: the kitchen on a terminal, live. It reads a replica twice a second, and goes on with another one after a failover.
//!
//! `link` reads, `screen` is what is known and where the person looks, `draw` shows it and nothing else, `terminal` takes the terminal
//! and gives it back.

mod draw;
mod head;
mod line;
mod link;
mod paint;
mod rows;
mod screen;
mod terminal;
#[cfg(test)]
mod tests;

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use clap::Args;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::{Failure, Out, Session};
use crate::shutdown;
use link::{Link, Seen};
use screen::Screen;
use terminal::{Input, Terminal};

/// How often what counts down is drawn anew.
const TICK: Duration = Duration::from_millis(250);
/// The size of a screen that is printed.
const PRINTED: (u16, u16) = (80, 24);

/// How it is looked at.
#[derive(Clone, Debug, Args)]
pub struct Top {
    /// So many milliseconds between two looks.
    #[arg(long, value_name = "MS", default_value_t = 500, value_parser = clap::value_parser!(u64).range(100..=60_000))]
    every_ms: u64,
    /// Print one screen of 80 × 24 characters and end: needs no terminal.
    #[arg(long)]
    once: bool,
}

/// What the last look found, and when.
type Look = (Instant, Result<Seen, String>);

/// Shows the kitchen until a key or a signal ends it.
pub async fn run(session: &Session, top: &Top, out: Out<'_>) -> Result<(), Failure> {
    // Who reaches nobody, or may not look, is told so before the terminal is taken.
    session.client.get("/v1/kitchen?consistency=stale").await?;
    let mut link = Link::new(&session.client);
    let unreachable = |why| Failure::Unreachable { tried: format!("  {why}") };
    // The first look finds the leader, the second one asks it.
    link.read().await.map_err(unreachable)?;
    let seen = link.read().await.map_err(unreachable)?;
    // https://no-color.org: set to anything but nothing.
    let has_colours = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let screen = Screen { seen, has_colours, ..Screen::default() };
    if top.once {
        return session.print(out, &as_json(&screen.seen), |_| print(&screen, PRINTED));
    }
    if session.json || !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        return Err(Failure::NoTerminal);
    }
    let (told, looks) = watch::channel((Instant::now(), Ok(screen.seen.clone())));
    tokio::select! {
        () = look(&mut link, Duration::from_millis(top.every_ms), &told) => Ok(()),
        shown = show(screen, looks) => Ok(shown?),
    }
}

/// Reads for ever. On its own, so that keys are answered while a replica is not.
async fn look(link: &mut Link<'_>, every: Duration, told: &watch::Sender<Look>) {
    loop {
        tokio::time::sleep(every).await;
        let found = link.read().await;
        let _ = told.send((Instant::now(), found));
    }
}

/// Draws whenever something changed, until it shall end.
async fn show(mut screen: Screen, mut looks: watch::Receiver<Look>) -> io::Result<()> {
    let stop = shutdown::on_signals()?;
    let (mut terminal, mut inputs) = Terminal::open()?;
    let mut seen_at = Instant::now();
    loop {
        screen.age_ms = i64::try_from(seen_at.elapsed().as_millis()).unwrap_or(i64::MAX);
        terminal.show(&screen)?;
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            input = inputs.recv() => if !answer(&mut screen, input) { return Ok(()) },
            _ = looks.changed() => {
                let (at, found) = looks.borrow_and_update().clone();
                match found {
                    Ok(seen) => (screen.seen, screen.trouble, seen_at) = (seen, None, at),
                    Err(why) => screen.trouble = Some(why),
                }
            }
            () = tokio::time::sleep(TICK) => {}
        }
    }
}

/// False: it ends.
fn answer(screen: &mut Screen, input: Option<Input>) -> bool {
    match input {
        Some(Input::Key(key)) => screen.press(key),
        Some(Input::Size) => true,
        None => false,
    }
}

fn as_json(seen: &Seen) -> Value {
    json!({
        "replica": seen.url, "cluster": seen.cluster, "kitchen": seen.kitchen, "devices": seen.devices,
        "orders": seen.orders, "incidents": seen.incidents, "statistics": seen.statistics,
    })
}

/// The screen as lines of text.
fn print(screen: &Screen, (width, height): (u16, u16)) -> String {
    let mut terminal =
        ratatui::Terminal::new(TestBackend::new(width, height)).expect("a buffer in memory has any size");
    let frame = terminal.draw(|frame| draw::draw(frame, screen)).expect("a buffer in memory takes everything");
    lines(frame.buffer)
}

fn lines(buffer: &Buffer) -> String {
    let line = |y: u16| {
        let cells = (0..buffer.area.width).filter_map(|x| buffer.cell((x, y)));
        format!("{}\n", cells.map(|cell| cell.symbol()).collect::<String>().trim_end())
    };
    (0..buffer.area.height).map(line).collect()
}
