//! How runners start.
//!
//! A *runner* is an activation of the queue on a worker: an ordinary job of the pool that pops jobs and calls the
//! handler until the ring is empty. Then it polls for about the price of one wake. Then it leaves or goes on
//! *standby*: one worker naps as long as other runners are busy, and becomes a runner again when they do not keep up.
//!
//! The invariant that keeps jobs from being overlooked:
//!
//! > While no runner polls, there are fewer runners than the limit, and no worker on standby watches as many runners
//! > as are of use, the ring's `NEEDS_RUNNER` flag is set; or a thread is about to set it and looks into the ring
//! > afterwards.
//!
//! The race has two sides. A producer pushes, then reads the flag: the push itself brings the flag back. A runner
//! leaves, then sets the flag, then looks into the ring. So each push is noticed by a runner that polls, by the
//! worker on standby within one nap, or by the flag. In the remaining case all workers that may serve the queue do so
//! already, and each of them looks once more before it leaves.

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
    /// Starts a runner, unless there are enough. Called by a push that found `NEEDS_RUNNER`, and by a runner that
    /// leaves jobs behind.
    #[cold]
    pub(super) fn start_runner(&self) {
        with_current(|worker| match worker {
            Some(worker) if self.is_inside(worker) => self.call_runner(|job| worker.push(job)),
            _ => {
                // If the pool refuses the entry, the thread that closed it saw our push and started a runner.
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
            // Enough runners for now, so pushes need not come here. But a runner may have left since the look above,
            // and the flag cleared here may be the one that it set.
            self.ring.unflag_tail(NEEDS_RUNNER);
            let counts = self.runners.load();
            if !counts.lacks(size) || !(self.ring.flag_tail(NEEDS_RUNNER) | counts.overflow()) {
                return;
            }
        }
    }

    /// The runners' word has become `counts`. If runners are lacking now, sets the flag, so that the next push starts
    /// one. Starts one itself if more jobs wait than the `own` jobs that the caller is about to take.
    pub(super) fn start_if_lacking(&self, counts: RunnerCounts, own: usize) {
        if counts.lacks(self.size())
            && self.ring.flag_tail(NEEDS_RUNNER) | counts.overflow()
            && self.len() > own
            && !defect("runner_leaves_unlooked")
        {
            self.start_runner();
        }
    }

    /// The job that runs as a runner.
    pub(super) fn activation(&self) -> Job {
        let core = self.clone();
        Job::new(move || {
            with_current(|worker| {
                let Some(worker) = worker else { unreachable!("a runner outside a worker") };
                worker.me().counters.activations.add(1);
                if !core.runners.begin(core.limit) {
                    // Each runner that has a place looks again before it leaves.
                    return;
                }
                let nested = Rc::new(NestedQueue(core.clone()));
                worker.with_nested(nested, || core.service.activate(&core, worker));
            });
        })
    }

    /// Takes the oldest job out of the ring without running it. Called by a runner whose handler is part of a cycle
    /// of waits.
    #[cold]
    pub(crate) fn overflow_oldest(&self) {
        let mut job = Parcel::empty();
        let Some(flags) = self.ring.pop(&mut job) else { return };
        let counts = self.overflow.push(job, &self.runners);
        if !defect("aside_unlooked") {
            // Another runner may have left while the job was neither in the ring nor noted as overflow.
            self.start_if_lacking(counts, 0);
        }
        if flags & BLOCKED != 0 {
            self.slot_freed();
        }
    }
}

/// A queue as seen by a worker that runs its jobs.
pub(super) struct NestedQueue<J>(pub(super) CoreRef<J>);

impl<J: Send + 'static> Nested for NestedQueue<J> {
    fn overflow_oldest(&self) {
        self.0.overflow_oldest();
    }

    fn address(&self) -> usize {
        self.0.address()
    }
}

/// A queue as seen by the registry.
pub(super) struct QueueSource<J>(pub(super) CoreRef<J>);

impl<J: Send + 'static> Source for QueueSource<J> {
    fn close_outside(&self) {
        if self.0.refuse(OUTSIDE_CLOSED) && !defect("closed_unkicked") {
            // A producer may have pushed before the flag without having started a runner yet; it is about to find the
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
