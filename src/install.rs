//! `install`: a closure that borrows, run by a worker while the caller waits.

use crate::error::Closed;
use crate::job::{Job, StackJob};
use crate::latch::Latch;
use crate::registry::Shared;
use crate::sync::Arc;
use crate::unwind::{self, AbortOnUnwind, Payload};
use crate::wait::Waiter;

/// Runs `f` on a worker of the pool and returns what it returned, or resumes its panic. A worker of the
/// pool runs it on the spot.
pub(crate) fn try_install<F, R>(registry: &Shared, f: F) -> Result<R, Closed<F>>
where
    F: FnOnce() -> R + Send,
    R: Send,
{
    let result = Waiter::with(|waiter| match waiter {
        Waiter::Worker(worker) if Arc::ptr_eq(&worker.registry, registry) => {
            if registry.forked() {
                return Err(Closed::new(f, crate::ClosedReason::ForkedProcess));
            }
            if worker.inside() {
                return Ok(Ok(worker.within(f)));
            }
            match registry.enter() {
                Ok(_entry) => Ok(Ok(worker.within(f))),
                Err(reason) => Err(Closed::new(f, reason)),
            }
        }
        waiter => inject(registry, &waiter, f),
    })?;
    match result {
        Ok(value) => Ok(value),
        Err(payload) => unwind::resume(payload),
    }
}

fn inject<F, R>(registry: &Shared, waiter: &Waiter<'_>, f: F) -> Result<Result<R, Payload>, Closed<F>>
where
    F: FnOnce() -> R + Send,
    R: Send,
{
    let entry = match registry.enter() {
        Ok(entry) => entry,
        Err(reason) => return Err(Closed::new(f, reason)),
    };
    let job = StackJob::new(Latch::new(waiter.unparker()), f);
    let guard = AbortOnUnwind("the frame of a running job was about to unwind");
    // SAFETY: `job` stays in this frame until `wait` below has seen the latch set, and the guard holds
    // off unwinding until then. It is erased once.
    entry.inject(unsafe { Job::borrowed(&job) });
    drop(entry);
    waiter.wait(job.latch());
    std::mem::forget(guard);
    Ok(job.into_result())
}
