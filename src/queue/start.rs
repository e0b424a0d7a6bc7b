//! How runners start.
//!
//! A *runner* is an activation of the queue on a worker: an ordinary job of the pool that pops values and calls the handler
//! until the ring is empty, then polls for about the price of one wake, then leaves, or goes on *standby*: one worker naps
//! for as long as others are busy, and is a runner again when they do not keep up.
//!
//! The invariant that keeps jobs from being overlooked:
//!
//! > While nobody polls, nobody is on standby beside busy runners, and there are fewer runners than allowed, the ring's
//! > `NEEDS_RUNNER` flag is set, or somebody is on the way to set it and will look into the ring afterwards.
//!
//! So each push is noticed by a runner that polls, by the one on standby within a nap, or by the flag that comes back from
//! the push itself; or else all the workers that may serve the queue do so already, and each of them looks again before
//! it leaves.

use std::rc::Rc;

use super::core::CoreRef;
use super::parcel::Parcel;
use super::runner_counts::RunnerCounts;
use crate::jobs::job::Job;
use crate::jobs::ring::{BLOCKED, NEEDS_RUNNER, OUTSIDE_CLOSED};
use crate::scheduler::sources::Source;
use crate::scheduler::worker::{Nested, with_current};
use crate::sync::defect;

impl<J: Send + 'static> CoreRef<J> {
    /// A push found `NEEDS_RUNNER`, or a runner left jobs behind: starts a runner, unless there are enough.
    #[cold]
    pub(super) fn start_runner(&self) {
        with_current(|worker| match worker {
            Some(worker) if self.is_inside(worker) => self.call_runner(|job| worker.push(job)),
            _ => {
                // If the pool is closed to us, whoever closed it saw our push and started a runner.
                if let Ok(entry) = self.registry.enter() {
                    self.call_runner(|job| entry.inject(job));
                }
            }
        });
    }

    fn call_runner(&self, start: impl Fn(Job)) {
        loop {
            let size = self.size();
            if let Some(counts) = self.runners.call(size) {
                start(self.activation());
                if counts.lacks(size) {
                    // The flag stays set: the next push starts the next runner.
                    return;
                }
            }
            // Enough for now: pushes need not come here. But a runner may have left since the look above,
            // and the flag cleared here may be the one that it set.
            self.ring.unflag_tail(NEEDS_RUNNER);
            let counts = self.runners.load();
            if !counts.lacks(size) || !(self.ring.flag_tail(NEEDS_RUNNER) | counts.overflow()) {
                return;
            }
        }
    }

    /// The runners have become `counts`: if some are lacking now, sees to it that the next push starts one, or starts one
    /// itself if more jobs wait than the `own` that the caller is about to take.
    pub(super) fn start_if_lacking(&self, counts: RunnerCounts, own: usize) {
        if counts.lacks(self.size())
            && self.ring.flag_tail(NEEDS_RUNNER) | counts.overflow()
            && self.len() > own
            && !defect("runner_leaves_unlooked")
        {
            self.start_runner();
        }
    }

    /// The job that is a runner.
    pub(super) fn activation(&self) -> Job {
        let core = self.clone();
        Job::new(move || {
            with_current(|worker| {
                let Some(worker) = worker else { unreachable!("a runner outside a worker") };
                worker.me().counters.activations.add(1);
                if !core.runners.begin(core.limit) {
                    // Each of those that have the places will look again before it leaves.
                    return;
                }
                let nested = Rc::new(NestedQueue(core.clone()));
                worker.with_nested(nested, || core.service.activate(&core, worker));
            });
        })
    }

    /// By a runner whose job waits in vain: takes the oldest job out of the ring without running it.
    #[cold]
    pub(crate) fn overflow_oldest(&self) {
        let mut job = Parcel::empty();
        let Some(flags) = self.ring.pop(&mut job) else { return };
        let counts = self.overflow.push(job, &self.runners);
        if !defect("aside_unlooked") {
            // Another runner may have gone while the job was neither in the ring nor noted.
            self.start_if_lacking(counts, 0);
        }
        if flags & BLOCKED != 0 {
            self.slot_freed();
        }
    }
}

/// A queue as a worker knows it that runs its jobs.
pub(super) struct NestedQueue<J>(pub(super) CoreRef<J>);

impl<J: Send + 'static> Nested for NestedQueue<J> {
    fn overflow_oldest(&self) {
        self.0.overflow_oldest();
    }

    fn address(&self) -> usize {
        self.0.address()
    }
}

/// A queue as the registry knows it.
pub(super) struct QueueSource<J>(pub(super) CoreRef<J>);

impl<J: Send + 'static> Source for QueueSource<J> {
    fn close_outside(&self) {
        if self.0.refuse(OUTSIDE_CLOSED) && !defect("closed_unkicked") {
            // A producer that was faster may not have come to start a runner, and is about to find the
            // pool closed.
            self.0.start_runner();
        }
    }

    fn drop_user_code(&self) {
        if self.0.is_idle() {
            self.0.service.drop_user_code();
        }
    }

    fn name(&self) -> Option<&str> {
        self.0.name()
    }
}
