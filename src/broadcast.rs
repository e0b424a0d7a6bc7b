//! `broadcast`: a closure once on every worker.

use crate::global;
use crate::registry::Shared;
use crate::scope::in_place_on;
use crate::sync::{Arc, Mutex, lock};
use crate::worker::with_current;

/// Runs `f` once on every worker of the pool that the calling thread works for, or else of the
/// [global](crate::Pool::global) one; see [`Pool::broadcast`](crate::Pool::broadcast).
///
/// # Panics
/// As the method.
///
/// # Examples
/// ```
/// let pool = filch::Pool::builder().workers(3).build()?;
/// let squares = pool.install(|| filch::broadcast(|index| index * index));
/// assert_eq!(squares, [0, 1, 4]);
/// # Ok::<(), filch::BuildError>(())
/// ```
pub fn broadcast<F, R>(f: F) -> Vec<R>
where
    F: Fn(usize) -> R + Sync,
    R: Send,
{
    broadcast_on(&global::current(), f)
}

pub(crate) fn broadcast_on<F, R>(registry: &Shared, f: F) -> Vec<R>
where
    F: Fn(usize) -> R + Sync,
    R: Send,
{
    let own = with_current(|worker| {
        worker.filter(|worker| Arc::ptr_eq(&worker.registry, registry)).map(|worker| worker.index)
    });
    // Locked once each by the worker that it belongs to, and at the end.
    let results: Vec<Mutex<Option<R>>> = registry.peers.iter().map(|_| Mutex::new(None)).collect();
    let run = |index: usize| {
        let result = f(index);
        *lock(&results[index]) = Some(result);
    };
    in_place_on(registry, |scope| {
        scope.spawn_on_workers(own, |_, index| run(index));
        // The caller may be in no position to look into its inbox.
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
