//! The steps of a random schedule: what is broken, for how long, and the pause behind it. Drawn first and then done, so that a step's
//! chances do not depend on how fast the machine is.

use std::fmt;
use std::time::{Duration, Instant};

use rand::Rng;
use rand::rngs::StdRng;

use super::report::Report;
use crate::harness::{Brokers, Dinner, Party};

/// What can be broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Breakage {
    KillLeader,
    KillFollower,
    KillTwo,
    KillAll,
    PauseLeader,
    PauseFollower,
    LeaderWithoutPeers,
    LeaderWithoutBroker,
    LeaderOnlyHears,
    FollowerWithoutPeers,
    DevicesWithoutBroker,
    BrokerKilled,
    BrokerWiped,
    PowerCut,
}

impl Breakage {
    /// True where another node, or the same one again, must take charge before anything is instructed.
    pub fn ends_a_tenure(self) -> bool {
        matches!(self, Self::KillLeader | Self::KillTwo | Self::KillAll | Self::PauseLeader | Self::LeaderWithoutPeers)
    }
}

impl fmt::Display for Breakage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::KillLeader => "leader killed",
            Self::KillFollower => "follower killed",
            Self::KillTwo => "leader and a follower killed",
            Self::KillAll => "all three killed",
            Self::PauseLeader => "leader stopped",
            Self::PauseFollower => "follower stopped",
            Self::LeaderWithoutPeers => "leader cut from its peers",
            Self::LeaderWithoutBroker => "leader cut from a broker",
            Self::LeaderOnlyHears => "leader hears, is not heard",
            Self::FollowerWithoutPeers => "follower cut from its peers",
            Self::DevicesWithoutBroker => "devices cut from a broker",
            Self::BrokerKilled => "broker killed",
            Self::BrokerWiped => "broker killed and wiped",
            Self::PowerCut => "all devices without power",
        })
    }
}

/// One step.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    what: Breakage,
    /// How long it stays broken.
    lasts: Duration,
    /// How long nothing is broken then.
    pause: Duration,
    /// Which of several is hit.
    which: usize,
    /// True when former tenures' instructions are delivered behind it.
    is_late: bool,
}

impl Step {
    /// Any step that this kitchen allows.
    pub fn draw(chance: &mut StdRng, brokers: Brokers) -> Self {
        use Breakage::*;
        let always = [
            KillLeader,
            KillLeader,
            KillLeader,
            KillFollower,
            KillTwo,
            KillAll,
            PauseLeader,
            PauseFollower,
            LeaderWithoutPeers,
            LeaderOnlyHears,
            FollowerWithoutPeers,
            DevicesWithoutBroker,
            PowerCut,
        ];
        let with_mosquitto = [LeaderWithoutBroker, BrokerKilled, BrokerWiped];
        let is_mosquitto = matches!(brokers, Brokers::Mosquitto(_));
        let all: Vec<Breakage> =
            always.into_iter().chain(with_mosquitto.into_iter().filter(|_| is_mosquitto)).collect();
        let what = all[chance.random_range(0..all.len())];
        Self::drawn(what, chance, 6_000, 4_000)
    }

    /// A kill of the leader.
    pub fn draw_kill(chance: &mut StdRng) -> Self {
        Self::drawn(Breakage::KillLeader, chance, 1_200, 1_500)
    }

    fn drawn(what: Breakage, chance: &mut StdRng, lasts_ms_max: u64, pause_ms_max: u64) -> Self {
        let lasts = Duration::from_millis(chance.random_range(100..lasts_ms_max));
        let pause = Duration::from_millis(chance.random_range(100..pause_ms_max));
        Self { what, lasts, pause, which: chance.random_range(0..2), is_late: chance.random_range(0..3) == 0 }
    }

    /// Breaks it, waits, mends it, waits.
    pub fn run(self, dinner: &mut Dinner, report: &mut Report, began: Instant) {
        let leader = dinner.leader();
        let followers: Vec<u64> = [1, 2, 3].into_iter().filter(|n| *n != leader).collect();
        let follower = followers[self.which];
        let at_s = began.elapsed().as_secs_f64();
        let lasts_s = self.lasts.as_secs_f64();
        println!("  {at_s:6.1} s  {} for {lasts_s:.1} s (node {leader} leads)", self.what);
        let at = self.go(dinner, leader, follower);
        report.injected(self.what, at);
        if self.is_late {
            dinner.deliver_late();
        }
        dinner.live_for(self.pause);
    }

    fn go(self, dinner: &mut Dinner, leader: u64, follower: u64) -> u64 {
        match self.what {
            Breakage::KillLeader => self.kill(dinner, &[leader]),
            Breakage::KillFollower => self.kill(dinner, &[follower]),
            Breakage::KillTwo => self.kill(dinner, &[leader, follower]),
            Breakage::KillAll => self.kill(dinner, &[1, 2, 3]),
            Breakage::PauseLeader => self.stop(dinner, leader),
            Breakage::PauseFollower => self.stop(dinner, follower),
            Breakage::LeaderWithoutPeers => self.part(dinner, &peers_of(leader)),
            Breakage::LeaderWithoutBroker => self.part(dinner, &[(Party::Node(leader), self.broker(dinner))]),
            Breakage::LeaderOnlyHears => {
                let at = dinner.cut(&peers_of(leader));
                self.mend_links(dinner, at)
            }
            Breakage::FollowerWithoutPeers => self.part(dinner, &peers_of(follower)),
            Breakage::DevicesWithoutBroker => self.part(dinner, &[(Party::Devices, self.broker(dinner))]),
            Breakage::BrokerKilled => self.broker_dies(dinner, false),
            Breakage::BrokerWiped => self.broker_dies(dinner, true),
            Breakage::PowerCut => {
                dinner.reboot_devices();
                brigade::clock::boottime_ms()
            }
        }
    }

    fn kill(self, dinner: &mut Dinner, nodes: &[u64]) -> u64 {
        let at = dinner.kill(nodes);
        dinner.live_for(self.lasts);
        dinner.start(nodes);
        dinner.wait_until_ready(nodes);
        at
    }

    fn stop(self, dinner: &mut Dinner, node: u64) -> u64 {
        let at = dinner.pause(node);
        dinner.live_for(self.lasts);
        dinner.resume(node);
        at
    }

    fn part(self, dinner: &mut Dinner, links: &[(Party, Party)]) -> u64 {
        let at = dinner.part(links);
        self.mend_links(dinner, at)
    }

    fn mend_links(self, dinner: &mut Dinner, at: u64) -> u64 {
        dinner.live_for(self.lasts);
        dinner.heal();
        at
    }

    fn broker_dies(self, dinner: &mut Dinner, is_wiped: bool) -> u64 {
        let number = dinner.mosquittos()[self.which % dinner.mosquittos().len()];
        let at = dinner.kill_broker(number);
        dinner.live_for(self.lasts);
        if is_wiped {
            dinner.wipe_broker(number);
        }
        dinner.start_broker(number);
        at
    }

    fn broker(self, dinner: &Dinner) -> Party {
        let mosquittos = dinner.mosquittos();
        match mosquittos.len() {
            0 => Party::Node(1 + self.which as u64),
            count => Party::Broker(mosquittos[self.which % count]),
        }
    }
}

/// The links of a node with the other two.
fn peers_of(node: u64) -> Vec<(Party, Party)> {
    let others = [1, 2, 3].into_iter().filter(|n| *n != node);
    others.map(|other| (Party::Node(node), Party::Node(other))).collect()
}
