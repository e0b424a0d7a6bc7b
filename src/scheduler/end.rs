//! How a pool ends, and which threads may still submit on the way there.
//!
//! | step | functions | effect |
//! |---|---|---|
//! | close | `close` | the pool refuses jobs from outside: first its sources, then its injector |
//! | finish | `conclude`, `finish_alone` | nothing is left to run: the finishers are called, and may start jobs |
//! | end | `end_if`, `look_for_end` | nothing is left to finish either: the workers leave |
//! | let go | `drop_user_code` | the last thread that stays drops the handlers of the queues and the hooks |
//!
//! While an [`Entry`] exists, the pool does not end.
//!
//! A thread that changes the pool's word looks whether its change brought the pool to rest. The changes are totally
//! ordered, so the thread that makes the last of them sees all others: see "The end" in [`crate::waiting::sleep`].

use std::panic::AssertUnwindSafe;

use super::finish::Last;
use super::registry::Registry;
use super::sources::Source;
use super::worker::with_current;
use crate::error::ClosedReason;
use crate::jobs::job::Job;
use crate::scheduler::panic_at::PanicAt;
use crate::sync::site::{ABANDONED, STAYING, THREADS};
use crate::sync::{defect, lock};
use crate::system::clock::Instant;
use crate::system::unwind;
use crate::waiting::numbered::Number;
use crate::waiting::sleep::Snapshot;

impl Registry {
    /// Removes a worker from the pool's counts. The worker never ran, and the pool goes on without it. If no worker
    /// is left, and no lent thread, the pool is closed.
    pub(crate) fn worker_lost(&self, index: usize) {
        let last = self.staying.fetch_sub(1, STAYING.get()) == 1;
        let left = self.threads.fetch_sub(1, THREADS.get()) - 1;
        self.peers[index].running.count_down();
        if left == 0 && !self.lent {
            self.close();
        }
        // The pool may be closed and all other workers asleep already. With the smaller number of threads it may be
        // at rest, so they have to look again.
        self.sleep.nudge_all();
        self.look_for_end();
        if last && left > 0 {
            // The other workers left before the count fell. Each of them found that this worker stays, so none
            // dropped the user's code.
            self.drop_user_code(None);
        }
    }

    /// Whether the last owner has let go of the pool.
    pub(super) fn owner_dropped(&self) -> bool {
        self.owner_dropped.load(ABANDONED.get())
    }

    /// Notes that the last owner has let go of the pool.
    pub(crate) fn note_owner_dropped(&self) {
        self.owner_dropped.store(true, ABANDONED.get());
    }

    /// Looks for the end of a pool without a thread of its own, where no main loop notices it. Each thread that may
    /// have brought the end about calls this. The pool is at its end when it is closed, no outside thread is about
    /// to submit, the lent thread is in no job, and nothing is left. This state is final.
    fn look_for_end(&self) {
        if self.threads() > 0 {
            return;
        }
        let is_over = |now: Snapshot| now.closed() && now.entered() == 0 && self.is_drained();
        if self.sleep.snapshot().closed() && self.conclude(is_over) {
            let before = std::mem::replace(&mut lock(&self.sources).drained, true);
            if !before {
                self.drained.count_down();
                // The threads of spares wait for this.
                self.sleep.end();
            }
        }
    }

    /// In a pool without a thread of its own: blocks until all accepted jobs have run, or until `deadline`. Returns
    /// `false` if the deadline came first.
    pub(crate) fn wait_drained(&self, deadline: Option<Instant>) -> bool {
        self.threads() > 0 || self.drained.wait_until(deadline, None)
    }

