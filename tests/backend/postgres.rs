//! One PostgreSQL cluster for this test binary, in a directory of its own on a unix socket, and a database for each test.
//!
//! It ends with this process, however that ends: a shell holds a pipe to it and stops the server, by its id, when the pipe closes.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{LazyLock, Mutex};
use std::time::{Duration, Instant};

/// The shell's script: `$1` is the folder of the programs. Without fsync: what a power cut does is not what these tests ask.
const SCRIPT: &str = r#"
    set -e
    dir=$(mktemp -d /tmp/brigade-pg-XXXXXX)
    "$1/initdb" -D "$dir/data" -A trust -U postgres --no-sync >/dev/null
    "$1/postgres" -D "$dir/data" -k "$dir" -c listen_addresses= -c fsync=off -c max_connections=400 >"$dir/log" 2>&1 &
    server=$!
    echo "$dir"
    cat >/dev/null
    kill -INT $server
    wait $server || true
    rm -rf "$dir"
"#;

struct Cluster {
    programs: PathBuf,
    dir: String,
    /// The server ends when these do.
    _pipe: Mutex<(Child, ChildStdin)>,
}

static CLUSTER: LazyLock<Option<Cluster>> =
    LazyLock::new(|| programs().map(|programs| start(programs).expect("it starts")));
static NEXT: AtomicU32 = AtomicU32::new(1);

/// The URL of a fresh database; none where PostgreSQL is not installed, and nobody says that it must be.
pub fn fresh() -> Option<String> {
    let Some(cluster) = &*CLUSTER else {
        assert!(std::env::var_os("BRIGADE_NEEDS_POSTGRES").is_none(), "make test installs PostgreSQL");
        eprintln!("PostgreSQL is not installed: not tested with it");
        return None;
    };
    let name = format!("t{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        let create = Command::new(cluster.programs.join("createdb"));
        let done = { create }.args(["-h", &cluster.dir, "-U", "postgres", &name]).output().expect("createdb is there");
        if done.status.success() {
            return Some(format!("postgres:///{name}?host={}&user=postgres", cluster.dir));
        }
        assert!(Instant::now() < until, "no database: {}", String::from_utf8_lossy(&done.stderr));
        std::thread::yield_now();
    }
}

fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let mut found: Vec<PathBuf> = versions.filter_map(|entry| Some(entry.ok()?.path().join("bin"))).collect();
    found.retain(|bin| bin.join("initdb").exists());
    found.sort();
    found.pop()
}

fn start(programs: PathBuf) -> std::io::Result<Cluster> {
    // PostgreSQL refuses to run as root.
    let is_root = rustix::process::geteuid().is_root();
    let mut command = if is_root { Command::new("runuser") } else { Command::new("sh") };
    if is_root {
        command.args(["-u", "postgres", "--", "sh"]);
    }
    command.args(["-c", SCRIPT, "sh"]).arg(&programs).current_dir("/tmp");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let pipe = child.stdin.take().expect("it is piped");
    let mut dir = String::new();
    BufReader::new(child.stdout.take().expect("it is piped")).read_line(&mut dir)?;
    Ok(Cluster { programs, dir: dir.trim().to_owned(), _pipe: Mutex::new((child, pipe)) })
}
