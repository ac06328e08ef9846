//! Checks the chain of a CSV file by the rule of docs/FOOD-SAFETY.md, and with nothing of the code that wrote it.
//!
//! A line's last field is the SHA-256 of all that stands before its last comma; the field before it is the hash of the line above.

use std::io::{self, BufRead};

use sha2::{Digest, Sha256};

/// What the first record of a kitchen names as the hash before it.
const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// How a header of this format begins and ends.
const HEADER: (&str, &str) = ("format,seq,", ",previous,hash");

/// A chain that is whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// How many records the file has.
    pub records: u64,
    /// The first one's number; 0 in an empty file.
    pub first: u64,
    /// The last one's number.
    pub last: u64,
    /// The last one's hash; that before the first record in an empty file.
    pub hash: String,
}

/// Ok(Err): what is wrong, with the line's number.
pub fn check(file: impl BufRead) -> io::Result<Result<Checked, String>> {
    let mut checked = Checked { records: 0, first: 0, last: 0, hash: GENESIS.to_owned() };
    let mut lines = file.lines();
    let header = lines.next().transpose()?.unwrap_or_default();
    let header = header.trim_end_matches('\r');
    if !(header.starts_with(HEADER.0) && header.ends_with(HEADER.1)) {
        return Ok(Err("its first line is not the header of such a file".to_owned()));
    }
    for (n, line) in lines.enumerate() {
        if let Err(why) = checked.go_on(line?.trim_end_matches('\r')) {
            return Ok(Err(format!("line {}: {why}", n + 2)));
        }
    }
    Ok(Ok(checked))
}

impl Checked {
    fn go_on(&mut self, line: &str) -> Result<(), String> {
        let parts = || {
            let (body, hash) = line.rsplit_once(',')?;
            let (_, previous) = body.rsplit_once(',')?;
            let (format, rest) = line.split_once(',')?;
            let number = rest.split_once(',')?.0.parse::<u64>().ok()?;
            (format == "1").then_some((body, previous, hash, number))
        };
        let (body, previous, hash, number) = parts().ok_or("it is no record of format 1")?;
        if sha256(body) != hash {
            return Err(format!("record {number} was changed: its hash is not that of its text"));
        }
        if self.records > 0 && number != self.last + 1 {
            return Err(format!("record {number} follows record {}: records were removed or moved", self.last));
        }
        // Of a file that begins in the middle, the first record's predecessor is not known.
        if (self.records > 0 || number == 1) && previous != self.hash {
            return Err(format!("record {number} names another predecessor than the one before it"));
        }
        if self.records == 0 {
            self.first = number;
        }
        (self.records, self.last) = (self.records + 1, number);
        hash.clone_into(&mut self.hash);
        Ok(())
    }
}

fn sha256(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of so many records.
    fn lines(count: u64) -> Vec<String> {
        let mut lines = vec!["format,seq,what,previous,hash".to_owned()];
        let mut previous = GENESIS.to_owned();
        for number in 1..=count {
            let body = format!("1,{number},\"pizza, no {number}\",{previous}");
            previous = sha256(&body);
            lines.push(format!("{body},{previous}"));
        }
        lines
    }

    fn checked(lines: &[String]) -> Result<Checked, String> {
        check((lines.join("\r\n") + "\r\n").as_bytes()).unwrap()
    }

    #[test]
    fn a_whole_file_and_a_piece_of_it_are_whole() {
        let all = checked(&lines(5)).unwrap();
        assert_eq!((all.records, all.first, all.last), (5, 1, 5));
        let piece: Vec<String> = [&lines(5)[..1], &lines(5)[2..5]].concat();
        let piece = checked(&piece).unwrap();
        assert_eq!((piece.records, piece.first, piece.last), (3, 2, 4));
        assert_eq!(checked(&lines(0)).unwrap().hash, GENESIS);
    }

    #[test]
    fn a_line_that_is_removed_changed_moved_or_added_is_found() {
        let because = |change: &dyn Fn(&mut Vec<String>)| {
            let mut lines = lines(5);
            change(&mut lines);
            checked(&lines).unwrap_err()
        };
        let removed = because(&|lines| drop(lines.remove(3)));
        assert_eq!(removed, "line 4: record 4 follows record 2: records were removed or moved");
        let changed = because(&|lines| lines[3] = lines[3].replace("pizza", "pasta"));
        assert_eq!(changed, "line 4: record 3 was changed: its hash is not that of its text");
        assert!(because(&|lines| lines.swap(2, 3)).contains("removed or moved"));
        assert!(because(&|lines| lines.push(lines[5].clone())).contains("removed or moved"));
        assert!(because(&|lines| drop(lines.remove(0))).contains("header"));
        assert!(because(&|lines| lines[2] = "nonsense".to_owned()).contains("no record of format 1"));
    }

    #[test]
    fn a_record_that_was_changed_and_sealed_again_breaks_the_next_one() {
        let mut lines = lines(3);
        let body = lines[2].rsplit_once(',').unwrap().0.replace("no 2", "no 9");
        lines[2] = format!("{body},{}", sha256(&body));
        assert_eq!(checked(&lines).unwrap_err(), "line 4: record 3 names another predecessor than the one before it");
        lines.truncate(2);
        let body = format!("1,1,another first,{}", sha256("x"));
        lines[1] = format!("{body},{}", sha256(&body));
        assert_eq!(checked(&lines).unwrap_err(), "line 2: record 1 names another predecessor than the one before it");
    }
}
