//! `brigade certs`: makes a kitchen's authorities and the certificates of its nodes, and shows what a certificate says.
//!
//! One folder holds both authorities and a folder for each node. Only a node's folder goes to its machine: who has an authority's key can be a replica.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Subcommand;

use crate::config::{Config, NodeConfig};
use crate::protocol::Id;
use crate::tls::authority::{Authority, Summary, write};
use crate::tls::{CA, NODE, NODE_KEY, PEER, PEER_KEY, PEERS_CA};

/// A certificate with fewer days left is made anew.
const RENEW_DAYS: i64 = 60;

/// What the command is told.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make what is missing, and renew what ends within 60 days: authorities, and a folder for each node of a configuration
    Issue(Issue),
    /// Say whose a certificate is, for which names, and until when
    Show {
        /// Certificates in PEM form
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
}

#[derive(clap::Args)]
struct Issue {
    /// The configuration of any node of the kitchen: it names all of them
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Where the authorities are, or shall be
    #[arg(long, value_name = "DIR", default_value = "certs")]
    out: PathBuf,
    /// Another name or address by which every node is reached; repeatable
    #[arg(long = "name", value_name = "NAME")]
    names: Vec<String>,
    /// A server of the kitchen that is no replica, such as a broker on a machine of its own: it gets a folder of its name; repeatable
    #[arg(long = "service", value_name = "NAME")]
    services: Vec<Id>,
    /// Renew all certificates now; the authorities stay
    #[arg(long)]
    renew: bool,
}

/// Makes or shows certificates.
pub fn run(args: Args) -> Result<()> {
    match args.command {
        Command::Issue(issue) => issue.run(),
        Command::Show { files } => files.iter().try_for_each(|path| show(path)),
    }
}

impl Issue {
    fn run(&self) -> Result<()> {
        let config = Config::read(&self.config)?;
        std::fs::create_dir_all(&self.out).with_context(|| format!("folder {}", self.out.display()))?;
        let public = self.authority(CA, "ca.key", &format!("Brigade kitchen {}", config.kitchen))?;
        let peers = self.authority(PEERS_CA, "peers-ca.key", &format!("Brigade replicas of {}", config.kitchen))?;
        for node in &config.nodes {
            self.issue(&config, node, &public, &peers)?;
        }
        for service in &self.services {
            self.issue_service(&config, service.as_str(), &public)?;
        }
        println!("Each node gets its folder, as tls.dir; {} stays here, apart from all nodes", self.out.display());
        println!("Browsers, devices, ctl and the backend trust {}", self.out.join(CA).display());
        Ok(())
    }

    fn authority(&self, certificate: &str, key: &str, name: &str) -> Result<Authority> {
        Ok(Authority::open(&self.out.join(certificate), &self.out.join(key), name)?)
    }

    fn issue(&self, config: &Config, node: &NodeConfig, public: &Authority, peers: &Authority) -> Result<()> {
        let dir = self.out.join(format!("node-{}", node.id));
        std::fs::create_dir_all(&dir).with_context(|| format!("folder {}", dir.display()))?;
        write(&dir.join(CA), public.certificate())?;
        write(&dir.join(PEERS_CA), peers.certificate())?;
        let whom = format!("node {} of {}", node.id, config.kitchen);
        let mut names: BTreeSet<String> = [host(&node.api), host(&node.peer)].into_iter().collect();
        if node.id == config.node {
            let listen = [config.listen_api, config.listen_peer].into_iter().flatten();
            names.extend(
                listen
                    .map(|address: SocketAddr| address.ip())
                    .filter(|ip| !ip.is_unspecified())
                    .map(|ip| ip.to_string()),
            );
        }
        let peer_names: Vec<String> = names.iter().cloned().collect();
        // Who sits at the node itself asks it by these.
        names.extend(["localhost".to_owned(), "127.0.0.1".to_owned()]);
        names.extend(self.names.iter().cloned());
        let public_names: Vec<String> = names.into_iter().collect();
        self.one(public, &whom, &public_names, &dir.join(NODE), &dir.join(NODE_KEY))?;
        self.one(peers, &whom, &peer_names, &dir.join(PEER), &dir.join(PEER_KEY))
    }

    /// What a server shows that is no replica, and nothing by which it could be one.
    fn issue_service(&self, config: &Config, name: &str, public: &Authority) -> Result<()> {
        let dir = self.out.join(name);
        std::fs::create_dir_all(&dir).with_context(|| format!("folder {}", dir.display()))?;
        write(&dir.join(CA), public.certificate())?;
        let whom = format!("{name} of {}", config.kitchen);
        let names: BTreeSet<String> = [name, "localhost", "127.0.0.1"].map(str::to_owned).into_iter().collect();
        let names: Vec<String> = names.into_iter().chain(self.names.iter().cloned()).collect();
        self.one(public, &whom, &names, &dir.join(NODE), &dir.join(NODE_KEY))
    }

    /// A certificate that is good for long, and for all of these names, stays.
    fn one(&self, authority: &Authority, whom: &str, names: &[String], certificate: &Path, key: &Path) -> Result<()> {
        let present = Summary::read(certificate).ok().filter(|_| key.exists());
        let good = |summary: &Summary| {
            summary.days_left() >= RENEW_DAYS && names.iter().all(|name| summary.names.contains(name))
        };
        if present.as_ref().is_some_and(|summary| good(summary) && !self.renew) {
            println!("{} stays", certificate.display());
            return Ok(());
        }
        authority.issue(whom, names, certificate, key)?;
        println!("{} is new: {}", certificate.display(), names.join(", "));
        Ok(())
    }
}

/// What is before the port.
fn host(address: &str) -> String {
    address.rsplit_once(':').map_or(address, |(host, _)| host).trim_matches(['[', ']']).to_owned()
}

fn show(path: &Path) -> Result<()> {
    let summary = Summary::read(path)?;
    println!("{}", path.display());
    let days = summary.days_left();
    let left = if days < 0 { "it is over".to_owned() } else { format!("{days} days left") };
    let expires = crate::web::rfc3339(u64::try_from(summary.expires_s).unwrap_or(0) * 1_000);
    let lines = [
        ("whose", summary.subject),
        ("signed by", summary.issuer),
        ("names", summary.names.join(", ")),
        ("until", format!("{expires}, {left}")),
    ];
    for (name, text) in lines {
        println!("  {name:11}{text}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::host;

    #[test]
    fn a_host_is_what_stands_before_the_port() {
        assert_eq!(host("10.0.0.11:7400"), "10.0.0.11");
        assert_eq!(host("[fd00::1]:7400"), "fd00::1");
        assert_eq!(host("k1-a.example:7400"), "k1-a.example");
    }
}
