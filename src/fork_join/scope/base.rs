//! What both forms of scope share: the count of jobs that have not ended, and the first panic.
//!
//! The owner is the thread that opens the scope; the base lies on its stack.
//!
//! # The count
//!
//! The count is the sum of two words:
//!
//! | word | counts the jobs that are spawned or ended by | written |
//! |---|---|---|
//! | `local` | the owner, if it is a worker of the pool, until the merge | without an atomic operation |
//! | `shared` | all other threads, and after the merge the owner, too | by an atomic operation |
//!
//! A job that one thread spawned and another ended leaves one word too high and the other too low. Only the sum means
//! anything.
//!
//! A worker that runs jobs of the scope in a row keeps their ends back and tells them together:
//! [`Worker::keep_end`]. The count is then too high by jobs that have ended, while one that has not is counted as well.
//!
//! # The merge
//!
//! Before the merge, `shared` is [`OPEN`] above its value, so no job can take it to zero. When the owner has nothing
//! left to do but wait, it merges: it adds `local - OPEN` to `shared`, once. If the result is zero, all jobs have
//! ended. If not, the thread that takes `shared` to zero sets the latch.
//!
//! An owner that is no worker of the pool has no part in `local`. It counts itself in `shared` as one, and takes that
//! one away when it begins to wait.
//!
//! Invariant: the thread that takes the count to zero touches nothing of the scope after it has set the latch,
//! because the owner then frees the scope.

use std::cell::Cell;
use std::ptr;

use crossbeam_utils::CachePadded;

use crate::jobs::job::Job;
use crate::scheduler::registry::{Registry, Shared};
use crate::scheduler::waiter::Waiter;
use crate::scheduler::worker::{Help, Wait, Worker, with_current};
use crate::sync::site::{SCOPE_ADD, SCOPE_DONE, SCOPE_OWN};
use crate::sync::{Arc, AtomicUsize, Mutex, defect, lock};
use crate::system::unwind::{self, Payload};
use crate::waiting::latch::{Latch, TaskLatch};

/// A number greater than that of all jobs there can be.
const OPEN: usize = 1 << (usize::BITS - 2);

/// The latch that the owner waits on: as a worker of the pool, or as any other thread.
enum End {
    Worker(TaskLatch),
    Other(Latch),
}

pub(crate) struct Base {
    registry: Shared,
    /// The owner, if it is a worker of the pool; null otherwise. It is only compared.
    owner: *const Worker,
    /// Whether the owner is [isolated](Wait). If so, a worker that takes a job of the scope runs it isolated as well:
    /// the job must not wait for other jobs, either.
    apart: bool,
    /// The owner's part of the count. It wraps around below zero.
    local: Cell<usize>,
    /// Whether `local` was added to `shared`, or was never in use.
    merged: Cell<bool>,
    /// The other part of the count, on a cache line apart from the words that the owner writes with each job.
    shared: CachePadded<AtomicUsize>,
    end: End,
    panic: Mutex<Option<Payload>>,
}

// SAFETY: only the owner's thread accesses `local` and `merged`: each access first checks that the calling worker is
// the owner. `owner` is only compared. All other fields are Sync.
unsafe impl Sync for Base {}

impl Base {
    /// Runs `body` with a new base, and waits until all jobs of the scope have ended. Then returns what `body`
    /// returned, or resumes the first panic. `waiter` is the calling thread.
    pub(crate) fn enter<R>(
        registry: &Shared,
        waiter: &Waiter<'_>,
        wait: Option<Wait>,
        body: impl FnOnce(&Base) -> R,
    ) -> R {
        let worker = match waiter {
            Waiter::Worker(worker) if Arc::ptr_eq(&worker.registry, registry) => Some(*worker),
            _ => None,
        };
        let base = Base {
            registry: Arc::clone(registry),
            owner: worker.map_or(ptr::null(), ptr::from_ref),
            apart: worker.is_some_and(Worker::is_isolated),
            local: Cell::new(0),
            merged: Cell::new(worker.is_none()),
            shared: CachePadded::new(AtomicUsize::new(if worker.is_some() { OPEN } else { 1 })),
            end: match worker {
                Some(worker) => End::Worker(TaskLatch::new(worker.as_owner())),
                None => End::Other(Latch::new(waiter.unparker())),
            },
            panic: Mutex::new(None),
        };
        let value = unwind::catch(|| body(&base));
        let guard = unwind::AbortOnUnwind("the frame of a scope with running jobs was about to unwind");
        // Kept before the wait: a job that runs from here on panics later than `body`.
        let value = value.map_err(|payload| unwind::discard(base.keep_panic(payload))).ok();
        match (&base.end, worker) {
            (End::Worker(latch), Some(worker)) => base.wait_on_worker(worker, latch, wait),
            (End::Other(latch), _) if base.shared.fetch_sub(1, SCOPE_OWN.get()) > 1 => {
                waiter.wait(registry, latch, wait, false)
            }
            _ => {}
        }
        std::mem::forget(guard);
        let panic = lock(&base.panic).take();
        match (value, panic) {
            (Some(value), None) => value,
            (_, Some(payload)) => unwind::resume(payload),
            (None, None) => unreachable!("a panic was kept"),
        }
    }

