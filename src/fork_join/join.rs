//! `join`: two closures, maybe at the same time. The engine is [`crate::fork_join::fork`].

use crate::fork_join::fork;
use crate::scheduler::registry::Shared;
use crate::scheduler::worker::{Worker, with_current};
use crate::sync::Arc;
use crate::tasks::install;

/// What a closure of [`join_context`](crate::join_context) is told about its call.
#[derive(Debug)]
pub struct FnContext {
    migrated: bool,
    /// Neither sent nor shared: it speaks of the thread that it was made on.
    _thread: std::marker::PhantomData<*const ()>,
}

impl FnContext {
    pub(crate) fn new(migrated: bool) -> FnContext {
        FnContext { migrated, _thread: std::marker::PhantomData }
    }

    /// Whether the closure runs on another thread than the one that called `join_context`. What adapts its grain
    /// to the demand splits further if so: somebody was idle.
    #[must_use]
    pub fn migrated(&self) -> bool {
        self.migrated
    }
}

/// [`join`](crate::join()) on the pool of `registry`.
#[inline]
pub(crate) fn join_on<A, B, RA, RB>(registry: &Shared, a: A, b: B) -> (RA, RB)
where
    A: FnOnce() -> RA + Send,
    B: FnOnce() -> RB + Send,
    RA: Send,
    RB: Send,
{
    join_told_on(registry, |_| a(), |_| b())
}

/// [`join_context`](crate::join_context) on the pool of `registry`.
#[inline]
pub(crate) fn join_context_on<A, B, RA, RB>(registry: &Shared, a: A, b: B) -> (RA, RB)
where
    A: FnOnce(FnContext) -> RA + Send,
    B: FnOnce(FnContext) -> RB + Send,
    RA: Send,
    RB: Send,
{
    join_told_on(registry, |migrated| a(FnContext::new(migrated)), |migrated| b(FnContext::new(migrated)))
}

#[inline(always)]
fn join_told_on<A, B, RA, RB>(registry: &Shared, a: A, b: B) -> (RA, RB)
where
    A: FnOnce(bool) -> RA + Send,
    B: FnOnce(bool) -> RB + Send,
    RA: Send,
    RB: Send,
{
    let own = |worker: &&Worker| worker.inside() && Arc::ptr_eq(&worker.registry, registry);
    with_current(|worker| match worker.filter(own) {
        Some(worker) => fork::fork(&worker.stack, || a(false), b),
        None => join_from_outside(registry, a, b),
    })
}

#[cold]
#[inline(never)]
pub(crate) fn join_from_outside<A, B, RA, RB>(registry: &Shared, a: A, b: B) -> (RA, RB)
where
    A: FnOnce(bool) -> RA + Send,
    B: FnOnce(bool) -> RB + Send,
    RA: Send,
    RB: Send,
{
    install::on_worker(registry, None, |worker, injected| {
        fork::fork(&worker.stack, || a(injected), |migrated| b(injected || migrated))
    })
}
