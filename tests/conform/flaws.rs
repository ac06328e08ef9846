//! One flaw each: what is wrong between a good session and the wire. Here is how it hears; how it speaks is in `said`.

use brigade::protocol::*;

use crate::broken::Broken;

/// A second execution has a number of its own inside the device, and the first one's outside.
pub const SECOND: u32 = 100_000;

/// What a device does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    None,
    OtherClientId,
    NoWill,
    WillOfAnotherConnection,
    ForgetsFacts,
    RefusesUnknownFields,
    StateNotRetained,
    StateOnce,
    ObeysRetained,
    ObeysAnyBoot,
    ObeysLowerEpochs,
    KnowsStaleIds,
    SilentOnRepeats,
    ObeysOldHolds,
    RunsWhatWasCancelled,
    DoesItAgain,
    ForgivesRefusals,
    ForgetsWithAck,
    ForgetsAfterFiveSeconds,
    StartsUnasked,
    TakesAnyLease,
    LeaseFromReceipt,
    LeaseOfAnyBoot,
    LeaseOfAnyEpoch,
    TakesEarlierAnswers,
    KeepsTheWord,
    NoBeatForTasks,
    NoBeatForEpochs,
    EpochVoidsNothing,
    NeverExpires,
    TwoTasksInOnePlace,
    DancesOnDemand,
    ForgetsWhatIsOver,
    StopsWhenAlone,
    OrphansNeverStart,
    OrphansStartLate,
    StaysInSilence,
    CountsBeatsAtOnce,
    NoWatchdog,
    StopsWhatMustEnd,
    ObeysOtherZones,
    RevStands,
    OldRevInBeats,
    OddProgress,
    NoErrorsField,
    GoesBack,
    SameBoot,
    NamesNoPizza,
    LoadedIsFull,
    RemembersItsPizza,
    StopsBakes,
    NeverOverdue,
    ForgetsThatItWasFull,
    ReadsIds,
    DeafToZones,
    ForgetsGoodbyes,
    ObeysInOrder,
    RefusesWhatShouldWait,
    DeafWhileHeld,
    GuessesTimes,
    DeafToHeldLeases,
    HoldsOn,
    KeepsTheHold,
    ShamsHolds,
    HoldStopsTheClock,
    NeverStops,
    CallsItExpired,
    KeepsItsBeat,
    UnknownIsInvalid,
    HeldIsBusy,
    InvalidIsUnsupported,
    FullIsInvalid,
    HoldComesFirst,
    SettlesWhileBusy,
    TakesANinthDone,
    TakesANinthToDo,
    ShortMemory,
    AlwaysIdle,
    StoppedClock,
    LazyHeart,
    AnswersQuestions,
    CountsDown,
    TalksTooMuch,
    NoVersion,
    TwoBoots,
    OutOfBounds,
}

impl Flaw {
    /// What is wrong with what it can do.
    pub fn change_facts(self, facts: &mut Facts) {
        match self {
            Self::StopsWhatMustEnd => facts.actions.iter_mut().for_each(|action| action.cancel = CancelClass::Always),
            Self::TwoTasksInOnePlace => facts.lanes = vec![0, 1],
            Self::NeverStops => facts.actions.iter_mut().for_each(|action| action.cancel = CancelClass::Never),
            _ => {}
        }
    }

    /// What is wrong with its will.
    pub fn change_will(self, will: Conn) -> Option<Conn> {
        match self {
            Self::NoWill => None,
            Self::WillOfAnotherConnection => Some(Conn { n: will.n + 7, ..will }),
            Self::CountsDown => Some(Conn { n: 1_000 - will.n, ..will }),
            Self::TwoBoots => Some(Conn { boot: will.boot ^ 1, ..will }),
            _ => Some(will),
        }
    }
}

impl Broken {
    /// What it makes of what comes in. None: it does not hear it.
    pub fn inbound(&mut self, leaf: Leaf, bytes: &[u8]) -> Option<Vec<u8>> {
        if self.flaw == Flaw::RefusesUnknownFields && String::from_utf8_lossy(bytes).contains("x-later") {
            return None;
        }
        let Ok(mut message) = Message::decode(leaf, bytes) else { return Some(bytes.to_vec()) };
        match &mut message {
            Message::Cmd(cmd) => {
                let is_heard = self.hear_cmd(cmd);
                return is_heard.then(|| message.encode());
            }
            Message::Lease(lease) => self.hear_lease(lease),
            Message::AllCmd(cmd) if self.flaw == Flaw::ObeysOtherZones => cmd.zone = None,
            Message::AllCmd(_) if self.flaw == Flaw::DeafToZones => return None,
            Message::AllCmd(cmd) if cmd.op == ZoneOp::Resume && self.flaw == Flaw::KeepsTheHold && self.lease_holds => {
                return None;
            }
            Message::AllCmd(cmd) if cmd.zone.is_none() => self.zone_holds = cmd.op == ZoneOp::Hold,
            Message::Leader(leader) if leader.st == LeaderState::Down && self.flaw == Flaw::ForgetsGoodbyes => {
                return None;
            }
            _ => {}
        }
        Some(message.encode())
    }

