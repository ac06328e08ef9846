//! Who is let into the embedded broker, and what he may say and hear there: by the two files that mosquitto reads, so that enrolling is the same for both.
//!
//! Nobody comes in without a name and its key. The files are read again while the broker runs; whoever's key is good no longer is put out. A file that is
//! not understood then changes nothing, and the log says so.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, RwLock, RwLockReadGuard};
use std::time::Duration;

use mqtt5::broker::auth::{AuthProvider, AuthResult};
use mqtt5::broker::router::MessageRouter;
use mqtt5::packet::connect::ConnectPacket;
use mqtt5::protocol::v5::reason_codes::ReasonCode;

use super::access::{Access, Known};
use super::rules::Rules;
use crate::mqtt::password;

/// Between two looks at the files.
const LOOK: Duration = Duration::from_secs(2);

const UNPOISONED: &str = "nothing panics while it holds this lock";

/// Lets people in, and judges what they do.
pub(super) struct Doorman {
    access: Access,
    known: RwLock<Known>,
    guests: Mutex<Guests>,
}

/// Connections by client id and user: a client id is chosen by the client, who may choose another's.
type Guests = BTreeMap<(String, String), Guest>;

struct Guest {
    /// Of the key with which he came in.
    hash: String,
    /// Not connected at the last look: he may be at the door still.
    was_away: bool,
}

type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

impl Doorman {
    pub(super) fn new(access: Access) -> Result<Self, String> {
        let known = RwLock::new(Known::read(&access)?);
        Ok(Self { access, known, guests: Mutex::default() })
    }

    /// Reads the files again from time to time, as long as the broker runs.
    pub(super) async fn follow(self: Arc<Self>, router: Arc<MessageRouter>) {
        loop {
            tokio::time::sleep(LOOK).await;
            for client_id in self.look() {
                router.disconnect_client(&client_id).await;
            }
            let guests: Vec<String> = self.guests().keys().map(|(client_id, _)| client_id.clone()).collect();
            let mut here = Vec::new();
            for client_id in guests {
                if router.is_connected(&client_id).await {
                    here.push(client_id);
                }
            }
            self.forget_all_but(&here);
        }
    }

    /// Takes up what stands in the files. The clients that must go for it: those of another key, and all if the rules have changed, as
    /// they may hear what they no longer should.
    fn look(&self) -> Vec<String> {
        let new = match Known::read(&self.access) {
            Ok(new) if new == *self.known() => return Vec::new(),
            Ok(new) => new,
            Err(error) => {
                tracing::warn!(%error, "Users and rules of the embedded broker stay as they were: {error}");
                return Vec::new();
            }
        };
        // In the order in which `admit` takes them.
        let mut known = self.known.write().expect(UNPOISONED);
        let guests = self.guests();
        let has_new_rules = new.rules != known.rules;
        let must_go = |user: &String, guest: &Guest| has_new_rules || new.hashes.get(user) != Some(&guest.hash);
        let gone = guests.iter().filter(|((_, user), guest)| must_go(user, guest));
        let gone: Vec<String> = gone.map(|((client_id, _), _)| client_id.clone()).collect();
        let users = new.hashes.len();
        *known = new;
        tracing::info!(
            users,
            ended = gone.len(),
            "The embedded broker knows {users} users now; {} connections end for it",
            gone.len()
        );
        gone
    }

    /// Somebody who is away at two looks is gone.
    fn forget_all_but(&self, here: &[String]) {
        self.guests().retain(|(client_id, _), guest| {
            let is_away = !here.contains(client_id);
            let was_away = std::mem::replace(&mut guest.was_away, is_away);
            !(is_away && was_away)
        });
    }

    /// The user's name, if he is let in.
    fn admit(&self, client_id: &str, user: Option<&str>, key: Option<&[u8]>) -> Result<String, &'static str> {
        let user = user.ok_or("it gives no name")?;
        let key = key.ok_or("it gives no key")?;
        // As in mosquitto: such a name could widen a pattern.
        if user.contains(['+', '#', '/']) {
            return Err("its name has a character of topics");
        }
        let known = self.known();
        let hash = known.hashes.get(user).ok_or("nobody of that name is enrolled")?;
        let is_right = std::str::from_utf8(key).is_ok_and(|key| password::is_hash_of(hash, key));
        if !is_right {
            return Err("its key is another");
        }
        let guest = Guest { hash: hash.clone(), was_away: false };
        // Before `known` is let go: who comes in by an old key while the files are read again is seen by that look.
        self.guests().insert((client_id.to_owned(), user.to_owned()), guest);
        Ok(user.to_owned())
    }

    /// Someone who was taken out of the file has no say, even before his connection is ended.
    fn may(&self, user: Option<&str>, rule: impl Fn(&Rules, &str) -> bool) -> bool {
        let known = self.known();
        user.is_some_and(|user| known.hashes.contains_key(user) && rule(&known.rules, user))
    }

    fn known(&self) -> RwLockReadGuard<'_, Known> {
        self.known.read().expect(UNPOISONED)
    }

    fn guests(&self) -> MutexGuard<'_, Guests> {
        self.guests.lock().expect(UNPOISONED)
    }
}

