//! A person at his desk, one sentence each, in front of a session without clock or broker.

use std::sync::Arc;

use super::desk::{AWAY_MS, Refused, Shared, Word};
use super::person::Person;
use super::station::Station;
use crate::device::firmware::Device;
use crate::device::session::{Output, Session};
use crate::protocol::{
    Action, Attempt, Cmd, Epoch, Hold, Id, InstructionId, Lease, Message, Millis, Mode, Op, Params, TaskStart,
    TaskState, Verdict,
};

const BOOT: u64 = 7;

/// A person with his session, and a controller that names whatever it has asked for.
struct Bench {
    person: Person,
    session: Session,
    now: Millis,
    asked: Vec<InstructionId>,
    next: u64,
    beat: u64,
}

fn id(text: &str) -> Id {
    text.parse().unwrap()
}

fn attempt(name: &str) -> Attempt {
    Attempt { id: id(name), att: 1 }
}

impl Bench {
    fn at(station: Station) -> Self {
        let mut person = Person { station, zone: None, desk: Arc::new(Shared::default()), hands: None };
        let mut session = Session::new(0, BOOT, person.facts(), person.status(0));
        session.next_will();
        let outputs = session.connected(0);
        let mut bench = Self { person, session, now: 0, asked: Vec::new(), next: 10, beat: 0 };
        bench.apply(outputs);
        bench
    }

    /// One who works, with his page open.
    fn at_work(station: Station) -> Self {
        let mut bench = Self::at(station);
        bench.person.desk.change(|desk| desk.wants_work(0, true));
        bench.pass(100);
        bench
    }

    fn apply(&mut self, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Start(task) => self.person.start(self.now, &task),
                Output::Stop(attempt) => self.person.stop(self.now, &attempt),
                Output::Hold(held) => self.person.hold(self.now, held),
                Output::Notice(notice) => self.person.notice(self.now, &notice),
                Output::Publish(Message::Heartbeat(beat)) => self.beat = beat.seq,
                _ => {}
            }
        }
    }

    fn hear(&mut self, message: impl Into<Message>) {
        let outputs = self.session.receive(self.now, message.into());
        self.apply(outputs);
    }

    /// Time passes as the runtime lets it, with every heartbeat answered.
    fn pass(&mut self, ms: Millis) {
        for _ in 0..ms / 20 {
            self.now += 20;
            let happened = self.person.poll(self.now);
            let status = self.person.status(self.now);
            let outputs = self.session.observe(self.now, status, happened);
            self.apply(outputs);
            let outputs = self.session.tick(self.now);
            self.apply(outputs);
            let lease = Lease {
                boot: BOOT,
                seq: self.beat,
                epoch: Epoch(1),
                l_ms: 3_000,
                held: false,
                open: self.asked.clone(),
            };
            self.hear(lease);
            self.person.look(self.now, &self.session);
        }
    }

    /// The same with the page open.
    fn pass_at_desk(&mut self, ms: Millis) {
        for _ in 0..ms / 100 {
            self.person.desk.change(|desk| desk.page_asks(self.now));
            self.pass(100);
        }
    }

    fn cmd(&mut self, op: Op) {
        self.next += 1;
        let index = self.next;
        let id = InstructionId { index, n: 0 };
        self.asked.push(id);
        self.hear(Cmd { id, boot: BOOT, epoch: Epoch(1), idx: index, ttl_ms: 5_000, op });
        self.pass_at_desk(100);
    }

    fn asks(&mut self, name: &str, act: Action) {
        let params = Params {
            oven: Some("oven1".parse().unwrap()),
            slot: Some(0),
            station: Some("a1".parse().unwrap()),
            stage: Some(id("prep")),
            ..Params::default()
        };
        self.cmd(Op::TaskStart(TaskStart {
            attempt: attempt(name),
            pizza: id("p1"),
            act: act.into(),
            lane: 0,
            params,
            start_within_ms: Some(5_000),
            max_ms: Some(20_000),
            after: None,
        }));
    }

    fn say(&mut self, name: &str, word: Word) -> Result<(), Refused> {
        let heard = self.person.desk.change(|desk| desk.say(&attempt(name), word));
        self.pass_at_desk(100);
        heard
    }

    fn state_of(&self, name: &str) -> Option<TaskState> {
        self.session.state().tasks.iter().find(|line| line.attempt.id == id(name)).map(|line| line.st)
    }

    fn holds(&self) -> Vec<Hold> {
        self.session.state().holds
    }

    fn mode(&self) -> Mode {
        self.session.state().mode
    }
}

