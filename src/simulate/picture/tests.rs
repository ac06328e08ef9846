use super::*;
use crate::kitchen::recipe::built_in_menu;
use crate::simulate::arrivals::at_once;
use crate::simulate::run;

fn cooked(line: &str, mtbf_ms: Millis) -> (Plan, Outcome) {
    let mut plan = Plan::new(line.parse().unwrap(), built_in_menu());
    plan.arrivals = at_once(&plan.menu, 12, None);
    plan.failures.robots_mtbf_ms = mtbf_ms;
    plan.failures.mttr_ms = 60_000;
    let outcome = run(&plan);
    (plan, outcome)
}

/// Tags as they open, close or stand alone; panics where one is closed that is not open.
fn assert_balanced(svg: &str) {
    let mut open: Vec<String> = Vec::new();
    for tag in svg.split('<').skip(1) {
        let (tag, _) = tag.split_once('>').expect("each tag ends");
        let name: String = tag.trim_start_matches('/').chars().take_while(|c| c.is_alphanumeric()).collect();
        match (tag.starts_with('/'), tag.ends_with('/')) {
            (true, _) => assert_eq!(open.pop().as_ref(), Some(&name)),
            (false, true) => {}
            (false, false) => open.push(name),
        }
        assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
    }
    assert!(open.is_empty(), "{open:?}");
}

#[test]
fn every_task_is_a_rectangle_and_every_order_a_point() {
    let (plan, outcome) = cooked("2/3x2/2/1", 0);
    let svg = svg("a run", &plan, &outcome);
    assert_balanced(&svg);
    assert!(outcome.spans.len() >= 12 * 5);
    assert_eq!(svg.matches("class=\"span\"").count(), outcome.spans.len());
    assert_eq!(svg.matches("class=\"order\"").count(), 12);
    // One is in the legend.
    assert_eq!(svg.matches("class=\"failure\"").count(), 1);
    for name in ["b1", "b2", "oven3.1", "a2", "camera1"] {
        assert!(svg.contains(&format!(">{name}</text>")), "{name}");
    }
}

#[test]
fn what_a_failure_cut_short_is_crossed_out() {
    let (plan, outcome) = cooked("2/4/2", 300_000);
    let failed = outcome.spans.iter().filter(|s| !s.how.is_empty()).count();
    assert!(failed > 0, "the run did not exercise its failures");
    let svg = svg("failures", &plan, &outcome);
    assert_balanced(&svg);
    assert_eq!(svg.matches("class=\"failure\"").count(), 1 + failed);
}

#[test]
fn a_title_can_not_break_out() {
    let (plan, outcome) = cooked("1/1/1", 0);
    let svg = svg("<script>\"a\" & 'b'\u{1}", &plan, &outcome);
    assert_balanced(&svg);
    assert!(svg.contains("&lt;script&gt;&quot;a&quot; &amp; &#39;b&#39; </title>") && !svg.contains("<script"));
}

#[test]
fn a_run_in_which_nothing_happens_is_a_picture_too() {
    let plan = Plan::new("1/1/1".parse().unwrap(), built_in_menu());
    let svg = svg("nothing", &plan, &run(&plan));
    assert_balanced(&svg);
    assert_eq!(svg.matches("class=\"span\"").count(), 0);
}

#[test]
fn marks_of_the_axis_are_apart() {
    for hours in [1, 5, 48, 400] {
        let until = hours * 3_600_000;
        let scale = Scale { width: (hours as f64 * 540.0).clamp(1_100.0, 24_000.0), until };
        let step = scale.minutes_between_marks();
        assert!(scale.x(step * 60_000) - LEFT >= 60.0, "{hours} h");
    }
}
