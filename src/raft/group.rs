//! Group commit: what many callers propose in the same moment goes into the log as one write, with one round to the followers.
//!
//! Without it every proposal would be a write of its own: whoever hands one to openraft wakes it, and tokio runs what was woken before the
//! next caller. Nothing waits for company here: a group is sent as soon as everybody who is ready has had a turn.

use std::sync::{Arc, Mutex};

use futures::StreamExt;
use openraft::errors::{ClientWriteError, Fatal, RaftError};
use openraft::raft::WriteResponse;
use tokio::sync::oneshot;

use crate::kitchen::Entry;

use super::node::Raft;
use super::types::{Proposal, Types};

/// What became of a proposal.
pub(super) type Written = Result<WriteResponse<Types>, RaftError<Types, ClientWriteError<Types>>>;

/// Proposals that are not handed to openraft yet, each with who waits for it.
#[derive(Default)]
pub(super) struct Group {
    waiting: Mutex<Vec<(Proposal, oneshot::Sender<Written>)>>,
    /// Held from when a group is taken until openraft has it: the next one, of another thread, must not overtake it.
    hand_over: tokio::sync::Mutex<()>,
}

impl Group {
    /// Puts an entry into the log, and waits until it is applied here.
    pub async fn write(self: &Arc<Self>, raft: &Raft, entry: Arc<Entry>) -> Written {
        let (done, written) = oneshot::channel();
        if self.join(Proposal(entry), done) {
            tokio::spawn(send(self.clone(), raft.clone()));
        }
        written.await.unwrap_or(Err(RaftError::Fatal(Fatal::Stopped)))
    }

    /// True for the first of a group, who sees to it that it is sent.
    fn join(&self, proposal: Proposal, done: oneshot::Sender<Written>) -> bool {
        let mut waiting = self.waiting.lock().expect("nothing panics while it holds this lock");
        waiting.push((proposal, done));
        waiting.len() == 1
    }

    fn take(&self) -> Vec<(Proposal, oneshot::Sender<Written>)> {
        std::mem::take(&mut *self.waiting.lock().expect("nothing panics while it holds this lock"))
    }
}

/// Hands the group over once all who are ready have joined it, and tells everybody what became of his proposal.
async fn send(group: Arc<Group>, raft: Raft) {
    tokio::task::yield_now().await;
    let in_turn = group.hand_over.lock().await;
    let (proposals, waiting): (Vec<_>, Vec<_>) = group.take().into_iter().unzip();
    // On an error everybody's channel is dropped, which says that openraft has stopped.
    let Ok(mut written) = raft.client_write_many(proposals).await else { return };
    drop(in_turn);
    for done in waiting {
        let Some(written) = written.next().await else { return };
        // Who gave up has gone.
        let _ = done.send(written.map_err(RaftError::Fatal).and_then(|written| written.map_err(RaftError::APIError)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kitchen::Command;

    fn proposal() -> Proposal {
        let command = Command::Drain { draining: true };
        Proposal(Arc::new(Entry { at: 0, wall: 0, epoch: None, asked: None, command }))
    }

    #[test]
    fn the_first_of_a_group_sends_for_all_who_join_before_it_is_taken() {
        let (group, done) = (Group::default(), || oneshot::channel().0);
        assert!(group.join(proposal(), done()));
        assert!(!group.join(proposal(), done()));
        assert!(!group.join(proposal(), done()));
        assert_eq!(group.take().len(), 3);
        assert!(group.join(proposal(), done()), "the next group has a first one too");
        assert_eq!(group.take().len(), 1);
    }
}
