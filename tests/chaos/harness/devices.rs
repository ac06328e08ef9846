//! The line of devices: a process, or in this one where a test wants to reach into it.

use brigade::device::line::{self, Line, LineHandle};
use tokio_util::sync::CancellationToken;

use super::net::Party;
use super::process::Running;
use super::site::KITCHEN;
use super::{Dinner, program};

/// The devices: a process, or in this one.
pub(super) enum Devices {
    Process {
        /// Ends with this value.
        _running: Running,
    },
    Here(Box<LineHandle>),
    Off,
}

/// A line like the demo's, with these faults.
pub fn line_with(faults: &[(&str, &str)]) -> String {
    let kinds = [
        ("robot1", "robot.before_oven", ""),
        ("robot2", "robot.before_oven", ""),
        ("oven1", "oven", ""),
        ("oven2", "oven", ""),
        ("oven3", "oven", ""),
        ("robot3", "robot.after_oven", ""),
        ("robot4", "robot.after_oven", ""),
        ("camera1", "camera", "prep"),
        ("camera2", "camera", "bake"),
    ];
    let device = |(id, kind, stage): (&str, &str, &str)| {
        let stages = if stage.is_empty() { String::new() } else { format!("\"{stage}\"") };
        let broken = faults.iter().find(|(device, _)| *device == id).map_or("", |(_, faults)| faults);
        format!("[[device]]\nid = \"{id}\"\nkind = \"{kind}\"\nstages = [{stages}]\nfaults = {{ {broken} }}\n")
    };
    // What is accepted with `after` outlives its lease by less than at a site, so that tests need not wait as long.
    let head =
        format!("kitchen = \"{KITCHEN}\"\nbrokers = [\"mqtt://127.0.0.1:1\"]\nspeed_pct = 4000\norphan_ms = 3000\n");
    kinds.into_iter().fold(head, |text, kind| text + &device(kind))
}

impl Dinner {
    pub(super) fn start_devices(&mut self, here: bool, missing: &[&str]) {
        self.devices = if here { self.devices_here(missing) } else { self.devices_as_process() };
    }

    pub(super) fn devices_as_process(&self) -> Devices {
        let mut command = self.net.command(Party::Devices, &program());
        command.arg("device").arg("--line").arg(self.site.line()).arg("--record").arg(self.site.history());
        command.args(self.site.broker_urls().iter().flat_map(|url| ["--broker", url]));
        let devices = self.spawn(command, "devices");
        self.net.is_run_by(Party::Devices, devices.0.id());
        Devices::Process { _running: devices }
    }

    fn devices_here(&self, missing: &[&str]) -> Devices {
        let line = Line::load(&self.site.line()).expect("the line was written for this");
        let (brokers, record) = (self.site.broker_urls(), Some(self.site.history()));
        let _inside = self.runtime.enter();
        let handle = line::start(Line { brokers, record, ..line }, CancellationToken::new()).expect("a line");
        for device in missing {
            handle.kill(&device.parse().expect("a device's name is an id"));
        }
        Devices::Here(Box::new(handle))
    }

    /// The devices in this process.
    pub fn line(&self) -> &LineHandle {
        match &self.devices {
            Devices::Here(handle) => handle,
            Devices::Process { .. } | Devices::Off => panic!("the plan puts the devices elsewhere"),
        }
    }
}
