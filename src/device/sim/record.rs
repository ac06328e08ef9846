//! The record of what happened physically: one JSON line a fact, flushed at once, for checkers that trust no controller.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::clock;
use crate::history::{DeviceFact, Fact, Writer};
use crate::protocol::Millis;

/// Where facts are written: a file, or memory for tests.
#[derive(Debug)]
pub struct Record {
    file: Option<Writer>,
    /// What was written, where there is no file.
    kept: Mutex<Vec<DeviceFact>>,
    /// The time that is written beside facts, where no real clock is read.
    set_time: Option<AtomicU64>,
}

impl Record {
    /// Appends to this file.
    pub fn to_file(path: &Path) -> io::Result<Self> {
        Ok(Self { file: Some(Writer::append_to(path)?), ..Self::in_memory() })
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

    /// Writes a fact down, at the present time.
    pub fn write(&self, fact: DeviceFact) {
        let set = self.set_time.as_ref().map(|time| time.load(Ordering::Relaxed));
        let fact = DeviceFact { t_ms: set.unwrap_or_else(clock::boottime_ms), ..fact };
        match &self.file {
            Some(file) => file.write(&[Fact::Device(fact)]),
            None => self.kept.lock().unwrap_or_else(PoisonError::into_inner).push(fact),
        }
    }

    /// Takes what was kept in memory since the last time.
    pub fn take(&self) -> Vec<DeviceFact> {
        std::mem::take(&mut self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What was kept in memory.
    pub fn kept(&self) -> Vec<DeviceFact> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
