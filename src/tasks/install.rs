//! `install`: a worker runs a closure that borrows, while the caller waits.

use crate::error::{Closed, ClosedReason};
use crate::jobs::job::{Job, StackJob};
use crate::scheduler::registry::Shared;
use crate::scheduler::waiter::Waiter;
use crate::scheduler::worker::{Wait, Worker, with_current};
use crate::sync::Arc;
use crate::system::unwind::{self, AbortOnUnwind, Payload};
use crate::waiting::latch::Latch;

/// Runs `f` on a worker of the pool, and returns what `f` returned, or resumes its panic. If the caller is a worker
/// of the pool, it runs `f` on the spot. If the pool does not take `f`, gives it back.
pub(crate) fn try_install<F, R>(registry: &Shared, wait: Option<Wait>, f: F) -> Result<R, Closed<F>>
where
    F: FnOnce() -> R + Send,
    R: Send,
{
    try_call(registry, wait, f, |f, worker, _| worker.isolated_if(wait, f))
}

/// Runs `f` like [`try_install`], for calls that have no way to give `f` back. `f` gets its worker, and a flag that
/// says whether it was moved to another thread than the caller's.
///
/// # Panics
/// Resumes the panic of `f`. Also panics if the pool is closed or this is a forked child.
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

/// Runs `call` with `f` on a worker of the pool, or gives `f` back.
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
    // SAFETY: `job` stays in this frame until `wait` below has seen its latch set, and the guard aborts an
    // unwinding of the frame before that. `job` is erased only here, so it runs at most once.
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
