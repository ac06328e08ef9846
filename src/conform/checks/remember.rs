//! What is kept in mind, and how much of it (rule 7).

use super::super::bench::Bench;
use super::super::work::LONG_MS;
use super::super::{Stop, expect};
use super::accept::LATER_MS;
use crate::protocol::{Cmd, CommandResult, Millis, Op, TaskState};

/// How long ids are tried after the acknowledgement: a little less than they must be kept.
const KEPT_MS: Millis = 9_500;
/// So many tasks of one kind in a lane are enough.
const ENOUGH: usize = 8;

pub(super) async fn ids_are_kept_for_ten_seconds(bench: &mut Bench) -> Result<(), Stop> {
    let task = bench.task(LONG_MS);
    let id = bench.accept(&task).await?;
    bench.instruct(Op::TaskCancel(task.attempt.clone()));
    bench.over(&task.attempt).await?;
    bench.acknowledge(&task.attempt).await?;
    bench.pass(KEPT_MS).await?;
    let cmd = Cmd { id, ..bench.cmd(Op::TaskStart(task.clone())) };
    bench.say_cmd(&cmd);
    bench.fresh().await?;
    let st = bench.seen.task(&task.attempt);
    expect(st.is_none(), || (format!("nothing for the known id {id}"), format!("{st:?}")))?;
    let again = bench.instruct(Op::TaskStart(task));
    bench.expect_result(again, CommandResult::Duplicate).await
}

pub(super) async fn eight_unacknowledged_tasks_are_enough(bench: &mut Bench) -> Result<(), Stop> {
    let mut attempts = Vec::new();
    for _ in 0..ENOUGH {
        let task = bench.task(LONG_MS);
        bench.accept(&task).await?;
        bench.instruct(Op::TaskCancel(task.attempt.clone()));
        bench.until("CANCELLED", bench.limit_ms(), |seen| seen.task_is(&task.attempt, TaskState::Cancelled)).await?;
        attempts.push(task.attempt);
    }
    let ninth = bench.task(LONG_MS);
    let id = bench.instruct(Op::TaskStart(ninth));
    bench.expect_result(id, CommandResult::RejectedBusy).await?;
    bench.acknowledge(&attempts[0]).await?;
    let tenth = bench.task(LONG_MS);
    bench.accept(&tenth).await.map(drop)
}

pub(super) async fn eight_active_tasks_are_enough(bench: &mut Bench) -> Result<(), Stop> {
    for _ in 0..ENOUGH {
        let task = bench.task_after(LATER_MS, LONG_MS);
        bench.accept(&task).await?;
    }
    let ninth = bench.task_after(LATER_MS, LONG_MS);
    let id = bench.instruct(Op::TaskStart(ninth));
    bench.expect_result(id, CommandResult::RejectedBusy).await
}
