//! Everything that can be done to a line, as data: drawn at random, played in order, and healed in the end.

use brigade::kitchen::{Command, CommandResult, DeviceId, Directive, Life, Millis, Mode, OrderStatus};
use proptest::prelude::*;

use crate::line::Line;

/// The devices of the line under test; operations name them by position.
pub const DEVICES: [&str; 8] = ["b1", "b2", "oven1", "oven2", "a1", "a2", "cam1", "cam2"];

/// What may happen next.
#[derive(Clone, Debug)]
pub enum Step {
    Pass(Millis),
    Order { items: Vec<u8>, backend: bool },
    Cancel(u8),
    Collect(u8),
    Remake(u8),
    Cut(u8),
    Join(u8),
    PowerOff(u8),
    PowerOn(u8),
    Blink(u8),
    Hang(u8),
    Wake(u8),
    Fail { device: u8, times: u32, drops: bool },
    Refuse { device: u8, times: u32, how: u8 },
    Lie { camera: u8, times: u32, fail: bool },
    Mute(u8),
    Repeat(u8),
    Slow { device: u8, percent: u64 },
    Manual(u8),
    Estop(u8),
    Hold(bool),
    Direct { device: u8, directive: u8 },
    Stuck(u8),
    TakeCharge { measured: bool },
    Answer,
    Drain(bool),
    Ghost(u8),
    Acknowledge,
    FromRows,
}

/// A sequence of steps.
pub fn steps() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(step(), 1..100)
}

fn step() -> impl Strategy<Value = Step> {
    let device = 0u8..8;
    let d = || device.clone();
    prop_oneof![
        8 => (1u64..3_000).prop_map(Step::Pass),
        8 => (1_000u64..20_000).prop_map(Step::Pass),
        6 => (prop::collection::vec(0u8..3, 1..4), any::<bool>())
            .prop_map(|(items, backend)| Step::Order { items, backend }),
        1 => any::<u8>().prop_map(Step::Cancel),
        1 => any::<u8>().prop_map(Step::Collect),
        1 => any::<u8>().prop_map(Step::Remake),
        3 => d().prop_map(Step::Cut),
        3 => d().prop_map(Step::Join),
        1 => d().prop_map(Step::PowerOff),
        1 => d().prop_map(Step::PowerOn),
        2 => d().prop_map(Step::Blink),
        1 => d().prop_map(Step::Hang),
        1 => d().prop_map(Step::Wake),
        2 => (d(), 1u32..4, any::<bool>()).prop_map(|(device, times, drops)| Step::Fail { device, times, drops }),
        1 => (d(), 1u32..6, 0u8..5).prop_map(|(device, times, how)| Step::Refuse { device, times, how }),
        2 => (6u8..8, 1u32..4, any::<bool>()).prop_map(|(camera, times, fail)| Step::Lie { camera, times, fail }),
        2 => d().prop_map(Step::Mute),
        1 => d().prop_map(Step::Repeat),
        1 => (d(), 50u64..300).prop_map(|(device, percent)| Step::Slow { device, percent }),
        1 => d().prop_map(Step::Manual),
        1 => d().prop_map(Step::Estop),
        1 => any::<bool>().prop_map(Step::Hold),
        2 => (d(), 0u8..6).prop_map(|(device, directive)| Step::Direct { device, directive }),
        1 => d().prop_map(Step::Stuck),
        2 => any::<bool>().prop_map(|measured| Step::TakeCharge { measured }),
        2 => Just(Step::Answer),
        1 => any::<bool>().prop_map(Step::Drain),
        1 => d().prop_map(Step::Ghost),
        1 => Just(Step::Acknowledge),
        1 => Just(Step::FromRows),
    ]
}

fn name(device: u8) -> &'static str {
    DEVICES[usize::from(device) % DEVICES.len()]
}

/// Plays one step.
pub fn play(line: &mut Line, step: &Step) {
    line.trace.push(format!("== {step:?}"));
    match step {
        Step::Pass(ms) => line.pass(*ms),
        Step::Order { items, backend } => order(line, items, *backend),
        Step::Cancel(n) => with_order(line, *n, |line, id| drop(line.cancel(id))),
        Step::Collect(n) => with_order(line, *n, |line, id| {
            line.request(Command::CollectOrder { order: id.parse().expect("an id") });
        }),
        Step::Remake(n) => remake(line, *n),
        Step::Fail { device, times, drops } => {
            let faults = &mut line.device(name(*device)).faults;
            (faults.fail, faults.drops) = (*times, *drops);
        }
        Step::Refuse { device, times, how } => {
            line.device(name(*device)).faults.refuse = Some((*times, refusal(*how)));
        }
        Step::Lie { camera, times, fail } => {
            line.device(name(*camera)).faults.verdicts = (*times, if *fail { "FAIL" } else { "UNSURE" });
        }
        Step::Hold(held) => {
            line.request(Command::HoldZone { zone: String::new(), held: *held, actor: "op".to_owned() });
        }
        Step::Direct { device, directive } => direct(line, name(*device), *directive),
        Step::Stuck(device) => {
            let id: DeviceId = name(*device).parse().expect("an id");
            line.judge(&id, Life::Stuck);
        }
        Step::TakeCharge { measured } => line.take_charge(*measured),
        Step::Answer => line.answer_all(),
        Step::Drain(draining) => drop(line.request(Command::Drain { draining: *draining })),
        Step::FromRows => line.restore_third(),
        Step::Ghost(device) => line.haunt(name(*device)),
        Step::Acknowledge => {
            let upto = line.kitchen().meta().feed_last;
            line.hear_backend(upto);
        }
        _ => play_on_device(line, step),
    }
}

