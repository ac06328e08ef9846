//! The audit log: one record for every command that a person or a program asked for by the API, with who asked, why, and what came of it.
//!
//! A record is written by the entry that it is about, so that nothing changes without one and all replicas write the same. It decides
//! nothing. What devices report and what the tenure decides leaves none: orders and pizzas have histories of their own.

use serde::{Deserialize, Serialize};

use super::access::Role;
use super::command::{Act, Command, Directive};
use super::ids::Millis;
use super::rows::{Row, decode, encode};
use super::{Decision, Entry, Kitchen, Reply};

/// How many records are kept; the oldest go. A kitchen with a thousand orders a day keeps those of more than a year.
pub const RECORDS_MAX: u64 = 1_000_000;

/// Who asked for a command, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// Whose token it is, and behind a colon whom the caller says he is.
    pub actor: String,
    /// What the token allows. None where access is open: nobody vouches for the actor.
    pub role: Option<Role>,
    /// Why, or nothing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// What it changes, where the command alone does not tell.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub change: String,
}

impl Asked {
    /// Who, and why: for events, which name an actor alone.
    pub fn signature(&self) -> String {
        let Self { actor, reason, .. } = self;
        if reason.is_empty() { actor.clone() } else { format!("{actor} ({reason})") }
    }
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AuditOutcome {
    /// It was done.
    Done,
    /// It was so already.
    Unchanged,
    /// It is about to be tried, outside the kitchen's own state. What fails leaves another record.
    Begun,
    /// The kitchen, or the cluster, said no.
    Refused,
}

/// A record as the archive keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRecord {
    /// Log index of the entry that it is about.
    pub index: u64,
    /// Kitchen time of the entry.
    pub at: Millis,
    /// Wall time of the entry, in milliseconds since 1970.
    pub wall: u64,
    /// Who asked, and why.
    pub asked: Asked,
    /// What was asked for, as the API's description names the operation: `hold_device`.
    pub action: String,
    /// What it is about, as the API's path has it behind `/v1/`: `devices/oven1`.
    pub object: String,
    /// More of what was asked for, for people.
    #[serde(default)]
    pub detail: String,
    /// What came of it.
    pub outcome: AuditOutcome,
    /// Why it was refused; else nothing.
    #[serde(default)]
    pub refusal: String,
}

impl AuditRecord {
    /// From the archive's row.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        decode(bytes)
    }
}

/// The archive's key of a record: sorts by number.
pub fn archive_key(number: u64) -> Vec<u8> {
    [b"a/".as_slice(), &number.to_be_bytes()].concat()
}

/// The number of a record, if this is the archive's key of one.
pub fn number_of(key: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(key.strip_prefix(b"a/")?.try_into().ok()?))
}

impl Kitchen {
    /// Puts an entry that was asked for on record, under the next number, and lets the oldest record go.
    pub(super) fn audit(&mut self, entry: &Entry, asked: &Asked, reply: &Reply) {
        let Some((action, object, detail)) = named(&entry.command) else { return };
        let (outcome, refusal) = outcome(&entry.command, reply);
        let detail = if asked.change.is_empty() { detail } else { asked.change.clone() };
        let record = AuditRecord {
            index: self.meta.index,
            at: self.meta.now,
            wall: self.meta.wall,
            asked: asked.clone(),
            action: action.to_owned(),
            object,
            detail,
            outcome,
            refusal,
        };
        self.meta.audited += 1;
        let number = self.meta.audited;
        self.scratch.archive.push(Row { key: archive_key(number), value: Some(encode(&record)) });
        if let Some(oldest) = number.checked_sub(RECORDS_MAX).filter(|oldest| *oldest > 0) {
            self.scratch.archive.push(Row { key: archive_key(oldest), value: None });
        }
    }
}

