//! How records are stored and sent: one version byte, then MessagePack with names.
//!
//! Names, because a positional encoding decodes a wrong type without an error. Never panics on bad input.

use std::io;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Written before every record. A reader refuses any other.
const VERSION: u8 = 1;

/// The record as bytes.
pub(crate) fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = vec![VERSION];
    rmp_serde::encode::write_named(&mut bytes, value).expect("our records hold only what MessagePack can express");
    bytes
}

/// How many bytes `encode` would give.
pub(crate) fn encoded_len<T: Serialize>(value: &T) -> usize {
    let mut count = Count(1);
    rmp_serde::encode::write_named(&mut count, value).expect("our records hold only what MessagePack can express");
    count.0
}

/// Takes bytes, and keeps their number.
struct Count(usize);

impl io::Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The record that these bytes hold.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> io::Result<T> {
    match bytes.split_first() {
        Some((&VERSION, rest)) => rmp_serde::from_slice(rest).map_err(invalid),
        Some((other, _)) => Err(invalid(format!("record version {other}, expected {VERSION}"))),
        None => Err(invalid("empty record")),
    }
}

/// An error for bytes that can't be what they should be.
pub(crate) fn invalid(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_of_another_version_or_type_is_refused() {
        let bytes = encode(&("a", 1u64));
        assert_eq!(decode::<(String, u64)>(&bytes).unwrap(), ("a".to_owned(), 1));
        assert!(decode::<(u64, String)>(&bytes).is_err());
        assert!(decode::<(String, u64)>(&bytes[1..]).is_err());
        assert!(decode::<(String, u64)>(&[]).is_err());
    }
}
