//! How often somebody may ask: a bucket for each, that fills again by and by. In memory, of a bounded number; integers and a clock that
//! the caller reads.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard};

/// How many buckets are kept. Beyond it, those that are full are forgotten, as they say nothing; the rest share one.
const BUCKETS_MAX: usize = 10_000;

/// How large a bucket is, and how fast it fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// Thousandths of a request that come back each second.
    pub per_s_milli: u64,
    /// How many requests it holds.
    pub burst: u64,
}

/// What is left in a bucket.
#[derive(Clone, Copy, Debug)]
struct Level {
    milli: u64,
    at_ms: u64,
}

/// Buckets by who asks.
#[derive(Debug)]
pub struct Limiter<K> {
    bucket: Bucket,
    levels: Mutex<BTreeMap<Option<K>, Level>>,
}

impl<K: Ord> Limiter<K> {
    /// All full.
    pub fn new(bucket: Bucket) -> Self {
        Self { bucket, levels: Mutex::default() }
    }

    /// Takes one request out of a bucket. Err: it is empty; come back in so many seconds.
    pub fn take(&self, key: K, now_ms: u64) -> Result<(), u32> {
        let mut levels = self.levels();
        let key = self.place(&mut levels, key, now_ms);
        let full = Level { milli: self.full_milli(), at_ms: now_ms };
        let level = levels.entry(key).or_insert(full);
        level.milli = self.filled_milli(level, now_ms);
        level.at_ms = now_ms;
        match level.milli.checked_sub(1_000) {
            Some(rest) => {
                level.milli = rest;
                Ok(())
            }
            None => Err(self.wait_s(1_000 - level.milli)),
        }
    }

    fn full_milli(&self) -> u64 {
        self.bucket.burst.saturating_mul(1_000)
    }

    fn filled_milli(&self, level: &Level, now_ms: u64) -> u64 {
        let came = now_ms.saturating_sub(level.at_ms).saturating_mul(self.bucket.per_s_milli) / 1_000;
        level.milli.saturating_add(came).min(self.full_milli())
    }

    fn wait_s(&self, missing_milli: u64) -> u32 {
        let s = missing_milli.div_ceil(self.bucket.per_s_milli.max(1)).clamp(1, 3_600);
        s as u32
    }

    /// Where a key's bucket is: its own, or the one that latecomers share.
    fn place(&self, levels: &mut BTreeMap<Option<K>, Level>, key: K, now_ms: u64) -> Option<K> {
        let key = Some(key);
        if levels.contains_key(&key) || levels.len() < BUCKETS_MAX {
            return key;
        }
        levels.retain(|_, level| self.filled_milli(level, now_ms) < self.full_milli());
        key.filter(|_| levels.len() < BUCKETS_MAX)
    }

    fn levels(&self) -> MutexGuard<'_, BTreeMap<Option<K>, Level>> {
        self.levels.lock().expect("nothing panics while it holds this lock")
    }
}

/// Who sends from where: an IPv4 address, or an IPv6 network, as one party has all addresses of that. None for a connection without one.
pub type Address = Option<IpAddr>;

/// The address that counts.
pub fn key_of(peer: Option<IpAddr>) -> Address {
    peer.map(|ip| match ip.to_canonical() {
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64)),
        ip => ip,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limiter() -> Limiter<u32> {
        Limiter::new(Bucket { per_s_milli: 2_000, burst: 3 })
    }

    #[test]
    fn a_burst_passes_then_as_much_as_comes_back() {
        let limiter = limiter();
        assert_eq!((0..3).filter(|_| limiter.take(1, 1_000).is_ok()).count(), 3);
        assert_eq!(limiter.take(1, 1_000), Err(1));
        assert_eq!(limiter.take(2, 1_000), Ok(()), "another one's bucket is full");
        assert_eq!(limiter.take(1, 1_499), Err(1));
        assert_eq!(limiter.take(1, 1_500), Ok(()));
        assert_eq!((0..9).filter(|_| limiter.take(1, 1_000_000).is_ok()).count(), 3, "no more than it holds");
        assert_eq!(limiter.take(1, 0), Err(1), "a clock that stands gives nothing");
    }

    #[test]
    fn who_waits_as_told_is_let_in() {
        let slow = Limiter::new(Bucket { per_s_milli: 100, burst: 1 });
        assert_eq!((slow.take(1, 0), slow.take(1, 0)), (Ok(()), Err(10)));
        assert_eq!(slow.take(1, 10_000), Ok(()));
    }

    #[test]
    fn the_number_of_buckets_is_bounded_and_latecomers_share_one() {
        let limiter = limiter();
        let crowd = BUCKETS_MAX as u32;
        (0..crowd).for_each(|n| assert_eq!(limiter.take(n, 0), Ok(())));
        assert_eq!((crowd..crowd + 9).filter(|n| limiter.take(*n, 0).is_ok()).count(), 3);
        assert_eq!(limiter.levels().len(), BUCKETS_MAX + 1);
        // Later those of before are full again, and forgotten.
        assert_eq!(limiter.take(crowd, 60_000), Ok(()));
        assert_eq!(limiter.levels().len(), 1);
    }

    #[test]
    fn a_network_of_ipv6_is_one_party() {
        let key = |text: &str| key_of(Some(text.parse().unwrap()));
        assert_eq!(key("2001:db8:1:2::7"), key("2001:db8:1:2:ffff::1"));
        assert_ne!(key("2001:db8:1:2::7"), key("2001:db8:1:3::7"));
        assert_ne!(key("10.0.0.1"), key("10.0.0.2"));
        assert_eq!(key("::ffff:10.0.0.1"), key("10.0.0.1"));
    }
}
