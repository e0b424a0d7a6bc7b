//! Which worker the calling thread is.
//!
//! | thread-local | points to | null |
//! |---|---|---|
//! | `CURRENT` | the thread's [`Worker`] | on a thread that is no worker |
//! | `PRIVATE` | that worker's private stack | also on a worker that may not fork now |
//!
//! Both are raw pointers in constant-initialised cells, so a submission and a fork each pay one load. The invariant:
//! a cell that is not null points into a worker that lives. The frame that owns the worker lies further down this
//! thread's stack, or, on a lent thread, [`super::host`] holds the worker's box.
//!
//! Rejected: an `Rc` in the cell (each access pays for a counter and a lazy destructor); a pointer to the registry
//! beside an index (two loads, and an `Arc` that must not be dropped in thread teardown).

use std::cell::Cell;
use std::ptr;

use super::Worker;
use crate::jobs::private::Private;
use crate::sync::local;

local! {
    static CURRENT: Cell<*const Worker> = Cell::new(ptr::null());
}

local! {
    /// The private stack of the calling thread's worker, while that may fork. A worker without a main loop may fork
    /// only inside a job of its pool.
    static PRIVATE: Cell<*const Private> = Cell::new(ptr::null());
}

/// Calls `f` with the private stack of the calling thread's worker, or with `None` if the thread may not fork.
#[inline(always)]
pub(crate) fn with_private<R>(f: impl FnOnce(Option<&Private>) -> R) -> R {
    let private = PRIVATE.try_with(Cell::get).unwrap_or(ptr::null());
    // SAFETY: the cell holds null, or a pointer to the private stack of the current worker. `let_fork` resets the
    // cell before that worker goes. `f` cannot keep the reference, and the worker lives until `f` returns, as in
    // `with_current`.
    f(unsafe { private.as_ref() })
}

/// As [`with_private`], but does not check whether the calling thread may fork.
///
/// # Safety
/// The calling thread is a worker that may fork.
#[inline(always)]
pub(crate) unsafe fn with_private_again<R>(f: impl FnOnce(&Private) -> R) -> R {
    let private = PRIVATE.with(Cell::get);
    debug_assert!(!private.is_null());
    // SAFETY: the pointer is not null, by the caller's promise. It points to a live stack, as in `with_private`.
    f(unsafe { &*private })
}

/// Sets whether the calling thread, which is `worker`, may fork.
pub(super) fn let_fork(worker: &Worker, may_fork: bool) {
    let private = if may_fork { ptr::from_ref::<Private>(&worker.stack) } else { ptr::null() };
    // In thread teardown the cell may be gone. Then the thread does not fork.
    let _ = PRIVATE.try_with(|current| current.set(private));
}

/// Calls `f` with the worker of the calling thread, if the thread is a worker.
#[inline]
pub(crate) fn with_current<R>(f: impl FnOnce(Option<&Worker>) -> R) -> R {
    // A thread whose locals are being destroyed is no worker: workers end before that.
    let worker = CURRENT.try_with(Cell::get).unwrap_or(ptr::null());
    // SAFETY: the cell holds null, or what `Current::set` or `set` stored. A `Current` borrows its worker and resets
    // the cell when it goes; the caller of `set` promises that the worker lives until `unset`. `f` cannot keep the
    // reference. The frame that owns the worker is below; a lent thread is returned only outside any job, when no `f`
    // uses its worker.
    f(unsafe { worker.as_ref() })
}

/// Makes the calling thread `worker` for as long as it lives.
pub(crate) struct Current<'w> {
    worker: &'w Worker,
}

impl<'w> Current<'w> {
    /// Makes the calling thread `worker`. Panics if the thread is a worker already.
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

/// Makes the calling thread, which is no worker yet, `worker`, until [`unset`].
///
/// # Safety
/// `worker` lives, and does not move, until the calling thread calls [`unset`] with it.
pub(super) unsafe fn set(worker: &Worker) {
    CURRENT.with(|current| {
        assert!(current.get().is_null(), "the thread is a worker already");
        current.set(worker);
    });
}

/// Ends what [`set`] began, if the calling thread is `worker`.
pub(super) fn unset(worker: &Worker) {
    // A thread whose locals are gone is no worker.
    let _ = CURRENT.try_with(|current| {
        if ptr::eq(current.get(), worker) {
            current.set(ptr::null());
            let_fork(worker, false);
        }
    });
}
