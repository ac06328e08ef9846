//! Three replicas: writes find the leader, reads need a majority, streams move on.

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::events::Stream;
use crate::support::{Kitchen, ask, wait_for};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_on_a_follower_is_done_by_the_leader_and_read_back_anywhere() {
    let kitchen = Kitchen::open(3).await;
    let (leader, follower) = (kitchen.leader().await, kitchen.follower().await);
    let body = json!({ "items": ["margherita"] });
    let placed = ask(Method::PUT, kitchen.url(follower, "/v1/orders/a"), Some(body.clone())).await;
    assert_eq!(placed.header("brigade-node"), leader.to_string());
    assert_eq!(placed.header("location"), "/v1/orders/a");
    let placed = placed.expect(StatusCode::CREATED);
    for id in [1, 2, 3] {
        let shown = ask(Method::GET, kitchen.url(id, "/v1/orders/a"), None).await;
        assert_eq!(shown.header("brigade-node"), id.to_string());
        assert_eq!(shown.header("brigade-leader"), leader.to_string());
        assert_eq!(shown.expect(StatusCode::OK)["number"], placed["number"]);
        let again = ask(Method::PUT, kitchen.url(id, "/v1/orders/a"), Some(body.clone())).await;
        assert_eq!(again.expect(StatusCode::OK)["number"], placed["number"]);
    }
    // A refusal comes back as the leader said it.
    let other = json!({ "items": ["funghi"] });
    ask(Method::PUT, kitchen.url(follower, "/v1/orders/a"), Some(other)).await.problem(422, "idempotency-key-reused");
    ask(Method::DELETE, kitchen.url(follower, "/v1/orders/a"), None).await.expect(StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forwarded_write_is_not_forwarded_again() {
    let kitchen = Kitchen::open(3).await;
    let follower = kitchen.follower().await;
    let request = crate::support::client().put(kitchen.url(follower, "/v1/orders/a"));
    let request = request.header("brigade-forwarded-by", "9").json(&json!({ "items": ["margherita"] }));
    let answer = crate::support::send(request).await;
    assert_eq!(answer.header("brigade-not-applied"), "true");
    answer.problem(503, "no-leader");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_leader_is_gone_writes_wait_for_the_next_one() {
    let mut kitchen = Kitchen::open(3).await;
    let leader = kitchen.leader().await;
    let follower = kitchen.follower().await;
    let mut stream = Stream::open(kitchen.url(leader, "/v1/events?after=0"), None).await;
    ask(Method::PUT, kitchen.url(follower, "/v1/orders/before"), Some(json!({ "items": ["margherita"] }))).await;
    let seen = stream.until_accepted("before").await;
    drop(stream);
    kitchen.stop(leader).await;
    kitchen.leader().await;
    // Whoever leads now: the write finds its way, and the stream goes on behind the last entry that was seen.
    let follower = kitchen.follower().await;
    let placed =
        ask(Method::PUT, kitchen.url(follower, "/v1/orders/after"), Some(json!({ "items": ["funghi"] }))).await;
    placed.expect(StatusCode::CREATED);
    let mut stream = Stream::open(kitchen.url(follower, "/v1/events"), Some(seen.last().unwrap().0)).await;
    let rest = stream.until_accepted("after").await;
    assert!(rest[0].0 > seen.last().unwrap().0);
    assert!(!rest.iter().any(|(_, entry)| crate::events::accepts(entry, "before")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_majority_nothing_is_written_and_only_stale_reads_are_answered() {
    let mut kitchen = Kitchen::open(3).await;
    kitchen.order("a").await;
    let leader = kitchen.leader().await;
    for id in [1, 2, 3] {
        if id != leader {
            kitchen.stop(id).await;
        }
    }
    let url = |path: &str| kitchen.url(leader, path);
    let read = ask(Method::GET, url("/v1/orders/a"), None).await;
    assert_eq!(read.header("retry-after"), "1");
    read.problem(503, "no-quorum");
    ask(Method::GET, url("/v1/orders"), None).await.problem(503, "no-quorum");
    let write = ask(Method::PUT, url("/v1/orders/b"), Some(json!({ "items": ["margherita"] }))).await;
    assert_eq!(write.status, StatusCode::SERVICE_UNAVAILABLE, "{}", write.text);
    let stale = ask(Method::GET, url("/v1/orders/a?consistency=stale"), None).await;
    assert!(!stale.header("brigade-staleness-ms").is_empty(), "{:?}", stale.headers);
    assert_eq!(stale.expect(StatusCode::OK)["id"], "a");
    let ready = ask(Method::GET, url("/readyz"), None).await.expect(StatusCode::SERVICE_UNAVAILABLE);
    assert!(!ready["reasons"].as_array().unwrap().is_empty());
    let cluster = ask(Method::GET, url("/v1/cluster"), None).await.expect(StatusCode::OK);
    assert_eq!(cluster["members"].as_array().unwrap().len(), 3);
    assert_eq!(ask(Method::GET, url("/livez"), None).await.text, "ok\n");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leadership_is_handed_over_on_request() {
    let kitchen = Kitchen::open(3).await;
    let (leader, follower) = (kitchen.leader().await, kitchen.follower().await);
    let url = kitchen.url(follower, "/v1/cluster/transfer");
    ask(Method::POST, url.clone(), Some(json!({ "to": 9 }))).await.problem(422, "no-such-voter");
    let now = ask(Method::POST, url, Some(json!({ "to": follower }))).await.expect(StatusCode::OK);
    assert_ne!(now["leader"], leader);
    kitchen.order("a").await;
    let leader = kitchen.leader().await;
    let cluster = ask(Method::GET, kitchen.url(leader, "/v1/cluster"), None).await.expect(StatusCode::OK);
    assert_eq!(cluster["leader"], leader);
    let members = cluster["members"].as_array().unwrap();
    assert!(members.iter().all(|m| m["lag"].is_u64() && m["api"].is_string()), "{cluster}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_leaves_on_request_and_no_number_is_given_twice() {
    let kitchen = Kitchen::open(3).await;
    let (leader, follower) = (kitchen.leader().await, kitchen.follower().await);
    let join = |node: u64| json!({ "node": node, "peer": "127.0.0.1:9", "api": "127.0.0.1:9" });
    let ask_leader = |path: &str, body| ask(Method::POST, kitchen.url(leader, path), Some(body));
    ask_leader("/v1/cluster/join", join(follower)).await.problem(409, "members-unchanged");
    ask_leader("/v1/cluster/leave", json!({ "node": leader })).await.problem(409, "members-unchanged");
    ask_leader("/v1/cluster/leave", json!({ "node": 9 })).await.expect(StatusCode::OK);
    ask_leader("/v1/cluster/join", join(9)).await.problem(503, "catching-up");
    ask_leader("/v1/cluster/leave", json!({ "node": 9 })).await.expect(StatusCode::OK);
    let left = ask_leader("/v1/cluster/leave", json!({ "node": follower })).await.expect(StatusCode::OK);
    assert_eq!(left["members"].as_array().unwrap().len(), 2, "{left}");
    kitchen.order("a").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_would_stop_the_kitchen_is_refused_and_says_who_is_missing() {
    let mut kitchen = Kitchen::open(3).await;
    kitchen.order("a").await;
    let (leader, dead) = (kitchen.leader().await, kitchen.follower().await);
    let alive = (1..=3).find(|id| ![leader, dead].contains(id)).unwrap();
    kitchen.stop(dead).await;
    let at_leader = &kitchen.members[&leader].node;
    wait_for("silence", || (at_leader.tolerates() == 0).then_some(())).await;
    let ask_leader = |path: &str, body| ask(Method::POST, kitchen.url(leader, path), Some(body));
    let refused = ask_leader("/v1/cluster/leave", json!({ "node": alive })).await.problem(409, "quorum-at-risk");
    assert_eq!(refused["missing"], json!([dead]), "{refused}");
    let with = json!({ "node": dead, "with": 9, "peer": "127.0.0.1:9", "api": "127.0.0.1:9" });
    ask_leader("/v1/cluster/replace", with).await.problem(503, "catching-up");
    let cluster = ask(Method::GET, kitchen.url(leader, "/v1/cluster"), None).await.expect(StatusCode::OK);
    assert_eq!(cluster["tolerates"], 0);
    let members = cluster["members"].as_array().unwrap();
    assert!(members.iter().any(|m| m["node"] == 9 && m["role"] == "learner"), "{members:?}");
    assert_eq!(members.len(), 4, "the dead one is a member until the new one has caught up: {members:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_in_maintenance_hands_over_and_every_replica_says_so() {
    let kitchen = Kitchen::open(3).await;
    kitchen.order("a").await;
    let first = kitchen.leader().await;
    let set = |node: u64, on: bool| {
        let url = kitchen.url(first, "/v1/cluster/maintenance");
        ask(Method::POST, url, Some(json!({ "node": node, "on": on, "reason": "a new disk" })))
    };
    set(9, true).await.problem(409, "members-unchanged");
    set(first, true).await.expect(StatusCode::OK);
    // What a tenure's end does, and here nobody is in charge.
    kitchen.members[&first].node.hand_back().await;
    let handed_over = || kitchen.members[&first].node.leader().is_some_and(|leader| leader.node != first);
    wait_for("another leader", || handed_over().then_some(())).await;
    let second = kitchen.leader().await;
    let third = 6 - first - second;
    for at in [first, second, third] {
        let node = &kitchen.members[&at].node;
        wait_for("the word of it", || node.sideline_of(first).map(drop)).await;
        let cluster = ask(Method::GET, kitchen.url(at, "/v1/cluster"), None).await.expect(StatusCode::OK);
        let mut members = cluster["members"].as_array().unwrap().iter();
        assert!(members.any(|m| m["node"] == first && m["sideline"] == "maintenance"), "{cluster}");
    }
    let ready = ask(Method::GET, kitchen.url(first, "/readyz"), None).await.expect(StatusCode::OK);
    assert!(ready["warnings"][0].as_str().unwrap().contains("maintenance"), "{ready}");
    set(third, true).await.expect(StatusCode::OK);
    let leads = &kitchen.members[&second].node;
    wait_for("the word of it", || leads.sideline_of(third).map(drop)).await;
    set(second, true).await.problem(409, "nobody-else");
    kitchen.order("b").await;
    set(first, false).await.expect(StatusCode::OK);
    set(third, false).await.expect(StatusCode::OK);
    let audit = ask(Method::GET, kitchen.url(second, "/v1/audit?limit=50"), None).await.expect(StatusCode::OK);
    let what = format!("maintenance of node {first} begins");
    assert!(audit.to_string().contains(&what), "{audit}");
}
