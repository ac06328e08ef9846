//! Leases: an order moves when it is proven that the kitchen can't begin it any more, and not a moment before.
//!
//! The instance's monotonic clock is set ahead by the test, so nobody waits five minutes.

use std::sync::atomic::Ordering;

use brigade::backend::StartedPolicy;
use brigade::protocol::exchange::{Held, Progress};
use reqwest::StatusCode;
use serde_json::json;

use super::kitchen::id;
use super::support::{Line, Site, both, wait_for};

/// Two kitchens; the first is better for margheritas, and gets the order.
async fn two_kitchens(site: &Site) -> (Line, Line) {
    let mut one = site.first.register("k1").await;
    let mut two = site.first.register("k2").await;
    two.kitchen.report.quotes.values_mut().for_each(|quote| quote.p95_ms += 600_000);
    two.turn(0).await;
    let (_, placed) = site.first.place("o1").await;
    assert_eq!(placed["kitchen"], "k1");
    one.turn(0).await;
    one.turn(0).await;
    (one, two)
}

impl Site {
    /// Time passes for the instance, with the second kitchen in contact.
    async fn pass(&self, ms: u64, two: &mut Line) {
        self.first.ahead_ms.fetch_add(ms, Ordering::Relaxed);
        two.turn(0).await;
        self.first.backend.round().await.unwrap();
    }

    async fn kitchen_of(&self, order: &str) -> String {
        self.first.get(&format!("/v1/orders/{order}")).await["kitchen"].as_str().unwrap_or("").to_owned()
    }
}

both! {
    async fn an_order_moves_only_when_lease_and_margin_are_over(site: Site) {
        let (mut one, mut two) = two_kitchens(&site).await;
        site.pass(26_000, &mut two).await;
        assert_eq!(site.first.get("/v1/kitchens/k1").await["status"], "UNREACHABLE");
        assert_eq!(site.first.get("/v1/kitchens/k2").await["status"], "NORMAL");
        site.pass(270_000, &mut two).await;
        // 296 s: within the lease. 306 s: within the margin.
        assert_eq!(site.kitchen_of("o1").await, "k1");
        site.pass(10_000, &mut two).await;
        assert_eq!(site.kitchen_of("o1").await, "k1");
        site.pass(10_000, &mut two).await;
        assert_eq!(site.kitchen_of("o1").await, "k2");
        // It comes back late, and is told what is not its own any more.
        one.kitchen.tell(&id("o1"), Progress::Starting);
        let answer = one.turn(0).await;
        assert_eq!(answer.revoked, [Held { order: id("o1"), assignment: 1 }]);
        assert!(one.kitchen.begun.is_empty() && one.kitchen.held.is_empty());
        two.turn(0).await;
        for _ in 0..4 {
            two.kitchen.work();
            two.turn(0).await;
        }
        assert_eq!(two.kitchen.begun, [Held { order: id("o1"), assignment: 2 }]);
        assert_eq!(site.first.status("o1").await, "READY");
    }

    async fn contact_in_the_last_moment_keeps_the_order(site: Site) {
        let (mut one, mut two) = two_kitchens(&site).await;
        site.pass(309_000, &mut two).await;
        one.turn(0).await;
        site.pass(10_000, &mut two).await;
        assert_eq!(site.kitchen_of("o1").await, "k1");
    }

    async fn what_is_starting_or_begun_never_moves(site: Site) {
        let (mut one, mut two) = two_kitchens(&site).await;
        site.first.place("o2").await;
        one.turn(0).await;
        one.kitchen.tell(&id("o1"), Progress::Starting);
        one.turn(0).await;
        for _ in 0..3 {
            site.pass(1_000_000, &mut two).await;
        }
        // o1 may be begun there. o2 is not.
        assert_eq!((site.kitchen_of("o1").await, site.kitchen_of("o2").await), ("k1".into(), "k2".into()));
        let (status, body) = site.first.post("/v1/orders/o2/decision", &json!({ "decision": "fail" })).await;
        assert_eq!((status.as_u16(), &body["type"]), (409, &json!("urn:brigade:problem:order-state")));
        let said = json!({ "decision": "fail", "actor": "ann", "reason": "the building burns" });
        let (status, body) = site.first.post("/v1/orders/o1/decision", &said).await;
        assert_eq!((status, body["status"].as_str()), (StatusCode::OK, Some("FAILED")));
        // The kitchen was only cut off: what it says now is absorbed.
        one.turn(0).await;
        let answer = one.turn(0).await;
        assert_eq!(answer.acknowledged, one.kitchen.next - 1);
        assert_eq!(site.first.status("o1").await, "FAILED");
    }

    async fn with_the_policy_fail_what_is_begun_out_of_reach_fails_after_a_while(site: Site) {
        site.options.started_policy = StartedPolicy::Fail;
        site.first = site.another().await;
        let (mut one, mut two) = two_kitchens(&site).await;
        one.kitchen.tell(&id("o1"), Progress::Starting);
        one.turn(0).await;
        site.pass(3_590_000, &mut two).await;
        assert_eq!(site.first.status("o1").await, "STARTING");
        site.pass(20_000, &mut two).await;
        assert_eq!(site.first.status("o1").await, "FAILED");
        // It was only cut off, and began: the order is not its own any more.
        one.turn(0).await;
        assert_eq!(one.turn(0).await.revoked, [Held { order: id("o1"), assignment: 1 }]);
    }

    async fn a_fresh_instance_counts_from_its_own_first_look(site: Site) {
        let (_one, mut two) = two_kitchens(&site).await;
        let fresh = site.another().await;
        // It may only believe what it has watched itself, however long the kitchen was silent before.
        two.url.clone_from(&fresh.url);
        fresh.ahead_ms.fetch_add(305_000, Ordering::Relaxed);
        two.turn(0).await;
        fresh.backend.round().await.unwrap();
        assert_eq!(site.kitchen_of("o1").await, "k1");
        fresh.ahead_ms.fetch_add(10_000, Ordering::Relaxed);
        two.turn(0).await;
        fresh.backend.round().await.unwrap();
        assert_eq!(site.kitchen_of("o1").await, "k2");
    }

    async fn a_retired_kitchen_keeps_its_orders_until_its_lease_is_over(site: Site) {
        let (one, mut two) = two_kitchens(&site).await;
        let (status, _) = site.first.call(&site.first.operator, reqwest::Method::DELETE, "/v1/kitchens/k1", None).await;
        assert_eq!(status, StatusCode::NO_CONTENT);
        let request = serde_json::to_value(one.kitchen.request()).unwrap();
        assert_eq!(one.try_send(&one.kitchen.id, &request, 0).await.0, StatusCode::UNAUTHORIZED);
        site.pass(300_000, &mut two).await;
        assert_eq!(site.kitchen_of("o1").await, "k1");
        site.pass(15_000, &mut two).await;
        assert_eq!(site.kitchen_of("o1").await, "k2");
    }

    async fn an_order_stays_when_nobody_else_can_take_it(site: Site) {
        let mut one = site.first.register("k1").await;
        site.first.place("o1").await;
        one.turn(0).await;
        site.first.ahead_ms.fetch_add(400_000, Ordering::Relaxed);
        site.first.backend.round().await.unwrap();
        assert_eq!(site.kitchen_of("o1").await, "k1");
        one.turn(0).await;
        assert_eq!(one.turn(0).await.revoked, []);
        // Somebody opens: the one that was silent again loses it then.
        site.first.ahead_ms.fetch_add(400_000, Ordering::Relaxed);
        let _two = site.first.register("k2").await;
        wait_for("the move", || async { site.kitchen_of("o1").await == "k2" }).await;
    }
}

