//! `broadcast`: a closure once on every worker.

use std::fmt;
use std::marker::PhantomData;

use crate::error::{Closed, ClosedReason};
use crate::global;
use crate::job::Job;
use crate::registry::{Registry, Shared};
use crate::scope::in_place_on;
use crate::sync::{Arc, Mutex, lock};
use crate::worker::with_current;

/// What a closure is told that a scope or a pool [has every worker run](crate::Scope::spawn_broadcast).
pub struct BroadcastContext<'a> {
    index: usize,
    workers: usize,
    /// Of the call and of its thread: neither kept, sent nor shared.
    _call: PhantomData<&'a mut dyn Fn()>,
}

impl BroadcastContext<'_> {
    pub(crate) fn new(index: usize, workers: usize) -> Self {
        BroadcastContext { index, workers, _call: PhantomData }
    }

    /// The number of the worker that runs this call.
    #[must_use]
    #[inline]
    pub fn index(&self) -> usize {
        self.index
    }

    /// How many workers the pool has, and calls there are; named as in rayon.
    #[must_use]
    #[inline]
    pub fn num_threads(&self) -> usize {
        self.workers
    }
}

impl fmt::Debug for BroadcastContext<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BroadcastContext")
            .field("index", &self.index)
            .field("num_threads", &self.workers)
            .finish_non_exhaustive()
    }
}

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
    broadcast_on(&global::current(), |context| f(context.index()))
}

/// As [`broadcast`], and tells each call more about it.
///
/// # Panics
/// As the method.
pub fn broadcast_context<F, R>(f: F) -> Vec<R>
where
    F: Fn(BroadcastContext<'_>) -> R + Sync,
    R: Send,
{
    broadcast_on(&global::current(), f)
}

pub(crate) fn broadcast_on<F, R>(registry: &Shared, f: F) -> Vec<R>
where
    F: Fn(BroadcastContext<'_>) -> R + Sync,
    R: Send,
{
    let own = with_current(|worker| {
        worker.filter(|worker| Arc::ptr_eq(&worker.registry, registry)).map(|worker| worker.number.get())
    });
    // Locked once each by the worker that it belongs to, and at the end.
    let results: Vec<Mutex<Option<R>>> = registry.peers.iter().map(|_| Mutex::new(None)).collect();
    let run = |index: usize| {
        let result = f(BroadcastContext::new(index, registry.peers.len()));
        *lock(&results[index]) = Some(result);
    };
    in_place_on(registry, |scope| {
        scope.spawn_on_workers(own, |_, context| run(context.index()));
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

/// Has every worker of the pool that the calling thread works for, or else of the [global](crate::Pool::global) one, run
/// `f` once; see [`Pool::spawn_broadcast`](crate::Pool::spawn_broadcast).
///
/// # Errors
/// As the method.
///
/// # Examples
/// ```
/// let pool = filch::Pool::builder().workers(3).build()?;
/// let (tell, told) = std::sync::mpsc::channel();
/// pool.install(|| filch::spawn_broadcast(move |context| tell.send(context.index()).unwrap()))
///     .map_err(|closed| closed.reason().to_string())?;
/// let mut indices: Vec<usize> = told.iter().collect();
/// indices.sort_unstable();
/// assert_eq!(indices, [0, 1, 2]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn spawn_broadcast<F>(f: F) -> Result<(), Closed<F>>
where
    F: Fn(BroadcastContext<'_>) + Send + Sync + 'static,
{
    spawn_broadcast_on(&global::current(), f)
}

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
