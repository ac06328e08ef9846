//! Appends facts to a history. One write for each, at the end of the file, so that several processes may share it. The only I/O of
//! this module; its callers say what time it is.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use super::Fact;

/// An open history.
#[derive(Debug)]
pub struct Writer(Mutex<File>);

impl Writer {
    /// Opens a history, or begins one.
    pub fn append_to(path: &Path) -> io::Result<Self> {
        Ok(Self(Mutex::new(OpenOptions::new().create(true).append(true).open(path)?)))
    }

    /// Writes facts down. A history that can't be written ends its writer: one with gaps would acquit the guilty.
    pub fn write(&self, facts: &[Fact]) {
        let mut lines = Vec::new();
        for fact in facts {
            serde_json::to_writer(&mut lines, fact).expect("facts have text keys");
            lines.push(b'\n');
        }
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(&lines).expect("the history must be writable");
    }
}
