//! The deciders of a tenure, with a kitchen and a memory made by hand: no node, no broker, no clock.

use crate::kitchen::device::actions_of;
use crate::kitchen::recipe::built_in_menu;
use crate::kitchen::rows::InMemory;
use crate::kitchen::{AttemptState, Command, DeviceId, Entry, Epoch, Kitchen, Life, Millis, NewOrder, Report};
use crate::protocol::{
    self, Action, ActionFacts, CancelClass, Conn, ConnState, DeviceKind, Facts, Fence, Heartbeat, Id, Leaf, Mode, Op,
    Payload, State, Topic, ZoneOp, encode,
};

use super::dispatch::{self, Outgoing};
use super::intake::{self, Meaning};
use super::memory::{DEVICES_MAX, Memory, Pulse};
use super::monitor::{self, Hearing};
use super::{lease, memory};

/// A kitchen with one robot before the oven, and what its tenure remembers.
struct Scene {
    kitchen: Kitchen,
    memory: Memory,
    index: u64,
    now: Millis,
}

const BOOT: u64 = 7;

fn robot() -> DeviceId {
    "robot1".parse().expect("an id")
}

fn facts(kind: DeviceKind) -> Facts {
    let able = |action: &Action| {
        let (name, cancel) = ((*action).into(), CancelClass::Always);
        ActionFacts { name, idem: false, cancel, typ_ms: 1_000, max_ms: 4_000 }
    };
    let actions = actions_of(kind).iter().map(able).collect();
    let (fw, lanes, stages) = ("1".to_owned(), vec![0], Vec::new());
    Facts { kind, model: None, fw, proto: 1, zone: None, lanes, actions, hb_ms: 1_000, orphan_ms: 10_000, stages }
}

impl Scene {
    /// Everything is there and has shown its state to this tenure; one order waits, and robot1 is told to begin it.
    fn new() -> Self {
        let mut scene = Self { kitchen: Kitchen::default(), memory: Memory::default(), index: 0, now: 1_000 };
        scene.apply(None, Command::TakeCharge { node: 1, incarnation: 1, gap_measured: true, kitchen: String::new() });
        scene.tenure(Command::PutRecipe { recipe: built_in_menu().remove(0) });
        for (name, kind) in
            [("robot1", DeviceKind::BeforeOven), ("oven1", DeviceKind::Oven), ("robot2", DeviceKind::AfterOven)]
        {
            let device: DeviceId = name.parse().expect("an id");
            let facts = intake::to_facts(&facts(kind));
            scene.tenure(Command::RecordFacts { device: device.clone(), boot: BOOT, facts });
            let report = scene.report(1);
            scene.memory.reports.insert(device.clone(), report.clone());
            scene.tenure(Command::RecordReport { device: device.clone(), report });
            scene.hear(&device, 1_000);
        }
        let items = vec!["margherita".parse().expect("an id")];
        let id = "o1".parse().expect("an id");
        scene.tenure(Command::PlaceOrder(NewOrder { id, items, priority: 0, promise_ms: None }));
        assert_eq!(scene.kitchen.outbox().count(), 1, "robot1 is told to begin");
        scene
    }

    fn epoch(&self) -> Epoch {
        self.kitchen.epoch()
    }

    fn apply(&mut self, epoch: Option<Epoch>, command: Command) {
        self.index += 1;
        let entry = Entry { at: self.now, wall: 0, epoch, asked: None, command };
        self.kitchen.apply(self.index, &entry, &InMemory::new());
    }

    fn tenure(&mut self, command: Command) {
        self.apply(Some(self.epoch()), command);
    }

    fn state(&self, rev: u64) -> State {
        State {
            boot: BOOT,
            rev,
            mode: Mode::Automatic,
            cond: protocol::Condition::Idle,
            estop: false,
            fence: Fence { epoch: self.epoch() },
            holds: Vec::new(),
            tasks: Vec::new(),
            cmds: Vec::new(),
            errors: Vec::new(),
            telem: None,
        }
    }

    fn report(&self, rev: u64) -> Report {
        self.state(rev).to_report().report
    }

    fn hear(&mut self, device: &DeviceId, mono: Millis) {
        let pulse = Pulse { heard_ms: mono, boot: BOOT, link: 0, rev: 1, will_arrived: false };
        self.memory.pulses.insert(device.clone(), pulse);
    }

    fn due(&mut self, mono: Millis) -> Vec<Outgoing> {
        let epoch = self.epoch();
        dispatch::due(&self.kitchen, &mut self.memory, epoch, self.now, mono)
    }

    fn answer(&mut self, boot: u64) -> Option<protocol::Lease> {
        let heartbeat = Heartbeat { boot, seq: 3, rev: 1, up_ms: 5 };
        let epoch = self.epoch();
        lease::answer(&self.kitchen, &mut self.memory, epoch, &robot(), &heartbeat, self.now)
    }

