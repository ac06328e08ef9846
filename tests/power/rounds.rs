//! Power cuts under load, round after round, from a seed: every acknowledged order survives, and the replicas agree.
//!
//! A round draws who loses power (one node, or all three at once), how many clients order, after how many acknowledged orders the power
//! goes, and what becomes of the bytes that were not synced. The power comes back on the disk that `image` makes of the journal.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rustix::process::Signal;

use super::image::{Armed, Lost, Tail};
use super::ledger::{Ledger, Load, assert_nothing_lost, wait_for_orders};
use super::shim::Shim;
use super::site::{Kitchen, wait_for};

/// A short log, so that snapshots and purges are cut too.
const MORE: &str = "[raft]\nsnapshot_every = 400\nlog_keep = 100\n";

/// A kitchen whose power can be cut.
pub struct Dark {
    pub kitchen: Kitchen,
    pub ledger: Ledger,
    pub lost: Lost,
    armed: Vec<(u64, Armed)>,
    // Last: the processes use it.
    _shim: Shim,
}

/// One round.
#[derive(Clone, Copy, Debug)]
pub struct Round {
    /// Who loses power: one of three, or None for all.
    pub victim: Option<u64>,
    pub clients: usize,
    /// Orders acknowledged in this round before the power goes.
    pub orders: usize,
    pub tail: Tail,
}

impl Round {
    fn draw(chance: &mut StdRng) -> Self {
        let victim = chance.random_bool(0.3).then(|| chance.random_range(1..=3));
        let tail = [Tail::Gone, Tail::Zeros, Tail::Any][chance.random_range(0..3)];
        Self { victim, clients: chance.random_range(2..=8), orders: chance.random_range(1..=150), tail }
    }
}

impl Dark {
    /// A kitchen of three, each on a disk that forgets; with `lie` syncs of files that are named so are answered and not done.
    pub fn open(lie: Option<&str>) -> Self {
        let shim = Shim::compile("powerloss.c", include_str!("powerloss.c"));
        let mut kitchen = Kitchen::lay_out(MORE);
        let mut armed = Vec::new();
        for (id, node) in &mut kitchen.nodes {
            let disk = Armed::new(node.data_dir.clone());
            node.environment = disk.environment();
            node.environment.push(shim.preload());
            node.environment.extend(lie.map(|suffix| ("POWERLOSS_LIE".to_owned(), suffix.into())));
            armed.push((*id, disk));
        }
        kitchen.start(&[1, 2, 3]);
        kitchen.wait_until_ready(&[1, 2, 3]);
        Self { kitchen, ledger: Ledger::default(), lost: Lost::default(), armed, _shim: shim }
    }

    /// Orders until the power goes, and cuts it. Nothing of the victims runs afterwards.
    pub fn cut(&mut self, round: &Round, chance: &mut StdRng) -> Vec<u64> {
        let load = Load::start(&self.kitchen, &self.ledger, round.clients);
        wait_for_orders(&self.ledger, self.ledger.len() + round.orders);
        let victims: Vec<u64> = round.victim.map_or(vec![1, 2, 3], |victim| vec![victim]);
        // All at once: nobody answers for another who is dead already.
        victims.iter().for_each(|id| self.kitchen.nodes[id].signal(Signal::STOP));
        victims.iter().for_each(|id| self.kitchen.node(*id).kill());
        load.end(&self.kitchen);
        for (_, disk) in self.armed.iter().filter(|(id, _)| victims.contains(id)) {
            self.lost += disk.cut(round.tail, chance);
        }
        victims
    }

    /// One round: cut, power back, nothing lost.
    pub fn survive(&mut self, round: &Round, chance: &mut StdRng) {
        let victims = self.cut(round, chance);
        self.kitchen.start(&victims);
        self.kitchen.wait_until_ready(&[1, 2, 3]);
        assert_nothing_lost(&self.kitchen, &[1, 2, 3], &self.ledger);
    }

    /// How often a replica cut a torn record off its MANIFEST.
    fn mended(&self) -> usize {
        self.kitchen.nodes.values().map(|n| n.log_text().matches("The MANIFEST ends in zeros").count()).sum()
    }
}

/// Rounds on one kitchen after the other, some on each.
pub fn run(rounds: u64, seed: u64) -> Lost {
    let (mut lost, mut dark, mut mended) = (Lost::default(), Dark::open(None), 0);
    for n in 0..rounds {
        if n > 0 && n % 10 == 0 {
            lost += dark.lost;
            mended += dark.mended();
            dark = Dark::open(None);
        }
        let mut chance = StdRng::seed_from_u64(seed + n);
        let round = Round::draw(&mut chance);
        println!("POWER_SEED={} POWER_ROUNDS=1 would begin with {round:?}", seed + n);
        dark.survive(&round, &mut chance);
        println!("  {} orders so far, {:?}", dark.ledger.len(), dark.lost);
    }
    lost += dark.lost;
    println!("{} times a replica cut a torn record off its MANIFEST", mended + dark.mended());
    lost
}

#[test]
fn every_acknowledged_order_survives_a_power_cut_of_one_node_or_of_all_three() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    let lost = run(number("POWER_ROUNDS").unwrap_or(3), number("POWER_SEED").unwrap_or(1));
    println!("{lost:?}");
    assert!(lost.bytes > 0 && lost.bytes + lost.zeros > 1_000, "nothing was thrown away: this run proved nothing");
}

/// The check of the check: where a disk says that it synced its log and did not, the loss is noticed.
#[test]
fn a_disk_that_lies_about_its_syncs_is_caught() {
    let mut dark = Dark::open(Some(".log"));
    let round = Round { victim: None, clients: 4, orders: 50, tail: Tail::Gone };
    dark.cut(&round, &mut StdRng::seed_from_u64(1));
    dark.kitchen.start(&[1, 2, 3]);
    let refused = wait_for("a refusal or a loss", || {
        let ended = [1, 2, 3].map(|id| dark.kitchen.node(id).ended());
        ended.contains(&Some(70)).then_some(ended)
    });
    let said = [1, 2, 3].map(|id| dark.kitchen.nodes[&id].log_text());
    assert!(said.iter().any(|log| log.contains("lost synced writes")), "{refused:?} {said:?}");
}