fn play_on_device(line: &mut Line, step: &Step) {
    match step {
        Step::Cut(n) => line.device(name(*n)).faults.cut = true,
        Step::Join(n) => line.device(name(*n)).faults.cut = false,
        Step::PowerOff(n) => line.device(name(*n)).power_off(),
        Step::PowerOn(n) if line.device(name(*n)).faults.off => line.power_on(name(*n)),
        Step::Blink(n) => line.reboot(name(*n), 500),
        Step::Hang(n) => line.device(name(*n)).faults.hung = true,
        Step::Wake(n) => line.device(name(*n)).faults.hung = false,
        Step::Mute(n) => line.device(name(*n)).faults.mute = 5,
        Step::Repeat(n) => line.device(name(*n)).faults.repeats = true,
        Step::Slow { device, percent } => line.device(name(*device)).faults.slow_percent = *percent,
        Step::Manual(n) => line.device(name(*n)).mode = Mode::Manual,
        Step::Estop(n) => line.device(name(*n)).estop = true,
        _ => {}
    }
}

fn order(line: &mut Line, items: &[u8], backend: bool) {
    let items: Vec<&str> = items.iter().map(|n| ["plain", "seen", "strict"][usize::from(*n)]).collect();
    let id = format!("o{}", line.index);
    if backend {
        line.assign(&id, &items, 1);
    } else {
        line.order(&id, &items);
    }
}

fn with_order(line: &mut Line, n: u8, act: impl Fn(&mut Line, &str)) {
    if !line.orders.is_empty() {
        let id = line.orders[usize::from(n) % line.orders.len()].to_string();
        act(line, &id);
    }
}

/// A person calls any pizza of the line bad.
fn remake(line: &mut Line, n: u8) {
    let pizzas: Vec<_> = line.kitchen().pizzas().map(|p| p.id).collect();
    if !pizzas.is_empty() {
        let pizza = pizzas[usize::from(n) % pizzas.len()];
        line.request(Command::RemakePizza { pizza, actor: "op".to_owned(), reason: "it is bad".to_owned() });
    }
}

fn refusal(how: u8) -> Option<CommandResult> {
    Some(match how {
        0 => CommandResult::RejectedBusy,
        1 => CommandResult::RejectedMode,
        2 => CommandResult::RejectedUnsupported,
        3 => CommandResult::RejectedInvalid,
        _ => CommandResult::RejectedOccupied,
    })
}

fn direct(line: &mut Line, device: &str, directive: u8) {
    let directive = [
        Directive::Drain,
        Directive::Hold,
        Directive::Resume,
        Directive::Maintain,
        Directive::Release,
        Directive::Retire,
    ][usize::from(directive)];
    line.direct(device, directive);
}

/// Everything works again: devices are alive and honest, persons answer, and a long time passes.
pub fn heal(line: &mut Line) {
    line.trace.push("== everything heals".to_owned());
    for name in DEVICES {
        if line.device(name).faults.off {
            line.power_on(name);
        }
        let device = line.device(name);
        device.faults = crate::model::Faults { slow_percent: 100, ..Default::default() };
        device.mode = Mode::Automatic;
        device.estop = false;
    }
    line.request(Command::HoldZone { zone: String::new(), held: false, actor: "op".to_owned() });
    line.pass(500);
    for name in DEVICES {
        let device = line.device(name);
        let (id, facts, boot) = (device.id.clone(), device.facts.clone(), device.boot);
        line.tenure(Command::RecordFacts { device: id, boot, facts });
        line.direct(name, Directive::Resume);
    }
    for _ in 0..150 {
        line.answer_all();
        line.pass(20_000);
        let open = line.kitchen().orders().next().is_some();
        let quiet = line.kitchen().attempts().next().is_none() && line.questions().is_empty();
        if !line.faults.is_empty() || (!open && quiet) {
            return;
        }
    }
}

/// What must be true at the very end.
pub fn judge(line: &Line) -> Result<(), String> {
    if let Some(wrong) = line.wrong() {
        return Err(wrong);
    }
    for id in &line.orders {
        judge_order(line, id).map_err(|why| format!("{why}\n{}", line.tail(400)))?;
    }
    if let Some(attempt) = line.kitchen().attempts().next() {
        return Err(format!("{} is open for ever\n{}", attempt.id, line.tail(400)));
    }
    if let Some(third) = &line.third
        && (third.kitchen.rows() != line.kitchen().rows() || third.archive != line.main.archive)
    {
        return Err(format!("the replica made from rows ended elsewhere\n{}", line.tail(100)));
    }
    if line.twin.kitchen.rows() != line.kitchen().rows() {
        return Err("the replicas differ in the end".to_owned());
    }
    Ok(())
}

fn judge_order(line: &Line, id: &brigade::kitchen::OrderId) -> Result<(), String> {
    let Some(archived) = line.archived(id) else { return Err(format!("order {id} never ended")) };
    if line.kitchen().order(id).is_some() {
        return Err(format!("order {id} is archived and open"));
    }
    let delivered = matches!(archived.order.status, OrderStatus::Ready | OrderStatus::Collected);
    if !delivered {
        return Ok(());
    }
    for pizza in &archived.order.pizzas {
        if line.world.packed.iter().filter(|p| *p == pizza).count() != 1 {
            return Err(format!("order {id} is ready, and its pizza {pizza} was not packed"));
        }
    }
    // What was packed besides is a spare: somebody was asked to take it away.
    let spare =
        line.world.counter.iter().find(|p| p.order == archived.order.number && !archived.order.pizzas.contains(p));
    match spare {
        Some(spare) => Err(format!("order {id} has a spare on the counter that nobody was told of: {spare}")),
        None => Ok(()),
    }
}