fn outcome(command: &Command, reply: &Reply) -> (AuditOutcome, String) {
    match (command, reply) {
        (_, Reply::Refused(refusal)) => (AuditOutcome::Refused, refusal.to_string()),
        (Command::NoteAct { refused: Some(why), .. }, _) => (AuditOutcome::Refused, why.clone()),
        (Command::NoteAct { refused: None, .. }, _) => (AuditOutcome::Begun, String::new()),
        (_, Reply::Unchanged | Reply::Placed { created: false, .. }) => (AuditOutcome::Unchanged, String::new()),
        (_, Reply::Done | Reply::Placed { .. } | Reply::InCharge { .. }) => (AuditOutcome::Done, String::new()),
    }
}

/// Action, object and detail of what can be asked for. None for what only the tenure says.
fn named(command: &Command) -> Option<(&'static str, String, String)> {
    let plain = |action, object: String| Some((action, object, String::new()));
    match command {
        Command::PlaceOrder(new) => Some(("place_order", format!("orders/{}", new.id), items(&new.items))),
        Command::TakeAssignment(new) => Some(("place_order", format!("orders/{}", new.id), items(&new.items))),
        Command::CancelOrder { order, .. } => plain("cancel_order", format!("orders/{order}")),
        Command::CollectOrder { order } => plain("collect_order", format!("orders/{order}")),
        Command::PutRecipe { recipe } => plain("put_recipe", format!("recipes/{}", recipe.id)),
        Command::Configure { .. } => plain("put_settings", "kitchen/settings".to_owned()),
        Command::Drain { draining } => {
            plain(if *draining { "drain_kitchen" } else { "undrain_kitchen" }, "kitchen".to_owned())
        }
        Command::HoldZone { zone, held, .. } => {
            let action = if *held { "hold_kitchen" } else { "resume_kitchen" };
            let detail = if zone.is_empty() { String::new() } else { format!("zone {zone}") };
            Some((action, "kitchen".to_owned(), detail))
        }
        Command::DirectDevice { device, directive, .. } => plain(word_of(*directive), format!("devices/{device}")),
        Command::DecideIncident { incident, decision, .. } => {
            Some(("decide_incident", format!("incidents/{incident}"), decided(decision)))
        }
        Command::RemakePizza { pizza, .. } => plain("remake_pizza", format!("pizzas/{pizza}")),
        Command::AddToken { new, .. } => {
            Some(("add_token", format!("tokens/{}", new.id), format!("{}, {}", new.name, new.role)))
        }
        Command::RevokeToken { token, .. } => plain("revoke_token", format!("tokens/{token}")),
        Command::NoteAct { act, .. } => Some(act_named(act)),
        Command::NoteTokenUse { .. }
        | Command::TakeCharge { .. }
        | Command::RaiseRules { .. }
        | Command::RecordFacts { .. }
        | Command::RecordReport { .. }
        | Command::JudgeDevice { .. }
        | Command::DeadlinesDue
        | Command::FollowBackend(_) => None,
    }
}

fn act_named(act: &Act) -> (&'static str, String, String) {
    let cluster = || "cluster".to_owned();
    match act {
        Act::Transfer { to } => {
            let whom = to.map_or("to whoever has stored most".to_owned(), |to| format!("to node {to}"));
            ("transfer_leadership", cluster(), whom)
        }
        Act::Join { node, peer } => ("join_cluster", cluster(), format!("node {node} at {peer}")),
        Act::Leave { node } => ("leave_cluster", cluster(), format!("node {node}")),
    }
}

fn word_of(directive: Directive) -> &'static str {
    match directive {
        Directive::Adopt => "adopt_device",
        Directive::Drain => "drain_device",
        Directive::Hold => "hold_device",
        Directive::Resume => "resume_device",
        Directive::Maintain => "maintain_device",
        Directive::Release => "release_device",
        Directive::Retire => "retire_device",
    }
}