    /// Lets the calling outside thread submit for as long as the entry lives.
    #[inline]
    pub(crate) fn enter(&self) -> Result<Entry<'_>, ClosedReason> {
        if self.forked() {
            return Err(ClosedReason::ForkedProcess);
        }
        if self.sleep.enter() {
            return Ok(Entry { registry: self });
        }
        // The attempt counted as an entry for a moment, and may have delayed the end. The drop gives the entry back
        // and looks for the end.
        drop(Entry { registry: self });
        Err(ClosedReason::Shutdown)
    }

    /// Makes an entry like [`enter`](Self::enter), even if the pool is closed. It is for a thread that runs what
    /// the pool still holds; the thread delays the end of the pool until it drops the entry.
    pub(crate) fn hold(&self) -> Entry<'_> {
        self.sleep.hold();
        Entry { registry: self }
    }

    /// Ends a [`hold`](Self::hold) whose entry was passed to `mem::forget`.
    pub(super) fn end_hold(&self) {
        drop(Entry { registry: self });
    }

    /// Lets the workers leave if all of them are at rest and nothing is left. To be called by each thread that may
    /// have brought the pool to rest. `state` is the value of the pool's word after that thread's change.
    pub(crate) fn end_if(&self, state: Snapshot) {
        let threads = self.threads();
        if threads == 0 {
            self.look_for_end();
        } else if state.at_rest(threads) && self.conclude(|now| now.at_rest(threads) && self.is_drained()) {
            self.sleep.end();
        }
    }

    /// Whether the pool is at its end, as `is_over` says, with no finisher left. If only finishers are left, calls
    /// them and looks again.
    pub(super) fn conclude(&self, is_over: impl Fn(Snapshot) -> bool) -> bool {
        loop {
            let mut last = Last::Wait;
            self.sleep.decide(|now| {
                if is_over(now) {
                    last = self.finishers.last();
                }
                true
            });
            match last {
                Last::Nothing => return true,
                Last::Wait => return false,
                Last::Call(finishers) => {
                    // They submit jobs, and the caller may be a worker that is about to sleep.
                    with_current(|worker| worker.map_or((), |worker| worker.note_work()));
                    self.finishers.call(finishers);
                }
            }
        }
    }

    /// Calls the finishers, and returns whether there were any. To be called by the only worker of a closed pool,
    /// when no other thread can submit any more and nothing is left to run.
    pub(super) fn finish_alone(&self) -> bool {
        match self.finishers.last() {
            Last::Nothing | Last::Wait => false,
            Last::Call(finishers) => {
                self.finishers.call(finishers);
                true
            }
        }
    }

    /// Registers a source and returns its number. Returns `None` if the pool is closed.
    pub(crate) fn add_source(&self, source: Box<dyn Source>) -> Option<Number> {
        let mut sources = lock(&self.sources);
        if sources.closed {
            return None;
        }
        Some(sources.members.push(source))
    }

    /// Removes a source from the list.
    pub(crate) fn remove_source(&self, number: Number) {
        let removed = lock(&self.sources).members.remove(number);
        // Dropped without the lock: the source may hold the last reference to a value of the user's.
        drop(removed);
    }

    /// Closes the pool to the outside. The sources close first, so that each job they accepted is on its way to the
    /// workers; then the injector closes.
    pub(crate) fn close(&self) {
        {
            // Under the lock, so that a second caller cannot close the injector before the first caller has closed
            // all sources: a source needs the injector to start its jobs. No foreign code runs under the lock.
            let mut sources = lock(&self.sources);
            if !std::mem::replace(&mut sources.closed, true) {
                sources.members.iter().for_each(|source| source.close_outside());
            }
        }
        self.end_if(self.sleep.close());
    }

    /// Notes that the calling worker, number `index`, has left its main loop and called its exit hook. The last
    /// thread that stays drops the user's code.
    pub(crate) fn worker_left(&self, index: usize) {
        if self.staying.fetch_sub(1, STAYING.get()) == 1 && !defect("kept_for_ever") {
            self.drop_user_code(Some(index));
        }
    }

    /// Counts the new thread of a spare as one that stays. Its hooks are still to be called.
    pub(super) fn spare_stays(&self) {
        self.staying.fetch_add(1, STAYING.get());
    }

    /// Does what [`worker_left`](Self::worker_left) does, for a spare that stood in for `worker` last. In a pool
    /// without a thread of its own, another thread drops the user's code: see
    /// [`drop_user_code_alone`](Self::drop_user_code_alone).
    pub(super) fn spare_left(&self, worker: usize) {
        if self.staying.fetch_sub(1, STAYING.get()) == 1 && self.threads() > 0 {
            self.drop_user_code(Some(worker));
        }
    }

    /// Does what [`drop_user_code`](Self::drop_user_code) does, for a pool without a thread of its own that would
    /// do it. The pool is closed and has run what it accepted. Waits for outside threads that are about to find the
    /// pool closed.
    pub(crate) fn drop_user_code_alone(&self) {
        if self.threads() == 0 {
            if !defect("end_unawaited") {
                self.drained.wait();
            } else if self.drained.count() > 0 {
                return;
            }
            self.drop_user_code(None);
        }
    }

    /// Drops the handlers of the queues and the hooks, on the calling thread: the pool has ended. `worker` is the
    /// number of the calling thread, if it is a worker. The caller must hold no lock, and must have no frame below
    /// it that goes on as a worker.
    ///
    /// Without this, a handler or a hook that holds a handle of its own pool would keep the pool, and so itself,
    /// alive for ever.
    fn drop_user_code(&self, worker: Option<usize>) {
        let sources = lock(&self.sources).members.take();
        for source in sources {
            if let Err(payload) = unwind::catch(AssertUnwindSafe(|| source.drop_user_code())) {
                self.handle_panic(payload, &PanicAt::new(source.name(), worker));
            }
            if let Err(payload) = unwind::catch(AssertUnwindSafe(|| drop(source))) {
                self.handle_panic(payload, &PanicAt::new(None, worker));
            }
        }
        self.hooks.drop_user_code();
    }
}

/// The right of an outside thread to submit. While an entry lives, the pool does not end.
pub(crate) struct Entry<'r> {
    registry: &'r Registry,
}

impl Entry<'_> {
    /// Puts a job where workers look for it, and wakes a worker if otherwise none might look.
    #[inline]
    pub(crate) fn inject(&self, job: Job) {
        self.registry.injector.push(job);
        self.registry.sleep.published();
    }
}

impl Entry<'_> {
    /// Does what [`inject`](Self::inject) does, for a thread that then waits for the job. Returns whether the
    /// thread should sleep at once, because the worker that it woke is bound to its core.
    pub(crate) fn inject_and_wait(&self, job: Job) -> bool {
        self.registry.injector.push(job);
        self.registry.sleep.published_by_waiter()
    }
}

impl Drop for Entry<'_> {
    #[inline]
    fn drop(&mut self) {
        let state = self.registry.sleep.leave();
        if state.closed() && state.entered() == 0 && !defect("last_to_leave_silent") {
            self.registry.end_if(state);
        }
    }
}
