//! What both forms of scope share: how many of its jobs have not ended, and the first panic.
//!
//! # The count
//!
//! It is the sum of two words. `local` is the owner's alone: what that worker spawns or ends itself is counted there,
//! without an atomic operation. `shared` is for all others. Until the owner has nothing left to do but wait, `shared`
//! stands [`OPEN`] above its value, so that nobody can take it to zero; then the owner adds `local - OPEN` to it, once,
//! and counts in `shared` from there on. If that makes zero, all has ended. If not, whoever takes it to zero sets
//! the latch, and touches nothing of the scope afterwards: its owner frees it.
//!
//! A job that was spawned by one and ended by another leaves one word too high and the other too low; only the sum
//! means anything.

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

/// More than there can be jobs.
const OPEN: usize = 1 << (usize::BITS - 2);

/// How the owner is woken: as a worker of the pool, or as whatever else it is.
enum End {
    Worker(TaskLatch),
    Other(Latch),
}

pub(crate) struct Base {
    registry: Shared,
    /// The worker on whose stack this lies; null if that is another thread.
    owner: *const Worker,
    /// Whether the owner waits [apart](Wait): what others take of the scope must not wait for other jobs, either.
    apart: bool,
    /// The owner's part of the count, modulo 2^64.
    local: Cell<usize>,
    /// Whether `local` was added to `shared`.
    merged: Cell<bool>,
    /// Apart from what the owner writes with each job.
    shared: CachePadded<AtomicUsize>,
    end: End,
    panic: Mutex<Option<Payload>>,
}

// SAFETY: `local` and `merged` are accessed by the owner's thread only, which each access checks; the rest is Sync.
unsafe impl Sync for Base {}

impl Base {
    /// Runs `body` with a new base, waits until all that it spawned has ended, and returns what `body` returned, or
    /// resumes the first panic.
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
        // Kept at once: the jobs that run from here on panic later.
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

    fn wait_on_worker(&self, worker: &Worker, latch: &TaskLatch, wait: Option<Wait>) {
        let address = (&raw const *self).addr();
        let lends = worker.may_lend_place();
        // Alone, a worker that parks would leave its own jobs to a spare, which may be blocked on what the caller holds.
        let alone = self.registry.peers.len() == 1;
        let wait =
            if wait == Some(Wait::Park) && alone { Some(Wait::OwnScope) } else { worker.allowed_wait(wait) };
        let help = worker.help(wait.unwrap_or(Wait::Steal));
        // As long as this is above zero, what is on top of the own stack is younger than the scope.
        let has_local = || self.local.get() as isize > 0;
        match wait {
            None if lends => worker.run_own_of_scope(address, has_local),
            Some(Wait::Park) if lends => {}
            _ => while help != Help::Nothing && has_local() && worker.run_own() {},
        }
        self.merged.set(true);
        let open = self.local.get().wrapping_sub(OPEN);
        if self.shared.fetch_add(open, SCOPE_OWN.get()).wrapping_add(open) == 0 {
            return;
        }
        match wait {
            None if lends => worker.wait_for_scope(latch, address, help),
            Some(Wait::OwnScope) if lends => worker.wait_related(latch, help, || worker.own()),
            Some(Wait::Park) if lends => worker.wait_related(latch, help, || None),
            _ => worker.wait_until(latch, help),
        }
    }

    fn is_local(&self, worker: Option<&Worker>) -> bool {
        worker.is_some_and(|worker| ptr::eq(worker, self.owner)) && !self.merged.get()
    }

    pub(crate) fn registry(&self) -> &Shared {
        &self.registry
    }

    /// Counts `jobs` more, on behalf of a job of the scope or its body, which keep the count above zero.
    #[inline]
    pub(crate) fn add(&self, worker: Option<&Worker>, jobs: usize) {
        if self.is_local(worker) {
            self.local.set(self.local.get().wrapping_add(jobs));
        } else {
            self.shared.fetch_add(jobs, SCOPE_ADD.get());
        }
    }

    /// Counts a job and hands it to the pool: to the calling worker if it belongs to that, or else from outside.
    #[inline]
    pub(crate) fn spawn(&self, job: Job) {
        with_current(|worker| {
            self.add(worker, 1);
            match worker {
                Some(worker) if Arc::ptr_eq(&worker.registry, &self.registry) && worker.inside() => {
                    worker.push_lazily(job);
                }
                // The pool does not end while it has a scope that is not over.
                _ => self.registry.hold().inject(job),
            }
        });
    }

    /// Counts and hands out a job for each worker but `except`, which only that worker may run.
    pub(in crate::fork_join) fn spawn_on_workers(&self, except: Option<usize>, job: impl Fn(usize) -> Job) {
        let others = || (0..self.registry.peers.len()).filter(|&index| Some(index) != except);
        // Not in `local`: while that is above zero the owner takes what is on its stack for jobs of the scope.
        self.shared.fetch_add(others().count(), SCOPE_ADD.get());
        for index in others() {
            Registry::hand_to(&self.registry, index, job(index));
        }
        self.registry.sleep.published_to_all();
    }

    /// Runs a job of the scope that was counted, on a worker, and counts it as ended.
    ///
    /// # Safety
    /// `this` is alive until its count is zero, and the job is one that was counted. It may be gone when this returns.
    #[inline]
    pub(crate) unsafe fn run(this: *const Base, job: impl FnOnce()) {
        // SAFETY: alive: the job itself counts.
        let base = unsafe { &*this };
        if !base.apart {
            // SAFETY: by the caller's promise.
            return unsafe { Base::run_here(this, job) };
        }
        let owner = base.owner;
        with_current(|worker| {
            // SAFETY: by the caller's promise.
            let run = || unsafe { Base::run_here(this, job) };
            match worker {
                Some(worker) if !ptr::eq(worker, owner) => worker.run_isolated(run),
                _ => run(),
            }
        });
    }

    /// # Safety
    /// As [`run`](Self::run).
    #[inline]
    unsafe fn run_here(this: *const Base, job: impl FnOnce()) {
        // SAFETY: alive: the job itself counts.
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
            } else if base.shared.fetch_sub(1, SCOPE_DONE.get()) == 1 {
                // SAFETY: it is freed only after its latch was set, which happens here.
                unsafe { Base::end(this, worker) };
            }
        });
        drop(late);
    }

    /// # Safety
    /// `this` is alive until its latch is set.
    #[cold]
    unsafe fn end(this: *const Base, worker: Option<&Worker>) {
        // SAFETY: by the caller's promise; the reference is not used once the latch is set.
        let end = unsafe { &(*this).end };
        match end {
            End::Worker(latch) => {
                let Some(worker) = worker else { unreachable!("a job of a scope outside a worker") };
                let wake = |owner| worker.registry.sleep.nudge(owner);
                // SAFETY: alive until set.
                unsafe { TaskLatch::set(latch, wake) };
            }
            End::Other(latch) => {
                // SAFETY: alive until set.
                unsafe { Latch::set(latch) };
            }
        }
    }

    /// Keeps the first payload. The others come back, and must go before the job that they come from counts as ended.
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
