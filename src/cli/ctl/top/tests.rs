//! What people see, as text on file. `UPDATE_GOLDEN=1 cargo test --lib top` writes it anew.

use std::path::PathBuf;

use serde_json::Value;

use super::link::Seen;
use super::print;
use super::screen::{PANES, Pane, Screen};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/top")
}

/// A kitchen in the middle of dinner: a late order, a lost camera, a question, a broker that is gone.
fn dinner() -> Screen {
    let text = std::fs::read_to_string(folder().join("kitchen.json")).expect("the kitchen is on file");
    let all: Value = serde_json::from_str(&text).expect("it is JSON");
    let seen = Seen {
        url: "http://10.0.0.12:7400".to_owned(),
        cluster: all["cluster"].clone(),
        kitchen: all["kitchen"].clone(),
        devices: all["devices"].clone(),
        orders: all["orders"].clone(),
        incidents: all["incidents"].clone(),
        statistics: all["statistics"].clone(),
    };
    Screen { seen, has_colours: true, ..Screen::default() }
}

fn is_as_on_file(name: &str, screen: &Screen, size: (u16, u16)) {
    let (path, text) = (folder().join(format!("{name}.txt")), print(screen, size));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &text).expect("tests/golden/top can be written");
    }
    let on_file = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(on_file, text, "{name} changed: look at it, then bless it with UPDATE_GOLDEN=1");
}

#[test]
fn every_pane_is_as_on_file() {
    for (pane, name) in PANES {
        is_as_on_file(name, &Screen { pane, ..dinner() }, (80, 24));
    }
    is_as_on_file("kitchen-wide", &dinner(), (132, 43));
    is_as_on_file("help", &Screen { has_help: true, ..dinner() }, (80, 24));
}

#[test]
fn a_lost_kitchen_stays_on_the_screen_with_the_reason_and_its_spans_run_on() {
    let trouble = Some("http://10.0.0.12:7400: Connection refused (os error 111)".to_owned());
    let lost = Screen { trouble, age_ms: 7_300, ..dinner() };
    is_as_on_file("lost", &lost, (80, 24));
    let text = print(&lost, (80, 24));
    assert!(text.contains("Nothing was read for 7 s") && text.contains("bakes 33s"), "{text}");
}

#[test]
fn nothing_is_known_yet_and_any_size_is_drawn() {
    for pane in PANES.map(|(pane, _)| pane) {
        for size in [(1, 1), (2, 3), (10, 4), (40, 10), (79, 23), (300, 100)] {
            print(&Screen { pane, ..Screen::default() }, size);
            print(&Screen { pane, scroll: usize::MAX, has_help: true, ..dinner() }, size);
        }
    }
}

#[test]
fn who_scrolls_sees_the_last_row_and_no_emptiness() {
    let last = Screen { pane: Pane::Devices, scroll: 1_000, ..dinner() };
    let text = print(&last, (80, 10));
    assert!(text.contains("robot4") && !text.contains("camera1") && text.contains("devices: 6 to 9 of 9"), "{text}");
}

#[test]
fn without_colours_nothing_is_coloured_and_what_is_bad_still_stands_out() {
    use ratatui::backend::TestBackend;
    use ratatui::style::{Color, Modifier};
    let screen = Screen { has_colours: false, ..dinner() };
    let mut terminal = ratatui::Terminal::new(TestBackend::new(80, 24)).unwrap();
    let frame = terminal.draw(|frame| super::draw::draw(frame, &screen)).unwrap();
    let cells = &frame.buffer.content;
    assert!(cells.iter().all(|cell| cell.fg == Color::Reset && cell.bg == Color::Reset));
    assert!(cells.iter().any(|cell| cell.modifier.contains(Modifier::REVERSED)), "the late order");
}
