//! What the system says of a process (proc(5)), and programs of others that a measurement runs beside ours.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Instant;

use anyhow::{Context, Result};
use tokio::process::{Child, Command};

/// Where Debian puts servers, which is not in everybody's PATH.
const MORE_PLACES: [&str; 3] = ["/usr/sbin", "/usr/local/sbin", "/usr/lib/rabbitmq/bin"];

/// Where a program is installed, if it is.
pub(super) fn installed(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = MORE_PLACES.iter().map(PathBuf::from).chain(std::env::split_paths(&path));
    places.map(|place| place.join(program)).find(|found| found.is_file())
}

/// Starts a program; what it says is appended to a log. Dropping it kills it.
pub(super) fn start<A: AsRef<OsStr>>(
    program: &Path,
    args: impl IntoIterator<Item = A>,
    environment: &[(&str, String)],
    log: &Path,
) -> Result<Child> {
    let log_file = || std::fs::OpenOptions::new().create(true).append(true).open(log);
    let mut command = Command::new(program);
    command.args(args).envs(environment.iter().map(|(key, value)| (key, value)));
    command.stdin(Stdio::null()).stdout(log_file()?).stderr(log_file()?).kill_on_drop(true);
    command.spawn().with_context(|| format!("start {}", program.display()))
}

/// Kills processes, and waits until the system has forgotten them. What an error or Ctrl-C leaves is killed where it is dropped.
pub(super) async fn end(children: Vec<Child>) -> Result<()> {
    for mut child in children {
        child.kill().await?;
    }
    Ok(())
}

/// Resident memory of a process, in MiB.
pub(super) fn resident_mib(pid: u32) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib / 1_024.0)
}

/// Processor time of a process so far, in milliseconds: user and system, in ticks of 10 ms.
pub(super) fn cpu_ms(pid: u32) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let tick = |i: usize| fields.get(i).and_then(|f| f.parse::<f64>().ok()).unwrap_or_default();
    Ok((tick(11) + tick(12)) * 10.0)
}

/// Processes whose use of the machine is watched for a while.
pub(super) struct Watched {
    pids: Vec<u32>,
    cpu_ms: Vec<f64>,
    began: Instant,
}

/// What they used.
pub(super) struct Used {
    /// Processor time of each, in percent of one core.
    pub(super) cpu_pct: Vec<f64>,
    /// Memory of each at the end, in MiB.
    pub(super) resident_mib: Vec<f64>,
}

impl Watched {
    /// Watches these from now on.
    pub(super) fn begin(pids: Vec<u32>) -> Result<Self> {
        let cpu_ms = pids.iter().map(|pid| cpu_ms(*pid)).collect::<Result<_>>()?;
        Ok(Self { pids, cpu_ms, began: Instant::now() })
    }

    /// What they used since then.
    pub(super) fn end(self) -> Result<Used> {
        let elapsed_ms = self.began.elapsed().as_secs_f64() * 1_000.0;
        let used = |(pid, before): (&u32, &f64)| Ok((cpu_ms(*pid)? - before) * 100.0 / elapsed_ms);
        let cpu_pct = self.pids.iter().zip(&self.cpu_ms).map(used).collect::<Result<_>>()?;
        let resident_mib = self.pids.iter().map(|pid| resident_mib(*pid)).collect::<Result<_>>()?;
        Ok(Used { cpu_pct, resident_mib })
    }
}
