//! Who waits for a queue to be idle, and how far the end of its workers' states is.

use crate::sync::{Mutex, lock};
use crate::waiting::latch::WaitList;

/// How far the end of the states is. Changes under the lock of the list of those who wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing is to be done.
    #[default]
    Over,
    /// It is to come; the number of the finisher.
    Due(u64),
    /// So many workers have yet to hand over theirs.
    UnderWay(usize),
}

/// Those who wait, and the phase.
pub(super) struct Idle {
    pub(super) waiters: WaitList,
    phase: Mutex<Phase>,
}

impl Idle {
    pub(super) fn new() -> Idle {
        Idle { waiters: WaitList::new(), phase: Mutex::default() }
    }

    pub(super) fn phase(&self) -> Phase {
        *lock(&self.phase)
    }

    pub(super) fn set_phase(&self, phase: Phase) {
        *lock(&self.phase) = phase;
    }

    /// One worker has handed over its states. `true`: it was the last. To be called with the lock of the list.
    pub(super) fn one_has_ended(&self) -> bool {
        let mut phase = lock(&self.phase);
        match *phase {
            Phase::UnderWay(left) if left > 1 => {
                *phase = Phase::UnderWay(left - 1);
                false
            }
            _ => {
                *phase = Phase::Over;
                true
            }
        }
    }
}
