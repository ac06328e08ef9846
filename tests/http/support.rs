//! A kitchen of one or three replicas behind their APIs, in one process, and a client that checks every answer.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use brigade::http::{Api, ClusterInfo, Limits, Sources, access, serve};
use brigade::kitchen::NodeId;
use brigade::kitchen::recipe::built_in_menu;
use brigade::leader;
use brigade::raft::{Options, Peer, RaftNode, server};
use brigade::tls::Dialer;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::description;

/// A replica that runs.
pub struct Member {
    pub node: RaftNode,
    pub api: String,
    stop: CancellationToken,
    tasks: Vec<JoinHandle<std::io::Result<()>>>,
}

/// The replicas of one kitchen.
pub struct Kitchen {
    pub members: BTreeMap<NodeId, Member>,
    _dir: TempDir,
}

impl Kitchen {
    /// `size` replicas, one of which leads, with the built-in menu.
    pub async fn open(size: u64) -> Self {
        let kitchen = Self::without_menu(size).await;
        for recipe in built_in_menu() {
            let mut body = serde_json::to_value(&recipe).unwrap();
            let fields = body.as_object_mut().unwrap();
            fields.remove("id");
            fields.remove("version");
            kitchen.put(&format!("/v1/recipes/{}", recipe.id), body).await.expect(StatusCode::CREATED);
        }
        kitchen
    }

    pub async fn without_menu(size: u64) -> Self {
        Self::with_access(size, access::Options::open()).await
    }

    /// One without a menu whose API is for those who may use it.
    pub async fn with_access(size: u64, access: access::Options) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut sockets = BTreeMap::new();
        for id in 1..=size {
            let peer = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let api = TcpListener::bind("127.0.0.1:0").await.unwrap();
            sockets.insert(id, (peer, api));
        }
        let at = |listener: &TcpListener| listener.local_addr().unwrap().to_string();
        let peers: BTreeMap<NodeId, Peer> =
            sockets.iter().map(|(id, (peer, api))| (*id, Peer { peer: at(peer), api: at(api) })).collect();
        let mut members = BTreeMap::new();
        for (id, (peer, api)) in sockets {
            let mut options = Options::new("test", id, dir.path().join(id.to_string()), peers.clone());
            // Generous for a machine that runs many tests at once.
            (options.heartbeat_ms, options.election_min_ms, options.election_max_ms) = (100, 400, 800);
            options.propose_limit = Duration::from_secs(2);
            members.insert(id, start(options, peer, api, access.clone()).await);
        }
        for member in members.values() {
            member.node.bootstrap().await.unwrap();
        }
        let kitchen = Self { members, _dir: dir };
        kitchen.leader().await;
        kitchen
    }

    /// The replica that leads, with its majority.
    pub async fn leader(&self) -> NodeId {
        wait_for("a leader", || {
            let mut members = self.members.iter();
            let leads = |node: &RaftNode| node.is_leading() && node.quorum_age_ms().is_some_and(|age| age < 400);
            members.find(|(_, m)| leads(&m.node)).map(|(id, _)| *id)
        })
        .await
    }

    /// A replica that follows, and knows whom.
    pub async fn follower(&self) -> NodeId {
        let leader = self.leader().await;
        wait_for("a follower", || {
            let knows = |node: &RaftNode| node.leader().is_some_and(|l| l.node == leader);
            self.members.iter().find(|(id, m)| **id != leader && knows(&m.node)).map(|(id, _)| *id)
        })
        .await
    }

    /// Ends a replica: its database is closed, its ports are free.
    pub async fn stop(&mut self, id: NodeId) {
        let member = self.members.remove(&id).expect("it runs");
        member.stop.cancel();
        member.node.shutdown().await;
        for task in member.tasks {
            task.abort();
            drop(task.await);
        }
    }

    pub fn url(&self, id: NodeId, path: &str) -> String {
        format!("{}{path}", self.members[&id].api)
    }

    fn first(&self, path: &str) -> String {
        self.url(*self.members.keys().next().expect("a replica runs"), path)
    }

    pub async fn get(&self, path: &str) -> Answer {
        ask(Method::GET, self.first(path), None).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Answer {
        ask(Method::PUT, self.first(path), Some(body)).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        ask(Method::POST, self.first(path), Some(body)).await
    }

    /// Orders one margherita.
    pub async fn order(&self, id: &str) -> Value {
        self.put(&format!("/v1/orders/{id}"), json!({ "items": ["margherita"] })).await.expect(StatusCode::CREATED)
    }
}