    /// The owner's wait on a worker of the pool: it runs its own jobs as far as `wait` allows, merges, and waits.
    fn wait_on_worker(&self, worker: &Worker, latch: &TaskLatch, wait: Option<Wait>) {
        let address = (&raw const *self).addr();
        let lends = worker.may_lend_place();
        // The only worker of a pool must not park: its jobs would be left to a spare, which may be blocked on what
        // the caller holds. Without spares, none must: all of them may park.
        let must_run = !lends || self.registry.peers.len() == 1;
        let wait =
            if wait == Some(Wait::Park) && must_run { Some(Wait::OwnScope) } else { worker.allowed_wait(wait) };
        // While this is above zero, the newest of the worker's own jobs is younger than the scope.
        let has_local = || self.local.get() as isize > 0;
        match wait {
            None if lends => worker.run_own_of_scope(address, has_local),
            Some(Wait::OwnScope) if defect("isolation_ignored") => while worker.run_own() {},
            Some(Wait::OwnScope) => worker.run_own_of_scope(address, has_local),
            Some(Wait::Park) => {}
            _ => while has_local() && worker.run_own() {},
        }
        self.merged.set(true);
        let open = self.local.get().wrapping_sub(OPEN);
        if self.shared.fetch_add(open, SCOPE_OWN.get()).wrapping_add(open) == 0 {
            return;
        }
        match wait {
            None if lends => worker.wait_for_scope(latch, address, Some(Help::Near)),
            None | Some(Wait::OwnScope) if worker.is_apart(wait) => worker.wait_for_scope(latch, address, None),
            Some(Wait::Park) => worker.wait_apart(latch, || None),
            _ => worker.wait_until(latch, Help::Near),
        }
    }

    /// Whether `worker` is the owner and counts in `local`.
    fn is_local(&self, worker: Option<&Worker>) -> bool {
        worker.is_some_and(|worker| ptr::eq(worker, self.owner)) && !self.merged.get()
    }

    pub(crate) fn registry(&self) -> &Shared {
        &self.registry
    }

    /// Counts `jobs` more. The caller is the scope's body or one of its jobs, so the count is above zero.
    #[inline]
    pub(crate) fn add(&self, worker: Option<&Worker>, jobs: usize) {
        if self.is_local(worker) {
            self.local.set(self.local.get().wrapping_add(jobs));
        } else {
            self.shared.fetch_add(jobs, SCOPE_ADD.get());
        }
    }

    /// Counts a job and hands it to the pool. A worker that is inside a job of the pool keeps it; any other thread
    /// injects it.
    #[inline]
    pub(crate) fn spawn(&self, job: Job) {
        with_current(|worker| {
            self.add(worker, 1);
            match worker {
                Some(worker) if Arc::ptr_eq(&worker.registry, &self.registry) && worker.inside() => {
                    worker.push_lazily(job);
                }
                // A hold, because the pool may be closed. It does not end while one of its scopes lasts.
                _ => self.registry.hold().inject(job),
            }
        });
    }

    /// Counts and hands out one job for each worker but `except`. Only that worker may run the job, unless it was
    /// lent to the pool and has gone: see [`Registry::hand_to`].
    pub(in crate::fork_join) fn spawn_on_workers(&self, except: Option<usize>, job: impl Fn(usize) -> Job) {
        let others = || (0..self.registry.peers.len()).filter(|&index| Some(index) != except);
        // Not counted in `local`: while `local` is above zero, the owner takes the jobs on its stack for jobs of the
        // scope.
        self.shared.fetch_add(others().count(), SCOPE_ADD.get());
        for index in others() {
            Registry::hand_to(&self.registry, index, job(index));
        }
        self.registry.sleep.published_to_all();
    }

