//! What comes from peers and from disk, arbitrary and mutated: Raft's bodies, log entries, votes, the identity, snapshot files. A test: see
//! tests/decoders/ for what every decoder owes.

use std::fs::File;
use std::io;
use std::sync::{Arc, LazyLock};

use openraft::raft::{AppendEntriesRequest, TransferLeaderRequest, VoteRequest};
use proptest::prelude::*;
use proptest::sample::Index;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::kitchen::{Command, Entry, Epoch, NewOrder, NewToken, Role, Rules};

use super::codec::{decode, encode};
use super::identity::{Identity, VoteSeen};
use super::snapshot_file::{Part, SnapshotReader, SnapshotWriter, checksum};
use super::types::{Answer, LogEntry, LogId, Observed, Proposal, SnapshotMeta, StoredMembership, Types, Vote};
use super::wire::Refused;

use crate::mutation::{cases, mutated, says_what_is_wrong, survives};

fn log_id(index: u64) -> LogId {
    openraft::testing::log_id::<Types>(3, 1, index)
}

fn entries() -> Vec<LogEntry> {
    let commands = [
        Command::TakeCharge { node: 2, incarnation: 1, gap_measured: true, kitchen: String::new() },
        Command::DeadlinesDue,
        Command::PlaceOrder(NewOrder {
            id: "o1".parse().expect("an id"),
            items: vec!["margherita".parse().expect("an id"); 3],
            priority: -1,
            promise_ms: Some(900_000),
        }),
        Command::AddToken {
            new: NewToken {
                id: "t1".parse().expect("an id"),
                name: "ann".to_owned(),
                role: Role::Operator,
                hash: "0f".repeat(32).try_into().expect("64 digits"),
                life_ms: Some(60_000),
            },
            first: false,
            actor: "root".to_owned(),
        },
    ];
    let entry = |(n, command): (u64, Command)| {
        let epoch = (n > 1).then(|| Epoch::new(1, 1));
        let payload = openraft::EntryPayload::Normal(Proposal(Arc::new(Entry {
            at: 5_000,
            wall: 9,
            epoch,
            asked: None,
            command,
        })));
        LogEntry { log_id: log_id(n), payload }
    };
    let blank = LogEntry { log_id: log_id(9), payload: openraft::EntryPayload::Blank };
    (1..).zip(commands).map(entry).chain([blank]).collect()
}

fn vote() -> Vote {
    Vote::new_committed(3, 1)
}

/// Encoded records of every kind that peers and the disk hold.
fn records() -> Vec<Vec<u8>> {
    let append = AppendEntriesRequest::<Types> {
        vote: vote(),
        prev_log_id: Some(log_id(1)),
        entries: entries(),
        leader_commit: Some(log_id(1)),
    };
    let mut records = vec![encode(&append), encode(&vote()), encode(&log_id(7)), encode(&StoredMembership::default())];
    records.push(encode(&VoteRequest::<Types> {
        vote: vote(),
        last_log_id: Some(log_id(4)),
        leadership_transfer: true,
    }));
    records.extend(entries().iter().map(encode));
    records.push(encode(&SnapshotMeta { last_log_id: Some(log_id(7)), ..SnapshotMeta::default() }));
    let observed = Observed { index: 7, at: 5, wall: 9, events: Vec::new() };
    records.push(encode(&Answer { reply: Some(crate::kitchen::Reply::Done), observed: observed.into() }));
    records
}

#[test]
fn the_corpus_is_valid() {
    let records = records();
    assert!(
        decode::<AppendEntriesRequest<Types>>(&records[0]).is_ok_and(|append| append.entries.len() == entries().len())
    );
    assert!(entries().iter().all(|entry| decode::<LogEntry>(&encode(entry)).is_ok()));
    let identity = texts().iter().filter(|bytes| serde_json::from_slice::<Identity>(bytes).is_ok()).count();
    let refused = texts().iter().filter(|bytes| serde_json::from_slice::<Refused>(bytes).is_ok()).count();
    assert_eq!((identity, refused), (1, 3));
    assert_eq!(read(&SNAPSHOT).expect("it is whole").len(), 21);
}

fn is_read_or_refused<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> Result<(), TestCaseError> {
    survives(bytes, decode::<T>, encode)
}

proptest! {
    #![proptest_config(cases(1_500))]

    #[test]
    fn a_body_or_record_is_read_or_refused_whatever_it_is_taken_for(bytes in mutated(records())) {
        is_read_or_refused::<AppendEntriesRequest<Types>>(&bytes)?;
        is_read_or_refused::<VoteRequest<Types>>(&bytes)?;
        is_read_or_refused::<TransferLeaderRequest<Types>>(&bytes)?;
        is_read_or_refused::<LogEntry>(&bytes)?;
        is_read_or_refused::<LogId>(&bytes)?;
        is_read_or_refused::<Vote>(&bytes)?;
        is_read_or_refused::<StoredMembership>(&bytes)?;
        is_read_or_refused::<SnapshotMeta>(&bytes)?;
        is_read_or_refused::<Answer>(&bytes)?;
    }

    #[test]
    fn an_identity_and_a_refusal_are_read_or_refused(bytes in mutated(texts())) {
        survives(&bytes, |bytes| serde_json::from_slice(bytes), text::<Identity>)?;
        survives(&bytes, |bytes| serde_json::from_slice(bytes), text::<Refused>)?;
        survives(&bytes, |bytes| serde_json::from_slice(bytes), text::<Vote>)?;
    }

    #[test]
    fn a_damaged_snapshot_is_refused_and_never_taken_for_another(bytes in mutated(vec![SNAPSHOT.clone()])) {
        match read(&bytes) {
            Ok(rows) => prop_assert_eq!(Some(rows), read(&SNAPSHOT).ok()),
            Err(error) => says_what_is_wrong(&error.to_string())?,
        }
    }

    #[test]
    fn a_snapshot_whose_checksums_are_right_and_whose_content_is_not_is_read_or_refused(
        which in any::<Index>(),
        payload in mutated(payloads()),
    ) {
        let mut frames = frames(&SNAPSHOT);
        which.get_mut(&mut frames).1 = payload;
        if let Err(error) = read(&framed(&frames)) {
            says_what_is_wrong(&error.to_string())?;
        }
    }
}

