//! What is sent to devices now: `due` picks from the outbox, `Dispatch` publishes.
//!
//! An instruction is sent again every second under the same id until the device's own state reflects it or its time to live ends. A
//! device is instructed once its own state under this epoch is in; until then it is asked for it. Nobody waits for a dead one.

use crate::kitchen::{
    After, AttemptId, AttemptState, Device, DeviceId, Epoch, Instruction, InstructionId, Kitchen, Life, Millis, Op,
    Params, Standing, Task,
};
use crate::protocol::{self, Act, AllCmd, Cmd, TaskStart, ZoneOp};

use super::memory::Memory;

/// How often the same instruction is sent.
pub const REPEAT_MS: Millis = 1_000;

/// How often a device is asked for its state or facts.
pub const ASK_MS: Millis = 400;

/// Questions of a tenure are numbered from here, so that they never share an id with an instruction of the log.
const QUESTIONS_FROM: u32 = 1 << 24;

/// One message to a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// To whom.
    pub device: DeviceId,
    /// What.
    pub cmd: Cmd,
}

/// What is to be sent now. `now` is kitchen time, `mono` is this machine's CLOCK_BOOTTIME, both in milliseconds.
pub fn due(kitchen: &Kitchen, memory: &mut Memory, epoch: Epoch, now: Millis, mono: Millis) -> Vec<Outgoing> {
    if kitchen.epoch() != epoch {
        return Vec::new();
    }
    let mut outgoing = instructions_due(kitchen, memory, epoch, now, mono);
    outgoing.extend(questions_due(kitchen, memory, epoch, mono));
    outgoing
}

fn instructions_due(kitchen: &Kitchen, memory: &mut Memory, epoch: Epoch, now: Millis, mono: Millis) -> Vec<Outgoing> {
    let mut outgoing = Vec::new();
    for instruction in kitchen.outbox() {
        let sent_lately = memory.sent.get(&instruction.id).is_some_and(|at| at + REPEAT_MS > mono);
        if sent_lately || !is_due(kitchen, instruction, epoch, now) {
            continue;
        }
        memory.sent.insert(instruction.id, mono);
        let ttl_ms = (instruction.created_at + instruction.ttl_ms).saturating_sub(now).max(REPEAT_MS);
        outgoing.push(Outgoing { device: instruction.device.clone(), cmd: to_cmd(instruction, epoch, ttl_ms) });
    }
    outgoing
}

fn is_due(kitchen: &Kitchen, instruction: &Instruction, epoch: Epoch, now: Millis) -> bool {
    let heard = |d: &Device| d.boot == Some(instruction.boot) && d.fence == epoch && d.life != Life::Lost;
    if !kitchen.device(&instruction.device).is_some_and(heard) {
        return false;
    }
    let in_time = now <= instruction.created_at + instruction.ttl_ms;
    match &instruction.op {
        Op::Start(task) => in_time && kitchen.attempt(task.attempt).is_some_and(|a| a.state == AttemptState::Planned),
        Op::Cancel(attempt) => in_time || kitchen.attempt(*attempt).is_some(),
        Op::Acknowledge(_) | Op::SelfTest | Op::Hold | Op::Resume => in_time,
    }
}

/// Devices that must show their state or say who they are.
fn questions_due(kitchen: &Kitchen, memory: &mut Memory, epoch: Epoch, mono: Millis) -> Vec<Outgoing> {
    let mut questions: Vec<(DeviceId, u64, protocol::Op)> = Vec::new();
    for device in kitchen.devices().filter(|d| d.standing != Standing::Retired) {
        let pulse = memory.pulses.get(&device.id);
        let boot = pulse.map(|p| p.boot).or(device.boot);
        let unheard = device.fence < epoch && device.life != Life::Lost;
        let returned = device.life == Life::Lost && pulse.is_some_and(|p| p.heard_ms + REPEAT_MS > mono);
        let other_boot = pulse.is_some_and(|p| device.boot != Some(p.boot));
        let seen = memory.reports.get(&device.id).filter(|r| pulse.is_none_or(|p| r.boot == p.boot));
        let behind = pulse.is_some_and(|p| seen.is_none_or(|r| r.rev < p.rev));
        if let Some(boot) = boot
            && (unheard || returned || other_boot || behind)
        {
            questions.push((device.id.clone(), boot, protocol::Op::StateGet));
        }
    }
    for (id, pulse) in &memory.pulses {
        if kitchen.device(id).is_none() && !memory.refused.contains_key(id) {
            questions.push((id.clone(), pulse.boot, protocol::Op::FactsGet));
        }
    }
    let mut outgoing = Vec::new();
    for (device, boot, op) in questions {
        let asked_lately = memory.asked.get(&device).is_some_and(|at| at + ASK_MS > mono);
        if !asked_lately {
            memory.asked.insert(device.clone(), mono);
            outgoing.push(question(kitchen, memory, epoch, device, boot, op));
        }
    }
    outgoing
}

