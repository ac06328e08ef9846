//! What is refused, ignored and remembered (rule 2).

use super::super::bench::Bench;
use super::super::work::{LONG_MS, SHORT_MS};
use super::super::{Stop, expect, skip};
use super::connecting::encoded;
use crate::mqtt::{Publication, Qos};
use crate::protocol::{
    AllCmd, Attempt, Cmd, CommandResult, Condition, Epoch, InstructionId, LeaderState, Leaf, Lease, Op, TaskState,
    Topic, ZoneOp,
};

/// How often the broker may be unlucky: what it should keep came while the device was there still.
const TRIES: u32 = 3;

impl Bench {
    /// An attempt that the device has never heard of.
    fn unknown_attempt(&mut self) -> Attempt {
        self.task(SHORT_MS).attempt
    }

    fn expect_held(&self, is_held: bool, why: &str) -> Result<(), Stop> {
        let cond = self.state().cond;
        expect((cond == Condition::Held) == is_held, || {
            (format!("{}: {why}", if is_held { "HELD" } else { "not HELD" }), format!("{cond:?}"))
        })
    }
}

pub(super) async fn the_highest_epoch_is_remembered(bench: &mut Bench) -> Result<(), Stop> {
    for way in ["ctl/leader UP", "ctl/leader DOWN", "cmd", "all/cmd", "lease"] {
        let (former, epoch) = (bench.epoch, Epoch(bench.epoch.0 + 1));
        // Only this one message is said under it: heartbeats are answered under the former one meanwhile.
        bench.epoch = epoch;
        match way {
            "ctl/leader UP" => bench.say_leader(LeaderState::Up, epoch),
            "ctl/leader DOWN" => bench.say_leader(LeaderState::Down, epoch),
            "cmd" => {
                bench.instruct(Op::StateGet);
            }
            "all/cmd" => {
                let idx = bench.next_idx();
                bench.say_all(ZoneOp::Resume, idx, None);
            }
            _ => bench.lease_now(&[]),
        }
        bench.epoch = former;
        let expected = format!("fence.epoch {epoch}, as a {way} said");
        let fenced = bench.until(&expected, bench.limit_ms(), |seen| seen.has_fence(epoch)).await;
        bench.epoch = epoch;
        fenced?;
    }
    Ok(())
}

pub(super) async fn what_was_retained_is_ignored(bench: &mut Bench) -> Result<(), Stop> {
    let mut found = Ok(());
    for _ in 0..TRIES {
        found = ignores_retained(bench).await;
        if !matches!(found, Err(Stop::Failed { .. })) {
            return found;
        }
        bench.tidy().await?;
    }
    found
}

/// A cancellation, a lease and a hold that the broker keeps while the device is away.
async fn ignores_retained(bench: &mut Bench) -> Result<(), Stop> {
    let task = bench.task(LONG_MS);
    let id = bench.accept(&task).await?;
    let unknown = bench.unknown_attempt();
    let cancel = bench.cmd(Op::TaskCancel(unknown.clone()));
    let idx = bench.next_idx();
    let (epoch, lease) = (bench.epoch, Lease { l_ms: 60_000, ..bench.lease_of_latest(&[id]) });
    let hold = AllCmd { id: InstructionId { index: idx, n: 1 }, epoch, idx, op: ZoneOp::Hold, zone: None };
    let device = |leaf| Topic::Device(bench.options.device.clone(), leaf).name(&bench.options.kitchen);
    let topics = [device(Leaf::Cmd), device(Leaf::Lease), Topic::All.name(&bench.options.kitchen)];
    let payloads = [encoded(cancel), encoded(lease), encoded(hold)];
    let keep = |(topic, payload): (&String, Vec<u8>)| Publication::new(topic, payload, Qos::AtLeastOnce).retained(true);
    let kept = topics.iter().zip(payloads).map(keep).collect();
    // Heartbeats are answered only after a look: an answer would take back what the kept lease said.
    bench.answers.is_on = false;
    let cut = bench.cut(kept).await;
    let looked = if cut.is_ok() { bench.fresh().await } else { Ok(bench.state().clone()) };
    bench.answers.is_on = true;
    for topic in topics {
        bench.publish_as(Publication::new(topic, Vec::new(), Qos::AtLeastOnce).retained(true));
    }
    cut?;
    let state = looked?;
    let has = |attempt: &Attempt| state.tasks.iter().find(|line| line.attempt == *attempt).map(|line| line.st);
    expect(has(&unknown).is_none(), || {
        ("a retained cmd to be ignored".to_owned(), format!("{unknown:?} was cancelled"))
    })?;
    expect(state.cond != Condition::Held, || ("a retained all/cmd to be ignored".to_owned(), "HELD".to_owned()))?;
    let st = has(&task.attempt);
    expect(st == Some(TaskState::Waiting), || ("a retained lease to be ignored".to_owned(), format!("{st:?}")))
}

pub(super) async fn another_boot_is_refused(bench: &mut Bench) -> Result<(), Stop> {
    let mut cmd = bench.cmd(Op::Hold);
    cmd.boot ^= 1;
    bench.say_cmd(&cmd);
    bench.expect_result(cmd.id, CommandResult::StaleBoot).await?;
    bench.fresh().await?;
    bench.expect_held(false, "the hold was meant for another boot")
}

