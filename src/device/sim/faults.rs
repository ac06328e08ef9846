//! Fault knobs of one simulated device, changeable while it runs.

use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::device::runtime::Wire;
use crate::protocol::Message;

/// What is wrong with a device. All off by default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// It says and hears nothing; what moves goes on moving.
    pub silent: bool,
    /// How long things take, in percent of what they should: 200 is half speed.
    pub slow_pct: u32,
    /// Motion hangs; heart and watchdog work.
    pub stuck: bool,
    /// Motion hangs and so does the watchdog; the heart beats.
    pub frozen: bool,
    /// Its emergency stop is pressed: what moves stands still, and heat goes on.
    pub estop: bool,
    /// It refuses every new task as REJECTED_BUSY.
    pub refuse: bool,
    /// Every task fails half-way as JAMMED.
    pub fail: bool,
    /// Every state is sent twice.
    pub double_report: bool,
    /// So many of the next states are lost on the way.
    pub lost_reports: u32,
    /// Camera: how often a good step is judged FAIL, in percent.
    pub wrong_verdict_pct: u8,
    /// Camera: how often it can't tell (UNSURE), in percent.
    pub unsure_pct: u8,
    /// Oven: `on_overdue` does nothing, the heat stays on.
    pub heat_stays_on: bool,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            silent: false,
            slow_pct: 100,
            stuck: false,
            frozen: false,
            estop: false,
            refuse: false,
            fail: false,
            double_report: false,
            lost_reports: 0,
            wrong_verdict_pct: 0,
            unsure_pct: 0,
            heat_stays_on: false,
        }
    }
}

/// The knobs of one device, shared by whoever turns them.
#[derive(Clone, Debug, Default)]
pub struct Knobs(Arc<Mutex<Faults>>);

impl Knobs {
    /// Knobs in this position.
    pub fn new(faults: Faults) -> Self {
        Self(Arc::new(Mutex::new(faults)))
    }

    /// Their position now.
    pub fn get(&self) -> Faults {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Turns them.
    pub fn change(&self, change: impl FnOnce(&mut Faults)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Wire for Knobs {
    fn copies(&mut self, message: &Message) -> u8 {
        let is_state = matches!(message, Message::State(_));
        let mut copies = 1;
        self.change(|faults| {
            if faults.silent {
                copies = 0;
            } else if is_state && faults.lost_reports > 0 {
                faults.lost_reports -= 1;
                copies = 0;
            } else if is_state && faults.double_report {
                copies = 2;
            }
        });
        copies
    }

    fn hears(&self) -> bool {
        !self.get().silent
    }

    fn has_watchdog(&self) -> bool {
        !self.get().frozen
    }
}
