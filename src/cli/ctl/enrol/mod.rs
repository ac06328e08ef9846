//! `brigade ctl devices enrol`: who may speak at the kitchen's brokers. It writes files and asks no replica: mosquitto's password file, rules
//! and configuration, the controllers' password, and for each device a folder with its key.
//!
//! Enrolled is not adopted: an enrolled device may speak, an adopted one gets work.

mod firmware;
mod passwords;
mod rules;

use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::table::pairs;
use super::{Failure, Out, Session, text};
use crate::config::Config;
use crate::protocol::{DeviceId, Id, Lane};
use crate::secret;
use passwords::Passwords;

/// Files in the folder, under the names that the brokers' machines have them by.
const PASSWORDS: &str = "brigade.passwd";
const RULES: &str = "brigade.acl";
const CONFIGURATION: &str = "brigade.conf";
/// The controllers' password, for `broker_user.password_file` of every node.
const CONTROLLER: &str = "controller-password";
/// The controllers' user name, where the configuration names none.
const CONTROLLER_USER: &str = "controller";
/// Ids that are words of the topics: a device of such a name would speak as somebody else.
const NO_DEVICES: [&str; 2] = ["all", "ctl"];

/// Who is enrolled, and for which kitchen.
#[derive(Clone, Debug, Args)]
pub struct Enrol {
    /// The device: its id is its user name.
    #[arg(required_unless_present = "controller")]
    id: Option<DeviceId>,
    /// The configuration of any node of the kitchen: it names kitchen and brokers.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Where the files are, or shall be.
    #[arg(long, value_name = "DIR", default_value = "mosquitto")]
    dir: PathBuf,
    /// Where mosquitto's files will lie on the brokers' machines.
    #[arg(long, value_name = "DIR", default_value = "/etc/mosquitto")]
    broker_dir: PathBuf,
    /// What it is.
    #[arg(long, value_enum, required_unless_present = "controller")]
    kind: Option<Kind>,
    /// Its grippers, slots or views; 0 alone if none is named.
    #[arg(long = "lane", value_name = "NUMBER", value_delimiter = ',')]
    lanes: Vec<Lane>,
    /// A camera: which stages it judges.
    #[arg(long = "stage", value_name = "ID", value_delimiter = ',')]
    stages: Vec<Id>,
    /// Where it stands.
    #[arg(long, value_name = "ID")]
    zone: Option<Id>,
    /// Draw another key: the one of before is good no longer.
    #[arg(long)]
    rotate: bool,
    /// The controllers' own user, in place of a device.
    #[arg(long, conflicts_with_all = ["id", "kind", "lanes", "stages", "zone"])]
    controller: bool,
}

/// Who is let in no longer.
#[derive(Clone, Debug, Args)]
pub struct Unenrol {
    /// The device.
    id: DeviceId,
    /// Where the files are.
    #[arg(long, value_name = "DIR", default_value = "mosquitto")]
    dir: PathBuf,
}

/// What a device is.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Kind {
    /// Makes pizzas and puts them into ovens
    #[value(name = "robot.before_oven")]
    BeforeOven,
    /// Takes pizzas out of ovens and finishes them
    #[value(name = "robot.after_oven")]
    AfterOven,
    /// Bakes
    Oven,
    /// Judges
    Camera,
    /// People at a tablet
    Human,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::BeforeOven => "robot.before_oven",
            Self::AfterOven => "robot.after_oven",
            Self::Oven => "oven",
            Self::Camera => "camera",
            Self::Human => "human",
        }
    }
}

