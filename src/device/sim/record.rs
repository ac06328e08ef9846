//! The record of what happened physically: one JSON line a fact, flushed at once, for checkers that trust no controller.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::clock;
use crate::protocol::{Id, Lane, Millis};

/// One physical fact.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Entry {
    /// CLOCK_BOOTTIME in milliseconds: one clock for all processes of the machine.
    pub t_ms: Millis,
    /// Which device.
    pub device: String,
    /// Its boot, 16 hex digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub boot: Option<String>,
    /// instructed, started, finished, failed, cancelled, picked, placed, burnt, packed, rejected, discarded, shelved,
    /// expired, refused, booted, cleared.
    pub event: String,
    /// Which pizza.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pizza: Option<String>,
    /// Which task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// Which attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub att: Option<u32>,
    /// Under which epoch it was instructed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epoch: Option<u64>,
    /// instructed, refused: the instruction's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// instructed: the op; started: the action.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub op: Option<String>,
    /// failed, refused: why; finished inspection: the verdict.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// placed, picked, discarded: which oven.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oven: Option<Id>,
    /// placed, picked, discarded, burnt: which slot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slot: Option<Lane>,
}

impl Entry {
    /// A fact about this device.
    pub fn new(device: impl ToString, event: &str) -> Self {
        Self { device: device.to_string(), event: event.to_owned(), ..Self::default() }
    }
}

/// Where facts are written: a file, or memory for tests.
#[derive(Debug)]
pub struct Record {
    file: Option<Mutex<File>>,
    /// What was written, where there is no file.
    kept: Mutex<Vec<Entry>>,
    /// The time that is written beside facts, where no real clock is read.
    set_time: Option<AtomicU64>,
}

impl Record {
    /// Appends to this file.
    pub fn to_file(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        Ok(Self { file: Some(Mutex::new(file)), kept: Mutex::default(), set_time: None })
    }

    /// Keeps everything in memory.
    pub fn in_memory() -> Self {
        Self { file: None, kept: Mutex::default(), set_time: None }
    }

    /// Keeps everything in memory, at the times that `set_time` tells: for simulations.
    pub fn in_virtual_time() -> Self {
        Self { set_time: Some(AtomicU64::new(0)), ..Self::in_memory() }
    }

    /// Virtual time goes on. Nothing to do where the real clock is read.
    pub fn set_time(&self, now: Millis) {
        if let Some(time) = &self.set_time {
            time.store(now, Ordering::Relaxed);
        }
    }

    /// Writes a fact down, at the present time. A file that can't be written ends the simulation: a record with gaps would
    /// acquit the guilty.
    pub fn write(&self, entry: Entry) {
        let set = self.set_time.as_ref().map(|time| time.load(Ordering::Relaxed));
        let entry = Entry { t_ms: set.unwrap_or_else(clock::boottime_ms), ..entry };
        match &self.file {
            Some(file) => {
                let mut line = serde_json::to_vec(&entry).expect("entries have text keys");
                line.push(b'\n');
                let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
                file.write_all(&line).expect("the record must be writable");
            }
            None => self.kept.lock().unwrap_or_else(PoisonError::into_inner).push(entry),
        }
    }

    /// Takes what was kept in memory since the last time.
    pub fn take(&self) -> Vec<Entry> {
        std::mem::take(&mut self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What was kept in memory.
    pub fn kept(&self) -> Vec<Entry> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
