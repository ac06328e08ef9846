//! Cancelling in every state.

use brigade::protocol::exchange::{Held, Progress};
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::kitchen::id;
use super::support::{Instance, Site, both};

async fn cancel(instance: &Instance, order: &str) -> (StatusCode, Value) {
    instance.post(&format!("/v1/orders/{order}/cancellation"), &json!({ "reason": "changed my mind" })).await
}

both! {
    async fn what_is_not_begun_is_cancelled_at_once_and_the_kitchen_learns_it(site: Site) {
        let mut line = site.first.register("k1").await;
        site.first.place("assigned").await;
        let (status, body) = cancel(&site.first, "assigned").await;
        assert_eq!((status.as_u16(), body["status"].as_str()), (200, Some("CANCELLED")));
        assert!(line.turn(0).await.assignments.is_empty());
        site.first.place("accepted").await;
        line.turn(0).await;
        line.turn(0).await;
        assert_eq!(cancel(&site.first, "accepted").await.1["status"], "CANCELLED");
        assert_eq!(line.turn(0).await.revoked, [Held { order: id("accepted"), assignment: 1 }]);
        assert!(line.kitchen.held.is_empty());
        // Again: it is so already.
        assert_eq!(cancel(&site.first, "accepted").await.0, StatusCode::OK);
        assert_eq!(cancel(&site.first, "nobody").await.0, StatusCode::NOT_FOUND);
    }

    async fn an_order_that_waits_is_cancelled_at_once(site: Site) {
        let mut line = site.first.register("k1").await;
        site.first.place("o1").await;
        line.turn(0).await;
        line.kitchen.report.state = "DRAINING".to_owned();
        line.kitchen.tell(&id("o1"), Progress::Returned);
        line.turn(0).await;
        assert_eq!(site.first.status("o1").await, "WAITING");
        assert_eq!(cancel(&site.first, "o1").await.1["status"], "CANCELLED");
    }

    async fn a_cancellation_that_overtakes_starting_keeps_the_kitchen_from_beginning(site: Site) {
        let mut line = site.first.register("k1").await;
        site.first.place("o1").await;
        line.turn(0).await;
        line.turn(0).await;
        line.kitchen.tell(&id("o1"), Progress::Starting);
        cancel(&site.first, "o1").await;
        let answer = line.turn(0).await;
        assert_eq!((answer.acknowledged, answer.revoked.len()), (2, 1));
        assert!(line.kitchen.begun.is_empty());
        assert_eq!(site.first.status("o1").await, "CANCELLED");
    }

    async fn what_is_begun_is_asked_of_the_kitchen_whose_word_decides(site: Site) {
        for (order, word, end) in [
            ("gives-up", Progress::Cancelled, "CANCELLED"),
            ("too-late", Progress::Ready, "READY"),
            ("fails", Progress::Failed, "FAILED"),
            ("gives-back", Progress::Returned, "CANCELLED"),
        ] {
            let mut line = site.first.register(&format!("k-{order}")).await;
            site.first.place(order).await;
            line.turn(0).await;
            line.kitchen.work();
            line.turn(0).await;
            line.turn(0).await;
            let (status, body) = cancel(&site.first, order).await;
            assert_eq!((status.as_u16(), &body["cancel_requested"]), (200, &json!(true)), "{body}");
            let answer = line.turn(0).await;
            assert_eq!(answer.cancellations[0].order.as_str(), order);
            assert_eq!(answer.cancellations[0].reason, "changed my mind");
            line.kitchen.tell(&id(order), word);
            let answer = line.turn(0).await;
            assert!(answer.cancellations.is_empty());
            assert_eq!(site.first.status(order).await, end, "{order}");
            site.first.call(&site.first.operator, reqwest::Method::DELETE, &format!("/v1/kitchens/k-{order}"), None).await;
        }
        let (status, body) = cancel(&site.first, "too-late").await;
        assert_eq!((status.as_u16(), &body["type"]), (409, &json!("urn:brigade:problem:point-of-no-return")));
        assert_eq!(body["order_status"], "READY");
    }
}
