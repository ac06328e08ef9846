//! What may start, and when (rule 4).

use super::super::bench::Bench;
use super::super::work::LONG_MS;
use super::super::{Stop, expect};
use crate::protocol::{Cmd, Epoch, InstructionId, LeaderState, Lease, Millis, Op, TaskStart, TaskState};

/// How often a device is asked whether it sends a heartbeat at once: a busy machine may be late.
const TRIES: u32 = 3;
/// A lease that surely lasts.
const EVER_MS: Millis = 60_000;

impl Bench {
    /// A task that only a lease keeps from its start.
    async fn due(&mut self) -> Result<(TaskStart, InstructionId), Stop> {
        self.needs_hand()?;
        let task = self.task(LONG_MS);
        let id = self.accept(&task).await?;
        self.make_due().await?;
        Ok((task, id))
    }

    /// A task that falls due later: after this time, or when the oven is loaded.
    pub(super) async fn due_later(&mut self, delay_ms: Millis) -> Result<(TaskStart, InstructionId), Stop> {
        self.needs_hand()?;
        let task = if self.is_oven() { self.task(LONG_MS) } else { self.task_after(delay_ms, LONG_MS) };
        let id = self.accept(&task).await?;
        Ok((task, id))
    }

    /// That comes to pass.
    async fn fall_due(&mut self, delay_ms: Millis) -> Result<(), Stop> {
        if self.is_oven() { self.make_due().await } else { self.pass(delay_ms).await }
    }

    /// Waits for the next heartbeat: its number.
    pub(super) async fn next_beat(&mut self) -> Result<u64, Stop> {
        let before = self.seen.seq();
        let limit_ms = self.limit_ms();
        self.until("the next heartbeat", limit_ms, |seen| (seen.seq() != before).then(|| seen.seq())).await
    }

    /// Says something right after a heartbeat; the next one must come long before it would by itself.
    async fn asks_at_once(&mut self, why: &str, mut say: impl FnMut(&mut Self)) -> Result<(), Stop> {
        let within_ms = self.hb_ms() * 6 / 10;
        let mut asked = Ok(());
        for _ in 0..TRIES {
            let before = self.next_beat().await?;
            say(self);
            let expected = format!("a heartbeat at once, as {why}");
            asked = self.until(&expected, within_ms, |seen| (seen.seq() != before).then_some(())).await;
            if asked.is_ok() {
                return Ok(());
            }
        }
        asked
    }
}

pub(super) async fn a_task_starts_when_it_is_named(bench: &mut Bench) -> Result<(), Stop> {
    let (task, id) = bench.due().await?;
    bench.stays(&task.attempt, "leases name nothing").await?;
    let another = InstructionId { index: id.index, n: id.n + 1 };
    bench.open(another);
    bench.stays(&task.attempt, "leases name another instruction").await?;
    bench.answers.open.clear();
    bench.open(id);
    bench.begun(&task.attempt).await
}

pub(super) async fn a_lease_counts_from_its_heartbeat(bench: &mut Bench) -> Result<(), Stop> {
    let (task, id) = bench.due().await?;
    bench.answers.is_on = false;
    let seq = bench.next_beat().await?;
    let l_ms = (bench.hb_ms() / 2).max(40);
    bench.pass(l_ms + 30).await?;
    let lease = Lease { seq, l_ms, ..bench.lease_of_latest(&[id]) };
    bench.lease(lease);
    bench.stays(&task.attempt, &format!("a lease of {l_ms} ms came more than {l_ms} ms after its heartbeat")).await?;
    bench.answers.is_on = true;
    bench.open(id);
    bench.begun(&task.attempt).await
}

pub(super) async fn a_lease_of_another_boot_is_nothing(bench: &mut Bench) -> Result<(), Stop> {
    let (task, id) = bench.due().await?;
    let mut lease = bench.lease_of_latest(&[id]);
    lease.boot ^= 1;
    bench.lease(lease);
    bench.stays(&task.attempt, "that lease was for another boot").await?;
    bench.open(id);
    bench.begun(&task.attempt).await
}

pub(super) async fn a_lease_of_a_lower_epoch_is_nothing(bench: &mut Bench) -> Result<(), Stop> {
    let (task, id) = bench.due().await?;
    let lease = Lease { epoch: Epoch(bench.epoch.0 - 1), ..bench.lease_of_latest(&[id]) };
    bench.lease(lease);
    bench.stays(&task.attempt, "that lease was from a former controller").await?;
    bench.open(id);
    bench.begun(&task.attempt).await
}

