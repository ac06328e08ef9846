//! The desk between a person and the session: what he is asked, what he said, and whether he is there. Shared by both sides.
//!
//! The page stands for the person: while it asks, he is there. Who is not there takes no work. Nothing here sends anything or reads a
//! clock; the session decides what may start and when it is over.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::station::{Reason, holds_after, reasons};
use crate::device::firmware::{End, Happening};
use crate::device::session::OpenTask;
use crate::protocol::{Action, Attempt, Id, Millis, TaskStart, TaskState, Verdict};

/// A page that has not asked for so long is closed, or its tablet is dead.
pub const AWAY_MS: Millis = 8_000;
/// So many tasks in a row that nobody began: nobody is there, whatever the page does.
const UNANSWERED_MAX: u32 = 3;

/// What a person says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// He begins.
    Start,
    /// It is done; of an inspection, what he saw.
    Done(Option<Verdict>),
    /// It failed, by this code, with more for people.
    Failed(String, String),
    /// He has stopped, as he was told.
    Stopped,
}

/// Why a word counts for nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// What it is about is over, or not so far yet.
    #[error("this is not asked any more: look at what the tablet shows now")]
    NotNow,
    /// The code is none of this action's.
    #[error("this can't fail for that reason")]
    NoReason,
    /// An inspection ends with a verdict, and nothing else does.
    #[error("an inspection ends with PASS, FAIL or UNSURE, and only an inspection does")]
    NoVerdict,
}

/// Whether the person works, by his own word and by his page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Presence {
    /// He takes work, by his last word.
    pub wants: bool,
    /// He did not answer, so that his word does not count any more.
    pub unanswered: bool,
    /// He wants work and his page asks.
    pub is_there: bool,
}

/// How far the line reaches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Light {
    /// A controller answers.
    Kitchen,
    /// The broker is there, and no controller answers.
    Broker,
    /// Nothing.
    #[default]
    Nobody,
}

/// Everything on the desk.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Desk {
    /// His presence.
    pub presence: Presence,
    /// The link.
    pub light: Light,
    /// The kitchen holds him.
    pub is_held: bool,
    /// What he is asked, or does.
    pub task: Option<OpenTask>,
    /// He was told to stop it.
    pub stops: bool,
    /// The pizza in his hands.
    pub hands: Option<Id>,
    /// What became of the last thing, for him.
    pub last: Option<String>,
    begins: Vec<Attempt>,
    happened: Vec<Happening>,
    expired: u32,
    seen_at: Option<Millis>,
}

/// A desk for both sides. Each change has a number, so that a page can wait for the next one.
#[derive(Debug, Default)]
pub struct Shared {
    desk: Mutex<Desk>,
    changes: watch::Sender<u64>,
}

impl Shared {
    /// As it is, with the number of its last change.
    pub fn look(&self) -> (u64, Desk) {
        let desk = self.lock();
        (*self.changes.borrow(), desk.clone())
    }

    /// Changes the desk, and tells who waits if that is to be seen.
    pub fn change<T>(&self, change: impl FnOnce(&mut Desk) -> T) -> T {
        let mut desk = self.lock();
        let before = desk.clone();
        let result = change(&mut desk);
        // That the page asked again is nothing to show.
        if *desk != (Desk { seen_at: desk.seen_at, ..before }) {
            self.changes.send_modify(|n| *n += 1);
        }
        result
    }

    /// The number of the last change, to be waited on.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The page's side.
impl Desk {
    /// His page asks: he is there.
    pub fn page_asks(&mut self, now: Millis) {
        self.seen_at = Some(now);
        self.pass_time(now);
    }

    /// He takes work from now on, or none.
    pub fn wants_work(&mut self, now: Millis, wants: bool) {
        (self.presence.wants, self.presence.unanswered, self.expired) = (wants, false, 0);
        self.page_asks(now);
    }

    /// He says that his hands are empty.
    pub fn hands_are_empty(&mut self) -> Result<(), Refused> {
        if self.is_moving() {
            return Err(Refused::NotNow);
        }
        self.hands = None;
        Ok(())
    }

