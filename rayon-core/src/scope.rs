//! Any number of jobs that borrow, all ended when the scope is. The scopes are filch's own: a job gets its scope by
//! reference, which no wrapper without `unsafe` could hand to it.

pub use filch::{Scope, ScopeFifo};

use crate::global::{self, from_outside, on_worker};

/// Calls `op` on a thread of the pool with a scope to spawn in, and returns when all that was spawned has ended. The first
/// panic goes on then.
///
/// ```
/// let mut halves = [0, 0];
/// let (left, right) = halves.split_at_mut(1);
/// rayon_core::scope(|scope| {
///     scope.spawn(|_| left[0] = 1);
///     scope.spawn(|_| right[0] = 2);
/// });
/// assert_eq!(halves, [1, 2]);
/// ```
pub fn scope<'scope, OP, R>(op: OP) -> R
where
    OP: FnOnce(&Scope<'scope>) -> R + Send,
    R: Send,
{
    if on_worker() { filch::scope(op) } else { from_outside(|| filch::scope(op)) }
}

/// As [`scope`], but a thread runs what it spawned in the order in which it did.
pub fn scope_fifo<'scope, OP, R>(op: OP) -> R
where
    OP: FnOnce(&ScopeFifo<'scope>) -> R + Send,
    R: Send,
{
    if on_worker() { filch::scope_fifo(op) } else { from_outside(|| filch::scope_fifo(op)) }
}

/// As [`scope`], but calls `op` on the calling thread.
pub fn in_place_scope<'scope, OP, R>(op: OP) -> R
where
    OP: FnOnce(&Scope<'scope>) -> R,
{
    if on_worker() { filch::in_place_scope(op) } else { global::get().in_place_scope(op) }
}

/// As [`scope_fifo`], but calls `op` on the calling thread.
pub fn in_place_scope_fifo<'scope, OP, R>(op: OP) -> R
where
    OP: FnOnce(&ScopeFifo<'scope>) -> R,
{
    if on_worker() { filch::in_place_scope_fifo(op) } else { global::get().in_place_scope_fifo(op) }
}
