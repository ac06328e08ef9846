//! What is accepted, and what is refused with which word (rule 5).

use super::super::bench::Bench;
use super::super::seen::Seen;
use super::super::work::{LONG_MS, SHORT_MS};
use super::super::{Stop, expect, skip};
use super::once::NO_LANE;
use crate::protocol::{
    Act, Action, After, CommandResult as Res, Condition, DeviceKind, Leaf, Millis, Op, Setting, TaskStart, TaskState,
};

/// A task that falls due when this run is long over.
pub(super) const LATER_MS: Millis = 600_000;

impl Bench {
    /// Instructs a task that must be refused so.
    async fn refused(&mut self, task: &TaskStart, expected: Res) -> Result<(), Stop> {
        let id = self.instruct(Op::TaskStart(task.clone()));
        let came = self.result(id).await?;
        let of = task.act.as_str();
        expect(came == expected, || (format!("{expected:?} for this {of} on lane {}", task.lane), format!("{came:?}")))
    }

    fn juggle(&mut self) -> TaskStart {
        TaskStart { act: Act::Other("juggle".parse().expect("a word is an id")), ..self.task(SHORT_MS) }
    }

    /// A task that lacks a parameter.
    fn lacking(&mut self) -> Option<TaskStart> {
        let offers = |action: Action| self.facts().action(action).is_some();
        let needy = [Action::Load, Action::Unload, Action::Bake, Action::Inspect];
        let action = needy.into_iter().find(|action| offers(*action))?;
        let mut task = self.task_of(action, SHORT_MS);
        (task.params.window_ms, task.params.stage) = (None, None);
        Some(task)
    }

    /// Holds the device by an instruction.
    pub(super) async fn hold(&mut self) -> Result<(), Stop> {
        let id = self.instruct(Op::Hold);
        self.expect_result(id, Res::Done).await?;
        let held = |seen: &Seen| (seen.state.as_ref()?.cond == Condition::Held).then_some(());
        self.until("HELD", self.limit_ms(), held).await
    }
}

pub(super) async fn unknown_actions_are_unsupported(bench: &mut Bench) -> Result<(), Stop> {
    let task = bench.juggle();
    bench.refused(&task, Res::RejectedUnsupported).await
}

pub(super) async fn nothing_is_accepted_on_hold(bench: &mut Bench) -> Result<(), Stop> {
    bench.hold().await?;
    let task = bench.task(SHORT_MS);
    bench.refused(&task, Res::RejectedMode).await
}

pub(super) async fn lanes_and_parameters_must_exist(bench: &mut Bench) -> Result<(), Stop> {
    let no_lane = TaskStart { lane: NO_LANE, after: None, ..bench.task(SHORT_MS) };
    bench.refused(&no_lane, Res::RejectedInvalid).await?;
    if let Some(lacking) = bench.lacking() {
        bench.refused(&lacking, Res::RejectedInvalid).await?;
    }
    if !bench.is_oven() {
        let foreign = TaskStart { after: Some(After::loaded(bench.lane())), ..bench.task(SHORT_MS) };
        bench.refused(&foreign, Res::RejectedInvalid).await?;
    }
    Ok(())
}

pub(super) async fn a_lane_has_one_task(bench: &mut Bench) -> Result<(), Stop> {
    let (first, second) = (bench.task(SHORT_MS), bench.task(SHORT_MS));
    bench.accept(&first).await?;
    bench.refused(&second, Res::RejectedBusy).await
}

pub(super) async fn a_delayed_task_waits_for_its_lane(bench: &mut Bench) -> Result<(), Stop> {
    let first = bench.task(800);
    let action = if bench.action() == Action::Prep { Action::Discard } else { bench.action() };
    let second = TaskStart { after: Some(After::Delay { ms: 100 }), ..bench.task_of(action, SHORT_MS) };
    if bench.is_oven() {
        bench.accept(&first).await?;
        let id = bench.accept(&second).await?;
        bench.open(id);
        bench.pass(100).await?;
        return bench.stays(&second.attempt, "its lane has a task, and no pizza").await;
    }
    bench.run_it(&first).await?;
    let id = bench.accept(&second).await?;
    bench.open(id);
    let (one, two) = (first.attempt.clone(), second.attempt.clone());
    let limit_ms = bench.limit_ms() + 2_000;
    let begun = |seen: &Seen| seen.task(&two).filter(|st| *st != TaskState::Waiting).map(|_| seen.task(&one));
    let st = bench.until("the delayed task to start once the lane is free", limit_ms, begun).await?;
    expect(st.is_some_and(TaskState::is_over), || ("the first task to be over by then".to_owned(), format!("{st:?}")))
}

