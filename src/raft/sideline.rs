//! Who stands on the sideline: a node that votes and keeps the log, and is never in charge: a witness always, another one while it is in
//! maintenance. This node's own standing, and what the others say of theirs.
//!
//! Nodes tell each other with every request and answer (`network`, `server`): nothing of it is replicated, so that it works without a
//! majority. Maintenance is a file in the data directory, and survives restarts. Who hands over and who campaigns is in `last_resort`.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Mutex;

use tokio::sync::watch;

use crate::kitchen::NodeId;

use super::identity::sync_directory;

/// Name of the file in the data directory: while it is there, the node is in maintenance.
const FILE: &str = "maintenance";

/// Why a node is not in charge, whoever leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sideline {
    /// It is configured to vote and to keep the log, and nothing else.
    Witness,
    /// An operator works on it.
    Maintenance,
}

impl Sideline {
    /// The word on the wire and in the API.
    pub fn word(self) -> &'static str {
        match self {
            Self::Witness => "witness",
            Self::Maintenance => "maintenance",
        }
    }

    fn read(word: &str) -> Option<Self> {
        [Self::Witness, Self::Maintenance].into_iter().find(|sideline| sideline.word() == word)
    }
}

/// This node's standing, and the others' as they last said.
#[derive(Debug)]
pub(crate) struct Sidelines {
    node: NodeId,
    witness: bool,
    maintenance: watch::Sender<bool>,
    dir: PathBuf,
    others: Mutex<BTreeMap<NodeId, Sideline>>,
}

impl Sidelines {
    /// Looks whether this node was in maintenance when it stopped.
    pub fn load(node: NodeId, witness: bool, dir: PathBuf) -> Self {
        let maintenance = watch::Sender::new(dir.join(FILE).exists());
        Self { node, witness, maintenance, dir, others: Mutex::default() }
    }

    /// This node's own standing; None: it may be in charge.
    pub fn own(&self) -> Option<Sideline> {
        match (self.witness, *self.maintenance.borrow()) {
            (true, _) => Some(Sideline::Witness),
            (false, true) => Some(Sideline::Maintenance),
            (false, false) => None,
        }
    }

    /// Wakes whoever waits until this node's own standing is another.
    pub fn watch_own(&self) -> watch::Receiver<bool> {
        self.maintenance.subscribe()
    }

    /// Begins or ends this node's maintenance; on disk when it returns.
    pub fn set_maintenance(&self, on: bool) -> io::Result<()> {
        let path = self.dir.join(FILE);
        if on {
            let mut file = File::create(&path)?;
            file.write_all(b"This node is in maintenance: `brigade ctl cluster maintenance --node N off` ends it.\n")?;
            file.sync_all()?;
        } else if path.exists() {
            fs::remove_file(&path)?;
        }
        sync_directory(&self.dir)?;
        self.maintenance.send_replace(on);
        Ok(())
    }

    /// What a node last said of itself, or its leader of it.
    pub fn of(&self, node: NodeId) -> Option<Sideline> {
        if node == self.node { self.own() } else { self.others().get(&node).copied() }
    }

    /// An answer came from this node; it says this of itself.
    pub fn learn(&self, node: NodeId, said: &str) {
        let said = read(said).remove(&node);
        let mut others = self.others();
        match said {
            Some(sideline) => others.insert(node, sideline),
            None => others.remove(&node),
        };
    }

    /// A leader says this of all whom it knows.
    pub fn learn_all(&self, said: &str) {
        *self.others() = read(said);
    }

    /// What this node says of itself, as the value of a header.
    pub fn say_own(&self) -> String {
        self.own().map_or_else(String::new, |sideline| say(&BTreeMap::from([(self.node, sideline)])))
    }

    /// What it says of all whom it knows.
    pub fn say_all(&self) -> String {
        let mut all = self.others().clone();
        all.remove(&self.node);
        all.extend(self.own().map(|own| (self.node, own)));
        say(&all)
    }

    fn others(&self) -> std::sync::MutexGuard<'_, BTreeMap<NodeId, Sideline>> {
        self.others.lock().expect("nothing panics while it holds this lock")
    }
}

/// `2=maintenance,3=witness`.
fn say(all: &BTreeMap<NodeId, Sideline>) -> String {
    all.iter().map(|(node, sideline)| format!("{node}={}", sideline.word())).collect::<Vec<_>>().join(",")
}

/// What is not understood is not said.
fn read(said: &str) -> BTreeMap<NodeId, Sideline> {
    let one =
        |part: &str| part.split_once('=').and_then(|(node, word)| Some((node.parse().ok()?, Sideline::read(word)?)));
    said.split(',').filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maintenance_survives_a_restart_and_a_witness_is_one_for_good() {
        let dir = tempfile::tempdir().unwrap();
        let node = Sidelines::load(2, false, dir.path().into());
        assert_eq!(node.own(), None);
        node.set_maintenance(true).unwrap();
        assert_eq!(Sidelines::load(2, false, dir.path().into()).own(), Some(Sideline::Maintenance));
        node.set_maintenance(false).unwrap();
        node.set_maintenance(false).unwrap();
        assert_eq!((node.own(), Sidelines::load(2, false, dir.path().into()).own()), (None, None));
        let witness = Sidelines::load(3, true, dir.path().into());
        witness.set_maintenance(true).unwrap();
        assert_eq!(witness.own(), Some(Sideline::Witness));
    }

    #[test]
    fn what_a_node_says_of_itself_is_believed_until_it_says_otherwise() {
        let dir = tempfile::tempdir().unwrap();
        let (leader, follower) =
            (Sidelines::load(1, false, dir.path().into()), Sidelines::load(2, false, dir.path().into()));
        let witness = Sidelines::load(3, true, dir.path().into());
        leader.learn(3, &witness.say_own());
        follower.set_maintenance(true).unwrap();
        leader.learn(2, &follower.say_own());
        assert_eq!(leader.say_all(), "2=maintenance,3=witness");
        witness.learn_all(&leader.say_all());
        assert_eq!((witness.of(1), witness.of(2), witness.of(3)), (None, leader.of(2), leader.of(3)));
        follower.set_maintenance(false).unwrap();
        leader.learn(2, &follower.say_own());
        witness.learn_all(&leader.say_all());
        assert_eq!(witness.of(2), None);
        for nonsense in ["", "x", "=", "2=", "2=chef", "-1=witness,,", "99999999999999999999=witness"] {
            assert!(read(nonsense).is_empty(), "{nonsense}");
        }
    }
}
