//! `install`: a closure that borrows, run by a worker while the caller waits.

use crate::error::{Closed, ClosedReason};
use crate::jobs::job::{Job, StackJob};
use crate::scheduler::registry::Shared;
use crate::scheduler::waiter::Waiter;
use crate::scheduler::worker::{Wait, Worker, with_current};
use crate::sync::Arc;
use crate::system::unwind::{self, AbortOnUnwind, Payload};
use crate::waiting::latch::Latch;

/// Runs `f` on a worker of the pool and returns what it returned, or resumes its panic. A worker of the
/// pool runs it on the spot.
pub(crate) fn try_install<F, R>(registry: &Shared, wait: Option<Wait>, f: F) -> Result<R, Closed<F>>
where
    F: FnOnce() -> R + Send,
    R: Send,
{
    try_call(registry, wait, f, |f, worker, _| worker.isolated_if(wait, f))
}

/// As [`try_install`], for what the pool must take: `f` is told its worker, and whether that is another thread.
///
/// # Panics
/// With what `f` panicked with; or if the pool is closed.
pub(crate) fn on_worker<F, R>(registry: &Shared, wait: Option<Wait>, f: F) -> R
where
    F: FnOnce(&Worker, bool) -> R + Send,
    R: Send,
{
    match try_call(registry, wait, f, |f, worker, elsewhere| f(worker, elsewhere)) {
        Ok(value) => value,
        Err(closed) => panic!("{closed}"),
    }
}

/// Has a worker `call` what it is given `f` for, or hands `f` back.
fn try_call<F, R>(
    registry: &Shared,
    wait: Option<Wait>,
    f: F,
    call: impl FnOnce(F, &Worker, bool) -> R + Send,
) -> Result<R, Closed<F>>
where
    F: Send,
    R: Send,
{
    let result = Waiter::with(|waiter| match waiter {
        Waiter::Worker(worker) if Arc::ptr_eq(&worker.registry, registry) => {
            if registry.forked() {
                return Err(Closed::new(f, ClosedReason::ForkedProcess));
            }
            if worker.inside() {
                return Ok(Ok(worker.within(|| call(f, worker, false))));
            }
            match registry.enter() {
                Ok(_entry) => Ok(Ok(worker.within(|| call(f, worker, false)))),
                Err(reason) => Err(Closed::new(f, reason)),
            }
        }
        waiter => inject(registry, &waiter, wait, f, call),
    })?;
    match result {
        Ok(value) => Ok(value),
        Err(payload) => unwind::resume(payload),
    }
}

fn inject<F, R>(
    registry: &Shared,
    waiter: &Waiter<'_>,
    wait: Option<Wait>,
    f: F,
    call: impl FnOnce(F, &Worker, bool) -> R + Send,
) -> Result<Result<R, Payload>, Closed<F>>
where
    F: Send,
    R: Send,
{
    let entry = match registry.enter() {
        Ok(entry) => entry,
        Err(reason) => return Err(Closed::new(f, reason)),
    };
    let on_worker = move || {
        with_current(|worker| {
            let Some(worker) = worker else { unreachable!("a job outside a worker") };
            call(f, worker, true)
        })
    };
    let job = StackJob::new(Latch::new(waiter.unparker()), on_worker);
    let guard = AbortOnUnwind("the frame of a running job was about to unwind");
    // SAFETY: `job` stays in this frame until `wait` below has seen the latch set, and the guard holds
    // off unwinding until then. It is erased once.
    let erased = unsafe { Job::borrowed(&job) };
    let make_way = match waiter {
        Waiter::Thread(_) => entry.inject_and_wait(erased),
        Waiter::Worker(_) => {
            entry.inject(erased);
            false
        }
    };
    drop(entry);
    waiter.wait(registry, job.latch(), wait, make_way);
    std::mem::forget(guard);
    Ok(job.into_result())
}
