//! Arbitrary bytes, and valid ones that were damaged: flipped, cut, spliced, repeated, with extreme numbers and deep nesting. `survives`
//! says what every decoder owes. It knows no format; also included by the tests inside `src/raft/` and `src/http/`.

use std::fmt::Display;

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::TestCaseResult;

/// One kind of damage.
#[derive(Clone, Debug)]
enum Damage {
    Flip(Index, u8),
    Set(Index, u8),
    Cut(Index, Index),
    Splice(Index, Index, Index, usize),
    Repeat(Index, usize, usize),
    Number(Index, &'static str),
    Nest(Index, &'static [u8], usize),
    Insert(Index, Vec<u8>),
}

const NUMBERS: [&str; 12] = [
    "-1",
    "0",
    "255",
    "256",
    "65536",
    "4294967296",
    "9223372036854775807",
    "18446744073709551615",
    "18446744073709551616",
    "-9223372036854775808",
    "1e400",
    "0.1234567890123456789",
];

/// Openings of JSON, TOML and MessagePack; the last three claim four billion bytes, elements and pairs that never come.
const OPENINGS: [&[u8]; 9] = [
    b"[",
    b"{\"a\":",
    b"a.",
    b"[[",
    b"\x91",
    b"\x81\xa1a",
    b"\xc6\xff\xff\xff\xff",
    b"\xdd\xff\xff\xff\xff",
    b"\xdf\xff\xff\xff\xff",
];

fn damage() -> impl Strategy<Value = Damage> {
    let at = any::<Index>;
    let number = prop::sample::select(NUMBERS.to_vec());
    let opening = prop::sample::select(OPENINGS.to_vec());
    prop_oneof![
        (at(), 0..8u8).prop_map(|(at, bit)| Damage::Flip(at, bit)),
        (at(), any::<u8>()).prop_map(|(at, byte)| Damage::Set(at, byte)),
        (at(), at()).prop_map(|(from, to)| Damage::Cut(from, to)),
        (at(), at(), at(), 1..60usize).prop_map(|(of, from, at, length)| Damage::Splice(of, from, at, length)),
        (at(), 1..40usize, 2..60usize).prop_map(|(at, length, times)| Damage::Repeat(at, length, times)),
        (at(), number).prop_map(|(at, number)| Damage::Number(at, number)),
        (at(), opening, prop_oneof![Just(1usize), 2..200usize, Just(5_000)])
            .prop_map(|(at, opening, times)| Damage::Nest(at, opening, times)),
        (at(), prop::collection::vec(any::<u8>(), 1..9)).prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
    ]
}

/// A member of the corpus, whole or damaged up to four times; now and then something arbitrary.
pub fn mutated(corpus: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let damages = prop::collection::vec(damage(), 0..5);
    let valid = (any::<Index>(), damages).prop_map(move |(which, damages)| {
        let bytes = which.get(&corpus).clone();
        damages.into_iter().fold(bytes, |bytes, damage| damage.done_to(bytes, &corpus))
    });
    prop_oneof![9 => valid, 1 => prop::collection::vec(any::<u8>(), 0..400)]
}

impl Damage {
    fn done_to(self, mut bytes: Vec<u8>, corpus: &[Vec<u8>]) -> Vec<u8> {
        let place = |at: Index, bytes: &[u8]| at.index(bytes.len() + 1);
        match self {
            _ if bytes.is_empty() => {}
            Self::Flip(at, bit) => *at.get_mut(&mut bytes) ^= 1 << bit,
            Self::Set(at, byte) => *at.get_mut(&mut bytes) = byte,
            Self::Cut(from, to) => {
                let (a, b) = (place(from, &bytes), place(to, &bytes));
                bytes.drain(a.min(b)..a.max(b));
            }
            Self::Splice(of, from, at, length) => {
                let other = of.get(corpus);
                let from = place(from, other);
                let piece = other[from..other.len().min(from + length)].to_vec();
                let at = place(at, &bytes);
                bytes.splice(at..at, piece);
            }
            Self::Repeat(at, length, times) => {
                let at = place(at, &bytes);
                let piece = bytes[at..bytes.len().min(at + length)].repeat(times);
                bytes.splice(at..at, piece);
            }
            Self::Number(at, number) => replace_number(&mut bytes, at, number),
            Self::Nest(at, opening, times) => {
                let at = place(at, &bytes);
                bytes.splice(at..at, opening.repeat(times));
            }
            Self::Insert(at, piece) => {
                let at = place(at, &bytes);
                bytes.splice(at..at, piece);
            }
        }
        bytes
    }
}

/// Puts the number in the place of one that stands there as text, if there is any.
fn replace_number(bytes: &mut Vec<u8>, at: Index, number: &str) {
    let begins = |n: &usize| bytes[*n].is_ascii_digit() && (*n == 0 || !bytes[*n - 1].is_ascii_digit());
    let numbers: Vec<usize> = (0..bytes.len()).filter(begins).collect();
    if numbers.is_empty() {
        return;
    }
    let from = *at.get(&numbers);
    let to = bytes[from..].iter().position(|b| !b.is_ascii_digit()).map_or(bytes.len(), |n| from + n);
    bytes.splice(from..to, number.bytes());
}

/// What every decoder owes: no panic; an error that says what is wrong, in one piece; or a value that encodes to something that decodes
/// to the same.
pub fn survives<T, E: Display>(
    bytes: &[u8],
    decode: impl Fn(&[u8]) -> Result<T, E>,
    encode: impl Fn(&T) -> Vec<u8>,
) -> TestCaseResult {
    match decode(bytes) {
        Ok(value) => {
            let encoded = encode(&value);
            match decode(&encoded) {
                Ok(again) => prop_assert_eq!(encode(&again), encoded, "it encodes to something else"),
                Err(error) => prop_assert!(false, "what it encodes to is refused: {}", error),
            }
        }
        Err(error) => says_what_is_wrong(&error.to_string())?,
    }
    Ok(())
}

/// An error of a few words at least, that does not repeat a whole flood.
pub fn says_what_is_wrong(error: &str) -> TestCaseResult {
    prop_assert!(error.trim().len() >= 8, "it says too little: {error:?}");
    prop_assert!(error.len() < 50_000, "it says too much: {} bytes", error.len());
    Ok(())
}

/// `PROPTEST_CASES` looks longer; no file of regressions is written.
pub fn cases(cases: u32) -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(cases);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}