pub(super) async fn the_lane_must_fit(bench: &mut Bench) -> Result<(), Stop> {
    let offers = |action: Action| bench.facts().action(action).is_some();
    let (has_prep, finishes) = (offers(Action::Prep), offers(Action::Finish));
    if bench.kind() == DeviceKind::Human {
        return skip("what lies before a person is nobody's business");
    }
    match bench.action() {
        Action::Bake => {
            let empty = TaskStart { after: None, ..bench.task(SHORT_MS) };
            bench.refused(&empty, Res::RejectedInvalid).await?;
            if bench.needs_hand().is_ok() {
                bench.make_due().await?;
                let occupied = bench.task(SHORT_MS);
                bench.refused(&occupied, Res::RejectedOccupied).await?;
            }
            Ok(())
        }
        _ if has_prep => {
            let (first, _) = bench.running(SHORT_MS).await?;
            bench.over(&first.attempt).await?;
            let second = bench.task(SHORT_MS);
            bench.refused(&second, Res::RejectedOccupied).await
        }
        _ if finishes => {
            let task = bench.task_of(Action::Finish, SHORT_MS);
            bench.refused(&task, Res::RejectedInvalid).await
        }
        _ => skip("what it does needs nothing on its lane"),
    }
}

pub(super) async fn refusals_have_an_order(bench: &mut Bench) -> Result<(), Stop> {
    bench.hold().await?;
    let unknown = TaskStart { lane: NO_LANE, ..bench.juggle() };
    bench.refused(&unknown, Res::RejectedUnsupported).await?;
    let no_lane = TaskStart { lane: NO_LANE, ..bench.task(SHORT_MS) };
    bench.refused(&no_lane, Res::RejectedMode).await?;
    bench.tidy().await?;
    let active = bench.task(LONG_MS);
    let id = bench.accept(&active).await?;
    let no_lane = TaskStart { lane: NO_LANE, ..bench.task(SHORT_MS) };
    bench.refused(&no_lane, Res::RejectedInvalid).await?;
    if bench.action() == Action::Prep {
        bench.open(id);
        bench.begun(&active.attempt).await?;
        let in_the_way = bench.task(SHORT_MS);
        bench.refused(&in_the_way, Res::RejectedBusy).await?;
    }
    Ok(())
}

pub(super) async fn some_instructions_are_always_obeyed(bench: &mut Bench) -> Result<(), Stop> {
    let task = bench.task(LONG_MS);
    bench.accept(&task).await?;
    bench.hold().await?;
    bench.fresh().await?;
    let facts = bench.seen.facts_live;
    bench.instruct(Op::FactsGet);
    bench
        .until("facts, as facts.get asks for them", bench.limit_ms(), |s| (s.facts_live > facts).then_some(()))
        .await?;
    for op in [Op::Hold, Op::TaskCancel(task.attempt.clone()), Op::Ack(task.attempt.clone()), Op::Resume] {
        let id = bench.instruct(op);
        bench.expect_result(id, Res::Done).await?;
    }
    Ok(())
}

pub(super) async fn settings_and_tests_wait_for_tasks(bench: &mut Bench) -> Result<(), Stop> {
    let task = bench.task(LONG_MS);
    bench.accept(&task).await?;
    let setting = Setting { hb_ms: Some(bench.hb_ms()), orphan_ms: None };
    for op in [Op::ConfigSet(setting), Op::Selftest] {
        let id = bench.instruct(op);
        bench.expect_result(id, Res::RejectedBusy).await?;
    }
    Ok(())
}

pub(super) async fn settings_are_followed(bench: &mut Bench) -> Result<(), Stop> {
    let hb_ms = if bench.hb_ms() == 250 { 300 } else { 250 };
    bench.set(hb_ms, 5_000).await?;
    bench.heart_beats_every(hb_ms).await
}

pub(super) async fn what_is_not_understood_is_refused(bench: &mut Bench) -> Result<(), Stop> {
    let unknown = bench.instruct(Op::Unknown("dance".to_owned()));
    bench.expect_result(unknown, Res::RejectedUnsupported).await?;
    // A task.start without a task.
    let task = bench.task(SHORT_MS);
    let cmd = bench.cmd(Op::TaskStart(task));
    let mut value = serde_json::to_value(&cmd).unwrap_or_default();
    value["v"] = 1.into();
    if let Some(fields) = value.as_object_mut() {
        fields.remove("task");
    }
    bench.say_json(Leaf::Cmd, &value.to_string());
    let id = cmd.id;
    bench.expect_result(id, Res::RejectedInvalid).await
}
