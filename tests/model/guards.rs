//! What the model counts on: the guards of the protocol, each of which can be switched off, and how far the model looks.
//! Switching one off is how the model itself is checked: the checker must then find what the guard prevents.

use super::state::Span;

/// The guards against doing a thing twice. All on: the protocol as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guards {
    /// A device refuses a lower epoch than one it has seen (`Session::obey`, `take_lease`).
    pub epoch_check: bool,
    /// A device refuses what is meant for another of its lives (`Session::obey`, `take_lease`).
    pub boot_check: bool,
    /// A device starts only what a lease names (`Tasks::may_start`).
    pub start_lease: bool,
    /// A device counts a lease from when it sent the heartbeat that is answered, not from when the answer came (`Pulse::answered`).
    pub lease_from_sending: bool,
    /// A controller answers heartbeats only while its quorum lease holds (`serve::answer_beat`).
    pub quorum_lease: bool,
    /// A controller remembers what it names (`lease::answer`), so that rules (c) and (d) can count on it.
    pub names_remembered: bool,
    /// A device that is being judged gets no lease (`Memory::withheld`).
    pub withheld: bool,
    /// What is overdue is not named: the entry that decides about it counts from its own time (`lease::answer`).
    pub overdue_unnamed: bool,
    /// A lost device's attempts stay UNKNOWN until there is proof (`Kitchen::doubt`).
    pub proof: bool,
    /// What a former tenure opened counts as named until it was replaced (`Kitchen::doubt_attempts`).
    pub former_names: bool,
    /// The proof by time has its margin (`Kitchen::proof_by_time`).
    pub margin: bool,
    /// The proof by time counts `orphan_ms` for what was accepted with `after` (`Kitchen::proof_by_time`).
    pub orphan: bool,
    /// What is sent is committed and applied.
    pub commit_first: bool,
}

impl Guards {
    /// The protocol as it is.
    pub const ALL: Self = Self {
        epoch_check: true,
        boot_check: true,
        start_lease: true,
        lease_from_sending: true,
        quorum_lease: true,
        names_remembered: true,
        withheld: true,
        overdue_unnamed: true,
        proof: true,
        former_names: true,
        margin: true,
        orphan: true,
        commit_first: true,
    };
}

/// The spans of the protocol in small units of time, and how far the model looks.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// `l_ms`: how long a lease lasts.
    pub lease: Span,
    /// The watchdog of a task: `max_ms`.
    pub max: Span,
    /// The largest election timeout: how long a former leader may still believe in its quorum.
    pub margin: Span,
    /// `orphan_ms`, where tasks are accepted with `after`; 0 where they are not.
    pub orphan: Span,
    /// How many tenures there are.
    pub tenures: u8,
    /// How often devices reboot, all together.
    pub reboots: u8,
}

impl Bounds {
    /// Rule (d): lease, watchdog, margin, and `orphan_ms` for what starts by itself, since the last lease that named it.
    pub fn proof(&self, guards: &Guards) -> Span {
        let margin = if guards.margin { self.margin } else { 0 };
        let orphan = if guards.orphan { self.orphan } else { 0 };
        self.lease + self.max + margin + orphan
    }

    /// How long a task may start after the heartbeat was sent whose answer names it.
    pub fn start(&self) -> Span {
        self.lease + self.orphan
    }
}
