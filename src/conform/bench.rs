//! The bench: one connection on which a controller is played for one device, and what was heard from it.
//!
//! It answers each heartbeat as `answers` says while anything is waited for, so that a device never leaves for want of an answer.

use std::time::Duration;

use super::connections::{another_client, filters};
use super::hands::{Hand, Hands};
use super::lateness::Lateness;
use super::seen::Seen;
use super::watch::Watch;
use super::{Error, Options, Stop};
use crate::clock;
use crate::mqtt::{self, Client, Event, Publication, Qos};
use crate::protocol::{
    AllCmd, Attempt, Cmd, CommandResult, Epoch, Facts, Heartbeat, Id, InstructionId, LEASE_MS, Leader, LeaderState,
    Leaf, Lease, Message, Millis, Op, State, TaskLine, Topic, ZoneOp,
};

/// How long a device may take for anything that it does at once, beside one heartbeat: slow links, busy machines.
const PATIENCE_MS: Millis = 3_000;
/// How often the device is asked who it is: it may be on its way to another broker.
const MEETINGS: u32 = 4;
/// How long others are listened to after a heartbeat, in milliseconds: whoever is in charge answers it at once.
const LISTEN_MS: Millis = 150;
/// How long brokers may keep an instruction.
pub(super) const TTL_MS: Millis = 5_000;
/// Lines of the trace that a failure shows.
const TRACE_LINES: usize = 14;
/// Characters of each.
const TRACE_CHARS: usize = 360;

/// How heartbeats are answered.
#[derive(Clone, Debug)]
pub(super) struct Answers {
    /// False: not at all.
    pub(super) is_on: bool,
    /// What may start.
    pub(super) open: Vec<InstructionId>,
    /// Whether the zone is on hold.
    pub(super) held: bool,
    /// How long a lease holds.
    pub(super) l_ms: Millis,
}

impl Default for Answers {
    fn default() -> Self {
        Self { is_on: true, open: Vec::new(), held: false, l_ms: LEASE_MS }
    }
}

/// A bench with its device.
pub(super) struct Bench {
    client: Client,
    pub(super) options: Options,
    pub(super) hands: Hands,
    /// The tenure that is played.
    pub(super) epoch: Epoch,
    /// The highest epoch that was there before: whoever speaks under it is a controller.
    epoch_before: Epoch,
    /// True once it has taken charge.
    is_in_charge: bool,
    pub(super) idx: u64,
    pub(super) answers: Answers,
    pub(super) seen: Seen,
    pub(super) watch: Watch,
    trace: Vec<String>,
    lateness: Lateness,
    /// The settings with which the device came.
    pub(super) facts_before: Option<Facts>,
    pub(super) reboot: Option<super::lives::Reboot>,
    /// True once the connection could not be cut: nobody tries again for half a minute each.
    pub(super) is_uncuttable: bool,
    /// True once a task went all its way, for what is looked at in passing.
    pub(super) has_lived: bool,
}

impl Bench {
    /// Connects, and waits until the device is heard.
    pub(super) async fn connect(options: Options, hands: Hands) -> Result<Self, Error> {
        let client = another_client(&options, &filters(&options)).await?;
        let answers = Answers { is_on: false, ..Answers::default() };
        let mut bench = Self {
            client,
            options,
            hands,
            epoch: Epoch::new(1, 1),
            epoch_before: Epoch(0),
            is_in_charge: false,
            // Ids and decisions of this run come after those of all former ones.
            idx: clock::wall_ms(),
            answers,
            seen: Seen::default(),
            watch: Watch::default(),
            trace: Vec::new(),
            lateness: Lateness::watch(),
            facts_before: None,
            reboot: None,
            is_uncuttable: false,
            has_lived: false,
        };
        bench.meet().await.map_err(|stop| bench.absent(stop))?;
        Ok(bench)
    }

