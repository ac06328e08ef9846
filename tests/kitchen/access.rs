//! Tokens: added, revoked, noted as used; and that nobody locks the kitchen for good.

use brigade::kitchen::access::{LIFE_MS_MAX, TOKENS_MAX};
use brigade::kitchen::rows::InMemory;
use brigade::kitchen::{Command, Entry, Event, Kitchen, NewToken, Refusal, Reply, Role, TokenHash, TokenId};

use crate::line::Line;

fn id(text: &str) -> TokenId {
    text.parse().expect("an id")
}

fn hash(n: usize) -> TokenHash {
    format!("{n:064x}").try_into().expect("64 digits")
}

/// A token for ever, whose hash follows from its number.
fn token(name: &str, role: Role, n: usize) -> NewToken {
    NewToken { id: id(&format!("t{n}")), name: name.to_owned(), role, hash: hash(n), life_ms: None }
}

fn add(line: &mut Line, new: NewToken) -> Reply {
    line.request(Command::AddToken { new, first: false, actor: "root".to_owned() })
}

fn revoke(line: &mut Line, token: &str, even_last: bool) -> Reply {
    line.request(Command::RevokeToken { token: id(token), even_last, actor: "root".to_owned() })
}

#[test]
fn a_token_is_kept_with_who_added_it_and_told_as_an_event() {
    let mut line = Line::bare();
    assert_eq!(add(&mut line, token("ann", Role::Operator, 1)), Reply::Done);
    let kept = line.kitchen().token(&id("t1")).expect("it is there").clone();
    assert_eq!((kept.new.name.as_str(), kept.added_by.as_str(), kept.used_hour), ("ann", "root", None));
    let added = |e: &Event| matches!(e, Event::TokenAdded { name, actor, .. } if name == "ann" && actor == "root");
    assert!(line.events.iter().any(added));
    assert_eq!(revoke(&mut line, "t1", false), Reply::Done);
    assert!(line.kitchen().token(&id("t1")).is_none());
    assert!(line.events.iter().any(|e| matches!(e, Event::TokenRevoked { name, .. } if name == "ann")));
    assert!(matches!(revoke(&mut line, "t1", false), Reply::Refused(Refusal::UnknownToken { .. })));
    line.assert_sound();
}

#[test]
fn the_same_token_asked_for_twice_is_added_once_and_keeps_its_first_hash() {
    let mut line = Line::bare();
    add(&mut line, token("ann", Role::Operator, 1));
    let again = NewToken { hash: hash(7), ..token("ann", Role::Operator, 1) };
    assert_eq!(add(&mut line, again), Reply::Unchanged);
    assert_eq!(line.kitchen().token(&id("t1")).expect("it is there").new.hash, hash(1));
    let other = token("ann", Role::Admin, 1);
    assert!(matches!(add(&mut line, other), Reply::Refused(Refusal::TokenKeyReused { .. })));
    let twin = NewToken { id: id("t2"), ..token("bob", Role::Viewer, 1) };
    assert!(matches!(add(&mut line, twin), Reply::Refused(Refusal::Invalid { .. })), "two holders of one token");
    line.assert_sound();
}

#[test]
fn the_last_admin_that_never_ends_stays() {
    let mut line = Line::bare();
    add(&mut line, token("root", Role::Admin, 1));
    add(&mut line, NewToken { life_ms: Some(60_000), ..token("temp", Role::Admin, 2) });
    add(&mut line, token("ann", Role::Operator, 3));
    let last = revoke(&mut line, "t1", false);
    assert!(matches!(last, Reply::Refused(Refusal::LastAdmin { .. })), "a token that ends is no way in: {last:?}");
    assert_eq!(revoke(&mut line, "t2", false), Reply::Done);
    assert_eq!(revoke(&mut line, "t3", false), Reply::Done);
    add(&mut line, token("second", Role::Admin, 4));
    assert_eq!(revoke(&mut line, "t1", false), Reply::Done);
    // The configuration holds another key.
    assert_eq!(revoke(&mut line, "t4", true), Reply::Done);
    assert!(!line.kitchen().has_lasting_admin());
    line.assert_sound();
}