    /// He says something about what he is asked. It counts only for the attempt that he saw.
    pub fn say(&mut self, attempt: &Attempt, word: Word) -> Result<(), Refused> {
        let task = self.task.as_ref().filter(|task| task.order.attempt == *attempt).ok_or(Refused::NotNow)?;
        let (order, is_waiting) = (task.order.clone(), task.state == TaskState::Waiting);
        let action = order.act.known().ok_or(Refused::NotNow)?;
        match word {
            Word::Start if is_waiting => self.begin(attempt),
            Word::Done(verdict) if !is_waiting => return self.done(&order, action, verdict),
            Word::Failed(code, detail) if !is_waiting => {
                let reason = reasons(action).iter().find(|r| r.code == code).ok_or(Refused::NoReason)?;
                self.failed(&order, reason, detail);
            }
            Word::Stopped if self.stops => self.end(&order, End::Cancelled, "Stopped"),
            Word::Start | Word::Done(_) | Word::Failed(..) | Word::Stopped => return Err(Refused::NotNow),
        }
        Ok(())
    }

    fn begin(&mut self, attempt: &Attempt) {
        self.expired = 0;
        self.begins = vec![attempt.clone()];
    }

    fn done(&mut self, order: &TaskStart, action: Action, verdict: Option<Verdict>) -> Result<(), Refused> {
        if (action == Action::Inspect) != verdict.is_some() {
            return Err(Refused::NoVerdict);
        }
        match holds_after(action) {
            Some(true) => self.hands = Some(order.pizza.clone()),
            Some(false) => self.hands = None,
            None => {}
        }
        let code = match verdict {
            Some(Verdict::Pass) => "PASS",
            Some(Verdict::Fail) => "FAIL",
            Some(Verdict::Unsure) => "UNSURE",
            None => "",
        };
        self.end(order, End::Finished { code: code.to_owned(), temp_dc: None }, "Done");
        Ok(())
    }

    fn failed(&mut self, order: &TaskStart, reason: &Reason, detail: String) {
        if reason.empties {
            self.hands = None;
        }
        let detail = if detail.is_empty() { reason.text.to_owned() } else { detail };
        self.end(order, End::Failed { code: reason.code.to_owned(), detail }, "Failed");
    }

    fn end(&mut self, order: &TaskStart, end: End, how: &str) {
        self.happened.push(Happening::Ended { attempt: order.attempt.clone(), end });
        self.last = Some(format!("{how}: {} {}", order.act.as_str(), order.pizza));
        (self.task, self.stops) = (None, false);
        self.begins.clear();
    }

    fn is_moving(&self) -> bool {
        self.task.as_ref().is_some_and(|task| task.state != TaskState::Waiting)
    }
}

/// The session's side.
impl Desk {
    /// Time passes: a page that is silent for too long means that nobody is there.
    pub fn pass_time(&mut self, now: Millis) {
        let asks = self.seen_at.is_some_and(|at| now < at.saturating_add(AWAY_MS));
        self.presence.is_there = self.presence.wants && asks;
    }

    /// What he has said that he begins.
    pub fn begins(&self) -> &[Attempt] {
        &self.begins
    }

    /// What happened since the last call.
    pub fn take_happened(&mut self) -> Vec<Happening> {
        std::mem::take(&mut self.happened)
    }

    /// The session has started it. What is made is in his hands from now on.
    pub fn started(&mut self, order: &TaskStart) {
        if order.act.known() == Some(Action::Prep) {
            self.hands = Some(order.pizza.clone());
        }
    }

    /// The session wants this to stop.
    pub fn stop(&mut self, attempt: &Attempt) {
        self.stops = self.task.as_ref().is_some_and(|task| task.order.attempt == *attempt);
    }

    /// What the session has open now. What it has no longer, and he did not end, was ended by time or by the kitchen.
    pub fn shows(&mut self, open: Option<OpenTask>) {
        // He has ended it, and the session hears of it in a moment.
        let ended = |task: &OpenTask| {
            self.happened
                .iter()
                .any(|h| matches!(h, Happening::Ended { attempt, .. } if *attempt == task.order.attempt))
        };
        let open = open.filter(|task| !ended(task));
        let is_same = |now: &OpenTask, before: &OpenTask| now.order.attempt == before.order.attempt;
        let before = self.task.take();
        if let Some(before) = before.filter(|before| !open.as_ref().is_some_and(|now| is_same(now, before))) {
            let why = if before.state == TaskState::Waiting { "Taken back" } else { "Too late" };
            self.last = Some(format!("{why}: {} {}", before.order.act.as_str(), before.order.pizza));
            self.stops = false;
            self.begins.clear();
        }
        self.task = open;
    }

    /// Something was never begun. Who lets several pass is not there.
    pub fn expired(&mut self, attempt: &Attempt) {
        if self.begins.contains(attempt) {
            return;
        }
        self.expired += 1;
        if self.expired >= UNANSWERED_MAX {
            (self.presence.wants, self.presence.unanswered, self.presence.is_there) = (false, true, false);
        }
    }
}
