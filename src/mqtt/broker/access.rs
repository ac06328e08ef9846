//! The two files that say who is let into the embedded broker, and what he may do there. They are mosquitto's.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::rules::Rules;
use crate::mqtt::password;

/// The files that say who may come in, and what he may do there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// Users and hashes of their keys: mosquitto's `password_file`.
    pub password_file: PathBuf,
    /// Rules: mosquitto's `acl_file`.
    pub acl_file: PathBuf,
}

impl Access {
    /// Whether both files can be used; Err says what is wrong.
    pub fn check(&self) -> Result<(), String> {
        Known::read(self).map(drop)
    }
}

/// What stands in the files.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Known {
    /// By user.
    pub(super) hashes: BTreeMap<String, String>,
    /// Who may do what.
    pub(super) rules: Rules,
}

impl Known {
    /// Err says which file is wrong, and where.
    pub(super) fn read(access: &Access) -> Result<Self, String> {
        let text = |path: &Path| {
            std::fs::read_to_string(path).map_err(|error| format!("{} can't be read: {error}", path.display()))
        };
        let wrong = |path: &Path, why: String| format!("{}, {why}", path.display());
        let hashes = hashes(&text(&access.password_file)?).map_err(|why| wrong(&access.password_file, why))?;
        let rules = Rules::parse(&text(&access.acl_file)?).map_err(|why| wrong(&access.acl_file, why))?;
        Ok(Self { hashes, rules })
    }
}

/// `name:$7$…`, one a line.
fn hashes(text: &str) -> Result<BTreeMap<String, String>, String> {
    let mut hashes = BTreeMap::new();
    for (n, line) in text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
        let hash = line.split_once(':').filter(|(_, hash)| password::is_hash(hash));
        let (user, hash) = hash.ok_or_else(|| {
            format!("line {}: name:$7$rounds$salt$hash is wanted, as mosquitto_passwd and `brigade ctl devices enrol` write it", n + 1)
        })?;
        hashes.insert(user.to_owned(), hash.to_owned());
    }
    Ok(hashes)
}
