//! What operators see and set: kitchens, configuration, logs, escalations, statistics, health.

use brigade::protocol::exchange::{LogLine, News};
use brigade::tls::Dialer;
use reqwest::{Method, StatusCode};
use serde_json::json;

use super::kitchen::id;
use super::support::{Site, both, plain, wait_for};

both! {
    async fn a_kitchen_shows_how_it_is(site: Site) {
        let mut line = site.first.register("k1").await;
        line.kitchen.report.feed_waiting = 3;
        line.turn(0).await;
        let kitchen = site.first.get("/v1/kitchens/k1").await;
        assert_eq!((&kitchen["status"], &kitchen["efficiency_pct"]), (&json!("NORMAL"), &json!(50)));
        assert_eq!((&kitchen["report"]["feed_waiting"], &kitchen["report"]["capacity"]["bake"]["of"]), (&json!(3), &json!(4)));
        assert_eq!(site.first.get("/v1/kitchens").await["items"].as_array().unwrap().len(), 1);
        line.kitchen.say(News::Kitchen { status: "OUT_OF_ORDER(bake)".to_owned() });
        let mut request = line.kitchen.request();
        request.report = None;
        line.send(&request, 0).await;
        assert_eq!(site.first.get("/v1/kitchens/k1").await["status"], "OUT_OF_ORDER");
    }

    async fn a_configuration_reaches_a_waiting_kitchen_and_its_refusal_is_shown(site: Site) {
        let mut line = site.first.register("k1").await;
        let document = json!({ "recipes": { "calzone": { "bake_ms": 1 } }, "settings": {} });
        let (answer, put) = tokio::join!(line.turn(10_000), async {
            site.first.put("/v1/configuration", &document).await
        });
        assert_eq!((put.0, put.1["version"].as_u64()), (StatusCode::OK, Some(1)));
        let configuration = answer.configuration.expect("it is newer");
        assert_eq!((configuration.version, configuration.recipes.len()), (1, 1));
        assert!(line.turn(0).await.configuration.is_none());
        let own = json!({ "settings": { "n_minus_1": "OFF" } });
        site.first.put("/v1/kitchens/k1/configuration", &own).await;
        let configuration = line.turn(0).await.configuration.expect("it is newer");
        assert_eq!((configuration.version, configuration.recipes.len(), configuration.settings.len()), (2, 1, 1));
        let mut request = line.kitchen.request();
        request.configuration_refused = Some("n_minus_1: no such policy".to_owned());
        line.send(&request, 0).await;
        let kitchen = site.first.get("/v1/kitchens/k1").await;
        assert_eq!(kitchen["configuration_refused"], "n_minus_1: no such policy");
        assert_eq!((&kitchen["configuration"], &kitchen["configuration_wanted"]), (&json!(2), &json!(2)));
    }

    async fn a_configuration_is_not_overwritten_by_who_has_not_read_it(site: Site) {
        let url = format!("{}/v1/configuration", site.first.url);
        let put = |etag: &'static str| {
            let request = Dialer::plain().http().build().expect("a client").put(&url).bearer_auth(&site.first.operator).header("if-match", etag);
            request.json(&json!({})).send()
        };
        let first = put("\"0\"").await.unwrap();
        assert_eq!((first.status(), first.headers()["etag"].to_str().unwrap()), (StatusCode::OK, "\"1\""));
        assert_eq!(put("\"0\"").await.unwrap().status(), StatusCode::PRECONDITION_FAILED);
        assert_eq!(put("\"1\"").await.unwrap().status(), StatusCode::OK);
    }

    async fn logs_are_kept_once_and_found_by_kitchen_order_and_device(site: Site) {
        let mut line = site.first.register("k1").await;
        let log = |index, order: Option<&str>, device: Option<&str>| LogLine {
            index,
            event: "device_changed".to_owned(),
            order: order.map(str::to_owned),
            device: device.map(str::to_owned),
            ..LogLine::default()
        };
        line.kitchen.logs = vec![log(4, Some("o1"), None), log(5, None, Some("oven1")), log(5, Some("o1"), Some("oven1"))];
        let request = line.kitchen.request();
        for _ in 0..2 {
            assert_eq!(line.send(&request, 0).await.logs_acknowledged, Some(5));
        }
        for (query, count) in [("", 3), ("?order=o1", 2), ("?device=oven1", 2), ("?kitchen=k2", 0), ("?kitchen=k1&limit=1", 1)] {
            let found = site.first.get(&format!("/v1/logs{query}")).await;
            assert_eq!(found["items"].as_array().unwrap().len(), count, "{query}");
        }
        let next = site.first.get("/v1/logs?limit=2").await["next"].as_u64().unwrap();
        assert_eq!(site.first.get(&format!("/v1/logs?after={next}")).await["items"].as_array().unwrap().len(), 1);
    }

    async fn an_escalation_is_seen_and_acknowledged(site: Site) {
        let mut line = site.first.register("k1").await;
        line.kitchen.say(News::Escalation { device: id("robot1"), failures: 3, within_ms: 600_000 });
        line.turn(0).await;
        assert_eq!(site.first.get("/v1/kitchens/k1").await["open_escalations"], 1);
        let escalation = site.first.get("/v1/escalations").await["items"][0].clone();
        assert_eq!((&escalation["device"], &escalation["failures"]), (&json!("robot1"), &json!(3)));
        let path = format!("/v1/escalations/{}/acknowledgement", escalation["id"]);
        let (status, body) = site.first.post(&path, &json!({})).await;
        assert_eq!((status, &body["acknowledged_by"]), (StatusCode::OK, &json!("ann")));
        assert_eq!(site.first.get("/v1/kitchens/k1").await["open_escalations"], 0);
        assert_eq!(site.first.post("/v1/escalations/99/acknowledgement", &json!({})).await.0, StatusCode::NOT_FOUND);
    }

    async fn statistics_sum_up_the_kitchens(site: Site) {
        for name in ["k1", "k2"] {
            let mut line = site.first.register(name).await;
            line.kitchen.report.statistics = [("pizzas_packed".to_owned(), 20)].into();
            line.turn(0).await;
        }
        site.first.place("o1").await;
        let statistics = site.first.get("/v1/statistics").await;
        assert_eq!((&statistics["sum"]["pizzas_packed"], &statistics["orders"]["assigned"]), (&json!(40), &json!(1)));
    }

    async fn monitoring_needs_no_token(site: Site) {
        let _line = site.first.register("k1").await;
        site.first.place("o1").await;
        for path in ["/livez", "/readyz", "/metrics", "/openapi.json", "/", "/brigade.css"] {
            let response = plain().get(format!("{}{path}", site.first.url)).send().await.unwrap();
            assert_eq!(response.status(), StatusCode::OK, "{path}");
        }
        wait_for("metrics", || async {
            let text = plain().get(format!("{}/metrics", site.first.url)).send().await.unwrap().text().await.unwrap();
            text.contains("brigade_backend_orders{status=\"assigned\"} 1")
                && text.contains("brigade_backend_kitchens{status=\"normal\"} 1")
        }).await;
    }

    async fn roles_are_kept_apart(site: Site) {
        let document = json!({});
        let client = site.first.client.clone();
        for (method, path) in [(Method::GET, "/v1/kitchens"), (Method::GET, "/v1/configuration"), (Method::GET, "/v1/logs")] {
            assert_eq!(site.first.call(&client, method, path, None).await.0, StatusCode::FORBIDDEN, "{path}");
        }
        assert_eq!(site.first.call(&client, Method::PUT, "/v1/kitchens/k1", Some(&document)).await.0, StatusCode::FORBIDDEN);
        let (status, body) = site.first.call("bg_nobody", Method::GET, "/v1/orders", None).await;
        assert_eq!((status, &body["type"]), (StatusCode::UNAUTHORIZED, &json!("urn:brigade:problem:unauthenticated")));
    }
}
