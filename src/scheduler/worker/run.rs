//! How a worker runs jobs: one, those of its own, all until the pool ends.

use std::time::Instant;

use super::idle::{Next, UntilEnd};
use super::{Help, Worker, current};
use crate::jobs::job::Job;
use crate::scheduler::panic_at::PanicAt;
use crate::sync::defect;
use crate::system::unwind::{self, Payload};

impl Worker {
    /// The main loop is over: what the thread still does, it does outside the pool.
    pub(crate) fn leave_pool(&self) {
        self.outside.set(true);
        current::let_fork(self, false);
    }

    /// Runs a job. What it panics with goes to the panic handler.
    #[inline]
    pub(crate) fn run(&self, job: Job) {
        self.counted(|| job.run());
    }

    /// Runs `f` as one job of this worker.
    #[inline]
    pub(in crate::scheduler) fn counted(&self, f: impl FnOnce()) {
        self.counted_with(&mut (), |()| f(), |(), payload| self.report_panic(payload, None));
    }

    /// As [`counted`](Self::counted), with `panicked` to see to what `f` panics with. It must not panic itself.
    #[inline]
    pub(crate) fn counted_with<S>(
        &self,
        state: &mut S,
        f: impl FnOnce(&mut S),
        panicked: impl FnOnce(&mut S, Payload),
    ) {
        self.enter_job();
        let result = unwind::catch(|| f(state));
        self.me().counters.run.add(1);
        if let Err(payload) = result {
            // Foreign code, so still inside: a lent thread must not be returned with this frame on its stack.
            panicked(state, payload);
        }
        self.leave_job();
    }

    /// One more job is on this thread's stack.
    #[inline]
    fn enter_job(&self) {
        self.depth.set(self.depth.get() + 1);
        if self.outside.get() {
            current::let_fork(self, true);
        }
    }

    /// One job less.
    #[inline]
    fn leave_job(&self) {
        self.depth.set(self.depth.get() - 1);
        if self.outside.get() {
            current::let_fork(self, self.inside());
        }
    }

    /// Takes to the panic handler what something panicked with on this worker, of `queue` if that has a name.
    #[cold]
    pub(crate) fn report_panic(&self, payload: Payload, queue: Option<&str>) {
        self.me().counters.panicked.add(1);
        self.registry.handle_panic(payload, &PanicAt::new(queue, Some(self.index)));
    }

    /// Runs `f` inside a job that is counted already, panics included.
    pub(crate) fn within<R>(&self, f: impl FnOnce() -> R) -> R {
        struct Leave<'w>(&'w Worker);
        impl Drop for Leave<'_> {
            fn drop(&mut self) {
                self.0.leave_job();
            }
        }
        self.enter_job();
        let _leave = Leave(self);
        f()
    }

    /// Runs one job, if there is one. It may be called anywhere inside a job.
    pub(crate) fn run_one(&self) -> bool {
        self.expose_all();
        self.find(Help::Any).map(|job| self.run_on_top(job)).is_some()
    }

    /// Runs one job of its own, if there is one: a newer one than the fork that it is in the midst of.
    pub(crate) fn run_own(&self) -> bool {
        self.own().map(|job| self.run(job)).is_some()
    }

    /// Runs one job of its own or of its inbox, if there is one.
    pub(crate) fn run_local(&self) -> bool {
        self.expose_all();
        self.own().or_else(|| self.take_from_inbox()).map(|job| self.run(job)).is_some()
    }

    /// Runs what only this worker may run.
    pub(crate) fn run_inbox(&self) {
        while let Some(job) = self.me().inbox.pop() {
            self.run(job);
        }
    }

    /// Runs jobs until the pool has ended; `begins` is called before the first.
    pub(crate) fn main_loop(&self, begins: impl FnOnce()) {
        let mut next = self.first(&UntilEnd);
        if matches!(next, Next::Job(_)) {
            begins();
        }
        while let Next::Job(job) = next {
            self.run(job);
            next = self.next(&UntilEnd, Help::Any);
        }
    }

    /// For a lent thread, once its pool is closed: runs what it finds. Jobs that appear later are found by
    /// the other workers, which also empty this one's deque; if there are none, no later job can appear
    /// once no outside thread is left that had begun to submit. Begins no job after `deadline`.
    pub(crate) fn drain(&self, deadline: Option<Instant>) {
        let _hold = self.registry.hold();
        let due = || deadline.is_some_and(|deadline| deadline <= Instant::now());
        loop {
            while !due() && self.run_one() {}
            let alone = self.registry.threads() == 0;
            let nobody_comes = || self.registry.sleep.snapshot().entered() == 1 || defect("entered_ignored");
            let at_end = alone && nobody_comes() && !self.registry.has_work();
            if at_end && !due() && self.registry.finish_alone() {
                continue;
            }
            if due() || !alone || at_end {
                self.expose_all();
                return;
            }
            crate::sync::yield_now();
        }
    }
}
