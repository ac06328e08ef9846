//! The raw limit of this disk: how long a small append takes to be safe.

use std::io::Write;
use std::path::Path;
use std::time::Instant;

use anyhow::Result;

use super::Distribution;

/// Times 256-byte appends with fdatasync in this folder, in milliseconds.
pub fn fdatasync_ms(dir: &Path, appends: usize) -> Result<Distribution> {
    let mut file = tempfile::tempfile_in(dir)?;
    let mut values = Vec::with_capacity(appends);
    for _ in 0..appends {
        let began = Instant::now();
        file.write_all(&[7; 256])?;
        file.sync_data()?;
        values.push(began.elapsed().as_secs_f64() * 1_000.0);
    }
    Ok(Distribution::of(values))
}
