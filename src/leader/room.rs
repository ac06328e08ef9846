//! Which disks are nearly full: who stays in charge when it is this node's. A decider: it reads nothing and sends nothing.

use crate::kitchen::{Millis, NodeId};

use super::witness::Testimony;

/// A tenure lasts at least so long before it hands over for want of room, so that replicas whose disks fill up do not take turns.
pub const TENURE_MS_MIN: Millis = 2_000;

/// The nodes that are low.
pub fn low(own: NodeId, is_low: bool, others: &[Testimony]) -> Vec<NodeId> {
    let others = others.iter().filter(|t| t.storage_low).map(|t| t.node);
    let mut low: Vec<NodeId> = is_low.then_some(own).into_iter().chain(others).collect();
    low.sort_unstable();
    low
}

/// Who should be in charge instead of this node: one that listens to a broker and has room.
pub fn successor(is_low: bool, in_charge_ms: Millis, others: &[Testimony]) -> Option<NodeId> {
    let has_room = |t: &&Testimony| t.listening && !t.storage_low && t.node != 0;
    others.iter().find(has_room).map(|t| t.node).filter(|_| is_low && in_charge_ms >= TENURE_MS_MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(node: NodeId, listening: bool, storage_low: bool) -> Testimony {
        Testimony { node, listening, storage_low, ..Testimony::default() }
    }

    #[test]
    fn a_node_without_room_names_one_that_has_room_and_listens() {
        let others = [of(2, true, true), of(3, false, false), of(4, true, false)];
        assert_eq!(successor(true, TENURE_MS_MIN, &others), Some(4));
        assert_eq!(successor(true, TENURE_MS_MIN - 1, &others), None);
        assert_eq!(successor(false, TENURE_MS_MIN, &others), None);
        assert_eq!(successor(true, TENURE_MS_MIN, &others[..2]), None, "nobody is better");
        assert_eq!(low(1, true, &others), [1, 2]);
    }
}
