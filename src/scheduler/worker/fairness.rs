//! Whose turn it is on a worker that feeds itself: now and then, of what it would not come to otherwise.
//!
//! A worker runs its newest job first. Jobs that submit themselves again, or others that do, so keep it from three
//! kinds: the jobs in its inbox, those in the injector, and its own older ones. Each search whose number is a multiple
//! of [`TICK`] looks at the inbox and the injector first; and, at most once in [`OLDEST`] and outside any job, it takes
//! the oldest of its own. So that one waits for the newer jobs of about that time, or for `TICK` long ones.
//!
//! By time, because each such turn leaves one more branch of a recursion half done: a turn for each so-many jobs would
//! fill memory where the jobs take nanoseconds.

use std::cell::Cell;
use std::time::{Duration, Instant};

use crate::sync::{EXHAUSTIVE, MODEL};

/// A prime, so that it does not fall in step with jobs that come in rounds; 61 as in Go's scheduler and tokio's. More
/// than one theft or bundle brings.
pub(super) const TICK: u32 = 61;

/// The time between two turns of the oldest.
const OLDEST: Duration = Duration::from_millis(1);

/// When the last turn of the oldest was, or the first that there might have been. No time passes under a checker.
#[derive(Default)]
pub(super) struct Fairness {
    last: Cell<Option<Instant>>,
}

impl Fairness {
    pub(super) fn is_due(&self) -> bool {
        if MODEL {
            return !EXHAUSTIVE;
        }
        let now = Instant::now();
        let due = self.last.get().is_some_and(|last| now.duration_since(last) >= OLDEST);
        if due || self.last.get().is_none() {
            self.last.set(Some(now));
        }
        due
    }
}
