//! What a device does when nobody speaks to it (rule 8).

use super::super::bench::Bench;
use super::super::work::LONG_MS;
use super::super::{Stop, expect};
use super::accept::LATER_MS;
use crate::clock;
use crate::protocol::{ConnState, Lease, Millis, Op, TaskStart, TaskState};

/// The least interval of heartbeats for the checks whose steps lie half an interval apart: a busy machine may be late.
const STEP_MS: Millis = 600;

impl Bench {
    /// Heartbeats, and the time that an orphan has, of one length that leaves room between the steps.
    async fn with_steps(&mut self) -> Result<Millis, Stop> {
        let step_ms = self.hb_ms().clamp(STEP_MS, 5_000);
        self.set(step_ms, step_ms).await?;
        Ok(step_ms)
    }

    /// A task that falls due so long after now, and that one lease names: it begins now, and no heartbeat is answered after it.
    async fn named_once(&mut self, delay_ms: Millis, l_ms: Millis) -> Result<TaskStart, Stop> {
        self.next_beat().await?;
        self.answers.is_on = false;
        let seq = self.seen.seq();
        let (task, id) = self.due_later(delay_ms).await?;
        let lease = Lease { seq, l_ms, ..self.lease_of_latest(&[id]) };
        self.lease(lease);
        Ok(task)
    }
}

pub(super) async fn what_runs_is_finished(bench: &mut Bench) -> Result<(), Stop> {
    let (task, _) = bench.running(LONG_MS).await?;
    bench.cut(Vec::new()).await?;
    let st = bench.over(&task.attempt).await?;
    let has_ended = matches!(st, TaskState::Finished | TaskState::Failed);
    expect(has_ended, || ("it to run to its end though the connection was lost".to_owned(), format!("{st:?}")))
}

pub(super) async fn orphans_start_in_their_time(bench: &mut Bench) -> Result<(), Stop> {
    bench.needs_quick_hand()?;
    let step_ms = bench.with_steps().await?;
    // Named for half a step, due after one, an orphan until one and a half.
    let task = bench.named_once(step_ms, step_ms / 2).await?;
    if bench.is_oven() {
        bench.pass(step_ms).await?;
        bench.make_due().await?;
    }
    let expected = format!("{} to start though its last lease has ended: orphan_ms has not", task.attempt.id);
    let has_begun = |seen: &super::super::seen::Seen| seen.task(&task.attempt).filter(|st| *st != TaskState::Waiting);
    bench.until(&expected, step_ms * 2, has_begun).await.map(drop)
}

pub(super) async fn nothing_else_starts(bench: &mut Bench) -> Result<(), Stop> {
    bench.needs_quick_hand()?;
    let step_ms = bench.with_steps().await?;
    // Named for half a step, an orphan until one and a half, due after two.
    let task = bench.named_once(step_ms * 2, step_ms / 2).await?;
    bench.pass(step_ms * 2).await?;
    if bench.is_oven() {
        bench.make_due().await?;
    }
    bench.pass(step_ms / 4).await?;
    bench.stays_now(&task.attempt, "orphan_ms had passed when it fell due").await?;
    if bench.is_oven() {
        return Ok(());
    }
    bench.tidy().await?;
    let step_ms = bench.with_steps().await?;
    let task = bench.task(LONG_MS);
    let id = bench.accept(&task).await?;
    bench.hold().await?;
    bench.next_beat().await?;
    bench.answers.is_on = false;
    let lease = Lease { l_ms: step_ms / 2, ..bench.lease_of_latest(&[id]) };
    bench.lease(lease);
    bench.pass(step_ms * 3 / 4).await?;
    bench.instruct(Op::Resume);
    bench.pass(step_ms / 2).await?;
    bench.stays_now(&task.attempt, "it has no `after`, and its lease had ended when the hold did").await
}

pub(super) async fn silence_sends_it_to_the_next_broker(bench: &mut Bench) -> Result<(), Stop> {
    let (hb_ms, n) = (bench.hb_ms(), bench.seen.conn.as_ref().map_or(0, |conn| conn.n));
    bench.next_beat().await?;
    bench.pass(hb_ms / 4).await?;
    bench.answers.is_on = false;
    let (silent_at, from, boot) = (clock::boottime_ms(), bench.seen.conns.len(), bench.seen.boot());
    let limit_ms = 8 * hb_ms + 10_000;
    let is_born = move |conn: &&crate::protocol::Conn| conn.st == ConnState::Online && conn.boot == boot && conn.n > n;
    let expected = format!("conn ONLINE with n above {n}, as three heartbeats were not answered");
    let born = |seen: &super::super::seen::Seen| seen.conns[from..].iter().find(is_born).map(drop);
    bench.until(&expected, limit_ms, born).await?;
    let after_ms = clock::boottime_ms() - silent_at;
    expect(after_ms >= 2 * hb_ms, || ("no sooner than that".to_owned(), format!("{after_ms} ms after the last answer")))
}

pub(super) async fn heartbeats_at_once_are_no_silence(bench: &mut Bench) -> Result<(), Stop> {
    let from = bench.seen.conns.len();
    bench.next_beat().await?;
    bench.answers.is_on = false;
    for _ in 0..5 {
        let task = bench.task_after(LATER_MS, LONG_MS);
        bench.instruct(Op::TaskStart(task));
    }
    bench.pass(bench.hb_ms() * 3 / 2).await?;
    bench.answers.is_on = true;
    let moved = bench.seen.conns.len() - from;
    expect(moved == 0, || {
        ("it to stay, as three heartbeats one interval apart were not sent yet".to_owned(), "it left".to_owned())
    })
}
