//! Which worker the calling thread is.
//!
//! A raw pointer in a constant-initialised thread-local: one load on the path of every submission.
//! Rejected: an `Rc` in the cell (a counter and a lazy destructor for each access), a pointer to the
//! registry beside an index (two loads, and an `Arc` that must not be dropped in thread teardown).

use std::cell::{Cell, RefCell};
use std::ptr;

use super::Worker;
use crate::registry::Registry;
use crate::sync::local;

local! {
    static CURRENT: Cell<*const Worker> = Cell::new(ptr::null());
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
        Current { worker }
    }
}

impl Drop for Current<'_> {
    fn drop(&mut self) {
        CURRENT.with(|current| {
            debug_assert!(ptr::eq(current.get(), self.worker));
            current.set(ptr::null());
        });
    }
}

thread_local! {
    /// The worker of a thread that its host lent to a pool.
    static HOST: RefCell<Option<Host>> = const { RefCell::new(None) };
}

struct Host(Box<Worker>);

impl Drop for Host {
    fn drop(&mut self) {
        // Before the worker goes, at the latest in the thread's teardown.
        let _ = CURRENT.try_with(|current| current.set(ptr::null()));
    }
}

/// Makes the calling thread, which is no worker yet, `worker` until [`return_host`] or its end.
pub(crate) fn lend_host(worker: Worker) {
    let host = Host(Box::new(worker));
    CURRENT.with(|current| {
        assert!(current.get().is_null(), "the thread is a worker already");
        current.set(&raw const *host.0);
    });
    HOST.with(|slot| *slot.borrow_mut() = Some(host));
}

/// Ends the calling thread's time as a worker of `registry`, if it was lent to it.
pub(crate) fn return_host(registry: &Registry) {
    let host = HOST.try_with(|slot| {
        let mut slot = slot.borrow_mut();
        slot.take_if(|host| ptr::eq(&raw const *host.0.registry, registry))
    });
    drop(host);
}
