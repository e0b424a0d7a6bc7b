//! How a worker gives work away: it keeps what it is given, and hands out the oldest of it when another wants a job.

use std::cell::Cell;

use super::{Worker, with_current};
use crate::jobs::job::Job;
use crate::jobs::private::Available;

/// So many jobs go to the deque as one, where there are many times as many: flat spawns of small closures, for which
/// a theft each would cost more than they.
const BUNDLE: usize = 48;

/// A job that keeps `jobs` for the worker that runs it.
fn bundle(jobs: Vec<Job>) -> Job {
    Job::new(move || {
        with_current(|worker| {
            let Some(worker) = worker else { unreachable!("a bundle outside a worker") };
            // Nobody submitted the bundle.
            worker.me().counters.activations.add(1);
            worker.steal_backoff.note_bundle();
            worker.tick.set(0);
            jobs.into_iter().for_each(|job| worker.push_lazily(job));
        });
    })
}

impl Worker {
    /// Keeps a job for itself, unless somebody wants one, who is woken if need be.
    #[inline]
    pub(crate) fn push(&self, job: Job) {
        if self.stack.push(job) {
            self.answer(true);
        }
    }

    /// As [`push`](Self::push), but a worker that watches is left to see it within a nap.
    #[inline]
    pub(crate) fn push_lazily(&self, job: Job) {
        if self.stack.push(job) {
            self.answer(false);
        }
    }

    /// After a push that found a job wanted: hands out private jobs. Wakes a sleeper only if nobody watches.
    #[cold]
    pub(crate) fn answer_lazily(&self) {
        self.answer(false);
    }

    #[cold]
    fn answer(&self, at_once: bool) {
        let sleep = &self.registry.sleep;
        let bundled = Cell::new(false);
        let wanted = |available: Available| {
            let missing = sleep.snapshot().idle().saturating_sub(self.deque.len());
            // The oldest forks are the largest jobs there are.
            bundled.set(available.len >= 4 * BUNDLE && missing > 0 && available.forks == 0);
            if bundled.get() { BUNDLE } else { missing }
        };
        let exposed = self.stack.expose(wanted, |jobs| {
            if bundled.get() { self.push_deque(bundle(jobs.collect())) } else { self.push_each(jobs) }
        });
        if exposed > 0 {
            if at_once { sleep.published() } else { sleep.published_lazily() }
        }
    }

    /// Puts a job where others find it too, whatever this thread does next.
    pub(crate) fn push_shown(&self, job: Job) {
        self.stack.push(job);
        self.expose_all();
    }

    /// Hands out all private jobs: before this thread sleeps on something else, or takes jobs that are not above the
    /// fork that it is in the midst of. That fork may be the job it gets, which only the latch of one that left
    /// tells; and what is pushed then must not take the place that the fork believes to be its own.
    pub(in crate::scheduler) fn expose_all(&self) {
        if !self.stack.is_empty() {
            self.stack.expose(|available| available.len, |jobs| self.push_each(jobs));
            self.registry.sleep.published();
        }
    }

    pub(super) fn push_each(&self, jobs: &mut dyn ExactSizeIterator<Item = Job>) {
        jobs.for_each(|job| self.push_deque(job));
    }

    pub(super) fn push_deque(&self, job: Job) {
        self.deque.push(job);
        self.height.set(self.height.get() + 1);
    }

    /// For a lent thread that goes: what it kept, and what only it was to run, is for the others; if there are none it
    /// has seen to all of that.
    pub(in crate::scheduler) fn hand_over(&self) {
        self.expose_all();
        // So that the pool does not end while the jobs are in neither place.
        let entry = self.registry.hold();
        for job in self.me().inbox.close() {
            entry.inject(job);
        }
    }
}