impl AuthProvider for Doorman {
    fn authenticate<'a>(&'a self, connect: &'a ConnectPacket, _: SocketAddr) -> Answer<'a, mqtt5::Result<AuthResult>> {
        let (client, user) = (connect.client_id.as_str(), connect.username.as_deref());
        let admitted = self.admit(client, user, connect.password.as_deref());
        if let Err(why) = admitted {
            let user = user.unwrap_or_default();
            tracing::info!(client, user, "{client} is not let in at the embedded broker: {why}");
        }
        let answer = match admitted {
            Ok(user) => AuthResult::success_with_user(user),
            Err(_) => AuthResult::fail(ReasonCode::NotAuthorized),
        };
        Box::pin(std::future::ready(Ok(answer)))
    }

    fn authorize_publish<'a>(&'a self, _: &str, user: Option<&'a str>, topic: &'a str) -> Answer<'a, bool> {
        Box::pin(std::future::ready(self.may(user, |rules, user| rules.may_write(user, topic))))
    }

    fn authorize_subscribe<'a>(&'a self, _: &str, user: Option<&'a str>, filter: &'a str) -> Answer<'a, bool> {
        Box::pin(std::future::ready(self.may(user, |rules, user| rules.may_read(user, filter))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A kitchen's door, with its files.
    struct Door {
        dir: tempfile::TempDir,
        doorman: Doorman,
    }

    const RULES: &str = "pattern write k/%u/facts\npattern read k/%u/cmd\n";

    fn line(user: &str, key: &str) -> String {
        format!("{user}:{}\n", password::hash(key, b"salt", 1))
    }

    impl Door {
        fn new(passwords: &str) -> Self {
            let dir = tempfile::tempdir().unwrap();
            let file = |name: &str, text: &str| {
                std::fs::write(dir.path().join(name), text).unwrap();
                dir.path().join(name)
            };
            let access = Access { password_file: file("passwd", passwords), acl_file: file("acl", RULES) };
            Self { doorman: Doorman::new(access).unwrap(), dir }
        }

        fn write(&self, name: &str, text: &str) {
            std::fs::write(self.dir.path().join(name), text).unwrap();
        }

        fn lets_in(&self, client_id: &str, user: Option<&str>, key: Option<&str>) -> bool {
            self.doorman.admit(client_id, user, key.map(str::as_bytes)).is_ok()
        }

        fn may_say(&self, user: Option<&str>, topic: &str) -> bool {
            self.doorman.may(user, |rules, user| rules.may_write(user, topic))
        }
    }

    #[test]
    fn nobody_comes_in_without_his_own_key() {
        let door = Door::new(&[line("robot1", "one"), line("robot2", "two"), line("a/b", "three")].concat());
        assert!(door.lets_in("c", Some("robot1"), Some("one")));
        let refused = [
            (None, None),
            (None, Some("one")),
            (Some("robot1"), None),
            (Some("robot1"), Some("")),
            (Some("robot1"), Some("two")),
            (Some("robot3"), Some("one")),
            (Some("a/b"), Some("three")),
        ];
        for (user, key) in refused {
            assert!(!door.lets_in("c", user, key), "{user:?} {key:?}");
        }
        assert!(door.may_say(Some("robot1"), "k/robot1/facts") && !door.may_say(Some("robot1"), "k/robot2/facts"));
        assert!(!door.may_say(None, "k/robot1/facts"), "without a name");
    }

    #[test]
    fn whose_key_has_changed_is_put_out_and_nobody_else() {
        let door = Door::new(&[line("robot1", "one"), line("robot2", "two"), line("robot3", "three")].concat());
        for (user, key) in [("robot1", "one"), ("robot2", "two"), ("robot3", "three")] {
            assert!(door.lets_in(user, Some(user), Some(key)));
        }
        assert!(door.doorman.look().is_empty(), "nothing has changed");
        door.write("passwd", &[line("robot1", "new"), line("robot2", "two")].concat());
        assert_eq!(door.doorman.look(), ["robot1", "robot3"]);
        assert!(!door.may_say(Some("robot3"), "k/robot3/facts"), "gone from the file, and from then on without a say");
        assert!(
            !door.lets_in("robot1", Some("robot1"), Some("one")) && door.lets_in("robot1", Some("robot1"), Some("new"))
        );
    }

    #[test]
    fn new_rules_put_everybody_out_and_a_file_that_is_not_understood_changes_nothing() {
        let door = Door::new(&line("robot1", "one"));
        assert!(door.lets_in("c", Some("robot1"), Some("one")));
        door.write("acl", "pattern deny k/%u/facts\n");
        assert!(door.doorman.look().is_empty() && door.may_say(Some("robot1"), "k/robot1/facts"));
        door.write("passwd", "robot1:secret\n");
        door.write("acl", RULES);
        assert!(door.doorman.look().is_empty() && door.lets_in("c", Some("robot1"), Some("one")));
        door.write("passwd", &line("robot1", "one"));
        door.write("acl", "pattern read k/%u/cmd\n");
        assert_eq!(door.doorman.look(), ["c"]);
        assert!(!door.may_say(Some("robot1"), "k/robot1/facts"));
    }

    #[test]
    fn who_is_away_at_two_looks_is_forgotten_and_who_is_at_the_door_is_not() {
        let door = Door::new(&line("robot1", "one"));
        let guests = || door.doorman.guests().len();
        for client_id in ["here", "gone"] {
            assert!(door.lets_in(client_id, Some("robot1"), Some("one")));
        }
        door.doorman.forget_all_but(&["here".to_owned()]);
        assert_eq!(guests(), 2);
        door.doorman.forget_all_but(&["here".to_owned()]);
        assert_eq!(guests(), 1);
    }
}
