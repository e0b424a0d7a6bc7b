//! Fairness on a worker that keeps submitting to itself: now and then it runs a job that it would not reach
//! otherwise.
//!
//! A worker runs its newest job first. Jobs that submit themselves again, or submit other jobs that do, keep the
//! worker from three kinds of jobs: the jobs in its inbox, the jobs in the injector, and its own older jobs. So each
//! search whose number is a multiple of [`TICK`] looks at these first, in this order:
//!
//! | order | source | restriction |
//! |---|---|---|
//! | 1 | the worker's own oldest job | at most once in [`OLDEST`], and only outside any job |
//! | 2 | the inbox | |
//! | 3 | the injector | |
//!
//! So the oldest job waits for the newer jobs of about one [`OLDEST`], or for [`TICK`] long jobs.
//!
//! The oldest job's turn goes by time, not by a number of jobs. Each of these turns leaves one more branch of a
//! recursion half done. Where jobs take nanoseconds, a turn after a fixed number of jobs would fill memory.

use std::cell::Cell;
use std::time::Duration;

use crate::sync::{EXHAUSTIVE, MODEL};
use crate::system::clock::Instant;

/// The number of searches from one turn to the next. A prime, so that it does not fall in step with jobs that come in
/// rounds; 61 as in Go's scheduler and tokio's. It is more than the number of jobs that one theft or one bundle
/// brings.
pub(super) const TICK: u32 = 61;

/// The shortest time between two turns of the worker's oldest job.
const OLDEST: Duration = Duration::from_millis(1);

/// When a worker's oldest job last had its turn, or first might have had one. Under a checker no time passes.
#[derive(Default)]
pub(super) struct Fairness {
    last: Cell<Option<Instant>>,
}

impl Fairness {
    /// Whether the oldest job has its turn now. If so, the next turn is due [`OLDEST`] later at the earliest.
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