#[test]
fn the_first_token_is_added_by_one_node_only() {
    let mut line = Line::bare();
    let mut first =
        |n| line.request(Command::AddToken { new: token("admin", Role::Admin, n), first: true, actor: String::new() });
    assert_eq!((first(1), first(2)), (Reply::Done, Reply::Unchanged));
    assert_eq!(line.kitchen().tokens().count(), 1);
}

#[test]
fn an_hour_of_use_is_noted_once_and_does_not_go_back() {
    let mut line = Line::bare();
    add(&mut line, token("ann", Role::Viewer, 1));
    let mut note = |hour| line.request(Command::NoteTokenUse { token: id("t1"), hour });
    assert_eq!((note(500), note(500), note(499)), (Reply::Done, Reply::Unchanged, Reply::Unchanged));
    assert_eq!(note(501), Reply::Done);
    let gone = line.request(Command::NoteTokenUse { token: id("t2"), hour: 501 });
    assert!(matches!(gone, Reply::Refused(Refusal::UnknownToken { .. })));
    assert_eq!(line.kitchen().token(&id("t1")).expect("it is there").used_hour, Some(501));
    line.assert_sound();
}

#[test]
fn names_lives_and_the_number_of_tokens_are_bounded() {
    let mut line = Line::bare();
    for name in ["", "ann: bob", "ann\nbob", "ann bob", &"x".repeat(49)] {
        let refused = add(&mut line, token(name, Role::Viewer, 1));
        assert!(matches!(refused, Reply::Refused(Refusal::Invalid { .. })), "{name:?}");
    }
    for life_ms in [0, 999, LIFE_MS_MAX + 1] {
        let refused = add(&mut line, NewToken { life_ms: Some(life_ms), ..token("ann", Role::Viewer, 1) });
        assert!(matches!(refused, Reply::Refused(Refusal::Invalid { .. })), "{life_ms}");
    }
    for n in 0..TOKENS_MAX {
        assert_eq!(add(&mut line, token("zoë", Role::Viewer, n)), Reply::Done);
    }
    assert!(matches!(add(&mut line, token("ann", Role::Viewer, TOKENS_MAX)), Reply::Refused(Refusal::Invalid { .. })));
    line.assert_sound();
}

#[test]
fn what_is_shown_of_a_token_has_no_hash() {
    let new = token("ann", Role::Viewer, 0xabcdef);
    let command = Command::AddToken { new, first: false, actor: "root".to_owned() };
    let mut line = Line::bare();
    line.request(command.clone());
    let shown = format!("{command:?} {:?} {:?}", line.kitchen(), line.events);
    assert!(shown.contains("ann") && !shown.contains("abcdef"), "{shown}");
}

#[test]
fn a_data_directory_of_before_opens_without_tokens_and_takes_them() {
    let mut rows = Line::bare().kitchen().rows();
    rows.retain(|(key, _)| key[0] != b't');
    let mut kitchen = Kitchen::from_rows(rows).expect("they are its own");
    assert_eq!(kitchen.tokens().count(), 0);
    let command = Command::AddToken { new: token("ann", Role::Admin, 1), first: true, actor: "root".to_owned() };
    let wall = 1_785_242_096_789;
    let applied = kitchen.apply(9, &Entry { at: 5_000, wall, epoch: None, asked: None, command }, &InMemory::new());
    assert_eq!(applied.reply, Reply::Done);
    let again = Kitchen::from_rows(kitchen.rows()).expect("they are its own");
    assert_eq!(again.token(&id("t1")).map(|t| t.added_wall), Some(wall));
    assert_eq!(again, kitchen);
}
