//! What is looked at in passing, heartbeats, and what instructions leave out.

use std::time::Duration;

use super::super::bench::Bench;
use super::super::work::LONG_MS;
use super::super::{Stop, expect};
use crate::mqtt::{Event, Qos};
use crate::protocol::{Leaf, Millis, Op, TaskStart, TaskState, Topic};

/// How many instructions are shown at least, of "about 32".
const RESULTS: usize = 16;
/// How many intervals are measured.
const INTERVALS: usize = 4;

impl Bench {
    /// A task goes all its way, with a pause, so that there is something to look at.
    async fn live(&mut self) -> Result<(), Stop> {
        if std::mem::replace(&mut self.has_lived, true) {
            return Ok(());
        }
        let task = self.task(LONG_MS);
        if self.needs_hand().is_ok() {
            self.run_it(&task).await?;
            self.hold().await?;
            self.instruct(Op::Resume);
        } else {
            self.accept(&task).await?;
            self.instruct(Op::TaskCancel(task.attempt.clone()));
        }
        self.over(&task.attempt).await?;
        self.pass(self.quiet_ms()).await?;
        self.acknowledge(&task.attempt).await
    }

    /// What was seen against this rule in passing.
    async fn in_passing(&mut self, rule: &str) -> Result<(), Stop> {
        let lived = self.live().await;
        if let Some((expected, came)) = self.watch.violation(rule).cloned() {
            return Err(Stop::Failed { expected, came });
        }
        lived
    }

    /// Most intervals between heartbeats are about so long.
    pub(super) async fn heart_beats_every(&mut self, hb_ms: Millis) -> Result<(), Stop> {
        self.next_beat().await?;
        let mut gaps = Vec::new();
        for _ in 0..INTERVALS {
            let before = self.seen.beats.last().map_or(0, |beat| beat.at);
            self.next_beat().await?;
            gaps.push(self.seen.beats.last().map_or(0, |beat| beat.at) - before);
        }
        let is_fine = |gap: &&Millis| **gap * 10 >= hb_ms * 7 && **gap * 10 <= hb_ms * 13 + 500;
        let fine = gaps.iter().filter(is_fine).count();
        expect(fine * 2 >= INTERVALS, || (format!("a heartbeat every {hb_ms} ms"), format!("intervals of {gaps:?} ms")))
    }
}

pub(super) async fn results_are_shown(bench: &mut Bench) -> Result<(), Stop> {
    let mut ids = Vec::new();
    for _ in 0..RESULTS {
        let unknown = bench.task(LONG_MS).attempt;
        ids.push(bench.instruct(Op::Ack(unknown)));
    }
    let expected = format!("the results of the last {RESULTS} instructions in cmds");
    bench.until(&expected, bench.limit_ms(), |seen| ids.iter().all(|id| seen.result(*id).is_some()).then_some(())).await
}

pub(super) async fn heartbeats_carry_the_rev(bench: &mut Bench) -> Result<(), Stop> {
    bench.fresh().await?;
    bench.next_beat().await?;
    bench.next_beat().await?;
    let (rev, r) = (bench.state().rev, bench.seen.beats.last().map_or(0, |beat| beat.heartbeat.rev));
    expect(r == rev, || (format!("r {rev}, as in state"), r.to_string()))
}

pub(super) async fn up_is_the_time_since_power_up(bench: &mut Bench) -> Result<(), Stop> {
    bench.next_beat().await?;
    let at = |bench: &Bench| bench.seen.beats.last().map_or((0, 0), |beat| (beat.at, beat.heartbeat.up_ms));
    let (from, up_from) = at(bench);
    bench.pass(bench.hb_ms().max(300) * 2).await?;
    let (to, up_to) = at(bench);
    let (passed, up) = (to - from, up_to.saturating_sub(up_from));
    expect(up.abs_diff(passed) <= 200 + passed / 5, || {
        (format!("up to grow by about {passed} ms"), format!("{up} ms"))
    })?;
    match bench.watch.violation("M13").cloned() {
        Some((expected, came)) => Err(Stop::Failed { expected, came }),
        None => Ok(()),
    }
}

