//! A kitchen in network namespaces of its own: one for each party, and one with a bridge, in which the test's thread lives.
//!
//! A cut is silent, as a pulled cable is: the sender's table of neighbours leads to a card that nobody has. Dropping it removes the
//! namespaces, and takes the thread back.

use std::collections::BTreeSet;
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::AsFd;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::net::Party;

/// The thread's own address on the bridge.
const HUB: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 254);
/// The address of a card that does not exist.
const NOBODY: &str = "02:00:00:00:00:99";
const PARTIES: [Party; 6] =
    [Party::Node(1), Party::Node(2), Party::Node(3), Party::Broker(1), Party::Broker(2), Party::Devices];

/// The namespaces of one kitchen.
pub struct Namespaces {
    prefix: String,
    /// Where the thread came from.
    home: File,
    cuts: Mutex<BTreeSet<(Party, Party)>>,
}

impl Namespaces {
    /// Makes them, and moves this thread into them. None where the machine does not allow it.
    pub fn make() -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let home = File::open("/proc/thread-self/ns/net").ok()?;
        let prefix = format!("brigade{}-{number}", std::process::id());
        let namespaces = Self { prefix, home, cuts: Mutex::default() };
        namespaces.lay().then_some(namespaces)
    }

    fn lay(&self) -> bool {
        let hub = self.name("hub");
        let hub_stands = ip(&["netns", "add", &hub])
            && ip(&["-n", &hub, "link", "set", "lo", "up"])
            && ip(&["-n", &hub, "link", "add", "br0", "type", "bridge"])
            && ip(&["-n", &hub, "addr", "add", &format!("{HUB}/24"), "dev", "br0"])
            && ip(&["-n", &hub, "link", "set", "br0", "up"]);
        if !hub_stands || !PARTIES.into_iter().all(|party| self.lay_link(&hub, party)) {
            return false;
        }
        let Ok(inside) = File::open(format!("/run/netns/{hub}")) else { return false };
        move_into_link_name_space(inside.as_fd(), Some(LinkNameSpaceType::Network)).is_ok()
    }

    fn lay_link(&self, hub: &str, party: Party) -> bool {
        let (name, port) = (self.name(&word(party)), format!("port-{}", word(party)));
        ip(&["netns", "add", &name])
            && ip(&["-n", hub, "link", "add", &port, "type", "veth", "peer", "name", "eth0", "netns", &name])
            && ip(&["-n", hub, "link", "set", &port, "master", "br0", "up"])
            && ip(&["-n", &name, "addr", "add", &format!("{}/24", host(party)), "dev", "eth0"])
            && ip(&["-n", &name, "link", "set", "lo", "up"])
            && ip(&["-n", &name, "link", "set", "eth0", "up"])
    }

    fn name(&self, part: &str) -> String {
        format!("{}-{part}", self.prefix)
    }

    /// Where a server of this party listens.
    pub fn address(&self, party: Party, port: u16) -> SocketAddr {
        SocketAddr::from((host(party), port))
    }

    /// Runs a program as this party: the process that it starts becomes the program.
    pub fn command(&self, party: Party, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name(&word(party)), program]);
        command
    }

    /// Cuts one direction.
    pub fn cut(&self, from: Party, to: Party) {
        let (name, address) = (self.name(&word(from)), host(to).to_string());
        let done =
            ip(&["-n", &name, "neigh", "replace", &address, "lladdr", NOBODY, "nud", "permanent", "dev", "eth0"]);
        assert!(done, "the namespaces are ours");
        self.cuts.lock().expect("nothing panics while it holds this lock").insert((from, to));
    }

    /// Mends all cuts.
    pub fn heal(&self) {
        for (from, to) in std::mem::take(&mut *self.cuts.lock().expect("nothing panics while it holds this lock")) {
            let (name, address) = (self.name(&word(from)), host(to).to_string());
            assert!(ip(&["-n", &name, "neigh", "del", &address, "dev", "eth0"]), "the namespaces are ours");
        }
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        let _ = move_into_link_name_space(self.home.as_fd(), Some(LinkNameSpaceType::Network));
        for part in PARTIES.map(word).into_iter().chain(["hub".to_owned()]) {
            ip(&["netns", "del", &self.name(&part)]);
        }
    }
}

fn word(party: Party) -> String {
    match party {
        Party::Node(n) => format!("node{n}"),
        Party::Broker(n) => format!("broker{n}"),
        Party::Devices => "devices".to_owned(),
    }
}

fn host(party: Party) -> Ipv4Addr {
    let last = match party {
        Party::Node(n) => n as u8,
        Party::Broker(n) => 10 + n as u8,
        Party::Devices => 21,
    };
    Ipv4Addr::new(10, 77, 0, last)
}

/// True if it was done.
fn ip(args: &[&str]) -> bool {
    let quiet = || Stdio::null();
    Command::new("ip").args(args).stdin(quiet()).stdout(quiet()).stderr(quiet()).status().is_ok_and(|s| s.success())
}
