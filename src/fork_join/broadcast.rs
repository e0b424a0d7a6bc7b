//! `broadcast` and `spawn_broadcast`: one closure, run once by every worker.
//!
//! Each worker finds its turn in its inbox. `broadcast` is a scope around the turns, so the closure may borrow;
//! `spawn_broadcast` does not wait, so its closure is shared and owns what it uses.

use crate::error::{Closed, ClosedReason};
use crate::fork_join::scope::{BroadcastContext, in_place_on};
use crate::jobs::job::Job;
use crate::scheduler::registry::{Registry, Shared};
use crate::scheduler::worker::with_current;
use crate::sync::{Arc, Mutex, lock};

/// Runs `f` once on every worker of the pool of `registry`, waits, and returns the results by worker number.
pub(crate) fn broadcast_on<F, R>(registry: &Shared, f: F) -> Vec<R>
where
    F: Fn(BroadcastContext<'_>) -> R + Sync,
    R: Send,
{
    let own = with_current(|worker| {
        worker.filter(|worker| Arc::ptr_eq(&worker.registry, registry)).map(|worker| worker.number.get())
    });
    // Only the worker that a result belongs to locks it, once.
    let results: Vec<Mutex<Option<R>>> = registry.peers.iter().map(|_| Mutex::new(None)).collect();
    let run = |index: usize| {
        let result = f(BroadcastContext::new(index, registry.peers.len()));
        *lock(&results[index]) = Some(result);
    };
    in_place_on(registry, |scope| {
        scope.spawn_on_workers(own, |_, context| run(context.index()));
        // The caller runs its own turn here: while it waits, it may be unable to look into its inbox.
        own.into_iter().for_each(run);
    });
    results
        .into_iter()
        .map(|result| {
            let result = result.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
            result.unwrap_or_else(|| unreachable!("the scope is over, so each has run"))
        })
        .collect()
}

/// Has every worker of the pool of `registry` run `f` once, and does not wait.
pub(crate) fn spawn_broadcast_on<F>(registry: &Shared, f: F) -> Result<(), Closed<F>>
where
    F: Fn(BroadcastContext<'_>) + Send + Sync + 'static,
{
    let inside = with_current(|worker| {
        worker.is_some_and(|worker| worker.inside() && Arc::ptr_eq(&worker.registry, registry))
    });
    let _entry = if inside {
        if registry.forked() {
            return Err(Closed::new(f, ClosedReason::ForkedProcess));
        }
        None
    } else {
        match registry.enter() {
            Ok(entry) => Some(entry),
            Err(reason) => return Err(Closed::new(f, reason)),
        }
    };
    let f = Arc::new(f);
    let workers = registry.peers.len();
    for index in 0..workers {
        let f = Arc::clone(&f);
        Registry::hand_to(registry, index, Job::new(move || f(BroadcastContext::new(index, workers))));
    }
    registry.sleep.published_to_all();
    Ok(())
}