    fn read<P: Payload>(&mut self, device: &str, leaf: Leaf, payload: &P, retained: bool) -> Meaning {
        let topic = Topic::Device(device.parse().expect("an id"), leaf);
        intake::read(&self.kitchen, &mut self.memory, 0, &topic, &encode(payload), retained, 2_000)
            .expect("it is well formed")
    }

    fn judge(&self, hearing: &Hearing) -> Vec<(String, Life)> {
        monitor::judge(&self.kitchen, &self.memory, hearing)
            .into_iter()
            .map(|(d, life)| (d.to_string(), life))
            .collect()
    }
}

fn starts(outgoing: &[Outgoing]) -> usize {
    outgoing.iter().filter(|o| matches!(o.cmd.op, Op::TaskStart(_))).count()
}

fn questions(outgoing: &[Outgoing]) -> Vec<String> {
    let asks = |o: &&Outgoing| matches!(o.cmd.op, Op::StateGet | Op::FactsGet);
    outgoing.iter().filter(asks).map(|o| format!("{} {}", o.device, o.cmd.op.name())).collect()
}

// dispatch

#[test]
fn a_hold_of_a_zone_is_said_once_and_its_resume_too() {
    let mut scene = Scene::new();
    let say = |scene: &mut Scene| {
        let epoch = scene.epoch();
        let said = dispatch::zones_due(&scene.kitchen, &mut scene.memory, epoch);
        said.into_iter().map(|c| (c.op, c.zone.map(|z| z.to_string()))).collect::<Vec<_>>()
    };
    let hold = |zone: &str, held| Command::HoldZone { zone: zone.to_owned(), held, actor: "op".to_owned() };
    assert_eq!(say(&mut scene), []);
    scene.apply(None, hold("line-a", true));
    scene.apply(None, hold("", true));
    assert_eq!(say(&mut scene), [(ZoneOp::Hold, None), (ZoneOp::Hold, Some("line-a".to_owned()))]);
    assert_eq!(say(&mut scene), [], "said once");
    scene.apply(None, hold("", false));
    assert_eq!(say(&mut scene), [(ZoneOp::Resume, None)]);
}

#[test]
fn an_instruction_is_sent_again_every_second_until_it_is_reflected() {
    let mut scene = Scene::new();
    let first = scene.due(1_000);
    assert_eq!(starts(&first), 1);
    assert_eq!(starts(&scene.due(1_999)), 0);
    let again = scene.due(2_000);
    assert_eq!(again[0].cmd.id, first[0].cmd.id, "the same id, so that the device does nothing twice");
    let Op::TaskStart(task) = &first[0].cmd.op else { panic!("a start") };
    let line = protocol::TaskLine {
        attempt: task.attempt.clone(),
        pizza: None,
        act: None,
        lane: Some(0),
        st: protocol::TaskState::Waiting,
        pct: None,
        code: String::new(),
        detail: String::new(),
        temp_dc: None,
    };
    let report = State { tasks: vec![line], ..scene.state(2) }.to_report().report;
    scene.tenure(Command::RecordReport { device: robot(), report });
    assert_eq!(scene.kitchen.attempts().next().map(|a| a.state), Some(AttemptState::Accepted));
    assert_eq!(starts(&scene.due(9_000)), 0);
}

#[test]
fn a_tenure_that_is_over_sends_nothing() {
    let mut scene = Scene::new();
    let former = scene.epoch();
    scene.apply(None, Command::TakeCharge { node: 2, incarnation: 1, gap_measured: true, kitchen: String::new() });
    assert!(dispatch::due(&scene.kitchen, &mut scene.memory, former, scene.now, 9_000).is_empty());
}

#[test]
fn a_new_tenure_instructs_nobody_before_its_state_is_in_and_asks_for_it() {
    let mut scene = Scene::new();
    scene.apply(None, Command::TakeCharge { node: 2, incarnation: 1, gap_measured: true, kitchen: String::new() });
    scene.memory = Memory::default();
    let asked = scene.due(1_000);
    assert_eq!(starts(&asked), 0);
    assert_eq!(questions(&asked).len(), 3, "every device is asked: {asked:?}");
    assert!(scene.due(1_399).is_empty(), "and not again within 400 ms");
    assert_eq!(questions(&scene.due(1_400)).len(), 3);
}

#[test]
fn a_start_is_not_sent_after_its_time_to_live() {
    let mut scene = Scene::new();
    scene.now += scene.kitchen.settings().start_within_ms + 1;
    assert_eq!(starts(&scene.due(1_000)), 0);
}

