//! An operator's word about a device.

use super::Kitchen;
use super::command::{Directive, Life, Reply};
use super::device::{Device, Recovery, Standing};
use super::ids::DeviceId;
use super::outbox::Op;
use super::refusal::Refusal;

impl Kitchen {
    pub(super) fn direct_device(&mut self, id: &DeviceId, directive: Directive, actor: &str) -> Result<Reply, Refusal> {
        let Some(device) = self.devices.get(id) else {
            return Err(Refusal::UnknownDevice { device: id.clone() });
        };
        check(device, directive)?;
        let before = device.clone();
        mark(self.devices.get_mut(id).expect("it was there a line ago"), directive);
        match directive {
            Directive::Release => self.end_quarantine(id),
            Directive::Retire => self.believe_it_is_gone(id),
            Directive::Maintain => self.spoil_what_it_held(id),
            Directive::Adopt | Directive::Drain | Directive::Hold | Directive::Resume => {}
        }
        let after = self.devices.get(id).expect("it was there a line ago");
        if *after == before {
            return Ok(Reply::Unchanged);
        }
        match (before.held, after.held) {
            (false, true) => self.tell(id, Op::Hold),
            (true, false) => self.tell(id, Op::Resume),
            (true, true) | (false, false) => {}
        }
        self.device_changed(id, &format!("{actor} said so"));
        Ok(Reply::Done)
    }

    fn tell(&mut self, id: &DeviceId, op: Op) {
        self.instruct(id, op, self.settings().start_within_ms);
    }
}

/// What a directive changes on the device itself.
fn mark(device: &mut Device, directive: Directive) {
    match directive {
        Directive::Adopt => device.standing = Standing::Adopted,
        Directive::Drain => device.standing = Standing::Draining,
        Directive::Maintain => device.standing = Standing::Maintenance,
        Directive::Retire => device.standing = Standing::Retired,
        Directive::Hold => device.held = true,
        Directive::Resume => {
            if device.standing == Standing::Maintenance {
                device.recovery = Recovery::Clearing;
            }
            device.held = false;
            device.standing = Standing::Adopted;
        }
        Directive::Release => {}
    }
}

/// Whether a directive has a meaning for a device in this state.
fn check(device: &Device, directive: Directive) -> Result<(), Refusal> {
    let gone = matches!(device.life, Life::Lost | Life::Stuck);
    let idle = device.lanes.values().all(|l| l.busy.is_empty());
    let hint = match directive {
        Directive::Adopt if device.standing != Standing::Pending && device.standing != Standing::Adopted => {
            "only a pending device is adopted; use resume"
        }
        Directive::Retire | Directive::Maintain if !idle && !gone => "it is at work: drain it first",
        Directive::Release if device.quarantine.is_none() => "it is not in quarantine",
        Directive::Drain | Directive::Hold | Directive::Resume | Directive::Maintain
            if matches!(device.standing, Standing::Pending | Standing::Retired) =>
        {
            "it does not belong to the kitchen: adopt it first"
        }
        _ => return Ok(()),
    };
    let state = device.state_word().to_owned();
    Err(Refusal::DeviceState { device: device.id.clone(), state, hint: hint.to_owned() })
}