/// A database that is open when the process ends makes it crash now and then: every replica is closed, also when a test fails.
impl Drop for Kitchen {
    fn drop(&mut self) {
        let ids: Vec<NodeId> = self.members.keys().copied().collect();
        tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(async {
                for id in ids {
                    self.stop(id).await;
                }
            });
        });
    }
}

async fn start(options: Options, peer: TcpListener, api: TcpListener, access: access::Options) -> Member {
    let node = RaftNode::start(options).await.unwrap();
    let stop = CancellationToken::new();
    let url = format!("http://{}", api.local_addr().unwrap());
    let router = Api::router(Sources { access, ..sources(&node, &stop) });
    let limits = Limits { stop: Duration::from_millis(500), ..Limits::default() };
    let tasks = vec![
        tokio::spawn(serve(peer, server::router(node.clone(), stop.clone()), Limits::for_peers(), stop.clone())),
        tokio::spawn(serve(api, router, limits, stop.clone())),
    ];
    Member { node, api: url, stop, tasks }
}

/// Hands over whenever it is asked, as a tenure does.
fn grant_wishes(node: &RaftNode) -> mpsc::Sender<leader::Wish> {
    let (wish, mut wishes) = mpsc::channel::<leader::Wish>(4);
    let node = node.clone();
    tokio::spawn(async move {
        while let Some(wish) = wishes.recv().await {
            let _ = wish.answer.send(node.transfer_leadership(wish.to).await);
        }
    });
    wish
}

/// What an API of this replica shows; nobody is in charge.
pub fn sources(node: &RaftNode, stop: &CancellationToken) -> Sources {
    let status = leader::Status { node: node.node_id(), ..leader::Status::default() };
    Sources {
        dialer: Dialer::plain(),
        wish: grant_wishes(node),
        node: node.clone(),
        leader: watch::Sender::new(status).subscribe(),
        cluster: ClusterInfo { kitchen: "test-kitchen".to_owned(), version: "0.0.0".to_owned() },
        access: access::Options::open(),
        backend_margin_ms: 0,
        more_metrics: Some(std::sync::Arc::new(brigade::telemetry::record())),
        stop: stop.clone(),
    }
}

/// An answer as it came.
pub struct Answer {
    pub status: StatusCode,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
}

impl Answer {
    /// The content, if the status is this one.
    #[track_caller]
    pub fn expect(self, status: StatusCode) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        serde_json::from_str(&self.text).unwrap()
    }

    /// The problem, if it is one of this type and status.
    #[track_caller]
    pub fn problem(self, status: u16, word: &str) -> Value {
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.text);
        let problem: Value = serde_json::from_str(&self.text).unwrap();
        assert_eq!(problem["type"], format!("urn:brigade:problem:{word}"), "{problem}");
        assert_eq!((self.status.as_u16(), &problem["status"]), (status, &json!(status)), "{problem}");
        assert!(!problem["detail"].as_str().unwrap().is_empty(), "{problem}");
        problem
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

pub fn client() -> reqwest::Client {
    Dialer::plain().http().timeout(Duration::from_secs(30)).build().unwrap()
}

pub async fn ask(method: Method, url: String, body: Option<Value>) -> Answer {
    let request = client().request(method, url);
    let request = if let Some(body) = body { request.json(&body) } else { request };
    send(request).await
}

/// Sends a request; the answer keeps to the API's description.
pub async fn send(request: reqwest::RequestBuilder) -> Answer {
    let (client, request) = request.build_split();
    let request = request.unwrap();
    let (method, path) = (request.method().to_string(), request.url().path().to_owned());
    let answer = client.execute(request).await.unwrap();
    let (status, headers) = (answer.status(), answer.headers().clone());
    assert!(headers.contains_key("brigade-node") && headers.contains_key("brigade-leader"), "{headers:?}");
    let answer = Answer { status, headers, text: answer.text().await.unwrap() };
    description::check_answer(&method, &path, &answer);
    answer
}

/// The first Some that `condition` gives; fails after half a minute.
pub async fn wait_for<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let given_up = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(Instant::now() < given_up, "waited in vain for: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
