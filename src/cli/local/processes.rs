//! The processes of a kitchen on this machine: three controllers and one of devices. Killed means SIGKILL; a killed controller is started again after a second.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::time::{Instant, timeout};

use super::files::Site;

/// How long a killed controller stays dead.
const DEAD: Duration = Duration::from_secs(1);

/// How long a process may take to end when asked.
const PATIENCE: Duration = Duration::from_secs(10);

/// Running children. Dropping them kills them.
pub struct Processes {
    controllers: BTreeMap<u64, Controller>,
    devices: Child,
    /// Configuration and log of each controller.
    configs: BTreeMap<u64, (PathBuf, PathBuf)>,
}

enum Controller {
    Runs(Child),
    Dead { since: Instant },
}

impl Processes {
    /// Starts everything.
    pub fn start(site: &Site) -> Result<Self> {
        let configs: BTreeMap<u64, _> =
            site.nodes().map(|n| (n, (site.node_config(n), site.log(&format!("node{n}"))))).collect();
        let mut controllers = BTreeMap::new();
        for (node, (config, log)) in &configs {
            controllers.insert(*node, Controller::Runs(controller(config, log)?));
        }
        let devices = spawn(&site.device_args(), &site.log("devices"))?;
        Ok(Self { controllers, devices, configs })
    }

    /// The process of a controller, while it runs.
    pub fn pid(&self, node: u64) -> Option<u32> {
        match self.controllers.get(&node)? {
            Controller::Runs(child) => child.id(),
            Controller::Dead { .. } => None,
        }
    }

    /// An error if a process ended that nobody killed.
    pub fn check(&mut self) -> Result<()> {
        for (node, controller) in &mut self.controllers {
            if let Controller::Runs(child) = controller
                && let Some(status) = child.try_wait()?
            {
                bail!("controller {node} ended by itself: {status}");
            }
        }
        if let Some(status) = self.devices.try_wait()? {
            bail!("the devices ended by themselves: {status}");
        }
        Ok(())
    }

    /// SIGKILL for a controller. False if it is dead, or another one still is: two dead ones of three stop the kitchen.
    pub fn kill(&mut self, node: u64) -> Result<bool> {
        let some_dead = self.controllers.values().any(|c| matches!(c, Controller::Dead { .. }));
        let Some(Controller::Runs(child)) = self.controllers.get_mut(&node) else { return Ok(false) };
        if some_dead {
            return Ok(false);
        }
        child.start_kill().with_context(|| format!("kill controller {node}"))?;
        self.controllers.insert(node, Controller::Dead { since: Instant::now() });
        Ok(true)
    }

    /// SIGKILL for all controllers at once.
    pub fn kill_all(&mut self) -> Result<()> {
        for (node, controller) in &mut self.controllers {
            if let Controller::Runs(child) = controller {
                child.start_kill().with_context(|| format!("kill controller {node}"))?;
            }
            *controller = Controller::Dead { since: Instant::now() };
        }
        Ok(())
    }

    /// Starts a killed controller again, without waiting for anything but its end.
    pub fn restart(&mut self, node: u64) -> Result<()> {
        let (config, log) = self.configs.get(&node).context("the node is none of ours")?;
        self.controllers.insert(node, Controller::Runs(controller(config, log)?));
        Ok(())
    }

    /// Starts again what has been dead for long enough, also what somebody else killed: that is what a demo is for.
    pub fn revive(&mut self) -> Result<()> {
        for state in self.controllers.values_mut() {
            if let Controller::Runs(child) = state
                && child.try_wait()?.is_some_and(|status| status.signal().is_some())
            {
                *state = Controller::Dead { since: Instant::now() };
            }
        }
        for (node, state) in &mut self.controllers {
            if matches!(state, Controller::Dead { since } if since.elapsed() >= DEAD) {
                let (config, log) = &self.configs[node];
                *state = Controller::Runs(controller(config, log)?);
            }
        }
        self.check()
    }

    /// Asks every process to end, and waits.
    pub async fn stop(&mut self) {
        let running = self.controllers.values_mut().filter_map(|c| match c {
            Controller::Runs(child) => Some(child),
            Controller::Dead { .. } => None,
        });
        end(&mut running.chain([&mut self.devices]).collect::<Vec<_>>()).await;
    }
}

/// Asks processes to end, and waits.
pub(super) async fn end(children: &mut [&mut Child]) {
    for child in children.iter() {
        if let Some(pid) = child.id().and_then(|id| Pid::from_raw(id as i32)) {
            let _ = kill_process(pid, Signal::TERM);
        }
    }
    for child in children {
        if timeout(PATIENCE, child.wait()).await.is_err() {
            let _ = child.kill().await;
        }
    }
}

/// The program, where this process is another one: a test.
static PROGRAM: OnceLock<PathBuf> = OnceLock::new();

/// Starts this program instead of the running one. The first call counts.
pub fn use_program(program: PathBuf) {
    let _ = PROGRAM.set(program);
}

fn controller(config: &Path, log: &Path) -> Result<Child> {
    spawn(&["controller".to_owned(), "--config".to_owned(), config.to_string_lossy().into_owned()], log)
}

/// Starts this same program with other arguments; what it says is appended to a log.
fn spawn(args: &[String], log: &Path) -> Result<Child> {
    spawn_with(args, log, &[])
}

/// The same, with something in its environment.
pub(super) fn spawn_with(args: &[String], log: &Path, environment: &[(&str, &str)]) -> Result<Child> {
    let program = match PROGRAM.get() {
        Some(program) => program.clone(),
        None => std::env::current_exe().context("where is this program?")?,
    };
    let open = || std::fs::OpenOptions::new().create(true).append(true).open(log);
    let log_file = || open().with_context(|| format!("log {}", log.display()));
    let mut command = Command::new(program);
    command.envs(environment.iter().copied());
    command.args(args).stdin(Stdio::null()).stdout(log_file()?).stderr(log_file()?).kill_on_drop(true);
    command.spawn().with_context(|| format!("start brigade {}", args[0]))
}