    /// Learns who the device is, and takes charge of it. Nobody has answered it until now: it may be about to leave.
    async fn meet(&mut self) -> Result<(), Stop> {
        let patience_ms = self.options.patience_ms;
        let mut met = Ok(());
        for _ in 0..MEETINGS {
            let before = self.seen.beats.last().map(|beat| beat.at);
            let is_there = |seen: &Seen| (seen.beats.last().map(|beat| beat.at) != before).then_some(());
            self.until("a heartbeat", patience_ms, is_there).await?;
            // A controller would answer it now: nothing is said before that would have been heard.
            self.pass(LISTEN_MS).await?;
            let fence = self.seen.state.as_ref().map_or(Epoch(0), |state| state.fence.epoch);
            self.epoch = self.epoch.max(fence).max(self.epoch_before);
            self.instruct(Op::FactsGet);
            met = self
                .until("its conn, its facts and its state", PATIENCE_MS, |seen| {
                    (seen.facts_live > 0 && seen.states_live > 0 && seen.conn.is_some()).then_some(())
                })
                .await;
            if met.is_ok() {
                break;
            }
        }
        met?;
        self.facts_before = self.seen.facts.clone();
        self.epoch_before = self.epoch_before.max(self.state().fence.epoch);
        // It may not have heard of the epoch yet under which it was just asked.
        self.epoch_before = self.epoch_before.max(self.epoch);
        // Stale epochs must be above those of others, too, or nobody could tell a controller from this bench.
        self.epoch = Epoch(self.epoch_before.0 + 10);
        (self.is_in_charge, self.answers.is_on) = (true, true);
        self.say_leader(LeaderState::Up, self.epoch);
        let epoch = self.epoch;
        self.until("our epoch in its fence", patience_ms, |seen| seen.has_fence(epoch)).await
    }

    /// The device can't be driven. What it says and nobody can read is the likely cause.
    fn absent(&self, stop: Stop) -> Error {
        let (expected, came) = match stop {
            Stop::Broken(error) => return error,
            Stop::Failed { expected, came } => (expected, came),
            Stop::Skipped(why) => (why, String::new()),
        };
        let came = [came].into_iter().chain(self.watch.all()).collect::<Vec<_>>().join("; ");
        Error::Absent { device: self.options.device.clone(), expected, came }
    }

    // Time

    /// Heartbeat interval of the device.
    pub(super) fn hb_ms(&self) -> Millis {
        self.facts().hb_ms
    }

    /// How long something may take that a device does at once.
    pub(super) fn limit_ms(&self) -> Millis {
        2 * self.hb_ms() + PATIENCE_MS
    }

    /// How long it is watched that nothing happens: a device that does what it must not does it by its next heartbeat.
    pub(super) fn quiet_ms(&self) -> Millis {
        self.hb_ms().clamp(100, 1_000)
    }

    // Hearing

    pub(super) fn facts(&self) -> &Facts {
        self.seen.facts.as_ref().expect("facts were heard before anything else is done")
    }

    pub(super) fn state(&self) -> &State {
        self.seen.state.as_ref().expect("a state was heard before anything else is done")
    }

    /// The line of a task in the latest state.
    pub(super) fn line(&self, attempt: &Attempt) -> Option<&TaskLine> {
        self.state().tasks.iter().find(|line| line.attempt == *attempt)
    }

    /// Listens, and answers, until this is so.
    pub(super) async fn until<T>(
        &mut self,
        expected: &str,
        limit_ms: Millis,
        so: impl Fn(&Seen) -> Option<T>,
    ) -> Result<T, Stop> {
        let deadline = clock::boottime_ms() + limit_ms;
        loop {
            if let Some(found) = so(&self.seen) {
                return Ok(found);
            }
            if !self.hear_by(deadline).await? {
                let expected = format!("{expected} within {limit_ms} ms");
                return Err(Stop::Failed { expected, came: self.seen.summary() });
            }
        }
    }

    /// Listens, and answers, for so long.
    pub(super) async fn pass(&mut self, ms: Millis) -> Result<(), Stop> {
        let deadline = clock::boottime_ms() + ms;
        while self.hear_by(deadline).await? {}
        Ok(())
    }

    /// The state after everything that was said until now: the one that first shows what became of an instruction that does nothing.
    /// What `state.get` asks for could not be told from a state that was on its way already.
    pub(super) async fn fresh(&mut self) -> Result<State, Stop> {
        let nothing = Attempt { id: "conform-nothing".parse().expect("letters and a dash are an id"), att: 1 };
        let id = self.instruct(Op::Ack(nothing));
        self.result(id).await?;
        Ok(self.state().clone())
    }

    /// Takes the next event. False: none came by then.
    async fn hear_by(&mut self, deadline: Millis) -> Result<bool, Stop> {
        let left = Duration::from_millis(deadline.saturating_sub(clock::boottime_ms()));
        match tokio::time::timeout(left, self.client.events.next()).await {
            Err(_) => Ok(false),
            Ok(Some(Event::Message(message))) => self.hear(&message).map(|()| true),
            Ok(Some(Event::Connected { .. } | Event::Subscribed)) => Ok(true),
            Ok(Some(Event::Ended(error))) => Err(Stop::Broken(Error::Broker(error))),
            Ok(None) => Err(Stop::Broken(Error::Broker(mqtt::Error::Ended { why: "closed".to_owned() }))),
        }
    }

