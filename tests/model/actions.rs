//! Everything that can happen next, in any order and at any time: `Protocol` is the model that the checker walks through.

use stateright::{Model, Property};

use super::bus::{Lease, Message, Report};
use super::device::TaskState;
use super::guards::{Bounds, Guards};
use super::properties;
use super::state::{ATTEMPTS, BOTH, State};

/// The protocol, with these guards, as far as these bounds.
#[derive(Clone, Copy, Debug)]
pub struct Protocol {
    pub guards: Guards,
    pub bounds: Bounds,
}

/// One thing that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Time passes, for everybody.
    Tick,
    /// The other node is elected, and its TakeCharge is applied.
    TakeCharge,
    /// The kitchen opens the next attempt on this device.
    Open { device: u8 },
    /// A controller that was replaced opens one in its own view, without a commit: only where that guard is off.
    OpenAlone { node: u8, device: u8 },
    /// `request_cancel`: overdue, or not wanted any more.
    RequestCancel { attempt: usize },
    /// A heartbeat passes the check of the quorum lease.
    Admit { node: u8, device: u8 },
    /// The controller goes on after that check, and answers.
    Answer { node: u8, device: u8 },
    /// `judge_now`: LOST. No lease from here on.
    Judge { device: u8 },
    /// That judgement is applied.
    JudgeDevice { device: u8 },
    /// "Deadlines are due" is proposed, with this moment's time: something on the device is overdue.
    ProposeDeadlines { device: u8 },
    /// It is applied: the device is stuck.
    DeadlinesDue { device: u8 },
    /// The time of a proof has come.
    Prove,
    /// A report reaches the log.
    RecordReport(Report),
    /// A device takes an instruction or a lease off the bus.
    Receive(Message),
    /// A device hears who is in charge, from `ctl/leader` or a question.
    HearEpoch { device: u8, epoch: u8 },
    /// A device starts what it may start.
    Start { device: u8, attempt: usize },
    /// A task ends well. Its watchdog ends it otherwise.
    End { device: u8, attempt: usize },
    /// A waiting task expires.
    Expire { device: u8, attempt: usize },
    /// A device reboots.
    Reboot { device: u8 },
}

impl Model for Protocol {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State::new()]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        // Before anything is begun, time changes nothing.
        if state.kitchen.attempts[0].is_some() {
            actions.push(Action::Tick);
        }
        self.of_the_log(state, actions);
        BOTH.into_iter().for_each(|node| self.of_a_controller(state, node, actions));
        BOTH.into_iter().for_each(|device| self.of_a_device(state, device, actions));
        self.of_the_bus(state, actions);
    }

    fn next_state(&self, before: &State, action: Action) -> Option<State> {
        let mut state = before.clone();
        self.act(&mut state, action);
        self.report(before, &mut state);
        state.dispatch();
        state.forget_what_is_decided(&self.guards, &self.bounds);
        state.forget_what_can_not_matter(&self.guards, &self.bounds);
        (state != *before).then_some(state)
    }

    /// Once the last attempt has run, nothing new can come.
    fn within_boundary(&self, state: &State) -> bool {
        state.devices.iter().all(|device| !device.tasks[ATTEMPTS - 1].state.is_over())
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::all()
    }
}

impl Protocol {
    fn of_the_log(&self, state: &State, actions: &mut Vec<Action>) {
        let kitchen = &state.kitchen;
        actions.extend(kitchen.openings().map(|device| Action::Open { device }));
        // Of the last attempt only the start is looked at: what can become of it became of the first one.
        let Some(first) = kitchen.attempts[0].filter(|_| kitchen.attempts[ATTEMPTS - 1].is_none()) else { return };
        if kitchen.epoch < self.bounds.tenures && (!first.is_over() || !self.guards.commit_first) {
            actions.push(Action::TakeCharge);
        }
        actions.extend(first.is_in_outbox().then_some(Action::RequestCancel { attempt: 0 }));
        actions.push(Action::Prove);
        for device in BOTH {
            let d = usize::from(device);
            let works = first.device == device && !first.is_over();
            match (state.leader().judged[d], state.leader().overdue[d]) {
                (Some(_), _) => actions.push(Action::JudgeDevice { device }),
                (None, Some(_)) => actions.push(Action::DeadlinesDue { device }),
                // The loss of a device without an attempt changes nothing that is looked at here.
                (None, None) if works && !kitchen.devices[d].is_lost => {
                    actions.extend([Action::Judge { device }, Action::ProposeDeadlines { device }]);
                }
                (None, None) => {}
            }
        }
    }

