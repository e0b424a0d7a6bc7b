//! What may run on top of what: a worker that waits runs jobs on the stack of the one that waits.

use std::cell::Cell;
use std::rc::Rc;

use super::{Help, Isolation, Nested, Wait, Worker, stack_position};
use crate::jobs::job::Job;
use crate::sync::{EXHAUSTIVE, MODEL, defect};
use crate::waiting::latch::TaskOwner;

/// So many waits for room in a queue may run other jobs on one stack.
const ROOM_WAITS: usize = if MODEL { 1 } else { 16 };

impl Worker {
    /// Whether a wait may run jobs that are not its own.
    pub(super) fn may_take(&self, help: Help) -> bool {
        match help {
            _ if self.isolation.get().is_some() => false,
            Help::Any => true,
            // loom's threads have small stacks of unknown place; its models are shallow.
            Help::Near => self.may_begin(),
            Help::Own | Help::Nothing => false,
        }
    }

    /// Whether its stack is short enough to begin a job on top of the one that it is in.
    pub(crate) fn may_begin(&self) -> bool {
        EXHAUSTIVE || self.base.saturating_sub(stack_position()) < self.registry.help_stack
    }

    /// Whether it may only run what was pushed since some wait began.
    pub(crate) fn is_isolated(&self) -> bool {
        self.isolation.get().is_some()
    }

    /// The way to wait that was asked for, or the usual one where that cannot be: inside a call that runs nothing but its
    /// own, no wait steals. It would find little, and keep its place.
    pub(crate) fn allowed_wait(&self, asked: Option<Wait>) -> Option<Wait> {
        asked.filter(|&wait| wait != Wait::Steal || !self.is_isolated())
    }

    /// How this worker waits in a scope of its pool.
    pub(crate) fn help(&self, wait: Wait) -> Help {
        match wait {
            Wait::Steal => Help::Near,
            Wait::Park if self.registry.peers.len() > 1 => Help::Nothing,
            Wait::Park | Wait::OwnScope => Help::Own,
        }
    }

    /// Runs `f`, whose waits are to be as `wait` says.
    pub(crate) fn isolated_if<R>(&self, wait: Option<Wait>, f: impl FnOnce() -> R) -> R {
        match wait {
            None | Some(Wait::Steal) => f(),
            Some(Wait::OwnScope | Wait::Park) => self.isolated(f),
        }
    }

    /// Runs `f` such that no wait inside it runs a job that was there before, or is another's.
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
        // So that all that is pushed onto the deque from here on was pushed in here.
        self.expose_all();
        let _restore = Restore(self, self.isolation.get());
        self.isolate(Some(Isolation { floor: self.height.get() }));
        f()
    }

    fn isolate(&self, isolation: Option<Isolation>) {
        self.isolation.set(isolation);
        self.set_owner(TaskOwner::new(self.index, isolation.is_some()));
    }

    /// What it is called from now on as one that waits. No job is private: where this changes, all were handed out, and
    /// what was pushed since has ended or is handed out.
    pub(super) fn set_owner(&self, owner: TaskOwner) {
        self.as_owner.set(owner);
        self.stack.set_owner(owner);
    }

    /// Runs `f`, a job that was taken from a worker that waits apart, apart as well: a wait in it might otherwise run
    /// a job that waits for that worker. Runs what the job left, too, because its owner may wait for that, and would
    /// not come for it.
    #[cold]
    pub(crate) fn run_isolated(&self, f: impl FnOnce()) {
        self.isolated(|| {
            f();
            while self.run_own() {}
        });
    }

    /// This worker, as one that is about to wait for a job that others may run.
    #[inline(always)]
    pub(crate) fn as_owner(&self) -> TaskOwner {
        self.as_owner.get()
    }

    /// Runs `f` while jobs of `queue` may be on this thread's stack.
    pub(crate) fn with_nested<R>(&self, queue: Rc<dyn Nested>, f: impl FnOnce() -> R) -> R {
        struct Pop<'w>(&'w Worker);
        impl Drop for Pop<'_> {
            fn drop(&mut self) {
                let popped = self.0.nested.borrow_mut().pop();
                // Without the borrow: it may hold the last of something of the user's.
                drop(popped);
            }
        }
        self.nested.borrow_mut().push(queue);
        let _pop = Pop(self);
        f()
    }

    /// What tells this worker from those of all pools, while one of its jobs runs.
    pub(crate) fn key(&self) -> usize {
        (&raw const *self).addr()
    }

    /// The addresses of the queues whose jobs are on this thread's stack, outermost first.
    pub(crate) fn serves(&self) -> Vec<usize> {
        self.nested.borrow().iter().map(|queue| queue.address()).collect()
    }

    /// Whether the job that calls is one of the queue at `address`, or was called by one: not if it only happens to run on
    /// top of one.
    pub(crate) fn is_of_queue(&self, address: usize) -> bool {
        self.nested.borrow()[self.nested_floor.get()..].iter().any(|queue| queue.address() == address)
    }

    /// Runs a job that is not related to those beneath it.
    pub(crate) fn run_on_top(&self, job: Job) {
        let floor = self.nested_floor.replace(self.nested.borrow().len());
        self.run(job);
        self.nested_floor.set(floor);
    }

    /// Makes room in the queue at `address`, one of those that [`serves`](Self::serves) names.
    pub(crate) fn overflow_oldest(&self, address: usize) {
        if let Some(queue) = self.nested.borrow().iter().find(|queue| queue.address() == address) {
            queue.overflow_oldest();
        }
    }

    /// Calls `f` as a wait for room in a queue, and tells it whether it may run other jobs of the pool meanwhile.
    /// Each of those may come to wait for room as well, and so on, all on one stack: only so many do.
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

    /// Whether jobs wait that this worker would find next, about: a raid that is under way may hide one.
    #[inline(always)]
    pub(crate) fn is_wanted(&self) -> bool {
        let (stack, deque) = (self.stack.seems_filled(), !self.deque.is_empty());
        let (injector, inbox) = (!self.registry.injector.is_empty(), !self.me().inbox.is_empty());
        stack | deque | injector | inbox
    }

    /// How many jobs wait that this worker would find next, about; at least 1.
    pub(crate) fn waiting(&self) -> u32 {
        let own = self.me().private.len() + self.deque.len();
        u32::try_from(own + self.registry.injector.len()).unwrap_or(u32::MAX).max(1)
    }
}
