//! The first token. A new kitchen comes up closed, and whoever founds it must get in: the node that leads draws an admin's token, writes it
//! to a file that only its own user reads, and then proposes what is kept of it.
//!
//! In this order, so that no token is good that nobody can read. A crash in between leaves a file whose token is good nowhere; the next
//! leader draws another. Apply adds at most one first token, whoever proposes, and the file of one that was not added is removed.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::kitchen::{Command, NewToken, Role};
use crate::raft::RaftNode;
use crate::secret;

use super::token;
use super::{CONFIGURED_ADMIN, Mode, Options};

/// The file in the data directory.
pub const FILE: &str = "admin-token";

/// Between two tries, when an entry did not go through or the disk did not take the file.
const AGAIN: Duration = Duration::from_secs(1);

/// Sees to it that the kitchen has an admin's token, until it has one or `stop`.
pub async fn found(node: RaftNode, options: Options, stop: CancellationToken) {
    let Some(dir) = options.first_token_dir.filter(|_| options.mode == Mode::Tokens && options.admin.is_none()) else {
        return;
    };
    let there_is_one = stop.run_until_cancelled(until_there_is_one(&node, &dir)).await;
    if there_is_one.is_some() {
        look_at_file(&node, &dir.join(FILE));
    }
}

/// Says where the token is, as long as its file is there. A file that a crash left, or whose token was revoked since, is removed.
fn look_at_file(node: &RaftNode, path: &Path) {
    let (Ok(text), shown) = (fs::read_to_string(path), path.display()) else { return };
    let hash = token::hash(text.trim());
    if node.with_kitchen(|kitchen| kitchen.tokens().any(|known| known.new.hash == hash)) {
        info!(path = %shown, "The token of this kitchen's first admin is in {shown}: keep it elsewhere, and remove the file");
    } else if fs::remove_file(path).is_ok() {
        info!(path = %shown, "The token in {shown} is good nowhere: the file was removed");
    }
}

async fn until_there_is_one(node: &RaftNode, dir: &Path) {
    let (mut status, mut applied) = (node.watch_status(), node.applied_watch());
    // The one and only of this process: an entry whose outcome is unknown may still be applied, and its token must be the one in the file.
    let mut drawn = None;
    loop {
        // Behind the barrier this replica knows what was added before it led.
        let leads = node.is_leading() && node.read_barrier().await.is_ok();
        if node.with_kitchen(|kitchen| kitchen.has_lasting_admin()) {
            return;
        }
        if leads && let Err(error) = add(node, dir, &mut drawn).await {
            warn!(%error, "The first token was not added, it is tried again: {error}");
        }
        let changed = tokio::select! {
            changed = status.changed() => changed.is_ok(),
            changed = applied.changed() => changed.is_ok(),
            () = tokio::time::sleep(AGAIN) => true,
        };
        if !changed {
            return;
        }
    }
}

/// Writes the file, once, then proposes what is kept of its token, as often as it takes.
async fn add(node: &RaftNode, dir: &Path, drawn: &mut Option<NewToken>) -> io::Result<()> {
    let new = match drawn {
        Some(new) => new,
        None => drawn.insert(draw(dir).await?),
    };
    let actor = format!("node-{}", node.node_id());
    let proposed = node.propose(Command::AddToken { new: new.clone(), first: true, actor }, None).await;
    proposed.map(drop).map_err(io::Error::other)
}

/// A token that is good nowhere yet, in its file.
async fn draw(dir: &Path) -> io::Result<NewToken> {
    let (token, path) = (token::draw(), dir.join(FILE));
    let hash = token::hash(&token);
    tokio::task::spawn_blocking(move || secret::write_file(&path, &format!("{token}\n"), secret::PRIVATE))
        .await
        .map_err(io::Error::other)??;
    let id = format!("first-{:08x}", rand::random::<u32>()).parse().expect("it is an id");
    Ok(NewToken { id, name: CONFIGURED_ADMIN.to_owned(), role: Role::Admin, hash, life_ms: None })
}
