//! A controller driven by hand: it says what a test tells it, and remembers the latest of what devices say.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use brigade::clock;
use brigade::mqtt::{Client, Event, Options, Publication, Qos};
use brigade::protocol::*;

const PATIENCE: Duration = Duration::from_secs(15);

/// Two controllers must not share a client id: they would throw each other out.
static NEXT: AtomicU32 = AtomicU32::new(0);

/// A controller's connection and what it has heard.
pub struct Controller {
    client: Client,
    kitchen: Id,
    /// The tenure under which it speaks.
    pub epoch: Epoch,
    next: u64,
    /// What each device may start; answered to each of its heartbeats.
    pub open: BTreeMap<String, Vec<InstructionId>>,
    /// The latest state of each device.
    pub states: BTreeMap<String, State>,
    /// The latest facts of each device.
    pub facts: BTreeMap<String, Facts>,
    /// The latest word on each device's connection.
    pub conns: BTreeMap<String, Conn>,
    /// False: heartbeats are not answered.
    pub answers: bool,
}

impl Controller {
    /// Connects and subscribes as a controller does.
    pub async fn connect(broker: &str, kitchen: &Id) -> Self {
        let mut options = Options::new(broker, format!("controller-{}", NEXT.fetch_add(1, Ordering::Relaxed)));
        options.subscriptions = controller_filters(kitchen).into_iter().map(|f| (f, Qos::AtLeastOnce)).collect();
        let client = Client::connect(options).unwrap();
        let (open, states, facts, conns) = Default::default();
        let epoch = Epoch::new(1, 10);
        let mut controller =
            Self { client, kitchen: kitchen.clone(), epoch, next: 10, open, states, facts, conns, answers: true };
        while !matches!(controller.event().await, Event::Subscribed) {}
        controller
    }

    async fn event(&mut self) -> Event {
        let event = tokio::time::timeout(PATIENCE, self.client.events.next()).await;
        event.expect("something comes in time").expect("the connection stands")
    }

    /// Listens (and answers heartbeats) until this is so.
    pub async fn until<T>(&mut self, what: &str, so: impl Fn(&Self) -> Option<T>) -> T {
        let deadline = clock::boottime_ms() + 15_000;
        loop {
            if let Some(found) = so(self) {
                return found;
            }
            assert!(clock::boottime_ms() < deadline, "never came: {what}; states {:#?}", self.states);
            if let Event::Message(message) = self.event().await {
                let (_, topic) = Topic::parse(message.topic()).unwrap();
                self.hear(&topic, message.payload(), message.is_retained());
            }
        }
    }

    fn hear(&mut self, topic: &Topic, payload: &[u8], is_retained: bool) {
        let Topic::Device(device, leaf) = topic else { return };
        let name = device.to_string();
        match Message::decode(*leaf, payload).unwrap() {
            Message::State(state) => drop(self.states.insert(name, state)),
            Message::Facts(facts) => drop(self.facts.insert(name, facts)),
            Message::Conn(conn) => drop(self.conns.insert(name, conn)),
            Message::Heartbeat(beat) if !is_retained && self.answers => self.answer(device, &beat),
            _ => {}
        }
    }

    fn answer(&mut self, device: &DeviceId, beat: &Heartbeat) {
        let open = self.open.get(device.as_str()).cloned().unwrap_or_default();
        let lease = Lease { boot: beat.boot, seq: beat.seq, epoch: self.epoch, l_ms: LEASE_MS, held: false, open };
        self.say(&Topic::Device(device.clone(), Leaf::Lease), &lease.into());
    }

    /// Publishes anything.
    pub fn say(&self, topic: &Topic, message: &Message) {
        let leaf = message.leaf();
        let publication = Publication::new(topic.name(&self.kitchen), message.encode(), leaf.qos().into());
        self.client.publisher.publish(publication.retained(leaf.retain())).unwrap();
    }

    /// Instructs a device, under the boot of its latest state. The instruction's id.
    pub fn instruct(&mut self, device: &str, op: Op) -> InstructionId {
        self.next += 1;
        let id = InstructionId { index: self.next, n: 0 };
        let boot = self.states[device].boot;
        let cmd = Cmd { id, boot, epoch: self.epoch, idx: self.next, ttl_ms: 5_000, op };
        self.say(&Topic::Device(device.parse().unwrap(), Leaf::Cmd), &cmd.into());
        id
    }

    /// Instructs a task and opens it in the lease.
    pub fn start(&mut self, device: &str, task: TaskStart) -> InstructionId {
        let id = self.instruct(device, Op::TaskStart(task));
        self.open.entry(device.to_owned()).or_default().push(id);
        id
    }

    /// Waits until a task is in this state.
    pub async fn until_task(&mut self, device: &str, task: &str, state: TaskState) {
        let what = format!("{task} {state:?} on {device}");
        self.until(&what, |c| {
            let line = c.states.get(device)?.tasks.iter().find(|line| line.attempt.id.as_str() == task)?;
            (line.st == state).then_some(())
        })
        .await;
    }

    /// Waits until a device under this controller's eyes has said who and how it is, live.
    pub async fn until_known(&mut self, device: &str) {
        self.until(&format!("{device} known"), |c| {
            let is_online = c.conns.get(device)?.st == ConnState::Online;
            (is_online && c.facts.contains_key(device) && c.states.contains_key(device)).then_some(())
        })
        .await;
    }
}

/// A task for this pizza, with `ms` and the oven `oven1`, slot 0.
pub fn task(name: &str, act: Action, ms: u64) -> TaskStart {
    let params = Params {
        ms: Some(ms),
        oven: Some("oven1".parse().unwrap()),
        slot: Some(0),
        window_ms: Some(5_000),
        station: Some("robot1".parse().unwrap()),
        stage: Some("prep".parse().unwrap()),
        ..Params::default()
    };
    TaskStart {
        attempt: Attempt { id: format!("1.0.0-{name}").parse().unwrap(), att: 1 },
        pizza: "1.0.0".parse().unwrap(),
        act: act.into(),
        lane: 0,
        params,
        start_within_ms: Some(20_000),
        max_ms: Some(20_000),
        after: None,
    }
}
