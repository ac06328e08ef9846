//! `brigade ctl backup`, `verify` and `restore`: copies of a whole kitchen, and the way back from one.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::table::pairs;
use super::{Failure, Out, Session, text};
use crate::clock::wall_ms;
use crate::config::Config;
use crate::node::{self, backups::file_name};
use crate::raft::backup;
use crate::web::rfc3339;

/// Where from and where to.
#[derive(Clone, Debug, Args)]
pub struct Backup {
    /// The file; by default KITCHEN-TIME.backup, here.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Copy the data directory of a replica that does not run, on this machine, with all that is in its log. Nothing in it changes.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

/// Which file.
#[derive(Clone, Debug, Args)]
pub struct Verify {
    /// The copy.
    file: PathBuf,
}

/// What is restored, and where.
#[derive(Clone, Debug, Args)]
pub struct Restore {
    /// The copy.
    file: PathBuf,
    /// The configuration of the node with the lowest number (TOML). Its data directory must be empty; the others start with empty ones.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The new incarnation; by default the next one. Give a higher one if devices still obey another controller.
    #[arg(long, value_name = "N")]
    incarnation: Option<u32>,
}

/// Takes a copy, and verifies it before it gets its name.
pub async fn back_up(session: &Session, what: Backup, out: Out<'_>) -> Result<(), Failure> {
    let part = what.out.clone().unwrap_or_else(|| PathBuf::from("kitchen.backup")).with_added_extension("part");
    let file = |why| Failure::File { path: part.clone(), why };
    // What an earlier try left there is no copy.
    fs::remove_file(&part).or_else(unless_missing).map_err(file)?;
    let notes = match &what.data_dir {
        Some(dir) => of_directory(dir, &part)?,
        None => {
            let written = session.client.download("/v1/cluster/backup", || backup::CopyFile::create(&part)).await?;
            written.sync_all().map_err(file)?;
            Vec::new()
        }
    };
    let summary = backup::verify(&part)?;
    let path = what.out.unwrap_or_else(|| PathBuf::from(file_name(&summary.kitchen, wall_ms())));
    fs::rename(&part, &path).map_err(file)?;
    notes.iter().for_each(|note| eprintln!("brigade ctl: {note}"));
    let mut said = json!(summary);
    said["file"] = json!(path);
    session.print(out, &said, show)
}

/// Tells what a copy holds.
pub fn verify(session: &Session, what: &Verify, out: Out<'_>) -> Result<(), Failure> {
    let mut said = json!(backup::verify(&what.file)?);
    said["file"] = json!(what.file);
    session.print(out, &said, show)
}

/// Fills an empty data directory.
pub fn restore(session: &Session, what: &Restore, out: Out<'_>) -> Result<(), Failure> {
    let config = Config::load(&what.config).map_err(|error| Failure::Node(error.to_string()))?;
    let restored = backup::restore(&what.file, &config.raft_options(), what.incarnation)?;
    let others: Vec<u64> = config.nodes.iter().map(|n| n.id).filter(|id| *id != config.node).collect();
    let said = json!({ "node": config.node, "data_dir": config.data_dir, "incarnation": restored.incarnation,
        "index": restored.index, "others": others, "copy": restored.copy });
    session.print(out, &said, |said| {
        let rest = match others.len() {
            0 => String::new(),
            _ => format!(
                "Empty the data directories of nodes {} (keep what was in them), and start them too.\n",
                text(said, "/others")
            ),
        };
        format!(
            "{} holds the kitchen as it was at {} as incarnation {}. Start node {} now.\n{rest}",
            config.data_dir.display(),
            rfc3339(restored.copy.wall),
            restored.incarnation,
            config.node
        )
    })
}

fn of_directory(dir: &Path, to: &Path) -> Result<Vec<String>, Failure> {
    if !dir.join("identity.json").exists() {
        return Err(Failure::Node(format!(
            "{} is no replica's data directory: it has no identity.json",
            dir.display()
        )));
    }
    // Whoever runs on it would write meanwhile.
    let _claimed = node::claim(dir).map_err(|error| Failure::Node(error.to_string()))?;
    Ok(backup::of_directory(dir, to)?)
}

fn unless_missing(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

fn show(said: &Value) -> String {
    let wall = said["wall"].as_u64().map_or("-".to_owned(), rfc3339);
    pairs(&[
        ("file", text(said, "/file")),
        ("kitchen", text(said, "/kitchen")),
        ("as of", format!("{wall}, entry {}", text(said, "/index"))),
        ("incarnation", text(said, "/incarnation")),
        ("rules", text(said, "/rules")),
        ("open orders", text(said, "/open_orders")),
        ("orders that ended", text(said, "/archived_orders")),
        ("food-safety records", text(said, "/food_safety_records")),
        ("audit records", text(said, "/audit_records")),
        ("bytes", text(said, "/bytes")),
    ])
}
