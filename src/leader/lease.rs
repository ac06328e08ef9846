//! The two leases of a tenure. The quorum lease: a majority answered lately, so no other node can be in charge. The start lease: the
//! answer to a heartbeat, naming what the device may start now.
//!
//! An answer is given only while the quorum lease is valid, and is remembered before it is sent: a proof by time counts from it.

use crate::defect;
use crate::kitchen::{DeviceId, Epoch, Instruction, Kitchen, Millis, Op};
use crate::protocol::{Heartbeat, Lease};
use crate::raft::RaftNode;

use super::memory::Memory;

/// Whether this node still has its majority.
#[derive(Clone)]
pub struct QuorumLease {
    node: RaftNode,
    age_ms_max: u64,
}

impl QuorumLease {
    /// A lease that holds while the last acknowledgement of a majority is at most this old.
    pub fn new(node: RaftNode, age_ms_max: u64) -> Self {
        Self { node, age_ms_max }
    }

    /// True while no other node can have been elected.
    pub fn holds(&self) -> bool {
        if defect::is("quorum-lease-ignored") {
            return true;
        }
        self.node.is_leading() && self.node.quorum_age_ms().is_some_and(|age| age <= self.age_ms_max)
    }
}

/// The answer to a heartbeat: which instructions this device may start. None: it gets no lease now.
///
/// `now` is kitchen time. What is named here is put into `memory.named` before anybody can send the answer.
pub fn answer(
    kitchen: &Kitchen,
    memory: &mut Memory,
    epoch: Epoch,
    device: &DeviceId,
    heartbeat: &Heartbeat,
    now: Millis,
) -> Option<Lease> {
    let known = kitchen.device(device)?;
    let in_charge = kitchen.epoch() == epoch;
    let is_withheld = memory.withheld.contains(device) && !defect::is("lease-not-withheld");
    if !in_charge || known.boot != Some(heartbeat.boot) || is_withheld {
        return None;
    }
    let is_overdue = is_overdue(kitchen, device, now);
    let may_start = |i: &&Instruction| matches!(i.op, Op::Start(_)) && !is_overdue;
    let mine = kitchen.outbox().filter(|i| i.device == *device && i.boot == heartbeat.boot);
    let open: Vec<_> = mine.filter(may_start).map(|i| i.id).collect();
    for id in &open {
        memory.named.insert(*id, now);
    }
    let l_ms = kitchen.settings().lease_ms;
    Some(Lease { boot: heartbeat.boot, seq: heartbeat.seq, epoch, l_ms, held: kitchen.is_held(device), open })
}

/// An attempt of the device is overdue: the entry that may call it stuck is on its way through the log, and proofs by time count from
/// that entry's time. What was named after it could start after its proof.
fn is_overdue(kitchen: &Kitchen, device: &DeviceId, now: Millis) -> bool {
    kitchen.attempts().any(|a| a.device == *device && a.due_at.is_some_and(|at| at <= now))
}
