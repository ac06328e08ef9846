//! One example of every message, for golden files and tests. The same texts stand in docs/device-protocol.md.

use super::*;

fn id(text: &str) -> Id {
    text.parse().expect("examples have good ids")
}

fn device(text: &str) -> DeviceId {
    text.parse().expect("examples have good ids")
}

fn instruction(index: u64, n: u32) -> InstructionId {
    InstructionId { index, n }
}

/// The boot of all examples.
pub const BOOT: u64 = 0x00ab_54a9_8ceb_1f0a;

/// The epoch of all examples: incarnation 1, entry 1000.
pub fn epoch() -> Epoch {
    Epoch::new(1, 1000)
}

/// An instruction with this op.
pub fn cmd(op: Op) -> Cmd {
    Cmd { id: instruction(1042, 0), boot: BOOT, epoch: epoch(), idx: 1042, ttl_ms: 5_000, op }
}

/// A task of this action for the pizza `17.0.0`.
pub fn task(name: &str, act: Action, params: Params) -> TaskStart {
    TaskStart {
        attempt: Attempt { id: id(&format!("17.0.0-{name}")), att: 1 },
        pizza: id("17.0.0"),
        act: act.into(),
        lane: 0,
        params,
        start_within_ms: Some(10_000),
        max_ms: Some(30_000),
        after: None,
    }
}

fn start(name: &str, act: Action, params: Params) -> Message {
    cmd(Op::TaskStart(task(name, act, params))).into()
}

fn oven_slot(ms: Millis) -> Params {
    Params { ms: Some(ms), oven: Some(device("oven1")), slot: Some(0), ..Params::default() }
}

fn bake() -> Message {
    let params =
        Params { ms: Some(210_000), window_ms: Some(25_000), program: Some(id("stone-320")), ..Params::default() };
    let mut task = task("bake", Action::Bake, params);
    task.after = Some(After::loaded(0));
    task.start_within_ms = Some(60_000);
    task.max_ms = None;
    cmd(Op::TaskStart(task)).into()
}

fn unload() -> Message {
    let mut task = task("unload", Action::Unload, oven_slot(8_000));
    task.after = Some(After::Delay { ms: 190_000 });
    task.start_within_ms = Some(260_000);
    cmd(Op::TaskStart(task)).into()
}

fn inspect() -> Message {
    let params = Params {
        ms: Some(1_000),
        station: Some(device("robot1")),
        lane: Some(0),
        stage: Some(id("prep")),
        ..Params::default()
    };
    start("inspect-prep", Action::Inspect, params)
}

fn action(name: Action, cancel: CancelClass, typ_ms: Millis, max_ms: Millis) -> ActionFacts {
    ActionFacts { name: name.into(), idem: false, cancel, typ_ms, max_ms }
}

fn facts(kind: DeviceKind, actions: Vec<ActionFacts>, stages: Vec<Id>) -> Message {
    let model = Some("ACME P-2".to_owned());
    let zone = Some(id("line-a"));
    let (fw, hb_ms, orphan_ms) = ("2.4.1".to_owned(), HEARTBEAT_MS, ORPHAN_MS);
    Facts { kind, model, fw, proto: 1, zone, lanes: vec![0], actions, hb_ms, orphan_ms, stages }.into()
}

fn state() -> State {
    let line = |name: &str, act: Action, st, code: &str| TaskLine {
        attempt: Attempt { id: id(&format!("17.0.0-{name}")), att: 1 },
        pizza: Some(id("17.0.0")),
        act: Some(act.into()),
        lane: Some(0),
        st,
        pct: Some(if st == TaskState::Running { 40 } else { 100 }),
        code: code.to_owned(),
        detail: String::new(),
        temp_dc: None,
    };
    State {
        boot: BOOT,
        rev: 12,
        mode: Mode::Automatic,
        cond: Condition::Execute,
        estop: false,
        fence: Fence { epoch: epoch() },
        holds: vec![Hold { lane: 0, pizza: Some(id("17.0.0")) }],
        tasks: vec![
            line("prep", Action::Prep, TaskState::Finished, ""),
            line("load", Action::Load, TaskState::Running, ""),
        ],
        cmds: vec![
            InstructionResult { id: instruction(1040, 0), res: CommandResult::Done },
            InstructionResult { id: instruction(1041, 0), res: CommandResult::RejectedBusy },
        ],
        errors: vec![],
        telem: None,
    }
}

fn oven_state() -> State {
    let telem = serde_json::json!({"ActualTemperature": 318, "SetTemperature": 320, "RemainingTime": 0});
    State {
        cond: Condition::Idle,
        holds: vec![Hold { lane: 0, pizza: None }],
        tasks: vec![],
        cmds: vec![],
        errors: vec![Fault {
            code: "OVERDUE".to_owned(),
            lvl: Level::Critical,
            task: None,
            detail: "slot 0 was occupied at power-up; heat is off".to_owned(),
        }],
        telem: telem.as_object().cloned(),
        ..state()
    }
}