    fn hear(&mut self, message: &mqtt::Message) -> Result<(), Stop> {
        let Ok((_, topic)) = Topic::parse(message.topic()) else { return Ok(()) };
        let (leaf, is_retained, bytes) = (topic.leaf(), message.is_retained(), message.payload());
        if matches!(leaf, Leaf::Leader | Leaf::Lease) {
            return self.hear_controller(leaf, is_retained, bytes);
        }
        let text = String::from_utf8_lossy(bytes).into_owned();
        if leaf != Leaf::Hb {
            self.note("<", leaf, &text);
        }
        let decoded = Message::decode(leaf, bytes);
        self.watch.look(leaf, message, &decoded);
        let Ok(decoded) = decoded else { return Ok(()) };
        let beat = match &decoded {
            Message::Heartbeat(beat) if !is_retained => Some(beat.clone()),
            _ => None,
        };
        self.seen.take(decoded, is_retained);
        if let Some(beat) = beat.filter(|_| self.answers.is_on) {
            self.answer(&beat);
        }
        Ok(())
    }

    /// Another controller in the same kitchen makes every finding worthless.
    fn hear_controller(&mut self, leaf: Leaf, is_retained: bool, bytes: &[u8]) -> Result<(), Stop> {
        let epoch = match Message::decode(leaf, bytes) {
            Ok(Message::Leader(leader)) => leader.epoch,
            Ok(Message::Lease(lease)) => lease.epoch,
            _ => return Ok(()),
        };
        if !is_retained && (!self.is_in_charge || epoch <= self.epoch_before) {
            return Err(Stop::Broken(Error::Busy { kitchen: self.options.kitchen.clone(), epoch }));
        }
        if !self.is_in_charge {
            self.epoch_before = self.epoch_before.max(epoch);
        }
        Ok(())
    }

    // Saying

    /// An instruction of the next decision. Its id.
    pub(super) fn instruct(&mut self, op: Op) -> InstructionId {
        let cmd = self.cmd(op);
        self.say_cmd(&cmd);
        cmd.id
    }

    /// An instruction of the next decision, not sent yet.
    pub(super) fn cmd(&mut self, op: Op) -> Cmd {
        let idx = self.next_idx();
        let id = InstructionId { index: idx, n: 0 };
        Cmd { id, boot: self.seen.boot(), epoch: self.epoch, idx, ttl_ms: TTL_MS, op }
    }

    pub(super) fn next_idx(&mut self) -> u64 {
        self.idx += 1;
        self.idx
    }

    pub(super) fn say_cmd(&mut self, cmd: &Cmd) {
        if let Op::Ack(attempt) = &cmd.op {
            self.watch.acknowledged(attempt);
        }
        self.say_json(Leaf::Cmd, &String::from_utf8_lossy(&Message::from(cmd.clone()).encode()));
    }

    /// Publishes on the device's own topic what may be no message at all.
    pub(super) fn say_json(&mut self, leaf: Leaf, text: &str) {
        self.publish(&Topic::Device(self.options.device.clone(), leaf), text.as_bytes().to_vec());
    }

    /// Answers a heartbeat as `answers` says.
    fn answer(&mut self, beat: &Heartbeat) {
        let Answers { open, held, l_ms, .. } = self.answers.clone();
        self.lease(Lease { boot: beat.boot, seq: beat.seq, epoch: self.epoch, l_ms, held, open });
    }

    /// Answers the latest heartbeat with this.
    pub(super) fn lease_now(&mut self, open: &[InstructionId]) {
        let lease = self.lease_of_latest(open);
        self.lease(lease);
    }

    /// A lease that would answer the latest heartbeat.
    pub(super) fn lease_of_latest(&self, open: &[InstructionId]) -> Lease {
        let seq = self.seen.beats.last().map_or(0, |beat| beat.heartbeat.seq);
        Lease { boot: self.seen.boot(), seq, epoch: self.epoch, l_ms: LEASE_MS, held: false, open: open.to_vec() }
    }

    pub(super) fn lease(&mut self, lease: Lease) {
        self.publish(&Topic::Device(self.options.device.clone(), Leaf::Lease), Message::from(lease).encode());
    }

