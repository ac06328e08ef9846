//! Mosquitto's password file: one line a user, `name:$7$rounds$salt$hash` (`mqtt::password`). What others wrote in it stays as it is.

use std::io;
use std::path::Path;

use crate::mqtt::password::{hash, is_hash_of};
use crate::secret;

/// As many as `mosquitto_passwd` takes: the keys have 256 bits, and the broker checks them on its only thread.
const ROUNDS: u32 = 101;

/// The lines of a password file.
pub struct Passwords {
    lines: Vec<String>,
    is_changed: bool,
}

impl Passwords {
    /// Those of a file; none, where there is no file yet.
    pub fn read(path: &Path) -> io::Result<Self> {
        let text = match std::fs::read_to_string(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            text => text?,
        };
        Ok(Self { lines: text.lines().map(str::to_owned).collect(), is_changed: false })
    }

    /// Whether this user has a password.
    pub fn has(&self, user: &str) -> bool {
        self.hash_of(user).is_some()
    }

    /// This user has this key from now on. Nothing changes where he has it already.
    pub fn set(&mut self, user: &str, key: &str) {
        if self.hash_of(user).is_some_and(|hash| is_hash_of(hash, key)) {
            return;
        }
        let salt: [u8; 12] = rand::random();
        let line = format!("{user}:{}", hash(key, &salt, ROUNDS));
        match self.lines.iter_mut().find(|line| is_of(line, user)) {
            Some(old) => *old = line,
            None => self.lines.push(line),
        }
        self.is_changed = true;
    }

    /// This user is let in no longer.
    pub fn remove(&mut self, user: &str) {
        let before = self.lines.len();
        self.lines.retain(|line| !is_of(line, user));
        self.is_changed |= self.lines.len() < before;
    }

    /// Writes the file, if anything changed. Whether it did.
    pub fn write(&self, path: &Path) -> io::Result<bool> {
        if self.is_changed {
            let text: String = self.lines.iter().map(|line| format!("{line}\n")).collect();
            secret::write_file(path, &text, secret::PRIVATE)?;
        }
        Ok(self.is_changed)
    }

    fn hash_of(&self, user: &str) -> Option<&str> {
        self.lines.iter().find(|line| is_of(line, user))?.split_once(':').map(|(_, hash)| hash)
    }
}

fn is_of(line: &str, user: &str) -> bool {
    line.split_once(':').is_some_and(|(name, _)| name == user)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written by `mosquitto_passwd` 2.0.11 for the password `secret`.
    const OF_MOSQUITTO: &str = "$7$101$XdEi1VXyeYDZXFoG$qZ2TsaR7XJ3x7kkVC2crjU1zxw5U4x/LcLk3ytBMucTgNSkrfx/4N5mKlIiGmfOhZUtTEHPAr/Txxz45YmkzpQ==";

    #[test]
    fn what_others_wrote_stays_and_a_key_that_is_known_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("passwd");
        std::fs::write(&path, format!("# ours\nann:{OF_MOSQUITTO}\nrobot10:old\n")).unwrap();
        let mut passwords = Passwords::read(&path).unwrap();
        passwords.set("ann", "secret");
        passwords.remove("nobody");
        assert!(!passwords.write(&path).unwrap(), "nothing changed");
        passwords.set("robot1", "key");
        assert!(passwords.has("robot1") && !passwords.has("robot"));
        passwords.remove("robot10");
        assert!(passwords.write(&path).unwrap());
        let text = std::fs::read_to_string(&path).unwrap();
        let start = format!("# ours\nann:{OF_MOSQUITTO}\nrobot1:$7$101$");
        assert!(text.starts_with(&start) && text.lines().count() == 3, "{text}");
        let mut again = Passwords::read(&path).unwrap();
        again.set("robot1", "key");
        assert!(!again.is_changed, "the same key again");
        again.set("robot1", "another");
        assert!(again.is_changed);
    }
}
