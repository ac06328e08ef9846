//! A proxy before each server, for machines without namespaces, and for links that look alive and pass nothing.
//!
//! Who connects is found by the port that it connects from: the system tells which process has it. What is cut is held back, not lost: it
//! arrives when the link is mended, as late as that is.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::net::Party;

type Cuts = BTreeSet<(Party, Party)>;

/// The proxies of one kitchen.
pub struct Proxies {
    runtime: tokio::runtime::Runtime,
    cuts: watch::Sender<Cuts>,
    parties: Arc<Mutex<BTreeMap<u32, Party>>>,
}

impl Default for Proxies {
    fn default() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.expect("a runtime");
        Self { runtime, cuts: watch::Sender::default(), parties: Arc::default() }
    }
}

impl Proxies {
    /// A proxy before this server; where others find it.
    pub fn stand_before(&self, server: Party, own: SocketAddr) -> SocketAddr {
        let listener = self.runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("loopback has free ports");
        let seen = listener.local_addr().expect("a bound listener has an address");
        let (parties, cuts) = (self.parties.clone(), self.cuts.subscribe());
        self.runtime.spawn(async move {
            while let Ok((client, from)) = listener.accept().await {
                let known = parties.lock().expect("nothing panics while it holds this lock").clone();
                let cuts = cuts.clone();
                tokio::spawn(async move {
                    // Beside the links: a look at all open files takes longer than a heartbeat may.
                    let looked = tokio::task::spawn_blocking(move || party_at(&known, from.port())).await;
                    connect(client, own, looked.ok().flatten(), server, cuts).await;
                });
            }
        });
        seen
    }

    /// This process speaks for that party.
    pub fn is_run_by(&self, party: Party, pid: u32) {
        let mut parties = self.parties.lock().expect("nothing panics while it holds this lock");
        parties.retain(|_, other| *other != party);
        parties.insert(pid, party);
    }

    /// Cuts one direction.
    pub fn cut(&self, from: Party, to: Party) {
        self.cuts.send_modify(|cuts| {
            cuts.insert((from, to));
        });
    }

    /// Mends all cuts.
    pub fn heal(&self) {
        self.cuts.send_modify(Cuts::clear);
    }
}

/// Passes on what both say. A client that has gone before it was recognised has said nothing.
async fn connect(client: TcpStream, own: SocketAddr, from: Option<Party>, to: Party, cuts: watch::Receiver<Cuts>) {
    let Some(from) = from else { return };
    let mut there = cuts.clone();
    if there.wait_for(|cuts| !cuts.contains(&(from, to))).await.is_err() {
        return;
    }
    let Ok(server) = TcpStream::connect(own).await else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let ((client_reads, client_writes), (server_reads, server_writes)) = (client.into_split(), server.into_split());
    tokio::select! {
        () = pass(client_reads, server_writes, (from, to), there) => {}
        () = pass(server_reads, client_writes, (to, from), cuts) => {}
    }
}

/// One direction, until one end has gone. While it is cut nothing is read, and what was read is held.
async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, link: (Party, Party), mut cuts: watch::Receiver<Cuts>) {
    let mut bytes = vec![0; 16 * 1024];
    while let Ok(count) = from.read(&mut bytes).await {
        if cuts.wait_for(|cuts| !cuts.contains(&link)).await.is_err() || count == 0 {
            return;
        }
        if to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}

/// Whose process has a socket on this port of loopback. The table is that of all processes here: it is read once.
fn party_at(known: &BTreeMap<u32, Party>, port: u16) -> Option<Party> {
    let table = std::fs::read_to_string("/proc/net/tcp").ok()?;
    let end = format!(":{port:04X}");
    let is_its = |line: &&str| line.split_whitespace().nth(1).is_some_and(|local| local.ends_with(&end));
    let inodes = table.lines().filter(is_its).filter_map(|line| line.split_whitespace().nth(9));
    let sockets: Vec<PathBuf> = inodes.map(|inode| PathBuf::from(format!("socket:[{inode}]"))).collect();
    let has_one = |pid: u32| {
        let files = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        files.filter_map(|file| std::fs::read_link(file.path()).ok()).any(|to| sockets.contains(&to))
    };
    known.iter().find(|(pid, _)| has_one(**pid)).map(|(_, party)| *party)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_cut_holds_one_direction_back_until_it_is_mended() {
        let proxies = Proxies::default();
        let me = Party::Devices;
        proxies.is_run_by(me, std::process::id());
        let echo = proxies.runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
        let seen = proxies.stand_before(Party::Broker(1), echo.local_addr().expect("an address"));
        proxies.runtime.spawn(async move {
            while let Ok((mut stream, _)) = echo.accept().await {
                let (mut reads, mut writes) = stream.split();
                let _ = tokio::io::copy(&mut reads, &mut writes).await;
            }
        });
        proxies.runtime.block_on(async {
            let mut stream = TcpStream::connect(seen).await.expect("the proxy listens");
            let mut byte = [0];
            stream.write_all(b"a").await.expect("it is open");
            stream.read_exact(&mut byte).await.expect("the echo");
            for link in [(me, Party::Broker(1)), (Party::Broker(1), me)] {
                proxies.cut(link.0, link.1);
                stream.write_all(b"b").await.expect("it looks alive");
                let held = tokio::time::timeout(Duration::from_millis(200), stream.read_exact(&mut byte)).await;
                assert!(held.is_err(), "{link:?} passed something");
                proxies.heal();
                stream.read_exact(&mut byte).await.expect("what was held arrives");
            }
        });
    }
}
