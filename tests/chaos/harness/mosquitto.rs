//! A mosquitto that is killed and comes back on the same port, having forgotten everything.

use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A running mosquitto; dropping it ends it.
pub struct Mosquitto {
    child: Child,
    port: u16,
    dir: tempfile::TempDir,
}

impl Mosquitto {
    /// Starts one on this port of loopback, in memory, anonymous.
    pub fn start(port: u16) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let config = format!("listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n");
        std::fs::write(dir.path().join("mosquitto.conf"), config).expect("the folder can be written");
        let child = spawn(&dir);
        let broker = Self { child, port, dir };
        broker.wait();
        broker
    }

    /// Its address for clients.
    pub fn url(&self) -> String {
        format!("mqtt://127.0.0.1:{}", self.port)
    }

    /// SIGKILL, and another life on the same port.
    pub fn kill_and_start_again(&mut self) {
        self.child.kill().expect("it is ours");
        self.child.wait().expect("it is ours");
        self.child = spawn(&self.dir);
        self.wait();
    }

    fn wait(&self) {
        let limit = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(Instant::now() < limit, "mosquitto does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn spawn(dir: &tempfile::TempDir) -> Child {
    let mut command = Command::new("/usr/sbin/mosquitto");
    command.arg("-c").arg(dir.path().join("mosquitto.conf")).stdin(Stdio::null()).stdout(Stdio::null());
    command.stderr(Stdio::null()).spawn().expect("make test installs mosquitto")
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
