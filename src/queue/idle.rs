//! The list of those who wait for a queue to be idle, and the phase of the end of its workers' states.
//!
//! | phase | meaning | next |
//! |---|---|---|
//! | `Over` | the queue has no `end` for its states, or all states have ended | – |
//! | `Due` | the states are to be ended, once the queue is closed and idle or its pool ends | `UnderWay` |
//! | `UnderWay` | workers have the job to hand over their states | `Over`, by the last of these jobs |
//!
//! [`super::end`] makes the transitions.

use crate::sync::{Mutex, lock};
use crate::waiting::latch::WaitList;

/// The phase of the end of the states. Once others know the queue, it changes under the lock of the list of waiters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing is left to do.
    #[default]
    Over,
    /// The end is still to come. The number is that of the queue's finisher in its pool.
    Due(u64),
    /// The number of workers that have yet to hand over their states; 1 also if no worker has states.
    UnderWay(usize),
}

/// The waiters, and the phase.
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

    /// Notes that one worker has handed over its states. Returns whether it was the last one. The caller holds the
    /// lock of the list of waiters.
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
