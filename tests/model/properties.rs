//! What must always hold, and what must be possible: a model in which nothing happens proves nothing.

use stateright::Property;

use super::actions::Protocol;
use super::bus::{Message, Op};
use super::device::TaskState;
use super::kitchen::{AttemptState, Outcome};
use super::state::State;

pub const ONCE: &str = "no two devices perform the same attempt, and none performs it twice";
pub const ALONE: &str = "no two attempts of a step run at the same time";
pub const OVER: &str = "what is proven over does not run";
pub const FENCED: &str = "nothing starts under a lower epoch than one that its device has seen";
pub const LEASED: &str = "nothing starts without a valid lease that names it";

pub const REASSIGNED: &str = "the other robot does the step";
pub const BY_TIME: &str = "an attempt is over by time, and the next one runs";
pub const NEVER_NAMED: &str = "an attempt was never named, and the next one runs";
pub const STALE: &str = "a stale instruction is refused";
pub const FORMER: &str = "a task runs that a former leader named, while another node is in charge";
pub const FORMER_LIFE: &str = "an instruction is on its way to a former life";

/// All of them.
pub fn all() -> Vec<Property<Protocol>> {
    vec![
        Property::always(ONCE, |_, s: &State| s.record.starts.iter().all(|starts| *starts <= 1)),
        Property::always(ALONE, |_, s: &State| running(s).count() <= 1),
        Property::always(OVER, |_, s: &State| running(s).all(|n| s.kitchen.attempts[n].is_none_or(|a| !a.is_over()))),
        Property::always(FENCED, |_, s: &State| !s.record.below_fence),
        Property::always(LEASED, |_, s: &State| !s.record.unleased),
        Property::sometimes(REASSIGNED, |_, s: &State| is_reassigned(s)),
        Property::sometimes(BY_TIME, |_, s: &State| follows(s, Outcome::ByTime)),
        Property::sometimes(NEVER_NAMED, |_, s: &State| follows(s, Outcome::NeverNamed)),
        Property::sometimes(STALE, |p, s: &State| refuses_stale(p, s)),
        Property::sometimes(FORMER, |_, s: &State| {
            s.kitchen.epoch > 1 && s.devices.iter().any(|d| d.fence == 1) && running(s).count() > 0
        }),
        Property::sometimes(FORMER_LIFE, |_, s: &State| is_for_a_former_life(s)),
    ]
}

/// The attempts that physically run, by number.
fn running(state: &State) -> impl Iterator<Item = usize> {
    let of = |(n, task): (usize, &super::device::Task)| (task.state == TaskState::Running).then_some(n);
    state.devices.iter().flat_map(move |device| device.tasks.iter().enumerate().filter_map(of))
}

fn is_reassigned(state: &State) -> bool {
    let is_on_another = matches!(state.kitchen.attempts, [Some(first), Some(second)] if first.device != second.device);
    is_on_another && running(state).any(|n| n == 1)
}

/// The first attempt ended so, and the second one runs.
fn follows(state: &State, outcome: Outcome) -> bool {
    state.kitchen.attempts[0].is_some_and(|a| a.state == AttemptState::Over(outcome)) && running(state).any(|n| n == 1)
}

/// What a former leader said reaches a device that has seen the next one, and changes nothing there.
fn refuses_stale(protocol: &Protocol, state: &State) -> bool {
    state.bus.iter().any(|message| match message {
        Message::Cmd(cmd) => {
            let mut device = state.devices[usize::from(cmd.device)];
            let is_stale = cmd.epoch < device.fence && cmd.boot == device.boot && cmd.op == Op::Start;
            is_stale && !device.obey(cmd.epoch, cmd.boot, cmd.attempt, cmd.op, &protocol.guards)
        }
        Message::Lease(_) | Message::Report(_) => false,
    })
}

fn is_for_a_former_life(state: &State) -> bool {
    state.bus.iter().any(|message| match message {
        Message::Cmd(cmd) => cmd.boot < state.devices[usize::from(cmd.device)].boot,
        Message::Lease(_) | Message::Report(_) => false,
    })
}