    fn next(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    /// False: it does not hear this one.
    fn hear_cmd(&mut self, cmd: &mut Cmd) -> bool {
        let (own_boot, fence) = (self.session.state().boot, self.session.fence());
        match self.flaw {
            Flaw::ObeysAnyBoot => cmd.boot = own_boot,
            Flaw::ObeysLowerEpochs => cmd.epoch = cmd.epoch.max(fence),
            Flaw::KnowsStaleIds => {
                if self.stale.contains(&cmd.id) {
                    return false;
                }
                if cmd.epoch < fence {
                    self.stale.push(cmd.id);
                }
            }
            Flaw::ObeysInOrder if cmd.id < self.highest => return false,
            Flaw::DeafWhileHeld if cmd.op == Op::FactsGet && self.session.state().cond == Condition::Held => {
                return false;
            }
            _ => {}
        }
        self.highest = self.highest.max(cmd.id);
        if matches!(cmd.op, Op::StateGet | Op::FactsGet) {
            self.questions.push(cmd.id);
        }
        if self.flaw == Flaw::ObeysOldHolds && matches!(cmd.op, Op::Hold | Op::Resume) {
            cmd.idx = self.next();
        }
        let done = |result: &InstructionResult| result.id == cmd.id && result.res == CommandResult::Done;
        let is_repeat = self.session.state().cmds.iter().any(done);
        match &mut cmd.op {
            Op::TaskStart(task) => {
                if is_repeat && self.flaw == Flaw::SilentOnRepeats {
                    return false;
                }
                if self.flaw == Flaw::ReadsIds && task.pizza.as_str().contains("__") {
                    return false;
                }
                self.hear_task(cmd.id, task);
            }
            Op::Hold | Op::Resume if self.flaw == Flaw::ShamsHolds => {
                self.shams_hold = cmd.op == Op::Hold;
                cmd.op = Op::Ack(Attempt { id: "nothing".parse().unwrap(), att: 1 });
            }
            Op::TaskCancel(attempt) if self.is_waiting(attempt) => {
                self.fates.insert(attempt.clone(), "cancelled in time");
            }
            Op::TaskCancel(attempt) => {
                self.fates.entry(attempt.clone()).or_insert("cancelled first");
                self.mean_the_second(attempt);
            }
            Op::Ack(attempt) => {
                self.fates.insert(attempt.clone(), "acknowledged");
                self.acknowledged_at.insert(attempt.clone(), self.now);
                self.mean_the_second(attempt);
            }
            Op::ConfigSet(setting) => {
                self.orphan_ms = setting.orphan_ms.unwrap_or(self.orphan_ms);
                match self.flaw {
                    Flaw::KeepsItsBeat if setting.hb_ms == Some(250) => setting.hb_ms = Some(crate::broken::HB_MS),
                    Flaw::OrphansNeverStart => setting.orphan_ms = Some(0),
                    Flaw::OrphansStartLate => setting.orphan_ms = Some(600_000),
                    _ => {}
                }
            }
            _ => {}
        }
        true
    }

    fn is_waiting(&self, attempt: &Attempt) -> bool {
        let is_it = |line: &TaskLine| line.attempt == *attempt && line.st == TaskState::Waiting;
        self.session.state().tasks.iter().any(is_it)
    }

    /// What is said of an attempt means its second execution, where there is one.
    fn mean_the_second(&self, attempt: &mut Attempt) {
        let second = Attempt { att: attempt.att.saturating_add(SECOND), ..attempt.clone() };
        if self.session.state().tasks.iter().any(|line| line.attempt == second) {
            *attempt = second;
        }
    }

    fn hear_task(&mut self, id: InstructionId, task: &mut TaskStart) {
        let fate = self.fates.get(&task.attempt).copied();
        let state = self.session.state();
        let line = state.tasks.iter().find(|line| line.attempt == task.attempt);
        let is_over = line.is_some_and(|line| line.st.is_over());
        let has_results = state
            .cmds
            .iter()
            .any(|cmd| self.starts.get(&cmd.id) == Some(&task.attempt) && cmd.res != CommandResult::Done);
        let since_ack = self.acknowledged_at.get(&task.attempt).map(|at| self.now - at);
        let does_again = match self.flaw {
            Flaw::DoesItAgain => is_over && fate != Some("cancelled first"),
            Flaw::RunsWhatWasCancelled => fate == Some("cancelled first"),
            Flaw::ForgivesRefusals => line.is_none() && has_results && since_ack.is_none(),
            Flaw::ForgetsWithAck => fate == Some("acknowledged"),
            Flaw::ForgetsAfterFiveSeconds => since_ack.is_some_and(|ms| ms > 5_000),
            _ => false,
        };
        if let Some(max_ms) = task.max_ms {
            self.max_ms.insert(task.attempt.clone(), max_ms);
        }
        if self.flaw == Flaw::LoadedIsFull {
            self.takes_for = Some(task.pizza.clone());
            self.look();
        }
        if !self.starts.contains_key(&id) {
            self.fates.insert(task.attempt.clone(), "asked for");
        }
        self.starts.insert(id, task.attempt.clone());
        if does_again {
            task.attempt.att += SECOND;
        }
        match self.flaw {
            Flaw::GuessesTimes if task.start_within_ms.is_none() => task.start_within_ms = Some(600_000),
            Flaw::RefusesWhatShouldWait if matches!(task.after, Some(After::Delay { .. })) => {
                let is_taken = state.tasks.iter().any(|l| l.lane == Some(task.lane) && !l.st.is_over());
                task.after = task.after.take().filter(|_| !is_taken);
            }
            Flaw::NeverExpires if task.start_within_ms.is_some() => task.start_within_ms = Some(600_000),
            Flaw::TwoTasksInOnePlace if state.tasks.iter().any(|l| l.lane == Some(0) && !l.st.is_over()) => {
                task.lane = if task.lane == 0 { 1 } else { task.lane };
            }
            _ => {}
        }
    }

    fn hear_lease(&mut self, lease: &mut Lease) {
        self.unanswered = 0;
        self.lease_holds = lease.held;
        let state = self.session.state();
        let last = self.sent.keys().next_back().copied().unwrap_or(0);
        match self.flaw {
            Flaw::TakesAnyLease if !lease.open.is_empty() => lease.open = self.starts.keys().copied().collect(),
            Flaw::LeaseFromReceipt => {
                lease.l_ms += self.sent.get(&lease.seq).map_or(0, |at| self.now - at);
            }
            Flaw::DeafToHeldLeases => lease.held = false,
            Flaw::HoldsOn => lease.held |= self.zone_holds,
            Flaw::LeaseOfAnyBoot => lease.boot = state.boot,
            Flaw::LeaseOfAnyEpoch => lease.epoch = lease.epoch.max(self.session.fence()),
            Flaw::TakesEarlierAnswers if !lease.open.is_empty() => lease.seq = last,
            Flaw::KeepsTheWord if (lease.boot, lease.epoch, lease.seq) == (state.boot, state.fence.epoch, last) => {
                lease.open.extend(&self.named);
                self.named = lease.open.clone();
            }
            _ => {}
        }
        if self.flaw == Flaw::EpochVoidsNothing {
            self.named = lease.open.clone();
        }
    }

    /// What it does by itself after a message.
    pub fn after_hearing(&mut self, leaf: Leaf) {
        if self.flaw == Flaw::EpochVoidsNothing && leaf == Leaf::Leader && !self.named.is_empty() {
            self.lease_to_itself(self.named.clone());
        }
    }

    /// What it does by itself at each step.
    pub fn at_each_step(&mut self) {
        let state = self.session.state();
        if self.flaw == Flaw::HoldStopsTheClock {
            self.session.set_watchdog(state.cond != Condition::Held);
        }
        if self.flaw == Flaw::StartsUnasked && state.tasks.iter().any(|line| line.st == TaskState::Waiting) {
            self.lease_to_itself(self.starts.keys().copied().collect());
        }
        if self.flaw == Flaw::StopsBakes {
            for line in state.tasks.iter().filter(|line| line.st == TaskState::Running) {
                let since = *self.running_since.entry(line.attempt.clone()).or_insert(self.now);
                if self.max_ms.get(&line.attempt).is_some_and(|max_ms| self.now - since > *max_ms) {
                    self.stop(&line.attempt);
                }
            }
        }
        if self.flaw == Flaw::ForgetsWhatIsOver {
            for line in state.tasks.iter().filter(|line| line.st.is_over()) {
                let since = *self.over_since.entry(line.attempt.clone()).or_insert(self.now);
                if self.now - since > 150 {
                    let index = self.next();
                    let (id, epoch) = (InstructionId { index, n: 0 }, self.session.fence());
                    let op = Op::Ack(line.attempt.clone());
                    self.whisper(Cmd { id, boot: state.boot, epoch, idx: index, ttl_ms: 1_000, op });
                }
            }
        }
    }

    fn lease_to_itself(&mut self, open: Vec<InstructionId>) {
        let seq = self.sent.keys().next_back().copied().unwrap_or(0);
        let (boot, epoch) = (self.session.state().boot, self.session.fence());
        let held = self.session.state().cond == Condition::Held;
        self.whisper(Lease { boot, seq, epoch, l_ms: 60_000, held, open });
    }
}
