//! The rules of the device protocol, one sentence each, against a session without machine, clock or broker.

use proptest::prelude::*;

use super::*;
use crate::device::sim::facts_of;
use crate::protocol::{
    Action, After, Attempt, Cmd, CommandResult, Fence, Hold, Id, InstructionId, Lane, Mode, Op, Params, Setting,
    TaskStart, TaskState, ZoneOp,
};

const BOOT: u64 = 7;

/// A session with a controller that does as it is told.
struct Bench {
    session: Session,
    now: Millis,
    status: Status,
    epoch: Epoch,
    next: u64,
    started: Vec<String>,
    stopped: Vec<String>,
    overdue: Vec<Lane>,
    last_beat: u64,
    states: usize,
    next_brokers: usize,
}

fn id(text: &str) -> Id {
    text.parse().unwrap()
}

fn task(name: &str, act: Action) -> TaskStart {
    let oven = Some("oven1".parse().unwrap());
    let params = Params {
        ms: Some(100),
        window_ms: Some(50),
        oven,
        slot: Some(0),
        station: Some("robot1".parse().unwrap()),
        stage: Some(id("prep")),
        ..Params::default()
    };
    TaskStart {
        attempt: Attempt { id: id(name), att: 1 },
        pizza: id("p1"),
        act: act.into(),
        lane: 0,
        params,
        start_within_ms: Some(5_000),
        max_ms: Some(1_000),
        after: None,
    }
}

impl Bench {
    fn new(kind: DeviceKind) -> Self {
        Self::holding(kind, vec![])
    }

    fn holding(kind: DeviceKind, holds: Vec<Hold>) -> Self {
        let status = Status { holds, ..Status::default() };
        let mut session = Session::new(0, BOOT, facts_of(kind, vec![0], 100, 1_000), status.clone());
        session.next_will();
        let (started, stopped, overdue) = (vec![], vec![], vec![]);
        let mut bench = Self {
            session,
            now: 0,
            status,
            epoch: Epoch(100),
            next: 1,
            started,
            stopped,
            overdue,
            last_beat: 0,
            states: 0,
            next_brokers: 0,
        };
        let out = bench.session.connected(0);
        bench.take(out);
        bench
    }

    fn take(&mut self, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Start(task) => self.started.push(task.attempt.id.to_string()),
                Output::Stop(attempt) => self.stopped.push(attempt.id.to_string()),
                Output::Overdue(lane) => self.overdue.push(lane),
                Output::Publish(Message::Heartbeat(beat)) => self.last_beat = beat.seq,
                Output::Publish(Message::State(_)) => self.states += 1,
                Output::NextBroker => self.next_brokers += 1,
                _ => {}
            }
        }
    }

    fn hear(&mut self, message: impl Into<Message>) {
        let out = self.session.receive(self.now, message.into());
        self.take(out);
    }

    fn cmd(&mut self, op: Op) -> InstructionId {
        self.next += 1;
        let (id, epoch) = (InstructionId { index: self.next, n: 0 }, self.epoch);
        self.hear(Cmd { id, boot: BOOT, epoch, idx: self.next, ttl_ms: 5_000, op });
        id
    }

    fn start(&mut self, task: TaskStart) -> InstructionId {
        self.cmd(Op::TaskStart(task))
    }

    /// Answers the latest heartbeat.
    fn lease(&mut self, open: &[InstructionId]) {
        self.lease_for(self.last_beat, open, false);
    }

    fn lease_for(&mut self, seq: u64, open: &[InstructionId], held: bool) {
        let (epoch, open) = (self.epoch, open.to_vec());
        self.hear(Lease { boot: BOOT, seq, epoch, l_ms: 3_000, held, open });
    }

    /// Lets time pass in steps of 10 ms.
    fn pass(&mut self, ms: Millis) {
        for _ in 0..ms / 10 {
            self.now += 10;
            let out = self.session.tick(self.now);
            self.take(out);
        }
    }

    fn end(&mut self, name: &str, end: End) {
        let attempt = Attempt { id: id(name), att: 1 };
        let status = self.status.clone();
        let out = self.session.observe(self.now, status, vec![Happening::Ended { attempt, end }]);
        self.take(out);
    }

    fn finish(&mut self, name: &str) {
        self.end(name, End::Finished { code: String::new(), temp_dc: None });
    }

    fn hold_pizza(&mut self, pizza: Option<&str>) {
        self.set_holds(vec![Hold { lane: 0, pizza: pizza.map(id) }]);
    }

    fn set_holds(&mut self, holds: Vec<Hold>) {
        self.status.holds = holds;
        self.see();
    }

    fn see(&mut self) {
        let out = self.session.observe(self.now, self.status.clone(), vec![]);
        self.take(out);
    }

    fn task_state(&self, name: &str) -> Option<TaskState> {
        self.session.state().tasks.iter().find(|line| line.attempt.id == id(name)).map(|line| line.st)
    }

    fn result(&self, of: InstructionId) -> Option<CommandResult> {
        self.session.state().cmds.iter().find(|cmd| cmd.id == of).map(|cmd| cmd.res)
    }

    /// A robot whose task `name` runs.
    fn running(kind: DeviceKind, task: TaskStart) -> Self {
        let mut bench = Self::new(kind);
        let id = bench.start(task);
        bench.lease(&[id]);
        assert_eq!(bench.started.len(), 1);
        bench
    }
}

