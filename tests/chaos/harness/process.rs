//! A process that ends with its value.

use std::process::Child;

use rustix::process::{Pid, Signal, kill_process};

/// A running process; dropping it is SIGKILL.
pub struct Running(pub Child);

impl Running {
    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.0.id() as i32).expect("a process has a number");
        kill_process(pid, signal).expect("it is ours");
    }

    /// The exit code if it ended by itself: -1 for a signal.
    pub fn ended(&mut self) -> Option<i32> {
        self.0.try_wait().expect("a child can be asked").map(|status| status.code().unwrap_or(-1))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