#[test]
fn a_task_waits_for_the_person_and_runs_from_his_word_to_his_word() {
    let mut bench = Bench::at_work(Station::AfterOven);
    bench.asks("t1", Action::Unload);
    bench.pass_at_desk(2_000);
    assert_eq!(bench.state_of("t1"), Some(TaskState::Waiting), "a lease alone moves no person");
    assert_eq!(bench.say("t1", Word::Done(None)), Err(Refused::NotNow));
    assert_eq!(bench.say("t0", Word::Start), Err(Refused::NotNow), "he saw another one");
    assert_eq!(bench.say("t1", Word::Start), Ok(()));
    assert_eq!((bench.state_of("t1"), bench.holds()), (Some(TaskState::Running), vec![]));
    bench.pass_at_desk(3_000);
    assert_eq!(bench.say("t1", Word::Done(None)), Ok(()));
    assert_eq!(bench.state_of("t1"), Some(TaskState::Finished));
    assert_eq!(bench.holds(), [Hold { lane: 0, pizza: Some(id("p1")) }]);
    assert_eq!(bench.say("t1", Word::Done(None)), Err(Refused::NotNow));
    bench.asks("t2", Action::Finish);
    assert_eq!((bench.say("t2", Word::Start), bench.say("t2", Word::Done(None))), (Ok(()), Ok(())));
    assert_eq!((bench.state_of("t2"), bench.holds()), (Some(TaskState::Finished), vec![]));
}

#[test]
fn a_word_for_one_task_begins_no_other_one() {
    let mut bench = Bench::at_work(Station::AfterOven);
    bench.asks("t1", Action::Unload);
    bench.asked.clear();
    bench.pass_at_desk(100);
    assert_eq!(bench.say("t1", Word::Start), Ok(()), "he begins, and no lease names it");
    assert_eq!(bench.state_of("t1"), Some(TaskState::Waiting));
    bench.cmd(Op::TaskCancel(attempt("t1")));
    assert_eq!(bench.state_of("t1"), Some(TaskState::Cancelled));
    bench.asks("t2", Action::Unload);
    bench.pass_at_desk(1_000);
    assert_eq!(bench.state_of("t2"), Some(TaskState::Waiting));
}

#[test]
fn without_a_page_nobody_is_there_and_what_waits_expires() {
    assert_eq!(Bench::at(Station::AfterOven).mode(), Mode::Manual, "who has not said that he works does not");
    let mut bench = Bench::at_work(Station::AfterOven);
    assert_eq!(bench.mode(), Mode::Automatic);
    bench.asks("t1", Action::Unload);
    bench.pass(AWAY_MS + 100);
    assert_eq!((bench.mode(), bench.state_of("t1")), (Mode::Manual, Some(TaskState::Expired)));
    bench.pass_at_desk(100);
    assert_eq!(bench.mode(), Mode::Automatic, "a page that is back brings him back");
    bench.person.desk.change(|desk| desk.wants_work(bench.now, false));
    bench.pass_at_desk(100);
    assert_eq!(bench.mode(), Mode::Manual);
}

#[test]
fn what_he_does_goes_on_without_a_page_and_who_holds_something_is_missed() {
    let mut bench = Bench::at_work(Station::BeforeOven);
    bench.asks("t1", Action::Prep);
    assert_eq!(bench.say("t1", Word::Start), Ok(()));
    assert_eq!(bench.holds(), [Hold { lane: 0, pizza: Some(id("p1")) }], "dough is in his hands from the start");
    bench.pass(AWAY_MS + 100);
    assert_eq!((bench.mode(), bench.state_of("t1")), (Mode::Manual, Some(TaskState::Running)));
    assert_eq!(bench.session.state().errors[0].code, "PERSON_AWAY");
    bench.pass_at_desk(100);
    assert_eq!(bench.say("t1", Word::Done(None)), Ok(()));
    assert_eq!(bench.state_of("t1"), Some(TaskState::Finished));
    assert!(bench.session.state().errors.is_empty());
}

