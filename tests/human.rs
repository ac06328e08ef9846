//! A person at a tablet as a device of a real kitchen: the only robot after the oven dies, and a person takes over.
//!
//! The kitchen is a process, the line and the person's program run here; the person presses the page's buttons over HTTP, and what his hands
//! do he does to the simulated world.

mod process;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use brigade::device::human::{self, Doors, Options, Station};
use brigade::device::line::{self, Line, LineHandle};
use brigade::device::runtime;
use brigade::device::sim::{Place, World};
use brigade::protocol::Id;
use brigade::tls::Dialer;
use process::{Kitchen, brigade, run, wait_for};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// A kitchen with a line, and the tablet of a person who is its other hand after the oven.
struct Site {
    kitchen: Kitchen,
    line: Arc<LineHandle>,
    tablet: SocketAddr,
    stop: CancellationToken,
    http: reqwest::Client,
}

impl Site {
    fn open(doors: Doors) -> Self {
        let kitchen = Kitchen::open();
        let stop = CancellationToken::new();
        let name: Id = kitchen.node.kitchen.parse().unwrap();
        let mut devices = Line::built_in(name.clone(), vec![kitchen.node.broker.clone()]);
        devices.devices.retain(|d| ["robot1", "oven1", "robot3"].contains(&d.id.as_str()));
        devices.speed_pct = 6_000;
        let (broker, stopped) = (kitchen.node.broker.clone(), stop.clone());
        let (line, tablet) = kitchen.block_on(async move {
            let line = line::start(devices, stopped.clone()).unwrap();
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let tablet = listener.local_addr().unwrap();
            let device = runtime::Options::new(name, "ann".parse().unwrap(), vec![broker]);
            let options = Options { station: Station::AfterOven, zone: None, device, doors, is_simulated: false };
            tokio::spawn(human::run(options, listener, None, stopped));
            (line, tablet)
        });
        let http = Dialer::plain().http().build().unwrap();
        let site = Self { kitchen, line: Arc::new(line), tablet, stop, http };
        site.take_time();
        wait_for("everybody, adopted", || {
            let devices = site.kitchen.devices();
            (devices.len() == 4 && devices.iter().all(|d| d["standing"] == "ADOPTED")).then_some(())
        });
        site
    }

    /// A recipe that is quick, and burns late: a test takes a while to press a button.
    fn take_time(&self) {
        let mut recipe = self.kitchen.get("/v1/recipes/margherita").body;
        let fields = recipe.as_object_mut().unwrap();
        fields.retain(|name, _| name != "id" && name != "version");
        for (name, ms) in [
            ("prep_ms", 500),
            ("transfer_ms", 5_000),
            ("bake_ms", 1_000),
            ("window_ms", 120_000),
            ("stale_ms", 600_000),
        ] {
            fields.insert(name.to_owned(), json!(ms));
        }
        assert_eq!(self.kitchen.put("/v1/recipes/margherita", recipe.to_string()).status, 200);
    }

    fn ask(&self, path: &str) -> Value {
        self.kitchen.block_on(async {
            let answer = self.http.get(format!("http://{}{path}", self.tablet)).send().await.unwrap();
            answer.json().await.unwrap()
        })
    }

    fn say(&self, path: &str, body: Value) -> (u16, Value) {
        self.kitchen.block_on(say(&self.http, self.tablet, path, body))
    }

    fn person(&self) -> Value {
        self.kitchen.get("/v1/devices/ann").body
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn say(http: &reqwest::Client, tablet: SocketAddr, path: &str, body: Value) -> (u16, Value) {
    let answer = http.post(format!("http://{tablet}{path}")).json(&body).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap_or_default())
}

/// A person who does what his tablet says, until he is told to go home.
struct Worker {
    goes: Arc<AtomicBool>,
    done: Arc<Mutex<Vec<String>>>,
}

impl Worker {
    fn begins(site: &Site) -> Self {
        let (goes, done) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let (http, tablet, line) = (site.http.clone(), site.tablet, site.line.clone());
        let (going, doing) = (goes.clone(), done.clone());
        site.kitchen.block_on(async move {
            tokio::spawn(async move {
                let mut after = String::new();
                while !going.load(Ordering::Relaxed) {
                    let desk: Value =
                        http.get(format!("http://{tablet}/desk{after}")).send().await.unwrap().json().await.unwrap();
                    after = format!("?after={}", desk["change"]);
                    if desk["task"].is_object() {
                        obey(&http, tablet, line.world(), &desk["task"], &doing).await;
                    }
                }
            });
        });
        Self { goes, done }
    }

