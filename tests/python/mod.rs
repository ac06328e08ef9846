//! The robot of another make: `robot.py`, written after docs/ alone.

use std::process::{Child, Command, Stdio};

/// A robot that ends with its test.
pub struct Robot(Child);

impl Drop for Robot {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Robot {
    pub fn start(broker: &str, kitchen: &str, id: &str) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/robot.py");
        let mut command = Command::new(interpreter());
        command.args([script, broker, kitchen, id]).stdin(Stdio::null());
        Self(command.spawn().expect("python runs"))
    }
}

/// The Python that has paho-mqtt: Debian's, where `make test` installs it, or the first in PATH, which may be another one.
fn interpreter() -> &'static str {
    let has_paho = |python: &&str| {
        let tried = Command::new(python).args(["-c", "import paho.mqtt.client"]).stderr(Stdio::null()).status();
        tried.is_ok_and(|status| status.success())
    };
    ["/usr/bin/python3", "python3"].into_iter().find(has_paho).expect("make test installs python3-paho-mqtt")
}
