//! Which jobs may run on top of which: a worker that waits inside a job runs other jobs on the same stack.
//!
//! | limit | applies to | kept in |
//! |---|---|---|
//! | isolated: only jobs pushed since the call began | every wait inside the call | `isolation` |
//! | at most [`help_stack`] of the stack in use | `Help::Near`, and looks for related jobs elsewhere | – |
//! | at most [`ROOM_WAITS`] waits that run other jobs | waits for room in a queue | `room_waits` |
//!
//! The invariant of an isolated call: no job was private when it began. So a job was pushed inside the call exactly
//! if it is private, or lies in the deque above [`Isolation::floor`].
//!
//! [`help_stack`]: crate::scheduler::registry::Registry::help_stack

use std::cell::Cell;
use std::rc::Rc;

use super::{Help, Isolation, Nested, Wait, Worker, stack_position};
use crate::jobs::job::Job;
use crate::sync::{EXHAUSTIVE, MODEL, defect};
use crate::waiting::latch::TaskOwner;

/// How many waits for room in a queue may run other jobs on one stack.
const ROOM_WAITS: usize = if MODEL { 1 } else { 16 };

impl Worker {
    /// Whether a wait may run jobs that are not this worker's own.
    pub(super) fn may_take(&self, help: Help) -> bool {
        match help {
            _ if self.isolation.get().is_some() => false,
            Help::Any => true,
            // Under loom `may_begin` always agrees: its threads have small stacks at unknown places, and its models
            // are shallow.
            Help::Near => self.may_begin(),
            Help::Own => false,
        }
    }

    /// Whether enough of the worker's stack is free to begin a job on top of the current one.
    pub(crate) fn may_begin(&self) -> bool {
        EXHAUSTIVE || self.base.saturating_sub(stack_position()) < self.registry.help_stack
    }

    /// Whether the worker is in an isolated call, and so may only run jobs that were pushed since that call began.
    pub(crate) fn is_isolated(&self) -> bool {
        self.isolation.get().is_some()
    }

    /// Returns the way to wait that was `asked` for, or `None`, the usual way, for `Wait::Steal` inside an isolated
    /// call: there a wait that steals would find few jobs, and would keep the worker's place.
    pub(crate) fn allowed_wait(&self, asked: Option<Wait>) -> Option<Wait> {
        asked.filter(|&wait| wait != Wait::Steal || !self.is_isolated())
    }

    /// Runs `f`: isolated, if `wait` asks for that.
    pub(crate) fn isolated_if<R>(&self, wait: Option<Wait>, f: impl FnOnce() -> R) -> R {
        match wait {
            None | Some(Wait::Steal) => f(),
            Some(Wait::OwnScope | Wait::Park) => self.isolated(f),
        }
    }

