//! User and password at the brokers.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// User and password at the brokers.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BrokerUser {
    /// Name.
    pub name: String,
    /// Password.
    #[serde(default)]
    pub password: Option<String>,
    /// A file that holds it, instead.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
}

/// Without the password.
impl std::fmt::Debug for BrokerUser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "BrokerUser({})", self.name)
    }
}

impl BrokerUser {
    /// What the brokers are shown.
    pub fn credentials(&self) -> (String, String) {
        (self.name.clone(), self.read_password().unwrap_or_default())
    }

    /// What contradicts itself.
    pub(super) fn fault(&self) -> Option<String> {
        self.read_password().err()
    }

    fn read_password(&self) -> Result<String, String> {
        match (&self.password, &self.password_file) {
            (Some(password), None) => Ok(password.clone()),
            (None, Some(path)) => std::fs::read_to_string(path)
                .map(|password| password.trim_end_matches(['\r', '\n']).to_owned())
                .map_err(|error| format!("broker_user.password_file {} can't be read: {error}", path.display())),
            (Some(_), Some(_)) => Err("broker_user: use password or password_file, not both".to_owned()),
            (None, None) => Err("broker_user: password or password_file is missing".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_stands_in_the_configuration_or_in_a_file_and_is_not_shown() {
        let user = |text: &str| toml::from_str::<BrokerUser>(text).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("password");
        std::fs::write(&path, "secret word\n").unwrap();
        let file = user(&format!("name = \"c\"\npassword_file = {path:?}"));
        assert_eq!(file.credentials(), ("c".to_owned(), "secret word".to_owned()));
        assert_eq!(user("name = \"c\"\npassword = \"x\"").credentials().1, "x");
        assert!(!format!("{file:?} {:?}", user("name = \"c\"\npassword = \"secret\"")).contains("secret"));
        assert!(user("name = \"c\"").fault().is_some_and(|why| why.contains("missing")));
        let both = user(&format!("name = \"c\"\npassword = \"x\"\npassword_file = {path:?}"));
        assert!(both.fault().is_some_and(|why| why.contains("not both")));
        assert!(user("name = \"c\"\npassword_file = \"/no/such\"").fault().is_some_and(|why| why.contains("read")));
    }
}
