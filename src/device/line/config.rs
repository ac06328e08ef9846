//! The file that describes a line (TOML), and the built-in line of the demo.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::device::sim::Faults;
use crate::protocol::{DeviceId, DeviceKind, HEARTBEAT_MS, Id, Lane, Millis};

/// A line of simulated devices.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// The kitchen's name.
    pub kitchen: Id,
    /// Brokers, the preferred one first: `mqtt://host:port`.
    pub brokers: Vec<String>,
    /// Who signs the brokers' certificates (PEM), where they are `mqtts://host:port`. A relative path is from the file's folder.
    #[serde(default)]
    pub ca: Option<PathBuf>,
    /// How fast the devices' own durations run, in percent of real time. Durations in instructions are taken as they are.
    #[serde(default = "speed_pct_default")]
    pub speed_pct: u32,
    /// Where physical facts are recorded (JSON lines); without it, in memory.
    #[serde(default)]
    pub record: Option<PathBuf>,
    /// Interval of heartbeats, in milliseconds.
    #[serde(default = "hb_ms_default")]
    pub hb_ms: Millis,
    /// How long a task accepted with `after` may start after its last lease, in milliseconds; without it, 10,000.
    #[serde(default)]
    pub orphan_ms: Option<Millis>,
    /// Seed of the devices' chances (wrong verdicts).
    #[serde(default)]
    pub seed: u64,
    /// The devices.
    #[serde(rename = "device", default)]
    pub devices: Vec<DeviceLine>,
}

/// One device of a line.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceLine {
    /// Its name.
    pub id: DeviceId,
    /// What it is.
    pub kind: DeviceKind,
    /// Its grippers, slots or views.
    #[serde(default = "lanes_default")]
    pub lanes: Vec<Lane>,
    /// Cameras: which stages they judge.
    #[serde(default)]
    pub stages: Vec<Id>,
    /// Where it stands.
    #[serde(default)]
    pub zone: Option<Id>,
    /// Its key at the brokers, where they ask for one: its user name is its id.
    #[serde(default)]
    pub key: Option<String>,
    /// What is wrong with it.
    #[serde(default)]
    pub faults: Faults,
}

fn speed_pct_default() -> u32 {
    100
}

fn hb_ms_default() -> Millis {
    HEARTBEAT_MS
}

fn lanes_default() -> Vec<Lane> {
    vec![0]
}

/// The most characters of an explanation.
const WHY_MAX: usize = 1_000;

/// Why a line does not run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The file can't be read.
    #[error("the line file {} can't be read: {why}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// What went wrong.
        why: String,
    },
    /// A key that no line has.
    #[error("the line file has an unknown key {key:?}: {why}")]
    UnknownKey {
        /// Which key.
        key: String,
        /// Where, and which keys there are.
        why: String,
    },
    /// The file says something that can't be.
    #[error("the line file can't be understood: {why}")]
    Form {
        /// What, and where.
        why: String,
    },
    /// The record can't be written.
    #[error("the record {} can't be written: {why}", path.display())]
    Record {
        /// Which file.
        path: PathBuf,
        /// What went wrong.
        why: String,
    },
}

