//! What each action does to the state.

use super::actions::{Action, Protocol};
use super::bus::{Cmd, Message};
use super::device::TaskState;
use super::state::{ATTEMPTS, State};

impl Protocol {
    pub fn act(&self, state: &mut State, action: Action) {
        let Self { guards, bounds } = self;
        match action {
            Action::Tick => self.tick(state),
            Action::TakeCharge => self.take_charge(state),
            Action::Open { device } => state.kitchen.open_attempt(device),
            Action::OpenAlone { node, device } => {
                let view = state.controllers[usize::from(node)].view.as_mut();
                view.expect("only one that was replaced acts alone").open_attempt(device);
            }
            Action::RequestCancel { attempt } => {
                state.kitchen.attempts[attempt].as_mut().expect("it is in the outbox").is_cancelled = true;
            }
            Action::Admit { node, device } => {
                state.controllers[usize::from(node)].admitted[usize::from(device)] = Some(0);
            }
            Action::Answer { node, device } => self.answer(state, node, device),
            Action::Judge { device } => {
                let leader = state.leader_mut();
                let named = leader.named;
                (leader.withheld[usize::from(device)], leader.judged[usize::from(device)]) = (true, Some(named));
            }
            Action::JudgeDevice { device } => {
                let judged = state.leader_mut().judged[usize::from(device)].take();
                let named = judged.expect("it was judged before");
                state.kitchen.doubt_attempts(device, named, guards, bounds);
            }
            Action::ProposeDeadlines { device } => {
                state.leader_mut().overdue[usize::from(device)] = Some(0);
            }
            Action::DeadlinesDue { device } => self.deadlines_due(state, device),
            Action::Prove => state.kitchen.prove(),
            Action::RecordReport(report) => {
                state.kitchen.record_report(report.device, report.boot, report.rev, &report.tasks);
                if !state.kitchen.devices[usize::from(report.device)].is_lost {
                    state.leader_mut().heard(usize::from(report.device));
                }
            }
            Action::Receive(message) => self.receive(state, &message),
            Action::HearEpoch { device, epoch } => state.devices[usize::from(device)].see_epoch(epoch, guards),
            Action::Start { device, attempt } => {
                state.devices[usize::from(device)].start(attempt, &mut state.record, bounds);
            }
            Action::End { device, attempt } => {
                state.devices[usize::from(device)].change(attempt, TaskState::Finished);
            }
            Action::Expire { device, attempt } => {
                state.devices[usize::from(device)].change(attempt, TaskState::NotStarted);
            }
            Action::Reboot { device } => {
                state.devices[usize::from(device)].reboot();
                state.record.reboots += 1;
            }
        }
    }

    fn tick(&self, state: &mut State) {
        state.kitchen.tick(&self.guards, &self.bounds);
        state.controllers.iter_mut().for_each(|controller| controller.tick(&self.guards, &self.bounds));
        state.devices.iter_mut().for_each(|device| device.tick(&self.guards, &self.bounds));
        state.bus.tick(&self.bounds);
    }

    fn take_charge(&self, state: &mut State) {
        let before = state.kitchen;
        state.leader_mut().replaced(&before);
        state.kitchen.take_charge();
        let epoch = state.kitchen.epoch;
        state.leader_mut().take_charge(epoch);
    }

    /// Nobody says what leases named: everything may have been named until the entry's time.
    fn deadlines_due(&self, state: &mut State, device: u8) {
        let at = state.leader_mut().overdue[usize::from(device)].take();
        state.kitchen.doubt_attempts(device, [at; ATTEMPTS], &self.guards, &self.bounds);
        for (_, attempt) in state.kitchen.open_on(device) {
            attempt.is_cancelled = true;
        }
    }

    fn receive(&self, state: &mut State, message: &Message) {
        match message {
            Message::Cmd(Cmd { device, boot, epoch, attempt, op }) => {
                state.devices[usize::from(*device)].obey(*epoch, *boot, *attempt, *op, &self.guards);
            }
            Message::Lease(lease) => {
                state.devices[usize::from(lease.device)].take_lease(lease, &self.guards, &self.bounds);
            }
            Message::Report(_) => unreachable!("reports go to the log"),
        }
    }
}
