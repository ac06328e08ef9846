//! Connecting: topics, client id, birth and will, and that nothing starts from memory (rule 1).

use serde_json::json;

use super::super::bench::Bench;
use super::super::work::LONG_MS;
use super::super::{Stop, expect, skip};
use crate::protocol::{
    Attempt, CommandResult, Condition, ConnState, Epoch, Id, LeaderState, Leaf, Message, Op, TaskStart, ZoneOp,
};

/// Every kind of character that an id may have, in the longest one.
const ODD_ID: &str = "Z_.:-az09.__..::--0123456789abcdefghijklmnopqrs";

pub(super) async fn ids_mean_nothing(bench: &mut Bench) -> Result<(), Stop> {
    let plain = bench.task(LONG_MS);
    let n = bench.idx % 10;
    let odd: Id = format!("{ODD_ID}{n}").parse().expect("it is 48 characters of those");
    let task = TaskStart { attempt: Attempt { id: odd.clone(), att: 4_000_000_000 }, pizza: odd.clone(), ..plain };
    bench.accept(&task).await?;
    let line = bench.line(&task.attempt).cloned();
    let is_same = line.as_ref().is_some_and(|line| line.pizza.as_ref().is_none_or(|pizza| *pizza == odd));
    expect(is_same, || (format!("a task {odd} with pizza {odd}"), format!("{line:?}")))
}

pub(super) async fn unknown_fields_are_ignored(bench: &mut Bench) -> Result<(), Stop> {
    let task = bench.task(LONG_MS);
    let cmd = bench.cmd(Op::TaskStart(task.clone()));
    let mut value = serde_json::to_value(&cmd).unwrap_or_default();
    value["v"] = json!(1);
    value["x-later"] = json!({ "anything": [1, 2] });
    value["task"]["x-later"] = json!("more");
    value["task"]["params"]["x-later"] = json!(null);
    bench.say_json(Leaf::Cmd, &value.to_string());
    bench.expect_result(cmd.id, CommandResult::Done).await?;
    if bench.is_oven() {
        return Ok(());
    }
    let lease = bench.lease_of_latest(&[cmd.id]);
    let mut value = serde_json::to_value(&lease).unwrap_or_default();
    value["x-later"] = json!([[]]);
    bench.say_json(Leaf::Lease, &value.to_string());
    bench.begun(&task.attempt).await
}

pub(super) async fn all_topics_are_heard(bench: &mut Bench) -> Result<(), Stop> {
    bench.fresh().await?;
    let held = |seen: &super::super::seen::Seen| (seen.state.as_ref()?.cond == Condition::Held).then_some(());
    let limit_ms = bench.limit_ms();
    let idx = bench.next_idx();
    bench.say_all(ZoneOp::Hold, idx, None);
    bench.until("HELD, as all/cmd says", limit_ms, held).await?;
    let idx = bench.next_idx();
    bench.say_all(ZoneOp::Resume, idx, None);
    let goes_on = |seen: &super::super::seen::Seen| (seen.state.as_ref()?.cond != Condition::Held).then_some(());
    bench.until("the end of HELD, as all/cmd says", limit_ms, goes_on).await?;
    bench.answers.held = true;
    bench.until("HELD, as the lease says", limit_ms, held).await?;
    bench.answers.held = false;
    let epoch = Epoch(bench.epoch.0 + 1);
    bench.say_leader(LeaderState::Up, epoch);
    let fenced = bench.until("the epoch of ctl/leader in its fence", limit_ms, |seen| seen.has_fence(epoch)).await;
    bench.epoch = epoch;
    fenced
}

pub(super) async fn its_client_id_is_its_name(bench: &mut Bench) -> Result<(), Stop> {
    let cut = bench.cut(Vec::new()).await?;
    bench.expect_same_life(&cut)
}

pub(super) async fn conn_is_online_while_it_is_there(bench: &mut Bench) -> Result<(), Stop> {
    let conn = bench.seen.conn.clone();
    let is_online = conn.as_ref().is_some_and(|conn| conn.st == ConnState::Online && conn.boot == bench.seen.boot());
    expect(is_online, || ("conn ONLINE of the boot that sends heartbeats".to_owned(), format!("{conn:?}")))
}

pub(super) async fn the_will_is_set_and_n_grows(bench: &mut Bench) -> Result<(), Stop> {
    let cut = bench.cut(Vec::new()).await?;
    let (before, after) = (cut.before.n, cut.after.n);
    expect(after > before, || (format!("n above {before}"), after.to_string()))?;
    bench.will_of(&cut).await.map(drop)
}

pub(super) async fn the_will_is_that_of_its_birth(bench: &mut Bench) -> Result<(), Stop> {
    let cut = bench.cut(Vec::new()).await?;
    let Ok(will) = bench.will_of(&cut).await else { return skip("no will came: see R1.1") };
    let is_same = (will.boot, will.n) == (cut.before.boot, cut.before.n);
    expect(is_same, || (format!("LOST with boot {:016x} and n {}", cut.before.boot, cut.before.n), format!("{will:?}")))
}

pub(super) async fn it_introduces_itself(bench: &mut Bench) -> Result<(), Stop> {
    let (facts, states, seq) = (bench.seen.facts_live, bench.seen.states_live, bench.seen.seq());
    bench.cut(Vec::new()).await?;
    bench
        .until("facts, state and a heartbeat after conn ONLINE", bench.limit_ms(), |seen| {
            (seen.facts_live > facts && seen.states_live > states && seen.seq() > seq).then_some(())
        })
        .await
}

pub(super) async fn nothing_starts_from_memory(bench: &mut Bench) -> Result<(), Stop> {
    bench.needs_hand()?;
    let task = bench.task(LONG_MS);
    let id = bench.accept(&task).await?;
    bench.cut(Vec::new()).await?;
    bench.make_due().await?;
    bench.stays(&task.attempt, "no lease named it, before or after the connection was lost").await?;
    bench.open(id);
    bench.begun(&task.attempt).await
}

/// A message as it stands on the wire.
pub(super) fn encoded(message: impl Into<Message>) -> Vec<u8> {
    message.into().encode()
}
