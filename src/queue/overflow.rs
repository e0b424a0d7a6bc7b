//! The overflow: jobs taken out of a full ring to make room. They run before the jobs in the ring.
//!
//! A queue holds more jobs than its capacity in one case only: every worker that may make room in it waits for room
//! itself ([`crate::waiting::wait_graph`]). The flag `overflow` in the runners' word says that there are such jobs;
//! each runner that looks for a job reads this word anyway.

use std::collections::VecDeque;

use super::parcel::Parcel;
use super::runner_counts::{RunnerCounts, Runners};
use crate::sync::{Mutex, defect, lock};

/// The jobs, oldest first.
pub(super) struct Overflow<J>(Mutex<VecDeque<Parcel<J>>>);

impl<J> Overflow<J> {
    pub(super) fn new() -> Overflow<J> {
        Overflow(Mutex::default())
    }

    pub(super) fn len(&self, runners: &Runners) -> usize {
        if runners.load().overflow() { lock(&self.0).len() } else { 0 }
    }

    /// Adds a job that was the oldest in the ring, and sets the flag. Returns the runners' word after that.
    pub(super) fn push(&self, job: Parcel<J>, runners: &Runners) -> RunnerCounts {
        let mut jobs = lock(&self.0);
        jobs.push_back(job);
        if defect("aside_unnoted") { runners.load() } else { runners.note_overflow() }
    }

    /// Moves the oldest job `into` an empty parcel. `false` if there is none.
    #[inline]
    pub(super) fn take(&self, into: &mut Parcel<J>, runners: &Runners) -> bool {
        runners.load().overflow() && self.take_oldest(into, runners)
    }

    #[cold]
    #[inline(never)]
    fn take_oldest(&self, into: &mut Parcel<J>, runners: &Runners) -> bool {
        let mut jobs = lock(&self.0);
        let job = jobs.pop_front();
        if jobs.is_empty() {
            runners.clear_overflow();
        }
        drop(jobs);
        job.map(|job| *into = job).is_some()
    }
}
