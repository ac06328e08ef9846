//! What each kind of simulated device can do, and how long it usually takes.

use crate::protocol::{Action, ActionFacts, CancelClass, DeviceKind, Facts, Lane, Millis, ORPHAN_MS};

/// What a kind of device can do, with durations at this speed (in percent of real time).
pub fn facts_of(kind: DeviceKind, lanes: Vec<Lane>, speed_pct: u32, hb_ms: Millis) -> Facts {
    use CancelClass::{Always, Never, UntilStart};
    let action = |name: Action, cancel, real_ms: Millis| {
        let typ_ms = (real_ms * 100 / u64::from(speed_pct.max(1))).max(1);
        ActionFacts {
            name: name.into(),
            idem: name == Action::Inspect,
            cancel,
            typ_ms,
            max_ms: (typ_ms * 3).max(2_000),
        }
    };
    let actions = match kind {
        DeviceKind::BeforeOven => vec![
            action(Action::Prep, Always, 60_000),
            action(Action::Load, UntilStart, 8_000),
            action(Action::Discard, UntilStart, 5_000),
        ],
        DeviceKind::Human => vec![
            action(Action::Prep, Always, 60_000),
            action(Action::Load, UntilStart, 8_000),
            action(Action::Unload, UntilStart, 8_000),
            action(Action::Finish, UntilStart, 45_000),
            action(Action::Shelve, UntilStart, 5_000),
            action(Action::Discard, UntilStart, 5_000),
        ],
        DeviceKind::AfterOven => vec![
            action(Action::Unload, UntilStart, 8_000),
            action(Action::Finish, UntilStart, 45_000),
            action(Action::Shelve, UntilStart, 5_000),
            action(Action::Discard, UntilStart, 5_000),
        ],
        DeviceKind::Oven => vec![action(Action::Bake, Never, 210_000)],
        DeviceKind::Camera => vec![action(Action::Inspect, Always, 1_000)],
    };
    let (model, fw) = (Some("simulated".to_owned()), env!("CARGO_PKG_VERSION").to_owned());
    Facts { kind, model, fw, proto: 1, zone: None, lanes, actions, hb_ms, orphan_ms: ORPHAN_MS, stages: Vec::new() }
}
