//! Raises the replicated rules once every member's program knows newer ones.
//!
//! A member that has not been heard by this process, or that is down and was last heard with an older program, holds them back: it must
//! be able to come back and go on. One that will not come back is taken out of the cluster.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use tracing::info;

use crate::kitchen::{Command, Kitchen, NodeId, Rules};

use super::tenure::Shared;

/// How long a proposal that did not go through waits for another try.
const RETRY: Duration = Duration::from_secs(1);

/// The rules that all members know, if they are newer than those that hold.
pub fn due(
    holding: Rules,
    members: impl IntoIterator<Item = NodeId>,
    heard: &BTreeMap<NodeId, Rules>,
) -> Option<Rules> {
    let known = members.into_iter().map(|node| heard.get(&node).copied().unwrap_or(Rules::FIRST));
    known.min().filter(|known| *known > holding)
}

/// Runs as long as the tenure.
pub async fn run(shared: Arc<Shared>) {
    let mut heard = shared.node.watch_rules();
    let mut standing = shared.node.watch_status();
    loop {
        let holding = shared.node.with_kitchen(Kitchen::rules);
        if holding >= shared.node.options().rules_max {
            // This program knows none that are newer: the standing changes with every entry, and need not be looked at.
            return std::future::pending().await;
        }
        let said = heard.borrow_and_update().clone();
        if let Some(to) = due(holding, shared.node.peers().into_keys(), &said) {
            match shared.propose(Command::RaiseRules { to }).await {
                Some(_) => info!("The kitchen goes by rules {to} from here on: all replicas know them"),
                None => sleep(RETRY).await,
            }
            continue;
        }
        // Members change with the standing; a program that is started anew is heard.
        let changed = tokio::select! {
            changed = heard.changed() => changed,
            changed = standing.changed() => changed,
        };
        if changed.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_raised_to_what_the_oldest_program_knows() {
        let heard = BTreeMap::from([(1, Rules(3)), (2, Rules(2)), (3, Rules(4)), (9, Rules(1))]);
        assert_eq!(due(Rules(1), [1, 2, 3], &heard), Some(Rules(2)), "node 9 is no member");
        assert_eq!(due(Rules(2), [1, 2, 3], &heard), None);
        assert_eq!(due(Rules(2), [1, 3], &heard), Some(Rules(3)));
    }

    #[test]
    fn a_member_that_was_not_heard_holds_them_back() {
        let heard = BTreeMap::from([(1, Rules(2)), (2, Rules(2))]);
        assert_eq!(due(Rules(1), [1, 2, 3], &heard), None);
    }
}
