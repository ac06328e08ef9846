//! Who holds a device, and who lets it go.

use super::super::bench::Bench;
use super::super::seen::Seen;
use super::super::work::LONG_MS;
use super::super::{Stop, expect};
use crate::protocol::{Condition, Id, Lease, Op, TaskState, ZoneOp};

impl Bench {
    async fn becomes_held(&mut self, is_held: bool, why: &str) -> Result<(), Stop> {
        let expected = format!("{}: {why}", if is_held { "HELD" } else { "the end of HELD" });
        let is_so = |seen: &Seen| ((seen.state.as_ref()?.cond == Condition::Held) == is_held).then_some(());
        self.until(&expected, self.limit_ms(), is_so).await
    }

    fn zone_says(&mut self, op: ZoneOp, zone: Option<Id>) {
        let idx = self.next_idx();
        self.say_all(op, idx, zone);
    }
}

pub(super) async fn an_instruction_holds(bench: &mut Bench) -> Result<(), Stop> {
    bench.needs_hand()?;
    let task = bench.task(LONG_MS);
    let id = bench.accept(&task).await?;
    bench.hold().await?;
    bench.make_due().await?;
    bench.open(id);
    bench.stays(&task.attempt, "the device is held").await?;
    bench.instruct(Op::Resume);
    bench.begun(&task.attempt).await?;
    bench.hold().await?;
    let st = bench.seen.task(&task.attempt);
    let may_pause = !bench.is_oven();
    expect(may_pause || st != Some(TaskState::Paused), || ("the heat to stay on".to_owned(), format!("{st:?}")))?;
    bench.instruct(Op::Resume);
    bench.becomes_held(false, "it was resumed").await?;
    let st = bench.over(&task.attempt).await?;
    expect(matches!(st, TaskState::Finished | TaskState::Failed), || {
        ("it to go on to its end".to_owned(), format!("{st:?}"))
    })
}

pub(super) async fn the_zone_holds(bench: &mut Bench) -> Result<(), Stop> {
    let zones = [None, bench.facts().zone.clone()];
    for zone in zones.iter().filter(|zone| zone.is_none() || zones[1].is_some()) {
        bench.zone_says(ZoneOp::Hold, zone.clone());
        bench.becomes_held(true, "all/cmd says so").await?;
        bench.zone_says(ZoneOp::Resume, zone.clone());
        bench.becomes_held(false, "all/cmd says so").await?;
    }
    bench.answers.is_on = false;
    bench.zone_says(ZoneOp::Hold, "a-zone-of-others".parse().ok());
    let cond = bench.fresh().await?.cond;
    expect(cond != Condition::Held, || ("a hold of another zone to be none of its".to_owned(), format!("{cond:?}")))
}

pub(super) async fn the_lease_holds(bench: &mut Bench) -> Result<(), Stop> {
    bench.answers.held = true;
    bench.becomes_held(true, "the latest lease says so").await?;
    bench.answers.held = false;
    bench.becomes_held(false, "the latest lease says so").await
}

pub(super) async fn a_later_lease_ends_the_hold_of_the_zone(bench: &mut Bench) -> Result<(), Stop> {
    bench.answers.is_on = false;
    bench.next_beat().await?;
    let of_before: Lease = bench.lease_of_latest(&[]);
    bench.zone_says(ZoneOp::Hold, None);
    bench.becomes_held(true, "all/cmd says so").await?;
    bench.lease(of_before);
    bench.pass(50).await?;
    let cond = bench.fresh().await?.cond;
    let expected = "still HELD: that lease answers a heartbeat from before the hold";
    expect(cond == Condition::Held, || (expected.to_owned(), format!("{cond:?}")))?;
    bench.next_beat().await?;
    bench.lease_now(&[]);
    bench.becomes_held(false, "that lease answers a heartbeat from after the hold").await
}

pub(super) async fn a_resume_of_the_zone_ends_the_hold_of_the_lease(bench: &mut Bench) -> Result<(), Stop> {
    bench.answers.held = true;
    bench.becomes_held(true, "the latest lease says so").await?;
    bench.answers.is_on = false;
    bench.zone_says(ZoneOp::Resume, None);
    let cond = bench.fresh().await?.cond;
    expect(cond != Condition::Held, || ("the end of HELD, as all/cmd says".to_owned(), format!("{cond:?}")))
}