#[test]
fn who_lets_three_tasks_pass_is_not_there_until_he_says_so() {
    let mut bench = Bench::at_work(Station::AfterOven);
    for name in ["t1", "t2", "t3"] {
        assert_eq!(bench.mode(), Mode::Automatic);
        bench.asks(name, Action::Unload);
        bench.pass_at_desk(6_000);
        assert_eq!(bench.state_of(name), Some(TaskState::Expired));
    }
    assert_eq!(bench.mode(), Mode::Manual);
    assert!(bench.person.desk.look().1.presence.unanswered);
    bench.person.desk.change(|desk| desk.wants_work(bench.now, true));
    bench.pass_at_desk(100);
    assert_eq!(bench.mode(), Mode::Automatic);
}

#[test]
fn a_failure_has_a_reason_that_says_what_he_holds() {
    for (code, holds) in [("DROPPED", 0), ("SPOILT", 1)] {
        let mut bench = Bench::at_work(Station::BeforeOven);
        bench.asks("t1", Action::Prep);
        bench.say("t1", Word::Start).unwrap();
        let failed = |code: &str| Word::Failed(code.to_owned(), String::new());
        assert_eq!(bench.say("t1", failed("TIRED")), Err(Refused::NoReason));
        assert_eq!(bench.say("t1", failed(code)), Ok(()));
        assert_eq!((bench.state_of("t1"), bench.holds().len()), (Some(TaskState::Failed), holds), "{code}");
        assert_eq!(bench.session.state().tasks[0].code, code);
        assert!(!bench.session.state().tasks[0].detail.is_empty());
    }
}

#[test]
fn an_inspection_ends_with_a_verdict() {
    let mut bench = Bench::at_work(Station::Inspection);
    bench.asks("t1", Action::Inspect);
    bench.say("t1", Word::Start).unwrap();
    assert_eq!(bench.say("t1", Word::Done(None)), Err(Refused::NoVerdict));
    assert_eq!(bench.say("t1", Word::Done(Some(Verdict::Unsure))), Ok(()));
    assert_eq!(bench.session.state().tasks[0].code, "UNSURE");
}

#[test]
fn who_is_told_to_stop_says_when_he_has_stopped() {
    let mut bench = Bench::at_work(Station::BeforeOven);
    bench.asks("t1", Action::Prep);
    bench.say("t1", Word::Start).unwrap();
    assert_eq!(bench.say("t1", Word::Stopped), Err(Refused::NotNow));
    bench.cmd(Op::TaskCancel(attempt("t1")));
    assert!(bench.person.desk.look().1.stops);
    assert_eq!(bench.state_of("t1"), Some(TaskState::Running), "it is over when he says so");
    assert_eq!(bench.say("t1", Word::Stopped), Ok(()));
    assert_eq!(bench.state_of("t1"), Some(TaskState::Cancelled));
    assert_eq!(bench.holds().len(), 1, "the kitchen will ask him to throw it away");
}

#[test]
fn the_watchdog_ends_what_nobody_ends() {
    let mut bench = Bench::at_work(Station::AfterOven);
    bench.asks("t1", Action::Unload);
    bench.say("t1", Word::Start).unwrap();
    bench.pass_at_desk(21_000);
    assert_eq!(bench.state_of("t1"), Some(TaskState::Failed));
    let desk = bench.person.desk.look().1;
    assert_eq!((desk.task, desk.last.as_deref()), (None, Some("Too late: unload p1")));
    assert_eq!(bench.say("t1", Word::Done(None)), Err(Refused::NotNow));
}

#[test]
fn hands_are_emptied_by_his_word_while_he_does_nothing() {
    let mut bench = Bench::at_work(Station::BeforeOven);
    bench.asks("t1", Action::Prep);
    bench.say("t1", Word::Start).unwrap();
    assert_eq!(bench.person.desk.change(|desk| desk.hands_are_empty()), Err(Refused::NotNow));
    bench.say("t1", Word::Done(None)).unwrap();
    assert_eq!(bench.person.desk.change(|desk| desk.hands_are_empty()), Ok(()));
    bench.pass_at_desk(100);
    assert!(bench.holds().is_empty());
}

#[test]
fn a_press_is_one_revision_of_the_state_and_asking_is_none() {
    let mut bench = Bench::at_work(Station::AfterOven);
    bench.asks("t1", Action::Unload);
    let (rev, change) = (bench.session.state().rev, bench.person.desk.look().0);
    bench.pass_at_desk(1_000);
    assert_eq!((bench.session.state().rev, bench.person.desk.look().0), (rev, change));
    bench.asked.clear();
    bench.pass_at_desk(100);
    bench.say("t1", Word::Start).unwrap();
    assert_eq!(bench.session.state().rev, rev, "that he begins is nothing that the state shows");
}