    /// Runs a job of the scope on a worker, and counts it as ended.
    ///
    /// # Safety
    /// `this` is alive until its count is zero. The job was counted, and no other call counts it as ended. The caller
    /// does not use `this` afterwards: it may be gone when the call returns.
    #[inline]
    pub(crate) unsafe fn run(this: *const Base, job: impl FnOnce()) {
        // SAFETY: `this` is alive, because the job is counted and has not ended.
        let base = unsafe { &*this };
        if !base.apart {
            // SAFETY: by the caller's promise, which is the same.
            return unsafe { Base::run_here(this, job) };
        }
        let owner = base.owner;
        with_current(|worker| {
            // SAFETY: by the caller's promise, which is the same.
            let run = || unsafe { Base::run_here(this, job) };
            match worker {
                Some(worker) if !ptr::eq(worker, owner) => worker.run_isolated(run),
                _ => run(),
            }
        });
    }

    /// Runs the job in the calling worker's present state of isolation, and counts it as ended.
    ///
    /// # Safety
    /// As [`run`](Self::run).
    #[inline]
    unsafe fn run_here(this: *const Base, job: impl FnOnce()) {
        // SAFETY: `this` is alive until the job counts as ended, which happens below, last.
        let base = unsafe { &*this };
        let mut late = None;
        if let Err(payload) = unwind::catch(job)
            && let Some(surplus) = base.keep_panic(payload)
        {
            if defect("payload_dropped_late") { late = Some(surplus) } else { unwind::discard(surplus) }
        }
        with_current(|worker| {
            if base.is_local(worker) {
                base.local.set(base.local.get().wrapping_sub(1));
                return;
            }
            // SAFETY: `this` is alive until its count is zero, and this job's end is told here or later, once.
            let kept = worker.is_some_and(|worker| unsafe { worker.keep_end(this.cast(), Base::tell) });
            if !kept && base.shared.fetch_sub(1, SCOPE_DONE.get()) == 1 {
                // SAFETY: the base is freed only after its latch was set, and `end` is the one call that sets it.
                unsafe { Base::end(this, worker) };
            }
        });
        drop(late);
    }

    /// Counts jobs as ended whose ends the calling worker has kept back.
    ///
    /// # Safety
    /// `this` is a base whose count is not zero, because of these jobs. The caller does not use it afterwards.
    unsafe fn tell(this: *const (), ends: usize) {
        let this = this.cast::<Base>();
        // SAFETY: alive by the caller's promise. The reference is not used once the count is zero.
        let base = unsafe { &*this };
        if base.shared.fetch_sub(ends, SCOPE_DONE.get()) == ends {
            // SAFETY: the base is freed only after its latch was set, and `end` is the one call that sets it.
            with_current(|worker| unsafe { Base::end(this, worker) });
        }
    }

    /// Sets the latch on which the owner waits.
    ///
    /// # Safety
    /// `this` is alive until its latch is set. The caller does not use it afterwards.
    #[cold]
    unsafe fn end(this: *const Base, worker: Option<&Worker>) {
        // SAFETY: alive by the caller's promise. The reference is not used once the latch is set.
        let end = unsafe { &(*this).end };
        match end {
            End::Worker(latch) => {
                let Some(worker) = worker else { unreachable!("a job of a scope outside a worker") };
                let wake = |owner| worker.registry.sleep.nudge(owner);
                // SAFETY: the latch is alive until it is set, by the caller's promise.
                unsafe { TaskLatch::set(latch, wake) };
            }
            End::Other(latch) => {
                // SAFETY: the latch is alive until it is set, by the caller's promise.
                unsafe { Latch::set(latch) };
            }
        }
    }

    /// Keeps the first payload, and returns any later one. The caller drops a returned payload before the job that it
    /// comes from counts as ended.
    #[cold]
    fn keep_panic(&self, payload: Payload) -> Option<Payload> {
        let mut first = lock(&self.panic);
        if first.is_some() {
            return Some(payload);
        }
        *first = Some(payload);
        None
    }
}