    /// Runs `f` isolated: no wait inside `f` runs a job that was there before, or a job of another worker.
    fn isolated<R>(&self, f: impl FnOnce() -> R) -> R {
        struct Restore<'w>(&'w Worker, Option<Isolation>);
        impl Drop for Restore<'_> {
            fn drop(&mut self) {
                self.0.isolate(self.1);
            }
        }
        if defect("isolation_ignored") {
            return f();
        }
        // No job may stay private: one that was pushed before would otherwise reach the deque above the floor.
        self.expose_all();
        let _restore = Restore(self, self.isolation.get());
        self.isolate(Some(Isolation { floor: self.height.get() }));
        f()
    }

    /// Sets or lifts the isolation. The latches of forks that leave from now on say so.
    fn isolate(&self, isolation: Option<Isolation>) {
        self.isolation.set(isolation);
        self.me().set_isolated(isolation.is_some());
        self.set_owner(TaskOwner::new(self.index, isolation.is_some()));
    }

    /// Sets the owner that the latches of forks get from now on. No fork may be private at this moment: where the
    /// owner changes, all private forks were exposed before, and the forks made since have ended or were exposed.
    pub(super) fn set_owner(&self, owner: TaskOwner) {
        self.as_owner.set(owner);
        self.stack.set_owner(owner);
    }

    /// Runs `f` isolated: a job that was taken from a worker in an isolated call. A wait inside `f` might otherwise
    /// run a job that waits for that worker. Then runs the jobs that `f` left: the owner may wait for them, and would
    /// not come here to take them.
    #[cold]
    pub(crate) fn run_isolated(&self, f: impl FnOnce()) {
        self.isolated(|| {
            f();
            while self.run_own() {}
        });
    }

    /// Runs `f`, which is a job of `owner`: [isolated](Self::run_isolated), if another worker pushed it in an isolated
    /// call.
    #[inline]
    pub(crate) fn run_of(&self, owner: TaskOwner, f: impl FnOnce()) {
        if owner.is_isolated() && owner.worker() != self.index { self.run_isolated(f) } else { f() }
    }

    /// This worker as the owner of a latch: it is about to wait for a job that other workers may run.
    #[inline(always)]
    pub(crate) fn as_owner(&self) -> TaskOwner {
        self.as_owner.get()
    }

    /// Runs `f`, and notes for that time that jobs of `queue` may be on this thread's stack.
    pub(crate) fn with_nested<R>(&self, queue: Rc<dyn Nested>, f: impl FnOnce() -> R) -> R {
        struct Pop<'w>(&'w Worker);
        impl Drop for Pop<'_> {
            fn drop(&mut self) {
                let popped = self.0.nested.borrow_mut().pop();
                // Dropped after the borrow has ended: the queue may hold the last reference to a value of the user's,
                // whose drop is foreign code.
                drop(popped);
            }
        }
        self.nested.borrow_mut().push(queue);
        let _pop = Pop(self);
        f()
    }

    /// A key that tells this worker from the workers of all pools, for as long as one of its jobs runs.
    pub(crate) fn key(&self) -> usize {
        (&raw const *self).addr()
    }

    /// The addresses of the queues whose jobs are on this thread's stack, outermost first.
    pub(crate) fn serves(&self) -> Vec<usize> {
        self.nested.borrow().iter().map(|queue| queue.address()).collect()
    }

    /// Whether the calling job belongs to the queue at `address`, or runs inside a job of that queue. A job that only
    /// runs on top of one, unrelated to it, does not count.
    pub(crate) fn is_of_queue(&self, address: usize) -> bool {
        self.nested.borrow()[self.nested_floor.get()..].iter().any(|queue| queue.address() == address)
    }

    /// Runs a job that is not related to the jobs beneath it on the stack.
    pub(crate) fn run_on_top(&self, job: Job) {
        let floor = self.nested_floor.replace(self.nested.borrow().len());
        self.run(job);
        self.nested_floor.set(floor);
    }

    /// Makes room in the queue at `address` by overflow. The address is one that [`serves`](Self::serves) names.
    pub(crate) fn overflow_oldest(&self, address: usize) {
        if let Some(queue) = self.nested.borrow().iter().find(|queue| queue.address() == address) {
            queue.overflow_oldest();
        }
    }

    /// Calls `f`, which waits for room in a queue, and tells it whether it may run other jobs of the pool meanwhile.
    /// Each of these jobs may wait for room as well, and so on, all on one stack: so at most [`ROOM_WAITS`] waits
    /// may.
    pub(crate) fn wait_for_room<R>(&self, f: impl FnOnce(bool) -> R) -> R {
        struct Leave<'w>(&'w Cell<usize>);
        impl Drop for Leave<'_> {
            fn drop(&mut self) {
                self.0.set(self.0.get() - 1);
            }
        }
        let before = self.room_waits.get();
        self.room_waits.set(before + 1);
        let _leave = Leave(&self.room_waits);
        f(before < ROOM_WAITS)
    }

    /// Whether some job waits that this worker would find next. Approximate: a raid that is under way may hide a job.
    #[inline(always)]
    pub(crate) fn is_wanted(&self) -> bool {
        let (stack, deque) = (self.stack.seems_filled(), !self.deque.is_empty());
        let (injector, inbox) = (!self.registry.injector.is_empty(), !self.me().inbox.is_empty());
        stack | deque | injector | inbox
    }

    /// About how many jobs wait that this worker would find next; at least 1.
    pub(crate) fn waiting(&self) -> u32 {
        let own = self.me().private.len() + self.deque.len();
        u32::try_from(own + self.registry.injector.len()).unwrap_or(u32::MAX).max(1)
    }
}
