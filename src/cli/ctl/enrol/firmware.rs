//! What a device is given: a folder with its configuration, key included, and whom it trusts. The configuration is a line file of one
//! device, so that `brigade device --line` runs with what a real device gets.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use crate::config::Config;
use crate::device::line::Line;
use crate::protocol::Id;
use crate::secret;
use crate::tls::CA;

use super::{Enrol, Failure, at};

/// The configuration in the device's folder.
pub const FILE: &str = "device.toml";

/// Where a device's files are.
pub fn folder(dir: &Path, id: &str) -> PathBuf {
    dir.join("devices").join(id)
}

/// The key in the device's configuration; None without one.
pub fn known_key(dir: &Path, id: &str) -> Option<String> {
    let line = Line::load(&folder(dir, id).join(FILE)).ok()?;
    line.devices.into_iter().find(|device| device.id.as_str() == id)?.key
}

/// Writes the device's folder. `ca` is the text of who signs the brokers' certificates.
pub fn write(enrol: &Enrol, id: &str, config: &Config, ca: Option<&str>, key: &str) -> Result<PathBuf, Failure> {
    let folder = folder(&enrol.dir, id);
    std::fs::create_dir_all(&folder).map_err(at(&folder))?;
    if let Some(ca) = ca {
        let path = folder.join(CA);
        secret::write_file(&path, ca, secret::PUBLIC).map_err(at(&path))?;
    }
    let path = folder.join(FILE);
    secret::write_file(&path, &text(enrol, id, config, ca.is_some(), key), secret::PRIVATE).map_err(at(&path))?;
    Ok(folder)
}

fn text(enrol: &Enrol, id: &str, config: &Config, has_ca: bool, key: &str) -> String {
    let mut text = format!(
        "# Device {id} of kitchen {}. At the brokers its user name is its id, its password the key.\n",
        config.kitchen
    );
    // Ids and keys need no escapes.
    let mut put = |line: String| writeln!(text, "{line}").expect("a String can be written");
    put(format!("kitchen = \"{}\"", config.kitchen));
    put(format!("brokers = {}", toml::Value::from(config.brokers.clone())));
    if has_ca {
        put(format!("ca = \"{CA}\""));
    }
    put("\n[[device]]".to_owned());
    put(format!("id = \"{id}\""));
    put(format!("kind = \"{}\"", enrol.kind.map_or("", super::Kind::word)));
    if !enrol.lanes.is_empty() {
        put(format!("lanes = {:?}", enrol.lanes));
    }
    if !enrol.stages.is_empty() {
        put(format!("stages = {:?}", enrol.stages.iter().map(Id::as_str).collect::<Vec<_>>()));
    }
    if let Some(zone) = &enrol.zone {
        put(format!("zone = \"{zone}\""));
    }
    put(format!("key = \"{key}\""));
    text
}
