//! How a worker runs jobs: one job, its own jobs, or all jobs until the pool ends.
//!
//! The invariant: `depth` counts the jobs of the pool that are on this thread's stack, also while a panic handler
//! runs. A lent thread may fork only while it counts at least one.

use super::ends::Tell;
use super::idle::Next;
use super::until::UntilEnd;
use super::{Help, Worker, current};
use crate::jobs::job::{Home, Job};
use crate::scheduler::panic_at::PanicAt;
use crate::sync::{EXHAUSTIVE, defect};
use crate::system::clock::Instant;
use crate::system::unwind::{self, Payload};

impl Worker {
    /// Notes that the main loop is over: from now on the thread submits as an outside thread, and does not fork.
    pub(crate) fn leave_pool(&self) {
        self.outside.set(true);
        current::let_fork(self, false);
    }

    /// Runs a job. Passes a panic's payload to the panic handler.
    #[inline]
    pub(crate) fn run(&self, job: Job) {
        self.counted(|| job.run());
    }

    /// Runs a job that the main loop has found, and keeps its end back if it can: see [`super::ends`].
    #[inline]
    pub(super) fn run_in_row(&self, job: Job) {
        if EXHAUSTIVE {
            return self.run(job);
        }
        let base = match job.home() {
            (Home::Scope, base) => base,
            _ => 0,
        };
        if self.ends.are_of_another(base) {
            self.tell_ends();
        }
        self.ends.set_running(base);
        self.run(job);
        self.ends.set_running(0);
        if self.ends.are_kept() && !self.has_own() {
            self.tell_ends();
        }
    }

    /// Keeps the end of a job of the scope at `base` back, if it can. Returns whether it does.
    ///
    /// # Safety
    /// `base` is alive until its count is zero, and counts the job, whose end nobody else tells. `tell` may be called
    /// with it and any number of such ends.
    #[inline]
    pub(crate) unsafe fn keep_end(&self, base: *const (), tell: Tell) -> bool {
        // A job of an isolated call is followed by all that it has left, which may wait for that call's caller.
        let keeps = self.ends.running() == base.addr() && self.depth.get() == 1 && !self.is_isolated();
        if keeps {
            self.ends.keep(base, tell);
        }
        keeps
    }

    /// Tells the scope of the ends that were kept back.
    #[inline]
    pub(super) fn tell_ends(&self) {
        if self.ends.are_kept() && !defect("ends_untold") {
            self.tell_kept();
        }
    }

    #[cold]
    #[inline(never)]
    fn tell_kept(&self) {
        if let Some((base, tell, kept)) = self.ends.take() {
            // SAFETY: the base and its function were kept together, and these ends with them. `take` has left none, so
            // they are told once.
            unsafe { tell(base, kept) };
        }
    }

    /// Runs `f` and counts it as one job of this worker. Passes a panic's payload to the panic handler.
    #[inline]
    pub(in crate::scheduler) fn counted(&self, f: impl FnOnce()) {
        self.counted_with(&mut (), |()| f(), |(), payload| self.report_panic(payload, None));
    }

    /// As [`counted`](Self::counted), but passes a panic's payload to `panicked`, which must not panic itself.
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
            // Before `leave_job`, because this calls foreign code: a lent thread must not be returned while this
            // frame is on its stack.
            panicked(state, payload);
        }
        self.leave_job();
    }

    /// Notes that one more job is on this thread's stack.
    #[inline]
    fn enter_job(&self) {
        self.depth.set(self.depth.get() + 1);
        if self.outside.get() {
            current::let_fork(self, true);
        }
    }

    /// Notes that one job less is on this thread's stack.
    #[inline]
    fn leave_job(&self) {
        self.depth.set(self.depth.get() - 1);
        if self.outside.get() {
            current::let_fork(self, self.inside());
        }
    }

    /// Passes the payload of a panic on this worker to the panic handler. `queue` is the name of the queue, if it was
    /// a queue's job and the queue has a name.
    #[cold]
    pub(crate) fn report_panic(&self, payload: Payload, queue: Option<&str>) {
        self.me().counters.panicked.add(1);
        self.registry.handle_panic(payload, &PanicAt::new(queue, Some(self.number.get())));
    }

    /// Runs `f` as one more job on this thread's stack. Counts neither the job nor its panic, which passes to the
    /// caller.
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

    /// Runs one job of the pool, and returns whether there was one. The caller may be anywhere inside a job.
    pub(crate) fn run_one(&self) -> bool {
        self.expose_all();
        self.find(Help::Any).map(|job| self.run_on_top(job)).is_some()
    }

    /// Runs this worker's newest own job, and returns whether there was one. That job must be newer than the fork
    /// whose first side the worker is running, if any.
    pub(crate) fn run_own(&self) -> bool {
        self.own().map(|job| self.run(job)).is_some()
    }

    /// Runs one of this worker's own jobs, or else one of its inbox. Returns whether there was one.
    pub(crate) fn run_local(&self) -> bool {
        self.expose_all();
        self.own().or_else(|| self.take_from_inbox()).map(|job| self.run(job)).is_some()
    }

    /// Runs all jobs of the inbox, which only this worker may run.
    pub(crate) fn run_inbox(&self) {
        while let Some(job) = self.me().inbox.pop() {
            self.run(job);
        }
    }

    /// Runs jobs until the pool has ended. Calls `begins` before the first job, if there is any.
    pub(crate) fn main_loop(&self, begins: impl FnOnce()) {
        let mut next = self.first(&UntilEnd);
        if matches!(next, Next::Job(_)) {
            begins();
        }
        while let Next::Job(job) = next {
            self.run_in_row(job);
            next = self.next(&UntilEnd, Help::Any);
        }
        self.tell_ends();
    }

    /// Runs the jobs that it finds: for a lent thread, once its pool is closed. Begins no job after `deadline`.
    ///
    /// If the pool has other workers, they find the jobs that appear later, and also empty this worker's deque. If it
    /// has none, this waits for the outside threads that had begun to submit: after that no job can appear any more.
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
