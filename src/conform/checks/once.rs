//! Each attempt at most once (rule 3).

use super::super::bench::Bench;
use super::super::work::{LONG_MS, SHORT_MS};
use super::super::{Stop, expect};
use crate::protocol::{CommandResult, Lane, Op, TaskStart};

/// A lane that no device has.
pub(super) const NO_LANE: Lane = 250;

impl Bench {
    /// Asks for an attempt once more, under another instruction, and names that in leases.
    async fn ask_again(&mut self, task: &TaskStart) -> Result<(), Stop> {
        let again = self.instruct(Op::TaskStart(task.clone()));
        self.expect_result(again, CommandResult::Duplicate).await?;
        self.open(again);
        Ok(())
    }
}

pub(super) async fn an_attempt_is_executed_once(bench: &mut Bench) -> Result<(), Stop> {
    let (task, id) = bench.running(LONG_MS).await?;
    bench.ask_again(&task).await?;
    let ended = bench.over(&task.attempt).await?;
    bench.ask_again(&task).await?;
    let cmd = crate::protocol::Cmd { id, ..bench.cmd(Op::TaskStart(task.clone())) };
    bench.say_cmd(&cmd);
    bench.pass(bench.quiet_ms()).await?;
    bench.fresh().await?;
    let st = bench.seen.task(&task.attempt);
    expect(st == Some(ended), || (format!("{} to stay {ended:?}", task.attempt.id), format!("{st:?}")))
}

pub(super) async fn a_refused_attempt_stays_refused(bench: &mut Bench) -> Result<(), Stop> {
    let task = bench.task(LONG_MS);
    let refused = bench.instruct(Op::TaskStart(TaskStart { lane: NO_LANE, ..task.clone() }));
    let res = bench.result(refused).await?;
    expect(res != CommandResult::Done, || (format!("a refusal of lane {NO_LANE}"), format!("{res:?}")))?;
    bench.ask_again(&task).await?;
    bench.never_runs(&task.attempt, "it was refused before").await
}

pub(super) async fn an_acknowledged_attempt_is_not_done_again(bench: &mut Bench) -> Result<(), Stop> {
    let (task, id) = bench.running(SHORT_MS).await?;
    bench.over(&task.attempt).await?;
    bench.acknowledge(&task.attempt).await?;
    let cmd = crate::protocol::Cmd { id, ..bench.cmd(Op::TaskStart(task.clone())) };
    bench.say_cmd(&cmd);
    bench.never_runs(&task.attempt, "it is done and acknowledged, and its instruction is known").await?;
    bench.ask_again(&task).await?;
    bench.never_runs(&task.attempt, "it is done and acknowledged").await
}
