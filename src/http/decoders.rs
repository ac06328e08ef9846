//! Bodies and queries of the API, arbitrary and mutated: each is taken or refused with a problem of the right kind. A test: see
//! tests/decoders/ for what every decoder owes; whole requests are sent by tests/http/fuzz.rs.

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, Uri};
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::kitchen::Settings;
use crate::kitchen::recipe::built_in_menu;

use super::access::Caller;
use super::asker::{Asker, Word};
use super::cluster::TransferBody;
use super::extract::{Plain, parse, parse_or_default, parse_query};
use super::kitchen::ZoneBody;
use super::orders::NewOrderBody;
use super::problems::{Kind, Problem};
use super::tokens::NewTokenBody;
use super::views::incident::DecisionBody;
use super::views::recipe::{RecipeBody, SettingsBody};
use super::{devices, events, incidents, list};

use crate::mutation::{cases, mutated, says_what_is_wrong, survives};

fn text<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).expect("it has text keys")
}

fn bodies() -> Vec<Vec<u8>> {
    let plain = [
        r#"{"items":["margherita","funghi"],"priority":3,"promise_ms":900000}"#,
        r#"{"actor":"anna","reason":"no appetite"}"#,
        r#"{"zone":"north","actor":"anna","reason":"cleaning"}"#,
        r#"{"to":2}"#,
        r#"{"name":"anna","role":"operator","life_ms":60000}"#,
        r#"{"decision":"on_device","place":{"device":"robot1","lane":0},"actor":"anna","reason":"I see it"}"#,
        "",
    ];
    let recipe = text(&RecipeBody::of(&built_in_menu()[0]));
    let settings = text(&SettingsBody::from(&Settings::default()));
    plain.iter().map(|body| body.as_bytes().to_vec()).chain([recipe, settings]).collect()
}

#[test]
fn the_corpus_is_valid() {
    let taken = |takes: fn(&[u8]) -> bool| bodies().iter().filter(|bytes| takes(bytes)).count();
    assert_eq!(taken(|bytes| parse::<NewOrderBody>(&json(), bytes).is_ok()), 1);
    assert_eq!(taken(|bytes| parse::<DecisionBody>(&json(), bytes).is_ok()), 1);
    assert_eq!(taken(|bytes| parse::<NewTokenBody>(&json(), bytes).is_ok()), 1);
    assert_eq!(taken(|bytes| parse::<RecipeBody>(&json(), bytes).is_ok()), 1);
    assert_eq!(taken(|bytes| parse::<SettingsBody>(&json(), bytes).is_ok()), 1);
    assert_eq!(taken(|bytes| parse_or_default::<Word>(&json(), bytes).is_ok()), 2, "its own and none");
}

fn json() -> HeaderMap {
    HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))])
}

/// Taken, or refused for the body's own sake.
fn is_taken_or_refused<T>(result: Result<T, Problem>, kinds: &[Kind]) -> TestCaseResult {
    if let Err(problem) = result {
        prop_assert!(kinds.contains(&problem.kind()), "{problem:?}");
        says_what_is_wrong(problem.detail())?;
    }
    Ok(())
}

fn body<T: DeserializeOwned>(bytes: &[u8]) -> TestCaseResult {
    is_taken_or_refused(parse::<T>(&json(), bytes), &[Kind::MalformedJson, Kind::Invalid, Kind::UnknownField])
}

fn query<T: DeserializeOwned>(uri: &Uri) -> TestCaseResult {
    is_taken_or_refused(parse_query::<T>(uri), &[Kind::BadQuery])
}

proptest! {
    #![proptest_config(cases(1_500))]

    #[test]
    fn a_body_is_taken_or_refused_whatever_it_is_taken_for(bytes in mutated(bodies())) {
        body::<NewOrderBody>(&bytes)?;
        body::<Word>(&bytes)?;
        body::<ZoneBody>(&bytes)?;
        body::<TransferBody>(&bytes)?;
        body::<NewTokenBody>(&bytes)?;
        body::<RecipeBody>(&bytes)?;
        body::<SettingsBody>(&bytes)?;
        body::<DecisionBody>(&bytes)?;
        if let Ok(said) = parse::<DecisionBody>(&json(), &bytes) {
            let _ = said.decision();
        }
        if let Ok(word) = parse_or_default::<Word>(&json(), &bytes) {
            let _ = Asker::new(Caller::Unknown, Word::default()).says(&word);
        }
        let detail = |result: Result<_, Problem>| result.map_err(|problem| problem.detail().to_owned());
        survives(&bytes, |bytes| detail(parse(&json(), bytes)), text::<RecipeBody>)?;
        let detail = |result: Result<_, Problem>| result.map_err(|problem| problem.detail().to_owned());
        survives(&bytes, |bytes| detail(parse(&json(), bytes)), text::<SettingsBody>)?;
    }

    #[test]
    fn a_query_is_taken_or_refused_whatever_it_is_taken_for(
        text in "((limit|cursor|status|order|consistency|open|kind|state|after|wait)=[a-z0-9%+-]{0,24}&?){0,4}|[!-~]{0,60}",
    ) {
        if let Ok(uri) = format!("/v1/x?{text}").parse::<Uri>() {
            query::<Plain>(&uri)?;
            query::<list::ListQuery>(&uri)?;
            query::<incidents::ListQuery>(&uri)?;
            query::<devices::ListQuery>(&uri)?;
            query::<events::EventsQuery>(&uri)?;
        }
    }
}
