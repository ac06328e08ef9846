//! Watchdogs, bakes, and pizzas that lie in an oven too long (rule 9).

use super::super::bench::Bench;
use super::super::seen::Seen;
use super::super::work::SHORT_MS;
use super::super::{Stop, expect, skip};
use crate::clock;
use crate::protocol::{Level, Millis, TaskStart, TaskState};

/// How long a task may run that would take much longer.
const MAX_MS: Millis = 500;

pub(super) async fn the_watchdog_ends_a_task(bench: &mut Bench) -> Result<(), Stop> {
    barks(bench, false).await
}

pub(super) async fn time_on_hold_counts(bench: &mut Bench) -> Result<(), Stop> {
    barks(bench, true).await
}

/// A task that would run ten times as long as it may.
async fn barks(bench: &mut Bench, is_held: bool) -> Result<(), Stop> {
    if bench.is_oven() {
        return skip("bakes are exempt: see R9.4");
    }
    let task = TaskStart { max_ms: Some(MAX_MS), ..bench.task(10 * MAX_MS) };
    bench.run_it(&task).await?;
    let begun_at = clock::boottime_ms();
    if is_held {
        bench.hold().await?;
    }
    let expected = format!("FAILED with WATCHDOG {MAX_MS} ms after its start");
    let limit_ms = MAX_MS + bench.limit_ms();
    let over = |seen: &Seen| seen.task(&task.attempt).filter(|st| st.is_over());
    let st = bench.until(&expected, limit_ms, over).await?;
    let (code, after_ms) = (bench.line(&task.attempt).map(|line| line.code.clone()), clock::boottime_ms() - begun_at);
    let is_barked = st == TaskState::Failed && code.as_deref() == Some("WATCHDOG") && after_ms * 2 > MAX_MS;
    expect(is_barked, || (expected, format!("{st:?} with {code:?} after {after_ms} ms")))
}

pub(super) async fn bakes_are_exempt(bench: &mut Bench) -> Result<(), Stop> {
    if !bench.is_oven() {
        return skip("it is no oven");
    }
    let task = TaskStart { max_ms: Some(MAX_MS), ..bench.task(3 * MAX_MS) };
    bench.run_it(&task).await?;
    bench.cut(Vec::new()).await?;
    let st = bench.over(&task.attempt).await?;
    expect(st == TaskState::Finished, || {
        ("the bake to go on past max_ms and a lost connection".to_owned(), format!("{st:?}"))
    })
}

fn is_overdue(seen: &Seen) -> bool {
    let fault = |state: &crate::protocol::State| {
        state.errors.iter().any(|fault| fault.code == "OVERDUE" && fault.lvl == Level::Critical)
    };
    seen.state.as_ref().is_some_and(fault)
}

pub(super) async fn what_stays_in_the_oven_is_overdue(bench: &mut Bench) -> Result<(), Stop> {
    if !bench.is_oven() {
        return skip("it is no oven");
    }
    let mut task = bench.task(SHORT_MS);
    task.params.window_ms = Some(MAX_MS);
    bench.run_it(&task).await?;
    bench.over(&task.attempt).await?;
    bench.fresh().await?;
    expect(!is_overdue(&bench.seen), || ("no OVERDUE within the window".to_owned(), "OVERDUE".to_owned()))?;
    let limit_ms = MAX_MS + bench.limit_ms();
    bench.until("the error OVERDUE, CRITICAL", limit_ms, |seen| is_overdue(seen).then_some(())).await?;
    bench.by_hand(|hands| &mut hands.clear, "clear").await?;
    bench.until("no OVERDUE once the slot is empty", limit_ms, |seen| (!is_overdue(seen)).then_some(())).await
}

pub(super) async fn an_oven_that_boots_full_is_overdue(bench: &mut Bench) -> Result<(), Stop> {
    if !bench.is_oven() {
        return skip("it is no oven");
    }
    let reboot = bench.reboot().await?;
    if reboot.state.holds.is_empty() {
        return skip("its slot was empty when the power came back: give --load and --clear");
    }
    expect(reboot.is_overdue, || ("the error OVERDUE, CRITICAL".to_owned(), format!("{:?}", reboot.state.errors)))
}
