//! Runs two closures, in parallel if a thread is free.

use std::marker::PhantomData;

use crate::global::{from_outside, on_worker};

/// Tells the closures of [`join_context`] whether they changed threads.
#[derive(Debug)]
pub struct FnContext {
    migrated: bool,
    /// Makes the type neither `Send` nor `Sync`, as in rayon.
    _marker: PhantomData<*mut ()>,
}

impl FnContext {
    #[inline]
    fn new(migrated: bool) -> FnContext {
        FnContext { migrated, _marker: PhantomData }
    }

    /// Returns whether the closure runs on another thread than the caller of [`join_context`].
    #[inline]
    pub fn migrated(&self) -> bool {
        self.migrated
    }
}

/// Calls both closures, `oper_b` on another thread if one is free, and returns both results. If one closure panics,
/// `join` panics after both have ended. If both panic, `join` panics as `oper_a` did.
///
/// ```
/// assert_eq!(rayon_core::join(|| 6 * 7, || "steal"), (42, "steal"));
/// ```
#[inline]
pub fn join<A, B, RA, RB>(oper_a: A, oper_b: B) -> (RA, RB)
where
    A: FnOnce() -> RA + Send,
    B: FnOnce() -> RB + Send,
    RA: Send,
    RB: Send,
{
    if on_worker() { filch::join(oper_a, oper_b) } else { from_outside(|| filch::join(oper_a, oper_b)) }
}

/// Calls both closures as [`join`] does, and tells each closure whether it has changed threads.
///
/// ```
/// let (_, moved) = rayon_core::join_context(|_| (), |context| context.migrated());
/// assert!(moved, "called from outside the pool, both have");
/// ```
#[inline]
pub fn join_context<A, B, RA, RB>(oper_a: A, oper_b: B) -> (RA, RB)
where
    A: FnOnce(FnContext) -> RA + Send,
    B: FnOnce(FnContext) -> RB + Send,
    RA: Send,
    RB: Send,
{
    if on_worker() {
        filch::join_context(
            |context| oper_a(FnContext::new(context.migrated())),
            |context| oper_b(FnContext::new(context.migrated())),
        )
    } else {
        from_outside(|| filch::join(|| oper_a(FnContext::new(true)), || oper_b(FnContext::new(true))))
    }
}