pub(super) async fn a_lower_epoch_is_refused(bench: &mut Bench) -> Result<(), Stop> {
    let mut cmd = bench.cmd(Op::Hold);
    cmd.epoch = Epoch(bench.epoch.0 - 1);
    bench.say_cmd(&cmd);
    bench.expect_result(cmd.id, CommandResult::StaleEpoch).await?;
    bench.fresh().await?;
    bench.expect_held(false, "the hold was that of a former controller")
}

pub(super) async fn a_stale_id_may_come_again_rightly(bench: &mut Bench) -> Result<(), Stop> {
    let task = bench.task(LONG_MS);
    let right = bench.cmd(Op::TaskStart(task));
    let stale = Cmd { epoch: Epoch(bench.epoch.0 - 1), ..right.clone() };
    bench.say_cmd(&stale);
    if !is_stale(bench.result(stale.id).await?) {
        return skip("a former controller's instruction was not refused: see R2.4");
    }
    bench.say_cmd(&right);
    let expected = "DONE for the same id with the right epoch";
    bench
        .until(expected, bench.limit_ms(), |seen| (seen.result(right.id) == Some(CommandResult::Done)).then_some(()))
        .await
}

fn is_stale(res: CommandResult) -> bool {
    matches!(res, CommandResult::StaleEpoch | CommandResult::StaleBoot)
}

pub(super) async fn a_known_id_shows_the_state_again(bench: &mut Bench) -> Result<(), Stop> {
    let task = bench.task(LONG_MS);
    let cmd = bench.cmd(Op::TaskStart(task.clone()));
    bench.say_cmd(&cmd);
    bench.expect_result(cmd.id, CommandResult::Done).await?;
    for moment in ["while it waits", "after its end"] {
        let before = bench.fresh().await?;
        let states = bench.seen.states_live;
        bench.say_cmd(&cmd);
        let expected = format!("state again for the known id {} {moment}", cmd.id);
        bench.until(&expected, bench.limit_ms(), |seen| (seen.states_live > states).then_some(())).await?;
        let after = bench.state().clone();
        expect(after == before, || {
            (
                format!("{expected}, unchanged, rev {}", before.rev),
                format!("rev {}, {}", after.rev, bench.seen.summary()),
            )
        })?;
        bench.instruct(Op::TaskCancel(task.attempt.clone()));
        bench.over(&task.attempt).await?;
    }
    Ok(())
}

pub(super) async fn the_order_of_ids_means_nothing(bench: &mut Bench) -> Result<(), Stop> {
    let (one, two) = (bench.unknown_attempt(), bench.unknown_attempt());
    let (earlier, later) = (bench.cmd(Op::TaskCancel(one)), bench.cmd(Op::TaskCancel(two)));
    for cmd in [later, earlier] {
        bench.say_cmd(&cmd);
        bench.expect_result(cmd.id, CommandResult::Done).await?;
    }
    Ok(())
}

pub(super) async fn holds_obey_later_decisions_only(bench: &mut Bench) -> Result<(), Stop> {
    let (late, hold) = (bench.cmd(Op::Resume), bench.cmd(Op::Hold));
    bench.say_cmd(&hold);
    bench.expect_result(hold.id, CommandResult::Done).await?;
    bench.say_cmd(&late);
    bench.expect_result(late.id, CommandResult::Duplicate).await?;
    bench.expect_held(true, "the resume was decided before the hold")?;
    let first = bench.next_idx();
    let (second, third) = (bench.next_idx(), bench.next_idx());
    let resume = bench.instruct(Op::Resume);
    bench.expect_result(resume, CommandResult::Done).await?;
    // A lease would end a hold of the zone, too.
    bench.answers.is_on = false;
    bench.say_all(ZoneOp::Hold, second, None);
    bench.fresh().await?;
    bench.expect_held(true, "all/cmd is counted apart from cmd")?;
    bench.say_all(ZoneOp::Resume, first, None);
    bench.fresh().await?;
    bench.expect_held(true, "that resume by all/cmd was decided before the hold")?;
    bench.say_all(ZoneOp::Resume, third, None);
    bench.fresh().await?;
    bench.expect_held(false, "that resume by all/cmd was decided after the hold")
}

pub(super) async fn a_cancel_may_come_before_its_task(bench: &mut Bench) -> Result<(), Stop> {
    let task = bench.task(LONG_MS);
    let cancel = bench.instruct(Op::TaskCancel(task.attempt.clone()));
    bench.expect_result(cancel, CommandResult::Done).await?;
    let expected = "the unknown attempt in tasks, CANCELLED";
    bench.until(expected, bench.limit_ms(), |seen| seen.task_is(&task.attempt, TaskState::Cancelled)).await?;
    let late = bench.instruct(Op::TaskStart(task.clone()));
    bench.expect_result(late, CommandResult::Duplicate).await?;
    bench.open(late);
    bench.never_runs(&task.attempt, "its cancellation came first").await
}
