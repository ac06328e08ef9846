//! `brigade ctl debug-bundle`: one archive with what somebody needs who shall find out what happened in a kitchen, and no secret.
//!
//! Each replica is asked for itself (`consistency=stale`), as what they disagree about is what matters. One that does not answer is noted
//! with the reason.

mod blank;

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Args;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures::future::join_all;
use serde_json::{Value, json};

use super::client::Client;
use super::table::pairs;
use super::{Failure, Out, Session, text};
use crate::web::rfc3339;

/// How long one answer may take.
const LIMIT: Duration = Duration::from_secs(10);
/// So many log indices back go events and lines of the log; a page of the API holds so many.
const BACK: u64 = 1_000;

/// How a replica sees the cluster.
const CLUSTER: &str = "cluster.json";

/// What each replica is asked, and the file that its answer becomes. `AFTER` is a log index.
const QUESTIONS: [(&str, &str); 17] = [
    ("livez.txt", "/livez"),
    ("readyz.json", "/readyz"),
    (CLUSTER, "/v1/cluster"),
    ("kitchen.json", "/v1/kitchen?consistency=stale"),
    ("devices.json", "/v1/devices?consistency=stale"),
    ("orders-open.json", "/v1/orders?status=open&order=oldest&limit=500&consistency=stale"),
    ("orders-ended.json", "/v1/orders?status=ended&order=newest&limit=100&consistency=stale"),
    ("incidents.json", "/v1/incidents?consistency=stale"),
    ("escalations.json", "/v1/escalations?consistency=stale"),
    ("statistics.json", "/v1/statistics?consistency=stale"),
    ("settings.json", "/v1/kitchen/settings?consistency=stale"),
    ("recipes.json", "/v1/recipes?consistency=stale"),
    ("access.json", "/v1/access"),
    ("metrics.txt", "/metrics"),
    ("logs.json", "/v1/logs?limit=1000&after=AFTER"),
    ("audit.json", "/v1/audit?limit=500&consistency=stale"),
    ("events.json", "/v1/events?wait=0&limit=1000&after=AFTER"),
];

/// What goes into the archive, and where it goes.
#[derive(Clone, Debug, Args)]
pub struct DebugBundle {
    /// The archive; by default brigade-KITCHEN-TIME.tar.gz, here.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// A node's configuration, put in without its secrets; repeatable.
    #[arg(long = "config", value_name = "FILE")]
    configs: Vec<PathBuf>,
}

/// A file of the archive.
type File = (String, String);

