//! Placing, showing, quoting, following.

use brigade::protocol::exchange::Progress;
use brigade::tls::Dialer;
use reqwest::{Method, StatusCode};
use serde_json::json;

use super::kitchen::id;
use super::support::{Site, both, wait_for};

both! {
    async fn an_order_is_placed_once_however_often_it_is_sent(site: Site) {
        let (backend, _line) = (&site.first, site.first.register("k1").await);
        let (status, body) = backend.place("o1").await;
        assert_eq!((status, body["status"].as_str()), (StatusCode::CREATED, Some("ASSIGNED")), "{body}");
        assert_eq!(body["kitchen"], "k1");
        assert_eq!(backend.place("o1").await.0, StatusCode::OK);
        let other = json!({ "items": ["funghi"] });
        let (status, body) = backend.put("/v1/orders/o1", &other).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(body["type"], "urn:brigade:problem:idempotency-key-reused");
    }

    async fn many_who_place_the_same_order_at_once_place_one(site: Site) {
        let _line = site.first.register("k1").await;
        let calls = futures::future::join_all((0..20).map(|_| site.first.place("same"))).await;
        let created = calls.iter().filter(|(status, _)| *status == StatusCode::CREATED).count();
        assert_eq!(created, 1, "{calls:?}");
        assert!(calls.iter().all(|(status, _)| status.is_success()));
    }

    async fn an_order_reaches_a_waiting_kitchen_at_once(site: Site) {
        let mut line = site.first.register("k1").await;
        let began = std::time::Instant::now();
        let (answer, placed) = tokio::join!(line.turn(20_000), async {
            // The kitchen is certainly waiting once its contact is on record.
            wait_for("contact", || async { site.first.get("/v1/kitchens/k1").await["last_contact_at"].is_string() }).await;
            site.first.place("o1").await
        });
        assert_eq!(placed.0, StatusCode::CREATED);
        assert_eq!(answer.assignments[0].order, id("o1"));
        assert!(answer.assignments[0].promise_ms <= 1_800_000 && answer.assignments[0].promise_ms > 1_790_000);
        assert!(began.elapsed().as_millis() < 5_000);
    }

    async fn an_order_goes_its_way_and_its_history_tells_it(site: Site) {
        let mut line = site.first.register("k1").await;
        site.first.place("o1").await;
        line.turn(0).await;
        line.turn(0).await;
        assert_eq!(site.first.status("o1").await, "ACCEPTED");
        line.kitchen.work();
        // Announced, not begun: nobody has acknowledged it.
        assert!(line.kitchen.begun.is_empty());
        line.turn(0).await;
        assert_eq!((site.first.status("o1").await.as_str(), line.kitchen.begun.len()), ("STARTING", 1));
        line.turn(0).await;
        assert_eq!(site.first.status("o1").await, "IN_PROGRESS");
        line.kitchen.work();
        line.turn(0).await;
        let history = site.first.get("/v1/orders/o1/history").await;
        let states: Vec<&str> = history["items"].as_array().unwrap().iter().map(|h| h["status"].as_str().unwrap()).collect();
        assert_eq!(states, ["ASSIGNED", "ACCEPTED", "STARTING", "IN_PROGRESS", "READY"]);
        assert_eq!(history["items"][0]["why_this_kitchen"]["kitchen"], "k1");
        assert_eq!(line.kitchen.begun.len(), 1);
    }

    async fn what_nobody_can_make_is_refused_and_not_kept(site: Site) {
        let backend = &site.first;
        let (status, body) = backend.place("o1").await;
        assert_eq!((status.as_u16(), &body["type"]), (422, &json!("urn:brigade:problem:unknown-recipe")));
        let mut line = backend.register("k1").await;
        let (status, body) = backend.put("/v1/orders/o1", &json!({ "items": ["calzone"] })).await;
        assert_eq!((status.as_u16(), &body["recipe"]), (422, &json!("calzone")));
        line.kitchen.report.state = "OUT_OF_ORDER".to_owned();
        line.kitchen.report.quotes.clear();
        line.turn(0).await;
        let (status, body) = backend.place("o1").await;
        assert_eq!((status.as_u16(), &body["type"]), (503, &json!("urn:brigade:problem:no-kitchen")));
        assert_eq!(body["kitchens"][0], json!({ "kitchen": "k1", "why_not": "out of order" }));
        let (status, _) = backend.call(&backend.client, Method::GET, "/v1/orders/o1", None).await;
        assert_eq!(status, StatusCode::NOT_FOUND);
    }

    async fn a_full_pool_says_when_it_would_be_ready(site: Site) {
        let mut line = site.first.register("k1").await;
        line.kitchen.report.quotes.values_mut().for_each(|quote| quote.p95_ms = 9_000_000);
        line.turn(0).await;
        let (status, body) = site.first.place("o1").await;
        assert_eq!((status.as_u16(), &body["earliest_ms"]), (429, &json!(9_000_000)), "{body}");
    }

    async fn a_returned_order_goes_to_another_kitchen_at_once(site: Site) {
        let mut one = site.first.register("k1").await;
        let mut two = site.first.register("k2").await;
        site.first.place("o1").await;
        let had = site.first.get("/v1/orders/o1").await["kitchen"].as_str().unwrap().to_owned();
        let (first, second) = if had == "k1" { (&mut one, &mut two) } else { (&mut two, &mut one) };
        first.turn(0).await;
        first.kitchen.tell(&id("o1"), Progress::Returned);
        first.turn(0).await;
        let answer = second.turn(10_000).await;
        assert_eq!((answer.assignments[0].order.as_str(), answer.assignments[0].assignment), ("o1", 2));
    }

    async fn an_accepted_order_waits_until_a_kitchen_can_make_it(site: Site) {
        let mut line = site.first.register("k1").await;
        site.first.place("o1").await;
        line.turn(0).await;
        line.kitchen.report.state = "OUT_OF_ORDER".to_owned();
        line.kitchen.report.quotes.clear();
        line.kitchen.tell(&id("o1"), Progress::Returned);
        line.turn(0).await;
        assert_eq!(site.first.status("o1").await, "WAITING");
        // It may be given the order with its first exchange, or a moment later.
        let mut other = site.first.register("k2").await;
        while other.kitchen.held.is_empty() {
            other.turn(10_000).await;
        }
        let order = site.first.get("/v1/orders/o1").await;
        assert_eq!((&order["kitchen"], &order["assignment"]), (&json!("k2"), &json!(2)));
    }

    async fn an_order_can_be_followed_by_long_poll_and_by_events(site: Site) {
        let mut line = site.first.register("k1").await;
        site.first.place("o1").await;
        let (seen, ()) = tokio::join!(site.first.get("/v1/orders/o1?after_revision=1&wait=20"), async {
            line.turn(0).await;
            line.turn(0).await;
        });
        assert_eq!((seen["status"].as_str(), seen["revision"].as_u64()), (Some("ACCEPTED"), Some(2)));
        site.first.call(&site.first.client, Method::DELETE, "/v1/orders/o1", None).await;
        let url = format!("{}/v1/orders/o1/events", site.first.url);
        // The stream ends with the order.
        let text = Dialer::plain().http().build().expect("a client").get(url).bearer_auth(&site.first.client).send().await.unwrap().text().await.unwrap();
        assert!(text.contains("id: 3") && text.contains("CANCELLED"), "{text}");
    }

    async fn pages_show_every_order_once(site: Site) {
        let _line = site.first.register("k1").await;
        for n in 0..7 {
            site.first.place(&format!("o{n}")).await;
        }
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = site.first.get(&format!("/v1/orders?limit=3&status=open&kitchen=k1{cursor}")).await;
            seen.extend(page["items"].as_array().unwrap().iter().map(|o| o["id"].as_str().unwrap().to_owned()));
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        seen.sort();
        assert_eq!(seen, (0..7).map(|n| format!("o{n}")).collect::<Vec<_>>());
    }

    async fn a_quote_keeps_nothing_and_the_menu_shows_what_can_be_made(site: Site) {
        let _line = site.first.register("k1").await;
        let (status, quote) = site.first.post("/v1/quotes", &json!({ "items": ["margherita", "funghi"] })).await;
        assert_eq!((status.as_u16(), quote["ready_in_ms"].as_u64()), (200, Some(460_000)), "{quote}");
        assert_eq!(site.first.get("/v1/orders").await["items"], json!([]));
        let menu = site.first.get("/v1/menu").await;
        assert_eq!(menu["items"][1], json!({ "recipe": "margherita", "kitchens": 1, "ready_in_ms": 400_000 }));
    }
}
