//! Which voters answer the leader now, and whether they are enough. Before members change: a change that leaves too few would stop the
//! kitchen with no way back but the missing machines.
//!
//! Plain functions; nothing here changes members.

use std::collections::BTreeSet;
use std::time::Duration;

use openraft::Instant as _;

use crate::kitchen::NodeId;

use super::node::RaftNode;
use super::options::Options;
use super::types::RaftMetrics;

impl RaftNode {
    /// How many more voters may be lost while the others still decide, by what this replica knows: a leader counts those that answer it
    /// now, another replica all.
    pub fn tolerates(&self) -> u64 {
        let metrics = self.metrics();
        let heard = self.is_leading().then(|| heard(&metrics, heard_limit(self.options())));
        let configs = metrics.membership_config.membership().get_joint_config();
        let counted =
            |voters: &BTreeSet<NodeId>| heard.as_ref().map_or(voters.len(), |h| voters.intersection(h).count());
        configs.iter().map(|voters| tolerates(voters.len(), counted(voters))).min().unwrap_or(0) as u64
    }
}

/// At least so long a voter that is asked may take to answer, and so long ago it may have answered to be shown as there: a busy replica is
/// not gone.
const HEARD_LIMIT: Duration = Duration::from_secs(1);

/// The same, where elections take longer.
pub(crate) fn heard_limit(options: &Options) -> Duration {
    HEARD_LIMIT.max(Duration::from_millis(2 * options.election_max_ms))
}

/// This leader, and the members that have answered within `limit`.
pub(crate) fn heard(metrics: &RaftMetrics, limit: Duration) -> BTreeSet<NodeId> {
    let answered = metrics.heartbeat.iter().flatten();
    let lately = answered.filter(|(_, at)| at.is_some_and(|at| at.elapsed() <= limit));
    lately.map(|(node, _)| *node).chain([metrics.id]).collect()
}

/// None if a majority of these voters is heard; else those that are not.
pub(crate) fn missing(voters: &BTreeSet<NodeId>, heard: &BTreeSet<NodeId>) -> Option<Vec<NodeId>> {
    let is_majority = voters.intersection(heard).count() > voters.len() / 2;
    (!is_majority).then(|| voters.difference(heard).copied().collect())
}

/// How many of these voters may be lost, beside those that do not answer already, while the others still decide.
pub(crate) fn tolerates(voters: usize, heard: usize) -> usize {
    heard.saturating_sub(voters / 2 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set<const N: usize>(ids: [NodeId; N]) -> BTreeSet<NodeId> {
        BTreeSet::from(ids)
    }

    #[test]
    fn who_is_missing_is_named_when_the_others_are_no_majority() {
        assert_eq!(missing(&set([1, 2, 3]), &set([1, 2])), None);
        assert_eq!(missing(&set([1, 2, 3]), &set([3])), Some(vec![1, 2]));
        assert_eq!(missing(&set([1, 2]), &set([1, 3])), Some(vec![2]), "two voters need both");
        assert_eq!(missing(&set([1]), &set([1])), None);
        assert_eq!(missing(&set([1, 2, 3, 4]), &set([1, 2])), Some(vec![3, 4]), "a half is no majority");
    }

    #[test]
    fn two_replicas_tolerate_no_loss_and_three_one() {
        assert_eq!(
            [tolerates(1, 1), tolerates(2, 2), tolerates(3, 3), tolerates(4, 4), tolerates(5, 5)],
            [0, 0, 1, 1, 2]
        );
        assert_eq!([tolerates(3, 2), tolerates(3, 1), tolerates(5, 4)], [0, 0, 1], "who is gone already is counted");
    }
}
