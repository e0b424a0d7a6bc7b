//! `execute` and `spawn`: a worker runs one closure, once.

use crate::error::{Closed, ClosedReason};
use crate::jobs::job::Job;
use crate::scheduler::registry::Shared;
use crate::scheduler::worker::{Worker, with_current};
use crate::sync::{Arc, lock};
use crate::tasks::error::JoinError;
use crate::tasks::handle::JoinHandle;
use crate::tasks::packet::{Refused, Task};

/// Hands `f` to the pool. Inside a job of the pool, `f` goes to the calling worker; from elsewhere, it goes through
/// the injector.
#[inline]
pub(crate) fn execute<F>(registry: &Shared, f: F) -> Result<(), Closed<F>>
where
    F: FnOnce() + Send + 'static,
{
    with_current(|worker| match worker {
        Some(worker) if Arc::ptr_eq(&worker.registry, registry) && worker.inside() => {
            if registry.forked() {
                return Err(Closed::new(f, ClosedReason::ForkedProcess));
            }
            worker.push(Job::new(f));
            Ok(())
        }
        _ => match registry.enter() {
            Ok(entry) => {
                match worker.filter(|worker| Arc::ptr_eq(&worker.registry, registry)) {
                    // A lent thread outside any job. It runs its own jobs first when it waits or yields, but that
                    // may be much later, so others must see the job now.
                    Some(host) => host.push_shown(Job::new(f)),
                    None => entry.inject(Job::new(f)),
                }
                Ok(())
            }
            Err(reason) => Err(Closed::new(f, reason)),
        },
    })
}

/// Hands `f` to the pool like [`execute`], but of the jobs that one worker submits this way, the oldest runs first.
///
/// Each job goes to a queue of the worker, and a token goes to the worker's deque. The worker that comes to a token
/// runs the oldest job of that queue.
pub(crate) fn execute_fifo<F>(registry: &Shared, f: F) -> Result<(), Closed<F>>
where
    F: FnOnce() + Send + 'static,
{
    let own = |worker: &&Worker| Arc::ptr_eq(&worker.registry, registry) && worker.inside();
    let fifo = with_current(|worker| worker.filter(own).map(Worker::fifo));
    let Some(fifo) = fifo.filter(|_| !registry.forked()) else {
        // The injector is in order already.
        return execute(registry, f);
    };
    lock(&fifo).push_back(Job::new(f));
    let token = move || {
        let job = lock(&fifo).pop_front();
        job.unwrap_or_else(|| unreachable!("a token without a job")).run();
    };
    match execute(registry, token) {
        Ok(()) => Ok(()),
        Err(_) => unreachable!("a worker's own pool takes what its jobs submit"),
    }
}

/// Hands `f` to the pool and returns its handle. If the pool does not take `f`, also returns the closure. The
/// caller must drop the closure at a place where foreign code may run.
pub(crate) fn spawn<F, T>(registry: &Shared, f: F) -> (JoinHandle<T>, Option<Refused<T>>)
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let (task, handle) = Task::new(registry, f);
    let refused = execute(registry, move || task.run()).err();
    let refused = refused.map(|closed| handle.refuse(JoinError::from(closed.reason())));
    (handle, refused)
}
