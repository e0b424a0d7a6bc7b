//! The only place that chooses between `std` and the model checker.
//!
//! Everything above names atomics, cells, locks and threads through this module, so that the code
//! which loom explores is the code that ships. The choice is gated on the `loom` cfg *and* the
//! `loom` feature: the cfg alone would change builds of other crates that use it, the feature alone
//! would break a normal build that happens to unify it. `cfg(test)` plays no part.
//!
//! Orderings do not appear outside this module either: each access names a [`site`], so that a
//! model can weaken one of them and must then fail.

pub(crate) mod site;

#[cfg(all(loom, feature = "loom"))]
#[path = "loom_backend.rs"]
mod backend;
#[cfg(not(all(loom, feature = "loom")))]
#[path = "std_backend.rs"]
mod backend;

pub(crate) use backend::*;

/// `true` where the model checker runs the show: loops shrink, timeouts never fire, nothing is pinned.
pub(crate) const MODEL: bool = cfg!(all(loom, feature = "loom"));

/// Locks `mutex`, whether or not a holder panicked.
///
/// Every critical section in this crate leaves its data valid at each point where it could unwind,
/// so poisoning carries no information here.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
