//! How tasks are cancelled (rule 10).

use super::super::bench::Bench;
use super::super::work::LONG_MS;
use super::super::{Stop, expect, skip};
use crate::protocol::{Action, CancelClass, CommandResult, Op, TaskState};

impl Bench {
    /// An action that can be tried on this device and has such a class.
    fn action_that(&self, is_so: impl Fn(CancelClass) -> bool) -> Option<Action> {
        let class = |action: &Action| self.facts().action(*action).is_some_and(|facts| is_so(facts.cancel));
        [self.action(), Action::Discard].into_iter().find(class)
    }
}

pub(super) async fn what_can_always_stop_stops(bench: &mut Bench) -> Result<(), Stop> {
    let Some(action) = bench.action_that(|class| class == CancelClass::Always) else {
        return skip("nothing that can be tried here is cancelled ALWAYS");
    };
    let task = bench.task_of(action, 4 * LONG_MS);
    bench.run_it(&task).await?;
    let id = bench.instruct(Op::TaskCancel(task.attempt.clone()));
    bench.expect_result(id, CommandResult::Done).await?;
    let st = bench.over(&task.attempt).await?;
    expect(st == TaskState::Cancelled, || ("CANCELLED".to_owned(), format!("{st:?}")))
}

pub(super) async fn what_waits_is_cancelled(bench: &mut Bench) -> Result<(), Stop> {
    let Some(action) = bench.action_that(|class| class != CancelClass::Always) else {
        return skip("nothing that can be tried here is cancelled UNTIL_START or NEVER");
    };
    let task = bench.task_of(action, LONG_MS);
    bench.accept(&task).await?;
    let id = bench.instruct(Op::TaskCancel(task.attempt.clone()));
    bench.expect_result(id, CommandResult::Done).await?;
    let st = bench.over(&task.attempt).await?;
    expect(st == TaskState::Cancelled, || ("CANCELLED".to_owned(), format!("{st:?}")))
}

pub(super) async fn what_must_end_ends(bench: &mut Bench) -> Result<(), Stop> {
    let Some(action) = bench.action_that(|class| class != CancelClass::Always) else {
        return skip("nothing that can be tried here is cancelled UNTIL_START or NEVER");
    };
    let task = bench.task_of(action, LONG_MS);
    bench.run_it(&task).await?;
    let id = bench.instruct(Op::TaskCancel(task.attempt.clone()));
    bench.expect_result(id, CommandResult::RejectedUnsupported).await?;
    let st = bench.over(&task.attempt).await?;
    let has_ended = matches!(st, TaskState::Finished | TaskState::Failed);
    expect(has_ended, || ("its natural end".to_owned(), format!("{st:?}")))
}
