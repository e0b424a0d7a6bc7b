//! The only place that chooses between `std` and the checkers, loom and shuttle.
//!
//! Everything above names atomics, cells, locks and threads through this module, so that the code
//! which they explore is the code that ships. The choice is gated on the cfg `loom` (`shuttle`) *and* the
//! feature of that name: the cfg alone would change builds of other crates that use it, the feature alone
//! would break a normal build that happens to unify it. `cfg(test)` plays no part.
//!
//! Orderings do not appear outside this module either: each access names a [`site`], so that a
//! model can weaken one of them and must then fail.

#[cfg(any(all(loom, feature = "loom"), all(shuttle, feature = "shuttle")))]
mod defect;
#[cfg(not(all(loom, feature = "loom")))]
mod plain;
pub(crate) mod site;

#[cfg(all(loom, feature = "loom", shuttle, feature = "shuttle"))]
compile_error!("one checker at a time: `--cfg loom` or `--cfg shuttle`");

#[cfg(all(loom, feature = "loom"))]
#[path = "loom_backend.rs"]
mod backend;
#[cfg(all(shuttle, feature = "shuttle", not(all(loom, feature = "loom"))))]
#[path = "shuttle_backend.rs"]
mod backend;
#[cfg(not(any(all(loom, feature = "loom"), all(shuttle, feature = "shuttle"))))]
#[path = "std_backend.rs"]
mod backend;

pub(crate) use backend::*;

/// What may be held weakly as well, or is no model's subject: std's count in each build, because loom's knows no weak
/// one. A checker takes it for no edge; nothing in a model may rely on it for one.
pub(crate) use std::sync::{Arc as StdArc, Weak as StdWeak};

use std::sync::{PoisonError, TryLockError};

/// `true` where a checker runs the show: timeouts never fire, windows shrink, nothing is pinned.
pub(crate) const MODEL: bool = cfg!(any(all(loom, feature = "loom"), all(shuttle, feature = "shuttle")));

/// `true` where the checker explores all executions, and so each step that can be spared is: no spinning, no
/// choice of victims, no batches.
pub(crate) const EXHAUSTIVE: bool = cfg!(all(loom, feature = "loom"));

/// Locks `mutex`, whether or not a holder panicked.
///
/// Every critical section in this crate leaves its data valid at each point where it could unwind,
/// so poisoning carries no information here.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// As [`lock`], unless another thread has it.
pub(crate) fn try_lock<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match mutex.try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}
