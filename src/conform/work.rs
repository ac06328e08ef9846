//! What each kind of device can be told to do without a kitchen around it, and how it comes to rest again.

use super::bench::Bench;
use super::hands::HAND_MS;
use super::{Stop, expect, skip};
use crate::clock;
use crate::protocol::{
    Action, After, Attempt, CancelClass, CommandResult, Condition, DeviceKind, Id, InstructionId, Lane, Millis, Op,
    Params, Setting, TaskStart, TaskState, ZoneOp,
};

/// How long a task may wait for its start, unless a check says otherwise.
const START_WITHIN_MS: Millis = 600_000;
/// How long a task runs that is to be seen running.
pub(super) const LONG_MS: Millis = 1_500;
/// How long one that is to be over soon.
pub(super) const SHORT_MS: Millis = 60;

impl Bench {
    pub(super) fn kind(&self) -> DeviceKind {
        self.facts().kind
    }

    pub(super) fn is_oven(&self) -> bool {
        self.kind() == DeviceKind::Oven
    }

    pub(super) fn lane(&self) -> Lane {
        self.facts().lanes.first().copied().unwrap_or(0)
    }

    /// What this kind can start with nothing around it. A gripper that is empty can be emptied.
    pub(super) fn action(&self) -> Action {
        let offers = |action| self.facts().action(action).is_some();
        match self.kind() {
            DeviceKind::Oven => Action::Bake,
            DeviceKind::Camera => Action::Inspect,
            DeviceKind::BeforeOven | DeviceKind::AfterOven | DeviceKind::Human if offers(Action::Prep) => Action::Prep,
            DeviceKind::BeforeOven | DeviceKind::AfterOven | DeviceKind::Human => Action::Discard,
        }
    }

    /// A new task of this kind's first action. An oven's waits until its slot is loaded.
    pub(super) fn task(&mut self, ms: Millis) -> TaskStart {
        self.task_of(self.action(), ms)
    }

    /// A new task.
    pub(super) fn task_of(&mut self, action: Action, ms: Millis) -> TaskStart {
        let n = self.next_idx();
        let word = |text: String| text.parse::<Id>().expect("letters and digits are an id");
        let after = (action == Action::Bake).then(|| After::loaded(self.lane()));
        let bake = action == Action::Bake;
        let inspect = action == Action::Inspect;
        let stage = self.facts().stages.first().cloned().unwrap_or_else(|| word("prep".to_owned()));
        let params = Params {
            ms: Some(ms),
            window_ms: bake.then_some(START_WITHIN_MS),
            station: inspect.then(|| self.options.device.clone()),
            stage: inspect.then_some(stage),
            ..Params::default()
        };
        TaskStart {
            attempt: Attempt { id: word(format!("conform-{n}")), att: 1 },
            pizza: word(format!("pizza-{n}")),
            act: action.into(),
            lane: self.lane(),
            params,
            start_within_ms: Some(START_WITHIN_MS),
            max_ms: None,
            after,
        }
    }

    /// A new task that falls due so long after its acceptance.
    pub(super) fn task_after(&mut self, delay_ms: Millis, ms: Millis) -> TaskStart {
        TaskStart { after: Some(After::Delay { ms: delay_ms }), ..self.task(ms) }
    }

    /// Instructs a task, which must be accepted.
    pub(super) async fn accept(&mut self, task: &TaskStart) -> Result<InstructionId, Stop> {
        let id = self.instruct(Op::TaskStart(task.clone()));
        self.expect_result(id, CommandResult::Done).await?;
        Ok(id)
    }

    /// What this kind waits for before it starts, other than a lease, comes to pass.
    pub(super) async fn make_due(&mut self) -> Result<(), Stop> {
        if !self.is_oven() {
            return Ok(());
        }
        self.by_hand(|hands| &mut hands.load, "load").await?;
        let expected = "holds to say that something lies in the slot";
        self.until(expected, HAND_MS, |seen| (!seen.state.as_ref()?.holds.is_empty()).then_some(())).await
    }

