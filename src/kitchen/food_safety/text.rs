//! The canonical text of a record: one line of CSV (RFC 4180), whose last field is the SHA-256 of all that stands before it.
//!
//! These bytes are what the chain holds for years: nothing here may change without another `FORMAT`. A line holds no line ends, so
//! that any tool which reads lines can check it.

use sha2::{Digest, Sha256};

/// The line of these fields: they, the hash of the record before it, and the hash of all that.
pub fn seal(fields: &[String], previous: &str) -> String {
    let mut line = csv(fields.iter().map(String::as_str).chain([previous]));
    let hash = sha256(&line);
    line.push(',');
    line.push_str(&hash);
    line
}

/// Fields as one line of CSV, without its end. Control characters become spaces.
pub fn csv<'a>(fields: impl IntoIterator<Item = &'a str>) -> String {
    let mut line = String::new();
    for (n, field) in fields.into_iter().enumerate() {
        if n > 0 {
            line.push(',');
        }
        let plain: String = field.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        if plain.contains([',', '"']) {
            line.push('"');
            line.push_str(&plain.replace('"', "\"\""));
            line.push('"');
        } else {
            line.push_str(&plain);
        }
    }
    line
}

/// The fields of a line of CSV; None where quotes are not as RFC 4180 has them.
pub fn fields(line: &str) -> Option<Vec<String>> {
    let (mut found, mut rest) = (Vec::new(), line);
    loop {
        let (field, behind) = first_field(rest)?;
        found.push(field);
        match behind.strip_prefix(',') {
            Some(more) => rest = more,
            None => return behind.is_empty().then_some(found),
        }
    }
}

/// The first field of a line, and what stands behind it.
fn first_field(line: &str) -> Option<(String, &str)> {
    let Some(quoted) = line.strip_prefix('"') else {
        let end = line.find(',').unwrap_or(line.len());
        let (field, behind) = line.split_at(end);
        return (!field.contains('"')).then(|| (field.to_owned(), behind));
    };
    let (mut field, mut rest) = (String::new(), quoted);
    loop {
        let (part, behind) = rest.split_once('"')?;
        field.push_str(part);
        match behind.strip_prefix('"') {
            Some(more) => {
                field.push('"');
                rest = more;
            }
            None => return Some((field, behind)),
        }
    }
}

/// The hash that a line says it has.
pub fn hash_of(line: &str) -> Option<&str> {
    line.rsplit_once(',').map(|(_, hash)| hash)
}

/// Milliseconds since 1970 as `2026-07-28T12:34:56.789Z`. (`web` has the same for answers, which may change.)
pub fn rfc3339(wall_ms: u64) -> String {
    let (days, ms) = (wall_ms / 86_400_000, wall_ms % 86_400_000);
    let (year, month, day) = date(days);
    let (hours, minutes, seconds) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1_000 % 60);
    format!("{year:04}-{month:02}-{day:02}T{hours:02}:{minutes:02}:{seconds:02}.{:03}Z", ms % 1_000)
}

/// Year, month and day of a day since 1970-01-01. Howard Hinnant, "chrono-compatible low-level date algorithms", civil_from_days.
fn date(days: u64) -> (u64, u64, u64) {
    let shifted = days.saturating_add(719_468);
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (year_of_era + era * 400 + carry, month, day)
}

/// A span in seconds, to a tenth: `210.4`.
pub fn seconds(ms: u64) -> String {
    format!("{}.{}", ms / 1_000, ms % 1_000 / 100)
}

/// Tenths of a degree as degrees Celsius: `318.4`.
pub fn celsius(dc: i32) -> String {
    let sign = if dc < 0 { "-" } else { "" };
    format!("{sign}{}.{}", dc.unsigned_abs() / 10, dc.unsigned_abs() % 10)
}

fn sha256(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let odd = ["", "plain", "a,b", "say \"cheese\"", "\"", ",", "käse 🍕"];
        assert_eq!(fields(&csv(odd)).unwrap(), odd);
        assert_eq!(csv(["a,b", "say \"hi\"", ""]), "\"a,b\",\"say \"\"hi\"\"\",");
        assert_eq!(csv(["one\r\ntwo\tthree"]), "one  two three", "a record is one line");
        for bad in ["a\"b", "\"open", "\"a\"b,c"] {
            assert_eq!(fields(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_hash_is_that_of_sha256sum_over_all_that_stands_before_it() {
        let line = seal(&["1".to_owned(), "a,b".to_owned()], "00");
        // printf '%s' '1,"a,b",00' | sha256sum
        let hash = "bb8ce7ca934e62d5c4332b0a3f3b2f619a0a8752d724854baf16d352ff397bc2";
        assert_eq!((line.as_str(), hash_of(&line)), (format!("1,\"a,b\",00,{hash}").as_str(), Some(hash)));
    }

    #[test]
    fn numbers_are_written_without_floats() {
        assert_eq!((celsius(3184).as_str(), celsius(-5).as_str(), celsius(0).as_str()), ("318.4", "-0.5", "0.0"));
        assert_eq!((seconds(210_460).as_str(), seconds(50).as_str()), ("210.4", "0.0"));
        assert_eq!(rfc3339(951_782_400_000), "2000-02-29T00:00:00.000Z");
        assert_eq!(rfc3339(1_785_242_096_789), "2026-07-28T12:34:56.789Z");
    }
}
