//! Hold and resume: by an instruction, by `all/cmd` for the zone, and by what the lease says about the zone.

use crate::protocol::{Millis, ZoneOp};

/// Who holds the device. It moves only when nobody does.
#[derive(Debug, Default)]
pub(super) struct Holding {
    by_instruction: bool,
    instruction_idx: u64,
    by_zone: bool,
    zone_idx: u64,
    zone_at: Millis,
    by_lease: bool,
}

impl Holding {
    pub(super) fn is_held(&self) -> bool {
        self.by_instruction || self.by_zone || self.by_lease
    }

    /// A hold or resume for this device; obeyed only if decided later than the last one. None: it came too late.
    pub(super) fn instruction_says(&mut self, is_held: bool, idx: u64) -> Option<Option<bool>> {
        if idx <= self.instruction_idx {
            return None;
        }
        self.instruction_idx = idx;
        Some(self.change(|holding| holding.by_instruction = is_held))
    }

    /// A hold or resume for the zone; obeyed only if decided later than the last one.
    pub(super) fn zone_says(&mut self, op: ZoneOp, idx: u64, now: Millis) -> Option<bool> {
        if idx <= self.zone_idx {
            return None;
        }
        self.zone_idx = idx;
        self.zone_at = now;
        let is_held = op == ZoneOp::Hold;
        self.change(|holding| {
            holding.by_zone = is_held;
            // The lease tells the same in slow motion: a resume need not wait for it.
            holding.by_lease &= is_held;
        })
    }

    /// The lease's word on the zone. It ends a hold by `all/cmd` whose resume was lost, but only if the heartbeat that it
    /// answers was sent after that hold came in.
    pub(super) fn lease_says(&mut self, is_held: bool, sent_at: Millis) -> Option<bool> {
        self.change(|holding| {
            holding.by_lease = is_held;
            if !is_held && sent_at > holding.zone_at {
                holding.by_zone = false;
            }
        })
    }

    /// Some(held) if the device as a whole began or ceased to be held.
    fn change(&mut self, change: impl FnOnce(&mut Self)) -> Option<bool> {
        let before = self.is_held();
        change(self);
        (self.is_held() != before).then(|| self.is_held())
    }
}
