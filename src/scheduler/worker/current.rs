//! Which worker the calling thread is.
//!
//! A raw pointer in a constant-initialised thread-local: one load on the path of every submission.
//! Rejected: an `Rc` in the cell (a counter and a lazy destructor for each access), a pointer to the
//! registry beside an index (two loads, and an `Arc` that must not be dropped in thread teardown).

use std::cell::Cell;
use std::ptr;

use super::Worker;
use crate::jobs::private::Private;
use crate::sync::local;

local! {
    static CURRENT: Cell<*const Worker> = Cell::new(ptr::null());
}

local! {
    /// What the worker that the calling thread is keeps for itself, while it may fork: a worker that is in none of its
    /// pool's jobs may not, if it has no main loop.
    static PRIVATE: Cell<*const Private> = Cell::new(ptr::null());
}

/// Calls `f` with what the worker that the calling thread is keeps for itself, if it may fork.
#[inline(always)]
pub(crate) fn with_private<R>(f: impl FnOnce(Option<&Private>) -> R) -> R {
    let private = PRIVATE.try_with(Cell::get).unwrap_or(ptr::null());
    // SAFETY: null, or that of the current worker, as for `with_current`.
    f(unsafe { private.as_ref() })
}

/// As [`with_private`], without the question whether the calling thread may fork.
///
/// # Safety
/// It may.
#[inline(always)]
pub(crate) unsafe fn with_private_again<R>(f: impl FnOnce(&Private) -> R) -> R {
    let private = PRIVATE.with(Cell::get);
    debug_assert!(!private.is_null());
    // SAFETY: it is not null, by the caller's promise, and otherwise as above.
    f(unsafe { &*private })
}

/// Lets the calling thread, which is `worker`, fork or not.
pub(super) fn let_fork(worker: &Worker, may_fork: bool) {
    let private = if may_fork { ptr::from_ref::<Private>(&worker.stack) } else { ptr::null() };
    // In thread teardown the thread goes without.
    let _ = PRIVATE.try_with(|current| current.set(private));
}

/// Calls `f` with the worker that the calling thread is, if any.
#[inline]
pub(crate) fn with_current<R>(f: impl FnOnce(Option<&Worker>) -> R) -> R {
    // A thread whose locals are being destroyed is no worker: workers end before that.
    let worker = CURRENT.try_with(Cell::get).unwrap_or(ptr::null());
    // SAFETY: the cell holds null or what `Current::set` stored: a worker that outlives its `Current`,
    // which resets the cell when it goes. The reference is passed down the stack and cannot be kept;
    // the frame that owns the worker is below.
    f(unsafe { worker.as_ref() })
}

/// While it lives, the calling thread is `worker`.
pub(crate) struct Current<'w> {
    worker: &'w Worker,
}

impl<'w> Current<'w> {
    pub(crate) fn set(worker: &'w Worker) -> Self {
        CURRENT.with(|current| {
            assert!(current.get().is_null(), "the thread is a worker already");
            current.set(worker);
        });
        let_fork(worker, true);
        Current { worker }
    }
}

impl Drop for Current<'_> {
    fn drop(&mut self) {
        CURRENT.with(|current| {
            debug_assert!(ptr::eq(current.get(), self.worker));
            current.set(ptr::null());
        });
        let_fork(self.worker, false);
    }
}

/// Makes the calling thread, which is no worker yet, `worker`, until it [is not](unset) any more.
///
/// # Safety
/// `worker` stays where it is, and lives, until then.
pub(super) unsafe fn set(worker: &Worker) {
    CURRENT.with(|current| {
        assert!(current.get().is_null(), "the thread is a worker already");
        current.set(worker);
    });
}

/// The calling thread is `worker` no longer, if it was.
pub(super) fn unset(worker: &Worker) {
    // A thread whose locals are gone is no worker.
    let _ = CURRENT.try_with(|current| {
        if ptr::eq(current.get(), worker) {
            current.set(ptr::null());
            let_fork(worker, false);
        }
    });
}