    /// Ovens are loaded by hand: without one they start nothing.
    pub(super) fn needs_hand(&self) -> Result<(), Stop> {
        let is_missing =
            matches!(self.hands.load, super::Hand::Missing) || matches!(self.hands.clear, super::Hand::Missing);
        if self.is_oven() && is_missing {
            return skip(
                "an oven starts nothing until a hand loads it: give --load and --clear, or --simulated, or run it on a terminal",
            );
        }
        Ok(())
    }

    /// The same where a person's hand would be too slow.
    pub(super) fn needs_quick_hand(&self) -> Result<(), Stop> {
        self.needs_hand()?;
        if self.is_oven() && !self.hands.load.is_quick() {
            return skip("milliseconds count: give --load COMMAND");
        }
        Ok(())
    }

    /// A task that runs.
    pub(super) async fn running(&mut self, ms: Millis) -> Result<(TaskStart, InstructionId), Stop> {
        let task = self.task(ms);
        let id = self.run_it(&task).await?;
        Ok((task, id))
    }

    /// Accepted, due, named by a lease, and begun.
    pub(super) async fn run_it(&mut self, task: &TaskStart) -> Result<InstructionId, Stop> {
        self.needs_hand()?;
        let id = self.accept(task).await?;
        self.make_due().await?;
        self.open(id);
        self.begun(&task.attempt).await?;
        Ok(id)
    }

    /// Waits until this attempt has begun. A short one may be over already.
    pub(super) async fn begun(&mut self, attempt: &Attempt) -> Result<(), Stop> {
        let expected = format!("{} to start", attempt.id);
        let limit_ms = self.limit_ms();
        let st =
            self.until(&expected, limit_ms, |seen| seen.task(attempt).filter(|st| *st != TaskState::Waiting)).await?;
        let has_begun = !matches!(st, TaskState::Expired | TaskState::Cancelled);
        expect(has_begun, || (expected, format!("{st:?}")))
    }

    /// Waits until this attempt is over: how it ended.
    pub(super) async fn over(&mut self, attempt: &Attempt) -> Result<TaskState, Stop> {
        let expected = format!("{} to end", attempt.id);
        let limit_ms = self.end_limit_ms();
        self.until(&expected, limit_ms, |seen| seen.task(attempt).filter(|st| st.is_over())).await
    }

    /// How long a task may take to its end: what its watchdog allows.
    fn end_limit_ms(&self) -> Millis {
        let max_ms = self.facts().action(self.action()).map_or(0, |action| action.max_ms);
        max_ms + self.limit_ms()
    }

    /// Watches that this attempt does not begin.
    pub(super) async fn stays(&mut self, attempt: &Attempt, why: &str) -> Result<(), Stop> {
        self.pass(self.quiet_ms()).await?;
        self.fresh().await?;
        let st = self.seen.task(attempt);
        expect(st == Some(TaskState::Waiting), || {
            (format!("{} to wait: {why}", attempt.id), st.map_or("no such task".to_owned(), |st| format!("{st:?}")))
        })
    }

    /// Watches that this attempt is not executed: neither shown as begun nor as over.
    pub(super) async fn never_runs(&mut self, attempt: &Attempt, why: &str) -> Result<(), Stop> {
        self.pass(self.quiet_ms()).await?;
        self.fresh().await?;
        let st = self.seen.task(attempt);
        let is_idle = matches!(st, None | Some(TaskState::Cancelled | TaskState::Expired));
        expect(is_idle, || (format!("{} never to run: {why}", attempt.id), format!("{st:?}")))
    }

    /// Acknowledges an attempt, and waits until the device has let go of it.
    pub(super) async fn acknowledge(&mut self, attempt: &Attempt) -> Result<(), Stop> {
        self.instruct(Op::Ack(attempt.clone()));
        let expected = format!("{} to go, as it is acknowledged", attempt.id);
        self.until(&expected, self.limit_ms(), |seen| seen.task(attempt).is_none().then_some(())).await
    }

    // Rest