/// An oven whose bake is over, and how hot it was.
fn baked_state() -> State {
    let mut state = State { cond: Condition::Idle, cmds: vec![], ..state() };
    state.tasks.truncate(1);
    let bake = &mut state.tasks[0];
    (bake.attempt.id, bake.act, bake.temp_dc) = (id("17.0.0-bake"), Some(Action::Bake.into()), Some(3184));
    state
}

fn conn(st: ConnState) -> Message {
    Conn { boot: BOOT, n: 1, st }.into()
}

fn leader(st: LeaderState) -> Message {
    let brokers = vec!["mqtt://10.0.0.11:1883".to_owned(), "mqtt://10.0.0.12:1883".to_owned()];
    Leader { epoch: epoch(), node: 1, st, brokers }.into()
}

fn observation() -> Message {
    Observation {
        id: id("camera1-77"),
        cam: device("camera1"),
        ago_ms: 120,
        station: id("robot1"),
        pizza: Some(id("17.0.0")),
        step: Some(id("prep")),
        verdict: Verdict::Fail,
        defect: Some(id("topping-missing")),
        conf: 93,
    }
    .into()
}

/// Every message, with the name of its golden file.
pub fn all() -> Vec<(&'static str, Message)> {
    use CancelClass::{Always, Never, UntilStart};
    let attempt = Attempt { id: id("17.0.0-prep"), att: 1 };
    let prep = Params { ms: Some(60_000), recipe: Some(id("margherita")), ..Params::default() };
    let finish = Params { ms: Some(45_000), recipe: Some(id("margherita")), ..Params::default() };
    let robot = vec![
        action(Action::Prep, Always, 60_000, 120_000),
        action(Action::Load, UntilStart, 8_000, 20_000),
        action(Action::Discard, UntilStart, 5_000, 20_000),
    ];
    let open = vec![instruction(1042, 0), instruction(1044, 1)];
    let shelf = Params { slot: Some(2), shelf: Some(id("shelf1")), ..Params::default() };
    vec![
        ("conn-online", conn(ConnState::Online)),
        ("conn-offline", conn(ConnState::Offline)),
        ("conn-lost", conn(ConnState::Lost)),
        ("facts-robot", facts(DeviceKind::BeforeOven, robot, vec![])),
        ("facts-oven", facts(DeviceKind::Oven, vec![action(Action::Bake, Never, 210_000, 600_000)], vec![])),
        (
            "facts-camera",
            facts(DeviceKind::Camera, vec![action(Action::Inspect, Always, 1_000, 5_000)], vec![id("prep")]),
        ),
        ("state-robot", state().into()),
        ("state-oven", oven_state().into()),
        ("state-oven-baked", baked_state().into()),
        ("hb", Heartbeat { boot: BOOT, seq: 31, rev: 12, up_ms: 30_500 }.into()),
        ("lease", Lease { boot: BOOT, seq: 31, epoch: epoch(), l_ms: LEASE_MS, held: false, open }.into()),
        ("obs", observation()),
        ("cmd-task.start-prep", start("prep", Action::Prep, prep)),
        ("cmd-task.start-load", start("load", Action::Load, oven_slot(8_000))),
        ("cmd-task.start-bake", bake()),
        ("cmd-task.start-unload", unload()),
        ("cmd-task.start-finish", start("finish", Action::Finish, finish)),
        ("cmd-task.start-shelve", start("shelve", Action::Shelve, shelf)),
        ("cmd-task.start-discard", start("discard", Action::Discard, oven_slot(5_000))),
        ("cmd-task.start-inspect", inspect()),
        ("cmd-task.cancel", cmd(Op::TaskCancel(attempt.clone())).into()),
        ("cmd-hold", cmd(Op::Hold).into()),
        ("cmd-resume", cmd(Op::Resume).into()),
        ("cmd-state.get", cmd(Op::StateGet).into()),
        ("cmd-facts.get", cmd(Op::FactsGet).into()),
        ("cmd-config.set", cmd(Op::ConfigSet(Setting { hb_ms: Some(500), orphan_ms: Some(10_000) })).into()),
        ("cmd-selftest", cmd(Op::Selftest).into()),
        ("cmd-ack", cmd(Op::Ack(attempt)).into()),
        ("all-cmd-hold", all_cmd(ZoneOp::Hold)),
        ("all-cmd-resume", all_cmd(ZoneOp::Resume)),
        ("leader-up", leader(LeaderState::Up)),
        ("leader-down", leader(LeaderState::Down)),
    ]
}

fn all_cmd(op: ZoneOp) -> Message {
    AllCmd { id: instruction(1050, 0), epoch: epoch(), idx: 1050, op, zone: Some(id("line-a")) }.into()
}
