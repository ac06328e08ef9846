//! What Brigade asks of a broker, one function a wish, each held against the embedded broker and a real mosquitto.

mod broker_v311;

use std::time::Duration;

use brigade::loopback::Claim;
use brigade::mqtt::testing::AnyBroker;
use brigade::mqtt::{Acks, Client, Error, Event, Message, Options, Publication, Qos, Session};
use broker_v311::V311;

const PATIENCE: Duration = Duration::from_secs(10);

async fn next(client: &mut Client) -> Event {
    let next = tokio::time::timeout(PATIENCE, client.events.next()).await;
    next.expect("an event comes in time").expect("the client has not ended before")
}

async fn connected(options: Options) -> (Client, bool) {
    let subscribes = !options.subscriptions.is_empty();
    let mut client = Client::connect(options).unwrap();
    let Event::Connected { session_present } = next(&mut client).await else { panic!("CONNACK comes first") };
    if subscribes {
        assert!(matches!(next(&mut client).await, Event::Subscribed));
    }
    (client, session_present)
}

async fn message(client: &mut Client) -> Message {
    match next(client).await {
        Event::Message(message) => message,
        other => panic!("a message was expected, not {other:?}"),
    }
}

async fn ended(client: &mut Client) -> Error {
    loop {
        if let Event::Ended(why) = next(client).await {
            return why;
        }
    }
}

fn say(topic: &str, payload: &str) -> Publication {
    Publication::new(topic, payload.as_bytes().to_vec(), Qos::AtLeastOnce)
}

fn listener(broker: &AnyBroker, id: &str, filter: &str) -> Options {
    let mut options = Options::new(broker.url(), id);
    options.subscriptions = vec![(filter.to_owned(), Qos::AtLeastOnce)];
    options
}

/// Runs one wish against each broker. A second message on `end/…` proves that nothing came before it.
async fn for_each_broker(wish: impl AsyncFn(&AnyBroker)) {
    for broker in AnyBroker::all() {
        println!("against the {} broker", broker.name());
        wish(&broker).await;
    }
}

#[tokio::test]
async fn qos_1_is_delivered_and_acknowledged() {
    for_each_broker(async |broker| {
        let (mut reader, _) = connected(listener(broker, "reader", "t/+")).await;
        let (writer, _) = connected(Options::new(broker.url(), "writer")).await;
        assert!(writer.publisher.is_connected());
        writer.publisher.publish_acknowledged(say("t/a", "1")).await.unwrap();
        let got = message(&mut reader).await;
        assert_eq!((got.topic(), &got.payload()[..], got.is_retained()), ("t/a", &b"1"[..], false));
        assert!(got.wants_ack());
    })
    .await;
}

#[tokio::test]
async fn messages_of_one_writer_keep_their_order() {
    for_each_broker(async |broker| {
        let (mut reader, _) = connected(listener(broker, "reader", "n")).await;
        let (writer, _) = connected(Options::new(broker.url(), "writer")).await;
        for n in 0..500 {
            writer.publisher.publish_when_room(say("n", &n.to_string())).await.unwrap();
        }
        for n in 0..500 {
            assert_eq!(message(&mut reader).await.payload(), n.to_string().as_bytes());
        }
    })
    .await;
}

#[tokio::test]
async fn retained_messages_reach_newcomers_and_are_marked() {
    for_each_broker(async |broker| {
        let (writer, _) = connected(Options::new(broker.url(), "writer")).await;
        for n in 0..200 {
            writer.publisher.publish_when_room(say(&format!("r/{n}"), "x").retained(true)).await.unwrap();
        }
        writer.publisher.publish_acknowledged(say("r/0", "").retained(true)).await.unwrap();
        let (mut reader, _) = connected(listener(broker, "reader", "r/+")).await;
        let mut topics = std::collections::BTreeSet::new();
        for _ in 1..200 {
            let got = message(&mut reader).await;
            assert!(got.is_retained());
            topics.insert(got.topic().to_owned());
        }
        assert_eq!(topics.len(), 199);
        assert!(!topics.contains("r/0"), "an empty payload takes a retained message away");
        writer.publisher.publish_acknowledged(say("r/1", "live").retained(true)).await.unwrap();
        assert!(!message(&mut reader).await.is_retained(), "who is there already hears it live");
    })
    .await;
}

