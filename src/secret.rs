//! Secrets: drawn, hashed, and written so that nobody reads half of one, nor one that is not his.

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// For its owner's eyes alone.
pub const PRIVATE: u32 = 0o600;
/// For everybody.
pub const PUBLIC: u32 = 0o644;

/// A fresh secret of 256 bits from the system's generator, as hexadecimal digits behind this.
pub fn draw(prefix: &str) -> String {
    let bytes: [u8; 32] = rand::random();
    format!("{prefix}{}", hex(&bytes))
}

/// SHA-256, as 64 hexadecimal digits. What was drawn of 256 bits needs no slow hash.
pub fn digest(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}

/// Whether two digests are the same, in a time that tells nothing of where they differ.
pub fn is_same(one: &str, other: &str) -> bool {
    one.as_bytes().ct_eq(other.as_bytes()).into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A file of its own beside its place, of this mode before a byte is in it; on the disk, then in its place, whatever was there.
pub fn write_file(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    let new = PathBuf::from(format!("{}.new", path.display()));
    // What an earlier try left may have other rights.
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_file_is_its_users_alone_and_replaces_the_one_of_before() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("admin-token");
        fs::write(&path, "left by a crash").unwrap();
        fs::write(path.with_extension("new"), "left by another").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        write_file(&path, "secret\n", PRIVATE).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "secret\n");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_directory_that_is_gone_is_an_error() {
        assert!(write_file(Path::new("/no/such/directory/admin-token"), "secret", PRIVATE).is_err());
    }
}