/// Holds and resumes of zones that have not been said yet: a fast path, as each lease answer tells the same a heartbeat later.
///
/// A zone whose name is no id has no device in it.
pub fn zones_due(kitchen: &Kitchen, memory: &mut Memory, epoch: Epoch) -> Vec<AllCmd> {
    if kitchen.epoch() != epoch {
        return Vec::new();
    }
    let (now, idx) = (&kitchen.meta().held_zones, kitchen.meta().index);
    let said = std::mem::replace(&mut memory.held_zones, now.clone());
    let held = now.difference(&said).map(|zone| (zone, ZoneOp::Hold));
    let resumed = said.difference(now).map(|zone| (zone, ZoneOp::Resume));
    let mut changed = Vec::new();
    for (zone, op) in held.chain(resumed).filter(|(zone, _)| zone.is_empty() || zone.parse::<protocol::Id>().is_ok()) {
        let id = next_question(kitchen, memory);
        changed.push(AllCmd { id, epoch, idx, op, zone: zone.parse().ok() });
    }
    changed
}

/// The id of something that a tenure says on its own account.
fn next_question(kitchen: &Kitchen, memory: &mut Memory) -> InstructionId {
    memory.questions += 1;
    InstructionId { index: kitchen.meta().index, n: QUESTIONS_FROM + memory.questions }
}

fn question(
    kitchen: &Kitchen,
    memory: &mut Memory,
    epoch: Epoch,
    device: DeviceId,
    boot: u64,
    op: protocol::Op,
) -> Outgoing {
    let (id, idx) = (next_question(kitchen, memory), kitchen.meta().index);
    Outgoing { device, cmd: Cmd { id, boot, epoch, idx, ttl_ms: REPEAT_MS, op } }
}

/// The instruction as its device reads it.
pub fn to_cmd(instruction: &Instruction, epoch: Epoch, ttl_ms: Millis) -> Cmd {
    let op = match &instruction.op {
        Op::Start(task) => protocol::Op::TaskStart(to_task(task)),
        Op::Cancel(attempt) => protocol::Op::TaskCancel(to_attempt(*attempt)),
        Op::Acknowledge(attempt) => protocol::Op::Ack(to_attempt(*attempt)),
        Op::SelfTest => protocol::Op::Selftest,
        Op::Hold => protocol::Op::Hold,
        Op::Resume => protocol::Op::Resume,
    };
    Cmd { id: instruction.id, boot: instruction.boot, epoch, idx: instruction.id.index, ttl_ms, op }
}

fn to_attempt(attempt: AttemptId) -> protocol::Attempt {
    protocol::Attempt { id: wire_id(&attempt.task.to_string()), att: attempt.number }
}

fn to_task(task: &Task) -> TaskStart {
    TaskStart {
        attempt: to_attempt(task.attempt),
        pizza: wire_id(&task.attempt.task.pizza.to_string()),
        act: Act::from(task.action),
        lane: task.lane,
        params: to_params(&task.params),
        start_within_ms: Some(task.start_within_ms),
        max_ms: (task.max_ms > 0).then_some(task.max_ms),
        after: task.after.map(|after| match after {
            After::Loaded(lane) => protocol::After::loaded(lane),
            After::Ms(ms) => protocol::After::Delay { ms },
        }),
    }
}

fn to_params(params: &Params) -> protocol::Params {
    let id = |text: &Option<String>| text.as_deref().map(wire_id);
    protocol::Params {
        ms: Some(params.ms),
        recipe: id(&params.recipe),
        oven: params.oven.as_ref().map(|p| p.device.clone()),
        slot: params.oven.as_ref().or(params.shelf.as_ref()).map(|p| p.lane),
        window_ms: params.window_ms,
        program: id(&params.program),
        station: params.station.as_ref().map(|p| p.device.clone()),
        lane: params.station.as_ref().map(|p| p.lane),
        stage: id(&params.stage),
        shelf: params.shelf.as_ref().map(|p| p.device.clone().into()),
    }
}

/// Texts of the kitchen that are ids on the wire: names of recipes and tasks, which are ids by construction, and programs, which a
/// person typed: what is no id there is spelt with dashes.
fn wire_id(text: &str) -> protocol::Id {
    text.parse().unwrap_or_else(|_| {
        let spelt: String = text.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(48).collect();
        spelt.parse().unwrap_or_else(|_| "unnamed".parse().expect("a word is an id"))
    })
}
