use clap::Parser;
use serde_json::Value;

use super::*;

#[derive(Parser)]
struct Wrapper {
    #[command(flatten)]
    args: Args,
}

fn parsed(words: &[&str]) -> Result<Args, String> {
    let all = ["simulate"].iter().chain(words);
    Wrapper::try_parse_from(all).map(|w| w.args).map_err(|e| e.to_string())
}

fn reported(words: &[&str]) -> Report {
    let args = parsed(words).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let scenario = runtime.block_on(scenario(&args)).unwrap();
    let mut report = Report::new(&args, &scenario);
    cook(&args, &scenario, &mut report).unwrap();
    report
}

fn json(words: &[&str]) -> Value {
    serde_json::from_str(&reported(words).json()).unwrap()
}

#[test]
fn lines_and_policies_are_compared_each_once() {
    let args =
        parsed(&["--line", "2/4/2", "--line", "4/4/2", "--compare", "2/4/2,2/5/2", "--policy", "strict,off"]).unwrap();
    let lines: Vec<String> = args.lines().iter().map(ToString::to_string).collect();
    assert_eq!(lines, ["2/4/2", "4/4/2", "2/5/2"]);
    assert_eq!(args.policies(), [Policy::Strict, Policy::Off]);
}

#[test]
fn wrong_usage_says_what_to_do() {
    let wrong: [(&[&str], &str); 7] = [
        (&["--line", "2/4"], "use before/ovens/after, as in 2/4/2"),
        (&["--line", "0/4/2"], "it needs a robot before"),
        (&["--rate", "0.5"], "use a number from 1 to 100000"),
        (&["--noise", "lots"], "use a number from 0 to 90"),
        (&["--rate", "50", "--at-once", "9"], "cannot be used with"),
        (&["--at-once", "9", "--hours", "3"], "cannot be used with"),
        (&["--policy", "maybe"], "off, shelf, strict"),
    ];
    for (words, expected) in wrong {
        let said = parsed(words).unwrap_err();
        assert!(said.contains(expected), "{words:?}: {said}");
    }
}

#[test]
fn without_any_option_two_hours_at_four_fifths_of_the_limit_are_cooked() {
    let all = json(&[]);
    let row = &all["rows"][0];
    assert_eq!((&row["line"], &row["policy"]), (&"2/4/2".into(), &"strict".into()));
    let (packed, limit) = (row["packed"].as_f64().unwrap(), row["limit_per_hour"].as_f64().unwrap());
    assert_eq!(all["runs"].as_array().unwrap().len(), 10);
    // Chance gives the mean of ten runs a standard deviation of five pizzas.
    assert!((packed - 1.6 * limit).abs() < 20.0, "{packed} pizzas at a limit of {limit} an hour");
    assert_eq!(row["burnt"], 0.0);
}

#[test]
fn the_table_has_a_row_for_each_line_and_policy() {
    let words =
        ["--compare", "3/4/2", "--policy", "strict,off", "--at-once", "12", "--seeds", "2", "--menu", "reference"];
    let text = reported(&words).text();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "12 pizzas at once, reference menu; means over seeds 1 to 2");
    let rows: Vec<Vec<&str>> = lines[3..].iter().map(|l| l.split_whitespace().take(3).collect()).collect();
    let expected =
        [["2/4/2", "strict", "12"], ["2/4/2", "off", "12"], ["3/4/2", "strict", "12"], ["3/4/2", "off", "12"]];
    assert_eq!(rows, expected);
    assert!(lines[2].starts_with("LINE") && lines[3].contains(" min ") && lines[3].contains("one more +"), "{text}");
}

#[test]
fn the_same_seed_gives_the_same_result_and_another_one_another() {
    let words = ["--hours", "0.5", "--noise", "10", "--robots-mtbf-min", "20", "--seed"];
    let runs = |seed: &str| json(&[&words[..], &[seed]].concat())["runs"].take();
    assert_eq!(runs("7"), runs("7"));
    assert_ne!(runs("7"), runs("8"));
}

#[test]
fn a_menu_from_a_file_is_cooked_and_its_mistakes_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let (menu, orders, svg) = (dir.path().join("menu.toml"), dir.path().join("orders"), dir.path().join("run.svg"));
    let recipe = "[[menu.recipes]]\nid = \"tonno\"\ntitle = \"Tonno\"\nprep_ms = 50000\ntransfer_ms = 8000\nbake_ms = 200000\n\
                  window_ms = 40000\nstale_ms = 900000\nfinish_ms = 30000\noven_program = \"x\"\n";
    std::fs::write(&menu, recipe).unwrap();
    std::fs::write(&orders, "0 tonno,tonno\n60 tonno 900 5\n").unwrap();
    let path = |path: &std::path::Path| path.to_string_lossy().into_owned();
    let (menu, orders, svg) = (path(&menu), path(&orders), path(&svg));
    let all = json(&["--menu", &menu, "--orders", &orders, "--svg", &svg]);
    assert_eq!((&all["rows"][0]["packed"], &all["runs"][0]["orders"]), (&3.0.into(), &2.into()));
    assert!(std::fs::read_to_string(&svg).unwrap().contains("Line 2/4/2, N-1 policy strict, seed 1"));
    let wrong = |name: &str, text: &str| {
        std::fs::write(dir.path().join(name), text).unwrap();
        format!("{:#}", Menu::read(&path(&dir.path().join(name))).err().unwrap())
    };
    assert!(wrong("twice", &format!("{recipe}{recipe}")).contains("tonno stands there twice"));
    assert!(wrong("zero", &recipe.replace("200000", "0")).contains("bake_ms of recipe tonno is 0"));
    assert!(wrong("else", "x = 1").contains("[[menu.recipes]]"));
    assert!(format!("{:#}", Menu::read("no-such").err().unwrap()).contains("--menu is built-in, reference, or a file"));
}

#[test]
fn the_orders_of_a_real_kitchen_are_cooked_on_another_line() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("orders.json");
    let order = |n: u32| {
        format!(
            r#"{{"id": "o{n}", "number": {n}, "status": "READY", "priority": 0, "items": ["funghi", "diavola"],
            "placed_at": "2026-07-28T12:0{n}:00.000Z", "promised_at": "2026-07-28T12:3{n}:00.000Z", "pizzas": []}}"#
        )
    };
    let orders: Vec<String> = (0..6).rev().map(order).collect();
    std::fs::write(&file, format!("{{\"items\": [{}], \"next\": null}}", orders.join(","))).unwrap();
    let all = json(&["--replay", &file.to_string_lossy(), "--line", "2/6/2"]);
    assert_eq!(all["about"]["orders"], "6 orders of a real kitchen");
    assert_eq!((&all["rows"][0]["line"], &all["rows"][0]["packed"]), (&"2/6/2".into(), &12.0.into()));
    let first = &all["runs"][0]["order_results"][0];
    assert_eq!((&first["placed_at"], &first["promised_at"]), (&0.into(), &1_800_000.into()));
}

#[test]
fn a_kitchen_that_does_not_answer_is_told_apart() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let args = parsed(&["--replay", "http://127.0.0.1:1"]).unwrap();
    let error = runtime.block_on(scenario(&args)).err().unwrap();
    assert!(error.downcast_ref::<replay::Unreachable>().is_some(), "{error:#}");
}
