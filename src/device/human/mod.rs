//! A person who works as a device of kind `human`: the session of any other device over MQTT, and a page of its own for the tablet.
//!
//! The session keeps the protocol's rules, as it does for robots. What is different is who moves: a task is begun when the person says so
//! (`Status::begins`), and nobody is there without a page that asks (`desk`). docs/HUMAN.md says how it is put up at a site.

mod desk;
mod page;
mod person;
mod station;
mod view;
mod world;

#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use desk::AWAY_MS;
pub use page::Doors;
pub use station::Station;

use self::desk::Shared;
use self::page::Tablet;
use self::person::Person;
use self::view::Whose;
use self::world::Hands;
use super::runtime::{self, Runtime};
use crate::protocol::Id;
use crate::tls::Acceptor;
use crate::web::{Limits, serve_with};

/// One tablet and its pages: more connections than that are not of this kitchen.
const CONNECTIONS_MAX: usize = 64;

/// What a person's program is told.
pub struct Options {
    /// Where he stands.
    pub station: Station,
    /// The part of the kitchen.
    pub zone: Option<Id>,
    /// The device's side.
    pub device: runtime::Options,
    /// Who may open the page.
    pub doors: Doors,
    /// The other devices are simulated: what he says that he did is done to their world.
    pub is_simulated: bool,
}

/// Serves the page on this listener and speaks to the kitchen, until told to stop.
pub async fn run(
    options: Options,
    listener: TcpListener,
    acceptor: Option<Acceptor>,
    stop: CancellationToken,
) -> io::Result<()> {
    let desk = Arc::new(Shared::default());
    let station = options.station.as_str();
    let (device, kitchen) = (options.device.device.to_string(), options.device.kitchen.to_string());
    let whose = Whose { device, kitchen, station };
    let tablet = Tablet { desk: desk.clone(), whose, doors: Arc::new(options.doors) };
    let hands = options.is_simulated.then(|| (Hands::of(&options.device, stop.clone()), None));
    let person = Person { station: options.station, zone: options.zone, desk, hands };
    let session = tokio::spawn(Runtime::new(person, options.device).run(stop.clone()));
    let limits = Limits { connections_max: CONNECTIONS_MAX, ..Limits::default() };
    let served = serve_with(listener, page::router(tablet), limits, acceptor, stop.clone()).await;
    // Without its page nobody could say that anything is done.
    stop.cancel();
    session.await.map_err(io::Error::other)?;
    served
}
