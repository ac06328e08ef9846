//! The session of a device with whoever controls it: every rule of the device protocol, and nothing else.
//!
//! It is told what came in, what the machine reports and what time it is, and answers with outputs. It reads no clock, draws
//! nothing, does no I/O and never panics on a message. `runtime` and the simulation drive it.
//! The rules are numbered as in docs/device-protocol.md; each file names those that it holds.

mod holding;
mod instructions;
mod memory;
mod output;
mod overdue;
mod pulse;
mod shown;
mod task;
mod tasks;
#[cfg(test)]
mod tests;

pub use output::{Notice, Output};
pub use shown::OpenTask;

use self::holding::Holding;
use self::memory::Memory;
use self::overdue::Overdue;
use self::pulse::Pulse;
use self::tasks::Tasks;
use super::firmware::{End, Happening, Status};
use crate::protocol::{
    self, AllCmd, CommandResult, Condition, Conn, ConnState, DeviceKind, Epoch, Facts, Fence, Leader, LeaderState,
    Leaf, Lease, Message, Millis, State,
};

/// A device's session: from power-up to the next.
#[derive(Debug)]
pub struct Session {
    boot: u64,
    facts: Facts,
    up_since: Millis,
    connection: u64,
    is_connected: bool,
    /// Rule 2: the highest epoch seen in any message.
    fence: Epoch,
    rev: u64,
    status: Status,
    pulse: Pulse,
    tasks: Tasks,
    memory: Memory,
    holding: Holding,
    overdue: Overdue,
    has_watchdog: bool,
    malformed: u64,
    is_changed: bool,
    out: Vec<Output>,
}

impl Session {
    /// A session that begins at power-up. `boot` is random. An oven that finds a slot occupied acts at its first tick (rule 9).
    pub fn new(now: Millis, boot: u64, facts: Facts, status: Status) -> Self {
        let is_oven = facts.kind == DeviceKind::Oven;
        let pulse = Pulse::new(facts.hb_ms);
        let tasks = Tasks::new(is_oven, &status.holds);
        let overdue = Overdue::at_power_up(is_oven, now, &status.holds);
        Self {
            boot,
            facts,
            up_since: now,
            connection: 0,
            is_connected: false,
            fence: Epoch(0),
            rev: 1,
            status,
            pulse,
            tasks,
            memory: Memory::default(),
            holding: Holding::default(),
            overdue,
            has_watchdog: true,
            malformed: 0,
            is_changed: false,
            out: Vec::new(),
        }
    }

    /// The will of the next connection (rule 1): to be called once before each attempt to connect.
    pub fn next_will(&mut self) -> Conn {
        self.connection += 1;
        self.conn(ConnState::Lost)
    }

    /// What is said before a deliberate end of the connection.
    pub fn goodbye(&self) -> Conn {
        self.conn(ConnState::Offline)
    }

    /// Connected and subscribed: say who I am, how I am, and ask for a lease (rule 1).
    pub fn connected(&mut self, now: Millis) -> Vec<Output> {
        self.is_connected = true;
        self.pulse.connected(now);
        self.say(self.conn(ConnState::Online));
        self.say(self.facts.clone());
        self.is_changed = true;
        self.beat(now);
        self.finish(now)
    }

    /// The connection is gone. What runs goes on (rule 8).
    pub fn disconnected(&mut self) {
        self.is_connected = false;
    }

    /// Takes a message as it came in. What can't be read is counted and, where its id can be read, refused.
    pub fn receive_bytes(&mut self, now: Millis, leaf: Leaf, is_retained: bool, bytes: &[u8]) -> Vec<Output> {
        match Message::decode(leaf, bytes) {
            // What a broker kept proves nothing: only who is in charge is learned from it, and epochs only grow.
            Ok(message) if !is_retained || leaf == Leaf::Leader => self.receive(now, message),
            Ok(_) => Vec::new(),
            Err(_) => {
                self.malformed += 1;
                if let Some(id) = protocol::instruction_id_of(bytes).filter(|_| leaf == Leaf::Cmd && !is_retained) {
                    self.answer(now, id, None, CommandResult::RejectedInvalid);
                }
                self.finish(now)
            }
        }
    }