fn texts() -> Vec<Vec<u8>> {
    let seen = Some(VoteSeen { term: 3, node: 1, committed: true });
    let (cluster, disk) = ("c".to_owned(), "00ab".to_owned());
    let (fresh, floor, edition) = (false, Some(7), 12);
    let identity = Identity { cluster: cluster.clone(), node: 1, disk, fresh, vote: seen, floor, edition };
    let refusals = [Refused::ForeignCluster { cluster }, Refused::WrongNode { node: 3 }, Refused::NoReadIndex];
    refusals.iter().map(text).chain([text(&identity), text(&vote())]).collect()
}

fn text<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).expect("it has text keys")
}

/// A small snapshot, as a file: written and synced once.
static SNAPSHOT: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join("s");
    let meta = SnapshotMeta { last_log_id: Some(log_id(7)), ..SnapshotMeta::default() };
    let file = File::create(&path).expect("it can be created");
    let mut writer = SnapshotWriter::new(file, "c", &meta, Rules::FIRST).expect("it can be written");
    for n in 0..20u8 {
        writer.row(Part::State, &[b'o', n], &[n; 30]).expect("it can be written");
    }
    writer.row(Part::Archive, b"k", b"v").and_then(|()| writer.finish()).expect("it can be written");
    std::fs::read(path).expect("it can be read")
});

/// Every row of a snapshot file, once it is verified to its end.
fn read(bytes: &[u8]) -> io::Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut file = tempfile::tempfile()?;
    io::Write::write_all(&mut file, bytes)?;
    io::Seek::rewind(&mut file)?;
    let mut reader = SnapshotReader::open(file)?;
    let mut rows = Vec::new();
    while let Some((_, frame)) = reader.next()? {
        for row in frame {
            rows.push(row?);
        }
    }
    Ok(rows)
}

/// Kind and payload of each frame behind the magic.
fn frames(file: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let (mut at, mut frames) = (8, Vec::new());
    while at < file.len() {
        let length = u32::from_le_bytes(file[at + 1..at + 5].try_into().expect("four bytes")) as usize;
        frames.push((file[at], file[at + 9..at + 9 + length].to_vec()));
        at += 9 + length;
    }
    frames
}

fn framed(frames: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mut file = SNAPSHOT[..8].to_vec();
    for (kind, payload) in frames {
        file.push(*kind);
        file.extend((payload.len() as u32).to_le_bytes());
        file.extend(checksum(*kind, payload).to_le_bytes());
        file.extend(payload);
    }
    file
}

fn payloads() -> Vec<Vec<u8>> {
    frames(&SNAPSHOT).into_iter().map(|(_, payload)| payload).collect()
}

/// The most address space that this process ever had, in kilobytes.
fn peak_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("this is Linux");
    let line = status.lines().find(|line| line.starts_with("VmPeak")).expect("the kernel tells");
    line.split_whitespace().nth(1).and_then(|kb| kb.parse().ok()).expect("it is a number")
}

#[test]
fn a_length_that_lies_costs_no_memory() {
    let before = peak_kb();
    for claim in
        [&b"\xc6\xff\xff\xff\xff"[..], b"\xdb\xff\xff\xff\xff", b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff"]
    {
        let bytes = [&[1], claim].concat();
        assert!(decode::<Vec<u64>>(&bytes).is_err());
        assert!(decode::<Vec<LogEntry>>(&bytes).is_err());
        assert!(decode::<String>(&bytes).is_err());
        assert!(decode::<std::collections::BTreeMap<u64, u64>>(&bytes).is_err());
        assert!(decode::<AppendEntriesRequest<Types>>(&bytes).is_err());
    }
    let mut file = SNAPSHOT.clone();
    for length in [60u32 << 20, u32::MAX] {
        file[9..13].copy_from_slice(&length.to_le_bytes());
        assert!(read(&file).is_err());
    }
    // Other tests run meanwhile: threads and databases take some, and nothing like what was claimed.
    assert!(peak_kb() - before < 2 << 20, "{} MB more than before", (peak_kb() - before) >> 10);
}

#[test]
fn deep_nesting_is_refused_and_overflows_no_stack() {
    for opening in [&b"\x91"[..], b"\x81\xa1a", b"\x81\xa7entries"] {
        let bytes = [vec![1], opening.repeat(200_000)].concat();
        assert!(decode::<AppendEntriesRequest<Types>>(&bytes).is_err());
        assert!(decode::<LogEntry>(&bytes).is_err());
    }
}
