//! Tokens: drawn, hashed and compared. A token of 256 random bits needs no slow hash.

use std::hint::black_box;

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
    let words = |hash: &TokenHash| -> [u64; 8] {
        let digits: [[u8; 8]; 8] =
            std::array::from_fn(|n| hash.as_str().as_bytes()[8 * n..][..8].try_into().expect("8 of 64"));
        digits.map(u64::from_ne_bytes)
    };
    let pairs = words(one).into_iter().zip(words(other));
    // What is gathered is hidden from the compiler, so that it can't stop early.
    pairs.fold(0, |differs, (a, b)| black_box(differs | (a ^ b))) == 0
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

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

    /// The quickest of many batches: the rest is the machine.
    fn quickest(one: &TokenHash, other: &TokenHash) -> Duration {
        let batch = || {
            let begun = Instant::now();
            for _ in 0..2_000 {
                black_box(is_same(black_box(one), black_box(other)));
            }
            begun.elapsed()
        };
        (0..200).map(|_| batch()).min().expect("there are batches")
    }

    #[test]
    fn comparing_takes_as_long_wherever_two_hashes_differ() {
        let with = |at: usize| {
            let mut digits = "0".repeat(64);
            digits.replace_range(at..=at, "f");
            TokenHash::try_from(digits).expect("64 digits")
        };
        let same = TokenHash::try_from("0".repeat(64)).expect("64 digits");
        let times = [with(0), with(63), same.clone()].map(|other| quickest(&same, &other).as_nanos());
        let (least, most) = (times.iter().min().expect("three"), times.iter().max().expect("three"));
        // One that stops at the first difference is tens of times as quick.
        assert!(most * 2 < least * 5, "{times:?}");
    }
}