use CommandResult as Res;
use DeviceKind::{AfterOven, BeforeOven, Camera, Oven};

// Rule 1

#[test]
fn a_connected_device_says_who_it_is_and_asks_for_a_lease() {
    let mut session = Session::new(0, BOOT, facts_of(BeforeOven, vec![0], 100, 1_000), Status::default());
    let will = session.next_will();
    let leaves: Vec<Leaf> = session
        .connected(0)
        .iter()
        .map(|output| match output {
            Output::Publish(message) => message.leaf(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(leaves, [Leaf::Conn, Leaf::Facts, Leaf::Hb, Leaf::State]);
    assert_eq!((will.n, session.goodbye().n, session.next_will().n), (1, 1, 2));
}

#[test]
fn what_a_broker_kept_starts_nothing() {
    let mut bench = Bench::new(BeforeOven);
    let task = Op::TaskStart(task("t", Action::Prep));
    let cmd = Cmd { id: InstructionId { index: 5, n: 0 }, boot: BOOT, epoch: bench.epoch, idx: 5, ttl_ms: 1, op: task };
    assert!(bench.session.receive_bytes(0, Leaf::Cmd, true, &protocol::encode(&cmd)).is_empty());
    assert_eq!(bench.task_state("t"), None);
}

// Rule 2

#[test]
fn another_boot_and_a_lower_epoch_are_refused_and_may_come_again_rightly() {
    let mut bench = Bench::new(BeforeOven);
    let op = || Op::TaskStart(task("t", Action::Prep));
    let id = InstructionId { index: 5, n: 0 };
    let cmd = |boot, epoch| Cmd { id, boot, epoch: Epoch(epoch), idx: 5, ttl_ms: 5_000, op: op() };
    bench.hear(cmd(BOOT + 1, 100));
    assert_eq!(bench.result(id), Some(Res::StaleBoot));
    bench.hear(cmd(BOOT, 99));
    assert_eq!(bench.result(id), Some(Res::StaleEpoch));
    bench.hear(cmd(BOOT, 100));
    assert_eq!(bench.result(id), Some(Res::Done));
    assert_eq!(bench.task_state("t"), Some(TaskState::Waiting));
}

#[test]
fn the_highest_epoch_of_any_message_is_remembered() {
    let mut bench = Bench::new(BeforeOven);
    let leader = |epoch, st| Leader { epoch: Epoch(epoch), node: 1, st, brokers: vec![] };
    bench.hear(leader(200, LeaderState::Up));
    bench.hear(leader(150, LeaderState::Up));
    assert_eq!(bench.session.fence(), Epoch(200));
    let id = InstructionId { index: 1, n: 0 };
    bench.hear(AllCmd { id, epoch: Epoch(300), idx: 1, op: ZoneOp::Resume, zone: None });
    bench.hear(Lease { boot: BOOT, seq: 1, epoch: Epoch(400), l_ms: 1, held: false, open: vec![] });
    assert_eq!(bench.session.state().fence, Fence { epoch: Epoch(400) });
}

#[test]
fn a_repeated_instruction_does_nothing_and_shows_the_state_again() {
    let mut bench = Bench::running(BeforeOven, task("t", Action::Prep));
    let (rev, states) = (bench.session.state().rev, bench.states);
    bench.next -= 1;
    bench.start(task("t", Action::Prep));
    assert_eq!((bench.started.len(), bench.session.state().rev, bench.states), (1, rev, states + 1));
}

#[test]
fn one_rev_has_one_content_although_a_higher_epoch_comes_with_a_question() {
    let mut bench = Bench::new(BeforeOven);
    for op in [Op::StateGet, Op::FactsGet] {
        bench.epoch = Epoch(bench.epoch.0 + 1);
        let (rev, id) = (bench.session.state().rev, InstructionId { index: 7, n: 0 });
        let cmd = Cmd { id, boot: BOOT, epoch: bench.epoch, idx: 7, ttl_ms: 1, op };
        let out = bench.session.receive(bench.now, cmd.into());
        let revs: Vec<u64> = out.iter().filter_map(state_in).map(|state| state.rev).collect();
        assert_eq!(revs, [rev + 1], "the state that shows the higher epoch is another one");
    }
}

fn state_in(output: &Output) -> Option<&State> {
    match output {
        Output::Publish(Message::State(state)) => Some(state),
        _ => None,
    }
}

#[test]
fn the_cancel_of_an_unknown_attempt_keeps_it_from_ever_starting() {
    let mut bench = Bench::new(BeforeOven);
    bench.cmd(Op::TaskCancel(Attempt { id: id("t"), att: 1 }));
    assert_eq!(bench.task_state("t"), Some(TaskState::Cancelled));
    let late = bench.start(task("t", Action::Prep));
    bench.lease(&[late]);
    assert_eq!((bench.result(late), bench.started.len()), (Some(Res::Duplicate), 0));
}

#[test]
fn hold_and_resume_obey_only_a_later_decision() {
    let mut bench = Bench::new(BeforeOven);
    let say = |bench: &mut Bench, n, idx, op| {
        let id = InstructionId { index: 90, n };
        let epoch = bench.epoch;
        bench.hear(Cmd { id, boot: BOOT, epoch, idx, ttl_ms: 1, op });
        bench.result(id)
    };
    assert_eq!(say(&mut bench, 0, 20, Op::Hold), Some(Res::Done));
    assert_eq!(say(&mut bench, 1, 19, Op::Resume), Some(Res::Duplicate));
    assert_eq!(bench.session.state().cond, Condition::Held);
    assert_eq!(say(&mut bench, 2, 21, Op::Resume), Some(Res::Done));
    assert_eq!(bench.session.state().cond, Condition::Idle);
}

// Rule 3

#[test]
fn an_attempt_is_executed_once_whatever_asks_for_it_again() {
    let mut bench = Bench::running(BeforeOven, task("t", Action::Prep));
    bench.finish("t");
    bench.cmd(Op::Ack(Attempt { id: id("t"), att: 1 }));
    assert_eq!(bench.task_state("t"), None);
    let again = bench.start(task("t", Action::Prep));
    bench.lease(&[again]);
    assert_eq!((bench.result(again), bench.started.len()), (Some(Res::Duplicate), 1));
    let mut next_try = task("t", Action::Prep);
    next_try.attempt.att = 2;
    let next_try = bench.start(next_try);
    bench.lease(&[next_try]);
    assert_eq!(bench.started.len(), 2);
}

// Rule 4

#[test]
fn a_task_starts_only_when_a_lease_names_it() {
    let mut bench = Bench::new(BeforeOven);
    bench.lease(&[]);
    let before = bench.last_beat;
    let id = bench.start(task("t", Action::Prep));
    assert_eq!(bench.last_beat, before + 1, "a task.start asks for a lease at once");
    bench.lease(&[]);
    assert_eq!(bench.task_state("t"), Some(TaskState::Waiting));
    bench.lease(&[id]);
    assert_eq!(bench.task_state("t"), Some(TaskState::Running));
}

#[test]
fn a_lease_counts_from_when_its_heartbeat_was_sent() {
    let mut bench = Bench::new(BeforeOven);
    let id = bench.start(task("t", Action::Prep));
    let asked = bench.last_beat;
    bench.pass(3_000);
    bench.lease_for(asked, &[id], false);
    assert!(bench.started.is_empty(), "3,000 ms after the heartbeat was sent, its lease is over");
}

#[test]
fn a_lease_of_a_lower_epoch_another_boot_or_an_unknown_heartbeat_is_nothing() {
    let mut bench = Bench::new(BeforeOven);
    let id = bench.start(task("t", Action::Prep));
    let seq = bench.last_beat;
    let lease = |boot, seq, epoch| Lease { boot, seq, epoch: Epoch(epoch), l_ms: 3_000, held: false, open: vec![id] };
    for wrong in [lease(BOOT, seq, 99), lease(BOOT + 1, seq, 100), lease(BOOT, seq + 1, 100)] {
        bench.hear(wrong);
    }
    assert!(bench.started.is_empty());
    bench.hear(lease(BOOT, seq, 100));
    assert_eq!(bench.started.len(), 1);
}

#[test]
fn a_higher_epoch_voids_the_lease_and_asks_for_another_at_once() {
    let mut bench = Bench::new(AfterOven);
    let mut later = task("t", Action::Unload);
    later.after = Some(After::Delay { ms: 500 });
    let id = bench.start(later);
    bench.lease(&[id]);
    let beat = bench.last_beat;
    bench.hear(Leader { epoch: Epoch(101), node: 2, st: LeaderState::Up, brokers: vec![] });
    assert_eq!(bench.last_beat, beat + 1);
    bench.pass(1_000);
    assert!(bench.started.is_empty(), "what the former controller named does not start under the next");
    bench.epoch = Epoch(101);
    bench.lease(&[id]);
    assert_eq!(bench.started.len(), 1, "the next controller names the same instruction");
}

#[test]
fn a_task_that_is_not_named_in_time_expires() {
    let mut bench = Bench::new(BeforeOven);
    let id = bench.start(task("t", Action::Prep));
    bench.pass(5_000);
    assert_eq!(bench.task_state("t"), Some(TaskState::Expired));
    bench.lease(&[id]);
    assert!(bench.started.is_empty());
}

#[test]
fn an_instruction_that_waited_past_its_lease_never_starts() {
    let mut bench = Bench::new(AfterOven);
    let mut later = task("t", Action::Unload);
    later.after = Some(After::Delay { ms: 2_000 });
    let id = bench.start(later);
    bench.lease(&[id]);
    bench.pass(1_000);
    bench.lease(&[]);
    bench.pass(3_000);
    assert!(bench.started.is_empty(), "the controller took its word back before it fell due");
}

// Rule 5

#[test]
fn what_a_device_refuses_and_why() {
    let refused = |kind, change: &dyn Fn(&mut Bench, &mut TaskStart)| {
        let act = if kind == Oven { Action::Bake } else { Action::Prep };
        let (mut bench, mut task) = (Bench::new(kind), task("t", act));
        change(&mut bench, &mut task);
        let id = bench.start(task);
        assert_eq!(bench.task_state("t"), None);
        bench.result(id)
    };
    assert_eq!(refused(BeforeOven, &|_, t| t.act = Action::Finish.into()), Some(Res::RejectedUnsupported));
    assert_eq!(refused(BeforeOven, &|_, t| t.act = protocol::Act::Other(id("juggle"))), Some(Res::RejectedUnsupported));
    assert_eq!(refused(BeforeOven, &|_, t| t.lane = 7), Some(Res::RejectedInvalid));
    assert_eq!(refused(BeforeOven, &|_, t| t.after = Some(After::loaded(0))), Some(Res::RejectedInvalid));
    assert_eq!(refused(Oven, &|_, t| t.params.window_ms = None), Some(Res::RejectedInvalid));
    assert_eq!(refused(Oven, &|_, _| ()), Some(Res::RejectedInvalid), "nothing to bake, and nothing to wait for");
    assert_eq!(refused(BeforeOven, &|b, _| b.hold_pizza(None)), Some(Res::RejectedOccupied));
    let occupied = |b: &mut Bench, t: &mut TaskStart| {
        b.hold_pizza(None);
        t.after = Some(After::loaded(0));
    };
    assert_eq!(refused(Oven, &occupied), Some(Res::RejectedOccupied));
    let manual = |b: &mut Bench, _: &mut TaskStart| {
        b.status.mode = Mode::Manual;
        b.see();
    };
    assert_eq!(refused(BeforeOven, &manual), Some(Res::RejectedMode));
    assert_eq!(refused(BeforeOven, &|b, _| _ = b.cmd(Op::Hold)), Some(Res::RejectedMode));
    assert_eq!(refused(BeforeOven, &|b, _| _ = b.start(task("u", Action::Prep))), Some(Res::RejectedBusy));
    let cleaning = |b: &mut Bench, _: &mut TaskStart| {
        b.status.accepts = false;
        b.see();
    };
    assert_eq!(refused(BeforeOven, &cleaning), Some(Res::RejectedBusy));
}

#[test]
fn an_unknown_op_is_refused_and_a_malformed_one_too() {
    let mut bench = Bench::new(BeforeOven);
    let unknown = bench.cmd(Op::Unknown("dance".to_owned()));
    assert_eq!(bench.result(unknown), Some(Res::RejectedUnsupported));
    let out = bench.session.receive_bytes(0, Leaf::Cmd, false, br#"{"v":1,"id":"77-0","op":5}"#);
    bench.take(out);
    assert_eq!(bench.result(InstructionId { index: 77, n: 0 }), Some(Res::RejectedInvalid));
    assert_eq!(bench.session.malformed(), 1);
}

#[test]
fn settings_and_self_tests_wait_for_the_tasks() {
    let mut bench = Bench::running(BeforeOven, task("t", Action::Prep));
    let setting = Setting { hb_ms: Some(200), orphan_ms: None };
    let (config, test) = (bench.cmd(Op::ConfigSet(setting.clone())), bench.cmd(Op::Selftest));
    assert_eq!((bench.result(config), bench.result(test)), (Some(Res::RejectedBusy), Some(Res::RejectedBusy)));
    bench.finish("t");
    let config = bench.cmd(Op::ConfigSet(setting));
    assert_eq!(bench.result(config), Some(Res::Done));
    let wild = bench.cmd(Op::ConfigSet(Setting { hb_ms: Some(1), orphan_ms: None }));
    assert_eq!(bench.result(wild), Some(Res::RejectedInvalid));
}

// Rule 6

#[test]
fn a_task_only_moves_forward() {
    let mut bench = Bench::running(BeforeOven, task("t", Action::Prep));
    bench.finish("t");
    bench.end("t", End::Failed { code: "LATE".to_owned(), detail: String::new() });
    assert_eq!(bench.task_state("t"), Some(TaskState::Finished));
}

#[test]
fn what_is_held_pauses_and_goes_on_and_a_bake_does_not_pause() {
    let mut bench = Bench::running(BeforeOven, task("t", Action::Prep));
    bench.cmd(Op::Hold);
    assert_eq!(bench.task_state("t"), Some(TaskState::Paused));
    bench.cmd(Op::Resume);
    assert_eq!(bench.task_state("t"), Some(TaskState::Running));

    let mut oven = Bench::new(Oven);
    let mut bake = task("b", Action::Bake);
    bake.after = Some(After::loaded(0));
    let bake = oven.start(bake);
    oven.lease(&[bake]);
    oven.hold_pizza(None);
    oven.cmd(Op::Hold);
    assert_eq!(oven.task_state("b"), Some(TaskState::Running));
}

#[test]
fn the_lease_ends_a_hold_of_the_zone_whose_resume_was_lost() {
    let mut bench = Bench::new(BeforeOven);
    bench.pass(1_000);
    let before = bench.last_beat;
    let (id, epoch) = (InstructionId { index: 1, n: 0 }, bench.epoch);
    bench.hear(AllCmd { id, epoch, idx: 50, op: ZoneOp::Hold, zone: None });
    bench.lease_for(before, &[], false);
    assert_eq!(bench.session.state().cond, Condition::Held, "an answer to an earlier heartbeat says nothing about it");
    bench.pass(1_000);
    bench.lease(&[]);
    assert_eq!(bench.session.state().cond, Condition::Idle);
    bench.lease_for(bench.last_beat, &[], true);
    assert_eq!(bench.session.state().cond, Condition::Held);
}

#[test]
fn a_hold_of_another_zone_is_not_ours() {
    let mut bench = Bench::new(BeforeOven);
    let (id_, epoch) = (InstructionId { index: 1, n: 0 }, bench.epoch);
    bench.hear(AllCmd { id: id_, epoch, idx: 50, op: ZoneOp::Hold, zone: Some(id("elsewhere")) });
    assert_eq!(bench.session.state().cond, Condition::Idle);
}

// Rule 7

#[test]
fn eight_unacknowledged_tasks_of_a_lane_are_enough() {
    let mut bench = Bench::new(Camera);
    let name = |n: usize| format!("t{n}");
    for n in 0..8 {
        let id = bench.start(task(&name(n), Action::Inspect));
        bench.lease(&[id]);
        bench.finish(&name(n));
    }
    let ninth = bench.start(task("t8", Action::Inspect));
    assert_eq!(bench.result(ninth), Some(Res::RejectedBusy));
    bench.cmd(Op::Ack(Attempt { id: id("t0"), att: 1 }));
    let tenth = bench.start(task("t9", Action::Inspect));
    assert_eq!(bench.result(tenth), Some(Res::Done));
}

#[test]
fn a_running_task_is_not_forgotten_by_an_acknowledgement() {
    let mut bench = Bench::running(BeforeOven, task("t", Action::Prep));
    let early = bench.cmd(Op::Ack(Attempt { id: id("t"), att: 1 }));
    assert_eq!((bench.result(early), bench.task_state("t")), (Some(Res::RejectedBusy), Some(TaskState::Running)));
}

// Rule 8

#[test]
fn what_was_released_with_after_outlives_its_lease_by_orphan_ms_and_no_more() {
    for (delay_ms, starts) in [(12_990, true), (13_010, false)] {
        let mut bench = Bench::new(AfterOven);
        let mut later = task("t", Action::Unload);
        later.after = Some(After::Delay { ms: delay_ms });
        later.start_within_ms = Some(60_000);
        let id = bench.start(later);
        bench.lease(&[id]);
        bench.session.disconnected();
        bench.pass(20_000);
        assert_eq!(bench.started.len() == 1, starts, "after {delay_ms} ms: 3,000 of lease and 10,000 of grace");
    }
}

#[test]
fn a_lease_that_came_late_gives_no_more_time_than_one_that_came_at_once() {
    for (delay_ms, starts) in [(12_990, true), (13_010, false)] {
        let mut bench = Bench::new(AfterOven);
        let mut later = task("t", Action::Unload);
        later.after = Some(After::Delay { ms: delay_ms });
        later.start_within_ms = Some(60_000);
        let id = bench.start(later);
        let asked = bench.last_beat;
        bench.pass(2_000);
        bench.lease_for(asked, &[id], false);
        bench.session.disconnected();
        bench.pass(20_000);
        assert_eq!(bench.started.len() == 1, starts, "after {delay_ms} ms");
    }
}

#[test]
fn what_was_not_released_with_after_does_not_outlive_its_lease() {
    let mut bench = Bench::running(BeforeOven, task("t", Action::Prep));
    bench.cmd(Op::Hold);
    bench.finish("t");
    bench.session.disconnected();
    bench.pass(10_000);
    assert_eq!(bench.started.len(), 1);
}

#[test]
fn three_unanswered_heartbeats_lead_to_the_next_broker() {
    let mut bench = Bench::new(BeforeOven);
    bench.pass(3_500);
    assert_eq!(bench.next_brokers, 0);
    bench.pass(500);
    assert_eq!(bench.next_brokers, 1);
    let mut answered = Bench::new(BeforeOven);
    for _ in 0..10 {
        answered.pass(1_000);
        answered.lease(&[]);
    }
    assert_eq!(answered.next_brokers, 0);
}

#[test]
fn heartbeats_sent_at_once_do_not_count_as_silence() {
    let mut bench = Bench::new(Camera);
    for n in 0..6 {
        bench.start(task(&format!("t{n}"), Action::Inspect));
    }
    bench.pass(2_000);
    assert_eq!(bench.next_brokers, 0);
}

// Rule 9

#[test]
fn the_watchdog_ends_a_task_and_a_bake_is_exempt() {
    let mut bench = Bench::running(BeforeOven, task("t", Action::Prep));
    bench.pass(1_000);
    let state = bench.session.state();
    assert_eq!((state.tasks[0].st, state.tasks[0].code.as_str()), (TaskState::Failed, "WATCHDOG"));
    assert_eq!(bench.stopped, ["t"]);

    let mut oven = baking();
    oven.pass(60_000);
    assert_eq!(oven.task_state("b"), Some(TaskState::Running));
}

/// An oven that bakes `b`.
fn baking() -> Bench {
    let mut oven = Bench::new(Oven);
    let mut bake = task("b", Action::Bake);
    bake.after = Some(After::loaded(0));
    let bake = oven.start(bake);
    oven.lease(&[bake]);
    assert!(oven.started.is_empty(), "it waits for its slot to be loaded");
    oven.hold_pizza(None);
    assert_eq!(oven.started, ["b"]);
    oven
}

#[test]
fn a_loaded_oven_bakes_without_anybody_to_ask_and_knows_the_pizza_by_its_task() {
    let mut oven = Bench::new(Oven);
    let mut bake = task("b", Action::Bake);
    bake.after = Some(After::loaded(0));
    bake.start_within_ms = Some(60_000);
    let bake = oven.start(bake);
    oven.lease(&[bake]);
    oven.session.disconnected();
    oven.pass(8_000);
    oven.hold_pizza(None);
    assert_eq!(oven.started, ["b"]);
    assert_eq!(oven.session.state().holds, [Hold { lane: 0, pizza: Some(id("p1")) }]);
}

#[test]
fn a_pizza_that_is_not_taken_out_in_its_window_is_overdue() {
    let mut oven = baking();
    oven.finish("b");
    oven.pass(40);
    assert!(oven.overdue.is_empty());
    oven.pass(10);
    assert_eq!(oven.overdue, [0]);
    assert_eq!(oven.session.state().errors[0].code, "OVERDUE");
    oven.set_holds(vec![]);
    assert!(oven.session.state().errors.is_empty());
}

#[test]
fn a_pizza_that_is_taken_out_in_time_is_not_overdue() {
    let mut oven = baking();
    oven.finish("b");
    oven.set_holds(vec![]);
    oven.pass(1_000);
    assert!(oven.overdue.is_empty());
}

#[test]
fn an_oven_that_boots_with_an_occupied_slot_is_overdue_at_once() {
    let oven = Bench::holding(Oven, vec![Hold { lane: 0, pizza: None }]);
    assert_eq!(oven.overdue, [0]);
    assert_eq!(oven.session.state().holds, [Hold { lane: 0, pizza: None }]);
    let robot = Bench::holding(BeforeOven, vec![Hold { lane: 0, pizza: None }]);
    assert!(robot.overdue.is_empty());
}

// Rule 10

#[test]
fn a_cancellation_obeys_the_class_of_its_action() {
    let attempt = Attempt { id: id("t"), att: 1 };
    let mut prep = Bench::running(BeforeOven, task("t", Action::Prep));
    prep.cmd(Op::TaskCancel(attempt.clone()));
    assert_eq!((&prep.stopped[..], prep.task_state("t")), (&["t".to_owned()][..], Some(TaskState::Running)));
    prep.end("t", End::Cancelled);
    assert_eq!(prep.task_state("t"), Some(TaskState::Cancelled));

    let mut unload = Bench::running(AfterOven, task("t", Action::Unload));
    let cancel = unload.cmd(Op::TaskCancel(attempt.clone()));
    assert_eq!((unload.result(cancel), unload.stopped.len()), (Some(Res::RejectedUnsupported), 0));

    let mut waiting = Bench::new(AfterOven);
    waiting.start(task("t", Action::Unload));
    waiting.cmd(Op::TaskCancel(attempt));
    assert_eq!(waiting.task_state("t"), Some(TaskState::Cancelled));
}

// Rule 11

#[test]
fn an_emergency_stop_is_reported_and_nothing_starts_under_it() {
    let mut bench = Bench::new(BeforeOven);
    let id = bench.start(task("t", Action::Prep));
    bench.status.estop = true;
    bench.see();
    bench.lease(&[id]);
    assert!(bench.started.is_empty());
    assert!(bench.session.state().estop);
}

/// What a hostile or broken controller may say.
fn anything() -> impl Strategy<Value = (u8, u64, u64, u8, u64)> {
    (0..9u8, 0..4u64, 98..103u64, 0..4u8, 0..2_000u64)
}

proptest! {
    /// Invariant 5, and rule 3, whatever comes in whatever order.
    #[test]
    fn nothing_starts_twice_nor_without_a_lease_of_the_highest_epoch(words in proptest::collection::vec(anything(), 0..80)) {
        let mut bench = Bench::new(Camera);
        let mut starts = std::collections::BTreeSet::new();
        // What a lease of the present epoch named last, and until when.
        let (mut named, mut beats): (Option<(u64, Millis)>, Vec<Millis>) = (None, vec![0; 400]);
        for (word, n, epoch, att, ms) in words {
            let fence = bench.session.fence();
            let message: Message = match word {
                0..=3 => {
                    let mut task = task(&format!("t{n}"), Action::Inspect);
                    task.attempt.att = u32::from(att);
                    let id = InstructionId { index: n, n: u32::from(att) };
                    let op = if word == 3 { Op::TaskCancel(task.attempt) } else { Op::TaskStart(task) };
                    Cmd { id, boot: BOOT, epoch: Epoch(epoch), idx: n, ttl_ms: 2_000, op }.into()
                }
                4..=6 => {
                    let open = (0..4).map(|att| InstructionId { index: n, n: att }).collect();
                    let seq = bench.last_beat.saturating_sub(u64::from(att));
                    Lease { boot: BOOT, seq, epoch: Epoch(epoch), l_ms: 1_000, held: false, open }.into()
                }
                7 => Leader { epoch: Epoch(epoch), node: 1, st: LeaderState::Up, brokers: vec![] }.into(),
                _ => {
                    bench.now += ms;
                    let running: Vec<_> = bench.session.state().tasks.into_iter().filter(|line| line.st == TaskState::Running).collect();
                    for line in running {
                        let end = Happening::Ended { attempt: line.attempt, end: End::Finished { code: String::new(), temp_dc: None } };
                        let out = bench.session.observe(bench.now, Status::default(), vec![end]);
                        bench.take(out);
                    }
                    continue;
                }
            };
            if let Message::Lease(lease) = &message && lease.epoch >= fence && let Some(sent) = beats.get(usize::try_from(lease.seq).unwrap()) {
                named = Some((lease.seq, sent + lease.l_ms));
            }
            let out = bench.session.receive(bench.now, message);
            for output in &out {
                match output {
                    Output::Publish(Message::Heartbeat(beat)) => beats[usize::try_from(beat.seq).unwrap()] = bench.now,
                    Output::Start(task) => {
                        prop_assert!(starts.insert(task.attempt.clone()), "{:?} started twice", task.attempt);
                        prop_assert!(named.is_some_and(|(_, until)| bench.now < until), "{:?} without a lease", task.attempt);
                    }
                    _ => {}
                }
            }
            prop_assert!(bench.session.fence() >= fence);
            bench.take(out);
        }
    }
}
