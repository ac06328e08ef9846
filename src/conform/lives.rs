//! Lost connections and lost power, and what the device says afterwards.
//!
//! A connection is cut by connecting under the device's own client id: the broker throws the device out, as MQTT asks of it, and publishes
//! its will. No hand is needed.

use super::bench::Bench;
use super::connections::{client_id, connect_as};
use super::hands::HAND_MS;
use super::{Stop, expect};
use crate::mqtt::Publication;
use crate::protocol::{Conn, ConnState, State};
use std::time::Duration;

/// What came after a reboot.
#[derive(Clone, Debug)]
pub(super) struct Reboot {
    /// The boot before.
    pub(super) boot_before: u64,
    /// The first state of the new life.
    pub(super) state: State,
    /// The birth of the new life.
    pub(super) birth: Conn,
    /// True if OVERDUE was reported soon after.
    pub(super) is_overdue: bool,
}

/// What came after a lost connection.
#[derive(Clone, Debug)]
pub(super) struct Cut {
    /// The birth of the connection that was cut.
    pub(super) before: Conn,
    /// How many words on its connection there were before.
    pub(super) from: usize,
    /// The birth of the next one.
    pub(super) after: Conn,
}

impl Bench {
    /// Cuts the device's connection, has the broker keep this meanwhile, and waits until the device is back.
    pub(super) async fn cut(&mut self, kept: Vec<Publication>) -> Result<Cut, Stop> {
        if self.is_uncuttable {
            return super::skip("its connection can't be cut: see C2");
        }
        let (boot, from) = (self.seen.boot(), self.seen.conns.len());
        let before = self.seen.conn.clone().unwrap_or(Conn { boot, n: 0, st: ConnState::Lost });
        self.take_its_place(kept).await?;
        let is_born = |conn: &&Conn| conn.st == ConnState::Online;
        let id = client_id(&self.options.kitchen, &self.options.device);
        let expected = format!("conn ONLINE once more, as the broker threw out client {id}");
        // A device with several brokers tries the others first: there, nobody answers.
        let limit_ms = 8 * self.hb_ms() + 10_000;
        let born = self.until(&expected, limit_ms, |seen| seen.conns[from..].iter().find(is_born).cloned()).await;
        self.is_uncuttable = born.is_err() && self.seen.conns.len() == from;
        Ok(Cut { before, from, after: born? })
    }

    /// Connects under the device's own client id, so that the broker throws the device out, and makes room again.
    async fn take_its_place(&mut self, kept: Vec<Publication>) -> Result<(), Stop> {
        let id = client_id(&self.options.kitchen, &self.options.device);
        let client = match connect_as(&self.options, id, &[]).await {
            Ok(client) => client,
            Err(error) => {
                return super::skip(format!("nobody may connect as the device, to have it thrown out: {error}"));
            }
        };
        for publication in kept {
            // Sent by the client that holds the device's place, so that it is there before the device is back.
            let _ = client.publisher.publish_acknowledged(publication).await;
        }
        client.close(Duration::from_millis(500)).await;
        Ok(())
    }

    /// The last word on a connection that was cut: the will.
    pub(super) async fn will_of(&mut self, cut: &Cut) -> Result<Conn, Stop> {
        let from = cut.from;
        let is_will = |conn: &&Conn| conn.st == ConnState::Lost;
        self.until("the will, conn LOST", 2_000, |seen| seen.conns[from..].iter().find(is_will).cloned()).await
    }

    /// Cuts the power once for all that is asked about it; the slot of an oven is full, and a robot's gripper.
    pub(super) async fn reboot(&mut self) -> Result<Reboot, Stop> {
        if let Some(reboot) = &self.reboot {
            return Ok(reboot.clone());
        }
        if matches!(self.hands.power_cycle, super::Hand::Missing) {
            return super::skip("it needs a hand: give --power-cycle COMMAND, or run it on a terminal");
        }
        self.fill().await?;
        let (boot_before, from, states) = (self.seen.boot(), self.seen.conns.len(), self.seen.states_live);
        self.by_hand(|hands| &mut hands.power_cycle, "power-cycle").await?;
        let reboot = self.reborn(boot_before, from, states).await?;
        self.reboot = Some(reboot.clone());
        Ok(reboot)
    }

    /// Waits for the first words of a new life.
    async fn reborn(&mut self, boot_before: u64, from: usize, states: u64) -> Result<Reboot, Stop> {
        let limit_ms = self.limit_ms() + 2 * HAND_MS;
        let expected = "conn ONLINE after the power was back";
        let is_online = |conn: &&Conn| conn.st == ConnState::Online;
        let birth = self.until(expected, limit_ms, |seen| seen.conns[from..].iter().find(is_online).cloned()).await?;
        let (limit_ms, boot) = (self.limit_ms(), birth.boot);
        let of_boot = move |seen: &super::seen::Seen| {
            let state = seen.state.clone().filter(|_| seen.states_live > states);
            state.filter(|state| state.boot == boot && seen.boot() == boot)
        };
        let state = self.until("a state and a heartbeat of the new life", limit_ms, of_boot).await?;
        let overdue = |seen: &super::seen::Seen| {
            let state = seen.state.as_ref()?;
            state.errors.iter().any(|fault| fault.code == "OVERDUE").then_some(())
        };
        let is_overdue = self.is_oven() && self.until("OVERDUE", limit_ms / 2, overdue).await.is_ok();
        Ok(Reboot { boot_before, state, birth, is_overdue })
    }

    /// Puts something on the device, so that it is there after the reboot, as far as that can be done.
    async fn fill(&mut self) -> Result<(), Stop> {
        let task = self.task(super::work::LONG_MS);
        match self.action() {
            crate::protocol::Action::Bake => {
                let has_hand = self.needs_hand().is_ok();
                if has_hand {
                    self.run_it(&task).await?;
                }
                Ok(())
            }
            crate::protocol::Action::Prep => {
                self.run_it(&task).await?;
                let holds = |seen: &super::seen::Seen| (!seen.state.as_ref()?.holds.is_empty()).then_some(());
                self.until("the pizza in the gripper", self.limit_ms(), holds).await
            }
            _ => Ok(()),
        }
    }

    /// After a cut: the device is back, with the same boot.
    pub(super) fn expect_same_life(&self, cut: &Cut) -> Result<(), Stop> {
        let is_same = cut.after.boot == cut.before.boot;
        expect(is_same, || {
            (format!("boot {:016x}, as no power was lost", cut.before.boot), format!("{:016x}", cut.after.boot))
        })
    }
}
