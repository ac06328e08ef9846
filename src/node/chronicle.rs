//! What this controller did, for a history that is judged later: when its process began, when it took charge and let go, what each entry
//! did to its state. Only where the configuration names a history; it decides nothing.

use std::io;
use std::path::Path;
use std::sync::Arc;

use tokio::sync::watch;

use crate::clock::boottime_ms;
use crate::history::{Fact, ReplicaDeed, ReplicaFact, Writer};
use crate::kitchen::NodeId;
use crate::leader::Status;
use crate::raft::{Digest, Observer};

/// A controller's own lines of a history.
#[derive(Clone, Debug)]
pub struct Chronicle {
    node: NodeId,
    writer: Arc<Writer>,
}

impl Chronicle {
    /// Goes on with this history.
    pub fn open(path: &Path, node: NodeId) -> io::Result<Self> {
        let chronicle = Self { node, writer: Arc::new(Writer::append_to(path)?) };
        chronicle.write([ReplicaDeed::Began]);
        Ok(chronicle)
    }

    fn write(&self, deeds: impl IntoIterator<Item = ReplicaDeed>) {
        let (t_ms, replica) = (boottime_ms(), self.node);
        let facts: Vec<Fact> =
            deeds.into_iter().map(|deed| Fact::Replica(ReplicaFact { t_ms, replica, deed })).collect();
        self.writer.write(&facts);
    }

    /// Writes down when this node takes charge and when it lets go, until the other end is gone. A tenure that ends before it is looked
    /// at is left out.
    pub async fn follow(self, mut status: watch::Receiver<Status>) {
        let mut before = None;
        loop {
            let now = Some(status.borrow_and_update().clone()).filter(|s| s.in_charge).and_then(|s| s.epoch);
            if now != before {
                let ended = before.map(|epoch| ReplicaDeed::TenureEnded { epoch: epoch.0 });
                let began = now.map(|epoch| ReplicaDeed::TookCharge { epoch: epoch.0 });
                self.write(ended.into_iter().chain(began));
                before = now;
            }
            if status.changed().await.is_err() {
                return;
            }
        }
    }
}

impl Observer for Chronicle {
    fn applied(&self, digests: &[Digest]) {
        let deed = |d: &Digest| ReplicaDeed::Applied {
            index: d.index,
            digest: d.change,
            state: d.state,
            broken: d.broken.clone(),
        };
        self.write(digests.iter().map(deed));
    }

    fn installed(&self, index: u64, state: u32) {
        self.write([ReplicaDeed::Installed { index, state }]);
    }
}