    /// Brings the device to rest: on line, not held, without tasks, empty, with its own settings.
    pub(super) async fn tidy(&mut self) -> Result<(), Stop> {
        self.answers = super::bench::Answers::default();
        let limit_ms = self.limit_ms().max(HAND_MS);
        self.until("the device to be on line", limit_ms, |seen| seen.is_online().then_some(())).await?;
        let lease = self.lease_of_latest(&[]);
        self.lease(lease);
        if self.fresh().await?.cond == Condition::Held {
            self.instruct(Op::Resume);
            let idx = self.next_idx();
            self.say_all(ZoneOp::Resume, idx, None);
        }
        self.end_tasks().await?;
        self.empty().await?;
        self.restore_settings().await
    }

    /// Cancels what can be cancelled, waits for the rest, and acknowledges all of it.
    async fn end_tasks(&mut self) -> Result<(), Stop> {
        let deadline = clock::boottime_ms() + self.end_limit_ms();
        while !self.state().tasks.is_empty() {
            let lines = self.state().tasks.clone();
            for line in &lines {
                let action = line.act.as_ref().and_then(|act| act.known());
                let class = action.and_then(|action| self.facts().action(action)).map(|action| action.cancel);
                let may_stop = line.st == TaskState::Waiting || class == Some(CancelClass::Always);
                match line.st.is_over() {
                    true => {
                        self.instruct(Op::Ack(line.attempt.clone()));
                    }
                    false if may_stop => {
                        self.instruct(Op::TaskCancel(line.attempt.clone()));
                    }
                    false => {}
                }
            }
            let left = || {
                format!("no tasks, but {}", lines.iter().map(|l| l.attempt.id.as_str()).collect::<Vec<_>>().join(" "))
            };
            expect(clock::boottime_ms() < deadline, || ("no tasks after cancellation and ack".to_owned(), left()))?;
            let _ = self
                .until("a change", self.quiet_ms(), |seen| (seen.state.as_ref()?.tasks != lines).then_some(()))
                .await;
        }
        Ok(())
    }

    /// Takes away what lies on the device.
    async fn empty(&mut self) -> Result<(), Stop> {
        if self.state().holds.is_empty() {
            return Ok(());
        }
        match self.kind() {
            DeviceKind::Oven => self.by_hand(|hands| &mut hands.clear, "clear").await?,
            DeviceKind::BeforeOven | DeviceKind::AfterOven | DeviceKind::Human | DeviceKind::Camera => {
                let discard = self.task_of(Action::Discard, SHORT_MS);
                let id = self.accept(&discard).await?;
                self.open(id);
                self.over(&discard.attempt).await?;
                self.acknowledge(&discard.attempt).await?;
                self.answers.open.clear();
            }
        }
        let is_empty = |seen: &super::seen::Seen| seen.state.as_ref()?.holds.is_empty().then_some(());
        self.until("nothing on the device", HAND_MS, is_empty).await
    }

    /// Sets `hb_ms` and `orphan_ms`, which must be followed.
    pub(super) async fn set(&mut self, hb_ms: Millis, orphan_ms: Millis) -> Result<(), Stop> {
        let setting = Setting { hb_ms: Some(hb_ms), orphan_ms: Some(orphan_ms) };
        let id = self.instruct(Op::ConfigSet(setting));
        self.expect_result(id, CommandResult::Done).await?;
        let is_so = |seen: &super::seen::Seen| {
            seen.facts.as_ref().is_some_and(|f| (f.hb_ms, f.orphan_ms) == (hb_ms, orphan_ms)).then_some(())
        };
        self.until("facts with the new settings", self.limit_ms(), is_so).await
    }

    async fn restore_settings(&mut self) -> Result<(), Stop> {
        let Some(before) = self.facts_before.clone() else { return Ok(()) };
        if (before.hb_ms, before.orphan_ms) == (self.facts().hb_ms, self.facts().orphan_ms) {
            return Ok(());
        }
        self.set(before.hb_ms, before.orphan_ms).await
    }
}
