//! Who can reach whom. A link is cut in one direction at a time: what one says does not arrive at the other, and nobody is told.
//!
//! Namespaces where the machine allows them, else proxies; `CHAOS_NET=proxies` asks for proxies everywhere.

use std::net::SocketAddr;
use std::process::Command;

use brigade::loopback::Claim;

use super::namespaces::Namespaces;
use super::proxies::Proxies;

/// Somebody on the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Party {
    /// A controller, with its embedded broker if it has one.
    Node(u64),
    /// A mosquitto.
    Broker(u64),
    /// All devices.
    Devices,
}

/// How a kitchen is wired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wiring {
    /// Loopback: nothing can be cut.
    Plain,
    /// Links can be cut; by namespaces where the machine allows it.
    Cuttable,
    /// Links can be cut, by proxies on every machine.
    Proxied,
}

/// An address: where a server listens, and where others see it.
#[derive(Clone, Copy, Debug)]
pub struct Address {
    /// Where it listens.
    pub own: SocketAddr,
    /// Where others find it.
    pub seen: SocketAddr,
}

/// The network of one kitchen.
pub enum Net {
    /// Loopback.
    Plain,
    /// A namespace for each party.
    Namespaces(Namespaces),
    /// A proxy before each server.
    Proxies(Proxies),
}

impl Net {
    /// Wires a kitchen. Within namespaces the calling thread belongs to the kitchen's network from here on.
    pub fn wire(wiring: Wiring) -> Self {
        let wants_proxies = std::env::var("CHAOS_NET").is_ok_and(|net| net == "proxies");
        match wiring {
            Wiring::Plain => Self::Plain,
            Wiring::Cuttable if !wants_proxies => match Namespaces::make() {
                Some(namespaces) => Self::Namespaces(namespaces),
                None => Self::Proxies(Proxies::default()),
            },
            Wiring::Cuttable | Wiring::Proxied => Self::Proxies(Proxies::default()),
        }
    }

    /// Its name, for people.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Plain => "loopback",
            Self::Namespaces(_) => "namespaces",
            Self::Proxies(_) => "proxies",
        }
    }

    /// An address for a server of this party; `port` where the party has an address of its own.
    pub fn address(&self, party: Party, port: u16) -> Address {
        let loopback = || Claim::for_good().expect("loopback has free ports");
        match self {
            Self::Plain => {
                let own = loopback();
                Address { own, seen: own }
            }
            Self::Namespaces(namespaces) => {
                let own = namespaces.address(party, port);
                Address { own, seen: own }
            }
            Self::Proxies(proxies) => {
                let own = loopback();
                Address { own, seen: proxies.stand_before(party, own) }
            }
        }
    }

    /// The command that runs a program as this party.
    pub fn command(&self, party: Party, program: &str) -> Command {
        match self {
            Self::Plain | Self::Proxies(_) => Command::new(program),
            Self::Namespaces(namespaces) => namespaces.command(party, program),
        }
    }

    /// This process speaks for that party.
    pub fn is_run_by(&self, party: Party, pid: u32) {
        if let Self::Proxies(proxies) = self {
            proxies.is_run_by(party, pid);
        }
    }

    /// What `from` says does not arrive at `to` any more.
    pub fn cut(&self, from: Party, to: Party) {
        match self {
            Self::Plain => panic!("this kitchen's wiring can't be cut"),
            Self::Namespaces(namespaces) => namespaces.cut(from, to),
            Self::Proxies(proxies) => proxies.cut(from, to),
        }
    }

    /// Everything arrives again.
    pub fn heal(&self) {
        match self {
            Self::Plain => {}
            Self::Namespaces(namespaces) => namespaces.heal(),
            Self::Proxies(proxies) => proxies.heal(),
        }
    }
}
