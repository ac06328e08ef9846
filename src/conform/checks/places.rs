//! What lies where: slots, grippers, and what is known of them after a reboot.

use super::super::bench::Bench;
use super::super::seen::Seen;
use super::super::work::{LONG_MS, SHORT_MS};
use super::super::{Stop, expect, skip};
use crate::protocol::{Action, Hold, Id, Op};

impl Bench {
    /// Its first lane must hold just this pizza.
    fn expect_pizza(&self, pizza: &Id) -> Result<(), Stop> {
        let (lane, holds) = (self.lane(), &self.state().holds);
        let is_so = holds.iter().any(|hold| *hold == Hold { lane, pizza: Some(pizza.clone()) });
        expect(is_so, || (format!("lane {lane} to hold {pizza}"), format!("{holds:?}")))
    }
}

pub(super) async fn an_oven_names_what_it_bakes(bench: &mut Bench) -> Result<(), Stop> {
    if !bench.is_oven() {
        return skip("it is no oven");
    }
    let (task, _) = bench.running(LONG_MS).await?;
    bench.expect_pizza(&task.pizza)
}

pub(super) async fn loaded_is_a_change(bench: &mut Bench) -> Result<(), Stop> {
    if !bench.is_oven() {
        return skip("it is no oven");
    }
    bench.needs_hand()?;
    bench.make_due().await?;
    let task = bench.task(LONG_MS);
    let id = bench.instruct(Op::TaskStart(task.clone()));
    bench.result(id).await?;
    bench.open(id);
    bench.never_runs(&task.attempt, "its slot was full before it came: nothing was LOADED since").await
}

pub(super) async fn a_gripper_knows_its_pizza(bench: &mut Bench) -> Result<(), Stop> {
    if bench.action() != Action::Prep {
        return skip("nothing that can be tried here puts a pizza into its gripper");
    }
    let (task, _) = bench.running(LONG_MS).await?;
    bench.fresh().await?;
    bench.expect_pizza(&task.pizza)?;
    bench.over(&task.attempt).await?;
    bench.expect_pizza(&task.pizza)?;
    let discard = bench.task_of(Action::Discard, SHORT_MS);
    bench.run_it(&discard).await?;
    let is_empty = |seen: &Seen| seen.state.as_ref()?.holds.is_empty().then_some(());
    bench.until("an empty gripper after discard", bench.limit_ms() + LONG_MS, is_empty).await
}

pub(super) async fn a_reboot_is_another_boot(bench: &mut Bench) -> Result<(), Stop> {
    let reboot = bench.reboot().await?;
    let (before, after) = (reboot.boot_before, reboot.birth.boot);
    expect(after != before, || (format!("another boot than {before:016x}"), format!("{after:016x}")))
}

pub(super) async fn an_oven_knows_no_pizza_after_a_reboot(bench: &mut Bench) -> Result<(), Stop> {
    if !bench.is_oven() {
        return skip("it is no oven");
    }
    knows_none(bench).await
}

pub(super) async fn a_gripper_knows_no_pizza_after_a_reboot(bench: &mut Bench) -> Result<(), Stop> {
    if bench.action() != Action::Prep {
        return skip("nothing that can be tried here puts a pizza into its gripper");
    }
    knows_none(bench).await
}

async fn knows_none(bench: &mut Bench) -> Result<(), Stop> {
    let holds = bench.reboot().await?.state.holds;
    expect(holds.iter().all(|hold| hold.pizza.is_none()), || {
        ("null, as it can't know".to_owned(), format!("{holds:?}"))
    })
}
