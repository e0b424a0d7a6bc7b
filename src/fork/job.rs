//! The second side of a fork, on the stack of the worker that forked.
//!
//! Who touches what: the owner until the job has left its private stack and deque; then whoever runs it, until
//! the latch is set; then the owner again. The latch's set (Release) and probe (Acquire) order the two.

use std::mem::{ManuallyDrop, MaybeUninit};

use crate::job::{Job, JobId, Words, address_of};
use crate::latch::TaskLatch;
use crate::sync::UnsafeCell;
use crate::unwind::{self, Payload};
use crate::worker::{Worker, with_current};

/// A closure that is told whether it runs elsewhere than it was forked, and the place for its result.
pub(super) struct ForkJob<F, R> {
    pub(super) latch: TaskLatch,
    /// Present until it is taken, once.
    body: UnsafeCell<ManuallyDrop<F>>,
    /// Written before the latch is set.
    result: UnsafeCell<MaybeUninit<Result<R, Payload>>>,
}

impl<F: FnOnce(bool) -> R + Send, R: Send> ForkJob<F, R> {
    #[inline(always)]
    pub(super) fn new(worker: &Worker, body: F) -> Self {
        ForkJob {
            latch: TaskLatch::new(worker.as_owner()),
            body: UnsafeCell::new(ManuallyDrop::new(body)),
            result: UnsafeCell::new(MaybeUninit::uninit()),
        }
    }

    #[inline(always)]
    fn address(&self) -> *const () {
        std::ptr::from_ref(self).cast()
    }

    /// What tells its job from others.
    #[inline(always)]
    pub(super) fn id(&self) -> JobId {
        JobId { address: self.address(), run: Self::run }
    }

    /// The job that runs this elsewhere.
    ///
    /// # Safety
    /// `self` must stay where it is until its latch is set, or until the owner has the job back.
    #[inline(always)]
    pub(super) unsafe fn erase(&self) -> Job {
        // SAFETY: by the caller's promise; jobs run once.
        unsafe { Job::at(self.id()) }
    }

    /// Runs the body on a worker of the pool, stores what came of it, and sets the latch, after which the job may
    /// be gone.
    ///
    /// # Safety
    /// The words are those of a job that [`erase`](Self::erase) made; this is the one call.
    pub(super) unsafe fn run(words: *mut Words) {
        with_current(|worker| {
            let Some(worker) = worker else { unreachable!("a fork outside a worker") };
            // SAFETY: `erase` made the job.
            let this: *const Self = unsafe { address_of(words) };
            // SAFETY: alive until its latch is set.
            let job = unsafe { &*this };
            // Its owner may come to it in a wait of the first side.
            let owner = job.latch.begun_by(worker.index);
            let migrated = owner.worker() != worker.index;
            // A fork is no job that anybody submitted.
            worker.me().counters.activations.add(1);
            let finish = || {
                // SAFETY: this is the one call, and the owner does not take the body of a job that left.
                let body = unsafe { job.take_body() };
                let result = unwind::catch(|| body(migrated));
                job.result.with_mut(|place| {
                    // SAFETY: the owner reads it only after the latch is set.
                    let place = unsafe { &mut *place };
                    place.write(result);
                });
                let latch = &raw const job.latch;
                // SAFETY: alive until it is set, and nothing here is touched afterwards.
                unsafe { TaskLatch::set(latch, |owner| worker.registry.sleep.nudge(owner)) };
            };
            if migrated && owner.is_apart() { worker.run_apart(finish) } else { finish() }
        });
    }

    /// # Safety
    /// To be called once, by the owner of a job that did not leave or by who runs one that did.
    #[inline(always)]
    pub(super) unsafe fn take_body(&self) -> F {
        self.body.with_mut(|body| {
            // SAFETY: by the caller's promise nobody else is here.
            let body = unsafe { &mut *body };
            // SAFETY: likewise, and this is the first time.
            unsafe { ManuallyDrop::take(body) }
        })
    }

    /// What the body returned elsewhere, or the payload of its panic.
    ///
    /// # Safety
    /// The latch is set, and this is called once.
    pub(super) unsafe fn take_result(&self) -> Result<R, Payload> {
        self.result.with_mut(|place| {
            // SAFETY: the latch is set, so whoever ran it has let go.
            let place = unsafe { &*place };
            // SAFETY: it was written before the latch was set, and is read once.
            unsafe { place.assume_init_read() }
        })
    }
}
