//! Tokens: drawn, hashed and compared. A token of 256 random bits needs no slow hash.

use crate::kitchen::TokenHash;
use crate::secret;

/// What a token begins with: secret scanners find it by that.
const PREFIX: &str = "brigade_";

/// A fresh token, to be shown once. 256 bits from the system's generator.
pub fn draw() -> String {
    secret::draw(PREFIX)
}

/// What is kept of a token.
pub fn hash(token: &str) -> TokenHash {
    secret::digest(token).try_into().expect("SHA-256 has 64 digits")
}

/// Whether two hashes are the same, in a time that tells nothing of where they differ.
pub fn is_same(one: &TokenHash, other: &TokenHash) -> bool {
    secret::is_same(one.as_str(), other.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_have_256_bits_and_differ() {
        let (one, other) = (draw(), draw());
        assert_eq!(one.len(), PREFIX.len() + 64);
        assert_ne!(one, other);
        assert!(is_same(&hash(&one), &hash(&one)) && !is_same(&hash(&one), &hash(&other)));
    }

    #[test]
    fn a_hash_is_the_one_that_every_tool_computes() {
        let known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hash("abc").as_str(), known);
    }
}
