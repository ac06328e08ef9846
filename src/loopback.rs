//! Addresses of loopback for processes that are yet to start, as demo, benchmarks and tests need them.
//!
//! An address that was only seen to be free may be another's by the time that its process listens there. So ports come in blocks, and who takes one of a
//! block holds its first port for as long as the addresses are in use: no other process takes from that block. The blocks lie below the ports that the
//! system gives to outgoing connections.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

/// The lowest port that is tried.
const PORT_MIN: u16 = 10_000;

/// Ports of a block. The first one is held.
const BLOCK: u16 = 16;

/// How many blocks are tried: each may be taken, or have a port that is in use.
const TRIES: u32 = 1_000;

/// Addresses that are nobody else's until this is dropped.
#[derive(Debug)]
pub struct Claim {
    addresses: Vec<SocketAddr>,
    _held: TcpListener,
}

impl Claim {
    /// Claims so many addresses, at most 15.
    pub fn of(count: usize) -> io::Result<Self> {
        let blocks = PORT_MIN / BLOCK..first_outgoing().unwrap_or(32_768).max(PORT_MIN + BLOCK) / BLOCK;
        let found = (0..TRIES).find_map(|_| Self::block(rand::random_range(blocks.clone()) * BLOCK, count));
        found.ok_or_else(|| io::Error::new(io::ErrorKind::AddrInUse, "no free ports of loopback were found"))
    }

    /// One address that is the caller's until its process ends.
    pub fn for_good() -> io::Result<SocketAddr> {
        let claim = Self::of(1)?;
        let address = claim.addresses[0];
        std::mem::forget(claim);
        Ok(address)
    }

    /// What was claimed.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The first addresses of a block, if nobody has it and all of them are free.
    fn block(first: u16, count: usize) -> Option<Self> {
        let listen = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok();
        let held = listen(first)?;
        let addresses = (first + 1..first + BLOCK).take(count).map(|port| listen(port)?.local_addr().ok());
        let addresses: Vec<SocketAddr> = addresses.collect::<Option<_>>()?;
        assert_eq!(addresses.len(), count, "a block has {} addresses", BLOCK - 1);
        Some(Self { addresses, _held: held })
    }
}

/// The first port that the system gives to outgoing connections.
fn first_outgoing() -> Option<u16> {
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?;
    range.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_claims_share_an_address() {
        let claims: Vec<Claim> = (0..200).map(|_| Claim::of(9).unwrap()).collect();
        let all: BTreeSet<&SocketAddr> = claims.iter().flat_map(|claim| claim.addresses()).collect();
        assert_eq!(all.len(), 200 * 9);
    }

    #[test]
    fn a_claimed_address_can_be_listened_at() {
        let claim = Claim::of(2).unwrap();
        let listeners: Vec<_> = claim.addresses().iter().map(|address| TcpListener::bind(address).unwrap()).collect();
        assert_eq!(listeners.len(), 2);
    }

    #[test]
    fn a_block_is_refused_while_it_is_claimed() {
        let claim = Claim::of(1).unwrap();
        let first = claim.addresses()[0].port() - 1;
        assert!(Claim::block(first, 1).is_none());
        drop(claim);
    }
}