/// The two transactions of which one must see the other: a move under a watched beat, and an exchange.
mod passing {
    use brigade::backend::store::{self, Store};

    use super::*;

    both! {
        async fn a_move_and_an_exchange_never_pass_each_other(site: Site) {
            let (_one, _two) = two_kitchens(&site).await;
            let store = Store::open(&site.options).await.unwrap();
            let mut moved = 0;
            for _ in 0..40 {
                let beat = store.kitchen(&id("k1")).await.unwrap().unwrap().beat;
                let held = store.write(move |c| Box::pin(async move {
                    let held = store::hold_still(c, &id("k1"), beat).await?;
                    // An exchange that begins now waits for the row, or has it already.
                    tokio::task::yield_now().await;
                    Ok(held)
                }));
                let raised = store.write(|c| Box::pin(store::raise_beat(c, &K1, 300_000, 0)));
                let (held, raised) = tokio::join!(held, raised);
                let (held, raised) = (held.unwrap(), raised.unwrap().unwrap());
                // Whoever is second sees what the first one did: held means that the beat was raised after it.
                assert_eq!(raised.beat, beat + 1);
                moved += usize::from(held);
                let again = store.write(move |c| Box::pin(async move { store::hold_still(c, &id("k1"), beat).await }));
                assert!(!again.await.unwrap(), "a beat that has passed holds nothing");
            }
            assert!(moved > 0, "no move was first: this proves little");
        }
    }

    static K1: std::sync::LazyLock<brigade::protocol::Id> = std::sync::LazyLock::new(|| id("k1"));
}