/// Enrols a device, or the controllers; again, it brings the files up to date and keeps the keys.
pub fn enrol(session: &Session, enrol: &Enrol, out: Out<'_>) -> Result<(), Failure> {
    let config = Config::read(&enrol.config).map_err(|why| Failure::Enrol(why.to_string()))?;
    let controller = config.broker_user.as_ref().map_or(CONTROLLER_USER, |user| user.name.as_str());
    let user = enrol.id.as_ref().map_or(controller, DeviceId::as_str);
    check_names(enrol, user, controller)?;
    let ca = authority(session, &config)?;
    std::fs::create_dir_all(&enrol.dir).map_err(at(&enrol.dir))?;
    let path = enrol.dir.join(PASSWORDS);
    let mut passwords = Passwords::read(&path).map_err(at(&path))?;
    // Keys are on the disk before the passwords that are made of them: a crash between the two locks nobody out.
    let mut is_new = controllers(enrol, &mut passwords, controller)?;
    let mut folder = None;
    if let Some(id) = &enrol.id {
        let known = firmware::known_key(&enrol.dir, id.as_str());
        let key = known.filter(|_| !enrol.rotate);
        is_new = key.is_none();
        let key = key.map_or_else(|| draw(enrol, id, &passwords), Ok)?;
        folder = Some(firmware::write(enrol, id.as_str(), &config, ca.as_deref(), &key)?);
        passwords.set(id.as_str(), &key);
    }
    let is_changed = passwords.write(&path).map_err(at(&path))?;
    let rules = write_once(&enrol.dir.join(RULES), &rules::rules(config.kitchen.as_str(), controller))?;
    let configuration = write_once(&enrol.dir.join(CONFIGURATION), &rules::configuration(&config, &enrol.broker_dir))?;
    let answer = json!({
        "user": user, "kitchen": config.kitchen.as_str(), "key": if is_new { "new" } else { "kept" },
        "dir": enrol.dir, "broker_dir": enrol.broker_dir, "device_dir": folder,
        "rules": rules.word(), "configuration": configuration.word(),
        "reload": is_changed || rules == Written::New, "restart": configuration == Written::New,
    });
    session.print(out, &answer, enrolled)
}

/// Takes a device's password away, and its key.
pub fn unenrol(session: &Session, unenrol: &Unenrol, out: Out<'_>) -> Result<(), Failure> {
    let (id, path) = (unenrol.id.as_str(), unenrol.dir.join(PASSWORDS));
    let mut passwords = Passwords::read(&path).map_err(at(&path))?;
    if !passwords.has(id) {
        return Err(Failure::Enrol(format!("{} has no password for {id}: nothing was changed", path.display())));
    }
    passwords.remove(id);
    passwords.write(&path).map_err(at(&path))?;
    let folder = firmware::folder(&unenrol.dir, id);
    match std::fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(at(&folder)(error)),
        _ => {}
    }
    let answer = json!({ "user": id, "dir": unenrol.dir, "reload": true });
    session.print(out, &answer, unenrolled)
}

fn check_names(enrol: &Enrol, user: &str, controller: &str) -> Result<(), Failure> {
    let no = |why: String| Err(Failure::Enrol(why));
    match user {
        _ if controller.contains(':') => {
            no(format!("broker_user.name is {controller:?}: mosquitto takes no colon in a user's name"))
        }
        _ if user.contains(':') => {
            no(format!("{user} can't be a user of mosquitto, which takes no colon in a user's name: use another id"))
        }
        _ if NO_DEVICES.contains(&user) => no(format!("{user} is a word of the protocol's topics: use another id")),
        _ if enrol.id.is_some() && user == controller => {
            no(format!("{user} is the controllers' user (broker_user.name): use another id"))
        }
        _ => Ok(()),
    }
}

/// The text of who signs the brokers' certificates, where they speak TLS.
fn authority(session: &Session, config: &Config) -> Result<Option<String>, Failure> {
    if !config.brokers.iter().any(|url| url.starts_with("mqtts://")) {
        return Ok(None);
    }
    let Some(path) = &session.ca else {
        let why =
            "the brokers speak TLS: name who signs their certificates, for the device to trust, with --ca certs/ca.pem";
        return Err(Failure::Enrol(why.to_owned()));
    };
    std::fs::read_to_string(path).map(Some).map_err(at(path))
}

