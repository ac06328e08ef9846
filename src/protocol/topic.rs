//! Topics: `brigade/v1/{kitchen}/{device}/{leaf}`, `…/ctl/leader`, `…/all/cmd`, built and parsed.

use std::fmt;

use super::error::Error;
use super::id::Id;
use crate::kitchen::DeviceId;

/// The last part of a topic: which payload it carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Leaf {
    /// Device: ONLINE, OFFLINE, LOST. Retained, and the will.
    Conn,
    /// Device: who I am and what I can do. Retained.
    Facts,
    /// Device: the whole state. Retained.
    State,
    /// Device: heartbeat, asks for a lease.
    Hb,
    /// Camera: a verdict, early.
    Obs,
    /// Controller: these instructions may start.
    Lease,
    /// Controller: one instruction. Never retained.
    Cmd,
    /// Controller, to all: HOLD and RESUME.
    AllCmd,
    /// Controller, to all: who is in charge. Retained, and the will.
    Leader,
}

impl Leaf {
    /// The leaves that stand under a device.
    pub const OF_DEVICE: [Self; 7] =
        [Self::Conn, Self::Facts, Self::State, Self::Hb, Self::Obs, Self::Lease, Self::Cmd];

    /// The leaves that devices write and controllers read.
    pub const FROM_DEVICE: [Self; 5] = [Self::Conn, Self::Facts, Self::State, Self::Hb, Self::Obs];

    /// The last part of the topic.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Conn => "conn",
            Self::Facts => "facts",
            Self::State => "state",
            Self::Hb => "hb",
            Self::Obs => "obs",
            Self::Lease => "lease",
            Self::Cmd | Self::AllCmd => "cmd",
            Self::Leader => "leader",
        }
    }

    /// Quality of service: heartbeats and leases are worth nothing when late, all else is said at least once.
    pub fn qos(self) -> u8 {
        match self {
            Self::Hb | Self::Lease => 0,
            Self::Conn | Self::Facts | Self::State | Self::Obs | Self::Cmd | Self::AllCmd | Self::Leader => 1,
        }
    }

    /// Whether the broker keeps the last one for newcomers.
    pub fn retain(self) -> bool {
        match self {
            Self::Conn | Self::Facts | Self::State | Self::Leader => true,
            Self::Hb | Self::Obs | Self::Lease | Self::Cmd | Self::AllCmd => false,
        }
    }
}

impl fmt::Display for Leaf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A topic of the protocol.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// A leaf of one device.
    Device(DeviceId, Leaf),
    /// `all/cmd`.
    All,
    /// `ctl/leader`.
    Leader,
}

impl Topic {
    /// Which payload it carries.
    pub fn leaf(&self) -> Leaf {
        match self {
            Self::Device(_, leaf) => *leaf,
            Self::All => Leaf::AllCmd,
            Self::Leader => Leaf::Leader,
        }
    }

    /// The topic's name within this kitchen.
    pub fn name(&self, kitchen: &Id) -> String {
        match self {
            Self::Device(device, leaf) => format!("brigade/v1/{kitchen}/{device}/{leaf}"),
            Self::All => format!("brigade/v1/{kitchen}/all/cmd"),
            Self::Leader => format!("brigade/v1/{kitchen}/ctl/leader"),
        }
    }

    /// Takes a topic's name apart, into the kitchen and the topic.
    pub fn parse(name: &str) -> Result<(Id, Self), Error> {
        let parse = || {
            let mut parts = name.strip_prefix("brigade/v1/")?.split('/');
            let kitchen: Id = parts.next()?.parse().ok()?;
            let (who, leaf) = (parts.next()?, parts.next()?);
            let topic = match (who, leaf) {
                ("all", "cmd") => Self::All,
                ("ctl", "leader") => Self::Leader,
                ("all" | "ctl", _) => return None,
                (device, leaf) => {
                    let leaf = Leaf::OF_DEVICE.into_iter().find(|l| l.as_str() == leaf)?;
                    Self::Device(device.parse().ok()?, leaf)
                }
            };
            parts.next().is_none().then_some((kitchen, topic))
        };
        parse().ok_or_else(|| Error::Topic { topic: name.chars().take(200).collect() })
    }
}

/// What a controller subscribes to: all that devices say, and who is in charge.
pub fn controller_filters(kitchen: &Id) -> Vec<String> {
    let of_devices = Leaf::FROM_DEVICE.iter().map(|leaf| format!("brigade/v1/{kitchen}/+/{leaf}"));
    of_devices.chain([Topic::Leader.name(kitchen)]).collect()
}

/// What a device subscribes to: its instructions and leases, `all/cmd` and `ctl/leader`.
pub fn device_filters(kitchen: &Id, device: &DeviceId) -> Vec<String> {
    let own = |leaf| Topic::Device(device.clone(), leaf).name(kitchen);
    vec![own(Leaf::Cmd), own(Leaf::Lease), Topic::All.name(kitchen), Topic::Leader.name(kitchen)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_survive_their_names() {
        let kitchen: Id = "k1".parse().unwrap();
        let device: DeviceId = "robot1".parse().unwrap();
        let of_device = Leaf::OF_DEVICE.map(|leaf| Topic::Device(device.clone(), leaf));
        for topic in of_device.into_iter().chain([Topic::All, Topic::Leader]) {
            assert_eq!(Topic::parse(&topic.name(&kitchen)), Ok((kitchen.clone(), topic)));
        }
    }

    #[test]
    fn foreign_topics_are_refused() {
        for name in [
            "",
            "brigade/v1/k/d",
            "brigade/v2/k/d/hb",
            "brigade/v1/k/d/hb/x",
            "brigade/v1/k/all/hb",
            "brigade/v1//d/hb",
        ] {
            assert!(Topic::parse(name).is_err(), "{name}");
        }
    }
}
