//! Jobs that were taken out of the ring to make room, and are to be run before those that are in it.
//!
//! A queue holds more than its capacity only so: where all who may make room in it wait for room themselves
//! ([`crate::waiting::wait_graph`]). That some lie here is noted in the runners' word, which each runner that looks for a
//! job reads anyway.

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

    /// Adds a job that was the oldest in the ring, and notes that there is one. The runners as they are then.
    pub(super) fn push(&self, job: Parcel<J>, runners: &Runners) -> RunnerCounts {
        let mut jobs = lock(&self.0);
        jobs.push_back(job);
        if defect("aside_unnoted") { runners.load() } else { runners.note_overflow() }
    }

    /// Puts the oldest of them `into` an empty place. `false` if there is none.
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