    fn of_a_controller(&self, state: &State, node: u8, actions: &mut Vec<Action>) {
        let controller = &state.controllers[usize::from(node)];
        if controller.epoch == 0 {
            return;
        }
        let view = controller.sees(&state.kitchen);
        if !self.guards.commit_first && controller.view.is_some() {
            actions.extend(view.openings().map(|device| Action::OpenAlone { node, device }));
        }
        for device in BOTH {
            let is_of_use = view.attempts.iter().flatten().any(|a| a.device == device && a.is_in_outbox());
            match controller.admitted[usize::from(device)] {
                Some(_) => actions.push(Action::Answer { node, device }),
                None if is_of_use && controller.quorum_holds(&self.guards, &self.bounds) => {
                    actions.push(Action::Admit { node, device });
                }
                None => {}
            }
        }
    }

    fn of_a_device(&self, state: &State, device: u8, actions: &mut Vec<Action>) {
        let robot = &state.devices[usize::from(device)];
        for attempt in 0..ATTEMPTS {
            if robot.may_start(attempt, &self.guards, &self.bounds) {
                actions.push(Action::Start { device, attempt });
            }
            match robot.tasks[attempt].state {
                TaskState::Running => actions.push(Action::End { device, attempt }),
                TaskState::Waiting if attempt == 0 => actions.push(Action::Expire { device, attempt }),
                _ => {}
            }
        }
        // What happens to a device that nobody has said anything to might as well happen later.
        let is_addressed = state.bus.iter().any(|m| m.is_for(device)) || robot.tasks.iter().any(|t| t.is_open());
        if is_addressed {
            let may_reboot =
                state.record.reboots < self.bounds.reboots && state.kitchen.attempts[ATTEMPTS - 1].is_none();
            actions.extend(may_reboot.then_some(Action::Reboot { device }));
            actions.extend((robot.fence + 1..=state.kitchen.epoch).map(|epoch| Action::HearEpoch { device, epoch }));
        }
    }

    fn of_the_bus(&self, state: &State, actions: &mut Vec<Action>) {
        actions.extend(state.bus.iter().map(|message| match message {
            Message::Report(report) => Action::RecordReport(*report),
            Message::Cmd(_) | Message::Lease(_) => Action::Receive(*message),
        }));
    }

    /// Every change of a device's tasks is reported, and a new life too.
    fn report(&self, before: &State, state: &mut State) {
        for device in BOTH {
            let (old, new) = (&before.devices[usize::from(device)], &state.devices[usize::from(device)]);
            if (old.boot, old.rev()) != (new.boot, new.rev()) {
                let report = Report { device, boot: new.boot, rev: new.rev(), tasks: new.report() };
                state.bus.send(Message::Report(report));
            }
        }
    }

    /// The answer to a heartbeat that was admitted.
    pub fn answer(&self, state: &mut State, node: u8, device: u8) {
        let controller = &mut state.controllers[usize::from(node)];
        let Some(sent) = controller.admitted[usize::from(device)].take() else { return };
        let boot = controller.sees(&state.kitchen).devices[usize::from(device)].boot;
        // A lease that names nothing lets nothing start.
        if let Some(open) = controller.names(device, boot, &state.kitchen, &self.guards).filter(|open| *open > 0) {
            let lease = Lease { device, boot, epoch: controller.epoch, sent, open };
            state.bus.send(Message::Lease(lease));
        }
    }
}
