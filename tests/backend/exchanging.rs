//! The exchange: what is taken, what is absorbed, what is refused.

use brigade::protocol::exchange::{ExchangeRequest, Held, LogLine, News, Outcome, Progress};
use brigade::tls::Dialer;
use reqwest::StatusCode;
use serde_json::json;

use super::kitchen::id;
use super::support::{Site, both};

fn order_news(order: &str, assignment: u64, status: Progress) -> News {
    News::Order { order: id(order), assignment, status, reason: None }
}

both! {
    async fn a_replayed_batch_is_absorbed(site: Site) {
        let mut line = site.first.register("k1").await;
        site.first.place("o1").await;
        line.turn(0).await;
        line.kitchen.say(News::Escalation { device: id("robot1"), failures: 3, within_ms: 60_000 });
        let request = line.kitchen.request();
        for _ in 0..3 {
            assert_eq!(line.send(&request, 0).await.acknowledged, 2);
        }
        assert_eq!(site.first.get("/v1/escalations").await["items"].as_array().unwrap().len(), 1);
        assert_eq!(site.first.get("/v1/orders/o1/history").await["items"].as_array().unwrap().len(), 2);
    }

    async fn outcomes_behind_a_gap_wait_until_it_is_filled(site: Site) {
        let line = site.first.register("k1").await;
        let outcome = |number| Outcome { number, wall: 0, news: News::Kitchen { status: "NORMAL".to_owned() } };
        let at = |first, outcomes| ExchangeRequest { first, outcomes, ..line.kitchen.request() };
        assert_eq!(line.send(&at(1, vec![outcome(1), outcome(3)]), 0).await.acknowledged, 1);
        assert_eq!(line.send(&at(3, vec![outcome(3)]), 0).await.acknowledged, 1);
        assert_eq!(line.send(&at(1, vec![outcome(1), outcome(2), outcome(3)]), 0).await.acknowledged, 3);
    }

    async fn a_kitchen_whose_state_was_made_anew_counts_anew(site: Site) {
        let mut line = site.first.register("k1").await;
        (0..5).for_each(|_| line.kitchen.say(News::Kitchen { status: "NORMAL".to_owned() }));
        assert_eq!(line.turn(0).await.acknowledged, 5);
        (line.kitchen.series, line.kitchen.next) = (id("s2"), 1);
        line.kitchen.say(News::Kitchen { status: "NORMAL".to_owned() });
        assert_eq!(line.turn(0).await.acknowledged, 1);
    }

    async fn the_token_of_another_kitchen_is_refused(site: Site) {
        let one = site.first.register("k1").await;
        let two = site.first.register("k2").await;
        let request = serde_json::to_value(one.kitchen.request()).unwrap();
        let (status, body) = two.try_send(&one.kitchen.id, &request, 0).await;
        assert_eq!((status, &body["type"]), (StatusCode::FORBIDDEN, &json!("urn:brigade:problem:forbidden")));
        let path = "/v1/kitchens/k1/exchange";
        assert_eq!(site.first.post(path, &request).await.0, StatusCode::FORBIDDEN);
        // And a kitchen has no business with orders or with other kitchens.
        let (status, _) = site.first.call(&one.token, reqwest::Method::GET, "/v1/orders", None).await;
        assert_eq!(status, StatusCode::FORBIDDEN);
    }

    async fn a_renewed_token_voids_the_one_before(site: Site) {
        let line = site.first.register("k1").await;
        let (status, body) = site.first.post("/v1/kitchens/k1/token", &json!({})).await;
        assert!(status.is_success() && body["token"] != line.token.as_str());
        let request = serde_json::to_value(line.kitchen.request()).unwrap();
        assert_eq!(line.try_send(&line.kitchen.id, &request, 0).await.0, StatusCode::UNAUTHORIZED);
    }

    async fn an_outcome_of_an_unknown_order_is_absorbed_and_revoked(site: Site) {
        let mut line = site.first.register("k1").await;
        line.kitchen.say(order_news("nobody-placed-this", 1, Progress::Ready));
        let answer = line.turn(0).await;
        assert_eq!(answer.acknowledged, 1);
        assert_eq!(answer.revoked, [Held { order: id("nobody-placed-this"), assignment: 1 }]);
    }

    async fn an_outcome_under_another_assignment_or_of_another_kitchen_changes_nothing(site: Site) {
        let mut line = site.first.register("k1").await;
        site.first.place("o1").await;
        let mut other = site.first.register("k2").await;
        line.kitchen.say(order_news("o1", 7, Progress::Ready));
        assert_eq!(line.turn(0).await.revoked, [Held { order: id("o1"), assignment: 7 }]);
        other.kitchen.say(order_news("o1", 1, Progress::Ready));
        assert_eq!(other.turn(0).await.revoked, [Held { order: id("o1"), assignment: 1 }]);
        assert_ne!(site.first.status("o1").await, "READY");
    }

    async fn a_kitchen_whose_clock_is_an_hour_off_is_served_like_any_other(site: Site) {
        let mut line = site.first.register("k1").await;
        line.kitchen.wall = brigade::clock::wall_ms() - 3_600_000;
        line.kitchen.clock = 77;
        site.first.place("o1").await;
        let answer = line.turn(0).await;
        assert_eq!((answer.as_of, answer.lease_ms), (77, 300_000));
        assert!(answer.assignments[0].promise_ms > 1_790_000);
        for _ in 0..4 {
            line.kitchen.work();
            line.kitchen.clock += 1_000;
            line.turn(0).await;
        }
        assert_eq!(site.first.status("o1").await, "READY");
    }

    async fn what_is_too_much_or_malformed_is_refused_whole(site: Site) {
        let line = site.first.register("k1").await;
        let outcome = |number| Outcome { number, wall: 0, news: News::Kitchen { status: "NORMAL".to_owned() } };
        let many = ExchangeRequest { outcomes: (1..=501).map(outcome).collect(), ..line.kitchen.request() };
        let k1 = line.kitchen.id.clone();
        let (status, body) = line.try_send(&k1, &serde_json::to_value(many).unwrap(), 0).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
        let text = "x".repeat(3 << 20);
        let long = LogLine { index: 1, text, ..LogLine::default() };
        let long = ExchangeRequest { logs: vec![long], ..line.kitchen.request() };
        let url = format!("{}/v1/kitchens/{k1}/exchange", line.url);
        // It is refused before it has been read, which may end the connection under the sender's hands: so it gets one of its own.
        if let Ok(response) = Dialer::plain().http().build().expect("a client").post(url).bearer_auth(&line.token).json(&long).send().await {
            assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
        }
        assert_eq!(site.first.get("/v1/logs").await["items"], json!([]));
        for broken in [json!({ "v": 1 }), json!({ "v": 2, "series": "s", "as_of": 1, "first": 1 }), json!([])] {
            assert_eq!(line.try_send(&k1, &broken, 0).await.0, StatusCode::UNPROCESSABLE_ENTITY, "{broken}");
        }
        let foreign = json!({ "v": 1, "series": "s1", "as_of": 1, "first": 1, "outcomes": [{ "number": 1, "wall": 0, "news": "rumour" }] });
        assert_eq!(line.try_send(&k1, &foreign, 0).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    }

    async fn what_is_known_to_the_kitchen_is_not_told_again_and_again(site: Site) {
        let mut line = site.first.register("k1").await;
        site.first.place("o1").await;
        line.turn(0).await;
        line.turn(0).await;
        // It holds the order, and has nothing to say: the next exchange waits, and the kitchen is not asked to hurry.
        let began = std::time::Instant::now();
        assert!(line.turn(300).await.assignments.is_empty());
        assert!(began.elapsed().as_millis() >= 300);
    }
}
