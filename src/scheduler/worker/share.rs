//! How a worker gives work away: it keeps new jobs private, and exposes the oldest of them when another worker wants
//! a job.
//!
//! | private jobs and forks at a demand | the worker exposes |
//! |---|---|
//! | some forks, or less than four bundles of jobs | as many of the oldest as idle workers lack, each by itself |
//! | at least four bundles of jobs and no fork | the oldest [`BUNDLE`] as one job, and asks again |
//!
//! [`crate::jobs::private`] has the race between a push and a demand.

use std::cell::Cell;

use super::{Worker, with_current};
use crate::jobs::job::Job;
use crate::jobs::private::Available;
use crate::waiting::latch::TaskOwner;

/// How many jobs a bundle holds. Bundles are for flat spawns of small closures: a theft for each of these would cost
/// more than the closure itself.
const BUNDLE: usize = 48;

/// Makes a bundle of `jobs` of `owner`: the worker that runs it gets them as its private jobs. If they were pushed in an
/// isolated call, another worker runs them before the bundle ends: the owner may wait for them, and none of them may be
/// left behind jobs that wait for the owner.
fn bundle(jobs: Vec<Job>, owner: TaskOwner) -> Job {
    Job::new(move || {
        with_current(|worker| {
            let Some(worker) = worker else { unreachable!("a bundle outside a worker") };
            // Counted as an activation: no user submitted the bundle.
            worker.me().counters.activations.add(1);
            worker.steal_backoff.note_bundle();
            worker.tick.set(0);
            worker.run_of(owner, || jobs.into_iter().for_each(|job| worker.push_lazily(job)));
        });
    })
}

impl Worker {
    /// Pushes a job onto the private stack. If a worker wants a job, exposes some, and wakes a worker or the napping
    /// searcher if need be.
    #[inline]
    pub(crate) fn push(&self, job: Job) {
        if self.stack.push(job) {
            self.answer(true);
        }
    }

    /// As [`push`](Self::push), but does not wake the napping searcher: it sees the job at the end of its nap.
    #[inline]
    pub(crate) fn push_lazily(&self, job: Job) {
        if self.stack.push(job) {
            self.answer(false);
        }
    }

    /// Exposes private jobs, after a push that found a job wanted. Wakes a sleeper only if nobody searches, the
    /// napping searcher included.
    #[cold]
    pub(crate) fn answer_lazily(&self) {
        self.answer(false);
    }

    /// Answers demand: exposes as many private jobs as idle workers lack. `at_once`: also wakes the napping searcher.
    #[cold]
    fn answer(&self, at_once: bool) {
        let sleep = &self.registry.sleep;
        let bundled = Cell::new(false);
        let wanted = |available: Available| {
            let missing = sleep.snapshot().idle().saturating_sub(self.deque.len());
            // No bundle while there are forks: the oldest forks are the largest pieces of work that there are.
            bundled.set(available.len >= 4 * BUNDLE && missing > 0 && available.forks == 0);
            if bundled.get() { BUNDLE } else { missing }
        };
        let exposed = self.stack.expose(wanted, |jobs| {
            if bundled.get() {
                self.push_deque(bundle(jobs.collect(), self.as_owner()))
            } else {
                self.push_each(jobs)
            }
        });
        if exposed > 0 {
            if at_once { sleep.published() } else { sleep.published_lazily() }
        }
    }

    /// Pushes a job and exposes it, so that other workers find it whatever this thread does next.
    pub(crate) fn push_shown(&self, job: Job) {
        // Also if a raider has taken the job already: the stack may want attention before the next push.
        if self.stack.push(job) || !self.stack.is_empty() {
            self.expose_private();
        }
    }

    /// Exposes all private jobs and forks. The worker does so before it sleeps on something other than jobs, and
    /// before it takes a job that may be older than the fork whose first side it is running.
    ///
    /// The job that it takes may be that very fork. Only a fork that has left has a latch, by which its frame learns
    /// that it ran. And a job that is pushed then must not take the place in the private stack that the fork takes
    /// for its own.
    pub(in crate::scheduler) fn expose_all(&self) {
        if !self.stack.is_empty() {
            self.expose_private();
        }
    }

    fn expose_private(&self) {
        self.stack.expose(|available| available.len, |jobs| self.push_each(jobs));
        self.registry.sleep.published();
    }

    /// Pushes each of `jobs` onto the deque.
    pub(super) fn push_each(&self, jobs: &mut dyn ExactSizeIterator<Item = Job>) {
        jobs.for_each(|job| self.push_deque(job));
    }

    /// Pushes a job onto the deque, without publishing it.
    pub(super) fn push_deque(&self, job: Job) {
        self.deque.push(job);
        self.height.set(self.height.get() + 1);
    }

    /// Hands this worker's private jobs and its inbox over to the other workers, for a lent thread that is being
    /// returned. If there are no other workers, the thread has run all of these jobs already.
    pub(in crate::scheduler) fn hand_over(&self) {
        self.expose_all();
        // The hold keeps the pool from ending while the jobs are neither in the inbox nor in the injector.
        let entry = self.registry.hold();
        for job in self.me().inbox.close() {
            entry.inject(job);
        }
    }
}