#[test]
fn who_beats_with_a_newer_revision_is_asked_for_its_state() {
    let mut scene = Scene::new();
    assert!(questions(&scene.due(1_000)).is_empty());
    scene.memory.pulses.get_mut(&robot()).expect("it was heard").rev = 5;
    assert_eq!(questions(&scene.due(1_100)), ["robot1 state.get"]);
}

#[test]
fn a_stranger_is_asked_what_it_is_until_its_facts_are_refused() {
    let mut scene = Scene::new();
    let stranger: DeviceId = "robot9".parse().expect("an id");
    scene.hear(&stranger, 1_000);
    assert_eq!(questions(&scene.due(1_000)), ["robot9 facts.get"]);
    let facts = facts(DeviceKind::Oven);
    let Meaning::Record(command) = scene.read("robot9", Leaf::Facts, &facts, false) else { panic!("new facts") };
    scene.memory.refuse(command);
    assert!(questions(&scene.due(2_000)).is_empty());
    assert_eq!(scene.read("robot9", Leaf::Facts, &facts, false), Meaning::Nothing, "the log takes them once");
}

// lease

#[test]
fn a_lease_names_what_may_start_and_remembers_it_first() {
    let mut scene = Scene::new();
    let lease = scene.answer(BOOT).expect("a lease");
    let open: Vec<_> = scene.kitchen.outbox().map(|i| i.id).collect();
    assert_eq!((lease.seq, lease.epoch, &lease.open), (3, scene.epoch(), &open));
    assert_eq!(scene.memory.named.get(&open[0]), Some(&scene.now));
}

#[test]
fn another_life_a_withheld_device_and_a_former_tenure_get_no_lease() {
    let mut scene = Scene::new();
    assert_eq!(scene.answer(BOOT + 1), None, "another boot");
    scene.memory.withheld.insert(robot());
    assert_eq!(scene.answer(BOOT), None, "about to be judged");
    scene.memory.withheld.clear();
    let former = scene.epoch();
    scene.apply(None, Command::TakeCharge { node: 2, incarnation: 1, gap_measured: true, kitchen: String::new() });
    let heartbeat = Heartbeat { boot: BOOT, seq: 1, rev: 1, up_ms: 5 };
    assert_eq!(lease::answer(&scene.kitchen, &mut scene.memory, former, &robot(), &heartbeat, 1_000), None);
    assert!(scene.memory.named.is_empty(), "what was not answered was not named");
}

#[test]
fn what_is_cancelled_is_named_no_more_and_what_was_named_is_remembered() {
    let mut scene = Scene::new();
    let named = scene.answer(BOOT).expect("a lease").open[0];
    let cancel = Command::CancelOrder { order: "o1".parse().expect("an id"), reason: String::new() };
    scene.apply(None, cancel);
    assert!(scene.answer(BOOT).expect("a lease").open.is_empty());
    let kitchen = &scene.kitchen;
    scene.memory.forget_except(|id| kitchen.is_open(id));
    assert!(scene.memory.named.contains_key(&named), "a proof by time counts from it while the attempt is open");
}

#[test]
fn a_device_that_is_overdue_may_start_nothing_until_the_log_has_decided_about_it() {
    let mut scene = Scene::new();
    let due_at = scene.kitchen.attempts().next().and_then(|a| a.due_at).expect("a planned attempt is awaited");
    scene.now = due_at - 1;
    assert_eq!(scene.answer(BOOT).expect("a lease").open.len(), 1);
    // The entry that decides is proposed at `due_at`, and applied much later: a proof by time counts from its own time.
    scene.now = due_at + 700;
    assert!(scene.answer(BOOT).expect("it is answered all the same").open.is_empty());
    assert!(scene.memory.named.values().all(|at| *at < due_at));
    let proposed =
        Entry { at: due_at, wall: 0, epoch: Some(scene.epoch()), asked: None, command: Command::DeadlinesDue };
    scene.index += 1;
    scene.kitchen.apply(scene.index, &proposed, &InMemory::new());
    assert_eq!(scene.kitchen.attempts().next().map(|a| a.state), Some(AttemptState::Planned), "it is being cancelled");
    assert!(scene.answer(BOOT).expect("a lease").open.is_empty(), "and is named no more");
}

// monitor

#[test]
fn silence_makes_suspects_after_three_beats_and_lost_ones_after_five_seconds() {
    let mut scene = Scene::new();
    let mut hearing = Hearing { mono: 3_999, in_charge_since: 500, subscribed_at: Some(500), ..Hearing::default() };
    assert!(scene.judge(&hearing).is_empty());
    hearing.mono = 4_000;
    assert_eq!(scene.judge(&hearing).len(), 3);
    assert!(scene.judge(&hearing).iter().all(|(_, life)| *life == Life::Suspect));
    hearing.mono = 6_000;
    scene.hear(&robot(), 5_500);
    assert!(scene.judge(&hearing).iter().all(|(d, life)| d != "robot1" && *life == Life::Lost));
}

