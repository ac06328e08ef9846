//! What came of the rules: one finding each, as lines for people and as JSON for scripts.

use std::fmt::Write;

use serde::Serialize;

use super::rules::Rule;

/// What came of one rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// The device kept it.
    Passed,
    /// The device broke it.
    Failed {
        /// What it should have done.
        expected: String,
        /// What it did.
        came: String,
        /// What was said and heard meanwhile, the latest last.
        trace: Vec<String>,
    },
    /// It was not tried.
    Skipped {
        /// Why not.
        reason: String,
    },
    /// Nobody can tell from outside.
    NotCheckable {
        /// Why not.
        reason: String,
    },
}

/// One rule and what came of it.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// The rule's id.
    pub rule: String,
    /// Where it stands.
    pub section: String,
    /// What it says.
    pub says: String,
    /// What came of it.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// How long it took.
    pub took_ms: u64,
}

impl Finding {
    /// What came of this rule.
    pub fn new(rule: &Rule, verdict: Verdict, took_ms: u64) -> Self {
        let Rule { id, section, says } = rule.clone();
        Self { rule: id, section: format!("docs/device-protocol.md#{section}"), says, verdict, took_ms }
    }

    /// True if nobody can tell from outside.
    pub fn is_not_checkable(&self) -> bool {
        matches!(self.verdict, Verdict::NotCheckable { .. })
    }

    /// For people: one line, and with a failure what was expected, came and was said.
    pub fn lines(&self) -> String {
        let word = match &self.verdict {
            Verdict::Passed => "passed",
            Verdict::Failed { .. } => "FAILED",
            Verdict::Skipped { .. } => "skipped",
            Verdict::NotCheckable { .. } => "-",
        };
        let mut text = format!("{:<6} {word:<7} {}\n", self.rule, self.says);
        match &self.verdict {
            Verdict::Passed => {}
            Verdict::Skipped { reason } | Verdict::NotCheckable { reason } => indent(&mut text, "why", reason),
            Verdict::Failed { expected, came, trace } => {
                indent(&mut text, "see", &self.section);
                indent(&mut text, "expected", expected);
                indent(&mut text, "came", came);
                trace.iter().for_each(|line| indent(&mut text, "", line));
            }
        }
        text
    }
}

fn indent(text: &mut String, name: &str, value: &str) {
    let _ = writeln!(text, "{:14} {name:<9} {value}", "");
}

/// All findings about one device.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The device.
    pub device: String,
    /// Its kind.
    pub kind: String,
    /// Its maker and type.
    pub model: Option<String>,
    /// Its firmware.
    pub firmware: String,
    /// One for each rule that was asked for.
    pub findings: Vec<Finding>,
    /// How long all of it took.
    pub took_ms: u64,
}

impl Report {
    /// The ids of the rules that the device broke.
    pub fn failed(&self) -> Vec<&str> {
        let is_failed = |finding: &&Finding| matches!(finding.verdict, Verdict::Failed { .. });
        self.findings.iter().filter(is_failed).map(|finding| finding.rule.as_str()).collect()
    }

    /// The ids of the rules that were not tried.
    pub fn skipped(&self) -> Vec<&str> {
        let is_skipped = |finding: &&Finding| matches!(finding.verdict, Verdict::Skipped { .. });
        self.findings.iter().filter(is_skipped).map(|finding| finding.rule.as_str()).collect()
    }

    /// How many rules the device kept.
    pub fn passed(&self) -> usize {
        self.findings.iter().filter(|finding| finding.verdict == Verdict::Passed).count()
    }

    /// The last line for people.
    pub fn summary(&self) -> String {
        let (failed, skipped) = (self.failed(), self.skipped());
        let conforms = match (failed.is_empty(), skipped.is_empty()) {
            (false, _) => format!("does not conform: {}", failed.join(" ")),
            (true, false) => "broke no rule that was tried".to_owned(),
            (true, true) => "conforms".to_owned(),
        };
        let not_checkable = self.findings.len() - self.passed() - failed.len() - skipped.len();
        format!(
            "{}: {} passed, {} failed, {} skipped, {not_checkable} not checkable from outside, in {}.{} s\n{} {conforms}\n",
            self.device,
            self.passed(),
            failed.len(),
            skipped.len(),
            self.took_ms / 1_000,
            self.took_ms / 100 % 10,
            self.device
        )
    }
}
