//! A copy's file on a disk that other things wait for: readable by its owner alone, and synced as it grows, so that no sync has gigabytes to do.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Written bytes between two syncs.
const SYNC_EVERY: u64 = 8 << 20;

/// The file while it is written.
#[derive(Debug)]
pub struct CopyFile {
    file: File,
    unsynced: u64,
}

impl CopyFile {
    /// A new file, or an empty one in the place of what was there. A copy holds the hashes of tokens, and names of staff.
    pub fn create(path: &Path) -> io::Result<Self> {
        let file = File::options().write(true).create(true).truncate(true).mode(0o600).open(path)?;
        Ok(Self { file, unsynced: 0 })
    }

    /// Returns once all of it is on disk.
    pub fn sync_all(&self) -> io::Result<()> {
        self.file.sync_all()
    }
}

impl Write for CopyFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.unsynced += written as u64;
        if self.unsynced >= SYNC_EVERY {
            self.file.sync_data()?;
            self.unsynced = 0;
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
