//! Which rules each replica's program knows, as far as this one has heard: every request and every answer between them says so.
//!
//! In memory: what a program knows is asked of the program that runs now. It decides nothing; `leader::rules` does.

use std::collections::BTreeMap;

use tokio::sync::watch;

use crate::kitchen::{NodeId, Rules};

/// What this replica has heard.
pub(crate) struct PeerRules {
    own: Rules,
    heard: watch::Sender<BTreeMap<NodeId, Rules>>,
}

impl PeerRules {
    /// Of a node whose program goes as far as these rules.
    pub fn new(node: NodeId, own: Rules) -> Self {
        Self { own, heard: watch::Sender::new(BTreeMap::from([(node, own)])) }
    }

    /// The newest that this program goes by.
    pub fn own(&self) -> Rules {
        self.own
    }

    /// A node says how far it goes. One that does not is of the first release.
    pub fn hear(&self, node: NodeId, says: Option<&str>) {
        let rules = says.and_then(|text| text.parse().ok()).map_or(Rules::FIRST, Rules);
        self.heard.send_if_modified(|heard| heard.insert(node, rules) != Some(rules));
    }

    /// What was heard of whom, and a wake-up whenever that changes.
    pub fn watch(&self) -> watch::Receiver<BTreeMap<NodeId, Rules>> {
        self.heard.subscribe()
    }
}