/// The controllers' password: drawn once, and again when it is asked for. One that is not ours stays. Whether it was drawn.
fn controllers(enrol: &Enrol, passwords: &mut Passwords, user: &str) -> Result<bool, Failure> {
    let (path, rotates) = (enrol.dir.join(CONTROLLER), enrol.controller && enrol.rotate);
    let known = std::fs::read_to_string(&path).ok().filter(|_| !rotates);
    if known.is_none() && passwords.has(user) && !rotates {
        return Ok(false);
    }
    let key = known.as_ref().map_or_else(|| secret::draw(""), |text| text.trim().to_owned());
    if known.is_none() {
        secret::write_file(&path, &format!("{key}\n"), secret::PRIVATE).map_err(at(&path))?;
    }
    passwords.set(user, &key);
    Ok(known.is_none())
}

/// A key for a device that has none here.
fn draw(enrol: &Enrol, id: &DeviceId, passwords: &Passwords) -> Result<String, Failure> {
    if passwords.has(id.as_str()) && !enrol.rotate {
        let why = format!("{id} has a password, and its key is not here (any more): --rotate draws another");
        return Err(Failure::Enrol(why));
    }
    Ok(secret::draw(""))
}

/// What became of a file that an operator may have changed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Written {
    /// It was not there.
    New,
    /// It was there, and is what it would be.
    Same,
    /// It was there, and is something else: it stays.
    Differs,
}

impl Written {
    fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Same => "same",
            Self::Differs => "differs",
        }
    }
}

fn write_once(path: &Path, text: &str) -> Result<Written, Failure> {
    match std::fs::read_to_string(path) {
        Ok(present) if present == text => Ok(Written::Same),
        Ok(_) => Ok(Written::Differs),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            secret::write_file(path, text, secret::PUBLIC).map_err(at(path))?;
            Ok(Written::New)
        }
        Err(error) => Err(at(path)(error)),
    }
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> Failure + use<> {
    let path = path.to_owned();
    move |why| Failure::File { path, why }
}

fn enrolled(a: &Value) -> String {
    let (user, dir) = (text(a, "/user"), text(a, "/dir"));
    let key = if a["key"] == "new" { "is new" } else { "stays" };
    let mut lines = vec![
        ("enrolled", format!("{user} in kitchen {}; its key {key}", text(a, "/kitchen"))),
        ("nodes", format!("broker_user.password_file is {dir}/{CONTROLLER}, on each node's machine")),
        (
            "brokers",
            format!(
                "{PASSWORDS}, {RULES} and {CONFIGURATION} of {dir} go to {} on each broker's machine",
                text(a, "/broker_dir")
            ),
        ),
    ];
    if a["device_dir"].is_string() {
        lines.insert(1, ("device", format!("it gets {}: its configuration, with the key", text(a, "/device_dir"))));
    }
    for (file, member) in [(RULES, "/rules"), (CONFIGURATION, "/configuration")] {
        if a.pointer(member).is_some_and(|word| word == "differs") {
            lines.push((
                "note",
                format!("{file} is not as this command would write it, and stays: remove it to have it written anew"),
            ));
        }
    }
    lines.push(("mosquitto", reload(a)));
    pairs(&lines)
}

/// What a broker must be told, and when.
fn reload(a: &Value) -> String {
    match (a["restart"] == true, a["reload"] == true) {
        (true, _) => format!("its configuration is new: once {CONFIGURATION} is in its place, start it anew"),
        (false, true) => "once the files are in their place, reload it on each machine (SIGHUP; systemctl reload mosquitto). It goes on, and ends the connections of keys that are good no longer".to_owned(),
        (false, false) => "nothing changed for it: no reload is needed".to_owned(),
    }
}

fn unenrolled(a: &Value) -> String {
    let user = text(a, "/user");
    pairs(&[
        ("unenrolled", format!("{user}: its password is gone from {}/{PASSWORDS}, and its key", text(a, "/dir"))),
        ("mosquitto", reload(a)),
        ("kitchen", format!("it still knows the device: brigade ctl devices retire {user}")),
    ])
}
