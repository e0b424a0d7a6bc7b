//! Scopes: any number of jobs that borrow, all of which have ended when the scope ends. The scopes are filch's own: a
//! job gets its scope by reference, and a wrapper could not pass that reference without `unsafe`.

pub use filch::{Scope, ScopeFifo};

use crate::global::{self, from_outside, on_worker};

/// Calls `op` on a thread of the pool with a scope to spawn in, and returns when all spawned jobs have ended. Then it
/// resumes the first panic, if there was one.
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

/// Opens a scope as [`scope`] does, but a thread runs the jobs that it spawned in the order in which it spawned them.
pub fn scope_fifo<'scope, OP, R>(op: OP) -> R
where
    OP: FnOnce(&ScopeFifo<'scope>) -> R + Send,
    R: Send,
{
    if on_worker() { filch::scope_fifo(op) } else { from_outside(|| filch::scope_fifo(op)) }
}

/// Opens a scope as [`scope`] does, but calls `op` on the calling thread.
pub fn in_place_scope<'scope, OP, R>(op: OP) -> R
where
    OP: FnOnce(&Scope<'scope>) -> R,
{
    if on_worker() { filch::in_place_scope(op) } else { global::get().in_place_scope(op) }
}

/// Opens a scope as [`scope_fifo`] does, but calls `op` on the calling thread.
pub fn in_place_scope_fifo<'scope, OP, R>(op: OP) -> R
where
    OP: FnOnce(&ScopeFifo<'scope>) -> R,
{
    if on_worker() { filch::in_place_scope_fifo(op) } else { global::get().in_place_scope_fifo(op) }
}