    /// From here on leases name this, too; the latest heartbeat is answered so at once.
    pub(super) fn open(&mut self, id: InstructionId) {
        self.answers.open.push(id);
        self.lease_now(&self.answers.open.clone());
    }

    pub(super) fn say_leader(&mut self, st: LeaderState, epoch: Epoch) {
        let leader = Leader { epoch, node: 1, st, brokers: Vec::new() };
        self.publish(&Topic::Leader, Message::from(leader).encode());
    }

    /// The next controller is in charge.
    pub(super) fn next_epoch(&mut self) -> Epoch {
        self.epoch = Epoch(self.epoch.0 + 10);
        self.epoch
    }

    /// Hold or resume for a zone, or for the kitchen.
    pub(super) fn say_all(&mut self, op: ZoneOp, idx: u64, zone: Option<Id>) {
        let cmd = AllCmd { id: InstructionId { index: idx, n: 1 }, epoch: self.epoch, idx, op, zone };
        self.publish(&Topic::All, Message::from(cmd).encode());
    }

    fn publish(&mut self, topic: &Topic, payload: Vec<u8>) {
        let leaf = topic.leaf();
        let is_noise = leaf == Leaf::Lease && String::from_utf8_lossy(&payload).contains("\"held\":false,\"open\":[]");
        if !is_noise {
            self.note(">", leaf, &String::from_utf8_lossy(&payload));
        }
        let publication = Publication::new(topic.name(&self.options.kitchen), payload, leaf.qos().into());
        self.publish_as(publication.retained(leaf == Leaf::Leader));
    }

    /// Publishes anything. A connection that takes nothing any more is noticed where the answer is waited for.
    pub(super) fn publish_as(&mut self, publication: Publication) {
        let _ = self.client.publisher.publish(publication);
    }

    // What became of it

    /// Waits for what became of an instruction.
    pub(super) async fn result(&mut self, id: InstructionId) -> Result<CommandResult, Stop> {
        let expected = format!("a result of instruction {id} in cmds");
        self.until(&expected, self.limit_ms(), |seen| seen.result(id)).await
    }

    /// Waits for what became of an instruction, which must be this.
    pub(super) async fn expect_result(&mut self, id: InstructionId, expected: CommandResult) -> Result<(), Stop> {
        let came = self.result(id).await?;
        super::expect(came == expected, || (format!("{expected:?} for instruction {id}"), format!("{came:?}")))
    }

    /// Something is done by hand while heartbeats are answered. The hand goes back to where it was.
    pub(super) async fn by_hand(&mut self, hand: impl Fn(&mut Hands) -> &mut Hand, word: &str) -> Result<(), Stop> {
        let lane = self.lane();
        let mut taken = std::mem::take(hand(&mut self.hands));
        let done = {
            let mut work = std::pin::pin!(taken.work(word, lane));
            loop {
                let soon = clock::boottime_ms() + 10;
                tokio::select! {
                    biased;
                    done = &mut work => break done,
                    heard = self.hear_by(soon) => drop(heard?),
                }
            }
        };
        *hand(&mut self.hands) = taken;
        done.map_err(Stop::Skipped)
    }

    // The trace

    fn note(&mut self, way: &str, leaf: Leaf, text: &str) {
        let cut: String = text.chars().take(TRACE_CHARS).collect();
        self.trace.push(format!("{:>7} {way} {leaf} {cut}", clock::boottime_ms() % 1_000_000));
    }

    /// A new check begins.
    pub(super) fn clear_trace(&mut self) {
        self.trace.clear();
        self.lateness.reset();
    }

    /// The end of what was said and heard since then, and how late this machine was meanwhile.
    pub(super) fn trace(&self) -> Vec<String> {
        let late = self.is_late().then(|| format!("This machine itself was late by {} ms.", self.lateness.ms()));
        self.trace[self.trace.len().saturating_sub(TRACE_LINES)..].iter().cloned().chain(late).collect()
    }

    /// True if this machine was late since the check began, by what makes a difference between two heartbeats.
    pub(super) fn is_late(&self) -> bool {
        self.lateness.ms() > (self.hb_ms() / 10).clamp(15, 100)
    }

    /// Takes back what a broker keeps of this bench, and says goodbye.
    pub(super) async fn close(mut self) {
        let leader = Topic::Leader.name(&self.options.kitchen);
        self.publish_as(Publication::new(leader, Vec::new(), Qos::AtLeastOnce).retained(true));
        self.client.close(Duration::from_millis(500)).await;
    }
}