#[test]
fn who_is_on_no_broker_judges_nobody_and_who_just_came_waits() {
    let scene = Scene::new();
    let deaf = Hearing { mono: 90_000, in_charge_since: 500, ..Hearing::default() };
    assert!(scene.judge(&deaf).is_empty());
    assert!(scene.judge(&Hearing { subscribed_at: Some(88_000), ..deaf.clone() }).is_empty());
    assert!(scene.judge(&Hearing { subscribed_at: Some(600), in_charge_since: 88_000, ..deaf }).is_empty());
}

#[test]
fn a_device_that_another_replica_hears_is_not_lost() {
    let scene = Scene::new();
    let others = [(robot(), 8_500)].into();
    let hearing = Hearing { mono: 9_000, in_charge_since: 500, subscribed_at: Some(500), others };
    let judged = scene.judge(&hearing);
    assert!(judged.iter().all(|(d, _)| d != "robot1") && judged.len() == 2, "{judged:?}");
}

#[test]
fn a_will_makes_a_suspect_until_the_next_heartbeat() {
    let mut scene = Scene::new();
    scene.memory.pulses.get_mut(&robot()).expect("it was heard").will_arrived = true;
    let hearing = Hearing { mono: 1_500, in_charge_since: 500, subscribed_at: Some(500), ..Hearing::default() };
    assert_eq!(scene.judge(&hearing), [("robot1".to_owned(), Life::Suspect)]);
    scene.hear(&robot(), 1_400);
    assert!(scene.judge(&hearing).is_empty());
}

// intake

#[test]
fn what_a_broker_kept_proves_nothing() {
    let mut scene = Scene::new();
    let state = State { estop: true, ..scene.state(9) };
    assert_eq!(scene.read("robot1", Leaf::State, &state, true), Meaning::Nothing);
    assert!(matches!(scene.read("robot1", Leaf::State, &state, false), Meaning::Record(_)));
}

#[test]
fn a_lower_revision_never_replaces_a_newer_one() {
    let mut scene = Scene::new();
    let newer = State { estop: true, ..scene.state(5) };
    assert!(matches!(scene.read("robot1", Leaf::State, &newer, false), Meaning::Record(_)));
    let older = scene.state(4);
    assert_eq!(scene.read("robot1", Leaf::State, &older, false), Meaning::Nothing);
    assert_eq!(scene.memory.reports[&robot()].rev, 5);
}

#[test]
fn a_state_without_news_is_not_recorded_and_its_revision_is_kept() {
    let mut scene = Scene::new();
    let same = scene.state(8);
    assert_eq!(scene.read("robot1", Leaf::State, &same, false), Meaning::Nothing);
    assert_eq!(scene.memory.reports[&robot()].rev, 8);
}

#[test]
fn a_strangers_state_stays_out_of_the_log() {
    let mut scene = Scene::new();
    let state = scene.state(1);
    assert_eq!(scene.read("robot9", Leaf::State, &state, false), Meaning::Nothing);
    assert!(!scene.memory.reports.contains_key(&"robot9".parse::<DeviceId>().expect("an id")));
}

#[test]
fn the_will_of_an_older_connection_is_ignored() {
    let mut scene = Scene::new();
    let conn = |n, st| Conn { boot: BOOT, n, st };
    for (n, st, is_gone) in [(2, ConnState::Online, false), (1, ConnState::Lost, false), (2, ConnState::Lost, true)] {
        assert_eq!(scene.read("robot1", Leaf::Conn, &conn(n, st), false), Meaning::Nothing);
        assert_eq!(scene.memory.pulses[&robot()].will_arrived, is_gone, "{st:?} of connection {n}");
    }
}

#[test]
fn a_broker_full_of_strangers_does_not_fill_the_memory() {
    let mut scene = Scene::new();
    let heartbeat = Heartbeat { boot: 1, seq: 1, rev: 1, up_ms: 1 };
    for n in 0..2 * DEVICES_MAX {
        let name: Id = format!("stranger{n}").parse().expect("an id");
        scene.read(name.as_str(), Leaf::Hb, &heartbeat, false);
        scene.read(name.as_str(), Leaf::Conn, &Conn { boot: 1, n: 1, st: ConnState::Online }, false);
    }
    let memory::Memory { pulses, connections, .. } = &scene.memory;
    assert!(pulses.len() <= DEVICES_MAX && connections.len() <= DEVICES_MAX);
    let own = Heartbeat { boot: BOOT, ..heartbeat };
    assert!(matches!(scene.read("robot1", Leaf::Hb, &own, false), Meaning::Beat(..)), "its own devices are heard");
}