pub(super) async fn an_earlier_answer_is_ignored(bench: &mut Bench) -> Result<(), Stop> {
    let (task, id) = bench.due().await?;
    bench.answers.is_on = false;
    let earlier = bench.next_beat().await?;
    let later = bench.next_beat().await?;
    let lease =
        |bench: &Bench, seq, open: &[InstructionId]| Lease { seq, l_ms: EVER_MS, ..bench.lease_of_latest(open) };
    let none = lease(bench, later, &[]);
    let names = lease(bench, earlier, &[id]);
    bench.lease(none);
    bench.lease(names);
    bench.pass(bench.quiet_ms() / 2).await?;
    bench.answers.is_on = true;
    bench.stays(&task.attempt, "the lease that named it answered an earlier heartbeat than the last answered one").await
}

pub(super) async fn a_later_lease_takes_the_word_back(bench: &mut Bench) -> Result<(), Stop> {
    let delay_ms = bench.hb_ms().max(400);
    let (task, id) = bench.due_later(delay_ms).await?;
    bench.open(id);
    bench.fresh().await?;
    bench.answers.open.clear();
    bench.lease_now(&[]);
    bench.next_beat().await?;
    bench.fall_due(delay_ms).await?;
    bench.stays(&task.attempt, "the latest lease does not name it any more").await
}

pub(super) async fn a_task_asks_at_once(bench: &mut Bench) -> Result<(), Stop> {
    let ask = |bench: &mut Bench| {
        let task = bench.task_after(EVER_MS, LONG_MS);
        bench.instruct(Op::TaskStart(task));
    };
    bench.asks_at_once("it accepted a task.start", ask).await
}

pub(super) async fn a_higher_epoch_asks_at_once(bench: &mut Bench) -> Result<(), Stop> {
    let ask = |bench: &mut Bench| {
        let epoch = bench.next_epoch();
        bench.say_leader(LeaderState::Up, epoch);
    };
    bench.asks_at_once("it saw a higher epoch", ask).await
}

pub(super) async fn a_higher_epoch_voids_leases(bench: &mut Bench) -> Result<(), Stop> {
    bench.needs_quick_hand()?;
    let delay_ms = bench.hb_ms() / 2 + 200;
    let (task, id) = bench.due_later(delay_ms).await?;
    let lease = Lease { l_ms: EVER_MS, ..bench.lease_of_latest(&[id]) };
    bench.answers.is_on = false;
    bench.lease(lease);
    // Leases are QoS 0, and brokers may let others pass them: it must be heard before the higher epoch is.
    bench.fresh().await?;
    bench.pass(50).await?;
    let epoch = bench.next_epoch();
    bench.say_leader(LeaderState::Up, epoch);
    bench.until("our epoch in its fence", bench.limit_ms(), |seen| seen.has_fence(epoch)).await?;
    bench.fall_due(delay_ms).await?;
    bench.pass(100).await?;
    bench.stays_now(&task.attempt, "a former controller's lease named it, and no other since").await?;
    bench.answers.is_on = true;
    bench.open(id);
    bench.begun(&task.attempt).await
}

impl Bench {
    /// The same as `stays`, where no more time may pass.
    pub(super) async fn stays_now(&mut self, attempt: &crate::protocol::Attempt, why: &str) -> Result<(), Stop> {
        self.fresh().await?;
        let st = self.seen.task(attempt);
        expect(st == Some(TaskState::Waiting), || (format!("{} to wait: {why}", attempt.id), format!("{st:?}")))
    }
}

pub(super) async fn what_is_not_named_expires(bench: &mut Bench) -> Result<(), Stop> {
    let within_ms = 400;
    let task = TaskStart { start_within_ms: Some(within_ms), ..bench.task(LONG_MS) };
    let cmd: Cmd = bench.cmd(Op::TaskStart(task.clone()));
    let said_at = crate::clock::boottime_ms();
    bench.say_cmd(&cmd);
    bench.expect_result(cmd.id, crate::protocol::CommandResult::Done).await?;
    let expected = format!("EXPIRED {within_ms} ms after it was accepted");
    let limit_ms = within_ms + bench.limit_ms();
    bench.until(&expected, limit_ms, |seen| seen.task_is(&task.attempt, TaskState::Expired)).await?;
    let after_ms = crate::clock::boottime_ms() - said_at;
    expect(after_ms + 20 >= within_ms, || (expected, format!("{after_ms} ms after it was sent")))?;
    bench.open(cmd.id);
    bench.pass(bench.quiet_ms()).await?;
    bench.fresh().await?;
    let st = bench.seen.task(&task.attempt);
    expect(st == Some(TaskState::Expired), || {
        ("it to stay EXPIRED though a lease names it".to_owned(), format!("{st:?}"))
    })
}
