//! How a pool comes to its end, and who may still submit on the way there.

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use super::finish::Last;
use super::registry::Registry;
use super::sources::Source;
use crate::error::ClosedReason;
use crate::jobs::job::Job;
use crate::scheduler::panic_at::PanicAt;
use crate::sync::site::{ABANDONED, STAYING, THREADS};
use crate::sync::{defect, lock};
use crate::system::unwind;
use crate::waiting::numbered::Number;
use crate::waiting::sleep::Snapshot;

impl Registry {
    /// Goes on without a worker that never ran. Without any worker, the pool is closed.
    pub(crate) fn worker_lost(&self, index: usize) {
        let last = self.staying.fetch_sub(1, STAYING.get()) == 1;
        let left = self.threads.fetch_sub(1, THREADS.get()) - 1;
        self.peers[index].running.count_down();
        if left == 0 && !self.lent {
            self.close();
        }
        // The others may all be asleep already, and the pool closed.
        self.sleep.nudge_all();
        self.look_for_end();
        if last && left > 0 {
            // The others have left meanwhile, and took this one for one that stays.
            self.drop_user_code(None);
        }
    }

    /// Whether nobody owns the pool any more.
    pub(super) fn owner_dropped(&self) -> bool {
        self.owner_dropped.load(ABANDONED.get())
    }

    /// Nobody owns the pool any more.
    pub(crate) fn note_owner_dropped(&self) {
        self.owner_dropped.store(true, ABANDONED.get());
    }

    /// In a pool without a thread of its own there is no main loop that notices the end: whoever may have brought it
    /// about looks. Once closed, nobody about to submit, the lent thread in no job and nothing left, it stays so.
    fn look_for_end(&self) {
        if self.threads() > 0 {
            return;
        }
        let is_over = |now: Snapshot| now.closed() && now.entered() == 0 && self.is_drained();
        if self.sleep.snapshot().closed() && self.conclude(is_over) {
            let before = std::mem::replace(&mut lock(&self.sources).drained, true);
            if !before {
                self.drained.count_down();
                // For the threads of spares.
                self.sleep.end();
            }
        }
    }

    /// For a pool without a thread of its own: blocks until all that was accepted has run, or until `deadline`:
    /// `false` then.
    pub(crate) fn wait_drained(&self, deadline: Option<Instant>) -> bool {
        self.threads() > 0 || self.drained.wait_until(deadline, None)
    }

    /// Lets the calling outside thread submit, for as long as the entry lives.
    #[inline]
    pub(crate) fn enter(&self) -> Result<Entry<'_>, ClosedReason> {
        if self.forked() {
            return Err(ClosedReason::ForkedProcess);
        }
        if self.sleep.enter() {
            return Ok(Entry { registry: self });
        }
        // For a moment we looked like somebody about to submit.
        drop(Entry { registry: self });
        Err(ClosedReason::Shutdown)
    }

    /// As [`enter`](Self::enter), even if the pool is closed: for a thread that works off what the pool
    /// holds, and that delays its end in that time.
    pub(crate) fn hold(&self) -> Entry<'_> {
        self.sleep.hold();
        Entry { registry: self }
    }

    /// Ends a [`hold`](Self::hold) whose entry was forgotten.
    pub(super) fn end_hold(&self) {
        drop(Entry { registry: self });
    }

    /// By whoever may have brought the pool to rest: its last change of the word left `state`. If all are at rest and
    /// nothing is left, lets the workers leave.
    pub(crate) fn end_if(&self, state: Snapshot) {
        let threads = self.threads();
        if threads == 0 {
            self.look_for_end();
        } else if state.at_rest(threads) && self.conclude(|now| now.at_rest(threads) && self.is_drained()) {
            self.sleep.end();
        }
    }

    /// Whether the pool is at its end, as `is_over` says, and nothing is left to finish. Calls the finishers otherwise.
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
                Last::Call(finishers) => self.finishers.call(finishers),
            }
        }
    }

    /// By the only worker of a closed pool, when nobody can submit any more and nothing is left: calls the finishers. Whether
    /// there were some.
    pub(super) fn finish_alone(&self) -> bool {
        match self.finishers.last() {
            Last::Nothing | Last::Wait => false,
            Last::Call(finishers) => {
                self.finishers.call(finishers);
                true
            }
        }
    }

    /// Registers a source. `None` if the pool is closed.
    pub(crate) fn add_source(&self, source: Box<dyn Source>) -> Option<Number> {
        let mut sources = lock(&self.sources);
        if sources.closed {
            return None;
        }
        Some(sources.members.push(source))
    }

    /// Forgets a source.
    pub(crate) fn remove_source(&self, number: Number) {
        let removed = lock(&self.sources).members.remove(number);
        // Dropped without the lock: the source may be the last to hold something of the user's.
        drop(removed);
    }

    /// Closes the pool to the outside: first the sources, so that all they took has jobs under way,
    /// then the injector.
    pub(crate) fn close(&self) {
        {
            // Under the lock, so that a second caller cannot close the injector before the first is
            // through: a source needs it to get jobs under way. No foreign code runs in there.
            let mut sources = lock(&self.sources);
            if !std::mem::replace(&mut sources.closed, true) {
                sources.members.iter().for_each(|source| source.close_outside());
            }
        }
        self.end_if(self.sleep.close());
    }

    /// The calling worker, with this number, has left its main loop and called its hook. The last one lets go of what is the
    /// user's.
    pub(crate) fn worker_left(&self, index: usize) {
        if self.staying.fetch_sub(1, STAYING.get()) == 1 && !defect("kept_for_ever") {
            self.drop_user_code(Some(index));
        }
    }

    /// A spare's thread was started, whose hooks are still to be called.
    pub(super) fn spare_stays(&self) {
        self.staying.fetch_add(1, STAYING.get());
    }

    /// As [`worker_left`](Self::worker_left), by a spare that stood in for `worker` last. In a pool without a thread of its
    /// own somebody else sees to the end.
    pub(super) fn spare_left(&self, worker: usize) {
        if self.staying.fetch_sub(1, STAYING.get()) == 1 && self.threads() > 0 {
            self.drop_user_code(Some(worker));
        }
    }

    /// As [`let_go`](Self::drop_user_code), for a pool without a thread of its own, which would see to it. The pool is closed and has
    /// run what it accepted; who is still about to find it closed is waited for.
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

    /// The pool has ended: drops the handlers of its queues and its hooks, on the calling thread, that of `worker` if it
    /// is one. It must hold no lock and have no frame below that goes on as a worker. A handler or a hook that holds a handle
    /// of its own pool would keep it for ever, and itself.
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

/// The right of an outside thread to submit. While one lives the pool does not end.
pub(crate) struct Entry<'r> {
    registry: &'r Registry,
}

impl Entry<'_> {
    /// Puts a job where workers look, and wakes one if need be.
    #[inline]
    pub(crate) fn inject(&self, job: Job) {
        self.registry.injector.push(job);
        self.registry.sleep.published();
    }
}

impl Entry<'_> {
    /// As [`inject`](Self::inject), for a thread that then waits for the job: whether it should sleep at once, on a
    /// core that a worker is waiting for.
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
