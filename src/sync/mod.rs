//! The only module that chooses between `std`, the checkers loom and shuttle, and the lab's machine (`lab/README.md`).
//!
//! All other modules name atomics, cells, locks and threads through this module, so that the checkers explore the
//! code that ships. A checker is chosen by the cfg `loom` (or `shuttle`) *and* the feature of the same name. The cfg
//! alone would change builds of other crates that use the cfg. The feature alone would break a normal build in which
//! feature unification turns it on. `cfg(test)` plays no part in the choice.
//!
//! Orderings do not appear outside this module either. Each access names a [`site`], so that a mutant can weaken one
//! ordering, and a model must then fail.

#[cfg(not(any(all(loom, feature = "loom"), all(shuttle, feature = "shuttle"), all(lab, feature = "lab"))))]
mod blocker;
#[cfg(any(test, all(loom, feature = "loom"), all(shuttle, feature = "shuttle")))]
mod defect;
#[cfg(not(all(loom, feature = "loom")))]
mod plain;
pub(crate) mod site;

#[cfg(all(loom, feature = "loom", shuttle, feature = "shuttle"))]
compile_error!("one checker at a time: `--cfg loom` or `--cfg shuttle`");

#[cfg(all(all(lab, feature = "lab"), any(all(loom, feature = "loom"), all(shuttle, feature = "shuttle"))))]
compile_error!("a checker or the lab, not both");

#[cfg(all(loom, feature = "loom"))]
#[path = "loom_backend.rs"]
mod backend;
#[cfg(all(shuttle, feature = "shuttle", not(all(loom, feature = "loom"))))]
#[path = "shuttle_backend.rs"]
mod backend;
#[cfg(all(lab, feature = "lab"))]
#[path = "lab_backend.rs"]
mod backend;
#[cfg(not(any(all(loom, feature = "loom"), all(shuttle, feature = "shuttle"), all(lab, feature = "lab"))))]
#[path = "std_backend.rs"]
mod backend;

pub(crate) use backend::*;

/// Declares a thread-local that no checker needs to see, because none of its threads comes there.
#[cfg(all(lab, feature = "lab"))]
pub(crate) use filch_lab_machine::thread_local as unseen_local;
#[cfg(not(all(lab, feature = "lab")))]
pub(crate) use std::thread_local as unseen_local;

/// `std`'s counted pointers in each build: for what is also held weakly, which loom's `Arc` does not offer, and for
/// what no model is about. A checker sees no happens-before edge in them, so nothing in a model may rely on one.
pub(crate) use std::sync::{Arc as StdArc, Weak as StdWeak};

use std::sync::{PoisonError, TryLockError};

/// `true` in the build for a checker: timeouts never fire, windows shrink, no thread is bound to a core.
pub(crate) const MODEL: bool = cfg!(any(all(loom, feature = "loom"), all(shuttle, feature = "shuttle")));

/// `true` where the checker explores all executions. The code then spares each step that it can: it does not spin,
/// does not choose victims, and moves no batches.
pub(crate) const EXHAUSTIVE: bool = cfg!(all(loom, feature = "loom"));

/// Locks `mutex`, whether or not a holder panicked.
///
/// Every critical section in this crate leaves its data valid at each point where it could unwind. So poisoning
/// carries no information here.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// As [`lock`], but returns `None` if another thread holds the lock.
pub(crate) fn try_lock<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match mutex.try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}
