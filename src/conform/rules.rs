//! The rules that a device is held to, read from docs/device-protocol.md itself: what a report quotes is what the contract says.
//!
//! A rule begins with its id in code marks (`R4.2`) and ends before the next id, or with its paragraph.

/// The contract as this program was built with it.
const CONTRACT: &str = include_str!("../../docs/device-protocol.md");

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its id: `R4.2`.
    pub id: String,
    /// The heading that it stands under, as a link of docs/device-protocol.md names it.
    pub section: String,
    /// What it says.
    pub says: String,
}

/// All rules, in the order of the document.
pub fn rules() -> Vec<Rule> {
    let mut rules: Vec<Rule> = Vec::new();
    let (mut section, mut is_open, mut is_code) = (String::new(), false, false);
    for line in CONTRACT.lines() {
        is_code ^= line.starts_with("```");
        if let Some(heading) = line.trim_start_matches('#').strip_prefix(' ').filter(|_| line.starts_with('#')) {
            section = anchor(heading);
        }
        let is_new_item =
            line.starts_with("- ") || line.trim_start().split_once(". ").is_some_and(|(n, _)| is_number(n));
        let is_other = line.starts_with(['#', '|']) && id_in(line).is_none();
        if line.trim().is_empty() || is_other || is_code || is_new_item {
            is_open = false;
        }
        if !is_code {
            read_line(line, &section, &mut is_open, &mut rules);
        }
    }
    for rule in &mut rules {
        rule.says = rule.says.replace("**", "").split_whitespace().collect::<Vec<_>>().join(" ");
    }
    rules
}

/// Adds what a line says to the rule that is open, and opens those that begin in it.
fn read_line(line: &str, section: &str, is_open: &mut bool, rules: &mut Vec<Rule>) {
    let mut rest = line;
    while let Some((before, id, after)) = id_in(rest) {
        continue_rule(before, *is_open, rules);
        rules.push(Rule { id: id.to_owned(), section: section.to_owned(), says: String::new() });
        (*is_open, rest) = (true, after);
    }
    continue_rule(rest, *is_open, rules);
}

fn continue_rule(text: &str, is_open: bool, rules: &mut [Rule]) {
    if let Some(rule) = rules.last_mut().filter(|_| is_open) {
        rule.says.push(' ');
        rule.says.push_str(text);
    }
}

/// The first id of a line, with what stands before and behind it. The introduction names one as an example: ids stand before a sentence.
fn id_in(line: &str) -> Option<(&str, &str, &str)> {
    line.match_indices('`').find_map(|(at, _)| {
        let (id, after) = line[at + 1..].split_once('`')?;
        (is_id(id) && after.starts_with(' ')).then_some((&line[..at], id, after))
    })
}

fn is_id(text: &str) -> bool {
    let number = text.strip_prefix(['C', 'T', 'M', 'R', 'H', 'O', 'G']);
    number.is_some_and(|n| n.split('.').all(is_number))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// A heading as links name it.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(id: &str) -> Rule {
        rules().into_iter().find(|rule| rule.id == id).unwrap_or_else(|| panic!("there is no {id}"))
    }

    #[test]
    fn a_rule_is_what_stands_between_its_id_and_the_next() {
        assert_eq!(rule("R2.7").says, "Order between ids means nothing.");
        let sent = "A lease lasts until `l_ms` has passed, on your monotonic clock, since you sent the heartbeat that it answers.";
        assert_eq!(rule("R4.2").says, sent);
        assert_eq!(rule("R10.1").says, "`ALWAYS`: stop safely, then CANCELLED.");
        assert_eq!(rule("M5").says, "Facts have the required fields, within the bounds of this table.");
        assert_eq!(rule("R4.2").section, "what-a-device-does-all-of-it");
        assert_eq!(rule("G2").says, "After a reboot, something is `null`.");
    }

    #[test]
    fn no_id_stands_twice_and_every_rule_says_something() {
        let rules = rules();
        for (n, rule) in rules.iter().enumerate() {
            assert!(rule.says.len() > 8 && rule.says.ends_with(['.', ')']), "{rule:?}");
            assert!(rules[..n].iter().all(|other| other.id != rule.id), "{} stands twice", rule.id);
        }
        assert!(rules.len() > 70, "{}", rules.len());
    }
}