    /// Takes a message. Those that are not for devices are ignored.
    pub fn receive(&mut self, now: Millis, message: Message) -> Vec<Output> {
        match message {
            Message::Cmd(cmd) => self.obey(now, cmd),
            Message::Lease(lease) => self.take_lease(now, &lease),
            Message::AllCmd(cmd) => self.obey_all(now, &cmd),
            Message::Leader(leader) => self.hear_of_leader(now, leader),
            Message::Conn(_)
            | Message::Facts(_)
            | Message::State(_)
            | Message::Heartbeat(_)
            | Message::Observation(_) => {}
        }
        self.finish(now)
    }

    /// Takes the machine's status and what happened at it.
    pub fn observe(&mut self, now: Millis, status: Status, happenings: Vec<Happening>) -> Vec<Output> {
        for happening in happenings {
            match happening {
                Happening::Progress { attempt, pct } => self.is_changed |= self.tasks.progress(&attempt, pct),
                Happening::Ended { attempt, end } => self.end(now, &attempt, end),
                Happening::Seen(observation) => self.say(observation),
            }
        }
        // What a person says that he begins is nothing that the state shows.
        self.status.begins.clone_from(&status.begins);
        if status != self.status {
            self.tasks.lanes_changed(&status.holds);
            self.overdue.lanes_changed(&status.holds);
            self.status = status;
            self.is_changed = true;
        }
        self.finish(now)
    }

    /// Lets time pass: heartbeats, expiries, watchdogs, overdue pizzas, tasks that fall due.
    pub fn tick(&mut self, now: Millis) -> Vec<Output> {
        if self.is_connected && self.pulse.is_due(now) {
            if self.pulse.is_unanswered() {
                self.pulse.connected(now);
                self.out.push(Output::NextBroker);
            } else {
                self.beat(now);
            }
        }
        self.finish(now)
    }

    /// When `tick` is to be called at the latest.
    pub fn next_deadline(&self, now: Millis) -> Option<Millis> {
        let beat = self.is_connected.then(|| self.pulse.next_at());
        let watchdog = self.has_watchdog.then(|| self.tasks.next_watchdog()).flatten();
        [beat, watchdog, self.tasks.next_due(now), self.overdue.next_at()].into_iter().flatten().min()
    }

    /// The whole state, as it is published.
    pub fn state(&self) -> State {
        let errors = self.status.errors.iter().cloned().chain(self.overdue.errors()).collect();
        State {
            boot: self.boot,
            rev: self.rev,
            mode: self.status.mode,
            cond: self.condition(),
            estop: self.status.estop,
            fence: Fence { epoch: self.fence },
            holds: self.tasks.named(&self.status.holds),
            tasks: self.tasks.lines(),
            cmds: self.memory.results(),
            errors,
            telem: self.status.telem.clone(),
        }
    }

    /// The highest epoch that it has seen.
    pub fn fence(&self) -> Epoch {
        self.fence
    }

    /// How many messages could not be read.
    pub fn malformed(&self) -> u64 {
        self.malformed
    }

    /// For simulations of broken firmware: switches the watchdog of rule 9 off or on.
    #[doc(hidden)]
    pub fn set_watchdog(&mut self, is_on: bool) {
        self.has_watchdog = is_on;
    }

    fn conn(&self, st: ConnState) -> Conn {
        Conn { boot: self.boot, n: self.connection, st }
    }

    fn condition(&self) -> Condition {
        match self.status.condition {
            Some(condition) => condition,
            None if self.holding.is_held() => Condition::Held,
            None if self.tasks.is_moving() => Condition::Execute,
            None => Condition::Idle,
        }
    }