/// What one replica said.
struct Replica {
    url: String,
    files: Vec<File>,
    /// What it did not answer, and why.
    missing: Vec<(&'static str, String)>,
}

/// Gathers, writes, and says where it is.
pub async fn run(session: &Session, bundle: &DebugBundle, out: Out<'_>) -> Result<(), Failure> {
    let (urls, nobody) = match session.client.get("/v1/cluster").await {
        Ok(cluster) => (members(session.client.urls(), &cluster), None),
        // Who reaches nobody has the more to explain.
        Err(failure @ Failure::Unreachable { .. }) => (session.client.urls().to_vec(), Some(failure)),
        Err(failure) => return Err(failure),
    };
    let replicas = once(join_all(urls.iter().map(|url| ask(&session.client, url))).await);
    let (now, wall) = (now_ms(), rfc3339(now_ms()));
    let mut files: Vec<File> = Vec::new();
    for path in &bundle.configs {
        files.push(configuration(path, files.len() + 1)?);
    }
    let about = about(&wall, &replicas);
    files.push(("about.json".to_owned(), format!("{about:#}\n")));
    for replica in &replicas {
        let folder = folder(&replica.url);
        files.extend(replica.files.iter().map(|(name, text)| (format!("{folder}/{name}"), text.clone())));
    }
    let files: Vec<File> =
        files.into_iter().map(|(name, text)| (name, blank::text(&text, session.token.as_deref()))).collect();
    let path = bundle.out.clone().unwrap_or_else(|| PathBuf::from(default_name(&replicas, &wall)));
    let bytes = archive(&files, now / 1_000).and_then(|archive| write(&path, &archive).map(|()| archive.len()));
    let bytes = bytes.map_err(|why| Failure::File { path: path.clone(), why })?;
    let answer = json!({ "file": path, "bytes": bytes, "files": files.len(), "replicas": about["replicas"] });
    session.print(out, &answer, shown)?;
    nobody.map_or(Ok(()), Err)
}

/// The replicas that were named, and the other members.
pub fn members(named: &[String], cluster: &Value) -> Vec<String> {
    let scheme = named[0].split_once("://").map_or("http", |(scheme, _)| scheme);
    let addresses = cluster["members"].as_array().into_iter().flatten().filter_map(|member| member["api"].as_str());
    let members: Vec<String> = addresses.map(|address| format!("{scheme}://{address}")).collect();
    let others = members.into_iter().filter(|url| !named.contains(url));
    named.iter().cloned().chain(others).collect()
}

/// A replica that was reached by two names stands there once.
fn once(replicas: Vec<Replica>) -> Vec<Replica> {
    let mut nodes = BTreeSet::new();
    let is_new = |replica: &Replica| replica.cluster()["seen_by"].as_u64().is_none_or(|node| nodes.insert(node));
    replicas.into_iter().filter(is_new).collect()
}

impl Replica {
    /// What it says of the cluster; null without a word.
    fn cluster(&self) -> Value {
        let file = self.files.iter().find(|(name, _)| name == CLUSTER);
        file.and_then(|(_, text)| serde_json::from_str(text).ok()).unwrap_or_default()
    }
}

async fn ask(client: &Client, url: &str) -> Replica {
    let mut replica = Replica { url: url.to_owned(), files: Vec::new(), missing: Vec::new() };
    let mut after = 0;
    for (name, path) in QUESTIONS {
        match client.read(url, &path.replace("AFTER", &after.to_string()), LIMIT).await {
            Ok(text) => {
                replica.files.push((name.to_owned(), text));
                if name == CLUSTER {
                    after = replica.cluster()["log"]["applied"].as_u64().unwrap_or(0).saturating_sub(BACK);
                }
            }
            Err(why) => {
                replica.missing.push((name, why));
                // One that does not answer at all is not waited for again and again.
                if replica.files.is_empty() {
                    break;
                }
            }
        }
    }
    replica
}

fn configuration(path: &Path, number: usize) -> Result<File, Failure> {
    let text = std::fs::read_to_string(path).map_err(|why| Failure::File { path: path.to_owned(), why })?;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let text = blank::configuration(&text)
        .unwrap_or_else(|why| format!("# It was left out: it can't be understood, and may hold secrets. {why}\n"));
    Ok((format!("config/{number}-{name}"), text))
}

/// What is in the archive, and what is missing.
fn about(wall: &str, replicas: &[Replica]) -> Value {
    let replica = |replica: &Replica| {
        let missing: Vec<Value> =
            replica.missing.iter().map(|(name, why)| json!({ "file": name, "why": why })).collect();
        json!({ "url": replica.url, "folder": folder(&replica.url), "files": replica.files.len(), "missing": missing })
    };
    let replicas: Vec<Value> = replicas.iter().map(replica).collect();
    json!({ "made_at": wall, "made_by": concat!("brigade ctl ", env!("CARGO_PKG_VERSION")), "replicas": replicas })
}

/// A replica's folder: `10.0.0.11_7400`.
fn folder(url: &str) -> String {
    let address = url.split_once("://").map_or(url, |(_, address)| address);
    address.chars().map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' }).collect()
}

fn default_name(replicas: &[Replica], wall: &str) -> String {
    let kitchen = replicas.iter().map(Replica::cluster).find_map(|cluster| Some(folder(cluster["kitchen"].as_str()?)));
    let kitchen = kitchen.unwrap_or_else(|| "unreachable".to_owned());
    let time: String = wall.chars().take_while(|c| *c != '.').filter(|c| !":-Z".contains(*c)).collect();
    format!("brigade-{kitchen}-{time}Z.tar.gz")
}

fn archive(files: &[File], now_s: u64) -> io::Result<Vec<u8>> {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
    for (name, text) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o600);
        header.set_mtime(now_s);
        tar.append_data(&mut header, format!("brigade-debug/{name}"), text.as_bytes())?;
    }
    tar.into_inner()?.finish()
}

/// For its owner alone: it names orders and people. Nothing that is there is overwritten.
fn write(path: &Path, archive: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(archive)?;
    file.sync_all()
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn shown(answer: &Value) -> String {
    let size = answer["bytes"].as_u64().unwrap_or(0).div_ceil(1_024);
    let mut lines = vec![("bundle", format!("{} ({size} KiB, {} files)", text(answer, "/file"), answer["files"]))];
    for replica in answer["replicas"].as_array().into_iter().flatten() {
        let missing = replica["missing"].as_array().map_or(&[][..], Vec::as_slice);
        let why = missing
            .first()
            .map_or(String::new(), |first| format!("; {} missing: {}", missing.len(), text(first, "/why")));
        lines.push(("replica", format!("{}: {} files{why}", text(replica, "/url"), replica["files"])));
    }
    lines.push(("note", "tokens, passwords and keys are not in it; orders and the names of who acted are".to_owned()));
    pairs(&lines)
}