    fn goes_home(&self) {
        self.goes.store(true, Ordering::Relaxed);
    }
}

/// One step: begin what is asked, or do it and say so.
async fn obey(http: &reqwest::Client, tablet: SocketAddr, world: &World, task: &Value, done: &Mutex<Vec<String>>) {
    let word = if task["state"] == "WAITING" { "start" } else { "done" };
    if word == "done" {
        let hands = Place::new("ann".parse::<Id>().unwrap(), 0);
        let oven = Place::new("oven1".parse::<Id>().unwrap(), 0);
        match task["act"].as_str().unwrap() {
            "unload" => drop(world.carry(&oven, hands).expect("it lies in the oven")),
            "finish" => drop(world.take_away(&hands).expect("he holds it")),
            "discard" => drop(world.take_away(&hands).or_else(|| world.take_away(&oven))),
            other => panic!("a person after the oven was asked to {other}"),
        }
        done.lock().unwrap().push(task["act"].as_str().unwrap().to_owned());
    }
    let body = json!({ "task": task["task"], "att": task["att"], "word": word });
    let (status, answer) = say(http, tablet, "/desk/word", body).await;
    assert!(status == 200 || status == 409, "{word}: {answer}");
}

#[test]
fn a_person_takes_over_when_the_only_robot_after_the_oven_is_lost() {
    let site = Site::open(Doors::default());
    assert_eq!(site.person()["kind"], "human");
    // Nobody has said that he works: he counts for nothing.
    wait_for("a person who is away", || (site.person()["mode"] == "MANUAL").then_some(()));
    assert!(site.line.kill(&"robot3".parse().unwrap()));
    wait_for("a kitchen that can't finish", || {
        let status = site.kitchen.get("/v1/kitchen").body["status"].to_string();
        (status.contains("OUT_OF_ORDER") && status.contains("finish")).then_some(())
    });
    site.kitchen.order("a");
    let worker = Worker::begins(&site);
    assert_eq!(site.say("/desk/presence", json!({ "works": true })).0, 200);
    site.kitchen.wait_until_ready("a");
    worker.goes_home();
    assert_eq!(*worker.done.lock().unwrap(), ["unload", "finish"]);
    assert_eq!(site.person()["successes_total"], 2);
}

#[test]
fn without_his_page_a_person_gets_nothing_and_with_it_he_is_back() {
    let site = Site::open(Doors::default());
    site.say("/desk/presence", json!({ "works": true }));
    wait_for("the person, at work", || (site.person()["mode"] == "AUTOMATIC").then_some(()));
    // The tablet's battery is dead: nobody asks any more.
    wait_for("the person, away", || (site.person()["mode"] == "MANUAL").then_some(()));
    assert_eq!(site.person()["state"], "SUSPENDED");
    wait_for("the person, back at work", || {
        assert_eq!(site.ask("/desk")["works"], true, "his word is remembered");
        (site.person()["mode"] == "AUTOMATIC").then_some(())
    });
    site.say("/desk/presence", json!({ "works": false }));
    wait_for("the person, busy elsewhere", || {
        site.ask("/desk");
        (site.person()["mode"] == "MANUAL").then_some(())
    });
}

#[test]
fn a_reload_shows_the_same_and_a_second_word_counts_for_nothing() {
    let site = Site::open(Doors::default());
    assert!(site.line.kill(&"robot3".parse().unwrap()));
    site.say("/desk/presence", json!({ "works": true }));
    site.kitchen.order("a");
    let task = wait_for("something to do", || Some(site.ask("/desk")["task"].clone()).filter(Value::is_object));
    assert_eq!(
        (&task["act"], &task["state"], &task["from"]),
        (&json!("unload"), &json!("WAITING"), &json!("oven1, slot 0"))
    );
    let again = site.ask("/desk")["task"].clone();
    assert_eq!((&again["task"], &again["att"]), (&task["task"], &task["att"]));
    let word = |word: &str, att: &Value| json!({ "task": task["task"], "att": att, "word": word, "code": "BLOCKED" });
    // Not begun, not his, not a reason.
    assert_eq!(site.say("/desk/word", word("done", &task["att"])).0, 409);
    assert_eq!(site.say("/desk/word", word("start", &json!(99))).0, 409);
    assert_eq!(site.say("/desk/word", word("start", &task["att"])).0, 200);
    wait_for("the task under way", || (site.ask("/desk")["task"]["state"] == "RUNNING").then_some(()));
    assert_eq!(site.say("/desk/word", word("start", &task["att"])).0, 409);
    let mut wrong = word("failed", &task["att"]);
    wrong["code"] = json!("TIRED");
    assert_eq!(site.say("/desk/word", wrong).0, 422);
    assert_eq!(site.say("/desk/word", word("failed", &task["att"])).0, 200);
    assert_eq!(site.say("/desk/word", word("failed", &task["att"])).0, 409);
    wait_for("the failure on record", || (site.person()["failures_total"] == 1).then_some(()));
}

#[test]
fn a_tablet_opens_to_its_token_and_its_own_page_alone() {
    let doors = Doors { names: vec!["tablet.local".to_owned()], token: Some(Doors::digest("a token of this tablet")) };
    let site = Site::open(doors);
    let send = |change: &dyn Fn(reqwest::RequestBuilder) -> reqwest::RequestBuilder| {
        let request = site.http.post(format!("http://{}/desk/presence", site.tablet)).json(&json!({ "works": true }));
        site.kitchen.block_on(async { change(request).send().await.unwrap().status().as_u16() })
    };
    let token = "a token of this tablet";
    assert_eq!(send(&|r| r), 401);
    assert_eq!(send(&|r| r.bearer_auth("another token")), 401);
    assert_eq!(send(&|r| r.bearer_auth(token).header("origin", "http://elsewhere.example")), 403);
    assert_eq!(send(&|r| r.bearer_auth(token).header("origin", "null")), 403);
    // A name server elsewhere says that its name is this machine.
    assert_eq!(send(&|r| r.bearer_auth(token).header("host", "elsewhere.example")), 421);
    // A form can be sent from anywhere, and is no JSON.
    let form = site.http.post(format!("http://{}/desk/presence", site.tablet)).body("{\"works\":true}");
    let form = form.header("content-type", "text/plain").bearer_auth(token);
    assert_eq!(site.kitchen.block_on(async { form.send().await.unwrap().status().as_u16() }), 422);
    let own = |r: reqwest::RequestBuilder| r.header("host", "tablet.local").header("origin", "https://tablet.local");
    assert_eq!(send(&|r| own(r).bearer_auth(token)), 200);
    let page = site.kitchen.block_on(async { site.http.get(format!("http://{}/", site.tablet)).send().await.unwrap() });
    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.starts_with("default-src 'none'") && page.status() == 200, "{policy}");
}

#[test]
fn a_page_that_others_reach_needs_a_token() {
    let refused = run(brigade(&["human", "--id", "ann", "--listen", "0.0.0.0:0"]));
    assert_eq!(refused.code(), 1);
    assert!(refused.stderr.contains("name a --token-file"), "{}", refused.stderr);
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let file = std::env::temp_dir().join(format!(
        "brigade-short-{}-{}",
        std::process::id(),
        COUNT.fetch_add(1, Ordering::Relaxed)
    ));
    std::fs::write(&file, "short\n").unwrap();
    let refused =
        run(brigade(&["human", "--id", "ann", "--listen", "0.0.0.0:0", "--token-file", &file.to_string_lossy()]));
    std::fs::remove_file(&file).unwrap();
    assert!(refused.stderr.contains("too short"), "{}", refused.stderr);
}
