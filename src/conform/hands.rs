//! What needs a hand: the power switch of a device, and a pizza that is put into an oven and taken out again.

use std::io::{BufRead, Write};

use serde_json::json;

use super::Options;
use super::connections::connect_as;
use crate::mqtt::{Publication, Qos};
use crate::protocol::{Lane, Millis};

/// What a call of a hand's owner does. Err: why it was not done.
pub type Deed = Box<dyn FnMut() -> Result<(), String> + Send>;

/// How one of these things is done.
#[derive(Default)]
pub enum Hand {
    /// Not at all; the text names the option with which it would be.
    #[default]
    Missing,
    /// By a shell command.
    Command(String),
    /// By a person, who is asked on the terminal.
    Person,
    /// By a function.
    Call(Deed),
    /// In the world of simulated devices (docs/firmware.md).
    World(Box<Options>),
}

/// The hands.
#[derive(Default)]
pub struct Hands {
    /// Cuts the device's power and gives it back.
    pub power_cycle: Hand,
    /// Puts a pizza, or what its sensor takes for one, into the first slot of an oven.
    pub load: Hand,
    /// Takes it out again.
    pub clear: Hand,
}

/// A person is asked; a machine may take this long, in milliseconds, until something is moved.
pub(super) const HAND_MS: Millis = 30_000;

impl Hand {
    /// Does it. Err: why it was not done.
    pub(super) async fn work(&mut self, word: &str, lane: Lane) -> Result<(), String> {
        match self {
            Self::Missing => Err(format!("it needs a hand: {}", option(word))),
            Self::Command(command) => run(command).await,
            Self::Person => ask(word.to_owned()).await,
            Self::Call(deed) => deed(),
            Self::World(options) => change_world(options, lane, word).await,
        }
    }

    /// True if it takes no person's time: it may be used where milliseconds count.
    pub(super) fn is_quick(&self) -> bool {
        matches!(self, Self::Command(_) | Self::Call(_) | Self::World(_))
    }
}

fn option(word: &str) -> &'static str {
    match word {
        "load" | "clear" => "give --load and --clear, or --simulated, or run it on a terminal",
        _ => "give --power-cycle COMMAND, or run it on a terminal",
    }
}

/// Tells the world of simulated devices what was put where.
async fn change_world(options: &Options, lane: Lane, word: &str) -> Result<(), String> {
    let ev = if word == "load" { "placed" } else { "discarded" };
    let (kitchen, oven) = (&options.kitchen, &options.device);
    let fact = json!({ "ev": ev, "device": "conform-hand", "oven": oven, "slot": lane, "pizza": "conform-pizza" });
    let id = format!("{kitchen}.conform-hand.{:08x}", rand::random::<u32>());
    let client = connect_as(options, id, &[]).await.map_err(|error| error.to_string())?;
    let topic = format!("brigade-sim/v1/{kitchen}/world");
    let said = client.publisher.publish_acknowledged(Publication::new(topic, fact.to_string(), Qos::AtLeastOnce)).await;
    said.map_err(|error| error.to_string())?;
    client.close(std::time::Duration::from_millis(500)).await;
    Ok(())
}

async fn run(command: &str) -> Result<(), String> {
    let ended = tokio::process::Command::new("sh").args(["-c", command]).kill_on_drop(true).output().await;
    let ended = ended.map_err(|error| format!("{command}: {error}"))?;
    let said = String::from_utf8_lossy(&ended.stderr).trim().to_owned();
    if ended.status.success() { Ok(()) } else { Err(format!("{command}: {} {said}", ended.status)) }
}

/// Asks on the terminal; Enter says that it is done, anything else that it can't be.
async fn ask(word: String) -> Result<(), String> {
    let asked = tokio::task::spawn_blocking(move || {
        let what = match word.as_str() {
            "load" => "Put a pizza into the first slot of the oven",
            "clear" => "Take out what is in the first slot of the oven",
            _ => "Cut the power of the device and give it back",
        };
        eprint!("{what}, then press Enter (or type s to skip): ");
        let _ = std::io::stderr().flush();
        let mut line = String::new();
        let read = std::io::stdin().lock().read_line(&mut line);
        read.is_ok_and(|bytes| bytes > 0) && line.trim().is_empty()
    });
    if asked.await.unwrap_or(false) { Ok(()) } else { Err("nobody did it".to_owned()) }
}