#[tokio::test]
async fn a_lost_connection_publishes_the_will_and_a_goodbye_does_not() {
    for_each_broker(async |broker| {
        let (mut reader, _) = connected(listener(broker, "reader", "will/+")).await;
        let with_will = |id: &str| {
            let mut options = Options::new(broker.url(), id);
            options.will = Some(say(&format!("will/{id}"), "lost").retained(true));
            options
        };
        let (polite, _) = connected(with_will("polite")).await;
        polite.close(PATIENCE).await;
        let (rude, _) = connected(with_will("rude")).await;
        drop(rude);
        assert_eq!(message(&mut reader).await.topic(), "will/rude");
    })
    .await;
}

#[tokio::test]
async fn the_second_client_of_one_id_throws_the_first_out() {
    for_each_broker(async |broker| {
        let (mut first, _) = connected(Options::new(broker.url(), "same")).await;
        let (second, _) = connected(Options::new(broker.url(), "same")).await;
        assert!(matches!(ended(&mut first).await, Error::Ended { .. }));
        assert!(!first.publisher.is_connected());
        assert!(matches!(first.publisher.publish(say("x", "y")), Err(Error::Ended { .. })));
        second.publisher.publish_acknowledged(say("x", "y")).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn qos_1_waits_for_a_client_that_resumes_and_expires_where_told() {
    for_each_broker(async |broker| {
        let mut options = listener(broker, "sleeper", "s/+");
        options.session = Session::Resume { expiry: Duration::from_secs(60) };
        let (sleeper, session_present) = connected(options.clone()).await;
        assert!(!session_present);
        sleeper.close(PATIENCE).await;
        let (writer, _) = connected(Options::new(broker.url(), "writer")).await;
        writer.publisher.publish_acknowledged(say("s/short", "1").expiring(Duration::from_secs(1))).await.unwrap();
        writer.publisher.publish_acknowledged(say("s/long", "2")).await.unwrap();
        // The passing of the expiry is what is tested: nothing signals it.
        tokio::time::sleep(Duration::from_millis(2_100)).await;
        options.subscriptions.clear();
        let (mut sleeper, session_present) = connected(options).await;
        assert!(session_present);
        assert_eq!(message(&mut sleeper).await.topic(), "s/long");
    })
    .await;
}

#[tokio::test]
async fn what_is_not_acknowledged_comes_again() {
    for_each_broker(async |broker| {
        let mut options = listener(broker, "careful", "c");
        options.session = Session::Resume { expiry: Duration::from_secs(60) };
        options.acks = Acks::Manual;
        let (mut careful, _) = connected(options.clone()).await;
        let (writer, _) = connected(Options::new(broker.url(), "writer")).await;
        writer.publisher.publish_acknowledged(say("c", "1")).await.unwrap();
        writer.publisher.publish_acknowledged(say("c", "2")).await.unwrap();
        let first = message(&mut careful).await;
        careful.publisher.ack_when_room(&first).await.unwrap();
        message(&mut careful).await;
        // Packets are taken in order. Otherwise the next connection could take the session over before the acknowledgement is read.
        careful.publisher.publish_acknowledged(say("after-the-ack", "")).await.unwrap();
        careful.close(PATIENCE).await;
        options.subscriptions.clear();
        let (mut careful, _) = connected(options).await;
        let again = message(&mut careful).await;
        assert_eq!((&again.payload()[..], again.is_repeated()), (&b"2"[..], true));
        careful.publisher.ack(&again).unwrap();
    })
    .await;
}

#[tokio::test]
async fn old_and_new_versions_of_mqtt_meet_on_one_port() {
    for_each_broker(async |broker| {
        let (mut new, _) = connected(listener(broker, "new", "to-new")).await;
        let mut old = V311::connect(broker.address(), "old", Some(("old/will", b"lost")));
        old.subscribe("to-old");
        old.publish("to-new", b"from old");
        assert_eq!(&message(&mut new).await.payload()[..], b"from old");
        let expiring = say("to-old", "from new").expiring(Duration::from_secs(5));
        new.publisher.publish_acknowledged(expiring).await.unwrap();
        assert_eq!(old.message(), ("to-old".to_owned(), b"from new".to_vec()));
        let (mut watcher, _) = connected(listener(broker, "watcher", "old/will")).await;
        drop(old);
        assert_eq!(&message(&mut watcher).await.payload()[..], b"lost");
    })
    .await;
}

#[tokio::test]
async fn what_a_dropped_client_had_queued_is_never_sent() {
    for_each_broker(async |broker| {
        let (mut reader, _) = connected(listener(broker, "reader", "q")).await;
        let former = Client::connect(Options::new(broker.url(), "former")).unwrap();
        // Its task has not run yet: all of this is queued.
        for n in 0..100 {
            former.publisher.publish(say("q", &format!("former {n}"))).unwrap();
        }
        let publisher = former.publisher.clone();
        drop(former);
        let (present, _) = connected(Options::new(broker.url(), "former")).await;
        present.publisher.publish_acknowledged(say("q", "present")).await.unwrap();
        assert_eq!(&message(&mut reader).await.payload()[..], b"present");
        assert!(publisher.publish(say("q", "too late")).is_err());
    })
    .await;
}

#[tokio::test]
async fn a_full_queue_refuses_instead_of_growing() {
    let mut options = Options::new("mqtt://127.0.0.1:9", "nobody");
    options.capacity = 4;
    let client = Client::connect(options).unwrap();
    let outcomes: Vec<_> = (0..5).map(|_| client.publisher.publish(say("t", "x"))).collect();
    assert_eq!(outcomes.last(), Some(&Err(Error::QueueFull)));
}

#[tokio::test]
async fn a_broker_that_is_not_there_ends_the_client() {
    let nobody = Claim::of(1).unwrap();
    let mut client = Client::connect(Options::new(format!("mqtt://{}", nobody.addresses()[0]), "nobody")).unwrap();
    assert!(matches!(ended(&mut client).await, Error::Ended { .. }));
    assert!(client.events.next().await.is_none());
}

#[tokio::test]
async fn a_stopped_embedded_broker_ends_its_clients_and_frees_its_port() {
    use brigade::mqtt::broker::{self, Broker};
    let broker = Broker::start(broker::Options::loopback()).unwrap();
    let address = broker.address();
    let (mut client, _) = connected(Options::new(broker.url(), "client")).await;
    tokio::task::spawn_blocking(move || broker.stop()).await.unwrap();
    ended(&mut client).await;
    let again = Broker::start(broker::Options::new(address)).unwrap();
    connected(Options::new(again.url(), "client")).await;
}

#[tokio::test]
async fn an_embedded_broker_with_storage_keeps_retained_messages_over_a_restart() {
    use brigade::mqtt::broker::{self, Broker};
    let directory = tempfile::tempdir().unwrap();
    let options = || broker::Options { storage: Some(directory.path().into()), ..broker::Options::loopback() };
    let broker = Broker::start(options()).unwrap();
    let (writer, _) = connected(Options::new(broker.url(), "writer")).await;
    writer.publisher.publish_acknowledged(say("kept", "x").retained(true)).await.unwrap();
    writer.close(PATIENCE).await;
    tokio::task::spawn_blocking(move || broker.stop()).await.unwrap();
    let broker = Broker::start(options()).unwrap();
    let (mut reader, _) = connected(listener_at(&broker.url(), "reader", "kept")).await;
    assert!(message(&mut reader).await.is_retained());
}

fn listener_at(url: &str, id: &str, filter: &str) -> Options {
    let mut options = Options::new(url, id);
    options.subscriptions = vec![(filter.to_owned(), Qos::AtLeastOnce)];
    options
}