    fn take_lease(&mut self, now: Millis, lease: &Lease) {
        self.see_epoch(now, lease.epoch);
        if lease.boot != self.boot || lease.epoch < self.fence {
            return;
        }
        if let Some(sent_at) = self.pulse.answered(now, lease) {
            let left_out = self.tasks.name(lease, sent_at);
            if left_out || !lease.open.is_empty() {
                let (until, open) = (sent_at.saturating_add(lease.l_ms), lease.open.clone());
                self.out.push(Output::Notice(Notice::Leased { epoch: lease.epoch, until, open }));
            }
            let change = self.holding.lease_says(lease.held, sent_at);
            self.hold_changed(change);
        }
    }

    fn obey_all(&mut self, now: Millis, cmd: &AllCmd) {
        self.see_epoch(now, cmd.epoch);
        let is_ours = cmd.zone.is_none() || cmd.zone == self.facts.zone;
        if cmd.epoch == self.fence && is_ours {
            let change = self.holding.zone_says(cmd.op, cmd.idx, now);
            self.hold_changed(change);
        }
    }

    fn hear_of_leader(&mut self, now: Millis, leader: Leader) {
        self.see_epoch(now, leader.epoch);
        if leader.st == LeaderState::Up && leader.epoch == self.fence && !leader.brokers.is_empty() {
            self.out.push(Output::Brokers(leader.brokers));
        }
    }

    /// Rule 2 and 4: a higher epoch ends what lower ones leased, and asks for a lease at once.
    fn see_epoch(&mut self, now: Millis, epoch: Epoch) {
        if epoch > self.fence {
            self.fence = epoch;
            self.out.push(Output::Notice(Notice::Fenced { epoch }));
            self.tasks.forget_leases();
            self.is_changed = true;
            self.beat(now);
        }
    }

    fn beat(&mut self, now: Millis) {
        if self.is_connected {
            let heartbeat = self.pulse.beat(now, self.boot, self.rev, now.saturating_sub(self.up_since));
            self.say(heartbeat);
        }
    }

    fn end(&mut self, now: Millis, attempt: &protocol::Attempt, end: End) {
        let Some(ended) = self.tasks.end(attempt, end) else { return };
        self.is_changed = true;
        if self.status.holds.iter().any(|hold| hold.lane == ended.lane) {
            self.overdue.baked(now, &ended);
        }
    }

    fn hold_changed(&mut self, change: Option<bool>) {
        if let Some(is_held) = change {
            self.tasks.pause(is_held);
            self.out.push(Output::Hold(is_held));
            self.is_changed = true;
        }
    }

    fn say(&mut self, message: impl Into<Message>) {
        self.out.push(Output::Publish(message.into()));
    }

    /// Ends each call: time's work first, then starts, then one state if anything changed.
    fn finish(&mut self, now: Millis) -> Vec<Output> {
        self.expire(now);
        self.watch(now);
        for lane in self.overdue.due(now) {
            self.is_changed = true;
            self.out.push(Output::Overdue(lane));
        }
        self.start_what_may(now);
        if std::mem::take(&mut self.is_changed) {
            self.rev += 1;
            self.say(self.state());
        }
        std::mem::take(&mut self.out)
    }

    fn expire(&mut self, now: Millis) {
        for attempt in self.tasks.expire(now) {
            self.is_changed = true;
            self.out.push(Output::Notice(Notice::Expired { attempt }));
        }
    }

    fn watch(&mut self, now: Millis) {
        if self.has_watchdog {
            for attempt in self.tasks.watch(now) {
                self.is_changed = true;
                self.out.push(Output::Stop(attempt));
            }
        }
    }

    fn start_what_may(&mut self, now: Millis) {
        let is_ready = self.is_automatic() && !self.holding.is_held();
        while let Some(task) = is_ready.then(|| self.tasks.start_next(now, &self.facts, &self.status)).flatten() {
            self.is_changed = true;
            self.out.push(Output::Start(task));
        }
    }

    fn is_automatic(&self) -> bool {
        let is_stopped = matches!(self.status.condition, Some(Condition::Stopped | Condition::Aborted));
        self.status.mode == protocol::Mode::Automatic && !self.status.estop && !is_stopped
    }
}
