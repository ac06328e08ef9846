//! Events: streams and polls that go on where they stopped.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::support::{Kitchen, client};

/// A stream of server-sent events.
pub struct Stream {
    answer: reqwest::Response,
    text: String,
}

impl Stream {
    pub async fn open(url: String, last: Option<u64>) -> Self {
        let request = client().get(url).header("accept", "text/event-stream");
        let request = if let Some(last) = last { request.header("last-event-id", last) } else { request };
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        Self { answer, text: String::new() }
    }

    /// The next message with data: its id and content.
    pub async fn next(&mut self) -> (u64, Value) {
        loop {
            if let Some((message, rest)) = self.text.split_once("\n\n") {
                let (message, rest) = (message.to_owned(), rest.to_owned());
                self.text = rest;
                let field = |name: &str| message.lines().find_map(|l| l.strip_prefix(name).map(str::trim_start));
                if let Some(data) = field("data:") {
                    return (field("id:").unwrap().parse().unwrap(), serde_json::from_str(data).unwrap());
                }
                continue;
            }
            let chunk = timeout(Duration::from_secs(20), self.answer.chunk()).await.expect("a message comes in time");
            self.text += std::str::from_utf8(&chunk.unwrap().expect("the stream goes on")).unwrap();
        }
    }

    /// Messages up to the one in which this order was accepted.
    pub async fn until_accepted(&mut self, order: &str) -> Vec<(u64, Value)> {
        let mut all = vec![];
        loop {
            let message = self.next().await;
            let accepted = accepts(&message.1, order);
            all.push(message);
            if accepted {
                return all;
            }
        }
    }
}

pub fn accepts(entry: &Value, order: &str) -> bool {
    let events = entry["events"].as_array().unwrap();
    events.iter().any(|e| e["event"] == "order_accepted" && e["order"] == order)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_resumes_gets_each_entry_once_and_in_order() {
    let kitchen = Kitchen::open(1).await;
    let mut stream = Stream::open(kitchen.url(1, "/v1/events?after=0"), None).await;
    for n in 0..3 {
        kitchen.order(&format!("o{n}")).await;
    }
    let first = stream.until_accepted("o1").await;
    drop(stream);
    for n in 3..6 {
        kitchen.order(&format!("o{n}")).await;
    }
    // The header wins over the query, as a browser repeats the first URL when it reconnects.
    let last = first.last().unwrap().0;
    let mut stream = Stream::open(kitchen.url(1, "/v1/events?after=0"), Some(last)).await;
    kitchen.order("o6").await;
    let rest = stream.until_accepted("o6").await;
    let accepted = |entries: &[(u64, Value)], n| entries.iter().filter(|(_, e)| accepts(e, &format!("o{n}"))).count();
    for n in 0..7 {
        assert_eq!(accepted(&first, n) + accepted(&rest, n), 1, "o{n}");
    }
    let ids: Vec<u64> = first.iter().chain(&rest).map(|(id, _)| *id).collect();
    assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
    assert!(first.iter().chain(&rest).all(|(id, entry)| entry["index"] == *id));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_without_a_place_begins_now() {
    let kitchen = Kitchen::open(1).await;
    kitchen.order("before").await;
    let mut stream = Stream::open(kitchen.url(1, "/v1/events"), None).await;
    kitchen.order("after").await;
    let seen = stream.until_accepted("after").await;
    assert!(!seen.iter().any(|(_, entry)| accepts(entry, "before")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_poll_waits_for_the_next_event_and_tells_where_to_go_on() {
    let kitchen = Kitchen::open(1).await;
    let state = kitchen.get("/v1/kitchen").await;
    let index: u64 = state.header("brigade-index").parse().unwrap();
    let empty = kitchen.get(&format!("/v1/events?after={index}&wait=0")).await.expect(StatusCode::OK);
    assert_eq!(empty["items"], json!([]));
    let path = format!("/v1/events?after={}&wait=20", empty["next"]);
    let (page, _) = tokio::join!(kitchen.get(&path), kitchen.order("a"));
    let page = page.expect(StatusCode::OK);
    assert!(accepts(&page["items"][0], "a"), "{page}");
    assert!(page["items"][0]["at"].as_str().unwrap().ends_with('Z'));
    assert!(page["next"].as_u64().unwrap() >= page["items"][0]["index"].as_u64().unwrap());
    // In pages of one, nothing is skipped.
    let all = kitchen.get("/v1/events?after=0&wait=0&limit=1000").await.expect(StatusCode::OK);
    let (mut after, mut count) = (json!(0), 0);
    loop {
        let page = kitchen.get(&format!("/v1/events?after={after}&wait=0&limit=1")).await.expect(StatusCode::OK);
        if page["items"] == json!([]) {
            break;
        }
        (after, count) = (page["next"].clone(), count + 1);
    }
    assert_eq!(count, all["items"].as_array().unwrap().len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_from_far_back_and_one_near_the_end_see_the_same() {
    let kitchen = Kitchen::open(1).await;
    let (mut early, mut late) = (Stream::open(kitchen.url(1, "/v1/events?after=0"), None).await, vec![]);
    for n in 0..40 {
        kitchen.order(&format!("o{n}")).await;
        // Streams that begin at every place, while the others run.
        let from = early.next().await.0;
        late.push((from, Stream::open(kitchen.url(1, &format!("/v1/events?after={from}")), None).await));
    }
    let all = early.until_accepted("o39").await;
    for (from, mut stream) in late {
        let seen = stream.until_accepted("o39").await;
        let expected: Vec<_> = all.iter().filter(|(index, _)| *index > from).collect();
        // The first ones read some before `all` began.
        let seen: Vec<_> = seen.iter().filter(|(index, _)| *index >= all[0].0).collect();
        assert_eq!(seen, expected, "behind {from}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_of_the_log_are_found_by_order_and_event_page_by_page() {
    let kitchen = Kitchen::open(1).await;
    for n in 0..5 {
        kitchen.order(&format!("o{n}")).await;
    }
    kitchen.post("/v1/orders/o3/cancellation", json!({})).await.expect(StatusCode::OK);
    let found = kitchen.get("/v1/logs?order=o3&event=order_changed").await.expect(StatusCode::OK);
    assert_eq!(found["items"].as_array().unwrap().len(), 1, "{found}");
    assert_eq!((&found["items"][0]["text"], &found["next"]), (&json!("status CANCELLED"), &json!(null)));
    assert_eq!(kitchen.get("/v1/logs?device=robot1").await.expect(StatusCode::OK)["items"], json!([]));
    let all = kitchen.get("/v1/logs?limit=1000").await.expect(StatusCode::OK);
    let (mut paged, mut after) = (vec![], json!(0));
    while !after.is_null() {
        let page = kitchen.get(&format!("/v1/logs?after={after}&limit=2")).await.expect(StatusCode::OK);
        paged.extend(page["items"].as_array().unwrap().clone());
        after = page["next"].clone();
    }
    assert_eq!(&paged, all["items"].as_array().unwrap());
    kitchen.get("/v1/logs?limit=0").await.problem(400, "bad-query");
    kitchen.get("/v1/logs?after=18446744073709551615").await.expect(StatusCode::OK);
    kitchen.get("/v1/events?wait=0&after=18446744073709551615").await.expect(StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_place_that_is_no_index_is_refused() {
    let kitchen = Kitchen::without_menu(1).await;
    let request = client().get(kitchen.url(1, "/v1/events")).header("last-event-id", "yesterday");
    crate::support::send(request).await.problem(400, "bad-query");
    kitchen.get("/v1/events?after=-1").await.problem(400, "bad-query");
}