impl Line {
    /// Reads a line file.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let read = std::fs::read_to_string(path);
        let text = read.map_err(|error| Error::Read { path: path.to_owned(), why: error.to_string() })?;
        let line = Self::parse(&text)?;
        // A device's folder can then be put anywhere.
        let ca = line.ca.map(|ca| path.parent().unwrap_or(Path::new("")).join(ca));
        Ok(Self { ca, ..line })
    }

    /// Understands the text of a line file.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let line: Self = toml::from_str(text).map_err(|error| misunderstood(&error))?;
        line.check()?;
        Ok(line)
    }

    /// The line of the demo: two robots before the oven, four ovens of one slot, two robots after it, three cameras.
    pub fn built_in(kitchen: Id, brokers: Vec<String>) -> Self {
        let kinds = [
            ("robot1", DeviceKind::BeforeOven, None),
            ("robot2", DeviceKind::BeforeOven, None),
            ("oven1", DeviceKind::Oven, None),
            ("oven2", DeviceKind::Oven, None),
            ("oven3", DeviceKind::Oven, None),
            ("oven4", DeviceKind::Oven, None),
            ("robot3", DeviceKind::AfterOven, None),
            ("robot4", DeviceKind::AfterOven, None),
            ("camera1", DeviceKind::Camera, Some("prep")),
            ("camera2", DeviceKind::Camera, Some("bake")),
            ("camera3", DeviceKind::Camera, Some("finish")),
        ];
        let device = |(id, kind, stage): (&str, DeviceKind, Option<&str>)| DeviceLine {
            id: id.parse().expect("built-in names are ids"),
            kind,
            lanes: lanes_default(),
            stages: stage.map(|stage| stage.parse().expect("built-in names are ids")).into_iter().collect(),
            zone: None,
            key: None,
            faults: Faults::default(),
        };
        let devices = kinds.into_iter().map(device).collect();
        let (speed_pct, hb_ms) = (speed_pct_default(), hb_ms_default());
        Self { kitchen, brokers, ca: None, speed_pct, record: None, hb_ms, orphan_ms: None, seed: 0, devices }
    }

    fn check(&self) -> Result<(), Error> {
        let mut ids = BTreeSet::new();
        let twice = self.devices.iter().find(|device| !ids.insert(&device.id));
        if let Some(device) = twice {
            return Err(Error::Form { why: format!("device {} stands there twice", device.id) });
        }
        if self.brokers.is_empty() {
            return Err(Error::Form { why: "brokers: at least one is needed".to_owned() });
        }
        if self.speed_pct == 0 || self.hb_ms == 0 {
            return Err(Error::Form { why: "speed_pct and hb_ms are greater than 0".to_owned() });
        }
        Ok(())
    }
}

fn misunderstood(error: &toml::de::Error) -> Error {
    // It shows the line of the file, which may have any length.
    let why: String = error.to_string().trim().chars().take(WHY_MAX).collect();
    let key = error.message().strip_prefix("unknown field `").and_then(|rest| rest.split('`').next());
    match key {
        Some(key) => Error::UnknownKey { key: key.to_owned(), why },
        None => Error::Form { why },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"
        kitchen = "k1"
        brokers = ["mqtt://127.0.0.1:1883"]
        speed_pct = 1000
        [[device]]
        id = "robot1"
        kind = "robot.before_oven"
        [[device]]
        id = "oven1"
        kind = "oven"
        lanes = [0, 1]
        faults = { slow_pct = 200 }
        [[device]]
        id = "camera1"
        kind = "camera"
        stages = ["prep"]
    "#;

    #[test]
    fn a_line_file_says_which_devices_there_are() {
        let line = Line::parse(FILE).unwrap();
        assert_eq!(line.devices.len(), 3);
        assert_eq!((line.devices[1].lanes.clone(), line.devices[1].faults.slow_pct), (vec![0, 1], 200));
        assert_eq!((line.speed_pct, line.hb_ms), (1_000, HEARTBEAT_MS));
    }

    #[test]
    fn an_unknown_key_is_named() {
        for (from, to, key) in
            [("speed_pct", "sped_pct", "sped_pct"), ("slow_pct", "slow", "slow"), ("stages", "stage", "stage")]
        {
            let error = Line::parse(&FILE.replace(from, to)).unwrap_err();
            assert!(matches!(&error, Error::UnknownKey { key: named, .. } if named == key), "{error}");
        }
    }

    #[test]
    fn two_devices_of_one_name_are_refused() {
        let error = Line::parse(&FILE.replace("camera1", "robot1")).unwrap_err();
        assert!(error.to_string().contains("robot1"), "{error}");
    }

    #[test]
    fn the_built_in_line_has_eleven_devices() {
        let line = Line::built_in("k1".parse().unwrap(), vec!["mqtt://127.0.0.1:1883".to_owned()]);
        assert_eq!(line.devices.len(), 11);
        line.check().unwrap();
    }
}
