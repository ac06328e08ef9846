//! How mosquitto keeps a password: `$7$rounds$salt$hash`, PBKDF2 with SHA-512. Enrolling writes it, the embedded broker reads it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha2::Sha512;

use crate::secret;

/// More rounds than anybody writes: a hash that asks for them would keep a broker busy for a second.
const ROUNDS_MAX: u32 = 1_000_000;

/// `$7$rounds$salt$hash`.
pub fn hash(key: &str, salt: &[u8], rounds: u32) -> String {
    let mut out = [0; 64];
    pbkdf2::pbkdf2_hmac::<Sha512>(key.as_bytes(), salt, rounds, &mut out);
    format!("$7${rounds}${}${}", BASE64.encode(salt), BASE64.encode(out))
}

/// Whether this is the hash of this key. False also for a hash of another make.
pub fn is_hash_of(text: &str, key: &str) -> bool {
    parts(text).is_some_and(|(rounds, salt)| secret::is_same(&hash(key, &salt, rounds), text))
}

/// Whether it is a hash of this make at all.
pub fn is_hash(text: &str) -> bool {
    parts(text).is_some()
}

/// Rounds and salt.
fn parts(text: &str) -> Option<(u32, Vec<u8>)> {
    let mut parts = text.strip_prefix("$7$")?.split('$');
    let (rounds, salt, _hash) = (parts.next()?.parse().ok()?, BASE64.decode(parts.next()?).ok()?, parts.next()?);
    (1..=ROUNDS_MAX).contains(&rounds).then_some((rounds, salt))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written by `mosquitto_passwd` 2.0.11 for the password `secret`.
    const OF_MOSQUITTO: &str = "$7$101$XdEi1VXyeYDZXFoG$qZ2TsaR7XJ3x7kkVC2crjU1zxw5U4x/LcLk3ytBMucTgNSkrfx/4N5mKlIiGmfOhZUtTEHPAr/Txxz45YmkzpQ==";

    #[test]
    fn a_hash_is_the_one_that_mosquitto_computes() {
        assert!(is_hash_of(OF_MOSQUITTO, "secret"));
        assert!(!is_hash_of(OF_MOSQUITTO, "Secret"));
        for other in ["", "$6$salt$hash", "$7$x$y$z", "$7$101$?$z", "$7$9000000$YQ==$z", "secret"] {
            assert!(!is_hash(other) && !is_hash_of(other, "secret"), "{other}");
        }
    }
}
