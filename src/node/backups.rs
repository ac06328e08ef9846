//! Copies of the kitchen on a schedule, to a directory that should be another disk's: the newest few are kept, each verified before it gets its
//! name.
//!
//! Every replica that has `[backup]` in its configuration takes its own. What is on the disk says when the next one is due, so that a
//! restart neither forgets one nor takes one too many.

use std::fs::{self, File};
use std::io;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::raft::RaftNode;
use crate::raft::backup::{CopyFile, Summary, verify};
use crate::web::rfc3339;

/// When copies are taken, where they go, and how many are kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// Where copies go: best another disk, or another machine's.
    pub dir: PathBuf,
    /// Hours between two copies.
    #[serde(default = "day")]
    pub every_h: u64,
    /// How many are kept.
    #[serde(default = "fortnight")]
    pub keep: usize,
}

fn day() -> u64 {
    24
}

fn fortnight() -> usize {
    14
}

/// How long a copy that failed, or that is not yet wanted, waits.
const RETRY: Duration = Duration::from_secs(60);

impl Options {
    /// What contradicts itself.
    pub fn faults(&self) -> Vec<String> {
        let hours =
            (!(1..=720).contains(&self.every_h)).then(|| format!("backup.every_h is {}: use 1 to 720", self.every_h));
        let keep = (!(1..=1_000).contains(&self.keep)).then(|| format!("backup.keep is {}: use 1 to 1000", self.keep));
        let dir = self.dir.as_os_str().is_empty().then(|| "backup.dir is empty: name a directory".to_owned());
        [hours, keep, dir].into_iter().flatten().collect()
    }

    fn every(&self) -> Duration {
        Duration::from_secs(self.every_h * 3_600)
    }
}

/// Takes copies until `stop`.
pub async fn run(node: RaftNode, options: Options, stop: CancellationToken) {
    metrics::gauge!("brigade_backup_interval_seconds").set(options.every().as_secs() as f64);
    let mut wait = Duration::ZERO;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
        let shelf = Shelf { node: node.clone(), options: options.clone() };
        let looked = tokio::task::spawn_blocking(move || shelf.look_after(SystemTime::now())).await;
        wait = match looked {
            Ok(Ok(next)) => next,
            Ok(Err(error)) => {
                warn!(dir = %options.dir.display(), %error, "No copy of the kitchen was taken: {error}");
                RETRY
            }
            Err(error) => {
                warn!(%error, "No copy of the kitchen was taken");
                RETRY
            }
        };
    }
}

/// The directory with this replica's copies.
struct Shelf {
    node: RaftNode,
    options: Options,
}

impl Shelf {
    /// Takes a copy if one is due, and lets old ones go; returns how long to wait until the next look.
    fn look_after(&self, now: SystemTime) -> io::Result<Duration> {
        fs::create_dir_all(&self.options.dir)?;
        let mine = self.copies()?;
        let newest = mine.last().map(|path| fs::metadata(path)?.modified()).transpose()?;
        tell(newest);
        let left = left_until_due(newest, now, self.options.every());
        // One that is cut off would copy what is old.
        if !left.is_zero() || self.node.leader().is_none() {
            return Ok(left.max(RETRY).min(self.options.every()));
        }
        let (path, summary) = self.take(now)?;
        tell(Some(now));
        info!(index = summary.index, bytes = summary.bytes, "A copy of the kitchen is in {}", path.display());
        let mine = self.copies()?;
        for old in mine.iter().take(mine.len().saturating_sub(self.options.keep)) {
            fs::remove_file(old)?;
        }
        Ok(self.options.every())
    }

    /// A copy has its name when it is whole and on disk.
    fn take(&self, now: SystemTime) -> io::Result<(PathBuf, Summary)> {
        let wall = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis() as u64;
        let path = self.options.dir.join(file_name(&self.owner(), wall));
        let part = path.with_added_extension("part");
        self.node.back_up(CopyFile::create(&part)?)?.sync_all()?;
        let summary = verify(&part).map_err(io::Error::other)?;
        fs::rename(&part, &path)?;
        File::open(&self.options.dir)?.sync_all()?;
        Ok((path, summary))
    }

    fn owner(&self) -> String {
        format!("{}-node{}", self.node.options().cluster, self.node.node_id())
    }

    /// The copies that this replica took, the oldest first. What was not finished is removed.
    fn copies(&self) -> io::Result<Vec<PathBuf>> {
        let mut found = vec![];
        for entry in fs::read_dir(&self.options.dir)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            match name.strip_prefix(&format!("{}-", self.owner())) {
                Some(rest) if rest.ends_with(".backup.part") => fs::remove_file(&path)?,
                Some(rest) if rest.ends_with(".backup") => found.push(path),
                _ => {}
            }
        }
        found.sort();
        Ok(found)
    }
}

/// Sorts by time: `main-street-node2-20260728T123456Z.backup`.
pub fn file_name(owner: &str, wall: u64) -> String {
    let time: String = rfc3339(wall).chars().take(19).filter(|c| !"-:".contains(*c)).collect();
    format!("{owner}-{time}Z.backup")
}

/// A newest copy from the future is one of a clock that was wrong: it holds nothing up.
fn left_until_due(newest: Option<SystemTime>, now: SystemTime, every: Duration) -> Duration {
    let age = newest.and_then(|newest| now.duration_since(newest).ok());
    age.map_or(Duration::ZERO, |age| every.saturating_sub(age))
}

fn tell(newest: Option<SystemTime>) {
    let at = newest.and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok()).unwrap_or_default();
    metrics::gauge!("brigade_backup_last_success_timestamp_seconds").set(at.as_secs() as f64);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copys_name_sorts_by_its_time() {
        assert_eq!(file_name("main-street-node2", 1_785_242_096_000), "main-street-node2-20260728T123456Z.backup");
    }

    #[test]
    fn the_next_copy_is_due_an_interval_after_the_newest_on_disk() {
        let (now, hour) = (SystemTime::now(), Duration::from_secs(3_600));
        let left = |newest| left_until_due(newest, now, 24 * hour);
        assert_eq!(left(None), Duration::ZERO);
        assert_eq!(left(Some(now - hour)), 23 * hour);
        assert_eq!(left(Some(now - 30 * hour)), Duration::ZERO);
        assert_eq!(left(Some(now + hour)), Duration::ZERO);
    }

    #[test]
    fn a_schedule_that_never_comes_or_keeps_nothing_is_refused() {
        let options = Options { dir: PathBuf::new(), every_h: 0, keep: 0 };
        assert_eq!(options.faults().len(), 3);
    }
}