fn decided(decision: &Decision) -> String {
    match decision {
        Decision::PizzaGone => "pizza_gone".to_owned(),
        Decision::OnDevice { place } => format!("on_device {}, lane {}", place.device, place.lane),
        Decision::LaneClear => "lane_clear".to_owned(),
        Decision::Good => "good".to_owned(),
        Decision::Bad => "bad".to_owned(),
        Decision::Retry => "retry".to_owned(),
        Decision::GiveUp => "give_up".to_owned(),
        Decision::Resolved => "resolved".to_owned(),
    }
}

/// The pizzas of an order, as far as there is room.
fn items(items: &[super::RecipeId]) -> String {
    const SHOWN_MAX: usize = 8;
    let shown: Vec<&str> = items.iter().take(SHOWN_MAX).map(super::RecipeId::as_str).collect();
    match items.len().saturating_sub(SHOWN_MAX) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kitchen::rows::InMemory;

    fn drain(kitchen: &mut Kitchen, asked: Option<Asked>) -> Vec<Row> {
        let entry = Entry { at: 5, wall: 9, epoch: None, asked, command: Command::Drain { draining: true } };
        kitchen.apply(7, &entry, &InMemory::new()).archive
    }

    #[test]
    fn the_oldest_record_goes_when_there_are_too_many() {
        let mut kitchen = Kitchen::default();
        let ann = || Some(Asked { actor: "ann".into(), ..Asked::default() });
        for (audited, gone) in [(0, None), (RECORDS_MAX - 1, None), (RECORDS_MAX, Some(1)), (RECORDS_MAX + 5, Some(6))]
        {
            kitchen.meta.audited = audited;
            let rows = drain(&mut kitchen, ann());
            assert_eq!(number_of(&rows[0].key), Some(audited + 1));
            let deleted: Vec<_> = rows[1..].iter().map(|r| (number_of(&r.key), r.value.is_some())).collect();
            assert_eq!(deleted, gone.map(|gone| (Some(gone), false)).into_iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn what_nobody_asked_for_leaves_no_record() {
        let mut kitchen = Kitchen::default();
        assert!(drain(&mut kitchen, None).is_empty() && kitchen.meta.audited == 0);
    }

    #[test]
    fn a_record_says_what_came_of_it() {
        let mut kitchen = Kitchen::default();
        let token = || "t1".parse().unwrap();
        let note = |refused: Option<&str>| {
            let act = Act::Join { node: 4, peer: "k4:7300".into() };
            Command::NoteAct { act, refused: refused.map(str::to_owned) }
        };
        let hold = || Command::HoldZone { zone: String::new(), held: true, actor: "ann".into() };
        let cases = [
            (hold(), "hold_kitchen kitchen", AuditOutcome::Done, ""),
            (hold(), "hold_kitchen kitchen", AuditOutcome::Unchanged, ""),
            (
                Command::RevokeToken { token: token(), even_last: false, actor: "ann".into() },
                "revoke_token tokens/t1",
                AuditOutcome::Refused,
                "there is no token t1: see /v1/tokens",
            ),
            (note(None), "join_cluster cluster node 4 at k4:7300", AuditOutcome::Begun, ""),
            (note(Some("too slow")), "join_cluster cluster node 4 at k4:7300", AuditOutcome::Refused, "too slow"),
        ];
        for (n, (command, named, outcome, refusal)) in (1..).zip(cases) {
            let asked = Some(Asked { actor: "ann".into(), reason: "smoke".into(), ..Asked::default() });
            let entry = Entry { at: 5, wall: 9, epoch: None, asked: asked.clone(), command };
            let applied = kitchen.apply(n, &entry, &InMemory::new());
            let row = applied.archive.iter().find(|row| number_of(&row.key) == Some(n)).expect("a record");
            let record = AuditRecord::read(row.value.as_ref().unwrap()).unwrap();
            let what = [&*record.action, &record.object, &record.detail].join(" ");
            assert_eq!((what.trim(), record.outcome, &*record.refusal), (named, outcome, refusal));
            assert_eq!((record.index, record.wall, Some(record.asked)), (n, 9, asked));
        }
    }
}