pub(super) async fn heartbeats_keep_their_interval(bench: &mut Bench) -> Result<(), Stop> {
    bench.heart_beats_every(bench.hb_ms()).await
}

pub(super) async fn what_is_left_out_has_its_default(bench: &mut Bench) -> Result<(), Stop> {
    let task = TaskStart { start_within_ms: None, ..bench.task(LONG_MS) };
    let mut cmd = bench.cmd(Op::TaskStart(task.clone()));
    cmd.ttl_ms = 300;
    let mut value = serde_json::to_value(&cmd).unwrap_or_default();
    value["v"] = 1.into();
    if let Some(task) = value["task"].as_object_mut().filter(|_| task.lane == 0) {
        task.remove("lane");
    }
    bench.say_json(Leaf::Cmd, &value.to_string());
    bench.expect_result(cmd.id, crate::protocol::CommandResult::Done).await?;
    let lane = bench.line(&task.attempt).and_then(|line| line.lane);
    expect(lane.is_none_or(|lane| lane == task.lane), || (format!("lane {}", task.lane), format!("{lane:?}")))?;
    let expected = "EXPIRED after ttl_ms, as start_within_ms is not said";
    bench.until(expected, 300 + bench.limit_ms(), |seen| seen.task_is(&task.attempt, TaskState::Expired)).await
}

pub(super) async fn questions_have_no_result(bench: &mut Bench) -> Result<(), Stop> {
    bench.fresh().await?;
    let (facts, states) = (bench.seen.facts_live, bench.seen.states_live);
    let ids = [bench.instruct(Op::StateGet), bench.instruct(Op::FactsGet)];
    let answered = |seen: &super::super::seen::Seen| seen.facts_live > facts && seen.states_live > states;
    let limit_ms = bench.limit_ms();
    bench.until("facts and state, as they were asked for", limit_ms, |seen| answered(seen).then_some(())).await?;
    bench.fresh().await?;
    let came = ids.map(|id| bench.seen.result(id));
    expect(came == [None, None], || ("no result of state.get and facts.get".to_owned(), format!("{came:?}")))
}

pub(super) async fn quality_and_retention(bench: &mut Bench) -> Result<(), Stop> {
    bench.in_passing("T2").await?;
    let own = |leaf: Leaf| Topic::Device(bench.options.device.clone(), leaf).name(&bench.options.kitchen);
    let mut missing = vec![Leaf::Conn, Leaf::Facts, Leaf::State];
    let filters: Vec<_> = missing.iter().map(|leaf| (own(*leaf), Qos::AtLeastOnce)).collect();
    let mut newcomer = bench.another(&filters).await?;
    for _ in 0..250 {
        while let Some(event) = newcomer.events.try_next() {
            if let Event::Message(message) = event
                && message.is_retained()
                && let Ok((_, topic)) = Topic::parse(message.topic())
            {
                missing.retain(|leaf| *leaf != topic.leaf());
            }
        }
        if missing.is_empty() {
            break;
        }
        bench.pass(20).await?;
    }
    newcomer.close(Duration::from_millis(200)).await;
    expect(missing.is_empty(), || {
        ("conn, facts and state for whoever comes later".to_owned(), format!("not retained: {missing:?}"))
    })
}

pub(super) async fn boot(bench: &mut Bench) -> Result<(), Stop> {
    bench.in_passing("M1").await?;
    let (beat, state) = (bench.seen.boot(), bench.state().boot);
    let conn = bench.seen.conn.as_ref().map_or(0, |conn| conn.boot);
    expect(beat == state && beat == conn, || {
        ("one boot in conn, state and hb".to_owned(), format!("{conn:016x}, {state:016x}, {beat:016x}"))
    })
}

macro_rules! in_passing {
    ($($name:ident $rule:literal;)*) => {
        $(pub(super) async fn $name(bench: &mut Bench) -> Result<(), Stop> {
            bench.in_passing($rule).await
        })*
    };
}

in_passing! {
    sizes "C6";
    versions "C8";
    n "M2";
    facts "M5";
    fields_of_state "M6";
    rev "M7";
    condition_and_holds "M8";
    progress "M10";
    numbers_of_heartbeats "M11";
    tasks_go_forward "R6.1";
    tasks_stay_until_they_are_acknowledged "R7.1";
}
