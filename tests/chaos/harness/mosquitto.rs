//! A mosquitto that is killed and comes back at the same address, with what it had kept or without.

use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use super::net::{Address, Net, Party};
use super::process::Running;

/// A mosquitto; dropping it ends it.
pub struct Mosquitto {
    process: Option<Running>,
    party: Party,
    own: SocketAddr,
    dir: PathBuf,
}

impl Mosquitto {
    /// Starts one at this address, anonymous. What it keeps is written at once, into a folder of its own.
    pub fn start(net: &Net, number: u64, address: Address, dir: &Path) -> Self {
        let dir = dir.join(format!("mosquitto{number}"));
        std::fs::create_dir_all(&dir).expect("the folder can be written");
        let own = address.own;
        let config = format!(
            "listener {} {}\nallow_anonymous true\npersistence true\npersistence_location {}/\nautosave_on_changes true\n\
             autosave_interval 1\nmax_queued_messages 100000\nset_tcp_nodelay true\nuser root\n",
            own.port(),
            own.ip(),
            dir.display()
        );
        std::fs::write(dir.join("mosquitto.conf"), config).expect("the folder can be written");
        let mut mosquitto = Self { process: None, party: Party::Broker(number), own, dir };
        mosquitto.start_again(net);
        mosquitto
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// What it kept is gone.
    pub fn wipe(&self) {
        assert!(self.process.is_none(), "only a dead broker can be wiped");
        let _ = std::fs::remove_file(self.dir.join("mosquitto.db"));
    }

    /// Another life at the same address.
    pub fn start_again(&mut self, net: &Net) {
        let mut command = net.command(self.party, "/usr/sbin/mosquitto");
        command.arg("-c").arg(self.dir.join("mosquitto.conf"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = Running(command.spawn().expect("make test installs mosquitto"));
        net.is_run_by(self.party, process.0.id());
        self.process = Some(process);
        let limit = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(self.own).is_err() {
            assert!(Instant::now() < limit, "mosquitto does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
